//! The jitter buffer in virtual time: order, loss, silence, jumps, and networks of all kinds.

use rtp::{Arrival, JitterBuffer, JitterConfig, Pacing, Play};
use std::time::{Duration, Instant};

const UNITS: u32 = 160;

struct World {
    now: Instant,
    buffer: JitterBuffer<u64>,
}

impl World {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test chooses where its time begins"
    )]
    fn new(pacing: Pacing) -> Self {
        Self {
            now: Instant::now(),
            buffer: JitterBuffer::new(JitterConfig::new(8000, pacing)),
        }
    }

    fn push_at(&mut self, ssrc: u32, sequence: u64, timestamp: u32) {
        let arrival = Arrival {
            ssrc,
            sequence,
            timestamp,
            units: UNITS,
            payload: sequence,
        };
        self.buffer.push(self.now, arrival);
    }

    /// A packet of the usual stream: its number says its time.
    fn push(&mut self, sequence: u64) {
        self.push_at(7, sequence, sequence as u32 * UNITS);
    }

    fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    fn pop_all(&mut self) -> Vec<Play<u64>> {
        std::iter::from_fn(|| self.buffer.pop(self.now)).collect()
    }
}

fn plain(payload: u64) -> Play<u64> {
    Play::Packet {
        payload,
        pause: 0,
        is_fresh: false,
        is_surplus: false,
    }
}

fn fresh(payload: u64) -> Play<u64> {
    Play::Packet {
        payload,
        pause: 0,
        is_fresh: true,
        is_surplus: false,
    }
}

/// A world in which packets 10 and 11 have come and gone.
fn running(pacing: Pacing) -> World {
    let mut world = World::new(pacing);
    world.push(10);
    world.pass(20);
    world.push(11);
    world.pass(30);
    assert_eq!(world.pop_all(), [fresh(10), plain(11)]);
    world.pass(20);
    world
}

#[test]
fn packets_in_order_leave_at_once_and_no_alarm_is_set() {
    let mut world = World::new(Pacing::Prompt);
    for sequence in 10..20 {
        world.push(sequence);
        let expected = if sequence == 10 {
            fresh(10)
        } else {
            plain(sequence)
        };
        assert_eq!(world.pop_all(), [expected]);
        assert_eq!(world.buffer.poll_timeout(), None);
        world.pass(20);
    }
}

#[test]
fn a_lost_packet_is_given_up_when_it_is_late_and_the_next_one_is_shown() {
    let mut world = World::new(Pacing::Prompt);
    world.push(10);
    world.pop_all();
    world.pass(40);
    world.push(12);
    assert_eq!(world.pop_all(), [], "it may have been overtaken");
    let due = world.buffer.poll_timeout().unwrap();
    assert_eq!(
        due,
        world.now + Duration::from_millis(10),
        "30 ms after its time"
    );
    world.now = due;
    let lost = Play::Lost {
        units: UNITS,
        next: Some(12),
    };
    assert_eq!(world.pop_all(), [lost, plain(12)]);
    world.push(11);
    assert_eq!(world.pop_all(), []);
    let stats = world.buffer.stats();
    assert_eq!((stats.played, stats.lost, stats.late), (2, 1, 1));
}

#[test]
fn of_several_lost_packets_only_the_last_may_be_in_the_next_one() {
    let mut world = World::new(Pacing::Prompt);
    world.push(10);
    world.pop_all();
    world.pass(80);
    world.push(14);
    world.pass(100);
    let lost = |next| Play::Lost { units: UNITS, next };
    let expected = [lost(None), lost(None), lost(Some(14)), plain(14)];
    assert_eq!(world.pop_all(), expected);
}

#[test]
fn overtaken_packets_are_put_in_order_and_copies_are_dropped() {
    let mut world = World::new(Pacing::Prompt);
    world.push(10);
    world.pop_all();
    world.pass(40);
    world.push(12);
    world.push(12);
    world.push(13);
    world.pass(5);
    world.push(11);
    world.push(10);
    assert_eq!(world.pop_all(), [plain(11), plain(12), plain(13)]);
    let stats = world.buffer.stats();
    assert_eq!((stats.duplicates, stats.late, stats.lost), (1, 1, 0));
}

#[test]
fn silence_of_the_sender_is_a_pause_and_no_loss() {
    let mut world = World::new(Pacing::Prompt);
    world.push(10);
    world.pop_all();
    world.pass(500);
    world.push_at(7, 11, 10 * UNITS + 4000);
    let expected = Play::Packet {
        payload: 11,
        pause: 4000 - UNITS,
        is_fresh: false,
        is_surplus: false,
    };
    assert_eq!(world.pop_all(), [expected]);
}

#[test]
fn digits_take_numbers_and_are_not_missing() {
    let mut world = World::new(Pacing::Prompt);
    world.push(10);
    world.pop_all();
    for sequence in [11, 12, 13] {
        world.pass(20);
        world.buffer.skip(7, sequence);
    }
    world.pass(20);
    world.push_at(7, 14, 14 * UNITS);
    assert!(matches!(
        world.pop_all()[..],
        [Play::Packet {
            payload: 14,
            pause: 480,
            ..
        }]
    ));
    assert_eq!(world.buffer.stats().lost, 0);
}

