//! One party of a call, as a dial plan application sees it.
//!
//! A [`Channel`] is owned by value by its call task. Everything that happens to it comes through one
//! inbox, which is read while an application awaits a verb. The end of the call is an error that `?`
//! carries out of the application ([`Interrupt`]); dropping the channel releases everything it holds and
//! hangs up what has not been hung up.

mod away;
mod beforehand;
mod details;
mod dial;
mod digits;
mod features;
mod guest;
mod hangup_handlers;
mod hold;
mod leg_event;
mod line;
mod lookup;
mod meet;
mod music;
mod pictures;
mod place;
mod play;
mod quality;
mod recode;
pub(crate) mod record;
mod recording;
mod round;
mod standing;
mod streams;
mod subroutine;
mod timeouts;
mod waiting;

pub use details::{Details, StreamDetails};
pub(crate) use dial::News;
pub use digits::DIGITS_MAX;
pub use features::Instead;
pub use hangup_handlers::HANGUP_HANDLERS_MAX;
pub(crate) use pictures::light;
pub use quality::{QualityItem, quality};
pub(crate) use recode::{is_recoded, settle};
pub use record::CallRecord;
pub use recording::NotRecorded;
pub use round::{NotRenegotiated, Offered};
pub use subroutine::NotEntered;
pub use waiting::FLOW_GRACE;
pub(crate) use waiting::Wake;

use std::sync::Arc;

use config::{CallerId, Endpoint, Subscriber};
use dialplan::Position;
use media::EchoMode;
use rtc::policy::Policy;
use rtc::topology::Topology;
use sdp::Sdp;
use tokio::time::Instant;

use crate::cause::Cause;
use crate::directory::{ChannelHandle, ChannelId, ChannelInfo, ChannelState, Registration};
use crate::event::{AppResult, Interrupt};
use crate::inbox::{Condition, InboxReceiver};
use crate::leg::{Echo, MediaLeg, Playing};
use crate::party::Parties;
use crate::pbx;
use crate::policy;
use crate::signaling::Signaling;
use crate::story::{PlainRtp, Side, Story, StoryEvent, Surroundings};
use crate::switch::Switch;
use crate::text::Text;
use crate::transfer::{Follower, Onward, Referred, Refusal};
use crate::variables::Variables;

use self::digits::Digits;
use self::guest::Guest;
use self::hangup_handlers::HangupHandler;
use self::music::Listening;
use self::record::Begun;
use self::round::Turn;
use self::standing::Standing;
use self::subroutine::Frame;
use self::timeouts::Timeouts;

