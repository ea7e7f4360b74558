//! Session timers (RFC 4028) with the peers there are: JsSIP refreshes, SIP.js does not know them.

use sip::{Body, Ended, Event, HeaderName, InviteId, Method, Status, Transport};

use super::pair::{Pair, Side, Wire, outgoing};
use super::solo::{SDP, Solo, flow, request};

/// A confirmed call with these headers in the INVITE: its id and our tag.
fn confirmed(solo: &mut Solo, headers: &str) -> (InviteId, String) {
    solo.receive(&request("INVITE", 1, "a", "", &format!("{headers}\n{SDP}")));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("our answer")));
    let tag = solo.our_tag();
    solo.receive(&request("ACK", 1, "b", &tag, ""));
    solo.events.clear();
    (id, tag)
}

const JSSIP: &str = "Supported: timer,ice,replaces,outbound\nSession-Expires: 90";

#[test]
fn jssip_is_told_to_refresh_and_its_updates_keep_the_call() {
    let mut solo = Solo::new(Transport::Ws);
    let (_, tag) = confirmed(&mut solo, JSSIP);
    let headers = &solo.last_response().headers;
    assert_eq!(
        headers.get(&HeaderName::SessionExpires),
        Some("90;refresher=uac")
    );
    assert_eq!(headers.get(&HeaderName::Require), Some("timer"));
    solo.lines();
    for n in 0..20 {
        solo.advance_ms(45_000);
        let refresh = "Supported: timer\nSession-Expires: 90;refresher=uac";
        solo.receive(&request("UPDATE", 2 + n, &format!("u{n}"), &tag, refresh));
        let response = solo.last_response();
        assert_eq!(
            response.headers.get(&HeaderName::SessionExpires),
            Some("90;refresher=uac")
        );
        assert!(response.headers.has(&HeaderName::Contact));
        assert_eq!(solo.lines(), ["200 UPDATE"]);
    }
    assert!(solo.events.is_empty(), "the layer above is not bothered");
}

/// Two calls that are joined above: who refreshes is settled for each dialog by itself. The caller refreshes its
/// own; whom we call leaves it to us.
#[test]
fn each_leg_of_a_conversation_has_its_own_refresher_and_ends_by_its_own_silence() {
    let mut solo = Solo::new(Transport::Ws);
    let (caller, tag) = confirmed(&mut solo, JSSIP);
    let mut call = outgoing(Some("offer"));
    call.session.interval_s = 90;
    let callee = solo.act(|agent, now, flow| agent.invite(now, flow, call));
    let value = solo.last_request().headers.get(&HeaderName::SessionExpires);
    assert_eq!(value.map(|value| &value[..2]), Some("90"));
    let timer = "Require: timer\nSession-Expires: 90;refresher=uac";
    let contact = "Contact: <sip:bob@example.com>\nAllow: INVITE,ACK,BYE,UPDATE";
    solo.answer("200 OK", "bob", &format!("{contact}\n{timer}\n\nanswer"));
    solo.events.clear();
    solo.lines();
    let refresh = "Supported: timer\nSession-Expires: 90;refresher=uac";
    for n in 0..40 {
        solo.advance_ms(45_000);
        assert_eq!(solo.last_request().method, Method::Update, "ours, turn {n}");
        solo.answer("200 OK", "", timer);
        solo.receive(&request("UPDATE", 2 + n, &format!("u{n}"), &tag, refresh));
        assert_eq!(solo.lines(), ["UPDATE", "200 UPDATE"]);
    }
    assert!(solo.events.is_empty());
    // The caller falls silent; the other call goes on until the layer above ends it.
    for _ in 0..2 {
        solo.advance_ms(45_000);
        let update = solo
            .sent
            .iter()
            .rev()
            .find_map(|(_, message)| match message {
                sip::Message::Request(request) if request.method == Method::Update => {
                    Some(request.clone())
                }
                _ => None,
            });
        solo.answer_to(&update.expect("our leg is refreshed"), "200 OK", "", timer);
    }
    solo.advance_ms(32_000);
    let ended = solo.events.iter().filter_map(|event| match event {
        Event::Ended { id, cause, .. } => Some((*id, cause.clone())),
        _ => None,
    });
    let ended: Vec<_> = ended.collect();
    assert_eq!(ended.len(), 1, "{:?}", solo.events);
    assert_eq!(ended[0].0, caller);
    assert_ne!(caller, callee);
}

#[test]
fn one_we_call_that_knows_no_timers_is_refreshed_by_us_where_they_are_wanted_in_every_call() {
    for (mode, refreshes) in [
        (sip::SessionMode::Always, vec![45_000, 90_000]),
        (sip::SessionMode::Asked, Vec::new()),
    ] {
        let mut solo = Solo::new(Transport::Ws);
        let mut call = outgoing(Some("offer"));
        (call.session.mode, call.session.interval_s) = (mode, 90);
        solo.act(|agent, now, flow| agent.invite(now, flow, call));
        let contact = "Contact: <sip:bob@example.com>\nAllow: INVITE,ACK,BYE,UPDATE";
        solo.answer("200 OK", "bob", &format!("{contact}\n\nanswer"));
        for _ in 0..2 {
            solo.advance_ms(45_000);
            if !refreshes.is_empty() {
                // It says nothing of timers in its answers either.
                solo.answer("200 OK", "", "");
            }
        }
        assert_eq!(solo.times("UPDATE"), refreshes, "{mode:?}");
    }
}

