//! The table of commands, in the order of `core show help`.

pub(crate) mod acl;
pub(crate) mod application;
pub(crate) mod call;
pub(crate) mod cdr;
pub(crate) mod channel;
pub(crate) mod core;
pub(crate) mod database;
pub(crate) mod devstate;
pub(crate) mod dialplan;
pub(crate) mod elsewhere;
pub(crate) mod hints;
pub(crate) mod http;
pub(crate) mod live;
pub(crate) mod logger;
pub(crate) mod music;
pub(crate) mod mwi;
pub(crate) mod originate;
pub(crate) mod parking;
pub(crate) mod pjsip;
pub(crate) mod qualify;
pub(crate) mod recordings;
pub(crate) mod reload;
pub(crate) mod rtp;
pub(crate) mod settings;
pub(crate) mod sql;
pub(crate) mod stop;
pub(crate) mod system;

use crate::command::Command;

/// Every command of the console.
pub static COMMANDS: &[&Command] = &[
    &acl::SHOW,
    &call::STORY,
    &cdr::SHOW_STATUS,
    &cdr::SUBMIT,
    &originate::CHANNEL_ORIGINATE,
    &channel::REDIRECT,
    &channel::REQUEST_HANGUP,
    &stop::ABORT,
    &reload::CORE_RELOAD,
    &stop::RESTART_GRACEFULLY,
    &stop::RESTART_NOW,
    &stop::RESTART_WHEN_CONVENIENT,
    &logger::SET_DEBUG,
    &logger::SET_VERBOSE,
    &application::SHOW_APPLICATION,
    &application::SHOW_APPLICATIONS,
    &channel::SHOW_CALLS,
    &channel::SHOW_CHANNEL,
    &channel::SHOW_CHANNELS,
    &system::CHANNEL_TYPES,
    &settings::SHOW_CODECS,
    &settings::SHOW_FILE_FORMATS,
    &settings::SHOW_FUNCTION,
    &settings::SHOW_FUNCTIONS,
    &core::SHOW_HELP,
    &hints::SHOW_HINT,
    &hints::SHOW_HINTS,
    &settings::SHOW_SETTINGS,
    &system::SYSINFO,
    &core::SHOW_UPTIME,
    &core::SHOW_VERSION,
    &stop::STOP_GRACEFULLY,
    &stop::STOP_NOW,
    &stop::STOP_WHEN_CONVENIENT,
    &system::WAIT_FULLY_BOOTED,
    &database::DEL,
    &database::DELTREE,
    &database::GET,
    &database::PUT,
    &database::SHOW,
    &database::SHOWKEY,
    &devstate::CHANGE,
    &devstate::LIST,
    &dialplan::edit::ADD_EXTENSION,
    &dialplan::edit::ADD_INCLUDE,
    &dialplan::globals::EVAL_FUNCTION,
    &reload::DIALPLAN_RELOAD,
    &dialplan::edit::REMOVE_CONTEXT,
    &dialplan::edit::REMOVE_EXTENSION,
    &dialplan::edit::REMOVE_INCLUDE,
    &dialplan::edit::SAVE,
    &channel::SET_CHANVAR,
    &dialplan::globals::SET_GLOBAL,
    &dialplan::SHOW,
    &channel::SHOW_CHANVAR,
    &dialplan::globals::SHOW_GLOBALS,
    &system::FEATURES,
    &system::GROUPS,
    &core::HELP,
    &http::SHOW_STATUS,
    &logger::RELOAD,
    &logger::ROTATE,
    &logger::SET_LEVEL,
    &logger::SHOW_CHANNELS,
    &logger::SHOW_LEVELS,
    &recordings::LIST,
    &reload::MODULE_RELOAD,
    &system::MODULE_SHOW,
    &music::RELOAD,
    &music::SHOW_CLASSES,
    &music::SHOW_FILES,
    &parking::SHOW,
    &mwi::DELETE,
    &mwi::SHOW,
    &mwi::UPDATE,
    &pjsip::LIST_AORS,
    &pjsip::LIST_AUTHS,
    &pjsip::LIST_CONTACTS,
    &pjsip::LIST_ENDPOINTS,
    &pjsip::LIST_IDENTIFIES,
    &pjsip::LIST_REGISTRATIONS,
    &pjsip::LIST_TRANSPORTS,
    &qualify::QUALIFY,
    &pjsip::registration::SEND_REGISTER,
    &pjsip::registration::SEND_UNREGISTER,
    &pjsip::logger::SET_LOGGER,
    &pjsip::SHOW_AOR,
    &pjsip::SHOW_AORS,
    &pjsip::objects::SHOW_AUTH,
    &pjsip::SHOW_AUTHS,
    &qualify::SHOW_CHANNELS,
    &pjsip::channel_stats::SHOW_CHANNELSTATS,
    &pjsip::objects::SHOW_CONTACT,
    &pjsip::SHOW_CONTACTS,
    &pjsip::SHOW_ENDPOINT,
    &pjsip::SHOW_ENDPOINTS,
    &pjsip::objects::SHOW_IDENTIFIES,
    &pjsip::objects::SHOW_IDENTIFY,
    &pjsip::registration::SHOW_REGISTRATION,
    &pjsip::registration::SHOW_REGISTRATIONS,
    &pjsip::objects::SHOW_SETTINGS,
    &pjsip::subscription::SHOW_SUBSCRIPTIONS,
    &pjsip::SHOW_TRANSPORTS,
    &pjsip::SHOW_TRANSPORT,
    &pjsip::objects::SHOW_VERSION,
    &rtp::SET_RTCP_DEBUG,
    &rtp::SET_DEBUG,
    &rtp::SHOW_SETTINGS,
    &sql::REALTIME_LOAD,
    &sql::SHOW_STATUS,
];

/// `1 call`, `2 calls`.
fn count(number: impl Into<u64>, one: &str, many: &str) -> String {
    let number = number.into();
    format!("{number} {}", if number == 1 { one } else { many })
}
