//! Rows of Asterisk's tables to objects.
//!
//! Deployments differ in their columns, so rows are read whole and by name: NULL and an empty text
//! are the default, an unknown column is passed over. What is broken is said once.

use crate::StoreError;
use config::{Aor, Auth, Config, Endpoint, Object, Subscriber};
use sqlx::sqlite::SqliteRow;
use sqlx::{Column, Row, SqlitePool};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Reads objects by id.
pub(crate) struct Realtime {
    pool: SqlitePool,
    said: Mutex<BTreeSet<String>>,
}

/// Sentences remembered as said; when there are more, all may be said again.
const SAID_MAX: usize = 1000;
/// No id is longer, as the columns are declared; longer names are not asked for.
const ID_BYTES_MAX: usize = 255;

impl Realtime {
    pub(crate) fn new(pool: SqlitePool) -> Self {
        Self {
            pool,
            said: Mutex::default(),
        }
    }

    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
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
                let row = self.row("SELECT * FROM asterisk.ps_endpoints WHERE id = ?", id);
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
                    let row = self.row("SELECT * FROM asterisk.ps_auths WHERE id = ?", name);
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
                    let row = self.row("SELECT * FROM asterisk.ps_aors WHERE id = ?", name);
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

    async fn row(&self, sql: &'static str, id: &str) -> Result<Option<SqliteRow>, StoreError> {
        if id.len() > ID_BYTES_MAX {
            return Ok(None);
        }
        let row = sqlx::query(sql).bind(id).fetch_optional(&self.pool).await?;
        Ok(row)
    }

    /// The object in a row; `None`, and a word about it, if a column of it is broken.
    fn object<T: Object>(&self, id: &str, row: &SqliteRow) -> Option<T> {
        let mut columns: Vec<(&str, String)> = Vec::new();
        for (index, column) in row.columns().iter().enumerate() {
            // SQLite turns numbers into text by itself. What it cannot turn is as good as unset.
            let value: Option<String> = row.try_get_unchecked(index).unwrap_or_default();
            if let Some(value) = value
                && column.name() != "id"
            {
                columns.push((column.name(), value));
            }
        }
        let columns: Vec<(&str, &str)> = columns.iter().map(|(n, v)| (*n, v.as_str())).collect();
        match T::from_columns(id, &columns) {
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
