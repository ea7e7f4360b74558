//! extensions.conf: patterns, substitution, the next step of a call.
