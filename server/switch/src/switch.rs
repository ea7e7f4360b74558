//! The handle everyone has: configuration, store, media plane, directory, and the tasks of all calls.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use config::{Config, MusicClass};
use dialplan::Position;
use futures_util::FutureExt;
use media::{AllocateError, Place};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rtc::policy::Policy;
use serde::Serialize;
use store::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::application::Application;
use crate::cause::Cause;
use crate::channel::{self, Channel};
use crate::dial::Ask;
use crate::directory::{ChannelHandle, ChannelId, ChannelInfo, ChannelState, Directory, New};
use crate::function::Function;
use crate::groups::Groups;
use crate::inbox::{InboxSender, inbox};
use crate::leg::{LegRequest, MediaCounts, MediaLeg, MediaPlane};
use crate::local;
use crate::music::{self, Folders, MusicLibrary};
use crate::park::Parkings;
use crate::party::Parties;
use crate::pbx::{self, Work};
use crate::signaling::Incoming;
use crate::sounds::Sounds;
use crate::stop::Asked;
use crate::story::{FinishedStory, Story, Subject};
use crate::technology::{Outgoing, Target, Technology, Unreachable};
use crate::text::Texts;
use crate::transfer::Seat;
use crate::variables::Variables;

/// How long a shutdown waits for calls to end by themselves, their `h` extensions included.
pub const SHUTDOWN_GRACE: Duration = Duration::from_millis(800);

/// Events that wait for so long without one of them being read are worth a warning.
const UNREAD_MAX: Duration = Duration::from_secs(2);

/// What a switch is made of.
pub struct Parts {
    /// Configuration and database.
    pub store: Store,
    /// Where legs come from.
    pub media: Arc<dyn MediaPlane>,
    /// The applications of the dial plan.
    pub applications: &'static [&'static Application],
    /// The functions of the dial plan.
    pub functions: &'static [&'static Function],
    /// Where random choices come from: 32 bytes nobody can guess.
    pub seed: [u8; 32],
}

/// The softswitch. Cheap to clone.
#[derive(Clone)]
pub struct Switch {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    media: Arc<dyn MediaPlane>,
    applications: &'static [&'static Application],
    functions: &'static [&'static Function],
    directory: Directory,
    sounds: Arc<Sounds>,
    groups: Groups,
    music: MusicLibrary,
    parkings: Parkings,
    recorder: Arc<media::Recorder>,
    technologies: OnceLock<Vec<Arc<dyn Technology>>>,
    globals: Mutex<Variables>,
    rng: Mutex<ChaCha12Rng>,
    /// Channels since the start; the next channel's number.
    numbers: AtomicU64,
    /// Calls since the start.
    calls: AtomicU64,
    /// Calls that are there.
    calls_now: Arc<AtomicUsize>,
    tasks: TaskTracker,
    asked: Asked,
    texts: Texts,
    /// Messages since the start.
    texts_total: AtomicU64,
    stop: CancellationToken,
}

