//! Requests that match no dialog, an early one, a confirmed one or one that is over; and what is wrong with
//! them.

use sip::{Body, Counts, Ended, Event, HeaderName, Request, Status, Transport};

use super::pair::outgoing;
use super::solo::{SDP, Solo, request};

const METHODS: [&str; 11] = [
    "ACK", "BYE", "INFO", "UPDATE", "MESSAGE", "REFER", "NOTIFY", "OPTIONS", "PRACK", "INVITE",
    "FLY",
];

/// The state in which a request finds the call.
#[derive(Debug, Clone, Copy)]
enum State {
    NoDialog,
    Ringing,
    Answered,
    Confirmed,
    AfterTheirBye,
    AfterOurBye,
}

/// A call in this state, and our tag.
fn call(state: State) -> (Solo, String) {
    let mut solo = Solo::new(Transport::Ws);
    if matches!(state, State::NoDialog) {
        return (solo, "nobody".into());
    }
    solo.receive(&request("INVITE", 10, "first", "", SDP));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.provisional(now, id, Status::RINGING, None));
    let tag = solo.our_tag();
    if !matches!(state, State::Ringing) {
        solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    }
    if !matches!(state, State::Ringing | State::Answered) {
        solo.receive(&request("ACK", 10, "ack", &tag, ""));
    }
    if matches!(state, State::AfterTheirBye) {
        solo.receive(&request("BYE", 11, "bye", &tag, ""));
    }
    if matches!(state, State::AfterOurBye) {
        solo.act(|agent, now, _| agent.hangup(now, id, Vec::new(), Status::DECLINE));
    }
    solo.lines();
    solo.events.clear();
    (solo, tag)
}

/// What the Agent answers at once; "-" for nothing, "up" when the layer above is asked.
fn reply(state: State, method: &str) -> String {
    let (mut solo, tag) = call(state);
    let body = if method == "INVITE" { SDP } else { "" };
    let cseq = if method == "ACK" { 10 } else { 20 };
    solo.receive(&request(method, cseq, "probe", &tag, body));
    let lines = solo.lines();
    let told = solo.events.iter().any(|event| {
        matches!(
            event,
            Event::Request { .. } | Event::InDialog { .. } | Event::Offer { .. }
        )
    });
    match lines.iter().find(|line| line.ends_with(method)) {
        Some(line) if !told => line.split(' ').next().unwrap().to_owned(),
        _ if told => "up".to_owned(),
        _ => "-".to_owned(),
    }
}

#[test]
fn every_method_is_answered_in_every_state() {
    use State::*;
    let table = [
        // ACK BYE INFO UPDATE MESSAGE REFER NOTIFY OPTIONS PRACK INVITE FLY
        (
            NoDialog,
            [
                "-", "481", "481", "481", "481", "481", "481", "481", "481", "481", "501",
            ],
        ),
        (
            Ringing,
            [
                "-", "200", "up", "200", "up", "up", "up", "up", "400", "500", "501",
            ],
        ),
        (
            Answered,
            [
                "-", "200", "up", "200", "up", "up", "up", "up", "400", "up", "501",
            ],
        ),
        (
            Confirmed,
            [
                "-", "200", "up", "200", "up", "up", "up", "up", "400", "up", "501",
            ],
        ),
        (
            AfterTheirBye,
            [
                "-", "481", "481", "481", "481", "481", "481", "481", "481", "481", "501",
            ],
        ),
        (
            AfterOurBye,
            [
                "-", "200", "481", "481", "481", "481", "481", "481", "481", "481", "501",
            ],
        ),
    ];
    for (state, row) in table {
        for (method, expected) in METHODS.into_iter().zip(row) {
            assert_eq!(reply(state, method), expected, "{method} in {state:?}");
        }
    }
}

#[test]
fn requests_outside_a_dialog_go_up_or_are_refused() {
    let rows = [
        ("REGISTER", "up"),
        ("OPTIONS", "up"),
        ("MESSAGE", "up"),
        ("SUBSCRIBE", "up"),
        ("PUBLISH", "up"),
        ("NOTIFY", "up"),
        ("REFER", "up"),
        ("ACK", "-"),
        ("BYE", "481"),
        ("CANCEL", "481"),
        ("INFO", "481"),
        ("UPDATE", "481"),
        ("PRACK", "481"),
        ("FLY", "501"),
    ];
    for (method, expected) in rows {
        let mut solo = Solo::new(Transport::Ws);
        solo.receive(&request(method, 1, "a", "", ""));
        let told = matches!(solo.events[..], [Event::Request { .. }]);
        let line = solo
            .sent
            .first()
            .map(|_| solo.last_response().status.to_string());
        let got = if told {
            "up".to_owned()
        } else {
            line.unwrap_or_else(|| "-".to_owned())
        };
        assert_eq!(got, expected, "{method}");
        if matches!(expected, "405" | "501") {
            assert!(solo.last_response().headers.has(&HeaderName::Allow));
        }
    }
}

