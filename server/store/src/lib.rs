//! Objects and facts kept in a database.
//!
//! [`Store::subscriber`] is the one way to an endpoint, whether files or SQL define it: files
//! first, then Asterisk's `ps_*` tables, through a bounded cache that is never more than a second
//! old.

mod error;
mod store;

pub use error::StoreError;
pub use store::Store;
