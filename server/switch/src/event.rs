//! What reaches a call task, and what leaves an application early.

use config::CallerId;
use dialplan::Position;
use media::{Digit, DigitEvent, LegEvent};
use rtc::topology::Topology;
use sdp::Sdp;
use tokio::sync::oneshot;

use crate::cause::Cause;
use crate::channel::Details;
use crate::park::Ticket;
use crate::party::Redirecting;
use crate::story::{Side, StoryEvent};
use crate::text::Text;
use crate::transfer::{Newcomer, Seat, Transfer};

/// Something that happened to a channel. All of them come through its one inbox.
#[derive(Debug)]
pub enum ChannelEvent {
    /// The far end confirmed our answer (ACK): from now on either side may offer.
    Established,
    /// The far end of a call we make has something to say before it answers.
    Progress {
        /// The SIP status (180, 183…), or its equivalent.
        status: u16,
        /// Its answer to our offer, if it gives it already: what it sends may be heard. Said reliably (RFC
        /// 3262), the one that accepts the call need not say it again.
        answer: Option<Sdp>,
    },
    /// The far end of a call we make is believed to send it on (181): who does so, where it is said.
    SentOn(Box<Redirecting>),
    /// The far end of a call we make sends its callers on to this URI (3xx); it hangs up next.
    Forwarded(String),
    /// The far end of a call we make answered; `None`: without a description that can be used.
    Accepted(Option<Sdp>),
    /// The far end offers in the middle of the call; `None`: it asks us to offer in our answer.
    Offer(Option<Sdp>),
    /// The far end answered our offer.
    Answer(Sdp),
    /// The far end's answer to the description that stands, which was sent once more: usually what it said before.
    Restated(Sdp),
    /// The far end refused our offer; what stood before stands.
    OfferRejected {
        /// The SIP status, or its equivalent.
        status: u16,
    },
    /// The far end took its last offer back before our answer could reach it: for the far end, what
    /// stood before stands.
    OfferWithdrawn,
    /// The far end says who it is, and is believed.
    Connected(CallerId),
    /// A text that came within the call.
    Text(Box<Text>),
    /// A digit that came by signalling (INFO): begun, ended, or whole.
    Digit(DigitEvent),
    /// Digits of ours that the far end does not take by signalling, in their order: media is to send them.
    DigitsRefused(Vec<Digit>),
    /// The far end asks by signalling (INFO) for a key frame of what it is sent.
    KeyframeRequested,
    /// The far end left, or signalling gave it up. The last event of a channel.
    Hangup(Cause),
    /// The far end asks for the party it talks to to be sent on (REFER).
    Transfer(Box<Transfer>),
    /// What came of our wish that the far end call somebody else.
    WentAway {
        /// The SIP status, or its equivalent.
        status: u16,
    },
    /// Another channel takes the place of this one.
    Replaced(Newcomer),
    /// A channel that was to take the place of this one is there, or does not come.
    Unclaimed,
    /// The connection the far end signals over is gone. Media may well flow on.
    FlowLost,
    /// The far end came back on another connection.
    FlowRestored,
    /// The media plane has something to tell.
    Media(LegEvent),
    /// Somebody else steers this call.
    Control(Control),
    /// Somebody asks what it is like.
    Describe(oneshot::Sender<Box<Details>>),
    /// A line for the story.
    Note(StoryEvent),
}

impl ChannelEvent {
    /// A digit of which nobody said how long it was pressed.
    pub fn digit(digit: char) -> Self {
        Self::Digit(DigitEvent::Ended(Digit::brief(digit)))
    }
}

impl From<LegEvent> for ChannelEvent {
    fn from(event: LegEvent) -> Self {
        Self::Media(event)
    }
}

impl From<Control> for ChannelEvent {
    fn from(control: Control) -> Self {
        Self::Control(control)
    }
}

/// What others may ask of a call: `channel request hangup`, `channel redirect`, the end of the exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// End the call.
    Hangup(Cause),
    /// Go on at another place of the dial plan.
    Redirect(Position),
    /// Leave everything, and come to another channel to talk to it.
    Visit(Seat),
    /// Send the far end a digit.
    Digit(DigitEvent),
    /// Set a variable, or what a function stands for.
    Set {
        /// `NAME` or `FUNCTION(argument)`.
        name: String,
        /// What it is set to.
        value: String,
    },
}

/// What an application that listens is told. The channel has dealt with its part already.
#[derive(Clone, Debug)]
pub enum Happened {
    /// The far end confirmed our answer.
    Established,
    /// A digit, from media or from signalling.
    Digit(char),
    /// The far end said who it is now; [`Channel::caller`](crate::Channel::caller) says so already.
    Connected,
    /// A text of the far end.
    Text(Box<Text>),
    /// The streams of the call were agreed anew.
    Agreed {
        /// Who asked for the change.
        by: Side,
        /// What stands now.
        topology: Topology,
    },
    /// The far end refused our offer for good; what stood before stands.
    OfferRefused {
        /// The SIP status, or its equivalent.
        status: u16,
    },
}

/// Why an application ends before its end. Carried by `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// The call is over.
    Hangup(Cause),
    /// The call goes on elsewhere in the dial plan.
    Redirect(Position),
    /// The call goes on in the place of another channel.
    Join(Seat),
    /// The call is parked, in the space that is reserved for it.
    Park(Ticket),
}

impl Interrupt {
    /// Why the call ends, or the part of it that is over here.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Hangup(cause) => *cause,
            Self::Redirect(_) | Self::Join(_) | Self::Park(_) => Cause::NormalClearing,
        }
    }
}

/// The result of an application and of every verb that may be interrupted.
pub type AppResult<T = ()> = Result<T, Interrupt>;
