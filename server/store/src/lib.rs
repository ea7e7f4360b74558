//! Objects and facts kept in a database.
