//! A world and the far ends of what it calls: a technology whose places are in the test's hands.

use std::sync::{Arc, Mutex};

use config::Subscriber;
use media::DigitEvent;
use rtc::Refused;
use sdp::Sdp;
use switch::{
    Cause, ChannelEvent, ChannelState, Follower, InboxSender, Outgoing, Reply, Signaling, Target,
    Technology, Unreachable,
};

use crate::world::{Ladder, World, in_words, millis, pass, sdp, settle, told};

/// `TEST/3` is reached at three places.
struct Places {
    ladder: Ladder,
    subscriber: Arc<Subscriber>,
    opened: Arc<Mutex<Vec<InboxSender>>>,
}

impl Technology for Places {
    fn name(&self) -> &'static str {
        "TEST"
    }

    fn find<'a>(&'a self, destination: &'a str) -> Reply<'a, Result<Vec<Target>, Unreachable>> {
        Box::pin(async move {
            let Ok(count) = destination.parse::<usize>() else {
                return Err(Unreachable::NotRegistered(destination.to_owned()));
            };
            Ok((0..count).map(|index| self.target(index)).collect())
        })
    }
}

impl Places {
    fn target(&self, index: usize) -> Target {
        let (ladder, opened) = (self.ladder.clone(), self.opened.clone());
        Target {
            subscriber: self.subscriber.clone(),
            address: format!("sip:place{index}"),
            call_id: format!("call-{index}"),
            name: "PJSIP/alice".to_owned(),
            half: "",
            leg: None,
            open: Box::new(move |outgoing: Outgoing| {
                let mut opened = opened.lock().unwrap();
                let index = opened.len();
                opened.push(outgoing.inbox);
                ladder.write(format!("{index}: open for '{}'", outgoing.caller.number));
                Box::new(Place { ladder, index })
            }),
        }
    }
}

struct Place {
    ladder: Ladder,
    index: usize,
}

impl Place {
    fn write(&self, line: &str) {
        self.ladder.write(format!("{}: {line}", self.index));
    }
}

impl Signaling for Place {
    fn follow(&mut self) -> Option<Follower> {
        let (ladder, index) = (self.ladder.clone(), self.index);
        let tell = move |status| ladder.write(format!("{index}: the other fares {status}"));
        Some(Follower::new(tell))
    }

    fn add_header(&mut self, name: &str, value: &str) -> bool {
        self.write(&format!("header {name}: {value}"));
        true
    }

    fn call(&mut self, offer: &Sdp) {
        self.write(&format!("call {}", told(offer)));
    }

    fn ring(&mut self, _: Option<&Sdp>) {
        self.write("ring");
    }

    fn answer(&mut self, _: &Sdp) {
        self.write("answer");
    }

    fn offer(&mut self, offer: &Sdp) {
        self.write(&format!("offer {}", told(offer)));
    }

    fn accept(&mut self, _: &Sdp) {
        self.write("accept");
    }

    fn refuse(&mut self, refused: &Refused) {
        self.write(&format!("refuse {}", refused.status()));
    }

    fn send_digit(&mut self, event: DigitEvent) -> bool {
        if let DigitEvent::Ended(digit) = event {
            self.write(&format!("INFO {}", in_words(digit)));
        }
        true
    }

    fn hangup(&mut self, cause: Cause) {
        self.write(&format!("hangup {}", cause.q850()));
    }

    fn header(&self, _: &str) -> Option<String> {
        None
    }
}

/// A world and the far ends of what it calls.
pub(crate) struct Reach {
    pub(crate) world: World,
    opened: Arc<Mutex<Vec<InboxSender>>>,
}

impl Reach {
    pub(crate) async fn new(plan: &str) -> Self {
        Self::with(plan, |_| {}).await
    }

    /// With something changed about the endpoint at the places.
    pub(crate) async fn with(plan: &str, change: impl FnOnce(&mut config::Endpoint)) -> Self {
        Self::on(World::new(plan).await, change)
    }

    /// In this world.
    pub(crate) fn on(mut world: World, change: impl FnOnce(&mut config::Endpoint)) -> Self {
        change(&mut world.endpoint);
        world.endpoint.max_video_streams = 4;
        let opened = Arc::<Mutex<Vec<InboxSender>>>::default();
        let subscriber = Arc::new(Subscriber {
            endpoint: world.endpoint.clone(),
            auths: Vec::new(),
            aors: Vec::new(),
            outbound_auths: Vec::new(),
        });
        let places = Places {
            ladder: world.ladder.clone(),
            subscriber,
            opened: opened.clone(),
        };
        world.switch.connect(vec![Arc::new(places)]);
        Self { world, opened }
    }

    /// With this `features.conf`.
    pub(crate) async fn featured(plan: &str, features: &str) -> Self {
        let reach = Self::with(plan, |endpoint| endpoint.context = "test".to_owned()).await;
        reach.configure(&[("features.conf", features)]);
        reach
    }

    /// Reads these files in place of those before; the dial plan stays where it is not among them.
    pub(crate) fn configure(&self, files: &[(&str, &str)]) {
        let (config, diagnostics) = config::load(&files);
        let bad = |it: &&config::Diagnostic| it.severity > config::Severity::Info;
        let bad: Vec<_> = diagnostics.iter().filter(bad).collect();
        assert!(bad.is_empty(), "{bad:?}");
        let mut config = config.unwrap();
        let old = self.world.switch.config();
        if !files.iter().any(|(name, _)| *name == "extensions.conf") {
            config.plan = Arc::clone(&old.plan);
        }
        config.own = old.own.clone();
        self.world.switch.store().set_config(Arc::new(config));
    }

    /// The far end of a leg dials.
    pub(crate) async fn press(&self, leg: usize, digits: &str) {
        for digit in digits.chars() {
            self.send(leg, ChannelEvent::digit(digit)).await;
            pass(millis(150)).await;
        }
    }

    /// Something comes from the far end of a leg.
    pub(crate) async fn send(&self, leg: usize, event: ChannelEvent) {
        self.opened.lock().unwrap()[leg].send(event);
        settle().await;
    }

    /// The ways to the legs so far.
    pub(crate) fn opened(&self) -> Vec<InboxSender> {
        self.opened.lock().unwrap().clone()
    }

    pub(crate) async fn answer(&self, leg: usize) {
        let answer = sdp(&["audio", "video"]);
        self.send(leg, ChannelEvent::Accepted(Some(answer))).await;
    }

    pub(crate) async fn ring(&self, leg: usize) {
        let (status, answer) = (180, None);
        self.send(leg, ChannelEvent::Progress { status, answer })
            .await;
    }

    pub(crate) fn states(&self) -> Vec<(ChannelState, String)> {
        let all = self.world.switch.directory().all();
        let states = all.iter().map(|handle| {
            let info = handle.info();
            (info.state, info.application.clone())
        });
        states.collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.world.switch.directory().count()
    }
}
