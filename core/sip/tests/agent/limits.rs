//! What a stranger can make the Agent hold, and that calls can still be ended when it is full.

use sip::{Body, Event, FlowLimits, HeaderName, Limits, Method, Status, Transport};

use super::pair::outgoing;
use super::solo::{SDP, Solo, flow, request};

const SMALL: Limits = Limits {
    transactions: 8,
    invites: 4,
    dialogs: 4,
    subscriptions: 4,
    subscriptions_per_flow: 4,
    per_flow: FlowLimits {
        pending_invites: 2,
        transactions: 6,
    },
    per_known_flow: FlowLimits {
        pending_invites: 2,
        transactions: 6,
    },
};

fn invite(n: u32) -> String {
    request("INVITE", 1, &format!("i{n}"), "", SDP).replace("call-1", &format!("call-{n}"))
}

#[track_caller]
fn assert_overloaded(solo: &Solo) {
    let response = solo.last_response();
    assert_eq!(response.status, Status::SERVICE_UNAVAILABLE);
    assert!(response.headers.retry_after().unwrap().is_some());
    assert!(response.headers.to().unwrap().tag().is_some());
}

/// Half of it is open to UDP.
const ROOMIER: Limits = Limits {
    transactions: 16,
    ..SMALL
};

#[test]
fn transactions_are_bounded() {
    let mut solo = Solo::with_limits(Transport::Udp, ROOMIER);
    for n in 0..1_000_u64 {
        let options = request("OPTIONS", 1, &n.to_string(), "", "");
        solo.receive_on(
            flow(n, Transport::Udp),
            &options.replace("call-1", &format!("call-{n}")),
        );
        assert!(solo.agent.counts().transactions <= 8);
    }
    assert_overloaded(&solo);
    assert_eq!(solo.events.len(), 8);
    solo.advance_ms(32_000);
    assert_eq!(solo.agent.counts().transactions, 0);
}

#[test]
fn transactions_of_one_flow_are_bounded() {
    let mut solo = Solo::with_limits(Transport::Udp, ROOMIER);
    for n in 0..10 {
        let options = request("OPTIONS", 1, &n.to_string(), "", "");
        solo.receive(&options.replace("call-1", &format!("call-{n}")));
    }
    assert_overloaded(&solo);
    assert_eq!(solo.agent.counts().transactions, 6);
    solo.receive_on(
        flow(2, Transport::Udp),
        &request("OPTIONS", 1, "other", "", ""),
    );
    assert_eq!(solo.agent.counts().transactions, 7);
}

#[test]
fn a_flood_over_udp_leaves_room_for_connections() {
    let mut solo = Solo::with_limits(Transport::Udp, ROOMIER);
    for n in 0..100_u64 {
        let options = request("OPTIONS", 1, &n.to_string(), "", "");
        solo.receive_on(
            flow(n, Transport::Udp),
            &options.replace("call-1", &format!("call-{n}")),
        );
    }
    assert_eq!(solo.agent.counts().transactions, 8);
    assert_overloaded(&solo);
    solo.receive_on(
        flow(1_000, Transport::Ws),
        &request("OPTIONS", 1, "web", "", "").replace("call-1", "call-web"),
    );
    assert_eq!(solo.agent.counts().transactions, 9);
}

#[test]
fn who_has_proven_nothing_gets_one_answer_over_udp() {
    let mut solo = Solo::new(Transport::Udp);
    solo.admits = false;
    solo.receive(&invite(1));
    assert_eq!(
        solo.lines(),
        [] as [&str; 0],
        "no 100 before the caller is known"
    );
    let id = solo.invited();
    let headers = vec![(HeaderName::WwwAuthenticate, "Digest realm=\"a\"".to_owned())];
    solo.act(|agent, now, _| agent.deny(now, id, Status::UNAUTHORIZED, headers));
    assert_eq!(solo.lines(), ["401 INVITE"]);
    solo.advance_ms(60_000);
    assert_eq!(solo.lines(), [] as [&str; 0], "nothing is sent again");
    let counts = solo.agent.counts();
    assert_eq!(
        (counts.transactions, counts.invites, counts.dialogs),
        (0, 0, 0)
    );
}

