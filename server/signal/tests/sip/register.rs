//! REGISTER as JsSIP, SIP.js, sipML5 and desk phones send it.

use sip::{Contacts, HeaderName, Response};

use crate::support::{
    DeskPhone, Exchange, Phone, again, contact, register, request, signed, until,
};

/// The contacts of a response as text.
fn contacts(response: &Response) -> Vec<String> {
    match response.headers.contacts().unwrap() {
        Contacts::List(list) => list
            .iter()
            .map(|contact| contact.raw().to_owned())
            .collect(),
        Contacts::Star => panic!("a star in a response"),
    }
}

#[tokio::test]
async fn jssip_registers_refreshes_and_leaves() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let own = contact("2qcaq1fp", "f40e");
    let first = register("alice", &own);
    let challenged = phone.ask(&first).await;
    assert_eq!(challenged.status.code(), 401);
    let challenge = challenged
        .headers
        .get(&HeaderName::WwwAuthenticate)
        .unwrap();
    assert!(
        challenge.starts_with("Digest realm=\"asterisk\","),
        "{challenge}"
    );
    assert!(challenge.contains("algorithm=MD5") && challenge.contains("qop=\"auth\""));

    let second = signed(&first, &challenged, "alice", "wonderland");
    let ok = phone.ask(&second).await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    assert_eq!(contacts(&ok), [own.as_str()], "echoed as it came");
    assert_eq!(ok.headers.get(&HeaderName::Expires), Some("600"));
    assert!(ok.headers.get(&HeaderName::Date).unwrap().ends_with(" GMT"));
    assert!(
        !ok.to_bytes().windows(4).any(|word| word == b"gruu"),
        "no GRUU is promised"
    );
    assert_eq!(ok.headers.get_all(&HeaderName::Via).count(), 1);
    assert!(ok.headers.to().unwrap().tag().is_some());
    assert_eq!(exchange.signal.counts().bindings, 1);

    // The next REGISTER of the same dialogue uses the nonce again with the next count.
    let refresh = again(&second, "").replace("nc=00000001", "nc=00000002");
    let credentials = refresh
        .lines()
        .find(|line| line.starts_with("Authorization"))
        .unwrap();
    let refreshed = phone
        .ask(&refresh.replacen(&format!("{credentials}\r\n"), "", 1))
        .await;
    assert_eq!(
        refreshed.status.code(),
        401,
        "without credentials it is challenged anew"
    );
    let text = again(&refresh.replacen(&format!("{credentials}\r\n"), "", 1), "");
    let ok = phone
        .ask(&signed(&text, &refreshed, "alice", "wonderland"))
        .await;
    assert_eq!(contacts(&ok).len(), 1, "one binding, refreshed");

    let gone = own.replace("expires=600", "expires=0");
    let ok = phone.register("alice", "wonderland", &gone).await;
    assert_eq!((ok.status.code(), contacts(&ok).len()), (200, 0));
    assert_eq!(exchange.signal.counts().bindings, 0);
}

#[tokio::test]
async fn every_library_finds_its_own_contact_in_the_answer() {
    let exchange = Exchange::start().await;
    // JsSIP, SIP.js without outbound, sipML5, Cyber Mega Phone 2K.
    let ways = [
        contact("lr5bh7jc", "448cd1ee"),
        "<sip:ojd8gl4k@5tpm1l0gu3qi.invalid;transport=ws>;expires=600".to_owned(),
        "\"bob\"<sip:bob@df7jal23ls0d.invalid;rtcweb-breaker=no;transport=ws>;expires=200;click2call=no;+g.oma.sip-im;+sip.ice;language=\"en,fr\"".to_owned(),
        "<sip:bob@127.0.0.1>;+sip.ice;reg-id=1;+sip.instance=\"<urn:uuid:448cd1ef>\";expires=300".to_owned(),
    ];
    for own in ways {
        let mut phone = exchange.phone().await;
        let text = register("bob", &own);
        let ok = phone.ask_as("bobby", "builder", &text).await;
        assert_eq!(ok.status.code(), 200, "{own}: {ok:?}");
        assert_eq!(
            contacts(&ok),
            [own],
            "remove_existing leaves the newest alone"
        );
    }
}

#[tokio::test]
async fn sipml5_before_its_challenge_counts_as_without_credentials() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let empty = "Authorization: Digest username=\"alice\",realm=\"127.0.0.1\",nonce=\"\",uri=\"sip:127.0.0.1\",response=\"\"\r\n";
    let text = again(&register("alice", &contact("x", "y")), empty);
    assert_eq!(phone.ask(&text).await.status.code(), 401);
    assert_eq!(exchange.signal.counts().failed_auths, 0);
}

