//! Provisional responses that are acknowledged (RFC 3262), and sessions that are settled and changed before
//! the answer (RFC 3262 §5, RFC 3311 §5, RFC 6337).

use sip::{
    Body, Busy, Ended, Event, HeaderName, InviteId, Message, Method, OfferVia, Reliability, Status,
    Transport,
};

use super::pair::{Pair, Side, Wire, outgoing};
use super::solo::{SDP, Solo, request};

fn sdp(text: &'static str) -> Option<Body> {
    Some(Body::sdp(text))
}

fn text(body: &bytes::Bytes) -> &str {
    std::str::from_utf8(body).unwrap()
}

/// Who said what, in order.
fn ladder(pair: &Pair) -> Vec<String> {
    let line = |(_, side, line): &(_, Side, String)| match side {
        Side::Alice => format!("-> {line}"),
        Side::Bob => format!("<- {line}"),
    };
    pair.ladder.iter().map(line).collect()
}

/// Alice calls and Bob was told; his provisional responses are acknowledged if she can.
fn called(wire: Wire, seed: u64) -> (Pair, InviteId, InviteId) {
    let mut pair = Pair::new(wire, seed);
    let alice = pair.call();
    pair.run_ms(20);
    let bob = pair.invited();
    pair.act(Side::Bob, |agent, _| {
        agent.rely(bob, Reliability::IfSupported)
    });
    pair.events.clear();
    (pair, alice, bob)
}

/// The same, with the session settled by 183 and PRACK.
fn settled() -> (Pair, InviteId, InviteId) {
    let (mut pair, alice, bob) = called(Wire::PERFECT_UDP, 3);
    pair.act(Side::Bob, |agent, now| {
        agent.provisional(now, bob, Status::SESSION_PROGRESS, sdp("answer 1"));
    });
    pair.run_ms(100);
    pair.events.clear();
    pair.ladder.clear();
    (pair, alice, bob)
}

#[test]
fn early_media_is_settled_by_183_and_prack() {
    let (mut pair, _, bob) = called(Wire::PERFECT_UDP, 1);
    pair.act(Side::Bob, |agent, now| {
        agent.provisional(now, bob, Status::SESSION_PROGRESS, sdp("answer 1"));
    });
    pair.run_ms(100);
    pair.act(Side::Bob, |agent, now| {
        agent.accept(now, bob, Body::sdp("answer 1"))
    });
    pair.run_ms(100);
    assert_eq!(
        ladder(&pair),
        [
            "-> INVITE",
            "<- 183 INVITE",
            "-> PRACK",
            "<- 200 PRACK",
            "<- 200 INVITE",
            "-> ACK"
        ]
    );
    let answered = pair.events.iter().find_map(|(side, event)| match event {
        Event::Answered {
            response, settled, ..
        } if *side == Side::Alice => Some((response.body.is_empty(), *settled)),
        _ => None,
    });
    assert_eq!(answered, Some((true, true)), "the answer is not said twice");
    let progress = pair.events.iter().any(|(_, event)| {
        matches!(event, Event::Progress { response, .. } if text(&response.body) == "answer 1")
    });
    assert!(progress);
}

#[test]
fn every_message_may_be_lost_once() {
    let (mut pair, _, bob) = called(Wire::PERFECT_UDP, 2);
    pair.drop = |_, line| line == "183 INVITE" || line == "PRACK";
    pair.act(Side::Bob, |agent, now| {
        agent.provisional(now, bob, Status::SESSION_PROGRESS, sdp("answer 1"));
    });
    pair.run_ms(400);
    pair.drop = |_, _| false;
    pair.run_ms(5_000);
    let times: Vec<u128> = pair
        .ladder
        .iter()
        .filter(|(_, _, line)| line == "183 INVITE")
        .map(|(at, ..)| at.as_millis())
        .collect();
    // The second one answers the repeated INVITE.
    assert_eq!(
        times,
        [20, 510, 520],
        "T1 later, and no more after the PRACK"
    );
    assert_eq!(pair.sent(Side::Alice, "PRACK"), 1);
}