/// RFC 4028 §10: BYE at 90 - min(32, 90/3) s.
#[test]
fn a_peer_that_stops_refreshing_gets_bye() {
    let mut solo = Solo::new(Transport::Ws);
    confirmed(&mut solo, JSSIP);
    solo.lines();
    solo.advance_ms(59_999);
    assert!(solo.lines().is_empty());
    solo.advance_ms(1);
    assert_eq!(solo.lines().len(), 1);
    solo.advance_ms(32_000);
    assert!(matches!(
        solo.events[..],
        [Event::Ended {
            cause: Ended::SessionExpired,
            ..
        }]
    ));
    let mut solo = Solo::new(Transport::Ws);
    confirmed(&mut solo, &JSSIP.replace("90", "1800"));
    solo.lines();
    solo.advance_ms(1_767_999);
    assert!(solo.lines().is_empty());
    solo.advance_ms(1);
    assert_eq!(solo.lines(), ["BYE"]);
}

#[test]
fn a_refresh_that_was_lost_with_its_connection_is_sent_over_the_next() {
    let mut solo = Solo::new(Transport::Ws);
    let (id, _) = confirmed(&mut solo, &format!("{JSSIP};refresher=uas"));
    solo.lines();
    solo.advance_ms(45_000);
    assert_eq!(solo.lines(), ["INVITE"], "half the interval is over");
    solo.act(|agent, now, flow| agent.handle_flow_closed(now, flow.id));
    let next = flow(2, Transport::Ws);
    solo.act(|agent, now, _| agent.rebind(now, id, next));
    solo.advance_ms(2_000);
    assert_eq!(solo.lines(), ["INVITE"]);
}

#[test]
fn a_caller_without_timer_gets_none() {
    let mut solo = Solo::new(Transport::Ws);
    confirmed(&mut solo, "Supported: outbound");
    let headers = &solo.last_response().headers;
    assert!(!headers.has(&HeaderName::SessionExpires) && !headers.has(&HeaderName::Require));
    solo.lines();
    solo.advance_ms(10_000_000);
    assert!(solo.lines().is_empty());
}

/// RFC 4028 §9: an interval below 90 s; who does not know timers does not know 422 either.
#[test]
fn too_short_an_interval_is_refused() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request(
        "INVITE",
        1,
        "a",
        "",
        "Supported: timer\nSession-Expires: 89",
    ));
    assert_eq!(
        solo.last_response().headers.get(&HeaderName::MinSe),
        Some("90")
    );
    assert_eq!(solo.lines(), ["422 INVITE"]);
    assert!(solo.events.is_empty());
    solo.receive(&request("INVITE", 2, "b", "", "Session-Expires: 60"));
    assert_eq!(solo.lines(), ["100 INVITE"]);
    let mut solo = Solo::new(Transport::Ws);
    let (_, tag) = confirmed(&mut solo, JSSIP);
    solo.lines();
    solo.receive(&request(
        "UPDATE",
        2,
        "c",
        &tag,
        "Supported: timer\nSession-Expires: 30",
    ));
    solo.receive(&request(
        "INVITE",
        3,
        "d",
        &tag,
        "Supported: timer\nSession-Expires: 30",
    ));
    assert_eq!(solo.lines(), ["422 UPDATE", "422 INVITE"]);
}

#[test]
fn we_refresh_by_update_when_asked_to() {
    let mut solo = Solo::new(Transport::Ws);
    let allow = "Allow: INVITE,ACK,BYE,UPDATE\n";
    confirmed(&mut solo, &format!("{allow}{JSSIP};refresher=uas"));
    let value = solo
        .last_response()
        .headers
        .get(&HeaderName::SessionExpires);
    assert_eq!(value, Some("90;refresher=uas"));
    solo.sent.clear();
    for n in 1..=10_u128 {
        solo.advance_ms(45_000);
        let update = solo.last_request();
        assert_eq!(update.method, Method::Update);
        assert!(update.body.is_empty());
        assert_eq!(
            update.headers.get(&HeaderName::SessionExpires),
            Some("90;refresher=uac")
        );
        assert_eq!(solo.times("UPDATE"), [n * 45_000]);
        solo.answer("200 OK", "", "Session-Expires: 90;refresher=uac");
        solo.sent.clear();
    }
    assert!(solo.events.is_empty());
}

