//! Which channels live, and the stories of those that ended lately.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use config::{CallerId, Endpoint, Subscriber};
use dialplan::Position;
use media::LegStats;
use serde::Serialize;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::cause::Cause;
use crate::channel::Details;
use crate::event::{ChannelEvent, Control};
use crate::inbox::InboxSender;
use crate::leg::{self, MediaLeg};
use crate::seen::Seen;
use crate::story::FinishedStory;
use crate::transfer::Seat;

/// Calls that may exist at once; the next one is answered with 503.
pub const CHANNELS_MAX: usize = 10_000;

/// How long a call may take to say what it is like. Calls answer at once, unless they are stuck.
const ANSWER_PATIENCE: Duration = Duration::from_secs(1);

/// Stories of finished calls that are kept.
pub const STORIES_MAX: usize = 100;

/// The number of a channel, unique while the exchange runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ChannelId(pub u64);

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelState {
    /// It calls us and is not answered.
    Ringing,
    /// We call it; it has not rung yet.
    Dialling,
    /// We call it, and it rings.
    Alerting,
    /// Answered.
    Up,
    /// Over; `h` may still run.
    Ended,
}

/// What others may know of a live channel.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelInfo {
    /// Who is at its far end.
    pub caller: CallerId,
    /// Whom that one is connected to, or will be.
    pub connected: CallerId,
    /// Where it stands in the dial plan.
    pub at: Position,
    /// The application that runs, with its arguments.
    pub application: String,
    /// How far it has come.
    pub state: ChannelState,
    /// Its streams in words.
    pub streams: String,
    /// `PICKUPMARK`, by which it may be picked up; empty if it has none.
    pub mark: String,
    /// The name of the conversation it is in.
    pub bridge: Option<Arc<str>>,
    /// Its account.
    pub account: String,
    /// The account of whom it is connected to.
    pub peer_account: String,
    /// Asterisk's number of how it is accounted for.
    pub ama_flags: u8,
}

impl ChannelInfo {
    /// A call that begins.
    pub fn new(caller: &CallerId, at: &Position, state: ChannelState) -> Self {
        Self {
            caller: caller.clone(),
            connected: CallerId::default(),
            at: at.clone(),
            application: String::new(),
            state,
            streams: String::new(),
            mark: String::new(),
            bridge: None,
            account: String::new(),
            peer_account: String::new(),
            ama_flags: store::AmaFlags::default().number(),
        }
    }

    /// Whether the far end holds all of its streams.
    pub fn is_on_hold(&self) -> bool {
        // `sendrecv` and `sendonly` are what is not held.
        !self.streams.is_empty() && !self.streams.contains(" send")
    }
}

/// The handle others have on a call. The call itself belongs to its task.
#[derive(Clone)]
pub struct ChannelHandle {
    line: Arc<Line>,
}

struct Line {
    id: ChannelId,
    name: String,
    unique_id: String,
    since: Instant,
    inbox: InboxSender,
    info: ArcSwap<ChannelInfo>,
    subscriber: Arc<Subscriber>,
    dialled: Option<Position>,
    /// Its media, as long as it has any. Held for a look, never over an await.
    leg: Mutex<Option<Weak<dyn MediaLeg>>>,
    seen: Arc<Seen>,
}

impl ChannelHandle {
    /// The channel's number.
    pub fn id(&self) -> ChannelId {
        self.line.id
    }

    /// `PJSIP/alice-00000001`.
    pub fn name(&self) -> &str {
        &self.line.name
    }

    /// `epoch.counter`.
    pub fn unique_id(&self) -> &str {
        &self.line.unique_id
    }

    /// The endpoint, as it was configured when the call began.
    pub fn endpoint(&self) -> &Endpoint {
        &self.line.subscriber.endpoint
    }

    /// Of a call of ours: where in the dial plan it was made.
    pub fn dialled(&self) -> Option<&Position> {
        self.line.dialled.as_ref()
    }

    /// The place of the channel.
    pub(crate) fn seat(&self) -> Seat {
        Seat::of(&self.line.inbox)
    }

    /// Whether the call reads this inbox.
    pub fn reads(&self, inbox: &InboxSender) -> bool {
        self.line.inbox.is_same(inbox)
    }

    /// Its place, for who picks it up. `None`: it does not ring.
    pub(crate) fn ringing_seat(&self) -> Option<Seat> {
        let rings = !self.is_gone() && self.line.inbox.is_ringing();
        rings.then(|| Seat::ringing(&self.line.inbox))
    }

