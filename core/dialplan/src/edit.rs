//! Changes to a plan that no file makes: what an operator adds and takes out while calls run.
//!
//! What is added is written as in a file and read by the same reader, so it obeys the same rules.

use crate::extensions::arrange;
use crate::plan::{Extension, Extensions, Include, Plan};
use conf::Diagnostic;

/// Why a plan cannot be changed so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotEdited {
    /// The line is none of `extensions.conf`; what is wrong with it.
    Unreadable(Vec<Diagnostic>),
    /// That priority is there already.
    Exists {
        /// The priority; `None` is the hint.
        priority: Option<u32>,
    },
    /// There is nothing of that name.
    Absent,
}

impl Plan {
    /// Adds one line, `300,1,Answer()`, to a context, which is made if it is not there. With
    /// `replace` it may take the place of another. Nothing changes on an error.
    pub fn add(&mut self, context: &str, line: &str, replace: bool) -> Result<(), NotEdited> {
        let (mut added, messages) = Self::parse(EDITED, &format!("[{context}]\nexten => {line}\n"));
        // A line that is not the first of its extension is read with a warning about that.
        let wrong = |message: &Diagnostic| message.severity == conf::Severity::Error;
        let extensions = added.contexts.remove(context);
        let one = extensions.and_then(|extensions| extensions.iter().next().cloned());
        let Some(one) = one.filter(|_| !messages.iter().any(wrong)) else {
            return Err(NotEdited::Unreadable(messages));
        };
        let mut all = self
            .contexts
            .get(context)
            .cloned()
            .unwrap_or_default()
            .list();
        match all.iter_mut().find(|own| own.is_named_as(&one)) {
            None => all.push(one),
            Some(own) => own.take(one, replace)?,
        }
        self.put(context, all);
        Ok(())
    }

    /// Adds extensions that another file stands for, written as in `extensions.conf`. Those that are there already
    /// stay as they are.
    pub fn add_all(&mut self, file: &str, text: &str) {
        let (added, _) = Self::parse(file, text);
        for (context, extensions) in added.contexts {
            let known = self.contexts.get(&context).cloned();
            let mut all = known.unwrap_or_default().list();
            let count = all.len();
            for one in extensions.iter() {
                if !all[..count].iter().any(|own| own.is_named_as(one)) {
                    let mut one = one.clone();
                    // Its lines are in no text that anybody wrote.
                    for step in one.steps.values_mut() {
                        step.line = 0;
                    }
                    all.push(one);
                }
            }
            self.put(&context, all);
        }
    }

    /// Takes one priority of an extension out, or the whole extension.
    pub fn remove(
        &mut self,
        context: &str,
        exten: &str,
        caller: Option<&str>,
        priority: Option<u32>,
    ) -> Result<(), NotEdited> {
        let extensions = self.contexts.get(context).ok_or(NotEdited::Absent)?;
        let mut all = extensions.clone().list();
        let named = |own: &Extension| own.name == exten && own.caller.as_deref() == caller;
        let index = all.iter().position(named).ok_or(NotEdited::Absent)?;
        match priority {
            None => drop(all.remove(index)),
            Some(priority) => {
                let gone = all[index].steps.remove(&priority);
                gone.ok_or(NotEdited::Absent)?;
                if all[index].steps.is_empty() && all[index].hint.is_none() {
                    all.remove(index);
                }
            }
        }
        self.put(context, all);
        Ok(())
    }

    /// Lets a context include another.
    pub fn add_include(&mut self, context: &str, included: &str) -> Result<(), NotEdited> {
        let extensions = self.contexts.get_mut(context).ok_or(NotEdited::Absent)?;
        if extensions
            .includes
            .iter()
            .any(|own| own.context == included)
        {
            return Err(NotEdited::Exists { priority: None });
        }
        extensions.includes.push(Include {
            context: included.to_owned(),
            times: None,
            timing: None,
            file: EDITED.into(),
            line: 0,
        });
        Ok(())
    }

    /// Takes an include out of a context.
    pub fn remove_include(&mut self, context: &str, included: &str) -> Result<(), NotEdited> {
        let extensions = self.contexts.get_mut(context).ok_or(NotEdited::Absent)?;
        let before = extensions.includes.len();
        extensions.includes.retain(|own| own.context != included);
        match extensions.includes.len() < before {
            true => Ok(()),
            false => Err(NotEdited::Absent),
        }
    }

    /// Takes a whole context out.
    pub fn remove_context(&mut self, context: &str) -> Result<(), NotEdited> {
        let gone = self.contexts.remove(context);
        gone.map(drop).ok_or(NotEdited::Absent)
    }

    fn put(&mut self, context: &str, all: Vec<Extension>) {
        let own = self.contexts.entry(context.to_owned()).or_default();
        let switches = std::mem::take(&mut own.switches);
        *own = arrange(all, std::mem::take(&mut own.includes));
        own.switches = switches;
    }
}

/// The file of what no file holds.
pub const EDITED: &str = "";

impl Extensions {
    fn list(self) -> Vec<Extension> {
        let plain = self.plain.into_values().flatten();
        plain.chain(self.patterns).collect()
    }
}

impl Extension {
    fn is_named_as(&self, other: &Self) -> bool {
        self.name == other.name && self.caller == other.caller
    }

    fn take(&mut self, other: Self, replace: bool) -> Result<(), NotEdited> {
        let there = |priority: &&u32| self.steps.contains_key(*priority);
        if !replace {
            if let Some(priority) = other.steps.keys().find(there) {
                let priority = Some(*priority);
                return Err(NotEdited::Exists { priority });
            }
            if self.hint.is_some() && other.hint.is_some() {
                return Err(NotEdited::Exists { priority: None });
            }
        }
        self.steps.extend(other.steps);
        self.hint = other.hint.or_else(|| self.hint.take());
        Ok(())
    }
}
