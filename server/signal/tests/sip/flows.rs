//! Call flows of RFC 3665 and RFC 5359 as the exchange plays them, over sockets: what each test compares is the
//! figure of the RFC, with the exchange as the proxy. docs/flows.md lists them, and those that do not apply.

use sip::{HeaderName, Message, Method, Request, Response};

use crate::outbound::{EMPTY, tagged, with_answer};
use crate::support::{
    Exchange, OFFER, PJSIP, Phone, ack, contact, in_dialog, invite, register, reply, signed,
};

const PLAN: &str = "
[phones]
exten => bob,1,Dial(PJSIP/bob,20)
exten => carol,1,Dial(PJSIP/carol,20)
exten => both,1,Dial(PJSIP/bob&PJSIP/carol,20)
exten => forward,1,Dial(PJSIP/bob,20)
 same => n,Dial(PJSIP/carol,20)
";

/// Room for a message between two participants.
const WIDTH: usize = 18;

/// What went between the exchange and the phones, in the order of time.
#[derive(Default)]
struct Ladder {
    lines: Vec<String>,
    participants: Vec<&'static str>,
}

impl Ladder {
    /// A column for each, with the exchange after the first.
    fn of(phones: &[&'static str]) -> Self {
        let mut participants = phones.to_vec();
        participants.insert(1, "exchange");
        Self {
            lines: Vec::new(),
            participants,
        }
    }

    fn arrow(&mut self, from: &str, to: &str, what: &str) {
        let place = |name: &str| {
            self.participants
                .iter()
                .position(|own| *own == name)
                .unwrap()
        };
        let (start, end) = (place(from), place(to));
        let (left, right) = (start.min(end), start.max(end));
        let span = (right - left) * (WIDTH + 1) - 1;
        let label = format!(" {what} ");
        let rest = span.saturating_sub(label.len() + 1);
        let dashes = |count: usize| "-".repeat(count);
        let (before, after) = (rest / 2, rest - rest / 2);
        let shaft = match start < end {
            true => format!("{}{label}{}>", dashes(before), dashes(after)),
            false => format!("<{}{label}{}", dashes(before), dashes(after)),
        };
        let mut line = String::from("|");
        for gap in 0..self.participants.len() - 1 {
            match gap {
                _ if gap == left => line += &format!("{shaft}|"),
                _ if gap > left && gap < right => {}
                _ => line += &format!("{}|", " ".repeat(WIDTH)),
            }
        }
        self.lines.push(line);
    }

    /// Compares with a figure; blanks in front of its lines and empty ones count for nothing.
    #[track_caller]
    fn is(&self, figure: &str) {
        let names = self.participants.iter();
        let head: String = names.map(|name| format!("{name:<0$}", WIDTH + 1)).collect();
        let mut own = vec![head.trim_end().to_owned()];
        own.extend(self.lines.iter().cloned());
        let wanted: Vec<&str> = figure
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        assert_eq!(own, wanted, "\n{}\n", own.join("\n"));
    }
}

/// A phone whose messages are drawn.
struct Party {
    name: &'static str,
    phone: Phone,
}

fn login(user: &str) -> (&'static str, &'static str) {
    match user {
        "bob" => ("bobby", "builder"),
        "carol" => ("carol", "lewis"),
        _ => ("alice", "wonderland"),
    }
}

/// A message in a word or two.
fn label(message: &Message) -> String {
    match message {
        Message::Request(request) => request.method.to_string(),
        Message::Response(response) => {
            let (_, method) = response
                .headers
                .get(&HeaderName::CSeq)
                .unwrap()
                .split_once(' ')
                .unwrap();
            match method {
                "INVITE" => response.status.code().to_string(),
                _ => format!("{} {method}", response.status.code()),
            }
        }
    }
}

impl Party {
    /// A phone that has not registered.
    async fn new(exchange: &Exchange, name: &'static str) -> Self {
        let phone = exchange.phone().await;
        Self { name, phone }
    }

    /// One that has.
    async fn registered(exchange: &Exchange, name: &'static str) -> Self {
        let mut party = Self::new(exchange, name).await;
        let (user, password) = login(name);
        let own = contact(&format!("{name}1"), name);
        let ok = party.phone.register(user, password, &own).await;
        let ok = match ok.status.code() {
            200 => ok,
            // The user of the account is not the one of its address.
            _ => {
                let text = register(name, &own);
                let challenged = party.phone.ask(&text).await;
                party
                    .phone
                    .ask(&signed(&text, &challenged, user, password))
                    .await
            }
        };
        assert_eq!(ok.status.code(), 200, "{ok:?}");
        party
    }

    async fn sends(&mut self, ladder: &mut Ladder, text: &str) {
        let bytes = bytes::Bytes::copy_from_slice(text.as_bytes());
        let message = Message::parse(&bytes).unwrap();
        ladder.arrow(self.name, "exchange", &label(&message));
        self.phone.send(text).await;
    }

