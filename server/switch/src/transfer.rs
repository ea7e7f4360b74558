//! Transfers: one of two parties sends the other one on (REFER, RFC 5589), or a newcomer takes the place of a party
//! (INVITE with Replaces, RFC 3891).
//!
//! What Asterisk calls masquerade is a move: the [`Channel`] leaves its task and is put into the inbox of the
//! channel whose place it takes; the task there swaps the two, and hangs up the one that has left.

use std::fmt;
use std::sync::Arc;

use dialplan::Position;
use tokio::runtime::Handle;

use crate::cause::Cause;
use crate::channel::Channel;
use crate::directory::ChannelId;
use crate::event::{ChannelEvent, Interrupt};
use crate::inbox::{Claim, InboxSender};
use crate::pickup;
use crate::story::StoryEvent;

/// A party asks for the other one to be sent on.
#[derive(Debug)]
pub struct Transfer {
    /// Where to.
    pub to: TransferTo,
    /// Who asked for it, as its protocol says (Referred-By).
    pub referred_by: Option<String>,
    /// Where to, as its protocol says (Refer-To).
    pub refer_to: String,
}

/// What a party of a conversation asks for while it is led aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Onward {
    /// The other one is sent there.
    Blind(Position),
    /// It is called, before the other one is sent there.
    Attended(Position),
}

/// Where a party is sent.
#[derive(Debug)]
pub enum TransferTo {
    /// To an extension of the dial plan.
    Extension(String),
    /// Into the place of another channel: that of the same phone in its other call.
    Seat(Seat),
    /// Into the place of a call of somebody else: extension `external_replaces` knows what to do with it, if there is one.
    Elsewhere,
}

/// What the party that asked is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referred {
    /// It is not done.
    Refused(Refusal),
    /// It is done.
    Done,
    /// It is done, and it is told how the one that was sent on fares.
    Followed,
    /// The one that was sent on fares like this; a SIP status, or its equivalent.
    Fares(u16),
}

/// Why a transfer is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A SIP status, or its equivalent.
    pub status: u16,
    /// A sentence for whoever looks into it.
    pub why: &'static str,
}

impl Refusal {
    const fn new(status: u16, why: &'static str) -> Self {
        Self { status, why }
    }
}

/// Tells who asked for a transfer how the party that was sent on fares. The last it tells is a final status; if nothing
/// came of it, when it is dropped.
pub struct Follower {
    tell: Box<dyn FnMut(u16) + Send>,
    told: u16,
}

impl Follower {
    /// One that tells SIP statuses, or their equivalents, in this way.
    pub fn new(tell: impl FnMut(u16) + Send + 'static) -> Self {
        Self {
            tell: Box::new(tell),
            told: 100,
        }
    }

    /// The party fares like this. Nothing is told twice, nor after a final status.
    fn tell(&mut self, status: u16) {
        if self.told < 200 && self.told != status {
            self.told = status;
            (self.tell)(status);
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.tell(GIVEN_UP);
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower")
            .field("told", &self.told)
            .finish()
    }
}

impl Channel {
    /// How it fares, for who sent it on, if that wants to know: 180 and 183 while it is called for, 200 once it talks to
    /// somebody or something.
    pub fn fares(&mut self, status: u16) {
        if let Some(follower) = &mut self.follower {
            follower.tell(status);
            if status >= 200 {
                self.follower = None;
            }
        }
    }

    /// Whether it is led aside from a conversation, so that it can have the other party sent on.
    pub fn is_aside(&self) -> bool {
        self.condition().is_up_with_another()
    }

    /// Has the other party of its conversation sent on, as soon as it is led back.
    pub fn send_other(&mut self, onward: Onward) {
        self.onward = Some(onward);
    }

    /// The context in which it finds the extensions it sends others to.
    pub fn transfer_context(&self) -> String {
        context_of(self)
    }

