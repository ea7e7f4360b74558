//! Who is connected to whom, as phones are told and believed: P-Asserted-Identity, Remote-Party-ID, Privacy,
//! Diversion; before the answer, in the call, after a transfer. And the texts of the two.

use sip::{HeaderName, Headers, Method, Request, Response};

use crate::outbound::{EMPTY, tagged, with_answer};
use crate::support::{
    DeskPhone, Exchange, OFFER, PJSIP, Phone, ack, in_dialog, invite, reply, signed,
};
use crate::transfer::{Call, call, login, phone, refer, with_plan};

const PLAN: &str = "
[phones]
exten => alice,1,Dial(PJSIP/alice)
exten => bob,1,Dial(PJSIP/bob)
exten => carol,1,Dial(PJSIP/carol)
exten => quiet,1,Dial(PJSIP/bob,,I)
exten => named,1,Set(CONNECTEDLINE(all,i)=\"Desk\" <55>)
 same => n,Set(CONNECTEDLINE(num)=56)
 same => n,Answer()
 same => n,Set(CONNECTEDLINE(name)=Boss)
 same => n,Echo()
exten => local,1,Dial(Local/sent@phones)
exten => sent,1,Dial(PJSIP/bob)
 same => n,Set(GLOBAL(WENT)=${REDIRECTING(from-num)} ${REDIRECTING(reason)} ${REDIRECTING(count)})
exten => rdnis,1,Goto(${CALLERID(rdnis)}-${REDIRECTING(reason)}-${REDIRECTING(count)},1)
exten => 77-cfb-2,1,Hangup(17)
exten => text,1,Answer()
 same => n,ReceiveText(5)
 same => n,SendText(you said ${RECEIVETEXTMESSAGE})
 same => n,Verbose(${SENDTEXTSTATUS})
 same => n,Echo()
";

/// The usual phones with these options more.
async fn exchange(options: &[(&str, &str)]) -> Exchange {
    let mut pjsip = PJSIP.to_owned();
    for (endpoint, more) in options {
        let head = format!("[{endpoint}](phone)\n");
        pjsip = pjsip.replacen(&head, &format!("{head}{more}"), 1);
    }
    with_plan(&pjsip, PLAN).await
}

const TOLD: &str = "send_pai=yes\nsend_rpid=yes\n";
const TRUSTED: &str = "trust_id_inbound=yes\n";

fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.get(&HeaderName::from(name))
}

fn pai(headers: &Headers) -> Option<&str> {
    header(headers, "P-Asserted-Identity")
}

/// Calls an extension and returns the INVITE with its credentials.
async fn dials(caller: &mut Phone, from: &str, to: &str, more: &str) -> String {
    let first = invite(from, to, &format!("{from}1"), OFFER);
    let first = first.replacen("Contact:", &format!("{more}Contact:"), 1);
    let challenged = caller.ask(&first).await;
    caller.send(&ack(&first, &challenged)).await;
    let (name, password) = login(from);
    let text = signed(&first, &challenged, name, password);
    caller.send(&text).await;
    text
}

fn with(more: &str) -> String {
    format!("{more}{}", with_answer())
}

/// What comes next, which must be an answer to the phone's INVITE.
async fn answered(phone: &mut Phone, status: u16) -> Response {
    loop {
        let sip::Message::Response(response) = phone.receive().await else {
            panic!("no answer");
        };
        if response.status != sip::Status::TRYING {
            assert_eq!(response.status.code(), status, "{response:?}");
            return response;
        }
    }
}

async fn is_told(phone: &mut Phone, method: Method) -> Request {
    let request = phone.request().await;
    assert_eq!(request.method, method, "{request:?}");
    phone.send(&reply(&request, 200, EMPTY)).await;
    request
}

#[tokio::test]
async fn both_are_told_of_the_other_as_the_files_name_them() {
    let exchange = exchange(&[("alice", TOLD), ("bob", &format!("{TOLD}callerid_tag=x\n"))]).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let call = call(&mut alice, "alice", &mut bob, "bob").await;
    let called = &call.called.headers;
    assert_eq!(pai(called), Some("<sip:alice@127.0.0.1>"));
    assert_eq!(
        header(called, "Remote-Party-ID"),
        Some("<sip:alice@127.0.0.1>;party=calling;privacy=off;screen=no")
    );
    let ok = &call.ok.headers;
    assert_eq!(pai(ok), Some("\"Bob\" <sip:1002@127.0.0.1>"));
    assert_eq!(
        header(ok, "Remote-Party-ID"),
        Some("\"Bob\" <sip:1002@127.0.0.1>;party=called;privacy=off;screen=no")
    );
}

