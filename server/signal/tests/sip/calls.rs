//! Calls: from INVITE to BYE, through the switch, and across a lost connection.

use futures_util::SinkExt;
use sip::{HeaderName, Message, Method};
use switch::Cause;
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::support::{
    Exchange, OFFER, ack, call, contact, in_dialog, invite, reply, signed, unique, until,
};

#[tokio::test]
async fn call_is_answered_and_ended_by_the_caller() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let (invite, ok) = call(&mut phone, "100", "u").await;
    let content_type = ok.headers.get(&HeaderName::ContentType);
    assert_eq!(
        content_type,
        Some("application/sdp"),
        "SIP.js compares the whole value"
    );
    assert!(sdp::parse(&ok.body).is_ok());
    until("the call is known", || {
        exchange.switch.status().channels == 1
    })
    .await;
    let bye = in_dialog("BYE", 3, &invite, &ok, "");
    assert_eq!(phone.ask(&bye).await.status.code(), 200);
    until("the call is over", || {
        exchange.switch.status().channels == 0
    })
    .await;
    let story = exchange.switch.status().stories.pop().unwrap();
    let text = serde_json::to_string(&story).unwrap();
    assert!(
        text.contains("INVITE sip:100@127.0.0.1") && text.contains("BYE"),
        "{text}"
    );
}

/// As JsSIP 3.0.13 does: its CANCEL crosses our 200, and neither ACK nor BYE follows.
#[tokio::test]
async fn call_is_over_at_once_when_the_caller_takes_it_back_as_it_is_answered() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let first = invite("alice", "100", "u", OFFER);
    let challenged = phone.ask(&first).await;
    phone.send(&ack(&first, &challenged)).await;
    let text = signed(&first, &challenged, "alice", "wonderland");
    let ok = phone.ask(&text).await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    assert_eq!(exchange.switch.status().channels, 1);
    let cancel = ack(&text, &challenged).replace("ACK", "CANCEL");
    let to = challenged.headers.get(&HeaderName::To).unwrap();
    let cancel = cancel.replacen(to, "<sip:100@127.0.0.1>", 1);
    assert_eq!(phone.ask(&cancel).await.status.code(), 200);
    let start = std::time::Instant::now();
    until("the call is over", || {
        exchange.switch.status().channels == 0
    })
    .await;
    assert!(start.elapsed() < std::time::Duration::from_secs(5));
    let story = exchange.switch.status().stories.pop().unwrap();
    let text = serde_json::to_string(&story).unwrap();
    assert!(text.contains("while the answer was on its way"), "{text}");
}

/// As trunks that send where the caller is, or ISUP.
#[tokio::test]
async fn an_offer_beside_other_parts_is_taken() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let body = |sdp: &str| {
        format!(
            "--bnd\r\nContent-Type: application/pidf+xml\r\n\r\n<presence/>\r\n\
             --bnd\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--bnd--\r\n"
        )
    };
    let mixed = |text: String| {
        text.replace(
            "application/sdp\r\nAllow",
            "multipart/mixed;boundary=bnd\r\nAllow",
        )
    };
    let first = mixed(invite("alice", "100", "u", &body(OFFER)));
    let challenged = phone.ask(&first).await;
    phone.send(&ack(&first, &challenged)).await;
    let text = signed(&first, &challenged, "alice", "wonderland");
    let ok = phone.ask(&text).await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    assert!(sdp::parse(&ok.body).is_ok());
    phone.send(&in_dialog("ACK", 2, &text, &ok, "")).await;
    // Again in the call.
    let body = body(OFFER);
    let more = format!(
        "Contact: <sip:u@s58im4vdpmpn.invalid;transport=ws;ob>\r\n\
         Content-Type: multipart/mixed;boundary=bnd\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let again = phone.ask(&in_dialog("INVITE", 3, &text, &ok, &more)).await;
    assert_eq!(again.status.code(), 200, "{again:?}");
    assert!(sdp::parse(&again.body).is_ok());
}

