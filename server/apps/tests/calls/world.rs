//! A switch with one endpoint, a dial plan given as text, and the far end of its calls in the test's hands.

use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use codec::{Kind, ToneScript};
use config::{Config, Endpoint, Subscriber};
use dialplan::Plan;
use media::{AllocateError, Digit, DigitEvent, DigitForm, EchoMode, LegEvent, LegStats, Playable};
use rtc::topology::{Direction, Format, Payload, Stream, Topology};
use rtc::{Outcome, Refused, Round};
use sdp::Sdp;
use store::Store;
use switch::story::{FinishedStory, StoryEvent};
use switch::{
    Application, CallerId, Cause, ChannelEvent, ChannelHandle, Echo, InboxSender, Incoming, Joint,
    LegRequest, MediaCounts, MediaLeg, MediaPlane, Parts, Playing, Reply, Signaling, Switch, inbox,
};
use tokio::time::{Instant, advance};

/// What happened at the seams, in order: verbs of signalling and media, with the time in milliseconds.
#[derive(Clone)]
pub(crate) struct Ladder {
    began: Instant,
    lines: Arc<Mutex<Vec<(u128, String)>>>,
}

impl Ladder {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            lines: Arc::default(),
        }
    }

    pub(crate) fn write(&self, line: impl Into<String>) {
        let at = self.began.elapsed().as_millis();
        self.lines.lock().unwrap().push((at, line.into()));
    }

    /// All lines so far, with the milliseconds they were written at.
    pub(crate) fn timed(&self) -> Vec<(u128, String)> {
        self.lines.lock().unwrap().clone()
    }

    /// All lines so far, without times.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines
            .lock()
            .unwrap()
            .iter()
            .map(|(_, line)| line.clone())
            .collect()
    }

    /// When a line was written, in milliseconds since the world began.
    pub(crate) fn time_of(&self, line: &str) -> Option<u128> {
        let lines = self.lines.lock().unwrap();
        lines
            .iter()
            .find(|(_, written)| written == line)
            .map(|(at, _)| *at)
    }

    pub(crate) fn has(&self, line: &str) -> bool {
        self.time_of(line).is_some()
    }

    pub(crate) fn count(&self, line: &str) -> usize {
        self.lines()
            .iter()
            .filter(|written| *written == line)
            .count()
    }
}

/// How the media double behaves.
#[derive(Default)]
pub(crate) struct Script {
    /// The next rounds are refused with these.
    pub(crate) refuse: Vec<Refused>,
    /// `allocate` fails.
    pub(crate) full: bool,
    /// Legs that were allocated.
    pub(crate) legs: usize,
    /// What was played, and to which of them: that of the caller is allocated as the last one before the answer.
    pub(crate) played: Vec<(usize, String)>,
    /// The tones that were played.
    pub(crate) tones: Vec<ToneScript>,
    /// What every leg says that it carried.
    pub(crate) stats: LegStats,
}

/// What one leg has negotiated.
#[derive(Default)]
struct Rounds {
    agreed: Topology,
    pending: Option<Topology>,
}

pub(crate) struct Media {
    ladder: Ladder,
    pub(crate) script: Arc<Mutex<Script>>,
}

impl MediaPlane for Media {
    fn allocate(&self, _: LegRequest<'_>) -> Result<Box<dyn MediaLeg>, AllocateError> {
        if self.script.lock().unwrap().full {
            return Err(AllocateError::Full);
        }
        let mut script = self.script.lock().unwrap();
        script.legs += 1;
        Ok(Box::new(Leg {
            number: script.legs - 1,
            ladder: self.ladder.clone(),
            script: Arc::clone(&self.script),
            rounds: Mutex::default(),
        }))
    }

    fn seats(
        &self,
        count: usize,
        _: Option<&dyn MediaLeg>,
    ) -> Result<Vec<Box<dyn MediaLeg>>, AllocateError> {
        self.ladder.write(format!("room of {count}"));
        let seat = |number| {
            Box::new(Leg {
                number,
                ladder: self.ladder.clone(),
                script: Arc::clone(&self.script),
                rounds: Mutex::default(),
            }) as _
        };
        Ok((0..count).map(seat).collect())
    }

    fn counts(&self) -> MediaCounts {
        MediaCounts::default()
    }
}

struct Leg {
    number: usize,
    ladder: Ladder,
    script: Arc<Mutex<Script>>,
    rounds: Mutex<Rounds>,
}

