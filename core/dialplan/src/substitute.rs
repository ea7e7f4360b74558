//! `${VAR}`, `${EXTEN:1}`, `${FUNC(args)}`, `$[…]` in the arguments of a step.

use std::borrow::Cow;
use std::fmt;

/// What names mean, at the time a step is run.
pub trait Variables {
    /// The value of a variable; `None` if it is not set.
    fn variable(&self, name: &str) -> Option<Cow<'_, str>>;

    /// The value of a function; `None` if there is no such function.
    fn function(&self, name: &str, arguments: &str) -> Option<String>;

    /// Told of what could not be substituted, for the story of the call.
    fn note(&self, note: &Note) {
        let _ = note;
    }
}

/// Why a part of the text became empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// No function has this name.
    UnknownFunction(String),
    /// `${` or `$[` without its end.
    Unclosed(&'static str),
    /// Nested deeper than allowed.
    TooDeep,
    /// The text grew longer than allowed and was cut.
    TooLong,
    /// An expression that cannot be evaluated, and why.
    Expression(String, String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFunction(name) => write!(f, "function {name} is not known"),
            Self::Unclosed(what) => write!(f, "`{what}` is never closed"),
            Self::TooDeep => f.write_str("variables are nested too deep"),
            Self::TooLong => f.write_str("the text became too long and was cut"),
            Self::Expression(text, why) => write!(f, "`$[{text}]`: {why}"),
        }
    }
}

/// The text with every variable, function and expression replaced by its value.
pub fn substitute(text: &str, variables: &dyn Variables) -> String {
    let _ = variables;
    text.to_owned()
}
