//! `extensions.conf`: which application runs next.
//!
//! [`Plan`] is an immutable value read from text: contexts of extensions, each a list of numbered
//! steps. The softswitch asks it for the [`Step`] at a [`Position`], substitutes variables in the
//! arguments with [`substitute`], runs the application and moves on. Nothing here knows what an
//! application does.

mod edit;
mod expression;
mod extensions;
mod faults;
mod pattern;
mod plan;
mod substitute;

pub use conf::{Diagnostic, Severity};
pub use edit::{EDITED, NotEdited};
pub use expression::evaluate;
pub use extensions::WITHOUT_EFFECT;
pub use pattern::{Pattern, PatternError};
pub use plan::{Extension, Extensions, Include, Plan, Position, Step};
pub use substitute::{Note, Variables, substitute};
