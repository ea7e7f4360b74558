//! Is the database as it should be? One finding for each thing looked at, with the cure.
//!
//! Nothing is changed: rights are tried with statements that touch no row.

use crate::StoreError;
use crate::backend::{Backend, Dialect, TroubleKind};
use crate::identifies;
use crate::schema::{TRIGGER, WATCHED, tables};
use config::{Config, Database, Place, Severity, closest};
use std::path::Path;

mod extensions;
mod rows;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub about: About,
    /// `Info` if it is as it should be.
    pub severity: Severity,
    /// What was found, in one sentence without a full stop.
    pub message: String,
    /// What to do about it; nothing if it is as it should be.
    pub cure: Option<String>,
}

/// What a [`Finding`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Whether the database can be reached.
    Connection,
    /// What it is.
    Server,
    /// A table and its columns.
    Table(String),
    /// What may be done with a table.
    Rights(String),
    /// Whether changes are said at once.
    Trigger,
    /// A row of a table, by its id.
    Row(String, String),
}

/// Tables that are read, and what is done with each.
const SERVED: &[(&str, &[Right])] = &[
    ("ps_endpoints", &[Right::Select]),
    ("ps_auths", &[Right::Select]),
    ("ps_aors", &[Right::Select]),
    (
        "ps_contacts",
        &[Right::Select, Right::Insert, Right::Update, Right::Delete],
    ),
    (RECORDS, &[Right::Select, Right::Insert]),
];
/// Tables of Asterisk that are made and not used yet, and why.
const UNSERVED: [(&str, &str); 5] = [
    ("queues", "there are no call queues yet"),
    ("queue_members", "there are no call queues yet"),
    ("voicemail", "there is no voicemail yet"),
    ("musiconhold", "music on hold is read from musiconhold.conf"),
    (
        "musiconhold_entry",
        "music on hold is read from musiconhold.conf",
    ),
];
/// The table of call records. It has no `id`, and everything else goes on without it.
const RECORDS: &str = "cdr";

/// Tables that nobody misses where they are not there.
const OPTIONAL: [&str; 2] = [identifies::TABLE, "extensions"];

/// What may be done with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    Select,
    Insert,
    Update,
    Delete,
}

/// Inspects the database the configuration chooses; `folder_file` is the one in the data folder. What
/// the rows name is looked for in the configuration too.
pub async fn inspect(config: &Config, folder_file: &Path) -> Vec<Finding> {
    inspect_with(config, folder_file, &[]).await
}

/// The same where it is known which applications there are, so that rows of a dial plan can be looked at
/// for others.
pub async fn inspect_with(
    config: &Config,
    folder_file: &Path,
    applications: &[&str],
) -> Vec<Finding> {
    let database = &config.database;
    let file = match &database.place {
        Place::DataFolder => Some(folder_file),
        Place::Sqlite(file) => Some(Path::new(file)),
        Place::MySql(_) | Place::Postgres(_) => None,
    };
    if let Some(file) = file
        && !file.exists()
    {
        // The data folder is made; one that `database.conf` names is not.
        if let (Place::Sqlite(_), Some(folder)) = (&database.place, file.parent())
            && !folder.as_os_str().is_empty()
            && !folder.is_dir()
        {
            let message = format!(
                "the folder of {} is not there, so the file cannot be made",
                file.display()
            );
            let cure = format!(
                "make the folder {}, or correct `url` in database.conf",
                folder.display()
            );
            let fault = Finding::fault(About::Connection, Severity::Error, message, cure);
            return vec![fault];
        }
        let message = format!(
            "the file {} is not there yet, it is made at the start",
            file.display()
        );
        return vec![Finding::fine(About::Connection, message)];
    }
    match Backend::open_as_it_is(database, folder_file).await {
        Ok(backend) => {
            let findings = backend.inspect_with(config, applications).await;
            backend.close().await;
            findings
        }
        Err(error) => vec![Finding::unreachable(database, &error)],
    }
}

impl Finding {
    fn fine(about: About, message: impl Into<String>) -> Self {
        Self {
            about,
            severity: Severity::Info,
            message: message.into(),
            cure: None,
        }
    }

    fn fault(
        about: About,
        severity: Severity,
        message: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self {
            about,
            severity,
            message: message.into(),
            cure: Some(cure.into()),
        }
    }

    /// The database cannot be reached, and what may help.
    pub fn unreachable(database: &Database, error: &StoreError) -> Self {
        let message = format!("{} cannot be reached: {error}", database.place);
        Self::fault(
            About::Connection,
            Severity::Error,
            message,
            cure(database, error),
        )
    }
}

