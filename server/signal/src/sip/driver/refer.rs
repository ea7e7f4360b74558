//! Transfers as SIP says them: REFER with its NOTIFY (RFC 3515, 4488), and Replaces (RFC 3891).

use std::sync::Arc;
use std::time::Instant;

use ::sip::{
    Agent, Body, ClientId, HeaderName, Host, InviteId, Method, NameAddr, Replaces, Request,
    RequestId, Response, Status, Uri,
};
use switch::{ChannelEvent, Referred, Refusal, Seat, Transfer, TransferTo};

use crate::sip::authenticate::Denied;
use crate::sip::driver::calls::Calls;
use crate::sip::shared::printable;

/// A REFER that waits for what the call makes of it.
#[derive(Debug)]
pub(crate) struct Refer {
    id: RequestId,
    request: Request,
}

/// What an INVITE is to take the place of.
#[derive(Debug)]
pub(crate) enum Replaced {
    /// Nothing: it is a call like any other.
    Nothing,
    /// It says so in a way nobody understands.
    Malformed,
    /// A call that is not here, or has nobody to talk to.
    Gone,
    /// A call that has been answered, while it wants one that has not.
    Answered,
    /// This one.
    Place(Seat),
}

impl Replaced {
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// RFC 3891 §3: what is refused, and how.
    pub(crate) fn check(&self) -> Result<(), Denied> {
        let status = match self {
            Self::Nothing | Self::Place(_) => return Ok(()),
            Self::Malformed => Status::BAD_REQUEST,
            Self::Gone => Status::CALL_DOES_NOT_EXIST,
            Self::Answered => Status::BUSY_HERE,
        };
        Err(Denied::new(status))
    }

    pub(crate) fn place(self) -> Option<Seat> {
        match self {
            Self::Place(place) => Some(place),
            Self::Nothing | Self::Malformed | Self::Gone | Self::Answered => None,
        }
    }
}

impl Calls {
    /// The far end wants the party it talks to to be sent on. The call answers, unless this makes no sense.
    pub(super) fn on_refer(
        &mut self,
        agent: &Agent,
        id: InviteId,
        request_id: RequestId,
        request: &Request,
    ) -> Result<(), Denied> {
        let bad = || Denied::new(Status::BAD_REQUEST);
        let refer_to = request.headers.get(&HeaderName::ReferTo).ok_or_else(bad)?;
        let target = NameAddr::parse(refer_to).map_err(|_| bad())?;
        if !target.uri.is_sip() {
            return Err(Denied::new(Status::UNSUPPORTED_URI_SCHEME));
        }
        let to = match target.uri.header("Replaces") {
            Some(replaces) => {
                let replaces = Replaces::parse(&replaces).map_err(|_| bad())?;
                let other = agent.replaced(&replaces);
                match other.and_then(|other| self.calls.get(&other)) {
                    Some(other) => TransferTo::Seat(Seat::of(&other.inbox).kept()),
                    None => TransferTo::Elsewhere,
                }
            }
            None => {
                let user = target.uri.user().filter(|user| !user.is_empty());
                TransferTo::Extension(printable(&user.ok_or_else(bad)?))
            }
        };
        let call = self.calls.get_mut(&id).ok_or_else(bad)?;
        if call.refer.is_some() {
            return Err(Denied::new(Status::REQUEST_PENDING));
        }
        let referred_by = request.headers.get(&HeaderName::ReferredBy);
        let transfer = Transfer {
            to,
            referred_by: referred_by.map(printable),
            refer_to: printable(refer_to),
        };
        call.received(&"REFER");
        call.refer = Some(Refer {
            id: request_id,
            request: request.clone(),
        });
        call.inbox.send(ChannelEvent::Transfer(Box::new(transfer)));
        Ok(())
    }

    /// The call has made up its mind, or the one that was sent on fares somehow.
    pub(crate) fn referred(
        &mut self,
        agent: &mut Agent,
        now: Instant,
        id: InviteId,
        referred: Referred,
    ) {
        if let Referred::Fares(status) = referred {
            return self.fares(agent, now, id, status);
        }
        let refer = self.calls.get_mut(&id).and_then(|call| call.refer.take());
        let Some(Refer {
            id: waiting,
            request,
        }) = refer
        else {
            return;
        };
        if let Referred::Refused(Refusal { status, why }) = referred {
            let status = Status::new(status).unwrap_or(Status::DECLINE);
            self.sent(id, &status);
            let denied = Denied::with_warning(status, why);
            agent.respond(now, waiting, denied.response(&request));
        } else if self.accept_refer(agent, now, id, (waiting, &request)) {
            let follows = referred == Referred::Followed;
            let followed =
                follows.then(|| agent.follow_refer(now, id, &event_of(&request), FOLLOWED_S));
            if let Some(followed) = followed.flatten() {
                // RFC 3515 §2.4.4: one NOTIFY goes out at once.
                agent.notify(now, followed, Some(sipfrag(Status::TRYING)));
                self.followed.insert(id, followed);
            } else {
                // Where as many are followed as may be, this is all that is said too.
                let (headers, body) = told(&request);
                agent.send(now, id, Method::Notify, headers, Some(body));
            }
        }
    }

    /// Accepts a REFER; whether who sent it wants to hear more.
    fn accept_refer(
        &self,
        agent: &mut Agent,
        now: Instant,
        id: InviteId,
        (waiting, request): (RequestId, &Request),
    ) -> bool {
        // RFC 4488 §4: who wants to hear no more is told nothing more.
        let quiet = request.headers.get(&HeaderName::ReferSub);
        let quiet = quiet.is_some_and(|value| value.trim().eq_ignore_ascii_case("false"));
        let mut response = request.response(Status::ACCEPTED);
        if quiet {
            response.headers.push(HeaderName::ReferSub, "false");
        }
        self.sent(id, &Status::ACCEPTED);
        agent.respond(now, waiting, response);
        !quiet
    }

