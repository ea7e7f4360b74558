//! The configuration files as typed objects.
//!
//! [`load`] reads the [`FILES`] through a [`Source`] into one immutable [`Config`], and says by file,
//! line and column what it could not use. What is broken drops the object it belongs to; the others
//! live on. Every option is one row of a table
//! ([`Row`]), which the reader of files and the reader of database rows share.

mod acl;
mod aor;
mod auth;
mod caller_id;
mod cdr;
mod confbridge;
mod database;
mod devices;
mod diff;
mod endpoint;
mod features;
mod files;
mod general;
mod global;
mod http;
mod identify;
mod indications;
mod known;
mod logger;
mod manual;
pub mod migration;
mod moved;
mod music_on_hold;
mod option;
mod own;
mod parking;
mod pjsip;
mod reader;
mod reference;
mod registration;
mod resource_list;
mod rows;
mod rtp;
mod secret;
mod shown;
mod snapshot;
mod system;
mod transport;

pub use acl::{Acl, AddressList, AddressLists, AddressRule, Network};
pub use aor::Aor;
pub use auth::{Auth, AuthKind, Credential, DigestAlgorithm, PasswordDigest};
pub use caller_id::{CallerId, Presentation};
pub use cdr::Cdr;
pub use conf::{Diagnostic, Record, Severity, Source, Wildcard, closest, show_lines};
pub use confbridge::{
    BridgeProfile, ConfBridge, Menu, MenuAction, RembBehavior, UserProfile, VideoMode,
};
pub use database::{
    Database, DatabaseFile, DatabaseLines, Origin, Password, Place, Server, Tls, TlsMode,
};
pub use diff::{Change, Detail, How, diff};
pub use endpoint::{
    ConnectedLineMethod, DtlsSetup, DtmfMode, Endpoint, Groups, Marks, MediaEncryption,
    ProvisionalAcks, RedirectMethod, SessionTimers, Sockets, Subscriber,
};
pub use features::{ActivatedBy, FeatureApplication, FeatureGeneral, FeatureMap, Features};
pub use files::{CertificateFiles, certificate_files, http_option, unreadable_files};
pub use global::Global;
pub use http::{Acme, AcmeChallenge, Http, HttpRestriction, HttpTls, HttpTlsSettings, Redirect};
pub use identify::{HeaderMatch, Identify, IdentifyBy, MatchSource, TextMatch};
pub use indications::{Indications, Zone};
pub use logger::{LogChannel, LogFormat, LogLevel, LogTarget, Logger, RotateStrategy};
pub use manual::manual;
pub use music_on_hold::{MusicClass, MusicMode, MusicOnHold, MusicSort};
pub use option::{Applied, BadColumn, Fault, Field, Object, Parse, Row};
pub use own::Own;
pub use parking::{DEFAULT_LOT, Parking, ParkingGeneral, ParkingLot};
pub use reference::Dangling;
pub use registration::{DomainAlias, Registration};
pub use resource_list::{ListEvent, ResourceList};
pub use rows::{OBJECT_ROWS_MAX, ObjectRows, row_of};
pub use rtp::{Rtp, StrictRtp};
pub use secret::Secret;
pub use shown::Shown;
pub use snapshot::{Config, Elsewhere, FILES, load, load_with};
pub use system::System;
pub use transport::{CIPHERS, Protocol, TlsMethod, TransportConfig, Written};
