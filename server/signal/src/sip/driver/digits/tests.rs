//! Digits by INFO in virtual time: what is heard, in which order, and what media has to send.

mod rig;

use std::time::Duration;

use ::sip::{Body, HeaderName, Method, Request, Status, Transport};
use rig::{Rig, digit_of};

use super::{ANSWER_PATIENCE, RETRY_AFTER_S_MAX, TRIES_MAX};

#[test]
fn who_takes_neither_form_gets_all_digits_by_media_in_their_order() {
    let mut rig = Rig::new(Transport::Ws);
    rig.dial("123");
    for form in ["application/dtmf-relay", "application/dtmf"] {
        let info = rig.info();
        assert_eq!(digit_of(&info), '1');
        assert_eq!(content_type(&info), form);
        rig.answer(&info, 415, 0);
    }
    rig.dial("4");
    assert_eq!((rig.media.as_str(), rig.wire.len()), ("1234", 0));
}

#[test]
fn who_knows_no_info_gets_them_by_media_after_one_answer() {
    for status in [405, 501, 403, 488, 500, 603] {
        let mut rig = Rig::new(Transport::Udp);
        rig.dial("12");
        let info = rig.info();
        rig.answer(&info, status, 0);
        rig.dial("3");
        rig.pass(Duration::from_secs(60));
        assert_eq!((rig.media.as_str(), rig.wire.len()), ("123", 0), "{status}");
    }
}

#[test]
fn what_was_taken_before_the_refusal_is_not_sent_again() {
    let mut rig = Rig::new(Transport::Ws);
    rig.dial("123");
    let first = rig.info();
    rig.answer(&first, 200, 0);
    let second = rig.info();
    rig.answer(&second, 501, 0);
    assert_eq!(rig.media, "23");
}

#[test]
fn a_digit_without_answer_is_not_doubled_and_those_behind_it_are_not_lost() {
    let mut rig = Rig::new(Transport::Udp);
    rig.dial("12");
    rig.pass(Duration::from_secs(31));
    rig.dial("3");
    assert_eq!(rig.media, "");
    rig.pass(Duration::from_secs(2));
    let repeats = std::mem::take(&mut rig.wire);
    assert!(repeats.len() > 5 && repeats.iter().all(|it| digit_of(it) == '1'));
    // RFC 3261 §17.1.2.2: timer F.
    assert_eq!(rig.media, "23");
    rig.dial("4");
    assert_eq!((rig.media.as_str(), rig.wire.len()), ("234", 0));
}

#[test]
fn a_repeated_info_that_is_answered_late_counts_once() {
    let mut rig = Rig::new(Transport::Udp);
    rig.dial("12");
    rig.pass(Duration::from_secs(4));
    let repeats = std::mem::take(&mut rig.wire);
    assert!(repeats.len() > 2);
    for request in &repeats {
        rig.answer(request, 200, 0);
    }
    assert_eq!(heard(&mut rig), "2");
    assert_eq!(rig.media, "");
}

#[test]
fn a_busy_far_end_is_asked_again_in_order() {
    for (status, retry_after, pause_ms) in [(491, 0, 500), (500, 2, 2000), (503, 1, 1000)] {
        let mut rig = Rig::new(Transport::Ws);
        rig.dial("12");
        let info = rig.info();
        rig.answer(&info, status, retry_after);
        rig.dial("3");
        rig.pass(Duration::from_millis(pause_ms - 1));
        assert_eq!(rig.wire.len(), 0, "{status}");
        rig.pass(Duration::from_millis(1));
        assert_eq!(heard(&mut rig), "123", "{status}");
        assert_eq!(rig.media, "");
    }
}

#[test]
fn who_is_always_busy_gets_them_by_media() {
    let mut rig = Rig::new(Transport::Ws);
    rig.dial("12");
    for _ in 0..=TRIES_MAX {
        let info = rig.info();
        rig.answer(&info, 491, 0);
        rig.pass(Duration::from_secs(1));
    }
    assert_eq!((rig.media.as_str(), rig.wire.len()), ("12", 0));
    let mut rig = Rig::new(Transport::Ws);
    rig.dial("12");
    let info = rig.info();
    rig.answer(&info, 503, RETRY_AFTER_S_MAX + 1);
    assert_eq!(rig.media, "12");
}