#[tokio::test]
async fn desk_phone_registers_over_udp() {
    let exchange = Exchange::start().await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let text = register("alice", "<sip:alice@192.0.2.7:5060>;expires=10").replace(
        "SIP/2.0/WS s58im4vdpmpn.invalid",
        "SIP/2.0/UDP 192.0.2.7:5060;rport",
    );
    let challenged = phone.ask(&text).await;
    let via = challenged.headers.top_via().unwrap();
    assert!(via.received().is_some(), "the source is not what Via says");
    let ok = phone
        .ask(&signed(&text, &challenged, "alice", "wonderland"))
        .await;
    assert_eq!(ok.status.code(), 200);
    assert_eq!(
        contacts(&ok),
        ["<sip:alice@192.0.2.7:5060>;expires=60"],
        "clamped, not 423"
    );
    assert_eq!(exchange.signal.counts().udp_flows, 1);
}

#[tokio::test]
async fn contacts_beyond_max_contacts_are_refused_with_a_reason() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    for instance in ["a", "b"] {
        let ok = phone
            .register("alice", "wonderland", &contact("u", instance))
            .await;
        assert_eq!(ok.status.code(), 200);
    }
    let refused = phone
        .register("alice", "wonderland", &contact("u", "c"))
        .await;
    assert_eq!(refused.status.code(), 403);
    let warning = refused.headers.get(&HeaderName::Warning).unwrap();
    assert!(warning.contains("max_contacts"), "{warning}");
    assert_eq!(exchange.signal.counts().bindings, 2, "nothing changed");
    // What is there may still be refreshed and leave.
    let ok = phone
        .register("alice", "wonderland", &contact("u", "a"))
        .await;
    assert_eq!(ok.status.code(), 200);

    // With remove_existing the newest replaces, but one request may not bring more than fit.
    let two = format!("{}, {}", contact("u", "d"), contact("u", "e"));
    let text = register("bob", &two);
    assert_eq!(
        phone.ask_as("bobby", "builder", &text).await.status.code(),
        403
    );
    let text = register("carol", &contact("u", "f"));
    let refused = phone.ask_as("carol", "lewis", &text).await;
    assert_eq!(refused.status.code(), 403, "max_contacts=0");
}

#[tokio::test]
async fn star_unbinds_all_and_only_with_expires_zero() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    phone
        .register("alice", "wonderland", &contact("u", "a"))
        .await;
    phone
        .register("alice", "wonderland", &contact("u", "b"))
        .await;
    let star = |expires: &str| register("alice", &format!("*\r\nExpires: {expires}"));
    let refused = phone.ask_as("alice", "wonderland", &star("60")).await;
    assert_eq!(
        (refused.status.code(), exchange.signal.counts().bindings),
        (400, 2)
    );
    let ok = phone.ask_as("alice", "wonderland", &star("0")).await;
    assert_eq!(
        (ok.status.code(), exchange.signal.counts().bindings),
        (200, 0)
    );
}

#[tokio::test]
async fn question_without_contact_lists_the_bindings() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    phone
        .register("alice", "wonderland", &contact("u", "a"))
        .await;
    let ok = phone
        .ask_as("alice", "wonderland", &register("alice", ""))
        .await;
    assert_eq!((ok.status.code(), contacts(&ok).len()), (200, 1));
}

#[tokio::test]
async fn contacts_nobody_could_call_are_refused_before_the_challenge() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let answer = phone.ask(&register("alice", "<http://example.org>")).await;
    assert_eq!(answer.status.code(), 416);
    let long = format!("<sip:{}@x.invalid>", "u".repeat(4_000));
    assert_eq!(
        phone.ask(&register("alice", &long)).await.status.code(),
        400
    );
}

#[tokio::test]
async fn nobody_registers_for_another() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let text =
        register("alice", &contact("u", "a")).replacen("To: <sip:alice@", "To: <sip:bob@", 1);
    let refused = phone.ask_as("alice", "wonderland", &text).await;
    assert_eq!(refused.status.code(), 404);
    assert_eq!(exchange.signal.counts().bindings, 0);
}

