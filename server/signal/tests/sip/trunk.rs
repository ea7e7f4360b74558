//! Registrations of the exchange at other servers, and calls that come by them.

use std::collections::BTreeMap;
use std::sync::Arc;

use signal::{Keepalive, Limits, Standing};
use sip::{Contact, HeaderName, Method, Request};
use tokio::net::TcpListener;

use crate::outbound::EMPTY;
use crate::support::{DeskPhone, EXTENSIONS, Exchange, OFFER, PATIENCE, PJSIP, transport, until};
use crate::support::{reply, unique};
use crate::tls::Folder;
use crate::transport::StreamPhone;

/// A registration at `server`.
pub(crate) fn registration(server: &str, more: &str) -> String {
    format!(
        "[provider-auth]\ntype=auth\nusername=alice\npassword=wonderland\n\
         [provider]\ntype=registration\nserver_uri={server}\nclient_uri=sip:alice@127.0.0.1\n\
         outbound_auth=provider-auth\nmax_random_initial_delay=0\nretry_interval=1\n{more}\n"
    )
}

/// Takes a new pjsip.conf, as a reload does; the transports stay as they are.
fn reload(exchange: &Exchange, pjsip: &str) {
    let files: BTreeMap<String, String> = BTreeMap::from([
        ("pjsip.conf".to_owned(), pjsip.to_owned()),
        ("extensions.conf".to_owned(), EXTENSIONS.to_owned()),
    ]);
    let (config, diagnostics) = config::load(&files);
    let mut config = config.unwrap_or_else(|| panic!("{diagnostics:?}"));
    let transports = exchange.signal.transports().into_iter();
    config.transports = transports.map(|own| (*own.config).clone()).collect();
    let prepared = exchange.signal.prepare(&config).unwrap();
    prepared.commit();
    exchange.switch.store().set_config(Arc::new(config));
}

fn standing(exchange: &Exchange) -> Option<Standing> {
    let all = exchange.signal.registrations();
    all.first().map(|one| one.standing)
}

pub(crate) async fn is_registered(exchange: &Exchange) {
    until("the exchange is registered", || {
        standing(exchange) == Some(Standing::Registered)
    })
    .await;
}

pub(crate) fn ok(request: &Request) -> String {
    let contact = request.headers.get(&HeaderName::Contact).unwrap();
    let expires = request.headers.get(&HeaderName::Expires).unwrap();
    reply(
        request,
        200,
        &format!("Contact: {contact};expires={expires}\r\n{EMPTY}"),
    )
}

#[tokio::test]
async fn two_exchanges_register_at_each_other_and_take_it_back_at_their_end() {
    let (one, other) = (Exchange::start().await, Exchange::start().await);
    for (own, far) in [(&one, &other), (&other, &one)] {
        let server = format!("sip:{}", far.udp);
        let more = "contact_user=100\ncontact_header_params=q=0.7\\;x-of=us\nexpiration=600";
        reload(own, &format!("{PJSIP}{}", registration(&server, more)));
    }
    for (own, far) in [(&one, &other), (&other, &one)] {
        is_registered(own).await;
        let registered = own.signal.registrations();
        assert!(matches!(registered[0].left_s, Some(590..=600)));
        let contacts = far.signal.contacts();
        assert_eq!(contacts.len(), 1);
        assert_eq!(contacts[0].uri, format!("sip:100@{}", own.udp));
        assert_eq!(contacts[0].endpoint, "alice");
    }
    // By hand, and again.
    assert!(!one.signal.register(Some("nobody"), false));
    assert!(one.signal.register(Some("provider"), false));
    until("it is taken back", || other.signal.contacts().is_empty()).await;
    until("it knows", || {
        standing(&one) == Some(Standing::Unregistered)
    })
    .await;
    assert!(one.signal.register(None, true));
    is_registered(&one).await;
    // A removed registration is taken back, and so are all at the end.
    reload(&other, PJSIP);
    until("it is taken back", || one.signal.contacts().is_empty()).await;
    assert_eq!(other.signal.contacts().len(), 1);
    one.signal.shutdown(PATIENCE).await;
    assert_eq!(other.signal.contacts(), []);
}

