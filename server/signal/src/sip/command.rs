//! What request and call tasks ask of the driver.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ::sip::{
    Body, Flow, HeaderName, Headers, InviteId, Login, OfferVia, Reliability, RequestId, Response,
    SessionRules, Status, Uri,
};
use config::{CallerId, Config};
use media::Digit;
use store::SavedContact;
use switch::{Redirecting, Referred, Text};

use tokio::sync::oneshot;

use crate::signal::Subscribed;
use crate::sip::identity::{Identity, Role};
use crate::sip::mwi::Mwi;
use crate::sip::outbound::Ask;
use crate::sip::presence::{Hints, Subscribe};
use crate::sip::resolve::Hop;
use crate::sip::text::Letter;
use crate::sip::trunk::Wanted;

/// What the driver is to do, or to know.
#[derive(Debug)]
pub(crate) enum Command {
    /// Answers a request from outside a dialog.
    Respond {
        id: RequestId,
        response: Box<Response>,
    },
    /// Calls somebody; the driver tells `call` its id.
    Invite {
        call: CallRef,
        ask: Box<Ask>,
        offer: Body,
    },
    /// Accepts a subscription.
    Subscribe {
        id: RequestId,
        subscribe: Box<Subscribe>,
    },
    /// Sends a text message.
    Text(Box<Letter>),
    /// Asks the contacts of these addresses now; none: there is something new to be asked in time.
    Qualify { aors: Vec<String> },
    /// Something for one call.
    Call(CallRef, Verb),
    /// These contacts were registered in an earlier run.
    Restore { contacts: Vec<SavedContact> },
    /// These contacts have just been registered over this flow.
    Registered { flow: Flow, parties: Vec<Party> },
    /// These contacts, just registered, are told what waits in the mailboxes of their endpoint.
    Mailboxes { mwi: Box<Mwi>, contacts: Vec<Uri> },
    /// What endpoints with contacts are told of from now on.
    AllMailboxes { config: Arc<Config>, all: Vec<Mwi> },
    /// What Server and User-Agent say from now on.
    Rename { server: String },
    /// These registrations at other servers are wanted, and no others.
    Registrations { wanted: Vec<Arc<Wanted>> },
    /// Where the registrar of a registration is, by its number.
    Registrar {
        number: u64,
        hops: Result<Vec<Hop>, String>,
        /// What its challenges are answered with, where a database says so.
        logins: Option<Vec<Login>>,
    },
    /// Registers, or takes the registration back: one, or all.
    Register { id: Option<String>, is_on: bool },
    /// Takes all registrations back for good, and answers when that is done.
    Leave(oneshot::Sender<()>),
    /// The hints that are watched, as they are now.
    Hints(Hints),
    /// Who has subscribed to what.
    Watchers(oneshot::Sender<Vec<Subscribed>>),
    /// Proof that the driver turns.
    Ping(oneshot::Sender<()>),
}

impl Command {
    /// Whether it ends something and so comes once or twice for each request or call at most.
    pub(crate) fn is_last(&self) -> bool {
        match self {
            Self::Respond { .. } | Self::Subscribe { .. } | Self::Restore { .. } => true,
            Self::Call(_, verb) => matches!(
                verb,
                Verb::Refuse { .. }
                    | Verb::SendAway { .. }
                    | Verb::Deny { .. }
                    | Verb::Hangup { .. }
            ),
            Self::Invite { .. }
            | Self::Text(_)
            | Self::Qualify { .. }
            | Self::Registered { .. }
            | Self::Mailboxes { .. }
            | Self::AllMailboxes { .. }
            | Self::Rename { .. }
            | Self::Registrations { .. }
            | Self::Registrar { .. }
            | Self::Register { .. }
            | Self::Leave(_)
            | Self::Hints(_)
            | Self::Watchers(_)
            | Self::Ping(_) => false,
        }
    }
}

