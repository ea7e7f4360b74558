//! The .conf language and the typed objects read from it.
