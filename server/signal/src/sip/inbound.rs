//! An INVITE for a new call: from the wire to the switch.

use std::sync::Arc;

use ::sip::{Contacts, Flow, HeaderName, InviteId, Request, Status};
use config::{CallerId, Endpoint, Subscriber};
use sdp::Sdp;
use switch::{Cause, InboxReceiver, InboxSender, Incoming};

use crate::sip::authenticate::{self, Denied};
use crate::sip::channel::SipSignaling;
use crate::sip::command::{Command, Party, Verb};
use crate::sip::request::content_type;
use crate::sip::shared::{Shared, printable};

/// Lets one call in, or refuses it.
pub(crate) async fn invite(
    shared: Arc<Shared>,
    id: InviteId,
    flow: Flow,
    request: Arc<Request>,
    inbox: (InboxSender, InboxReceiver),
) {
    match admit(&shared, &flow, &request).await {
        Ok(admitted) => {
            let Admitted {
                subscriber,
                caller,
                exten,
                offer,
            } = admitted;
            let party = party_of(&shared, &subscriber.endpoint, &flow, &request);
            shared.command(Command::Call(id.into(), Verb::Admitted { party }));
            let incoming = Incoming {
                caller,
                context: subscriber.endpoint.context.clone(),
                exten,
                call_id: request.headers.call_id().map(printable).unwrap_or_default(),
                offer,
                signaling: Box::new(SipSignaling::new(shared.clone(), id, request)),
                inbox,
                subscriber,
            };
            // A refusal went out through the call's own signalling.
            let _ = shared.switch.incoming(incoming);
        }
        Err(Denied { status, headers }) => {
            let verb = Verb::Reject { status, headers };
            shared.command(Command::Call(id.into(), verb));
        }
    }
}

/// A call that may start.
struct Admitted {
    subscriber: Arc<Subscriber>,
    caller: CallerId,
    exten: String,
    offer: Option<Sdp>,
}

async fn admit(shared: &Shared, flow: &Flow, request: &Request) -> Result<Admitted, Denied> {
    let subscriber = authenticate::check(shared, flow, request).await?;
    let endpoint = &subscriber.endpoint;
    if !request.uri.is_sip() {
        return Err(Denied::new(Status::UNSUPPORTED_URI_SCHEME));
    }
    let caller = caller_of(endpoint, request);
    let exten = extension_of(request);
    let plan = shared.switch.config().plan.clone();
    if plan
        .find(&endpoint.context, &exten, Some(&caller.number))
        .is_none()
    {
        let (exten, context) = (printable(&exten), &endpoint.context);
        tracing::info!(
            endpoint = endpoint.id,
            exten,
            context,
            "call refused: no such extension"
        );
        let mut denied = Denied::new(Status::NOT_FOUND);
        denied
            .headers
            .push((HeaderName::Reason, Cause::Unallocated.reason()));
        return Err(denied);
    }
    let offer = offer_of(request).inspect_err(|denied| {
        let status = denied.status.code();
        tracing::info!(
            endpoint = endpoint.id,
            status,
            "call refused: its body is no usable SDP"
        );
    })?;
    Ok(Admitted {
        caller,
        exten,
        offer,
        subscriber,
    })
}

/// The user part of the Request-URI; Asterisk takes an empty one as `s`.
fn extension_of(request: &Request) -> String {
    match request.uri.user() {
        Some(user) if !user.is_empty() => user.into_owned(),
        _ => "s".to_owned(),
    }
}

/// What the configuration says of the caller; else what From says. From is proven only as far as
/// the endpoint is, so it never decides anything but what is shown.
fn caller_of(endpoint: &Endpoint, request: &Request) -> CallerId {
    if let Some(caller) = &endpoint.caller_id {
        return caller.clone();
    }
    let Ok(from) = request.headers.from() else {
        return CallerId::default();
    };
    CallerId {
        name: printable(from.display_name.as_deref().unwrap_or_default()),
        number: printable(from.uri.user().as_deref().unwrap_or_default()),
    }
}

/// The offer in the body; none asks us to offer.
fn offer_of(request: &Request) -> Result<Option<Sdp>, Denied> {
    if request.body.is_empty() {
        return Ok(None);
    }
    if content_type(request).as_deref() != Some("application/sdp") {
        // RFC 3261 §21.4.13: "The server MUST return a list of acceptable formats".
        let mut denied = Denied::new(Status::UNSUPPORTED_MEDIA_TYPE);
        denied
            .headers
            .push((HeaderName::Accept, "application/sdp".to_owned()));
        return Err(denied);
    }
    match sdp::parse(&request.body) {
        Ok(offer) => Ok(Some(offer)),
        Err(error) => Err(Denied::with_warning(
            Status::BAD_REQUEST,
            &error.to_string(),
        )),
    }
}

/// Who calls, so that the call is found again when the client comes back on another connection.
fn party_of(shared: &Shared, endpoint: &Endpoint, flow: &Flow, request: &Request) -> Party {
    let contact = match request.headers.contacts() {
        Ok(Contacts::List(list)) => list.into_iter().next(),
        Ok(Contacts::Star) | Err(_) => None,
    };
    let named = contact
        .as_ref()
        .and_then(|contact| contact.instance().map(str::to_owned));
    let contact = contact.map(|contact| contact.address.uri);
    let instance = named.or_else(|| {
        let contact = contact.as_ref()?;
        shared.location().instance_on(flow.id, contact)
    });
    Party {
        endpoint: endpoint.id.clone(),
        instance,
        contact,
    }
}
