//! What the Agent tells the layer above, and the small types its verbs take.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::agent::Flow;
use crate::invite::Reliability;
use crate::session_timer::SessionRules;
use crate::{HeaderName, Login, NameAddr, Request, Response, Status, Uri};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// One INVITE usage, of either role, from its INVITE to [`Event::Ended`].
    InviteId
}
id! {
    /// A request of the peer that waits for [`Agent::respond`](super::Agent::respond).
    RequestId
}
id! {
    /// A subscription of somebody to us, until [`Event::SubscriptionEnded`].
    SubscriptionId
}
id! {
    /// A request of ours that waits for its final response.
    ClientId
}

/// The body of a message and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The value of Content-Type.
    pub content_type: Box<str>,
    /// The bytes.
    pub bytes: Bytes,
}

impl Body {
    /// A session description. SIP.js compares the whole Content-Type, so it carries no parameters.
    pub fn sdp(bytes: impl Into<Bytes>) -> Self {
        Self {
            content_type: "application/sdp".into(),
            bytes: bytes.into(),
        }
    }
}

/// An INVITE of ours to be.
#[derive(Debug, Clone)]
pub struct OutgoingInvite {
    /// The Request-URI. A browser answers 404 unless its user part is that of its Contact.
    pub uri: Uri,
    /// From, without a tag.
    pub from: NameAddr,
    /// To, without a tag.
    pub to: NameAddr,
    /// Further headers, in order.
    pub headers: Vec<(HeaderName, String)>,
    /// The offer. Without one the peer offers in its 200, and [`Agent::answer`](super::Agent::answer)
    /// puts the answer into the ACK.
    pub offer: Option<Body>,
    /// The Call-ID; drawn at random if `None`.
    pub call_id: Option<Box<str>>,
    /// What a 401 or 407 is answered with.
    pub logins: Vec<Login>,
    /// How the call is watched over (RFC 4028).
    pub session: SessionRules,
    /// Whether provisional responses are acknowledged (RFC 3262).
    pub reliability: Reliability,
}

/// What the Agent has to tell. For each [`InviteId`] exactly one [`Event::Ended`] comes, as its last.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields are named by their types")]
pub enum Event {
    /// A request outside any dialog: REGISTER, OPTIONS, MESSAGE, SUBSCRIBE…
    Request {
        id: RequestId,
        flow: Flow,
        request: Arc<Request>,
    },
    /// An INVITE for a new call; nobody is authenticated. 100 Trying is sent already, except over UDP to
    /// who brings no credentials ([`Agent::trying`](super::Agent::trying)).
    Invite {
        id: InviteId,
        flow: Flow,
        request: Arc<Request>,
    },
    /// A provisional response above 100 to our INVITE.
    Progress {
        id: InviteId,
        response: Arc<Response>,
    },
    /// The first 2xx to our INVITE. Its ACK is sent, unless the INVITE had no offer. `settled`: a reliable
    /// provisional response of the same far end has brought the answer before; what this one says of the
    /// session is to be ignored (RFC 3261 §13.2.1).
    Answered {
        id: InviteId,
        response: Arc<Response>,
        settled: bool,
    },
    /// Our INVITE was not answered with a 2xx; [`Event::Ended`] follows.
    Failed { id: InviteId, outcome: Failure },
    /// The ACK of our 200 to the first INVITE, with the answer if the 200 carried the offer.
    Confirmed { id: InviteId, body: Option<Bytes> },
    /// To our INVITE nobody has said anything in the time of [`Agent::notice_silence`](super::Agent::notice_silence).
    /// It goes on; `hangup` ends it as soon as that is allowed.
    Silent { id: InviteId },
    /// The caller took its INVITE back while our 200 was on its way. The Agent leaves the call by itself, with a
    /// BYE after the ACK or 32 s without one; there is nobody to talk to any more.
    GivenUp { id: InviteId },
    /// The peer wants to change the session: [`Agent::answer`](super::Agent::answer) or
    /// [`Agent::refuse`](super::Agent::refuse). A re-INVITE without body wants an offer in the answer.
    /// Before the call is answered, an offer comes by UPDATE or with a PRACK; or in a reliable provisional
    /// response to our INVITE that had none.
    Offer {
        id: InviteId,
        via: OfferVia,
        body: Option<Bytes>,
    },
    /// The peer took its unanswered offer back (CANCEL of a re-INVITE); the old session stands.
    OfferWithdrawn { id: InviteId },
    /// The answer to our `reinvite` or `update`, the PRACK's to the offer in a provisional response of ours, or the ACK's answer to the offer in our 200 to a re-INVITE.
    Answer { id: InviteId, body: Bytes },
    /// The answer to the description that stands, which was sent once more to refresh the session or to say
    /// something with it. RFC 3264 §8: it "MAY be different" from the one before.
    Restated { id: InviteId, body: Bytes },
    /// The peer refused our offer; RFC 3261 §14.1: the old session stands.
    OfferRefused {
        id: InviteId,
        status: Status,
        reason: Box<str>,
    },
    /// A re-INVITE or UPDATE of the peer that was taken says who it is (P-Asserted-Identity, Remote-Party-ID).
    Identity { id: InviteId, request: Arc<Request> },
    /// INFO, MESSAGE, REFER, NOTIFY… inside the dialog, to be answered by `respond`.
    InDialog {
        id: InviteId,
        request_id: RequestId,
        request: Arc<Request>,
    },
    /// The final response to one of our requests.
    Response {
        id: ClientId,
        result: Result<Arc<Response>, Timeout>,
    },
    /// A subscriber has renewed its subscription, or ends it, or the connection it was told by is gone
    /// ([`Agent::tell_by`](super::Agent::tell_by)): [`Agent::notify`](super::Agent::notify) now.
    Resubscribed { id: SubscriptionId },
    /// A subscription is over. The last event of it.
    SubscriptionEnded { id: SubscriptionId },
    /// The flow of an answered call is gone. The call stands: `rebind` or `hangup`.
    FlowLost { id: InviteId },
    /// After [`Event::FlowLost`], the peer spoke in the dialog over this flow; the call is bound to it.
    FlowRestored { id: InviteId, flow: Flow },
    /// The call is over.
    Ended { id: InviteId, cause: Ended },
}

