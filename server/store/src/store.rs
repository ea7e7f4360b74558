//! The verbs of the domain.

use crate::backend::{Backend, Dialect, Transaction};
use crate::cache::Slot;
use crate::contacts::{Contacts, SavedContact};
use crate::current::Current;
use crate::durable::Durable;
use crate::opened::Opened;
use crate::records::{Batch, Records};
use crate::{AstDb, ScriptError, StoreError};
use arc_swap::ArcSwap;
use config::{Auth, Config, Secret, Subscriber};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;

/// A handle to the files' snapshot and the database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    in_force: ArcSwap<InForce>,
    /// The SQLite file that is used when the files choose no database.
    file: Option<PathBuf>,
    /// The database in force, for those who write; nothing without one.
    current: Option<watch::Sender<Backend>>,
    asked: AtomicU64,
    served_from_memory: AtomicU64,
    /// Questions on their way.
    questions: Arc<Semaphore>,
    /// Another snapshot is in force.
    reloads: Arc<Notify>,
    tasks: TaskTracker,
    /// Databases that were in force, until what was asked of them is answered.
    retired: TaskTracker,
    durable: OnceLock<Durable>,
}

/// What the files say and the database they choose: swapped together, so that nobody asks one database
/// by the rules of another.
struct InForce {
    config: Arc<Config>,
    opened: Option<Arc<Opened>>,
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

/// How long a stop waits for a database that was in use before.
const RETIRE_PATIENCE: Duration = Duration::from_secs(1);

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
        let opened = match path {
            Some(path) => Some(Arc::new(Opened::open(&config.database, path).await?)),
            None => None,
        };
        let backend = opened.as_ref().map(|opened| opened.backend().clone());
        Ok(Self {
            shared: Arc::new(Shared {
                in_force: ArcSwap::from_pointee(InForce { config, opened }),
                file: path.map(Path::to_owned),
                current: backend.map(|backend| watch::channel(backend).0),
                asked: AtomicU64::new(0),
                served_from_memory: AtomicU64::new(0),
                questions: Arc::new(Semaphore::new(QUESTIONS_MAX)),
                reloads: Arc::new(Notify::new()),
                tasks: TaskTracker::new(),
                retired: TaskTracker::new(),
                durable: OnceLock::new(),
            }),
        })
    }

    /// The files' snapshot in force.
    pub fn config(&self) -> Arc<Config> {
        self.shared.in_force.load().config.clone()
    }

    /// Told whenever another snapshot is in force. One may wait.
    pub fn reloads(&self) -> Arc<Notify> {
        Arc::clone(&self.shared.reloads)
    }

    /// Puts a new snapshot in force, with the database that is; the next question is answered from it.
    pub fn set_config(&self, config: Arc<Config>) {
        self.swap(config, None);
    }

    /// Puts a snapshot in force, and a database with it if there is another. The old one goes on for
    /// those who asked it something, and is closed then. One caller at a time: whoever reads the files.
    pub(crate) fn swap(&self, config: Arc<Config>, database: Option<Arc<Opened>>) {
        let shared = &self.shared;
        let (_, old) = self.in_force();
        let opened = database.clone().or_else(|| old.clone());
        shared.in_force.store(Arc::new(InForce { config, opened }));
        if let Some(old) = &old {
            old.cache().clear();
        }
        // Last of all: who is told looks up what it needs, and must not find what was remembered before.
        shared.reloads.notify_one();
        self.set_batch();
        let Some(old) = old else {
            return;
        };
        let (Some(new), Some(current)) = (database, &shared.current) else {
            return;
        };
        current.send_replace(new.backend().clone());
        if let Some(contacts) = self.contacts() {
            contacts.moved();
        }
        old.stop_watching();
        let backend = old.backend().clone();
        drop(old);
        shared.retired.spawn(async move {
            let shown = backend.status().url;
            backend.retire().await;
            tracing::info!("the database {shown}, which was in use before, is closed");
        });
    }

    /// The endpoint of this id with what it names, from the files or else from the database. What
    /// the database says is at most a second old; that there is no such endpoint, too. While it is
    /// away or slow, what it said last is used, for a day at most.
    ///
    /// # Errors
    ///
    /// When the database does not answer and nothing is known from before.
    pub async fn subscriber(&self, id: &str) -> Result<Option<Arc<Subscriber>>, StoreError> {
        let (config, opened) = self.in_force();
        let written = config.endpoints.get(id);
        let Some(opened) = opened else {
            return Ok(written.cloned());
        };
        if let Some(subscriber) = written
            && subscriber.is_complete()
            && opened.realtime.asks_files_first()
        {
            return Ok(Some(Arc::clone(subscriber)));
        }
        let (slot, known) = {
            let now = Instant::now();
            let mut cache = opened.cache();
            // Another may be in force by now. Who put it there clears the cache afterwards, so what is asked under its
            // lock is asked in the one that counts.
            let config = self.config();
            let (slot, fresh) = cache.slot(id, now);
            if fresh {
                self.ask(&opened, id, config, &slot);
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

    /// The same as far as it is known without asking: from the files, or as the database said last.
    pub fn known_subscriber(&self, id: &str) -> Option<Arc<Subscriber>> {
        let (config, opened) = self.in_force();
        let written = config.endpoints.get(id);
        let known = || opened.as_ref()?.cache().known(id, Instant::now());
        match written {
            Some(written) if written.is_complete() => Some(Arc::clone(written)),
            Some(written) => known().or_else(|| Some(Arc::clone(written))),
            None => known(),
        }
    }

    /// The auths of these names that a registration at another server names, from the files or else from the
    /// database; those nobody defines are left out.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn outbound_auths(
        &self,
        registration: &str,
        names: &[String],
    ) -> Result<Vec<Arc<Auth>>, StoreError> {
        let (config, opened) = self.in_force();
        match opened {
            Some(opened) => {
                let owner = format!("registration {registration}");
                opened.realtime.auths(&config, &owner, names).await
            }
            None => {
                let found = names.iter().filter_map(|name| config.auths.get(name));
                Ok(found.cloned().collect())
            }
        }
    }

    /// What the files say, and the database they choose.
    pub(crate) fn in_force(&self) -> (Arc<Config>, Option<Arc<Opened>>) {
        let in_force = self.shared.in_force.load();
        (in_force.config.clone(), in_force.opened.clone())
    }

    /// The SQLite file that is used when the files choose no database.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.shared.file.as_deref()
    }

    /// Those who ask; the database is closed when they are done.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.shared.tasks
    }

    /// Who asks takes a place among the questions first.
    pub(crate) fn questions(&self) -> &Arc<Semaphore> {
        &self.shared.questions
    }

    pub(crate) fn note_served_from_memory(&self) {
        let served = &self.shared.served_from_memory;
        served.fetch_add(1, Ordering::Relaxed);
    }

    /// Has the slot filled. Not by the one who asks: he may be gone before the answer comes, and
    /// others wait for it too.
    fn ask(&self, opened: &Arc<Opened>, id: &str, config: Arc<Config>, slot: &Slot) {
        let shared = &self.shared;
        shared.asked.fetch_add(1, Ordering::Relaxed);
        let Ok(place) = Arc::clone(&shared.questions).try_acquire_owned() else {
            let _ = slot.set(Err(StoreError::Busy(QUESTIONS_MAX)));
            return;
        };
        let question = Question {
            opened: Arc::clone(opened),
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
        if let Some(backend) = self.backend() {
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
            let password = demo_account(&backend, &mut transaction, id, &password()).await?;
            accounts.push(((*id).to_owned(), password));
        }
        transaction.commit().await?;
        self.forget();
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
        self.forget();
        done
    }

    /// Every answer must be asked for again.
    fn forget(&self) {
        if let (_, Some(opened)) = self.in_force() {
            opened.cache().clear();
        }
    }

    /// The database in force, if there is one. It is not closed while somebody has a handle to it.
    pub fn backend(&self) -> Option<Backend> {
        let (_, opened) = self.in_force();
        Some(opened?.backend().clone())
    }

    /// Keeps contacts, call records and the dial plan's database in this folder from now on; `server` is
    /// this server's name in the table `ps_contacts`. Returns the contacts that survived. What cannot be
    /// opened is said, and not kept: telephones work without it.
    pub async fn keep(&self, folder: &Path, server: &str) -> Vec<SavedContact> {
        let current = self.shared.current.as_ref();
        let current = current.map(|current| Current::new(current.subscribe()));
        let (durable, contacts) = Durable::open(folder, server, current).await;
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
        let (_, opened) = self.in_force();
        let (cached, known) = opened.map_or((0, 0), |opened| {
            let cache = opened.cache();
            (cache.len(), cache.known_len())
        });
        Counts {
            cached,
            known,
            asked: self.shared.asked.load(Ordering::Relaxed),
            served_from_memory: self.shared.served_from_memory.load(Ordering::Relaxed),
        }
    }

    /// Whether the database says at once what changes; nothing if it is one that cannot.
    pub fn listens(&self) -> Option<bool> {
        self.in_force().1?.listens()
    }

    /// Writes what is pending and closes the database.
    pub async fn close(&self) {
        let (_, opened) = self.in_force();
        if let Some(opened) = &opened {
            opened.stop_watching();
        }
        if let Some(durable) = self.shared.durable.get() {
            durable.close().await;
        }
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        if let Some(opened) = &opened {
            opened.backend().close().await;
        }
        self.shared.retired.close();
        let _ = timeout(RETIRE_PATIENCE, self.shared.retired.wait()).await;
    }
}

