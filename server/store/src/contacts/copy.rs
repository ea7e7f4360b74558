//! The copy of all contacts in Asterisk's table `ps_contacts`, kept by one task.

use super::saved::{ContactChange, SavedContact};
use crate::astdb::{LAZY_AFTER, Urgency};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Rows in one transaction.
const BATCH_MAX: usize = 500;
/// Time between attempts while the database takes nothing.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A database that takes longer than this is slow: nobody waits for it any more.
const SLOW: Duration = Duration::from_millis(200);
/// How long a stop waits for the database. What it does not take is brought up to date at the start.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// What is to become of a contact in the table; `None` removes it.
pub(crate) type Rows = BTreeMap<String, Option<SavedContact>>;

/// The table.
pub(crate) trait ContactTable: Send + 'static {
    /// Writes rows in one transaction.
    fn write(&mut self, rows: &Rows) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Reads our own rows.
    fn read(&mut self)
    -> impl Future<Output = Result<Vec<(String, SavedContact)>, Refusal>> + Send;
}

/// Where all contacts are kept.
pub(crate) trait Kept: Send + Sync + 'static {
    /// All there are. What is changed while they are read may be in it, or not.
    fn contacts(&self) -> impl Future<Output = Result<Vec<SavedContact>, Refusal>> + Send;
}

/// Why rows were not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The table does not take what one of them holds; a sentence.
    Row(String),
    /// The database is away, slow, or not as it must be; a sentence.
    Away(String),
}

/// A handle. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Copies {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    wake: Notify,
    done: watch::Sender<u64>,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    pending: Rows,
    lazy: Rows,
    lazy_since: Option<Instant>,
    /// Contacts that may have a row. Only their removal has to wait for a database that is away: what
    /// comes and goes meanwhile leaves nothing behind.
    there: BTreeSet<String>,
    /// The rows of a transaction that failed, which may have happened all the same. They are tried
    /// again before others, so that these are never more than one transaction holds.
    unsure: BTreeSet<String>,
    /// Another database was put in force, and its table has nothing yet.
    moved: bool,
    /// All contacts are being read for that table, so that nobody knows what it will have.
    gathering: bool,
    generation: u64,
    /// The last transaction went through, and quickly.
    well: bool,
    error: Option<String>,
}

/// A change on its way to the table.
pub(crate) struct Copied {
    generation: u64,
    done: watch::Receiver<u64>,
    well: bool,
}

impl Copied {
    /// Waits for it, if the database is well.
    pub(crate) async fn done(mut self) {
        if self.well {
            let generation = self.generation;
            let _ = self.done.wait_for(|done| *done >= generation).await;
        }
    }
}

