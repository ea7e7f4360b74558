//! Requests from outside a dialog, other than INVITE. Each is answered by a task of its own.

use std::sync::Arc;

use ::sip::{Flow, HeaderName, Method, Request, RequestId, Response, Status};
use config::Subscriber;

use crate::sip::authenticate::{self, Denied};
use crate::sip::command::Command;
use crate::sip::identify;
use crate::sip::inbound::{party_of, unanswered};
use crate::sip::mwi;
use crate::sip::presence::{self, Subscribe};
use crate::sip::registrar;
use crate::sip::shared::Shared;
use crate::sip::text;

/// What we act on, for Allow.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, MESSAGE, OPTIONS, REGISTER, REFER, SUBSCRIBE, NOTIFY";

/// Answers one request.
pub(crate) async fn answer(shared: Arc<Shared>, id: RequestId, flow: Flow, request: Arc<Request>) {
    if request.method == Method::Subscribe {
        return subscribe(&shared, id, &flow, request).await;
    }
    let response = match request.method {
        Method::Register => registrar::register(&shared, &flow, &request).await,
        _ => match authenticate::check(&shared, &flow, &request).await {
            Ok(subscriber) => respond(&shared, &flow, &subscriber, &request).await,
            Err(denied) => denied.response(&request),
        },
    };
    shared.command(Command::Respond {
        id,
        response: Box::new(response),
    });
}

async fn subscribe(shared: &Shared, id: RequestId, flow: &Flow, request: Arc<Request>) {
    let config = shared.switch.config();
    let mut connection = None;
    let admitted = match authenticate::check(shared, flow, &request).await {
        Ok(subscriber) => {
            connection = connection_to(shared, &subscriber, flow, &request);
            presence::admit(shared, &config, &subscriber, &request).await
        }
        Err(denied) => Err(denied),
    };
    shared.command(match admitted {
        Ok((watched, rules)) => {
            let subscribe = Subscribe {
                request,
                flow: *flow,
                connection,
                config,
                watched,
                rules,
            };
            let subscribe = Box::new(subscribe);
            Command::Subscribe { id, subscribe }
        }
        Err(denied) => Command::Respond {
            id,
            response: Box::new(denied.response(&request)),
        },
    });
}

/// The connection that who asks by UDP has registered over, too.
fn connection_to(
    shared: &Shared,
    subscriber: &Subscriber,
    flow: &Flow,
    request: &Request,
) -> Option<Flow> {
    if flow.transport.is_reliable() {
        return None;
    }
    let party = party_of(shared, &subscriber.endpoint, flow, request);
    let location = shared.location();
    let mut aors = subscriber.aors.iter();
    aors.find_map(|aor| location.connection_of(&aor.id, &party, flow.remote.ip()))
}

/// The answer to somebody who has proven who he is.
async fn respond(
    shared: &Shared,
    flow: &Flow,
    subscriber: &Arc<Subscriber>,
    request: &Request,
) -> Response {
    let denied = match &request.method {
        Method::Options => return options(shared, subscriber, request).await,
        // RFC 3428 §7: "the UAS … MAY return a 202 (Accepted) response" where it has not delivered it yet.
        Method::Message => match text::receive(shared, flow, subscriber, request).await {
            Ok(()) => return request.response(Status::ACCEPTED),
            Err(denied) => denied,
        },
        Method::Publish => Denied::with_warning(
            Status::BAD_EVENT,
            "The states of phones are known from their calls and contacts",
        ),
        Method::Notify => match mwi::heard(shared, subscriber, request) {
            true => return request.response(Status::OK),
            false => Denied::new(Status::CALL_DOES_NOT_EXIST),
        },
        Method::Refer => Denied::with_warning(
            Status::NOT_IMPLEMENTED,
            "Calls are transferred inside their dialog only",
        ),
        _ => {
            let mut denied = Denied::new(Status::NOT_IMPLEMENTED);
            denied.headers.push((HeaderName::Allow, ALLOW.to_owned()));
            denied
        }
    };
    denied.response(request)
}

/// RFC 3261 §11.2: "The response code chosen in the response MUST be the same that would have been
/// chosen had the request been an INVITE."
async fn options(shared: &Shared, subscriber: &Subscriber, request: &Request) -> Response {
    let config = shared.switch.config();
    let user = request.uri.user().unwrap_or_default();
    let exten = identify::without_options(&config, &user);
    let context = &subscriber.endpoint.context;
    let known = match exten.is_empty() {
        true => true,
        false => match shared.switch.has_extension(context, exten, None).await {
            Ok(known) => known,
            Err(error) => return unanswered(&error).response(request),
        },
    };
    let mut response = request.response(if known { Status::OK } else { Status::NOT_FOUND });
    if known {
        let headers = &mut response.headers;
        headers.push(HeaderName::Allow, ALLOW);
        headers.push(
            HeaderName::Accept,
            "application/sdp, application/dtmf-relay, text/plain",
        );
        headers.push(HeaderName::AcceptEncoding, "identity");
        headers.push(HeaderName::AcceptLanguage, "en");
        headers.push(HeaderName::Supported, "100rel, replaces, timer, path");
    }
    response
}

/// The type of the body in lower case, without parameters.
pub(crate) fn content_type(request: &Request) -> Option<String> {
    let media_type = request.headers.content_type().ok()??;
    Some(media_type.essence().to_ascii_lowercase())
}
