//! Hold: whether the far end holds us, and telling it that it is held itself.

use rtc::topology::{Direction, Stream, Topology};

use super::round::Want;
use super::{Channel, streams};

impl Channel {
    /// Whether the far end holds us, so that the party it talks to is to be entertained.
    pub fn holds(&self) -> bool {
        let by_sendonly = || streams::held_by_sendonly(&self.topology);
        self.on_hold && !(self.endpoint().suppress_moh_on_sendonly && by_sendonly())
    }

    /// Tells the far end that it is held (RFC 3264 §8.4: `sendonly`), or that it is so no longer. Without
    /// effect where it is as it should be, or where an offer is under way: to be tried again then.
    pub(crate) async fn pass_hold(&mut self, is_held: bool) {
        let ready = self.is_up() && self.established && self.turn.is_idle();
        if is_held == self.passed_hold.is_some() || !ready {
            return;
        }
        let want = match self.passed_hold.take() {
            Some(before) => streams::rebase(&before, &self.topology),
            None => {
                self.passed_hold = Some(self.topology.clone());
                held(&self.topology)
            }
        };
        // Refused, the far end has what it had; the story says so.
        let _ = self.make_offer(Want::Streams(want), 1).await;
    }
}

/// The streams of a party that is held: it may hear us and not be heard.
fn held(agreed: &Topology) -> Topology {
    let streams = agreed.iter().map(|stream| Stream {
        direction: match stream.direction {
            Direction::SendRecv => Direction::SendOnly,
            Direction::RecvOnly => Direction::Inactive,
            other @ (Direction::SendOnly | Direction::Inactive) => other,
        },
        ..stream.clone()
    });
    Topology::new(streams.collect())
}