#[test]
fn responses_wait_for_the_prack_of_the_one_before() {
    let (mut pair, _, bob) = called(Wire::PERFECT_UDP, 4);
    pair.act(Side::Bob, |agent, now| {
        agent.provisional(now, bob, Status::RINGING, None);
        agent.provisional(now, bob, Status::SESSION_PROGRESS, sdp("answer 1"));
        agent.accept(now, bob, Body::sdp("answer 1"));
    });
    pair.run_ms(200);
    // The 183 that had not gone out is of no use once there is an answer.
    assert_eq!(
        ladder(&pair)[1..],
        [
            "<- 180 INVITE",
            "<- 200 INVITE",
            "-> PRACK",
            "-> ACK",
            "<- 200 PRACK"
        ]
    );
    let (mut pair, _, bob) = called(Wire::PERFECT_UDP, 4);
    pair.act(Side::Bob, |agent, now| {
        agent.provisional(now, bob, Status::RINGING, None);
        agent.provisional(now, bob, Status::SESSION_PROGRESS, sdp("answer 1"));
    });
    pair.run_ms(200);
    let pracks = [
        "<- 180 INVITE",
        "-> PRACK",
        "<- 200 PRACK",
        "<- 183 INVITE",
        "-> PRACK",
    ];
    assert_eq!(ladder(&pair)[1..6], pracks);
}

/// RFC 3262 §3: no 2xx before the PRACK of what carried a description.
#[test]
fn the_200_waits_for_the_prack_of_a_description() {
    let (mut pair, _, bob) = called(Wire::PERFECT_UDP, 5);
    pair.act(Side::Bob, |agent, now| {
        agent.provisional(now, bob, Status::SESSION_PROGRESS, sdp("answer 1"));
        agent.accept(now, bob, Body::sdp("answer 1"));
    });
    pair.run_ms(200);
    assert_eq!(
        ladder(&pair)[1..],
        [
            "<- 183 INVITE",
            "-> PRACK",
            "<- 200 PRACK",
            "<- 200 INVITE",
            "-> ACK"
        ]
    );
    assert!(pair.has(Side::Bob, |event| matches!(event, Event::Confirmed { .. })));
}

#[test]
fn a_caller_that_never_acknowledges_is_refused() {
    let (mut pair, _, bob) = called(Wire::PERFECT_UDP, 6);
    pair.drop = |_, line| line == "PRACK";
    pair.act(Side::Bob, |agent, now| {
        agent.provisional(now, bob, Status::SESSION_PROGRESS, sdp("answer 1"));
    });
    pair.run_ms(70_000);
    assert!(matches!(pair.ends(Side::Bob)[..], [Ended::AckTimeout]));
    assert_eq!(
        pair.sent(Side::Bob, "183"),
        7,
        "at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s"
    );
    assert_eq!(pair.sent(Side::Bob, "504"), 1);
    pair.assert_empty();
}

