//! RFC 3665 §3: calls that come about, and those that do not.

use sip::Method;

use super::{
    Ladder, PARKING, PLAN, Party, TRUNK, Talk, answered, offering, pjsip, refuses, rings, stage,
    talk, with,
};
use crate::names::{NameServer, a, srv};
use crate::outbound::{EMPTY, tagged, with_answer};
use crate::support::{DeskPhone, Exchange, ack, in_dialog, invite, register, signed, transport};

/// RFC 3665 §3.1 and 3.2: Successful Session Establishment; the exchange challenges (§3.3), and hangs up the other side.
#[tokio::test]
async fn rfc_3665_3_2_session_establishment() {
    let (_exchange, mut ladder, [mut alice, mut bob]) = stage(["alice", "bob"]).await;
    let talk = talk(&mut ladder, &mut alice, &mut bob).await;
    talk.ends(&mut ladder, &mut alice, &mut bob, 1).await;
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
        |                  |<------ BYE ------|
        |                  |---- 200 BYE ---->|
        |<------ BYE ------|                  |
        |---- 200 BYE ---->|                  |");
}

/// RFC 3665 §3.8: Unsuccessful No Answer.
#[tokio::test]
async fn rfc_3665_3_8_no_answer() {
    let (_exchange, mut ladder, [mut alice, mut bob]) = stage(["alice", "bob"]).await;
    let (text, called) = rings(&mut ladder, &mut alice, "bob", &mut bob).await;
    let head = text.split("Contact:").next().unwrap();
    let cancel = head.replacen("INVITE", "CANCEL", 1);
    let cancel = cancel.replacen(" INVITE\r\n", " CANCEL\r\n", 1) + EMPTY;
    alice.sends(&mut ladder, &cancel).await;
    alice.response(&mut ladder, 200).await;
    let refused = alice.response(&mut ladder, 487).await;
    alice.sends(&mut ladder, &ack(&text, &refused)).await;
    let cancelled = bob.request(&mut ladder, Method::Cancel).await;
    bob.answers(&mut ladder, &cancelled, 200, EMPTY).await;
    bob.answers(&mut ladder, &called, 487, EMPTY).await;
    bob.request(&mut ladder, Method::Ack).await;
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
        |---- CANCEL ----->|                  |
        |<-- 200 CANCEL ---|                  |
        |<------ 487 ------|                  |
        |------ ACK ------>|                  |
        |                  |---- CANCEL ----->|
        |                  |<-- 200 CANCEL ---|
        |                  |<------ 487 ------|
        |                  |------ ACK ------>|");
}

