//! Which attached console a command comes from, for those commands that mean the one they are typed at.

use std::future::Future;

tokio::task_local! {
    static ASKER: Option<u32>;
}

/// Runs a command as one that a console, if it is one, has typed.
pub(crate) async fn asked_by<T>(console: Option<u32>, command: impl Future<Output = T>) -> T {
    ASKER.scope(console, command).await
}

/// The console that typed the command that runs.
pub(crate) fn asker() -> Option<u32> {
    ASKER.try_with(|asker| *asker).ok().flatten()
}