    /// It is over: who sent it on is told why.
    pub(crate) fn fared(&mut self, cause: Cause) {
        let status = match cause {
            Cause::NormalClearing => GIVEN_UP,
            cause => cause.status().max(400),
        };
        self.fares(status);
    }
}

/// What is told where the one that was sent on left before it reached anybody.
const GIVEN_UP: u16 = 487;

/// The place of a channel in its conversation, which another channel can take.
#[derive(Clone)]
pub struct Seat {
    inbox: InboxSender,
    /// It is that of a call that rings, which is picked up.
    rings: bool,
    /// It is kept, even if its channel is hung up meanwhile.
    claim: Option<Arc<Claim>>,
    /// Who comes there talks to its channel, and takes nobody's place.
    visits: bool,
}

impl Seat {
    /// The place of the channel that reads this inbox.
    pub fn of(inbox: &InboxSender) -> Self {
        Self {
            inbox: inbox.clone(),
            rings: false,
            claim: None,
            visits: false,
        }
    }

    /// The place of a channel whose far end rings, to pick its call up.
    pub fn ringing(inbox: &InboxSender) -> Self {
        Self {
            inbox: inbox.clone(),
            rings: true,
            claim: None,
            visits: false,
        }
    }

    /// The same place, kept for whoever is on its way there.
    pub fn kept(self) -> Self {
        let claim = Some(Arc::new(self.inbox.claim()));
        Self { claim, ..self }
    }

    /// Whether the far end of its channel rings, so that the call can be picked up.
    pub fn is_ringing(&self) -> bool {
        !self.inbox.is_closed() && self.inbox.is_ringing()
    }

    /// The same place, for one who is to talk to its channel.
    pub(crate) fn visited(self) -> Self {
        let visits = true;
        Self { visits, ..self }
    }

    /// Whether its channel waits for this one, which it fetches.
    pub(crate) fn expects(&self, id: ChannelId) -> bool {
        self.inbox.expects(id)
    }

    /// The same place, of a call that is picked up.
    fn picked_up(self) -> Self {
        let rings = true;
        Self { rings, ..self }
    }

    /// Whether its channel talks to another one now, so that there is something to take over.
    pub fn is_taken(&self) -> bool {
        !self.inbox.is_closed() && self.inbox.is_connected()
    }

    /// Whether another channel can take it: its channel talks, or waits for somebody it calls.
    fn is_open(&self) -> bool {
        self.is_taken() || (!self.inbox.is_closed() && self.inbox.is_offered())
    }

    /// Puts a channel there. If the place is gone meanwhile, the channel is hung up.
    pub(crate) fn take(&self, channel: Channel) {
        let newcomer = Newcomer {
            channel: Some(Box::new(channel)),
            picks_up: self.rings,
            expected: self.claim.is_some(),
            visits: self.visits,
        };
        // Nobody reads what is sent to a place that is gone.
        match self.inbox.is_closed() {
            true => newcomer.turn_away(),
            false => drop(self.inbox.send(ChannelEvent::Replaced(newcomer))),
        }
    }

    fn is_of(&self, channel: &Channel) -> bool {
        self.inbox.is_read_by(&channel.condition())
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").finish_non_exhaustive()
    }
}

impl PartialEq for Seat {
    fn eq(&self, other: &Self) -> bool {
        self.inbox.is_same(&other.inbox)
    }
}

impl Eq for Seat {}

/// A channel on its way into the place of another. One that is dropped before it is there came too late.
pub struct Newcomer {
    channel: Option<Box<Channel>>,
    /// It wants the place of one that rings.
    picks_up: bool,
    /// The place was kept for it.
    expected: bool,
    /// It was fetched to talk to the channel it comes to.
    visits: bool,
}

impl fmt::Debug for Newcomer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.channel.as_deref().map(Channel::name);
        f.debug_tuple("Newcomer").field(&name).finish()
    }
}

impl Newcomer {
    pub(crate) fn of(channel: Channel) -> Self {
        Self {
            channel: Some(Box::new(channel)),
            picks_up: false,
            expected: false,
            visits: false,
        }
    }

    /// Whether it wants the place of one that talks, not of one that rings.
    pub(crate) fn wants_to_talk(&self) -> bool {
        !self.picks_up && !self.visits
    }

    /// Whether it was fetched to talk to the channel it comes to.
    pub(crate) fn visits(&self) -> bool {
        self.visits
    }

