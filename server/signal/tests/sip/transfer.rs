//! Transfers by phones: REFER, blind (RFC 3515) and attended (RFC 5589), and INVITE with Replaces (RFC 3891).

use signal::Keepalive;
use sip::{HeaderName, Method, Request, Response};

use crate::outbound::{EMPTY, tagged, with_answer};
use crate::support::{
    Exchange, OFFER, PJSIP, Phone, ack, contact, in_dialog, invite, register, reply, signed,
    unique, until,
};

const PLAN: &str = "
[phones]
exten => alice,1,Dial(PJSIP/alice)
exten => bob,1,Dial(PJSIP/bob)
exten => carol,1,Dial(PJSIP/carol)
exten => 302,1,Transfer(PJSIP/100)
exten => 202,1,Answer()
 same => n,Transfer(PJSIP/sip:202@example.com)
 same => n,Set(GLOBAL(WENT)=${TRANSFERSTATUS} ${TRANSFERSTATUSPROTOCOL})
 same => n,Echo()
exten => 100,1,Answer()
 same => n,Echo()
";

const LOGINS: [(&str, &str, &str); 3] = [
    ("alice", "alice", "wonderland"),
    ("bob", "bobby", "builder"),
    ("carol", "carol", "lewis"),
];

pub(crate) fn login(user: &str) -> (&'static str, &'static str) {
    let mut logins = LOGINS.iter().filter(|(name, ..)| *name == user);
    let (_, user, password) = logins.next().unwrap();
    (user, password)
}

pub(crate) async fn exchange(pjsip: &str) -> Exchange {
    with_plan(pjsip, PLAN).await
}

pub(crate) async fn with_plan(pjsip: &str, plan: &str) -> Exchange {
    let pjsip = pjsip.replace("supported_algorithms_uas=SHA-256\n", "");
    let pjsip = pjsip.replace("max_contacts=0", "max_contacts=1");
    let files = [("pjsip.conf", pjsip.as_str()), ("extensions.conf", plan)];
    Exchange::with_files(&files, Keepalive::default()).await
}

/// A registered phone.
pub(crate) async fn phone(exchange: &Exchange, user: &str) -> Phone {
    let mut phone = exchange.phone().await;
    let text = register(user, &contact(&format!("{user}1"), user));
    let challenged = phone.ask(&text).await;
    let (name, password) = login(user);
    let ok = phone.ask(&signed(&text, &challenged, name, password)).await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    phone
}

/// A call between two phones: the INVITE of the caller with its 200, and the INVITE to the called.
pub(crate) struct Call {
    pub(crate) text: String,
    pub(crate) ok: Response,
    pub(crate) called: Request,
    pub(crate) tag: String,
}

pub(crate) async fn call(caller: &mut Phone, from: &str, callee: &mut Phone, to: &str) -> Call {
    let first = invite(from, to, &format!("{from}1"), OFFER);
    let challenged = caller.ask(&first).await;
    caller.send(&ack(&first, &challenged)).await;
    let (name, password) = login(from);
    let text = signed(&first, &challenged, name, password);
    caller.send(&text).await;
    let called = callee.request().await;
    assert_eq!(called.method, Method::Invite);
    let tag = format!("t{}", unique());
    callee
        .send(&tagged(&called, 200, &tag, &with_answer()))
        .await;
    assert_eq!(callee.request().await.method, Method::Ack);
    let ok = caller.response().await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    caller.send(&in_dialog("ACK", 2, &text, &ok, "")).await;
    Call {
        text,
        ok,
        called,
        tag,
    }
}

impl Call {
    pub(crate) fn by_caller(&self, method: &str, cseq: u32, more: &str) -> String {
        in_dialog(method, cseq, &self.text, &self.ok, more)
    }

    pub(crate) fn by_callee(&self, method: &str, cseq: u32, more: &str) -> String {
        let header = |name: HeaderName| self.called.headers.get(&name).unwrap().to_owned();
        let target = match self.called.headers.contacts().unwrap() {
            sip::Contacts::List(list) => list[0].address.uri.clone(),
            sip::Contacts::Star => panic!("a star"),
        };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bK{}\r\n\
             Max-Forwards: 70\r\nFrom: {};tag={}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n{more}",
            unique(),
            header(HeaderName::To),
            self.tag,
            header(HeaderName::From),
            header(HeaderName::CallId),
        )
    }

    /// The Replaces that asks the exchange to replace the caller of this call.
    pub(crate) fn replaces_caller(&self) -> String {
        let to = self.ok.headers.to().unwrap();
        let from = self.ok.headers.from().unwrap();
        format!(
            "{};to-tag={};from-tag={}",
            self.ok.headers.call_id().unwrap(),
            to.tag().unwrap(),
            from.tag().unwrap()
        )
    }

    /// The same for the called.
    pub(crate) fn replaces_callee(&self) -> String {
        let from = self.called.headers.from().unwrap();
        let call_id = self.called.headers.call_id().unwrap();
        format!(
            "{call_id};to-tag={};from-tag={}",
            from.tag().unwrap(),
            self.tag
        )
    }
}

