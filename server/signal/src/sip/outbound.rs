//! `PJSIP/alice`: calls that go out, to the contacts that are registered.
//!
//! A contact is reached over the flow it registered from, whatever `transport` its endpoint names: a
//! browser's Contact names no place one could connect to, and a phone behind NAT is reached by no other way
//! (RFC 5626 §5.3). A phone that says where it takes connections is reached there once its own is gone.
//! Written contacts and written URIs are reached where RFC 3263 says (`resolve.rs`), or through the
//! `outbound_proxy` of the endpoint or address; one place after the other.

mod headers;
mod options;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Weak};

use ::sip::digest::Algorithm;
use ::sip::{
    Body, Flow, HeaderName, Login, NameAddr, OutgoingInvite, Reliability, SessionRules, Uri,
};
use config::{Auth, CallerId, DigestAlgorithm, Subscriber};
use media::Place as MediaPlace;
use switch::{
    ChannelHandle, DeviceState, NoOption, NotSent, Outgoing, Redirecting, Reply, Signaling, Target,
    Technology, Text, Thing, Unreachable,
};

use crate::sip::channel::{SipSignaling, place_of};
use crate::sip::command::Party;
use crate::sip::destination::Destination;
use crate::sip::identity::{self, Identity, Role, marked};
use crate::sip::presence::{Device, Moment};
use crate::sip::resolve::{self, By, Hop};
use crate::sip::session;
use crate::sip::shared::{Shared, printable};
use crate::sip::text;
use crate::sip::trunk::loose;

/// The technology the dial plan calls `PJSIP`.
pub(crate) struct Pjsip {
    /// The switch owns the technology, and signalling owns the switch.
    shared: Weak<Shared>,
}

impl Pjsip {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::downgrade(shared),
        }
    }
}

impl Technology for Pjsip {
    fn name(&self) -> &'static str {
        "PJSIP"
    }

    fn contacts(&self, endpoint: &str, aor: &str) -> Vec<String> {
        let Some(shared) = self.shared.upgrade() else {
            return Vec::new();
        };
        // An endpoint that stands in the database has, as a rule, an address of record of its own name.
        let config = shared.switch.config();
        let aors = match (aor, config.endpoints.get(endpoint)) {
            ("", Some(known)) => known.endpoint.aors.clone(),
            ("", None) => vec![endpoint.to_owned()],
            (aor, _) => vec![aor.to_owned()],
        };
        let location = shared.location();
        let mut contacts = Vec::new();
        for aor in &aors {
            let bindings = location.contacts(aor).iter();
            let live = bindings.filter(|binding| binding.answers());
            contacts.extend(live.map(|binding| binding.contact.address.uri.to_string()));
            let written = config
                .aors
                .get(aor)
                .into_iter()
                .flat_map(|aor| &aor.contacts);
            contacts.extend(written.cloned());
        }
        let destination = |uri: &String| format!("PJSIP/{endpoint}/{uri}");
        contacts.iter().map(destination).collect()
    }

    fn option_of(&self, thing: Thing, name: &str, option: &str) -> Result<String, NoOption> {
        let shared = self.shared.upgrade().ok_or(NoOption::Thing)?;
        options::option_of(&shared, thing, name, option)
    }

    fn find<'a>(&'a self, destination: &'a str) -> Reply<'a, Result<Vec<Target>, Unreachable>> {
        Box::pin(async move {
            let Some(shared) = self.shared.upgrade() else {
                return Err(Unreachable::NoEndpoint(destination.to_owned()));
            };
            find(&shared, destination).await
        })
    }

    fn device_state(&self, id: &str, calls: &[ChannelHandle]) -> DeviceState {
        let shared = self.shared.upgrade();
        shared.map_or(DeviceState::Unknown, |shared| {
            let device = Device::known(&shared, id);
            device.state(&shared, &mut Moment::of_device(&device, calls))
        })
    }

    fn send_text<'a>(&'a self, to: &'a str, text: &'a Text) -> Reply<'a, Result<(), NotSent>> {
        Box::pin(async move {
            let Some(shared) = self.shared.upgrade() else {
                return Err(Unreachable::NoEndpoint(to.to_owned()).into());
            };
            text::send(&shared, to, text).await
        })
    }
}

