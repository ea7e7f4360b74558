//! Timers A to M, each at its exact time, and what is absorbed meanwhile.

use sip::{
    Body, Counts, Ended, Event, Failure, Method, NameAddr, Request, Status, T1, T2, T4, Timer,
    Transport,
};

use super::pair::outgoing;
use super::solo::{SDP, Solo, request};

/// The times of a retransmission timer that doubles up to `cap` ms, within 64*T1.
fn doubling(cap: u64) -> Vec<u128> {
    let (mut at, mut interval, mut times) = (0, 500, Vec::new());
    while at < 32_000 {
        times.push(u128::from(at));
        at += interval;
        interval = (interval * 2).min(cap);
    }
    times
}

fn options() -> Request {
    let mut request = Request::new(Method::Options, "sip:bob@example.com".parse().unwrap());
    let address = NameAddr::parse("<sip:alice@example.com>")
        .unwrap()
        .to_string();
    request.headers.push(sip::HeaderName::From, &address);
    request
        .headers
        .push(sip::HeaderName::To, "<sip:bob@example.com>");
    request
}

#[test]
fn the_table_of_timers_is_that_of_the_rfcs() {
    let t = |timer: Timer, reliable| timer.initial(reliable).map(|d| d.as_millis());
    let rows = [
        (Timer::A, Some(500), None),
        (Timer::B, Some(32_000), Some(32_000)),
        (Timer::D, Some(32_000), Some(0)),
        (Timer::E, Some(500), None),
        (Timer::F, Some(32_000), Some(32_000)),
        (Timer::G, Some(500), None),
        (Timer::H, Some(32_000), Some(32_000)),
        (Timer::I, Some(5_000), Some(0)),
        (Timer::J, Some(32_000), Some(0)),
        (Timer::K, Some(5_000), Some(0)),
        (Timer::L, Some(32_000), Some(32_000)),
        (Timer::M, Some(32_000), Some(32_000)),
    ];
    for (timer, udp, reliable) in rows {
        assert_eq!(
            (t(timer, false), t(timer, true)),
            (udp, reliable),
            "{timer:?}"
        );
    }
    assert_eq!(
        (T1.as_millis(), T2.as_millis(), T4.as_millis()),
        (500, 4_000, 5_000)
    );
}

#[test]
fn timers_a_and_b_repeat_an_invite_and_give_up() {
    for (transport, times) in [
        (
            Transport::Udp,
            vec![0, 500, 1_500, 3_500, 7_500, 15_500, 31_500],
        ),
        (Transport::Ws, vec![0]),
    ] {
        let mut solo = Solo::new(transport);
        solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
        solo.advance_ms(31_999);
        assert_eq!(solo.times("INVITE"), times);
        assert!(solo.events.is_empty());
        solo.advance_ms(1);
        assert!(matches!(
            solo.events[..],
            [
                Event::Failed {
                    outcome: Failure::Timeout,
                    ..
                },
                Event::Ended {
                    cause: Ended::Failed,
                    ..
                }
            ]
        ));
        assert_eq!(solo.agent.counts(), Counts::default());
    }
}

#[test]
fn a_provisional_response_stops_timers_a_and_b() {
    let mut solo = Solo::new(Transport::Udp);
    solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
    solo.advance_ms(600);
    solo.answer("180 Ringing", "bob", "");
    solo.advance_ms(100_000);
    assert_eq!(solo.times("INVITE"), [0, 500]);
    assert!(matches!(solo.events[..], [Event::Progress { .. }]));
}

#[test]
fn timer_d_acknowledges_repeated_refusals() {
    let mut solo = Solo::new(Transport::Udp);
    solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
    let invite = solo.last_request().clone();
    for _ in 0..2 {
        solo.answer_to(&invite, "486 Busy Here", "bob", "");
        solo.advance_ms(10_000);
    }
    assert_eq!(solo.times("ACK"), [0, 10_000]);
    // RFC 3261 §17.1.1.3: the ACK has the Via of the INVITE and the To of the response.
    let ack = solo.last_request();
    let via = |request: &Request| request.headers.vias().unwrap();
    assert_eq!(via(ack), via(&invite));
    assert_eq!(ack.uri, invite.uri);
    assert_eq!(ack.headers.to().unwrap().tag(), Some("bob"));
    assert_eq!(ack.headers.cseq().unwrap().to_string(), "1 ACK");
    assert_eq!(solo.events.len(), 2);
    solo.advance_ms(11_999);
    assert_eq!(solo.agent.counts().transactions, 1);
    solo.advance_ms(1);
    assert_eq!(solo.agent.counts(), Counts::default());
}

