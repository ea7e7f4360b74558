//! What is settled before a call is answered: `100rel` of either side (RFC 3262), UPDATE in early dialogs
//! (RFC 3311), challenges inside calls (RFC 3261 §22).

use signal::Keepalive;
use sip::{HeaderName, Message, Method};

use crate::outbound::{EMPTY, originate, registered, tagged, with_answer};
use crate::support::{Exchange, OFFER, PJSIP, Phone, invite, reply};

/// An endpoint without password and with this setting.
async fn exchange(setting: &str) -> Exchange {
    let pjsip = format!(
        "{PJSIP}
[open](phone)
aors=open
{setting}
[open]
type=aor
contact=sip:nobody@127.0.0.1:1
[open-there]
type=identify
endpoint=open
match=127.0.0.1
"
    );
    Exchange::with(&pjsip, Keepalive::default()).await
}

/// The answer to an INVITE of that endpoint with this header.
async fn answered(setting: &str, header: &str) -> (u16, String) {
    let exchange = exchange(setting).await;
    let mut phone = exchange.phone().await;
    let text = invite("open", "100", "open", OFFER);
    let text = text.replacen("Supported:", &format!("{header}Supported:"), 1);
    let response = phone.ask(&text).await;
    let named = [HeaderName::Unsupported, HeaderName::Require]
        .iter()
        .find_map(|name| response.headers.get(name))
        .unwrap_or_default();
    (response.status.code(), named.to_owned())
}

#[tokio::test]
async fn the_endpoint_decides_whether_provisional_answers_are_acknowledged() {
    let rows = [
        ("100rel=no", "Require: 100rel\r\n", 420, "100rel"),
        ("100rel=no", "", 200, ""),
        ("100rel=yes", "Require: 100rel\r\n", 200, ""),
        ("100rel=required", "", 421, "100rel"),
        ("100rel=required", "Supported: 100rel\r\n", 200, ""),
        ("100rel=peer_supported", "", 200, ""),
    ];
    for (setting, header, status, named) in rows {
        let (answered, names) = answered(setting, header).await;
        assert_eq!(
            (answered, names.as_str()),
            (status, named),
            "{setting} {header}"
        );
    }
}

async fn next(phone: &mut Phone) -> Message {
    phone.receive().await
}

#[tokio::test]
async fn a_phone_settles_and_changes_the_session_before_it_answers() {
    let exchange = Exchange::start().await;
    let mut phone = registered(&exchange, "alice", "wonderland", "1").await;
    let begun = originate(&exchange, "PJSIP/alice").await.unwrap();
    let invite = phone.request().await;
    assert_eq!(
        invite.headers.get(&HeaderName::Supported),
        Some("100rel, replaces, timer")
    );
    let reliable = format!(
        "Require: 100rel\r\nRSeq: 4711\r\nAllow: INVITE, UPDATE\r\n{}",
        with_answer()
    );
    phone.send(&tagged(&invite, 183, "t", &reliable)).await;
    let prack = phone.request().await;
    assert_eq!(prack.method, Method::Prack);
    assert_eq!(prack.headers.get(&HeaderName::RAck), Some("4711 1 INVITE"));
    phone.send(&reply(&prack, 200, EMPTY)).await;
    // The phone changes the session, and is answered.
    let header = |name: HeaderName| invite.headers.get(&name).unwrap().to_owned();
    let contact = match invite.headers.contacts().unwrap() {
        sip::Contacts::List(list) => list[0].address.uri.clone(),
        sip::Contacts::Star => panic!("a star"),
    };
    let update = format!(
        "UPDATE {contact} SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bKu1\r\nMax-Forwards: 70\r\n\
         From: {};tag=t\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 1 UPDATE\r\n{}",
        header(HeaderName::To),
        header(HeaderName::From),
        header(HeaderName::CallId),
        with_answer(),
    );
    phone.send(&update).await;
    let Message::Response(ok) = next(&mut phone).await else {
        panic!("an answer")
    };
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    assert!(sdp::parse(&ok.body).is_ok());
    // The 200 says nothing of the session any more.
    phone.send(&tagged(&invite, 200, "t", EMPTY)).await;
    assert_eq!(phone.request().await.method, Method::Ack);
    let name = begun.await.unwrap().unwrap();
    let channel = exchange.switch.directory().by_name(&name).unwrap();
    assert_eq!(channel.info().streams, "audio sendrecv, video sendrecv");
}
