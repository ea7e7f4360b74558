//! What lamps of phones say of a call that rings, so that it can be picked up, in the words of old phones, and after the
//! dial plan was read anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use sip::{HeaderName, Request};

use crate::outbound::{registered, tagged, with_answer};
use crate::pickup::{connected, rings};
use crate::presence::{bob, body, lamp, notified, state, subscribed};
use crate::support::{Exchange, OFFER, PJSIP, Phone, ack, in_dialog, invite, request, signed};
use crate::transfer::{channels, phone, with_plan};

const DIALOG: &str = "Event: dialog\r\nAccept: application/dialog-info+xml\r\n";

/// Another dial plan is in force from now on.
pub(crate) fn reload(exchange: &Exchange, plan: &str) {
    let mut config = (*exchange.switch.config()).clone();
    let files = BTreeMap::from([("extensions.conf".to_owned(), plan.to_owned())]);
    config.plan = config::load(&files).0.unwrap().plan;
    exchange.switch.store().set_config(Arc::new(config));
}

/// The value of an attribute.
fn attribute(notify: &Request, name: &str) -> String {
    let body = body(notify);
    let (_, rest) = body.split_once(&format!(" {name}=\"")).unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

async fn lit(phone: &mut Phone, word: &str) -> Request {
    loop {
        let notify = notified(phone).await;
        if lamp(&notify) == word {
            return notify;
        }
    }
}

/// The phone of a colleague picks a call up with nothing but what its lamp was told (RFC 4235, 3891).
#[tokio::test]
async fn a_call_is_picked_up_by_what_the_lamp_says() {
    let plan = "[phones]\nexten => bob,hint,PJSIP/bob\nexten => bob,1,Dial(PJSIP/bob)\n";
    let exchange = with_plan(PJSIP, plan).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let mut carol = phone(&exchange, "carol").await;
    let text = crate::presence::subscribe("bob", DIALOG).replace("alice", "carol");
    let ok = carol.ask_as("carol", "lewis", &text).await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    assert_eq!(lamp(&notified(&mut carol).await), "terminated");
    let (text, called) = rings(&mut alice, &mut bob).await;
    let early = lit(&mut carol, "early").await;
    assert_eq!(attribute(&early, "direction"), "recipient");
    let caller = "sip:alice@127.0.0.1</identity><target uri=\"sip:alice@127.0.0.1\"/></remote>";
    assert!(body(&early).contains(caller), "{}", body(&early));
    let take = take(&early, "carol1", ";early-only");
    let challenged = carol.ask(&take).await;
    carol.send(&ack(&take, &challenged)).await;
    let take = signed(&take, &challenged, "carol", "lewis");
    let ok = carol.ask(&take).await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    let phones = (&mut alice, &mut bob, &mut carol);
    connected(&exchange, phones, (&text, &called), (&take, &ok)).await;
}

/// Carol takes the call that her lamp told of.
fn take(early: &Request, id: &str, end: &str) -> String {
    let header = format!(
        "Require: replaces\r\nReplaces: {};to-tag={};from-tag={}{end}\r\n",
        attribute(early, "call-id"),
        attribute(early, "remote-tag"),
        attribute(early, "local-tag"),
    );
    let take = invite("carol", "alice", id, OFFER);
    take.replacen("Supported:", &format!("{header}Supported:"), 1)
}

/// What a lamp tells while a phone rings takes the call from nobody who has answered it.
#[tokio::test]
async fn no_lamp_gives_the_key_to_a_call_that_was_answered() {
    let plan = "[phones]\nexten => bob,hint,PJSIP/bob\nexten => bob,1,Dial(PJSIP/bob)\n";
    let exchange = with_plan(PJSIP, plan).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let mut carol = phone(&exchange, "carol").await;
    let text = crate::presence::subscribe("bob", DIALOG).replace("alice", "carol");
    carol.ask_as("carol", "lewis", &text).await;
    let (text, called) = rings(&mut alice, &mut bob).await;
    let early = lit(&mut carol, "early").await;
    // Neither does it name the dialog, which stays the same.
    let ours = called.headers.from().unwrap();
    for name in [
        called.headers.call_id().unwrap(),
        ours.tag().unwrap(),
        "bobs",
    ] {
        assert!(!body(&early).contains(name), "{name}: {}", body(&early));
    }
    bob.send(&tagged(&called, 200, "bobs", &with_answer()))
        .await;
    let ok = alice.response().await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    alice.send(&in_dialog("ACK", 2, &text, &ok, "")).await;
    lit(&mut carol, "confirmed").await;
    for (id, end) in [("carol1", ";early-only"), ("carol2", "")] {
        let take = take(&early, id, end);
        let challenged = carol.ask(&take).await;
        carol.send(&ack(&take, &challenged)).await;
        let take = signed(&take, &challenged, "carol", "lewis");
        let refused = carol.ask(&take).await;
        assert_eq!(refused.status.code(), 486, "{refused:?}");
        carol.send(&ack(&take, &refused)).await;
    }
    let mut devices: Vec<_> = channels(&exchange).into_iter().map(|(it, _)| it).collect();
    devices.sort();
    assert_eq!(devices, ["PJSIP/alice", "PJSIP/bob"], "they talk");
}

#[tokio::test]
async fn old_phones_are_told_in_xpidf() {
    let exchange = crate::presence::exchange(PJSIP).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let more = "Event: presence\r\nAccept: application/xpidf+xml, application/pidf+xml\r\n";
    let (_, first) = subscribed(&mut alice, "bob", more).await;
    assert_eq!(
        first.headers.get(&HeaderName::ContentType),
        Some("application/xpidf+xml")
    );
    assert!(body(&first).contains("<status status=\"closed\"/>"));
    let _bob = bob(&exchange).await;
    let there = notified(&mut alice).await;
    assert!(body(&there).contains("<status status=\"open\"/>"));
    assert!(body(&there).contains("<presentity uri=\"sip:bob@127.0.0.1;method=SUBSCRIBE\"/>"));
}

#[tokio::test]
async fn a_hint_that_is_changed_or_removed_is_told_at_once() {
    let exchange = crate::presence::exchange(PJSIP).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let (_, first) = subscribed(&mut alice, "bob", "Event: presence\r\n").await;
    assert!(body(&first).contains("<basic>closed</basic>"));
    reload(&exchange, "[phones]\nexten => bob,hint,PJSIP/alice\n");
    let changed = notified(&mut alice).await;
    assert!(body(&changed).contains("<basic>open</basic>"));
    assert_eq!(state(&changed), "active");
    // What stays as it is is not told.
    reload(
        &exchange,
        "[phones]\nexten => bob,hint,PJSIP/alice\nexten => 1,1,NoOp()\n",
    );
    reload(&exchange, "[phones]\nexten => 1,1,NoOp()\n");
    let gone = notified(&mut alice).await;
    let said = gone.headers.get(&HeaderName::SubscriptionState).unwrap();
    assert_eq!(said, "terminated;reason=noresource");
    assert!(body(&gone).contains("<basic>closed</basic>"));
    // The answer has come when a later question was answered.
    let options = request("OPTIONS", "sip:bob@127.0.0.1", "alice", "");
    alice.ask_as("alice", "wonderland", &options).await;
    assert!(exchange.signal.subscriptions().await.is_empty());
}
