//! The media plane: threads, sockets, legs, routing.
//!
//! A [`Plane`] has a few shards. Each is one thread with its own sockets and its own peers
//! ([`rtc::Peer`]); nothing is shared between them, and no packet waits for a lock or a task. A call
//! holds a [`Leg`], the handle of one peer: it negotiates, wires and counts by sending commands to
//! the shard, and hears of what happened by [`LegEvent`]s, which never make the shard wait.
//!
//! A leg's peer lives as long as its handle. Inside, `shard.rs` is the machine without any input or
//! output, and `io.rs` its only contact with sockets and clocks.

mod debug;
mod echo;
mod io;
mod leg;
mod node;
mod plan;
mod plane;
mod ports;
mod record;
mod shard;

pub use debug::{RTCP_TARGET, RTP_TARGET};
pub use echo::EchoMode;
pub use leg::{
    DigitForm, DownReason, EchoGuard, EventSink, Joint, Leg, LegConfig, LegEvent, LegId, LegStats,
    Place, PlayGuard, Recoded, TapGuard,
};
pub use node::music::{Music, Programme, Repertoire};
pub use node::play::Playable;
pub use plan::{Line, Way, plan};
pub use plane::{AllocateError, Counts, Plane, PlaneConfig, StartError};
pub use record::{
    Format as RecordFormat, Recorder, Recording, Side, Sink, Spec as RecordSpec, format_of,
};
pub use rtp::{Digit, DigitEvent};
