//! The HTTPS and WebSocket listener, routes and static files.
//!
//! [`Server::start`] binds a list of addresses, plain and TLS, and serves [`Routes`]: WebSocket and
//! JSON routes contributed by others, and the phone page, which is part of the binary. A request is
//! first checked by [`Guard`]: its `Host` must be ours (RFC 9110 §7.2; a foreign one is DNS
//! rebinding), and the routes that do or tell something also check the `Origin` (RFC 6455 §10.2).
//!
//! Deliberately absent: HTTP/2, compression, request bodies, directories of files on disk.

mod certificate;
mod counted;
mod guard;
mod limits;
mod listener;
mod metered;
mod page;
mod routes;
mod static_files;
mod validity;
mod websocket;

pub use certificate::{Certificate, CertificateError};
pub use guard::Guard;
pub use limits::{CONNECTIONS_MAX, MESSAGE_BYTES_MAX, WRITE_TIMEOUT};
pub use listener::{Connection, Counts, Listen, Options, Server, StartError};
pub use routes::{Audience, Routes};
pub use validity::validity_of;
pub use websocket::{Closed, Frame, WebSocket};