    /// How long the call has been there.
    pub fn age(&self) -> Duration {
        self.line.since.elapsed()
    }

    /// What its media carried so far; nothing where it has none.
    pub async fn stats(&self) -> LegStats {
        let leg = self.leg().as_ref().and_then(Weak::upgrade);
        match leg {
            Some(leg) => leg::stats(&*leg).await.unwrap_or_default(),
            None => LegStats::default(),
        }
    }

    pub(crate) fn seen(&self) -> &Seen {
        &self.line.seen
    }

    fn leg(&self) -> MutexGuard<'_, Option<Weak<dyn MediaLeg>>> {
        // A pointer is never half written.
        self.line.leg.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the call stands.
    pub fn info(&self) -> Arc<ChannelInfo> {
        self.line.info.load_full()
    }

    /// Steers the call. `false`: it is gone.
    pub fn control(&self, control: Control) -> bool {
        self.line.inbox.send(control)
    }

    /// Ends the call.
    pub fn hangup(&self, cause: Cause) -> bool {
        self.control(Control::Hangup(cause))
    }

    /// Lets the call go on elsewhere in the dial plan.
    pub fn redirect(&self, to: Position) -> bool {
        self.control(Control::Redirect(to))
    }

    /// Asks the call what it is like; `None`: it is over, or does not answer within a second.
    pub async fn details(&self) -> Option<Box<Details>> {
        let (ask, asked) = oneshot::channel();
        if !self.line.inbox.send(ChannelEvent::Describe(ask)) {
            return None;
        }
        let answer = tokio::time::timeout(ANSWER_PATIENCE, asked).await;
        answer.ok()?.ok()
    }

    /// Events that wait for the call, and events it has read.
    pub(crate) fn backlog(&self) -> (usize, u64) {
        self.line.inbox.backlog()
    }

    /// Whether the call is gone.
    pub fn is_gone(&self) -> bool {
        self.line.inbox.is_closed()
    }
}

/// All live channels and the latest stories.
#[derive(Clone, Default)]
pub struct Directory {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Held for a look-up, never over an await.
    channels: Mutex<BTreeMap<ChannelId, ChannelHandle>>,
    stories: Mutex<VecDeque<Arc<FinishedStory>>>,
    /// A channel has left.
    left: Notify,
    /// A channel came, changed its state, or left.
    changes: Arc<Notify>,
}

/// There are [`CHANNELS_MAX`] calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {CHANNELS_MAX} calls already")]
pub struct Full;

impl Directory {
    /// The channel with this number.
    pub fn channel(&self, id: ChannelId) -> Option<ChannelHandle> {
        self.channels().get(&id).cloned()
    }

    /// The channel with this name, compared without case as in Asterisk's console.
    pub fn by_name(&self, name: &str) -> Option<ChannelHandle> {
        let channels = self.channels();
        channels
            .values()
            .find(|handle| handle.name().eq_ignore_ascii_case(name))
            .cloned()
    }

    /// All live channels, the oldest first.
    pub fn all(&self) -> Vec<ChannelHandle> {
        self.channels().values().cloned().collect()
    }

    /// How many channels live.
    pub fn count(&self) -> usize {
        self.channels().len()
    }

    /// Told whenever a channel comes, changes its state or leaves; and by whoever else knows of something that
    /// states of devices depend on. One may wait.
    pub fn changes(&self) -> Arc<Notify> {
        Arc::clone(&self.shared.changes)
    }

    /// Tells those who watch that something else than a channel has changed on which states depend.
    pub fn changed(&self) {
        self.shared.changes.notify_one();
    }

    /// Waits until no channel lives.
    pub async fn until_empty(&self) {
        loop {
            let mut left = pin!(self.shared.left.notified());
            // From here on no leave is missed.
            left.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            left.await;
        }
    }

    /// The latest stories, the oldest first.
    pub fn stories(&self) -> Vec<Arc<FinishedStory>> {
        self.stories_kept().iter().cloned().collect()
    }

    pub(crate) fn register(&self, new: New) -> Result<Registration, Full> {
        let New {
            id,
            name,
            unique_id,
            inbox,
            info,
            subscriber,
            dialled,
        } = new;
        let line = Line {
            subscriber,
            dialled,
            id,
            name,
            unique_id,
            since: Instant::now(),
            inbox,
            info: ArcSwap::from_pointee(info),
            leg: Mutex::new(None),
            seen: Arc::default(),
        };
        let handle = ChannelHandle {
            line: Arc::new(line),
        };
        let mut channels = self.channels();
        if channels.len() >= CHANNELS_MAX {
            return Err(Full);
        }
        channels.insert(id, handle.clone());
        self.shared.changes.notify_one();
        Ok(Registration {
            handle,
            directory: self.clone(),
        })
    }

