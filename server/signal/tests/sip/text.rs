//! Text messages outside of calls (RFC 3428): from phone to phone through the dial plan.

use signal::Keepalive;
use sip::{HeaderName, Message, Method, Request};

use crate::outbound::{EMPTY, registered};
use crate::support::{DeskPhone, Exchange, PJSIP, Phone, reply, request, signed};

const PLAN: &str = "
[phones]
exten => bob,1,Set(MESSAGE_DATA(X-Way)=${MESSAGE(to)})
 same => n,MessageSend(pjsip:bob,${MESSAGE(from)})
 same => n,Set(GLOBAL(STATUS)=${MESSAGE_SEND_STATUS})
exten => trunk,1,MessageSend(pjsip:sip:dora@127.0.0.1:9,Alice <sip:alice@example.com>)
 same => n,Set(GLOBAL(STATUS)=${MESSAGE_SEND_STATUS})
exten => 404,1,NoOp()
[texts]
exten => echo,1,Set(MESSAGE(body)=you said: ${MESSAGE(body)})
 same => n,MessageSend(pjsip:alice,service)
exten => nobody,1,MessageSend(pjsip:nobody)
 same => n,Set(GLOBAL(STATUS)=${MESSAGE_SEND_STATUS})
exten => wrong,1,MessageSend(smtp:nobody)
 same => n,Set(GLOBAL(STATUS)=${MESSAGE_SEND_STATUS})
";

async fn exchange(pjsip: &str) -> Exchange {
    let files = [("pjsip.conf", pjsip), ("extensions.conf", PLAN)];
    Exchange::with_files(&files, Keepalive::default()).await
}

fn message(to: &str, body: &str) -> String {
    let text = request(
        "MESSAGE",
        &format!("sip:{to}@127.0.0.1"),
        "alice",
        "Content-Type: text/plain\r\n",
    );
    let length = format!("Content-Length: {}\r\n\r\n{body}", body.len());
    text.replacen("Content-Length: 0\r\n\r\n", &length, 1)
}

async fn says(phone: &mut Phone, to: &str, body: &str) -> u16 {
    let said = phone
        .ask_as("alice", "wonderland", &message(to, body))
        .await;
    said.status.code()
}

fn body(request: &Request) -> &str {
    std::str::from_utf8(&request.body).unwrap()
}

async fn status(exchange: &Exchange) -> String {
    let switch = exchange.switch.clone();
    crate::support::until("a status", || switch.global("STATUS").is_some()).await;
    exchange.switch.global("STATUS").unwrap()
}

#[tokio::test]
async fn a_message_goes_through_the_dial_plan_to_another_phone() {
    let exchange = exchange(PJSIP).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let mut bob = registered_bob(&exchange).await;
    assert_eq!(says(&mut alice, "bob", "Grüße").await, 202);
    let came = bob.request().await;
    assert_eq!(came.method, Method::Message);
    assert_eq!(body(&came), "Grüße");
    assert_eq!(came.uri.user().as_deref(), Some("bob1"));
    let from = came.headers.from().unwrap();
    assert_eq!(from.uri.as_str(), "sip:alice@127.0.0.1");
    assert_eq!(
        came.headers.get(&HeaderName::from("X-Way")),
        Some("pjsip:bob@127.0.0.1")
    );
    assert!(!came.headers.has(&HeaderName::Contact), "RFC 3428 §4");
    bob.send(&reply(&came, 200, EMPTY)).await;
    assert_eq!(status(&exchange).await, "SUCCESS");
    assert!(exchange.switch.directory().stories().is_empty());
}

async fn registered_bob(exchange: &Exchange) -> Phone {
    let mut phone = exchange.phone().await;
    let contact = crate::support::contact("bob1", "b");
    let text = crate::support::register("bob", &contact);
    let challenged = phone.ask(&text).await;
    let ok = phone
        .ask(&signed(&text, &challenged, "bobby", "builder"))
        .await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    phone
}

#[tokio::test]
async fn message_context_is_where_messages_run() {
    let pjsip = PJSIP.replacen("[alice](phone)", "[alice](phone)\nmessage_context=texts", 1);
    let exchange = exchange(&pjsip).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    assert_eq!(
        says(&mut alice, "404", "Hi").await,
        404,
        "it is in the other context"
    );
    assert_eq!(says(&mut alice, "echo", "Hi").await, 202);
    let back = alice.request().await;
    assert_eq!(body(&back), "you said: Hi");
    assert_eq!(
        back.headers.from().unwrap().uri.as_str(),
        "sip:service@127.0.0.1"
    );
    alice.send(&reply(&back, 200, EMPTY)).await;
    assert_eq!(says(&mut alice, "nobody", "Hi").await, 202);
    assert_eq!(status(&exchange).await, "FAILURE");
    assert_eq!(says(&mut alice, "wrong", "Hi").await, 202);
    let switch = exchange.switch.clone();
    crate::support::until("INVALID_PROTOCOL", || {
        switch.global("STATUS").as_deref() == Some("INVALID_PROTOCOL")
    })
    .await;
}

