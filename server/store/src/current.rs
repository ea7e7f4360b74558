//! The database in force, for those who write to it: asked for anew before each piece of work, so that a
//! reload may put another in its place.

use crate::backend::Backend;
use tokio::sync::watch;

/// A view of the database in force. It holds none itself.
#[derive(Clone)]
pub(crate) struct Current(watch::Receiver<Backend>);

impl Current {
    pub(crate) fn new(backend: watch::Receiver<Backend>) -> Self {
        Self(backend)
    }

    /// The one in force, and whether it is another than the last time.
    pub(crate) fn backend(&mut self) -> (Backend, bool) {
        let backend = self.0.borrow_and_update();
        (backend.clone(), backend.has_changed())
    }

    /// Whether the next one is another than the last.
    pub(crate) fn is_another(&self) -> bool {
        self.0.has_changed().unwrap_or(false)
    }
}
