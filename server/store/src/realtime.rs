//! Rows of Asterisk's tables to objects.
//!
//! Deployments differ in their columns, so rows are read whole and by name: NULL and an empty text
//! are the default, an unknown column is passed over. What is broken is said once.

use crate::StoreError;
use crate::backend::{Backend, Row};
use config::{Aor, Auth, Config, Endpoint, Object, Subscriber};
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

    /// The endpoint with what it names. Files come first, for each object on its own.
    pub(crate) async fn subscriber(
        &self,
        config: &Config,
        id: &str,
    ) -> Result<Option<Arc<Subscriber>>, StoreError> {
        let endpoint = match config.endpoints.get(id) {
            Some(subscriber) => subscriber.endpoint.clone(),
            None => {
                let row = self.row("ps_endpoints", id);
                let Some(endpoint) = row.await?.and_then(|row| self.object(id, &row)) else {
                    return Ok(None);
                };
                self.check(config, &endpoint);
                endpoint
            }
        };
        let mut auths = Vec::new();
        for name in &endpoint.auth {
            match config.auths.get(name) {
                Some(auth) => auths.push(Arc::clone(auth)),
                None => {
                    let row = self.row("ps_auths", name);
                    match row.await?.and_then(|row| self.object::<Auth>(name, &row)) {
                        Some(auth) => auths.push(Arc::new(auth)),
                        None => self.say(format!("endpoint {id}: there is no auth `{name}`")),
                    }
                }
            }
        }
        let mut aors = Vec::new();
        for name in &endpoint.aors {
            match config.aors.get(name) {
                Some(aor) => aors.push(Arc::clone(aor)),
                None => {
                    let row = self.row("ps_aors", name);
                    match row.await?.and_then(|row| self.object::<Aor>(name, &row)) {
                        Some(aor) => aors.push(Arc::new(aor)),
                        None => self.say(format!("endpoint {id}: there is no aor `{name}`")),
                    }
                }
            }
        }
        Ok(Some(Arc::new(Subscriber {
            endpoint,
            auths,
            aors,
        })))
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