    async fn gets(&mut self, ladder: &mut Ladder) -> Message {
        let message = self.phone.receive().await;
        ladder.arrow("exchange", self.name, &label(&message));
        message
    }

    async fn request(&mut self, ladder: &mut Ladder, method: Method) -> Request {
        match self.gets(ladder).await {
            Message::Request(request) if request.method == method => request,
            other => panic!("{} instead of {method} for {}", label(&other), self.name),
        }
    }

    async fn response(&mut self, ladder: &mut Ladder, status: u16) -> Response {
        match self.gets(ladder).await {
            Message::Response(response) if response.status.code() == status => response,
            other => panic!("{} instead of {status} for {}", label(&other), self.name),
        }
    }

    /// Answers a request.
    async fn answers(&mut self, ladder: &mut Ladder, request: &Request, status: u16, more: &str) {
        let text = match request.method {
            Method::Invite => tagged(request, status, self.name, more),
            _ => reply(request, status, more),
        };
        self.sends(ladder, &text).await;
    }

    /// Calls, is challenged and calls again; the INVITE that counts.
    async fn invites(&mut self, ladder: &mut Ladder, exten: &str) -> String {
        let first = invite(self.name, exten, &format!("{}1", self.name), OFFER);
        self.sends(ladder, &first).await;
        self.response(ladder, 100).await;
        let challenged = self.response(ladder, 401).await;
        self.sends(ladder, &ack(&first, &challenged)).await;
        let (user, password) = login(self.name);
        let text = signed(&first, &challenged, user, password);
        self.sends(ladder, &text).await;
        self.response(ladder, 100).await;
        text
    }
}

async fn exchange() -> Exchange {
    let pjsip = PJSIP.replace("supported_algorithms_uas=SHA-256\n", "");
    let pjsip = pjsip.replace("max_contacts=0", "max_contacts=1");
    let files = [("pjsip.conf", pjsip.as_str()), ("extensions.conf", PLAN)];
    Exchange::with_files(&files, signal::Keepalive::default()).await
}

/// RFC 3665 §2.1: Successful New Registration.
#[tokio::test]
async fn rfc_3665_2_1_successful_new_registration() {
    let exchange = exchange().await;
    let mut ladder = Ladder::of(&["bob"]);
    let mut bob = Party::new(&exchange, "bob").await;
    let text = register("bob", &contact("bob1", "1"));
    bob.sends(&mut ladder, &text).await;
    let challenged = bob.response(&mut ladder, 401).await;
    bob.sends(&mut ladder, &signed(&text, &challenged, "bobby", "builder"))
        .await;
    bob.response(&mut ladder, 200).await;
    ladder.is("
        bob                exchange
        |--- REGISTER ---->|
        |<- 401 REGISTER --|
        |--- REGISTER ---->|
        |<- 200 REGISTER --|");
}

/// RFC 3665 §2.5: Unsuccessful Registration.
#[tokio::test]
async fn rfc_3665_2_5_unsuccessful_registration() {
    let exchange = exchange().await;
    let mut ladder = Ladder::of(&["bob"]);
    let mut bob = Party::new(&exchange, "bob").await;
    let text = register("bob", &contact("bob1", "1"));
    bob.sends(&mut ladder, &text).await;
    let challenged = bob.response(&mut ladder, 401).await;
    bob.sends(&mut ladder, &signed(&text, &challenged, "bobby", "wrong"))
        .await;
    bob.response(&mut ladder, 401).await;
    ladder.is("
        bob                exchange
        |--- REGISTER ---->|
        |<- 401 REGISTER --|
        |--- REGISTER ---->|
        |<- 401 REGISTER --|");
}

/// RFC 3665 §2.4: Cancellation of Registration.
#[tokio::test]
async fn rfc_3665_2_4_cancellation_of_registration() {
    let exchange = exchange().await;
    let mut ladder = Ladder::of(&["bob"]);
    let mut bob = Party::registered(&exchange, "bob").await;
    let text = register("bob", "*").replacen("Supported:", "Expires: 0\r\nSupported:", 1);
    bob.sends(&mut ladder, &text).await;
    let challenged = bob.response(&mut ladder, 401).await;
    let signed = signed(&text, &challenged, "bobby", "builder");
    bob.sends(&mut ladder, &signed).await;
    bob.response(&mut ladder, 200).await;
    assert_eq!(exchange.signal.counts().bindings, 0);
    ladder.is("
        bob                exchange
        |--- REGISTER ---->|
        |<- 401 REGISTER --|
        |--- REGISTER ---->|
        |<- 200 REGISTER --|");
}

/// A call from Alice that Bob has answered.
struct Talk {
    text: String,
    ok: Response,
    called: Request,
}

async fn talk(ladder: &mut Ladder, alice: &mut Party, bob: &mut Party) -> Talk {
    let text = alice.invites(ladder, "bob").await;
    let called = bob.request(ladder, Method::Invite).await;
    bob.answers(ladder, &called, 180, EMPTY).await;
    alice.response(ladder, 180).await;
    bob.answers(ladder, &called, 200, &with_answer()).await;
    bob.request(ladder, Method::Ack).await;
    let ok = alice.response(ladder, 200).await;
    alice
        .sends(ladder, &in_dialog("ACK", 2, &text, &ok, EMPTY))
        .await;
    Talk { text, ok, called }
}

impl Talk {
    /// A request of Bob in the call.
    fn by_bob(&self, method: &str, more: &str) -> String {
        let header = |name: HeaderName| self.called.headers.get(&name).unwrap().to_owned();
        let target = match self.called.headers.contacts().unwrap() {
            sip::Contacts::List(list) => list[0].address.uri.clone(),
            sip::Contacts::Star => panic!("a star"),
        };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bK{}\r\n\
             Max-Forwards: 70\r\nFrom: {};tag=bob\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 1 {method}\r\n{more}",
            crate::support::unique(),
            header(HeaderName::To),
            header(HeaderName::From),
            header(HeaderName::CallId),
        )
    }
}

/// RFC 3665 §3.1 and 3.2: Successful Session Establishment; the exchange challenges (§3.3), and hangs up the other side.
#[tokio::test]
async fn rfc_3665_3_2_session_establishment() {
    let exchange = exchange().await;
    let mut ladder = Ladder::of(&["alice", "bob"]);
    let mut alice = Party::registered(&exchange, "alice").await;
    let mut bob = Party::registered(&exchange, "bob").await;
    let talk = talk(&mut ladder, &mut alice, &mut bob).await;
    bob.sends(&mut ladder, &talk.by_bob("BYE", EMPTY)).await;
    bob.response(&mut ladder, 200).await;
    let bye = alice.request(&mut ladder, Method::Bye).await;
    alice.answers(&mut ladder, &bye, 200, EMPTY).await;
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
    let exchange = exchange().await;
    let mut ladder = Ladder::of(&["alice", "bob"]);
    let mut alice = Party::registered(&exchange, "alice").await;
    let mut bob = Party::registered(&exchange, "bob").await;
    let text = alice.invites(&mut ladder, "bob").await;
    let called = bob.request(&mut ladder, Method::Invite).await;
    bob.answers(&mut ladder, &called, 180, EMPTY).await;
    alice.response(&mut ladder, 180).await;
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

/// RFC 3665 §3.9 and 3.11: Unsuccessful Busy, Temporarily Unavailable.
#[tokio::test]
async fn rfc_3665_3_9_busy() {
    let exchange = exchange().await;
    let mut ladder = Ladder::of(&["alice", "bob"]);
    let mut alice = Party::registered(&exchange, "alice").await;
    let mut bob = Party::registered(&exchange, "bob").await;
    let text = alice.invites(&mut ladder, "bob").await;
    let called = bob.request(&mut ladder, Method::Invite).await;
    bob.answers(&mut ladder, &called, 486, EMPTY).await;
    bob.request(&mut ladder, Method::Ack).await;
    let refused = alice.response(&mut ladder, 486).await;
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
        |                  |<------ 486 ------|
        |                  |------ ACK ------>|
        |<------ 486 ------|                  |
        |------ ACK ------>|                  |");
}

/// RFC 5359 §2.4: Transfer - Unattended. The exchange calls Carol itself; Alice keeps her dialog.
#[tokio::test]
async fn rfc_5359_2_4_transfer_unattended() {
    let exchange = exchange().await;
    let mut ladder = Ladder::of(&["alice", "bob", "carol"]);
    let mut alice = Party::registered(&exchange, "alice").await;
    let mut bob = Party::registered(&exchange, "bob").await;
    let mut carol = Party::registered(&exchange, "carol").await;
    let talk = talk(&mut ladder, &mut alice, &mut bob).await;
    let refer = talk.by_bob(
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
        |------ BYE ------>|                  |                  |
        |<---- 200 BYE ----|                  |                  |
        |                  |--------------- BYE ---------------->|
        |                  |<------------- 200 BYE --------------|");
}

/// RFC 5359 §2.8: Call Forwarding - Busy, by the dial plan.
#[tokio::test]
async fn rfc_5359_2_8_call_forwarding_busy() {
    let exchange = exchange().await;
    let mut ladder = Ladder::of(&["alice", "bob", "carol"]);
    let mut alice = Party::registered(&exchange, "alice").await;
    let mut bob = Party::registered(&exchange, "bob").await;
    let mut carol = Party::registered(&exchange, "carol").await;
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
    let exchange = exchange().await;
    let mut ladder = Ladder::of(&["alice", "bob", "carol"]);
    let mut alice = Party::registered(&exchange, "alice").await;
    let mut bob = Party::registered(&exchange, "bob").await;
    let mut carol = Party::registered(&exchange, "carol").await;
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
