//! The handle everyone has: configuration, store, media plane, directory, and the tasks of all calls.

mod incoming;
mod outgoing;
mod status;
mod tasks;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use config::{Config, MusicClass};
use media::{AllocateError, Place};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rtc::policy::Policy;
use store::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use status::{Live, Status};
pub use tasks::SHUTDOWN_GRACE;

use crate::application::Application;
use crate::call_number::CallNumber;
use crate::directory::{ChannelId, Directory};
use crate::function::Function;
use crate::groups::Groups;
use crate::inbox::InboxSender;
use crate::leg::{LegRequest, MediaLeg, MediaPlane};
use crate::local;
use crate::locks::Locks;
use crate::music::{self, Folders, MusicLibrary};
use crate::park::Parkings;
use crate::sounds::Sounds;
use crate::stop::Asked;
use crate::technology::{NoOption, Target, Technology, Thing, Unreachable};
use crate::text::Texts;
use crate::variables::Variables;

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
    locks: Locks,
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
    /// Calls that the log has numbered; the next one's number.
    call_numbers: AtomicU64,
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
                locks: Locks::default(),
                parkings: Parkings::default(),
                recorder: Arc::default(),
                technologies: OnceLock::new(),
                globals: Mutex::default(),
                rng: Mutex::new(ChaCha12Rng::from_seed(seed)),
                numbers: AtomicU64::new(0),
                calls: AtomicU64::new(0),
                call_numbers: AtomicU64::new(1),
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

    /// The number of a call that begins.
    pub(crate) fn next_call(&self) -> CallNumber {
        CallNumber(self.shared.call_numbers.fetch_add(1, Ordering::Relaxed))
    }

    /// Configuration and database.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The media plane.
    pub fn media(&self) -> &dyn MediaPlane {
        &*self.shared.media
    }

    /// The locks of calls.
    pub(crate) fn locks(&self) -> &Locks {
        &self.shared.locks
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

    /// An option of a thing of a technology, as it is in force.
    ///
    /// # Errors
    ///
    /// When there is no such thing, or it has no such option.
    pub fn option_of(
        &self,
        technology: &str,
        thing: Thing,
        name: &str,
        option: &str,
    ) -> Result<String, NoOption> {
        let mut technologies = self.technologies().iter();
        let named = technologies.find(|known| known.name().eq_ignore_ascii_case(technology));
        let named = named.ok_or(NoOption::Thing)?;
        named.option_of(thing, name, option)
    }

    /// The stop that is asked for, if any.
    pub(crate) fn asked(&self) -> &Asked {
        &self.shared.asked
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
}

/// The name and the unique id of a channel.
fn names(id: ChannelId, begins: &str, ends: &str) -> (String, String) {
    let epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    (format!("{begins}-{id}{ends}"), format!("{epoch}.{}", id.0))
}
