//! One file per dial plan application, one per dial plan function, and the two tables that list them.
//!
//! An application is a plain asynchronous function over `&mut Channel`. To add one: its file, its
//! documentation beside it, its line in [`APPLICATIONS`].

mod answer;
mod arguments;
mod authenticate;
mod background;
mod call_record;
mod chan_is_avail;
mod clock;
mod condition;
mod db_delete;
mod dial;
mod echo;
mod exec_if;
mod function;
mod gosub;
mod goto;
mod goto_if;
mod hangup;
mod indicate;
mod log;
mod macro_call;
mod manual;
mod message_send;
mod mix_monitor;
mod mset;
mod music_on_hold;
mod noop;
mod originate;
mod other_channel;
mod park;
mod pickup;
mod playback;
mod playtones;
mod prompt;
mod read;
mod receive_text;
mod record;
mod retry_dial;
mod say;
mod send_dtmf;
mod send_text;
mod set;
mod stream_echo;
mod transfer;
mod transfer_other;
mod verbose;
mod wait;
mod wait_exten;
mod wait_for;
mod wait_until;
mod while_loop;

use switch::{Application, Function};

pub use manual::{function_doc, function_docs, manual};

/// Every application of the dial plan.
pub static APPLICATIONS: &[&Application] = &[
    &answer::ANSWER,
    &transfer_other::ATTN_TRANSFER,
    &authenticate::AUTHENTICATE,
    &background::BACKGROUND,
    &transfer_other::BLIND_TRANSFER,
    &indicate::BUSY,
    &chan_is_avail::CHAN_IS_AVAIL,
    &other_channel::CHANNEL_REDIRECT,
    &indicate::CONGESTION,
    &while_loop::CONTINUE_WHILE,
    &db_delete::DB_DEL,
    &db_delete::DB_DEL_TREE,
    &dial::bridge::BRIDGE,
    &dial::DIAL,
    &log::DUMP_CHAN,
    &echo::ECHO,
    &while_loop::END_WHILE,
    &exec_if::EXEC,
    &exec_if::EXEC_IF,
    &exec_if::EXEC_IF_TIME,
    &while_loop::EXIT_WHILE,
    &gosub::GOSUB,
    &gosub::GOSUB_IF,
    &goto::GOTO,
    &goto_if::GOTO_IF,
    &goto_if::GOTO_IF_TIME,
    &hangup::HANGUP,
    &log::LOG,
    &macro_call::MACRO,
    &macro_call::MACRO_EXIT,
    &macro_call::MACRO_IF,
    &message_send::MESSAGE_SEND,
    &mix_monitor::MIX_MONITOR,
    &indicate::MILLIWATT,
    &mset::MSET,
    &music_on_hold::MUSIC_ON_HOLD,
    &call_record::NO_CDR,
    &noop::NOOP,
    &originate::ORIGINATE,
    &park::PARK,
    &park::PARK_AND_ANNOUNCE,
    &park::PARKED_CALL,
    &pickup::PICKUP,
    &pickup::PICKUP_CHAN,
    &playback::PLAYBACK,
    &playtones::PLAYTONES,
    &indicate::PROCEEDING,
    &indicate::PROGRESS,
    &read::READ,
    &receive_text::RECEIVE_TEXT,
    &record::RECORD,
    &call_record::RESET_CDR,
    &retry_dial::RETRY_DIAL,
    &gosub::RETURN,
    &indicate::RINGING,
    &say::SAY_ALPHA,
    &say::SAY_DIGITS,
    &say::SAY_NUMBER,
    &say::SAY_PHONETIC,
    &send_dtmf::SEND_DTMF,
    &send_text::SEND_TEXT,
    &set::SET,
    &other_channel::SOFT_HANGUP,
    &gosub::STACK_POP,
    &music_on_hold::START_MUSIC_ON_HOLD,
    &music_on_hold::STOP_MUSIC_ON_HOLD,
    &mix_monitor::STOP_MIX_MONITOR,
    &playtones::STOP_PLAYTONES,
    &stream_echo::STREAM_ECHO,
    &exec_if::TRY_EXEC,
    &transfer::TRANSFER,
    &verbose::VERBOSE,
    &wait::WAIT,
    &wait_exten::WAIT_EXTEN,
    &wait_for::WAIT_FOR_NOISE,
    &wait_for::WAIT_FOR_SILENCE,
    &wait_until::WAIT_UNTIL,
    &while_loop::WHILE,
];

