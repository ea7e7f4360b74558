//! What strangers get: the same challenge for everybody, and an end to their own connection alone.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::SinkExt;
use signal::Keepalive;
use sip::{HeaderName, Message, Response};
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::support::{
    DeskPhone, Exchange, OFFER, PJSIP, Phone, ack, contact, invite, register, request, signed,
    signed_about, transport, until,
};

/// The shape of a response: everything but what is drawn at random or copied.
fn shape(response: &Response) -> Vec<String> {
    let text = String::from_utf8(response.to_bytes().to_vec()).unwrap();
    let lines = text.lines().filter(|line| {
        !["Via:", "From:", "To:", "Call-ID:"]
            .iter()
            .any(|name| line.starts_with(name))
    });
    lines
        .map(|line| match line.split_once("nonce=\"") {
            Some((before, rest)) => {
                let (nonce, after) = rest.split_once('"').unwrap();
                format!("{before}nonce={}{after}", nonce.len())
            }
            None => line.to_owned(),
        })
        .collect()
}

#[tokio::test]
async fn unknown_users_cannot_be_told_from_known_ones() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    for method in [
        "REGISTER",
        "INVITE",
        "OPTIONS",
        "MESSAGE",
        "SUBSCRIBE",
        "PUBLISH",
    ] {
        let mut shapes = Vec::new();
        for user in ["alice", "mallory"] {
            let text = match method {
                "REGISTER" => register(user, &contact("u", "a")),
                "INVITE" => invite(user, "100", "u", OFFER),
                _ => request(method, "sip:100@127.0.0.1", user, ""),
            };
            let first = phone.ask(&text).await;
            assert_eq!(first.status.code(), 401, "{method} {user}");
            if method == "INVITE" {
                phone.send(&ack(&text, &first)).await;
            }
            let again = signed(&text, &first, user, "wrong");
            let second = phone.ask(&again).await;
            assert_eq!(second.status.code(), 401, "{method} {user}");
            if method == "INVITE" {
                phone.send(&ack(&again, &second)).await;
            }
            assert!(!shape(&second).iter().any(|line| line.contains("stale")));
            shapes.push((shape(&first), shape(&second)));
        }
        assert_eq!(shapes[0], shapes[1], "{method}");
    }
    assert_eq!(
        exchange.switch.status().calls_total,
        0,
        "nothing reached the dial plan"
    );
    assert_eq!(exchange.signal.counts().failed_auths, 12);
}

#[tokio::test]
async fn digest_of_another_request_opens_nothing() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let asked = request("OPTIONS", "sip:246@127.0.0.1", "alice", "");
    let challenged = phone.ask(&asked).await;
    let proven = signed(&asked, &challenged, "alice", "wonderland");
    let line = proven
        .lines()
        .find(|line| line.starts_with("Authorization"))
        .unwrap()
        .to_owned();
    // The same header over another address, as if it had been overheard.
    let other = request(
        "OPTIONS",
        "sip:100@127.0.0.1",
        "alice",
        &format!("{line}\r\n"),
    );
    assert_eq!(phone.ask(&other).await.status.code(), 401);
    assert_eq!(phone.ask(&proven).await.status.code(), 200);
    // The same header again: its nonce count is spent, and the client may try again at once.
    let replayed = request(
        "OPTIONS",
        "sip:246@127.0.0.1",
        "alice",
        &format!("{line}\r\n"),
    );
    let answer = phone.ask(&replayed).await;
    assert_eq!(answer.status.code(), 401);
    assert_eq!(
        answer.headers.challenges().unwrap()[0].get("stale"),
        Some("true")
    );
}

/// Clients and proxies spell the URI of one request in two ways. What counts is who is called, and the
/// hash is made of what was signed.
#[tokio::test]
async fn digest_may_spell_the_same_resource_in_another_way() {
    let alice = ("alice", "wonderland");
    for (uri, digest, status) in [
        ("sip:127.0.0.1", "sip:127.0.0.1:5060", 200),
        ("sip:127.0.0.1:5060", "sip:127.0.0.1", 200),
        ("sip:246@10.0.0.1", "sip:246@sip.example;transport=tcp", 200),
        ("sip:2%346@127.0.0.1", "sips:246@127.0.0.1", 200),
        // SIPp.
        ("sip:246@127.0.0.1", "sip:127.0.0.1:5060", 200),
        ("sip:246@[::1]:5060", "sip:::1:5060", 200),
        ("sip:246@127.0.0.1", "sip:100@127.0.0.1", 401),
        ("sip:127.0.0.1", "sip:246@127.0.0.1", 401),
        ("sip:246@[::1]", "sip:100@::1:5060", 401),
        ("sip:246@127.0.0.1", "tel:100", 401),
        ("sip:246@127.0.0.1", "*", 401),
    ] {
        let exchange = Exchange::start().await;
        let phone = DeskPhone::connect(exchange.udp).await;
        let asked = request("OPTIONS", uri, "alice", "");
        let challenged = phone.ask(&asked).await;
        let text = signed_about(digest, &asked, &challenged, alice);
        let answer = phone.ask(&text).await;
        assert_eq!(answer.status.code(), status, "{uri} signed as {digest}");
        // Another URI than the signed one, however alike, has another hash.
        let asked = request("OPTIONS", uri, "alice", "");
        let challenged = phone.ask(&asked).await;
        let text = signed_about(digest, &asked, &challenged, alice);
        let forged = text.replacen(
            &format!("uri=\"{digest}\""),
            &format!("uri=\"{digest};a=b\""),
            1,
        );
        assert_ne!(text, forged);
        assert_eq!(phone.ask(&forged).await.status.code(), 401, "{digest}");
    }
}

