//! Objects and facts kept in a database.
//!
//! [`Store::subscriber`] is the one way to an endpoint, whether files or SQL define it: files
//! first, then Asterisk's `ps_*` tables, through a bounded cache that is never more than a second
//! old. The database is a [`Backend`]: one SQLite file, MariaDB/MySQL or PostgreSQL; its tables are
//! reached as `ps_endpoints` and, to the letter of Asterisk's documentation, as
//! `asterisk.ps_endpoints`.

mod backend;
mod cache;
mod error;
mod inspect;
mod password;
mod realtime;
mod schema;
mod script;
mod store;
mod watch;

pub use backend::{
    Backend, BackendStatus, Dialect, Row, STATEMENTS_WAITING_MAX, Transaction, Trouble,
    TroubleKind, Value,
};
pub use cache::{KNOWN_AGE_MAX, SUBSCRIBERS_CACHED_MAX, SUBSCRIBERS_KNOWN_MAX};
pub use error::StoreError;
pub use inspect::{About, Finding, inspect};
pub use schema::{init, schema_sql};
pub use script::ScriptError;
pub use store::{Counts, ENDPOINTS_LISTED_MAX, QUESTIONS_MAX, Store};
