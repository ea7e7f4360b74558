//! The digits a leg sends to its peer, one after the other: as telephone events (RFC 4733) where the peer
//! takes them, as tones in place of its sound where it does not.
//!
//! A digit may be told while it is still pressed; then it lasts as long as it is. Digits that come faster
//! than they can be sent wait, and so do those of a peer that cannot be sent anything for the moment.

use super::music::Stations;
use super::play::{Playable, Player};
use codec::{Kind, ToneScript};
use rtc::{Peer, StreamId};
use rtp::{Digit, DigitEvent, EventSender};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Sends digits to one peer.
pub(crate) struct Keys {
    waiting: VecDeque<Key>,
    sounding: Option<Sounding>,
    /// Before this none begins.
    due: Instant,
    /// How many were sent as tones.
    tones: u32,
}

/// A digit that waits.
#[derive(Clone, Copy)]
struct Key {
    digit: char,
    /// `None` while it is pressed.
    length: Option<Duration>,
    /// When it is given up.
    patience: Instant,
}

/// The digit that is being sent.
struct Sounding {
    digit: char,
    stream: StreamId,
    began: Instant,
    length: Option<Duration>,
    voice: Voice,
    /// When it was let go.
    ended: Option<Instant>,
}

/// How it is sent.
enum Voice {
    Events {
        sender: EventSender,
        /// The timestamp of its packets.
        start: u32,
    },
    Tones(Box<Player>),
}

impl Keys {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            waiting: VecDeque::new(),
            sounding: None,
            due: now,
            tones: 0,
        }
    }

    /// A digit begins, or ends; one that ends without having begun is sent whole.
    pub(crate) fn press(&mut self, now: Instant, event: DigitEvent) {
        match event {
            DigitEvent::Began(digit) => self.wait(now, digit, None),
            DigitEvent::Ended(Digit { digit, duration }) => {
                let sounding = self.sounding.as_mut().filter(|it| it.is_pressed(digit));
                let waiting = self.waiting.iter_mut();
                let pressed = waiting.filter(|it| it.digit == digit && it.length.is_none());
                if let Some(sounding) = sounding {
                    sounding.length = Some(duration);
                } else if let Some(key) = pressed.into_iter().next() {
                    key.length = Some(duration);
                } else if duration <= PRESSED_MAX {
                    self.wait(now, digit, Some(duration));
                }
                // What lasted longer has been let go here already.
            }
        }
    }

    /// Whether a stream is taken by a digit, so that nothing else may be sent on it.
    pub(crate) fn blocks(&self, stream: StreamId) -> bool {
        let sounding = self.sounding.as_ref();
        sounding.is_some_and(|it| it.stream == stream && it.ended.is_none())
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match &self.sounding {
            Some(sounding) => sounding.poll_timeout(),
            None => self.waiting.front().map(|_| self.due),
        }
    }

    /// Sends what is due; whether a packet went out.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        peer: &mut Peer,
        origin: u32,
        stations: &mut Stations,
    ) -> bool {
        let mut is_sent = false;
        loop {
            if let Some(sounding) = &mut self.sounding {
                is_sent |= sounding.turn(now, peer, origin, stations);
                let Some(ended) = sounding.ended.filter(|_| sounding.is_over()) else {
                    return is_sent;
                };
                self.due = ended + GAP;
                self.sounding = None;
            }
            let Some(key) = self.waiting.front().copied() else {
                return is_sent;
            };
            if self.due > now {
                return is_sent;
            }
            self.sounding = self.begin(now, key, peer);
            if self.sounding.is_some() {
                is_sent = true;
                self.waiting.pop_front();
            } else if now >= key.patience {
                tracing::debug!(digit = %key.digit, "given up: the peer could not be sent it");
                self.waiting.pop_front();
            } else {
                self.due = now + RETRY;
                return is_sent;
            }
        }
    }

    fn wait(&mut self, now: Instant, digit: char, length: Option<Duration>) {
        if self.waiting.len() == WAITING_MAX {
            tracing::warn!("a digit is lost: {WAITING_MAX} wait already (WAITING_MAX)");
            return;
        }
        self.waiting.push_back(Key {
            digit,
            length,
            patience: now + PATIENCE,
        });
    }

    /// `None`: the peer cannot be sent a digit now.
    fn begin(&mut self, now: Instant, key: Key, peer: &mut Peer) -> Option<Sounding> {
        let (stream, _) = peer.sending().find(|(_, kind)| *kind == Kind::Audio)?;
        let voice = match peer.event_clock(stream) {
            Some(clock_hz) => {
                let mut sender = EventSender::new(now, key.digit, clock_hz)?;
                let first = sender.poll(now)?;
                let start = peer.write_event(now, stream, None, &first)?;
                Voice::Events { sender, start }
            }
            None => {
                self.tones = self.tones.wrapping_add(1);
                let script = match key.length {
                    Some(length) => {
                        let ms = length.clamp(TONE_MIN, PRESSED_MAX).as_millis() as u32;
                        ToneScript::digits(&key.digit.to_string(), ms, 0)
                    }
                    None => ToneScript::digit(key.digit)?,
                };
                let number = TONES | u64::from(self.tones);
                let (over, _) = oneshot::channel();
                let player = Player::new(now, number, Playable::Tones(script), over);
                Voice::Tones(Box::new(player))
            }
        };
        Some(Sounding {
            digit: key.digit,
            stream,
            began: now,
            length: key.length,
            voice,
            ended: None,
        })
    }
}

