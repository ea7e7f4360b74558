//! The console: what an operator types, and what the exchange answers.
//!
//! One table, [`COMMANDS`], is the source of the help, the completion and the manual. Answers have
//! the shape of Asterisk's, because scripts read them. A command comes by a local socket
//! ([`Console`]), one per connection; [`ask`] is the other end.
//!
//! Deliberately absent: anything that changes the configuration files, and a way in over a network.

mod asker;
mod command;
mod commands;
mod exchange;
mod log;
mod manual;
mod page;
mod reload;
mod remote;
mod shell;
mod socket;
mod words;

pub use command::{Command, Names, Outcome, Run, Running, Slot, Takes};
pub use commands::COMMANDS;
pub use exchange::{Answer, Exchange, Parts, Places};
pub use log::{
    Attached, Channel, Class, Debug, Format, Level, Levels, Log, LogOptions, Out, PreparedLog,
    Rotation, Settings, State, Traced,
};
pub use manual::manual;
pub use reload::{Files, Part, Piece, Prepare, Ready};
pub use remote::{ANSWER_BYTES_MAX, Unanswered, ask, complete};
pub use shell::{ShellOptions, shell};
pub use socket::{CONNECTIONS_MAX, Console, LINE_BYTES_MAX, SOCKET_NAME};
