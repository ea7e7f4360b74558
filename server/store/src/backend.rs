//! The database, whichever it is: a few verbs in text and whole numbers.
//!
//! Three drivers lie below, each with its own pool of connections. Statements are written once, with
//! `?` for what is bound; rows come as text by name, whatever the types of the columns are, because
//! Asterisk's tables differ in them from database to database. Nothing waits without a limit: for a
//! connection, for an answer, in the queue.
//!
//! A statement that is given up takes its connection with it, since the answer would come into the
//! next one's hands.

use crate::{StoreError, password};
use config::{Database, Place, Secret};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

mod connection;
mod health;
mod mysql;
mod placeholder;
mod postgres;
mod row;
mod sqlite;
mod transaction;
mod upsert;
mod value;

pub(crate) use connection::Connection;
pub use health::{Trouble, TroubleKind};
pub use row::Row;
pub use transaction::Transaction;
pub use value::Value;

use connection::{Done, Verb};
use health::Health;

/// A database: open, or to be opened when it is first asked. Cheap to clone.
#[derive(Clone)]
pub struct Backend {
    shared: Arc<Shared>,
    /// One of those who may still ask it something.
    in_use: TaskTrackerToken,
}

struct Shared {
    pool: Pool,
    settings: Database,
    /// What the settings said of the password when it was opened, wherever that stands.
    password: Option<Secret>,
    shown: String,
    health: Health,
    /// Those who wait for the database or for its answer.
    queue: Semaphore,
    queries: AtomicU64,
    errors: AtomicU64,
    users: TaskTracker,
}

/// The driver's pool of connections.
pub(crate) enum Pool {
    Sqlite(sqlx::SqlitePool),
    MySql(sqlx::MySqlPool),
    Postgres(sqlx::PgPool),
}

/// Which SQL a database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// MariaDB and MySQL.
    MySql,
    /// PostgreSQL.
    Postgres,
}

/// Figures of a database, for an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendStatus {
    /// Which SQL it speaks.
    pub dialect: Dialect,
    /// Where it is, without the password.
    pub url: String,
    /// Connections open.
    pub connections: u32,
    /// Connections open and idle.
    pub idle: usize,
    /// Connections allowed.
    pub connections_max: u32,
    /// Statements since the start.
    pub queries: u64,
    /// Statements without success since the start.
    pub errors: u64,
    /// What is wrong with it, if anything is.
    pub trouble: Option<Trouble>,
}

/// Statements that wait for a connection or an answer at once; more are turned away.
pub const STATEMENTS_WAITING_MAX: usize = 1_000;
/// How long a pool may look for a connection before somebody looks why it has none.
const PATIENCE: Duration = Duration::from_millis(200);

/// Connections that are kept free of questions, so that what must be written can be.
const CONNECTIONS_RESERVED: u32 = 2;

impl Backend {
    /// The database of the settings; `folder_file` is the one in the data folder. A file is opened
    /// and its tables are completed; a server is reached when it is first asked.
    ///
    /// # Errors
    ///
    /// When a file cannot be opened, or what the settings name cannot be read.
    pub async fn open(settings: &Database, folder_file: &Path) -> Result<Self, StoreError> {
        let file = match &settings.place {
            Place::DataFolder => Some(folder_file),
            Place::Sqlite(file) => Some(Path::new(file)),
            Place::MySql(_) | Place::Postgres(_) => None,
        };
        if let Some(file) = file {
            sqlite::make_private(file)?;
        }
        let backend = Self::open_as_it_is(settings, folder_file).await?;
        if let Pool::Sqlite(pool) = &backend.shared.pool {
            sqlite::complete(pool, settings, &backend.shared.shown).await?;
        }
        Ok(backend)
    }

    /// A SQLite file that is made if it is not there, its tables left as they are.
    pub(crate) async fn open_file(settings: &Database, file: &Path) -> Result<Self, StoreError> {
        sqlite::make_private(file)?;
        Self::open_as_it_is(settings, file).await
    }