impl Copies {
    /// Starts the task. Rows of ours that are not in `known` are removed; all of `known` are written.
    /// `kept` is asked for the contacts when another database gets them.
    pub(crate) fn start(
        table: impl ContactTable,
        kept: impl Kept,
        known: Vec<SavedContact>,
    ) -> Self {
        let (done, _) = watch::channel(0);
        let pending = known
            .into_iter()
            .map(|contact| (contact.id(), Some(contact)));
        let state = State {
            pending: pending.collect(),
            well: true,
            ..State::default()
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            wake: Notify::new(),
            done,
            stop: CancellationToken::new(),
            task: Mutex::default(),
        });
        let task = tokio::spawn(run(shared.clone(), table, kept));
        *shared.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        Self { shared }
    }

    pub(crate) fn change(&self, changes: &[&ContactChange], urgency: Urgency) -> Copied {
        let mut state = self.shared.state();
        for change in changes {
            let row = match change {
                ContactChange::Save { contact, .. } => Some((**contact).clone()),
                ContactChange::Remove { .. } => None,
            };
            state.change(change.id(), row, urgency);
        }
        let (generation, well) = (state.generation, state.well);
        drop(state);
        self.shared.wake.notify_one();
        Copied {
            generation,
            done: self.shared.done.subscribe(),
            well: well && urgency == Urgency::Now && !changes.is_empty(),
        }
    }

    /// The table is one in another database from now on.
    pub(crate) fn moved(&self) {
        let mut state = self.shared.state();
        state.moved = true;
        state.gathering = true;
        state.there.clear();
        state.unsure.clear();
        drop(state);
        self.shared.wake.notify_one();
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        let state = self.shared.state();
        let error = state.error.as_ref()?;
        let count = state.pending.len() + state.lazy.len();
        Some(format!(
            "{count} changes of contacts wait for the table ps_contacts: {error}"
        ))
    }

    pub(crate) async fn stop(&self) {
        self.shared.stop.cancel();
        let task = self.shared.task.lock();
        let task = task.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = tokio::time::timeout(STOP_PATIENCE, task).await;
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each lock is held for a few changes of maps.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to write; `false`: there is nothing, and the end is near.
    async fn due(&self) -> bool {
        loop {
            let stopping = self.stop.is_cancelled();
            let due = {
                let state = self.state();
                match state.lazy_since {
                    // What is not there at the end is brought there at the next start.
                    _ if state.moved && !stopping => return true,
                    _ if !state.pending.is_empty() => return true,
                    since => since.map(|since| since + LAZY_AFTER),
                }
            };
            let late = match due {
                Some(_) if stopping => return true,
                Some(at) if at <= Instant::now() => return true,
                None if stopping => return false,
                Some(at) => at,
                None => Instant::now() + Duration::from_secs(3_600),
            };
            tokio::select! {
                () = sleep_until(late) => {}
                () = self.wake.notified() => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    fn note(&self, error: Option<String>, took: Duration) {
        let mut state = self.state();
        state.well = error.is_none() && took <= SLOW;
        match (&state.error, &error) {
            (None, Some(error)) => tracing::error!(
                "the table ps_contacts is not brought up to date: {error}; registrations go on, they \
                 are kept on the local disk"
            ),
            (Some(_), None) => tracing::info!("the table ps_contacts is up to date again"),
            (None, None) | (Some(_), Some(_)) => {}
        }
        state.error = error;
    }
}

impl State {
    fn change(&mut self, id: String, row: Option<SavedContact>, urgency: Urgency) {
        if row.is_none() && !self.gathering && !self.there.contains(&id) {
            self.lazy.remove(&id);
            self.pending.remove(&id);
            return;
        }
        match urgency {
            Urgency::Now => {
                self.lazy.remove(&id);
                self.pending.insert(id, row);
                self.generation += 1;
            }
            Urgency::Lazy if self.pending.contains_key(&id) => {
                self.pending.insert(id, row);
            }
            Urgency::Lazy => {
                self.lazy_since.get_or_insert_with(Instant::now);
                self.lazy.insert(id, row);
            }
        }
    }

    /// Rows for one transaction, and the generation that is done with them.
    fn take(&mut self, all: bool) -> (Rows, Option<u64>) {
        let mut rows = Rows::new();
        let due = |since: Instant| all || since.elapsed() >= LAZY_AFTER;
        if self.pending.is_empty() && self.lazy_since.is_some_and(due) {
            self.pending = std::mem::take(&mut self.lazy);
            self.lazy_since = None;
        }
        for id in &self.unsure {
            rows.extend(self.pending.remove_entry(id));
        }
        while self.unsure.is_empty()
            && rows.len() < BATCH_MAX
            && let Some((id, row)) = self.pending.pop_first()
        {
            rows.insert(id, row);
        }
        let saved = rows.iter().filter(|(_, row)| row.is_some());
        self.there.extend(saved.map(|(id, _)| id.clone()));
        let generation = self.pending.is_empty().then_some(self.generation);
        (rows, generation)
    }

    fn written(&mut self, rows: &Rows) {
        self.unsure.clear();
        for (id, _) in rows.iter().filter(|(_, row)| row.is_none()) {
            self.there.remove(id);
        }
    }

    fn put_back(&mut self, rows: Rows) {
        self.unsure = rows.keys().cloned().collect();
        for (id, row) in rows {
            // What came meanwhile is newer.
            let row = self.lazy.remove(&id).unwrap_or(row);
            self.pending.entry(id).or_insert(row);
        }
    }
}

async fn run(shared: Arc<Shared>, mut table: impl ContactTable, kept: impl Kept) {
    reconcile(&shared, &mut table).await;
    while shared.due().await {
        let stopping = shared.stop.is_cancelled();
        if shared.state().moved && !stopping {
            gather(&shared, &kept).await;
            reconcile(&shared, &mut table).await;
            continue;
        }
        let (rows, generation) = shared.state().take(stopping);
        let began = Instant::now();
        let mut result = table.write(&rows).await;
        if let Err(Refusal::Row(_)) = result {
            result = one_by_one(&mut table, &rows).await;
        }
        match result {
            Ok(()) => {
                shared.state().written(&rows);
                shared.note(None, began.elapsed());
                if let Some(generation) = generation {
                    shared.done.send_replace(generation);
                }
            }
            Err(Refusal::Away(error) | Refusal::Row(error)) => {
                shared.state().put_back(rows);
                shared.note(Some(error), began.elapsed());
                if stopping {
                    return;
                }
                tokio::select! {
                    () = sleep(RETRY_AFTER) => {}
                    () = shared.stop.cancelled() => return,
                }
            }
        }
    }
}

/// Has all contacts written, into a table that has none of them.
async fn gather(shared: &Shared, kept: &impl Kept) {
    loop {
        // What changes from here on is newer than what is read.
        shared.state().moved = false;
        let error = match kept.contacts().await {
            Ok(contacts) => {
                let mut state = shared.state();
                state.gathering = state.moved;
                for contact in contacts {
                    let id = contact.id();
                    // A refresh meanwhile need not wait: there is no row to be late.
                    let newest = state.lazy.remove(&id).unwrap_or(Some(contact));
                    state.pending.entry(id).or_insert(newest);
                }
                return;
            }
            Err(Refusal::Away(error) | Refusal::Row(error)) => error,
        };
        shared.note(Some(error), Duration::ZERO);
        tokio::select! {
            () = sleep(RETRY_AFTER) => {}
            () = shared.stop.cancelled() => return,
        }
    }
}

/// Removes rows of ours for contacts we do not have: those of the connections of an earlier run, and
/// those that were removed while the database was away.
async fn reconcile(shared: &Shared, table: &mut impl ContactTable) {
    // Those of another table are of no use.
    while !shared.state().moved {
        let began = Instant::now();
        match table.read().await {
            Ok(rows) => {
                let mut state = shared.state();
                if state.moved {
                    return;
                }
                for (id, row) in rows {
                    state.there.insert(id.clone());
                    match state.pending.get(&id) {
                        None if state.lazy.contains_key(&id) => {}
                        None => {
                            state.pending.insert(id, None);
                        }
                        // It is there already, as it should be.
                        Some(Some(wanted)) if *wanted == row => {
                            state.pending.remove(&id);
                        }
                        Some(_) => {}
                    }
                }
                drop(state);
                shared.note(None, began.elapsed());
                return;
            }
            Err(Refusal::Away(error) | Refusal::Row(error)) => {
                shared.note(Some(error), began.elapsed());
                tokio::select! {
                    () = sleep(RETRY_AFTER) => {}
                    () = shared.stop.cancelled() => return,
                }
            }
        }
    }
}

/// One of the rows is refused: the others are written all the same.
async fn one_by_one(table: &mut impl ContactTable, rows: &Rows) -> Result<(), Refusal> {
    for (id, row) in rows {
        let single = Rows::from([(id.clone(), row.clone())]);
        match table.write(&single).await {
            Ok(()) => {}
            Err(Refusal::Row(why)) => tracing::warn!(
                contact = id,
                "the table ps_contacts does not take a contact, which works all the same: {why}"
            ),
            Err(away) => return Err(away),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
