//! A database with all that is remembered of it. A reload that chooses another puts a new one of these in
//! its place, so nothing of the old one is left behind.

use crate::StoreError;
use crate::backend::Backend;
use crate::cache::Cache;
use crate::realtime::Realtime;
use crate::watch::Watch;
use config::Database;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// See the module.
pub(crate) struct Opened {
    pub(crate) realtime: Realtime,
    cache: Arc<Mutex<Cache>>,
    /// Questions that may have a connection.
    pub(crate) turns: Semaphore,
    watch: Option<Watch>,
}

impl Opened {
    /// As [`Backend::open`].
    pub(crate) async fn open(settings: &Database, file: &Path) -> Result<Self, StoreError> {
        let backend = Backend::open(settings, file).await?;
        let cache = Arc::new(Mutex::new(Cache::new(Instant::now())));
        Ok(Self {
            turns: Semaphore::new(backend.questions_max()),
            watch: Watch::start(&backend, &cache),
            cache,
            realtime: Realtime::new(backend),
        })
    }

    pub(crate) fn backend(&self) -> &Backend {
        self.realtime.backend()
    }

    pub(crate) fn cache(&self) -> MutexGuard<'_, Cache> {
        // A panic cannot leave the cache half changed in a way that matters.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it says at once what changes; nothing if it is one that cannot.
    pub(crate) fn listens(&self) -> Option<bool> {
        self.watch.as_ref()?.listens()
    }

    /// Nobody looks after it any longer.
    pub(crate) fn stop_watching(&self) {
        if let Some(watch) = &self.watch {
            watch.stop();
        }
    }
}
