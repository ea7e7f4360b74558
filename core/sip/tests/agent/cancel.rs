//! CANCEL of either side at every point of a call.

use std::time::Duration;

use sip::{Body, Counts, Ended, Event, HeaderName, Status, Transport};

use super::pair::{Pair, Side, Wire, outgoing};
use super::solo::{SDP, Solo, request};

#[test]
fn a_caller_cancels_while_it_rings() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request("INVITE", 1, "a", "", SDP));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.provisional(now, id, Status::RINGING, None));
    let tag = solo.our_tag();
    solo.receive(&request("CANCEL", 1, "a", "", ""));
    assert_eq!(solo.our_tag(), tag, "RFC 3261 §9.2: the same To tag");
    assert_eq!(
        solo.lines(),
        ["100 INVITE", "180 INVITE", "200 CANCEL", "487 INVITE"]
    );
    assert!(matches!(
        solo.events.last(),
        Some(Event::Ended {
            cause: Ended::Cancelled,
            ..
        })
    ));
    solo.receive(&request("ACK", 1, "a", &tag, ""));
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("too late")));
    assert!(solo.sent.is_empty());
    assert_eq!(solo.agent.counts(), Counts::default());
}

/// A caller's CANCEL that crosses our 200: what it wants is plain, and RFC 3261 §15 says when the BYE may go.
fn cancelled_while_answered(transport: Transport) -> (Solo, String) {
    let mut solo = Solo::new(transport);
    solo.receive(&request("INVITE", 1, "a", "", SDP));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    let tag = solo.our_tag();
    solo.receive(&request("CANCEL", 1, "a", "", ""));
    assert_eq!(solo.lines(), ["100 INVITE", "200 INVITE", "200 CANCEL"]);
    assert!(
        matches!(solo.events[1..], [Event::GivenUp { .. }]),
        "told at once: {:?}",
        solo.events
    );
    // The layer above may hang up as well.
    solo.act(|agent, now, _| agent.hangup(now, id, Vec::new(), Status::DECLINE));
    assert!(solo.lines().is_empty(), "no BYE before the ACK");
    (solo, tag)
}

#[test]
fn a_call_cancelled_while_it_was_answered_ends_with_the_ack() {
    for transport in [Transport::Ws, Transport::Udp] {
        let (mut solo, tag) = cancelled_while_answered(transport);
        solo.receive(&request("ACK", 1, "b", &tag, ""));
        let bye = solo.last_request().clone();
        assert_eq!(solo.lines(), ["BYE"]);
        solo.answer_to(&bye, "481 Call Does Not Exist", "", "");
        assert!(matches!(
            solo.events[2..],
            [Event::Ended {
                cause: Ended::Cancelled,
                ..
            }]
        ));
        solo.advance_ms(40_000);
        assert_eq!(solo.agent.counts(), Counts::default());
    }
}

/// JsSIP 3.0.13 forgets the dialog with its CANCEL: it sends neither ACK nor BYE.
#[test]
fn a_call_cancelled_while_it_was_answered_ends_without_an_ack_too() {
    let (mut solo, _) = cancelled_while_answered(Transport::Ws);
    solo.advance_ms(31_999);
    let lines = solo.lines();
    assert!(lines.iter().all(|line| line == "200 INVITE"), "{lines:?}");
    assert_eq!(solo.events.len(), 2);
    solo.advance_ms(1);
    let bye = solo.last_request().clone();
    assert_eq!(solo.lines(), ["BYE"]);
    solo.answer_to(&bye, "481 Call Does Not Exist", "", "");
    assert_eq!(solo.agent.counts().invites, 0);
}

/// The caller that does as RFC 3261 §9.1 says: ACK and BYE.
#[test]
fn a_caller_that_cancelled_too_late_may_end_the_call_itself() {
    let (mut solo, tag) = cancelled_while_answered(Transport::Udp);
    solo.receive(&request("BYE", 2, "c", &tag, ""));
    assert_eq!(solo.lines(), ["200 BYE"]);
    assert!(matches!(solo.events[2..], [Event::Ended { .. }]));
}

/// RFC 3261 §9.2: after the ACK, CANCEL "has no effect".
#[test]
fn a_cancel_after_the_ack_changes_nothing() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request("INVITE", 1, "a", "", SDP));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    let tag = solo.our_tag();
    solo.receive(&request("ACK", 1, "b", &tag, ""));
    solo.receive(&request("CANCEL", 1, "a", "", ""));
    assert_eq!(solo.lines(), ["100 INVITE", "200 INVITE", "200 CANCEL"]);
    assert!(matches!(solo.events[1..], [Event::Confirmed { .. }]));
    solo.advance_ms(40_000);
    assert_eq!(solo.agent.counts().invites, 1);
}