#[tokio::test]
async fn calls_that_cannot_be_are_refused_with_their_reason() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let bare = OFFER.replace("a=fingerprint:sha-256 00\r\n", "");
    let strange = OFFER
        .replace("opus/48000/2", "speex/8000")
        .replace("VP8", "H261");
    let fax = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nc=IN IP4 127.0.0.1\r\n\
               m=image 9 udptl t38\r\n";
    let cases = [
        ("100", fax, "application/sdp", 488, Some("Warning")),
        ("999", OFFER, "application/sdp", 404, None),
        ("300", OFFER, "application/sdp", 486, None),
        (
            "100",
            "v=0\r\nnonsense\r\n",
            "application/sdp",
            400,
            Some("Warning"),
        ),
        ("100", OFFER, "application/json", 415, Some("Accept")),
        ("100", &bare, "application/sdp", 488, Some("Warning")),
        // Before the dial plan, in which the extension would be busy.
        ("300", &strange, "application/sdp", 488, Some("Warning")),
    ];
    for (exten, body, content_type, expected, header) in cases {
        let text = invite("alice", exten, "u", body).replace("application/sdp", content_type);
        let challenged = phone.ask(&text).await;
        phone.send(&ack(&text, &challenged)).await;
        let text = signed(&text, &challenged, "alice", "wonderland");
        let answer = phone.ask(&text).await;
        assert_eq!(
            answer.status.code(),
            expected,
            "{exten} {content_type}: {answer:?}"
        );
        if let Some(header) = header {
            assert!(answer.headers.has(&HeaderName::from(header)), "{answer:?}");
        }
        phone.send(&ack(&text, &answer)).await;
    }
    until("no call is left", || exchange.switch.status().channels == 0).await;
}

#[tokio::test]
async fn late_offer_is_answered_in_the_ack() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let text = invite("alice", "100", "u", "").replace("Content-Type: application/sdp\r\n", "");
    let challenged = phone.ask(&text).await;
    phone.send(&ack(&text, &challenged)).await;
    let text = signed(&text, &challenged, "alice", "wonderland");
    let ok = phone.ask(&text).await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    assert!(sdp::parse(&ok.body).is_ok(), "the 200 offers");
    let body = format!(
        "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{OFFER}",
        OFFER.len()
    );
    phone.send(&in_dialog("ACK", 2, &text, &ok, &body)).await;
    let bye = in_dialog("BYE", 3, &text, &ok, "");
    assert_eq!(phone.ask(&bye).await.status.code(), 200);
}

#[tokio::test]
async fn ack_without_the_answer_ends_a_late_offer() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let text = invite("alice", "100", "u", "").replace("Content-Type: application/sdp\r\n", "");
    let challenged = phone.ask(&text).await;
    phone.send(&ack(&text, &challenged)).await;
    let text = signed(&text, &challenged, "alice", "wonderland");
    let ok = phone.ask(&text).await;
    phone.send(&in_dialog("ACK", 2, &text, &ok, "")).await;
    let bye = phone.request().await;
    assert_eq!(bye.method, Method::Bye);
    assert!(bye.headers.has(&HeaderName::Reason));
    until("the call is over", || {
        exchange.switch.status().channels == 0
    })
    .await;
}

#[tokio::test]
async fn digits_messages_and_transfers_inside_a_call() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let (invite, ok) = call(&mut phone, "100", "u").await;
    let with = |content_type: &str, body: &str| {
        format!(
            "Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let cases = [
        (
            "INFO",
            with("application/dtmf-relay", "Signal=5\r\nDuration=100"),
            200,
        ),
        ("INFO", with("application/dtmf", "7"), 200),
        ("INFO", with("application/dtmf-relay", "Signal=x"), 400),
        ("INFO", with("application/json", "{}"), 415),
        ("INFO", String::new(), 200),
        ("MESSAGE", with("text/plain;charset=utf-8", "hello"), 200),
        ("MESSAGE", with("image/png", "x"), 415),
        (
            "REFER",
            "Refer-To: <sip:300@127.0.0.1>\r\nContent-Length: 0\r\n\r\n".to_owned(),
            400,
        ),
        ("OPTIONS", String::new(), 200),
    ];
    let mut cseq = 3;
    for (method, more, expected) in cases {
        let text = in_dialog(method, cseq, &invite, &ok, &more);
        assert_eq!(phone.ask(&text).await.status.code(), expected, "{text}");
        cseq += 1;
    }
    // `#` ends Echo, and with it the dial plan: the exchange hangs up.
    let pound = with("application/dtmf-relay", "Signal=#");
    phone
        .send(&in_dialog("INFO", cseq, &invite, &ok, &pound))
        .await;
    let bye = phone.request().await;
    assert_eq!(bye.method, Method::Bye);
    assert!(
        bye.headers
            .get(&HeaderName::Reason)
            .unwrap()
            .starts_with("Q.850;cause=16")
    );
}

