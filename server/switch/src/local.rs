//! `Local/extension@context`: a call of the dial plan to itself.
//!
//! A local call is two channels. The first, `…;1`, is a leg of whoever dials; the second, `…;2`, comes in at
//! the extension and runs through the dial plan in a task of its own. What one signals is an event of the
//! other. Their media is a pipe without any packets of its own: what is connected at one end and what is
//! connected at the other are connected to each other, on their shard. So there is nothing to optimise
//! away, and `/n`, which forbids that in Asterisk, changes nothing.

mod description;
mod pipe;

use std::sync::Arc;

use config::{CallerId, Endpoint, Subscriber};
use media::DigitEvent;
use rtc::Refused;
use sdp::Sdp;

use crate::cause::Cause;
use crate::event::ChannelEvent;
use crate::inbox::{InboxSender, inbox};
use crate::leg::MediaLeg;
use crate::party::Redirecting;
use crate::signaling::{Incoming, Signaling};
use crate::story::StoryEvent;
use crate::switch::Switch;
use crate::technology::{Outgoing, Target, Unreachable};
use crate::text::Text;

pub(crate) use pipe::PipeEnd;

/// Local calls within Local calls. A dial plan that calls itself without end would fill the exchange.
const LOCALS_WITHIN_MAX: usize = 32;

/// The variable that counts them, which all that is called has too.
const WITHIN: &str = "LOCALS_WITHIN";

/// Streams of a kind that pass through.
const STREAMS_MAX: usize = 16;

/// The one place of `extension@context`.
pub(crate) async fn find(switch: &Switch, destination: &str) -> Result<Vec<Target>, Unreachable> {
    let place = destination.split('/').next().unwrap_or_default();
    let (exten, context) = place.rsplit_once('@').unwrap_or((place, "default"));
    let found = switch.has_extension(context, exten, None).await;
    let (exten, context) = (exten.to_owned(), context.to_owned());
    match found {
        Ok(true) => Ok(vec![target(switch, exten, context)]),
        Ok(false) => Err(Unreachable::NoExtension { exten, context }),
        Err(error) => Err(Unreachable::Store(error.to_string())),
    }
}

fn target(switch: &Switch, exten: String, context: String) -> Target {
    let place = format!("{exten}@{context}");
    let mut endpoint = Endpoint::new(&place);
    endpoint.context.clone_from(&context);
    endpoint.allow = codec::CODECS.iter().collect();
    endpoint.max_audio_streams = STREAMS_MAX;
    endpoint.max_video_streams = STREAMS_MAX;
    let subscriber = Arc::new(Subscriber {
        endpoint,
        auths: Vec::new(),
        aors: Vec::new(),
        outbound_auths: Vec::new(),
    });
    let (near, far) = pipe::pipe();
    let (switch, pinned) = (switch.clone(), Arc::clone(&subscriber));
    Target {
        subscriber,
        address: format!("Local/{place}"),
        call_id: String::new(),
        name: format!("Local/{place}"),
        half: ";1",
        leg: Some(near),
        open: Box::new(move |outgoing: Outgoing| -> Box<dyn Signaling> {
            let named = |(name, _): &&(String, String)| name.trim_start_matches('_') == WITHIN;
            let within = outgoing.variables.iter().find(named);
            let within = within.and_then(|(_, value)| value.parse().ok());
            let within: usize = within.unwrap_or(0) + 1;
            let mut variables = outgoing.variables;
            variables.push((format!("__{WITHIN}"), within.to_string()));
            let begins = outgoing.channel.strip_suffix(";1");
            let name = format!("{};2", begins.unwrap_or(&outgoing.channel));
            let mut subscriber = Subscriber::clone(&pinned);
            subscriber.endpoint.language = outgoing.language;
            Box::new(First {
                own: outgoing.inbox,
                far: None,
                call: Some(Box::new(Call {
                    switch,
                    subscriber: Arc::new(subscriber),
                    caller: outgoing.caller,
                    redirecting: outgoing.redirecting,
                    context,
                    exten,
                    variables,
                    within,
                    name,
                    linkedid: outgoing.linkedid,
                    leg: far,
                    headers: Vec::new(),
                })),
            })
        }),
    }
}

/// What the second half is made of.
struct Call {
    switch: Switch,
    subscriber: Arc<Subscriber>,
    caller: CallerId,
    redirecting: Redirecting,
    context: String,
    exten: String,
    variables: Vec<(String, String)>,
    /// Local calls this one stands in, itself counted.
    within: usize,
    name: String,
    linkedid: String,
    leg: Arc<dyn MediaLeg>,
    headers: Vec<(String, String)>,
}

/// The signalling of the half that is dialled.
struct First {
    own: InboxSender,
    /// The inbox of the second half, once it is called and until either leaves.
    far: Option<InboxSender>,
    call: Option<Box<Call>>,
}

impl First {
    fn tell(&self, event: ChannelEvent) {
        if let Some(far) = &self.far {
            far.send(event);
        }
    }
}

impl Signaling for First {
    fn call(&mut self, offer: &Sdp) {
        let Some(call) = self.call.take() else {
            return;
        };
        if call.within > LOCALS_WITHIN_MAX {
            let (exten, context) = (&call.exten, &call.context);
            let text = format!(
                "Local/{exten}@{context}: {LOCALS_WITHIN_MAX} Local calls within each other \
                 (LOCALS_WITHIN_MAX): does the dial plan call itself?"
            );
            tracing::error!("{text}; not called");
            self.own.note(StoryEvent::Remark { text });
            self.own.send(ChannelEvent::Hangup(Cause::SwitchCongestion));
            return;
        }
        let (sender, receiver) = inbox();
        self.far = Some(sender.clone());
        let second = Second {
            own: sender.clone(),
            far: self.own.clone(),
            stage: Stage::Ringing,
            headers: call.headers,
        };
        // One that cannot be taken is hung up, which is told here.
        call.switch.incoming(Incoming {
            subscriber: call.subscriber,
            caller: call.caller,
            context: call.context,
            exten: call.exten,
            redirecting: call.redirecting,
            call_id: String::new(),
            offer: Some(offer.clone()),
            replaces: None,
            variables: call.variables,
            name: Some(call.name),
            linkedid: Some(call.linkedid),
            leg: Some(call.leg),
            signaling: Box::new(second),
            inbox: (sender, receiver),
        });
    }

