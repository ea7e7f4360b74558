//! How calls go out: what a protocol implements so that the switch can call somebody.
//!
//! `PJSIP/alice` names a technology and, after the slash, a destination in its own words. The technology
//! finds the places where the destination is reached; each becomes a leg that the dialling task owns.

use std::fmt;
use std::sync::Arc;

use config::{CallerId, Subscriber};

use crate::cause::Cause;
use crate::device::DeviceState;
use crate::directory::ChannelHandle;
use crate::inbox::InboxSender;
use crate::leg::{MediaLeg, Reply};
use crate::party::Redirecting;
use crate::signaling::Signaling;
use crate::text::{NotSent, Text};

/// One protocol that calls can go out by.
pub trait Technology: Send + Sync {
    /// What stands before the slash: `PJSIP`.
    fn name(&self) -> &'static str;

    /// Where a destination is reached now: at least one place.
    fn find<'a>(&'a self, destination: &'a str) -> Reply<'a, Result<Vec<Target>, Unreachable>>;

    /// The places where an endpoint is reached that are known without asking anybody, as destinations in
    /// this technology's words; those of one address of record if that is given. Most have none.
    fn contacts(&self, endpoint: &str, aor: &str) -> Vec<String> {
        let _ = (endpoint, aor);
        Vec::new()
    }

    /// An option of one of its things, as it is in force.
    ///
    /// # Errors
    ///
    /// When there is no such thing, or it has no such option.
    fn option_of(&self, thing: Thing, name: &str, option: &str) -> Result<String, NoOption> {
        let _ = (thing, name, option);
        Err(NoOption::Thing)
    }

    /// How a device of this technology is, given the calls there are. Most have no devices.
    fn device_state(&self, id: &str, calls: &[ChannelHandle]) -> DeviceState {
        let _ = (id, calls);
        DeviceState::Unknown
    }

    /// Sends a text message to a destination, which stands without the technology's name. Most carry none.
    fn send_text<'a>(&'a self, to: &'a str, text: &'a Text) -> Reply<'a, Result<(), NotSent>> {
        let _ = text;
        let refused = NotSent::Protocol(format!("{}:{to}", self.name()));
        Box::pin(std::future::ready(Err(refused)))
    }
}

/// What of a technology can be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// Who may call and be called.
    Endpoint,
    /// An address of record.
    Aor,
    /// Where one is reached.
    Contact,
    /// An address as such, whose parts are its options.
    Uri,
}

/// Why nothing is known of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoOption {
    /// There is no such thing.
    #[error("there is none of this name")]
    Thing,
    /// It has no such option.
    #[error("it has no such option")]
    Option,
}

/// One place where a destination is reached.
pub struct Target {
    /// The endpoint and what belongs to it, pinned for the life of the call.
    pub subscriber: Arc<Subscriber>,
    /// The place in the protocol's words, for the log and the story: a contact's URI.
    pub address: String,
    /// The protocol's own name of the call to be (SIP Call-ID).
    pub call_id: String,
    /// What the channel's name begins with: `PJSIP/alice`.
    pub name: String,
    /// What it ends with: the half of a `Local` channel.
    pub half: &'static str,
    /// The leg's media, where it is not allocated: that of a `Local` channel.
    pub leg: Option<Arc<dyn MediaLeg>>,
    /// Makes the leg's signalling. Nothing is sent before [`Signaling::call`].
    pub open: Open,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.address).finish()
    }
}

/// Makes the signalling of a leg.
pub type Open = Box<dyn FnOnce(Outgoing) -> Box<dyn Signaling> + Send>;

/// What signalling has to know of a call that goes out.
#[derive(Debug)]
pub struct Outgoing {
    /// Who is shown to call; empty if nobody in particular.
    pub caller: CallerId,
    /// Who sent the call on, if anybody did.
    pub redirecting: Redirecting,
    /// Variables of its channel.
    pub variables: Vec<(String, String)>,
    /// The name of its channel.
    pub channel: String,
    /// The calls it belongs to.
    pub linkedid: String,
    /// The language of who dials it.
    pub language: Option<String>,
    /// Where the leg's events go.
    pub inbox: InboxSender,
}

/// Why a destination cannot be called at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// No technology has this name.
    #[error("no technology is called '{name}'; there is {known}")]
    Technology {
        /// What was asked for.
        name: String,
        /// Those that exist.
        known: String,
    },
    /// There is no slash with something after it.
    #[error("'{0}' names no destination; it is written like PJSIP/alice")]
    Destination(String),
    /// No such extension for a `Local` channel.
    #[error("there is no extension '{exten}' in context '{context}'")]
    NoExtension {
        /// The extension.
        exten: String,
        /// The context.
        context: String,
    },
    /// No such endpoint.
    #[error("endpoint '{0}' was not found")]
    NoEndpoint(String),
    /// The endpoint has no address of record, so nobody can register for it.
    #[error("endpoint '{0}' has no aors: nobody can register there and no contact is written")]
    NoAor(String),
    /// Nobody is registered.
    #[error("endpoint '{0}' is not registered: it has no contact")]
    NotRegistered(String),
    /// Somebody is registered and answers no qualify.
    #[error("no contact of endpoint '{0}' answers")]
    Unavailable(String),
    /// The address cannot be used.
    #[error("'{address}' cannot be called: {why}")]
    Address {
        /// As it was written.
        address: String,
        /// Why, in words.
        why: String,
    },
    /// The database could not be asked.
    #[error("the database cannot be asked: {0}")]
    Store(String),
}

impl Unreachable {
    /// The cause a caller is told.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Technology { .. } => Cause::ChannelNotImplemented,
            Self::Destination(_)
            | Self::NoExtension { .. }
            | Self::NoEndpoint(_)
            | Self::Address { .. } => Cause::NoRouteDestination,
            Self::NoAor(_) | Self::NotRegistered(_) | Self::Unavailable(_) => {
                Cause::SubscriberAbsent
            }
            Self::Store(_) => Cause::TemporaryFailure,
        }
    }
}
