//! Objects and facts kept in a database.
//!
//! [`Store::subscriber`] is the one way to an endpoint, whether files or SQL define it: files
//! first, then Asterisk's `ps_*` tables, through a bounded cache that is never more than a second
//! old. The database is one SQLite file; its tables are reached as `ps_endpoints` and, to the
//! letter of Asterisk's documentation, as `asterisk.ps_endpoints`.

mod cache;
mod error;
mod realtime;
mod schema;
mod sqlite;
mod store;

pub use cache::SUBSCRIBERS_CACHED_MAX;
pub use error::StoreError;
pub use store::{Counts, ENDPOINTS_LISTED_MAX, Store};
