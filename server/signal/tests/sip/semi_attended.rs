//! REFER with Replaces to a call that still rings: Bob talks to Alice, calls Carol, and connects the two before she answers.

use sip::{HeaderName, Message, Method, Request, Response};

use crate::outbound::{EMPTY, tagged, with_answer};
use crate::support::{Exchange, OFFER, PJSIP, Phone, ack, invite, reply, signed, until};
use crate::transfer::{Call, call, channels, escaped, exchange, leaves, login, phone, refer};

/// Bob calls Carol, whose phone rings: his INVITE, the 180 to it, and the INVITE to her.
async fn rings(bob: &mut Phone, carol: &mut Phone) -> (String, Response, Request) {
    let first = invite("bob", "carol", "bob1", OFFER);
    let challenged = bob.ask(&first).await;
    bob.send(&ack(&first, &challenged)).await;
    let (name, password) = login("bob");
    let text = signed(&first, &challenged, name, password);
    bob.send(&text).await;
    let called = carol.request().await;
    assert_eq!(called.method, Method::Invite);
    carol.send(&tagged(&called, 180, "carols", EMPTY)).await;
    loop {
        match bob.receive().await {
            Message::Response(response) if response.status.code() == 180 => {
                return (text, response, called);
            }
            Message::Response(response) => assert_eq!(response.status.code(), 100),
            Message::Request(request) => panic!("{request:?}"),
        }
    }
}

struct Office {
    exchange: Exchange,
    alice: Phone,
    bob: Phone,
    carol: Phone,
    /// Alice's call to Bob.
    talk: Call,
    /// Bob's INVITE, and that to Carol.
    text: String,
    called: Request,
    /// The REFER that connects Alice with Carol.
    refer: String,
}

async fn office() -> Office {
    let exchange = exchange(PJSIP).await;
    let mut alice = phone(&exchange, "alice").await;
    let mut bob = phone(&exchange, "bob").await;
    let mut carol = phone(&exchange, "carol").await;
    let talk = call(&mut alice, "alice", &mut bob, "bob").await;
    let (text, ringing, called) = rings(&mut bob, &mut carol).await;
    let replaces = format!(
        "{};to-tag={};from-tag={}",
        ringing.headers.call_id().unwrap(),
        ringing.headers.to().unwrap().tag().unwrap(),
        ringing.headers.from().unwrap().tag().unwrap()
    );
    let to = format!("sip:carol@127.0.0.1?Replaces={}", escaped(&replaces));
    let refer = talk.by_callee("REFER", 1, &refer(&to));
    Office {
        exchange,
        alice,
        bob,
        carol,
        talk,
        text,
        called,
        refer,
    }
}

impl Office {
    /// What Bob's phone is told, each answered as it must be: `202 REFER`, `BYE`, and so on.
    async fn told(&mut self, count: usize) -> Vec<String> {
        let mut told = Vec::new();
        for _ in 0..count {
            told.push(match self.bob.receive().await {
                Message::Request(request) => {
                    self.bob.send(&reply(&request, 200, EMPTY)).await;
                    let body = std::str::from_utf8(&request.body).unwrap().trim_end();
                    format!("{} {body}", request.method).trim_end().to_owned()
                }
                Message::Response(response) => {
                    let cseq = response.headers.get(&HeaderName::CSeq).unwrap();
                    let method = cseq.split(' ').nth(1).unwrap().to_owned();
                    if method == "INVITE" {
                        self.bob.send(&ack(&self.text, &response)).await;
                    }
                    format!("{} {method}", response.status.code())
                }
            });
        }
        told.sort();
        told
    }

    /// Alice talks to Carol, until one hangs up.
    async fn talks_and_ends(mut self) {
        until("Alice talks to Carol", || {
            let all = channels(&self.exchange);
            let mut devices: Vec<_> = all.into_iter().map(|(it, _)| it).collect();
            devices.sort();
            devices == ["PJSIP/alice", "PJSIP/carol"]
        })
        .await;
        self.alice.send(&self.talk.by_caller("BYE", 3, EMPTY)).await;
        leaves(&mut self.carol).await;
        until("all are gone", || channels(&self.exchange).is_empty()).await;
    }

    async fn carol_answers(&mut self) {
        let answer = tagged(&self.called, 200, "carols", &with_answer());
        self.carol.send(&answer).await;
        assert_eq!(self.carol.request().await.method, Method::Ack);
    }
}

#[tokio::test]
async fn who_is_referred_to_a_ringing_call_is_connected_when_it_is_answered() {
    let mut office = office().await;
    let refer = office.refer.clone();
    office.bob.send(&refer).await;
    let told = office.told(4).await;
    assert_eq!(
        told,
        ["202 REFER", "487 INVITE", "BYE", "NOTIFY SIP/2.0 200 OK"]
    );
    let all = channels(&office.exchange);
    assert!(
        all.contains(&("PJSIP/alice".to_owned(), "carol@phones:1".to_owned())),
        "she stands where Bob stood: {all:?}"
    );
    office.carol_answers().await;
    office.talks_and_ends().await;
}

/// Many phones give up the call that rings without waiting for the NOTIFY.
#[tokio::test]
async fn a_phone_may_cancel_right_behind_its_refer() {
    let mut office = office().await;
    let refer = office.refer.clone();
    office.bob.send(&refer).await;
    let via = office.text.lines().find(|line| line.starts_with("Via:"));
    let line = |name: &str| {
        let mut lines = office.text.lines();
        lines
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
    let uri = office.text.split(' ').nth(1).unwrap();
    let number = line("CSeq:").split_whitespace().nth(1).unwrap().to_owned();
    let cancel = format!(
        "CANCEL {uri} SIP/2.0\r\n{}\r\nMax-Forwards: 70\r\n{}\r\n{}\r\n{}\r\nCSeq: {number} CANCEL\r\n{EMPTY}",
        via.unwrap(),
        line("From:"),
        line("To:"),
        line("Call-ID:"),
    );
    office.bob.send(&cancel).await;
    let told = office.told(5).await;
    assert_eq!(
        told,
        [
            "200 CANCEL",
            "202 REFER",
            "487 INVITE",
            "BYE",
            "NOTIFY SIP/2.0 200 OK"
        ]
    );
    office.carol_answers().await;
    office.talks_and_ends().await;
}

#[tokio::test]
async fn the_transferred_leaves_while_it_rings() {
    let mut office = office().await;
    let refer = office.refer.clone();
    office.bob.send(&refer).await;
    office.told(4).await;
    let bye = office.talk.by_caller("BYE", 3, EMPTY);
    office.alice.send(&bye).await;
    let cancel = office.carol.request().await;
    assert_eq!(cancel.method, Method::Cancel);
    office.carol.send(&reply(&cancel, 200, EMPTY)).await;
    let gone = tagged(&office.called, 487, "carols", EMPTY);
    office.carol.send(&gone).await;
    assert_eq!(office.carol.request().await.method, Method::Ack);
    until("all are gone", || channels(&office.exchange).is_empty()).await;
}

#[tokio::test]
async fn a_called_party_that_refuses_ends_the_call_of_the_transferred() {
    let mut office = office().await;
    let refer = office.refer.clone();
    office.bob.send(&refer).await;
    office.told(4).await;
    let busy = tagged(&office.called, 486, "carols", EMPTY);
    office.carol.send(&busy).await;
    assert_eq!(office.carol.request().await.method, Method::Ack);
    leaves(&mut office.alice).await;
    until("all are gone", || channels(&office.exchange).is_empty()).await;
}