#[test]
fn another_source_begins_a_stream_of_its_own() {
    let mut world = running(Pacing::Prompt);
    world.push_at(8, 3, 900_000);
    assert_eq!(world.pop_all(), [fresh(3)]);
    world.pass(20);
    world.push_at(8, 4, 900_000 + UNITS);
    assert_eq!(world.pop_all(), [plain(4)]);
}

#[test]
fn numbers_that_jump_are_a_restart_and_a_single_old_one_is_not() {
    let mut world = running(Pacing::Prompt);
    world.push(5000);
    assert_eq!(world.pop_all(), [fresh(5000)]);
    world.push(100);
    assert_eq!(world.pop_all(), [], "one stray packet");
    world.push(101);
    assert_eq!(world.pop_all(), [fresh(101)]);
}

#[test]
fn a_timestamp_that_jumps_is_another_timeline_without_a_pause() {
    for jump in [9_000_000u32, 3_000_000_000] {
        let mut world = running(Pacing::Prompt);
        world.push_at(7, 12, jump);
        assert_eq!(world.pop_all(), [fresh(12)]);
        world.pass(20);
        world.push_at(7, 13, jump.wrapping_add(UNITS));
        assert_eq!(world.pop_all(), [plain(13)]);
    }
}

#[test]
fn timestamps_run_over_their_end() {
    let mut world = World::new(Pacing::Prompt);
    world.push_at(7, 1, u32::MAX - 100);
    world.pop_all();
    world.pass(20);
    world.push_at(7, 2, (u32::MAX - 100).wrapping_add(UNITS));
    assert_eq!(world.pop_all(), [plain(2)]);
}

#[test]
fn a_player_that_starves_is_given_a_little_and_then_nothing() {
    let mut world = running(Pacing::Steady);
    let mut lost = 0;
    while let Some(due) = world.buffer.poll_timeout() {
        world.now = world.now.max(due);
        lost += world.pop_all().len();
        assert!(lost < 10, "it ends");
    }
    assert_eq!(lost, 5, "100 ms");
    // Packet 12 was only delayed: nothing is lost, nothing is a pause.
    world.push(12);
    world.pass(300);
    assert_eq!(world.buffer.pop(world.now), Some(plain(12)));
    assert_eq!(world.buffer.stats().lost, 0);
}

/// Seeded, with a normal distribution good enough for delays.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.uniform()).ln()
    }
}

/// Packets of a network as (arrival in µs, number), in the order they arrive.
fn network(seed: u64, count: u64, jitter_ms: f64, loss: f64) -> Vec<(u64, u64)> {
    let mut random = Random(seed);
    let mut packets = Vec::new();
    for number in 0..count {
        let delay_ms = 30.0 + random.exponential(jitter_ms);
        if random.uniform() >= loss {
            packets.push((
                (number as f64 * 20_000.0 + delay_ms * 1000.0) as u64,
                number,
            ));
        }
    }
    packets.sort_unstable();
    packets
}

/// Runs a network through a prompt buffer; returns the numbers played, in order.
fn run_prompt(world: &mut World, packets: &[(u64, u64)]) -> Vec<u64> {
    let start = world.now;
    let mut played = Vec::new();
    let mut take = |plays: Vec<Play<u64>>| {
        played.extend(plays.iter().filter_map(|play| match play {
            Play::Packet { payload, .. } => Some(*payload),
            Play::Lost { .. } => None,
        }));
    };
    for (at, number) in packets {
        let at = start + Duration::from_micros(*at);
        while let Some(due) = world.buffer.poll_timeout().filter(|due| *due < at) {
            assert!(due >= world.now, "an alarm in the past");
            world.now = due;
            let plays = world.pop_all();
            assert!(!plays.is_empty(), "an alarm for nothing");
            take(plays);
        }
        world.now = at;
        world.push(*number);
        take(world.pop_all());
    }
    played
}

#[test]
fn a_lossy_jittery_network_is_put_in_order_and_few_packets_are_too_late() {
    for (seed, jitter_ms, loss) in [
        (1, 1.0, 0.0),
        (2, 5.0, 0.05),
        (3, 15.0, 0.1),
        (4, 40.0, 0.2),
    ] {
        let mut world = World::new(Pacing::Prompt);
        let packets = network(seed, 3000, jitter_ms, loss);
        let played = run_prompt(&mut world, &packets);
        assert!(played.is_sorted(), "in order");
        let stats = world.buffer.stats();
        let late = packets.len() as u64 - stats.played;
        assert!(
            late < packets.len() as u64 * 4 / 100,
            "{late} late at {jitter_ms} ms"
        );
        assert!(
            stats.lost + stats.played >= 2950,
            "each gap was named: {stats:?}"
        );
        assert!(stats.delay <= Duration::from_millis(200));
    }
}