#[tokio::test]
async fn stream_echo_offers_more_video_and_the_phone_may_refuse() {
    let exchange = Exchange::start().await;
    for status in [200, 488] {
        let mut phone = exchange.phone().await;
        let (invite, ok) = call(&mut phone, "246", "u").await;
        let reinvite = phone.request().await;
        assert_eq!(reinvite.method, Method::Invite);
        let more = format!(
            "Contact: <sip:u@s58im4vdpmpn.invalid;transport=ws>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{OFFER}",
            OFFER.len()
        );
        let more = if status == 200 { more } else { String::new() };
        phone.send(&reply(&reinvite, status, &more)).await;
        assert_eq!(phone.request().await.method, Method::Ack);
        let bye = in_dialog("BYE", 3, &invite, &ok, "");
        assert_eq!(
            phone.ask(&bye).await.status.code(),
            200,
            "the call went on after {status}"
        );
    }
}

#[tokio::test]
async fn hold_is_answered() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let (invite, ok) = call(&mut phone, "100", "u").await;
    let hold = OFFER.replace("a=sendrecv", "a=sendonly");
    let more = format!(
        "Contact: <sip:u@s58im4vdpmpn.invalid;transport=ws;ob>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{hold}",
        hold.len()
    );
    let held = phone
        .ask(&in_dialog("INVITE", 3, &invite, &ok, &more))
        .await;
    assert_eq!(held.status.code(), 200);
    assert!(!held.body.is_empty());
    phone.send(&in_dialog("ACK", 3, &invite, &ok, "")).await;
    let broken = more
        .replace(&hold, "v=0\r\nx\r\n")
        .replace(&hold.len().to_string(), "8");
    let refused = phone
        .ask(&in_dialog("INVITE", 4, &invite, &ok, &broken))
        .await;
    assert_eq!(refused.status.code(), 400);
    assert!(refused.headers.has(&HeaderName::Warning));
}

#[tokio::test]
async fn caller_may_give_up_before_the_answer() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let text = invite("alice", "100", "u", OFFER);
    // Unauthenticated, and cancelled before anybody asked who it is: 401 or 487, never a call.
    let head = text.split("Contact:").next().unwrap();
    let cancel = head
        .replacen("INVITE", "CANCEL", 1)
        .replacen(" INVITE\r\n", " CANCEL\r\n", 1)
        + "Content-Length: 0\r\n\r\n";
    phone.send(&text).await;
    phone.send(&cancel).await;
    let mut statuses = vec![
        phone.response().await.status.code(),
        phone.response().await.status.code(),
    ];
    statuses.sort_unstable();
    assert!(
        statuses == [200, 401] || statuses == [200, 487],
        "{statuses:?}"
    );
    assert_eq!(exchange.switch.status().channels, 0);
}

/// The browser's connection drops and comes back: the call goes on over the new one.
#[tokio::test]
async fn call_follows_its_instance_to_a_new_connection() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    phone
        .register("alice", "wonderland", &contact("u", "f40e"))
        .await;
    let _call = call(&mut phone, "100", "u").await;
    drop(phone);
    until("the connection is gone", || {
        exchange.signal.counts().websockets == 0
    })
    .await;
    assert_eq!(exchange.switch.status().channels, 1, "the call stands");

    // Another client of the same account is not mistaken for it.
    let mut other = exchange.phone().await;
    other
        .register("alice", "wonderland", &contact("u", "beef"))
        .await;
    let mut back = exchange.phone().await;
    back.register("alice", "wonderland", &contact("u", "f40e"))
        .await;
    let handle = exchange.switch.directory().all().pop().unwrap();
    assert!(handle.hangup(Cause::NormalClearing));
    let bye = back.request().await;
    assert_eq!(bye.method, Method::Bye);
    back.send(&reply(&bye, 200, "")).await;
    let probe = format!("probe{}", unique());
    let text = crate::support::request(
        "OPTIONS",
        "sip:127.0.0.1",
        "alice",
        &format!("Subject: {probe}\r\n"),
    );
    other.send(&text).await;
    assert!(
        matches!(other.receive().await, Message::Response(_)),
        "no BYE came here"
    );
}

