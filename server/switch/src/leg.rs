//! The seam to the media plane: what a channel needs of it, and no more.
//!
//! [`media::Plane`] is the one implementation of the product. The traits exist because a call is tested
//! with a paused clock, and threads with sockets do not follow a paused clock.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use media::{AllocateError, EchoMode, EventSink, Leg, LegConfig, LegStats, Plane};
use rtc::policy::Policy;
use rtc::{Outcome, Refused, Round};

use crate::inbox::InboxSender;

/// An asynchronous answer of the media plane.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where legs come from.
pub trait MediaPlane: Send + Sync {
    /// Reserves a leg. Synchronous, so that its candidates are known at once; its events go to `events`.
    fn allocate(
        &self,
        policy: Arc<Policy>,
        events: InboxSender,
        seed: [u8; 32],
    ) -> Result<Box<dyn MediaLeg>, AllocateError>;

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
    /// UDP ports that are open.
    pub ports: Vec<u16>,
}

/// A channel's handle on its streams. Dropping it closes them.
pub trait MediaLeg: Send + Sync {
    /// One round of offer and answer.
    fn negotiate(&self, round: Round) -> Reply<'_, Result<Outcome, Refused>>;

    /// Sends what comes in back, until the guard is dropped.
    fn echo(&self, mode: EchoMode) -> Echo;

    /// What went through so far.
    fn stats(&self) -> Reply<'_, LegStats>;
}

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

impl MediaPlane for Plane {
    fn allocate(
        &self,
        policy: Arc<Policy>,
        events: InboxSender,
        seed: [u8; 32],
    ) -> Result<Box<dyn MediaLeg>, AllocateError> {
        // A call that is gone drops its leg; only a call whose inbox is full must lose it here.
        let events = EventSink::from_fn(move |event| events.send(event) || events.is_closed());
        let leg = Self::allocate(
            self,
            LegConfig {
                policy,
                events,
                seed,
            },
        )?;
        Ok(Box::new(leg))
    }

    fn counts(&self) -> MediaCounts {
        let media::Counts {
            legs,
            streams,
            addresses,
            shards,
            ports,
        } = Self::counts(self);
        MediaCounts {
            legs,
            streams,
            addresses,
            shards,
            ports,
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

    fn stats(&self) -> Reply<'_, LegStats> {
        Box::pin(Self::stats(self))
    }
}
