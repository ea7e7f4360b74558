//! Rows of Asterisk's tables to objects.
//!
//! Deployments differ in their columns, so rows are read whole and by name: NULL and an empty text
//! are the default, an unknown column is passed over. What is broken is said once.

use crate::StoreError;
use crate::backend::{Backend, Row};
use config::{Aor, Auth, Config, Endpoint, Object, Origin, Subscriber};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Reads objects by id.
pub(crate) struct Realtime {
    backend: Backend,
    said: Mutex<BTreeSet<String>>,
}

/// Sentences remembered as said; when there are more, all may be said again.
const SAID_MAX: usize = 1000;
/// No id is longer, as the columns are declared; longer names are not asked for.
const ID_BYTES_MAX: usize = 255;

impl Realtime {
    pub(crate) fn new(backend: Backend) -> Self {
        Self {
            backend,
            said: Mutex::default(),
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
        let auths = self.auths(config, id, &endpoint.auth).await?;
        let outbound_auths = self.auths(config, id, &endpoint.outbound_auth).await?;
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
    async fn auths(
        &self,
        config: &Config,
        endpoint: &str,
        names: &[String],
    ) -> Result<Vec<Arc<Auth>>, StoreError> {
        let mut auths = Vec::new();
        for name in names {
            let auth = self.find("ps_auths", name, config.auths.get(name));
            match auth.await? {
                Some(auth) => auths.push(auth),
                None => self.say(format!("endpoint {endpoint}: there is no auth `{name}`")),
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
                    if let Some(endpoint) = row.and_then(|row| self.object(id, &row)) {
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

/// The columns of a row that say something.
pub(crate) fn columns(row: &Row) -> Vec<(&str, &str)> {
    let columns = row.columns().filter(|(name, _)| *name != "id");
    columns
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}
