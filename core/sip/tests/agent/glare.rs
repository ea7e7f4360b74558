//! Offers that cross (RFC 3261 §14.1, RFC 3311 §5.2, RFC 6337), and JsSIP's 403.

use std::time::Duration;

use sip::{Body, Busy, Event, HeaderName, InviteId, OfferVia, Status, Transport};

use super::pair::{Pair, Side, Wire};
use super::solo::{SDP, Solo, request};

/// A confirmed call in which the peer allows UPDATE: its id and our tag.
fn confirmed(solo: &mut Solo) -> (InviteId, String) {
    let more = format!("Allow: INVITE,ACK,CANCEL,BYE,UPDATE\n{SDP}");
    solo.receive(&request("INVITE", 1, "a", "", &more));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    let tag = solo.our_tag();
    solo.receive(&request("ACK", 1, "b", &tag, ""));
    solo.lines();
    solo.events.clear();
    (id, tag)
}

fn offer(solo: &mut Solo, id: InviteId, via: OfferVia) {
    let body = Body::sdp("our offer");
    let made = solo.act(|agent, now, _| match via {
        OfferVia::Reinvite => agent.reinvite(now, id, body),
        OfferVia::Update | OfferVia::Prack => agent.update(now, id, body),
    });
    made.unwrap();
}

#[test]
fn offers_that_cross_are_refused_and_retried() {
    let mut solo = Solo::new(Transport::Ws);
    let (id, tag) = confirmed(&mut solo);
    for (via, line) in [(OfferVia::Reinvite, "INVITE"), (OfferVia::Update, "UPDATE")] {
        offer(&mut solo, id, via);
        let ours = solo.last_request().clone();
        solo.receive(&request("INVITE", 2, &format!("i{line}"), &tag, SDP));
        solo.receive(&request("UPDATE", 3, &format!("u{line}"), &tag, SDP));
        solo.receive(&request("INVITE", 1_000, &format!("j{line}"), &tag, ""));
        let lines = solo.lines();
        assert_eq!(lines, [line, "491 INVITE", "491 UPDATE", "491 INVITE"]);
        // The next sequence numbers are below 1000 again, as those of a new call.
        solo = Solo::new(Transport::Ws);
        let (id_again, _) = confirmed(&mut solo);
        assert_eq!(id_again, id);
        offer(&mut solo, id, via);
        let before = solo.now;
        solo.answer("491 Request Pending", "", "");
        solo.lines();
        while solo.times(line).is_empty() {
            solo.advance_ms(10);
        }
        // We did not make the Call-ID: 0 to 2 s.
        assert!(solo.now - before <= Duration::from_millis(2_010));
        assert_eq!(solo.last_request().body, ours.body);
        assert!(solo.last_request().headers.cseq().unwrap().number > 1);
        solo.answer("200 OK", "", SDP);
        assert!(matches!(solo.events.last(), Some(Event::Answer { .. })));
        solo = Solo::new(Transport::Ws);
        confirmed(&mut solo);
    }
}

