//! Variables of a channel and of the exchange.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::seen::Seen;

/// Variables one channel may set, and the exchange may hold globally.
pub const VARIABLES_MAX: usize = 1_000;

/// Bytes of one value. Asterisk cuts at 4096.
pub const VALUE_BYTES_MAX: usize = 8_192;

/// A bounded map from names, compared with case as in Asterisk, to values.
#[derive(Debug, Default)]
pub struct Variables {
    values: BTreeMap<String, Value>,
    /// Where others see them.
    seen: Option<Arc<Seen>>,
    /// What functions set while a text is read that names them: `${INC(n)}`.
    as_read: RefCell<Vec<(String, String)>>,
    /// Texts within texts that are being read.
    depth: Cell<usize>,
    /// Texts that were read since the outermost of them began.
    texts: Cell<usize>,
    /// A text has been left out since then.
    left_out: Cell<bool>,
}

/// Texts that are read within each other, that of the step and `${EVAL(…)}`.
const DEPTH_MAX: usize = 9;

/// Texts that are read within that of a step, in all: each may have many within it.
const TEXTS_MAX: usize = 1_000;

/// What one text may set while it is read.
const AS_READ_MAX: usize = 100;

#[derive(Clone, Debug)]
struct Value {
    text: String,
    inherited: Inherited,
}

/// Whether channels that this one calls have the variable too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inherited {
    /// `NAME`.
    Never,
    /// `_NAME`: those have it, and those they call do not.
    Once,
    /// `__NAME`.
    Always,
}

/// Why a variable was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// The name is empty or has characters that `${…}` could not read again.
    #[error("that is not the name of a variable")]
    Name,
    /// There are [`VARIABLES_MAX`] already.
    #[error("there are {VARIABLES_MAX} variables already")]
    TooMany,
    /// The value has more than [`VALUE_BYTES_MAX`] bytes.
    #[error("the value has more than {VALUE_BYTES_MAX} bytes")]
    TooLong,
    /// The function cannot be set so.
    #[error("the function cannot be set so")]
    Function,
    /// No function has this name.
    #[error("there is no such function")]
    NoFunction,
    /// The function tells something and takes nothing.
    #[error("the function can only be read")]
    ReadOnly,
    /// The function has no such item.
    #[error("the function has no such item")]
    Item,
    /// The function cannot take that value.
    #[error("that is no value for it")]
    Value,
}

impl Variables {
    /// None so far; others will see those there are.
    pub(crate) fn seen(seen: Arc<Seen>) -> Self {
        Self {
            seen: Some(seen),
            ..Self::default()
        }
    }

    /// What others have set, to be set by the channel itself.
    pub(crate) fn take_given(&self) -> Vec<(String, String)> {
        self.seen
            .as_deref()
            .map(Seen::take_given)
            .unwrap_or_default()
    }

