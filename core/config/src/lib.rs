//! The configuration files as typed objects.
//!
//! [`load`] reads `pjsip.conf`, `http.conf`, `rtp.conf` and `extensions.conf` through a [`Source`]
//! into one immutable [`Config`], and says by file, line and column what it could not use. What is
//! broken drops the object it belongs to; the others live on. Every option is one row of a table
//! ([`Row`]), which the reader of files and the reader of database rows share.

mod aor;
mod auth;
mod database;
mod diff;
mod endpoint;
mod general;
mod global;
mod http;
mod known;
mod manual;
mod option;
mod own;
mod pjsip;
mod reference;
mod rtp;
mod secret;
mod shown;
mod snapshot;
mod transport;

pub use aor::Aor;
pub use auth::{Auth, AuthKind, Credential, DigestAlgorithm, PasswordDigest};
pub use conf::{Diagnostic, Severity, Source, Wildcard};
pub use database::{Database, Password, Place, Server, Tls, TlsMode};
pub use diff::{Change, Detail, How, diff};
pub use endpoint::{CallerId, DtmfMode, Endpoint, MediaEncryption, Subscriber};
pub use global::Global;
pub use http::{Http, HttpTls, Redirect};
pub use manual::manual;
pub use option::{Applied, BadColumn, Fault, Field, Object, Parse, Row};
pub use own::Own;
pub use reference::Dangling;
pub use rtp::{Rtp, StrictRtp};
pub use secret::Secret;
pub use shown::Shown;
pub use snapshot::{Config, load};
pub use transport::{Protocol, TransportConfig};
