//! Why the database gave no answer.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

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
    /// A file or variable that the settings name is not there; a sentence.
    #[error("{0}")]
    Settings(String),
    /// A statement failed.
    #[error("{}", sentence(.0))]
    Query(Arc<sqlx::Error>),
    /// Nobody gets a connection; what the last one was told who tried.
    #[error("{0}")]
    Unreachable(Arc<str>),
    /// There was no answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// Too many statements wait already.
    #[error("{0} statements wait for the database already")]
    Busy(usize),
    /// There is no database: the exchange was started without a data folder.
    #[error("there is no database")]
    Absent,
}

impl StoreError {
    /// Whether no connection can be had, for whatever is asked.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Query(error) => match &**error {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::WorkerCrashed => true,
                sqlx::Error::Database(error) => {
                    error.code().is_some_and(|code| closes_the_door(&code))
                }
                _ => false,
            },
            Self::Newer { .. }
            | Self::Open { .. }
            | Self::Settings(_)
            | Self::Timeout(_)
            | Self::Busy(_)
            | Self::Absent => false,
        }
    }

    /// Whether a table, a column or a right is missing.
    pub(crate) fn is_schema_fault(&self) -> bool {
        self.database().is_some_and(|(message, code)| {
            let lower = message.to_ascii_lowercase();
            matches!(
                code.as_str(),
                "42P01" | "42703" | "42501" | "42S02" | "42S22" | "3F000"
            ) || code == "42000" && lower.contains("denied")
                || lower.starts_with("no such table")
                || lower.starts_with("no such column")
        })
    }

    /// Whether the connection broke, so that another may do better.
    pub(crate) fn is_lost_connection(&self) -> bool {
        match self {
            Self::Query(error) => match &**error {
                sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
                // Killed by an operator, or the server shuts down.
                sqlx::Error::Database(error) => error
                    .code()
                    .is_some_and(|code| code.starts_with("57P0") || code == "70100"),
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether the server has no database of that name.
    pub(crate) fn is_unknown_database(&self) -> bool {
        self.database().is_some_and(|(message, code)| {
            code == "3D000" || message.to_ascii_lowercase().contains("unknown database")
        })
    }

    /// What the database itself says, and its code, if it was the database.
    pub(crate) fn database(&self) -> Option<(&str, String)> {
        let Self::Query(error) = self else {
            return None;
        };
        let error = error.as_database_error()?;
        let code = error.code().map(String::from).unwrap_or_default();
        Some((error.message(), code))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Query(Arc::new(error))
    }
}

/// SQLSTATEs with which a server turns away whoever comes: refused login, no such database, too many
/// connections, starting, stopping.
fn closes_the_door(code: &str) -> bool {
    code.starts_with("28")
        || code.starts_with("08")
        || code.starts_with("57P0")
        || matches!(code, "3D000" | "53300")
}

/// The driver's error without its preamble.
fn sentence(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => format!("the database says: {}", error.message()),
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::PoolTimedOut => "no connection could be had in time".to_owned(),
        other => other.to_string(),
    }
}