#[test]
fn a_cancel_of_a_reinvite_takes_the_offer_back() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request("INVITE", 1, "a", "", SDP));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    let tag = solo.our_tag();
    solo.receive(&request("ACK", 1, "b", &tag, ""));
    solo.receive(&request("INVITE", 2, "c", &tag, SDP));
    solo.lines();
    solo.receive(&request("CANCEL", 2, "c", &tag, ""));
    assert_eq!(solo.lines(), ["200 CANCEL", "487 INVITE"]);
    assert!(matches!(
        solo.events.last(),
        Some(Event::OfferWithdrawn { .. })
    ));
    solo.act(|agent, now, _| agent.answer(now, id, Some(Body::sdp("too late"))));
    assert!(solo.lines().is_empty());
    assert_eq!(solo.agent.counts().invites, 1);
}

/// RFC 3261 §9.2: CANCEL "has no impact on the processing of transactions with any other method".
#[test]
fn a_cancel_of_another_method_is_answered_and_changes_nothing() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request(
        "MESSAGE",
        1,
        "m",
        "",
        "Content-Type: text/plain\n\nhi",
    ));
    solo.receive(&request("CANCEL", 1, "m", "", ""));
    solo.receive(&request("CANCEL", 1, "m", "", ""));
    solo.receive(&request("CANCEL", 1, "n", "", ""));
    assert_eq!(solo.lines(), ["200 CANCEL", "200 CANCEL", "481 CANCEL"]);
    let [Event::Request { id, request, .. }] = &solo.events[..] else {
        panic!("{:?}", solo.events)
    };
    let (id, response) = (*id, request.response(Status::OK));
    solo.act(|agent, now, _| agent.respond(now, id, response));
    assert_eq!(solo.lines(), ["200 MESSAGE"]);
}

/// RFC 3261 §9.1: no CANCEL before a provisional response.
#[test]
fn our_cancel_waits_for_a_provisional_response() {
    let mut solo = Solo::new(Transport::Udp);
    let id = solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
    let invite = solo.last_request().clone();
    let reason = (HeaderName::Reason, "SIP;cause=200".to_owned());
    solo.act(|agent, now, _| agent.hangup(now, id, vec![reason], Status::DECLINE));
    assert_eq!(solo.lines(), ["INVITE"]);
    solo.answer_to(&invite, "100 Trying", "", "");
    let cancel = solo.last_request().clone();
    assert_eq!(solo.lines(), ["CANCEL"]);
    assert_eq!(cancel.uri, invite.uri);
    assert_eq!(
        cancel.headers.vias().unwrap(),
        invite.headers.vias().unwrap()
    );
    assert_eq!(
        cancel.headers.get(&HeaderName::To),
        invite.headers.get(&HeaderName::To)
    );
    assert_eq!(
        cancel.headers.get(&HeaderName::Reason),
        Some("SIP;cause=200")
    );
    solo.answer_to(&cancel, "200 OK", "bob", "");
    solo.answer_to(&invite, "487 Request Terminated", "bob", "");
    assert_eq!(solo.lines(), ["ACK"]);
    assert!(matches!(
        solo.events[..],
        [Event::Ended {
            cause: Ended::Hangup,
            ..
        }]
    ));
}

/// So long before Timer B that another place can be tried while the caller still waits (RFC 3263 §4.3).
#[test]
fn silence_is_told_in_time_and_what_comes_late_is_cancelled_or_ended() {
    let late = [("180 Ringing", "CANCEL"), ("200 OK", "ACK")];
    for (status, answered_by) in late {
        let mut solo = Solo::new(Transport::Udp);
        let id = solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
        let invite = solo.last_request().clone();
        let at = solo.now + Duration::from_secs(4);
        solo.act(|agent, _, _| agent.notice_silence(id, at));
        solo.advance_ms(3_999);
        assert!(solo.events.is_empty());
        assert_eq!(solo.lines(), ["INVITE"; 4], "at 0, 0.5, 1.5 and 3.5 s");
        solo.advance_ms(1);
        assert!(matches!(solo.events[..], [Event::Silent { .. }]));
        solo.act(|agent, now, _| agent.give_up(now, id));
        assert!(solo.lines().is_empty(), "no CANCEL before a response");
        solo.advance_ms(20_000);
        assert!(solo.lines().is_empty(), "it is repeated no more");
        solo.answer_to(&invite, status, "bob", SDP);
        let lines = solo.lines();
        assert_eq!(lines[0], answered_by, "{status}");
        if answered_by == "ACK" {
            assert_eq!(lines[1], "BYE");
        }
        solo.advance_ms(70_000);
        assert_eq!(solo.agent.counts().invites, 0);
    }
}