/// How a change of the session was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferVia {
    /// RFC 3261 §14.
    Reinvite,
    /// RFC 3311.
    Update,
    /// RFC 3262 §5: in a PRACK, or in the provisional response that our PRACK answers.
    Prack,
}

/// Why an INVITE of ours came to nothing.
#[derive(Debug, Clone)]
pub enum Failure {
    /// A final response of class 3 to 6. 503 also when our own tables are full.
    Response(Arc<Response>),
    /// No final response (RFC 3261 §17.1.1.2, Timer B).
    Timeout,
    /// The flow closed before a final response.
    FlowLost,
}

/// Why a call ended.
#[derive(Debug, Clone)]
pub enum Ended {
    /// The peer sent BYE.
    Bye(Arc<Request>),
    /// The caller took its INVITE back before the answer, or while that was on its way.
    Cancelled,
    /// The caller's INVITE expired before the answer (Expires header, RFC 3261 §13.3.1).
    Expired,
    /// No ACK for 32 s (RFC 3261 §13.3.1.4), and BYE was sent; or no PRACK (RFC 3262 §3), and the caller was
    /// refused.
    AckTimeout,
    /// No refresh in time (RFC 4028 §10); BYE was sent.
    SessionExpired,
    /// A request of ours in the dialog got no response.
    Timeout,
    /// The peer does not know the dialog any more: 481 or 408.
    Gone(Status),
    /// `hangup` or `reject`, done.
    Hangup,
    /// Our INVITE failed; [`Event::Failed`] said how.
    Failed,
    /// The flow of a caller we had not answered yet closed.
    FlowLost,
}

/// A request got no final response in time, or its flow closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout;

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no final response")
    }
}

impl std::error::Error for Timeout {}

/// An offer cannot be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// An offer of ours waits for its answer.
    OursPending,
    /// The peer's offer waits for our answer.
    TheirsPending,
    /// The call is not answered yet, is ending, or is unknown.
    NotEstablished,
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OursPending => "our last offer has no answer yet",
            Self::TheirsPending => "the peer's offer waits for our answer",
            Self::NotEstablished => "the call is not established",
        })
    }
}

impl std::error::Error for Busy {}
