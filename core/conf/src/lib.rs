//! The `.conf` language, common to all of the exchange's files.
//!
//! Text comes in through a [`Source`], so that nothing here touches a disk. [`Document::read`]
//! follows includes and templates and yields sections of entries that remember their places;
//! [`Diagnostic`]s point back into the text. What an option *means* is not known here: `dialplan`
//! and `config` read the entries.

mod diagnostic;
mod document;
mod source;
mod suggest;
mod value;
mod wildcard;

pub use diagnostic::{Diagnostic, REPORT_MAX, Report, Severity};
pub use document::{Document, Entry, Place, Record, Section, show_lines};
pub use source::Source;
pub use suggest::closest;
pub use value::yes_no;
pub use wildcard::Wildcard;
