//! The seam to the media plane: what a channel needs of it, and no more.
//!
//! [`media::Plane`] is the one implementation of the product. The traits exist because a call is tested
//! with a paused clock, and threads with sockets do not follow a paused clock.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use media::{
    AllocateError, DigitEvent, EchoMode, EventSink, Leg, LegConfig, LegStats, Place, Plane,
    Playable,
};
use rtc::policy::Policy;
use rtc::{Outcome, Refused, Round};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::dial::until;
use crate::inbox::InboxSender;
use crate::local::PipeEnd;

/// An asynchronous answer of the media plane.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a leg is allocated for.
pub struct LegRequest<'a> {
    /// What may be negotiated.
    pub policy: Arc<Policy>,
    /// Where its peer is, for a leg with ports of its own.
    pub place: Place,
    /// Where its events go.
    pub events: InboxSender,
    /// Where its random choices come from, passwords among them.
    pub seed: [u8; 32],
    /// The leg it is going to be connected to: best on the same thread.
    pub near: Option<&'a dyn MediaLeg>,
}

/// Where legs come from.
pub trait MediaPlane: Send + Sync {
    /// Reserves a leg. Synchronous, so that its candidates are known at once.
    fn allocate(&self, request: LegRequest<'_>) -> Result<Box<dyn MediaLeg>, AllocateError>;

    /// The seats of a new room: legs without far ends, each to be connected to one that is to hear all the
    /// others there, and to be heard by them.
    fn seats(
        &self,
        count: usize,
        near: Option<&dyn MediaLeg>,
    ) -> Result<Vec<Box<dyn MediaLeg>>, AllocateError>;

    /// Legs and ports in use.
    fn counts(&self) -> MediaCounts;
}

/// What the media plane holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct MediaCounts {
    /// Legs that exist.
    pub legs: usize,
    /// Agreed streams of all legs.
    pub streams: usize,
    /// Remote addresses that packets are believed from.
    pub addresses: usize,
    /// Threads.
    pub shards: usize,
    /// UDP ports that are open, apart from those of desk phones.
    pub ports: Vec<u16>,
    /// Pairs of ports that desk phones have.
    pub port_pairs: usize,
}

/// A channel's handle on its streams. Dropping it closes them.
pub trait MediaLeg: Send + Sync {
    /// One round of offer and answer.
    fn negotiate(&self, round: Round) -> Reply<'_, Result<Outcome, Refused>>;

    /// Sends what comes in back, until the guard is dropped.
    fn echo(&self, mode: EchoMode) -> Echo;

    /// Passes what comes in to another leg of the same kind and back, until the guard is dropped. `None`:
    /// the other one is of another kind.
    fn connect(&self, other: &dyn MediaLeg) -> Option<Joint>;

    /// Plays this in place of what was played before, until its end or until the guard is dropped.
    fn play(&self, playable: Playable) -> Playing;

    /// Sends a digit to the peer, in place of what it hears otherwise. `false`: this leg carries none.
    fn dial(&self, event: DigitEvent) -> bool {
        let _ = event;
        false
    }

    /// The peer asks by signalling for a key frame of what it is sent.
    fn refresh(&self) {}

    /// Hands what the peer says and hears to a recorder, until what is returned is dropped. `None`: there is
    /// nothing to be heard here.
    fn tap(&self, sink: media::Sink) -> Option<Box<dyn Send + Sync>> {
        let _ = sink;
        None
    }

    /// Finds digits in the peer's sound from now on, or no more.
    fn listen(&self, is_on: bool) {
        let _ = is_on;
    }

    /// Negotiates within these bounds from now on. A leg that was allocated with its policy keeps that.
    fn limit(&self, policy: &Policy) {
        let _ = policy;
    }

    /// The leg itself, for [`MediaLeg::connect`].
    fn as_any(&self) -> &dyn Any;

    /// What went through so far.
    fn stats(&self) -> Reply<'_, LegStats>;
}

/// What went through a leg so far; `None` if the media plane has no time to say so.
pub(crate) async fn stats(leg: &dyn MediaLeg) -> Option<LegStats> {
    tokio::time::timeout(STATS_PATIENCE, leg.stats()).await.ok()
}

/// How long the media plane may take for it.
const STATS_PATIENCE: Duration = Duration::from_millis(200);

/// Media is echoed as long as this exists.
#[must_use = "the echo ends when this is dropped"]
pub struct Echo {
    _guard: Box<dyn Send + Sync>,
}

impl Echo {
    /// Wraps the media plane's own guard.
    pub fn new(guard: impl Send + Sync + 'static) -> Self {
        Self {
            _guard: Box::new(guard),
        }
    }
}

/// Two legs are connected as long as this exists.
#[must_use = "the legs are parted when this is dropped"]
pub struct Joint {
    _guard: Box<dyn Send + Sync>,
}

impl Joint {
    /// Wraps the media plane's own guard.
    pub fn new(guard: impl Send + Sync + 'static) -> Self {
        Self {
            _guard: Box::new(guard),
        }
    }
}