    /// The channel, which has arrived.
    pub(crate) fn into_channel(mut self) -> Option<Box<Channel>> {
        self.channel.take()
    }

    /// Whether the place was kept for it.
    pub(crate) fn was_expected(&self) -> bool {
        self.expected && !self.picks_up
    }

    /// Takes the place of a leg that rings, which is told that it was answered elsewhere. `false`: it came for
    /// something else, or is over itself.
    pub(crate) async fn picks_up(self, leg: &mut Channel) -> bool {
        let is_up = self.channel.as_deref().is_some_and(Channel::is_up);
        if !self.picks_up || !is_up {
            self.turn_away();
            return false;
        }
        let number = leg.vars.value("DIALEDPEERNUMBER").unwrap_or_default();
        let number = number.to_owned();
        self.replace(leg, Cause::AnsweredElsewhere).await;
        // From here on the caller has the record.
        leg.record_mut().conclude();
        // A number is short; a full table is told by Set itself.
        let _ = leg.vars.set("DIALEDPEERNUMBER", &number);
        true
    }

    /// There is nothing it could take over: it is hung up, and who wanted to pick up hears why.
    pub(crate) fn turn_away(self) {
        drop(self);
    }

    /// Swaps it with the channel in whose place it comes, which is hung up.
    pub(crate) async fn swap(self, own: &mut Channel) {
        self.replace(own, Cause::NormalClearing).await;
    }

    /// The same with one that has been led through the dial plan: the newcomer goes on there with its variables.
    pub(crate) async fn swap_in_plan(mut self, own: &mut Channel) {
        if let Some(channel) = self.channel.as_deref_mut() {
            channel.inherit_plan(own);
        }
        self.swap(own).await;
    }

    /// Goes on with what a channel does, in the place of that.
    pub(crate) async fn go_on_for(mut self, own: &mut Channel) {
        let cause = match own.is_up() {
            true => Cause::NormalClearing,
            // Before the answer: the request is terminated (487).
            false => Cause::AnsweredElsewhere,
        };
        if let Some(channel) = self.channel.as_deref_mut() {
            channel.inherit_plan(own);
            channel.inherit_work(own);
        }
        self.replace(own, cause).await;
    }

    async fn replace(mut self, own: &mut Channel, cause: Cause) {
        let Some(mut left) = self.channel.take() else {
            return;
        };
        std::mem::swap(own, &mut *left);
        own.at = left.at.clone();
        let (new, old) = (own.name().to_owned(), left.name().to_owned());
        tracing::info!(channel = new, replaces = old, "takes its place");
        let text = format!("takes the place of {old}");
        own.tell(StoryEvent::Remark { text });
        let text = format!("{new} takes its place");
        left.tell(StoryEvent::Remark { text });
        own.publish();
        left.leave_place(cause);
        left.release().await;
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        let Some(mut channel) = self.channel.take() else {
            return;
        };
        let text = "the call whose place it was to take is gone".to_owned();
        channel.tell(StoryEvent::Remark { text });
        let hears = self.picks_up && channel.is_up() && pickup::has_fail_sound(&channel);
        // The exchange may be going down.
        if hears && Handle::try_current().is_ok() {
            let switch = channel.switch().clone();
            switch.spawn(async move {
                // Whoever hangs up meanwhile has heard enough.
                let _ = pickup::fail(&mut channel).await;
                channel.hangup(Cause::CallRejected);
                channel.release().await;
            });
            return;
        }
        channel.hangup(Cause::CallRejected);
    }
}