/// One party of a call.
pub struct Channel {
    /// Who calls.
    pub caller: CallerId,
    /// The other parties of the call.
    pub parties: Box<Parties>,
    /// Its own variables; the dial plan also sees the exchange's, and EXTEN, CHANNEL and the like.
    pub vars: Variables,
    /// Where it stands in the dial plan.
    pub at: Position,
    id: ChannelId,
    subscriber: Arc<Subscriber>,
    switch: Switch,
    signaling: Box<dyn Signaling>,
    inbox: InboxReceiver,
    registration: Registration,
    story: Option<Story>,
    record: Box<CallRecord>,
    state: State,
    established: bool,
    grace_until: Option<Instant>,
    digits: Digits,
    /// The country whose tones it hears.
    tone_zone: Option<String>,
    /// The language of its prompts, where it is not that of its endpoint.
    language: Option<String>,
    /// What the caller has begun to dial, for the pbx loop.
    dialled: Option<String>,
    timeouts: Timeouts,
    offer: Option<Sdp>,
    /// What its streams may be.
    policy: Policy,
    leg: Option<Arc<dyn MediaLeg>>,
    /// What is known of its media.
    facts: Box<quality::Facts>,
    /// What it hears while the dial plan goes on.
    tones: Option<Playing>,
    /// What it hears while it waits.
    music: Option<Listening>,
    /// Set for it by the dial plan.
    music_class: Option<String>,
    /// Agreed before the answer, for early media.
    early: Option<Topology>,
    /// The far end's answer before it accepted the call.
    shown: Option<Sdp>,
    /// Where the far end sends its callers on to.
    forward: Option<String>,
    /// Subroutines that have not returned.
    frames: Vec<Frame>,
    /// Why the last party this one called is gone.
    told: Option<Cause>,
    topology: Topology,
    turn: Turn,
    /// What stood before the far end's last offer, if we took that.
    before: Option<Topology>,
    /// The streams as they are when the far end holds none of them.
    unheld: Topology,
    /// The description we sent last that both sides agreed on.
    local: Option<Sdp>,
    application: String,
    /// The step of the dial plan that runs.
    pub(crate) standing: Standing,
    /// What records it.
    recordings: Vec<recording::Running>,
    /// Its own `features.conf`, where it differs.
    features: Option<Box<config::Features>>,
    /// What came of our wish that the far end call somebody else.
    went_away: Option<u16>,
    /// Who sent it on wants to know how it fares.
    pub(crate) follower: Option<Follower>,
    /// What it wants done with the other party, once it is led back to it.
    pub(crate) onward: Option<Onward>,
    /// The text message it carries.
    text: Option<Box<Text>>,
    /// It is there for its message alone.
    only_text: bool,
    on_hold: bool,
    /// The streams as they were before the far end was told that it is held.
    passed_hold: Option<Topology>,
    media_up: bool,
    waited: bool,
    /// It was counted among all calls.
    counted: bool,
    /// The conversation it is in.
    bridge: Option<Arc<str>>,
    /// Its far end left for this reason, while another channel is on its way into its place.
    parting: Option<Cause>,
    /// It has taken the place of another channel.
    replaced: bool,
    /// What is run when it is over, the latest last.
    hangup_handlers: Vec<HangupHandler>,
    /// It waits for a channel that it has fetched, or has it.
    guest: Guest,
}

/// How far the call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The far end calls us: neither answered nor refused.
    Ringing,
    /// We call the far end, which has not said anything yet.
    Dialling,
    /// We call the far end, and it rings.
    Alerting,
    /// Answered.
    Up,
    /// Over.
    Ended { by: Side, cause: Cause },
}

/// What a channel is made of, besides what it makes itself.
pub(crate) struct Parts<'a> {
    pub(crate) id: ChannelId,
    pub(crate) caller: CallerId,
    pub(crate) parties: Parties,
    pub(crate) at: Position,
    pub(crate) subscriber: Arc<Subscriber>,
    pub(crate) switch: Switch,
    pub(crate) signaling: Box<dyn Signaling>,
    pub(crate) inbox: InboxReceiver,
    pub(crate) registration: Registration,
    pub(crate) story: Story,
    pub(crate) offer: Option<Sdp>,
    pub(crate) variables: &'a [(String, String)],
    /// Its media, where that is not allocated.
    pub(crate) leg: Option<Arc<dyn MediaLeg>>,
    /// Whether we call the far end.
    pub(crate) outgoing: bool,
}

impl Channel {
    pub(crate) fn new(parts: Parts<'_>) -> Self {
        let policy = policy::under(&parts.subscriber.endpoint, &parts.switch.config().rtp);
        let mut vars = Variables::seen(parts.registration.seen());
        let own = parts.subscriber.endpoint.set_var.iter();
        for (name, value) in own.chain(parts.variables) {
            // Checked by who gives them; a value too long stays unset.
            let _ = vars.set(name, value);
        }
        let records = parts.switch.store().records();
        parts.registration.show_leg(parts.leg.as_ref());
        let record = CallRecord::begin(&parts.switch.config(), records, &begun(&parts));
        Self {
            caller: parts.caller,
            parties: Box::new(parts.parties),
            vars,
            at: parts.at,
            id: parts.id,
            subscriber: parts.subscriber,
            switch: parts.switch,
            signaling: parts.signaling,
            inbox: parts.inbox,
            registration: parts.registration,
            story: Some(parts.story),
            record: Box::new(record),
            state: match parts.outgoing {
                true => State::Dialling,
                false => State::Ringing,
            },
            established: false,
            grace_until: None,
            digits: Digits::default(),
            tone_zone: None,
            language: None,
            dialled: None,
            timeouts: Timeouts::default(),
            offer: parts.offer,
            policy,
            leg: parts.leg,
            facts: Box::default(),
            tones: None,
            music: None,
            music_class: None,
            early: None,
            shown: None,
            forward: None,
            frames: Vec::new(),
            told: None,
            topology: Topology::default(),
            turn: Turn::Idle,
            before: None,
            unheld: Topology::default(),
            local: None,
            application: String::new(),
            standing: Standing::default(),
            recordings: Vec::new(),
            features: None,
            went_away: None,
            follower: None,
            onward: None,
            text: None,
            only_text: false,
            on_hold: false,
            passed_hold: None,
            media_up: false,
            waited: true,
            counted: false,
            bridge: None,
            parting: None,
            replaced: false,
            hangup_handlers: Vec::new(),
            guest: Guest::default(),
        }
    }