#[tokio::test]
async fn who_answers_is_believed_only_if_it_is_trusted() {
    for (trust, expected) in [
        ("trust_id_inbound=yes\n", "\"Robert\" <sip:7@127.0.0.1>"),
        ("trust_id_inbound=no\n", "\"Bob\" <sip:1002@127.0.0.1>"),
        (
            "trust_id_inbound=yes\ntrust_connected_line=no\n",
            "\"Bob\" <sip:1002@127.0.0.1>",
        ),
    ] {
        let exchange = exchange(&[("alice", TOLD), ("bob", trust)]).await;
        let mut alice = phone(&exchange, "alice").await;
        let mut bob = phone(&exchange, "bob").await;
        dials(&mut alice, "alice", "bob", "").await;
        let called = bob.request().await;
        let who = "P-Asserted-Identity: \"Robert\" <sip:7@x>\r\n";
        bob.send(&tagged(&called, 200, "t", &with(who))).await;
        let ok = answered(&mut alice, 200).await;
        assert_eq!(pai(&ok.headers), Some(expected), "{trust}");
    }
}

#[tokio::test]
async fn who_is_not_to_be_told_is_told_once_when_it_is_called() {
    let more = format!("{TOLD}send_connected_line=no\n");
    let exchange = exchange(&[("alice", &more), ("bob", &more)]).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let call = call(&mut alice, "alice", &mut bob, "bob").await;
    assert_eq!(pai(&call.called.headers), Some("<sip:alice@127.0.0.1>"));
    assert_eq!(pai(&call.ok.headers), None);
}

#[tokio::test]
async fn option_i_tells_the_caller_nothing_of_the_called() {
    let exchange = exchange(&[("alice", TOLD), ("bob", TRUSTED)]).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let call = call(&mut alice, "alice", &mut bob, "quiet").await;
    assert_eq!(pai(&call.ok.headers), None);
}

#[tokio::test]
async fn a_caller_is_told_before_the_answer_where_it_wants_that() {
    let more = format!("{TOLD}rpid_immediate=yes\n");
    let exchange = exchange(&[("alice", &more)]).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    dials(&mut alice, "alice", "bob", "").await;
    let called = bob.request().await;
    let ringing = answered(&mut alice, 180).await;
    assert_eq!(pai(&ringing.headers), Some("\"Bob\" <sip:1002@127.0.0.1>"));
    bob.send(&tagged(&called, 486, "t", EMPTY)).await;
}

/// 180 after early media would have many phones ring themselves instead of playing it.
#[tokio::test]
async fn a_caller_that_hears_something_is_told_by_183() {
    let more = format!("{TOLD}rpid_immediate=yes\n");
    let exchange = exchange(&[("alice", &more), ("bob", TRUSTED)]).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    dials(&mut alice, "alice", "bob", "").await;
    let called = bob.request().await;
    answered(&mut alice, 180).await;
    bob.send(&tagged(&called, 183, "t", &with_answer())).await;
    assert!(!answered(&mut alice, 183).await.body.is_empty());
    let who = with("P-Asserted-Identity: \"Eve\" <sip:9@x>\r\n");
    bob.send(&tagged(&called, 183, "t", &who)).await;
    let told = answered(&mut alice, 183).await;
    assert_eq!(pai(&told.headers), Some("\"Eve\" <sip:9@127.0.0.1>"));
    bob.send(&tagged(&called, 486, "t", EMPTY)).await;
}

#[tokio::test]
async fn who_changes_in_the_call_is_told_to_the_other_by_update() {
    let exchange = exchange(&[("alice", TOLD), ("bob", TRUSTED)]).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let call = call(&mut alice, "alice", &mut bob, "bob").await;
    let who = "P-Asserted-Identity: \"Eve\" <sip:9@x>\r\nContact: <sip:bob1@bob.invalid;transport=ws>\r\n";
    let update = format!("{who}Content-Length: 0\r\n\r\n");
    bob.send(&call.by_callee("UPDATE", 7, &update)).await;
    assert_eq!(bob.response().await.status.code(), 200);
    let update = is_told(&mut alice, Method::Update).await;
    assert_eq!(pai(&update.headers), Some("\"Eve\" <sip:9@127.0.0.1>"));
    assert!(update.body.is_empty());
}

