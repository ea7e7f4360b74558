//! RFC 5359: calls that change hands, and the phones that watch for it.

use sip::{HeaderName, Message, Method};

use super::{Ladder, Party, answered, connects, label, login, refuses, stage, talk};
use crate::outbound::{EMPTY, with_answer};
use crate::support::{OFFER, ack, in_dialog, invite, request, signed, until};
use crate::transfer::{escaped, refer};

/// RFC 5359 §2.4: Transfer - Unattended. The exchange calls Carol itself; Alice keeps her dialog.
#[tokio::test]
async fn rfc_5359_2_4_transfer_unattended() {
    let (_exchange, mut ladder, [mut alice, mut bob, mut carol]) =
        stage(["alice", "bob", "carol"]).await;
    let talk = talk(&mut ladder, &mut alice, &mut bob).await;
    let refer = talk.by_callee(
        1,
        "REFER",
        "Refer-To: <sip:carol@127.0.0.1>\r\nContent-Length: 0\r\n\r\n",
    );
    bob.sends(&mut ladder, &refer).await;
    bob.response(&mut ladder, 202).await;
    let notify = bob.request(&mut ladder, Method::Notify).await;
    bob.answers(&mut ladder, &notify, 200, EMPTY).await;
    let bye = bob.request(&mut ladder, Method::Bye).await;
    bob.answers(&mut ladder, &bye, 200, EMPTY).await;
    let called = carol.request(&mut ladder, Method::Invite).await;
    carol
        .answers(&mut ladder, &called, 200, &with_answer())
        .await;
    carol.request(&mut ladder, Method::Ack).await;
    // Bob's call is over, and he is told all the same that Carol answered.
    let notify = bob.request(&mut ladder, Method::Notify).await;
    bob.answers(&mut ladder, &notify, 200, EMPTY).await;
    let bye = in_dialog("BYE", 3, &talk.text, &talk.ok, EMPTY);
    alice.sends(&mut ladder, &bye).await;
    alice.response(&mut ladder, 200).await;
    let bye = carol.request(&mut ladder, Method::Bye).await;
    carol.answers(&mut ladder, &bye, 200, EMPTY).await;
    ladder.is("
        alice              exchange           bob                carol
        |---- INVITE ----->|                  |                  |
        |<------ 100 ------|                  |                  |
        |<------ 401 ------|                  |                  |
        |------ ACK ------>|                  |                  |
        |---- INVITE ----->|                  |                  |
        |<------ 100 ------|                  |                  |
        |                  |---- INVITE ----->|                  |
        |                  |<------ 180 ------|                  |
        |<------ 180 ------|                  |                  |
        |                  |<------ 200 ------|                  |
        |                  |------ ACK ------>|                  |
        |<------ 200 ------|                  |                  |
        |------ ACK ------>|                  |                  |
        |                  |<----- REFER -----|                  |
        |                  |--- 202 REFER --->|                  |
        |                  |---- NOTIFY ----->|                  |
        |                  |<-- 200 NOTIFY ---|                  |
        |                  |------ BYE ------>|                  |
        |                  |<---- 200 BYE ----|                  |
        |                  |-------------- INVITE -------------->|
        |                  |<--------------- 200 ----------------|
        |                  |--------------- ACK ---------------->|
        |                  |---- NOTIFY ----->|                  |
        |                  |<-- 200 NOTIFY ---|                  |
        |------ BYE ------>|                  |                  |
        |<---- 200 BYE ----|                  |                  |
        |                  |--------------- BYE ---------------->|
        |                  |<------------- 200 BYE --------------|");
}

const FIGURE_2_5: &str = "
    alice              exchange           bob                carol
    |---- INVITE ----->|                  |                  |
    |<------ 100 ------|                  |                  |
    |<------ 401 ------|                  |                  |
    |------ ACK ------>|                  |                  |
    |---- INVITE ----->|                  |                  |
    |<------ 100 ------|                  |                  |
    |                  |---- INVITE ----->|                  |
    |                  |<------ 180 ------|                  |
    |<------ 180 ------|                  |                  |
    |                  |<------ 200 ------|                  |
    |                  |------ ACK ------>|                  |
    |<------ 200 ------|                  |                  |
    |------ ACK ------>|                  |                  |
    |                  |<---- INVITE -----|                  |
    |                  |------ 100 ------>|                  |
    |                  |------ 200 ------>|                  |
    |                  |<------ ACK ------|                  |
    |                  |<---- INVITE -----|                  |
    |                  |------ 100 ------>|                  |
    |                  |------ 401 ------>|                  |
    |                  |<------ ACK ------|                  |
    |                  |<---- INVITE -----|                  |
    |                  |------ 100 ------>|                  |
    |                  |-------------- INVITE -------------->|
    |                  |<--------------- 180 ----------------|
    |                  |------ 180 ------>|                  |
    |                  |<--------------- 200 ----------------|
    |                  |--------------- ACK ---------------->|
    |                  |------ 200 ------>|                  |
    |                  |<------ ACK ------|                  |
    |                  |<----- REFER -----|                  |
    |                  |--- 202 REFER --->|                  |
    |                  |---- NOTIFY ----->|                  |
    |                  |<-- 200 NOTIFY ---|                  |
    |                  |------ BYE ------>|                  |
    |                  |<---- 200 BYE ----|                  |
    |                  |------ BYE ------>|                  |
    |                  |<---- 200 BYE ----|                  |
    |------ BYE ------>|                  |                  |
    |<---- 200 BYE ----|                  |                  |
    |                  |--------------- BYE ---------------->|
    |                  |<------------- 200 BYE --------------|";

/// RFC 5359 §2.5: Transfer - Attended. The exchange joins the two calls; neither Alice nor Carol is called again.
#[tokio::test]
async fn rfc_5359_2_5_transfer_attended() {
    let (exchange, mut ladder, [mut alice, mut bob, mut carol]) =
        stage(["alice", "bob", "carol"]).await;
    let first = talk(&mut ladder, &mut alice, &mut bob).await;
    first.offers(&mut ladder, &mut bob, 1, "sendonly").await;
    let second = connects(&mut ladder, &mut bob, "carol", &mut carol).await;
    let ok = &second.ok.headers;
    let replaces = format!(
        "{};to-tag={};from-tag={}",
        ok.call_id().unwrap(),
        ok.to().unwrap().tag().unwrap(),
        ok.from().unwrap().tag().unwrap()
    );
    let to = format!("sip:carol@127.0.0.1?Replaces={}", escaped(&replaces));
    bob.sends(&mut ladder, &first.by_callee(2, "REFER", &refer(&to)))
        .await;
    bob.response(&mut ladder, 202).await;
    // Between the two dialogs there is no order.
    let mut last = Vec::new();
    for _ in 0..3 {
        let Message::Request(request) = bob.silently_gets().await else {
            panic!("a request")
        };
        last.push(request);
    }
    let own = first.called.headers.call_id();
    last.sort_by_key(|request| {
        (
            request.headers.call_id() != own,
            request.method == Method::Bye,
        )
    });
    for request in last {
        ladder.arrow(
            "exchange",
            "bob",
            &label(&Message::Request(request.clone())),
        );
        bob.answers(&mut ladder, &request, 200, EMPTY).await;
    }
    until("two are left", || exchange.switch.status().channels == 2).await;
    alice
        .sends(&mut ladder, &first.by_caller(3, "BYE", EMPTY))
        .await;
    alice.response(&mut ladder, 200).await;
    carol.leaves(&mut ladder).await;
    ladder.is(FIGURE_2_5);
}

const FIGURE_2_15: &str = "
    alice              exchange           bob                carol
    |---- INVITE ----->|                  |                  |
    |<------ 100 ------|                  |                  |
    |<------ 401 ------|                  |                  |
    |------ ACK ------>|                  |                  |
    |---- INVITE ----->|                  |                  |
    |<------ 100 ------|                  |                  |
    |                  |---- INVITE ----->|                  |
    |                  |<------ 180 ------|                  |
    |<------ 180 ------|                  |                  |
    |                  |<------ 200 ------|                  |
    |                  |------ ACK ------>|                  |
    |<------ 200 ------|                  |                  |
    |------ ACK ------>|                  |                  |
    |                  |<----- REFER -----|                  |
    |                  |--- 202 REFER --->|                  |
    |                  |---- NOTIFY ----->|                  |
    |                  |------ BYE ------>|                  |
    |                  |<-- 200 NOTIFY ---|                  |
    |                  |<---- 200 BYE ----|                  |
    |                  |---- NOTIFY ----->|                  |
    |                  |<-- 200 NOTIFY ---|                  |
    |                  |<-------------- INVITE --------------|
    |                  |--------------- 100 ---------------->|
    |                  |--------------- 401 ---------------->|
    |                  |<--------------- ACK ----------------|
    |                  |<-------------- INVITE --------------|
    |                  |--------------- 100 ---------------->|
    |                  |--------------- 200 ---------------->|
    |                  |<--------------- ACK ----------------|
    |------ BYE ------>|                  |                  |
    |<---- 200 BYE ----|                  |                  |
    |                  |--------------- BYE ---------------->|
    |                  |<------------- 200 BYE --------------|";

/// RFC 5359 §2.15: Call Park. The lot is the exchange's; Carol calls the space.
#[tokio::test]
async fn rfc_5359_2_15_call_park() {
    let (exchange, mut ladder, [mut alice, mut bob, mut carol]) =
        stage(["alice", "bob", "carol"]).await;
    let talk = talk(&mut ladder, &mut alice, &mut bob).await;
    bob.sends(
        &mut ladder,
        &talk.by_callee(1, "REFER", &refer("sip:700@127.0.0.1")),
    )
    .await;
    bob.response(&mut ladder, 202).await;
    let notify = bob.request(&mut ladder, Method::Notify).await;
    let bye = bob.request(&mut ladder, Method::Bye).await;
    bob.answers(&mut ladder, &notify, 200, EMPTY).await;
    bob.answers(&mut ladder, &bye, 200, EMPTY).await;
    let notify = bob.request(&mut ladder, Method::Notify).await;
    bob.answers(&mut ladder, &notify, 200, EMPTY).await;
    let spaces = || {
        exchange
            .switch
            .parkings()
            .all()
            .into_iter()
            .map(|it| it.space)
    };
    until("Alice is parked", || spaces().eq([701])).await;
    let text = carol.invites(&mut ladder, "701").await;
    let ok = carol.response(&mut ladder, 200).await;
    carol
        .sends(&mut ladder, &in_dialog("ACK", 2, &text, &ok, EMPTY))
        .await;
    until("she is no longer", || spaces().next().is_none()).await;
    alice
        .sends(&mut ladder, &talk.by_caller(3, "BYE", EMPTY))
        .await;
    alice.response(&mut ladder, 200).await;
    carol.leaves(&mut ladder).await;
    ladder.is(FIGURE_2_15);
}

/// A SUBSCRIBE for what Bob's phone does.
fn watch(from: &str) -> String {
    let more = format!(
        "Contact: <sip:{from}1@s58im4vdpmpn.invalid;transport=ws>\r\nEvent: dialog\r\n\
         Accept: application/dialog-info+xml\r\nExpires: 600\r\n"
    );
    request("SUBSCRIBE", "sip:bob@127.0.0.1", from, &more)
}

impl Party {
    /// Is told what the other does: the document.
    async fn is_told(&mut self, ladder: &mut Ladder, state: &str) {
        let notify = self.request(ladder, Method::Notify).await;
        self.answers(ladder, &notify, 200, EMPTY).await;
        let document = std::str::from_utf8(&notify.body).unwrap();
        assert!(document.contains(state), "{state}: {document}");
    }
}

const FIGURE_2_16: &str = "
    alice              exchange           bob                carol
    |                  |<------------ SUBSCRIBE -------------|
    |                  |---------- 401 SUBSCRIBE ----------->|
    |                  |<------------ SUBSCRIBE -------------|
    |                  |---------- 200 SUBSCRIBE ----------->|
    |                  |-------------- NOTIFY -------------->|
    |                  |<------------ 200 NOTIFY ------------|
    |---- INVITE ----->|                  |                  |
    |<------ 100 ------|                  |                  |
    |<------ 401 ------|                  |                  |
    |------ ACK ------>|                  |                  |
    |---- INVITE ----->|                  |                  |
    |<------ 100 ------|                  |                  |
    |                  |---- INVITE ----->|                  |
    |                  |<------ 180 ------|                  |
    |<------ 180 ------|                  |                  |
    |                  |-------------- NOTIFY -------------->|
    |                  |<------------ 200 NOTIFY ------------|
    |                  |<-------------- INVITE --------------|
    |                  |--------------- 100 ---------------->|
    |                  |--------------- 401 ---------------->|
    |                  |<--------------- ACK ----------------|
    |                  |<-------------- INVITE --------------|
    |                  |--------------- 100 ---------------->|
    |                  |--------------- 200 ---------------->|
    |                  |<--------------- ACK ----------------|
    |<------ 200 ------|                  |                  |
    |------ ACK ------>|                  |                  |
    |                  |---- CANCEL ----->|                  |
    |                  |<-- 200 CANCEL ---|                  |
    |                  |<------ 487 ------|                  |
    |                  |------ ACK ------>|                  |
    |                  |-------------- NOTIFY -------------->|
    |                  |<------------ 200 NOTIFY ------------|
    |------ BYE ------>|                  |                  |
    |<---- 200 BYE ----|                  |                  |
    |                  |--------------- BYE ---------------->|
    |                  |<------------- 200 BYE --------------|";

/// RFC 5359 §2.16: Call Pickup. That it rings Carol learns from the NOTIFY; which dialog to replace the figure has there
/// too, and here it comes from Bob.
#[tokio::test]
async fn rfc_5359_2_16_call_pickup() {
    let (_exchange, mut ladder, [mut alice, mut bob, mut carol]) =
        stage(["alice", "bob", "carol"]).await;
    carol.asks(&mut ladder, &watch("carol")).await;
    carol.response(&mut ladder, 200).await;
    carol
        .is_told(&mut ladder, "<state>terminated</state>")
        .await;
    let text = alice.invites(&mut ladder, "bob").await;
    let lost = bob.request(&mut ladder, Method::Invite).await;
    bob.answers(&mut ladder, &lost, 180, EMPTY).await;
    alice.response(&mut ladder, 180).await;
    carol.is_told(&mut ladder, "<state>early</state>").await;
    let header = format!(
        "Require: replaces\r\nReplaces: {};to-tag={};from-tag=bob;early-only\r\n",
        lost.headers.call_id().unwrap(),
        lost.headers.from().unwrap().tag().unwrap()
    );
    let take = invite("carol", "bob", "carol1", OFFER);
    let take = take.replacen("Supported:", &format!("{header}Supported:"), 1);
    carol.sends(&mut ladder, &take).await;
    carol.response(&mut ladder, 100).await;
    let challenged = carol.response(&mut ladder, 401).await;
    carol.sends(&mut ladder, &ack(&take, &challenged)).await;
    let (user, password) = login("carol");
    let take = signed(&take, &challenged, user, password);
    carol.sends(&mut ladder, &take).await;
    carol.response(&mut ladder, 100).await;
    let taken = carol.response(&mut ladder, 200).await;
    carol
        .sends(&mut ladder, &in_dialog("ACK", 2, &take, &taken, EMPTY))
        .await;
    let ok = alice.response(&mut ladder, 200).await;
    alice
        .sends(&mut ladder, &in_dialog("ACK", 2, &text, &ok, EMPTY))
        .await;
    let cancelled = bob.request(&mut ladder, Method::Cancel).await;
    let reason = cancelled.headers.get(&HeaderName::Reason);
    assert_eq!(
        reason,
        Some("SIP;cause=200;text=\"Call completed elsewhere\"")
    );
    bob.answers(&mut ladder, &cancelled, 200, EMPTY).await;
    bob.answers(&mut ladder, &lost, 487, EMPTY).await;
    bob.request(&mut ladder, Method::Ack).await;
    carol
        .is_told(&mut ladder, "<state>terminated</state>")
        .await;
    alice
        .sends(&mut ladder, &in_dialog("BYE", 3, &text, &ok, EMPTY))
        .await;
    alice.response(&mut ladder, 200).await;
    carol.leaves(&mut ladder).await;
    ladder.is(FIGURE_2_16);
}

const FIGURE_2_17: &str = "
    alice              exchange           bob                carol
    |                  |<-------------- INVITE --------------|
    |                  |--------------- 100 ---------------->|
    |                  |--------------- 401 ---------------->|
    |                  |<--------------- ACK ----------------|
    |                  |<-------------- INVITE --------------|
    |                  |--------------- 100 ---------------->|
    |                  |---- INVITE ----->|                  |
    |                  |<------ 180 ------|                  |
    |                  |--------------- 180 ---------------->|
    |                  |<------ 200 ------|                  |
    |                  |------ ACK ------>|                  |
    |                  |--------------- 200 ---------------->|
    |                  |<--------------- ACK ----------------|
    |---- INVITE ----->|                  |                  |
    |<------ 100 ------|                  |                  |
    |<------ 401 ------|                  |                  |
    |------ ACK ------>|                  |                  |
    |---- INVITE ----->|                  |                  |
    |<------ 100 ------|                  |                  |
    |                  |---- INVITE ----->|                  |
    |                  |<------ 486 ------|                  |
    |                  |------ ACK ------>|                  |
    |<------ 486 ------|                  |                  |
    |------ ACK ------>|                  |                  |
    |--- SUBSCRIBE --->|                  |                  |
    |<- 401 SUBSCRIBE -|                  |                  |
    |--- SUBSCRIBE --->|                  |                  |
    |<- 200 SUBSCRIBE -|                  |                  |
    |<---- NOTIFY -----|                  |                  |
    |-- 200 NOTIFY --->|                  |                  |
    |                  |<------ BYE ------|                  |
    |                  |---- 200 BYE ---->|                  |
    |                  |--------------- BYE ---------------->|
    |                  |<------------- 200 BYE --------------|
    |<---- NOTIFY -----|                  |                  |
    |-- 200 NOTIFY --->|                  |                  |
    |---- INVITE ----->|                  |                  |
    |<------ 100 ------|                  |                  |
    |<------ 401 ------|                  |                  |
    |------ ACK ------>|                  |                  |
    |---- INVITE ----->|                  |                  |
    |<------ 100 ------|                  |                  |
    |                  |---- INVITE ----->|                  |
    |                  |<------ 200 ------|                  |
    |                  |------ ACK ------>|                  |
    |<------ 200 ------|                  |                  |
    |------ ACK ------>|                  |                  |";

/// RFC 5359 §2.17: Automatic Redial. Alice's phone learns when Bob is free, and calls again.
#[tokio::test]
async fn rfc_5359_2_17_automatic_redial() {
    let (_exchange, mut ladder, [mut alice, mut bob, mut carol]) =
        stage(["alice", "bob", "carol"]).await;
    let first = connects(&mut ladder, &mut carol, "bob", &mut bob).await;
    let text = alice.invites(&mut ladder, "bob").await;
    let called = bob.request(&mut ladder, Method::Invite).await;
    refuses(&mut ladder, (&mut bob, &called, 486), &mut alice, &text).await;
    alice.asks(&mut ladder, &watch("alice")).await;
    alice.response(&mut ladder, 200).await;
    alice.is_told(&mut ladder, "<state>confirmed</state>").await;
    first.ends(&mut ladder, &mut carol, &mut bob, 1).await;
    alice
        .is_told(&mut ladder, "<state>terminated</state>")
        .await;
    let text = alice.invites(&mut ladder, "bob").await;
    let called = bob.request(&mut ladder, Method::Invite).await;
    answered(&mut ladder, &mut alice, &mut bob, text, called).await;
    ladder.is(FIGURE_2_17);
}
