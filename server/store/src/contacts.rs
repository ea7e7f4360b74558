//! Registered contacts, kept across restarts.
//!
//! A change is on the local disk before the REGISTER is answered: the exchange's own file has all
//! contacts ([`AstDb`](crate::AstDb), family `registrar`), so registrations work, and survive, whatever
//! the database does. From there they go to Asterisk's table `ps_contacts`, which others may read; that
//! is a copy. While the database is well, the answer waits for the copy too, but never longer than
//! [`COPY_PATIENCE`], and not at all while the database is known to be slow or away.

mod copy;
mod saved;
mod table;

pub(crate) use copy::Copies;
pub use saved::{ContactChange, SavedContact};
pub(crate) use table::PsContacts;

use crate::astdb::{AstDb, CONTACTS, Pending, Urgency};
use copy::{Copied, Kept, Refusal};
use std::time::Duration;

/// How long an answer waits for the local disk. After that the registration is accepted all the same:
/// phones that cannot call help nobody, and it is said.
pub const DISK_PATIENCE: Duration = Duration::from_secs(2);
/// How long an answer waits for the table `ps_contacts`.
pub const COPY_PATIENCE: Duration = Duration::from_millis(250);

/// A handle to the contacts that are kept. Cheap to clone.
#[derive(Clone)]
pub struct Contacts {
    astdb: AstDb,
    copies: Option<Copies>,
    server: String,
}

/// Changes on their way.
pub struct Saving {
    disk: Pending,
    copied: Option<Copied>,
}

impl Contacts {
    pub(crate) fn new(astdb: AstDb, copies: Option<Copies>, server: String) -> Self {
        Self {
            astdb,
            copies,
            server,
        }
    }

    /// Takes changes in order. Never waits, so that it can be called while their order is still sure;
    /// [`Saving::settled`] waits.
    pub fn change(&self, changes: &[ContactChange]) -> Saving {
        let mut disk = None;
        let mut copied = None;
        for urgency in [Urgency::Lazy, Urgency::Now] {
            let of_this = changes.iter().filter(|change| change.urgency() == urgency);
            let of_this: Vec<&ContactChange> = of_this.collect();
            let entries = of_this.iter().map(|change| match change {
                ContactChange::Save { contact, .. } => {
                    (contact.id(), Some(contact.to_json(&self.server)))
                }
                ContactChange::Remove { id } => (id.clone(), None),
            });
            disk = Some(self.astdb.change_contacts(entries, urgency));
            if let Some(copies) = &self.copies {
                copied = Some(copies.change(&of_this, urgency));
            }
        }
        Saving {
            disk: disk.unwrap_or_else(|| self.astdb.change_contacts([], Urgency::Now)),
            copied,
        }
    }

    /// What is wrong with keeping contacts, in a sentence.
    pub fn trouble(&self) -> Option<String> {
        let copies = self.copies.as_ref().and_then(Copies::trouble);
        self.astdb.trouble().or(copies)
    }

    /// Another database is in force: all contacts go to its table.
    pub(crate) fn moved(&self) {
        if let Some(copies) = &self.copies {
            copies.moved();
        }
    }

    pub(crate) async fn stop(&self) {
        if let Some(copies) = &self.copies {
            copies.stop().await;
        }
    }
}

impl Kept for AstDb {
    async fn contacts(&self) -> Result<Vec<SavedContact>, Refusal> {
        // What is on its way to the disk would be missed.
        let written = self.change_contacts([], Urgency::Now).durable();
        let _ = tokio::time::timeout(DISK_PATIENCE, written).await;
        let rows = self.tree("registrar", Some("contact")).await;
        let rows = rows.map_err(|error| Refusal::Away(error.to_string()))?;
        let contacts = rows.iter().filter_map(|(key, json)| {
            let id = key.strip_prefix(CONTACTS)?;
            SavedContact::from_json(id, json)
        });
        Ok(contacts.collect())
    }
}

impl Saving {
    /// Waits until the changes survive a crash; see the module for how long at most.
    pub async fn settled(self) {
        match tokio::time::timeout(DISK_PATIENCE, self.disk.durable()).await {
            // What the disk refuses is in the log already.
            Ok(true | false) => {}
            Err(_) => tracing::error!(
                "the disk did not confirm a registration within {} s; a crash now may lose it",
                DISK_PATIENCE.as_secs()
            ),
        }
        if let Some(copied) = self.copied {
            let _ = tokio::time::timeout(COPY_PATIENCE, copied.done()).await;
        }
    }
}
