//! Extensions of the files and of the tables that `switch` lines name.
//!
//! The plan says what must be asked; the store answers from what it has asked in this second, or asks.

use std::borrow::Cow;
use std::sync::Arc;

use dialplan::{Answers, Lookup, Moment, Position, Step, Unanswered};
use store::{Store, StoreError};

use crate::channel::Channel;
use crate::clock::time_of_day;
use crate::event::AppResult;
use crate::switch::Switch;

/// Tables asked in one search; a plan names fewer.
const QUESTIONS_MAX: usize = 256;

impl Switch {
    /// Whether there is an extension for what was dialled, with a first priority.
    ///
    /// # Errors
    ///
    /// When no file has it, and a table that may have it cannot be asked.
    pub async fn has_extension(
        &self,
        context: &str,
        exten: &str,
        caller: Option<&str>,
    ) -> Result<bool, StoreError> {
        self.search(caller, |lookup| lookup.exists(context, exten))
            .await
    }

    /// Whether more digits could make another extension than `digits` alone.
    ///
    /// # Errors
    ///
    /// As [`Self::has_extension`].
    pub async fn could_be_longer(
        &self,
        context: &str,
        digits: &str,
        caller: Option<&str>,
    ) -> Result<bool, StoreError> {
        self.search(caller, |lookup| lookup.could_be_longer(context, digits))
            .await
    }

    async fn search<T>(
        &self,
        caller: Option<&str>,
        look: impl Fn(Lookup<'_>) -> Result<T, Unanswered>,
    ) -> Result<T, StoreError> {
        let plan = Arc::clone(&self.config().plan);
        let mut told = Told::default();
        loop {
            let question = match look(plan.lookup(&told.answers, caller, &Globals(self))) {
                Ok(found) => return Ok(found),
                Err(Unanswered::Ask(question)) if told.answers.len() < QUESTIONS_MAX => question,
                Err(Unanswered::Ask(_) | Unanswered::Away) => return Err(told.error()),
            };
            let answer = self.store().extensions(&question).await;
            told.note(question, answer);
        }
    }
}

impl Channel {
    /// The step where the channel stands; an error inside if no file has one and a table that may have it
    /// cannot be asked.
    pub(crate) async fn step(&mut self) -> AppResult<Result<Option<Step>, StoreError>> {
        self.search(|lookup, at| lookup.step(at)).await
    }

    /// Whether the extension goes on after the step where the channel stands. A table that cannot be asked
    /// has nothing.
    pub async fn has_next_priority(&mut self) -> AppResult<bool> {
        let next = |at: &Position| Position {
            priority: at.priority + 1,
            ..at.clone()
        };
        let step = self.search(|lookup, at| lookup.step(&next(at))).await?;
        Ok(matches!(step, Ok(Some(_))))
    }

    /// The application of another step of the extension where the channel stands; `None`: there is no such step.
    pub async fn application_at(&mut self, priority: u32) -> AppResult<Option<String>> {
        let there = |at: &Position| Position {
            priority,
            ..at.clone()
        };
        let step = self.search(|lookup, at| lookup.step(&there(at))).await?;
        Ok(step.ok().flatten().map(|step| step.application))
    }

    /// Whether there is such an extension of the channel's context, with a first priority.
    pub async fn has_extension(&mut self, exten: &str) -> AppResult<Result<bool, StoreError>> {
        self.search(|lookup, at| lookup.exists(&at.context, exten))
            .await
    }

    /// Whether more digits could make another extension of the channel's context.
    pub(crate) async fn could_be_longer(
        &mut self,
        digits: &str,
    ) -> AppResult<Result<bool, StoreError>> {
        self.search(|lookup, at| lookup.could_be_longer(&at.context, digits))
            .await
    }

    /// While a table is asked, the end of the call interrupts; after its end (`h`) nothing does.
    async fn search<T>(
        &mut self,
        look: impl Fn(Lookup<'_>, &Position) -> Result<T, Unanswered>,
    ) -> AppResult<Result<T, StoreError>> {
        let plan = Arc::clone(&self.switch().config().plan);
        let store: Store = self.switch().store().clone();
        let mut told = Told::default();
        loop {
            let caller = Some(self.caller.number.as_str());
            let question = match look(plan.lookup(&told.answers, caller, &*self), &self.at) {
                Ok(found) => return Ok(Ok(found)),
                Err(Unanswered::Ask(question)) if told.answers.len() < QUESTIONS_MAX => question,
                Err(Unanswered::Ask(_) | Unanswered::Away) => return Ok(Err(told.error())),
            };
            let asked = store.extensions(&question);
            let answer = match self.ended() {
                Some(_) => asked.await,
                None => self.during(asked).await?,
            };
            told.note(question, answer);
        }
    }
}

/// What tables said, and why one said nothing.
#[derive(Default)]
struct Told {
    answers: Answers,
    error: Option<StoreError>,
}

impl Told {
    fn note(
        &mut self,
        question: dialplan::Question,
        answer: Result<Arc<dialplan::Extensions>, StoreError>,
    ) {
        let answer = match answer {
            Ok(extensions) => Some(extensions),
            Err(error) => {
                self.error = Some(error);
                None
            }
        };
        self.answers.give(question, answer);
    }

    fn error(self) -> StoreError {
        self.error.unwrap_or(StoreError::Busy(QUESTIONS_MAX))
    }
}

/// What an `eswitch` sees where there is no channel yet.
struct Globals<'a>(&'a Switch);

impl dialplan::Variables for Globals<'_> {
    fn variable(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.global(name).map(Cow::Owned)
    }

    fn function(&self, _: &str, _: &str) -> Option<String> {
        None
    }

    fn moment(&self, zone: Option<&str>) -> Option<Moment> {
        time_of_day(zone).ok()
    }
}