/// RFC 3262 §5, RFC 6337 §3.1: offer in the 183, answer in the PRACK; the 200 says nothing more.
#[test]
fn an_invite_without_offer_gets_it_in_the_183() {
    let mut pair = Pair::new(Wire::PERFECT_UDP, 7);
    let flow = pair.flow_of(Side::Alice);
    let alice = pair.act(Side::Alice, |agent, now| {
        agent.invite(now, flow, outgoing(None))
    });
    pair.run_ms(20);
    let bob = pair.invited();
    pair.act(Side::Bob, |agent, now| {
        agent.rely(bob, Reliability::Always);
        agent.provisional(now, bob, Status::SESSION_PROGRESS, sdp("Bob offers"));
    });
    pair.run_ms(20);
    assert!(pair.has(Side::Alice, |event| matches!(
        event,
        Event::Offer { via: OfferVia::Prack, body: Some(body), .. } if text(body) == "Bob offers"
    )));
    assert_eq!(
        pair.sent(Side::Alice, "PRACK"),
        0,
        "it waits for the answer"
    );
    pair.act(Side::Alice, |agent, now| {
        agent.answer(now, alice, sdp("Alice answers"))
    });
    pair.run_ms(20);
    assert!(pair.has(Side::Bob, |event| matches!(
        event,
        Event::Answer { body, .. } if text(body) == "Alice answers"
    )));
    pair.act(Side::Bob, |agent, now| {
        agent.accept(now, bob, Body::sdp("Bob offers"))
    });
    pair.run_ms(100);
    assert!(pair.has(Side::Alice, |event| matches!(
        event,
        Event::Answered { settled: true, response, .. } if response.body.is_empty()
    )));
    assert!(pair.has(Side::Bob, |event| matches!(
        event,
        Event::Confirmed { body: None, .. }
    )));
    assert_eq!(pair.sent(Side::Alice, "ACK"), 1);
}

#[test]
fn who_cannot_gets_plain_responses() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request("INVITE", 1, "a", "", SDP));
    let id = solo.invited();
    solo.act(|agent, now, _| {
        agent.rely(id, Reliability::IfSupported);
        agent.provisional(now, id, Status::SESSION_PROGRESS, sdp("early"));
    });
    let response = solo.last_response();
    assert!(
        !response.headers.has(&HeaderName::RSeq) && !response.headers.has(&HeaderName::Require)
    );
    assert_eq!(text(&response.body), "early");
    // Nor does one that could, while we only do it where it is required.
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request(
        "INVITE",
        1,
        "a",
        "",
        &format!("Supported: 100rel\n{SDP}"),
    ));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.provisional(now, id, Status::RINGING, None));
    assert!(!solo.last_response().headers.has(&HeaderName::RSeq));
}

#[test]
fn a_prack_that_confirms_nothing_gets_481() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request(
        "INVITE",
        1,
        "a",
        "",
        &format!("Require: 100rel\n{SDP}"),
    ));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.provisional(now, id, Status::RINGING, None));
    let headers = &solo.last_response().headers;
    assert_eq!(headers.get(&HeaderName::Require), Some("100rel"));
    let rseq = headers.rseq().unwrap().unwrap();
    assert!((1..1 << 31).contains(&rseq));
    let tag = solo.our_tag();
    solo.lines();
    for (n, rack) in [
        format!("RAck: {} 1 INVITE", rseq + 1),
        format!("RAck: {rseq} 2 INVITE"),
        format!("RAck: {rseq} 1 BYE"),
    ]
    .iter()
    .enumerate()
    {
        solo.receive(&request("PRACK", 2, &format!("p{n}"), &tag, rack));
        assert_eq!(solo.lines(), ["481 PRACK"], "{rack}");
    }
    solo.receive(&request("PRACK", 3, "q", &tag, ""));
    assert_eq!(solo.lines(), ["400 PRACK"]);
    let rack = format!("RAck: {rseq} 1 INVITE");
    solo.receive(&request("PRACK", 4, "r", &tag, &rack));
    assert_eq!(solo.lines(), ["200 PRACK"]);
    solo.receive(&request("PRACK", 5, "s", &tag, &rack));
    assert_eq!(solo.lines(), ["481 PRACK"], "once is enough");
    // The next one is one higher.
    solo.act(|agent, now, _| agent.provisional(now, id, Status::RINGING, None));
    assert_eq!(solo.last_response().headers.rseq(), Ok(Some(rseq + 1)));
}

#[test]
fn a_prack_outside_any_call_gets_481() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request("PRACK", 1, "a", "", "RAck: 1 1 INVITE"));
    solo.receive(&request("PRACK", 1, "b", "nobody", "RAck: 1 1 INVITE"));
    assert_eq!(solo.lines(), ["481 PRACK", "481 PRACK"]);
}