impl Sounding {
    fn is_pressed(&self, digit: char) -> bool {
        self.digit == digit && self.length.is_none()
    }

    /// When it is let go, as far as that is known.
    fn end(&self) -> Instant {
        let least = match self.voice {
            Voice::Events { .. } => EVENT_MIN,
            Voice::Tones(_) => TONE_MIN,
        };
        let length = self.length.unwrap_or(PRESSED_MAX);
        self.began + length.clamp(least, PRESSED_MAX)
    }

    /// Whether nothing of it is to be sent any more.
    fn is_over(&self) -> bool {
        match &self.voice {
            Voice::Events { sender, .. } => sender.poll_timeout().is_none(),
            Voice::Tones(_) => self.ended.is_some(),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let end = self.ended.is_none().then(|| self.end());
        let next = match &self.voice {
            Voice::Events { sender, .. } => sender.poll_timeout(),
            Voice::Tones(player) => Some(player.poll_timeout()),
        };
        end.into_iter().chain(next).min()
    }

    /// Sends what is due; whether a packet went out.
    fn turn(
        &mut self,
        now: Instant,
        peer: &mut Peer,
        origin: u32,
        stations: &mut Stations,
    ) -> bool {
        let end = self.end();
        let ends = self.ended.is_none() && now >= end;
        let mut is_sent = false;
        match &mut self.voice {
            Voice::Events { sender, start } => {
                if ends {
                    sender.end(now, end - self.began);
                }
                while let Some(packet) = sender.poll(now) {
                    let sent = peer.write_event(now, self.stream, Some(*start), &packet);
                    is_sent |= sent.is_some();
                }
            }
            Voice::Tones(player) => {
                if !player.has_begun() {
                    self.began = now;
                }
                if !ends {
                    is_sent = player
                        .handle_timeout(now, peer, origin, stations, false)
                        .is_sent;
                }
            }
        }
        if ends {
            self.ended = Some(now);
        }
        is_sent
    }
}

/// The shortest event, however short the digit was: what every receiver must take (ITU-T Q.24).
const EVENT_MIN: Duration = Duration::from_millis(40);
/// The same for tones, which begin and end within a packet.
const TONE_MIN: Duration = Duration::from_millis(60);
/// The silence between two digits.
const GAP: Duration = Duration::from_millis(50);
/// A digit whose end nobody tells is let go after this time.
const PRESSED_MAX: Duration = Duration::from_secs(60);
/// How often a peer that cannot be sent anything is tried again, and for how long.
const RETRY: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(10);
/// Digits that wait.
const WAITING_MAX: usize = 64;
/// The sources of tones are unlike those of other players.
const TONES: u64 = 0x8000_0000;