/// SIP.js knows no UPDATE and says nothing of timers in its 200.
#[test]
fn we_refresh_by_reinvite_with_the_description_that_stands() {
    let mut solo = Solo::new(Transport::Ws);
    confirmed(
        &mut solo,
        &format!("Allow: INVITE,ACK,BYE\n{JSSIP};refresher=uas"),
    );
    solo.sent.clear();
    for _ in 0..5 {
        solo.advance_ms(45_000);
        assert_eq!(solo.last_request().method, Method::Invite);
        assert_eq!(&solo.last_request().body[..], b"our answer");
        solo.answer("200 OK", "", SDP);
        assert_eq!(solo.lines(), ["INVITE", "ACK"]);
    }
    // Whoever is above compares it with what the peer said before.
    let is_restated = |event: &Event| matches!(event, Event::Restated { .. });
    assert_eq!(solo.events.len(), 5);
    assert!(solo.events.iter().all(is_restated));
}

#[test]
fn a_refused_update_falls_back_to_reinvite() {
    let mut solo = Solo::new(Transport::Ws);
    confirmed(
        &mut solo,
        &format!("Allow: INVITE,UPDATE\n{JSSIP};refresher=uas"),
    );
    solo.advance_ms(45_000);
    solo.answer("501 Not Implemented", "", "");
    assert_eq!(solo.last_request().method, Method::Invite);
}

#[test]
fn a_refresh_answered_with_481_or_not_at_all_ends_the_call() {
    let headers = format!("Allow: INVITE,UPDATE\n{JSSIP};refresher=uas");
    let mut solo = Solo::new(Transport::Ws);
    confirmed(&mut solo, &headers);
    solo.advance_ms(45_000);
    solo.answer("481 Call/Transaction Does Not Exist", "", "");
    solo.answer("481 Call/Transaction Does Not Exist", "", "");
    let gone = Status::CALL_DOES_NOT_EXIST;
    assert!(matches!(
        solo.events[..],
        [Event::Ended { cause: Ended::Gone(status), .. }] if status == gone
    ));
    let mut solo = Solo::new(Transport::Ws);
    confirmed(&mut solo, &headers);
    solo.lines();
    solo.advance_ms(60_000);
    assert_eq!(solo.lines(), ["UPDATE", "BYE"]);
}

#[test]
fn a_refresh_refused_for_now_is_tried_again() {
    let mut solo = Solo::new(Transport::Ws);
    confirmed(
        &mut solo,
        &format!("Allow: INVITE,UPDATE\n{JSSIP};refresher=uas"),
    );
    solo.advance_ms(45_000);
    solo.answer("491 Request Pending", "", "");
    solo.lines();
    solo.advance_ms(2_000);
    assert_eq!(solo.lines(), ["UPDATE"]);
}

/// RFC 4028 §7.3, for calls of ours.
#[test]
fn we_ask_for_a_longer_interval_after_422() {
    let mut solo = Solo::new(Transport::Ws);
    solo.act(|agent, now, flow| agent.invite(now, flow, outgoing(Some("offer"))));
    let first = solo.last_request().clone();
    assert_eq!(first.headers.get(&HeaderName::SessionExpires), Some("1800"));
    solo.answer("422 Session Interval Too Small", "bob", "Min-SE: 3600");
    let second = solo.last_request().clone();
    assert_eq!(solo.lines(), ["INVITE", "ACK", "INVITE"]);
    for name in [HeaderName::CallId, HeaderName::From, HeaderName::To] {
        assert_eq!(first.headers.get(&name), second.headers.get(&name));
    }
    assert_eq!(second.headers.cseq().unwrap().number, 2);
    assert_eq!(
        second.headers.get(&HeaderName::SessionExpires),
        Some("3600")
    );
    assert_eq!(second.headers.get(&HeaderName::MinSe), Some("3600"));
    solo.answer_to(&second, "200 OK", "bob", SDP);
    assert_eq!(solo.last_request().headers.cseq().unwrap().number, 2);
    assert!(matches!(solo.events[..], [Event::Answered { .. }]));
}

#[test]
fn a_refresh_refused_as_too_short_asks_for_longer() {
    let mut solo = Solo::new(Transport::Ws);
    let headers = format!("Allow: INVITE,UPDATE\n{JSSIP};refresher=uas");
    confirmed(&mut solo, &headers);
    solo.advance_ms(45_000);
    solo.answer("422 Session Interval Too Small", "", "Min-SE: 200");
    let again = solo.last_request();
    let value = again.headers.get(&HeaderName::SessionExpires);
    assert_eq!(value, Some("200;refresher=uac"));
    assert_eq!(again.headers.get(&HeaderName::MinSe), Some("200"));
    assert_eq!(again.headers.cseq().unwrap().to_string(), "2 UPDATE");
}

#[test]
fn two_agents_keep_a_call_for_a_day() {
    let mut pair = Pair::new(Wire::PERFECT_WS, 5);
    pair.established();
    pair.run_ms(86_400_000);
    assert!(pair.events.is_empty());
    assert_eq!(
        pair.sent(Side::Alice, "UPDATE"),
        95,
        "one in 15 minutes and a bit"
    );
    assert_eq!(pair.sent(Side::Bob, "200 UPDATE"), 95);
    // Then the wire is cut without anybody noticing.
    pair.drop = |_, _| true;
    pair.run_ms(3_600_000);
    assert_eq!(pair.ends(Side::Alice).len(), 1);
    assert_eq!(pair.ends(Side::Bob).len(), 1);
    pair.assert_empty();
}
