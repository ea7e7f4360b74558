//! `database.conf`: the database as one URL.

use super::{Database, Password, Place, TlsMode};
use crate::option::{Fault, Object, Parse, Row, row, word};
use crate::secret::Secret;

/// `[database]` of `database.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseFile {
    url: Option<Secret>,
    password: Option<String>,
    password_file: Option<String>,
    password_env: Option<String>,
    tls: Option<TlsMode>,
    ca_file: Option<String>,
    certificate: Option<String>,
    private_key: Option<String>,
    pool_size: u32,
    connect_timeout_ms: u32,
    query_timeout_ms: u32,
}

impl Object for DatabaseFile {
    const KIND: &'static str = "database.conf";
    const OPTIONS: &'static [Row<Self>] = OPTIONS;

    fn named(_: &str) -> Self {
        let Database {
            pool_size,
            connect_timeout_ms,
            query_timeout_ms,
            ..
        } = Database::default();
        Self {
            pool_size,
            connect_timeout_ms,
            query_timeout_ms,
            ..Self::default()
        }
    }
}

const OPTIONS: &[Row<DatabaseFile>] = &[
    row(
        "ca_file",
        "",
        Parse::Optional(|d| &mut d.ca_file),
        "Authorities the server's certificate may come from (PEM).",
    ),
    row(
        "certificate",
        "",
        Parse::Optional(|d| &mut d.certificate),
        "Certificate shown to the server (PEM).",
    ),
    row(
        "connect_timeout",
        "3000",
        Parse::Number(|d| &mut d.connect_timeout_ms, 100, 60_000),
        "Milliseconds that opening a connection may take.",
    ),
    row(
        "password",
        "",
        Parse::Optional(|d| &mut d.password),
        "Password, instead of one in the URL.",
    ),
    row(
        "password_env",
        "",
        Parse::Optional(|d| &mut d.password_env),
        "Environment variable that holds the password.",
    ),
    row(
        "password_file",
        "",
        Parse::Optional(|d| &mut d.password_file),
        "File whose first line is the password.",
    ),
    row(
        "pool_size",
        "10",
        Parse::Number(|d| &mut d.pool_size, 3, 500),
        "Connections to a server at most.",
    ),
    row(
        "private_key",
        "",
        Parse::Optional(|d| &mut d.private_key),
        "Key of the certificate (PEM).",
    ),
    row(
        "query_timeout",
        "2000",
        Parse::Number(|d| &mut d.query_timeout_ms, 100, 60_000),
        "Milliseconds that a statement may take.",
    ),
    row(
        "tls",
        "prefer",
        Parse::Own(tls),
        "Encryption: disable, prefer, require, verify-ca, verify-full.",
    ),
    row(
        "url",
        "",
        Parse::Own(url),
        "The database: `sqlite:FILE`, `mysql://user@host/asterisk`, `postgres://user@host/asterisk`.",
    ),
];

const MODES: &[&str] = &["disable", "prefer", "require", "verify-ca", "verify-full"];

fn tls(file: &mut DatabaseFile, value: &str) -> Result<(), Fault> {
    file.tls = match TlsMode::named(value) {
        Some(mode) => Some(mode),
        None => Some(TlsMode::NAMES[word(value, MODES)?].1),
    };
    Ok(())
}

fn url(file: &mut DatabaseFile, value: &str) -> Result<(), Fault> {
    Database::default()
        .at_url(value)
        .map_err(Fault::NotDatabase)?;
    file.url = Some(Secret::new(value));
    Ok(())
}

impl DatabaseFile {
    /// Whether it names a database.
    pub(super) fn names_one(&self) -> bool {
        self.url.is_some()
    }

    /// Puts what it says into `database`.
    pub(super) fn apply(self, database: &mut Database) {
        database.pool_size = self.pool_size;
        database.connect_timeout_ms = self.connect_timeout_ms;
        database.query_timeout_ms = self.query_timeout_ms;
        if let Some(url) = &self.url {
            let with = std::mem::take(database).at_url(url.expose());
            // It was read before, when the option was.
            *database = with.unwrap_or_default();
        }
        let (Place::MySql(server) | Place::Postgres(server)) = &mut database.place else {
            return;
        };
        let written = self
            .password
            .map(|text| Password::Written(Secret::new(text)));
        let file = self.password_file.map(Password::File);
        let environment = self.password_env.map(Password::Environment);
        if let Some(password) = written.or(file).or(environment) {
            server.password = password;
        }
        if let Some(mode) = self.tls {
            server.tls.mode = mode;
        }
        let tls = &mut server.tls;
        for (from, to) in [
            (self.ca_file, &mut tls.ca_file),
            (self.certificate, &mut tls.certificate),
            (self.private_key, &mut tls.private_key),
        ] {
            if from.is_some() {
                *to = from;
            }
        }
    }
}