#[tokio::test]
async fn path_is_kept_where_the_address_supports_it() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let own = contact("u", "a") + "\r\nPath: <sip:edge.example.org;lr>";
    let ok = phone
        .ask_as("bobby", "builder", &register("bob", &own))
        .await;
    assert_eq!(
        ok.headers.get(&HeaderName::Path),
        Some("<sip:edge.example.org;lr>")
    );
    let text =
        register("bob", &own).replace("Supported: path,gruu,outbound\r\n", "Supported: x\r\n");
    assert_eq!(
        phone.ask_as("bobby", "builder", &text).await.status.code(),
        420
    );
    let ok = phone
        .ask_as("alice", "wonderland", &register("alice", &own))
        .await;
    assert_eq!(
        (ok.status.code(), ok.headers.has(&HeaderName::Path)),
        (200, false)
    );
}

#[tokio::test]
async fn binding_dies_with_its_connection() {
    let exchange = Exchange::start().await;
    let (mut leaving, mut staying) = (exchange.phone().await, exchange.phone().await);
    leaving
        .register("alice", "wonderland", &contact("u", "a"))
        .await;
    staying
        .register("alice", "wonderland", &contact("v", "b"))
        .await;
    assert_eq!(exchange.signal.counts().bindings, 2);
    drop(leaving);
    until("one binding is left", || {
        exchange.signal.counts().bindings == 1
    })
    .await;
    let ok = staying
        .ask_as("alice", "wonderland", &register("alice", ""))
        .await;
    assert_eq!(contacts(&ok), [contact("v", "b")]);
}

#[tokio::test]
async fn instance_that_comes_back_replaces_itself() {
    let exchange = Exchange::start().await;
    let (mut before, mut after) = (exchange.phone().await, exchange.phone().await);
    before
        .register("alice", "wonderland", &contact("old", "a"))
        .await;
    let ok = after
        .register("alice", "wonderland", &contact("new", "a"))
        .await;
    assert_eq!(contacts(&ok), [contact("new", "a")]);
    // The old connection ends later, and takes nothing with it.
    drop(before);
    until("the old connection is gone", || {
        exchange.signal.counts().websockets == 1
    })
    .await;
    assert_eq!(exchange.signal.counts().bindings, 1);
}

#[tokio::test]
async fn older_request_does_not_undo_a_newer_one() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let first = register("alice", &contact("u", "a"));
    let challenged = phone.ask(&first).await;
    let newer = again(&again(&first, ""), "");
    let ok = phone
        .ask(&signed(&newer, &challenged, "alice", "wonderland"))
        .await;
    assert_eq!(ok.status.code(), 200);
    let late = signed(&first, &challenged, "alice", "wonderland")
        .replace("expires=600", "expires=0")
        .replace("nc=00000001", "nc=00000002");
    // The count is part of the digest, so a late one is made anew.
    let challenged = phone.ask(&late).await;
    assert_eq!(challenged.status.code(), 401);
    let late = first.replace("expires=600", "expires=0");
    let refused = phone
        .ask(&signed(&late, &challenged, "alice", "wonderland"))
        .await;
    assert_eq!(
        (refused.status.code(), exchange.signal.counts().bindings),
        (500, 1)
    );
}

#[tokio::test]
async fn options_is_answered_like_an_invite() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    for (uri, expected) in [
        ("sip:127.0.0.1", 200),
        ("sip:100@127.0.0.1", 200),
        ("sip:999@127.0.0.1", 404),
    ] {
        let text = request("OPTIONS", uri, "alice", "");
        let answer = phone.ask_as("alice", "wonderland", &text).await;
        assert_eq!(answer.status.code(), expected, "{uri}");
        assert_eq!(
            answer.headers.has(&HeaderName::Allow),
            expected == 200,
            "{uri}"
        );
    }
}

#[tokio::test]
async fn sha_256_is_challenged_where_it_is_asked_for() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    let text = request("OPTIONS", "sip:127.0.0.1", "carol", "");
    let challenged = phone.ask(&text).await;
    assert_eq!(
        challenged.headers.challenges().unwrap()[0].get("algorithm"),
        Some("SHA-256")
    );
    let ok = phone
        .ask(&signed(&text, &challenged, "carol", "lewis"))
        .await;
    assert_eq!(ok.status.code(), 200);
}

#[tokio::test]
async fn keepalives_of_rfc_5626_are_answered() {
    let exchange = Exchange::start().await;
    let mut phone: Phone = exchange.phone().await;
    phone.send("\r\n\r\n").await;
    assert_eq!(
        phone.frame().await.unwrap().into_text().unwrap().as_str(),
        "\r\n"
    );
    // A pong alone is not answered: what comes next is the answer to OPTIONS.
    phone.send("\r\n").await;
    let answer = phone
        .ask(&request("OPTIONS", "sip:127.0.0.1", "alice", ""))
        .await;
    assert_eq!(answer.status.code(), 401);
    assert_eq!(exchange.signal.counts().garbage, 0);
}
