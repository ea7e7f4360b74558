//! A switch with one endpoint, a dial plan given as text, and the far end of its calls in the test's hands.

mod call;
mod description;
mod ladder;
mod media;
mod signaling;

pub(crate) use call::Call;
pub(crate) use description::{sdp, told};
pub(crate) use ladder::Ladder;
pub(crate) use media::Script;
pub(crate) use signaling::in_words;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use config::{Config, Endpoint, Subscriber};
use dialplan::Plan;
use sdp::Sdp;
use store::Store;
use switch::story::{FinishedStory, StoryEvent};
use switch::{Application, CallerId, Incoming, Parts, Switch, inbox};
use tokio::time::advance;

use self::media::Media;
use signaling::Recorder;

pub(crate) struct World {
    pub(crate) switch: Switch,
    pub(crate) ladder: Ladder,
    pub(crate) script: Arc<Mutex<Script>>,
    pub(crate) endpoint: Endpoint,
}

impl World {
    /// A world with this dial plan; its calls start in context `test`.
    pub(crate) async fn new(plan: &str) -> Self {
        Self::with(plan, apps::APPLICATIONS).await
    }

    pub(crate) async fn with(plan: &str, applications: &'static [&'static Application]) -> Self {
        let store = Store::open(Arc::new(configuration(plan)), None)
            .await
            .unwrap();
        Self::on(store, applications)
    }

    /// A world with these prompts of so many milliseconds.
    pub(crate) async fn with_sounds(plan: &str, folder: &Path, files: &[(&str, usize)]) -> Self {
        let world = Self::new(plan).await;
        for (name, ms) in files {
            let file = folder.join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, vec![0xFF; ms * 8]).unwrap();
        }
        let mut config = configuration(plan);
        config.own.sounds = folder.display().to_string();
        world.switch.store().set_config(Arc::new(config));
        world
    }

    /// A world that keeps what it must in this folder, with a database there.
    pub(crate) async fn keeping(config: Config, plan: &str, folder: &Path) -> Self {
        Self::keeping_with(config, plan, folder, apps::APPLICATIONS).await
    }

    /// The same with other applications.
    pub(crate) async fn keeping_with(
        config: Config,
        plan: &str,
        folder: &Path,
        applications: &'static [&'static Application],
    ) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let config = Config {
            plan: configuration(plan).plan,
            ..config
        };
        let store = Store::open(Arc::new(config), Some(&folder.join("db"))).await;
        let store = store.unwrap();
        store.keep(folder, "here").await;
        Self::on(store, applications)
    }

    fn on(store: Store, applications: &'static [&'static Application]) -> Self {
        let ladder = Ladder::new();
        let script = Arc::<Mutex<Script>>::default();
        let media = Media {
            ladder: ladder.clone(),
            script: Arc::clone(&script),
        };
        let switch = Switch::new(Parts {
            store,
            media: Arc::new(media),
            applications,
            functions: apps::FUNCTIONS,
            seed: [7; 32],
        });
        let mut endpoint = Endpoint::new("alice");
        endpoint.allow = ["opus", "vp8"]
            .map(|name| codec::by_name(name).unwrap())
            .to_vec();
        Self {
            switch,
            ladder,
            script,
            endpoint,
        }
    }

    /// Replaces the dial plan, as a reload does.
    pub(crate) fn reload(&self, plan: &str) {
        self.switch
            .store()
            .set_config(Arc::new(configuration(plan)));
    }

    /// A browser with camera and microphone dials.
    pub(crate) async fn dial(&self, exten: &str) -> Call {
        self.dial_with(exten, Some(sdp(&["audio", "video"]))).await
    }

    pub(crate) async fn dial_with(&self, exten: &str, offer: Option<Sdp>) -> Call {
        let call = self
            .try_dial(exten, offer)
            .expect("the switch takes the call");
        settle().await;
        call
    }

    pub(crate) fn try_dial(&self, exten: &str, offer: Option<Sdp>) -> Option<Call> {
        let (sender, receiver) = inbox();
        let handle = self.switch.incoming(Incoming {
            replaces: None,
            subscriber: Arc::new(Subscriber {
                endpoint: self.endpoint.clone(),
                auths: Vec::new(),
                aors: Vec::new(),
                outbound_auths: Vec::new(),
            }),
            caller: CallerId::new("Alice", "alice"),
            context: "test".to_owned(),
            exten: exten.to_owned(),
            redirecting: switch::Redirecting::default(),
            call_id: "call-1".to_owned(),
            offer,
            variables: Vec::new(),
            name: None,
            linkedid: None,
            leg: None,
            signaling: Box::new(Recorder(self.ladder.clone())),
            inbox: (sender.clone(), receiver),
        })?;
        Some(Call {
            handle,
            inbox: sender,
            ladder: self.ladder.clone(),
        })
    }

    /// The story of the only call that ended.
    pub(crate) fn story(&self) -> Arc<FinishedStory> {
        let stories = self.switch.directory().stories();
        assert_eq!(stories.len(), 1, "one call has ended");
        Arc::clone(&stories[0])
    }

    /// What stands in that story as remarks.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let story = self.story();
        let remarks = story.events.iter().filter_map(|entry| match &entry.event {
            StoryEvent::Remark { text } => Some(text.clone()),
            _ => None,
        });
        remarks.collect()
    }
}

fn configuration(plan: &str) -> Config {
    let (plan, faults) = Plan::parse("extensions.conf", &format!("[test]\n{plan}"));
    assert!(faults.is_empty(), "{faults:?}");
    Config {
        plan: Arc::new(plan),
        ..Config::default()
    }
}

/// Lets every task run until all of them wait.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Lets time pass.
pub(crate) async fn pass(duration: Duration) {
    advance(duration).await;
    settle().await;
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
