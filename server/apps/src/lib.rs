//! One file per dial plan application, one per dial plan function, and the two tables that list them.
//!
//! An application is a plain asynchronous function over `&mut Channel`. To add one: its file, its
//! documentation beside it, its line in [`APPLICATIONS`].

mod answer;
mod arguments;
mod background;
mod dial;
mod echo;
mod function;
mod gosub;
mod goto;
mod hangup;
mod manual;
mod message_send;
mod noop;
mod playback;
mod playtones;
mod prompt;
mod read;
mod set;
mod stream_echo;
mod verbose;
mod wait;
mod wait_exten;

use switch::{Application, Function};

pub use manual::manual;

/// Every application of the dial plan.
pub static APPLICATIONS: &[&Application] = &[
    &answer::ANSWER,
    &background::BACKGROUND,
    &dial::DIAL,
    &echo::ECHO,
    &gosub::GOSUB,
    &gosub::GOSUB_IF,
    &goto::GOTO,
    &hangup::HANGUP,
    &message_send::MESSAGE_SEND,
    &noop::NOOP,
    &playback::PLAYBACK,
    &playtones::PLAYTONES,
    &read::READ,
    &gosub::RETURN,
    &set::SET,
    &gosub::STACK_POP,
    &playtones::STOP_PLAYTONES,
    &stream_echo::STREAM_ECHO,
    &verbose::VERBOSE,
    &wait::WAIT,
    &wait_exten::WAIT_EXTEN,
];

/// Every function of the dial plan.
pub static FUNCTIONS: &[&Function] = &[
    &function::caller_id::CALLER_ID,
    &function::cdr::CDR,
    &function::cdr::CDR_PROP,
    &function::channel::CHANNEL,
    &function::db::DB,
    &function::db::DB_DELETE,
    &function::db::DB_EXISTS,
    &function::global::GLOBAL,
    &function::local::LOCAL,
    &function::message::MESSAGE,
    &function::message::MESSAGE_DATA,
    &function::pjsip_dial_contacts::PJSIP_DIAL_CONTACTS,
    &function::pjsip_header::PJSIP_HEADER,
    &function::timeout::TIMEOUT,
];
