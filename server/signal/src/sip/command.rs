//! What request and call tasks ask of the driver.

use ::sip::{Body, Flow, HeaderName, InviteId, RequestId, Response, Status, Uri};

/// One verb of `sip::Agent`, or news the driver keeps beside it.
#[derive(Debug)]
pub(crate) enum Command {
    /// Answers a request from outside a dialog.
    Respond {
        id: RequestId,
        response: Box<Response>,
    },
    /// 180 or 183.
    Provisional {
        id: InviteId,
        status: Status,
        body: Option<Body>,
    },
    /// 200 to the INVITE.
    Accept { id: InviteId, body: Body },
    /// The final refusal of the INVITE.
    Reject {
        id: InviteId,
        status: Status,
        headers: Vec<(HeaderName, String)>,
    },
    /// Our offer in the middle of the call.
    Reinvite { id: InviteId, body: Body },
    /// The answer to the peer's offer.
    Answer { id: InviteId, body: Body },
    /// The refusal of the peer's offer.
    Refuse {
        id: InviteId,
        status: Status,
        headers: Vec<(HeaderName, String)>,
    },
    /// The end.
    Hangup {
        id: InviteId,
        status: Status,
        headers: Vec<(HeaderName, String)>,
    },
    /// The caller of this INVITE is known now.
    Admitted { id: InviteId, party: Party },
    /// These contacts have just been registered over this flow.
    Registered { flow: Flow, parties: Vec<Party> },
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