    /// The channel's number, unique while the exchange runs.
    pub fn id(&self) -> ChannelId {
        self.id
    }

    /// `PJSIP/alice-00000001`.
    pub fn name(&self) -> &str {
        self.registration.name()
    }

    /// `epoch.counter`, unique across restarts.
    pub fn unique_id(&self) -> &str {
        self.registration.unique_id()
    }

    /// The endpoint, as it was configured when the call came in.
    pub fn endpoint(&self) -> &Endpoint {
        &self.subscriber.endpoint
    }

    /// The endpoint and what belongs to it.
    pub(crate) fn subscriber(&self) -> Arc<Subscriber> {
        Arc::clone(&self.subscriber)
    }

    /// The exchange.
    pub fn switch(&self) -> &Switch {
        &self.switch
    }

    /// Whether the call has been answered and is not over.
    pub fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// How far the call has come, as Asterisk names it.
    pub fn state(&self) -> &'static str {
        match self.state {
            State::Ringing => "Ring",
            State::Dialling => "Down",
            State::Alerting => "Ringing",
            State::Up => "Up",
            State::Ended { .. } => "Down",
        }
    }

    /// The cause of the end, once it is over.
    pub fn ended(&self) -> Option<Cause> {
        match self.state {
            State::Ended { cause, .. } => Some(cause),
            State::Ringing | State::Dialling | State::Alerting | State::Up => None,
        }
    }

    /// The streams both sides agreed on last; empty before the answer.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// A header of the request that brought the call.
    pub fn header(&self, name: &str) -> Option<String> {
        self.signaling.header(name)
    }

    /// The headers of the request that brought the call; of one that is to go out, those added to it so far.
    pub fn headers(&self) -> Vec<(String, String)> {
        self.signaling.headers()
    }

    /// The headers of the answer to the request that went out.
    pub fn answer_headers(&self) -> Vec<(String, String)> {
        self.signaling.answer_headers()
    }

    /// The text message it carries.
    pub fn text(&self) -> Option<&Text> {
        self.text.as_deref()
    }

    /// The same, to be changed; a channel that carries none gets an empty one.
    pub fn text_mut(&mut self) -> &mut Text {
        self.text.get_or_insert_default()
    }

    /// Makes this a channel that is there for a message alone: no record of a call, no story.
    pub(crate) fn carries(&mut self, text: Text) {
        self.text = Some(Box::new(text));
        self.is_no_call();
    }

    /// Whether others wait until it has done what it does, and nobody can hang it up: texts behind a text, a caller for the
    /// leg that it prepares, which may want what the caller holds.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.only_text || matches!(self.state, State::Dialling)
    }

    /// Nobody calls on it: it leaves neither a story nor a record.
    pub(crate) fn is_no_call(&mut self) {
        self.only_text = true;
        self.story = None;
        self.record.set_enabled(false);
    }

    /// Sends the far end a text within the call. `false`: it is not answered, or takes none.
    pub fn send_text(&mut self, text: &Text) -> bool {
        self.is_up() && self.signaling.text(text)
    }

    /// Tells the far end that what it asked for is not done.
    pub(crate) fn refuse_transfer(&mut self, refusal: Refusal) {
        let Refusal { status, why } = refusal;
        let text = format!("transfer refused with {status}: {why}");
        self.tell(StoryEvent::Remark { text });
        self.signaling.referred(Referred::Refused(refusal));
    }

    /// Tells the far end that the other party is sent on, and lets it know how that fares, if its protocol can.
    pub(crate) fn follow(&mut self) -> Option<Follower> {
        self.signaling.follow()
    }

    /// Tells the far end that the other party has been sent on.
    pub(crate) fn transferred(&mut self) {
        self.signaling.referred(Referred::Done);
    }

    /// Adds a line to the call's story.
    pub fn tell(&mut self, event: StoryEvent) {
        self.tell_remarks();
        if let Some(story) = &mut self.story {
            story.add(event);
        }
    }

    /// Adds what was remarked on since the last line.
    fn tell_remarks(&mut self) {
        let remarks = self.standing.take_remarks();
        if let Some(story) = &mut self.story {
            for text in remarks {
                story.add(StoryEvent::Remark { text });
            }
        }
    }

    /// Alerts the far end (180 Ringing); one that has been answered hears ringing, until [`Self::stop_tones`].
    pub fn ring(&mut self) {
        self.fares(180);
        match self.state {
            State::Ringing => self.signaling.ring(None),
            // One that was sent on, for instance, hears it.
            State::Up => self.play_ringing(),
            State::Dialling | State::Alerting | State::Ended { .. } => {}
        }
    }

    /// Adds a header to the INVITE of a leg that is going to be called. `false`: it cannot be added.
    pub fn add_header(&mut self, name: &str, value: &str) -> bool {
        self.signaling.add_header(name, value)
    }

    /// Changes the value of a header that was added, the one with this number of its name. `false`: there is none.
    pub fn change_header(&mut self, name: &str, number: usize, value: &str) -> bool {
        self.signaling.change_header(name, number, value)
    }

    /// Takes the headers of this name away that were added, or those whose names begin so with `*` behind it; how many.
    pub fn remove_headers(&mut self, name: &str) -> usize {
        self.signaling.remove_headers(name)
    }

    /// Ends the call from our side. Return the value: `return Err(call.hangup(cause))`. The cause of the
    /// first end stands.
    pub fn hangup(&mut self, cause: Cause) -> Interrupt {
        if let State::Ended { cause, .. } = self.state {
            return Interrupt::Hangup(cause);
        }
        self.signaling.hangup(cause);
        self.end(Side::Us, cause)
    }

    /// Sends back what comes in, until the guard is dropped. Nothing is echoed before the answer.
    pub fn echo(&self, mode: EchoMode) -> Option<Echo> {
        self.leg.as_ref().map(|leg| leg.echo(mode))
    }

    /// Notes which application runs now.
    pub(crate) fn runs(&mut self, application: String) {
        self.application = application;
        self.publish();
    }

    /// Tells the directory where the call stands.
    pub(crate) fn publish(&self) {
        self.registration.publish(ChannelInfo {
            caller: self.caller.clone(),
            connected: self.parties.connected.clone(),
            at: self.at.clone(),
            application: self.application.clone(),
            state: match self.state {
                State::Ringing => ChannelState::Ringing,
                State::Dialling => ChannelState::Dialling,
                State::Alerting => ChannelState::Alerting,
                State::Up => ChannelState::Up,
                State::Ended { .. } => ChannelState::Ended,
            },
            streams: streams::in_words(&self.topology),
            mark: self.vars.value("PICKUPMARK").unwrap_or_default().to_owned(),
            bridge: self.bridge.clone(),
            account: self.record.fields().accountcode.clone(),
            peer_account: self.record.fields().peeraccount.clone(),
            ama_flags: self.record.fields().amaflags.number(),
        });
    }

    /// Whether it is not counted among all calls yet; from now on it is. What carries a text alone is none.
    pub(crate) fn count(&mut self) -> bool {
        !std::mem::replace(&mut self.counted, true) && !self.only_text
    }

    /// Notes which conversation it is in.
    pub(crate) fn joins(&mut self, bridge: Option<Arc<str>>) {
        if self.bridge != bridge {
            self.bridge = bridge;
            self.publish();
        }
    }

    /// Notes the end; the first one counts.
    fn end(&mut self, by: Side, cause: Cause) -> Interrupt {
        self.state = State::Ended { by, cause };
        self.condition().ring(false);
        self.fared(cause);
        self.record_end(by, cause);
        self.publish();
        if self.only_text {
            return Interrupt::Hangup(cause);
        }
        tracing::info!(
            channel = self.name(),
            cause = cause.q850(),
            by = match by {
                Side::Us => "us",
                Side::Them => "them",
            },
            seconds = self
                .story
                .as_ref()
                .map_or(0, |story| story.lasted().as_secs()),
            "call ended: {}",
            cause.english()
        );
        Interrupt::Hangup(cause)
    }

    pub(crate) fn handle(&self) -> ChannelHandle {
        self.registration.handle().clone()
    }

    pub(crate) fn condition(&self) -> Arc<Condition> {
        self.inbox.condition()
    }

    /// Lets a channel go that is over: with the sums of its media in its story, and what is to be run for it.
    pub async fn release(&mut self) {
        self.release_media().await;
        pbx::hangup_handlers(self).await;
    }

    /// Asks media for its sums, for the story, and lets it go.
    pub async fn release_media(&mut self) {
        (self.tones, self.music) = (None, None);
        self.recordings.clear();
        if self.leg.is_none() {
            return;
        }
        self.look_at_media().await;
        self.leg = None;
        self.tell_quality();
        for stream in self.facts.account.streams.clone() {
            self.tell(StoryEvent::sums(&stream));
        }
    }

    fn check_ended(&self) -> AppResult {
        self.ended()
            .map_or(Ok(()), |cause| Err(Interrupt::Hangup(cause)))
    }

    fn surroundings(&self) -> Surroundings {
        let endpoint = self.endpoint();
        let allow: Vec<&str> = endpoint.allow.iter().map(|codec| codec.name).collect();
        Surroundings {
            ports: self.switch.config().rtp.ports.clone(),
            allow: allow.join(","),
            endpoint: endpoint.id.clone(),
            file: endpoint.file(),
            is_local: self.name().starts_with("Local/"),
            plain: matches!(self.policy.transport, rtc::policy::Transport::Rtp(_)).then(|| {
                PlainRtp {
                    timeout_s: endpoint.rtp_timeout_s,
                    media_address: endpoint.sockets.address.map(|address| address.to_string()),
                }
            }),
        }
    }
}

