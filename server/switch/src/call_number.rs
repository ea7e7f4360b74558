//! The number of the call that a task sees to, by which the lines of the log about one call are found: `C-0000002a`.
//!
//! All that is called in a call, and the calls its dial plan makes to itself, have its number, as in Asterisk. It belongs
//! to the task, not to a channel: who is moved to another call is told of with that one's number.

use std::fmt;
use std::future::Future;

tokio::task_local! {
    static CURRENT: CallNumber;
}

/// A call's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallNumber(pub u64);

impl fmt::Display for CallNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "C-{:08x}", self.0)
    }
}

/// The number of the call that is being seen to; `None` outside of calls.
pub fn current() -> Option<CallNumber> {
    CURRENT.try_with(|number| *number).ok()
}

/// What is done for a call.
pub(crate) async fn within<T>(number: Option<CallNumber>, task: impl Future<Output = T>) -> T {
    match number {
        Some(number) => CURRENT.scope(number, task).await,
        None => task.await,
    }
}

#[cfg(test)]
mod tests {
    use super::{CallNumber, current, within};

    #[tokio::test]
    async fn the_number_is_there_within_the_call_alone() {
        let seen = within(Some(CallNumber(42)), async { current() }).await;
        assert_eq!(
            seen.map(|number| number.to_string()).as_deref(),
            Some("C-0000002a")
        );
        assert_eq!(current(), None);
    }
}