#[test]
fn refusals_by_the_protocol_are_sent_once_over_udp() {
    for (header, expected) in [
        ("Require: nothing-we-know\n", "420 INVITE"),
        ("Session-Expires: 10\nSupported: timer\n", "422 INVITE"),
    ] {
        let mut solo = Solo::new(Transport::Udp);
        solo.receive(
            &request("INVITE", 1, "i", "", "").replace("Call-ID", &format!("{header}Call-ID")),
        );
        solo.advance_ms(60_000);
        assert_eq!(solo.lines(), [expected]);
        assert_eq!(solo.agent.counts().transactions, 0);
    }
}

#[test]
fn who_comes_over_a_connection_is_denied_by_a_transaction() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&invite(1));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.deny(now, id, Status::UNAUTHORIZED, Vec::new()));
    assert_eq!(solo.lines(), ["100 INVITE", "401 INVITE"]);
    solo.receive(&invite(1));
    assert_eq!(
        solo.lines(),
        ["401 INVITE"],
        "a repeated one gets the same answer"
    );
    assert_eq!(solo.agent.counts().transactions, 1);
}

#[test]
fn pending_invites_of_one_flow_are_bounded() {
    let mut solo = Solo::with_limits(
        Transport::Ws,
        Limits {
            transactions: 100,
            ..SMALL
        },
    );
    for n in 0..3 {
        solo.receive(&invite(n));
    }
    assert_overloaded(&solo);
    assert_eq!(solo.agent.counts().invites, 2);
    // One that is answered makes room.
    let id = solo.invited();
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    solo.receive(&invite(4));
    assert_eq!(solo.agent.counts().invites, 3);
}

#[test]
fn a_pending_invite_that_moves_to_another_flow_leaves_room_on_the_first() {
    let mut solo = Solo::with_limits(
        Transport::Ws,
        Limits {
            transactions: 100,
            ..SMALL
        },
    );
    for n in 0..2 {
        solo.receive(&invite(n));
        let id = solo.invited();
        let other = flow(2, Transport::Ws);
        solo.act(|agent, now, _| agent.rebind(now, id, other));
        solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    }
    for n in 2..4 {
        solo.receive(&invite(n));
    }
    assert_eq!(solo.agent.counts().invites, 4);
}

#[test]
fn calls_are_bounded_and_can_be_ended_when_everything_is_full() {
    let mut solo = Solo::with_limits(Transport::Ws, SMALL);
    let mut tags = Vec::new();
    for n in 0..4 {
        solo.receive_on(flow(n, Transport::Ws), &invite(u32::try_from(n).unwrap()));
        let id = solo.invited();
        solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
        tags.push(solo.our_tag());
    }
    solo.receive_on(flow(9, Transport::Ws), &invite(9));
    assert_overloaded(&solo);
    assert_eq!(solo.agent.counts().invites, 4);
    // Fill the transactions as well.
    for n in 20..40 {
        let options = request("OPTIONS", 1, &n.to_string(), "", "");
        solo.receive_on(
            flow(n, Transport::Ws),
            &options.replace("call-1", &format!("call-{n}")),
        );
    }
    assert_eq!(solo.agent.counts().transactions, 8);
    solo.receive_on(flow(50, Transport::Ws), &invite(50));
    assert_overloaded(&solo);
    for (n, tag) in tags.iter().enumerate() {
        let bye = request("BYE", 2, "bye", tag, "").replace("call-1", &format!("call-{n}"));
        solo.receive_on(flow(n as u64, Transport::Ws), &bye);
        assert_eq!(solo.last_response().status, Status::OK);
    }
    assert_eq!(solo.agent.counts().invites, 0);
}

#[test]
fn our_own_requests_beyond_the_bound_fail_at_once() {
    let mut solo = Solo::with_limits(
        Transport::Ws,
        Limits {
            transactions: 1,
            ..SMALL
        },
    );
    solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
    solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
    assert!(matches!(
        solo.events[..],
        [Event::Failed { .. }, Event::Ended { .. }]
    ));
    assert_eq!(solo.agent.counts().invites, 1);
}

#[test]
fn requests_waiting_inside_one_call_are_bounded() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request("INVITE", 1, "a", "", SDP));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    let tag = solo.our_tag();
    solo.receive(&request("ACK", 1, "b", &tag, ""));
    for n in 2..30 {
        solo.receive(&request("INFO", n, &format!("m{n}"), &tag, ""));
    }
    assert_overloaded(&solo);
    assert_eq!(solo.agent.counts().transactions, 1 + 16);
    let contact = solo.last_response().headers.get(&HeaderName::Contact);
    assert_eq!(contact, None);
}

