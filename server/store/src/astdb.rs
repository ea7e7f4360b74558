//! Asterisk's small database of families and keys, in a SQLite file of its own: table `astdb`.
//!
//! The file is Asterisk's `astdb.sqlite3`; one that Asterisk has made is used as it is. All of it is
//! in memory, so that the dial plan reads without waiting; what changes is written by one task, which
//! takes all there is and lets the disk confirm once (group commit). Registered contacts lie here too,
//! in the family `registrar` as in Asterisk; they are kept in memory by the registrar itself.

use crate::StoreError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row, SqlitePool};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Bytes of a family and a key together. Asterisk's own limit.
pub const ASTDB_KEY_BYTES_MAX: usize = 255;
/// Bytes of a value.
pub const ASTDB_VALUE_BYTES_MAX: usize = 4_096;
/// Entries besides those of the registrar.
pub const ASTDB_ENTRIES_MAX: usize = 100_000;
/// Bytes of all those entries.
pub const ASTDB_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long a change that is in no hurry may lag behind.
pub const LAZY_AFTER: Duration = Duration::from_secs(8);
/// Changes in one transaction.
const BATCH_MAX: usize = 1_000;
/// Time between attempts while the disk takes nothing.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long a statement waits for another program that writes to the file.
const BUSY_MAX: Duration = Duration::from_secs(1);
/// How long a stop waits for the disk.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// Keys of registered contacts begin so.
pub(crate) const CONTACTS: &str = "/registrar/contact/";

/// A handle. Cheap to clone.
#[derive(Clone)]
pub struct AstDb {
    shared: Arc<Shared>,
}

struct Shared {
    pool: SqlitePool,
    state: Mutex<State>,
    wake: Notify,
    written: watch::Sender<Written>,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    /// Everything but contacts.
    entries: BTreeMap<String, String>,
    bytes: usize,
    /// Keys that the file has, or will have when what is being written is written.
    stored: BTreeSet<String>,
    /// Not on the disk yet; `None` is to be removed. What the file never had need not be removed from it: a disk
    /// that takes nothing has no more removals waiting than it has keys, however many come and go.
    pending: Changes,
    /// The same, in no hurry.
    lazy: Changes,
    lazy_since: Option<Instant>,
    /// Counts changes of `pending`.
    generation: u64,
    error: Option<String>,
}

type Changes = BTreeMap<String, Option<String>>;

/// Up to which generation changes are on the disk, and up to which the disk did not take them.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    done: u64,
    failed: u64,
}

/// Why an entry was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AstDbError {
    /// Family or key is empty, or the family has a slash in it.
    #[error("family and key must not be empty, and the family has no `/`")]
    Name,
    /// More than [`ASTDB_KEY_BYTES_MAX`].
    #[error("family and key have more than {ASTDB_KEY_BYTES_MAX} bytes together")]
    KeyTooLong,
    /// More than [`ASTDB_VALUE_BYTES_MAX`].
    #[error("the value has more than {ASTDB_VALUE_BYTES_MAX} bytes")]
    ValueTooLong,
    /// [`ASTDB_ENTRIES_MAX`] or [`ASTDB_BYTES_MAX`].
    #[error("the database of the dial plan is full")]
    Full,
}

/// How much a change hurries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Written at once.
    Now,
    /// Written within [`LAZY_AFTER`] and a moment.
    Lazy,
}

/// A change on its way to the disk.
pub struct Pending {
    generation: u64,
    written: watch::Receiver<Written>,
}

impl Pending {
    /// Waits until the disk has it; `false`: the disk does not take it now.
    pub async fn durable(mut self) -> bool {
        let generation = self.generation;
        let settled = |w: &Written| w.done >= generation || w.failed >= generation;
        match self.written.wait_for(settled).await {
            Ok(written) => written.done >= generation,
            Err(_) => false,
        }
    }
}

