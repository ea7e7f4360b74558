//! Files and the rows that belong to them: what holds for all of SIP, transports and the like may stand in
//! tables, which only the files can tell. So files are read, then rows, then files with the rows.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cli::{Exchange, Files, Part};
use config::{Config, Diagnostic, Elsewhere, ObjectRows, Severity, Source};
use store::{Store, StoreError, TroubleKind, Unread};

use crate::files;

/// Reads rows, and remembers them for when the database is away.
pub(crate) struct Rows {
    /// The database in the data folder.
    file: PathBuf,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    rows: Option<ObjectRows>,
    /// What the files said when rows could not be read and nothing was known of them.
    waits: Option<Arc<Config>>,
}

/// How often a database that was away at the start is asked whether it is there.
const RETRY_AFTER: Duration = Duration::from_secs(2);

impl Rows {
    pub(crate) fn new(file: PathBuf) -> Self {
        Self {
            file,
            last: Mutex::default(),
        }
    }

    /// What files and rows say, and everything that is wrong with them.
    pub(crate) async fn read(&self, source: &dyn Source) -> Files {
        let (config, messages) = files::read(source);
        match config {
            Some(config) if config.reads_rows() => {
                Box::pin(self.read_with(source, Box::new(config))).await
            }
            config => (config, messages),
        }
    }

    async fn read_with(&self, source: &dyn Source, config: Box<Config>) -> Files {
        let (rows, fault) = match store::objects(&config, &self.file).await {
            Ok(rows) => {
                *self.last() = Last {
                    rows: Some(rows.clone()),
                    waits: None,
                };
                (rows, None)
            }
            Err((table, error)) => {
                let mut last = self.last();
                let fault = fault(&config, table, &error, last.rows.is_some());
                if last.rows.is_none() {
                    last.waits = Some(Arc::from(config));
                }
                (last.rows.clone().unwrap_or_default(), Some(fault))
            }
        };
        let elsewhere = Elsewhere {
            rows,
            ..Elsewhere::default()
        };
        let (config, mut messages) = files::read_with(source, &elsewhere, files::Database::Unknown);
        messages.extend(fault);
        (config, messages)
    }

    /// Puts rows in force as soon as they can be read, if the exchange started without them.
    pub(crate) async fn follow(&self, exchange: Arc<Exchange>, store: Store) {
        loop {
            let Some(config) = self.last().waits.clone() else {
                return;
            };
            tokio::time::sleep(RETRY_AFTER).await;
            // Somebody else looks whether it is back, and has said that it is away.
            let trouble = store.backend().and_then(|backend| backend.trouble());
            if trouble.is_some_and(|trouble| trouble.kind == TroubleKind::Unreachable) {
                continue;
            }
            if store::objects(&config, &self.file).await.is_ok() {
                // The log has what came of it; with an error in the files the next reload reads the rows.
                let _ = exchange.reload(Part::Pjsip, "the database is there").await;
                return;
            }
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        // Whole values are put into it.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// That rows cannot be read, and what holds meanwhile.
fn fault(config: &Config, table: &'static str, error: &StoreError, known: bool) -> Diagnostic {
    let meanwhile = match known {
        true => "what was read last holds",
        false => "nothing of it is in force until it can be",
    };
    let target = config.database.table(table);
    let message = format!("the table {target} cannot be read: {error}; {meanwhile}");
    let mut fault = config.database.fault(Some(table), message);
    // Calls go on, so nothing that can be put in force is held up by it.
    fault.severity = Severity::Warning;
    fault.advise("see `sidetone db check`; the rows are read again with the next reload")
}

/// What files and rows say now, for a command that starts nothing.
pub(crate) async fn read_once(source: &dyn Source, file: PathBuf) -> Files {
    Rows::new(file).read(source).await
}

/// The rows that the files say are objects; none if they cannot be read, which the inspection of the
/// database says.
pub(crate) async fn of(config: &Config, file: &std::path::Path) -> ObjectRows {
    let read: Result<ObjectRows, Unread> = store::objects(config, file).await;
    read.unwrap_or_default()
}
