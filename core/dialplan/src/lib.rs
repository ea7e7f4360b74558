//! `extensions.conf`: which application runs next.
//!
//! [`Plan`] is an immutable value read from text: contexts of extensions, each a list of numbered
//! steps. The softswitch asks it for the [`Step`] at a [`Position`], substitutes variables in the
//! arguments with [`substitute`], runs the application and moves on. Nothing here knows what an
//! application does. Where a context has a `switch` to a table, [`Plan::lookup`] says what must be asked of it.

mod alternative;
mod edit;
mod expression;
mod extensions;
mod faults;
mod pattern;
mod plan;
mod substitute;
mod table;
mod timing;

pub use alternative::{AltSwitch, Answers, Lookup, Question, Realtime, Unanswered, Wanted};
pub use conf::{Diagnostic, Severity};
pub use edit::{EDITED, NotEdited};
pub use expression::evaluate;
pub use extensions::WITHOUT_EFFECT;
pub use faults::functions_used;
pub use pattern::{Pattern, PatternError};
pub use plan::{Extension, Extensions, Include, Plan, Position, Step};
pub use substitute::{Note, Variables, substitute};
pub use table::{BadRow, TableRow};
pub use timing::{BadTiming, Moment, Timing};
