//! Objects and facts kept in a database.
//!
//! [`Store::subscriber`] is the one way to an endpoint, whether files or SQL define it: files
//! first, then Asterisk's `ps_*` tables, through a bounded cache that is never more than a second
//! old. The database is a [`Backend`]: one SQLite file, MariaDB/MySQL or PostgreSQL; its tables are
//! reached as `ps_endpoints` and, to the letter of Asterisk's documentation, as
//! `asterisk.ps_endpoints`.

mod astdb;
mod backend;
mod cache;
mod cdr;
mod contacts;
mod current;
mod durable;
mod error;
mod extensions;
mod identifies;
mod inspect;
mod journal;
mod objects;
mod opened;
mod password;
mod realtime;
mod records;
mod replace;
mod schema;
mod script;
mod store;
mod watch;

pub use astdb::{
    ASTDB_BYTES_MAX, ASTDB_ENTRIES_MAX, ASTDB_KEY_BYTES_MAX, ASTDB_VALUE_BYTES_MAX, AstDb,
    AstDbError, LAZY_AFTER, Pending, Urgency,
};
pub use backend::{
    Backend, BackendStatus, Dialect, Row, STATEMENTS_WAITING_MAX, Transaction, Trouble,
    TroubleKind, Value,
};
pub use cache::{
    EXTENSIONS_CACHED_MAX, EXTENSIONS_KNOWN_MAX, KNOWN_AGE_MAX, SUBSCRIBERS_CACHED_MAX,
    SUBSCRIBERS_KNOWN_MAX,
};
pub use cdr::{AmaFlags, Cdr, Disposition, local_time};
pub use contacts::{COPY_PATIENCE, ContactChange, Contacts, DISK_PATIENCE, SavedContact, Saving};
pub use durable::{ASTDB_FILE, JOURNAL_FOLDER};
pub use error::StoreError;
pub use identifies::{IDENTIFIES_MAX, Identifies};
pub use inspect::{About, Finding, inspect, inspect_with};
pub use journal::{ALIVE_EVERY, JOURNAL_BYTES_MAX, JOURNAL_QUEUE_MAX, JournalHealth};
pub use objects::{Unread, objects};
pub use realtime::EXTENSION_ROWS_MAX;
pub use records::{Batch, MARK_TABLE, OPEN_PATIENCE, REFUSED_FILE, Records, RecordsHealth};
pub use replace::{PREPARE_MAX, Replacement};
pub use schema::{init, schema_sql};
pub use script::ScriptError;
pub use store::{Counts, ENDPOINTS_LISTED_MAX, QUESTIONS_MAX, Store};
