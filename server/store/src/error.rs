//! Why the database gave no answer.

use std::error::Error;
use std::sync::Arc;

/// Why the database gave no answer. Cheap to clone: one failure answers all who asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database was made by a newer release.
    #[error(
        "the database {file} has schema version {found}, this release knows {known}: \
         use the newer release, or another folder"
    )]
    Newer {
        /// The file.
        file: String,
        /// Its schema version.
        found: i64,
        /// The newest version this release knows.
        known: i64,
    },
    /// The database cannot be opened.
    #[error("the database {file} cannot be opened: {cause}")]
    Open {
        /// The file.
        file: String,
        /// What the system or the driver says.
        cause: Arc<dyn Error + Send + Sync>,
    },
    /// A statement failed.
    #[error("the database does not answer: {0}")]
    Query(Arc<sqlx::Error>),
    /// There is no database: the exchange was started without a data folder.
    #[error("there is no database")]
    Absent,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Query(Arc::new(error))
    }
}