#[test]
fn the_delay_follows_the_network_up_and_down() {
    let mut world = World::new(Pacing::Prompt);
    let delay = |world: &World| world.buffer.stats().delay.as_millis();
    run_prompt(&mut world, &network(1, 500, 1.0, 0.0));
    assert_eq!(delay(&world), 30);
    let rough: Vec<_> = network(2, 1000, 40.0, 0.0)
        .into_iter()
        .filter(|(_, n)| *n > 520)
        .collect();
    world.now -= Duration::from_millis(20 * 500);
    run_prompt(&mut world, &rough);
    assert!((90..=200).contains(&delay(&world)), "{}", delay(&world));
    let calm: Vec<_> = network(3, 1500, 1.0, 0.0)
        .into_iter()
        .filter(|(_, n)| *n > 1020)
        .collect();
    world.now -= Duration::from_millis(20 * 1000);
    run_prompt(&mut world, &calm);
    assert_eq!(delay(&world), 30);
}

/// What a player with a tick of 20 ms gets.
#[derive(Debug, Default)]
struct Ticks {
    played: u64,
    concealed: u64,
    surplus: u64,
    empty: u64,
}

/// Plays a network by ticks; the player's clock is fast or slow by so many parts in a million.
fn run_steady(world: &mut World, packets: &[(u64, u64)], drift_ppm: i64) -> Ticks {
    let start = world.now;
    let mut ticks = Ticks::default();
    let mut packets = packets.iter().peekable();
    let mut tick_us = 0u64;
    while packets.peek().is_some() {
        while let Some((at, number)) = packets.next_if(|(at, _)| *at <= tick_us) {
            world.now = start + Duration::from_micros(*at);
            world.push(*number);
        }
        world.now = start + Duration::from_micros(tick_us);
        let mut is_filled = false;
        while let Some(play) = (!is_filled).then(|| world.buffer.pop(world.now)).flatten() {
            match play {
                Play::Packet {
                    is_surplus: true, ..
                } => ticks.surplus += 1,
                Play::Packet { .. } => {
                    ticks.played += 1;
                    is_filled = true;
                }
                Play::Lost { .. } => {
                    ticks.concealed += 1;
                    is_filled = true;
                }
            }
        }
        ticks.empty += u64::from(!is_filled);
        tick_us = tick_us.saturating_add_signed(20_000 + 20_000 * drift_ppm / 1_000_000);
    }
    ticks
}

#[test]
fn a_player_hears_nearly_everything_of_a_rough_network() {
    let mut world = World::new(Pacing::Steady);
    let packets = network(5, 3000, 10.0, 0.02);
    let ticks = run_steady(&mut world, &packets, 0);
    assert!(ticks.played > 2820, "{ticks:?}");
    assert!(ticks.empty < 60, "{ticks:?}");
    assert!(ticks.surplus < 30, "{ticks:?}");
}

#[test]
fn clocks_that_drift_apart_cost_a_packet_now_and_then() {
    // Ten minutes; 200 ppm are 120 ms of it, 6 packets.
    for drift_ppm in [-200, 200] {
        let mut world = World::new(Pacing::Steady);
        let packets = network(6, 30_000, 2.0, 0.0);
        let ticks = run_steady(&mut world, &packets, drift_ppm);
        assert!(ticks.played > 29_900, "{drift_ppm} ppm: {ticks:?}");
        assert!(
            ticks.empty + ticks.concealed < 80,
            "{drift_ppm} ppm: {ticks:?}"
        );
        assert!(world.buffer.stats().delay < Duration::from_millis(60));
    }
}

#[test]
fn any_packets_at_any_time_neither_break_it_nor_stall_it() {
    for pacing in [Pacing::Prompt, Pacing::Steady] {
        let mut random = Random(9);
        let mut world = World::new(pacing);
        let mut number = 0u64;
        for _ in 0..50_000 {
            let step = [0, 1, 1, 1, 2, 63, 64, 65, 1 << 40, u64::MAX / 2]
                [(random.uniform() * 10.0) as usize];
            number = if random.uniform() < 0.3 {
                number.saturating_sub(step)
            } else {
                number.saturating_add(step) % (1 << 62)
            };
            let timestamp = (random.uniform() * f64::from(u32::MAX)) as u32;
            let stray = random.uniform() < 0.1;
            let timestamp = if stray {
                timestamp
            } else {
                (number as u32).wrapping_mul(UNITS)
            };
            if random.uniform() < 0.1 {
                world.buffer.skip(7, number);
            } else {
                world.push_at(7, number, timestamp);
            }
            world.pass((random.uniform() * 40.0) as u64);
            assert!(world.pop_all().len() <= 2 * 64 + 8);
            let is_later = |due: Instant| due > world.now;
            assert!(
                world.buffer.poll_timeout().is_none_or(is_later),
                "an alarm for nothing"
            );
        }
    }
}