#[tokio::test]
async fn guesser_is_stopped_and_his_neighbour_is_not() {
    let exchange = Exchange::start().await;
    let mut guesser = exchange.phone().await;
    let text = register("alice", &contact("u", "a"));
    let challenged = guesser.ask(&text).await;
    let mut refused = None;
    for guess in 0..60 {
        let answer = guesser
            .ask(&signed(&text, &challenged, "alice", &guess.to_string()))
            .await;
        if answer.status.code() == 503 {
            refused = Some(answer);
            break;
        }
        assert_eq!(answer.status.code(), 401);
    }
    let refused = refused.expect("the guesser is stopped");
    assert!(refused.headers.has(&HeaderName::RetryAfter));
    let mut neighbour = exchange.phone().await;
    let ok = neighbour
        .register("alice", "wonderland", &contact("v", "b"))
        .await;
    assert_eq!(
        ok.status.code(),
        200,
        "same address, right password, own connection"
    );
}

#[tokio::test]
async fn requests_of_proven_users_that_make_no_sense_are_refused_properly() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let text = "Content-Type: text/plain\r\n";
    let cases = [
        ("MESSAGE", "", 415),
        ("MESSAGE", text, 202),
        ("SUBSCRIBE", "Event: presence\r\n", 404),
        ("SUBSCRIBE", "Event: weather\r\n", 489),
        ("PUBLISH", "Event: presence\r\n", 489),
        ("REFER", "Refer-To: <sip:1@x>\r\n", 501),
    ];
    for (method, headers, expected) in cases {
        let text = request(method, "sip:100@127.0.0.1", "alice", headers);
        let answer = phone.ask_as("alice", "wonderland", &text).await;
        assert_eq!(answer.status.code(), expected, "{method}");
    }
}

#[tokio::test]
async fn malformed_credentials_are_a_bad_request() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let headers = [
        "Authorization: Digest username\r\n".to_owned(),
        "Authorization: Digest username=\"alice\", nonce=\"x\", realm=\"asterisk\", uri=\"sip:127.0.0.1\", algorithm=MD5\r\n".to_owned(),
        format!("Authorization: Digest {}\r\n", "a=b,".repeat(1_000)),
    ];
    for header in headers {
        let text = request("OPTIONS", "sip:127.0.0.1", "alice", &header);
        let answer = phone.ask(&text).await;
        assert!(
            matches!(answer.status.code(), 400 | 401),
            "{header}: {answer:?}"
        );
    }
    // Not ours, and so none: the challenge says what would be.
    let text = request(
        "OPTIONS",
        "sip:127.0.0.1",
        "alice",
        "Authorization: Bearer abc\r\n",
    );
    assert_eq!(phone.ask(&text).await.status.code(), 401);
}

#[tokio::test]
async fn garbage_ends_its_own_connection_after_a_while() {
    let exchange = Exchange::start().await;
    let mut bystander = exchange.phone().await;
    bystander
        .register("alice", "wonderland", &contact("u", "a"))
        .await;
    let mut stranger = exchange.phone().await;
    for number in 0..20 {
        let frame = if number % 2 == 0 {
            Frame::text("hello")
        } else {
            Frame::binary(vec![0xff, 0, 0xfe])
        };
        if stranger.socket.send(frame).await.is_err() {
            break;
        }
    }
    assert_eq!(stranger.frame().await, None, "closed");
    assert_eq!(exchange.signal.counts().garbage, 9);
    let answer = bystander
        .ask(&request("OPTIONS", "sip:127.0.0.1", "alice", ""))
        .await;
    assert_eq!(answer.status.code(), 401);
    assert_eq!(exchange.signal.counts().bindings, 1);
}

