//! Media as a double: it agrees to what is offered, and writes down what it is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use codec::{Kind, ToneScript};
use media::{AllocateError, DigitEvent, EchoMode, LegStats, Playable};
use rtc::topology::{Direction, Stream, Topology};
use rtc::{Outcome, Refused, Round};
use switch::{Echo, Joint, LegRequest, MediaCounts, MediaLeg, MediaPlane, Playing, Reply};
use tokio::time::Instant;

use super::Ladder;
use super::description::{description, payload, seen_from_us, words};
use super::signaling::in_words;

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
    /// The most that a line for pictures has at first.
    pictures: Direction,
}

pub(super) struct Media {
    pub(super) ladder: Ladder,
    pub(crate) script: Arc<Mutex<Script>>,
}

impl MediaPlane for Media {
    fn allocate(&self, request: LegRequest<'_>) -> Result<Box<dyn MediaLeg>, AllocateError> {
        if self.script.lock().unwrap().full {
            return Err(AllocateError::Full);
        }
        let mut script = self.script.lock().unwrap();
        script.legs += 1;
        Ok(Box::new(Leg {
            number: script.legs - 1,
            ladder: self.ladder.clone(),
            script: Arc::clone(&self.script),
            rounds: Mutex::new(Rounds {
                pictures: request.policy.pictures,
                ..Rounds::default()
            }),
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
    /// With the pictures that are allowed.
    fn within(&self, offered: &Topology) -> Topology {
        let streams = offered.iter().cloned().map(|mut stream| {
            if stream.kind == Kind::Video {
                stream.direction = stream.direction.intersect(self.pictures);
            }
            stream
        });
        Topology::new(streams.collect())
    }

    fn round(&mut self, round: Round) -> Outcome {
        let sdp = match round {
            Round::Answer { offer } => {
                assert!(self.pending.is_none(), "an offer of ours is open");
                self.agreed = self.within(&seen_from_us(&offer));
                Some(description(&self.agreed))
            }
            Round::Offer { want } => {
                assert!(self.pending.is_none(), "an offer of ours is open");
                let pictures = want.streams(Kind::Video).next();
                self.pictures = pictures.map_or(self.pictures, |stream| stream.direction);
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
                // A line that the answer leaves out is refused.
                let both = pending.iter().zip(answered.iter()).enumerate();
                let named = both.map(|(index, (stream, theirs))| Stream {
                    mid: Some(index.to_string().into()),
                    direction: stream.direction.intersect(theirs.direction),
                    payloads: theirs.payloads.clone(),
                    ..stream.clone()
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