#[tokio::test]
async fn stopping_exchange_hangs_up_its_calls() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let _call = call(&mut phone, "100", "u").await;
    exchange.switch.shutdown(Cause::NormalUnspecified).await;
    let bye = phone.request().await;
    assert_eq!(bye.method, Method::Bye);
    exchange.signal.shutdown(crate::support::PATIENCE).await;
}

/// An offer is taken back at once and followed by another: whenever the channel answers the first, its
/// answer must not be sent to the second.
#[tokio::test]
async fn answer_to_an_offer_taken_back_never_reaches_the_next_one() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let (text, ok) = call(&mut phone, "100", "u").await;
    for round in 0..20 {
        let offer = |cseq: u32| {
            let sdp = OFFER.replace("o=- 1 2", &format!("o=- 1 {cseq}"));
            let length = sdp.len();
            let more = format!(
                "Contact: <sip:u@s58im4vdpmpn.invalid;transport=ws;ob>\r\n\
                 Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{sdp}"
            );
            (in_dialog("INVITE", cseq, &text, &ok, &more), sdp)
        };
        let (first, second) = (10 + 2 * round, 11 + 2 * round);
        let (taken_back, _) = offer(first);
        let head = taken_back.split("Contact:").next().unwrap();
        let cancel = head
            .replacen("INVITE", "CANCEL", 1)
            .replacen(" INVITE\r\n", " CANCEL\r\n", 1)
            + "Content-Length: 0\r\n\r\n";
        let (again, sdp) = offer(second);
        // At once, so that the channel has not answered the first when the second comes.
        for message in [&taken_back, &cancel, &again] {
            phone
                .socket
                .feed(Frame::text(message.as_str()))
                .await
                .unwrap();
        }
        phone.socket.flush().await.unwrap();
        let (mut refused, mut answered) = (None, None);
        while refused.is_none() || answered.is_none() {
            let response = phone.response().await;
            let cseq = response.headers.cseq().unwrap();
            match (cseq.method, cseq.number) {
                (Method::Cancel, _) => {}
                (_, number) if number == first => refused = Some(response),
                _ => answered = Some(response),
            }
        }
        let (refused, answer) = (refused.unwrap(), answered.unwrap());
        // Should the answer have been faster than the CANCEL, the second offer stands for its ACK.
        if refused.status.code() != 200 {
            assert_eq!(refused.status.code(), 487);
            phone.send(&ack(&taken_back, &refused)).await;
        }
        assert_eq!(answer.status.code(), 200, "{answer:?}");
        assert_eq!(
            answer.body,
            sdp.as_bytes(),
            "the media double echoes offers"
        );
        phone.send(&in_dialog("ACK", second, &text, &ok, "")).await;
    }
}

/// Without a database nobody knows what the table has; what files have is called all the same.
#[tokio::test]
async fn a_table_that_cannot_be_asked_is_no_404() {
    let plan = format!("{}switch => Realtime/@\n", crate::support::EXTENSIONS);
    let files = [
        ("pjsip.conf", crate::support::PJSIP),
        ("extensions.conf", plan.as_str()),
    ];
    let exchange = Exchange::with_files(&files, Default::default()).await;
    let mut phone = exchange.phone().await;
    let text = invite("alice", "999", "u", OFFER);
    let challenged = phone.ask(&text).await;
    phone.send(&ack(&text, &challenged)).await;
    let text = signed(&text, &challenged, "alice", "wonderland");
    let refused = phone.ask(&text).await;
    phone.send(&ack(&text, &refused)).await;
    assert_eq!(refused.status.code(), 503);
    assert!(refused.headers.has(&HeaderName::RetryAfter));
    let (_, ok) = call(&mut phone, "100", "v").await;
    assert_eq!(ok.status.code(), 200);
}