impl MediaLeg for Leg {
    fn negotiate(&self, round: Round) -> Reply<'_, Result<Outcome, Refused>> {
        Box::pin(async move {
            let refuse = &mut self.script.lock().unwrap().refuse;
            if !refuse.is_empty() && !matches!(round, Round::Rollback) {
                return Err(refuse.remove(0));
            }
            Ok(self.rounds.lock().unwrap().round(round))
        })
    }

    fn echo(&self, mode: EchoMode) -> Echo {
        let name = match mode {
            EchoMode::OneToOne => "one to one".to_owned(),
            EchoMode::FanOut(kind) => format!("fan out {}", kind.as_str()),
        };
        let name = format!("echo {name}");
        self.ladder.write(&name);
        Echo::new(Guard(self.ladder.clone(), name))
    }

    fn connect(&self, _: &dyn MediaLeg) -> Option<Joint> {
        self.ladder.write("connected");
        Some(Joint::new(Parted(self.ladder.clone())))
    }

    fn play(&self, playable: Playable) -> Playing {
        if let Playable::Tones(tones) = &playable {
            self.script.lock().unwrap().tones.push(tones.clone());
        }
        let (over, ended) = tokio::sync::oneshot::channel();
        let (name, lasts) = match playable {
            Playable::Sound(sound) => {
                let ms = sound.count() as u64 * 1000 / u64::from(sound.rate_hz());
                (format!("play {ms} ms"), Some(Duration::from_millis(ms)))
            }
            Playable::Tones(script) => ("play tones".to_owned(), length(script)),
            Playable::Music(music) => (format!("play music {}", music.name()), None),
        };
        self.ladder.write(&name);
        let played = (self.number, name.clone());
        self.script.lock().unwrap().played.push(played);
        let end = lasts.map(|lasts| Instant::now() + lasts);
        tokio::spawn(async move {
            match end {
                Some(end) => tokio::time::sleep_until(end).await,
                None => std::future::pending().await,
            }
            let _ = over.send(());
        });
        Playing::new(Guard(self.ladder.clone(), name), ended)
    }

    fn dial(&self, event: DigitEvent) -> bool {
        self.ladder.write(&match event {
            DigitEvent::Began(digit) => format!("digit {digit} begins"),
            DigitEvent::Ended(digit) => in_words(digit),
        });
        true
    }

    fn listen(&self, is_on: bool) {
        if is_on {
            self.ladder.write("listens for tones");
        }
    }

    fn tap(&self, _: media::Sink) -> Option<Box<dyn Send + Sync>> {
        let name = "tap".to_owned();
        self.ladder.write(&name);
        Some(Box::new(Guard(self.ladder.clone(), name)))
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn stats(&self) -> Reply<'_, LegStats> {
        let stats = self.script.lock().unwrap().stats.clone();
        Box::pin(async { stats })
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        self.ladder.write("leg closed");
    }
}

/// How long tones last, if they end.
fn length(script: ToneScript) -> Option<Duration> {
    let mut player = codec::TonePlayer::new(script, 8000);
    let mut frame = [0; 80];
    let frames = (0..6000).find(|_| {
        player.play(&mut frame);
        player.is_over()
    })?;
    Some(Duration::from_millis(10 * (frames + 1)))
}

struct Parted(Ladder);

impl Drop for Parted {
    fn drop(&mut self) {
        self.0.write("parted");
    }
}

struct Guard(Ladder, String);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.write(format!("{} ends", self.1));
    }
}

