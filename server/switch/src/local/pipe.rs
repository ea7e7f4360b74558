//! The media of a local call: two ends, and nothing between them.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use media::{EchoMode, LegStats, Playable};
use rtc::policy::Policy;
use rtc::{Outcome, Refused, Round};
use tokio::sync::oneshot;

use super::description::Descriptions;
use crate::leg::{Echo, Joint, MediaLeg, Over, Playing, Reply, connect};

/// One end. As a leg it negotiates in words alone.
pub(crate) struct PipeEnd {
    pipe: Arc<Mutex<Pipe>>,
    side: usize,
    descriptions: Mutex<Descriptions>,
}

/// What is at both ends, and what joins it.
#[derive(Default)]
struct Pipe {
    ends: [(u64, At); 2],
    /// What is played at an end, to who is at the other: what lasts, and what nobody has heard yet.
    played: [Option<Played>; 2],
    /// The number of the next thing at an end.
    next: u64,
    joint: Option<Between>,
}

/// What is at an end.
#[derive(Default)]
enum At {
    #[default]
    Nothing,
    /// A leg is connected here.
    Leg(Weak<dyn MediaLeg>),
    /// What comes in goes back.
    Echo(EchoMode),
}

/// What holds as long as both ends are as they are.
enum Between {
    Joint { _joint: Joint },
    Echo { _echo: Echo },
}

/// What is played at an end until it is stopped: whoever comes to the other end hears it.
struct Played {
    number: u64,
    playable: Playable,
    /// To which of those at the other end, and what ends it.
    playing: Option<(u64, Box<dyn Send + Sync>)>,
    told: Told,
}

/// How the end of what is played is told.
enum Told {
    /// It has none: when this is dropped. Each who comes hears it.
    Dropped { _over: oneshot::Sender<()> },
    /// By whoever hears it first, who alone hears it.
    ByFirst(oneshot::Sender<Over>),
    /// That one tells.
    Heard,
}

/// Both ends of a pipe.
pub(super) fn pipe() -> (Arc<dyn MediaLeg>, Arc<dyn MediaLeg>) {
    let pipe = Arc::<Mutex<Pipe>>::default();
    let end = |side| PipeEnd {
        pipe: Arc::clone(&pipe),
        side,
        descriptions: Mutex::default(),
    };
    (Arc::new(end(0)), Arc::new(end(1)))
}

impl PipeEnd {
    /// Connects a leg here: to whatever is at the other end.
    pub(crate) fn attach(&self, leg: &Arc<dyn MediaLeg>) -> Joint {
        Joint::new(self.put(At::Leg(Arc::downgrade(leg))))
    }

    fn put(&self, at: At) -> Detach {
        let mut pipe = locked(&self.pipe);
        let number = pipe.next;
        pipe.next += 1;
        pipe.ends[self.side] = (number, at);
        pipe.join();
        Detach {
            pipe: Arc::clone(&self.pipe),
            side: self.side,
            number,
        }
    }
}

impl Pipe {
    fn join(&mut self) {
        // What was joined is parted first: a leg has one joint.
        self.joint = None;
        let [(_, one), (_, two)] = &self.ends;
        self.joint = match (one, two) {
            (At::Leg(one), At::Leg(two)) => one
                .upgrade()
                .zip(two.upgrade())
                .and_then(|(one, two)| connect(&one, &two))
                .map(|joint| Between::Joint { _joint: joint }),
            (At::Leg(leg), At::Echo(mode)) | (At::Echo(mode), At::Leg(leg)) => {
                let leg = leg.upgrade();
                leg.map(|leg| Between::Echo {
                    _echo: leg.echo(*mode),
                })
            }
            (At::Nothing, _) | (_, At::Nothing) | (At::Echo(_), At::Echo(_)) => None,
        };
        for side in [0, 1] {
            self.hear(side);
        }
    }