/// What the record of a new channel says of it.
fn begun<'a>(parts: &'a Parts<'_>) -> Begun<'a> {
    Begun {
        channel: parts.registration.name(),
        unique_id: parts.registration.unique_id(),
        caller: &parts.caller,
        context: &parts.at.context,
        exten: &parts.at.exten,
        account: parts.subscriber.endpoint.accountcode.as_deref(),
        called: parts.outgoing,
    }
}

impl Drop for Channel {
    /// Releases the call: whoever drops it before its end (a panic, an overflowed inbox, the end of the
    /// exchange) leaves no far end behind that believes it is still connected.
    fn drop(&mut self) {
        if self.ended().is_none() {
            let cause = if std::thread::panicking() {
                Cause::Interworking
            } else if self.inbox.condition().is_overflowed() {
                Cause::SwitchCongestion
            } else {
                Cause::TemporaryFailure
            };
            self.hangup(cause);
        }
        let State::Ended { by, cause } = self.state else {
            return;
        };
        self.record_finish();
        self.switch.groups().forget(self.id);
        self.switch.locks().forget(self.id);
        self.tell_remarks();
        if let Some(story) = self.story.take() {
            let story = story.finish(by, cause, &self.surroundings());
            if let Some(verdict) = &story.verdict {
                tracing::warn!(channel = self.name(), "{verdict}");
            }
            self.switch.directory().keep(story);
        }
    }
}
