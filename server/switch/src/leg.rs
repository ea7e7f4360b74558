//! The seam to the media plane: what a channel needs of it, and no more.
//!
//! [`media::Plane`] is the one implementation of the product. The traits exist because a call is tested
//! with a paused clock, and threads with sockets do not follow a paused clock.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use rtc::Refused;
use rtc::policy::Policy;

use crate::pending::{EchoMode, Outcome, Round};

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
    ) -> Result<Box<dyn MediaLeg>, Box<dyn std::error::Error + Send + Sync>>;

    /// Legs and ports in use.
    fn counts(&self) -> MediaCounts;
}

/// What the media plane holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct MediaCounts {
    /// Legs that exist.
    pub legs: usize,
    /// UDP ports that are open.
    pub ports: usize,
}

/// A channel's handle on its streams. Dropping it closes them.
pub trait MediaLeg: Send + Sync {
    /// One round of offer and answer.
    fn negotiate(&self, round: Round) -> Reply<'_, Result<Outcome, Refused>>;

    /// Sends what comes in back, until the guard is dropped.
    fn echo(&self, mode: EchoMode) -> Echo;

    /// What went through so far, a sentence for each stream.
    fn stats(&self) -> Reply<'_, Vec<String>>;
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
