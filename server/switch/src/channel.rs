//! One party of a call, as a dial plan application sees it.
//!
//! A [`Channel`] is owned by value by its call task. Everything that happens to it comes through one
//! inbox, which is read while an application awaits a verb. The end of the call is an error that `?`
//! carries out of the application ([`Interrupt`]); dropping the channel releases everything it holds and
//! hangs up what has not been hung up.

mod away;
mod dial;
mod digits;
mod features;
mod hold;
mod leg_event;
mod lookup;
mod meet;
mod music;
mod play;
mod record;
mod recording;
mod round;
mod streams;
mod subroutine;
mod timeouts;

pub(crate) use dial::News;
pub use digits::DIGITS_MAX;
pub use features::Instead;
pub use record::CallRecord;
pub use recording::NotRecorded;
pub use round::{NotRenegotiated, Offered};
pub use subroutine::NotEntered;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use config::{CallerId, Endpoint, Subscriber};
use dialplan::Position;
use media::EchoMode;
use rtc::policy::Policy;
use rtc::topology::Topology;
use sdp::Sdp;
use tokio::time::{Instant, sleep_until};

use crate::cause::Cause;
use crate::dial::until;
use crate::directory::{ChannelHandle, ChannelId, ChannelInfo, ChannelState, Registration};
use crate::event::{AppResult, ChannelEvent, Control, Happened, Interrupt};
use crate::inbox::{Condition, InboxReceiver};
use crate::leg::{Echo, MediaLeg, Playing};
use crate::party::{Parties, Redirecting};
use crate::policy;
use crate::presses::Form;
use crate::signaling::Signaling;
use crate::story::{Side, Story, StoryEvent, Surroundings};
use crate::switch::Switch;
use crate::text::Text;
use crate::transfer::{self, Referred};
use crate::variables::Variables;

use self::digits::Digits;
use self::music::Listening;
use self::record::Begun;
use self::round::Turn;
use self::subroutine::Frame;
use self::timeouts::Timeouts;

/// How long a call whose signalling connection broke waits for the far end to come back. Media is kept
/// meanwhile: a page that is reloaded or a laptop that changes networks reconnects within seconds.
pub const FLOW_GRACE: Duration = Duration::from_secs(30);

/// The longest a verb waits: longer than any call, and short enough for every clock.
const WAIT_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// How long the media plane may take to sum up a call that is over.
const STATS_PATIENCE: Duration = Duration::from_millis(200);

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
    record: CallRecord,
    state: State,
    established: bool,
    grace_until: Option<Instant>,
    digits: Digits,
    /// The country whose tones it hears.
    tone_zone: Option<String>,
    /// What the caller has begun to dial, for the pbx loop.
    dialled: Option<String>,
    timeouts: Timeouts,
    offer: Option<Sdp>,
    /// What its streams may be.
    policy: Policy,
    leg: Option<Arc<dyn MediaLeg>>,
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
    /// What records it.
    recordings: Vec<recording::Running>,
    /// Its own `features.conf`, where it differs.
    features: Option<Box<config::Features>>,
    /// What came of our wish that the far end call somebody else.
    went_away: Option<u16>,
    /// The text message it carries.
    text: Option<Box<Text>>,
    /// It is there for its message alone.
    only_text: bool,
    on_hold: bool,
    /// The streams as they were before the far end was told that it is held.
    passed_hold: Option<Topology>,
    media_up: bool,
    waited: bool,
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

