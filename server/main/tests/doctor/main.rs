//! The doctor on the real binary: what is in order, and one fault after the other with its sentence.

#![expect(clippy::unwrap_used, reason = "a test says what must be so")]

mod call;
mod certificates;
mod databases;
mod files;
mod patient;
#[path = "../fixtures/ports.rs"]
mod ports;
mod service;
mod system;
