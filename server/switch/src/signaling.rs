//! What a protocol implements for one leg, and how a call comes in.

use std::sync::Arc;

use config::{CallerId, Subscriber};
use media::{DigitEvent, Place};
use rtc::Refused;
use sdp::Sdp;

use crate::cause::Cause;
use crate::inbox::{InboxReceiver, InboxSender};
use crate::leg::MediaLeg;
use crate::party::Redirecting;
use crate::text::Text;
use crate::transfer::{Follower, Referred, Seat};

/// The signalling of one leg. Commands go out at once and never wait; what comes of them arrives in the
/// channel's inbox. A channel calls `answer` at most once, and `hangup` exactly once unless the far end
/// hung up or the initial offer was refused.
pub trait Signaling: Send {
    /// Calls the far end with our offer: once, before anything else, on the legs of a
    /// [`Technology`](crate::Technology). [`Progress`](crate::ChannelEvent::Progress) may follow, then
    /// [`Accepted`](crate::ChannelEvent::Accepted) or [`Hangup`](crate::ChannelEvent::Hangup).
    fn call(&mut self, offer: &Sdp);

    /// Adds a header to the request that [`Signaling::call`] is going to send. `false`: there is none, or
    /// the header cannot be added.
    fn add_header(&mut self, name: &str, value: &str) -> bool {
        let _ = (name, value);
        false
    }

    /// Changes the value of a header that was added, the one with this number of its name, from 1. `false`: there is none,
    /// or it cannot have that value.
    fn change_header(&mut self, name: &str, number: usize, value: &str) -> bool {
        let _ = (name, number, value);
        false
    }

    /// Takes headers away that were added: those of this name, or with `*` at its end those that begin so; how many.
    fn remove_headers(&mut self, name: &str) -> usize {
        let _ = name;
        0
    }

    /// The far end is alerted (180); with a description, early media may flow (183).
    fn ring(&mut self, early: Option<&Sdp>);

    /// Answers the call. `sdp` is the answer to the initial offer, or our offer if there was none; then
    /// the answer in the ACK arrives as [`ChannelEvent::Answer`](crate::ChannelEvent::Answer).
    fn answer(&mut self, sdp: &Sdp);

    /// Offers new streams in the middle of the call (re-INVITE). One of `Answer`, `OfferRejected` or
    /// `Hangup` follows; `OfferRejected { status: 491 }` if an offer of the far end came in between.
    fn offer(&mut self, sdp: &Sdp);

    /// Answers the far end's mid-call offer, or offers when it asked for that.
    fn accept(&mut self, sdp: &Sdp);

    /// Refuses the offer in hand. Before the answer this refuses the whole call; in the middle of it the
    /// call goes on with what stood.
    fn refuse(&mut self, refused: &Refused);

    /// Sends a digit by signalling (INFO), where that is told whole when it has ended. `false`: this
    /// protocol cannot. [`DigitsRefused`](crate::ChannelEvent::DigitsRefused) follows where the far end does not take it.
    fn send_digit(&mut self, event: DigitEvent) -> bool {
        let _ = event;
        false
    }

    /// Asks the far end for a key frame by signalling (INFO), where media cannot.
    fn request_keyframe(&mut self) {}

    /// Ends the call: BYE with a Reason header, before the answer `cause.status()`, or CANCEL where we call.
    fn hangup(&mut self, cause: Cause);

    /// Tells the far end who it is connected to from now on, or will be; before [`Signaling::call`], who is
    /// shown to call.
    fn connected(&mut self, party: &CallerId) {
        let _ = party;
    }

    /// Tells a caller that waits for its answer that its call is sent on (181).
    fn redirected(&mut self, redirecting: &Redirecting) {
        let _ = redirecting;
    }

    /// Sends the far end a text within the call. `false`: it cannot be sent this way.
    fn text(&mut self, text: &Text) -> bool {
        let _ = text;
        false
    }

    /// Where the far end is, as far as this leg knows: media of its own ports goes there.
    fn place(&self) -> Place {
        Place::default()
    }

    /// Tells the far end what became of its wish to have the other party sent on
    /// ([`ChannelEvent::Transfer`](crate::ChannelEvent::Transfer)).
    fn referred(&mut self, referred: Referred) {
        let _ = referred;
    }

    /// Tells the far end that the other party is sent on, as it wished, and will be told how that fares. `None`: it
    /// wants to know no more than [`Signaling::referred`] says.
    fn follow(&mut self) -> Option<Follower> {
        None
    }

    /// Asks the far end to call somebody else: before the answer that refuses the call, after it
    /// [`WentAway`](crate::ChannelEvent::WentAway) follows.
    fn send_away(&mut self, to: &str) {
        let _ = to;
    }

    /// The headers of the request that brought the call, in their order; of one that is to go out those added so far.
    fn headers(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// The headers of the answer (2xx) to the request that went out.
    fn answer_headers(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// A header of the request that brought the call.
    fn header(&self, name: &str) -> Option<String>;
}

/// A call that has been authenticated and whose endpoint is known.
pub struct Incoming {
    /// The endpoint and what belongs to it, pinned for the life of the call.
    pub subscriber: Arc<Subscriber>,
    /// Who calls.
    pub caller: CallerId,
    /// The context of the dial plan in which the call starts.
    pub context: String,
    /// The extension that was dialled.
    pub exten: String,
    /// Who sent the call on to us.
    pub redirecting: Redirecting,
    /// The protocol's own name of the call (SIP Call-ID), for the log and the story.
    pub call_id: String,
    /// The far end's offer; `None`: it wants one from us.
    pub offer: Option<Sdp>,
    /// The channel whose place it is to take, once it is answered; then the dial plan is not asked.
    pub replaces: Option<Seat>,
    /// Variables of its channel.
    pub variables: Vec<(String, String)>,
    /// The name of its channel, where that is settled already.
    pub name: Option<String>,
    /// The calls it belongs to; none but itself if `None`.
    pub linkedid: Option<String>,
    /// Its media, where that is not allocated.
    pub leg: Option<Arc<dyn MediaLeg>>,
    /// The leg's signalling.
    pub signaling: Box<dyn Signaling>,
    /// The call's inbox, made by [`inbox`](crate::inbox()) before the first event can arrive.
    pub inbox: (InboxSender, InboxReceiver),
}