#[test]
fn an_older_sequence_number_is_refused() {
    let (mut solo, tag) = call(State::Confirmed);
    solo.receive(&request("INFO", 12, "i1", &tag, ""));
    solo.receive(&request("INFO", 11, "i2", &tag, ""));
    assert_eq!(solo.lines(), ["500 INFO"]);
    assert_eq!(solo.events.len(), 1);
}

#[test]
fn required_extensions_we_lack_are_named() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request(
        "INVITE",
        1,
        "a",
        "",
        "Require: timer, 100rel, gruu",
    ));
    let response = solo.last_response();
    assert_eq!(response.status, Status::BAD_EXTENSION);
    assert_eq!(response.headers.get(&HeaderName::Unsupported), Some("gruu"));
    assert!(solo.events.is_empty());
}

#[test]
fn used_up_max_forwards_is_refused_except_for_options() {
    let with_0 = |method| request(method, 1, method, "", "").replace("Forwards: 69", "Forwards: 0");
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&with_0("INVITE"));
    assert_eq!(solo.lines(), ["483 INVITE"]);
    solo.receive(&with_0("OPTIONS"));
    assert!(matches!(solo.events[..], [Event::Request { .. }]));
}

/// RFC 3261 §8.2.2.2.
#[test]
fn a_request_that_came_by_two_ways_is_merged() {
    let mut solo = Solo::new(Transport::Udp);
    solo.receive(&request("INVITE", 1, "way1", "", SDP));
    solo.receive(&request("INVITE", 1, "way2", "", SDP));
    assert_eq!(solo.lines(), ["100 INVITE", "482 INVITE"]);
    assert_eq!(solo.agent.counts().invites, 1);
    // The next attempt, with credentials, is another request.
    solo.receive(&request("INVITE", 2, "way3", "", SDP));
    assert_eq!(solo.lines(), ["100 INVITE"]);
}

/// RFC 3261 §18.2.1, RFC 3581 §4; SIP.js drops a response whose sent-by is changed.
#[test]
fn responses_carry_the_vias_of_the_request_and_where_it_came_from() {
    let mut solo = Solo::new(Transport::Udp);
    let invite = request("INVITE", 1, "a", "", SDP).replace(
        "branch=z9hG4bKa",
        "branch=z9hG4bKa;rport\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKdeep;x=\"1,2\"",
    );
    solo.receive(&invite);
    let vias: Vec<_> = solo
        .last_response()
        .headers
        .get_all(&HeaderName::Via)
        .collect();
    assert_eq!(
        vias,
        [
            "SIP/2.0/WS hkct7e8ec874.invalid;branch=z9hG4bKa;rport=40000;received=192.0.2.1",
            "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKdeep;x=\"1,2\"",
        ]
    );
}

#[test]
fn stray_responses_are_ignored() {
    let mut solo = Solo::new(Transport::Ws);
    solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
    let invite = solo.last_request().clone();
    let two_vias = "Via: SIP/2.0/WS 192.0.2.9;branch=z9hG4bKother";
    solo.answer_to(&invite, "486 Busy Here", "bob", two_vias);
    let mut other = invite.clone();
    let via = "SIP/2.0/WS 192.0.2.2:5060;branch=z9hG4bKnobody";
    other.headers.set(HeaderName::Via, via);
    solo.answer_to(&other, "486 Busy Here", "bob", "");
    let mut bye: Request = invite;
    bye.headers.set(HeaderName::CSeq, "1 BYE");
    solo.answer_to(&bye, "481 Call/Transaction Does Not Exist", "bob", "");
    assert!(solo.events.is_empty());
    assert_eq!(solo.lines(), ["INVITE"]);
}

