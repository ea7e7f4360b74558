//! Who an INVITE that nobody is known by is likely to come from: trunks do not answer a challenge, so the one line about
//! their call must say what to write.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use ::sip::{Flow, Request, Transport, Uri};
use config::{Config, Identify};

use crate::sip::shared::{Shared, now, printable};
use crate::sip::strangers::{Strangers, Threshold};

/// An address is worth one line in this time.
const SAID_EVERY: Threshold = Threshold {
    count: 1,
    period: Duration::from_secs(600),
    forget: Duration::from_secs(600),
};

/// All addresses together are worth no more: who it may be is looked for among all contacts, and the sender of a
/// datagram is what a stranger writes.
const ANY_SAID_EVERY: Threshold = Threshold {
    count: 1,
    period: Duration::from_secs(1),
    forget: SAID_EVERY.forget,
};

/// Says of an INVITE that speaks for no endpoint what would let it in.
pub(crate) fn say(shared: &Shared, config: &Config, flow: &Flow, request: &Request) {
    // Browsers are no trunks; what they lack is another line.
    let is_web = matches!(flow.transport, Transport::Ws | Transport::Wss);
    let source = flow.remote.ip().to_canonical();
    if is_web || !is_worth_a_line(&mut shared.trunk_strangers(), source, now()) {
        return;
    }
    // A phone whose From is not its endpoint is known by what it signs with.
    let is_phone = |shared: &Shared| {
        let location = shared.location();
        let mut all = location.all();
        all.any(|(_, binding)| binding.flow.remote.ip() == source)
    };
    if is_phone(shared) {
        return;
    }
    let exten = request.uri.user().map(|user| printable(&user));
    let exten = exten.unwrap_or_default();
    let cure = cure(config, request, &source.to_string());
    tracing::warn!(remote = %source, exten, "INVITE of nobody that is known, challenged with 401: {cure}");
}

/// Whether this address, and all of them, have had no line lately. One that comes too soon after another has it later.
fn is_worth_a_line(strangers: &mut Strangers, source: IpAddr, now: Instant) -> bool {
    if !strangers.note(source, now, SAID_EVERY) {
        return false;
    }
    let all = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    let is_first = strangers.note(all, now, ANY_SAID_EVERY);
    if !is_first {
        strangers.forget(source);
    }
    is_first
}

/// What to do about it.
fn cure(config: &Config, request: &Request, source: &str) -> String {
    let Some(endpoint) = endpoint_of(config, request) else {
        return format!(
            "no identify names this address, and From no endpoint; if it is a trunk, add match={source} to \
             the type=identify of its endpoint in pjsip.conf"
        );
    };
    let of_it = |identify: &&Identify| identify.endpoint == endpoint;
    match config.identifies.iter().find(of_it) {
        Some(identify) => format!(
            "no identify names this address; anybody can write such a From, so ask the provider; if it is a server \
             of {endpoint}, add match={source} to [{}] in pjsip.conf",
            identify.id
        ),
        None => format!(
            "no identify names this address; anybody can write such a From, so ask the provider; if it is a server \
             of {endpoint}, add to pjsip.conf: [{endpoint}-identify] type=identify endpoint={endpoint} match={source}"
        ),
    }
}

/// The endpoint whose trunk the request speaks of: by the number that we registered, else by the host that it names.
fn endpoint_of(config: &Config, request: &Request) -> Option<String> {
    let (from, to) = (request.headers.from().ok(), request.headers.to().ok());
    let called = [Some(&request.uri), to.as_ref().map(|to| &to.uri)];
    let called: Vec<String> = called.into_iter().flatten().filter_map(user_of).collect();
    let registered = config.registrations.iter().find(|own| {
        let users = [Some(own.contact_user.clone()), parsed_user(&own.client_uri)];
        let mut users = users.into_iter().flatten().filter(|user| user != "s");
        users.any(|user| called.contains(&user))
    });
    if let Some(own) = registered {
        return own
            .endpoint
            .clone()
            .or_else(|| by_host(config, &host_in(&own.server_uri)?));
    }
    let uris = from.iter().map(|from| &from.uri);
    let hosts = uris
        .chain(to.iter().map(|to| &to.uri))
        .filter_map(|uri| uri.host());
    hosts
        .map(|host| host.to_string().to_ascii_lowercase())
        .find_map(|host| by_host(config, &host))
}

