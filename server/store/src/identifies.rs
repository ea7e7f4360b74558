//! `ps_endpoint_id_ips`: what requests are known by besides their user, a list that is kept for a second.
//!
//! Every packet of a stranger asks for it, so it is read whole, once for all who ask, and taken
//! apart only when it has changed. A slow database holds nobody up for longer than [`PATIENCE`]: then
//! the list counts as it was last.

use crate::backend::Row;
use crate::cache::AGE_MAX;
use crate::opened::Opened;
use crate::store::{PATIENCE, Store};
use config::{Config, Identify, Object as _, Origin};
use std::sync::Arc;
use tokio::sync::SetOnce;
use tokio::time::{Instant, timeout, timeout_at};

/// Rows that are read; requests are compared with each.
pub const IDENTIFIES_MAX: usize = 2_000;
/// The table, by the name Asterisk gives it.
pub(crate) const TABLE: &str = "ps_endpoint_id_ips";

/// `identify` objects of the files and of the database, in the order in which they are looked for.
#[derive(Clone, Debug)]
pub struct Identifies {
    config: Arc<Config>,
    table: Arc<Listed>,
    origins: [Option<Origin>; 2],
}

impl Identifies {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Identify> + Send {
        let origins = self.origins.iter().flatten();
        origins.flat_map(|origin| match origin {
            Origin::Files => self.config.identifies.iter(),
            Origin::Table => self.table.identifies.iter(),
        })
    }
}

/// The table as it was read.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    rows: Vec<Row>,
    identifies: Vec<Identify>,
}

/// Where all who wait for one question find the answer; nothing in it, there was none.
type Slot = Arc<SetOnce<Option<Arc<Listed>>>>;

/// What is remembered of the table.
#[derive(Default)]
pub(crate) struct Remembered {
    asked: Option<(Slot, Instant)>,
    known: Arc<Listed>,
}

impl Remembered {
    /// The place of the answer, when it was asked for, and whether the caller must see it filled.
    fn slot(&mut self, now: Instant) -> (Slot, Instant, bool) {
        if let Some((slot, since)) = &self.asked
            && (now.duration_since(*since) < AGE_MAX || !slot.initialized())
        {
            return (Arc::clone(slot), *since, false);
        }
        let slot = Slot::default();
        self.asked = Some((Arc::clone(&slot), now));
        (slot, now, true)
    }

    /// It must be asked for again; what is known for bad times stays.
    pub(crate) fn forget(&mut self) {
        self.asked = None;
    }
}

impl Store {
    /// What requests are known by besides their user, from the files and the database. What the
    /// database says is at most a second old, unless it is away or slow.
    pub async fn identifies(&self) -> Identifies {
        let (config, opened) = self.in_force();
        let mut origins = [Some(Origin::Files), None];
        let mut table = Arc::default();
        if let Some(opened) = opened {
            let said = opened.backend().settings().origins(Identify::KIND);
            origins = [said.first().copied(), said.get(1).copied()];
            if said.contains(&Origin::Table) {
                table = self.listed(&opened, &config).await;
            }
        }
        Identifies {
            config,
            table,
            origins,
        }
    }

    async fn listed(&self, opened: &Arc<Opened>, config: &Arc<Config>) -> Arc<Listed> {
        let (slot, since, fresh, known) = {
            let mut cache = opened.cache();
            let remembered = &mut cache.identifies;
            let (slot, since, fresh) = remembered.slot(Instant::now());
            (slot, since, fresh, Arc::clone(&remembered.known))
        };
        if fresh {
            // Whether or not the one who asks is still there.
            let (opened, config, slot) = (opened.clone(), config.clone(), slot.clone());
            self.tasks().spawn(async move {
                let limit = opened.backend().patience();
                let look = timeout(limit, opened.read_identifies(&config)).await;
                let _ = slot.set(look.ok().flatten());
            });
        }
        match timeout_at(since + PATIENCE, slot.wait()).await {
            Ok(Some(listed)) => Arc::clone(listed),
            Ok(None) | Err(_) => known,
        }
    }
}

impl Opened {
    /// Reads the table, and takes it apart if it has changed; nothing if it cannot be read.
    pub(crate) async fn read_identifies(&self, config: &Config) -> Option<Arc<Listed>> {
        let _turn = self.turns.acquire().await;
        let rows = self.realtime.identify_rows().await.ok()?;
        let known = Arc::clone(&self.cache().identifies.known);
        if rows == known.rows {
            return Some(known);
        }
        let identifies = self.realtime.identifies(config, &rows);
        let listed = Arc::new(Listed { rows, identifies });
        self.cache().identifies.known = Arc::clone(&listed);
        Some(listed)
    }
}

#[cfg(test)]
mod tests {
    use super::Remembered;
    use crate::cache::AGE_MAX;
    use tokio::time::Instant;

    #[test]
    fn one_question_a_second_and_one_at_a_time() {
        let start = Instant::now();
        let mut remembered = Remembered::default();
        let (slot, _, fresh) = remembered.slot(start);
        assert!(fresh);
        let (_, since, fresh) = remembered.slot(start + 3 * AGE_MAX);
        assert!(!fresh && since == start, "it is on its way");
        slot.set(None).unwrap();
        let (_, _, fresh) = remembered.slot(start + AGE_MAX);
        assert!(fresh);
        remembered.forget();
        let (_, _, fresh) = remembered.slot(start + AGE_MAX);
        assert!(fresh, "it has changed");
    }
}