/// Every function of the dial plan.
pub static FUNCTIONS: &[&Function] = &[
    &function::number::ABS,
    &function::list::ARRAY,
    &function::encode::BASE64_DECODE,
    &function::encode::BASE64_ENCODE,
    &function::db::BLACKLIST,
    &function::caller_id::CALLER_ID,
    &function::caller_id::CALLER_PRES,
    &function::cdr::CDR,
    &function::cdr::CDR_PROP,
    &function::channel::CHANNEL,
    &function::place::CHANNELS,
    &function::caller_id::CONNECTED_LINE,
    &function::text::CSV_QUOTE,
    &function::list::CUT,
    &function::db::DB,
    &function::db::DB_DELETE,
    &function::db::DB_EXISTS,
    &function::db::DB_KEYS,
    &function::db::DB_KEY_COUNT,
    &function::number::DEC,
    &function::device::DEVICE_STATE,
    &function::dial_group::DIAL_GROUP,
    &function::place::DIALPLAN_EXISTS,
    &function::environment::ENV,
    &function::text::EVAL,
    &function::choice::EXISTS,
    &function::device::EXTENSION_STATE,
    &function::feature::FEATURE,
    &function::feature::FEATURE_MAP,
    &function::list::FIELD_NUM,
    &function::list::FIELD_QTY,
    &function::text::FILTER,
    &function::global::GLOBAL,
    &function::group::GROUP,
    &function::group::GROUP_COUNT,
    &function::group::GROUP_LIST,
    &function::group::GROUP_MATCH_COUNT,
    &function::hash::HASH,
    &function::hash::HASH_KEYS,
    &function::device::HINT,
    &function::choice::IF,
    &function::choice::IF_TIME,
    &function::shared::IMPORT,
    &function::number::INC,
    &function::choice::IS_NULL,
    &function::text::KEYPAD_HASH,
    &function::text::LEN,
    &function::list::LIST_FILTER,
    &function::local::LOCAL,
    &function::local::LOCAL_PEEK,
    &function::lock::LOCK,
    &function::text::L_TRIM,
    &function::shared::MASTER_CHANNEL,
    &function::number::MATH,
    &function::number::MAX,
    &function::encode::MD5,
    &function::message::MESSAGE,
    &function::message::MESSAGE_DATA,
    &function::number::MIN,
    &function::text::PASS_THRU,
    &function::pjsip::PJSIP_AOR,
    &function::pjsip::PJSIP_CONTACT,
    &function::pjsip_dial_contacts::PJSIP_DIAL_CONTACTS,
    &function::pjsip::PJSIP_ENDPOINT,
    &function::pjsip_header::PJSIP_HEADER,
    &function::pjsip_header::PJSIP_HEADERS,
    &function::pjsip::PJSIP_PARSE_URI,
    &function::pjsip::PJSIP_PARSE_URI_FROM,
    &function::pjsip_header::PJSIP_RESPONSE_HEADER,
    &function::pjsip_header::PJSIP_RESPONSE_HEADERS,
    &function::list::POP,
    &function::list::PUSH,
    &function::text::QUOTE,
    &function::number::RAND,
    &function::caller_id::REDIRECTING,
    &function::text::REGEX,
    &function::text::REPLACE,
    &function::text::R_TRIM,
    &function::choice::SET,
    &function::encode::SHA1,
    &function::shared::SHARED,
    &function::list::SHIFT,
    &function::list::SORT,
    &function::text::SPRINTF,
    &function::local::STACK_PEEK,
    &function::text::STR_BETWEEN,
    &function::time::STRFTIME,
    &function::time::STRPTIME,
    &function::text::STR_REPLACE,
    &function::timeout::TIMEOUT,
    &function::text::TO_LOWER,
    &function::text::TO_UPPER,
    &function::text::TRIM,
    &function::lock::TRY_LOCK,
    &function::lock::UNLOCK,
    &function::list::UNSHIFT,
    &function::encode::URI_DECODE,
    &function::encode::URI_ENCODE,
    &function::place::VALID_EXTEN,
    &function::place::VERSION,
];