#[test]
fn digits_wait_for_the_next_connection() {
    let mut rig = Rig::new(Transport::Ws);
    rig.dial("12");
    assert_eq!(digit_of(&rig.info()), '1');
    rig.agent.handle_flow_closed(rig.now, rig.flow.id);
    rig.turn();
    rig.dial("3");
    rig.pass(Duration::from_secs(20));
    assert_eq!(rig.wire.len(), 0);
    rig.reconnect(2);
    assert_eq!(heard(&mut rig), "123");
    assert_eq!(rig.media, "");
}

#[test]
fn a_connection_that_is_known_to_be_dead_late_loses_no_digit() {
    let mut rig = Rig::new(Transport::Ws);
    rig.dial("12");
    assert_eq!(digit_of(&rig.info()), '1');
    let old = rig.flow;
    // The page is back before its old connection is missed.
    rig.reconnect(2);
    assert_eq!(rig.wire.len(), 0);
    rig.pass(ANSWER_PATIENCE);
    assert_eq!(heard(&mut rig), "12");
    rig.agent.handle_flow_closed(rig.now, old.id);
    rig.pass(Duration::from_secs(40));
    rig.dial("3");
    assert_eq!(heard(&mut rig), "3");
    assert_eq!(rig.media, "");
}

#[test]
fn an_answer_that_is_on_its_way_when_the_client_comes_back_counts() {
    let mut rig = Rig::new(Transport::Ws);
    rig.dial("12");
    let (info, old) = (rig.info(), rig.flow);
    assert_eq!(digit_of(&info), '1');
    rig.reconnect(2);
    rig.pass(ANSWER_PATIENCE / 2);
    rig.answer_by(old, &info, 200);
    assert_eq!(heard(&mut rig), "2");
    rig.agent.handle_flow_closed(rig.now, old.id);
    rig.pass(Duration::from_secs(40));
    assert_eq!((rig.media.as_str(), rig.wire.len()), ("", 0));
}

#[test]
fn a_digit_goes_by_the_next_connection_as_soon_as_the_one_before_is_gone() {
    let mut rig = Rig::new(Transport::Ws);
    rig.dial("12");
    let old = rig.flow;
    rig.info();
    rig.reconnect(2);
    rig.agent.handle_flow_closed(rig.now, old.id);
    rig.turn();
    assert_eq!(heard(&mut rig), "12");
    assert_eq!((rig.media.as_str(), rig.calls.next_digit()), ("", None));
}

/// What was heard at the old address is known again by its branch.
#[test]
fn a_datagram_is_repeated_as_it_was_to_the_address_the_client_has_now() {
    let mut rig = Rig::new(Transport::Udp);
    rig.dial("12");
    let first = rig.info();
    rig.reconnect(2);
    let again = rig.info();
    assert_eq!(again.to_bytes(), first.to_bytes());
    rig.pass(Duration::from_millis(600));
    assert_eq!(rig.info().to_bytes(), first.to_bytes());
    rig.answer(&again, 200, 0);
    assert_eq!(heard(&mut rig), "2");
    rig.pass(Duration::from_secs(40));
    assert_eq!((rig.media.as_str(), rig.wire.len()), ("", 0));
}

#[test]
fn digits_go_out_while_an_offer_is_under_way() {
    let mut rig = Rig::new(Transport::Ws);
    let offer = Body::sdp("v=0\r\n".to_owned());
    rig.agent.reinvite(rig.now, rig.id, offer).unwrap();
    rig.dial("12");
    let reinvite = rig.wire.remove(0);
    assert_eq!(reinvite.method, Method::Invite);
    assert_eq!(heard(&mut rig), "12");
    rig.answer(&reinvite, 200, 0);
    rig.dial("3");
    assert_eq!(heard(&mut rig), "3");
}

#[test]
fn a_call_that_is_over_takes_its_digits_along() {
    let mut rig = Rig::new(Transport::Ws);
    rig.dial("12");
    let info = rig.info();
    rig.answer(&info, 491, 0);
    rig.agent
        .hangup(rig.now, rig.id, Vec::new(), Status::DECLINE);
    rig.turn();
    let bye = rig.wire.remove(0);
    rig.answer(&bye, 200, 0);
    assert_eq!(rig.calls.next_digit(), None);
    rig.pass(Duration::from_secs(40));
    assert_eq!((rig.media.as_str(), rig.wire.len()), ("", 0));
}

/// Answers all that comes; the digits that were heard.
fn heard(rig: &mut Rig) -> String {
    let mut digits = String::new();
    while !rig.wire.is_empty() {
        let info = rig.info();
        digits.push(digit_of(&info));
        rig.answer(&info, 200, 0);
    }
    digits
}

fn content_type(request: &Request) -> &str {
    request.headers.get(&HeaderName::ContentType).unwrap()
}