/// A browser writes to a desk phone, which answers, and to a number at a trunk.
#[tokio::test]
async fn browsers_desk_phones_and_trunks_write_to_each_other() {
    let trunk = DeskPhone::unbound().await;
    let pjsip = format!(
        "{PJSIP}[trunk](phone)\naors=trunk\n[trunk]\ntype=aor\ncontact=sip:127.0.0.1:{}\n",
        trunk.port()
    );
    let plan = "[phones]\n\
                exten => _[a-z].,1,MessageSend(pjsip:${EXTEN},${MESSAGE(from)})\n\
                exten => _X.,1,MessageSend(pjsip:${EXTEN}@trunk,${CALLERID(num)})\n";
    let files = [("pjsip.conf", pjsip.as_str()), ("extensions.conf", plan)];
    let exchange = Exchange::with_files(&files, Keepalive::default()).await;
    trunk.know(exchange.udp).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let bob = DeskPhone::connect(exchange.udp).await;
    let signs = async |text: &str| {
        let text = text.replace("SIP/2.0/WS", "SIP/2.0/UDP");
        let challenged = bob.ask(&text).await;
        let again = signed(&text, &challenged, "bobby", "builder");
        bob.ask(&again).await.status.code()
    };
    let own = format!("<sip:bob@127.0.0.1:{}>", bob.port());
    assert_eq!(signs(&crate::support::register("bob", &own)).await, 200);
    assert_eq!(says(&mut alice, "bob", "Grüße").await, 202);
    let came = bob.request().await;
    assert_eq!(
        (came.method.clone(), body(&came)),
        (Method::Message, "Grüße")
    );
    bob.send(reply(&came, 200, EMPTY).as_bytes()).await;
    let back = message("alice", "zurück").replacen("From: <sip:alice@", "From: <sip:bob@", 1);
    assert_eq!(signs(&back).await, 202);
    let came = alice.request().await;
    assert_eq!(body(&came), "zurück");
    assert_eq!(
        came.headers.from().unwrap().uri.user().as_deref(),
        Some("bob")
    );
    alice.send(&reply(&came, 200, EMPTY)).await;
    assert_eq!(says(&mut alice, "4711", "Hi").await, 202);
    let came = trunk.request().await;
    assert_eq!((came.method.clone(), body(&came)), (Method::Message, "Hi"));
    assert_eq!(came.uri.user().as_deref(), Some("4711"));
    trunk.send(reply(&came, 200, EMPTY).as_bytes()).await;
}

/// A URI goes by the default endpoint, and what it asks for is answered with its `outbound_auth`.
#[tokio::test]
async fn a_message_to_a_uri_is_signed_when_it_is_challenged() {
    let phone = DeskPhone::connect("127.0.0.1:9".parse().unwrap()).await;
    let port = phone.port();
    let pjsip = format!(
        "{PJSIP}
[global]
type=global
default_outbound_endpoint=way-out
[way-out]
type=endpoint
outbound_auth=way-out
[way-out]
type=auth
username=us
password=secret
"
    );
    let plan = PLAN.replace("127.0.0.1:9", &format!("127.0.0.1:{port}"));
    let files = [("pjsip.conf", pjsip.as_str()), ("extensions.conf", &plan)];
    let exchange = Exchange::with_files(&files, Keepalive::default()).await;
    let far = phone.again(exchange.udp).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    assert_eq!(says(&mut alice, "trunk", "Hi").await, 202);
    let first = far.request().await;
    let challenge = "WWW-Authenticate: Digest realm=\"far\", nonce=\"n\", qop=\"auth\"\r\n\
                     Content-Length: 0\r\n\r\n";
    far.send(reply(&first, 401, challenge).as_bytes()).await;
    let second = loop {
        if let Message::Request(request) = far.receive().await
            && request.headers.has(&HeaderName::Authorization)
        {
            break request;
        }
    };
    assert_eq!(body(&second), "Hi");
    assert_eq!(
        second
            .headers
            .get(&HeaderName::From)
            .unwrap()
            .split(";tag")
            .next(),
        Some("\"Alice\" <sip:alice@example.com>")
    );
    assert_eq!(second.headers.cseq().unwrap().number, 2);
    far.send(reply(&second, 200, EMPTY).as_bytes()).await;
}
