//! A phone of our own: SIP over a WebSocket (RFC 7118), registration and one call, as a browser's
//! library does it.
//!
//! It speaks in text rather than through `sip::Agent`, so that what it proves does not rest on the
//! machine that is being examined.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use sip::digest::{Answer, Secret};
use sip::{HeaderName, Message, Method, Request, Response};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::wire::Stream;

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// The endpoint and address of record.
    pub(crate) id: String,
    /// The user of the digest.
    pub(crate) username: String,
    pub(crate) password: config::Secret,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error("the exchange closed the WebSocket")]
    Closed,
    #[error("no answer within {} s", ANSWER_MAX.as_secs())]
    Silent,
    #[error("the challenge cannot be answered: {0}")]
    Challenge(String),
    #[error("the operating system gives no random bytes")]
    Random,
}

/// A connection that registers and calls.
pub(crate) struct Phone {
    socket: WebSocketStream<Stream>,
    pub(crate) account: Account,
    /// The host of the exchange's URIs.
    domain: String,
    /// Our own host, which nobody looks up (RFC 7118 §5.1).
    host: String,
    instance: String,
    cseq: u32,
}

/// A request outside of a dialog, or the first of one.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) method: &'static str,
    pub(crate) uri: String,
    pub(crate) to: String,
    pub(crate) call_id: String,
    pub(crate) tag: String,
    pub(crate) cseq: u32,
    pub(crate) branch: String,
    /// Whole header lines.
    pub(crate) more: String,
    pub(crate) body: String,
}

impl Phone {
    pub(crate) fn new(
        socket: WebSocketStream<Stream>,
        account: Account,
        domain: &str,
    ) -> Result<Self, Failed> {
        Ok(Self {
            socket,
            account,
            domain: domain.to_owned(),
            host: format!("{}.invalid", random()?),
            instance: random()?,
            cseq: 0,
        })
    }

    /// Sends a request; when it is challenged, once more with credentials. The final response, and the
    /// draft it answers.
    pub(crate) async fn ask(&mut self, mut draft: Draft) -> Result<(Response, Draft), Failed> {
        let first = self.transact(&draft).await?;
        if first.status.code() != 401 && first.status.code() != 407 {
            return Ok((first, draft));
        }
        if draft.method == "INVITE" {
            self.acknowledge(&draft, &first).await?;
        }
        let header = self.authorization(&draft, &first)?;
        draft.cseq = self.next_cseq();
        draft.branch = random()?;
        draft.more.push_str(&header);
        let second = self.transact(&draft).await?;
        Ok((second, draft))
    }

    fn authorization(&self, draft: &Draft, challenged: &Response) -> Result<String, Failed> {
        let challenges = challenged.headers.challenges();
        let challenges = challenges.map_err(|error| Failed::Challenge(error.to_string()))?;
        let method = Method::from(draft.method);
        let cnonce = random()?;
        let answer = Answer {
            username: &self.account.username,
            secret: Secret::Password(self.account.password.expose()),
            method: &method,
            uri: &draft.uri,
            cnonce: &cnonce,
            nc: 1,
        };
        let mut values = challenges.iter();
        let value = values.find_map(|challenge| answer.authorization(challenge));
        let name = match challenged.status.code() {
            407 => "Proxy-Authorization",
            _ => "Authorization",
        };
        match value {
            Some(value) => Ok(format!("{name}: {value}\r\n")),
            None => Err(Failed::Challenge(
                "it asks for a scheme or algorithm that browsers do not know".to_owned(),
            )),
        }
    }

    /// A draft with fresh identifiers.
    pub(crate) fn draft(
        &mut self,
        method: &'static str,
        uri: String,
        to: String,
    ) -> Result<Draft, Failed> {
        Ok(Draft {
            method,
            uri,
            to,
            call_id: random()?,
            tag: random()?,
            cseq: self.next_cseq(),
            branch: random()?,
            more: String::new(),
            body: String::new(),
        })
    }

    pub(crate) fn next_cseq(&mut self) -> u32 {
        self.cseq += 1;
        self.cseq
    }

    /// REGISTER with our Contact for so long; 0 removes it again.
    pub(crate) async fn register(&mut self, expires_s: Option<u32>) -> Result<Response, Failed> {
        let uri = format!("sip:{}", self.domain);
        let aor = format!("<sip:{}@{}>", self.account.id, self.domain);
        let mut draft = self.draft("REGISTER", uri, aor)?;
        if let Some(expires_s) = expires_s {
            let contact = self.contact();
            let instance = &self.instance;
            draft.more = format!(
                "Contact: <{contact}>;+sip.instance=\"<urn:uuid:{}-{}-4{}-8{}-{}>\";expires={expires_s}\r\n",
                &instance[..8],
                &instance[8..12],
                &instance[12..15],
                &instance[15..18],
                &instance[18..30],
            );
        }
        Ok(self.ask(draft).await?.0)
    }