    /// Lets who is at the other end hear what is played at this one.
    fn hear(&mut self, side: usize) {
        let (at, there) = &self.ends[1 - side];
        let leg = match there {
            At::Leg(leg) => leg.upgrade(),
            At::Nothing | At::Echo(_) => None,
        };
        let Some(played) = &mut self.played[side] else {
            return;
        };
        let (leg, is_heard) = match (leg, &played.playing) {
            (Some(_), Some((before, _))) if before == at => return,
            (Some(leg), _) => (leg, matches!(played.told, Told::Heard)),
            (None, _) => {
                played.playing = None;
                return;
            }
        };
        // A prompt is not begun anew for somebody else.
        played.playing = None;
        if is_heard {
            return;
        }
        let (guard, over) = leg.play(played.playable.clone()).parts();
        played.playing = Some((*at, guard));
        if let Told::ByFirst(_) = played.told
            && let Told::ByFirst(first) = std::mem::replace(&mut played.told, Told::Heard)
        {
            // Who played it may have gone.
            let _ = first.send(over);
        }
    }
}

/// Takes away what was put at an end, unless something else has taken its place.
struct Detach {
    pipe: Arc<Mutex<Pipe>>,
    side: usize,
    number: u64,
}

impl Drop for Detach {
    fn drop(&mut self) {
        let mut pipe = locked(&self.pipe);
        if pipe.ends[self.side].0 == self.number {
            pipe.ends[self.side].1 = At::Nothing;
            pipe.join();
        }
    }
}

/// Ends what is played, unless something else has taken its place.
struct Silence {
    pipe: Arc<Mutex<Pipe>>,
    side: usize,
    number: u64,
}

impl Drop for Silence {
    fn drop(&mut self) {
        let mut pipe = locked(&self.pipe);
        pipe.played[self.side].take_if(|played| played.number == self.number);
    }
}

impl MediaLeg for PipeEnd {
    fn negotiate(&self, round: Round) -> Reply<'_, Result<Outcome, Refused>> {
        Box::pin(async move { locked(&self.descriptions).round(round) })
    }

    fn echo(&self, mode: EchoMode) -> Echo {
        Echo::new(self.put(At::Echo(mode)))
    }

    /// Who is connected at the other end hears it. Where nobody is yet it waits for somebody: music and endless
    /// tones for ever, a prompt as long as it would last, so that who plays it does not run ahead of its caller.
    fn play(&self, playable: Playable) -> Playing {
        let mut pipe = locked(&self.pipe);
        let leg = match &pipe.ends[1 - self.side].1 {
            At::Leg(leg) => leg.upgrade(),
            At::Nothing | At::Echo(_) => None,
        };
        let lasts = matches!(playable, Playable::Music(_));
        if let Some(leg) = leg.filter(|_| !lasts) {
            drop(pipe);
            return leg.play(playable);
        }
        let number = pipe.next;
        pipe.next += 1;
        let silence = Silence {
            pipe: Arc::clone(&self.pipe),
            side: self.side,
            number,
        };
        let length = length(&playable);
        let (told, playing) = if lasts {
            let (over, ended) = oneshot::channel();
            let told = Told::Dropped { _over: over };
            (told, Playing::new(silence, ended))
        } else {
            let (first, heard) = oneshot::channel();
            let playing = Playing::waiting(silence, heard, length);
            (Told::ByFirst(first), playing)
        };
        pipe.played[self.side] = Some(Played {
            number,
            playable,
            playing: None,
            told,
        });
        pipe.hear(self.side);
        playing
    }

    /// Only by [`connect`], which knows both legs as they are owned.
    fn connect(&self, _: &dyn MediaLeg) -> Option<Joint> {
        None
    }

    fn limit(&self, policy: &Policy) {
        locked(&self.descriptions).limit(policy);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stats(&self) -> Reply<'_, LegStats> {
        Box::pin(async { LegStats::default() })
    }
}

/// How long it lasts; `None`: without end.
fn length(playable: &Playable) -> Option<Duration> {
    match playable {
        Playable::Sound(sound) => Some(sound.duration()),
        Playable::Tones(script) => script.length(),
        Playable::Music(_) => None,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