impl Backend {
    /// Inspects this database; see [`inspect`].
    pub async fn inspect(&self, config: &Config) -> Vec<Finding> {
        self.inspect_with(config, &[]).await
    }

    /// Inspects this database; see [`inspect_with`].
    pub async fn inspect_with(&self, config: &Config, applications: &[&str]) -> Vec<Finding> {
        let (mut findings, readable) = self.inspect_shape().await;
        if readable {
            match rows::inspect(self, config).await {
                Ok(found) => findings.extend(found),
                Err(error) => findings.push(Finding::fault(
                    About::Table("ps_endpoints".to_owned()),
                    Severity::Error,
                    format!("the rows cannot be read: {error}"),
                    "see above for the rights and the columns",
                )),
            }
        }
        if self
            .trouble()
            .is_none_or(|trouble| trouble.kind != TroubleKind::Unreachable)
        {
            findings.extend(extensions::inspect(self, config, applications).await);
            findings.extend(self.inspect_objects(&config.database).await);
        }
        findings
    }

    /// Inspects everything but the rows; whether these can be read.
    pub(crate) async fn inspect_shape(&self) -> (Vec<Finding>, bool) {
        if let Err(error) = self.probe().await {
            return (vec![Finding::unreachable(self.settings(), &error)], false);
        }
        let url = self.status().url;
        let mut findings = vec![Finding::fine(About::Connection, format!("{url} answers"))];
        findings.push(self.inspect_version().await);
        let mut present = Vec::new();
        for (table, rights) in SERVED {
            let found = self.inspect_table(table, rights, &mut findings).await;
            present.extend(found.then_some(*table));
        }
        if !self
            .columns(identifies::TABLE)
            .await
            .unwrap_or_default()
            .is_empty()
        {
            self.inspect_table(identifies::TABLE, &[Right::Select], &mut findings)
                .await;
        }
        if self.dialect() == Dialect::Postgres {
            findings.push(self.inspect_trigger().await);
        }
        let readable = ["ps_endpoints", "ps_auths", "ps_aors"]
            .iter()
            .all(|table| present.contains(table));
        (findings, readable)
    }

