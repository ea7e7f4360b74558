//! Which database holds the objects, and under which names its tables go.

use crate::option::Object;
use crate::reader::Reader;
use crate::secret::Secret;
use crate::snapshot::Config;
use conf::{Diagnostic, Document, Report, Severity, Source};
use dialplan::Plan;
use std::collections::BTreeMap;
use std::fmt;

mod asterisk;
mod file;
mod lines;
mod odbc;
mod server;
mod url;

pub use file::DatabaseFile;
pub use lines::DatabaseLines;

/// Where the objects of SQL are. The default is the file in the data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// The database itself.
    pub place: Place,
    /// Tables that go by another name, by the name Asterisk gives them.
    pub tables: BTreeMap<String, String>,
    /// Where objects of a kind are looked for, if `sorcery.conf` says so.
    pub origins: BTreeMap<String, Vec<Origin>>,
    /// Connections at most.
    pub pool_size: u32,
    /// How long opening a connection may take, in milliseconds.
    pub connect_timeout_ms: u32,
    /// How long a statement may take, in milliseconds.
    pub query_timeout_ms: u32,
    /// Where the files say so.
    pub written: DatabaseLines,
}

/// Where an object may be defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In `pjsip.conf`.
    Files,
    /// In a table.
    Table,
}

/// A database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// The SQLite file in the data folder.
    #[default]
    DataFolder,
    /// Another SQLite file.
    Sqlite(String),
    /// MariaDB or MySQL.
    MySql(Server),
    /// PostgreSQL.
    Postgres(Server),
}

impl Origin {
    /// Its name, as an operator says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Table => "table",
        }
    }
}

/// A database over a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// Its name or address; empty stands for `localhost`.
    pub host: String,
    /// Its port, unless it is the usual one.
    pub port: Option<u16>,
    /// A local socket (MariaDB: the file; PostgreSQL: the folder) instead of an address.
    pub socket: Option<String>,
    /// Who asks.
    pub user: String,
    /// How he proves it.
    pub password: Password,
    /// The database on the server.
    pub database: String,
    /// Encryption of the connection.
    pub tls: Tls,
}

/// Where a password stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Password {
    /// There is none.
    #[default]
    None,
    /// In the configuration.
    Written(Secret),
    /// On the first line of a file.
    File(String),
    /// In an environment variable.
    Environment(String),
}

/// Encryption of the connection to a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// How much is asked of it.
    pub mode: TlsMode,
    /// The authorities the server's certificate may come from (PEM).
    pub ca_file: Option<String>,
    /// The certificate that is shown to the server (PEM).
    pub certificate: Option<String>,
    /// Its key (PEM).
    pub private_key: Option<String>,
}

/// How much encryption is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// None.
    Disable,
    /// What the server has.
    #[default]
    Prefer,
    /// Encryption, whoever the server is.
    Require,
    /// And a certificate of a known authority.
    VerifyCa,
    /// And the server's name in it.
    VerifyFull,
}

impl TlsMode {
    /// Every mode with the name it is written by.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("disable", Self::Disable),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];

    /// The mode of a name, in PostgreSQL's spelling or in MySQL's.
    fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase().replace('_', "-");
        let name = match name.as_str() {
            "disabled" | "off" | "no" => "disable",
            "preferred" | "allow" => "prefer",
            "required" | "yes" => "require",
            "verify-identity" => "verify-full",
            name => name,
        };
        let mut modes = Self::NAMES.iter();
        modes
            .find(|(known, _)| *known == name)
            .map(|(_, mode)| *mode)
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            place: Place::default(),
            tables: BTreeMap::new(),
            origins: BTreeMap::new(),
            pool_size: 10,
            connect_timeout_ms: 3000,
            query_timeout_ms: 2000,
            written: DatabaseLines::default(),
        }
    }
}

impl Database {
    /// The name the table goes by in the database.
    pub fn table<'a>(&'a self, name: &'a str) -> &'a str {
        self.tables.get(name).map_or(name, String::as_str)
    }

    /// Where objects of a kind (`endpoint`, `auth`, `aor`, `contact`, `identify`) are looked for, in order: files
    /// first, unless `sorcery.conf` says something else. Those that the snapshot holds (`transport` and the
    /// like) are in tables only if it says so.
    pub fn origins(&self, kind: &str) -> &[Origin] {
        match self.origins.get(kind) {
            Some(said) => said,
            None if crate::rows::KINDS.iter().any(|(own, _)| *own == kind) => &[Origin::Files],
            None => &[Origin::Files, Origin::Table],
        }
    }

    /// The same, at the place a URL names.
    ///
    /// # Errors
    ///
    /// What is wrong with the URL, in one sentence.
    pub fn at_url(mut self, url: &str) -> Result<Self, String> {
        url::read(url, &mut self)?;
        Ok(self)
    }
}

/// Why a mapping leads nowhere.
#[derive(Clone)]
struct Slip {
    message: String,
    meant: Option<String>,
    advice: String,
}

impl Slip {
    fn new(message: String, advice: String) -> Self {
        Self {
            message,
            meant: None,
            advice,
        }
    }
}

