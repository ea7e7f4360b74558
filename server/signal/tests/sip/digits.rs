//! Digits that go out by INFO: in their order, one after the other, whatever the far end makes of them.

use std::time::Duration;

use signal::Keepalive;
use sip::{HeaderName, Method, Request};

use crate::outbound::registered;
use crate::support::{Exchange, PJSIP, Phone, call, contact, in_dialog, reply, until};

const PLAN: &str = "[phones]
exten => 100,1,Answer()
 same => n,SendDTMF(12#,30,160)
 same => n,Set(GLOBAL(sent)=yes)
 same => n,Wait(20)
exten => 200,1,Answer()
 same => n,Dial(PJSIP/alice)
";

async fn exchange(dtmf_mode: &str) -> Exchange {
    let pjsip = PJSIP.replace("webrtc=yes", &format!("webrtc=yes\ndtmf_mode={dtmf_mode}"));
    let files = [("pjsip.conf", pjsip.as_str()), ("extensions.conf", PLAN)];
    Exchange::with_files(&files, Keepalive::default()).await
}

async fn info(phone: &mut Phone) -> Request {
    let request = phone.request().await;
    assert_eq!(request.method, Method::Info, "{request:?}");
    request
}

fn told(request: &Request) -> (String, String) {
    let content_type = request.headers.get(&HeaderName::ContentType).unwrap();
    let body = String::from_utf8(request.body.to_vec()).unwrap();
    (content_type.to_owned(), body)
}

fn relay(digit: char) -> (String, String) {
    let body = format!("Signal={digit}\r\nDuration=160\r\n");
    ("application/dtmf-relay".to_owned(), body)
}

async fn says(exchange: &Exchange, what: &str) {
    until("the story says so", || {
        let stories = exchange.switch.status().stories;
        let text = serde_json::to_string(&stories).unwrap();
        text.contains(what)
    })
    .await;
}

#[tokio::test]
async fn digits_go_out_one_after_the_other_with_their_length() {
    for mode in ["info", "auto_info"] {
        let exchange = exchange(mode).await;
        let mut phone = exchange.phone().await;
        call(&mut phone, "100", "u").await;
        let first = info(&mut phone).await;
        assert_eq!(told(&first), relay('1'));
        // All are dialled by now, and nothing comes before the first is answered.
        tokio::time::timeout(Duration::from_millis(700), phone.frame())
            .await
            .expect_err("nothing comes");
        phone.send(&reply(&first, 200, "")).await;
        for digit in "2#".chars() {
            let next = info(&mut phone).await;
            assert_eq!(told(&next), relay(digit));
            phone.send(&reply(&next, 200, "")).await;
        }
    }
}

#[tokio::test]
async fn no_info_goes_to_who_is_sent_tones_or_events() {
    for mode in ["rfc4733", "inband", "auto"] {
        let exchange = exchange(mode).await;
        let mut phone = exchange.phone().await;
        call(&mut phone, "100", "u").await;
        tokio::time::timeout(Duration::from_millis(700), phone.frame())
            .await
            .expect_err("nothing comes");
    }
}

#[tokio::test]
async fn who_does_not_take_the_first_form_is_sent_the_second() {
    let exchange = exchange("info").await;
    let mut phone = exchange.phone().await;
    call(&mut phone, "100", "u").await;
    let first = info(&mut phone).await;
    phone.send(&reply(&first, 415, "")).await;
    for digit in ["1", "2", "#"] {
        let next = info(&mut phone).await;
        let plain = ("application/dtmf".to_owned(), digit.to_owned());
        assert_eq!(told(&next), plain);
        phone.send(&reply(&next, 200, "")).await;
    }
}

#[tokio::test]
async fn who_takes_neither_is_sent_no_more_info_and_the_call_goes_on() {
    let exchange = exchange("info").await;
    let mut phone = exchange.phone().await;
    let (invite, ok) = call(&mut phone, "100", "u").await;
    for _ in 0..2 {
        let request = info(&mut phone).await;
        phone.send(&reply(&request, 415, "")).await;
    }
    tokio::time::timeout(Duration::from_millis(700), phone.frame())
        .await
        .expect_err("nothing comes");
    let bye = in_dialog("BYE", 3, &invite, &ok, "");
    assert_eq!(phone.ask(&bye).await.status.code(), 200);
    says(&exchange, "takes no digits by INFO").await;
}

#[tokio::test]
async fn after_a_refusal_no_info_goes_out() {
    let exchange = exchange("info").await;
    let mut phone = exchange.phone().await;
    let (invite, ok) = call(&mut phone, "100", "u").await;
    let first = info(&mut phone).await;
    phone.send(&reply(&first, 501, "")).await;
    tokio::time::timeout(Duration::from_millis(700), phone.frame())
        .await
        .expect_err("nothing comes");
    let bye = in_dialog("BYE", 3, &invite, &ok, "");
    assert_eq!(phone.ask(&bye).await.status.code(), 200);
    says(&exchange, "takes no digits by INFO (501").await;
}

#[tokio::test]
async fn a_far_end_that_has_lost_the_call_ends_it() {
    let exchange = exchange("info").await;
    let mut phone = exchange.phone().await;
    call(&mut phone, "100", "u").await;
    let first = info(&mut phone).await;
    phone.send(&reply(&first, 481, "")).await;
    let bye = phone.request().await;
    assert_eq!(bye.method, Method::Bye);
    phone.send(&reply(&bye, 481, "")).await;
    until("the call is over", || {
        exchange.switch.status().channels == 0
    })
    .await;
}

/// RFC 5626 §4.2: a client has a registration of its own by each of its connections. Renewing that of one moves no call
/// that goes by the other, and so sends no digit twice.
#[tokio::test]
async fn a_client_with_two_connections_hears_a_digit_once() {
    let exchange = exchange("info").await;
    let mut first = registered(&exchange, "alice", "wonderland", "1").await;
    call(&mut first, "100", "alice1").await;
    let one = info(&mut first).await;
    assert_eq!(told(&one), relay('1'));
    let mut second = exchange.phone().await;
    let other = contact("alice1", "1").replace("reg-id=1", "reg-id=2");
    let ok = second.register("alice", "wonderland", &other).await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    tokio::time::timeout(Duration::from_millis(2_500), second.frame())
        .await
        .expect_err("nothing comes");
    first.send(&reply(&one, 200, "")).await;
    assert_eq!(told(&info(&mut first).await), relay('2'));
}