    /// The party that was sent on fares like this.
    fn fares(&mut self, agent: &mut Agent, now: Instant, id: InviteId, status: u16) {
        let status = Status::new(status).unwrap_or(Status::SERVICE_UNAVAILABLE);
        let body = Some(sipfrag(status));
        if !status.is_final() {
            if let Some(followed) = self.followed.get(&id) {
                agent.notify(now, *followed, body);
            }
        } else if let Some(followed) = self.followed.remove(&id) {
            agent.end_subscription(now, followed, "noresource", body);
        }
    }

    /// Asks the far end to call somebody else: by 302 before the answer, by REFER after it.
    pub(crate) fn send_away(
        &mut self,
        agent: &mut Agent,
        now: Instant,
        id: InviteId,
        (to, answered): (&str, bool),
    ) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let target = match to.starts_with("sip:") || to.starts_with("sips:") {
            true => printable(to),
            false => {
                let own = Host::from(call.flow.local.ip().to_canonical());
                let uri = Uri::sip(Some(to), &own, Some(call.flow.local.port()));
                uri.to_string()
            }
        };
        let target = format!("<{target}>");
        if !answered {
            self.sent(id, &Status::MOVED_TEMPORARILY);
            let contact = vec![(HeaderName::Contact, target)];
            return agent.reject(now, id, Status::MOVED_TEMPORARILY, contact);
        }
        let headers = vec![(HeaderName::ReferTo, target)];
        let client = agent.send(now, id, Method::Refer, headers, None);
        call.away = Some(client);
        self.referring.insert(client, id);
        self.sent(id, &"REFER");
    }

    /// The answer to our REFER. `false`: it is to something else.
    pub(crate) fn went(&mut self, client: ClientId, response: Option<&Arc<Response>>) -> bool {
        let Some(id) = self.referring.remove(&client) else {
            return false;
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return true;
        };
        let status = response.map_or(Status::REQUEST_TIMEOUT, |response| response.status);
        call.received(&status);
        if !status.is_success() {
            call.away = None;
            let status = status.code();
            call.inbox.send(ChannelEvent::WentAway { status });
        }
        true
    }

    /// What the far end says of our REFER (RFC 3515 §2.4.4).
    pub(super) fn on_notify(&mut self, id: InviteId, request: &Request) -> Result<(), Denied> {
        let event = request.headers.get(&HeaderName::Event).unwrap_or_default();
        let name = event.split(';').next().unwrap_or_default().trim();
        let call = self.calls.get_mut(&id).filter(|call| call.away.is_some());
        let call = call.filter(|_| name.eq_ignore_ascii_case("refer"));
        let call = call.ok_or_else(|| Denied::new(Status::CALL_DOES_NOT_EXIST))?;
        if let Some(status) = fragment(&request.body).filter(|status| *status >= 200) {
            call.away = None;
            call.inbox.send(ChannelEvent::WentAway { status });
        }
        Ok(())
    }

    /// What an INVITE is to take the place of.
    pub(crate) fn place_of(&self, agent: &Agent, request: &Arc<Request>) -> Replaced {
        let replaces = match request.headers.replaces() {
            Ok(None) => return Replaced::Nothing,
            Ok(Some(replaces)) => replaces,
            Err(_) => return Replaced::Malformed,
        };
        let lamp = self.by_lamp(&replaces);
        let early_only = replaces.early_only || lamp.is_some();
        let id = lamp.unwrap_or_else(|| agent.replaced(&replaces));
        let call = id.and_then(|id| self.calls.get(&id));
        let Some(inbox) = call.map(|call| &call.inbox) else {
            return Replaced::Gone;
        };
        let (place, rings) = (Seat::of(inbox), Seat::ringing(inbox));
        // RFC 3891 §3: an early dialog can be taken where it was begun, which is to pick a call up.
        if rings.is_ringing() {
            return Replaced::Place(rings);
        }
        match (place.is_taken(), early_only) {
            (true, true) => Replaced::Answered,
            (true, false) => Replaced::Place(place),
            (false, _) => Replaced::Gone,
        }
    }
}

/// The status in a `message/sipfrag`: `SIP/2.0 180 Ringing`.
fn fragment(body: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(body).ok()?;
    let mut words = text.lines().next()?.split_ascii_whitespace();
    words.next().filter(|version| *version == "SIP/2.0")?;
    words.next()?.parse().ok()
}

/// The one NOTIFY of a REFER: it is done.
fn told(refer: &Request) -> (Vec<(HeaderName, String)>, Body) {
    let headers = vec![
        (HeaderName::Event, event_of(refer)),
        (
            HeaderName::SubscriptionState,
            "terminated;reason=noresource".to_owned(),
        ),
    ];
    (headers, sipfrag(Status::OK))
}

/// RFC 3515 §2.4.6: the `id` is the sequence number of the REFER.
fn event_of(refer: &Request) -> String {
    let number = refer.headers.cseq().map_or(0, |cseq| cseq.number);
    format!("refer;id={number}")
}

/// A status as the body of a NOTIFY.
fn sipfrag(status: Status) -> Body {
    Body {
        content_type: "message/sipfrag;version=2.0".into(),
        bytes: format!("SIP/2.0 {} {}\r\n", status.code(), status.reason()).into(),
    }
}

/// How long is told what comes of a REFER, in seconds: longer than anybody rings.
const FOLLOWED_S: u32 = 600;
