//! Text messages outside of calls. Each runs through the dial plan on a channel of its own, which nobody is
//! at the other end of: one after the other, as in Asterisk, so that none overtakes another.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};

use config::{CallerId, Endpoint, Subscriber};
use rtc::Refused;
use sdp::Sdp;

use crate::cause::Cause;
use crate::inbox::inbox;
use crate::party::Redirecting;
use crate::pbx::Work;
use crate::signaling::{Incoming, Signaling};
use crate::switch::Switch;
use crate::technology::Unreachable;

/// Messages that wait for the dial plan; more are refused.
pub const TEXTS_WAITING_MAX: usize = 1_000;

/// Headers of a message that the dial plan can read and set.
pub const TEXT_HEADERS_MAX: usize = 64;

/// A text message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Whom it is for, with the technology: `pjsip:bob@example.com`.
    pub to: String,
    /// Whom it is from: `"Alice" <sip:alice@example.com>`.
    pub from: String,
    /// What it says.
    pub body: String,
    /// Further headers; those of one that came in are for the dial plan to read.
    pub headers: Vec<(String, String)>,
    /// The headers go along when it is sent on: those the dial plan has set.
    pub outbound: Vec<(String, String)>,
}

impl Text {
    /// A header of it, compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.outbound.iter().rev().chain(&self.headers);
        let same = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        all.find(same).map(|(_, value)| value.as_str())
    }

    /// Sets a header that goes along when it is sent. `false`: there are too many.
    pub fn set_header(&mut self, name: &str, value: &str) -> bool {
        let other = |(known, _): &(String, String)| !known.eq_ignore_ascii_case(name);
        self.outbound.retain(other);
        if value.is_empty() {
            return true;
        }
        let fits = self.outbound.len() < TEXT_HEADERS_MAX;
        if fits {
            self.outbound.push((name.to_owned(), value.to_owned()));
        }
        fits
    }
}

/// A message that has been authenticated and whose endpoint is known.
pub struct IncomingText {
    /// The endpoint and what belongs to it.
    pub subscriber: Arc<Subscriber>,
    /// Who sends it.
    pub caller: CallerId,
    /// The context of the dial plan it runs in.
    pub context: String,
    /// The extension it is for.
    pub exten: String,
    /// The protocol's own name of it (SIP Call-ID).
    pub call_id: String,
    /// The message.
    pub text: Text,
}

/// Why a message was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// No technology of this name, or one that carries no messages.
    #[error("'{0}' carries no messages; a destination is written like pjsip:alice")]
    Protocol(String),
    /// The destination is no address.
    #[error("{0}")]
    Unreachable(#[from] Unreachable),
    /// The sender is no address.
    #[error("'{0}' is no address of a sender")]
    From(String),
}

/// Messages that wait, and whether somebody sees to them.
#[derive(Default)]
pub(crate) struct Texts(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    texts: VecDeque<IncomingText>,
    running: bool,
}

impl Texts {
    /// Takes a message in. `None`: there are too many; else whether somebody must be started to see to it.
    fn push(&self, text: IncomingText) -> Option<bool> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.texts.len() >= TEXTS_WAITING_MAX {
            return None;
        }
        waiting.texts.push_back(text);
        Some(!std::mem::replace(&mut waiting.running, true))
    }

    fn pop(&self) -> Option<IncomingText> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = waiting.texts.pop_front();
        waiting.running = next.is_some();
        next
    }
}

impl Switch {
    /// Takes a message for the dial plan. `false`: there are too many, or the exchange stops.
    pub fn incoming_text(&self, text: IncomingText) -> bool {
        if self.asked().refuses_calls() {
            return false;
        }
        match self.texts().push(text) {
            None => false,
            Some(false) => true,
            Some(true) => {
                let switch = self.clone();
                self.spawn(async move {
                    while let Some(text) = switch.texts().pop() {
                        switch.run_text(text).await;
                    }
                })
            }
        }
    }

    async fn run_text(&self, text: IncomingText) {
        let IncomingText {
            subscriber,
            caller,
            context,
            exten,
            call_id,
            text,
        } = text;
        let incoming = Incoming {
            subscriber,
            caller,
            context,
            exten,
            redirecting: Redirecting::default(),
            call_id,
            offer: None,
            replaces: None,
            variables: Vec::new(),
            name: None,
            linkedid: None,
            leg: None,
            signaling: Box::new(Nobody),
            inbox: inbox(),
        };
        let Some(mut channel) = self.text_channel(incoming) else {
            return;
        };
        channel.carries(text);
        self.run(channel, Work::DialPlan).await;
    }

    /// Sends a message to `pjsip:alice`. Whether it arrives is not waited for.
    pub async fn send_text(&self, text: &Text) -> Result<(), NotSent> {
        let unknown = || NotSent::Protocol(text.to.clone());
        let (name, to) = text.to.split_once(':').ok_or_else(unknown)?;
        let technologies = self.technologies().iter();
        let mut named = technologies.filter(|known| known.name().eq_ignore_ascii_case(name));
        let technology = named.next().ok_or_else(unknown)?;
        technology.send_text(to, text).await
    }
}

impl Switch {
    /// What a text with functions and variables becomes on a channel that nobody calls on and that stands nowhere: for
    /// the console. `None`: there are too many calls.
    pub fn evaluate(&self, text: &str) -> Option<String> {
        let incoming = Incoming {
            subscriber: Arc::new(Subscriber {
                endpoint: Endpoint::new(""),
                auths: Vec::new(),
                aors: Vec::new(),
                outbound_auths: Vec::new(),
            }),
            caller: CallerId::default(),
            context: String::new(),
            exten: String::new(),
            redirecting: Redirecting::default(),
            call_id: String::new(),
            offer: None,
            replaces: None,
            variables: Vec::new(),
            name: None,
            linkedid: None,
            leg: None,
            signaling: Box::new(Nobody),
            inbox: inbox(),
        };
        let mut channel = self.text_channel(incoming)?;
        channel.is_no_call();
        Some(channel.substituted(text))
    }
}

/// The far end of a channel that only carries a message.
struct Nobody;

impl Signaling for Nobody {
    fn call(&mut self, _: &Sdp) {}

    fn ring(&mut self, _: Option<&Sdp>) {}

    fn answer(&mut self, _: &Sdp) {}

    fn offer(&mut self, _: &Sdp) {}

    fn accept(&mut self, _: &Sdp) {}

    fn refuse(&mut self, _: &Refused) {}

    fn hangup(&mut self, _: Cause) {}

    fn header(&self, _: &str) -> Option<String> {
        None
    }
}
