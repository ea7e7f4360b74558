//! Dialogs: RFC 3261 §12. Who is on the other side, by which way, and which numbers were used.

use std::collections::BTreeMap;

use crate::{
    Contacts, HeaderError, HeaderName, Method, NameAddr, Replaces, Request, Response, Uri,
};

/// RFC 3261 §12: "A dialog is identified at each UA with a dialog ID, which consists of a Call-ID
/// value, a local tag and a remote tag." The remote tag of an RFC 2543 peer is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DialogId {
    call_id: Box<str>,
    local_tag: Box<str>,
    remote_tag: Box<str>,
}

impl DialogId {
    pub(crate) fn call_id(&self) -> &str {
        &self.call_id
    }

    /// The dialog a Replaces names.
    pub(crate) fn of_replaces(replaces: &Replaces) -> Self {
        Self {
            call_id: replaces.call_id.clone(),
            local_tag: replaces.to_tag.clone(),
            remote_tag: replaces.from_tag.clone(),
        }
    }

    /// The dialog a request of the peer names; `None` without To tag.
    pub(crate) fn of_request(request: &Request) -> Result<Option<Self>, HeaderError> {
        let headers = &request.headers;
        let to = headers.to()?;
        let Some(local_tag) = to.tag() else {
            return Ok(None);
        };
        Ok(Some(Self {
            call_id: headers.call_id()?.into(),
            local_tag: local_tag.into(),
            remote_tag: headers.from()?.tag().unwrap_or_default().into(),
        }))
    }
}

/// One dialog, early or confirmed. A copy of it is another usage (RFC 5057): see [`SharedSequences`].
#[derive(Debug, Clone)]
pub(crate) struct Dialog {
    pub(crate) id: DialogId,
    /// Our side: From of our requests, as text so that nothing is lost.
    local: Box<str>,
    /// Their side: To of our requests.
    remote: Box<str>,
    target: Uri,
    routes: Vec<NameAddr>,
    /// Of our last request, unless the dialog is shared.
    local_seq: u32,
    remote_seq: Option<u32>,
}

/// RFC 3261 §12.2.2: "If the remote sequence number is not empty, but the sequence number of the request
/// is lower than the remote sequence number, the request is out of order and MUST be rejected with a
/// 500 (Server Internal Error) response."
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutOfOrder;

impl Dialog {
    /// RFC 3261 §12.1.1: from a request that came and the To tag we give it.
    pub(crate) fn of_request(request: &Request, local_tag: &str) -> Result<Self, HeaderError> {
        let headers = &request.headers;
        let from = headers.from()?;
        let to = headers.get(&HeaderName::To).unwrap_or_default();
        let id = DialogId {
            call_id: headers.call_id()?.into(),
            local_tag: local_tag.into(),
            remote_tag: from.tag().unwrap_or_default().into(),
        };
        Ok(Self {
            id,
            local: format!("{to};tag={local_tag}").into(),
            remote: headers.get(&HeaderName::From).unwrap_or_default().into(),
            // "The remote target MUST be set to the URI from the Contact header field"; a peer without
            // one is reached over its flow all the same.
            target: contact(request)?.unwrap_or(from.uri),
            // "The route set MUST be set to the list of URIs in the Record-Route header field from the
            // request, taken in order".
            routes: headers.record_routes()?,
            local_seq: 0,
            remote_seq: Some(headers.cseq()?.number),
        })
    }

    /// RFC 3261 §12.1.2: from our INVITE and a response to it; `None` if the response has no To tag.
    pub(crate) fn of_response(
        request: &Request,
        response: &Response,
    ) -> Result<Option<Self>, HeaderError> {
        let to = response.headers.to()?;
        let Some(remote_tag) = to.tag() else {
            return Ok(None);
        };
        let from = request.headers.from()?;
        let id = DialogId {
            call_id: request.headers.call_id()?.into(),
            local_tag: from.tag().unwrap_or_default().into(),
            remote_tag: remote_tag.into(),
        };
        let mut routes = response.headers.record_routes()?;
        // "… taken in reverse order".
        routes.reverse();
        Ok(Some(Self {
            id,
            local: request
                .headers
                .get(&HeaderName::From)
                .unwrap_or_default()
                .into(),
            remote: response
                .headers
                .get(&HeaderName::To)
                .unwrap_or_default()
                .into(),
            target: target_of(response)?.unwrap_or_else(|| request.uri.clone()),
            routes,
            local_seq: request.headers.cseq()?.number,
            remote_seq: None,
        }))
    }

    /// RFC 3261 §13.2.2.4: the 2xx confirms an early dialog; the numbers used in it stay used.
    pub(crate) fn continue_from(&mut self, early: &Self) {
        self.local_seq = self.local_seq.max(early.local_seq);
        self.remote_seq = early.remote_seq;
    }

    /// Checks and takes the sequence number of a request of the peer (not of an ACK or CANCEL).
    pub(crate) fn take_sequence(&mut self, number: u32) -> Result<(), OutOfOrder> {
        if self.remote_seq.is_some_and(|known| number < known) {
            return Err(OutOfOrder);
        }
        self.remote_seq = Some(number);
        Ok(())
    }

    /// A target refresh request of the peer (§12.2.2).
    pub(crate) fn refresh_target(&mut self, request: &Request) {
        if let Ok(Some(target)) = contact(request) {
            self.target = target;
        }
    }

    /// A 2xx to a target refresh request of ours (§12.2.1.2).
    pub(crate) fn refresh_target_by(&mut self, response: &Response) {
        if let Ok(Some(target)) = target_of(response) {
            self.target = target;
        }
    }

