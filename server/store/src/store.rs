//! The verbs of the domain.

use crate::backend::{Backend, Dialect, Transaction};
use crate::cache::{Cache, Slot};
use crate::contacts::{Contacts, SavedContact};
use crate::durable::Durable;
use crate::realtime::Realtime;
use crate::records::{Batch, Records};
use crate::watch::Watch;
use crate::{AstDb, ScriptError, StoreError};
use arc_swap::ArcSwap;
use config::{Config, Secret, Subscriber};
use std::collections::BTreeSet;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;

/// A handle to the files' snapshot and the database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    config: ArcSwap<Config>,
    realtime: Option<Arc<Realtime>>,
    cache: Arc<Mutex<Cache>>,
    asked: AtomicU64,
    served_from_memory: AtomicU64,
    /// Questions on their way.
    questions: Arc<Semaphore>,
    /// Those of them that may have a connection.
    turns: Arc<Semaphore>,
    tasks: TaskTracker,
    watch: Option<Watch>,
    durable: OnceLock<Durable>,
}

/// Figures for the status page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Names whose answer is remembered.
    pub cached: usize,
    /// Endpoints whose last answer is kept for when the database is away.
    pub known: usize,
    /// Times the database was asked for an endpoint since the start.
    pub asked: u64,
    /// Times it did not answer, and what was known before was used.
    pub served_from_memory: u64,
}

/// Endpoints asked for at once; more are refused.
pub const QUESTIONS_MAX: usize = 1_000;
/// How long one who is known waits for the database before what was known is used.
pub(crate) const PATIENCE: Duration = Duration::from_millis(300);

/// How many times as long a question goes on that nobody waits for any more, as long as its statements
/// are answered.
const LATE_FACTOR: u32 = 4;

/// Endpoints of the database that [`Store::endpoint_ids`] names; an operator's list is not longer.
pub const ENDPOINTS_LISTED_MAX: i64 = 10_000;

