//! `switch =>`: other places where the extensions of a context are looked for.
//!
//! A context's own extensions are searched first, then those of its switches, then what it includes, as in
//! Asterisk. Of Asterisk's switches one is served: `Realtime`, which asks a table of a database. The plan
//! reads no tables: a search that comes to one says which [`Question`] it has, and is begun anew with the
//! [`Answers`] so far.

use crate::plan::{Extension, Extensions, Plan, Position, Step};
use crate::substitute::{Variables, substitute};
use conf::closest;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One `switch =>` of a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AltSwitch {
    /// What is asked, as written: `Realtime/sets@extensions`.
    pub written: String,
    /// Whether variables in it are read at each look (`eswitch`).
    pub evaluated: bool,
    /// The file it was read from.
    pub file: Arc<str>,
    /// Its line in that file.
    pub line: u32,
    /// The column it stands in.
    pub column: u32,
}

/// What stands behind `Realtime/`: a table of extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realtime {
    /// The context in the table; that of the search if unset.
    pub context: Option<String>,
    /// The family that `extconfig.conf` maps to a table.
    pub family: String,
    /// Whether patterns in the table count; the option `p` turns them off.
    pub patterns: bool,
}

/// Something of a switch that is not as Asterisk has it, and what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SwitchFault {
    pub(crate) message: String,
    pub(crate) advice: String,
    /// Whether nothing is asked because of it.
    pub(crate) unserved: bool,
}

/// Switches of Asterisk that are not served: why, and what to write.
const UNSERVED: [(&str, &str, &str); 4] = [
    (
        "Loopback",
        "contexts are joined by `include`",
        "write `include => CONTEXT`, or `exten => _X.,1,Goto(CONTEXT,12${EXTEN},1)` for another number",
    ),
    (
        "IAX2",
        "IAX2 is not spoken",
        "reach that server by SIP, from an extension that dials it",
    ),
    (
        "DUNDi",
        "DUNDi is not spoken",
        "write the extensions into this file or into a table",
    ),
    (
        "Lua",
        "extensions.lua is not read",
        "write the extensions into this file or into a table",
    ),
];
/// The family that is asked if none is named.
const FAMILY: &str = "extensions";

impl AltSwitch {
    /// The table that is asked; `None` if this switch is not served.
    pub fn table(&self, variables: &dyn Variables) -> Option<Realtime> {
        let written = match self.evaluated {
            true => Cow::Owned(substitute(&self.written, variables)),
            false => Cow::Borrowed(self.written.as_str()),
        };
        let (name, data) = split(&written);
        (name.eq_ignore_ascii_case("Realtime")).then(|| Realtime::parse(data))
    }

    /// What is wrong with a switch as it is written.
    pub(crate) fn faults(written: &str) -> Vec<SwitchFault> {
        let (name, data) = split(written);
        let fault = |message: String, advice: String, unserved| SwitchFault {
            message,
            advice,
            unserved,
        };
        if !name.eq_ignore_ascii_case("Realtime") {
            let mut unserved = UNSERVED.iter();
            let known = unserved.find(|(own, ..)| own.eq_ignore_ascii_case(name));
            let names = UNSERVED.iter().map(|(own, ..)| *own).chain(["Realtime"]);
            let said = match (known, closest(name, names)) {
                (Some((name, why, advice)), _) => fault(
                    format!("switch `{name}` is accepted, has no effect here, because {why}"),
                    (*advice).to_owned(),
                    true,
                ),
                (None, Some(meant)) => fault(
                    format!("no switch is called `{name}`"),
                    format!("did you mean `{meant}`?"),
                    true,
                ),
                (None, None) => fault(
                    format!("no switch is called `{name}`"),
                    "write `switch => Realtime/CONTEXT@FAMILY`".to_owned(),
                    true,
                ),
            };
            return vec![said];
        }
        let mut faults = Vec::new();
        let (place, options) = data.split_once('/').unwrap_or((data, ""));
        if !place.is_empty() && !place.contains('@') {
            faults.push(fault(
                format!("without an `@` after it, `{place}` is passed over, as in Asterisk"),
                format!(
                    "write `Realtime/{place}@` for a context, `Realtime/@{place}` for a family"
                ),
                false,
            ));
        }
        let strange: String = options.chars().filter(|option| *option != 'p').collect();
        if !strange.is_empty() {
            faults.push(fault(
                format!("`Realtime` has no option `{strange}`"),
                "its one option is `p`: patterns in the table do not count".to_owned(),
                false,
            ));
        }
        faults
    }
}

