//! Subscriptions of others to us (RFC 6665): refreshed, ended by either side, run out, overtaken by news.

use sip::{
    Body, Event, HeaderName, Limits, Method, Request, RequestId, Status, SubscriptionId,
    SubscriptionRules, Transport,
};

use super::solo::{SDP, Solo, flow, request};

fn rules() -> SubscriptionRules {
    SubscriptionRules {
        expires_s_min: 60,
        expires_s_max: 7_200,
        expires_s_default: 3_600,
        is_list: false,
    }
}

fn state(text: &'static str) -> Option<Body> {
    Some(Body {
        content_type: "application/pidf+xml".into(),
        bytes: text.into(),
    })
}

fn asks(solo: &mut Solo, call: u32, more: &str) -> (RequestId, std::sync::Arc<Request>) {
    let text = request("SUBSCRIBE", 1, &format!("s{call}"), "", more);
    solo.receive(&text.replace("call-1", &format!("call-{call}")));
    let asked = solo.events.iter().rev().find_map(|event| match event {
        Event::Request { id, request, .. } => Some((*id, request.clone())),
        _ => None,
    });
    asked.expect("a SUBSCRIBE")
}

/// A subscription that has told its state once, and our tag.
fn subscribed(solo: &mut Solo, more: &str) -> (SubscriptionId, String) {
    let (id, asked) = asks(solo, 1, &format!("Event: presence;id=7\n{more}"));
    let id = solo.act(|agent, now, _| {
        let id = agent.accept_subscription(now, id, &asked, rules());
        let id = id.expect("it is accepted");
        agent.notify(now, id, state("idle"));
        id
    });
    let tag = solo.our_tag();
    (id, tag)
}

fn notified(solo: &Solo) -> (String, String) {
    let notify = solo.last_request();
    assert_eq!(notify.method, Method::Notify);
    let state = notify.headers.get(&HeaderName::SubscriptionState).unwrap();
    (
        state.to_owned(),
        String::from_utf8(notify.body.to_vec()).unwrap(),
    )
}

#[test]
fn the_state_is_told_at_once_and_at_each_change() {
    let mut solo = Solo::new(Transport::Udp);
    let (id, _) = subscribed(&mut solo, "Expires: 600");
    let response = solo.last_response();
    assert_eq!(response.status, Status::OK);
    assert_eq!(response.headers.get(&HeaderName::Expires), Some("600"));
    assert!(response.headers.has(&HeaderName::Contact));
    let notify = solo.last_request();
    assert_eq!(
        notify.headers.get(&HeaderName::Event),
        Some("presence;id=7")
    );
    assert_eq!(
        notify.uri.as_str(),
        "sip:lr5bh7jc@hkct7e8ec874.invalid;transport=ws;ob"
    );
    assert_eq!(
        notified(&solo),
        ("active;expires=600".into(), "idle".into())
    );
    // While the answer is out, only the newest news waits.
    solo.act(|agent, now, _| {
        agent.notify(now, id, state("ringing"));
        agent.notify(now, id, state("busy"));
    });
    assert_eq!(solo.lines(), ["200 SUBSCRIBE", "NOTIFY"]);
    solo.advance_ms(10);
    let first = solo.times("NOTIFY");
    assert!(first.is_empty());
    let mut solo = Solo::new(Transport::Ws);
    let (id, _) = subscribed(&mut solo, "Expires: 600");
    solo.act(|agent, now, _| {
        agent.notify(now, id, state("ringing"));
        agent.notify(now, id, state("busy"));
    });
    solo.answer("200 OK", "", "");
    assert_eq!(notified(&solo).1, "busy");
    assert_eq!(solo.lines(), ["200 SUBSCRIBE", "NOTIFY", "NOTIFY"]);
}

#[test]
fn times_are_kept_within_bounds() {
    let mut solo = Solo::new(Transport::Ws);
    let (id, asked) = asks(&mut solo, 1, "Event: presence\nExpires: 59");
    let accepted = solo.act(|agent, now, _| agent.accept_subscription(now, id, &asked, rules()));
    assert_eq!(accepted, None);
    let response = solo.last_response();
    assert_eq!(response.status, Status::INTERVAL_TOO_BRIEF);
    assert_eq!(response.headers.get(&HeaderName::MinExpires), Some("60"));
    for (asked, given) in [("Expires: 99999999", "7200"), ("", "3600")] {
        let mut solo = Solo::new(Transport::Ws);
        subscribed(&mut solo, asked);
        let expires = solo.last_response().headers.get(&HeaderName::Expires);
        assert_eq!(expires, Some(given));
    }
}