/// RFC 3262 §4: repeated ones are discarded, gaps are not acknowledged.
#[test]
fn responses_that_come_before_their_turn_are_not_acknowledged() {
    let mut solo = Solo::new(Transport::Ws);
    solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
    let invite = solo.last_request().clone();
    assert_eq!(
        invite.headers.get(&HeaderName::Supported),
        Some("100rel, replaces, timer")
    );
    solo.lines();
    let rings = |solo: &mut Solo, rseq: u32| {
        let headers = format!("Require: 100rel\nRSeq: {rseq}\nContact: <sip:b@b.invalid>");
        solo.answer_to(&invite, "180 Ringing", "bob", &headers);
        solo.lines()
    };
    assert_eq!(rings(&mut solo, 7), ["PRACK"]);
    assert_eq!(rings(&mut solo, 7), [""; 0]);
    assert_eq!(rings(&mut solo, 9), [""; 0]);
    assert_eq!(solo.events.len(), 1, "{:?}", solo.events);
    assert_eq!(rings(&mut solo, 8), ["PRACK"]);
    // Another fork counts for itself.
    let headers = "Require: 100rel\nRSeq: 100\nContact: <sip:c@c.invalid>";
    solo.answer_to(&invite, "180 Ringing", "carol", headers);
    let Message::Request(prack) = &solo.sent[0].1 else {
        panic!()
    };
    assert_eq!(prack.headers.get(&HeaderName::RAck), Some("100 1 INVITE"));
    assert_eq!(prack.uri.to_string(), "sip:c@c.invalid");
    assert_eq!(solo.events.len(), 3);
}

#[test]
fn a_call_that_must_not_does_not() {
    let mut solo = Solo::new(Transport::Ws);
    let mut never = outgoing(Some("offer"));
    never.reliability = Reliability::Never;
    solo.act(|agent, now, flow| agent.invite(now, flow, never));
    let invite = solo.last_request().clone();
    assert_eq!(
        invite.headers.get(&HeaderName::Supported),
        Some("replaces, timer")
    );
    solo.lines();
    solo.answer_to(&invite, "180 Ringing", "bob", "Require: 100rel\nRSeq: 1");
    assert!(solo.lines().is_empty());
    assert_eq!(
        solo.events.len(),
        1,
        "the layer above hears of it all the same"
    );
    let mut always = outgoing(Some("offer"));
    always.reliability = Reliability::Always;
    solo.act(|agent, now, flow| agent.invite(now, flow, always));
    let invite = solo.last_request();
    assert_eq!(invite.headers.get(&HeaderName::Require), Some("100rel"));
}

/// RFC 3311 §4: early media changed by the callee, then by the caller, before the answer.
#[test]
fn both_sides_update_before_the_answer() {
    let (mut pair, alice, bob) = settled();
    pair.act(Side::Alice, |agent, now| {
        agent.update(now, alice, Body::sdp("offer 2"))
    })
    .unwrap();
    pair.run_ms(20);
    assert!(pair.has(Side::Bob, |event| matches!(
        event,
        Event::Offer { via: OfferVia::Update, body: Some(body), .. } if text(body) == "offer 2"
    )));
    pair.act(Side::Bob, |agent, now| {
        agent.answer(now, bob, sdp("answer 2"))
    });
    pair.run_ms(20);
    assert!(pair.has(Side::Alice, |event| matches!(
        event,
        Event::Answer { body, .. } if text(body) == "answer 2"
    )));
    pair.act(Side::Bob, |agent, now| {
        agent.update(now, bob, Body::sdp("offer 3"))
    })
    .unwrap_or_else(|busy| panic!("{busy}"));
    pair.run_ms(20);
    pair.act(Side::Alice, |agent, now| {
        agent.answer(now, alice, sdp("answer 3"))
    });
    pair.run_ms(20);
    pair.act(Side::Bob, |agent, now| {
        agent.accept(now, bob, Body::sdp("offer 3"))
    });
    pair.run_ms(100);
    assert_eq!(
        ladder(&pair),
        [
            "-> UPDATE",
            "<- 200 UPDATE",
            "<- UPDATE",
            "-> 200 UPDATE",
            "<- 200 INVITE",
            "-> ACK"
        ]
    );
    assert!(pair.has(Side::Alice, |event| matches!(
        event,
        Event::Answered { settled: true, .. }
    )));
    // And the call goes on as any other.
    pair.act(Side::Alice, |agent, now| {
        agent.hangup(now, alice, Vec::new(), Status::DECLINE)
    });
    pair.run_ms(100_000);
    pair.assert_empty();
}