/// The name of a switch, and what stands behind the slash.
fn split(written: &str) -> (&str, &str) {
    let (name, data) = written.split_once('/').unwrap_or((written, ""));
    (name.trim(), data.trim())
}

impl Realtime {
    /// `[context]@[family][/options]`.
    fn parse(data: &str) -> Self {
        let (place, options) = data.split_once('/').unwrap_or((data, ""));
        // Asterisk passes over what has no `@`.
        let (context, family) = place.split_once('@').unwrap_or_default();
        let (context, family) = (context.trim(), family.trim());
        Self {
            context: (!context.is_empty()).then(|| context.to_owned()),
            family: match family {
                "" => FAMILY.to_owned(),
                family => family.to_ascii_lowercase(),
            },
            patterns: !options.contains('p'),
        }
    }
}

/// What a table must be asked before a search can go on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    /// The family that `extconfig.conf` maps to the table.
    pub family: String,
    /// The context in the table.
    pub context: String,
    /// Which of its rows.
    pub wanted: Wanted,
}

/// Which rows of a context.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wanted {
    /// Those of one extension, as dialled.
    Extension(String),
    /// Those of all patterns.
    Patterns,
    /// Any that begins with these digits and has more.
    Longer(String),
}

/// What tables said.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    given: BTreeMap<Question, Option<Arc<Extensions>>>,
}

impl Answers {
    /// Notes what a table said; `None`: it cannot be asked now.
    pub fn give(&mut self, question: Question, answer: Option<Arc<Extensions>>) {
        self.given.insert(question, answer);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.given.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }
}

/// Why a search has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// This must be asked first.
    Ask(Question),
    /// Nothing was found, and a table that may have it cannot be asked now.
    Away,
}

/// A search through the files and those tables that were asked.
#[derive(Clone, Copy)]
pub struct Lookup<'a> {
    pub(crate) plan: &'a Plan,
    /// What tables said.
    pub answers: &'a Answers,
    /// The calling party's number.
    pub caller: Option<&'a str>,
    /// What an `eswitch` may name.
    pub variables: &'a dyn Variables,
}

/// How far a search has come.
struct State<T> {
    result: Result<Option<T>, Question>,
    /// A table could not be asked.
    away: bool,
    /// The extension is known, maybe without what is wanted of it.
    seen: bool,
}