#[test]
fn timers_e_and_f_repeat_a_request_and_give_up() {
    for (transport, times) in [(Transport::Udp, doubling(4_000)), (Transport::Ws, vec![0])] {
        let mut solo = Solo::new(transport);
        solo.act(|agent, now, flow| agent.request(now, flow, options()));
        solo.advance_ms(31_999);
        assert_eq!(solo.times("OPTIONS"), times);
        assert!(solo.events.is_empty());
        solo.advance_ms(1);
        assert!(matches!(
            solo.events[..],
            [Event::Response { result: Err(_), .. }]
        ));
        assert_eq!(solo.agent.counts(), Counts::default());
    }
}

#[test]
fn timer_e_is_slow_after_a_provisional_response() {
    let mut solo = Solo::new(Transport::Udp);
    solo.act(|agent, now, flow| agent.request(now, flow, options()));
    solo.advance_ms(400);
    solo.answer("100 Trying", "", "");
    solo.advance_ms(12_000);
    assert_eq!(solo.times("OPTIONS"), [0, 500, 4_500, 8_500]);
}

#[test]
fn timer_k_absorbs_repeated_responses() {
    for (transport, ms) in [(Transport::Udp, 5_000), (Transport::Ws, 0)] {
        let mut solo = Solo::new(transport);
        solo.act(|agent, now, flow| agent.request(now, flow, options()));
        let request = solo.last_request().clone();
        for _ in 0..3 {
            solo.answer_to(&request, "200 OK", "bob", "");
        }
        assert!(matches!(
            solo.events[..],
            [Event::Response { result: Ok(_), .. }]
        ));
        if ms > 0 {
            solo.advance_ms(ms - 1);
            assert_eq!(solo.agent.counts().transactions, 1);
            solo.advance_ms(1);
        }
        assert_eq!(solo.agent.counts(), Counts::default());
    }
}

#[test]
fn timers_g_and_h_repeat_a_refusal_until_its_ack() {
    for (transport, times) in [(Transport::Udp, doubling(4_000)), (Transport::Ws, vec![0])] {
        let mut solo = Solo::new(transport);
        solo.receive(&request("INVITE", 1, "a", "", SDP));
        let id = solo.invited();
        solo.act(|agent, now, _| agent.reject(now, id, Status::BUSY_HERE, Vec::new()));
        solo.advance_ms(31_999);
        assert_eq!(solo.times("486 INVITE"), times);
        assert_eq!(solo.agent.counts().transactions, 1);
        solo.advance_ms(1);
        assert_eq!(solo.agent.counts(), Counts::default());
    }
}

#[test]
fn timer_i_absorbs_repeated_acks() {
    for (transport, ms) in [(Transport::Udp, 5_000), (Transport::Ws, 0)] {
        let mut solo = Solo::new(transport);
        solo.receive(&request("INVITE", 1, "a", "", SDP));
        let id = solo.invited();
        solo.act(|agent, now, _| agent.reject(now, id, Status::BUSY_HERE, Vec::new()));
        let tag = solo.our_tag();
        let events = solo.events.len();
        for _ in 0..3 {
            solo.receive(&request("ACK", 1, "a", &tag, ""));
        }
        if ms > 0 {
            solo.advance_ms(ms - 1);
            assert_eq!(solo.agent.counts().transactions, 1);
            solo.advance_ms(1);
        }
        assert_eq!(solo.times("486 INVITE"), [0]);
        assert_eq!(solo.events.len(), events);
        assert_eq!(solo.agent.counts(), Counts::default());
    }
}

#[test]
fn timer_j_answers_repeated_requests_alike() {
    let mut solo = Solo::new(Transport::Udp);
    let register = request("REGISTER", 1, "r", "", "");
    solo.receive(&register);
    solo.receive(&register);
    let [Event::Request { id, request, .. }] = &solo.events[..] else {
        panic!("told once")
    };
    let (id, response) = (*id, request.response(Status::UNAUTHORIZED));
    assert!(solo.sent.is_empty());
    solo.act(|agent, now, _| agent.respond(now, id, response));
    solo.advance_ms(31_000);
    solo.receive(&register);
    let responses = solo.responses();
    assert_eq!(responses.len(), 2);
    assert_eq!(responses[0], responses[1]);
    solo.advance_ms(999);
    assert_eq!(solo.agent.counts().transactions, 1);
    solo.advance_ms(1);
    assert_eq!(solo.agent.counts(), Counts::default());
}