/// RFC 3665 §3.9: Unsuccessful Busy.
#[tokio::test]
async fn rfc_3665_3_9_busy() {
    let (_exchange, mut ladder, [mut alice, mut bob]) = stage(["alice", "bob"]).await;
    let text = alice.invites(&mut ladder, "bob").await;
    let called = bob.request(&mut ladder, Method::Invite).await;
    refuses(&mut ladder, (&mut bob, &called, 486), &mut alice, &text).await;
    ladder.is("
        alice              exchange           bob
        |---- INVITE ----->|                  |
        |<------ 100 ------|                  |
        |<------ 401 ------|                  |
        |------ ACK ------>|                  |
        |---- INVITE ----->|                  |
        |<------ 100 ------|                  |
        |                  |---- INVITE ----->|
        |                  |<------ 486 ------|
        |                  |------ ACK ------>|
        |<------ 486 ------|                  |
        |------ ACK ------>|                  |");
}

/// RFC 3665 §3.4: Session with Proxy Failure. The exchange is where the figure has Alice: her trunk has two places,
/// and the first is silent.
#[tokio::test]
async fn rfc_3665_3_4_proxy_failure() {
    let (one, two) = (DeskPhone::unbound().await, DeskPhone::unbound().await);
    let service = "_sip._udp.provider.test";
    let names = NameServer::start(vec![
        srv(service, 10, one.port(), "a.provider.test"),
        srv(service, 20, two.port(), "b.provider.test"),
        a("a.provider.test", "127.0.0.1"),
        a("b.provider.test", "127.0.0.1"),
    ])
    .await;
    let pjsip = pjsip() + TRUNK + "provider.test\n";
    let files = [
        ("pjsip.conf", &*pjsip),
        ("extensions.conf", PLAN),
        ("res_parking.conf", PARKING),
    ];
    let transports = vec![transport("udp", "127.0.0.1", &[])];
    let exchange = Exchange::asking(&files, transports, &names).await;
    one.know(exchange.udp).await;
    two.know(exchange.udp).await;
    let mut ladder = Ladder::of(&["alice", "one", "two"]);
    let mut alice = Party::registered(&exchange, "alice").await;
    let (mut one, mut two) = (Party::desk("one", one), Party::desk("two", two));
    let text = alice.invites(&mut ladder, "94711").await;
    for _ in 0..4 {
        one.request(&mut ladder, Method::Invite).await;
    }
    let called = two.request(&mut ladder, Method::Invite).await;
    two.answers(&mut ladder, &called, 180, EMPTY).await;
    alice.response(&mut ladder, 180).await;
    let talk = answered(&mut ladder, &mut alice, &mut two, text, called).await;
    talk.ends(&mut ladder, &mut alice, &mut two, 1).await;
    ladder.is("
        alice              exchange           one                two
        |---- INVITE ----->|                  |                  |
        |<------ 100 ------|                  |                  |
        |<------ 401 ------|                  |                  |
        |------ ACK ------>|                  |                  |
        |---- INVITE ----->|                  |                  |
        |<------ 100 ------|                  |                  |
        |                  |---- INVITE ----->|                  |
        |                  |---- INVITE ----->|                  |
        |                  |---- INVITE ----->|                  |
        |                  |---- INVITE ----->|                  |
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

/// RFC 3665 §3.6: Session via Redirect and Proxy Servers with SDP in ACK. Bob's phone is who redirects; the exchange goes there
/// itself. Alice offers nothing: the offer is in the 200, her answer in the ACK.
#[tokio::test]
async fn rfc_3665_3_6_redirect() {
    let (_exchange, mut ladder, [mut alice, mut bob, mut carol]) =
        stage(["alice", "bob", "carol"]).await;
    let first = invite("alice", "bob", "alice1", "");
    let first = first.replace("Content-Type: application/sdp\r\n", "");
    let text = alice.invites_as(&mut ladder, &first).await;
    let called = bob.request(&mut ladder, Method::Invite).await;
    let moved = tagged(&called, 302, "bob", EMPTY);
    let moved = moved.replacen(
        "<sip:phone@127.0.0.1;transport=ws>",
        "<sip:carol@127.0.0.1>",
        1,
    );
    bob.sends(&mut ladder, &moved).await;
    bob.request(&mut ladder, Method::Ack).await;
    alice.response(&mut ladder, 181).await;
    let called = carol.request(&mut ladder, Method::Invite).await;
    carol.answers(&mut ladder, &called, 180, EMPTY).await;
    alice.response(&mut ladder, 180).await;
    let answer = with_answer();
    carol.answers(&mut ladder, &called, 200, &answer).await;
    carol.request(&mut ladder, Method::Ack).await;
    let ok = alice.response(&mut ladder, 200).await;
    assert!(sdp::parse(&ok.body).is_ok(), "{ok:?}");
    let answer = in_dialog("ACK", 2, &text, &ok, &answer);
    alice.sends(&mut ladder, &answer).await;
    let talk = Talk {
        callee: carol.name,
        text,
        ok,
        called,
    };
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
        |                  |<------ 302 ------|                  |
        |                  |------ ACK ------>|                  |
        |<------ 181 ------|                  |                  |
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

/// RFC 3665 §3.7: Session with re-INVITE (IP Address Change). The exchange answers it itself; Alice's side stays, and what
/// comes for Bob after it goes to his new address.
#[tokio::test]
async fn rfc_3665_3_7_re_invite() {
    let (_exchange, mut ladder, [mut alice, mut bob]) = stage(["alice", "bob"]).await;
    let talk = talk(&mut ladder, &mut alice, &mut bob).await;
    let moved = offering("sendrecv", 1).replace("<sip:phone@127.0.0.1;", "<sip:phone@192.0.2.9;");
    let invite = talk.by_callee(1, "INVITE", &moved);
    bob.sends(&mut ladder, &invite).await;
    bob.response(&mut ladder, 100).await;
    let ok = bob.response(&mut ladder, 200).await;
    assert!(sdp::parse(&ok.body).is_ok(), "{ok:?}");
    let ack = talk.by_callee(1, "ACK", EMPTY);
    bob.sends(&mut ladder, &ack).await;
    let bye = talk.by_caller(3, "BYE", EMPTY);
    alice.sends(&mut ladder, &bye).await;
    alice.response(&mut ladder, 200).await;
    let bye = bob.request(&mut ladder, Method::Bye).await;
    assert!(bye.uri.to_string().contains("@192.0.2.9"), "{}", bye.uri);
    bob.answers(&mut ladder, &bye, 200, EMPTY).await;
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
        |------ BYE ------>|                  |
        |<---- 200 BYE ----|                  |
        |                  |------ BYE ------>|
        |                  |<---- 200 BYE ----|");
}

/// RFC 3665 §3.10: Unsuccessful No Response from User Agent.
#[tokio::test]
async fn rfc_3665_3_10_no_response() {
    let exchange = with(&(pjsip() + "[system]\ntype=system\ntimer_t1=100\n")).await;
    let mut ladder = Ladder::of(&["alice", "bob"]);
    let mut alice = Party::registered(&exchange, "alice").await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let own = format!("<sip:bob@127.0.0.1:{}>", phone.port());
    let text = register("bob", &own).replace("SIP/2.0/WS", "SIP/2.0/UDP");
    let challenged = phone.ask(&text).await;
    let text = signed(&text, &challenged, "bobby", "builder");
    assert_eq!(phone.ask(&text).await.status.code(), 200);
    let mut bob = Party::desk("bob", phone);
    let text = alice.invites(&mut ladder, "brief").await;
    for _ in 0..4 {
        bob.request(&mut ladder, Method::Invite).await;
    }
    let refused = alice.response(&mut ladder, 480).await;
    alice.sends(&mut ladder, &ack(&text, &refused)).await;
    ladder.is("
        alice              exchange           bob
        |---- INVITE ----->|                  |
        |<------ 100 ------|                  |
        |<------ 401 ------|                  |
        |------ ACK ------>|                  |
        |---- INVITE ----->|                  |
        |<------ 100 ------|                  |
        |                  |---- INVITE ----->|
        |                  |---- INVITE ----->|
        |                  |---- INVITE ----->|
        |                  |---- INVITE ----->|
        |<------ 480 ------|                  |
        |------ ACK ------>|                  |");
}

/// RFC 3665 §3.11: Unsuccessful Temporarily Unavailable.
#[tokio::test]
async fn rfc_3665_3_11_temporarily_unavailable() {
    let (_exchange, mut ladder, [mut alice, mut bob]) = stage(["alice", "bob"]).await;
    let (text, called) = rings(&mut ladder, &mut alice, "bob", &mut bob).await;
    refuses(&mut ladder, (&mut bob, &called, 480), &mut alice, &text).await;
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
        |                  |<------ 480 ------|
        |                  |------ ACK ------>|
        |<------ 480 ------|                  |
        |------ ACK ------>|                  |");
}