/// One place where a phone is.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The Request-URI: the contact as it was registered. JsSIP answers 404 to any other user.
    uri: Uri,
    route: Route,
    /// RFC 3327: the Route to it.
    path: Vec<String>,
    party: Party,
}

impl Place {
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(crate) fn route(&self) -> &Route {
        &self.route
    }

    /// Gives the first way to it up; `false` if there is no other.
    pub(crate) fn next(&mut self) -> bool {
        self.route.next()
    }

    pub(crate) fn path(&self) -> &[String] {
        &self.path
    }
}

/// How a request gets there.
#[derive(Debug, Clone)]
pub(crate) enum Route {
    /// Down the flow the contact was registered over; when that is gone, over a connection to where it
    /// takes them, if it does.
    Contact(Flow, Option<Destination>),
    /// To one of these places, the best first; one at least.
    Hops(Vec<Hop>),
}

impl Route {
    /// Gives the first place up; `false` if there is no other.
    pub(crate) fn next(&mut self) -> bool {
        match self {
            Self::Hops(hops) if hops.len() > 1 => {
                hops.remove(0);
                true
            }
            Self::Hops(_) | Self::Contact(..) => false,
        }
    }
}

impl Route {
    /// Where it leads, as far as that is known before it is taken.
    pub(crate) fn place(&self) -> MediaPlace {
        match self {
            Self::Contact(flow, _) => place_of(flow),
            Self::Hops(hops) => MediaPlace {
                remote: hops.iter().find_map(Hop::address).map(|to| to.ip()),
                ..MediaPlace::default()
            },
        }
    }
}

async fn find(shared: &Arc<Shared>, destination: &str) -> Result<Vec<Target>, Unreachable> {
    let (subscriber, places) = places_of(shared, destination).await?;
    let targets = places
        .into_iter()
        .map(|place| target(shared, &subscriber, place));
    Ok(targets.collect())
}

/// The same for a message, which may be for a URI as well: that goes out as `default_outbound_endpoint` says.
pub(crate) async fn places_of_text(
    shared: &Arc<Shared>,
    to: &str,
) -> Result<(Arc<Subscriber>, Vec<Place>), Unreachable> {
    let default = shared
        .switch
        .config()
        .global
        .default_outbound_endpoint
        .clone();
    let by_default = async |uri: &str| {
        let subscriber = subscriber_of(shared, &default).await?;
        let place = written(shared, &subscriber, None, uri).await?;
        Ok((subscriber, vec![place]))
    };
    if to.contains('<') || to.starts_with("sip:") || to.starts_with("sips:") {
        return by_default(to).await;
    }
    match places_of(shared, to).await {
        // `user@host` of somewhere else.
        Err(Unreachable::NoEndpoint(_)) if to.contains('@') => {
            by_default(&format!("sip:{to}")).await
        }
        found => found,
    }
}

/// The places of all contacts of an endpoint.
pub(crate) async fn contacts_of(
    shared: &Shared,
    id: &str,
) -> Result<(Arc<Subscriber>, Vec<Place>), Unreachable> {
    let subscriber = subscriber_of(shared, id).await?;
    let places = contacts(shared, &subscriber).await?;
    Ok((subscriber, places))
}

async fn subscriber_of(shared: &Shared, id: &str) -> Result<Arc<Subscriber>, Unreachable> {
    let subscriber = shared.switch.store().subscriber(id).await;
    subscriber
        .map_err(|error| Unreachable::Store(error.to_string()))?
        .ok_or_else(|| Unreachable::NoEndpoint(id.to_owned()))
}

/// Where an endpoint, one of its contacts, or a number at it is reached.
async fn places_of(
    shared: &Arc<Shared>,
    destination: &str,
) -> Result<(Arc<Subscriber>, Vec<Place>), Unreachable> {
    // `PJSIP/endpoint`, `PJSIP/endpoint/sip:user@host`, `PJSIP/number@endpoint`.
    let (name, uri) = match destination.split_once('/') {
        Some((name, uri)) => (name, Some(uri)),
        None => (destination, None),
    };
    let (number, id) = match name.rsplit_once('@') {
        Some((number, id)) => (Some(number), id),
        None => (None, name),
    };
    let subscriber = subscriber_of(shared, id).await?;
    let mut places = match uri {
        Some(uri) => vec![written(shared, &subscriber, None, uri).await?],
        None => contacts(shared, &subscriber).await?,
    };
    if let Some(number) = number {
        for place in &mut places {
            place.uri = with_user(&place.uri, number);
        }
    }
    Ok((subscriber, places))
}