#[tokio::test]
async fn oversized_messages_end_their_own_connection() {
    let exchange = Exchange::start().await;
    let (mut bystander, mut stranger) = (exchange.phone().await, exchange.phone().await);
    let _ = stranger
        .socket
        .send(Frame::text("x".repeat(web::MESSAGE_BYTES_MAX + 1)))
        .await;
    assert_eq!(stranger.frame().await, None);
    let answer = bystander
        .ask(&request("OPTIONS", "sip:127.0.0.1", "alice", ""))
        .await;
    assert_eq!(answer.status.code(), 401);
}

#[tokio::test]
async fn datagrams_that_are_no_sip_get_no_answer() {
    let exchange = Exchange::start().await;
    let phone = DeskPhone::connect(exchange.udp).await;
    for garbage in [
        &b""[..],
        b"\r\n\r\n",
        b"\0",
        b"hello",
        &[0xff; 300],
        b"INVITE sip:a SIP/2.0\r\n",
    ] {
        phone.send(garbage).await;
    }
    // The next answer is the one to OPTIONS; the phone would have seen any other first.
    let text = request("OPTIONS", "sip:127.0.0.1", "alice", "").replace(
        "SIP/2.0/WS s58im4vdpmpn.invalid",
        "SIP/2.0/UDP 127.0.0.1;rport",
    );
    let answer = phone.ask(&text).await;
    assert_eq!(answer.status.code(), 401);
    assert_eq!(answer.headers.call_id().unwrap(), text_call_id(&text));
}

fn text_call_id(text: &str) -> &str {
    text.lines()
        .find_map(|line| line.strip_prefix("Call-ID: "))
        .unwrap()
}

#[tokio::test]
async fn silent_connection_is_pinged_and_closed() {
    let keepalive = Keepalive {
        ping_every: Duration::from_millis(20),
        silence_max: Duration::from_millis(100),
    };
    let exchange = Exchange::with(PJSIP, keepalive).await;
    // A client that reads answers pings by itself; one that does not read is silent.
    let silent = exchange.phone().await;
    let mut lively: Phone = exchange.phone().await;
    until("two are connected", || {
        exchange.signal.counts().websockets == 2
    })
    .await;
    let reading = async { lively.frame().await };
    tokio::select! {
        _ = reading => panic!("the lively one was closed"),
        () = until("the silent one is closed", || exchange.signal.counts().websockets == 1) => {}
    }
    drop(silent);
}

/// `dave` names an auth that no file defines, `eve` names none.
fn with_odd_endpoints() -> String {
    format!(
        "{PJSIP}\n[dave](phone)\naors=dave\nauth=nobody\n[dave]\ntype=aor\nmax_contacts=1\n\
         [eve](phone)\naors=eve\n[eve]\ntype=aor\nmax_contacts=1\n"
    )
}

/// Every way not to be authenticated ends before the switch hears of the call.
#[tokio::test]
async fn no_unproven_call_enters_the_dial_plan() {
    let exchange = Exchange::with(&with_odd_endpoints(), Keepalive::default()).await;
    let mut phone = exchange.phone().await;
    let attempts = [
        ("alice", "alice", ""),
        ("alice", "alice", "wrong"),
        ("alice", "bobby", "builder"),
        ("bob", "alice", "wonderland"),
        ("mallory", "mallory", "wonderland"),
        ("", "nobody", ""),
        ("dave", "dave", ""),
    ];
    for (from, user, password) in attempts {
        let text = invite(from, "100", "u", OFFER);
        let text = if from.is_empty() {
            text.replacen("<sip:@127.0.0.1>", "<sip:127.0.0.1>", 1)
        } else {
            text
        };
        let challenged = phone.ask(&text).await;
        assert_eq!(challenged.status.code(), 401, "{from}");
        phone.send(&ack(&text, &challenged)).await;
        let again = signed(&text, &challenged, user, password);
        let refused = phone.ask(&again).await;
        assert_eq!(refused.status.code(), 401, "{from} as {user}");
        phone.send(&ack(&again, &refused)).await;
    }
    // Nor does one that claims to belong to a call.
    let text = invite("alice", "100", "u", OFFER);
    let to = "To: <sip:100@127.0.0.1>";
    let text = text.replacen(to, &format!("{to};tag=x"), 1);
    let refused = phone.ask(&text).await;
    assert_eq!(refused.status.code(), 481);
    assert_eq!(exchange.switch.status().calls_total, 0);
}

/// A slip in `auth=` must not open the door: whatever is signed, there is nothing it could fit.
#[tokio::test]
async fn endpoint_whose_auth_does_not_exist_is_always_refused() {
    let exchange = Exchange::with(&with_odd_endpoints(), Keepalive::default()).await;
    let mut phone = exchange.phone().await;
    for (user, password) in [("dave", ""), ("dave", "nobody"), ("nobody", "")] {
        let text = register("dave", &contact("d", "d"));
        let refused = phone.ask_as(user, password, &text).await;
        assert_eq!(refused.status.code(), 401, "{user}:{password}");
    }
    assert_eq!(exchange.signal.counts().bindings, 0);
}

