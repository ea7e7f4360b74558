//! Another database, put in force while the exchange runs.
//!
//! In two steps, as a reload has them. The new one is opened and looked at first, by the side of the one
//! in force, which does not notice: can it be reached, are the tables there, is everything allowed that
//! will be done with them? Then [`Store::put`] swaps the files' snapshot and the database at once, which
//! cannot fail. From there on:
//!
//! - a question that is on its way is answered by the database it was asked of, which is closed when the
//!   last one is; nothing it said is remembered, neither for a second nor for bad times;
//! - contacts that are registered stay so, as the local file has them; all of them are copied to the new
//!   one's `ps_contacts`. Rows of ours in the old one are left: it may be away, or another's by now, and
//!   they are put right if it is ever chosen again;
//! - call records that are not delivered go to the new one's `cdr`, in order.

use crate::backend::Backend;
use crate::inspect::{About, Finding};
use crate::opened::Opened;
use crate::schema::tables;
use crate::store::Store;
use config::{Config, Database, Diagnostic, Identify, Object as _, Origin, Place, Severity};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long a database that is to be put in force may take to be reached and looked at.
pub const PREPARE_MAX: Duration = Duration::from_secs(15);

/// A database that is open and was found to be as it must be. Dropped, it is closed.
#[must_use]
pub struct Replacement {
    opened: Arc<Opened>,
    notes: Vec<String>,
}

impl Replacement {
    /// What is worth saying of it, in sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Store {
    /// Makes the database that these files choose ready for [`Self::put`]; nothing if it is the one in
    /// force, reached in the same way. A SQLite file is made if there is none, and completed.
    ///
    /// # Errors
    ///
    /// What is wrong with it, at the lines of the files that name it and its tables.
    pub async fn prepare(&self, new: &Config) -> Result<Option<Replacement>, Vec<Diagnostic>> {
        let settings = &new.database;
        let (Some(file), Some(backend)) = (self.file(), self.backend()) else {
            return Ok(None);
        };
        if backend.is_as(settings) {
            return Ok(None);
        }
        let same_settings = backend.settings() == settings;
        drop(backend);
        let opening = async {
            let opened = match Opened::open(settings, file).await {
                Ok(opened) => opened,
                Err(error) => {
                    let finding = Finding::unreachable(settings, &error);
                    return Err(vec![finding.at_its_line(settings, None)]);
                }
            };
            let notes = look(opened.backend(), settings).await?;
            let origins = settings.origins(Identify::KIND);
            if origins.contains(&Origin::Table) {
                // The first packet must find a peer that is known by its address.
                opened.read_identifies(new).await;
            }
            Ok((opened, notes))
        };
        let Ok(prepared) = timeout(PREPARE_MAX, opening).await else {
            let place = &settings.place;
            let seconds = PREPARE_MAX.as_secs();
            let message = format!("{place} did not answer everything within {seconds} s");
            let said = settings.fault(None, message);
            return Err(vec![said.advise("see what holds that server up")]);
        };
        let (opened, mut notes) = prepared?;
        if same_settings {
            let place = &settings.place;
            notes.push(format!(
                "the password of {place} is another, and is used from now on"
            ));
        }
        let opened = Arc::new(opened);
        Ok(Some(Replacement { opened, notes }))
    }

    /// Puts a new snapshot of the files in force, and the database they choose if that is another.
    pub fn put(&self, config: Arc<Config>, database: Option<Replacement>) {
        self.swap(config, database.map(|database| database.opened));
    }
}

/// Whether the database is as it must be: what is worth saying, or what is wrong.
async fn look(backend: &Backend, settings: &Database) -> Result<Vec<String>, Vec<Diagnostic>> {
    let (findings, _) = backend.inspect_shape().await;
    let faults: Vec<Diagnostic> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.at_its_line(settings, finding.table(backend)))
        .collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let notes = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Warning);
    let notes = notes.map(|finding| match &finding.cure {
        Some(cure) => format!("{}; {cure}", finding.message),
        None => finding.message.clone(),
    });
    Ok(notes.collect())
}

impl Finding {
    /// The table it is about, by Asterisk's name.
    fn table(&self, backend: &Backend) -> Option<&'static str> {
        let (About::Table(target) | About::Rights(target)) = &self.about else {
            return None;
        };
        let mut names = tables().iter().map(|table| table.name);
        names.find(|name| backend.table(name) == *target)
    }

    fn at_its_line(&self, settings: &Database, table: Option<&str>) -> Diagnostic {
        let said = match &settings.place {
            // That is said already.
            _ if self.about == About::Connection => self.message.clone(),
            Place::DataFolder => self.message.clone(),
            place => format!("{place}: {}", self.message),
        };
        let said = settings.fault(table, said);
        match &self.cure {
            Some(cure) => said.advise(cure.clone()),
            None => said,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::Backend;
    use config::Database;
    use std::time::Duration;

    #[tokio::test]
    async fn it_is_closed_when_the_last_answer_is_there_and_not_before() {
        let name = format!("sidetone-retire-{}.db", std::process::id());
        let file = std::env::temp_dir().join(name);
        let backend = Backend::open(&Database::default(), &file).await.unwrap();
        let mut transaction = backend.begin().await.unwrap();
        let asker = backend.clone();
        let mut retiring = tokio::spawn(backend.retire());
        let early = tokio::time::timeout(Duration::from_millis(50), &mut retiring);
        assert!(early.await.is_err());
        assert!(asker.fetch("SELECT 1", &[]).await.is_ok());
        drop(asker);
        assert!(transaction.fetch("SELECT 1", &[]).await.is_ok());
        transaction.commit().await.unwrap();
        retiring.await.unwrap();
        std::fs::remove_file(&file).unwrap();
    }
}
