//! Learning of the source, and strangers who want to be it.
#![expect(
    clippy::disallowed_methods,
    reason = "a test chooses where its time begins"
)]

use rtp::{Claim, Latch, Strictness, Verdict};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const DECLARED: &str = "192.168.1.5:4000";
const PUBLIC: &str = "203.0.113.9:61000";
const STRANGER: &str = "198.51.100.66:7777";

struct World {
    now: Instant,
    latch: Latch,
    sequence: u16,
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address of this file")
}

fn world(strictness: Strictness) -> World {
    let now = Instant::now();
    let mut latch = Latch::new(now, strictness, Some(address(PUBLIC).ip()));
    latch.declare(now, Some(address(DECLARED)));
    World {
        now,
        latch,
        sequence: 100,
    }
}

impl World {
    fn claim(&mut self, from: &str, ssrc: u32, is_proven: bool) -> Verdict {
        self.sequence += 1;
        self.now += Duration::from_millis(20);
        let claim = Claim {
            from: address(from),
            ssrc,
            sequence: self.sequence,
            is_proven,
        };
        self.latch.judge(self.now, claim)
    }

    fn send(&mut self, from: &str, ssrc: u32) -> Verdict {
        self.claim(from, ssrc, false)
    }

    fn source(&self) -> Option<SocketAddr> {
        self.latch.address()
    }
}

#[test]
fn the_declared_address_is_believed_at_once() {
    let mut world = world(Strictness::Yes);
    assert_eq!(world.send(DECLARED, 1), Verdict::Learned);
    assert_eq!(world.send(DECLARED, 1), Verdict::Heard);
    assert_eq!(world.source(), Some(address(DECLARED)));
}

#[test]
fn a_phone_behind_a_nat_is_learned_after_four_packets_in_order() {
    let mut world = world(Strictness::Yes);
    for _ in 0..3 {
        assert_eq!(world.send(PUBLIC, 1), Verdict::Refused);
    }
    world.sequence += 1;
    assert_eq!(world.send(PUBLIC, 1), Verdict::Refused, "a gap begins anew");
    for _ in 0..2 {
        assert_eq!(world.send(PUBLIC, 1), Verdict::Refused);
    }
    assert_eq!(world.send(PUBLIC, 1), Verdict::Learned);
}

#[test]
fn a_stranger_neither_enters_nor_redirects() {
    let mut world = world(Strictness::Yes);
    world.send(DECLARED, 1);
    for _ in 0..2000 {
        // The stranger even knows the source's number.
        assert_eq!(world.send(STRANGER, 1), Verdict::Refused);
        world.send(DECLARED, 1);
    }
    assert_eq!(world.source(), Some(address(DECLARED)));
    assert_eq!(world.latch.refused(), 2000);
}

#[test]
fn a_stranger_who_comes_first_does_not_win() {
    let mut world = world(Strictness::Yes);
    for _ in 0..20 {
        assert_eq!(world.send(STRANGER, 6), Verdict::Refused);
    }
    for _ in 0..4 {
        world.send(PUBLIC, 1);
    }
    assert_eq!(world.source(), Some(address(PUBLIC)));
}

#[test]
fn a_far_address_is_believed_where_nothing_else_comes() {
    let mut world = world(Strictness::Yes);
    let heard = (0..100).find(|_| world.send(STRANGER, 6) == Verdict::Learned);
    assert_eq!(heard, Some(74), "after one and a half seconds");
    assert_eq!(world.send(DECLARED, 1), Verdict::Learned, "the real one");
    assert_eq!(world.send(STRANGER, 6), Verdict::Refused);
}

#[test]
fn many_candidates_do_not_keep_the_right_one_out() {
    let mut world = world(Strictness::Yes);
    for round in 0..4 {
        for port in 0..50 {
            let from = format!("198.51.100.66:{}", 1000 + round * 100 + port);
            let kept = world.sequence;
            world.send(&from, 6);
            world.sequence = kept;
        }
        world.send(PUBLIC, 1);
    }
    assert_eq!(world.source(), Some(address(PUBLIC)));
}

#[test]
fn silence_alone_does_not_let_a_stranger_in() {
    let mut world = world(Strictness::Yes);
    world.send(DECLARED, 1);
    world.now += Duration::from_secs(60);
    for _ in 0..100 {
        assert_eq!(world.send(STRANGER, 6), Verdict::Refused);
    }
    for _ in 0..4 {
        world.send("192.168.1.5:5555", 9);
    }
    assert_eq!(
        world.source(),
        Some(address("192.168.1.5:5555")),
        "a restart"
    );
}

#[test]
fn a_source_that_goes_on_elsewhere_is_followed_after_silence() {
    let mut world = world(Strictness::Yes);
    world.send(DECLARED, 1);
    assert_eq!(world.send(STRANGER, 1), Verdict::Refused);
    world.now += Duration::from_secs(4);
    for _ in 0..4 {
        world.send(PUBLIC, 1);
    }
    assert_eq!(world.source(), Some(address(PUBLIC)));
}

#[test]
fn a_new_description_is_learned_anew_and_an_old_one_not() {
    let mut world = world(Strictness::Yes);
    world.send(DECLARED, 1);
    let (now, moved) = (world.now, address("192.0.2.77:9000"));
    world.latch.declare(now, Some(address(DECLARED)));
    world.latch.declare(now, None);
    assert_eq!(world.source(), Some(address(DECLARED)));
    world.latch.declare(now, Some(moved));
    assert_eq!(world.source(), None);
    assert_eq!(world.send(DECLARED, 1), Verdict::Refused);
    assert_eq!(world.send("192.0.2.77:9000", 5), Verdict::Learned);
}

#[test]
fn a_key_proves_the_source_but_a_captured_packet_does_not_move_it() {
    let mut world = world(Strictness::Yes);
    assert_eq!(world.claim(STRANGER, 1, true), Verdict::Learned);
    assert_eq!(world.claim(PUBLIC, 1, true), Verdict::Refused);
    world.now += Duration::from_secs(1);
    assert_eq!(world.claim(PUBLIC, 1, true), Verdict::Learned);
}

#[test]
fn by_sequence_alone_the_declared_address_has_no_privilege() {
    let mut world = world(Strictness::Sequence);
    assert_eq!(world.send(DECLARED, 1), Verdict::Refused);
    for _ in 0..4 {
        world.send(STRANGER, 6);
    }
    assert_eq!(world.source(), Some(address(STRANGER)));
}

#[test]
fn without_strictness_whatever_comes_is_taken() {
    let mut world = world(Strictness::No);
    assert_eq!(world.send(STRANGER, 6), Verdict::Learned);
    assert_eq!(world.send(DECLARED, 1), Verdict::Learned);
}
