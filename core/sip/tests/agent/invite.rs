//! Calls from INVITE to BYE.

use sip::{Body, Counts, Ended, Event, HeaderName, InviteId, Method, Status, Transport};

use super::pair::{Pair, Side, Wire, outgoing};
use super::solo::{SDP, Solo, request};

#[test]
fn a_call_is_made_answered_and_ended() {
    let mut pair = Pair::new(Wire::PERFECT_WS, 1);
    let (alice, _) = pair.established();
    assert_eq!(pair.sent(Side::Bob, "100 INVITE"), 1);
    pair.act(Side::Alice, |agent, now| {
        agent.hangup(now, alice, Vec::new(), Status::DECLINE)
    });
    pair.run_ms(40_000);
    assert!(matches!(pair.ends(Side::Alice)[..], [Ended::Hangup]));
    assert!(matches!(pair.ends(Side::Bob)[..], [Ended::Bye(_)]));
    let ladder: Vec<_> = pair
        .ladder
        .iter()
        .map(|(_, _, line)| line.as_str())
        .collect();
    assert_eq!(
        ladder,
        [
            "INVITE",
            "100 INVITE",
            "200 INVITE",
            "ACK",
            "BYE",
            "200 BYE"
        ]
    );
    pair.assert_empty();
}

#[test]
fn both_sides_change_the_session() {
    for side in [Side::Alice, Side::Bob] {
        let mut pair = Pair::new(Wire::PERFECT_WS, 2);
        let (alice, bob) = pair.established();
        let (from, to) = if side == Side::Alice {
            (alice, bob)
        } else {
            (bob, alice)
        };
        pair.act(side, |agent, now| {
            agent.reinvite(now, from, Body::sdp("offer 2"))
        })
        .unwrap();
        pair.run_ms(20);
        assert!(pair.has(side.other(), |event| {
            matches!(event, Event::Offer { body: Some(body), .. } if body == "offer 2")
        }));
        pair.act(side.other(), |agent, now| {
            agent.answer(now, to, Some(Body::sdp("answer 2")))
        });
        pair.run_ms(40_000);
        assert!(pair.has(side, |event| {
            matches!(event, Event::Answer { body, .. } if body == "answer 2")
        }));
        assert_eq!(
            pair.sent(side.other(), "200 INVITE"),
            if side == Side::Bob { 1 } else { 2 }
        );
    }
}

/// RFC 3261 §13.2.2.4: the INVITE was forked and two answer; the second is acknowledged and ended.
#[test]
fn a_late_fork_is_acknowledged_and_ended() {
    let mut solo = Solo::new(Transport::Udp);
    solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
    let invite = solo.last_request().clone();
    solo.answer_to(&invite, "180 Ringing", "one", "");
    solo.answer_to(&invite, "180 Ringing", "two", "");
    assert_eq!(solo.agent.counts().dialogs, 2);
    solo.answer_to(&invite, "200 OK", "two", SDP);
    assert_eq!(solo.agent.counts().dialogs, 1);
    assert_eq!(solo.lines(), ["INVITE", "ACK"]);
    solo.answer_to(&invite, "200 OK", "one", SDP);
    let bye = solo.last_request().clone();
    assert_eq!(bye.headers.to().unwrap().tag(), Some("one"));
    assert_eq!(solo.lines(), ["ACK", "BYE"]);
    // Repeated, both get their ACK again.
    solo.answer_to(&invite, "200 OK", "one", SDP);
    solo.answer_to(&invite, "200 OK", "two", SDP);
    assert_eq!(solo.lines(), ["ACK", "ACK"]);
    let [
        Event::Progress { .. },
        Event::Progress { .. },
        Event::Answered { id, .. },
    ] = solo.events[..]
    else {
        panic!("{:?}", solo.events)
    };
    // The fork that answers after the call is over, too.
    solo.act(|agent, now, _| agent.hangup(now, id, Vec::new(), Status::DECLINE));
    solo.answer("200 OK", "", "");
    assert!(matches!(
        solo.events[3],
        Event::Ended {
            cause: Ended::Hangup,
            ..
        }
    ));
    solo.lines();
    solo.answer_to(&invite, "200 OK", "three", SDP);
    assert_eq!(solo.lines(), ["ACK", "BYE"]);
    solo.advance_ms(64_000);
    assert_eq!(solo.agent.counts(), Counts::default());
}

#[test]
fn forks_are_bounded() {
    let mut solo = Solo::new(Transport::Udp);
    solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
    let invite = solo.last_request().clone();
    for n in 0..100 {
        solo.answer_to(&invite, "180 Ringing", &format!("fork{n}"), "");
    }
    assert_eq!(solo.agent.counts().dialogs, 16);
}