/// RFC 3311 §5.2: 500 with Retry-After while the INVITE's offer is open, 491 while ours is.
#[test]
fn updates_that_cross_are_refused() {
    let (mut pair, alice, bob) = settled();
    pair.act(Side::Alice, |agent, now| {
        agent.update(now, alice, Body::sdp("offer 2"))
    })
    .unwrap();
    pair.act(Side::Bob, |agent, now| {
        agent.update(now, bob, Body::sdp("offer 3"))
    })
    .unwrap();
    pair.run_ms(50);
    assert_eq!(
        ladder(&pair),
        ["-> UPDATE", "<- UPDATE", "<- 491 UPDATE", "-> 491 UPDATE"]
    );
    // Both wait and try again, at times that differ.
    let mut done = false;
    for _ in 0..100 {
        pair.run_ms(50);
        for (side, id) in [(Side::Alice, alice), (Side::Bob, bob)] {
            let offers = pair.events.extract_if(.., |(at, event)| {
                *at == side && matches!(event, Event::Offer { .. })
            });
            if offers.count() > 0 {
                pair.act(side, |agent, now| agent.answer(now, id, sdp("fine")));
                done = true;
            }
        }
    }
    assert!(done && pair.sent(Side::Alice, "UPDATE") >= 1);

    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request("INVITE", 1, "a", "", SDP));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.provisional(now, id, Status::RINGING, None));
    let tag = solo.our_tag();
    solo.receive(&request("UPDATE", 2, "b", &tag, SDP));
    let response = solo.last_response();
    assert_eq!(response.status, Status::SERVER_INTERNAL_ERROR);
    assert!(response.headers.retry_after().unwrap().unwrap() <= 10);
    let busy = solo.act(|agent, now, _| agent.update(now, id, Body::sdp("x")));
    assert_eq!(busy, Err(Busy::NotEstablished));
}

/// RFC 3262 §5: "If the UAC receives an answer in a reliable provisional response, it MAY generate an additional
/// offer in the PRACK."
#[test]
fn a_prack_may_bring_a_new_offer() {
    for refuse in [false, true] {
        let mut solo = Solo::new(Transport::Ws);
        solo.receive(&request(
            "INVITE",
            1,
            "a",
            "",
            &format!("Require: 100rel\n{SDP}"),
        ));
        let id = solo.invited();
        solo.act(|agent, now, _| {
            agent.provisional(now, id, Status::SESSION_PROGRESS, sdp("answer 1"));
        });
        let rseq = solo.last_response().headers.rseq().unwrap().unwrap();
        let tag = solo.our_tag();
        solo.lines();
        let rack = format!("RAck: {rseq} 1 INVITE\n{SDP}");
        solo.receive(&request("PRACK", 2, "b", &tag, &rack));
        assert!(matches!(
            solo.events.last(),
            Some(Event::Offer {
                via: OfferVia::Prack,
                body: Some(_),
                ..
            })
        ));
        assert!(solo.lines().is_empty());
        solo.act(|agent, now, _| match refuse {
            true => agent.refuse(now, id, Status::NOT_ACCEPTABLE_HERE, Vec::new()),
            false => agent.answer(now, id, sdp("answer 2")),
        });
        let expected = if refuse { "488 PRACK" } else { "200 PRACK" };
        assert_eq!(solo.lines(), [expected]);
        solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer 1")));
        assert_eq!(solo.last_response().status, Status::OK);
        assert!(solo.last_response().body.is_empty());
        assert_eq!(
            solo.last_response().headers.cseq().unwrap().method,
            Method::Invite
        );
    }
}