impl Switch {
    /// A switch without calls.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            store,
            media,
            applications,
            functions,
            seed,
        } = parts;
        let sounds = Arc::<Sounds>::default();
        Self {
            shared: Arc::new(Shared {
                store,
                media,
                applications,
                functions,
                directory: Directory::default(),
                music: MusicLibrary::new(Arc::clone(&sounds)),
                sounds,
                groups: Groups::default(),
                parkings: Parkings::default(),
                recorder: Arc::default(),
                technologies: OnceLock::new(),
                globals: Mutex::default(),
                rng: Mutex::new(ChaCha12Rng::from_seed(seed)),
                numbers: AtomicU64::new(0),
                calls: AtomicU64::new(0),
                calls_now: Arc::default(),
                tasks: TaskTracker::new(),
                asked: Asked::default(),
                texts: Texts::default(),
                texts_total: AtomicU64::new(0),
                stop: CancellationToken::new(),
            }),
        }
    }

    /// The configuration in force. Take it once for what belongs together.
    pub fn config(&self) -> Arc<Config> {
        self.shared.store.config()
    }

    /// Configuration and database.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The media plane.
    pub fn media(&self) -> &dyn MediaPlane {
        &*self.shared.media
    }

    /// The groups of channels.
    pub(crate) fn groups(&self) -> &Groups {
        &self.shared.groups
    }

    /// The sounds that are being played.
    pub(crate) fn sounds(&self) -> &Sounds {
        &self.shared.sounds
    }

    /// What writes recordings.
    pub(crate) fn recorder(&self) -> Arc<media::Recorder> {
        Arc::clone(&self.shared.recorder)
    }

    /// The calls that are parked.
    pub fn parkings(&self) -> &Parkings {
        &self.shared.parkings
    }

    /// A number nobody can guess.
    pub fn lucky(&self) -> u32 {
        let rng = &self.shared.rng;
        rng.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next_u32()
    }

    /// The music of those who wait.
    pub(crate) fn music(&self) -> &MusicLibrary {
        &self.shared.music
    }

    /// The pieces of a class of music, in the order of their names. It reads the folder: not for a task.
    pub fn music_pieces(&self, class: &MusicClass) -> Vec<PathBuf> {
        let folders = Folders::of(&self.config(), class);
        music::pieces(class, folders.class.as_deref())
    }

    /// The folder of a class of music, if it has one.
    pub fn music_folder(&self, class: &MusicClass) -> Option<PathBuf> {
        Folders::of(&self.config(), class).class
    }

    /// Live channels and the latest stories.
    pub fn directory(&self) -> &Directory {
        &self.shared.directory
    }

    /// The application of this name, compared without case as in Asterisk.
    pub fn application(&self, name: &str) -> Option<&'static Application> {
        let applications = self.shared.applications.iter();
        applications
            .copied()
            .find(|application| application.name.eq_ignore_ascii_case(name))
    }

    /// All applications.
    pub fn applications(&self) -> &'static [&'static Application] {
        self.shared.applications
    }

    /// The function of this name.
    pub fn function(&self, name: &str) -> Option<&'static Function> {
        let functions = self.shared.functions.iter();
        functions.copied().find(|function| function.name == name)
    }

    /// All functions.
    pub fn functions(&self) -> &'static [&'static Function] {
        self.shared.functions
    }

    /// The value of a global variable: set by a call, or written in `[globals]`.
    pub fn global(&self, name: &str) -> Option<String> {
        if let Some(value) = self.globals().value(name) {
            return Some(value.to_owned());
        }
        self.config().plan.globals().get(name).cloned()
    }

    /// The global variables that calls have set.
    pub fn globals(&self) -> MutexGuard<'_, Variables> {
        self.shared
            .globals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects the protocols that calls go out by. Once, at the start: they need the switch, so they are
    /// made after it.
    pub fn connect(&self, technologies: Vec<Arc<dyn Technology>>) {
        let connected = self.shared.technologies.set(technologies);
        debug_assert!(connected.is_ok(), "technologies are connected once");
    }

    /// The protocols that calls go out by.
    pub(crate) fn technologies(&self) -> &[Arc<dyn Technology>] {
        let technologies = self.shared.technologies.get();
        technologies.map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn texts(&self) -> &Texts {
        &self.shared.texts
    }

    /// A channel that only carries a message: it has no call record and leaves no story.
    pub(crate) fn text_channel(&self, incoming: Incoming) -> Option<Channel> {
        let id = ChannelId(self.shared.texts_total.fetch_add(1, Ordering::Relaxed) | TEXT_IDS);
        self.channel(id, incoming).ok().map(|(channel, _)| channel)
    }

    /// Where `PJSIP/alice` is reached now.
    pub async fn find(&self, destination: &str) -> Result<Vec<Target>, Unreachable> {
        let technologies = self.technologies();
        let Some((name, rest)) = destination.split_once('/').filter(|(_, it)| !it.is_empty())
        else {
            return Err(Unreachable::Destination(destination.to_owned()));
        };
        if name.eq_ignore_ascii_case("Local") {
            return local::find(self, rest).await;
        }
        let named =
            |technology: &&Arc<dyn Technology>| technology.name().eq_ignore_ascii_case(name);
        let Some(technology) = technologies.iter().find(named) else {
            let known: Vec<_> = technologies.iter().map(|known| known.name()).collect();
            return Err(Unreachable::Technology {
                name: name.to_owned(),
                known: known.join(", "),
            });
        };
        technology.find(rest).await
    }

    /// The places where an endpoint of a technology is reached that are known without asking anybody, as
    /// `Dial` takes them.
    pub fn contacts(&self, technology: &str, endpoint: &str, aor: &str) -> Vec<String> {
        let mut technologies = self.technologies().iter();
        let named = technologies.find(|known| known.name().eq_ignore_ascii_case(technology));
        let contacts = named.map(|named| named.contacts(endpoint, aor));
        contacts.unwrap_or_default()
    }

    /// Takes a call: starts its task, or refuses it when there are too many or the exchange stops.
    pub fn incoming(&self, mut incoming: Incoming) -> Option<ChannelHandle> {
        if self.shared.tasks.is_closed() || self.shared.asked.refuses_calls() {
            incoming.signaling.hangup(Cause::TemporaryFailure);
            return None;
        }
        let replaces = incoming.replaces.take();
        // A call of the dial plan to itself, which has a name already, comes to what it names.
        let is_dialled = replaces.is_none() && incoming.name.is_none();
        let picks_up = is_dialled && self.is_pickup(&incoming.exten);
        let id = ChannelId(self.shared.numbers.fetch_add(1, Ordering::Relaxed));
        let (channel, handle) = match self.channel(id, incoming) {
            Ok(made) => made,
            Err(mut refused) => {
                tracing::error!(
                    endpoint = refused.subscriber.endpoint.id,
                    "{}",
                    crate::directory::Full
                );
                refused.signaling.hangup(Cause::SwitchCongestion);
                return None;
            }
        };
        let call = self.clone();
        let work = match replaces {
            Some(place) => Work::Replace(place),
            None if picks_up => Work::PickUp,
            None => Work::DialPlan,
        };
        self.shared
            .tasks
            .spawn(async move { call.run(channel, work).await });
        Some(handle)
    }

    /// Whether what was dialled is `pickupexten` of features.conf, which stands in no dial plan.
    pub fn is_pickup(&self, exten: &str) -> bool {
        let config = self.config();
        let pickup = &config.features.general.pickup_exten;
        !pickup.is_empty() && pickup == exten
    }

    /// A channel that another call had takes the place of a third.
    pub fn join(&self, channel: Channel, place: &Seat) {
        place.take(channel);
    }

    /// A channel that another call had takes a way of its own through the dial plan, from where it stands.
    pub fn go_on(&self, mut channel: Channel) {
        channel.record_mut().speak();
        let call = self.clone();
        // Where the exchange stops, the channel is dropped and thereby hung up.
        self.spawn(async move { call.run(channel, Work::DialPlan).await });
    }

    /// Starts a task that makes a call; it is dropped where it stands if it does not end when the exchange
    /// does. `false`: the exchange stops already.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        if self.shared.tasks.is_closed() {
            return false;
        }
        let stop = self.shared.stop.clone();
        self.shared.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = task => {}
            }
        });
        true
    }

    /// A channel for a leg that goes out. `None`: there are too many.
    pub(crate) fn outgoing(&self, target: Target, ask: &Ask) -> Option<Channel> {
        let id = ChannelId(self.shared.numbers.fetch_add(1, Ordering::Relaxed));
        let (subscriber, called) = (target.subscriber, target.address);
        let endpoint = &subscriber.endpoint;
        let (name, unique_id) = names(id, &target.name, target.half);
        let at = ask.stands(endpoint);
        let caller = ask.identity(endpoint);
        let (sender, receiver) = inbox();
        let registration = self.shared.directory.register(New {
            id,
            name: name.clone(),
            unique_id: unique_id.clone(),
            inbox: sender.clone(),
            info: ChannelInfo {
                application: ask.application.clone(),
                ..ChannelInfo::new(&caller, &at, ChannelState::Dialling)
            },
            subscriber: Arc::clone(&subscriber),
            dialled: ask.dialled.clone(),
        });
        let Ok(registration) = registration else {
            tracing::error!(called, "{}", crate::directory::Full);
            return None;
        };
        let call_id = target.call_id;
        tracing::info!(channel = name, called, call_id, "call goes out");
        let story = Story::begin(Subject {
            channel: name.clone(),
            unique_id,
            call_id,
            endpoint: endpoint.id.clone(),
            caller: caller.number.clone(),
            exten: at.exten.clone(),
            context: at.context.clone(),
            called: Some(called),
        });
        let linkedid = ask.linkedid.clone();
        let linkedid = linkedid.unwrap_or_else(|| registration.unique_id().to_owned());
        let signaling = (target.open)(Outgoing {
            caller: ask.caller.clone(),
            redirecting: ask.redirecting.clone(),
            variables: ask.variables.clone(),
            channel: name,
            linkedid: linkedid.clone(),
            language: ask.language.clone(),
            inbox: sender,
        });
        let mut channel = Channel::new(channel::Parts {
            id,
            parties: Parties::of_leg(&caller, ask),
            caller,
            at,
            subscriber,
            switch: self.clone(),
            signaling,
            inbox: receiver,
            registration,
            story,
            offer: None,
            variables: &ask.variables,
            leg: target.leg,
            outgoing: true,
        });
        channel.record_mut().link(&linkedid);
        channel.inherit_language(ask.language.as_deref());
        if !ask.recorded {
            channel.record_mut().silence();
        }
        channel.runs(ask.application.clone());
        Some(channel)
    }

    /// Hangs up all calls and takes no more. Returns when the last one is over, after a second at most.
    pub async fn shutdown(&self, cause: Cause) {
        self.shared.tasks.close();
        for handle in self.shared.directory.all() {
            handle.hangup(cause);
        }
        if tokio::time::timeout(SHUTDOWN_GRACE, self.shared.tasks.wait())
            .await
            .is_ok()
        {
            return;
        }
        tracing::warn!(
            calls = self.shared.directory.count(),
            "calls that did not end are dropped"
        );
        self.shared.stop.cancel();
        let last = Duration::from_secs(1) - SHUTDOWN_GRACE;
        if tokio::time::timeout(last, self.shared.tasks.wait())
            .await
            .is_err()
        {
            tracing::error!(
                calls = self.shared.directory.count(),
                "calls that never yield are left"
            );
        }
    }

    /// Counts a call as long as what is returned exists; the channel is counted once in the sum of all.
    pub(crate) fn count_call(&self, channel: &mut Channel) -> Counted {
        if channel.count() {
            self.shared.calls.fetch_add(1, Ordering::Relaxed);
        }
        let now = Arc::clone(&self.shared.calls_now);
        now.fetch_add(1, Ordering::Relaxed);
        Counted(now)
    }

    /// The stop that is asked for, if any.
    pub(crate) fn asked(&self) -> &Asked {
        &self.shared.asked
    }

    /// Counts and stories, as `/status` shows them.
    pub fn status(&self) -> Status {
        let shared = &self.shared;
        Status {
            channels: shared.directory.count(),
            calls: shared.calls_now.load(Ordering::Relaxed),
            calls_total: shared.calls.load(Ordering::Relaxed),
            tasks: shared.tasks.len(),
            media: shared.media.counts(),
            live: shared.directory.all().iter().map(Live::of).collect(),
            stories: shared.directory.stories(),
        }
    }

    pub(crate) fn allocate(
        &self,
        policy: &Policy,
        place: Place,
        events: InboxSender,
        near: Option<&dyn MediaLeg>,
    ) -> Result<Arc<dyn MediaLeg>, AllocateError> {
        let mut seed = [0; 32];
        let mut rng = self
            .shared
            .rng
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        rng.fill_bytes(&mut seed);
        drop(rng);
        let leg = self.shared.media.allocate(LegRequest {
            policy: Arc::new(policy.clone()),
            place,
            events,
            seed,
            near,
        })?;
        Ok(Arc::from(leg))
    }

    fn channel(
        &self,
        id: ChannelId,
        incoming: Incoming,
    ) -> Result<(Channel, ChannelHandle), Box<Incoming>> {
        let begins = format!("PJSIP/{}", incoming.subscriber.endpoint.id);
        let (mut name, unique_id) = names(id, &begins, "");
        if let Some(own) = &incoming.name {
            name.clone_from(own);
        }
        if id.0 & TEXT_IDS != 0 {
            name = format!("Message/ast_msg_queue-{:08x}", id.0 & !TEXT_IDS);
        }
        let at = Position {
            context: incoming.context.clone(),
            exten: incoming.exten.clone(),
            priority: 1,
        };
        let registration = self.shared.directory.register(New {
            id,
            name: name.clone(),
            unique_id: unique_id.clone(),
            inbox: incoming.inbox.0.clone(),
            info: ChannelInfo::new(&incoming.caller, &at, ChannelState::Ringing),
            subscriber: Arc::clone(&incoming.subscriber),
            dialled: None,
        });
        let Ok(registration) = registration else {
            return Err(Box::new(incoming));
        };
        tracing::info!(
            channel = name,
            caller = incoming.caller.number,
            exten = incoming.exten,
            context = incoming.context,
            call_id = incoming.call_id,
            "call came in"
        );
        let story = Story::begin(Subject {
            channel: name,
            unique_id,
            call_id: incoming.call_id,
            endpoint: incoming.subscriber.endpoint.id.clone(),
            caller: incoming.caller.number.clone(),
            exten: incoming.exten,
            context: incoming.context,
            called: None,
        });
        let handle = registration.handle().clone();
        let linkedid = incoming.linkedid;
        let mut channel = Channel::new(channel::Parts {
            id,
            parties: Parties::of_call(&incoming.caller, incoming.redirecting, &at.exten),
            caller: incoming.caller,
            at,
            subscriber: incoming.subscriber,
            switch: self.clone(),
            signaling: incoming.signaling,
            inbox: incoming.inbox.1,
            registration,
            story,
            offer: incoming.offer,
            variables: &incoming.variables,
            leg: incoming.leg,
            outgoing: false,
        });
        if let Some(linkedid) = &linkedid {
            channel.record_mut().link(linkedid);
        }
        Ok((channel, handle))
    }

    /// One call, from its first priority to its release. What the call does wrong ends here: a panic, an
    /// application that reads no events, one that does not end when the exchange does. In all three cases
    /// the channel is dropped where it stands, and that hangs up the far end.
    pub(crate) async fn run(&self, channel: Channel, work: Work) {
        let name = channel.name().to_owned();
        let condition = channel.condition();
        let watch = watch(channel.handle());
        let call = AssertUnwindSafe(pbx::run(channel, work)).catch_unwind();
        tokio::select! {
            biased;
            () = condition.until_overflow() => tracing::error!(
                channel = name,
                "inbox full: the application does not read its events; call dropped"
            ),
            () = self.shared.stop.cancelled() => {}
            () = watch => {}
            result = call => if let Err(panic) = result {
                tracing::error!(channel = name, "call task panicked: {}", message_of(&*panic));
            },
        }
    }
}

