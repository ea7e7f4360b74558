//! The HTTPS and WebSocket listener, routes and static files.
//!
//! [`Server::start`] binds a list of addresses, plain and TLS, and serves [`Routes`]: WebSocket and
//! JSON routes contributed by others, and the phone page, which is part of the binary. A request is
//! first checked by [`Guard`]: its `Host` must be ours (RFC 9110 §7.2; a foreign one is DNS
//! rebinding), and the routes that do or tell something also check the `Origin` (RFC 6455 §10.2).
//!
//! [`Certificate`] is a handle on a chain and its key that follows its files, for every server of ours
//! that speaks TLS; [`TlsSettings`] says how. [`Challenges`] are the answers to an ACME server.
//!
//! Deliberately absent: WebSockets over HTTP/2, listings of folders, bodies of requests.

mod acme;
mod authority;
mod certificate;
mod compress;
mod counted;
mod files;
mod guard;
mod limits;
mod listener;
mod metered;
mod page;
mod places;
mod routes;
mod serve;
mod site;
mod static_files;
mod status_page;
mod tls;
mod websocket;
mod x509;

pub use acme::{Acme, Challenges, Offered, Proof, Retry};
pub use authority::{Authority, AuthorityError};
pub use certificate::{Certificate, CertificateError, Refreshed};
pub use guard::Guard;
pub use limits::{CONNECTIONS_MAX, MESSAGE_BYTES_MAX, WRITE_TIMEOUT};
pub use listener::{Connection, Counts, Listen, Options, Prepared, Server, StartError};
pub use routes::{Audience, Routes};
pub use site::{Pace, Redirect, Restriction, Site};
pub use static_files::NOTHING_HERE;
pub use tls::{Clients, TlsError, TlsSettings};
pub use websocket::{Closed, Frame, WebSocket};
pub use x509::Facts;
