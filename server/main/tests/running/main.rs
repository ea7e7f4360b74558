//! The real binary on a folder of files: reloads, the console, stop and restart.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod ban;
mod console;
mod database;
mod load;
mod phone;
#[path = "../fixtures/ports.rs"]
mod ports;
mod reload;
mod shapes;
mod start;
mod tables;
mod world;
