//! The telephone exchange for browsers.

fn main() {}