#[test]
fn our_own_requests_inside_a_call_are_bounded_too() {
    let mut solo = Solo::with_limits(Transport::Ws, SMALL);
    solo.receive(&request("INVITE", 1, "a", "", SDP));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    let tag = solo.our_tag();
    solo.receive(&request("ACK", 1, "b", &tag, ""));
    for _ in 0..100 {
        solo.act(|agent, now, _| agent.send(now, id, Method::Info, Vec::new(), None));
    }
    let reserve = SMALL.transactions / 8 + 1;
    assert!(solo.agent.counts().transactions <= SMALL.transactions + reserve);
    let refused = solo.events.iter().filter(|event| {
        matches!(event, Event::Response { result: Ok(response), .. }
            if response.status == Status::SERVICE_UNAVAILABLE)
    });
    assert!(refused.count() > 90, "the rest is told at once");
}

/// All calls of a trunk come over one flow: once it has proven who it is it may have many that ring, and many a second.
#[test]
fn who_is_known_may_ask_for_more_until_the_flow_is_forgotten() {
    let limits = Limits {
        transactions: 100,
        invites: 50,
        dialogs: 50,
        per_known_flow: FlowLimits {
            pending_invites: 10,
            transactions: 20,
        },
        ..SMALL
    };
    let mut solo = Solo::with_limits(Transport::Udp, limits);
    solo.admits = false;
    for n in 0..3 {
        solo.receive(&invite(n));
    }
    assert_overloaded(&solo);
    assert_eq!(solo.agent.counts().invites, 2);
    let id = solo.invited();
    // To be let in is not enough: that may be a guest.
    solo.act(|agent, now, _| agent.trying(now, id));
    solo.receive(&invite(3));
    assert_overloaded(&solo);
    solo.act(|agent, _, _| agent.know(id));
    for n in 4..20 {
        solo.receive(&invite(n));
    }
    assert_overloaded(&solo);
    assert_eq!(solo.agent.counts().invites, 10);
    for n in 0..20 {
        let options = request("OPTIONS", 1, &format!("o{n}"), "", "");
        solo.receive(&options.replace("call-1", &format!("call-o{n}")));
    }
    assert_eq!(solo.agent.counts().transactions, 20);
    // Another flow is another's.
    let other = flow(2, Transport::Udp);
    for n in 30..33 {
        solo.receive_on(other, &invite(n));
    }
    assert_eq!(solo.agent.counts().invites, 12);
    // Whoever comes from there later has to prove it again.
    solo.advance_ms(600_000);
    solo.act(|agent, _, flow| agent.forget(flow.id));
    let before = solo.agent.counts().invites;
    for n in 40..50 {
        solo.receive(&invite(n));
    }
    assert!(solo.agent.counts().invites <= before + 2);
}

/// 20 000 transactions at a time; each message must cost a few lookups. A scan of all would make this
/// quadratic and be felt at once.
#[test]
fn many_transactions_cost_no_more_each() {
    let limits = Limits {
        per_flow: FlowLimits {
            transactions: 20_000,
            ..Limits::default().per_flow
        },
        ..Limits::default()
    };
    let mut solo = Solo::with_limits(Transport::Udp, limits);
    for n in 0..2_000 {
        let options = request("OPTIONS", 1, &n.to_string(), "", "");
        solo.receive(&options.replace("call-1", &format!("call-{n}")));
    }
    assert_eq!(solo.agent.counts().transactions, 2_000);
    solo.advance_ms(32_000);
    assert_eq!(solo.agent.counts().transactions, 0);
}

/// Forged requests may not use what is kept back for the calls there are.
#[test]
fn strangers_cannot_fill_the_reserve() {
    let mut solo = Solo::with_limits(Transport::Udp, SMALL);
    for n in 0..100_u64 {
        for method in ["BYE", "CANCEL", "INFO"] {
            let forged = request(method, 1, &n.to_string(), "forged", "");
            solo.receive_on(flow(n, Transport::Udp), &forged);
        }
        assert!(solo.agent.counts().transactions <= SMALL.transactions);
    }
}