    /// Our Contact.
    pub(crate) fn contact(&self) -> String {
        format!("sip:{}@{};transport=ws", USER, self.host)
    }

    /// The host of the exchange's URIs.
    pub(crate) fn domain(&self) -> &str {
        &self.domain
    }

    /// The text of a draft.
    pub(crate) fn text(&self, draft: &Draft) -> String {
        let Draft {
            method,
            uri,
            to,
            call_id,
            tag,
            cseq,
            branch,
            more,
            body,
        } = draft;
        let (id, domain, host) = (&self.account.id, &self.domain, &self.host);
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/WSS {host};branch=z9hG4bK{branch}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{id}@{domain}>;tag={tag}\r\nTo: {to}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nUser-Agent: sidetone doctor\r\n{more}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    async fn transact(&mut self, draft: &Draft) -> Result<Response, Failed> {
        let text = self.text(draft);
        self.send(text).await?;
        let end = Instant::now() + ANSWER_MAX;
        loop {
            let message = timeout_at(end, self.next()).await;
            match message.map_err(|_| Failed::Silent)?? {
                Message::Response(response) => {
                    let cseq = response.headers.cseq();
                    let is_ours = cseq.is_ok_and(|cseq| cseq.number == draft.cseq);
                    if is_ours && response.status.is_final() {
                        return Ok(response);
                    }
                }
                Message::Request(request) => self.decline(&request).await?,
            }
        }
    }

    /// Sends a message.
    pub(crate) async fn send(&mut self, text: String) -> Result<(), Failed> {
        let sent = self.socket.send(Frame::text(text)).await;
        sent.map_err(|_| Failed::Closed)
    }

    /// The next message. Frames that are no SIP are passed over.
    pub(crate) async fn next(&mut self) -> Result<Message, Failed> {
        loop {
            let frame = self.socket.next().await.ok_or(Failed::Closed)?;
            match frame.map_err(|_| Failed::Closed)? {
                Frame::Close(_) => return Err(Failed::Closed),
                Frame::Ping(_) | Frame::Pong(_) => {}
                frame => {
                    let bytes = Bytes::copy_from_slice(&frame.into_data());
                    if let Ok(message) = Message::parse(&bytes) {
                        return Ok(message);
                    }
                }
            }
        }
    }

    /// OPTIONS and NOTIFY are answered; calls to the account ring at its other phones.
    pub(crate) async fn decline(&mut self, request: &Request) -> Result<(), Failed> {
        let status = match request.method.as_str() {
            "ACK" => return Ok(()),
            "OPTIONS" | "NOTIFY" | "CANCEL" => "200 OK",
            "INVITE" => "480 Temporarily Unavailable",
            _ => "481 Call/Transaction Does Not Exist",
        };
        self.reply(request, status, "", "").await
    }

    /// Answers a request of the exchange.
    pub(crate) async fn reply(
        &mut self,
        request: &Request,
        status: &str,
        more: &str,
        body: &str,
    ) -> Result<(), Failed> {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for name in [
            HeaderName::Via,
            HeaderName::From,
            HeaderName::To,
            HeaderName::CallId,
            HeaderName::CSeq,
        ] {
            for value in request.headers.get_all(&name) {
                let needs_tag = name == HeaderName::To && !value.contains(";tag=");
                let tag = if needs_tag { ";tag=doctor" } else { "" };
                let _ = write!(text, "{name}: {value}{tag}\r\n");
            }
        }
        let _ = write!(text, "{more}Content-Length: {}\r\n\r\n{body}", body.len());
        self.send(text).await
    }

    /// The ACK of a refused INVITE: same branch, the To of the response (RFC 3261 §17.1.1.3).
    pub(crate) async fn acknowledge(
        &mut self,
        invite: &Draft,
        refused: &Response,
    ) -> Result<(), Failed> {
        let mut ack = invite.clone();
        ack.method = "ACK";
        ack.body.clear();
        ack.more.clear();
        if let Some(to) = refused.headers.get(&HeaderName::To) {
            to.clone_into(&mut ack.to);
        }
        let text = self.text(&ack);
        self.send(text).await
    }

    /// Says goodbye to the connection.
    pub(crate) async fn close(mut self) {
        let _ = self.socket.close(None).await;
    }
}

/// 32 random hexadecimal digits.
pub(crate) fn random() -> Result<String, Failed> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| Failed::Random)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// The user part of our Contact, by which a person knows where it comes from.
const USER: &str = "doctor";
/// How long a final answer may take; a dial plan may let it ring.
const ANSWER_MAX: Duration = Duration::from_secs(12);