/// Sees to what `own` asks for: what becomes of `other`, if that is to be done.
pub(crate) async fn resolve(
    own: &mut Channel,
    other: &mut Channel,
    transfer: Transfer,
) -> Option<Interrupt> {
    let Transfer {
        to,
        referred_by,
        refer_to,
    } = transfer;
    let result = match led_to(own, other, to) {
        Ok(Led::Extension(to, missing)) => {
            let caller = other.caller.number.clone();
            extension(own, to, caller, (missing, &refer_to)).await
        }
        Ok(Led::Seat(place)) => Ok(Interrupt::Join(place)),
        Err(refusal) => {
            say_refused(own, refusal);
            Err(refusal)
        }
    };
    let interrupt = match result {
        Ok(interrupt) => interrupt,
        Err(refusal) => {
            own.refuse_transfer(refusal);
            return None;
        }
    };
    let [variable, opposite] = match &interrupt {
        Interrupt::Join(_) => ["ATTENDEDTRANSFER", "BLINDTRANSFER"],
        Interrupt::Redirect(_) | Interrupt::Hangup(_) | Interrupt::Park(_) => {
            ["BLINDTRANSFER", "ATTENDEDTRANSFER"]
        }
    };
    let by = own.name().to_owned();
    let told = [
        (variable, by.as_str()),
        (opposite, ""),
        ("SIPTRANSFER", "yes"),
        ("SIPREFERTOHDR", &refer_to),
        (
            "SIPREFERREDBYHDR",
            referred_by.as_deref().unwrap_or_default(),
        ),
    ];
    for (name, value) in told {
        // A value too long stays unset.
        let _ = other.vars.set(name, value);
    }
    let text = match &interrupt {
        Interrupt::Redirect(to) => format!("transferred to {} by {by}", to.exten),
        Interrupt::Join(_) | Interrupt::Hangup(_) | Interrupt::Park(_) => {
            format!("transferred to another call by {by}")
        }
    };
    tracing::info!(channel = other.name(), by, "{text}");
    other.tell(StoryEvent::Remark { text });
    other.leave_all();
    let follows =
        matches!(interrupt, Interrupt::Redirect(_)) && own.endpoint().refer_blind_progress;
    let follower = if follows { own.follow() } else { None };
    match follower {
        Some(follower) => other.follower = Some(follower),
        None => own.transferred(),
    }
    Some(interrupt)
}

/// Where `own` wants `other` to go, or why it cannot.
fn led_to(own: &Channel, other: &Channel, to: TransferTo) -> Result<Led, Refusal> {
    let extension = |exten: String| Position {
        context: refer_context(own),
        exten,
        priority: 1,
    };
    match to {
        _ if !own.endpoint().allow_transfer => Err(NOT_PERMITTED),
        TransferTo::Extension(exten) => Ok(Led::Extension(extension(exten), NOT_FOUND)),
        TransferTo::Elsewhere => {
            let to = extension(EXTERNAL_REPLACES.to_owned());
            Ok(Led::Extension(to, NO_SUCH_CALL))
        }
        TransferTo::Seat(place) if place.is_of(own) || place.is_of(other) => Err(OWN_CALL),
        TransferTo::Seat(place) if place.is_open() => Ok(Led::Seat(place)),
        // Its own phone rings, and it wants the other one to take that call.
        TransferTo::Seat(place) if place.is_ringing() => Ok(Led::Seat(place.picked_up())),
        TransferTo::Seat(_) => Err(NO_PLACE),
    }
}

/// The extension that knows what to do with the Replaces of another exchange, as in Asterisk.
const EXTERNAL_REPLACES: &str = "external_replaces";

/// Where a party is to be led.
enum Led {
    /// To an extension; what is answered if there is none.
    Extension(Position, Refusal),
    Seat(Seat),
}

/// The context in which a party that transfers by digits finds extensions.
pub(crate) fn context_of(own: &Channel) -> String {
    let named = own.vars.value("TRANSFER_CONTEXT");
    let here = Some(own.at.context.as_str()).filter(|context| !context.is_empty());
    let context = named.or(here).unwrap_or(&own.endpoint().context);
    context.to_owned()
}

/// Says that who transfers named an extension that is not there: the phone plays a tone, and nobody sees why.
pub(crate) fn say_failed(own: &mut Channel, exten: &str, context: &str) {
    let by = own.name().to_owned();
    let text = match exten {
        "" => format!("transfer by {by} fails: no number was dialled"),
        exten => format!(
            "transfer by {by} to {exten} fails: no such extension in context {context} \
             (TRANSFER_CONTEXT sets another)"
        ),
    };
    tracing::warn!(channel = by, "{text}");
    own.tell(StoryEvent::Remark { text });
}