/// Reads `database.conf`, which decides if it is there, and Asterisk's own files.
///
/// The switches of the plan name tables of their own.
pub(crate) fn read(source: &dyn Source, plan: &Plan, report: &mut Report) -> Database {
    let mut database = Database::default();
    let mut known = false;
    let mut written = DatabaseLines::default();
    if let Some(document) = Document::read(source, "database.conf", report) {
        let mut file = DatabaseFile::named("database");
        let mut reader = Reader::new(&document, report);
        for section in document.sections.iter().filter(|s| !s.template) {
            match section.name.as_str() {
                "database" | "general" => {
                    reader.fill(&mut file, section);
                    if let Some(url) = section.last("url") {
                        written.place = Some(reader.at_value(Severity::Error, url, ""));
                    }
                }
                "tables" => tables(&mut database, section, &mut written, &mut reader),
                _ => reader.unserved(section, None, &["database", "tables"]),
            }
        }
        known = file.names_one();
        let tables = std::mem::take(&mut database.tables);
        file.apply(&mut database);
        database.tables = tables;
    }
    database.written = written;
    let own = std::mem::take(&mut database.tables);
    asterisk::read(source, known, plan, &mut database, report);
    database.tables.extend(own);
    database
}

/// Says which objects of the files are not looked for, because `sorcery.conf` names the database alone.
pub(crate) fn unused(config: &Config, report: &mut Report) {
    for (kind, section, count) in [
        ("endpoint", "res_pjsip", config.endpoints.len()),
        ("auth", "res_pjsip", config.auths.len()),
        ("aor", "res_pjsip", config.aors.len()),
        (
            "identify",
            "res_pjsip_endpoint_identifier_ip",
            config.identifies.len(),
        ),
    ] {
        if count > 0 && !config.database.origins(kind).contains(&Origin::Files) {
            say_unused(kind, section, count, report);
        }
    }
}

/// Says that objects of a kind are in the database alone.
pub(crate) fn say_unused(kind: &str, section: &str, count: usize, report: &mut Report) {
    let message = format!(
        "objects `{kind}` are looked for in the database alone: {count} of pjsip.conf are not used"
    );
    let said = Diagnostic::about_file(Severity::Warning, "sorcery.conf", message);
    let line = format!("{kind}=config,pjsip.conf,criteria=type={kind}");
    report.push(said.advise(format!("add `{line}` to [{section}]")));
}

/// `[tables]`: Asterisk's name of a table, and the name it goes by.
fn tables(
    database: &mut Database,
    section: &conf::Section,
    written: &mut DatabaseLines,
    reader: &mut Reader<'_>,
) {
    for entry in &section.entries {
        if is_table_name(&entry.value) {
            let name = entry.name.to_ascii_lowercase();
            let at = reader.at_value(Severity::Error, entry, "");
            written.tables.insert(name.clone(), at);
            database.tables.insert(name, entry.value.clone());
        } else {
            let message = format!("`{}` is not the name of a table", entry.value);
            let said = reader.at_value(Severity::Error, entry, message);
            reader.push(said.advise("letters, digits and `_` make a name"));
        }
    }
}

/// Whether it can stand in a statement as it is, with the schema before it or without.
fn is_table_name(name: &str) -> bool {
    let mut characters = name.chars();
    !name.is_empty()
        && characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.'))
}

impl Place {
    /// The server, if it is on one.
    pub fn server(&self) -> Option<&Server> {
        match self {
            Self::DataFolder | Self::Sqlite(_) => None,
            Self::MySql(server) | Self::Postgres(server) => Some(server),
        }
    }
}

/// Where it stands; dots if that is here.
impl fmt::Display for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Written(secret) => secret.fmt(f),
            Self::File(file) => write!(f, "in {file}"),
            Self::Environment(name) => write!(f, "in ${name}"),
        }
    }
}

/// The mode, and the files as far as there are any.
impl fmt::Display for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut modes = TlsMode::NAMES.iter();
        let mode = modes.find(|(_, mode)| *mode == self.mode);
        f.write_str(mode.map_or("", |(name, _)| name))?;
        for (option, file) in [
            ("ca_file", &self.ca_file),
            ("certificate", &self.certificate),
            ("private_key", &self.private_key),
        ] {
            if let Some(file) = file {
                write!(f, " {option}={file}")?;
            }
        }
        Ok(())
    }
}

/// The place as a URL without the password.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, server) = match self {
            Self::DataFolder => return f.write_str("sqlite in the data folder"),
            Self::Sqlite(file) => return write!(f, "sqlite:{file}"),
            Self::MySql(server) => ("mysql", server),
            Self::Postgres(server) => ("postgres", server),
        };
        write!(f, "{scheme}://")?;
        if !server.user.is_empty() {
            write!(f, "{}@", server.user)?;
        }
        match (&server.socket, server.host.contains(':')) {
            (Some(socket), _) => f.write_str(socket)?,
            (None, true) => write!(f, "[{}]", server.host)?,
            (None, false) if server.host.is_empty() => f.write_str("localhost")?,
            (None, false) => f.write_str(&server.host)?,
        }
        if let Some(port) = server.port {
            write!(f, ":{port}")?;
        }
        write!(f, "/{}", server.database)
    }
}
