//! One call's signalling, as the switch drives it: commands to the driver.

use std::sync::Arc;

use ::sip::{Body, Flow, HeaderName, InviteId, OfferVia, Request, Status};
use config::{CallerId, ConnectedLineMethod};
use media::{DigitEvent, Place};
use rtc::Refused;
use sdp::Sdp;
use switch::{Cause, Follower, Redirecting, Referred, Signaling, Text};

use crate::sip::authenticate::{Denied, RETRY_AFTER_S};
use crate::sip::command::{CallRef, Command, How, Told, Verb};
use crate::sip::identity::{Identity, Role};
use crate::sip::outbound::Ask;
use crate::sip::shared::Shared;

/// The SIP leg of a channel.
pub(crate) struct SipSignaling {
    shared: Arc<Shared>,
    call: CallRef,
    progress: Progress,
    /// The request that brought the call; none if we call.
    invite: Option<Arc<Request>>,
    /// What our INVITE is made of, until it is sent.
    ask: Option<Box<Ask>>,
    place: Place,
    identity: Arc<Identity>,
}

/// How far the call has come, as far as commands go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Our INVITE is not sent yet.
    Planned,
    /// The far end's INVITE waits for us.
    Ringing,
    /// It has been answered, or ours has been sent.
    Open,
    Over,
}

impl SipSignaling {
    pub(crate) fn new(
        shared: Arc<Shared>,
        id: InviteId,
        invite: Arc<Request>,
        flow: &Flow,
        identity: Identity,
    ) -> Self {
        Self {
            shared,
            call: id.into(),
            progress: Progress::Ringing,
            invite: Some(invite),
            ask: None,
            place: place_of(flow),
            identity: Arc::new(identity),
        }
    }

    /// A call of ours; [`Signaling::call`] sends it.
    pub(crate) fn outgoing(shared: Arc<Shared>, ask: Ask) -> Self {
        Self {
            shared,
            call: CallRef::default(),
            progress: Progress::Planned,
            invite: None,
            place: ask.route().place(),
            identity: ask.identity(),
            ask: Some(Box::new(ask)),
        }
    }

    fn tell(&self, verb: Verb) {
        self.shared.command(Command::Call(self.call.clone(), verb));
    }
}

impl Signaling for SipSignaling {
    fn call(&mut self, offer: &Sdp) {
        if let Some(ask) = self.ask.take() {
            self.progress = Progress::Open;
            self.shared.command(Command::Invite {
                call: self.call.clone(),
                ask,
                offer: body(offer),
            });
        }
    }

    fn add_header(&mut self, name: &str, value: &str) -> bool {
        self.ask
            .as_mut()
            .is_some_and(|ask| ask.add_header(name, value))
    }

    fn change_header(&mut self, name: &str, number: usize, value: &str) -> bool {
        let ask = self.ask.as_mut();
        ask.is_some_and(|ask| ask.change_header(name, number, value))
    }

    fn remove_headers(&mut self, name: &str) -> usize {
        let ask = self.ask.as_mut();
        ask.map_or(0, |ask| ask.remove_headers(name))
    }

    fn ring(&mut self, early: Option<&Sdp>) {
        let status = if early.is_some() {
            Status::SESSION_PROGRESS
        } else {
            Status::RINGING
        };
        self.tell(Verb::Provisional {
            status,
            body: early.map(body),
        });
    }

    fn answer(&mut self, sdp: &Sdp) {
        self.progress = Progress::Open;
        self.tell(Verb::Accept { body: body(sdp) });
    }

    fn offer(&mut self, sdp: &Sdp) {
        self.tell(Verb::Reinvite { body: body(sdp) });
    }

    fn accept(&mut self, sdp: &Sdp) {
        self.tell(Verb::Answer { body: body(sdp) });
    }

    fn refuse(&mut self, refused: &Refused) {
        let status = Status::new(refused.status()).unwrap_or(Status::NOT_ACCEPTABLE_HERE);
        let Denied { status, headers } = Denied::with_warning(status, &refused.to_string());
        // Before the answer that is the call, unless the far end has made another offer meanwhile.
        self.tell(Verb::Refuse { status, headers });
    }