/// Takes another address of ours, as a reload does.
async fn move_to(exchange: &Exchange, host: &str) {
    let port = exchange.udp.port().to_string();
    let outside = [
        ("external_signaling_address", host),
        ("external_signaling_port", &port),
    ];
    let mut config = (*exchange.switch.config()).clone();
    config.transports = vec![transport("udp", "127.0.0.1", &outside)];
    config.transports[0].bind = exchange.signal.transports()[0].config.bind;
    exchange.signal.prepare(&config).unwrap().commit();
    exchange.switch.store().set_config(Arc::new(config));
    exchange.signal.respond().await;
}

fn contacts_in(request: &Request) -> &str {
    request.headers.get(&HeaderName::Contact).unwrap()
}

/// The next REGISTER, past repetitions of the one before.
async fn after(phone: &DeskPhone, before: &Request) -> Request {
    let number = |request: &Request| request.headers.cseq().unwrap().number;
    loop {
        let next = phone.request().await;
        if next.method == Method::Register && number(&next) > number(before) {
            return next;
        }
    }
}

#[tokio::test]
async fn a_new_address_of_ours_is_registered_at_the_reload() {
    let exchange = Exchange::start().await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let server = format!("sip:127.0.0.1:{}", phone.port());
    let files = format!("{PJSIP}{}", registration(&server, "contact_user=100"));
    reload(&exchange, &files);
    let register = phone.request().await;
    let inside = format!("<sip:100@{}>", exchange.udp);
    assert_eq!(contacts_in(&register), inside);
    phone.send(ok(&register).as_bytes()).await;
    is_registered(&exchange).await;
    // The address before is taken back, and a reload without news is none for the registrar.
    let mut before = inside;
    for host in ["203.0.113.77", "203.0.113.55"] {
        for _ in 0..2 {
            move_to(&exchange, host).await;
        }
        let register = phone.request().await;
        let own = format!("<sip:100@{host}:{}>", exchange.udp.port());
        assert_eq!(contacts_in(&register), format!("{own}, {before};expires=0"));
        let granted = format!("Contact: {own};expires=600\r\n{EMPTY}");
        phone.send(reply(&register, 200, &granted).as_bytes()).await;
        // What comes after it is answered after it.
        let options = crate::support::request("OPTIONS", "sip:127.0.0.1", "alice", "");
        assert_eq!(phone.ask(&options).await.status.code(), 401);
        before = own;
    }
}

#[tokio::test]
async fn a_registrar_that_takes_one_contact_is_told_the_new_one_alone() {
    let exchange = Exchange::start().await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let server = format!("sip:127.0.0.1:{}", phone.port());
    let files = format!("{PJSIP}{}", registration(&server, "contact_user=100"));
    reload(&exchange, &files);
    let mut register = phone.request().await;
    phone.send(ok(&register).as_bytes()).await;
    is_registered(&exchange).await;
    for host in ["203.0.113.77", "203.0.113.55"] {
        move_to(&exchange, host).await;
        let both = after(&phone, &register).await;
        assert!(contacts_in(&both).ends_with(";expires=0"), "{both:?}");
        phone.send(reply(&both, 400, EMPTY).as_bytes()).await;
        register = after(&phone, &both).await;
        let own = format!("<sip:100@{host}:{}>", exchange.udp.port());
        assert_eq!(contacts_in(&register), own);
        phone.send(ok(&register).as_bytes()).await;
        is_registered(&exchange).await;
    }
}

/// Addresses that are equivalent are one binding (RFC 3261 §19.1.4): to take one back takes back the other.
#[tokio::test]
async fn an_address_written_otherwise_takes_nothing_back() {
    let exchange = Exchange::start().await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let server = format!("sip:127.0.0.1:{}", phone.port());
    move_to(&exchange, "PBX.example").await;
    let files = format!("{PJSIP}{}", registration(&server, "contact_user=100"));
    reload(&exchange, &files);
    let register = phone.request().await;
    let port = exchange.udp.port();
    assert_eq!(
        contacts_in(&register),
        format!("<sip:100@PBX.example:{port}>")
    );
    phone.send(ok(&register).as_bytes()).await;
    is_registered(&exchange).await;
    move_to(&exchange, "pbx.example").await;
    let register = after(&phone, &register).await;
    assert_eq!(
        contacts_in(&register),
        format!("<sip:100@pbx.example:{port}>")
    );
}