pub(crate) fn refer(to: &str) -> String {
    format!("Refer-To: <{to}>\r\nReferred-By: <sip:me@127.0.0.1>\r\nContent-Length: 0\r\n\r\n")
}

pub(crate) fn escaped(replaces: &str) -> String {
    replaces
        .replace(';', "%3B")
        .replace('=', "%3D")
        .replace('@', "%40")
}

/// The 202 of a REFER.
async fn accepted(phone: &mut Phone, refer: &str) {
    let accepted = phone.ask(refer).await;
    assert_eq!(accepted.status.code(), 202, "{accepted:?}");
}

/// The BYE and the NOTIFYs that who transferred gets, as many as there are of them: `active 180 Ringing`.
async fn told(phone: &mut Phone, cseq: u32, count: usize) -> Vec<String> {
    let mut told = Vec::new();
    for _ in 0..count {
        let request = phone.request().await;
        phone.send(&reply(&request, 200, EMPTY)).await;
        if request.method == Method::Bye {
            told.push("BYE".to_owned());
            continue;
        }
        assert_eq!(request.method, Method::Notify);
        let header = |name: HeaderName| request.headers.get(&name).unwrap().to_owned();
        assert_eq!(header(HeaderName::Event), format!("refer;id={cseq}"));
        assert_eq!(
            header(HeaderName::ContentType),
            "message/sipfrag;version=2.0"
        );
        let state = header(HeaderName::SubscriptionState);
        let state = match state.split_once(';').unwrap() {
            ("active", expires) => {
                let left: u32 = expires.strip_prefix("expires=").unwrap().parse().unwrap();
                assert!((590..=600).contains(&left), "{left}");
                "active"
            }
            (state, reason) => {
                assert_eq!(reason, "reason=noresource");
                state
            }
        };
        let body = std::str::from_utf8(&request.body).unwrap();
        let status = body.strip_prefix("SIP/2.0 ").unwrap();
        told.push(format!("{state} {}", status.trim_end()));
    }
    told
}

/// What who transferred is told where the other one reaches the exchange's own extension at once.
async fn transferred(phone: &mut Phone, refer: &str, cseq: u32) {
    accepted(phone, refer).await;
    let told = told(phone, cseq, 3).await;
    assert_eq!(told[0], "active 100 Trying");
    let mut rest = told[1..].to_vec();
    rest.sort();
    assert_eq!(rest, ["BYE", "terminated 200 OK"]);
}

pub(crate) async fn leaves(phone: &mut Phone) {
    let bye = phone.request().await;
    assert_eq!(bye.method, Method::Bye);
    phone.send(&reply(&bye, 200, EMPTY)).await;
}

pub(crate) fn channels(exchange: &Exchange) -> Vec<(String, String)> {
    let live = exchange.switch.status().live;
    let of = |call: switch::Live| {
        let (device, _) = call.channel.rsplit_once('-').unwrap();
        (device.to_owned(), call.location)
    };
    live.into_iter().map(of).collect()
}

#[tokio::test]
async fn the_called_sends_the_caller_on() {
    let exchange = exchange(PJSIP).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let talk = call(&mut alice, "alice", &mut bob, "bob").await;
    let text = talk.by_callee("REFER", 1, &refer("sip:100@127.0.0.1"));
    transferred(&mut bob, &text, 1).await;
    let to = ("PJSIP/alice".to_owned(), "100@phones:2".to_owned());
    until("Alice is in extension 100", || {
        channels(&exchange) == [to.clone()]
    })
    .await;
    let handle = exchange.switch.directory().all().remove(0);
    assert_eq!(handle.info().application, "Echo()");
}

