//! An INVITE for a new call: from the wire to the switch.

use std::sync::Arc;

use ::sip::{Contacts, Flow, HeaderName, InviteId, Request, Status};
use config::{CallerId, Config, Endpoint, Subscriber};
use sdp::Sdp;
use store::StoreError;
use switch::{Cause, InboxReceiver, InboxSender, Incoming};

use crate::sip::authenticate::{self, Denied, RETRY_AFTER_S};
use crate::sip::channel::SipSignaling;
use crate::sip::command::{Command, Party, Rules, Verb};
use crate::sip::driver::refer::Replaced;
use crate::sip::identify;
use crate::sip::identity::{self, Identity};
use crate::sip::outbound::logins_of;
use crate::sip::request::content_type;
use crate::sip::session;
use crate::sip::shared::{Shared, printable};

/// Lets one call in, or refuses it.
pub(crate) async fn invite(
    shared: Arc<Shared>,
    id: InviteId,
    flow: Flow,
    request: Arc<Request>,
    inbox: (InboxSender, InboxReceiver),
    replaces: Replaced,
) {
    match admit(&shared, &flow, &request, &replaces).await {
        Ok(admitted) => {
            let Admitted {
                subscriber,
                is_known,
                caller,
                exten,
                offer,
            } = admitted;
            let party = party_of(&shared, &subscriber.endpoint, &flow, &request);
            let rules = Box::new(Rules {
                session: session::rules(&subscriber.endpoint),
                reliability: session::reliability(&subscriber.endpoint),
                logins: logins_of(&shared, &subscriber),
                believed: identity::believed(&subscriber.endpoint),
                is_known,
            });
            let verb = Verb::Admitted { party, rules };
            shared.command(Command::Call(id.into(), verb));
            let incoming = Incoming {
                caller,
                context: subscriber.endpoint.context.clone(),
                exten,
                redirecting: identity::redirecting_of(&request),
                call_id: request.headers.call_id().map(printable).unwrap_or_default(),
                offer,
                variables: Vec::new(),
                name: None,
                linkedid: None,
                leg: None,
                signaling: Box::new(SipSignaling::new(
                    shared.clone(),
                    id,
                    request,
                    &flow,
                    Identity::of(&shared, &subscriber),
                )),
                inbox,
                replaces: replaces.place(),
                subscriber,
            };
            // A refusal went out through the call's own signalling.
            let _ = shared.switch.incoming(incoming);
        }
        Err(Denied { status, headers }) => {
            let verb = Verb::Deny { status, headers };
            shared.command(Command::Call(id.into(), verb));
        }
    }
}

/// A call that may start.
struct Admitted {
    subscriber: Arc<Subscriber>,
    /// More than its own word says who it is.
    is_known: bool,
    caller: CallerId,
    exten: String,
    offer: Option<Sdp>,
}

async fn admit(
    shared: &Shared,
    flow: &Flow,
    request: &Request,
    replaces: &Replaced,
) -> Result<Admitted, Denied> {
    let (subscriber, is_known) = authenticate::check_caller(shared, flow, request).await?;
    let endpoint = &subscriber.endpoint;
    if !request.uri.is_sip() {
        return Err(Denied::new(Status::UNSUPPORTED_URI_SCHEME));
    }
    session::check(endpoint, request)?;
    let caller = identity::caller_of(endpoint, request);
    let config = shared.switch.config();
    let exten = extension_of(&config, request);
    // Whoever takes a place goes into no extension.
    replaces.check()?;
    if replaces.is_nothing() && !shared.switch.is_pickup(&exten) {
        check_extension(shared, endpoint, &caller, &exten).await?;
    }
    let offer = offer_of(request).inspect_err(|denied| {
        let status = denied.status.code();
        let written = request.headers.get(&HeaderName::ContentType);
        let content_type = written.map_or_else(|| "missing".to_owned(), printable);
        tracing::info!(
            endpoint = endpoint.id,
            status,
            content_type,
            "call refused: its body is no usable SDP"
        );
    })?;
    // Nobody is to ring for a call that cannot be answered.
    let own = switch::policy_of(endpoint);
    if let Some(why) = offer.as_ref().and_then(|offer| own.refusal_of(offer)) {
        tracing::info!(endpoint = endpoint.id, "call refused: {why}");
        let status = Status::NOT_ACCEPTABLE_HERE;
        return Err(Denied::with_warning(status, &why.to_string()));
    }
    Ok(Admitted {
        caller,
        exten,
        offer,
        subscriber,
        is_known,
    })
}

