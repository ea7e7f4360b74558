//! Subroutines that are run when the channel is over: `CHANNEL(hangup_handler_push)`.

use dialplan::Position;

use super::Channel;
use crate::variables::SetError;

/// Subroutines one channel may have for its end, and may run there.
pub const HANGUP_HANDLERS_MAX: usize = 64;

/// A subroutine and its arguments.
pub(crate) type HangupHandler = (Position, Vec<String>);

impl Channel {
    /// Has a subroutine run when the channel is over, before those it has already.
    ///
    /// # Errors
    ///
    /// When it has [`HANGUP_HANDLERS_MAX`].
    pub fn push_hangup_handler(
        &mut self,
        at: Position,
        arguments: Vec<String>,
    ) -> Result<(), SetError> {
        if self.hangup_handlers.len() >= HANGUP_HANDLERS_MAX {
            return Err(SetError::TooMany);
        }
        self.hangup_handlers.push((at, arguments));
        Ok(())
    }

    /// Forgets the latest of them.
    pub fn pop_hangup_handler(&mut self) {
        self.hangup_handlers.pop();
    }

    /// Forgets all of them.
    pub fn wipe_hangup_handlers(&mut self) {
        self.hangup_handlers.clear();
    }

    /// The latest of them, to be run.
    pub(crate) fn take_hangup_handler(&mut self) -> Option<HangupHandler> {
        self.hangup_handlers.pop()
    }

    /// Lets a channel go that is over, without waiting for what is left to be done for it.
    pub(crate) fn let_go(mut self) {
        if self.hangup_handlers.is_empty() {
            return;
        }
        let switch = self.switch.clone();
        switch.spawn(async move { self.release().await });
    }
}