/// Says why a transfer is not even tried.
fn say_refused(own: &mut Channel, refusal: Refusal) {
    let Refusal { status, why } = refusal;
    let (by, endpoint) = (own.name().to_owned(), own.endpoint());
    let cure = match endpoint.allow_transfer {
        true => String::new(),
        false => format!(
            " (allow_transfer=no of [{}] in {})",
            endpoint.id,
            endpoint.file()
        ),
    };
    let text = format!("transfer by {by} refused with {status}: {why}{cure}");
    tracing::warn!(channel = by, "{text}");
    own.tell(StoryEvent::Remark { text });
}

/// Says that the call is not here whose place somebody was to take.
fn say_lost(own: &mut Channel, refer_to: &str, context: &str) {
    let by = own.name().to_owned();
    let text = format!(
        "transfer by {by} fails: Replaces names no call of this exchange (Refer-To: {refer_to}), and \
         context {context} has no extension {EXTERNAL_REPLACES}, where such transfers go"
    );
    tracing::warn!(channel = by, "{text}");
    own.tell(StoryEvent::Remark { text });
}

/// Notes that `own` sends `other` to an extension.
pub(crate) fn blind(own: &Channel, other: &mut Channel, to: &Position) {
    let by = own.name().to_owned();
    // A channel's name is short; a full table is told by Set itself.
    let _ = other.vars.set("BLINDTRANSFER", &by);
    let _ = other.vars.set("ATTENDEDTRANSFER", "");
    other.leave_all();
    let text = format!("transferred to {} by {by}", to.exten);
    tracing::info!(channel = other.name(), by, "{text}");
    other.tell(StoryEvent::Remark { text });
}

/// Notes that `by` has led `other` and `target` together.
pub(crate) fn attended(by: &Channel, other: &mut Channel, target: &mut Channel) {
    let by = by.name().to_owned();
    for (own, far) in [
        (&mut *other, target.name().to_owned()),
        (target, String::new()),
    ] {
        let _ = own.vars.set("ATTENDEDTRANSFER", &by);
        let _ = own.vars.set("BLINDTRANSFER", "");
        if !far.is_empty() {
            let text = format!("transferred to {far} by {by}");
            tracing::info!(channel = own.name(), by, "{text}");
            own.tell(StoryEvent::Remark { text });
        }
    }
}

/// What Asterisk answers where there is nobody to be transferred.
pub(crate) const NOBODY: Refusal = Refusal::new(
    400,
    "the call is with the exchange alone: nobody can be sent on",
);
const OWN_CALL: Refusal = Refusal::new(400, "the call to be replaced is this one");
const NOT_FOUND: Refusal = Refusal::new(404, "no such extension in the context of transfers");
/// Where there is no call of that name.
const NO_SUCH_CALL: Refusal =
    Refusal::new(481, "no such call here, and no extension external_replaces");
const NOT_PERMITTED: Refusal = Refusal::new(603, "the endpoint has allow_transfer=no");
const NO_PLACE: Refusal = Refusal::new(
    603,
    "the call to be replaced neither talks to a party nor calls one",
);
pub(crate) const TWO_OTHERS: Refusal = Refusal::new(
    603,
    "in a call of three it is not clear who is to be sent on: hang up, and the other two talk on",
);

/// The context in which a phone that sends the other party on finds extensions.
fn refer_context(own: &Channel) -> String {
    let named = own.vars.value("TRANSFER_CONTEXT").map(str::to_owned);
    named.unwrap_or_else(|| own.endpoint().context.clone())
}

async fn extension(
    own: &mut Channel,
    to: Position,
    caller: String,
    (missing, refer_to): (Refusal, &str),
) -> Result<Interrupt, Refusal> {
    let switch = own.switch().clone();
    let known = switch.has_extension(&to.context, &to.exten, Some(&caller));
    match known.await {
        Ok(true) => Ok(Interrupt::Redirect(to)),
        Ok(false) | Err(_) => {
            match missing {
                NO_SUCH_CALL => say_lost(own, refer_to, &to.context),
                _ => say_failed(own, &to.exten, &to.context),
            }
            Err(missing)
        }
    }
}