    /// The same without making or completing anything.
    ///
    /// # Errors
    ///
    /// As [`Self::open`]; a file that does not exist cannot be opened.
    pub async fn open_as_it_is(
        settings: &Database,
        folder_file: &Path,
    ) -> Result<Self, StoreError> {
        let mut shown = settings.place.to_string();
        let pool = match &settings.place {
            Place::DataFolder => {
                shown = format!("sqlite:{}", folder_file.display());
                Pool::Sqlite(sqlite::open(folder_file, settings).await?)
            }
            Place::Sqlite(file) => Pool::Sqlite(sqlite::open(Path::new(file), settings).await?),
            Place::MySql(server) => Pool::MySql(mysql::open(server, settings)?),
            Place::Postgres(server) => Pool::Postgres(postgres::open(server, settings)?),
        };
        let password = settings.place.server().map(password::of);
        let shared = Shared {
            pool,
            settings: settings.clone(),
            password: password.transpose()?.flatten(),
            shown,
            health: Health::default(),
            queue: Semaphore::new(STATEMENTS_WAITING_MAX),
            queries: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            users: TaskTracker::new(),
        };
        let in_use = shared.users.token();
        let shared = Arc::new(shared);
        Ok(Self { shared, in_use })
    }

    /// Which SQL it speaks.
    pub fn dialect(&self) -> Dialect {
        match &self.shared.pool {
            Pool::Sqlite(_) => Dialect::Sqlite,
            Pool::MySql(_) => Dialect::MySql,
            Pool::Postgres(_) => Dialect::Postgres,
        }
    }

    /// One of Asterisk's tables as a statement names it: as it is mapped, and in the database that
    /// is attached to SQLite.
    pub fn table(&self, name: &str) -> String {
        let mapped = self.shared.settings.table(name);
        match self.dialect() {
            Dialect::Sqlite if !mapped.contains('.') => format!("asterisk.{mapped}"),
            Dialect::Sqlite | Dialect::MySql | Dialect::Postgres => mapped.to_owned(),
        }
    }

    /// What it was opened with.
    pub fn settings(&self) -> &Database {
        &self.shared.settings
    }

    /// Whether these settings open the same in the same way: the password too, wherever it stands.
    pub(crate) fn is_as(&self, settings: &Database) -> bool {
        let password = settings.place.server().map(password::of).transpose();
        let same = |password: Option<Secret>| password == self.shared.password;
        self.shared.settings == *settings && password.is_ok_and(|found| same(found.flatten()))
    }

    /// Whether both are handles to the same connections.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// The rows of a `SELECT`. Asked once more if the connection was lost: a question has no effects.
    ///
    /// # Errors
    ///
    /// When there is no answer in time, or the database refuses.
    pub async fn fetch(&self, sql: &str, binds: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let mut done = self.run(Verb::Fetch, sql, binds).await;
        if let Err(error) = &done
            && error.is_lost_connection()
        {
            done = self.run(Verb::Fetch, sql, binds).await;
            self.note(&done);
        }
        done.map(|done| done.rows)
    }