#[tokio::test]
async fn a_phone_without_update_is_told_by_a_reinvite_unless_update_is_wanted() {
    for (method, expected) in [("invite", Method::Invite), ("update", Method::Update)] {
        let more = format!("{TOLD}connected_line_method={method}\n");
        let exchange = exchange(&[("alice", TRUSTED), ("bob", &more)]).await;
        let mut alice = phone(&exchange, "alice").await;
        let mut bob = phone(&exchange, "bob").await;
        // The answer of bob has no Allow.
        let call = call(&mut alice, "alice", &mut bob, "bob").await;
        let who = "Remote-Party-ID: \"Eve\" <sip:9@x>;privacy=off\r\n";
        let update = format!("{who}Content-Length: 0\r\n\r\n");
        alice.send(&call.by_caller("UPDATE", 7, &update)).await;
        assert_eq!(alice.response().await.status.code(), 200);
        let told = bob.request().await;
        assert_eq!(told.method, expected);
        assert_eq!(pai(&told.headers), Some("\"Eve\" <sip:9@127.0.0.1>"));
        assert_eq!(told.body.is_empty(), expected == Method::Update);
    }
}

#[tokio::test]
async fn who_is_transferred_is_told_who_answers() {
    let exchange = exchange(&[("alice", TOLD), ("carol", TOLD)]).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let mut carol = phone(&exchange, "carol").await;
    let first = call(&mut alice, "alice", &mut bob, "bob").await;
    bob.send(&first.by_callee("REFER", 9, &refer("sip:carol@127.0.0.1")))
        .await;
    let called = carol.request().await;
    assert_eq!(pai(&called.headers), Some("<sip:alice@127.0.0.1>"));
    // Carol has no callerid: it is whom was dialled.
    let update = is_told(&mut alice, Method::Update).await;
    assert_eq!(pai(&update.headers), Some("<sip:carol@127.0.0.1>"));
    carol.send(&tagged(&called, 200, "t", &with_answer())).await;
    assert_eq!(carol.request().await.method, Method::Ack);
}

#[tokio::test]
async fn an_attended_transfer_introduces_the_two_who_are_left() {
    let exchange = exchange(&[("alice", TOLD), ("carol", TOLD)]).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let mut carol = phone(&exchange, "carol").await;
    let first = call(&mut alice, "alice", &mut bob, "bob").await;
    let second = call(&mut bob, "bob", &mut carol, "carol").await;
    assert_eq!(
        pai(&second.called.headers),
        Some("\"Bob\" <sip:1002@127.0.0.1>")
    );
    attended(&mut bob, &first, &second).await;
    let update = is_told(&mut alice, Method::Update).await;
    assert_eq!(pai(&update.headers), Some("<sip:carol@127.0.0.1>"));
    let told = is_told(&mut carol, Method::Invite).await;
    assert_eq!(pai(&told.headers), Some("<sip:alice@127.0.0.1>"));
}

/// Bob joins the caller of its first call and the called of its second.
async fn attended(bob: &mut Phone, first: &Call, second: &Call) {
    let replaces = crate::transfer::escaped(&second.replaces_caller());
    let to = format!("sip:carol@127.0.0.1?Replaces={replaces}");
    bob.send(&first.by_callee("REFER", 9, &refer(&to))).await;
}

#[tokio::test]
async fn who_is_private_is_shown_to_who_is_trusted_alone() {
    let told = [
        ("", None, None),
        (
            "trust_id_outbound=yes\n",
            Some("\"Alice\" <sip:100@127.0.0.1>"),
            Some("\"Alice\" <sip:100@127.0.0.1>;party=calling;privacy=full;screen=no"),
        ),
    ];
    for (trust, expected_pai, expected_rpid) in told {
        let exchange = exchange(&[
            (
                "alice",
                "callerid=Alice <100>\ncallerid_privacy=prohib_not_screened\n",
            ),
            ("bob", &format!("{TOLD}{trust}")),
        ])
        .await;
        let mut alice = phone(&exchange, "alice").await;
        let mut bob = phone(&exchange, "bob").await;
        dials(&mut alice, "alice", "bob", "").await;
        let called = bob.request().await;
        let from = called.headers.from().unwrap();
        assert_eq!(from.uri.as_str(), "sip:anonymous@anonymous.invalid");
        assert_eq!(from.display_name.as_deref(), Some("Anonymous"));
        assert_eq!(pai(&called.headers), expected_pai);
        assert_eq!(header(&called.headers, "Remote-Party-ID"), expected_rpid);
        let privacy = expected_pai.map(|_| "id");
        assert_eq!(header(&called.headers, "Privacy"), privacy);
        bob.send(&tagged(&called, 486, "t", EMPTY)).await;
    }
}

