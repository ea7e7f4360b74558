//! All files, read: one immutable value, replaced whole on reload.

use crate::acl::{Acl, AddressList};
use crate::aor::Aor;
use crate::auth::Auth;
use crate::cdr::Cdr;
use crate::confbridge::ConfBridge;
use crate::database::{Database, Origin};
use crate::endpoint::{Endpoint, MediaEncryption, Subscriber};
use crate::features::Features;
use crate::global::Global;
use crate::http::Http;
use crate::identify::Identify;
use crate::indications::Indications;
use crate::logger::Logger;
use crate::music_on_hold::MusicOnHold;
use crate::own::Own;
use crate::parking::Parking;
use crate::registration::Registration;
use crate::resource_list::ResourceList;
use crate::rows::ObjectRows;
use crate::rtp::Rtp;
use crate::system::System;
use crate::transport::{Protocol, TransportConfig};
use conf::{Diagnostic, Document, Report, Severity, Source};
use dialplan::Plan;
use std::collections::{BTreeMap, BTreeSet};
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
    /// `type=system` of `pjsip.conf`.
    pub system: System,
    /// `type=identify`, in the order of the file.
    pub identifies: Vec<Identify>,
    /// `type=registration`, in the order of the file.
    pub registrations: Vec<Registration>,
    /// Auths of the database that registrations name, as they were when the files were read.
    pub registration_auths: BTreeMap<String, Arc<Auth>>,
    /// `type=acl` of `pjsip.conf`, in the order of the file; each holds for every request.
    pub acls: Vec<Acl>,
    /// Sections of `acl.conf`, by name.
    pub named_acls: BTreeMap<String, AddressList>,
    /// `type=domain_alias`: the domain each alias stands for.
    pub domain_aliases: BTreeMap<String, String>,
    /// `type=resource_list`, by name.
    pub resource_lists: BTreeMap<String, ResourceList>,
    /// `cdr.conf`.
    pub cdr: Cdr,
    /// `logger.conf`.
    pub logger: Logger,
    /// `features.conf`.
    pub features: Features,
    /// `res_parking.conf`.
    pub parking: Parking,
    /// `confbridge.conf`.
    pub confbridge: ConfBridge,
    /// `musiconhold.conf`.
    pub music: MusicOnHold,
    /// `indications.conf`.
    pub indications: Indications,
    /// `http.conf`.
    pub http: Http,
    /// `rtp.conf`.
    pub rtp: Rtp,
    /// `sidetone.conf`.
    pub own: Own,
    /// `extensions.conf`.
    pub plan: Arc<Plan>,
}

/// Ids of objects that a database defines, so that files may name them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// Of `ps_endpoints`.
    pub endpoints: BTreeSet<String>,
    /// Of `ps_auths`.
    pub auths: BTreeSet<String>,
    /// Of `ps_aors`.
    pub aors: BTreeSet<String>,
    /// Rows of the tables that [`Database::object_tables`] names, and of the auths that registrations name;
    /// they become part of the snapshot.
    pub rows: ObjectRows,
}

/// Reads every file; one that does not exist is empty. `None` if one that exists cannot be read
/// at all, since what it says may matter for safety; the messages say why.
pub fn load(source: &dyn Source) -> (Option<Config>, Vec<Diagnostic>) {
    load_with(source, &Elsewhere::default())
}