    fn add_header(&mut self, name: &str, value: &str) -> bool {
        let Some(call) = &mut self.call else {
            return false;
        };
        let fits = call.headers.len() < HEADERS_MAX;
        if fits {
            call.headers.push((name.to_owned(), value.to_owned()));
        }
        fits
    }

    fn change_header(&mut self, name: &str, number: usize, value: &str) -> bool {
        let added = self.call.as_mut().map(|call| &mut call.headers);
        let mut same = added.into_iter().flatten().filter(|(own, _)| is(own, name));
        let found = number.checked_sub(1).and_then(|index| same.nth(index));
        found.is_some_and(|(_, old)| {
            value.clone_into(old);
            true
        })
    }

    fn remove_headers(&mut self, name: &str) -> usize {
        let Some(call) = &mut self.call else {
            return 0;
        };
        let before = call.headers.len();
        call.headers.retain(|(own, _)| !is(own, name));
        before - call.headers.len()
    }

    fn headers(&self) -> Vec<(String, String)> {
        let call = self.call.as_ref();
        call.map_or_else(Vec::new, |call| call.headers.clone())
    }

    fn ring(&mut self, _: Option<&Sdp>) {}

    fn answer(&mut self, _: &Sdp) {}

    fn offer(&mut self, sdp: &Sdp) {
        self.tell(ChannelEvent::Offer(Some(sdp.clone())));
    }

    fn accept(&mut self, sdp: &Sdp) {
        self.tell(ChannelEvent::Answer(sdp.clone()));
    }

    fn refuse(&mut self, refused: &Refused) {
        let status = refused.status();
        self.tell(ChannelEvent::OfferRejected { status });
    }

    fn connected(&mut self, party: &CallerId) {
        match &mut self.call {
            Some(call) => call.caller = party.clone(),
            None => self.tell(ChannelEvent::Connected(party.clone())),
        }
    }

    fn text(&mut self, text: &Text) -> bool {
        self.tell(ChannelEvent::Text(Box::new(text.clone())));
        true
    }

    fn send_digit(&mut self, event: DigitEvent) -> bool {
        self.tell(ChannelEvent::Digit(event));
        true
    }

    fn hangup(&mut self, cause: Cause) {
        self.call = None;
        self.tell(ChannelEvent::Hangup(cause));
        self.far = None;
    }

    fn header(&self, _: &str) -> Option<String> {
        None
    }
}

/// The signalling of the half that runs through the dial plan.
struct Second {
    own: InboxSender,
    far: InboxSender,
    stage: Stage,
    /// What was added to the call.
    headers: Vec<(String, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Ringing,
    Answered,
    Over,
}

impl Signaling for Second {
    fn call(&mut self, _: &Sdp) {}

    fn ring(&mut self, early: Option<&Sdp>) {
        let status = if early.is_some() { 183 } else { 180 };
        let answer = early.cloned();
        self.far.send(ChannelEvent::Progress { status, answer });
    }

    fn answer(&mut self, sdp: &Sdp) {
        self.stage = Stage::Answered;
        self.far.send(ChannelEvent::Accepted(Some(sdp.clone())));
        self.own.send(ChannelEvent::Established);
    }

    fn offer(&mut self, sdp: &Sdp) {
        self.far.send(ChannelEvent::Offer(Some(sdp.clone())));
    }

    fn accept(&mut self, sdp: &Sdp) {
        self.far.send(ChannelEvent::Answer(sdp.clone()));
    }

    fn refuse(&mut self, refused: &Refused) {
        let status = refused.status();
        match self.stage {
            Stage::Ringing => self.hangup(Cause::from_status(status)),
            Stage::Answered | Stage::Over => {
                self.far.send(ChannelEvent::OfferRejected { status });
            }
        }
    }

    fn connected(&mut self, party: &CallerId) {
        self.far.send(ChannelEvent::Connected(party.clone()));
    }

    fn redirected(&mut self, redirecting: &Redirecting) {
        let redirecting = Box::new(redirecting.clone());
        self.far.send(ChannelEvent::SentOn(redirecting));
    }

    fn text(&mut self, text: &Text) -> bool {
        self.far.send(ChannelEvent::Text(Box::new(text.clone())))
    }

    fn send_digit(&mut self, event: DigitEvent) -> bool {
        self.far.send(ChannelEvent::Digit(event));
        true
    }

    fn hangup(&mut self, cause: Cause) {
        if self.stage != Stage::Over {
            self.stage = Stage::Over;
            self.far.send(ChannelEvent::Hangup(cause));
        }
    }

    fn headers(&self) -> Vec<(String, String)> {
        self.headers.clone()
    }

    fn header(&self, name: &str) -> Option<String> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    }
}

/// Whether a header has this name, or with `*` at its end begins so.
fn is(own: &str, name: &str) -> bool {
    match name.strip_suffix('*') {
        Some(begin) => own
            .get(..begin.len())
            .is_some_and(|own| own.eq_ignore_ascii_case(begin)),
        None => own.eq_ignore_ascii_case(name),
    }
}

/// Headers a dial plan may add to one call.
const HEADERS_MAX: usize = 64;
