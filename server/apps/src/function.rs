//! Functions: `${NAME(arguments)}`.

pub(crate) mod caller_id;
pub(crate) mod cdr;
pub(crate) mod channel;
pub(crate) mod db;
pub(crate) mod device;
pub(crate) mod feature;
pub(crate) mod global;
pub(crate) mod group;
pub(crate) mod local;
pub(crate) mod message;
pub(crate) mod pjsip_dial_contacts;
pub(crate) mod pjsip_header;
pub(crate) mod timeout;
