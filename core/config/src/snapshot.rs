//! All files, read: one immutable value, replaced whole on reload.

use crate::aor::Aor;
use crate::auth::Auth;
use crate::database::Database;
use crate::endpoint::Subscriber;
use crate::global::Global;
use crate::http::Http;
use crate::own::Own;
use crate::rtp::Rtp;
use crate::transport::TransportConfig;
use conf::{Diagnostic, Document, Report, Source};
use dialplan::Plan;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything the files say.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `type=global` of `pjsip.conf`.
    pub global: Global,
    /// `type=transport`, in the order of the file.
    pub transports: Vec<TransportConfig>,
    /// `type=endpoint` with what they name, by id.
    pub endpoints: BTreeMap<String, Arc<Subscriber>>,
    /// `type=auth` by id; endpoints kept in a database may name them.
    pub auths: BTreeMap<String, Arc<Auth>>,
    /// `type=aor` by id; endpoints kept in a database may name them.
    pub aors: BTreeMap<String, Arc<Aor>>,
    /// Which database holds the objects that no file defines.
    pub database: Database,
    /// `http.conf`.
    pub http: Http,
    /// `rtp.conf`.
    pub rtp: Rtp,
    /// `sidetone.conf`.
    pub own: Own,
    /// `extensions.conf`.
    pub plan: Arc<Plan>,
}

/// Reads every file; one that does not exist is empty. `None` if one that exists cannot be read
/// at all, since what it says may matter for safety; the messages say why.
pub fn load(source: &dyn Source) -> (Option<Config>, Vec<Diagnostic>) {
    let mut report = Report::default();
    let mut config = Config {
        plan: Arc::new(Plan::read(source, &mut report)),
        ..Config::default()
    };
    if let Some(document) = Document::read(source, "pjsip.conf", &mut report) {
        crate::pjsip::read(&document, &mut config, &mut report);
    }
    if let Some(document) = Document::read(source, "http.conf", &mut report) {
        config.http = crate::general::http(&document, &mut report);
    }
    if let Some(document) = Document::read(source, "rtp.conf", &mut report) {
        config.rtp = crate::general::rtp(&document, &mut report);
    }
    if let Some(document) = Document::read(source, "sidetone.conf", &mut report) {
        config.own = crate::general::own(&document, &mut report);
    }
    let readable = FILES.iter().all(|file| source.read(file).is_ok());
    (readable.then_some(config), report.finish())
}

/// What [`load`] reads.
const FILES: [&str; 5] = [
    "extensions.conf",
    "pjsip.conf",
    "http.conf",
    "rtp.conf",
    "sidetone.conf",
];