#[tokio::test]
async fn the_caller_sends_the_called_on() {
    let exchange = exchange(PJSIP).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let mut carol = phone(&exchange, "carol").await;
    let talk = call(&mut alice, "alice", &mut bob, "bob").await;
    let text = talk.by_caller("REFER", 3, &refer("sip:carol@127.0.0.1"));
    accepted(&mut alice, &text).await;
    assert_eq!(told(&mut alice, 3, 2).await, ["active 100 Trying", "BYE"]);
    let called = carol.request().await;
    assert_eq!(called.method, Method::Invite);
    // Alice's call is over; she is told all the same how the new one goes on.
    carol.send(&tagged(&called, 180, "c", EMPTY)).await;
    assert_eq!(told(&mut alice, 3, 1).await, ["active 180 Ringing"]);
    carol.send(&tagged(&called, 200, "c", &with_answer())).await;
    assert_eq!(carol.request().await.method, Method::Ack);
    assert_eq!(told(&mut alice, 3, 1).await, ["terminated 200 OK"]);
    until("Bob talks to Carol", || {
        let devices: Vec<String> = channels(&exchange)
            .into_iter()
            .map(|(device, _)| device)
            .collect();
        devices == ["PJSIP/bob", "PJSIP/carol"]
    })
    .await;
    bob.send(&talk.by_callee("BYE", 2, EMPTY)).await;
    leaves(&mut carol).await;
}

#[tokio::test]
async fn who_transferred_is_told_why_nobody_was_reached() {
    let exchange = exchange(PJSIP).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let mut carol = phone(&exchange, "carol").await;
    let talk = call(&mut alice, "alice", &mut bob, "bob").await;
    let text = talk.by_callee("REFER", 1, &refer("sip:carol@127.0.0.1"));
    accepted(&mut bob, &text).await;
    assert_eq!(told(&mut bob, 1, 2).await, ["active 100 Trying", "BYE"]);
    let called = carol.request().await;
    carol.send(&tagged(&called, 486, "c", EMPTY)).await;
    assert_eq!(carol.request().await.method, Method::Ack);
    let last = told(&mut bob, 1, 1).await;
    assert_eq!(last, ["terminated 486 Busy Here"]);
    leaves(&mut alice).await;
}

#[tokio::test]
async fn without_refer_blind_progress_it_is_told_at_once_that_it_was_done() {
    let rule = "[bob](phone)\nrefer_blind_progress=no\n";
    let pjsip = PJSIP.replacen("[bob](phone)\n", rule, 1);
    assert!(pjsip.contains(rule));
    let exchange = exchange(&pjsip).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let mut carol = phone(&exchange, "carol").await;
    let talk = call(&mut alice, "alice", &mut bob, "bob").await;
    let text = talk.by_callee("REFER", 1, &refer("sip:carol@127.0.0.1"));
    accepted(&mut bob, &text).await;
    assert_eq!(told(&mut bob, 1, 2).await, ["terminated 200 OK", "BYE"]);
    assert_eq!(carol.request().await.method, Method::Invite);
}

/// Whoever of the two called: Bob connects his two calls and leaves both.
#[tokio::test]
async fn two_calls_of_one_phone_become_one() {
    for (bob_called_alice, bob_called_carol) in
        [(false, true), (true, true), (false, false), (true, false)]
    {
        let exchange = exchange(PJSIP).await;
        let mut alice = phone(&exchange, "alice").await;
        let mut bob = phone(&exchange, "bob").await;
        let mut carol = phone(&exchange, "carol").await;
        let first = match bob_called_alice {
            true => call(&mut bob, "bob", &mut alice, "alice").await,
            false => call(&mut alice, "alice", &mut bob, "bob").await,
        };
        let second = match bob_called_carol {
            true => call(&mut bob, "bob", &mut carol, "carol").await,
            false => call(&mut carol, "carol", &mut bob, "bob").await,
        };
        let replaces = match bob_called_carol {
            true => second.replaces_caller(),
            false => second.replaces_callee(),
        };
        let to = format!("sip:carol@127.0.0.1?Replaces={}", escaped(&replaces));
        let text = match bob_called_alice {
            true => first.by_caller("REFER", 7, &refer(&to)),
            false => first.by_callee("REFER", 7, &refer(&to)),
        };
        let accepted = bob.ask(&text).await;
        assert_eq!(accepted.status.code(), 202, "{accepted:?}");
        // The NOTIFY, and the ends of both calls.
        let mut methods = Vec::new();
        for _ in 0..3 {
            let request = bob.request().await;
            methods.push(request.method.to_string());
            bob.send(&reply(&request, 200, EMPTY)).await;
        }
        methods.sort();
        assert_eq!(methods, ["BYE", "BYE", "NOTIFY"]);
        until("Alice talks to Carol", || {
            let mut devices: Vec<_> = channels(&exchange).into_iter().map(|(it, _)| it).collect();
            devices.sort();
            devices == ["PJSIP/alice", "PJSIP/carol"]
        })
        .await;
        let bye = match bob_called_alice {
            true => first.by_callee("BYE", 8, EMPTY),
            false => first.by_caller("BYE", 8, EMPTY),
        };
        alice.send(&bye).await;
        leaves(&mut carol).await;
        until("all are gone", || channels(&exchange).is_empty()).await;
    }
}