/// Something is played as long as this exists, but not beyond its end.
#[must_use = "what is played ends when this is dropped"]
pub struct Playing {
    guard: Box<dyn Send + Sync>,
    over: Over,
}

/// How the end of what is played is told.
pub(crate) enum Over {
    /// It has ended.
    Told,
    /// By this.
    Known(oneshot::Receiver<()>),
    /// By what is handed over once somebody hears it; nobody does by then: it is over.
    Waits(oneshot::Receiver<Self>, Option<Instant>),
}

impl Playing {
    /// Wraps the media plane's own guard, and who is told the end.
    pub fn new(guard: impl Send + Sync + 'static, over: oneshot::Receiver<()>) -> Self {
        Self {
            guard: Box::new(guard),
            over: Over::Known(over),
        }
    }

    /// What waits for somebody who hears it, but not longer than it would last itself.
    pub(crate) fn waiting(
        guard: impl Send + Sync + 'static,
        heard: oneshot::Receiver<Over>,
        length: Option<Duration>,
    ) -> Self {
        Self {
            guard: Box::new(guard),
            over: Over::Waits(heard, length.map(|length| Instant::now() + length)),
        }
    }

    /// Takes it apart: what ends it when it is dropped, and how its end is told.
    pub(crate) fn parts(self) -> (Box<dyn Send + Sync>, Over) {
        (self.guard, self.over)
    }

    /// Returns once nothing is played any more, whatever the reason.
    pub async fn ended(&mut self) {
        while let Over::Waits(heard, end) = &mut self.over {
            let heard = tokio::select! {
                biased;
                heard = heard => heard.ok(),
                () = until(*end) => None,
            };
            self.over = heard.unwrap_or(Over::Told);
        }
        if let Over::Known(over) = &mut self.over {
            let _ = over.await;
            self.over = Over::Told;
        }
    }
}

/// Connects two legs of whatever kind. `None`: they cannot be connected.
pub(crate) fn connect(one: &Arc<dyn MediaLeg>, other: &Arc<dyn MediaLeg>) -> Option<Joint> {
    if let Some(end) = one.as_any().downcast_ref::<PipeEnd>() {
        return Some(end.attach(other));
    }
    if let Some(end) = other.as_any().downcast_ref::<PipeEnd>() {
        return Some(end.attach(one));
    }
    one.connect(&**other)
}

impl MediaPlane for Plane {
    fn allocate(&self, request: LegRequest<'_>) -> Result<Box<dyn MediaLeg>, AllocateError> {
        let LegRequest {
            policy,
            place,
            events,
            seed,
            near,
        } = request;
        // A call that is gone drops its leg; only a call whose inbox is full must lose it here.
        let events = EventSink::from_fn(move |event| events.send(event) || events.is_closed());
        let near = near.and_then(|near| near.as_any().downcast_ref());
        let config = LegConfig {
            policy,
            place,
            events,
            seed,
        };
        Ok(Box::new(self.allocate_near(config, near)?))
    }

    fn seats(
        &self,
        count: usize,
        near: Option<&dyn MediaLeg>,
    ) -> Result<Vec<Box<dyn MediaLeg>>, AllocateError> {
        let near = near.and_then(|near| near.as_any().downcast_ref());
        let seats = Self::seats(self, count, near)?.into_iter();
        Ok(seats.map(|seat| Box::new(seat) as _).collect())
    }

    fn counts(&self) -> MediaCounts {
        let media::Counts {
            legs,
            streams,
            addresses,
            shards,
            ports,
            port_pairs,
        } = Self::counts(self);
        MediaCounts {
            legs,
            streams,
            addresses,
            shards,
            ports,
            port_pairs,
        }
    }
}

impl MediaLeg for Leg {
    fn negotiate(&self, round: Round) -> Reply<'_, Result<Outcome, Refused>> {
        Box::pin(Self::negotiate(self, round))
    }

    fn echo(&self, mode: EchoMode) -> Echo {
        Echo::new(Self::echo(self, mode))
    }

    fn connect(&self, other: &dyn MediaLeg) -> Option<Joint> {
        let other = other.as_any().downcast_ref()?;
        Some(Joint::new(Self::connect(self, other)))
    }

    fn play(&self, playable: Playable) -> Playing {
        let (guard, over) = Self::play(self, playable);
        Playing::new(guard, over)
    }

    fn dial(&self, event: DigitEvent) -> bool {
        Self::dial(self, event);
        true
    }

    fn refresh(&self) {
        Self::refresh(self);
    }

    fn tap(&self, sink: media::Sink) -> Option<Box<dyn Send + Sync>> {
        Some(Box::new(Self::tap(self, sink)))
    }

    fn listen(&self, is_on: bool) {
        Self::listen(self, is_on);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stats(&self) -> Reply<'_, LegStats> {
        Box::pin(Self::stats(self))
    }
}
