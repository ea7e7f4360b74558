//! Connections that close in the middle of things, and come back (RFC 5626).

use sip::{Body, Counts, Ended, Event, Failure, FlowId, InviteId, Status, Transport};

use super::pair::{Pair, Side, Wire, outgoing};
use super::solo::{SDP, Solo, flow, request};

#[test]
fn a_call_survives_its_connection_and_goes_on_over_the_next() {
    let mut pair = Pair::new(Wire::PERFECT_WS, 1);
    let (alice, bob) = pair.established();
    pair.close_flow();
    for (side, id) in [(Side::Alice, alice), (Side::Bob, bob)] {
        assert!(pair.has(side, |event| matches!(event, Event::FlowLost { .. })));
        let flow = pair.flow_of(side);
        pair.act(side, |agent, now| agent.rebind(now, id, flow));
    }
    pair.act(Side::Bob, |agent, now| {
        agent.reinvite(now, bob, Body::sdp("offer"))
    })
    .unwrap();
    pair.run_ms(20);
    pair.act(Side::Alice, |agent, now| {
        agent.answer(now, alice, Some(Body::sdp("answer")))
    });
    pair.run_ms(20);
    assert!(pair.has(Side::Bob, |event| matches!(event, Event::Answer { .. })));
    pair.act(Side::Bob, |agent, now| {
        agent.hangup(now, bob, Vec::new(), Status::DECLINE)
    });
    pair.run_ms(100_000);
    assert!(matches!(pair.ends(Side::Alice)[..], [Ended::Bye(_)]));
    assert!(matches!(pair.ends(Side::Bob)[..], [Ended::Hangup]));
    pair.assert_empty();
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
fn a_peer_that_speaks_over_a_new_connection_is_found_there() {
    let mut solo = Solo::new(Transport::Ws);
    let (id, tag) = confirmed(&mut solo);
    solo.act(|agent, now, flow| agent.handle_flow_closed(now, flow.id));
    let new = flow(2, Transport::Ws);
    solo.receive_on(new, &request("UPDATE", 2, "u", &tag, ""));
    assert!(matches!(
        solo.events[..],
        [Event::FlowLost { .. }, Event::FlowRestored { flow, .. }] if flow == new
    ));
    solo.act(|agent, now, _| agent.hangup(now, id, Vec::new(), Status::DECLINE));
    assert_eq!(solo.lines(), ["200 UPDATE", "BYE"]);
    // The new connection counts as the call's own.
    solo.act(|agent, now, _| agent.handle_flow_closed(now, FlowId(2)));
    assert!(matches!(
        solo.events.last(),
        Some(Event::Ended {
            cause: Ended::Hangup,
            ..
        })
    ));
    solo.advance_ms(32_000);
    assert_eq!(solo.agent.counts(), Counts::default());
}

#[test]
fn hangup_of_a_lost_call_ends_it_at_once() {
    let mut solo = Solo::new(Transport::Ws);
    let (id, _) = confirmed(&mut solo);
    solo.act(|agent, now, flow| agent.handle_flow_closed(now, flow.id));
    solo.act(|agent, now, _| agent.hangup(now, id, Vec::new(), Status::DECLINE));
    assert!(solo.lines().is_empty());
    assert!(matches!(
        solo.events[..],
        [
            Event::FlowLost { .. },
            Event::Ended {
                cause: Ended::Hangup,
                ..
            }
        ]
    ));
    assert_eq!(solo.agent.counts(), Counts::default());
}

#[test]
fn a_caller_whose_page_closes_while_it_rings_is_gone() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request("INVITE", 1, "a", "", SDP));
    solo.act(|agent, now, flow| agent.handle_flow_closed(now, flow.id));
    assert!(matches!(
        solo.events[1..],
        [Event::Ended {
            cause: Ended::FlowLost,
            ..
        }]
    ));
    assert_eq!(solo.agent.counts(), Counts::default());
    assert_eq!(solo.agent.poll_timeout(), None);
}

#[test]
fn our_requests_on_a_closed_connection_fail() {
    let mut solo = Solo::new(Transport::Ws);
    solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
    let (id, _) = confirmed(&mut solo);
    solo.act(|agent, now, _| agent.reinvite(now, id, Body::sdp("offer")))
        .unwrap();
    solo.act(|agent, now, _| agent.send(now, id, sip::Method::Info, Vec::new(), None));
    solo.act(|agent, now, flow| agent.handle_flow_closed(now, flow.id));
    let failed = |event: &Event| {
        matches!(
            event,
            Event::Failed {
                outcome: Failure::FlowLost,
                ..
            }
        )
    };
    assert!(solo.events.iter().any(failed));
    assert!(
        solo.events
            .iter()
            .any(|event| matches!(event, Event::OfferRefused { .. }))
    );
    assert!(
        solo.events
            .iter()
            .any(|event| matches!(event, Event::Response { result: Err(_), .. }))
    );
    assert_eq!(
        solo.agent.counts(),
        Counts {
            transactions: 0,
            dialogs: 1,
            invites: 1,
            subscriptions: 0
        }
    );
    // An offer made now waits for the peer to come back.
    solo.act(|agent, now, _| agent.reinvite(now, id, Body::sdp("later")))
        .unwrap();
    solo.lines();
    let new = flow(2, Transport::Ws);
    solo.act(|agent, now, _| agent.rebind(now, id, new));
    assert_eq!(solo.lines(), ["INVITE"]);
}

/// A 200 whose ACK was lost with the connection is sent again over the next.
#[test]
fn an_unacknowledged_200_moves_to_the_new_connection() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request("INVITE", 1, "a", "", SDP));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    let tag = solo.our_tag();
    solo.act(|agent, now, flow| agent.handle_flow_closed(now, flow.id));
    solo.lines();
    solo.advance_ms(3_000);
    assert!(solo.lines().is_empty(), "nobody hears");
    solo.act(|agent, now, _| agent.rebind(now, id, flow(2, Transport::Ws)));
    solo.advance_ms(4_000);
    assert_eq!(solo.lines(), ["200 INVITE"]);
    solo.receive_on(flow(2, Transport::Ws), &request("ACK", 1, "b", &tag, ""));
    assert!(matches!(solo.events.last(), Some(Event::Confirmed { .. })));
}

#[test]
fn an_offer_that_came_over_a_lost_connection_is_withdrawn() {
    let mut solo = Solo::new(Transport::Ws);
    let (id, tag) = confirmed(&mut solo);
    solo.receive(&request("INVITE", 2, "c", &tag, SDP));
    solo.act(|agent, now, flow| agent.handle_flow_closed(now, flow.id));
    assert!(matches!(
        solo.events[1..],
        [Event::OfferWithdrawn { .. }, Event::FlowLost { .. }]
    ));
    solo.lines();
    solo.act(|agent, now, _| agent.rebind(now, id, flow(2, Transport::Ws)));
    solo.act(|agent, now, _| agent.answer(now, id, Some(Body::sdp("answer"))));
    assert!(solo.lines().is_empty());
    solo.act(|agent, now, _| agent.reinvite(now, id, Body::sdp("offer")))
        .unwrap();
    assert_eq!(solo.lines(), ["INVITE"]);
}