    pub(crate) fn keep(&self, story: FinishedStory) {
        let mut stories = self.stories_kept();
        if stories.len() == STORIES_MAX {
            stories.pop_front();
        }
        stories.push_back(Arc::new(story));
    }

    fn channels(&self) -> MutexGuard<'_, BTreeMap<ChannelId, ChannelHandle>> {
        // Nothing is left half done under this lock, so a panic elsewhere does not spoil the map.
        self.shared
            .channels
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn stories_kept(&self) -> MutexGuard<'_, VecDeque<Arc<FinishedStory>>> {
        self.shared
            .stories
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A channel about to be entered.
pub(crate) struct New {
    pub(crate) id: ChannelId,
    pub(crate) name: String,
    pub(crate) unique_id: String,
    pub(crate) inbox: InboxSender,
    pub(crate) info: ChannelInfo,
    pub(crate) subscriber: Arc<Subscriber>,
    /// Of a call of ours: where in the dial plan it was made.
    pub(crate) dialled: Option<Position>,
}

/// A channel is in the directory as long as this exists.
pub(crate) struct Registration {
    handle: ChannelHandle,
    directory: Directory,
}

impl Registration {
    pub(crate) fn handle(&self) -> &ChannelHandle {
        &self.handle
    }

    pub(crate) fn name(&self) -> &str {
        self.handle.name()
    }

    pub(crate) fn unique_id(&self) -> &str {
        self.handle.unique_id()
    }

    pub(crate) fn inbox(&self) -> InboxSender {
        self.handle.line.inbox.clone()
    }

    pub(crate) fn seen(&self) -> Arc<Seen> {
        Arc::clone(&self.handle.line.seen)
    }

    /// Its media, for others to look at.
    pub(crate) fn show_leg(&self, leg: Option<&Arc<dyn MediaLeg>>) {
        *self.handle.leg() = leg.map(Arc::downgrade);
    }

    pub(crate) fn publish(&self, info: ChannelInfo) {
        let info = Arc::new(info);
        let before = self.handle.line.info.swap(Arc::clone(&info));
        if before.state != info.state || before.streams != info.streams {
            self.directory.shared.changes.notify_one();
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.directory.channels().remove(&self.handle.id());
        self.directory.shared.left.notify_waiters();
        self.directory.shared.changes.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use config::{CallerId, Endpoint, Subscriber};
    use dialplan::Position;

    use super::{CHANNELS_MAX, ChannelId, ChannelInfo, ChannelState, Directory, New, STORIES_MAX};
    use crate::cause::Cause;
    use crate::inbox::inbox;
    use crate::story::{Side, Story, Surroundings, subject};

    fn new(id: u64) -> New {
        New {
            id: ChannelId(id),
            name: format!("PJSIP/alice-{:08x}", id),
            unique_id: format!("1.{id}"),
            inbox: inbox().0,
            info: ChannelInfo::new(
                &CallerId::default(),
                &Position {
                    context: "c".to_owned(),
                    exten: "1".to_owned(),
                    priority: 1,
                },
                ChannelState::Ringing,
            ),
            subscriber: Arc::new(Subscriber {
                endpoint: Endpoint::new("alice"),
                auths: Vec::new(),
                aors: Vec::new(),
                outbound_auths: Vec::new(),
            }),
            dialled: None,
        }
    }

    #[test]
    fn is_full_at_its_limit_and_has_room_again_when_a_channel_leaves() {
        let directory = Directory::default();
        let mut registrations: Vec<_> = (0..CHANNELS_MAX as u64)
            .map(|id| directory.register(new(id)).ok().unwrap())
            .collect();
        assert!(directory.register(new(1 << 40)).is_err());
        assert!(directory.by_name("pjsip/ALICE-00000001").is_some());
        registrations.pop();
        assert_eq!(directory.count(), CHANNELS_MAX - 1);
        assert!(directory.register(new(1 << 40)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn keeps_the_latest_stories() {
        let directory = Directory::default();
        for index in 0..STORIES_MAX + 5 {
            let mut subject = subject();
            subject.unique_id = index.to_string();
            let story = Story::begin(subject);
            directory.keep(story.finish(Side::Us, Cause::NormalClearing, &Surroundings::default()));
        }
        let stories = directory.stories();
        assert_eq!(stories.len(), STORIES_MAX);
        assert_eq!(stories[0].subject.unique_id, "5");
    }
}