#[test]
fn a_refresh_is_answered_and_the_state_told_again() {
    let mut solo = Solo::new(Transport::Ws);
    let (id, tag) = subscribed(&mut solo, "Expires: 60");
    solo.answer("200 OK", "", "");
    solo.advance_ms(50_000);
    solo.events.clear();
    let again = "Event: presence;id=7\nExpires: 60";
    solo.receive(&request("SUBSCRIBE", 2, "r", &tag, again));
    assert!(matches!(solo.events[..], [Event::Resubscribed { id: same }] if same == id));
    solo.act(|agent, now, _| agent.notify(now, id, state("idle")));
    assert_eq!(notified(&solo).0, "active;expires=60");
    solo.answer("200 OK", "", "");
    solo.advance_ms(59_000);
    assert_eq!(solo.agent.counts().subscriptions, 1);
    // Another event has no place in this dialog, and older requests none at all.
    solo.receive(&request("SUBSCRIBE", 3, "s", &tag, "Event: dialog"));
    assert_eq!(solo.last_response().status, Status::BAD_EVENT);
    solo.receive(&request("SUBSCRIBE", 2, "t", &tag, again));
    assert_eq!(solo.last_response().status, Status::SERVER_INTERNAL_ERROR);
    solo.receive(&request("OPTIONS", 4, "u", &tag, ""));
    assert_eq!(solo.last_response().status, Status::CALL_DOES_NOT_EXIST);
}

#[test]
fn what_runs_out_is_told_so() {
    let mut solo = Solo::new(Transport::Ws);
    let (_, tag) = subscribed(&mut solo, "Expires: 60");
    solo.answer("200 OK", "", "");
    solo.events.clear();
    solo.advance_ms(60_000);
    assert_eq!(
        notified(&solo),
        ("terminated;reason=timeout".into(), String::new())
    );
    let again = "Event: presence;id=7\nExpires: 60";
    solo.receive(&request("SUBSCRIBE", 2, "r", &tag, again));
    assert_eq!(solo.last_response().status, Status::CALL_DOES_NOT_EXIST);
    solo.answer("200 OK", "", "");
    assert!(matches!(solo.events[..], [Event::SubscriptionEnded { .. }]));
    assert_eq!(solo.agent.counts().subscriptions, 0);
}

#[test]
fn who_leaves_gets_a_last_word() {
    for says in [true, false] {
        let mut solo = Solo::new(Transport::Ws);
        let (id, tag) = subscribed(&mut solo, "Expires: 60");
        solo.answer("200 OK", "", "");
        solo.receive(&request(
            "SUBSCRIBE",
            2,
            "r",
            &tag,
            "Event: presence;id=7\nExpires: 0",
        ));
        let expires = solo.last_response().headers.get(&HeaderName::Expires);
        assert_eq!(expires, Some("0"));
        if says {
            solo.act(|agent, now, _| agent.notify(now, id, state("idle")));
        } else {
            solo.advance_ms(1_000);
        }
        let body = if says { "idle" } else { "" };
        assert_eq!(
            notified(&solo),
            ("terminated;reason=timeout".into(), body.into())
        );
        solo.answer("200 OK", "", "");
        assert_eq!(solo.agent.counts().subscriptions, 0);
    }
}

/// RFC 6665 §4.4.3: a fetch is a subscription that ends with its first NOTIFY.
#[test]
fn a_fetch_is_answered_once() {
    let mut solo = Solo::new(Transport::Ws);
    subscribed(&mut solo, "Expires: 0");
    assert_eq!(
        notified(&solo),
        ("terminated;reason=timeout".into(), "idle".into())
    );
    solo.answer("200 OK", "", "");
    assert_eq!(solo.agent.counts(), sip::Counts::default());
}

#[test]
fn a_subscriber_that_is_gone_is_forgotten() {
    for answer in ["481 Gone", "404 Not Found", ""] {
        let mut solo = Solo::new(Transport::Udp);
        subscribed(&mut solo, "Expires: 600");
        solo.events.clear();
        match answer {
            "" => solo.advance_ms(32_000),
            answer => solo.answer(answer, "", ""),
        }
        assert!(
            matches!(solo.events[..], [Event::SubscriptionEnded { .. }]),
            "{answer}"
        );
        solo.advance_ms(40_000);
        assert_eq!(solo.agent.counts(), sip::Counts::default());
    }
    // A refusal that passes ends nothing.
    let mut solo = Solo::new(Transport::Ws);
    let (id, _) = subscribed(&mut solo, "Expires: 600");
    solo.answer("503 Busy", "", "");
    solo.act(|agent, now, _| agent.end_subscription(now, id, "noresource", None));
    assert_eq!(notified(&solo).0, "terminated;reason=noresource");
    solo.answer("200 OK", "", "");
    assert_eq!(solo.agent.counts().subscriptions, 0);
}

#[test]
fn subscriptions_end_with_their_connection() {
    let mut solo = Solo::new(Transport::Ws);
    subscribed(&mut solo, "Expires: 600");
    solo.events.clear();
    solo.act(|agent, now, flow| agent.handle_flow_closed(now, flow.id));
    assert!(matches!(solo.events[..], [Event::SubscriptionEnded { .. }]));
    assert_eq!(solo.agent.counts(), sip::Counts::default());
}