/// A call is counted as long as this exists.
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts and stories.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Channels that exist.
    pub channels: usize,
    /// Calls that exist, as Asterisk counts them: what goes through the dial plan, with all it calls.
    pub calls: usize,
    /// Calls since the start.
    pub calls_total: u64,
    /// Tasks of calls.
    pub tasks: usize,
    /// Legs and ports.
    pub media: MediaCounts,
    /// The live calls.
    pub live: Vec<Live>,
    /// The latest finished calls, the oldest first.
    pub stories: Vec<Arc<FinishedStory>>,
}

/// A live call.
#[derive(Clone, Debug, Serialize)]
pub struct Live {
    /// The channel's name.
    pub channel: String,
    /// `epoch.counter`.
    pub unique_id: String,
    /// The caller's number.
    pub caller: String,
    /// `exten@context:priority`, as in `core show channels`.
    pub location: String,
    /// What runs.
    pub application: String,
    /// How far it has come.
    pub state: ChannelState,
    /// Its streams in words.
    pub streams: String,
}

impl Live {
    fn of(handle: &ChannelHandle) -> Self {
        let info = handle.info();
        let Position {
            context,
            exten,
            priority,
        } = &info.at;
        Self {
            channel: handle.name().to_owned(),
            unique_id: handle.unique_id().to_owned(),
            caller: info.caller.number.clone(),
            location: format!("{exten}@{context}:{priority}"),
            application: info.application.clone(),
            state: info.state,
            streams: info.streams.clone(),
        }
    }
}

/// Numbers of channels that only carry a message have this bit, so that they use up none of the calls'.
const TEXT_IDS: u64 = 1 << 48;

/// The name and the unique id of a channel.
fn names(id: ChannelId, begins: &str, ends: &str) -> (String, String) {
    let epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    (format!("{begins}-{id}{ends}"), format!("{epoch}.{}", id.0))
}

/// Says so when events wait for a call that has read none for a while. Never ends.
async fn watch(handle: ChannelHandle) {
    let mut reads_before = None;
    loop {
        tokio::time::sleep(UNREAD_MAX).await;
        let (waiting, reads) = handle.backlog();
        let stuck = waiting > 0 && reads_before == Some(reads);
        if stuck {
            let application = &handle.info().application;
            tracing::warn!(
                channel = handle.name(),
                waiting,
                "{application} leaves the call's events unread"
            );
        }
        reads_before = (waiting > 0).then_some(reads);
    }
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}
