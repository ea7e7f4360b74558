//! Calls that ring at one phone and are picked up by another: `*8`, and INVITE with Replaces of the early dialog
//! (RFC 3891 §3), as phones send it when the lamp of a colleague blinks.

use sip::{HeaderName, Message, Method, Request, Response};

use crate::outbound::{EMPTY, tagged};
use crate::support::{Exchange, OFFER, PJSIP, Phone, ack, in_dialog, invite, reply, signed, until};
use crate::transfer::{channels, exchange, leaves, login, phone};

/// Alice calls Bob, whose phone rings: her INVITE, and that to Bob.
pub(crate) async fn rings(alice: &mut Phone, bob: &mut Phone) -> (String, Request) {
    let first = invite("alice", "bob", "alice1", OFFER);
    let challenged = alice.ask(&first).await;
    alice.send(&ack(&first, &challenged)).await;
    let (name, password) = login("alice");
    let text = signed(&first, &challenged, name, password);
    alice.send(&text).await;
    let called = bob.request().await;
    assert_eq!(called.method, Method::Invite);
    bob.send(&tagged(&called, 180, "bobs", EMPTY)).await;
    loop {
        match alice.receive().await {
            Message::Response(response) if response.status.code() == 180 => break,
            Message::Response(response) => assert_eq!(response.status.code(), 100),
            Message::Request(request) => panic!("{request:?}"),
        }
    }
    (text, called)
}

/// Bob's phone is told that somebody else answered, and the two that talk part.
pub(crate) async fn connected(
    exchange: &Exchange,
    (alice, bob, carol): (&mut Phone, &mut Phone, &mut Phone),
    (text, called): (&str, &Request),
    picked: (&str, &Response),
) {
    let cancel = bob.request().await;
    assert_eq!(cancel.method, Method::Cancel);
    let reason = cancel.headers.get(&HeaderName::Reason);
    assert_eq!(
        reason,
        Some("SIP;cause=200;text=\"Call completed elsewhere\"")
    );
    bob.send(&reply(&cancel, 200, EMPTY)).await;
    bob.send(&tagged(called, 487, "bobs", EMPTY)).await;
    let ok = alice.response().await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    alice.send(&in_dialog("ACK", 2, text, &ok, "")).await;
    carol
        .send(&in_dialog("ACK", 2, picked.0, picked.1, ""))
        .await;
    until("Alice talks to Carol", || {
        let mut devices: Vec<_> = channels(exchange).into_iter().map(|(it, _)| it).collect();
        devices.sort();
        devices == ["PJSIP/alice", "PJSIP/carol"]
    })
    .await;
    let bye = in_dialog("BYE", 3, text, &ok, "");
    assert_eq!(alice.ask(&bye).await.status.code(), 200);
    leaves(carol).await;
    until("all are gone", || channels(exchange).is_empty()).await;
}

#[tokio::test]
async fn an_early_dialog_is_replaced_by_who_picks_it_up() {
    let exchange = exchange(PJSIP).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let mut carol = phone(&exchange, "carol").await;
    let (text, called) = rings(&mut alice, &mut bob).await;
    let ours = called.headers.from().unwrap();
    let header = format!(
        "Require: replaces\r\nReplaces: {};to-tag={};from-tag=bobs;early-only\r\n",
        called.headers.call_id().unwrap(),
        ours.tag().unwrap()
    );
    let take = invite("carol", "whoever", "carol1", OFFER);
    let take = take.replacen("Supported:", &format!("{header}Supported:"), 1);
    let challenged = carol.ask(&take).await;
    carol.send(&ack(&take, &challenged)).await;
    let take = signed(&take, &challenged, "carol", "lewis");
    let ok = carol.ask(&take).await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    let phones = (&mut alice, &mut bob, &mut carol);
    connected(&exchange, phones, (&text, &called), (&take, &ok)).await;
}

/// pjsip.conf: `call_group`, `pickup_group`; features.conf: `pickupexten`.
#[tokio::test]
async fn a_ringing_call_of_the_group_is_picked_up_with_digits_that_stand_in_no_dial_plan() {
    let pjsip = PJSIP
        .replacen("[bob](phone)\n", "[bob](phone)\ncall_group=1\n", 1)
        .replacen("[carol](phone)\n", "[carol](phone)\npickup_group=0-2\n", 1);
    let exchange = exchange(&pjsip).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let mut carol = phone(&exchange, "carol").await;
    let early = invite("carol", "*8", "carol1", OFFER);
    let refused = carol.ask_as("carol", "lewis", &early).await;
    assert_eq!(refused.status.code(), 403, "nothing rings: {refused:?}");
    let (text, called) = rings(&mut alice, &mut bob).await;
    let take = invite("carol", "*8", "carol1", OFFER);
    let challenged = carol.ask(&take).await;
    carol.send(&ack(&take, &challenged)).await;
    let take = signed(&take, &challenged, "carol", "lewis");
    let ok = carol.ask(&take).await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    let phones = (&mut alice, &mut bob, &mut carol);
    connected(&exchange, phones, (&text, &called), (&take, &ok)).await;
}
