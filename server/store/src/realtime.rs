//! Rows of Asterisk's tables to objects.
//!
//! Deployments differ in their columns, so rows are read whole and by name: NULL and an empty text
//! are the default, an unknown column is passed over. What is broken is said once.

use crate::StoreError;
use crate::backend::{Backend, Dialect, Row};
use crate::identifies::{IDENTIFIES_MAX, TABLE};
use config::{Aor, Auth, Config, Endpoint, Identify, Object, Origin, Subscriber, Written};
use dialplan::{Extensions, Question, TableRow, Wanted};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Reads objects by id.
pub(crate) struct Realtime {
    backend: Backend,
    said: Mutex<BTreeSet<String>>,
    /// Whether the table of identifies could be read when it was last.
    has_identifies: AtomicBool,
}

/// Sentences remembered as said; when there are more, all may be said again.
const SAID_MAX: usize = 1000;
/// No id is longer, as the columns are declared; longer names are not asked for.
const ID_BYTES_MAX: usize = 255;
/// Rows of one extension, or of all patterns of a context, that are read.
pub const EXTENSION_ROWS_MAX: usize = 2_000;

impl Realtime {
    pub(crate) fn new(backend: Backend) -> Self {
        Self {
            backend,
            said: Mutex::default(),
            has_identifies: AtomicBool::new(false),
        }
    }

    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Whether what a file defines needs no look into the database.
    pub(crate) fn asks_files_first(&self) -> bool {
        let kinds = [Endpoint::KIND, Auth::KIND, Aor::KIND];
        let first = |kind| self.backend.settings().origins(kind).first();
        kinds
            .into_iter()
            .all(|kind| first(kind) == Some(&Origin::Files))
    }

    /// The endpoint with what it names; each object from where it is looked for first.
    pub(crate) async fn subscriber(
        &self,
        config: &Config,
        id: &str,
    ) -> Result<Option<Arc<Subscriber>>, StoreError> {
        let Some(endpoint) = self.endpoint(config, id).await? else {
            return Ok(None);
        };
        let owner = format!("endpoint {id}");
        let auths = self.auths(config, &owner, &endpoint.auth).await?;
        let outbound_auths = self.auths(config, &owner, &endpoint.outbound_auth).await?;
        let mut aors = Vec::new();
        for name in &endpoint.aors {
            let aor = self.find("ps_aors", name, config.aors.get(name));
            match aor.await? {
                Some(aor) => aors.push(aor),
                None => self.say(format!("endpoint {id}: there is no aor `{name}`")),
            }
        }
        Ok(Some(Arc::new(Subscriber {
            endpoint,
            auths,
            aors,
            outbound_auths,
        })))
    }

    /// The auths of these names, as far as they exist.
    pub(crate) async fn auths(
        &self,
        config: &Config,
        owner: &str,
        names: &[String],
    ) -> Result<Vec<Arc<Auth>>, StoreError> {
        let mut auths = Vec::new();
        for name in names {
            let auth = self.find("ps_auths", name, config.auths.get(name));
            match auth.await? {
                Some(auth) => auths.push(auth),
                None => self.say(format!("{owner}: there is no auth `{name}`")),
            }
        }
        Ok(auths)
    }

    async fn endpoint(&self, config: &Config, id: &str) -> Result<Option<Endpoint>, StoreError> {
        for origin in self.backend.settings().origins(Endpoint::KIND) {
            match origin {
                Origin::Files => {
                    if let Some(subscriber) = config.endpoints.get(id) {
                        return Ok(Some(subscriber.endpoint.clone()));
                    }
                }
                Origin::Table => {
                    let row = self.row("ps_endpoints", id).await?;
                    let found: Option<Endpoint> = row.and_then(|row| self.object(id, &row));
                    if let Some(mut endpoint) = found {
                        endpoint.written = Written {
                            file: format!("ps_endpoints, row {id}"),
                            line: 0,
                        };
                        self.check(config, &endpoint);
                        return Ok(Some(endpoint));
                    }
                }
            }
        }
        Ok(None)
    }

