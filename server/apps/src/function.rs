//! Functions: `${NAME(arguments)}`.

pub(crate) mod arguments;
pub(crate) mod caller_id;
pub(crate) mod cdr;
pub(crate) mod channel;
pub(crate) mod choice;
pub(crate) mod db;
pub(crate) mod device;
pub(crate) mod encode;
pub(crate) mod feature;
pub(crate) mod global;
pub(crate) mod group;
pub(crate) mod hash;
pub(crate) mod list;
pub(crate) mod local;
pub(crate) mod message;
pub(crate) mod number;
pub(crate) mod pjsip_dial_contacts;
pub(crate) mod pjsip_header;
pub(crate) mod place;
mod sprintf;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod timeout;