impl AstDb {
    /// Opens the file, or makes it. Returns the contacts in it, by id, besides.
    pub(crate) async fn open(path: &Path) -> Result<(Self, Vec<(String, String)>), StoreError> {
        let opening = |error: sqlx::Error| StoreError::Open {
            file: path.display().to_string(),
            cause: Arc::new(error),
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_MAX);
        let pool = SqlitePoolOptions::new().max_connections(1);
        let pool = pool.connect_with(options).await.map_err(opening)?;
        make_private(path);
        sqlx::query(
            "CREATE TABLE IF NOT EXISTS astdb (key VARCHAR(256), value VARCHAR(256), PRIMARY KEY(key))",
        )
        .execute(&pool)
        .await
        .map_err(opening)?;
        let rows = sqlx::query("SELECT key, value FROM astdb WHERE key IS NOT NULL");
        let rows = rows.fetch_all(&pool).await.map_err(opening)?;
        let (mut state, mut contacts) = (State::default(), Vec::new());
        for row in rows {
            let key: String = row.try_get_unchecked(0).unwrap_or_default();
            let value: String = row.try_get_unchecked(1).unwrap_or_default();
            state.stored.insert(key.clone());
            match key.strip_prefix(CONTACTS) {
                Some(id) => contacts.push((id.to_owned(), value)),
                None => {
                    state.bytes += key.len() + value.len();
                    state.entries.insert(key, value);
                }
            }
        }
        let (written, _) = watch::channel(Written::default());
        let shared = Arc::new(Shared {
            pool,
            state: Mutex::new(state),
            wake: Notify::new(),
            written,
            stop: CancellationToken::new(),
            task: Mutex::default(),
        });
        let task = tokio::spawn(write(shared.clone()));
        *shared.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        Ok((Self { shared }, contacts))
    }

    /// The value of a key.
    pub fn value(&self, family: &str, key: &str) -> Option<String> {
        let key = path_of(family, key).ok()?;
        self.shared.state().entries.get(&key).cloned()
    }

    /// The names directly below a path, `family` or `family/key`, sorted; of all families if it is empty.
    pub fn keys(&self, path: &str) -> Vec<String> {
        let state = self.shared.state();
        let begin = match path {
            "" => "/".to_owned(),
            path => format!("/{path}/"),
        };
        let below = state.entries.range(begin.clone()..);
        let below = below.map_while(|(key, _)| key.strip_prefix(&begin));
        let names = below.map(|rest| rest.split('/').next().unwrap_or_default().to_owned());
        let mut names: Vec<String> = names.collect();
        // `a/b` and `a-b` may stand between each other.
        names.sort();
        names.dedup();
        names
    }

    /// Sets a key.
    ///
    /// # Errors
    ///
    /// See [`AstDbError`].
    pub fn put(&self, family: &str, key: &str, value: &str) -> Result<Pending, AstDbError> {
        let key = path_of(family, key)?;
        if value.len() > ASTDB_VALUE_BYTES_MAX {
            return Err(AstDbError::ValueTooLong);
        }
        let mut state = self.shared.state();
        let before = state.entries.get(&key).map(|old| key.len() + old.len());
        let bytes = state.bytes - before.unwrap_or_default() + key.len() + value.len();
        if bytes > ASTDB_BYTES_MAX || (before.is_none() && state.entries.len() >= ASTDB_ENTRIES_MAX)
        {
            return Err(AstDbError::Full);
        }
        state.bytes = bytes;
        state.entries.insert(key.clone(), value.to_owned());
        let generation = state.change(key, Some(value.to_owned()), Urgency::Now);
        drop(state);
        Ok(self.pending(generation))
    }

    /// Removes a key; `None`: there is none.
    pub fn remove(&self, family: &str, key: &str) -> Option<Pending> {
        let key = path_of(family, key).ok()?;
        let mut state = self.shared.state();
        let old = state.entries.remove(&key)?;
        state.bytes -= key.len() + old.len();
        let generation = state.change(key, None, Urgency::Now);
        drop(state);
        Some(self.pending(generation))
    }

    /// Removes a family, or what lies below a key of it; how many entries that were. An empty family
    /// stands for all of them, but never for the contacts.
    pub fn remove_tree(&self, family: &str, key: Option<&str>) -> usize {
        let mut state = self.shared.state();
        let found: Vec<String> = state
            .below(family, key)
            .map(|(key, _)| key.clone())
            .collect();
        for key in &found {
            if let Some(old) = state.entries.remove(key) {
                state.bytes -= key.len() + old.len();
            }
            state.change(key.clone(), None, Urgency::Now);
        }
        drop(state);
        self.shared.wake.notify_one();
        found.len()
    }