/// Whether there is such an extension for it.
async fn check_extension(
    shared: &Shared,
    endpoint: &Endpoint,
    caller: &CallerId,
    exten: &str,
) -> Result<(), Denied> {
    let switch = &shared.switch;
    let number = Some(caller.number.as_str());
    let found = switch.has_extension(&endpoint.context, exten, number).await;
    if !found.map_err(|error| unanswered(&error))? {
        let dialled = exten;
        let (exten, context) = (printable(dialled), &endpoint.context);
        // Somebody dials a wrong number every day; a context that is not there is a fault of the files.
        match switch.config().plan.has_context(context) {
            true => tracing::info!(
                endpoint = endpoint.id,
                exten,
                context,
                "call refused: no such extension"
            ),
            false => tracing::warn!(
                endpoint = endpoint.id,
                exten,
                context,
                "call refused: there is no context [{context}] in extensions.conf; write it, or correct \
                 context= of [{}] in {}",
                endpoint.id,
                endpoint.file()
            ),
        }
        // Q.931 calls both an unallocated number; who dials digit by digit goes on after a 484.
        let overlap = endpoint
            .overlap_context
            .as_ref()
            .unwrap_or(&endpoint.context);
        let incomplete = endpoint.allow_overlap
            && switch
                .could_be_longer(overlap, dialled, number)
                .await
                .map_err(|error| unanswered(&error))?;
        let mut denied = Denied::new(if incomplete {
            Status::ADDRESS_INCOMPLETE
        } else {
            Status::NOT_FOUND
        });
        denied
            .headers
            .push((HeaderName::Reason, Cause::Unallocated.reason()));
        return Err(denied);
    }
    Ok(())
}

/// Nobody knows whether there is such an extension: the database does not answer.
pub(crate) fn unanswered(error: &StoreError) -> Denied {
    // That the database is away was said once; many who call meanwhile are no news.
    match error.is_unreachable() {
        true => tracing::debug!("cannot look up an extension: {error}"),
        false => tracing::warn!("cannot look up an extension: {error}"),
    }
    Denied::retry_after(Status::SERVICE_UNAVAILABLE, RETRY_AFTER_S)
}

/// The user part of the Request-URI; Asterisk takes an empty one as `s`.
fn extension_of(config: &Config, request: &Request) -> String {
    match request.uri.user() {
        Some(user) if !user.is_empty() => identify::without_options(config, &user).to_owned(),
        _ => "s".to_owned(),
    }
}

/// Bodies that may hold an offer.
const ACCEPTED: &str = "application/sdp, multipart/mixed";

/// The offer in the body; none asks us to offer.
fn offer_of(request: &Request) -> Result<Option<Sdp>, Denied> {
    if request.body.is_empty() {
        return Ok(None);
    }
    let described =
        content_type(request).and_then(|_| ::sip::description(&request.headers, &request.body));
    let Some(described) = described else {
        // RFC 3261 §21.4.13: "The server MUST return a list of acceptable formats".
        let mut denied = Denied::new(Status::UNSUPPORTED_MEDIA_TYPE);
        denied
            .headers
            .push((HeaderName::Accept, ACCEPTED.to_owned()));
        return Err(denied);
    };
    match sdp::parse(&described) {
        Ok(offer) => Ok(Some(offer)),
        Err(error) => Err(Denied::with_warning(
            Status::BAD_REQUEST,
            &error.to_string(),
        )),
    }
}

/// Who calls, so that the call is found again when the client comes back on another connection.
pub(crate) fn party_of(
    shared: &Shared,
    endpoint: &Endpoint,
    flow: &Flow,
    request: &Request,
) -> Party {
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