/// All contacts of all addresses of record of the endpoint.
async fn contacts(shared: &Shared, subscriber: &Subscriber) -> Result<Vec<Place>, Unreachable> {
    let id = &subscriber.endpoint.id;
    if subscriber.aors.is_empty() {
        return Err(Unreachable::NoAor(id.clone()));
    }
    let (mut places, mut silent) = (Vec::new(), false);
    let proxied = match subscriber.endpoint.outbound_proxy.as_deref() {
        Some(proxy) => Some(through(shared, subscriber, proxy).await?),
        None => None,
    };
    for aor in &subscriber.aors {
        for binding in shared.location().contacts(&aor.id) {
            if !binding.answers() {
                silent = true;
                continue;
            }
            let (route, path) = match &proxied {
                Some((hops, proxy)) => {
                    let path = [proxy].into_iter().chain(&binding.path);
                    (Route::Hops(hops.clone()), path.cloned().collect())
                }
                None => {
                    let route = Route::Contact(binding.flow, binding.to.clone());
                    (route, binding.path.clone())
                }
            };
            places.push(Place {
                uri: binding.contact.address.uri.clone(),
                route,
                path,
                party: Party {
                    endpoint: id.clone(),
                    instance: binding.contact.instance().map(str::to_owned),
                    contact: Some(binding.contact.address.uri.clone()),
                },
            });
        }
        for contact in &aor.contacts {
            let proxy = aor.outbound_proxy.as_deref();
            let place = written(shared, subscriber, proxy, contact).await?;
            let location = shared.location();
            let mut known = location.all_written();
            match known.any(|(id, own)| id == aor.id && own.uri == place.uri && !own.answers()) {
                true => silent = true,
                false => places.push(place),
            }
        }
    }
    match (places.is_empty(), silent) {
        (false, _) => Ok(places),
        (true, true) => Err(Unreachable::Unavailable(id.clone())),
        (true, false) => Err(Unreachable::NotRegistered(id.clone())),
    }
}

/// A URI that stands in the configuration or in the dial plan. One that is registered has its flow.
async fn written(
    shared: &Shared,
    subscriber: &Subscriber,
    proxy: Option<&str>,
    text: &str,
) -> Result<Place, Unreachable> {
    let uri = uri_of(text)?;
    let party = Party {
        endpoint: subscriber.endpoint.id.clone(),
        instance: None,
        contact: Some(uri.clone()),
    };
    let place = |route, path| Place {
        uri: uri.clone(),
        route,
        path,
        party,
    };
    for aor in &subscriber.aors {
        let location = shared.location();
        let mut bindings = location.contacts(&aor.id).iter();
        if let Some(known) = bindings.find(|own| own.contact.address.uri.equivalent(&uri)) {
            let route = Route::Contact(known.flow, known.to.clone());
            return Ok(place(route, known.path.clone()));
        }
    }
    let (hops, path) = way_of(shared, subscriber, proxy, text, &uri).await?;
    Ok(place(Route::Hops(hops), path))
}

/// A written contact: its URI, where it is reached, and the Route to it.
pub(crate) async fn address_of(
    shared: &Shared,
    subscriber: &Subscriber,
    proxy: Option<&str>,
    text: &str,
) -> Result<(Uri, Vec<Hop>, Vec<String>), Unreachable> {
    let uri = uri_of(text)?;
    let (hops, path) = way_of(shared, subscriber, proxy, text, &uri).await?;
    Ok((uri, hops, path))
}

/// The places of a written URI and the Route to it: its own, or those of the endpoint's proxy, else of the
/// address's.
async fn way_of(
    shared: &Shared,
    subscriber: &Subscriber,
    proxy: Option<&str>,
    text: &str,
    uri: &Uri,
) -> Result<(Vec<Hop>, Vec<String>), Unreachable> {
    let own = subscriber.endpoint.outbound_proxy.as_deref();
    if let Some(proxy) = own.or(proxy) {
        let (hops, route) = through(shared, subscriber, proxy).await?;
        return Ok((hops, vec![route]));
    }
    let hops = resolve::hops(shared, uri, by_of(shared, subscriber).as_ref()).await;
    let hops = hops.map_err(|why| refused(text, &why))?;
    Ok((hops, Vec::new()))
}