    /// The entries of a family, or below a key of it, or all, sorted by their keys; contacts too.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub async fn tree(
        &self,
        family: &str,
        key: Option<&str>,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let mut found: BTreeMap<String, String> = {
            let state = self.shared.state();
            let below = state.below(family, key);
            below
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        };
        let prefix = prefix_of(family, key);
        if CONTACTS.starts_with(&prefix) || prefix.starts_with(CONTACTS) {
            let rows =
                sqlx::query("SELECT key, value FROM astdb WHERE key LIKE '/registrar/contact/%'");
            let mut contacts = BTreeMap::new();
            for row in rows.fetch_all(&self.shared.pool).await? {
                let value: String = row.try_get_unchecked(1).unwrap_or_default();
                contacts.insert(
                    row.try_get_unchecked::<String, _>(0).unwrap_or_default(),
                    value,
                );
            }
            let state = self.shared.state();
            for (key, change) in state.lazy.iter().chain(&state.pending) {
                match change {
                    Some(value) => contacts.insert(key.clone(), value.clone()),
                    None => contacts.remove(key),
                };
            }
            contacts.retain(|key, _| key.starts_with(CONTACTS) && is_below(key, &prefix));
            found.append(&mut contacts);
        }
        Ok(found.into_iter().collect())
    }

    /// Why the disk does not take changes now.
    pub fn trouble(&self) -> Option<String> {
        let error = self.shared.state().error.clone()?;
        Some(format!(
            "registrations are kept in memory only, because the disk does not take them: {error}"
        ))
    }

    /// Writes contacts, by id; `None` removes one.
    pub(crate) fn change_contacts(
        &self,
        changes: impl IntoIterator<Item = (String, Option<String>)>,
        urgency: Urgency,
    ) -> Pending {
        let mut state = self.shared.state();
        for (id, value) in changes {
            state.change(format!("{CONTACTS}{id}"), value, urgency);
        }
        let generation = state.generation;
        drop(state);
        self.pending(generation)
    }

    fn pending(&self, generation: u64) -> Pending {
        self.shared.wake.notify_one();
        Pending {
            generation,
            written: self.shared.written.subscribe(),
        }
    }

    /// Writes what waits and closes the file.
    pub(crate) async fn stop(&self) {
        self.shared.stop.cancel();
        let task = self.shared.task.lock();
        let task = task.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = tokio::time::timeout(STOP_PATIENCE, task).await;
        }
        self.shared.pool.close().await;
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each lock is held for a few changes of maps, none of which can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Notes a change and returns the generation that has it.
    fn change(&mut self, key: String, value: Option<String>, urgency: Urgency) -> u64 {
        let is_nothing = value.is_none() && !self.stored.contains(&key);
        let hurries = urgency == Urgency::Now;
        if hurries {
            self.lazy.remove(&key);
            self.generation += 1;
        }
        // A change that hurries takes the newer value along.
        let changes = match hurries || self.pending.contains_key(&key) {
            true => &mut self.pending,
            false => &mut self.lazy,
        };
        match is_nothing {
            true => drop(changes.remove(&key)),
            false => drop(changes.insert(key, value)),
        }
        if !self.lazy.is_empty() {
            self.lazy_since.get_or_insert_with(Instant::now);
        }
        self.generation
    }

    /// What is about to be written will be in the file; which keys are new there.
    fn will_store(&mut self, changes: &Changes) -> Vec<String> {
        let written = changes.iter().filter(|(_, value)| value.is_some());
        let new = written.filter(|(key, _)| !self.stored.contains(*key));
        let new: Vec<String> = new.map(|(key, _)| key.clone()).collect();
        self.stored.extend(new.iter().cloned());
        new
    }

    /// The disk did not take these, of which those were new.
    fn give_back(&mut self, changes: Changes, new: &[String]) {
        // What came meanwhile is newer.
        for (key, value) in changes {
            let value = self.lazy.remove(&key).unwrap_or(value);
            self.pending.entry(key).or_insert(value);
        }
        for key in new {
            self.stored.remove(key);
        }
        let stored = &self.stored;
        self.pending
            .retain(|key, value| value.is_some() || stored.contains(key));
    }

    fn below<'a>(
        &'a self,
        family: &str,
        key: Option<&str>,
    ) -> impl Iterator<Item = (&'a String, &'a String)> {
        let prefix = prefix_of(family, key);
        let from = self.entries.range(prefix.clone()..);
        let near = {
            let prefix = prefix.clone();
            from.take_while(move |(key, _)| key.starts_with(&prefix))
        };
        near.filter(move |(key, _)| is_below(key, &prefix))
    }
}

/// `/family/key`.
fn path_of(family: &str, key: &str) -> Result<String, AstDbError> {
    if family.is_empty() || key.is_empty() || family.contains('/') {
        return Err(AstDbError::Name);
    }
    let path = format!("/{family}/{key}");
    if path.len() > ASTDB_KEY_BYTES_MAX {
        return Err(AstDbError::KeyTooLong);
    }
    Ok(path)
}

