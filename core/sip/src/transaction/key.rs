//! How requests find their server transaction (RFC 3261 §17.2.3) and their twins (§8.2.2.2).

use crate::agent::{Flow, FlowId};
use crate::{HeaderError, Method, Request, Via};

/// RFC 3261 §17.2.3: "The branch parameter in the request is equal to the one in the top Via header
/// field of the request that created the transaction, and the sent-by value … and the method of the
/// request matches …, except for ACK, where the method of the request that created the transaction
/// is INVITE."
///
/// On connections the flow is part of the key as well: branches of JsSIP have seven digits, the host of
/// every sipML5 is the same, and one browser must not be able to cancel another's call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServerKey {
    branch: Box<str>,
    sent_by: Box<str>,
    flow: Option<FlowId>,
    method: Method,
}

impl ServerKey {
    /// `via` is the topmost Via as it came.
    pub(crate) fn new(request: &Request, via: &Via, flow: &Flow) -> Result<Self, HeaderError> {
        let port = via
            .port()
            .map(|port| format!(":{port}"))
            .unwrap_or_default();
        let branch = match via.unique_branch() {
            Some(branch) => branch.into(),
            None => legacy_branch(request, via)?,
        };
        let method = match &request.method {
            Method::Ack => Method::Invite,
            other => other.clone(),
        };
        Ok(Self {
            branch,
            sent_by: format!("{}{port}", via.host()).to_ascii_lowercase().into(),
            flow: flow.transport.is_reliable().then_some(flow.id),
            method,
        })
    }

    /// The first of all keys that differ from this one in the method only.
    pub(super) fn first_method(&self) -> Self {
        Self {
            // The least of the methods, as they are declared.
            method: Method::Invite,
            ..self.clone()
        }
    }

    /// Whether both are equal but for the method.
    pub(super) fn differs_in_method(&self, other: &Self) -> bool {
        (&self.branch, &self.sent_by, self.flow) == (&other.branch, &other.sent_by, other.flow)
    }

    pub(super) const fn method(&self) -> &Method {
        &self.method
    }
}

/// §17.2.3 for peers of RFC 2543, whose branch is not unique: "The INVITE request matches a transaction
/// if the Request-URI, To tag, From tag, Call-ID, CSeq, and top Via header field match". The To tag is
/// left out: an ACK has the one of our response.
fn legacy_branch(request: &Request, via: &Via) -> Result<Box<str>, HeaderError> {
    let headers = &request.headers;
    let from = headers.from()?;
    let cseq = headers.cseq()?;
    let parts = [
        request.uri.as_str(),
        from.tag().unwrap_or_default(),
        headers.call_id()?,
        &cseq.number.to_string(),
        &via.to_string(),
    ];
    Ok(parts.join("\n").into())
}

/// RFC 3261 §8.2.2.2: a request without To tag whose "From tag, Call-ID, and CSeq exactly match those
/// associated with an ongoing transaction, but the request does not match that transaction" came
/// twice by different ways.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin {
    call_id: Box<str>,
    from_tag: Box<str>,
    cseq: u32,
    method: Method,
}

impl Origin {
    /// `None` for requests inside a dialog.
    pub(crate) fn of(request: &Request) -> Result<Option<Self>, HeaderError> {
        let headers = &request.headers;
        if headers.to()?.tag().is_some() {
            return Ok(None);
        }
        let cseq = headers.cseq()?;
        Ok(Some(Self {
            call_id: headers.call_id()?.into(),
            from_tag: headers.from()?.tag().unwrap_or_default().into(),
            cseq: cseq.number,
            method: cseq.method,
        }))
    }
}
