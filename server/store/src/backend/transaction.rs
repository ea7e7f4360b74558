//! Several statements that happen together or not at all.

use super::connection::{Connection, Verb};
use super::{Backend, Dialect, Row, Value};
use crate::StoreError;

/// A transaction. Dropped without [`Self::commit`] it has not happened.
pub struct Transaction {
    backend: Backend,
    connection: Connection,
}

impl Transaction {
    pub(super) async fn begin(backend: &Backend) -> Result<Self, StoreError> {
        let mut connection = backend.connection().await?;
        connection.taint();
        // SQLite must not find out in the middle that another writes.
        let begin = match backend.dialect() {
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::MySql => "START TRANSACTION",
            Dialect::Postgres => "BEGIN",
        };
        let mut transaction = Self {
            backend: backend.clone(),
            connection,
        };
        transaction.raw(begin).await?;
        Ok(transaction)
    }

    pub(super) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// The rows of a `SELECT`.
    ///
    /// # Errors
    ///
    /// When there is no answer in time, or the database refuses.
    pub async fn fetch(&mut self, sql: &str, binds: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let backend = self.backend.clone();
        let done = backend.run_on(&mut self.connection, Verb::Fetch, sql, binds);
        let done = done.await;
        backend.note(&done);
        Ok(done?.rows)
    }

    /// The first row of a `SELECT`.
    ///
    /// # Errors
    ///
    /// As [`Self::fetch`].
    pub async fn fetch_one(
        &mut self,
        sql: &str,
        binds: &[Value<'_>],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch(sql, binds).await?.into_iter().next())
    }

    /// Runs a statement; the number of rows it changed.
    ///
    /// # Errors
    ///
    /// As [`Self::fetch`].
    pub async fn execute(&mut self, sql: &str, binds: &[Value<'_>]) -> Result<u64, StoreError> {
        let backend = self.backend.clone();
        let done = backend.run_on(&mut self.connection, Verb::Execute, sql, binds);
        let done = done.await;
        backend.note(&done);
        Ok(done?.changed)
    }

    /// Makes it happen.
    ///
    /// # Errors
    ///
    /// As [`Self::fetch`]. If the connection is lost meanwhile, nobody knows whether it happened.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        self.raw("COMMIT").await?;
        self.connection.settle();
        Ok(())
    }

    /// Ends it as if it had not begun, and keeps the connection.
    ///
    /// # Errors
    ///
    /// As [`Self::fetch`]; it has not happened then either.
    pub async fn rollback(mut self) -> Result<(), StoreError> {
        self.raw("ROLLBACK").await?;
        self.connection.settle();
        Ok(())
    }

    /// A statement that the protocols of prepared statements do not take.
    async fn raw(&mut self, sql: &str) -> Result<(), StoreError> {
        let limit = self.backend.query_timeout();
        let done = match tokio::time::timeout(limit, self.connection.run_raw(sql)).await {
            Ok(done) => done.map_err(StoreError::from),
            Err(_) => Err(StoreError::Timeout(limit)),
        };
        self.backend.note(&done);
        done.map(drop)
    }
}