#[tokio::test]
async fn an_invite_takes_the_place_of_a_party() {
    let exchange = exchange(PJSIP).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let mut carol = phone(&exchange, "carol").await;
    let talk = call(&mut alice, "alice", &mut bob, "bob").await;
    let take = |header: &str| {
        let text = invite("carol", "whoever", "carol1", OFFER);
        text.replacen("Supported:", &format!("{header}Supported:"), 1)
    };
    let rows = [
        ("Replaces: nonsense\r\n".to_owned(), 400),
        ("Replaces: a;to-tag=b;from-tag=c\r\n".to_owned(), 481),
        (
            format!("Replaces: {};early-only\r\n", talk.replaces_callee()),
            486,
        ),
    ];
    for (header, status) in rows {
        let refused = carol.ask_as("carol", "lewis", &take(&header)).await;
        assert_eq!(refused.status.code(), status, "{header}");
        let text = take(&header);
        carol.send(&ack(&text, &refused)).await;
    }
    let header = format!(
        "Require: replaces\r\nReplaces: {}\r\n",
        talk.replaces_callee()
    );
    let ok = carol.ask_as("carol", "lewis", &take(&header)).await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    leaves(&mut bob).await;
    let devices = |exchange: &Exchange| -> Vec<String> {
        channels(exchange)
            .into_iter()
            .map(|(device, _)| device)
            .collect()
    };
    until("Alice talks to Carol", || {
        devices(&exchange) == ["PJSIP/alice", "PJSIP/carol"]
    })
    .await;
    alice.send(&talk.by_caller("BYE", 3, EMPTY)).await;
    assert_eq!(alice.response().await.status.code(), 200);
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_and_the_call_goes_on() {
    let exchange = exchange(PJSIP).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let talk = call(&mut alice, "alice", &mut bob, "bob").await;
    let rows = [
        (refer("sip:nowhere@127.0.0.1"), 404),
        (refer("sip:127.0.0.1"), 400),
        (refer("tel:+4930"), 416),
        (
            refer("sip:x@127.0.0.1?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc"),
            481,
        ),
        (refer("sip:x@127.0.0.1?Replaces=a"), 400),
        (EMPTY.to_owned(), 400),
        (
            refer(&format!(
                "sip:x@127.0.0.1?Replaces={}",
                escaped(&talk.replaces_caller())
            )),
            400,
        ),
    ];
    for (number, (more, status)) in (3..).zip(rows) {
        let text = talk.by_caller("REFER", number, &more);
        let answer = alice.ask(&text).await;
        assert_eq!(answer.status.code(), status, "{more}");
    }
    assert_eq!(channels(&exchange).len(), 2);
}

#[tokio::test]
async fn an_endpoint_may_be_kept_from_it() {
    let pjsip = PJSIP.replacen("[alice](phone)\n", "[alice](phone)\nallow_transfer=no\n", 1);
    let exchange = exchange(&pjsip).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let talk = call(&mut alice, "alice", &mut bob, "bob").await;
    let refused = alice
        .ask(&talk.by_caller("REFER", 3, &refer("sip:100@127.0.0.1")))
        .await;
    assert_eq!(refused.status.code(), 603);
    let warning = refused.headers.get(&HeaderName::Warning);
    let expected = "399 sidetone \"the endpoint has allow_transfer=no\"";
    assert_eq!(warning, Some(expected));
    // RFC 4488: who wants to hear nothing more is told nothing more.
    let quiet = refer("sip:100@127.0.0.1").replacen("Refer-To", "Refer-Sub: false\r\nRefer-To", 1);
    let accepted = bob.ask(&talk.by_callee("REFER", 1, &quiet)).await;
    assert_eq!(accepted.status.code(), 202);
    assert_eq!(accepted.headers.get(&HeaderName::ReferSub), Some("false"));
    leaves(&mut bob).await;
}

/// Nobody is there to be transferred.
#[tokio::test]
async fn a_call_with_the_exchange_alone_is_not_transferred() {
    let exchange = exchange(PJSIP).await;
    let mut alice = phone(&exchange, "alice").await;
    let (text, ok) = crate::support::call(&mut alice, "100", "alice1").await;
    let refused = alice
        .ask(&in_dialog(
            "REFER",
            3,
            &text,
            &ok,
            &refer("sip:100@127.0.0.1"),
        ))
        .await;
    assert_eq!(refused.status.code(), 400);
}

#[tokio::test]
async fn a_caller_is_sent_on_before_the_answer() {
    let exchange = exchange(PJSIP).await;
    let mut alice = phone(&exchange, "alice").await;
    let first = invite("alice", "302", "alice1", OFFER);
    let moved = alice.ask_as("alice", "wonderland", &first).await;
    assert_eq!(moved.status.code(), 302);
    let contact = moved.headers.get(&HeaderName::Contact).unwrap();
    assert!(contact.starts_with("<sip:100@127.0.0.1:"), "{contact}");
    until("the call is over", || channels(&exchange).is_empty()).await;
}

#[tokio::test]
async fn a_caller_is_sent_on_in_the_call_and_says_what_came_of_it() {
    let rows = [
        (202, "SIP/2.0 200 OK\r\n", "SUCCESS 200"),
        (202, "SIP/2.0 486 Busy Here\r\n", "FAILURE 486"),
        (603, "", "FAILURE 603"),
    ];
    for (status, fragment, expected) in rows {
        let exchange = exchange(PJSIP).await;
        let mut alice = phone(&exchange, "alice").await;
        let (text, ok) = crate::support::call(&mut alice, "202", "alice1").await;
        let refer = alice.request().await;
        assert_eq!(refer.method, Method::Refer);
        let to = refer.headers.get(&HeaderName::ReferTo);
        assert_eq!(to, Some("<sip:202@example.com>"));
        alice.send(&reply(&refer, status, EMPTY)).await;
        let notify = |number: u32, fragment: &str| {
            let more = format!(
                "Event: refer\r\nSubscription-State: active\r\nContent-Type: message/sipfrag\r\n\
                 Content-Length: {}\r\n\r\n{fragment}",
                fragment.len()
            );
            in_dialog("NOTIFY", number, &text, &ok, &more)
        };
        if status == 202 {
            for (number, fragment) in [(3, "SIP/2.0 100 Trying\r\n"), (4, fragment)] {
                let answer = alice.ask(&notify(number, fragment)).await;
                assert_eq!(answer.status.code(), 200);
            }
        }
        let switch = exchange.switch.clone();
        until(expected, || {
            switch.global("WENT").as_deref() == Some(expected)
        })
        .await;
        let answer = alice.ask(&notify(5, "SIP/2.0 200 OK\r\n")).await;
        assert_eq!(
            answer.status.code(),
            481,
            "there is nothing to be told of any more"
        );
    }
}

/// The call that is to be joined is one of another exchange: the dial plan may know how to reach it.
#[tokio::test]
async fn a_call_of_somebody_else_is_for_external_replaces() {
    let plan = format!("{PLAN}exten => external_replaces,1,Answer()\n same => n,Echo()\n");
    let exchange = with_plan(PJSIP, &plan).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let talk = call(&mut alice, "alice", &mut bob, "bob").await;
    let to = "sip:carol@elsewhere.example.com?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc";
    let text = talk.by_callee("REFER", 1, &refer(to));
    transferred(&mut bob, &text, 1).await;
    let at = (
        "PJSIP/alice".to_owned(),
        "external_replaces@phones:2".to_owned(),
    );
    until("Alice is there", || channels(&exchange) == [at.clone()]).await;
}

#[tokio::test]
async fn a_replaces_of_no_call_is_said_to_be_one() {
    let exchange = with_plan(PJSIP, PLAN).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let talk = call(&mut alice, "alice", &mut bob, "bob").await;
    let to = "sip:carol@127.0.0.1?Replaces=a%3Bto-tag%3Dundefined%3Bfrom-tag%3Dc";
    let answer = bob.ask(&talk.by_callee("REFER", 1, &refer(to))).await;
    assert_eq!(answer.status.code(), 481, "{answer:?}");
    let answer = bob
        .ask(&talk.by_callee("BYE", 2, "Content-Length: 0\r\n\r\n"))
        .await;
    assert_eq!(answer.status.code(), 200, "{answer:?}");
    let told = || {
        let stories = exchange.switch.status().stories;
        let text = serde_json::to_string(&stories).unwrap();
        text.contains("Replaces names no call of this exchange") && text.contains("undefined")
    };
    until("the story says why", told).await;
}