    fn hangup(&mut self, cause: Cause) {
        let before = std::mem::replace(&mut self.progress, Progress::Over);
        if matches!(before, Progress::Planned | Progress::Over) {
            return;
        }
        let status = Status::new(cause.status()).unwrap_or(Status::DECLINE);
        let mut headers = vec![(HeaderName::Reason, cause.reason())];
        if cause == Cause::AnsweredElsewhere {
            // RFC 3326 §3.1: phones show no missed call then.
            let elsewhere = "SIP;cause=200;text=\"Call completed elsewhere\"";
            headers.insert(0, (HeaderName::Reason, elsewhere.to_owned()));
        }
        if status == Status::SERVICE_UNAVAILABLE {
            headers.push((HeaderName::RetryAfter, RETRY_AFTER_S.to_string()));
        }
        self.tell(Verb::Hangup { status, headers });
    }

    fn connected(&mut self, party: &CallerId) {
        if let Some(ask) = &mut self.ask {
            return ask.show(party.clone());
        }
        if self.progress == Progress::Over || !self.identity.is_told() {
            return;
        }
        let how = match self.progress {
            _ if !self.identity.shows(party) => How::InPassing,
            Progress::Ringing if self.identity.is_told_at_once() => How::Ringing,
            Progress::Ringing | Progress::Planned | Progress::Over => How::InPassing,
            Progress::Open => How::By(match self.identity.method() {
                ConnectedLineMethod::Invite => OfferVia::Reinvite,
                ConnectedLineMethod::Update => OfferVia::Update,
            }),
        };
        self.tell(Verb::Tell(Box::new(Told {
            identity: Arc::clone(&self.identity),
            party: party.clone(),
            role: match self.invite {
                Some(_) => Role::Calling,
                None => Role::Called,
            },
            how,
        })));
    }

    fn redirected(&mut self, redirecting: &Redirecting) {
        if self.progress == Progress::Ringing {
            let identity = Arc::clone(&self.identity);
            self.tell(Verb::SentOn(identity, Box::new(redirecting.clone())));
        }
    }

    fn text(&mut self, text: &Text) -> bool {
        let is_open = self.progress == Progress::Open;
        if is_open {
            self.tell(Verb::Text(Box::new(text.clone())));
        }
        is_open
    }

    fn place(&self) -> Place {
        self.place
    }

    fn send_digit(&mut self, event: DigitEvent) -> bool {
        if let DigitEvent::Ended(digit) = event {
            self.tell(Verb::Digit(digit));
        }
        true
    }

    fn request_keyframe(&mut self) {
        if self.progress == Progress::Open {
            self.tell(Verb::Keyframe);
        }
    }

    fn send_away(&mut self, to: &str) {
        let answered = self.progress != Progress::Ringing;
        if !answered {
            self.progress = Progress::Over;
        }
        let to = to.to_owned();
        self.tell(Verb::SendAway { to, answered });
    }

    fn referred(&mut self, referred: Referred) {
        self.tell(Verb::Referred(referred));
    }

    fn follow(&mut self) -> Option<Follower> {
        self.tell(Verb::Referred(Referred::Followed));
        let (shared, call) = (Arc::clone(&self.shared), self.call.clone());
        Some(Follower::new(move |status| {
            let verb = Verb::Referred(Referred::Fares(status));
            shared.command(Command::Call(call.clone(), verb));
        }))
    }

    fn headers(&self) -> Vec<(String, String)> {
        match (&self.invite, &self.ask) {
            (Some(invite), _) => owned(invite.headers.iter()),
            (None, Some(ask)) => owned(ask.added()),
            (None, None) => Vec::new(),
        }
    }

    fn answer_headers(&self) -> Vec<(String, String)> {
        let answer = self.call.answer();
        answer.map_or_else(Vec::new, |headers| owned(headers.iter()))
    }

    fn header(&self, name: &str) -> Option<String> {
        let invite = self.invite.as_ref()?;
        invite
            .headers
            .get(&HeaderName::from(name))
            .map(str::to_owned)
    }
}

fn owned<'a>(headers: impl Iterator<Item = (&'a HeaderName, &'a str)>) -> Vec<(String, String)> {
    let headers = headers.map(|(name, value)| (name.as_str().to_owned(), value.to_owned()));
    headers.collect()
}

/// A channel that is dropped where it stood leaves no call behind.
impl Drop for SipSignaling {
    fn drop(&mut self) {
        self.hangup(Cause::TemporaryFailure);
    }
}

/// Where the far end of a flow is.
pub(crate) fn place_of(flow: &Flow) -> Place {
    Place {
        local: Some(flow.local.ip()),
        remote: Some(flow.remote.ip()),
        described: None,
    }
}

fn body(sdp: &Sdp) -> Body {
    Body::sdp(sdp.to_string())
}
