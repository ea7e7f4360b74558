//! The softswitch: the only place where signalling, media and the dial plan meet.
//!
//! A call comes in by [`Switch::incoming`] and becomes one task that owns its [`Channel`] by value. The
//! [`pbx`] loop takes it through the dial plan; applications are plain asynchronous functions over
//! `&mut Channel`. Calls go out by [`Switch::originate`], or by whoever owns a [`Dialling`]; who answers talks
//! to who called in [`bridge`]. A protocol implements [`Signaling`] for its legs and puts what happens into
//! the call's [`inbox()`]; the media plane is reached through [`MediaPlane`].
//!
//! Deliberately not here: protocols (crate `signal`), applications (crate `apps`), packets (crate `media`).

mod application;
pub mod bridge;
pub mod call_number;
mod cause;
mod channel;
mod clock;
mod device;
mod dial;
mod digit_string;
mod directory;
mod event;
mod extensions;
mod features;
mod function;
mod groups;
mod inbox;
mod leg;
mod local;
mod locks;
mod mailbox;
mod music;
mod originate;
mod park;
mod party;
pub mod pbx;
pub mod pickup;
mod policy;
mod presses;
mod seen;
mod signaling;
mod sounds;
mod stop;
pub mod story;
mod switch;
mod technology;
mod text;
mod transfer;
mod variables;

pub use application::{Application, Args, Run, Running};
pub use cause::{Cause, UnknownCause};
pub use channel::{
    CallRecord, Channel, DIGITS_MAX, Details, FLOW_GRACE, HANGUP_HANDLERS_MAX, Instead, NotEntered,
    NotRecorded, NotRenegotiated, Offered, QualityItem, StreamDetails, quality,
};
pub use clock::time_of_day;
pub use config::{
    ActivatedBy, CallerId, DEFAULT_LOT, ParkingLot, Presentation, RedirectMethod, closest,
};
pub use device::{DeviceState, HINT_DEVICES_MAX, NotKept, hint_devices, hint_name};
pub use dial::{Ask, Dialled, Dialling, Forward, LEGS_MAX, Moment, Tally, Woken};
pub use dialplan::{BadTiming, Moment as TimeOfDay, Position, Timing};
pub use digit_string::{DIGIT_STEPS_MAX, DigitStep, digit_steps};
pub use directory::{
    CHANNELS_MAX, ChannelHandle, ChannelId, ChannelInfo, ChannelState, Directory, Full, STORIES_MAX,
};
pub use event::{AppResult, ChannelEvent, Control, Happened, Interrupt};
pub use features::{Grants, Keys, Operation, Touch};
pub use function::{ACTING, Function, Read, Write};
pub use groups::{GROUP_BYTES_MAX, GROUPS_PER_CHANNEL_MAX, Group};
pub use inbox::{INBOX_MAX, InboxReceiver, InboxSender, inbox};
pub use leg::{Echo, Joint, LegRequest, MediaCounts, MediaLeg, MediaPlane, Playing, Reply};
pub use mailbox::Messages;
pub use media::LegStats;
pub use originate::{Begun, NotOriginated, ORIGINATE_TIMEOUT, Originate, Purpose};
pub use park::{NotParked, Parked, Parkings, Ticket, Wish};
pub use party::{Parties, Redirecting, diversion_of_reason, reason_of_diversion};
pub use policy::of as policy_of;
pub use signaling::{Incoming, Signaling};
pub use sounds::NoSound;
pub use stop::{Stop, Then, When};
pub use switch::{Live, Parts, SHUTDOWN_GRACE, Status, Switch};
pub use technology::{NoOption, Open, Outgoing, Target, Technology, Thing, Unreachable};
pub use text::{IncomingText, NotSent, TEXT_HEADERS_MAX, TEXTS_WAITING_MAX, Text};
pub use transfer::{Follower, Newcomer, Onward, Referred, Refusal, Seat, Transfer, TransferTo};
pub use variables::{SetError, VALUE_BYTES_MAX, VARIABLES_MAX, Variables};