#[test]
fn an_invite_without_offer_gets_the_answer_into_the_ack() {
    let mut pair = Pair::new(Wire::PERFECT_UDP, 3);
    let flow = pair.flow_of(Side::Alice);
    let alice = pair.act(Side::Alice, |agent, now| {
        agent.invite(now, flow, outgoing(None))
    });
    pair.run_ms(20);
    let bob = pair.invited();
    pair.act(Side::Bob, |agent, now| {
        agent.accept(now, bob, Body::sdp("their offer"))
    });
    pair.run_ms(1_000);
    assert_eq!(pair.sent(Side::Alice, "ACK"), 0);
    pair.act(Side::Alice, |agent, now| {
        agent.answer(now, alice, Some(Body::sdp("our answer")))
    });
    pair.run_ms(1_000);
    assert!(pair.has(Side::Bob, |event| {
        matches!(event, Event::Confirmed { body: Some(body), .. } if body == "our answer")
    }));
}

/// RFC 3261 §15: no BYE of the callee before the ACK of its 200.
#[test]
fn a_callee_that_hangs_up_at_once_waits_for_the_ack() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request("INVITE", 1, "a", "", SDP));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    let tag = solo.our_tag();
    solo.act(|agent, now, _| agent.hangup(now, id, Vec::new(), Status::DECLINE));
    solo.advance_ms(400);
    assert_eq!(solo.lines(), ["100 INVITE", "200 INVITE"]);
    solo.receive(&request("ACK", 1, "b", &tag, ""));
    assert_eq!(solo.last_request().method.as_str(), "BYE");
    solo.answer("200 OK", "", "");
    assert!(matches!(
        solo.events[1..],
        [Event::Ended {
            cause: Ended::Hangup,
            ..
        }]
    ));
}

#[test]
fn ack_lost_then_bye() {
    let mut solo = Solo::new(Transport::Udp);
    solo.receive(&request("INVITE", 1, "a", "", SDP));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    let tag = solo.our_tag();
    solo.receive(&request("BYE", 2, "b", &tag, ""));
    solo.receive(&request("ACK", 1, "c", &tag, ""));
    solo.advance_ms(64_000);
    assert_eq!(solo.lines(), ["100 INVITE", "200 INVITE", "200 BYE"]);
    assert!(matches!(
        solo.events[1..],
        [Event::Ended {
            cause: Ended::Bye(_),
            ..
        }]
    ));
    assert_eq!(solo.agent.counts(), Counts::default());
}

/// RFC 3261 §15.1.2: what still waits gets 487.
#[test]
fn bye_ends_pending_requests() {
    let mut solo = Solo::new(Transport::Ws);
    let tag = confirmed(&mut solo).1;
    solo.receive(&request("INVITE", 2, "c", &tag, SDP));
    solo.receive(&request("INFO", 3, "d", &tag, ""));
    solo.lines();
    solo.receive(&request("BYE", 4, "e", &tag, ""));
    let mut lines = solo.lines();
    lines.sort();
    assert_eq!(lines, ["200 BYE", "487 INFO", "487 INVITE"]);
}

fn confirmed(solo: &mut Solo) -> (InviteId, String) {
    solo.receive(&request("INVITE", 1, "a", "", SDP));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    let tag = solo.our_tag();
    solo.receive(&request("ACK", 1, "b", &tag, ""));
    solo.lines();
    solo.events.clear();
    (id, tag)
}

#[test]
fn requests_inside_the_dialog_go_both_ways() {
    let mut pair = Pair::new(Wire::PERFECT_WS, 4);
    let (alice, _) = pair.established();
    let body = Body {
        content_type: "application/dtmf-relay".into(),
        bytes: "Signal=5".into(),
    };
    let client = pair.act(Side::Alice, |agent, now| {
        agent.send(now, alice, Method::Info, Vec::new(), Some(body))
    });
    pair.run_ms(20);
    let (request_id, request) = match pair.events.pop() {
        Some((
            Side::Bob,
            Event::InDialog {
                request_id,
                request,
                ..
            },
        )) => (request_id, request),
        other => panic!("{other:?}"),
    };
    assert_eq!(request.body, "Signal=5");
    let response = request.response(Status::OK);
    pair.act(Side::Bob, |agent, now| {
        agent.respond(now, request_id, response)
    });
    pair.run_ms(20);
    assert!(pair.has(Side::Alice, |event| {
        matches!(event, Event::Response { id, result: Ok(_) } if *id == client)
    }));
}

/// What the layer above adds reaches the wire, and nothing it adds can end a header line.
#[test]
fn extra_headers_are_sent_and_harmless() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request("INVITE", 1, "a", "", SDP));
    let id = solo.invited();
    let warning = (HeaderName::Warning, "399 a \"b\"\r\nBye: x".to_owned());
    solo.act(|agent, now, _| agent.reject(now, id, Status::NOT_ACCEPTABLE_HERE, vec![warning]));
    let headers = &solo.last_response().headers;
    assert_eq!(
        headers.get(&HeaderName::Warning),
        Some("399 a \"b\"  Bye: x")
    );
    assert_eq!(headers.get(&HeaderName::Server), Some("Sidetone"));
    assert!(!headers.has(&HeaderName::from("Bye")));
}