/// One verb of `sip::Agent` for one call, or news the driver keeps beside it.
#[derive(Debug)]
pub(crate) enum Verb {
    /// 180 or 183.
    Provisional { status: Status, body: Option<Body> },
    /// 200 to the INVITE.
    Accept { body: Body },
    /// The refusal of an INVITE whose sender has proven nothing.
    Deny {
        status: Status,
        headers: Vec<(HeaderName, String)>,
    },
    /// Our offer in the middle of the call.
    Reinvite { body: Body },
    /// The answer to the peer's offer.
    Answer { body: Body },
    /// The refusal of the peer's offer, the first one with the call itself.
    Refuse {
        status: Status,
        headers: Vec<(HeaderName, String)>,
    },
    /// The end.
    Hangup {
        status: Status,
        headers: Vec<(HeaderName, String)>,
    },
    /// A digit, by INFO.
    Digit(Digit),
    /// A request for a key frame, by INFO.
    Keyframe,
    /// Who the far end is connected to.
    Tell(Box<Told>),
    /// The call of the far end is sent on: 181.
    SentOn(Arc<Identity>, Box<Redirecting>),
    /// A text within the call.
    Text(Box<Text>),
    /// Asks the far end to call somebody else.
    SendAway { to: String, answered: bool },
    /// What became of the far end's REFER.
    Referred(Referred),
    /// The caller of this INVITE is known now.
    Admitted { party: Party, rules: Box<Rules> },
}

/// How a call that came in is kept.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) session: SessionRules,
    pub(crate) reliability: Reliability,
    /// What its challenges are answered with.
    pub(crate) logins: Vec<Login>,
    /// Its tag, if it is believed who it is.
    pub(crate) believed: Option<Box<str>>,
    /// More than its own word says who it is.
    pub(crate) is_known: bool,
}

/// Who the far end of a call is connected to.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) identity: Arc<Identity>,
    pub(crate) party: CallerId,
    pub(crate) role: Role,
    pub(crate) how: How,
}

/// When the far end is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// With whatever is said next.
    InPassing,
    /// At once, while it waits for the answer.
    Ringing,
    /// At once, in the call.
    By(OfferVia),
}

/// Names a call. One of ours has its id from the moment the driver has sent the INVITE; what is asked of
/// it comes after that in the same queue. It gets another one when the INVITE goes to another place.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallRef(Arc<Named>);

#[derive(Debug, Default)]
struct Named {
    id: Mutex<Option<InviteId>>,
    /// The headers of the answer to our INVITE.
    answer: OnceLock<Headers>,
}

impl CallRef {
    /// The id; `None` while no INVITE is out.
    pub(crate) fn id(&self) -> Option<InviteId> {
        *self.0.id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The headers of the answer to our INVITE; `None` while there is none.
    pub(crate) fn answer(&self) -> Option<&Headers> {
        self.0.answer.get()
    }

    /// Our INVITE was answered; the first answer counts.
    pub(crate) fn is_answered(&self, headers: &Headers) {
        self.0.answer.get_or_init(|| headers.clone());
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn is(&self, id: Option<InviteId>) {
        *self.0.id.lock().unwrap_or_else(PoisonError::into_inner) = id;
    }
}

impl From<InviteId> for CallRef {
    fn from(id: InviteId) -> Self {
        Self(Arc::new(Named {
            id: Mutex::new(Some(id)),
            ..Named::default()
        }))
    }
}

/// One client of an endpoint: what its call and its next registration have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Party {
    /// The endpoint it speaks for.
    pub(crate) endpoint: String,
    /// `+sip.instance` (RFC 5626 §4.1), if it names one.
    pub(crate) instance: Option<String>,
    /// Its Contact.
    pub(crate) contact: Option<Uri>,
}

impl Party {
    /// Whether both are the same client. Instances decide where both are known; else the Contact's
    /// user and host, which browsers draw at random.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        if self.endpoint != other.endpoint {
            return false;
        }
        if let (Some(one), Some(other)) = (&self.instance, &other.instance) {
            return one == other;
        }
        match (&self.contact, &other.contact) {
            (Some(one), Some(other)) => {
                one.user().is_some() && one.user() == other.user() && one.host() == other.host()
            }
            _ => false,
        }
    }
}
