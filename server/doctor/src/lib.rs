//! Proves the whole chain from configuration to media, link by link, and says how to mend what is broken.
//!
//! [`examine`] looks at the files, the database, the certificates, the ports, the firewall; then it
//! registers and calls as a phone of its own, over the real WebSocket with real packets. A running
//! exchange is examined as it runs, without disturbing its phones; for a stopped one the same program is
//! started on the same files and ports with a copy of the data, and stopped again.
//!
//! Everything about the system is read through [`Root`], so that a test can make a clock wrong.

mod chromium;
mod exchange;
mod link;
mod listeners;
mod media;
mod phone;
mod places;
mod report;
mod root;
mod sockets;
mod subject;
mod wire;

pub use report::{Finding, Link, Outcome, Report};
pub use root::Root;
pub use subject::{Subject, examine};