/// RFC 3261 §12.1.1, §12.2.1.1: routes in order, the target in the Request-URI.
#[test]
fn requests_follow_the_route_set_and_the_refreshed_target() {
    let mut solo = Solo::new(Transport::Udp);
    let routes = "Record-Route: <sip:p2.example.com;lr>, <sip:p1.example.com;lr>\n";
    solo.receive(&request("INVITE", 1, "a", "", &format!("{routes}{SDP}")));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    let tag = solo.our_tag();
    let copied: Vec<_> = solo
        .last_response()
        .headers
        .get_all(&HeaderName::RecordRoute)
        .collect();
    assert_eq!(copied, ["<sip:p2.example.com;lr>, <sip:p1.example.com;lr>"]);
    solo.receive(&request("ACK", 1, "b", &tag, ""));
    let update = request("UPDATE", 2, "c", &tag, "").replace("lr5bh7jc@", "moved@");
    solo.receive(&update);
    solo.act(|agent, now, _| agent.hangup(now, id, Vec::new(), Status::DECLINE));
    let bye = solo.last_request();
    assert_eq!(
        bye.uri.as_str(),
        "sip:moved@hkct7e8ec874.invalid;transport=ws;ob"
    );
    let routes: Vec<_> = bye.headers.get_all(&HeaderName::Route).collect();
    assert_eq!(
        routes,
        ["<sip:p2.example.com;lr>", "<sip:p1.example.com;lr>"]
    );
    assert_eq!(
        bye.headers.get(&HeaderName::To),
        Some("<sip:alice@example.com>;tag=peer")
    );
    let from = format!("<sip:246@example.com>;tag={tag}");
    assert_eq!(bye.headers.get(&HeaderName::From), Some(from.as_str()));
    assert_eq!(bye.headers.cseq().unwrap().to_string(), "1 BYE");
}

/// RFC 3261 §12.2.1.1: a router without `lr` stands in the Request-URI.
#[test]
fn a_strict_router_is_served() {
    let mut solo = Solo::new(Transport::Udp);
    let routes = "Record-Route: <sip:p2.example.com>, <sip:p1.example.com;lr>\n";
    solo.receive(&request("INVITE", 1, "a", "", &format!("{routes}{SDP}")));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    let tag = solo.our_tag();
    solo.receive(&request("ACK", 1, "b", &tag, ""));
    solo.act(|agent, now, _| agent.hangup(now, id, Vec::new(), Status::DECLINE));
    let bye = solo.last_request();
    assert_eq!(bye.uri.as_str(), "sip:p2.example.com");
    let routes: Vec<_> = bye.headers.get_all(&HeaderName::Route).collect();
    assert_eq!(
        routes,
        [
            "<sip:p1.example.com;lr>",
            "<sip:lr5bh7jc@hkct7e8ec874.invalid;transport=ws;ob>"
        ]
    );
}

#[test]
fn tags_are_long_equal_within_a_call_and_different_between_calls() {
    let tag_of_call = |solo: &mut Solo, call: u32| {
        let invite = request("INVITE", call, &call.to_string(), "", SDP);
        solo.receive(&invite.replace("call-1", &format!("call-{call}")));
        let id = solo.invited();
        solo.act(|agent, now, _| agent.provisional(now, id, Status::RINGING, None));
        let early = solo.our_tag();
        solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
        assert_eq!(early, solo.our_tag());
        early
    };
    let mut solo = Solo::new(Transport::Ws);
    let first = tag_of_call(&mut solo, 1);
    let second = tag_of_call(&mut solo, 2);
    assert_ne!(first, second);
    assert!(first.len() >= 13, "64 bits need 13 letters of 32");
}

/// RFC 3261 §13.3.1.
#[test]
fn an_invite_expires() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request(
        "INVITE",
        1,
        "a",
        "",
        &format!("Expires: 30\n{SDP}"),
    ));
    solo.advance_ms(30_000);
    assert_eq!(solo.lines(), ["100 INVITE", "487 INVITE"]);
    assert!(matches!(
        solo.events[1],
        Event::Ended {
            cause: Ended::Expired,
            ..
        }
    ));
}

#[test]
fn malformed_requests_get_400_and_leave_nothing() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request("INVITE", 1, "a", "", SDP).replace("CSeq: 1", "CSeq: one"));
    solo.receive(
        "INVITE sip:246@example.com SIP/7.0\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bKx\n\n",
    );
    solo.receive("total nonsense\n\n");
    let statuses: Vec<_> = solo
        .responses()
        .iter()
        .map(|response| response.status.code())
        .collect();
    assert_eq!(statuses, [400, 505]);
    assert_eq!(solo.agent.counts(), Counts::default());
}

/// The peer's 481 says that the call is gone.
#[test]
fn a_481_to_info_ends_the_call_but_one_to_notify_does_not() {
    for (method, ends) in [(sip::Method::Info, true), (sip::Method::Notify, false)] {
        let (mut solo, _) = call(State::Confirmed);
        // The id of the only call.
        let id = {
            let mut other = Solo::new(Transport::Ws);
            other.receive(&request("INVITE", 10, "first", "", SDP));
            other.invited()
        };
        solo.act(|agent, now, _| agent.send(now, id, method, Vec::new(), None));
        solo.answer("481 Call/Transaction Does Not Exist", "", "");
        assert!(matches!(
            solo.events[0],
            Event::Response { result: Ok(_), .. }
        ));
        assert_eq!(solo.lines().contains(&"BYE".to_owned()), ends);
    }
}