/// One endpoint to be looked up.
struct Question {
    opened: Arc<Opened>,
    id: String,
    config: Arc<Config>,
    slot: Slot,
}

impl Question {
    async fn answer(self) {
        let realtime = &self.opened.realtime;
        let backend = realtime.backend();
        let limit = backend.patience();
        let end = Instant::now() + limit;
        let Ok(_turn) = timeout_at(end, self.opened.turns.acquire()).await else {
            let _ = self.slot.set(Err(backend.late(limit)));
            return;
        };
        // An endpoint is several statements, each in time on its own.
        let mut look = pin!(realtime.subscriber(&self.config, &self.id));
        let answer = match timeout_at(end, &mut look).await {
            Ok(answer) => answer,
            Err(_) => {
                let late = Err(backend.late(limit));
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
            let mut cache = self.opened.cache();
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

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;
    use std::task::{Context, Wake, Waker};

    use super::*;

    /// Who is told of a reload, and what is remembered at that moment.
    struct Told {
        store: Store,
        cached: AtomicUsize,
    }

    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            let cached = self.store.counts().cached;
            self.cached.store(cached, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn who_is_told_of_a_reload_finds_nothing_that_was_remembered_before() {
        let folder = std::env::temp_dir().join(format!("sidetone-told-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("store.sqlite");
        let store = Store::open(Arc::default(), Some(&file)).await.unwrap();
        store.subscriber("alice").await.unwrap();
        assert_eq!(store.counts().cached, 1);
        let told = Arc::new(Told {
            store: store.clone(),
            cached: AtomicUsize::new(usize::MAX),
        });
        let (reloads, waker) = (store.reloads(), Waker::from(Arc::clone(&told)));
        let mut reloaded = pin!(reloads.notified());
        let mut cx = Context::from_waker(&waker);
        assert!(reloaded.as_mut().poll(&mut cx).is_pending());
        store.set_config(Arc::default());
        assert_eq!(told.cached.load(Ordering::Relaxed), 0);
        drop(std::fs::remove_dir_all(&folder));
    }
}