#[test]
fn there_are_only_so_many() {
    let limits = Limits {
        subscriptions_per_flow: 2,
        ..Limits::default()
    };
    let mut solo = Solo::with_limits(Transport::Ws, limits);
    let accepted = (1..=3).map(|call| {
        let (id, asked) = asks(&mut solo, call, "Event: presence");
        solo.act(|agent, now, _| agent.accept_subscription(now, id, &asked, rules()))
            .is_some()
    });
    assert_eq!(accepted.collect::<Vec<_>>(), [true, true, false]);
    let response = solo.last_response();
    assert_eq!(response.status, Status::SERVICE_UNAVAILABLE);
    assert!(response.headers.has(&HeaderName::RetryAfter));
}

/// RFC 3261 §12.2.1.1 has the numbers of one side go up by one, whichever usage of the dialog (RFC 5057) asks.
#[test]
fn refers_count_their_notifies_with_the_call_and_go_on_after_it() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request("INVITE", 1, "i", "", SDP));
    let id = solo.invited();
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
    let tag = solo.our_tag();
    solo.receive(&request("ACK", 1, "k", &tag, ""));
    let followed = ["refer;id=2", "refer;id=3"].map(|event| {
        let id = solo.act(|agent, now, _| agent.follow_refer(now, id, event, 60));
        id.expect("the call is there")
    });
    let mut numbers = Vec::new();
    let mut sent = |solo: &mut Solo| {
        let sequence = solo.last_request().headers.cseq().unwrap();
        numbers.push((sequence.number, sequence.method.to_string()));
        solo.answer("200 OK", "", "");
    };
    solo.act(|agent, now, _| agent.notify(now, followed[0], state("100")));
    sent(&mut solo);
    solo.act(|agent, now, _| agent.send(now, id, Method::Info, Vec::new(), None));
    sent(&mut solo);
    solo.act(|agent, now, _| agent.notify(now, followed[1], state("100")));
    sent(&mut solo);
    solo.act(|agent, now, _| agent.hangup(now, id, Vec::new(), Status::DECLINE));
    sent(&mut solo);
    for id in followed {
        solo.act(|agent, now, _| agent.end_subscription(now, id, "noresource", state("200")));
        sent(&mut solo);
    }
    let methods = ["NOTIFY", "INFO", "NOTIFY", "BYE", "NOTIFY", "NOTIFY"];
    let methods = methods.map(str::to_owned);
    assert_eq!(numbers, (1..).zip(methods).collect::<Vec<_>>());
    assert_eq!(solo.agent.counts().subscriptions, 0);
}

/// RFC 3261 §18.1.1: what is too long for a datagram goes over a connection, where the subscriber has one.
#[test]
fn a_subscriber_is_told_by_its_connection_until_that_is_lost() {
    let mut solo = Solo::new(Transport::Udp);
    let (id, _) = subscribed(&mut solo, "Expires: 600");
    let by = |solo: &Solo| {
        let via = solo.last_request().headers.get(&HeaderName::Via);
        via.unwrap().split(' ').next().unwrap().to_owned()
    };
    assert_eq!(by(&solo), "SIP/2.0/UDP");
    solo.answer("200 OK", "", "");
    let connection = flow(2, Transport::Tcp);
    solo.act(|agent, now, _| {
        agent.tell_by(id, connection);
        agent.notify(now, id, state("long"));
    });
    assert_eq!(by(&solo), "SIP/2.0/TCP");
    assert_eq!(notified(&solo).1, "long");
    let contact = solo.last_request().headers.get(&HeaderName::Contact);
    assert!(contact.unwrap().contains("transport=tcp"), "{contact:?}");
    // What had no answer is asked for once more, and told by what the SUBSCRIBE came by.
    solo.events.clear();
    solo.act(|agent, now, _| agent.handle_flow_closed(now, connection.id));
    let [Event::Resubscribed { id: again }] = &solo.events[..] else {
        panic!("{:?}", solo.events)
    };
    assert_eq!(*again, id);
    solo.act(|agent, now, _| agent.notify(now, id, state("long")));
    assert_eq!(by(&solo), "SIP/2.0/UDP");
    solo.answer("200 OK", "", "");
    solo.act(|agent, now, _| {
        agent.tell_by(id, connection);
        agent.end_subscription(now, id, "noresource", None);
    });
    assert_eq!(by(&solo), "SIP/2.0/TCP");
    // The last word is not repeated.
    solo.events.clear();
    solo.act(|agent, now, _| agent.handle_flow_closed(now, connection.id));
    assert!(matches!(solo.events[..], [Event::SubscriptionEnded { .. }]));
    assert_eq!(solo.agent.counts().subscriptions, 0);
}
