//! RFC 5359: services. What the figures have proxies and servers of music and parking do, the exchange does.

use std::time::Duration;

use sip::Method;
use switch::{CallerId, Originate, Purpose};

use super::{
    Ladder, Party, TRUNK, answered, connects, exchange, of_callee, offering, pjsip, stage, talk,
    with,
};
use crate::outbound::{EMPTY, with_answer};
use crate::support::{DeskPhone, Exchange, ack, in_dialog, reply, until};

/// Whose phones hold their party.
fn holding(exchange: &Exchange) -> Vec<String> {
    let all = exchange.switch.directory().all();
    let holding = all.iter().filter(|channel| channel.info().is_on_hold());
    let device = |name: &str| name.rsplit_once('-').unwrap().0.to_owned();
    holding.map(|channel| device(channel.name())).collect()
}

/// How often a finished call says this in its story.
fn told(exchange: &Exchange, what: &str) -> usize {
    let stories = exchange.switch.status().stories;
    let count = |story| serde_json::to_string(story).unwrap().matches(what).count();
    stories.iter().map(|story| count(&**story)).sum()
}

/// RFC 5359 §2.1: Call Hold, passed on to a phone with `moh_passthrough`; what Bob asks is answered by the exchange.
#[tokio::test]
async fn rfc_5359_2_1_call_hold() {
    let passes = "[alice](phone)\nmoh_passthrough=yes\n";
    let exchange = with(&pjsip().replacen("[alice](phone)\n", passes, 1)).await;
    let mut ladder = Ladder::of(&["alice", "bob"]);
    let mut alice = Party::registered(&exchange, "alice").await;
    let mut bob = Party::registered(&exchange, "bob").await;
    let talk = talk(&mut ladder, &mut alice, &mut bob).await;
    for (cseq, direction) in [(1, "sendonly"), (2, "sendrecv")] {
        talk.offers(&mut ladder, &mut bob, cseq, direction).await;
        let offered = alice.request(&mut ladder, Method::Invite).await;
        let description = std::str::from_utf8(&offered.body).unwrap();
        assert!(
            description.contains(&format!("a={direction}")),
            "{description}"
        );
        let answer = reply(&offered, 200, &offering("sendrecv", cseq));
        alice.sends(&mut ladder, &answer).await;
        alice.request(&mut ladder, Method::Ack).await;
    }
    talk.ends(&mut ladder, &mut alice, &mut bob, 3).await;
    until("it is over", || exchange.switch.status().channels == 0).await;
    assert_eq!(told(&exchange, "music on hold"), 0);
    ladder.is("
        alice              exchange           bob
        |---- INVITE ----->|                  |
        |<------ 100 ------|                  |
        |<------ 401 ------|                  |
        |------ ACK ------>|                  |
        |---- INVITE ----->|                  |
        |<------ 100 ------|                  |
        |                  |---- INVITE ----->|
        |                  |<------ 180 ------|
        |<------ 180 ------|                  |
        |                  |<------ 200 ------|
        |                  |------ ACK ------>|
        |<------ 200 ------|                  |
        |------ ACK ------>|                  |
        |                  |<---- INVITE -----|
        |                  |------ 100 ------>|
        |                  |------ 200 ------>|
        |                  |<------ ACK ------|
        |<---- INVITE -----|                  |
        |------ 200 ------>|                  |
        |<------ ACK ------|                  |
        |                  |<---- INVITE -----|
        |                  |------ 100 ------>|
        |                  |------ 200 ------>|
        |                  |<------ ACK ------|
        |<---- INVITE -----|                  |
        |------ 200 ------>|                  |
        |<------ ACK ------|                  |
        |                  |<------ BYE ------|
        |                  |---- 200 BYE ---->|
        |<------ BYE ------|                  |
        |---- 200 BYE ---->|                  |");
}

/// RFC 5359 §2.2: Consultation Hold.
#[tokio::test]
async fn rfc_5359_2_2_consultation_hold() {
    let (exchange, mut ladder, [mut alice, mut bob, mut carol]) =
        stage(["alice", "bob", "carol"]).await;
    let first = talk(&mut ladder, &mut alice, &mut bob).await;
    first.offers(&mut ladder, &mut bob, 1, "sendonly").await;
    let second = connects(&mut ladder, &mut bob, "carol", &mut carol).await;
    assert_eq!(holding(&exchange), ["PJSIP/bob"]);
    bob.sends(&mut ladder, &second.by_caller(3, "BYE", EMPTY))
        .await;
    bob.response(&mut ladder, 200).await;
    carol.leaves(&mut ladder).await;
    first.offers(&mut ladder, &mut bob, 2, "sendrecv").await;
    until("Bob is back", || holding(&exchange).is_empty()).await;
    first.ends(&mut ladder, &mut alice, &mut bob, 3).await;
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
        |                  |<------ BYE ------|                  |
        |                  |---- 200 BYE ---->|                  |
        |                  |--------------- BYE ---------------->|
        |                  |<------------- 200 BYE --------------|
        |                  |<---- INVITE -----|                  |
        |                  |------ 100 ------>|                  |
        |                  |------ 200 ------>|                  |
        |                  |<------ ACK ------|                  |
        |                  |<------ BYE ------|                  |
        |                  |---- 200 BYE ---->|                  |
        |<------ BYE ------|                  |                  |
        |---- 200 BYE ---->|                  |                  |");
}

/// RFC 5359 §2.3: Music on Hold. The exchange answers for Alice and plays the music itself.
#[tokio::test]
async fn rfc_5359_2_3_music_on_hold() {
    let (exchange, mut ladder, [mut alice, mut bob]) = stage(["alice", "bob"]).await;
    let talk = talk(&mut ladder, &mut alice, &mut bob).await;
    talk.offers(&mut ladder, &mut bob, 1, "sendonly").await;
    until("Bob holds", || holding(&exchange) == ["PJSIP/bob"]).await;
    talk.offers(&mut ladder, &mut bob, 2, "sendrecv").await;
    until("Bob is back", || holding(&exchange).is_empty()).await;
    talk.ends(&mut ladder, &mut alice, &mut bob, 3).await;
    until("it is over", || exchange.switch.status().channels == 0).await;
    assert_eq!(told(&exchange, "music on hold starts"), 1);
    assert_eq!(told(&exchange, "music on hold stops"), 1);
    ladder.is("
        alice              exchange           bob
        |---- INVITE ----->|                  |
        |<------ 100 ------|                  |
        |<------ 401 ------|                  |
        |------ ACK ------>|                  |
        |---- INVITE ----->|                  |
        |<------ 100 ------|                  |
        |                  |---- INVITE ----->|
        |                  |<------ 180 ------|
        |<------ 180 ------|                  |
        |                  |<------ 200 ------|
        |                  |------ ACK ------>|
        |<------ 200 ------|                  |
        |------ ACK ------>|                  |
        |                  |<---- INVITE -----|
        |                  |------ 100 ------>|
        |                  |------ 200 ------>|
        |                  |<------ ACK ------|
        |                  |<---- INVITE -----|
        |                  |------ 100 ------>|
        |                  |------ 200 ------>|
        |                  |<------ ACK ------|
        |                  |<------ BYE ------|
        |                  |---- 200 BYE ---->|
        |<------ BYE ------|                  |
        |---- 200 BYE ---->|                  |");
}

/// RFC 5359 §2.8: Call Forwarding - Busy, by the dial plan.
#[tokio::test]
async fn rfc_5359_2_8_call_forwarding_busy() {
    let (_exchange, mut ladder, [mut alice, mut bob, mut carol]) =
        stage(["alice", "bob", "carol"]).await;
    let text = alice.invites(&mut ladder, "forward").await;
    let called = bob.request(&mut ladder, Method::Invite).await;
    bob.answers(&mut ladder, &called, 486, EMPTY).await;
    bob.request(&mut ladder, Method::Ack).await;
    let called = carol.request(&mut ladder, Method::Invite).await;
    carol
        .answers(&mut ladder, &called, 200, &with_answer())
        .await;
    carol.request(&mut ladder, Method::Ack).await;
    let ok = alice.response(&mut ladder, 200).await;
    alice
        .sends(&mut ladder, &in_dialog("ACK", 2, &text, &ok, EMPTY))
        .await;
    ladder.is("
        alice              exchange           bob                carol
        |---- INVITE ----->|                  |                  |
        |<------ 100 ------|                  |                  |
        |<------ 401 ------|                  |                  |
        |------ ACK ------>|                  |                  |
        |---- INVITE ----->|                  |                  |
        |<------ 100 ------|                  |                  |
        |                  |---- INVITE ----->|                  |
        |                  |<------ 486 ------|                  |
        |                  |------ ACK ------>|                  |
        |                  |-------------- INVITE -------------->|
        |                  |<--------------- 200 ----------------|
        |                  |--------------- ACK ---------------->|
        |<------ 200 ------|                  |                  |
        |------ ACK ------>|                  |                  |");
}

/// RFC 5359 §2.12: Find-Me; the exchange asks all places at once.
#[tokio::test]
async fn rfc_5359_2_12_find_me() {
    let (_exchange, mut ladder, [mut alice, mut bob, mut carol]) =
        stage(["alice", "bob", "carol"]).await;
    let text = alice.invites(&mut ladder, "both").await;
    let lost = bob.request(&mut ladder, Method::Invite).await;
    let called = carol.request(&mut ladder, Method::Invite).await;
    bob.answers(&mut ladder, &lost, 180, EMPTY).await;
    alice.response(&mut ladder, 180).await;
    carol
        .answers(&mut ladder, &called, 200, &with_answer())
        .await;
    carol.request(&mut ladder, Method::Ack).await;
    let ok = alice.response(&mut ladder, 200).await;
    alice
        .sends(&mut ladder, &in_dialog("ACK", 2, &text, &ok, EMPTY))
        .await;
    let cancelled = bob.request(&mut ladder, Method::Cancel).await;
    bob.answers(&mut ladder, &cancelled, 200, EMPTY).await;
    bob.answers(&mut ladder, &lost, 487, EMPTY).await;
    bob.request(&mut ladder, Method::Ack).await;
    ladder.is("
        alice              exchange           bob                carol
        |---- INVITE ----->|                  |                  |
        |<------ 100 ------|                  |                  |
        |<------ 401 ------|                  |                  |
        |------ ACK ------>|                  |                  |
        |---- INVITE ----->|                  |                  |
        |<------ 100 ------|                  |                  |
        |                  |---- INVITE ----->|                  |
        |                  |-------------- INVITE -------------->|
        |                  |<------ 180 ------|                  |
        |<------ 180 ------|                  |                  |
        |                  |<--------------- 200 ----------------|
        |                  |--------------- ACK ---------------->|
        |<------ 200 ------|                  |                  |
        |------ ACK ------>|                  |                  |
        |                  |---- CANCEL ----->|                  |
        |                  |<-- 200 CANCEL ---|                  |
        |                  |<------ 487 ------|                  |
        |                  |------ ACK ------>|                  |");
}

/// RFC 5359 §2.7: Call Forwarding Unconditional, by the dial plan.
#[tokio::test]
async fn rfc_5359_2_7_call_forwarding_unconditional() {
    let exchange = exchange().await;
    let mut ladder = Ladder::of(&["alice", "bob", "carol"]);
    let mut alice = Party::registered(&exchange, "alice").await;
    let _bob = Party::registered(&exchange, "bob").await;
    let mut carol = Party::registered(&exchange, "carol").await;
    let talk = connects(&mut ladder, &mut alice, "away", &mut carol).await;
    talk.ends(&mut ladder, &mut alice, &mut carol, 1).await;
    ladder.is("
        alice              exchange           bob                carol
        |---- INVITE ----->|                  |                  |
        |<------ 100 ------|                  |                  |
        |<------ 401 ------|                  |                  |
        |------ ACK ------>|                  |                  |
        |---- INVITE ----->|                  |                  |
        |<------ 100 ------|                  |                  |
        |                  |-------------- INVITE -------------->|
        |                  |<--------------- 180 ----------------|
        |<------ 180 ------|                  |                  |
        |                  |<--------------- 200 ----------------|
        |                  |--------------- ACK ---------------->|
        |<------ 200 ------|                  |                  |
        |------ ACK ------>|                  |                  |
        |                  |<--------------- BYE ----------------|
        |                  |------------- 200 BYE -------------->|
        |<------ BYE ------|                  |                  |
        |---- 200 BYE ---->|                  |                  |");
}

/// RFC 5359 §2.9: Call Forwarding - No Answer, by the dial plan.
#[tokio::test]
async fn rfc_5359_2_9_call_forwarding_no_answer() {
    let (_exchange, mut ladder, [mut alice, mut bob, mut carol]) =
        stage(["alice", "bob", "carol"]).await;
    let text = alice.invites(&mut ladder, "patient").await;
    let lost = bob.request(&mut ladder, Method::Invite).await;
    bob.answers(&mut ladder, &lost, 180, EMPTY).await;
    alice.response(&mut ladder, 180).await;
    let cancelled = bob.request(&mut ladder, Method::Cancel).await;
    bob.answers(&mut ladder, &cancelled, 200, EMPTY).await;
    bob.answers(&mut ladder, &lost, 487, EMPTY).await;
    bob.request(&mut ladder, Method::Ack).await;
    let called = carol.request(&mut ladder, Method::Invite).await;
    let talk = answered(&mut ladder, &mut alice, &mut carol, text, called).await;
    talk.ends(&mut ladder, &mut alice, &mut carol, 1).await;
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
        |                  |---- CANCEL ----->|                  |
        |                  |<-- 200 CANCEL ---|                  |
        |                  |<------ 487 ------|                  |
        |                  |------ ACK ------>|                  |
        |                  |-------------- INVITE -------------->|
        |                  |<--------------- 200 ----------------|
        |                  |--------------- ACK ---------------->|
        |<------ 200 ------|                  |                  |
        |------ ACK ------>|                  |                  |
        |                  |<--------------- BYE ----------------|
        |                  |------------- 200 BYE -------------->|
        |<------ BYE ------|                  |                  |
        |---- 200 BYE ---->|                  |                  |");
}

/// RFC 5359 §2.13: Call Management (Incoming Call Screening), by the dial plan: Bob may reach Carol, Alice not.
#[tokio::test]
async fn rfc_5359_2_13_incoming_call_screening() {
    let (_exchange, mut ladder, [mut alice, mut bob, mut carol]) =
        stage(["alice", "bob", "carol"]).await;
    let text = alice.invites(&mut ladder, "screened").await;
    let refused = alice.response(&mut ladder, 403).await;
    alice.sends(&mut ladder, &ack(&text, &refused)).await;
    let talk = connects(&mut ladder, &mut bob, "screened", &mut carol).await;
    talk.ends(&mut ladder, &mut bob, &mut carol, 1).await;
    ladder.is("
        alice              exchange           bob                carol
        |---- INVITE ----->|                  |                  |
        |<------ 100 ------|                  |                  |
        |<------ 401 ------|                  |                  |
        |------ ACK ------>|                  |                  |
        |---- INVITE ----->|                  |                  |
        |<------ 100 ------|                  |                  |
        |<------ 403 ------|                  |                  |
        |------ ACK ------>|                  |                  |
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
        |                  |<--------------- BYE ----------------|
        |                  |------------- 200 BYE -------------->|
        |                  |------ BYE ------>|                  |
        |                  |<---- 200 BYE ----|                  |");
}

/// RFC 5359 §2.14: Call Management (Outgoing Call Screening), by the dial plan: the trunk is for Bob alone.
#[tokio::test]
async fn rfc_5359_2_14_outgoing_call_screening() {
    let trunk = DeskPhone::unbound().await;
    let own = format!("{TRUNK}127.0.0.1:{}\n", trunk.port());
    let exchange = with(&(pjsip() + &own)).await;
    trunk.know(exchange.udp).await;
    let mut ladder = Ladder::of(&["alice", "bob", "trunk"]);
    let mut alice = Party::registered(&exchange, "alice").await;
    let mut bob = Party::registered(&exchange, "bob").await;
    let mut trunk = Party::desk("trunk", trunk);
    let text = alice.invites(&mut ladder, "04711").await;
    let refused = alice.response(&mut ladder, 403).await;
    alice.sends(&mut ladder, &ack(&text, &refused)).await;
    let talk = connects(&mut ladder, &mut bob, "04711", &mut trunk).await;
    assert_eq!(talk.called.uri.user().as_deref(), Some("4711"));
    talk.ends(&mut ladder, &mut bob, &mut trunk, 1).await;
    ladder.is("
        alice              exchange           bob                trunk
        |---- INVITE ----->|                  |                  |
        |<------ 100 ------|                  |                  |
        |<------ 401 ------|                  |                  |
        |------ ACK ------>|                  |                  |
        |---- INVITE ----->|                  |                  |
        |<------ 100 ------|                  |                  |
        |<------ 403 ------|                  |                  |
        |------ ACK ------>|                  |                  |
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
        |                  |<--------------- BYE ----------------|
        |                  |------------- 200 BYE -------------->|
        |                  |------ BYE ------>|                  |
        |                  |<---- 200 BYE ----|                  |");
}

/// RFC 5359 §2.18: Click to Dial. What the figure's controller asks of Alice's phone by REFER, the exchange does
/// (`channel originate`): it calls her, and then Bob.
#[tokio::test]
async fn rfc_5359_2_18_click_to_dial() {
    let (exchange, mut ladder, [mut alice, mut bob]) = stage(["alice", "bob"]).await;
    let click = Originate {
        destination: "PJSIP/alice".to_owned(),
        purpose: Purpose::Application {
            name: "Dial".to_owned(),
            arguments: "PJSIP/bob,20".to_owned(),
        },
        timeout: Duration::from_secs(30),
        caller: CallerId::default(),
        variables: Vec::new(),
        before: None,
    };
    let begun = exchange.switch.originate(click).await.unwrap();
    let asked = alice.request(&mut ladder, Method::Invite).await;
    alice.answers(&mut ladder, &asked, 180, EMPTY).await;
    alice
        .answers(&mut ladder, &asked, 200, &with_answer())
        .await;
    alice.request(&mut ladder, Method::Ack).await;
    assert!(begun.await.unwrap().is_ok());
    let called = bob.request(&mut ladder, Method::Invite).await;
    bob.answers(&mut ladder, &called, 180, EMPTY).await;
    bob.answers(&mut ladder, &called, 200, &with_answer()).await;
    bob.request(&mut ladder, Method::Ack).await;
    let bye = of_callee("bob", &called, 1, "BYE", EMPTY);
    bob.sends(&mut ladder, &bye).await;
    bob.response(&mut ladder, 200).await;
    alice.leaves(&mut ladder).await;
    ladder.is("
        alice              exchange           bob
        |<---- INVITE -----|                  |
        |------ 180 ------>|                  |
        |------ 200 ------>|                  |
        |<------ ACK ------|                  |
        |                  |---- INVITE ----->|
        |                  |<------ 180 ------|
        |                  |<------ 200 ------|
        |                  |------ ACK ------>|
        |                  |<------ BYE ------|
        |                  |---- 200 BYE ---->|
        |<------ BYE ------|                  |
        |---- 200 BYE ---->|                  |");
}