/// Nobody answers ever: the transaction ends with Timer B all the same.
#[test]
fn a_silent_place_that_was_given_up_is_forgotten() {
    let mut solo = Solo::new(Transport::Udp);
    let id = solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
    solo.advance_ms(4_000);
    solo.act(|agent, now, _| agent.give_up(now, id));
    solo.sent.clear();
    solo.advance_ms(28_000);
    assert!(solo.sent.is_empty());
    assert_eq!(solo.agent.counts(), Counts::default());
}

#[test]
fn whoever_says_anything_is_not_silent() {
    for status in ["100 Trying", "180 Ringing", "486 Busy Here"] {
        let mut solo = Solo::new(Transport::Udp);
        let id = solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
        let at = solo.now + Duration::from_secs(4);
        solo.act(|agent, _, _| agent.notice_silence(id, at));
        solo.answer(status, "bob", "");
        solo.advance_ms(10_000);
        let silent = solo.events.iter();
        assert_eq!(
            silent
                .filter(|it| matches!(it, Event::Silent { .. }))
                .count(),
            0
        );
    }
}

/// RFC 3261 §9.1: 64*T1 after the CANCEL the INVITE is given up.
#[test]
fn a_cancelled_invite_without_final_response_is_given_up() {
    let mut solo = Solo::new(Transport::Ws);
    let id = solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
    solo.answer("180 Ringing", "bob", "");
    solo.act(|agent, now, _| agent.hangup(now, id, Vec::new(), Status::DECLINE));
    solo.advance_ms(31_999);
    assert_eq!(solo.events.len(), 1);
    solo.advance_ms(1);
    assert!(matches!(
        solo.events[1],
        Event::Ended {
            cause: Ended::Hangup,
            ..
        }
    ));
    assert_eq!(solo.agent.counts(), Counts::default());
}

#[test]
fn a_200_that_crosses_our_cancel_is_acknowledged_and_ended() {
    let mut solo = Solo::new(Transport::Ws);
    let id = solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
    let invite = solo.last_request().clone();
    solo.answer_to(&invite, "180 Ringing", "bob", "");
    solo.act(|agent, now, _| agent.hangup(now, id, Vec::new(), Status::DECLINE));
    solo.answer_to(&invite, "200 OK", "bob", SDP);
    assert_eq!(solo.lines(), ["INVITE", "CANCEL", "ACK", "BYE"]);
}

/// Alice hangs up and Bob answers, each at every moment: both sides end once and nothing is left.
#[test]
fn hangup_and_answer_cross_at_every_moment() {
    for transport in [Wire::PERFECT_UDP, Wire::PERFECT_WS] {
        for hangup_ms in (0..60).step_by(6) {
            for answer_ms in (10..60).step_by(7) {
                let mut pair = Pair::new(transport.clone(), hangup_ms * 100 + answer_ms);
                let alice = pair.call();
                let start = pair.now;
                let mut acts = [(hangup_ms, Side::Alice), (answer_ms, Side::Bob)];
                acts.sort_unstable();
                for (ms, side) in acts {
                    pair.run_until(start + Duration::from_millis(ms));
                    match side {
                        Side::Alice => pair.act(side, |agent, now| {
                            agent.hangup(now, alice, Vec::new(), Status::DECLINE);
                        }),
                        Side::Bob => {
                            let bob = pair.invited();
                            pair.act(side, |agent, now| {
                                agent.accept(now, bob, Body::sdp("answer"));
                            });
                        }
                    }
                }
                pair.run_ms(100_000);
                let at = format!("hangup at {hangup_ms}, answer at {answer_ms}");
                assert!(
                    matches!(pair.ends(Side::Alice)[..], [Ended::Hangup]),
                    "{at}"
                );
                let bob = pair.ends(Side::Bob);
                assert!(
                    matches!(bob[..], [Ended::Bye(_) | Ended::Cancelled]),
                    "{at}: {bob:?}"
                );
                pair.assert_empty();
            }
        }
    }
}
