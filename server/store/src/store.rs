//! The verbs of the domain.

use crate::StoreError;
use crate::cache::{Answer, Cache};
use crate::realtime::Realtime;
use arc_swap::ArcSwap;
use config::{Config, Secret, Subscriber};
use sqlx::{SqliteConnection, SqlitePool};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// A handle to the files' snapshot and the database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    config: ArcSwap<Config>,
    realtime: Option<Realtime>,
    cache: Mutex<Cache>,
    asked: AtomicU64,
}

/// Figures for the status page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Names whose answer is remembered.
    pub cached: usize,
    /// Times the database was asked for an endpoint since the start.
    pub asked: u64,
}

/// Endpoints of the database that [`Store::endpoint_ids`] names; an operator's list is not longer.
pub const ENDPOINTS_LISTED_MAX: i64 = 10_000;

impl Store {
    /// Opens the SQLite file, makes it if there is none, and brings its tables up to date.
    /// Without a path only files are asked.
    pub async fn open(config: Arc<Config>, path: Option<&Path>) -> Result<Self, StoreError> {
        let realtime = match path {
            Some(path) => Some(Realtime::new(crate::sqlite::open(path).await?)),
            None => None,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                config: ArcSwap::new(config),
                realtime,
                cache: Mutex::new(Cache::new(Instant::now())),
                asked: AtomicU64::new(0),
            }),
        })
    }

    /// The files' snapshot in force.
    pub fn config(&self) -> Arc<Config> {
        self.shared.config.load_full()
    }

    /// Puts a new snapshot in force; the next question is answered from it.
    pub fn set_config(&self, config: Arc<Config>) {
        self.shared.config.store(config);
        self.shared.cache().clear();
    }

    /// The endpoint of this id with what it names, from the files or else from the database. What
    /// the database says is at most a second old; that there is no such endpoint, too.
    pub async fn subscriber(&self, id: &str) -> Result<Option<Arc<Subscriber>>, StoreError> {
        let config = self.config();
        let written = config.endpoints.get(id);
        if let Some(subscriber) = written
            && subscriber.is_complete()
        {
            return Ok(Some(Arc::clone(subscriber)));
        }
        let Some(realtime) = &self.shared.realtime else {
            return Ok(written.cloned());
        };
        let slot = self.shared.cache().slot(id, Instant::now());
        let answer: &Answer = slot
            .get_or_init(|| async {
                self.shared.asked.fetch_add(1, Ordering::Relaxed);
                realtime.subscriber(&config, id).await
            })
            .await;
        answer.clone()
    }

    /// The ids of all endpoints, those of the files and those of the database, sorted; at most
    /// [`ENDPOINTS_LISTED_MAX`] of the latter.
    pub async fn endpoint_ids(&self) -> Result<Vec<String>, StoreError> {
        let mut ids: BTreeSet<String> = self.config().endpoints.keys().cloned().collect();
        if let Some(realtime) = &self.shared.realtime {
            let rows =
                sqlx::query_scalar("SELECT id FROM asterisk.ps_endpoints ORDER BY id LIMIT ?")
                    .bind(ENDPOINTS_LISTED_MAX)
                    .fetch_all(realtime.pool());
            let rows: Vec<String> = rows.await?;
            ids.extend(rows);
        }
        Ok(ids.into_iter().collect())
    }

    /// Makes an account for each id that has none, for the demonstration, and returns all of them
    /// with their passwords. Accounts made earlier keep theirs.
    pub async fn demo_accounts(
        &self,
        ids: &[&str],
        mut password: impl FnMut() -> Secret,
    ) -> Result<Vec<(String, Secret)>, StoreError> {
        let pool = self.pool()?;
        let mut accounts = Vec::new();
        let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
        for id in ids {
            let password = demo_account(&mut transaction, id, &password()).await?;
            accounts.push(((*id).to_owned(), password));
        }
        transaction.commit().await?;
        self.shared.cache().clear();
        Ok(accounts)
    }

    /// Runs SQL text as it stands, of any number of statements, and returns the rows changed. The
    /// tables are known with and without `asterisk.` before their names.
    pub async fn run_script(&self, sql: &str) -> Result<u64, StoreError> {
        let script = sqlx::AssertSqlSafe(sql.to_owned());
        let done = sqlx::raw_sql(script).execute(self.pool()?).await?;
        self.shared.cache().clear();
        Ok(done.rows_affected())
    }

    /// Figures for the status page.
    pub fn counts(&self) -> Counts {
        Counts {
            cached: self.shared.cache().len(),
            asked: self.shared.asked.load(Ordering::Relaxed),
        }
    }

    /// Writes what is pending and closes the database.
    pub async fn close(&self) {
        if let Some(realtime) = &self.shared.realtime {
            realtime.pool().close().await;
        }
    }

    fn pool(&self) -> Result<&SqlitePool, StoreError> {
        let realtime = self.shared.realtime.as_ref();
        realtime.map(Realtime::pool).ok_or(StoreError::Absent)
    }
}

impl Shared {
    fn cache(&self) -> MutexGuard<'_, Cache> {
        // A panic cannot leave the cache half changed in a way that matters.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One browser's account; returns the password it has now.
async fn demo_account(
    connection: &mut SqliteConnection,
    id: &str,
    password: &Secret,
) -> Result<Secret, StoreError> {
    sqlx::query(
        "INSERT INTO asterisk.ps_aors (id, max_contacts, remove_existing) VALUES (?, 5, 'no') \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(id)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO asterisk.ps_auths (id, auth_type, username, password) \
         VALUES (?, 'userpass', ?, ?) \
         ON CONFLICT (id) DO UPDATE SET password = coalesce(password, excluded.password)",
    )
    .bind(id)
    .bind(id)
    .bind(password.expose())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO asterisk.ps_endpoints \
         (id, aors, auth, context, disallow, allow, webrtc, max_video_streams) \
         VALUES (?, ?, ?, 'sets', 'all', 'opus,ulaw,alaw,g722,vp8,vp9,h264,av1', 'yes', 4) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(id)
    .bind(id)
    .bind(id)
    .execute(&mut *connection)
    .await?;
    let password: String =
        sqlx::query_scalar("SELECT password FROM asterisk.ps_auths WHERE id = ?")
            .bind(id)
            .fetch_one(&mut *connection)
            .await?;
    Ok(Secret::new(password))
}