    /// The first row of a `SELECT`.
    ///
    /// # Errors
    ///
    /// As [`Self::fetch`].
    pub async fn fetch_one(
        &self,
        sql: &str,
        binds: &[Value<'_>],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch(sql, binds).await?.into_iter().next())
    }

    /// Runs a statement that changes something; the number of rows it changed. Not repeated, since
    /// nobody knows what a lost connection has done.
    ///
    /// # Errors
    ///
    /// When there is no answer in time, or the database refuses.
    pub async fn execute(&self, sql: &str, binds: &[Value<'_>]) -> Result<u64, StoreError> {
        let done = self.run(Verb::Execute, sql, binds).await?;
        Ok(done.changed)
    }

    /// Begins a transaction. What is not committed when it is dropped has not happened.
    ///
    /// # Errors
    ///
    /// As [`Self::execute`].
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        Transaction::begin(self).await
    }

    /// Figures for an operator.
    pub fn status(&self) -> BackendStatus {
        let (connections, idle) = match &self.shared.pool {
            Pool::Sqlite(pool) => (pool.size(), pool.num_idle()),
            Pool::MySql(pool) => (pool.size(), pool.num_idle()),
            Pool::Postgres(pool) => (pool.size(), pool.num_idle()),
        };
        BackendStatus {
            dialect: self.dialect(),
            url: self.shared.shown.clone(),
            connections,
            idle,
            connections_max: self.connections_max(),
            queries: self.shared.queries.load(Ordering::Relaxed),
            errors: self.shared.errors.load(Ordering::Relaxed),
            trouble: self.trouble(),
        }
    }

    /// What is wrong with the database, if anything is.
    pub fn trouble(&self) -> Option<Trouble> {
        self.shared.health.trouble()
    }

    /// Asks whether it is there, past the pool, so that the answer says why if it is not.
    ///
    /// # Errors
    ///
    /// Why it is not.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let limit = self.connect_timeout() + self.query_timeout();
        let probed = match timeout(limit, self.shared.pool.probe()).await {
            Ok(probed) => probed.map_err(StoreError::from),
            Err(_) => Err(StoreError::Timeout(limit)),
        };
        match &probed {
            Ok(()) => self.shared.health.succeeded(),
            Err(error) => self.shared.health.unreachable(error, &self.shared.shown),
        }
        probed
    }

    /// Closes its connections, when what they run has ended.
    pub async fn close(&self) {
        self.shared.pool.close().await;
    }

    /// Waits until nobody else has a handle, and so until everything asked of it is answered; then
    /// closes its connections.
    pub(crate) async fn retire(self) {
        let Self { shared, in_use } = self;
        drop(in_use);
        shared.users.close();
        shared.users.wait().await;
        shared.pool.close().await;
    }

    /// The pool below, for what only one database can.
    pub(crate) fn pool(&self) -> &Pool {
        &self.shared.pool
    }

    /// Questions that may be on their way at once; the other connections are for what is written.
    pub(crate) fn questions_max(&self) -> usize {
        let max = self.connections_max();
        max.saturating_sub(CONNECTIONS_RESERVED).max(1) as usize
    }

    pub(crate) fn query_timeout(&self) -> Duration {
        Duration::from_millis(self.shared.settings.query_timeout_ms.into())
    }

    /// How long a question may take from its beginning to its end.
    pub(crate) fn patience(&self) -> Duration {
        self.connect_timeout() + self.query_timeout()
    }

    /// Why a question had no answer from its beginning to its end, of so long. It is asked again over another
    /// connection where its first one broke, so its time may be over before that of the second connection is:
    /// what is known to be away is not merely slow.
    pub(crate) fn late(&self, limit: Duration) -> StoreError {
        let away = self.shared.health.away();
        away.unwrap_or(StoreError::Timeout(limit))
    }

    fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.shared.settings.connect_timeout_ms.into())
    }

    fn connections_max(&self) -> u32 {
        match self.dialect() {
            Dialect::Sqlite => sqlite::CONNECTIONS_MAX,
            Dialect::MySql | Dialect::Postgres => self.shared.settings.pool_size,
        }
    }

    /// One connection of the pool; at once an error while the database is known to be away.
    pub(crate) async fn connection(&self) -> Result<Connection, StoreError> {
        self.shared.health.admit()?;
        let got = tokio::select! {
            got = timeout(self.connect_timeout(), self.shared.pool.acquire()) => match got {
                Ok(got) => got.map_err(StoreError::from),
                Err(_) => Err(self.waited_in_vain()),
            },
            why = self.refusal() => Err(why),
        };
        let got = match got {
            Err(StoreError::Query(error)) if matches!(*error, sqlx::Error::PoolTimedOut) => {
                Err(self.waited_in_vain())
            }
            got => got,
        };
        match &got {
            // A connection that can be had proves little: what is asked over it does.
            Ok(_) => {}
            Err(error @ StoreError::Timeout(_)) => {
                self.shared.health.failed(error, &self.shared.shown);
            }
            Err(error) => self.shared.health.unreachable(error, &self.shared.shown),
        }
        got
    }

    /// No connection in time: all are in use, or none can be had.
    fn waited_in_vain(&self) -> StoreError {
        let limit = self.connect_timeout();
        // Connections that are being opened count as well, so a full pool alone does not prove it busy.
        if let Some(away) = self.shared.health.away() {
            return away;
        }
        let status = self.status();
        match status.connections >= status.connections_max && status.idle == 0 {
            true => StoreError::Timeout(limit),
            false => {
                let milliseconds = limit.as_millis();
                let sentence = format!("no connection within {milliseconds} ms");
                StoreError::Unreachable(sentence.into())
            }
        }
    }

    /// Why no connection can be had, if that is so. A pool goes on trying a server that refuses, and
    /// does not say why, so it is asked beside it.
    async fn refusal(&self) -> StoreError {
        tokio::time::sleep(PATIENCE).await;
        match self.shared.pool.probe().await {
            Err(error) => match StoreError::from(error) {
                error if error.is_unreachable() => {
                    StoreError::Unreachable(error.to_string().into())
                }
                _ => std::future::pending().await,
            },
            Ok(()) => std::future::pending().await,
        }
    }

    /// Remembers how it went, so that others need not find out.
    pub(crate) fn note<T>(&self, result: &Result<T, StoreError>) {
        match result {
            Ok(_) => self.shared.health.succeeded(),
            Err(error) => self.shared.health.failed(error, &self.shared.shown),
        }
    }

    async fn run(&self, verb: Verb, sql: &str, binds: &[Value<'_>]) -> Result<Done, StoreError> {
        let Ok(_place) = self.shared.queue.try_acquire() else {
            return Err(StoreError::Busy(STATEMENTS_WAITING_MAX));
        };
        self.shared.queries.fetch_add(1, Ordering::Relaxed);
        let done = match self.connection().await {
            Ok(mut connection) => {
                let done = self.run_on(&mut connection, verb, sql, binds).await;
                // One connection that broke is no news of the database; the next one tells.
                if !done.as_ref().is_err_and(StoreError::is_lost_connection) {
                    self.note(&done);
                }
                done
            }
            Err(error) => Err(error),
        };
        if done.is_err() {
            self.shared.errors.fetch_add(1, Ordering::Relaxed);
        }
        done
    }

    pub(crate) async fn run_on(
        &self,
        connection: &mut Connection,
        verb: Verb,
        sql: &str,
        binds: &[Value<'_>],
    ) -> Result<Done, StoreError> {
        match timeout(self.query_timeout(), connection.run(verb, sql, binds)).await {
            Ok(done) => done.map_err(StoreError::from),
            Err(_) => Err(StoreError::Timeout(self.query_timeout())),
        }
    }
}

impl Pool {
    async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::MySql(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }

    async fn acquire(&self) -> Result<Connection, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(pool) => Connection::sqlite(pool.acquire().await?),
            Self::MySql(pool) => Connection::mysql(pool.acquire().await?),
            Self::Postgres(pool) => Connection::postgres(pool.acquire().await?),
        })
    }

    /// Opens a connection of its own and closes it: a pool hides why it has none.
    async fn probe(&self) -> Result<(), sqlx::Error> {
        use sqlx::{ConnectOptions as _, Connection as _};
        match self {
            Self::Sqlite(pool) => pool.acquire().await?.ping().await,
            Self::MySql(pool) => pool.connect_options().connect().await?.close().await,
            Self::Postgres(pool) => pool.connect_options().connect().await?.close().await,
        }
    }
}

impl Dialect {
    /// Its name, as an operator says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::MySql => "MariaDB/MySQL",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// A column as text, so that text can be compared with it whatever its type is.
    pub fn as_text(self, quoted: &str) -> String {
        match self {
            Self::MySql => format!("CAST({quoted} AS CHAR)"),
            Self::Sqlite | Self::Postgres => format!("CAST({quoted} AS TEXT)"),
        }
    }

    /// A column or table as it must be written to be taken for one.
    pub fn quoted(self, name: &str) -> String {
        match self {
            Self::MySql => format!("`{}`", name.replace('`', "``")),
            Self::Sqlite | Self::Postgres => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }
}
