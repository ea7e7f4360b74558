//! Calling one or more places at once: they all ring, the first that answers has the call.
//!
//! Whoever dials owns the legs by value, so there is nothing to lock: the originating task, or the task of
//! the call whose application dials. A leg that is dropped is cancelled.

use std::pin::pin;

use config::CallerId;
use dialplan::Position;
use futures_util::future::select_all;
use tokio::time::{Instant, sleep_until};

use crate::cause::Cause;
use crate::channel::{Channel, News, Wake};
use crate::switch::Switch;
use crate::technology::Target;

/// Places that are called at once by one dialling; more are left out.
pub const LEGS_MAX: usize = 64;

/// How a call goes out.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Who is shown to call.
    pub caller: CallerId,
    /// Variables set on every leg.
    pub variables: Vec<(String, String)>,
    /// Where the leg will stand in the dial plan; nowhere if `None`.
    pub at: Option<Position>,
    /// What is shown as its application while it rings.
    pub application: String,
}

/// Legs that are being called.
pub struct Dialling {
    legs: Vec<Channel>,
    /// The most telling cause of those that came to nothing.
    failed: Option<Cause>,
}

/// What became known.
pub enum Dialled {
    /// One of the places rings.
    Ringing,
    /// One of the places answered; the others are cancelled.
    Answered(Box<Channel>),
    /// All of them came to nothing.
    Failed(Cause),
}

/// A leg to which something happened; [`Dialling::on`] takes it.
pub struct Woken(usize, Wake);

impl Dialling {
    /// Calls all targets.
    pub async fn start(switch: &Switch, targets: Vec<Target>, ask: &Ask) -> Self {
        let mut dialling = Self {
            legs: Vec::new(),
            failed: None,
        };
        for target in targets.into_iter().take(LEGS_MAX) {
            let Some(mut leg) = switch.outgoing(target, ask) else {
                dialling.note(Cause::SwitchCongestion);
                continue;
            };
            match leg.call().await {
                Ok(()) => dialling.legs.push(leg),
                Err(_) => dialling.note(leg.ended().unwrap_or(Cause::NormalUnspecified)),
            }
        }
        dialling
    }

    /// Waits until something happens to a leg. Nothing is lost if this is dropped while it waits; with no
    /// leg left it never returns, and [`Dialling::failure`] says why.
    pub async fn wait(&mut self) -> Woken {
        if self.legs.is_empty() {
            return std::future::pending().await;
        }
        let waits = self.legs.iter_mut().map(|leg| Box::pin(leg.wake()));
        let (wake, index, _) = select_all(waits).await;
        Woken(index, wake)
    }

    /// Deals with what [`Dialling::wait`] returned.
    pub async fn on(&mut self, Woken(index, wake): Woken) -> Option<Dialled> {
        let leg = self.legs.get_mut(index)?;
        match leg.on_called(wake).await? {
            News::Ringing => Some(Dialled::Ringing),
            News::Answered => {
                let answered = self.legs.swap_remove(index);
                self.cancel(Cause::AnsweredElsewhere);
                Some(Dialled::Answered(Box::new(answered)))
            }
            News::Failed(cause) => {
                self.legs.swap_remove(index);
                self.note(cause);
                self.failure().map(Dialled::Failed)
            }
        }
    }

    /// Why there is no leg left; `None` while there is one.
    pub fn failure(&self) -> Option<Cause> {
        let over = self.legs.is_empty();
        over.then(|| self.failed.unwrap_or(Cause::NoRouteDestination))
    }

    /// Gives up the legs that have not answered.
    pub fn cancel(&mut self, cause: Cause) {
        for mut leg in self.legs.drain(..) {
            leg.hangup(cause);
        }
    }

    /// The channel that answers first, or why none did by `end`.
    pub async fn first(mut self, end: Instant) -> Result<Channel, Cause> {
        let mut patience = pin!(sleep_until(end));
        loop {
            if let Some(cause) = self.failure() {
                return Err(cause);
            }
            let woken = tokio::select! {
                biased;
                woken = self.wait() => woken,
                () = &mut patience => {
                    self.cancel(Cause::NoAnswer);
                    return Err(Cause::NoAnswer);
                }
            };
            match self.on(woken).await {
                Some(Dialled::Answered(channel)) => return Ok(*channel),
                Some(Dialled::Failed(cause)) => return Err(cause),
                Some(Dialled::Ringing) | None => {}
            }
        }
    }

    fn note(&mut self, cause: Cause) {
        let before = self.failed.map_or(0, telling);
        if telling(cause) > before {
            self.failed = Some(cause);
        }
    }
}

/// What says more of a person than of a device is what the caller is told. RFC 3261 §16.7 step 6 prefers
/// 6xx for the same reason.
fn telling(cause: Cause) -> u8 {
    match cause {
        Cause::CallRejected => 4,
        Cause::UserBusy => 3,
        Cause::NoAnswer | Cause::NoUserResponse => 2,
        _ => 1,
    }
}