impl Store {
    /// Opens the database the files choose; `path` is the SQLite file that is used when they choose
    /// none. A SQLite file is made if there is none, and its tables are brought up to date. A server
    /// need not be there yet. Without a path only files are asked.
    ///
    /// # Errors
    ///
    /// When a SQLite file cannot be opened, or what the files name for a server cannot be read.
    pub async fn open(config: Arc<Config>, path: Option<&Path>) -> Result<Self, StoreError> {
        let realtime = match path {
            Some(path) => {
                let backend = Backend::open(&config.database, path).await?;
                Some(Arc::new(Realtime::new(backend)))
            }
            None => None,
        };
        let cache = Arc::new(Mutex::new(Cache::new(Instant::now())));
        let backend = realtime.as_ref().map(|realtime| realtime.backend());
        let turns = backend.map_or(0, Backend::questions_max);
        let watch = backend.and_then(|backend| Watch::start(backend, &cache));
        Ok(Self {
            shared: Arc::new(Shared {
                config: ArcSwap::new(config),
                realtime,
                cache,
                asked: AtomicU64::new(0),
                served_from_memory: AtomicU64::new(0),
                questions: Arc::new(Semaphore::new(QUESTIONS_MAX)),
                turns: Arc::new(Semaphore::new(turns)),
                tasks: TaskTracker::new(),
                watch,
                durable: OnceLock::new(),
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
        self.set_batch();
        self.shared.cache().clear();
    }

    /// The endpoint of this id with what it names, from the files or else from the database. What
    /// the database says is at most a second old; that there is no such endpoint, too. While it is
    /// away or slow, what it said last is used, for a day at most.
    ///
    /// # Errors
    ///
    /// When the database does not answer and nothing is known from before.
    pub async fn subscriber(&self, id: &str) -> Result<Option<Arc<Subscriber>>, StoreError> {
        let config = self.config();
        let written = config.endpoints.get(id);
        let Some(realtime) = &self.shared.realtime else {
            return Ok(written.cloned());
        };
        if let Some(subscriber) = written
            && subscriber.is_complete()
            && realtime.asks_files_first()
        {
            return Ok(Some(Arc::clone(subscriber)));
        }
        let (slot, known) = {
            let now = Instant::now();
            let mut cache = self.shared.cache();
            let (slot, fresh) = cache.slot(id, now);
            if fresh {
                self.ask(realtime, id, config, &slot);
            }
            (slot, cache.known(id, now))
        };
        let Some(known) = known else {
            return slot.wait().await.clone();
        };
        match timeout(PATIENCE, slot.wait()).await {
            Ok(Ok(answer)) => Ok(answer.clone()),
            Ok(Err(_)) | Err(_) => {
                self.shared
                    .served_from_memory
                    .fetch_add(1, Ordering::Relaxed);
                Ok(Some(known))
            }
        }
    }

    /// Reads rows, if there is a database.
    pub(crate) fn realtime(&self) -> Option<&Arc<Realtime>> {
        self.shared.realtime.as_ref()
    }

    pub(crate) fn cache(&self) -> MutexGuard<'_, Cache> {
        self.shared.cache()
    }

    /// Those who ask; the database is closed when they are done.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.shared.tasks
    }

    /// Who asks takes a turn.
    pub(crate) fn turns(&self) -> &Semaphore {
        &self.shared.turns
    }

    /// Has the slot filled. Not by the one who asks: he may be gone before the answer comes, and
    /// others wait for it too.
    fn ask(&self, realtime: &Arc<Realtime>, id: &str, config: Arc<Config>, slot: &Slot) {
        let shared = &self.shared;
        shared.asked.fetch_add(1, Ordering::Relaxed);
        let Ok(place) = Arc::clone(&shared.questions).try_acquire_owned() else {
            let _ = slot.set(Err(StoreError::Busy(QUESTIONS_MAX)));
            return;
        };
        let question = Question {
            realtime: Arc::clone(realtime),
            cache: Arc::clone(&shared.cache),
            turns: Arc::clone(&shared.turns),
            id: id.to_owned(),
            config,
            slot: Arc::clone(slot),
        };
        shared.tasks.spawn(async move {
            question.answer().await;
            drop(place);
        });
    }

    /// The ids of all endpoints, those of the files and those of the database, sorted; at most
    /// [`ENDPOINTS_LISTED_MAX`] of the latter.
    pub async fn endpoint_ids(&self) -> Result<Vec<String>, StoreError> {
        let mut ids: BTreeSet<String> = self.config().endpoints.keys().cloned().collect();
        if let Some(realtime) = &self.shared.realtime {
            let backend = realtime.backend();
            let table = backend.table("ps_endpoints");
            let sql = format!("SELECT id FROM {table} ORDER BY id LIMIT {ENDPOINTS_LISTED_MAX}");
            let rows = backend.fetch(&sql, &[]).await?;
            let rows = rows.iter().filter_map(|row| row.text("id"));
            ids.extend(rows.map(str::to_owned));
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
        let backend = self.backend().ok_or(StoreError::Absent)?;
        let mut accounts = Vec::new();
        let mut transaction = backend.begin().await?;
        for id in ids {
            let password = demo_account(backend, &mut transaction, id, &password()).await?;
            accounts.push(((*id).to_owned(), password));
        }
        transaction.commit().await?;
        self.shared.cache().clear();
        Ok(accounts)
    }

    /// Runs SQL text as it stands, of any number of statements, and returns the rows changed. The
    /// tables are known with and without `asterisk.` before their names.
    ///
    /// # Errors
    ///
    /// At the first statement that fails, with its line.
    pub async fn run_script(&self, sql: &str) -> Result<u64, ScriptError> {
        let backend = self.backend().ok_or_else(ScriptError::absent)?;
        let done = backend.run_script(sql).await;
        self.shared.cache().clear();
        done
    }

    /// The database, if there is one.
    pub fn backend(&self) -> Option<&Backend> {
        let realtime = self.shared.realtime.as_ref()?;
        Some(realtime.backend())
    }

    /// Keeps contacts, call records and the dial plan's database in this folder from now on; `server` is
    /// this server's name in the table `ps_contacts`. Returns the contacts that survived. What cannot be
    /// opened is said, and not kept: telephones work without it.
    pub async fn keep(&self, folder: &Path, server: &str) -> Vec<SavedContact> {
        let (durable, contacts) = Durable::open(folder, server, self.backend()).await;
        if let Err(durable) = self.shared.durable.set(durable) {
            durable.close().await;
        }
        self.set_batch();
        contacts
    }

    /// What `cdr.conf` says of batches.
    fn set_batch(&self) {
        let config = self.config();
        let batch = config.cdr.batch.then(|| Batch {
            size: config.cdr.batch_size as usize,
            time: Duration::from_secs(config.cdr.batch_time_s.into()),
        });
        if let Some(records) = self.records() {
            records.set_batch(batch);
        }
    }

    /// Call records, where they are kept.
    pub fn records(&self) -> Option<Records> {
        self.shared.durable.get()?.records.clone()
    }

    /// Registered contacts, where they are kept.
    pub fn contacts(&self) -> Option<Contacts> {
        self.shared.durable.get()?.contacts.clone()
    }

    /// The dial plan's database, where it is kept.
    pub fn astdb(&self) -> Option<AstDb> {
        self.shared.durable.get()?.astdb.clone()
    }

    /// Figures for the status page.
    pub fn counts(&self) -> Counts {
        let (cached, known) = {
            let cache = self.shared.cache();
            (cache.len(), cache.known_len())
        };
        Counts {
            cached,
            known,
            asked: self.shared.asked.load(Ordering::Relaxed),
            served_from_memory: self.shared.served_from_memory.load(Ordering::Relaxed),
        }
    }

    /// Whether the database says at once what changes; nothing if it is one that cannot.
    pub fn listens(&self) -> Option<bool> {
        self.shared.watch.as_ref()?.listens()
    }

    /// Writes what is pending and closes the database.
    pub async fn close(&self) {
        if let Some(watch) = &self.shared.watch {
            watch.stop();
        }
        if let Some(durable) = self.shared.durable.get() {
            durable.close().await;
        }
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        if let Some(realtime) = &self.shared.realtime {
            realtime.backend().close().await;
        }
    }
}

impl Shared {
    fn cache(&self) -> MutexGuard<'_, Cache> {
        // A panic cannot leave the cache half changed in a way that matters.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One endpoint to be looked up.
struct Question {
    realtime: Arc<Realtime>,
    cache: Arc<Mutex<Cache>>,
    turns: Arc<Semaphore>,
    id: String,
    config: Arc<Config>,
    slot: Slot,
}

impl Question {
    async fn answer(self) {
        let backend = self.realtime.backend();
        let limit = backend.patience();
        let end = Instant::now() + limit;
        let Ok(_turn) = timeout_at(end, self.turns.acquire()).await else {
            let _ = self.slot.set(Err(StoreError::Timeout(limit)));
            return;
        };
        // An endpoint is several statements, each in time on its own.
        let mut look = pin!(self.realtime.subscriber(&self.config, &self.id));
        let answer = match timeout_at(end, &mut look).await {
            Ok(answer) => answer,
            Err(_) => {
                let late = Err(StoreError::Timeout(limit));
                backend.note(&late);
                let _ = self.slot.set(late);
                // Who asked has waited long enough. What is found out is known when he comes again;
                // else a database where each statement takes a second would let nobody in, ever.
                let Ok(answer) = timeout(limit * LATE_FACTOR, look).await else {
                    return;
                };
                answer
            }
        };
        if let Ok(answer) = &answer {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            cache.learn(&self.id, answer.as_ref(), Instant::now());
        }
        let _ = self.slot.set(answer);
    }
}

/// One browser's account; returns the password it has now.
async fn demo_account(
    backend: &Backend,
    transaction: &mut Transaction,
    id: &str,
    password: &Secret,
) -> Result<Secret, StoreError> {
    let [aors, auths, endpoints] =
        ["ps_aors", "ps_auths", "ps_endpoints"].map(|table| backend.table(table));
    let keep = match backend.dialect() {
        Dialect::Sqlite | Dialect::Postgres => "ON CONFLICT (id) DO NOTHING",
        Dialect::MySql => "ON DUPLICATE KEY UPDATE id = id",
    };
    let sql = format!(
        "INSERT INTO {aors} (id, max_contacts, remove_existing) VALUES (?, 5, 'no') {keep}"
    );
    transaction.execute(&sql, &[id.into()]).await?;
    let sql = format!(
        "INSERT INTO {auths} (id, auth_type, username, password) VALUES (?, 'userpass', ?, ?) {keep}"
    );
    let binds = [id.into(), id.into(), password.expose().into()];
    transaction.execute(&sql, &binds).await?;
    let sql = format!("UPDATE {auths} SET password = ? WHERE id = ? AND password IS NULL");
    transaction
        .execute(&sql, &[password.expose().into(), id.into()])
        .await?;
    let sql = format!(
        "INSERT INTO {endpoints} \
         (id, aors, auth, context, disallow, allow, webrtc, max_video_streams) \
         VALUES (?, ?, ?, 'sets', 'all', 'opus,ulaw,alaw,g722,vp8,vp9,h264,av1', 'yes', 4) {keep}"
    );
    transaction
        .execute(&sql, &[id.into(), id.into(), id.into()])
        .await?;
    let sql = format!("SELECT password FROM {auths} WHERE id = ?");
    let row = transaction.fetch_one(&sql, &[id.into()]).await?;
    let password = row.as_ref().and_then(|row| row.text("password"));
    Ok(Secret::new(password.unwrap_or_default()))
}