/// The owner of the Call-ID waits 2.1 to 4 s, the other side 0 to 2 s, so one of them wins.
#[test]
fn two_offers_at_once_both_come_through() {
    for seed in 0..20 {
        let mut pair = Pair::new(Wire::PERFECT_UDP, seed);
        let (alice, bob) = pair.established();
        for (side, id) in [(Side::Alice, alice), (Side::Bob, bob)] {
            pair.act(side, |agent, now| {
                agent.reinvite(now, id, Body::sdp("mine"))
            })
            .unwrap();
        }
        let start = pair.now;
        let (mut answered, mut refused) = (Vec::new(), Vec::new());
        while pair.now - start < Duration::from_secs(10) {
            pair.run_ms(10);
            for (side, event) in std::mem::take(&mut pair.events) {
                match event {
                    Event::Offer { id, .. } => pair.act(side, |agent, now| {
                        agent.answer(now, id, Some(Body::sdp("fine")));
                    }),
                    Event::Answer { .. } => answered.push((side, pair.now - start)),
                    Event::OfferRefused { status, .. } => {
                        assert_eq!(status, Status::REQUEST_PENDING);
                        refused.push(side);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        // Bob did not make the Call-ID and comes first; Alice's offer gives way to it.
        assert_eq!(answered.len(), 1, "seed {seed}");
        assert_eq!(answered[0].0, Side::Bob);
        assert!(answered[0].1 < Duration::from_millis(2_100));
        assert_eq!(refused, [Side::Alice]);
    }
}

#[test]
fn jssip_that_has_not_sent_its_ack_is_asked_again() {
    let mut solo = Solo::new(Transport::Ws);
    let (id, _) = confirmed(&mut solo);
    offer(&mut solo, id, OfferVia::Reinvite);
    solo.answer("403 Wrong Status", "", "");
    solo.advance_ms(2_000);
    let again = solo.last_request().clone();
    assert_eq!(solo.lines(), ["INVITE", "ACK", "INVITE"]);
    assert!(solo.events.is_empty());
    solo.answer_to(&again, "403 Forbidden", "", "");
    assert!(matches!(
        solo.events[..],
        [Event::OfferRefused {
            status: Status::FORBIDDEN,
            ..
        }]
    ));
}

#[test]
fn a_peer_that_never_makes_up_its_mind_is_not_asked_for_ever() {
    let mut solo = Solo::new(Transport::Ws);
    let (id, _) = confirmed(&mut solo);
    offer(&mut solo, id, OfferVia::Reinvite);
    for _ in 0..20 {
        if solo
            .sent
            .iter()
            .any(|(_, message)| super::solo::line(message) == "INVITE")
        {
            solo.answer("491 Request Pending", "", "");
            solo.lines();
        }
        solo.advance_ms(2_000);
    }
    assert!(matches!(
        solo.events[..],
        [Event::OfferRefused {
            status: Status::REQUEST_PENDING,
            ..
        }]
    ));
}

/// Like Timer C of RFC 3261 §16.6: three minutes, then CANCEL; the call stands.
#[test]
fn an_offer_left_in_proceeding_is_cancelled() {
    for answers_cancel in [true, false] {
        let mut solo = Solo::new(Transport::Ws);
        let (id, tag) = confirmed(&mut solo);
        offer(&mut solo, id, OfferVia::Reinvite);
        let ours = solo.last_request().clone();
        solo.answer("100 Trying", "", "");
        solo.advance_ms(180_999);
        assert_eq!(solo.lines(), ["INVITE"]);
        solo.advance_ms(1);
        let cancel = solo.last_request().clone();
        assert_eq!(solo.lines(), ["CANCEL"]);
        let status = if answers_cancel {
            solo.answer_to(&cancel, "200 OK", "", "");
            solo.answer_to(&ours, "487 Request Terminated", "", "");
            assert_eq!(solo.lines(), ["ACK"]);
            Status::REQUEST_TERMINATED
        } else {
            solo.advance_ms(31_999);
            assert!(solo.events.is_empty());
            solo.advance_ms(1);
            Status::REQUEST_TIMEOUT
        };
        let [Event::OfferRefused { status: told, .. }] = solo.events[..] else {
            panic!("{:?}", solo.events)
        };
        assert_eq!(told, status);
        // Either side may offer again.
        offer(&mut solo, id, OfferVia::Reinvite);
        solo.answer("200 OK", "", SDP);
        assert_eq!(solo.lines(), ["INVITE", "ACK"]);
        solo.receive(&request("INVITE", 2, "c", &tag, SDP));
        assert!(matches!(solo.events.last(), Some(Event::Offer { .. })));
    }
}

#[test]
fn a_500_with_retry_after_is_retried_then() {
    let mut solo = Solo::new(Transport::Ws);
    let (id, _) = confirmed(&mut solo);
    offer(&mut solo, id, OfferVia::Reinvite);
    solo.answer("500 Server Internal Error", "", "Retry-After: 3");
    solo.lines();
    solo.advance_ms(2_999);
    assert!(solo.lines().is_empty());
    solo.advance_ms(1);
    assert_eq!(solo.lines(), ["INVITE"]);
}

#[test]
fn a_second_offer_waits_for_its_turn() {
    let mut solo = Solo::new(Transport::Ws);
    let (id, tag) = confirmed(&mut solo);
    offer(&mut solo, id, OfferVia::Reinvite);
    let again = solo.act(|agent, now, _| agent.reinvite(now, id, Body::sdp("more")));
    assert_eq!(again, Err(Busy::OursPending));
    solo.answer("200 OK", "", SDP);
    solo.receive(&request("INVITE", 2, "c", &tag, SDP));
    let again = solo.act(|agent, now, _| agent.reinvite(now, id, Body::sdp("more")));
    assert_eq!(again, Err(Busy::TheirsPending));
    // RFC 3261 §14.2, RFC 3311 §5.2: and theirs get 500 with Retry-After.
    solo.lines();
    solo.receive(&request("INVITE", 3, "d", &tag, SDP));
    solo.receive(&request("UPDATE", 4, "e", &tag, SDP));
    for response in solo.responses() {
        assert_eq!(response.status, Status::SERVER_INTERNAL_ERROR);
        assert!(response.headers.retry_after().unwrap().unwrap() <= 10);
    }
    assert_eq!(solo.lines(), ["500 INVITE", "500 UPDATE"]);
    solo.act(|agent, now, _| {
        agent.refuse(
            now,
            id,
            Status::NOT_ACCEPTABLE_HERE,
            vec![(
                HeaderName::Warning,
                "304 sidetone \"Media type not available\"".into(),
            )],
        );
    });
    assert_eq!(solo.lines(), ["488 INVITE"]);
    // The refused re-INVITE is acknowledged and forgotten, then offers pass again.
    solo.receive(&request("ACK", 2, "c", &tag, ""));
    offer(&mut solo, id, OfferVia::Reinvite);
    assert_eq!(solo.lines(), ["INVITE"]);
}

/// RFC 3261 §14.1: no INVITE while ours of the other direction has no ACK.
#[test]
fn an_offer_waits_for_the_ack_of_our_200() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request("INVITE", 1, "a", "", SDP));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    let tag = solo.our_tag();
    solo.lines();
    offer(&mut solo, id, OfferVia::Reinvite);
    assert!(solo.lines().is_empty());
    solo.receive(&request("ACK", 1, "b", &tag, ""));
    assert_eq!(solo.lines(), ["INVITE"]);
}

/// The peer's offer comes first; ours, not yet sent, is given up and said to be.
#[test]
fn a_waiting_offer_gives_way_to_the_peers() {
    let mut solo = Solo::new(Transport::Ws);
    let (id, tag) = confirmed(&mut solo);
    offer(&mut solo, id, OfferVia::Reinvite);
    solo.answer("491 Request Pending", "", "");
    solo.receive(&request("INVITE", 2, "c", &tag, SDP));
    assert!(matches!(
        solo.events[..],
        [
            Event::OfferRefused {
                status: Status::REQUEST_PENDING,
                ..
            },
            Event::Offer {
                via: OfferVia::Reinvite,
                ..
            }
        ]
    ));
    solo.lines();
    solo.advance_ms(5_000);
    assert!(!solo.lines().contains(&"INVITE".to_owned()));
}

#[test]
fn a_reinvite_without_offer_gets_one_and_the_ack_brings_the_answer() {
    let mut solo = Solo::new(Transport::Ws);
    let (id, tag) = confirmed(&mut solo);
    solo.receive(&request("INVITE", 2, "c", &tag, ""));
    assert!(matches!(solo.events[..], [Event::Offer { body: None, .. }]));
    solo.act(|agent, now, _| agent.answer(now, id, Some(Body::sdp("our offer"))));
    // RFC 6337: that offer is open until the ACK.
    solo.receive(&request("INVITE", 3, "d", &tag, SDP));
    assert_eq!(solo.lines(), ["100 INVITE", "200 INVITE", "491 INVITE"]);
    solo.receive(&request("ACK", 2, "e", &tag, SDP));
    assert!(matches!(solo.events.last(), Some(Event::Answer { .. })));
}

/// The ACK is lost, but a later INVITE says that the 200 came.
#[test]
fn the_next_reinvite_stands_for_a_lost_ack() {
    let mut solo = Solo::new(Transport::Udp);
    solo.receive(&request("INVITE", 1, "a", "", SDP));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    let tag = solo.our_tag();
    solo.receive(&request("INVITE", 2, "b", &tag, SDP));
    assert!(matches!(
        solo.events[1..],
        [Event::Confirmed { body: None, .. }, Event::Offer { .. }]
    ));
    solo.lines();
    solo.advance_ms(10_000);
    assert!(solo.lines().is_empty());
}

#[test]
fn update_falls_back_to_reinvite_for_peers_without_it() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request(
        "INVITE",
        1,
        "a",
        "",
        &format!("Allow: INVITE, ACK, BYE\n{SDP}"),
    ));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    let tag = solo.our_tag();
    solo.receive(&request("ACK", 1, "b", &tag, ""));
    solo.lines();
    offer(&mut solo, id, OfferVia::Update);
    assert_eq!(solo.lines(), ["INVITE"]);
    // And for one that lied.
    let mut solo = Solo::new(Transport::Ws);
    let (id, _) = confirmed(&mut solo);
    offer(&mut solo, id, OfferVia::Update);
    solo.answer("405 Method Not Allowed", "", "");
    assert_eq!(solo.lines(), ["UPDATE", "INVITE"]);
}

#[test]
fn bodies_that_are_no_description_are_refused() {
    let mut solo = Solo::new(Transport::Ws);
    let (_, tag) = confirmed(&mut solo);
    let text = "Content-Type: text/plain\n\nhello";
    solo.receive(&request("INVITE", 2, "c", &tag, text));
    solo.receive(&request("UPDATE", 3, "d", &tag, text));
    assert_eq!(
        solo.last_response().headers.get(&HeaderName::Accept),
        Some("application/sdp")
    );
    assert_eq!(solo.lines(), ["415 INVITE", "415 UPDATE"]);
    assert!(solo.events.is_empty());
}
