//! How long a conversation may last, and who is told when.

use std::time::Duration;

use media::Playable;
use tokio::time::Instant;

use crate::channel::Channel;
use crate::leg::Playing;

/// How long a conversation may last, and what is heard of it.
#[derive(Clone, Debug, Default)]
pub struct Limit {
    /// How long.
    pub lasts: Duration,
    /// How much is left at the first warning; nothing: there is none.
    pub warning: Duration,
    /// The time between two warnings; nothing: there is one.
    pub again: Duration,
    /// Whether the caller hears any of it.
    pub to_caller: bool,
    /// Whether the called does.
    pub to_callee: bool,
    /// Heard at the beginning.
    pub begins: Option<Playable>,
    /// The warning.
    pub warns: Option<Playable>,
    /// Heard at the end, which waits for it.
    pub ends: Option<Playable>,
}

impl Limit {
    /// One that nothing is heard of.
    pub fn silent(lasts: Duration) -> Self {
        Self {
            lasts,
            ..Self::default()
        }
    }
}

/// The time of one conversation.
#[derive(Default)]
pub(super) struct Clock<'a> {
    limit: Option<&'a Limit>,
    end: Option<Instant>,
    warning: Option<Instant>,
    /// The end is being told.
    is_last: bool,
    playing: Vec<Playing>,
}

impl<'a> Clock<'a> {
    pub(super) fn start(limit: Option<&'a Limit>, caller: &Channel, callee: &Channel) -> Self {
        let Some(limit) = limit else {
            return Self::default();
        };
        let end = Instant::now() + limit.lasts;
        let warned = limit.warns.is_some() && !limit.warning.is_zero();
        let mut clock = Self {
            limit: Some(limit),
            end: Some(end),
            warning: warned.then(|| end - limit.warning.min(limit.lasts)),
            ..Self::default()
        };
        clock.tell(limit.begins.as_ref(), caller, callee);
        clock
    }

    /// When the conversation is over.
    pub(super) fn end(&self) -> Option<Instant> {
        self.end
    }

    /// When [`Clock::on`] wants to be called.
    pub(super) fn next(&self) -> Option<Instant> {
        self.warning.or(self.end)
    }

    /// The moment has come: whether the conversation is over.
    pub(super) fn on(&mut self, caller: &Channel, callee: &Channel) -> bool {
        let (Some(limit), Some(end)) = (self.limit, self.end) else {
            return false;
        };
        if let Some(at) = self.warning.take() {
            let mut next = at + limit.again;
            // Those that were due while one was led aside are not made up for.
            while !limit.again.is_zero() && next <= Instant::now() {
                next += limit.again;
            }
            self.warning = (!limit.again.is_zero() && next < end).then_some(next);
            self.tell(limit.warns.as_ref(), caller, callee);
            return false;
        }
        let lasts = limit.ends.as_ref().and_then(lasts);
        match lasts.filter(|_| !std::mem::replace(&mut self.is_last, true)) {
            Some(lasts) => {
                self.end = Some(end + lasts);
                self.tell(limit.ends.as_ref(), caller, callee);
                false
            }
            None => true,
        }
    }

    fn tell(&mut self, what: Option<&Playable>, caller: &Channel, callee: &Channel) {
        let (Some(what), Some(limit)) = (what, self.limit) else {
            return;
        };
        let who = [(limit.to_caller, caller), (limit.to_callee, callee)];
        // Who is held goes on hearing music.
        let hears = who
            .into_iter()
            .filter(|(hears, channel)| *hears && !channel.hears_music());
        let playing = hears.filter_map(|(_, channel)| channel.begin_playing(what.clone()));
        self.playing = playing.collect();
    }
}

/// How long a sound lasts. Tones and music at the end of a call would last for ever.
fn lasts(what: &Playable) -> Option<Duration> {
    match what {
        Playable::Sound(sound) => Some(sound.duration()),
        Playable::Tones(_) | Playable::Music(_) => None,
    }
}