#[tokio::test]
async fn a_caller_that_asks_for_privacy_gets_it() {
    let exchange = exchange(&[("bob", TOLD)]).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    dials(&mut alice, "alice", "bob", "Privacy: id\r\n").await;
    let called = bob.request().await;
    let from = called.headers.from().unwrap();
    assert_eq!(from.uri.as_str(), "sip:anonymous@anonymous.invalid");
    assert_eq!(pai(&called.headers), None);
    bob.send(&tagged(&called, 486, "t", EMPTY)).await;
}

#[tokio::test]
async fn a_call_that_is_sent_on_says_by_whom() {
    for (send, expected) in [
        (
            "",
            Some("\"Bob\" <sip:1002@127.0.0.1>;reason=unconditional"),
        ),
        ("send_diversion=no\n", None),
        ("send_diversion=no\nsend_history_info=yes\n", None),
    ] {
        let more = format!("redirect_method=uri_core\n{send}");
        let exchange = exchange(&[("alice", TOLD), ("bob", &more)]).await;
        let mut alice = phone(&exchange, "alice").await;
        let mut bob = phone(&exchange, "bob").await;
        let other = DeskPhone::connect(exchange.udp).await;
        dials(&mut alice, "alice", "bob", "").await;
        let called = bob.request().await;
        let port = other.port();
        let moved = tagged(&called, 302, "t", EMPTY);
        let (head, rest) = moved.split_once("Contact: <").unwrap();
        let (_, rest) = rest.split_once('>').unwrap();
        let moved = format!("{head}Contact: <sip:300@127.0.0.1:{port}>{rest}");
        bob.send(&moved).await;
        assert_eq!(bob.request().await.method, Method::Ack);
        let forwarded = answered(&mut alice, 181).await;
        assert_eq!(
            header(&forwarded.headers, "Diversion"),
            Some("\"Bob\" <sip:1002@127.0.0.1>;reason=unconditional")
        );
        let called = other.request().await;
        assert_eq!(header(&called.headers, "Diversion"), expected);
        let name = HeaderName::from("History-Info");
        let history: Vec<_> = called.headers.get_all(&name).collect();
        match send.contains("send_history_info=yes") {
            true => assert_eq!(
                history,
                [
                    "\"Bob\" <sip:1002@127.0.0.1>;index=1",
                    &format!("<sip:300@127.0.0.1:{port};cause=302>;index=1.1;mp=1")
                ]
            ),
            false => assert!(history.is_empty(), "{history:?}"),
        }
        other
            .send(tagged(&called, 486, "t", EMPTY).as_bytes())
            .await;
    }
}

/// A switchboard or another exchange sends the call on by itself: 181, with who did it, if it is trusted.
#[tokio::test]
async fn a_call_that_the_called_sends_on_says_by_whom() {
    const DIVERTED: &str = "Diversion: <sip:55@x>;reason=no-answer\r\n";
    let by = |user: &str, reason: &str| Some(format!("{user};reason={reason}"));
    let known = by("<sip:55@127.0.0.1>", "no-answer");
    let bob = by("\"Bob\" <sip:1002@127.0.0.1>", "unknown");
    let quiet = format!("{TOLD}send_diversion=no\n");
    let rows = [
        (
            TOLD,
            TRUSTED,
            "sent",
            DIVERTED,
            181,
            known.clone(),
            "55 cfnr 1",
        ),
        (TOLD, TRUSTED, "local", DIVERTED, 181, known, "55 cfnr 1"),
        (TOLD, TRUSTED, "sent", "", 181, bob, "1002 unknown 1"),
        (&quiet, TRUSTED, "sent", DIVERTED, 181, None, "55 cfnr 1"),
        // Nobody is believed who is not trusted, or whom the dial plan does not want to hear of.
        (
            TOLD,
            "trust_id_inbound=no\n",
            "sent",
            DIVERTED,
            180,
            None,
            "  0",
        ),
        (TOLD, TRUSTED, "quiet", DIVERTED, 180, None, ""),
    ];
    for (told, trust, exten, headers, status, diversion, expected) in rows {
        let exchange = exchange(&[("alice", told), ("bob", trust)]).await;
        let mut alice = phone(&exchange, "alice").await;
        let mut bob = phone(&exchange, "bob").await;
        dials(&mut alice, "alice", exten, "").await;
        let called = bob.request().await;
        bob.send(&tagged(&called, 181, "t", &format!("{headers}{EMPTY}")))
            .await;
        bob.send(&tagged(&called, 180, "t", EMPTY)).await;
        let first = answered(&mut alice, status).await;
        assert_eq!(header(&first.headers, "Diversion"), diversion.as_deref());
        if status != 180 {
            answered(&mut alice, 180).await;
        }
        bob.send(&tagged(&called, 486, "t", EMPTY)).await;
        answered(&mut alice, 486).await;
        let went = exchange.switch.global("WENT").unwrap_or_default();
        assert_eq!(went, expected, "{exten} {trust} {headers}");
    }
}

