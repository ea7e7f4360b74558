//! What is kept in the data folder, whatever the database is.

use crate::astdb::{AstDb, Urgency};
use crate::contacts::{Contacts, Copies, PsContacts, SavedContact};
use crate::current::Current;
use crate::records::{CdrTable, Records};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The dial plan's database and the registered contacts, as Asterisk calls its file.
pub const ASTDB_FILE: &str = "astdb.sqlite3";
/// The journal of call records.
pub const JOURNAL_FOLDER: &str = "cdr";

/// Each of these is missing where it could not be opened.
#[derive(Default)]
pub(crate) struct Durable {
    pub(crate) records: Option<Records>,
    pub(crate) astdb: Option<AstDb>,
    pub(crate) contacts: Option<Contacts>,
}

impl Durable {
    /// Opens all of it. The contacts returned have survived the last run and have not run out.
    pub(crate) async fn open(
        folder: &Path,
        server: &str,
        database: Option<Current>,
    ) -> (Self, Vec<SavedContact>) {
        let mut durable = Self::default();
        if let Err(error) = make_private(folder) {
            // The errors of those who open files in it follow.
            tracing::error!("{}: {error}", folder.display());
        }
        if let Some(current) = &database {
            let path = folder.join(JOURNAL_FOLDER);
            match Records::open(&path, CdrTable::new(current.clone())) {
                Ok(records) => durable.records = Some(records),
                Err(error) => tracing::error!(
                    "calls are not recorded: the journal in {} cannot be opened: {error}",
                    path.display()
                ),
            }
        }
        let (astdb, kept) = match AstDb::open(&folder.join(ASTDB_FILE)).await {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!(
                    "registrations do not survive a restart, and the dial plan has no database: {error}; \
                     move the file away and restart"
                );
                return (durable, Vec::new());
            }
        };
        let (survivors, gone) = sort(kept);
        if !gone.is_empty() {
            let gone = gone.into_iter().map(|id| (id, None));
            drop(astdb.change_contacts(gone, Urgency::Now));
        }
        let copies = database.map(|current| {
            let table = PsContacts::new(current, server.to_owned());
            Copies::start(table, astdb.clone(), survivors.clone())
        });
        durable.contacts = Some(Contacts::new(astdb.clone(), copies, server.to_owned()));
        durable.astdb = Some(astdb);
        (durable, survivors)
    }

    /// Writes what waits.
    pub(crate) async fn close(&self) {
        if let Some(records) = &self.records {
            records.stop().await;
        }
        if let Some(contacts) = &self.contacts {
            contacts.stop().await;
        }
        if let Some(astdb) = &self.astdb {
            astdb.stop().await;
        }
    }
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)
}

/// The contacts that are of use, and the ids of those that are not: a WebSocket ended with the last
/// run, a registration has run out meanwhile, or nobody can read it.
fn sort(kept: Vec<(String, String)>) -> (Vec<SavedContact>, Vec<String>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(i64::MAX);
    let (mut survivors, mut gone) = (Vec::new(), Vec::new());
    for (id, json) in kept {
        match SavedContact::from_json(&id, &json) {
            Some(contact) if !contact.prune_on_boot && contact.expiration_time > now => {
                survivors.push(contact);
            }
            Some(_) | None => gone.push(id),
        }
    }
    (survivors, gone)
}