fn prefix_of(family: &str, key: Option<&str>) -> String {
    match (family.trim_matches('/'), key) {
        ("", _) => String::new(),
        (family, None | Some("")) => format!("/{family}"),
        (family, Some(key)) => format!("/{family}/{}", key.trim_matches('/')),
    }
}

/// Whether a key is the prefix or lies below it: whole parts of the path, as in Asterisk.
fn is_below(key: &str, prefix: &str) -> bool {
    let Some(rest) = key.strip_prefix(prefix) else {
        return false;
    };
    prefix.is_empty() || rest.is_empty() || rest.starts_with('/')
}

/// The task that writes.
async fn write(shared: Arc<Shared>) {
    loop {
        let stopping = shared.stop.is_cancelled();
        let due = {
            let state = shared.state();
            let done = shared.written.borrow().done;
            match state.lazy_since {
                _ if !state.pending.is_empty() || state.generation > done => Some(Instant::now()),
                Some(since) => Some(since + LAZY_AFTER),
                None => None,
            }
        };
        match due {
            None if stopping => return,
            Some(at) if stopping || at <= Instant::now() => {
                if commit(&shared, stopping).await.is_err() {
                    if stopping {
                        return;
                    }
                    sleep(RETRY_AFTER).await;
                }
            }
            Some(at) => tokio::select! {
                () = sleep_until(at) => {}
                () = shared.wake.notified() => {}
                () = shared.stop.cancelled() => {}
            },
            None => tokio::select! {
                () = shared.wake.notified() => {}
                () = shared.stop.cancelled() => {}
            },
        }
    }
}

/// Writes one transaction.
async fn commit(shared: &Shared, stopping: bool) -> Result<(), ()> {
    let (changes, generation, new) = {
        let mut state = shared.state();
        let (changes, generation) = take_changes(&mut state, stopping);
        let new = state.will_store(&changes);
        (changes, generation, new)
    };
    // What came and went needs no disk, and says nothing about it.
    let result = match changes.is_empty() {
        true => Ok(()),
        false => apply(&shared.pool, &changes).await,
    };
    let mut state = shared.state();
    let recovered = match &result {
        Ok(()) if changes.is_empty() => false,
        Ok(()) => {
            let removed = changes.iter().filter(|(_, value)| value.is_none());
            for (key, _) in removed {
                state.stored.remove(key);
            }
            state.error.take().is_some()
        }
        Err(error) => {
            state.give_back(changes, &new);
            let known = state.error.replace(error.to_string());
            if known.as_ref() != state.error.as_ref() {
                tracing::error!(
                    "the file of registrations and of the dial plan's database cannot be written: \
                     {error}; what changes is kept in memory meanwhile"
                );
            }
            false
        }
    };
    drop(state);
    if recovered {
        tracing::info!(
            "the file of registrations and of the dial plan's database is written again"
        );
    }
    shared.written.send_modify(|written| match result {
        Ok(()) => written.done = written.done.max(generation),
        Err(_) => written.failed = written.failed.max(generation),
    });
    result.map_err(drop)
}

/// What hurries, all of it at once so that its generation is done; else some of what does not.
fn take_changes(state: &mut State, all: bool) -> (Changes, u64) {
    let mut changes = std::mem::take(&mut state.pending);
    let due = |since: Instant| all || since.elapsed() >= LAZY_AFTER;
    if state.lazy_since.is_some_and(due) {
        while changes.len() < BATCH_MAX
            && let Some((key, value)) = state.lazy.pop_first()
        {
            changes.insert(key, value);
        }
        if state.lazy.is_empty() {
            state.lazy_since = None;
        }
    }
    (changes, state.generation)
}

async fn apply(pool: &SqlitePool, changes: &Changes) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    for (key, value) in changes {
        let query = match value {
            Some(value) => sqlx::query("INSERT OR REPLACE INTO astdb (key, value) VALUES (?, ?)")
                .bind(key)
                .bind(value),
            None => sqlx::query("DELETE FROM astdb WHERE key = ?").bind(key),
        };
        query.execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

/// Who is registered, from where, is nobody else's business.
fn make_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::Permissions::from_mode(0o600);
    if let Err(error) = std::fs::set_permissions(path, mode) {
        tracing::warn!(
            "{}: its mode cannot be changed to 0600: {error}",
            path.display()
        );
    }
}

#[cfg(test)]
mod tests;
