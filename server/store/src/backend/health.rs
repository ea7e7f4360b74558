//! What is known of the database's health, so that not everybody has to find out for himself.

use crate::StoreError;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// What is wrong with the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Of which kind it is.
    pub kind: TroubleKind,
    /// Since when.
    pub since: SystemTime,
    /// What the last one who asked was told.
    pub error: String,
}

/// The kinds of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// Nobody gets a connection.
    Unreachable,
    /// Some statements got no answer in time.
    Slow,
    /// Some statements are refused: a table, a column or a right is missing.
    Refusing,
}

impl TroubleKind {
    /// Its name, as an operator reads it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Slow => "slow",
            Self::Refusing => "refusing",
        }
    }
}

#[derive(Default)]
pub(super) struct Health {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    trouble: Option<Trouble>,
    /// When somebody last tried although the database was away.
    tried: Option<Instant>,
    /// When a statement last got no answer in time, or was refused.
    failed: Option<Instant>,
}

/// While the database is away one in this time finds out whether it is back; others are told at once.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// So long without a statement that got no answer or was refused, and all is well again.
const PARTLY_FOR: Duration = Duration::from_secs(5);

impl Health {
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.state().trouble.clone()
    }

    /// What those are told who ask while it is away; `None`: it is not known to be.
    pub(super) fn away(&self) -> Option<StoreError> {
        let state = self.state();
        let trouble = state.trouble.as_ref();
        let away = trouble.filter(|trouble| trouble.kind == TroubleKind::Unreachable)?;
        Some(StoreError::Unreachable(away.error.as_str().into()))
    }

    /// Whether it is worth to try.
    pub(super) fn admit(&self) -> Result<(), StoreError> {
        let mut state = self.state();
        let Some(trouble) = &state.trouble else {
            return Ok(());
        };
        if trouble.kind != TroubleKind::Unreachable {
            return Ok(());
        }
        let now = Instant::now();
        let early = |tried: Instant| now.duration_since(tried) < TRY_EVERY;
        if state.tried.is_some_and(early) {
            return Err(StoreError::Unreachable(trouble.error.as_str().into()));
        }
        state.tried = Some(now);
        Ok(())
    }

    pub(super) fn succeeded(&self) {
        let mut state = self.state();
        let Some(trouble) = &state.trouble else {
            return;
        };
        let recent = |failed: Instant| failed.elapsed() < PARTLY_FOR;
        // Another statement may do well meanwhile.
        if trouble.kind != TroubleKind::Unreachable && state.failed.is_some_and(recent) {
            return;
        }
        let seconds = trouble.since.elapsed().unwrap_or_default().as_secs();
        tracing::info!("the database answers again, after {seconds} s");
        *state = State::default();
    }

    /// A statement failed.
    pub(super) fn failed(&self, error: &StoreError, shown: &str) {
        match error {
            error if error.is_unreachable() => self.note(TroubleKind::Unreachable, error, shown),
            StoreError::Timeout(_) => self.note(TroubleKind::Slow, error, shown),
            error if error.is_schema_fault() => self.note(TroubleKind::Refusing, error, shown),
            _ => {}
        }
    }

    /// No connection could be had, for a reason that is not that all are in use.
    pub(super) fn unreachable(&self, error: &StoreError, shown: &str) {
        self.note(TroubleKind::Unreachable, error, shown);
    }

    fn note(&self, kind: TroubleKind, error: &StoreError, shown: &str) {
        let now = Instant::now();
        let mut state = self.state();
        match kind {
            TroubleKind::Unreachable => state.tried = Some(now),
            TroubleKind::Slow | TroubleKind::Refusing => state.failed = Some(now),
        }
        let known = state.trouble.as_ref();
        // What is away is not merely slow.
        if known.is_some_and(|known| known.kind == TroubleKind::Unreachable) {
            return;
        }
        let since = known.map(|known| known.since);
        if known.is_none_or(|known| known.kind != kind) {
            match kind {
                TroubleKind::Unreachable => tracing::error!(
                    "the database {shown} cannot be reached: {error}; what is known of it goes on"
                ),
                TroubleKind::Slow => tracing::warn!("the database {shown} is slow: {error}"),
                TroubleKind::Refusing => tracing::error!(
                    "the database {shown} refuses: {error}; `sidetone db check` tells what to do"
                ),
            }
        }
        state.trouble = Some(Trouble {
            kind,
            since: since.unwrap_or_else(SystemTime::now),
            error: error.to_string(),
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave it half changed in a way that matters.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Health, PARTLY_FOR, TRY_EVERY, TroubleKind};
    use crate::StoreError;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn while_it_is_away_one_in_a_second_tries() {
        let health = Health::default();
        assert!(health.admit().is_ok());
        health.failed(&StoreError::Unreachable("refused".into()), "db");
        assert!(health.admit().is_err());
        tokio::time::advance(TRY_EVERY).await;
        assert!(health.admit().is_ok());
        assert!(health.admit().is_err(), "only one");
        // Nor does one who was told too late make it slow.
        health.failed(&StoreError::Timeout(TRY_EVERY), "db");
        assert!(health.away().is_some_and(|why| why.is_unreachable()));
        health.succeeded();
        assert_eq!(health.trouble(), None);
        assert!(health.admit().is_ok() && health.away().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_in_time_does_not_make_it_quick() {
        let health = Health::default();
        health.failed(&StoreError::Timeout(Duration::from_secs(2)), "db");
        assert!(health.admit().is_ok(), "others may be quicker");
        assert!(health.away().is_none(), "it is there");
        health.succeeded();
        let kind = health.trouble().map(|trouble| trouble.kind);
        assert_eq!(kind, Some(TroubleKind::Slow));
        tokio::time::advance(PARTLY_FOR).await;
        health.succeeded();
        assert_eq!(health.trouble(), None);
    }
}