/// As Asterisk has it: without `auth=` the user of From is believed.
#[tokio::test]
async fn endpoint_without_auth_is_let_in_by_its_name_and_no_other_is() {
    let exchange = Exchange::with(&with_odd_endpoints(), Keepalive::default()).await;
    let mut phone = exchange.phone().await;
    let registered = phone.ask(&register("eve", &contact("e", "e"))).await;
    assert_eq!(registered.status.code(), 200, "{registered:?}");
    assert_eq!(exchange.signal.counts().bindings, 1);
    let text = invite("eve", "100", "e", OFFER);
    assert_eq!(phone.ask(&text).await.status.code(), 200);
    assert_eq!(exchange.switch.status().calls_total, 1);
    // It is From that names it: the open endpoint lends its name to nobody else.
    let text = register("alice", &contact("e", "e"));
    let refused = phone.ask_as("eve", "", &text).await;
    assert_eq!(refused.status.code(), 401);
    assert_eq!(exchange.signal.counts().bindings, 1);
}

/// Whoever writes another's address into his datagrams cannot spend what that address may fail: he has
/// no nonce that was given to it. And who guesses with a nonce of elsewhere learns nothing.
#[tokio::test]
async fn a_nonce_of_elsewhere_is_neither_tried_nor_held_against_anybody() {
    let exchange = Exchange::on(vec![transport("udp", "0.0.0.0", &[])]).await;
    let to = SocketAddr::from(([127, 0, 0, 1], exchange.udp.port()));
    let (here, elsewhere) = (
        DeskPhone::connect(to).await,
        DeskPhone::from("127.0.0.3:0", to).await,
    );
    let text = register("alice", "<sip:a@127.0.0.1>");
    let challenged = here.ask(&text).await;
    for password in ["wonderland", "guess"].into_iter().cycle().take(40) {
        let text = register("alice", "<sip:a@127.0.0.1>");
        let foreign = elsewhere
            .ask(&signed(&text, &challenged, "alice", password))
            .await;
        assert_eq!(foreign.status.code(), 401);
        let stale = foreign.headers.challenges().unwrap();
        assert_eq!(stale[0].get("stale"), Some("true"), "{password}");
    }
    assert_eq!(exchange.signal.counts().failed_auths, 0);
    let proven = signed(&text, &challenged, "alice", "wonderland");
    assert_eq!(here.ask(&proven).await.status.code(), 200);
}

/// A forged INVITE makes us send one answer to whom it names, and remember nothing.
#[tokio::test]
async fn an_invite_over_udp_without_credentials_leaves_nothing_behind() {
    let exchange = Exchange::start().await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let (asked, answered) = phone.exchange(&invite("alice", "100", "u", OFFER)).await;
    assert_eq!(answered.len(), 1, "no 100, one 401");
    assert!(
        answered[0].len() * 2 < asked * 3,
        "{} bytes for {asked}",
        answered[0].len()
    );
    let counts = exchange.signal.counts();
    assert_eq!(
        (counts.transactions, counts.invites, counts.dialogs),
        (0, 0, 0)
    );
}

/// Who is a guest, of whom nothing is asked, has no more calls that ring than a stranger; who has proven who he is has.
#[tokio::test]
async fn a_guest_who_was_let_in_once_may_ask_for_no_more() {
    let guests = "[anonymous]\ntype=endpoint\ncontext=phones\nallow=opus,vp8\nwebrtc=yes\n";
    let plan = "[phones]\nexten => bell,1,Ringing()\n same => n,Wait(60)\n";
    let exchange = crate::transfer::with_plan(&format!("{PJSIP}{guests}"), plan).await;
    let mut guest = exchange.phone().await;
    for n in 1..=17 {
        let status = said(&mut guest, &invite("stranger", "bell", "x", OFFER)).await;
        assert_eq!(status, if n <= 16 { 180 } else { 503 }, "call {n}");
    }
    let mut alice = exchange.phone().await;
    for n in 1..=18 {
        let text = invite("alice", "bell", "alice1", OFFER);
        let challenged = alice.ask(&text).await;
        alice.send(&ack(&text, &challenged)).await;
        let text = signed(&text, &challenged, "alice", "wonderland");
        assert_eq!(said(&mut alice, &text).await, 180, "call {n}");
    }
}

/// The first thing that is said of an INVITE besides 100.
async fn said(phone: &mut Phone, text: &str) -> u16 {
    phone.send(text).await;
    loop {
        let Message::Response(response) = phone.receive().await else {
            continue;
        };
        if response.status.code() != 100 {
            return response.status.code();
        }
    }
}