#[tokio::test]
async fn an_address_that_changes_during_a_register_is_registered_after_it() {
    let exchange = Exchange::start().await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let server = format!("sip:127.0.0.1:{}", phone.port());
    let files = format!("{PJSIP}{}", registration(&server, "contact_user=100"));
    reload(&exchange, &files);
    let mut register = phone.request().await;
    let mut before = format!("<sip:100@{}>", exchange.udp);
    // The first REGISTER, and the one that tells of a new address.
    for host in ["203.0.113.77", "203.0.113.55"] {
        assert!(contacts_in(&register).starts_with(&before), "{register:?}");
        move_to(&exchange, host).await;
        let granted = format!("Contact: {before};expires=600\r\n{EMPTY}");
        phone.send(reply(&register, 200, &granted).as_bytes()).await;
        register = after(&phone, &register).await;
        let own = format!("<sip:100@{host}:{}>", exchange.udp.port());
        assert_eq!(contacts_in(&register), format!("{own}, {before};expires=0"));
        before = own;
    }
}

#[tokio::test]
async fn calls_are_known_by_the_sign_in_the_contact() {
    let exchange = Exchange::start().await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let trunk = "\n[trunk](phone)\n";
    let server = format!("sip:127.0.0.1:{}", phone.port());
    let more = "line=yes\nendpoint=trunk\ncontact_user=100\nsupport_path=yes\nsupport_outbound=yes\n\
                user_agent=Branch office";
    let files = format!("{PJSIP}{trunk}{}", registration(&server, more));
    reload(&exchange, &files);
    let register = phone.request().await;
    assert_eq!(register.method, Method::Register);
    let header = |name| register.headers.get(&name).unwrap();
    assert_eq!(header(HeaderName::Supported), "path, outbound");
    assert_eq!(header(HeaderName::UserAgent), "Branch office");
    let contact = Contact::parse(header(HeaderName::Contact)).unwrap();
    let uri = contact.address.uri;
    assert_eq!(uri.param("line").map(str::len), Some(16));
    phone.send(ok(&register).as_bytes()).await;
    is_registered(&exchange).await;
    let call = |uri: &str, to: &str| {
        let id = unique();
        format!(
            "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{};branch=z9hG4bK{id}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:4711@provider.example>;tag=1\r\nTo: <{to}>\r\nCall-ID: c{id}\r\n\
             CSeq: 1 INVITE\r\nContact: <sip:127.0.0.1:{}>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{OFFER}",
            phone.port(),
            phone.port(),
            OFFER.len()
        )
    };
    let plain = format!("sip:100@{}", exchange.udp);
    assert_eq!(phone.ask(&call(&plain, &plain)).await.status.code(), 401);
    let forged = format!("{plain};line=0123456789abcdef");
    let forged = phone.ask(&call(&forged, &plain)).await;
    assert_eq!(forged.status.code(), 401);
    for (uri, to) in [(uri.as_str(), &*plain), (&*plain, uri.as_str())] {
        let answered = phone.ask(&call(uri, to)).await;
        assert_eq!(answered.status.code(), 200, "{answered:?}");
    }
    let calls = exchange.switch.directory().all();
    let names: Vec<String> = calls.iter().map(|call| call.name().to_owned()).collect();
    assert!(
        names.iter().all(|name| name.starts_with("PJSIP/trunk-")),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_lost_connection_is_opened_and_registered_anew() {
    let transports = vec![transport("tcp", "127.0.0.1", &[])];
    let files = [("pjsip.conf", PJSIP)];
    let exchange =
        Exchange::listening(&files, Keepalive::default(), transports, Limits::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("sip:{}", listener.local_addr().unwrap());
    let more = "transport=tcp";
    reload(
        &exchange,
        &format!("{PJSIP}{}", registration(&server, more)),
    );
    let accept = async || {
        let accepted = tokio::time::timeout(PATIENCE, listener.accept()).await;
        StreamPhone::new(accepted.unwrap().unwrap().0)
    };
    let mut server = accept().await;
    let register = server.request().await;
    let own = exchange.signal.transports()[0].bound.unwrap();
    assert_eq!(
        register.headers.get(&HeaderName::Contact).unwrap(),
        format!("<sip:s@{own};transport=tcp>")
    );
    server.send(&ok(&register)).await;
    is_registered(&exchange).await;
    drop(server);
    // It comes again, and finds the registrar overloaded, and comes once more.
    let mut server = accept().await;
    let again = server.request().await;
    let number = |request: &Request| request.headers.cseq().unwrap().number;
    assert!(number(&again) > number(&register));
    server.send(&reply(&again, 500, EMPTY)).await;
    until("it is refused", || {
        standing(&exchange) == Some(Standing::Rejected)
    })
    .await;
    let again = server.request().await;
    server.send(&ok(&again)).await;
    is_registered(&exchange).await;
    // The connection is the way to us: requests come by it.
    let options = format!(
        "OPTIONS sip:s@{own} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKo1\r\n\
         Max-Forwards: 70\r\nFrom: <sip:x@127.0.0.1>;tag=1\r\nTo: <sip:s@{own}>\r\nCall-ID: o\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    assert_eq!(server.ask(&options).await.status.code(), 401);
    let leaving = exchange.signal.shutdown(PATIENCE);
    let answering = async {
        let last = server.request().await;
        assert_eq!(last.headers.get(&HeaderName::Expires), Some("0"));
        server.send(&ok(&last)).await;
    };
    tokio::join!(leaving, answering);
}

#[tokio::test]
async fn what_cannot_be_reached_is_tried_again_and_given_up() {
    let exchange = Exchange::start().await;
    let more = "max_retries=1";
    let server = "sip:127.0.0.1:9\\;transport=tcp";
    reload(&exchange, &format!("{PJSIP}{}", registration(server, more)));
    until("it is given up", || {
        standing(&exchange) == Some(Standing::Rejected)
    })
    .await;
    assert_eq!(exchange.signal.registrations()[0].left_s, None);
}

/// Whether a refused registration is tried again.
async fn tries_again(more: &str, status: u16) -> bool {
    let exchange = Exchange::start().await;
    let provider = DeskPhone::connect(exchange.udp).await;
    let server = format!("sip:127.0.0.1:{}", provider.port());
    reload(
        &exchange,
        &format!("{PJSIP}{}", registration(&server, more)),
    );
    let first = provider.request().await;
    assert_eq!(first.method, Method::Register);
    provider.send(reply(&first, status, EMPTY).as_bytes()).await;
    let again = async {
        loop {
            let next = provider.request().await;
            if next.headers.call_id() != first.headers.call_id()
                || next.headers.cseq().unwrap().number > first.headers.cseq().unwrap().number
            {
                return;
            }
        }
    };
    // The waits are whole seconds, and these are one.
    let waited = tokio::time::timeout(std::time::Duration::from_millis(1_800), again).await;
    assert_eq!(standing(&exchange), Some(Standing::Rejected));
    waited.is_ok()
}

#[tokio::test]
async fn refusals_are_tried_again_where_that_is_written() {
    let rows = [
        ("", 403, false),
        ("forbidden_retry_interval=1", 403, true),
        ("forbidden_retry_interval=1", 404, false),
        ("fatal_retry_interval=1", 403, true),
        ("fatal_retry_interval=1", 404, true),
    ];
    let asked = rows.map(|(more, status, _)| tries_again(more, status));
    let found = futures_util::future::join_all(asked).await;
    for ((more, status, expected), again) in rows.into_iter().zip(found) {
        assert_eq!(again, expected, "{more} {status}");
    }
}

/// What a registration signs with may stand in a table: it is read for each REGISTER, so that a new password
/// is taken with the next one.
#[tokio::test]
async fn an_auth_of_the_database_is_read_for_each_register() {
    let folder = Folder::new();
    let database = format!("[database]\nurl=sqlite://{}\n", folder.path("own.db"));
    let files = [("pjsip.conf", PJSIP), ("database.conf", &*database)];
    let exchange = Exchange::with_files(&files, Keepalive::default()).await;
    let far = Exchange::start().await;
    let set = async |password: &str| {
        let sql = format!(
            "DELETE FROM ps_auths WHERE id = 'table-auth'; INSERT INTO ps_auths (id, auth_type, username, \
             password) VALUES ('table-auth', 'userpass', 'alice', '{password}');"
        );
        let store = exchange.switch.store();
        store.run_script(&sql).await.unwrap();
    };
    set("wrong").await;
    let server = format!("sip:{}", far.udp);
    let written = registration(&server, "")
        .replace("outbound_auth=provider-auth", "outbound_auth=table-auth");
    reload(&exchange, &format!("{PJSIP}{written}"));
    until("it is refused", || {
        standing(&exchange) == Some(Standing::Rejected)
    })
    .await;
    set("wonderland").await;
    exchange.signal.register(None, true);
    is_registered(&exchange).await;
}