/// RFC 6026 §7.1 and RFC 3261 §13.3.1.4: the INVITE is absorbed, the 200 is repeated by its own clock.
#[test]
fn timer_l_absorbs_repeated_invites_after_a_200() {
    for transport in [Transport::Udp, Transport::Ws] {
        let mut solo = Solo::new(transport);
        let invite = request("INVITE", 1, "a", "", SDP);
        solo.receive(&invite);
        let id = solo.invited();
        solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
        let tag = solo.our_tag();
        solo.advance_ms(2_000);
        solo.receive(&invite);
        assert_eq!(solo.times("200 INVITE"), [0, 500, 1_500]);
        solo.receive(&request("ACK", 1, "b", &tag, ""));
        solo.receive(&invite);
        solo.advance_ms(29_999);
        assert_eq!(solo.times("200 INVITE"), [0, 500, 1_500]);
        assert_eq!(solo.agent.counts().transactions, 1);
        solo.advance_ms(1);
        assert_eq!(
            solo.agent.counts(),
            Counts {
                transactions: 0,
                dialogs: 1,
                invites: 1,
                subscriptions: 0
            }
        );
    }
}

#[test]
fn a_200_is_repeated_for_32_s_then_the_call_is_ended() {
    for transport in [Transport::Udp, Transport::Ws] {
        let mut solo = Solo::new(transport);
        solo.receive(&request("INVITE", 1, "a", "", SDP));
        let id = solo.invited();
        solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
        solo.advance_ms(32_000);
        assert_eq!(solo.times("200 INVITE"), doubling(4_000));
        assert_eq!(solo.times("BYE"), [32_000]);
        solo.answer("200 OK", "", "");
        assert!(matches!(
            solo.events.last(),
            Some(Event::Ended {
                cause: Ended::AckTimeout,
                ..
            })
        ));
    }
}

/// RFC 6026 §7.2: each repeated 2xx gets the same ACK again.
#[test]
fn timer_m_acknowledges_repeated_200s() {
    let mut solo = Solo::new(Transport::Udp);
    solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
    let invite = solo.last_request().clone();
    for _ in 0..3 {
        solo.answer_to(&invite, "200 OK", "bob", SDP);
        solo.advance_ms(1_000);
    }
    assert_eq!(solo.times("ACK"), [0, 1_000, 2_000]);
    assert!(matches!(solo.events[..], [Event::Answered { .. }]));
    solo.advance_ms(28_999);
    assert_eq!(solo.agent.counts().transactions, 1);
    solo.advance_ms(1);
    assert_eq!(solo.agent.counts().transactions, 0);
}

#[test]
fn a_repeated_invite_gets_the_last_provisional_response_again() {
    let mut solo = Solo::new(Transport::Udp);
    let invite = request("INVITE", 1, "a", "", SDP);
    solo.receive(&invite);
    solo.receive(&invite);
    let id = solo.invited();
    solo.act(|agent, now, _| agent.provisional(now, id, Status::RINGING, None));
    solo.receive(&invite);
    assert_eq!(
        solo.lines(),
        ["100 INVITE", "100 INVITE", "180 INVITE", "180 INVITE"]
    );
    assert_eq!(solo.events.len(), 1);
}

/// RFC 3261 §13.3.1.1.
#[test]
fn ringing_is_repeated_every_minute() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request("INVITE", 1, "a", "", SDP));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.provisional(now, id, Status::RINGING, None));
    solo.advance_ms(130_000);
    assert_eq!(solo.times("180 INVITE"), [0, 60_000, 120_000]);
}

#[test]
fn a_request_nobody_answers_is_forgotten_when_its_sender_gives_up() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request("OPTIONS", 1, "o", "", ""));
    let Event::Request { id, request, .. } = solo.events[0].clone() else {
        panic!()
    };
    solo.advance_ms(32_000);
    assert_eq!(solo.agent.counts(), Counts::default());
    solo.act(|agent, now, _| agent.respond(now, id, request.response(Status::OK)));
    assert!(solo.sent.is_empty());
}

/// JsSIP's branches have seven digits: what another connection sends is another transaction.
#[test]
fn a_stranger_on_another_connection_cannot_cancel() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request("INVITE", 1, "1234567", "", SDP));
    let other = super::solo::flow(2, Transport::Ws);
    solo.receive_on(other, &request("CANCEL", 1, "1234567", "", ""));
    assert_eq!(solo.lines(), ["100 INVITE", "481 CANCEL"]);
    assert_eq!(solo.agent.counts().invites, 1);
}
