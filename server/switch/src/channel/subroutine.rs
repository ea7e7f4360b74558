//! Subroutines of the dial plan: where `Return` goes, and the variables that end with them.

use dialplan::Position;

use super::Channel;
use crate::variables::SetError;

/// Subroutines within subroutines.
const SUBROUTINES_MAX: usize = 200;

/// A subroutine that has not returned.
pub(super) struct Frame {
    back: Position,
    /// Variables as they were before: of its arguments, and those made local.
    before: Vec<(String, Option<String>)>,
}

/// Why a channel does not go into a subroutine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotEntered {
    /// It never comes back.
    #[error("{SUBROUTINES_MAX} subroutines have not returned (SUBROUTINES_MAX)")]
    TooDeep,
    /// An argument is too long, or there are too many variables.
    #[error("an argument cannot be set: {0}")]
    Argument(#[from] SetError),
}

impl Channel {
    /// Notes that `Return` leads to `back`, and sets `ARG1` and so on; `ARGC` is their count.
    pub fn enter(&mut self, back: Position, arguments: &[String]) -> Result<(), NotEntered> {
        if self.frames.len() >= SUBROUTINES_MAX {
            return Err(NotEntered::TooDeep);
        }
        let before = Vec::new();
        self.frames.push(Frame { back, before });
        let count = ("ARGC".to_owned(), arguments.len().to_string());
        let named = (1..).zip(arguments);
        let named = named.map(|(number, value)| (format!("ARG{number}"), value.clone()));
        for (name, value) in std::iter::once(count).chain(named) {
            if let Err(error) = self.set_local(&name, &value) {
                self.leave();
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Leaves the latest subroutine; where to go on. `None`: there is none.
    pub fn leave(&mut self) -> Option<Position> {
        let frame = self.frames.pop()?;
        for (name, value) in frame.before.into_iter().rev() {
            // It was set before, so it can be set again.
            let _ = self.vars.set(&name, value.as_deref().unwrap_or_default());
        }
        Some(frame.back)
    }

    /// The call is sent on elsewhere: nothing returns to where it was.
    pub(crate) fn leave_all(&mut self) {
        while self.leave().is_some() {}
    }

    /// Forgets where the latest subroutine was to return to; its variables are what they were before it.
    pub fn forget_subroutine(&mut self) -> bool {
        self.leave().is_some()
    }

    /// Sets a variable until the latest subroutine returns.
    pub fn set_local(&mut self, name: &str, value: &str) -> Result<(), SetError> {
        let before = self.vars.value(name).map(str::to_owned);
        self.vars.set(name, value)?;
        if let Some(frame) = self.frames.last_mut()
            && !frame.before.iter().any(|(known, _)| known == name)
        {
            frame.before.push((name.to_owned(), before));
        }
        Ok(())
    }

    /// The value that a variable had so many subroutines further out; `None`: there are not so many, or it had none.
    pub fn variable_before(&self, levels: usize, name: &str) -> Option<&str> {
        let outer = self.frames.len().checked_sub(levels)?;
        let hidden = self.frames[outer..].iter().find_map(|frame| {
            let mut before = frame.before.iter();
            before.find(|(known, _)| known == name)
        });
        match hidden {
            Some((_, before)) => before.as_deref(),
            None => self.vars.value(name),
        }
    }

    /// Where the subroutine so many levels up is to return to, from 1; the latest is the first.
    pub fn returns_to(&self, level: usize) -> Option<&Position> {
        let index = self.frames.len().checked_sub(level)?;
        self.frames.get(index).map(|frame| &frame.back)
    }

    /// How many subroutines have not returned.
    pub fn depth(&self) -> usize {
        self.frames.len()
    }
}