impl Rounds {
    fn round(&mut self, round: Round) -> Outcome {
        let sdp = match round {
            Round::Answer { offer } => {
                assert!(self.pending.is_none(), "an offer of ours is open");
                self.agreed = seen_from_us(&offer);
                Some(description(&self.agreed))
            }
            Round::Offer { want } => {
                assert!(self.pending.is_none(), "an offer of ours is open");
                let changes = words(&want) != words(&self.agreed);
                self.pending = changes.then(|| want.clone());
                changes.then(|| description(&want))
            }
            Round::Recode { codecs } => {
                assert!(self.pending.is_none(), "an offer of ours is open");
                let streams = self.agreed.iter().cloned().map(|mut stream| {
                    if stream.kind == Kind::Audio {
                        stream.payloads = codecs.iter().copied().map(payload).collect();
                    }
                    stream
                });
                let want = Topology::new(streams.collect());
                let changes = want != self.agreed;
                self.pending = changes.then(|| want.clone());
                changes.then(|| description(&want))
            }
            Round::Apply { answer } => {
                let pending = self.pending.take().expect("an answer needs an offer");
                let answered = seen_from_us(&answer);
                let named = pending.iter().enumerate().map(|(index, stream)| {
                    let theirs = answered.iter().nth(index);
                    let direction = theirs.map_or(stream.direction, |s| s.direction);
                    Stream {
                        mid: Some(index.to_string().into()),
                        direction: stream.direction.intersect(direction),
                        payloads: theirs.map_or_else(Vec::new, |s| s.payloads.clone()),
                        ..stream.clone()
                    }
                });
                self.agreed = Topology::new(named.collect());
                None
            }
            Round::Confirm { answer } => {
                assert!(self.pending.is_none(), "an offer of ours is open");
                self.agreed = seen_from_us(&answer);
                None
            }
            Round::Rollback => {
                self.pending = None;
                None
            }
        };
        Outcome {
            sdp,
            agreed: self.agreed.clone(),
            notes: Vec::new(),
        }
    }
}

/// The streams of an offer, seen from the one who answers.
fn seen_from_us(offer: &Sdp) -> Topology {
    let streams = offer.media.iter().enumerate().map(|(index, media)| {
        let kind = if media.kind.as_str() == "video" {
            Kind::Video
        } else {
            Kind::Audio
        };
        let theirs = media.direction().unwrap_or_default();
        let ours = Direction::new(theirs.receives(), theirs.sends());
        Stream {
            mid: Some(index.to_string().into()),
            payloads: codecs(media).into_iter().map(payload).collect(),
            ..Stream::wanted(kind, ours)
        }
    });
    Topology::new(streams.collect())
}

fn payload(codec: &'static codec::Codec) -> Payload {
    Payload {
        number: codec.payload_type.unwrap_or(100),
        format: Format::Codec(codec),
        rtx: None,
    }
}

/// The codecs of a section.
fn codecs(media: &sdp::Media) -> Vec<&'static codec::Codec> {
    let maps = media.rtpmaps();
    maps.filter_map(|map| codec::by_encoding(map.encoding, map.clock_hz))
        .collect()
}

fn words(topology: &Topology) -> String {
    let words = topology.iter().map(|stream| match stream.direction {
        Direction::SendRecv => stream.kind.as_str().to_owned(),
        other => format!("{} {}", stream.kind.as_str(), other.as_str()),
    });
    words.collect::<Vec<_>>().join(", ")
}