impl Lookup<'_> {
    /// Whether there is an extension for what was dialled, with a first priority.
    ///
    /// # Errors
    ///
    /// What must be asked first.
    pub fn exists(&self, context: &str, exten: &str) -> Result<bool, Unanswered> {
        let first = |extension: &Extension| extension.steps.contains_key(&1).then_some(());
        Ok(self.search(context, exten, first)?.is_some())
    }

    /// The step at a position.
    ///
    /// # Errors
    ///
    /// What must be asked first.
    pub fn step(&self, at: &Position) -> Result<Option<Step>, Unanswered> {
        let step = |extension: &Extension| extension.steps.get(&at.priority).cloned();
        self.search(&at.context, &at.exten, step)
    }

    /// Whether more digits could make another extension than `digits` alone.
    ///
    /// # Errors
    ///
    /// What must be asked first.
    pub fn could_be_longer(&self, context: &str, digits: &str) -> Result<bool, Unanswered> {
        let mut result = Ok(false);
        self.plan
            .visit_now(context, self.variables, &mut |name, extensions| {
                result = match extensions.could_be_longer(digits, self.caller) {
                    true => Ok(true),
                    false => self.tables_could_be_longer(name, extensions, digits),
                };
                result != Ok(false)
            });
        result.map_err(Unanswered::Ask)
    }

    fn tables_could_be_longer(
        &self,
        context: &str,
        extensions: &Extensions,
        digits: &str,
    ) -> Result<bool, Question> {
        for table in self.tables(extensions) {
            let mut wanted = vec![Wanted::Longer(digits.to_owned())];
            wanted.extend(table.patterns.then_some(Wanted::Patterns));
            for wanted in wanted {
                let rows = self.rows(&table, context, wanted)?;
                if rows.is_some_and(|rows| rows.could_be_longer(digits, self.caller)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn search<T>(
        &self,
        context: &str,
        exten: &str,
        found: impl Fn(&Extension) -> Option<T>,
    ) -> Result<Option<T>, Unanswered> {
        let mut state = State {
            result: Ok(None),
            away: false,
            seen: false,
        };
        self.plan
            .visit_now(context, self.variables, &mut |name, extensions| {
                if let Some(first) = &self.plan.overriding {
                    self.ask(first.table(self.variables), name, exten, &found, &mut state);
                }
                if state.goes_on() {
                    let own = extensions.matching(exten, self.caller);
                    state.take(own, &found);
                }
                for table in self.tables(extensions) {
                    if state.goes_on() {
                        self.ask(Some(table), name, exten, &found, &mut state);
                    }
                }
                !state.goes_on()
            });
        match state.result {
            Ok(None) if state.away && !state.seen => Err(Unanswered::Away),
            Ok(result) => Ok(result),
            Err(question) => Err(Unanswered::Ask(question)),
        }
    }

    /// Looks into one table: the extension itself, then patterns.
    fn ask<T>(
        &self,
        table: Option<Realtime>,
        context: &str,
        exten: &str,
        found: impl Fn(&Extension) -> Option<T>,
        state: &mut State<T>,
    ) {
        let Some(table) = table.filter(|_| !exten.is_empty()) else {
            return;
        };
        let mut wanted = vec![Wanted::Extension(exten.to_owned())];
        wanted.extend(table.patterns.then_some(Wanted::Patterns));
        for wanted in wanted {
            match self.rows(&table, context, wanted) {
                Err(question) => state.result = Err(question),
                Ok(None) => state.away = true,
                Ok(Some(rows)) => state.take(rows.matching(exten, self.caller), &found),
            }
            if !state.goes_on() {
                return;
            }
        }
    }

    fn tables(&self, extensions: &Extensions) -> impl Iterator<Item = Realtime> {
        let switches = extensions.switches.iter();
        switches.filter_map(|switch| switch.table(self.variables))
    }

    /// What a table said; nothing if it could not be asked.
    fn rows(
        &self,
        table: &Realtime,
        context: &str,
        wanted: Wanted,
    ) -> Result<Option<&Extensions>, Question> {
        let question = Question {
            family: table.family.clone(),
            context: table.context.as_deref().unwrap_or(context).to_owned(),
            wanted,
        };
        match self.answers.given.get(&question) {
            Some(answer) => Ok(answer.as_deref()),
            None => Err(question),
        }
    }
}

impl<T> State<T> {
    fn goes_on(&self) -> bool {
        matches!(self.result, Ok(None))
    }

    fn take<'e>(
        &mut self,
        extensions: impl Iterator<Item = &'e Extension>,
        found: impl Fn(&Extension) -> Option<T>,
    ) {
        for extension in extensions {
            self.seen = true;
            if let Some(what) = found(extension) {
                self.result = Ok(Some(what));
                return;
            }
        }
    }
}
