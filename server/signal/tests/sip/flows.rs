//! Call flows of RFC 3665 and RFC 5359 as the exchange plays them, over sockets: what each test compares is the
//! figure of the RFC, with the exchange as the proxy. docs/flows.md lists them, and those that do not apply.

use sip::{HeaderName, Message, Method, Request, Response};

use crate::outbound::{EMPTY, tagged, with_answer};
use crate::support::{
    DeskPhone, Exchange, OFFER, PJSIP, Phone, ack, contact, in_dialog, invite, register, reply,
    signed,
};

mod handover;
mod registration;
mod services;
mod sessions;

const PLAN: &str = "
[phones]
include => parkedcalls
exten => bob,hint,PJSIP/bob
exten => bob,1,Dial(PJSIP/bob,20)
exten => carol,1,Dial(PJSIP/carol,20)
exten => both,1,Dial(PJSIP/bob&PJSIP/carol,20)
exten => forward,1,Dial(PJSIP/bob,20)
 same => n,Dial(PJSIP/carol,20)
exten => patient,1,Dial(PJSIP/bob,1)
 same => n,Dial(PJSIP/carol,20)
exten => brief,1,Dial(PJSIP/bob,1)
exten => away,1,Goto(carol,1)
exten => screened,1,GotoIf($[\"${CALLERID(num)}\" = \"alice\"]?no)
 same => n,Dial(PJSIP/carol,20)
 same => n(no),Hangup(21)
exten => _0X.,1,GotoIf($[\"${CALLERID(num)}\" = \"alice\"]?no)
 same => n,Goto(9${EXTEN:1},1)
 same => n(no),Hangup(21)
exten => _9X.,1,Dial(PJSIP/${EXTEN:1}@trunk,20)
";

const PARKING: &str = "
[default]
parkext=700
parkpos=701-709
context=parkedcalls
";

const TRUNK: &str = "
[trunk](phone)
aors=trunk
[trunk]
type=aor
contact=sip:";

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

/// How a party is reached.
enum Line {
    Socket(Box<Phone>),
    Desk(DeskPhone),
}

/// A phone whose messages are drawn.
struct Party {
    name: &'static str,
    line: Line,
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
        let line = Line::Socket(Box::new(exchange.phone().await));
        Self { name, line }
    }

    /// One that speaks over UDP.
    fn desk(name: &'static str, phone: DeskPhone) -> Self {
        let line = Line::Desk(phone);
        Self { name, line }
    }

    /// One that has.
    async fn registered(exchange: &Exchange, name: &'static str) -> Self {
        let mut phone = exchange.phone().await;
        let (user, password) = login(name);
        let text = register(name, &contact(&format!("{name}1"), name));
        let ok = phone.ask_as(user, password, &text).await;
        assert_eq!(ok.status.code(), 200, "{ok:?}");
        let line = Line::Socket(Box::new(phone));
        Self { name, line }
    }

    async fn sends(&mut self, ladder: &mut Ladder, text: &str) {
        let bytes = bytes::Bytes::copy_from_slice(text.as_bytes());
        let message = Message::parse(&bytes).unwrap();
        ladder.arrow(self.name, "exchange", &label(&message));
        match &mut self.line {
            Line::Socket(phone) => phone.send(text).await,
            Line::Desk(phone) => phone.send(text.as_bytes()).await,
        }
    }

    async fn gets(&mut self, ladder: &mut Ladder) -> Message {
        let message = self.silently_gets().await;
        ladder.arrow("exchange", self.name, &label(&message));
        message
    }

    /// Gets a message that is drawn later.
    async fn silently_gets(&mut self) -> Message {
        match &mut self.line {
            Line::Socket(phone) => phone.receive().await,
            Line::Desk(phone) => phone.receive().await,
        }
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

    /// Is hung up.
    async fn leaves(&mut self, ladder: &mut Ladder) {
        let bye = self.request(ladder, Method::Bye).await;
        self.answers(ladder, &bye, 200, EMPTY).await;
    }

    /// Sends a request that is challenged, and sends it again.
    async fn asks(&mut self, ladder: &mut Ladder, text: &str) {
        self.sends(ladder, text).await;
        let challenged = self.response(ladder, 401).await;
        let (user, password) = login(self.name);
        self.sends(ladder, &signed(text, &challenged, user, password))
            .await;
    }

    /// Calls, is challenged and calls again; the INVITE that counts.
    async fn invites(&mut self, ladder: &mut Ladder, exten: &str) -> String {
        let first = invite(self.name, exten, &format!("{}1", self.name), OFFER);
        self.invites_as(ladder, &first).await
    }

    /// The same with an INVITE that is written already.
    async fn invites_as(&mut self, ladder: &mut Ladder, first: &str) -> String {
        self.sends(ladder, first).await;
        self.response(ladder, 100).await;
        let challenged = self.response(ladder, 401).await;
        self.sends(ladder, &ack(first, &challenged)).await;
        let (user, password) = login(self.name);
        let text = signed(first, &challenged, user, password);
        self.sends(ladder, &text).await;
        self.response(ladder, 100).await;
        text
    }
}

fn pjsip() -> String {
    let pjsip = PJSIP.replace("supported_algorithms_uas=SHA-256\n", "");
    pjsip.replace("max_contacts=0", "max_contacts=1")
}

async fn exchange() -> Exchange {
    with(&pjsip()).await
}

/// With this pjsip.conf.
async fn with(pjsip: &str) -> Exchange {
    let files = [
        ("pjsip.conf", pjsip),
        ("extensions.conf", PLAN),
        ("res_parking.conf", PARKING),
    ];
    Exchange::with_files(&files, signal::Keepalive::default()).await
}

/// An exchange, these phones, all registered, and a ladder of them.
async fn stage<const N: usize>(names: [&'static str; N]) -> (Exchange, Ladder, [Party; N]) {
    let exchange = exchange().await;
    let mut parties = Vec::new();
    for name in names {
        parties.push(Party::registered(&exchange, name).await);
    }
    let parties = parties.try_into().ok().unwrap();
    (exchange, Ladder::of(&names), parties)
}

/// One calls an extension, and another rings: the INVITE that was sent, and the one that came.
async fn rings(
    ladder: &mut Ladder,
    caller: &mut Party,
    exten: &str,
    callee: &mut Party,
) -> (String, Request) {
    let text = caller.invites(ladder, exten).await;
    let called = callee.request(ladder, Method::Invite).await;
    callee.answers(ladder, &called, 180, EMPTY).await;
    caller.response(ladder, 180).await;
    (text, called)
}

/// The called refuses, and the caller hears of it.
async fn refuses(
    ladder: &mut Ladder,
    (callee, called, status): (&mut Party, &Request, u16),
    caller: &mut Party,
    text: &str,
) {
    callee.answers(ladder, called, status, EMPTY).await;
    callee.request(ladder, Method::Ack).await;
    let refused = caller.response(ladder, status).await;
    caller.sends(ladder, &ack(text, &refused)).await;
}

/// A call that was answered.
struct Talk {
    callee: &'static str,
    text: String,
    ok: Response,
    called: Request,
}

/// Alice calls Bob, who answers.
async fn talk(ladder: &mut Ladder, alice: &mut Party, bob: &mut Party) -> Talk {
    connects(ladder, alice, "bob", bob).await
}

/// One calls an extension, and another rings and answers.
async fn connects(
    ladder: &mut Ladder,
    caller: &mut Party,
    exten: &str,
    callee: &mut Party,
) -> Talk {
    let (text, called) = rings(ladder, caller, exten, callee).await;
    answered(ladder, caller, callee, text, called).await
}

/// The called answers.
async fn answered(
    ladder: &mut Ladder,
    caller: &mut Party,
    callee: &mut Party,
    text: String,
    called: Request,
) -> Talk {
    callee.answers(ladder, &called, 200, &with_answer()).await;
    callee.request(ladder, Method::Ack).await;
    let ok = caller.response(ladder, 200).await;
    caller
        .sends(ladder, &in_dialog("ACK", 2, &text, &ok, EMPTY))
        .await;
    Talk {
        callee: callee.name,
        text,
        ok,
        called,
    }
}

/// The head and body of another offer, after so many others.
fn offering(direction: &str, number: u32) -> String {
    let sdp = OFFER
        .replace("a=sendrecv", &format!("a={direction}"))
        .replacen("o=- 1 2 ", &format!("o=- 1 {} ", number + 2), 1);
    format!(
        "Contact: <sip:phone@127.0.0.1;transport=ws>\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}

/// A request in the call that this INVITE began, by who answered it.
fn of_callee(callee: &str, called: &Request, cseq: u32, method: &str, more: &str) -> String {
    let header = |name: HeaderName| called.headers.get(&name).unwrap().to_owned();
    let target = match called.headers.contacts().unwrap() {
        sip::Contacts::List(list) => list[0].address.uri.clone(),
        sip::Contacts::Star => panic!("a star"),
    };
    format!(
        "{method} {target} SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bK{}\r\n\
         Max-Forwards: 70\r\nFrom: {};tag={callee}\r\nTo: {}\r\nCall-ID: {}\r\n\
         CSeq: {cseq} {method}\r\n{more}",
        crate::support::unique(),
        header(HeaderName::To),
        header(HeaderName::From),
        header(HeaderName::CallId),
    )
}

impl Talk {
    /// A request of the caller in the call.
    fn by_caller(&self, cseq: u32, method: &str, more: &str) -> String {
        in_dialog(method, cseq, &self.text, &self.ok, more)
    }

    /// A request of the called in the call.
    fn by_callee(&self, cseq: u32, method: &str, more: &str) -> String {
        of_callee(self.callee, &self.called, cseq, method, more)
    }

    /// The called offers the streams anew.
    async fn offers(&self, ladder: &mut Ladder, callee: &mut Party, cseq: u32, direction: &str) {
        let invite = self.by_callee(cseq, "INVITE", &offering(direction, cseq));
        callee.sends(ladder, &invite).await;
        callee.response(ladder, 100).await;
        let ok = callee.response(ladder, 200).await;
        assert!(sdp::parse(&ok.body).is_ok());
        callee
            .sends(ladder, &self.by_callee(cseq, "ACK", EMPTY))
            .await;
    }

    /// The called hangs up, and the exchange hangs up the caller.
    async fn ends(&self, ladder: &mut Ladder, caller: &mut Party, callee: &mut Party, cseq: u32) {
        callee
            .sends(ladder, &self.by_callee(cseq, "BYE", EMPTY))
            .await;
        callee.response(ladder, 200).await;
        caller.leaves(ladder).await;
    }
}