    /// The dialog that a request of ours was sent in.
    pub(crate) fn of_own(request: &Request) -> Result<DialogId, HeaderError> {
        let headers = &request.headers;
        Ok(DialogId {
            call_id: headers.call_id()?.into(),
            local_tag: headers.from()?.tag().unwrap_or_default().into(),
            remote_tag: headers.to()?.tag().unwrap_or_default().into(),
        })
    }

    /// The sequence number of our next request.
    pub(crate) fn next_sequence(&mut self, shared: &mut SharedSequences) -> u32 {
        let last = match shared.dialogs.get_mut(&self.id) {
            Some(shared) => &mut shared.last,
            None => &mut self.local_seq,
        };
        *last += 1;
        *last
    }

    /// A request inside the dialog, with the next sequence number (§12.2.1.1).
    pub(crate) fn request(&mut self, shared: &mut SharedSequences, method: &Method) -> Request {
        let number = self.next_sequence(shared);
        self.numbered(method, number)
    }

    /// The ACK of a 2xx. §13.2.2.4: "The sequence number of the CSeq header field MUST be the same as the
    /// INVITE being acknowledged".
    pub(crate) fn ack(&self, invite_seq: u32) -> Request {
        self.numbered(&Method::Ack, invite_seq)
    }

    fn numbered(&self, method: &Method, number: u32) -> Request {
        let (uri, routes) = self.way();
        let mut request = Request::new(method.clone(), uri);
        let headers = &mut request.headers;
        headers.push(HeaderName::MaxForwards, "70");
        for route in routes {
            headers.push(HeaderName::Route, &route);
        }
        headers.push(HeaderName::From, &self.local);
        headers.push(HeaderName::To, &self.remote);
        headers.push(HeaderName::CallId, &self.id.call_id);
        headers.push(HeaderName::CSeq, &format!("{number} {method}"));
        request
    }

    /// The Request-URI and the Route headers (§12.2.1.1).
    fn way(&self) -> (Uri, Vec<String>) {
        let routes = || self.routes.iter().map(|route| format!("<{}>", route.uri));
        match self.routes.first() {
            None => (self.target.clone(), Vec::new()),
            Some(first) if first.uri.param("lr").is_some() => {
                (self.target.clone(), routes().collect())
            }
            // A strict router: "the UAC MUST place the first URI from the route set into the
            // Request-URI … the UAC MUST then place the remote target URI into the Route header field as
            // the last value."
            Some(first) => {
                let last = format!("<{}>", self.target);
                (first.uri.clone(), routes().skip(1).chain([last]).collect())
            }
        }
    }
}

/// Our sequence numbers in dialogs of several usages: a call, and the subscriptions of REFERs in it, which may
/// outlive it. RFC 3261 §12.2.1.1: "Requests within a dialog MUST contain strictly monotonically increasing and
/// contiguous CSeq sequence numbers (increasing-by-one) in each direction". At most a dialog for each
/// subscription that was begun in a call that is there.
#[derive(Debug, Default)]
pub(crate) struct SharedSequences {
    dialogs: BTreeMap<DialogId, Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Of our last request.
    last: u32,
    usages: usize,
}

impl SharedSequences {
    /// The dialog has one more usage than the one that brings it.
    pub(crate) fn join(&mut self, dialog: &Dialog) {
        let shared = self.dialogs.entry(dialog.id.clone()).or_insert(Shared {
            last: dialog.local_seq,
            usages: 1,
        });
        shared.usages += 1;
    }

    /// A usage of the dialog is over, whether or not there are others.
    pub(crate) fn leave(&mut self, dialog: &DialogId) {
        let Some(shared) = self.dialogs.get_mut(dialog) else {
            return;
        };
        shared.usages -= 1;
        if shared.usages == 0 {
            self.dialogs.remove(dialog);
        }
    }
}

fn contact(request: &Request) -> Result<Option<Uri>, HeaderError> {
    request.headers.contacts().map(first)
}

fn target_of(response: &Response) -> Result<Option<Uri>, HeaderError> {
    response.headers.contacts().map(first)
}

fn first(contacts: Contacts) -> Option<Uri> {
    match contacts {
        Contacts::Star => None,
        Contacts::List(list) => list.into_iter().next().map(|contact| contact.address.uri),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;

    fn dialog() -> Dialog {
        let invite = "INVITE sip:246@example.com SIP/2.0\r\n\
            Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
            From: <sip:alice@example.com>;tag=a\r\nTo: <sip:246@example.com>\r\n\
            Call-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:alice@192.0.2.1>\r\n\r\n";
        let Message::Request(invite) = Message::parse(&invite.into()).unwrap() else {
            panic!("it is a request");
        };
        Dialog::of_request(&invite, "b").unwrap()
    }

    #[test]
    fn usages_of_a_dialog_count_together_and_leave_nothing_behind() {
        let mut shared = SharedSequences::default();
        let mut call = dialog();
        assert_eq!(call.next_sequence(&mut shared), 1);
        shared.join(&call);
        let mut transfer = call.clone();
        shared.join(&call);
        let mut another = call.clone();
        assert_eq!(transfer.next_sequence(&mut shared), 2);
        assert_eq!(call.next_sequence(&mut shared), 3);
        assert_eq!(another.next_sequence(&mut shared), 4);
        shared.leave(&transfer.id);
        assert_eq!(call.next_sequence(&mut shared), 5);
        // The call ends before the last of them.
        shared.leave(&call.id);
        assert_eq!(another.next_sequence(&mut shared), 6);
        shared.leave(&another.id);
        assert!(shared.dialogs.is_empty());
        shared.leave(&another.id);
    }
}
