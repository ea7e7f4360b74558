//! One task beside the questions: it hears from PostgreSQL what changes, and finds out when a database
//! that was away is back although nobody asks.

use crate::backend::{Backend, Pool, TroubleKind};
use crate::cache::Cache;
use crate::schema::CHANNEL;
use sqlx::postgres::PgListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// The task; it ends with this value.
pub(crate) struct Watch {
    task: JoinHandle<()>,
    listens: Option<Arc<AtomicBool>>,
}

/// How often a healthy database is asked whether it is one.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How often one that is away is.
const LOOK_EVERY_IN_TROUBLE: Duration = Duration::from_secs(1);

impl Watch {
    /// Starts the task; a file needs none.
    pub(crate) fn start(backend: &Backend, cache: &Arc<Mutex<Cache>>) -> Option<Self> {
        let (backend, cache) = (backend.clone(), Arc::clone(cache));
        Some(match backend.pool() {
            Pool::Sqlite(_) => return None,
            Pool::MySql(_) => Self {
                task: tokio::spawn(async move { look(&backend).await }),
                listens: None,
            },
            Pool::Postgres(_) => {
                let listens = Arc::new(AtomicBool::new(false));
                let flag = Arc::clone(&listens);
                let task = async move {
                    tokio::join!(look(&backend), listen(&backend, &cache, &flag));
                };
                Self {
                    task: tokio::spawn(task),
                    listens: Some(listens),
                }
            }
        })
    }

    /// Whether the database is listened to; nothing if it is one that says nothing.
    pub(crate) fn listens(&self) -> Option<bool> {
        let listens = self.listens.as_ref()?;
        Some(listens.load(Ordering::Relaxed))
    }

    pub(crate) fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Asks now and then. What comes of it, the backend remembers and logs.
async fn look(backend: &Backend) {
    loop {
        let trouble = backend.trouble().map(|trouble| trouble.kind);
        let _ = match trouble {
            Some(TroubleKind::Unreachable) => backend.probe().await,
            Some(TroubleKind::Slow | TroubleKind::Refusing) | None => {
                backend.fetch("SELECT 1", &[]).await.map(drop)
            }
        };
        sleep(match backend.trouble() {
            Some(_) => LOOK_EVERY_IN_TROUBLE,
            None => LOOK_EVERY,
        })
        .await;
    }
}

/// Whether every table has the trigger: without it there is nothing to hear.
async fn says_changes(backend: &Backend) -> bool {
    let without = backend.tables_without_trigger().await;
    without.is_ok_and(|tables| tables.is_empty())
}

/// Forgets the answers when a table they come from has changed.
async fn listen(backend: &Backend, cache: &Mutex<Cache>, listens: &AtomicBool) {
    let Pool::Postgres(pool) = backend.pool() else {
        return;
    };
    let forget = || {
        let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.clear();
    };
    loop {
        let reachable = backend
            .trouble()
            .is_none_or(|trouble| trouble.kind != TroubleKind::Unreachable);
        if reachable && let Ok(mut listener) = PgListener::connect_with(pool).await {
            // To reconnect is for this loop, which knows that something may have been missed.
            listener.eager_reconnect(false);
            if listener.listen(CHANNEL).await.is_ok() {
                forget();
                listens.store(says_changes(backend).await, Ordering::Relaxed);
                while let Ok(Some(_)) = listener.try_recv().await {
                    forget();
                    // `db init`, which sets the triggers, is heard too.
                    if !listens.load(Ordering::Relaxed) {
                        listens.store(says_changes(backend).await, Ordering::Relaxed);
                    }
                }
                listens.store(false, Ordering::Relaxed);
                forget();
            }
        }
        if pool.is_closed() {
            return;
        }
        sleep(LOOK_EVERY_IN_TROUBLE).await;
    }
}