fn description(topology: &Topology) -> Sdp {
    let streams: Vec<String> = topology
        .iter()
        .map(|stream| {
            let codecs: Vec<&str> = stream.codecs().map(|codec| codec.name).collect();
            let (kind, direction) = (stream.kind.as_str(), stream.direction.as_str());
            format!("{kind} {direction} {}", codecs.join(" "))
        })
        .collect();
    sdp(&streams.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A description with these streams: `audio`, `video sendonly`, `audio sendrecv opus ulaw`.
pub(crate) fn sdp(streams: &[&str]) -> Sdp {
    let mut text = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n".to_owned();
    for (index, stream) in streams.iter().enumerate() {
        let mut words = stream.split_whitespace();
        let kind = words.next().unwrap();
        let direction = words.next().unwrap_or("sendrecv");
        let mut codecs: Vec<_> = words.map(|name| codec::by_name(name).unwrap()).collect();
        if codecs.is_empty() {
            let usual = if kind == "audio" { "opus" } else { "vp8" };
            codecs.push(codec::by_name(usual).unwrap());
        }
        let number = |codec: &codec::Codec| codec.payload_type.unwrap_or(96 + codec.channels);
        let numbers: Vec<_> = codecs
            .iter()
            .map(|codec| number(codec).to_string())
            .collect();
        let numbers = numbers.join(" ");
        text += &format!("m={kind} 9 UDP/TLS/RTP/SAVPF {numbers}\r\na=mid:{index}\r\n");
        text += &format!("a={direction}\r\n");
        for codec in codecs {
            let (number, encoding) = (number(codec), codec.encoding);
            let channels = if codec.channels > 1 { "/2" } else { "" };
            text += &format!(
                "a=rtpmap:{number} {encoding}/{}{channels}\r\n",
                codec.clock_hz
            );
        }
    }
    Sdp::from_str(&text).unwrap()
}

/// The streams of a description in words; the codecs of sound where that is not Opus alone.
pub(crate) fn told(sdp: &Sdp) -> String {
    let streams = sdp.media.iter().map(|media| {
        let mut words = vec![media.kind.to_string()];
        let direction = media.direction().unwrap_or_default();
        if direction != Direction::SendRecv {
            words.push(direction.as_str().to_owned());
        }
        let names: Vec<&str> = codecs(media).iter().map(|codec| codec.name).collect();
        if media.kind.to_string() == "audio" && names != ["opus"] {
            words.extend(names.into_iter().map(str::to_owned));
        }
        words.join(" ")
    });
    streams.collect::<Vec<_>>().join(", ")
}

struct Recorder(Ladder);

impl Signaling for Recorder {
    fn call(&mut self, sdp: &Sdp) {
        self.0.write(format!("call: {}", told(sdp)));
    }

    fn ring(&mut self, early: Option<&Sdp>) {
        self.0.write(match early {
            Some(sdp) => format!("early: {}", told(sdp)),
            None => "ring".to_owned(),
        });
    }

    fn answer(&mut self, sdp: &Sdp) {
        self.0.write(format!("answer: {}", told(sdp)));
    }

    fn offer(&mut self, sdp: &Sdp) {
        self.0.write(format!("offer: {}", told(sdp)));
    }

    fn accept(&mut self, sdp: &Sdp) {
        self.0.write(format!("accept: {}", told(sdp)));
    }

    fn refuse(&mut self, refused: &Refused) {
        self.0.write(format!("refuse {}", refused.status()));
    }

    fn send_digit(&mut self, event: DigitEvent) -> bool {
        if let DigitEvent::Ended(digit) = event {
            self.0.write(format!("INFO {}", in_words(digit)));
        }
        true
    }

    fn hangup(&mut self, cause: Cause) {
        self.0.write(format!("hangup {}", cause.q850()));
    }

    fn header(&self, name: &str) -> Option<String> {
        (name == "X-Test").then(|| "yes".to_owned())
    }
}

/// `digit 5 of 100 ms`.
pub(crate) fn in_words(digit: Digit) -> String {
    let Digit { digit, duration } = digit;
    format!("digit {digit} of {} ms", duration.as_millis())
}

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

/// The far end of a call.
pub(crate) struct Call {
    pub(crate) handle: ChannelHandle,
    pub(crate) inbox: InboxSender,
    ladder: Ladder,
}

impl Call {
    /// Something happens, and the call deals with it.
    pub(crate) async fn send(&self, event: impl Into<ChannelEvent>) {
        self.inbox.send(event);
        settle().await;
    }

    pub(crate) async fn press(&self, digit: char) {
        self.send(ChannelEvent::digit(digit)).await;
    }

    /// A digit as telephone events: it is let go after a time.
    pub(crate) async fn events(&self, digit: char, duration: Duration) {
        self.in_media(DigitForm::Event, digit, duration).await;
    }

    /// A digit as tones.
    pub(crate) async fn tones(&self, digit: char, duration: Duration) {
        self.in_media(DigitForm::Tone, digit, duration).await;
    }

    async fn in_media(&self, form: DigitForm, digit: char, duration: Duration) {
        let event = DigitEvent::Began(digit);
        self.send(LegEvent::Digit { form, event }).await;
        pass(duration).await;
        let event = DigitEvent::Ended(Digit { digit, duration });
        self.send(LegEvent::Digit { form, event }).await;
    }

    pub(crate) async fn leave(&self) {
        self.send(ChannelEvent::Hangup(Cause::NormalClearing)).await;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.handle.is_gone()
    }

    /// The application that runs, with its arguments.
    pub(crate) fn runs(&self) -> String {
        self.handle.info().application.clone()
    }

    /// Waits until the ladder has this line so many times: a file is read outside of the paused clock.
    pub(crate) async fn sees(&self, line: &str, count: usize) {
        let end = std::time::Instant::now() + seconds(10);
        while self.ladder.count(line) < count {
            assert!(std::time::Instant::now() < end, "{:?}", self.ladder.lines());
            std::thread::yield_now();
            settle().await;
        }
    }

    /// Waits until the call is over, likewise.
    pub(crate) async fn ends(&self) {
        self.sees("leg closed", 1).await;
        settle().await;
        assert!(self.is_over());
    }

    /// Whether signalling was told this.
    pub(crate) fn saw(&self, line: &str) -> bool {
        self.ladder.has(line)
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