/// What woke a call.
pub(crate) enum Wake {
    Event(ChannelEvent),
    /// Events were lost: nobody read the inbox for too long.
    Overflowed,
    GraceOver,
    OfferAgain,
    /// The call has lasted as long as it may.
    TimeUp,
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
        let mut vars = Variables::default();
        for (name, value) in &parts.subscriber.endpoint.set_var {
            // Set_var was checked when the configuration was read; a value too long stays unset.
            let _ = vars.set(name, value);
        }
        for (name, value) in parts.variables {
            // Checked by who gives them; one too many is told by Set itself.
            let _ = vars.set(name, value);
        }
        let begun = Begun {
            channel: parts.registration.name(),
            unique_id: parts.registration.unique_id(),
            caller: &parts.caller,
            context: &parts.at.context,
            exten: &parts.at.exten,
            account: parts.subscriber.endpoint.accountcode.as_deref(),
        };
        let records = parts.switch.store().records();
        let record = CallRecord::begin(&parts.switch.config(), records, &begun);
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
            record,
            state: match parts.outgoing {
                true => State::Dialling,
                false => State::Ringing,
            },
            established: false,
            grace_until: None,
            digits: Digits::default(),
            tone_zone: None,
            dialled: None,
            timeouts: Timeouts::default(),
            offer: parts.offer,
            policy,
            leg: parts.leg,
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
            recordings: Vec::new(),
            features: None,
            went_away: None,
            text: None,
            only_text: false,
            on_hold: false,
            passed_hold: None,
            media_up: false,
            waited: true,
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
        self.only_text = true;
        self.story = None;
        self.record.set_enabled(false);
    }

    /// The far end is connected to `party` from now on, or will be, and is told so.
    pub fn connect_line(&mut self, party: CallerId) {
        if self.parties.connected != party {
            self.parties.connected = party;
            self.tell_connected();
        }
    }

    /// Tells the far end whom it is connected to.
    pub fn tell_connected(&mut self) {
        if self.ended().is_none() {
            self.signaling.connected(&self.parties.connected);
            self.publish();
        }
    }

    /// The call of the far end is sent on, and it is told so if it still waits.
    pub fn redirect_line(&mut self, redirecting: Redirecting) {
        *self.parties = Parties {
            redirecting,
            ..std::mem::take(&mut *self.parties)
        };
        self.tell_redirected();
    }

    /// Tells a far end that waits that its call is sent on.
    pub fn tell_redirected(&mut self) {
        if self.state == State::Ringing {
            self.signaling.redirected(&self.parties.redirecting);
        }
    }

    /// Sends the far end a text within the call. `false`: it is not answered, or takes none.
    pub fn send_text(&mut self, text: &Text) -> bool {
        self.is_up() && self.signaling.text(text)
    }

    /// Tells the far end that what it asked for is not done.
    pub(crate) fn refuse_transfer(&mut self, status: u16) {
        let text = format!("transfer refused with {status}");
        self.tell(StoryEvent::Remark { text });
        self.signaling.referred(Referred::Refused(status));
    }

    /// Tells the far end that the other party has been sent on.
    pub(crate) fn transferred(&mut self) {
        self.signaling.referred(Referred::Done);
    }

    /// Adds a line to the call's story.
    pub fn tell(&mut self, event: StoryEvent) {
        if let Some(story) = &mut self.story {
            story.add(event);
        }
    }

    /// Alerts the far end (180 Ringing). Without effect once the call is answered.
    pub fn ring(&mut self) {
        if self.state == State::Ringing {
            self.signaling.ring(None);
        }
    }

    /// Adds a header to the INVITE of a leg that is going to be called. `false`: it cannot be added.
    pub fn add_header(&mut self, name: &str, value: &str) -> bool {
        self.signaling.add_header(name, value)
    }

    /// Does nothing for a time. Digits that arrive meanwhile are lost, as in Asterisk.
    pub async fn wait(&mut self, duration: Duration) -> AppResult {
        let end = after(duration);
        let result = loop {
            let wake = tokio::select! {
                biased;
                wake = self.wake() => wake,
                () = sleep_until(end) => break Ok(()),
            };
            if let Err(interrupt) = self.on_wake(wake).await {
                break Err(interrupt);
            }
        };
        self.digits.kept.clear();
        self.waited |= !duration.is_zero();
        result
    }

    /// Waits for the next thing an application may care for.
    pub async fn next(&mut self) -> AppResult<Happened> {
        if let Some(digit) = self.digits.kept.pop_front() {
            return Ok(Happened::Digit(digit));
        }
        loop {
            self.waited = true;
            let wake = self.wake().await;
            if let Some(happened) = self.on_wake(wake).await? {
                return Ok(happened);
            }
        }
    }

    /// Waits for a digit.
    pub async fn read_digit(&mut self) -> AppResult<char> {
        loop {
            if let Happened::Digit(digit) = self.next().await? {
                return Ok(digit);
            }
        }
    }

    /// Waits for a digit, but not longer than `patience`.
    pub async fn read_digit_within(&mut self, patience: Duration) -> AppResult<Option<char>> {
        let end = after(patience);
        loop {
            match self.next_until(end).await? {
                Some(Happened::Digit(digit)) => return Ok(Some(digit)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// Waits for the next thing an application may care for, but not after `end`.
    pub async fn next_until(&mut self, end: Instant) -> AppResult<Option<Happened>> {
        if let Some(digit) = self.digits.kept.pop_front() {
            return Ok(Some(Happened::Digit(digit)));
        }
        self.waited |= end > Instant::now();
        loop {
            let wake = tokio::select! {
                biased;
                wake = self.wake() => wake,
                () = sleep_until(end) => return Ok(None),
            };
            if let Some(happened) = self.on_wake(wake).await? {
                return Ok(Some(happened));
            }
        }
    }

    /// Awaits something that is not a verb of the channel, while the channel stays alive: its inbox is
    /// read, and its end interrupts. Digits are kept for the next verb.
    pub async fn during<T>(&mut self, future: impl Future<Output = T>) -> AppResult<T> {
        let mut future = pin!(future);
        loop {
            let wake = tokio::select! {
                biased;
                wake = self.wake() => wake,
                output = &mut future => return Ok(output),
            };
            if let Some(Happened::Digit(digit)) = self.on_wake(wake).await? {
                self.keep_digit(digit);
            }
        }
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

    /// Deals with what waits in the inbox, without waiting.
    pub(crate) async fn catch_up(&mut self) -> AppResult {
        self.check_ended()?;
        while let Some(event) = self.inbox.try_recv() {
            if let Some(Happened::Digit(digit)) = self.on_event(event).await? {
                self.keep_digit(digit);
            }
        }
        Ok(())
    }

    /// Whether a verb has waited for anything since this was last asked.
    pub(crate) fn take_waited(&mut self) -> bool {
        std::mem::take(&mut self.waited)
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
        });
    }

    /// Waits for whatever comes next. Nothing is lost if this is dropped while it waits.
    pub(crate) async fn wake(&mut self) -> Wake {
        if self.ended().is_some() {
            // The far end's last event has been dealt with: what follows returns it again.
            return Wake::Event(ChannelEvent::Hangup(Cause::NormalClearing));
        }
        if self.inbox.condition().is_overflowed() {
            return Wake::Overflowed;
        }
        let (grace, again) = (self.grace_until, self.turn.again_at());
        let end = self.timeouts.absolute;
        tokio::select! {
            biased;
            event = self.inbox.recv() => {
                // The directory holds a sender for as long as the channel exists; should it not, the
                // call can no longer be steered and ends.
                Wake::Event(event.unwrap_or(ChannelEvent::Hangup(Cause::Interworking)))
            }
            () = until(grace) => Wake::GraceOver,
            () = until(again) => Wake::OfferAgain,
            () = until(end) => Wake::TimeUp,
        }
    }

    pub(crate) async fn on_wake(&mut self, wake: Wake) -> AppResult<Option<Happened>> {
        let happened = self.happened(wake).await?;
        if let Some(Happened::Digit(digit)) = happened
            && let Some(class) = self.music_by_digit(digit)
        {
            self.hear(&class).await;
        }
        Ok(happened)
    }

    async fn happened(&mut self, wake: Wake) -> AppResult<Option<Happened>> {
        match wake {
            Wake::Event(event) => self.on_event(event).await,
            Wake::Overflowed => Err(self.hangup(Cause::SwitchCongestion)),
            Wake::GraceOver => {
                let text = format!(
                    "the connection for signalling did not come back within {} seconds",
                    FLOW_GRACE.as_secs()
                );
                self.tell(StoryEvent::Remark { text });
                Err(self.hangup(Cause::NetworkOutOfOrder))
            }
            Wake::OfferAgain => Ok(self.offer_again().await),
            Wake::TimeUp => Err(self.on_time_up()),
        }
    }

    async fn on_event(&mut self, event: ChannelEvent) -> AppResult<Option<Happened>> {
        self.check_ended()?;
        match event {
            ChannelEvent::Established => {
                self.established = true;
                Ok(Some(Happened::Established))
            }
            ChannelEvent::Offer(offer) => Ok(self.on_offer(offer).await),
            ChannelEvent::Answer(answer) => self.on_answer(answer).await,
            ChannelEvent::OfferRejected { status } => Ok(self.on_offer_rejected(status).await),
            ChannelEvent::OfferWithdrawn => {
                self.on_offer_withdrawn().await;
                Ok(None)
            }
            ChannelEvent::Connected(party) => Ok(self.on_connected(party)),
            ChannelEvent::Text(text) => Ok(Some(Happened::Text(text))),
            ChannelEvent::Digit(event) => Ok(self.on_digit(Form::Signal, event)),
            ChannelEvent::Hangup(cause) => Err(self.end(Side::Them, cause)),
            // Somebody to talk to is what a conversation sees to.
            ChannelEvent::Transfer(_) => {
                self.refuse_transfer(transfer::BAD_REQUEST);
                Ok(None)
            }
            ChannelEvent::WentAway { status } => {
                self.went_away = Some(status);
                Ok(None)
            }
            ChannelEvent::Replaced(newcomer) => {
                newcomer.turn_away();
                Ok(None)
            }
            ChannelEvent::FlowLost => {
                self.tell(StoryEvent::FlowLost);
                self.grace_until
                    .get_or_insert_with(|| Instant::now() + FLOW_GRACE);
                Ok(None)
            }
            ChannelEvent::FlowRestored => {
                self.tell(StoryEvent::FlowRestored);
                self.grace_until = None;
                Ok(None)
            }
            ChannelEvent::Media(event) => self.on_media(&event),
            ChannelEvent::Control(Control::Hangup(cause)) => Err(self.hangup(cause)),
            ChannelEvent::Control(Control::Redirect(to)) => {
                self.leave_all();
                Err(Interrupt::Redirect(to))
            }
            ChannelEvent::Control(Control::Digit(event)) => {
                self.send_digit(event);
                Ok(None)
            }
            // Late news of a call that has been answered; `on_called` deals with it before that.
            ChannelEvent::Progress { .. }
            | ChannelEvent::Forwarded(_)
            | ChannelEvent::Accepted(_) => Ok(None),
            ChannelEvent::Note(event) => {
                self.tell(event);
                Ok(None)
            }
        }
    }

    /// The far end is somebody else now, or says so.
    fn on_connected(&mut self, party: CallerId) -> Option<Happened> {
        if self.caller == party {
            return None;
        }
        let text = format!("the far end is {party} now");
        self.tell(StoryEvent::Remark { text });
        self.parties.ani = party.clone();
        self.caller = party;
        self.publish();
        Some(Happened::Connected)
    }

    /// Notes the end; the first one counts.
    fn end(&mut self, by: Side, cause: Cause) -> Interrupt {
        self.state = State::Ended { by, cause };
        self.condition().ring(false);
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

    /// Lets a channel go that is over: with the sums of its media in its story.
    pub async fn release(&mut self) {
        self.release_media().await;
    }

    /// Asks media for its sums, for the story, and lets it go.
    pub(crate) async fn release_media(&mut self) {
        (self.tones, self.music) = (None, None);
        self.recordings.clear();
        let Some(leg) = self.leg.take() else { return };
        let Ok(stats) = tokio::time::timeout(STATS_PATIENCE, leg.stats()).await else {
            return;
        };
        for stream in stats.streams {
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
        }
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
        if let Some(story) = self.story.take() {
            let story = story.finish(by, cause, &self.surroundings());
            if let Some(verdict) = &story.verdict {
                tracing::warn!(channel = self.name(), "{verdict}");
            }
            self.switch.directory().keep(story);
        }
    }
}

/// The end of a wait that begins now. A dial plan may ask for any number of seconds; a clock cannot.
fn after(duration: Duration) -> Instant {
    Instant::now() + duration.min(WAIT_MAX)
}
