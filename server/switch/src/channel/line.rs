//! The connected line: who the far end is, and what it is told of whom it talks to.

use config::CallerId;

use crate::event::Happened;
use crate::party::{Parties, Redirecting};
use crate::story::StoryEvent;

use super::{Channel, State};

impl Channel {
    /// The far end is connected to `party` from now on, or will be, and is told so.
    pub fn connect_line(&mut self, party: CallerId) {
        if self.parties.connected != party {
            self.parties.connected = party;
            self.tell_connected();
        }
    }

    /// Tells the far end whom it is connected to.
    pub fn tell_connected(&mut self) {
        if self.ended().is_none() {
            self.signaling.connected(&self.parties.connected);
            self.publish();
        }
    }

    /// The call of the far end is sent on, and it is told so if it still waits.
    pub fn redirect_line(&mut self, redirecting: Redirecting) {
        *self.parties = Parties {
            redirecting,
            ..std::mem::take(&mut *self.parties)
        };
        self.tell_redirected();
    }

    /// Tells a far end that waits that its call is sent on.
    pub fn tell_redirected(&mut self) {
        if self.state == State::Ringing {
            self.signaling.redirected(&self.parties.redirecting);
        }
    }

    /// The far end is somebody else now, or says so.
    pub(super) fn on_connected(&mut self, party: CallerId) -> Option<Happened> {
        if self.caller == party {
            return None;
        }
        let text = format!("the far end is {party} now");
        self.tell(StoryEvent::Remark { text });
        self.parties.ani = party.clone();
        self.caller = party;
        self.publish();
        Some(Happened::Connected)
    }
}