    /// An object the endpoint names.
    async fn find<T: Object>(
        &self,
        table: &str,
        id: &str,
        written: Option<&Arc<T>>,
    ) -> Result<Option<Arc<T>>, StoreError> {
        for origin in self.backend.settings().origins(T::KIND) {
            match origin {
                Origin::Files => {
                    if let Some(object) = written {
                        return Ok(Some(Arc::clone(object)));
                    }
                }
                Origin::Table => {
                    let row = self.row(table, id).await?;
                    if let Some(object) = row.and_then(|row| self.object(id, &row)) {
                        return Ok(Some(Arc::new(object)));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The rows of the table of identifies; none where it is not there or may not be read: few
    /// databases of old have it, and nothing is wrong with one that does not.
    pub(crate) async fn identify_rows(&self) -> Result<Vec<Row>, StoreError> {
        if !self.has_identifies.load(Ordering::Relaxed) && !self.may_read_identifies().await? {
            return Ok(Vec::new());
        }
        let table = self.backend.table(TABLE);
        // One more than is used tells that there are more.
        let limit = IDENTIFIES_MAX + 1;
        let sql = format!("SELECT * FROM {table} ORDER BY id LIMIT {limit}");
        let rows = self.backend.fetch(&sql, &[]).await;
        self.has_identifies.store(rows.is_ok(), Ordering::Relaxed);
        let mut rows = rows?;
        if rows.len() > IDENTIFIES_MAX {
            self.say(format!(
                "{table} has more than {IDENTIFIES_MAX} rows; those after them are not used"
            ));
            rows.truncate(IDENTIFIES_MAX);
        }
        Ok(rows)
    }

    async fn may_read_identifies(&self) -> Result<bool, StoreError> {
        if self.backend.columns(TABLE).await?.is_empty() {
            return Ok(false);
        }
        // The other databases do not show what may not be read.
        if self.backend.dialect() != Dialect::Postgres {
            return Ok(true);
        }
        let sql = "SELECT 1 AS yes WHERE has_table_privilege(to_regclass(?)::oid, 'SELECT')";
        let table = self.backend.table(TABLE);
        let row = self.backend.fetch_one(sql, &[(&table).into()]).await?;
        Ok(row.is_some())
    }

    /// The objects in these rows, as far as they can be used.
    pub(crate) fn identifies(&self, config: &Config, rows: &[Row]) -> Vec<Identify> {
        let objects = rows.iter().filter_map(|row| {
            let identify: Identify = self.object(row.text("id")?, row)?;
            let id = &identify.id;
            match identify.lack() {
                None => Some(identify),
                Some((lack, _)) => {
                    self.say(format!(
                        "identify `{id}` in the database {lack} and is not used"
                    ));
                    None
                }
            }
        });
        let objects: Vec<Identify> = objects.collect();
        let has_files = self
            .backend
            .settings()
            .origins(Identify::KIND)
            .contains(&Origin::Files);
        for object in objects.iter().filter(|_| has_files) {
            if config
                .identifies
                .iter()
                .any(|written| written.id == object.id)
            {
                let id = &object.id;
                self.say(format!(
                    "identify `{id}` is in a file and in the database; both count"
                ));
            }
        }
        objects
    }

    /// What a table of extensions has for a question; what is wrong with its rows is said once.
    pub(crate) async fn extensions(&self, question: &Question) -> Result<Extensions, StoreError> {
        let Question {
            family,
            context,
            wanted,
        } = question;
        let (exten, dialled) = match wanted {
            Wanted::Extension(exten) => (exten.clone(), Some(exten.as_str())),
            Wanted::Patterns => ("!_%".to_owned(), None),
            Wanted::Longer(digits) => (format!("{}_%", without_wildcards(digits)), None),
        };
        let long = context.len().max(exten.len()) > ID_BYTES_MAX;
        if long || context.contains('\0') || exten.contains('\0') || !is_table_name(family) {
            return Ok(Extensions::default());
        }
        let table = self.backend.table(family);
        let which = match dialled {
            Some(_) => "exten = ?",
            None => "exten LIKE ? ESCAPE '!'",
        };
        let limit = match wanted {
            Wanted::Longer(_) => 1,
            // One more than is used tells that there are more.
            Wanted::Extension(_) | Wanted::Patterns => EXTENSION_ROWS_MAX + 1,
        };
        let sql = format!(
            "SELECT * FROM {table} WHERE context = ? AND {which} ORDER BY exten, priority LIMIT {limit}"
        );
        let binds = [context.into(), (&exten).into()];
        let mut rows = self.backend.fetch(&sql, &binds).await?;
        if rows.len() > EXTENSION_ROWS_MAX {
            self.say(format!(
                "context `{context}` of the table {table} has more than {EXTENSION_ROWS_MAX} rows of \
                 one kind; those after them are not used"
            ));
            rows.truncate(EXTENSION_ROWS_MAX);
        }
        let (extensions, bad) = Extensions::from_rows(
            self.backend.settings().table(family),
            dialled,
            rows.iter().map(table_row),
        );
        for bad in bad {
            self.say(format!("table {table}: {bad}"));
        }
        Ok(extensions)
    }

    async fn row(&self, table: &str, id: &str) -> Result<Option<Row>, StoreError> {
        // PostgreSQL refuses a text with a NUL in it; nobody has one as his name.
        if id.len() > ID_BYTES_MAX || id.contains('\0') {
            return Ok(None);
        }
        let sql = format!("SELECT * FROM {} WHERE id = ?", self.backend.table(table));
        self.backend.fetch_one(&sql, &[id.into()]).await
    }

    /// The object in a row; `None`, and a word about it, if a column of it is broken.
    fn object<T: Object>(&self, id: &str, row: &Row) -> Option<T> {
        // MariaDB takes `ALICE` for `alice`; the object is called as its row is.
        let id = row.text("id").unwrap_or(id);
        match T::from_columns(id, &columns(row)) {
            Ok((object, bad)) => {
                for column in bad {
                    self.say(format!("{} `{id}` in the database: {column}", T::KIND));
                }
                Some(object)
            }
            Err(column) => {
                let kind = T::KIND;
                self.say(format!(
                    "{kind} `{id}` in the database is not used: {column}"
                ));
                None
            }
        }
    }

    /// Warns of names only files can define.
    fn check(&self, config: &Config, endpoint: &Endpoint) {
        for reference in config.dangling(endpoint) {
            self.say(format!(
                "endpoint `{}` in the database: {reference}",
                endpoint.id
            ));
        }
        if endpoint.allow.is_empty() {
            let id = &endpoint.id;
            self.say(format!("endpoint `{id}` in the database allows no codec"));
        }
    }

    /// Warns, once.
    fn say(&self, sentence: String) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= SAID_MAX {
            said.clear();
        }
        if !said.contains(&sentence) {
            tracing::warn!("{sentence}");
            said.insert(sentence);
        }
    }
}

/// A row of a table of extensions.
pub(crate) fn table_row(row: &Row) -> TableRow<'_> {
    TableRow {
        id: row.text("id"),
        context: row.text("context"),
        exten: row.text("exten"),
        priority: row.text("priority"),
        app: row.text("app"),
        appdata: row.text("appdata"),
    }
}

/// What a channel's variable names for a table must not be more than a name.
fn is_table_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.'))
}

/// Text that stands for itself after `LIKE … ESCAPE '!'`.
fn without_wildcards(text: &str) -> String {
    let mut plain = String::new();
    for character in text.chars() {
        if matches!(character, '!' | '_' | '%') {
            plain.push('!');
        }
        plain.push(character);
    }
    plain
}

/// The columns of a row that say something.
pub(crate) fn columns(row: &Row) -> Vec<(&str, &str)> {
    let columns = row.columns().filter(|(name, _)| *name != "id");
    columns
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}