    /// Tables whose objects are read with the files, and tables with rows that nobody uses.
    async fn inspect_objects(&self, database: &Database) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (_, table) in database.object_tables() {
            self.inspect_table(table, &[Right::Select], &mut findings)
                .await;
        }
        let unmapped = database.object_tables_unread().map(|(kind, table)| {
            let section = match kind {
                "registration" => "res_pjsip_outbound_registration",
                _ => "res_pjsip",
            };
            let why = format!("sorcery.conf does not say that `{kind}` objects are there");
            let cure = format!("write `{kind}=realtime,{table}` under [{section}] of sorcery.conf");
            (table, why, cure)
        });
        let unserved = UNSERVED.iter().map(|(table, why)| {
            let cure = "nothing: the rows do no harm".to_owned();
            (*table, (*why).to_owned(), cure)
        });
        for (table, why, cure) in unmapped.chain(unserved) {
            if self.has_rows(table).await {
                let target = self.table(table);
                let message = format!("{target} has rows, which are not used here: {why}");
                let finding = Finding::fine(About::Table(target), message);
                findings.push(Finding {
                    cure: Some(cure),
                    ..finding
                });
            }
        }
        findings
    }

    async fn has_rows(&self, table: &str) -> bool {
        let columns = self.columns(table).await.unwrap_or_default();
        let Some(column) = columns.first() else {
            return false;
        };
        let column = self.dialect().quoted(column);
        let sql = format!("SELECT {column} FROM {} LIMIT 1", self.table(table));
        let row = self.fetch_one(&sql, &[]).await;
        row.is_ok_and(|row| row.is_some())
    }

    async fn inspect_version(&self) -> Finding {
        let sql = match self.dialect() {
            Dialect::Sqlite => "SELECT sqlite_version() AS version",
            Dialect::MySql => "SELECT version() AS version",
            Dialect::Postgres => "SELECT current_setting('server_version') AS version",
        };
        let name = self.dialect().name();
        match self.fetch_one(sql, &[]).await {
            Ok(row) => {
                let version = row.as_ref().and_then(|row| row.text("version"));
                let version = version.unwrap_or("of unknown version");
                Finding::fine(About::Server, format!("{name}, version {version}"))
            }
            Err(error) => Finding::fault(
                About::Server,
                Severity::Warning,
                format!("{name} does not tell its version: {error}"),
                "look into the log of the database",
            ),
        }
    }

    /// Looks at one table; whether it can be read.
    async fn inspect_table(
        &self,
        name: &str,
        rights: &[Right],
        findings: &mut Vec<Finding>,
    ) -> bool {
        let target = self.table(name);
        let about = || About::Table(target.clone());
        let present = match self.columns(name).await {
            Ok(present) => present,
            Err(error) => {
                let message = format!("{target}: its columns cannot be listed: {error}");
                let cure = "look into the log of the database";
                findings.push(Finding::fault(about(), Severity::Error, message, cure));
                return false;
            }
        };
        if present.is_empty() {
            findings.push(self.missing_table(name, &target).await);
            return false;
        }
        let table = tables().iter().find(|table| table.name == name);
        let expected: Vec<&str> = table
            .iter()
            .flat_map(|t| t.columns.iter().map(|c| c.name))
            .collect();
        let has = |name: &str| {
            present
                .iter()
                .any(|column| column.eq_ignore_ascii_case(name))
        };
        let missing: Vec<&str> = expected.iter().copied().filter(|name| !has(name)).collect();
        let extra: Vec<&str> = present
            .iter()
            .map(String::as_str)
            .filter(|name| {
                !expected
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(name))
            })
            .collect();
        let key = if name == RECORDS { "uniqueid" } else { "id" };
        if !has(key) {
            let message = format!("{target} has no column `{key}`");
            let cure =
                "it is another table; give the right name in extconfig.conf or database.conf";
            findings.push(Finding::fault(about(), Severity::Error, message, cure));
            return false;
        }
        findings.push(match missing.is_empty() {
            true => Finding::fine(
                about(),
                format!("{target} has all {} columns", expected.len()),
            ),
            false => Finding::fault(
                about(),
                Severity::Warning,
                format!(
                    "{target} lacks {}; defaults hold for them",
                    listed(&missing)
                ),
                "`sidetone db init` adds them",
            ),
        });
        if !extra.is_empty() {
            let message = format!("{target} also has {}, which nobody reads", listed(&extra));
            findings.push(Finding::fine(about(), message));
        }
        self.inspect_rights(&target, key, rights, findings).await
    }

    /// Tries what is done with the table; whether it can be read.
    async fn inspect_rights(
        &self,
        target: &str,
        key: &str,
        rights: &[Right],
        findings: &mut Vec<Finding>,
    ) -> bool {
        let mut refused = Vec::new();
        let mut first = None;
        for right in rights {
            if let Err(error) = self.try_right(target, key, *right).await {
                refused.push(*right);
                first.get_or_insert(error);
            }
        }
        let about = About::Rights(target.to_owned());
        let names = |rights: &[Right]| {
            let names: Vec<&str> = rights.iter().map(|right| right.name()).collect();
            names.join(", ")
        };
        findings.push(match first {
            None => Finding::fine(about, format!("{target}: {} allowed", names(rights))),
            Some(error) => Finding::fault(
                about,
                Severity::Error,
                format!("{target}: {} not allowed: {error}", names(&refused)),
                self.grant(target, &names(rights)),
            ),
        });
        !refused.contains(&Right::Select)
    }

    /// Does it, to no row.
    async fn try_right(&self, target: &str, key: &str, right: Right) -> Result<(), StoreError> {
        let sql = match right {
            Right::Select => format!("SELECT {key} FROM {target} WHERE 1 = 0"),
            Right::Insert => {
                format!("INSERT INTO {target} ({key}) SELECT {key} FROM {target} WHERE 1 = 0")
            }
            Right::Update => format!("UPDATE {target} SET {key} = {key} WHERE 1 = 0"),
            Right::Delete => format!("DELETE FROM {target} WHERE 1 = 0"),
        };
        match right {
            Right::Select => self.fetch(&sql, &[]).await.map(drop),
            Right::Insert | Right::Update | Right::Delete => {
                self.execute(&sql, &[]).await.map(drop)
            }
        }
    }

    fn grant(&self, target: &str, rights: &str) -> String {
        match &self.settings().place {
            Place::MySql(server) => format!("GRANT {rights} ON {target} TO '{}'@'%'", server.user),
            Place::Postgres(server) => format!("GRANT {rights} ON {target} TO {}", server.user),
            Place::DataFolder | Place::Sqlite(_) => {
                "make the file and its folder writable for the user sidetone runs as".to_owned()
            }
        }
    }

    async fn missing_table(&self, name: &str, target: &str) -> Finding {
        let mut cure = "`sidetone db init` makes it".to_owned();
        if self.settings().table(name) != name {
            cure = format!("{target} is what {name} is mapped to; correct the name, or {cure}");
        }
        let near = self.tables_there().await.unwrap_or_default();
        if let Some(near) = closest(target, near.iter().map(String::as_str)) {
            cure = format!("did you mean the table `{near}`? Else {cure}");
        }
        let (severity, message) = match name {
            RECORDS => {
                let message = format!("there is no table {target}: no call is recorded in it");
                (Severity::Warning, message)
            }
            _ => (Severity::Error, format!("there is no table {target}")),
        };
        Finding::fault(About::Table(target.to_owned()), severity, message, cure)
    }

    /// The names of some of the tables there are.
    async fn tables_there(&self) -> Result<Vec<String>, StoreError> {
        let sql = match self.dialect() {
            Dialect::Sqlite => {
                "SELECT name FROM asterisk.sqlite_schema WHERE type = 'table' LIMIT 500"
            }
            Dialect::MySql => {
                "SELECT CAST(table_name AS CHAR) AS name FROM information_schema.tables \
                 WHERE table_schema = DATABASE() LIMIT 500"
            }
            Dialect::Postgres => {
                "SELECT relname AS name FROM pg_class WHERE pg_table_is_visible(oid) \
                 AND relkind IN ('r', 'v', 'p') AND relnamespace NOT IN \
                 ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) LIMIT 500"
            }
        };
        let rows = self.fetch(sql, &[]).await?;
        Ok(rows
            .iter()
            .filter_map(|row| row.text("name"))
            .map(str::to_owned)
            .collect())
    }

    /// The tables of PostgreSQL that do not say when they change.
    pub(crate) async fn tables_without_trigger(&self) -> Result<Vec<String>, StoreError> {
        let mut without = Vec::new();
        for table in WATCHED {
            let target = self.table(table);
            let sql = "SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass(?) AND tgname = ?";
            // Its absence is no fault, so it needs no trigger either.
            if OPTIONAL.contains(&table) && self.columns(table).await?.is_empty() {
                continue;
            }
            let binds = [(&target).into(), TRIGGER.into()];
            if self.fetch_one(sql, &binds).await?.is_none() {
                without.push(target);
            }
        }
        Ok(without)
    }

    async fn inspect_trigger(&self) -> Finding {
        let cure = "`sidetone db init` sets it; without it a change takes effect within a second";
        let missing =
            |message: String| Finding::fault(About::Trigger, Severity::Warning, message, cure);
        let without = match self.tables_without_trigger().await {
            Ok(without) => without,
            Err(error) => return missing(format!("the triggers cannot be listed: {error}")),
        };
        match without.is_empty() {
            true => Finding::fine(About::Trigger, "changes are said at once (NOTIFY)"),
            false => missing(format!(
                "the trigger that says what changes is not set on {}",
                without.join(", ")
            )),
        }
    }
}