/// The places of a proxy, and it as a Route.
async fn through(
    shared: &Shared,
    subscriber: &Subscriber,
    proxy: &str,
) -> Result<(Vec<Hop>, String), Unreachable> {
    let uri = uri_of(proxy)?;
    let hops = resolve::hops(shared, &uri, by_of(shared, subscriber).as_ref()).await;
    let hops = hops.map_err(|why| refused(proxy, &why))?;
    Ok((hops, loose(&uri)))
}

/// The transport an endpoint names, if connections of ours can go by it.
fn by_of(shared: &Shared, subscriber: &Subscriber) -> Option<By> {
    let config = shared.switch.config();
    let by = By::named(&config, subscriber.endpoint.transport.as_deref());
    by.filter(|by| by.protocol.binds())
}

fn refused(text: &str, why: &str) -> Unreachable {
    Unreachable::Address {
        address: printable(text),
        why: why.to_owned(),
    }
}

/// Parameters of a bare URI are its own, as Asterisk has it, not those of a header.
fn uri_of(text: &str) -> Result<Uri, Unreachable> {
    let uri = match text.contains('<') {
        true => NameAddr::parse(text).ok().map(|address| address.uri),
        false => text.parse().ok(),
    };
    let uri: Uri = uri.ok_or_else(|| refused(text, "it is no SIP address"))?;
    match uri.is_sip() {
        true => Ok(uri),
        false => Err(refused(text, "it is no sip: URI")),
    }
}

/// The same address with another user (`PJSIP/number@endpoint`).
pub(crate) fn with_user(uri: &Uri, user: &str) -> Uri {
    let Some(host) = uri.host() else {
        return uri.clone();
    };
    let own = Uri::sip(Some(user), host, uri.port());
    let params = uri.params();
    let own = params.fold(own, |uri, (name, value)| uri.with_param(name, value));
    match uri.is_secure() {
        true => own
            .as_str()
            .replacen("sip:", "sips:", 1)
            .parse()
            .unwrap_or(own),
        false => own,
    }
}

fn target(shared: &Arc<Shared>, subscriber: &Arc<Subscriber>, place: Place) -> Target {
    let (shared, own) = (Arc::clone(shared), Arc::clone(subscriber));
    let call_id = call_id();
    let address = printable(place.uri.address());
    Target {
        subscriber: Arc::clone(subscriber),
        address,
        call_id: call_id.clone(),
        name: format!("PJSIP/{}", subscriber.endpoint.id),
        half: "",
        leg: None,
        open: Box::new(move |outgoing: Outgoing| -> Box<dyn Signaling> {
            let ask = Ask {
                caller: outgoing.caller,
                call_id,
                identity: Arc::new(Identity::of(&shared, &own)),
                redirecting: outgoing.redirecting,
                believed: identity::believed(&own.endpoint),
                session: session::rules(&own.endpoint),
                reliability: session::reliability(&own.endpoint),
                logins: logins_of(&shared, &own),
                place,
                headers: Vec::new(),
                inbox: outgoing.inbox,
            };
            Box::new(SipSignaling::outgoing(shared, ask))
        }),
    }
}

/// What the endpoint is answered with when it challenges us: its `outbound_auth`.
pub(crate) fn logins_of(shared: &Shared, subscriber: &Subscriber) -> Vec<Login> {
    let config = shared.switch.config();
    let default = &config.global.default_auth_algorithms_uac;
    let auths = subscriber.outbound_auths.iter();
    auths.map(|auth| login(auth, default)).collect()
}

pub(crate) fn login(auth: &Auth, default: &[DigestAlgorithm]) -> Login {
    let algorithm = |algorithm| match algorithm {
        DigestAlgorithm::Md5 => Algorithm::Md5,
        DigestAlgorithm::Sha256 => Algorithm::Sha256,
        DigestAlgorithm::Sha512_256 => Algorithm::Sha512_256,
    };
    let algorithms = match auth.algorithms_uac.as_slice() {
        [] => default,
        own => own,
    };
    let password = auth.password.as_ref();
    let digests = auth.digests.iter();
    Login {
        username: auth.username.as_str().into(),
        // Asterisk takes `*` for every realm.
        realm: auth
            .realm
            .as_deref()
            .filter(|realm| *realm != "*")
            .map(Into::into),
        password: password.map(|secret| secret.expose().into()),
        digests: digests
            .map(|digest| (algorithm(digest.algorithm), digest.ha1.expose().into()))
            .collect(),
        algorithms: algorithms.iter().copied().map(algorithm).collect(),
    }
}

