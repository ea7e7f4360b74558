//! Tables of extensions, which the dial plan asks where a context has `switch => Realtime/…`.
//!
//! An answer is at most a second old, and however many calls ask meanwhile, they cost one query. While the
//! database is away or slow, what it said last is used; a call waits for nobody else's answer.

use crate::StoreError;
use crate::cache::Slot;
use crate::opened::Opened;
use crate::store::{PATIENCE, QUESTIONS_MAX, Store};
use dialplan::{Extensions, Question, Wanted};
use std::sync::Arc;
use tokio::time::{Instant, timeout, timeout_at};

impl Store {
    /// What a table of extensions has for a question. What the database says is at most a second old;
    /// while it is away or slow, what it said last is used, for a day at most.
    ///
    /// # Errors
    ///
    /// When the database does not answer and nothing is known from before.
    pub async fn extensions(&self, question: &Question) -> Result<Arc<Extensions>, StoreError> {
        let (_, opened) = self.in_force();
        let opened = opened.ok_or(StoreError::Absent)?;
        let key = key(question);
        let (slot, known) = {
            let now = Instant::now();
            let mut cache = opened.cache();
            let (slot, fresh) = cache.extensions.slot(&key, now);
            if fresh {
                self.ask_table(&opened, question.clone(), &slot);
            }
            (slot, cache.extensions.known(&key, now))
        };
        let answer = match known {
            None => slot.wait().await.clone(),
            Some(known) => match timeout(PATIENCE, slot.wait()).await {
                Ok(Ok(answer)) => Ok(answer.clone()),
                Ok(Err(_)) | Err(_) => {
                    self.note_served_from_memory();
                    Ok(Some(known))
                }
            },
        };
        Ok(answer?.unwrap_or_default())
    }

    /// Has the slot filled, whether or not the one who asks is still there.
    fn ask_table(&self, opened: &Arc<Opened>, question: Question, slot: &Slot<Extensions>) {
        let Ok(place) = Arc::clone(self.questions()).try_acquire_owned() else {
            let _ = slot.set(Err(StoreError::Busy(QUESTIONS_MAX)));
            return;
        };
        let (opened, slot) = (Arc::clone(opened), Arc::clone(slot));
        self.tasks().spawn(async move {
            let limit = opened.backend().patience();
            let look = async {
                let _turn = opened.turns.acquire().await;
                opened.realtime.extensions(&question).await
            };
            let answer = match timeout_at(Instant::now() + limit, look).await {
                Ok(answer) => answer.map(Arc::new),
                Err(_) => Err(opened.backend().late(limit)),
            };
            if let Ok(extensions) = &answer {
                // What strangers dial in vain is not worth keeping; that a context has no pattern is.
                let keeps = !extensions.is_empty() || question.wanted == Wanted::Patterns;
                let mut cache = opened.cache();
                let now = Instant::now();
                let learned = keeps.then_some(extensions);
                cache.extensions.learn(&key(&question), learned, now);
            }
            let _ = slot.set(answer.map(Some));
            drop(place);
        });
    }
}

/// One text for each question: no name holds a NUL that finds a row.
fn key(question: &Question) -> String {
    let Question {
        family,
        context,
        wanted,
    } = question;
    match wanted {
        Wanted::Extension(exten) => format!("{family}\0{context}\0={exten}"),
        Wanted::Patterns => format!("{family}\0{context}\0_"),
        Wanted::Longer(digits) => format!("{family}\0{context}\0+{digits}"),
    }
}