#[tokio::test]
async fn who_sent_a_call_on_to_us_is_known_to_the_dial_plan() {
    let exchange = exchange(&[]).await;
    let mut alice = phone(&exchange, "alice").await;
    let diverted =
        "Diversion: <sip:77@x>;reason=user-busy\r\nDiversion: <sip:66@x>;reason=away\r\n";
    dials(&mut alice, "alice", "rdnis", diverted).await;
    answered(&mut alice, 486).await;
    // The same by History-Info.
    let history = "History-Info: <sip:66@x>;index=1, <sip:77@x;cause=404>;index=1.1;mp=1\r\n\
                   History-Info: <sip:100@x;cause=486>;index=1.1.1;mp=1.1\r\n";
    dials(&mut alice, "alice", "rdnis", history).await;
    answered(&mut alice, 486).await;
}

#[tokio::test]
async fn the_dial_plan_says_who_is_connected() {
    let exchange = exchange(&[("alice", TOLD)]).await;
    let mut alice = phone(&exchange, "alice").await;
    let text = dials(&mut alice, "alice", "named", "").await;
    let ok = answered(&mut alice, 200).await;
    assert_eq!(pai(&ok.headers), Some("\"Desk\" <sip:56@127.0.0.1>"));
    alice.send(&in_dialog("ACK", 2, &text, &ok, "")).await;
    let update = is_told(&mut alice, Method::Update).await;
    assert_eq!(pai(&update.headers), Some("\"Boss\" <sip:56@127.0.0.1>"));
}

#[tokio::test]
async fn texts_in_a_call_reach_the_other_party_both_ways() {
    let exchange = exchange(&[]).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let call = call(&mut alice, "alice", &mut bob, "bob").await;
    let text = "Content-Type: text/html\r\nContent-Length: 5\r\n\r\n<b>hi";
    alice.send(&call.by_caller("MESSAGE", 7, text)).await;
    assert_eq!(alice.response().await.status.code(), 200);
    let message = is_told(&mut bob, Method::Message).await;
    assert_eq!(&message.body[..], b"<b>hi");
    assert_eq!(header(&message.headers, "Content-Type"), Some("text/html"));
    let text = "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\nyes";
    bob.send(&call.by_callee("MESSAGE", 7, text)).await;
    assert_eq!(bob.response().await.status.code(), 200);
    assert_eq!(&is_told(&mut alice, Method::Message).await.body[..], b"yes");
}

#[tokio::test]
async fn the_dial_plan_reads_and_sends_texts_in_a_call() {
    let exchange = exchange(&[]).await;
    let mut alice = phone(&exchange, "alice").await;
    let text = dials(&mut alice, "alice", "text", "").await;
    let ok = answered(&mut alice, 200).await;
    alice.send(&in_dialog("ACK", 2, &text, &ok, "")).await;
    let hello = "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
    alice
        .send(&in_dialog("MESSAGE", 3, &text, &ok, hello))
        .await;
    let (mut answer, mut sent) = (false, None);
    while !answer || sent.is_none() {
        match alice.receive().await {
            sip::Message::Response(response) => answer = response.status.code() == 200,
            sip::Message::Request(request) => sent = Some(request),
        }
    }
    assert_eq!(&sent.unwrap().body[..], b"you said hello");
}
