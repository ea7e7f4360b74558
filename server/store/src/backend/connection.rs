//! One connection out of a pool.

use super::placeholder::numbered;
use super::{Row, Value, mysql, postgres, sqlite};
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, MySql, Postgres, Sqlite};

/// A connection. It goes back into its pool when it is dropped, unless something was under way.
pub(crate) struct Connection {
    inner: Option<Inner>,
    /// Nothing is under way and no transaction is open.
    clean: bool,
}

enum Inner {
    Sqlite(PoolConnection<Sqlite>),
    MySql(PoolConnection<MySql>),
    Postgres(PoolConnection<Postgres>),
}

/// Whether rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Fetch,
    Execute,
}

/// What a statement came to.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) rows: Vec<Row>,
    pub(crate) changed: u64,
}

impl Connection {
    pub(super) fn sqlite(connection: PoolConnection<Sqlite>) -> Self {
        Self::new(Inner::Sqlite(connection))
    }

    pub(super) fn mysql(connection: PoolConnection<MySql>) -> Self {
        Self::new(Inner::MySql(connection))
    }

    pub(super) fn postgres(connection: PoolConnection<Postgres>) -> Self {
        Self::new(Inner::Postgres(connection))
    }

    fn new(inner: Inner) -> Self {
        Self {
            inner: Some(inner),
            clean: true,
        }
    }

    /// Runs one statement with what is bound to it.
    pub(crate) async fn run(
        &mut self,
        verb: Verb,
        sql: &str,
        binds: &[Value<'_>],
    ) -> Result<Done, sqlx::Error> {
        let clean = std::mem::replace(&mut self.clean, false);
        let done = match self.inner() {
            Inner::Sqlite(connection) => sqlite::run(connection, clean, verb, sql, binds).await,
            Inner::MySql(connection) => mysql::run(connection, verb, sql, binds).await,
            Inner::Postgres(connection) => {
                postgres::run(connection, verb, &numbered(sql), binds).await
            }
        };
        // The database refused, and said so in order: the connection is as good as before.
        if matches!(&done, Ok(_) | Err(sqlx::Error::Database(_))) {
            self.clean = clean;
        }
        done
    }

    /// Runs text as it stands, without anything bound; the number of rows it changed.
    pub(crate) async fn run_raw(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let clean = std::mem::replace(&mut self.clean, false);
        let raw = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let done = match self.inner() {
            Inner::Sqlite(connection) => raw
                .execute(&mut **connection)
                .await
                .map(|done| done.rows_affected()),
            Inner::MySql(connection) => raw
                .execute(&mut **connection)
                .await
                .map(|done| done.rows_affected()),
            Inner::Postgres(connection) => raw
                .execute(&mut **connection)
                .await
                .map(|done| done.rows_affected()),
        };
        if matches!(&done, Ok(_) | Err(sqlx::Error::Database(_))) {
            self.clean = clean;
        }
        done
    }

    /// From here on it is closed when it is dropped, unless [`Self::settle`] is called.
    pub(crate) fn taint(&mut self) {
        self.clean = false;
    }

    /// What [`Self::taint`] was called for is over.
    pub(crate) fn settle(&mut self) {
        self.clean = true;
    }

    fn inner(&mut self) -> &mut Inner {
        self.inner
            .as_mut()
            .expect("a connection is taken away only when it is dropped")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.clean {
            return;
        }
        // Out of the pool, and closed without a word: the database undoes what was not committed.
        match self.inner.take() {
            Some(Inner::Sqlite(connection)) => drop(connection.detach()),
            Some(Inner::MySql(connection)) => drop(connection.detach()),
            Some(Inner::Postgres(connection)) => drop(connection.detach()),
            None => {}
        }
    }
}