/// The endpoint of the trunk at this host, as its files name it.
fn by_host(config: &Config, host: &str) -> Option<String> {
    let same = |other: &str| other.eq_ignore_ascii_case(host);
    let of_registration = |own: &config::Registration| {
        [&own.server_uri, &own.client_uri]
            .into_iter()
            .any(|uri| host_in(uri).is_some_and(|other| same(&other)))
    };
    let registered = config
        .registrations
        .iter()
        .filter(|own| of_registration(own));
    let identified = config.identifies.iter();
    let identified = identified.filter(|own| own.hosts.iter().any(|other| same(&other.place)));
    let named = registered
        .filter_map(|own| own.endpoint.clone())
        .chain(identified.map(|own| own.endpoint.clone()))
        .next();
    let trunk = || {
        config.endpoints.values().find(|subscriber| {
            let endpoint = &subscriber.endpoint;
            let contacts = subscriber.aors.iter().flat_map(|aor| &aor.contacts);
            let mut hosts = contacts.filter_map(|contact| host_in(contact));
            endpoint.from_domain.as_deref().is_some_and(same) || hosts.any(|other| same(&other))
        })
    };
    named.or_else(|| Some(trunk()?.endpoint.id.clone()))
}

fn user_of(uri: &Uri) -> Option<String> {
    uri.user().map(|user| user.into_owned())
}

fn parsed_user(uri: &str) -> Option<String> {
    user_of(&uri.parse().ok()?)
}

fn host_in(uri: &str) -> Option<String> {
    let uri = uri.parse::<Uri>().ok()?;
    uri.host().map(|host| host.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const FILES: &str = "
[a]
type=endpoint
from_domain=sip.a.test
aors=a
[a]
type=aor
contact=sip:192.0.2.2:5070
[a-servers]
type=identify
endpoint=a
match=192.0.2.2
[b]
type=endpoint
allow=ulaw
[b-registration]
type=registration
server_uri=sip:reg.b.test
client_uri=sip:4930@b.test
contact_user=555
endpoint=b
";

    fn advice(uri: &str, from: &str) -> String {
        let files = BTreeMap::from([("pjsip.conf".to_owned(), FILES.to_owned())]);
        let config = config::load(&files).0.unwrap();
        let text = format!(
            "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <{from}>;tag=1\r\n\
             To: <{uri}>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
        );
        match ::sip::Message::parse(&text.into()).unwrap() {
            ::sip::Message::Request(request) => cure(&config, &request, "192.0.2.44"),
            ::sip::Message::Response(_) => panic!("a response"),
        }
    }

    #[test]
    fn a_flood_from_many_addresses_has_a_line_in_a_second() {
        let (mut strangers, now) = (Strangers::default(), Instant::now());
        let mut told = |tenths: u64, last: u8| {
            let source = IpAddr::from([192, 0, 2, last]);
            is_worth_a_line(
                &mut strangers,
                source,
                now + Duration::from_millis(100 * tenths),
            )
        };
        assert_eq!((0..100).filter(|last| told(0, *last)).count(), 1);
        // Who was passed over is told of when the flood is over, and once.
        assert!(told(11, 99));
        assert!(!told(22, 99) && !told(33, 0));
    }

    #[test]
    fn the_identify_of_a_likely_trunk_is_named() {
        for from in ["sip:+49@SIP.a.test", "sip:+49@192.0.2.2"] {
            let cure = advice("sip:100@198.51.100.1", from);
            assert!(
                cure.ends_with("add match=192.0.2.44 to [a-servers] in pjsip.conf"),
                "{cure}"
            );
        }
        for (uri, from) in [
            ("sip:555@198.51.100.1", "sip:+49@192.0.2.44"),
            ("sip:4930@198.51.100.1", "sip:+49@192.0.2.44"),
            ("sip:100@198.51.100.1", "sip:+49@reg.b.test"),
        ] {
            let cure = advice(uri, from);
            let own = "[b-identify] type=identify endpoint=b match=192.0.2.44";
            assert!(cure.ends_with(own), "{cure}");
        }
        let cure = advice("sip:100@198.51.100.1", "sip:+49@192.0.2.44");
        assert!(
            cure.contains("if it is a trunk, add match=192.0.2.44"),
            "{cure}"
        );
    }
}