/// 128 bits nobody has used before.
pub(crate) fn call_id() -> String {
    let part = || RandomState::new().hash_one(0);
    format!("{:016x}{:016x}", part(), part())
}

/// Everything an INVITE is made of before its offer is there.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    caller: CallerId,
    redirecting: Redirecting,
    call_id: String,
    identity: Arc<Identity>,
    /// The tag of the far end, if it is believed who it is.
    pub(crate) believed: Option<Box<str>>,
    logins: Vec<Login>,
    place: Place,
    session: SessionRules,
    reliability: Reliability,
    /// What the dial plan adds.
    headers: Vec<(HeaderName, String)>,
    pub(crate) inbox: switch::InboxSender,
}

impl Ask {
    pub(crate) fn route(&self) -> &Route {
        &self.place.route
    }

    /// The INVITE goes to the next place; `false` if there is none.
    pub(crate) fn next(&mut self) -> bool {
        self.place.next()
    }

    /// Whether there is another place.
    pub(crate) fn has_next(&self) -> bool {
        matches!(&self.place.route, Route::Hops(hops) if hops.len() > 1)
    }

    pub(crate) fn party(&self) -> Party {
        self.place.party.clone()
    }

    /// Who is shown to call, and how.
    pub(crate) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity)
    }

    pub(crate) fn show(&mut self, caller: CallerId) {
        self.caller = caller;
    }

    /// What requests in the call say of who calls.
    pub(crate) fn told(&self, flow: &Flow) -> Vec<(HeaderName, String)> {
        match self.identity.is_told() {
            true => self.identity.headers(flow, &self.caller, Role::Called),
            false => Vec::new(),
        }
    }

    /// The first line of the story.
    pub(crate) fn line(&self) -> String {
        format!("INVITE {}", printable(self.place.uri.address()))
    }

    /// The INVITE, once it is known which flow it goes down. From is Asterisk's: `from_user`, else the
    /// caller's number, else `default_from_user`; at `from_domain`, else our address on that flow.
    pub(crate) fn invite(self, flow: &Flow, offer: Body) -> OutgoingInvite {
        let Self {
            caller,
            redirecting,
            call_id,
            identity,
            logins,
            place,
            session,
            reliability,
            headers: added,
            ..
        } = self;
        let hops = place.path.into_iter();
        let mut headers: Vec<_> = hops.map(|hop| (HeaderName::Route, hop)).collect();
        headers.extend(identity.headers(flow, &caller, Role::Called));
        headers.extend(identity.diversions(flow, &redirecting));
        let uri = marked(place.uri, identity.is_phone());
        headers.extend(identity.history(flow, &redirecting, &uri));
        headers.extend(added);
        OutgoingInvite {
            to: NameAddr::new(uri.clone()),
            uri,
            from: identity.from(flow, &caller),
            headers,
            offer: Some(offer),
            call_id: Some(call_id.into()),
            logins,
            session,
            reliability,
        }
    }
}

/// Headers a dial plan may add to one INVITE.
const HEADERS_ADDED_MAX: usize = 64;

/// Headers that only the exchange can make: routing, transaction, dialog, body, capabilities.
const OWN_HEADERS: [&str; 25] = [
    "Via",
    "v",
    "Route",
    "Record-Route",
    "Max-Forwards",
    "From",
    "f",
    "To",
    "t",
    "Call-ID",
    "i",
    "CSeq",
    "Contact",
    "m",
    "Content-Length",
    "l",
    "Content-Type",
    "c",
    "Authorization",
    "Proxy-Authorization",
    "Allow",
    "Supported",
    "k",
    "Session-Expires",
    "x",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_takes_the_place_of_the_contacts_user() {
        let uri: Uri = "sip:trunk@[2001:db8::1]:5070;transport=udp;lr"
            .parse()
            .unwrap();
        let uri = with_user(&uri, "+49 30 1");
        assert_eq!(
            uri.as_str(),
            "sip:+49%2030%201@[2001:db8::1]:5070;transport=udp;lr"
        );
    }

    #[test]
    fn call_ids_differ() {
        assert_ne!(call_id(), call_id());
        assert_eq!(call_id().len(), 32);
    }
}