    /// The value of `name`.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.text.as_str())
    }

    /// Sets `name`; an empty value removes it, as in Asterisk.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SetError> {
        // Asterisk: `_NAME` and `__NAME` are inherited by channels this one creates, and read as NAME.
        let inherited = match name.len() - name.trim_start_matches('_').len() {
            0 => Inherited::Never,
            1 => Inherited::Once,
            _ => Inherited::Always,
        };
        let name = name.trim_start_matches('_');
        if name.is_empty() || name.contains(['$', '{', '}', '[', ']', ':', '(', ')', ',']) {
            return Err(SetError::Name);
        }
        if value.is_empty() {
            self.values.remove(name);
            self.show(name, value);
            return Ok(());
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(SetError::TooLong);
        }
        if self.values.len() >= VARIABLES_MAX && !self.values.contains_key(name) {
            return Err(SetError::TooMany);
        }
        self.show(name, value);
        let text = value.to_owned();
        let value = Value { text, inherited };
        self.values.insert(name.to_owned(), value);
        Ok(())
    }

    /// Takes over those of another channel, which go before its own.
    pub(crate) fn adopt(&mut self, other: &Self) {
        for (name, value) in &other.values {
            if self.values.len() < VARIABLES_MAX || self.values.contains_key(name) {
                self.show(name, &value.text);
                self.values.insert(name.clone(), value.clone());
            }
        }
    }

    fn show(&self, name: &str, value: &str) {
        if let Some(seen) = &self.seen {
            seen.show(name, value);
        }
    }

    /// The value of `name`, with what was set since the text that is read began.
    pub(crate) fn value_as_read(&self, name: &str) -> Option<Cow<'_, str>> {
        let as_read = self.as_read.borrow();
        let set = as_read.iter().rev().find(|(set, _)| set == name);
        match set {
            Some((_, value)) => (!value.is_empty()).then(|| Cow::Owned(value.clone())),
            None => self.value(name).map(Cow::Borrowed),
        }
    }

    /// Sets `name` while a text is read; it is kept when that is done, by [`Self::take_as_read`]. `false`: there is
    /// too much.
    pub(crate) fn set_as_read(&self, name: &str, value: &str) -> bool {
        let mut as_read = self.as_read.borrow_mut();
        let fits = as_read.len() < AS_READ_MAX && value.len() <= VALUE_BYTES_MAX;
        if fits {
            as_read.push((name.to_owned(), value.to_owned()));
        }
        fits
    }

    /// What was set while a text was read.
    pub(crate) fn take_as_read(&mut self) -> Vec<(String, String)> {
        std::mem::take(self.as_read.get_mut())
    }

    /// Reads a text, maybe within another; `None`: they are too deep in each other, or too many.
    pub(crate) fn within<T>(&self, read: impl FnOnce() -> T) -> Option<T> {
        let depth = self.depth.get();
        if depth == 0 {
            self.texts.set(0);
            self.left_out.set(false);
        }
        if depth >= DEPTH_MAX || self.texts.get() >= TEXTS_MAX {
            return None;
        }
        self.texts.set(self.texts.get() + 1);
        self.depth.set(depth + 1);
        let value = read();
        self.depth.set(depth);
        Some(value)
    }

    /// A text is left out. `true`: the first one within the outermost.
    pub(crate) fn leave_out(&self) -> bool {
        !self.left_out.replace(true)
    }

    /// Those that a channel called by this one has too, each with the name to set there.
    pub fn inherited(&self) -> Vec<(String, String)> {
        let heirs = self.values.iter().filter_map(|(name, value)| {
            let name = match value.inherited {
                Inherited::Never => return None,
                Inherited::Once => name.clone(),
                Inherited::Always => format!("__{name}"),
            };
            Some((name, value.text.clone()))
        });
        heirs.collect()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value.text.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::{SetError, VALUE_BYTES_MAX, VARIABLES_MAX, Variables};

    #[test]
    fn inheritance_marks_are_not_part_of_the_name() {
        let mut variables = Variables::default();
        variables.set("__TRUNK", "a").unwrap();
        assert_eq!(variables.value("TRUNK"), Some("a"));
        variables.set("TRUNK", "").unwrap();
        assert_eq!(variables.value("TRUNK"), None);
    }

    #[test]
    fn marked_variables_are_inherited_once_or_for_ever() {
        let mut variables = Variables::default();
        for name in ["OWN", "_ONCE", "__ALWAYS"] {
            variables.set(name, "x").unwrap();
        }
        let mut child = Variables::default();
        for (name, value) in variables.inherited() {
            child.set(&name, &value).unwrap();
        }
        assert_eq!(child.value("OWN"), None);
        assert_eq!(
            (child.value("ONCE"), child.value("ALWAYS")),
            (Some("x"), Some("x"))
        );
        assert_eq!(child.inherited(), [("__ALWAYS".to_owned(), "x".to_owned())]);
    }

    #[test]
    fn a_dial_plan_cannot_fill_the_memory() {
        let mut variables = Variables::default();
        for index in 0..VARIABLES_MAX {
            variables.set(&format!("V{index}"), "x").unwrap();
        }
        assert_eq!(variables.set("ONE_MORE", "x"), Err(SetError::TooMany));
        assert_eq!(variables.set("V1", "y"), Ok(()));
        let long = "x".repeat(VALUE_BYTES_MAX + 1);
        assert_eq!(variables.set("V1", &long), Err(SetError::TooLong));
        assert_eq!(variables.set("a${b}", "x"), Err(SetError::Name));
    }
}