/// The same where it is known what a database defines: names of those objects are not dangling.
pub fn load_with(source: &dyn Source, elsewhere: &Elsewhere) -> (Option<Config>, Vec<Diagnostic>) {
    let mut report = Report::default();
    let mut config = Config::default();
    if let Some(document) = Document::read(source, "res_parking.conf", &mut report) {
        config.parking = crate::general::parking(&document, &mut report);
        let contexts = config.parking.contexts();
        let mut plan = Plan::read(source, &contexts, &mut report);
        config.parking.extend(&mut plan);
        config.plan = Arc::new(plan);
    } else {
        config.plan = Arc::new(Plan::read(source, &[], &mut report));
    }
    config.database = crate::database::read(source, &config.plan, &mut report);
    let mut read = |name: &str| Document::read(source, name, &mut report);
    let (acl, pjsip) = (read("acl.conf"), read("pjsip.conf"));
    let (http, rtp) = (read("http.conf"), read("rtp.conf"));
    let (cdr, logger) = (read("cdr.conf"), read("logger.conf"));
    let (features, confbridge) = (read("features.conf"), read("confbridge.conf"));
    let music = read("musiconhold.conf");
    let indications = read("indications.conf");
    let report_ref = &mut report;
    if let Some(document) = acl {
        config.named_acls = crate::general::acl(&document, report_ref);
    }
    crate::pjsip::read(pjsip.as_ref(), &mut config, elsewhere, report_ref);
    if let Some(document) = http {
        config.http = crate::general::http(&document, &config.named_acls, report_ref);
    }
    if let Some(document) = rtp {
        config.rtp = crate::general::rtp(&document, report_ref);
    }
    if let Some(document) = cdr {
        config.cdr = crate::general::cdr(&document, report_ref);
    }
    if let Some(document) = logger {
        config.logger = crate::general::logger(&document, report_ref);
    }
    if let Some(document) = features {
        config.features = crate::general::features(&document, report_ref);
    }
    if let Some(document) = confbridge {
        config.confbridge = crate::general::confbridge(&document, report_ref);
    }
    if let Some(document) = music {
        config.music = crate::general::music(&document, report_ref);
    }
    if let Some(document) = indications {
        config.indications = crate::indications::read(&document, report_ref);
    }
    if let Some(document) = Document::read(source, "sidetone.conf", &mut report) {
        config.own = crate::general::own(&document, &mut report);
    }
    for transport in &config.transports {
        report_deaf(transport, &config.http, &mut report);
    }
    crate::files::locate(&mut config, source);
    crate::database::unused(&config, &mut report);
    let readable = FILES.iter().all(|file| source.read(file).is_ok());
    let mut messages = report.finish();
    conf::show_lines(source, &mut messages);
    (readable.then_some(config), messages)
}

impl Config {
    /// A warning where nothing listens for desk phones, though there are some.
    pub fn deafness(&self) -> Option<Diagnostic> {
        let listens = |transport: &TransportConfig| match transport.protocol {
            Protocol::Udp | Protocol::Tcp | Protocol::Tls => true,
            Protocol::Ws | Protocol::Wss => false,
        };
        // A table may have one.
        let asks_tables = self.database.origins("transport").contains(&Origin::Table);
        if asks_tables || self.transports.iter().any(listens) {
            return None;
        }
        let phones = self.endpoints.values().map(|own| &own.endpoint);
        let is_desk = |endpoint: &&Endpoint| {
            !endpoint.webrtc && endpoint.media_encryption != MediaEncryption::Dtls
        };
        let mut phones = phones.filter(is_desk);
        let first = &phones.next()?.id;
        let more = match phones.count() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let message = format!(
            "nothing listens for SIP over UDP, TCP or TLS: endpoint `{first}`{more} without webrtc=yes \
             cannot register, call or be called"
        );
        let advice = "add `[transport-udp]` with `type=transport`, `protocol=udp` and `bind=0.0.0.0` to pjsip.conf";
        let about = Diagnostic::about_file(Severity::Warning, "pjsip.conf", message);
        Some(about.advise(advice))
    }
}

/// A transport of web sockets without a web server.
fn report_deaf(transport: &TransportConfig, http: &Http, report: &mut Report) {
    let (listens, cure) = match transport.protocol {
        Protocol::Ws => (http.bind.is_some(), "enabled=yes` and `bindaddr"),
        Protocol::Wss => (
            http.secure_bind().is_some(),
            "tlsenable=yes`, `tlsbindaddr` and `tlscertfile",
        ),
        Protocol::Udp | Protocol::Tcp | Protocol::Tls => return,
    };
    if !listens {
        let message = format!(
            "transport `{}`: web sockets come in through http.conf, where nothing listens for {}",
            transport.id,
            transport.protocol.as_str()
        );
        let mut diagnostic =
            Diagnostic::about_file(Severity::Warning, &transport.written.file, message)
                .advise(format!("write `{cure}` there"));
        (diagnostic.line, diagnostic.column) = (transport.written.line, 1);
        report.push(diagnostic);
    }
}

/// What [`load`] reads.
pub const FILES: [&str; 20] = [
    "extensions.conf",
    "acl.conf",
    "pjsip.conf",
    "http.conf",
    "rtp.conf",
    "sidetone.conf",
    "cdr.conf",
    "logger.conf",
    "features.conf",
    "res_parking.conf",
    "confbridge.conf",
    "musiconhold.conf",
    "indications.conf",
    "database.conf",
    "extconfig.conf",
    "sorcery.conf",
    "res_odbc.conf",
    "res_pgsql.conf",
    "res_config_mysql.conf",
    "res_config_sqlite3.conf",
];