#[test]
fn the_answer_of_another_fork_takes_the_early_offer_back() {
    let mut solo = Solo::new(Transport::Ws);
    let id = solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
    let invite = solo.last_request().clone();
    let early = format!("Require: 100rel\nRSeq: 1\nContact: <sip:b@b>\nAllow: UPDATE\n{SDP}");
    solo.answer_to(&invite, "183 Session Progress", "bob", &early);
    solo.answer("200 OK", "", "");
    solo.act(|agent, now, _| agent.update(now, id, Body::sdp("offer 2")))
        .unwrap();
    assert_eq!(solo.last_request().method, Method::Update);
    solo.events.clear();
    solo.answer_to(
        &invite,
        "200 OK",
        "carol",
        &format!("Contact: <sip:c@c>\n{SDP}"),
    );
    assert!(matches!(
        solo.events[..],
        [
            Event::OfferRefused { .. },
            Event::Answered { settled: false, .. }
        ]
    ));
    assert_eq!(solo.last_request().method, Method::Ack);
}

/// What the wire does cannot keep two Agents from agreeing.
#[test]
fn reliable_calls_survive_a_bad_wire() {
    for seed in 0..40 {
        let wire = Wire {
            transport: Transport::Udp,
            loss_percent: 20,
            duplicate_percent: 20,
            delay_ms: 1..=400,
        };
        let mut pair = Pair::new(wire, seed);
        let alice = pair.call();
        let mut bob = None;
        for _ in 0..400 {
            pair.run_ms(100);
            let invited = pair.events.iter().find_map(|(side, event)| match event {
                Event::Invite { id, .. } if *side == Side::Bob => Some(*id),
                _ => None,
            });
            if let (None, Some(id)) = (bob, invited) {
                bob = Some(id);
                pair.act(Side::Bob, |agent, now| {
                    agent.rely(id, Reliability::IfSupported);
                    agent.provisional(now, id, Status::RINGING, None);
                    agent.provisional(now, id, Status::SESSION_PROGRESS, sdp("answer 1"));
                });
            }
        }
        let bob = bob.expect("the INVITE gets through");
        pair.act(Side::Bob, |agent, now| {
            agent.accept(now, bob, Body::sdp("answer 1"))
        });
        pair.run_ms(30_000);
        let answered = pair.has(Side::Alice, |event| matches!(event, Event::Answered { .. }));
        let confirmed = pair.has(Side::Bob, |event| matches!(event, Event::Confirmed { .. }));
        assert!(answered && confirmed, "seed {seed}");
        pair.act(Side::Alice, |agent, now| {
            agent.hangup(now, alice, Vec::new(), Status::DECLINE);
        });
        pair.run_ms(120_000);
        pair.assert_empty();
    }
}

/// A 181 that waits for a PRACK says what was to go with it when it was said.
#[test]
fn a_response_that_waits_keeps_its_headers() {
    let (mut pair, _, bob) = called(Wire::PERFECT_UDP, 5);
    let diversion = (HeaderName::from("Diversion"), "<sip:1@h>".to_owned());
    pair.act(Side::Bob, |agent, now| {
        agent.provisional(now, bob, Status::RINGING, None);
        agent.tell(bob, vec![diversion]);
        agent.provisional(now, bob, Status::CALL_IS_BEING_FORWARDED, None);
        agent.tell(bob, Vec::new());
    });
    pair.run_ms(200);
    let told = pair.events.iter().filter_map(|(_, event)| match event {
        Event::Progress { response, .. } => Some((
            response.status.code(),
            response.headers.has(&HeaderName::from("Diversion")),
        )),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [(180, false), (181, true)]);
}