impl Right {
    fn name(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// What helps when no connection can be had.
fn cure(database: &Database, error: &StoreError) -> String {
    let server = match &database.place {
        Place::MySql(server) | Place::Postgres(server) => server,
        Place::DataFolder | Place::Sqlite(_) => {
            return "see that the file is a SQLite database, and that it and its folder may be \
                    written by the user sidetone runs as"
                .to_owned();
        }
    };
    let is_mysql = matches!(database.place, Place::MySql(_));
    let name = &server.database;
    if let Some((message, code)) = error.database() {
        let lower = message.to_ascii_lowercase();
        if error.is_unknown_database() {
            return format!("`sidetone db init` makes it, as CREATE DATABASE {name} does");
        }
        if code.starts_with("28") || lower.contains("access denied") {
            let user = &server.user;
            return match is_mysql {
                true => format!(
                    "correct user and password, or: CREATE USER '{user}'@'%' IDENTIFIED BY '…'; \
                     GRANT ALL ON {name}.* TO '{user}'@'%'"
                ),
                false => format!(
                    "correct user and password, or: CREATE ROLE {user} LOGIN PASSWORD '…'; and see \
                     pg_hba.conf for who may come from where"
                ),
            };
        }
        if code == "53300" || lower.contains("too many connections") {
            return "raise max_connections of the server, or lower pool_size".to_owned();
        }
    }
    if matches!(error, StoreError::Settings(_)) {
        return "correct what names it, or let the user sidetone runs as read it".to_owned();
    }
    let text = error.to_string().to_ascii_lowercase();
    if text.contains("certificate") || text.contains("tls") {
        return "give the authority of the server's certificate as ca_file, or ask for less with tls"
            .to_owned();
    }
    if text.contains("refused") || text.contains("no such file") {
        return "start the server, or correct host and port; it must listen on that address"
            .to_owned();
    }
    if text.contains("lookup") || text.contains("resolve") || text.contains("name") {
        return format!(
            "correct the host `{}`, no address is known for it",
            server.host
        );
    }
    "see that the server runs, that it listens there, and that no firewall is between".to_owned()
}

/// Some names, and how many more.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    let shown = names
        .iter()
        .take(SHOWN)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
