//! Where requests to written addresses go (RFC 3263): NAPTR, SRV, the next place after a failure, proxies.

use signal::Standing;
use sip::{HeaderName, Method};
use switch::Cause;
use tokio::net::TcpListener;

use crate::names::{NameServer, a, naptr, srv};
use crate::outbound::{EMPTY, originate, tagged};
use crate::support::{DeskPhone, Exchange, OFFER, PATIENCE, PJSIP, transport, unique, until};
use crate::tls::Folder;
use crate::transport::StreamPhone;
use crate::trunk::{is_registered, ok, registration};

const TRUNK: &str = "
[trunk](phone)
aors=trunk
[trunk]
type=aor
contact=sip:provider.test
";

#[tokio::test]
async fn a_call_goes_to_the_next_place_after_a_503() {
    let (first, second) = (DeskPhone::unbound().await, DeskPhone::unbound().await);
    let names = NameServer::start(vec![
        srv(
            "_sip._udp.provider.test",
            20,
            second.port(),
            "b.provider.test",
        ),
        srv(
            "_sip._udp.provider.test",
            10,
            first.port(),
            "a.provider.test",
        ),
        a("a.provider.test", "127.0.0.1"),
        a("b.provider.test", "127.0.0.1"),
    ])
    .await;
    let pjsip = format!("{PJSIP}{TRUNK}");
    let files = [("pjsip.conf", &*pjsip)];
    let transports = vec![transport("udp", "127.0.0.1", &[])];
    let exchange = Exchange::asking(&files, transports, &names).await;
    first.know(exchange.udp).await;
    second.know(exchange.udp).await;
    let begun = originate(&exchange, "PJSIP/4711@trunk").await.unwrap();
    let tried = first.request().await;
    assert_eq!(tried.uri.as_str(), "sip:4711@provider.test");
    first.send(tagged(&tried, 503, "t", EMPTY).as_bytes()).await;
    assert_eq!(first.request().await.method, Method::Ack);
    let invite = second.request().await;
    let branch = |request: &sip::Request| {
        let via = request.headers.top_via().unwrap();
        via.branch().unwrap().to_owned()
    };
    assert_eq!(invite.headers.call_id(), tried.headers.call_id());
    assert_ne!(branch(&invite), branch(&tried), "a new transaction");
    second
        .send(tagged(&invite, 486, "t", EMPTY).as_bytes())
        .await;
    assert_eq!(second.request().await.method, Method::Ack);
    assert_eq!(begun.await.unwrap(), Err(Cause::UserBusy));
    // What DNS said is remembered; a refusal that is no 503 ends the call.
    let asked = names.questions();
    let begun = originate(&exchange, "PJSIP/trunk").await.unwrap();
    let tried = first.request().await;
    first.send(tagged(&tried, 486, "t", EMPTY).as_bytes()).await;
    assert_eq!(begun.await.unwrap(), Err(Cause::UserBusy));
    assert_eq!(names.questions(), asked);
}

/// Two places of a trunk, the first of which is asked first, and an exchange that knows them.
async fn two_places() -> (Exchange, NameServer, DeskPhone, DeskPhone) {
    two_places_with("").await
}

/// The same with more options of the address of record.
async fn two_places_with(more: &str) -> (Exchange, NameServer, DeskPhone, DeskPhone) {
    let (first, second) = (DeskPhone::unbound().await, DeskPhone::unbound().await);
    let names = NameServer::start(vec![
        srv(
            "_sip._udp.provider.test",
            10,
            first.port(),
            "a.provider.test",
        ),
        srv(
            "_sip._udp.provider.test",
            20,
            second.port(),
            "b.provider.test",
        ),
        a("a.provider.test", "127.0.0.1"),
        a("b.provider.test", "127.0.0.1"),
    ])
    .await;
    let pjsip = format!("{PJSIP}{TRUNK}{more}");
    let files = [("pjsip.conf", &*pjsip)];
    let transports = vec![transport("udp", "127.0.0.1", &[])];
    let exchange = Exchange::asking(&files, transports, &names).await;
    first.know(exchange.udp).await;
    second.know(exchange.udp).await;
    (exchange, names, first, second)
}

/// RFC 3263 §4.3. When it is, is in `silence_is_told_in_time…`, in virtual time.
#[tokio::test]
async fn a_place_that_says_nothing_is_passed_over_long_before_timer_b() {
    let (exchange, _names, first, second) = two_places().await;
    let begun = originate(&exchange, "PJSIP/4711@trunk").await.unwrap();
    let start = std::time::Instant::now();
    let tried = first.request().await;
    let invite = second.request().await;
    assert_eq!(invite.headers.call_id(), tried.headers.call_id());
    assert!(start.elapsed() < std::time::Duration::from_secs(8));
    // What comes late is not taken for an answer of the second.
    first
        .send(tagged(&tried, 180, "late", EMPTY).as_bytes())
        .await;
    let mut late = first.request().await;
    while late.method == Method::Invite {
        late = first.request().await;
    }
    assert_eq!(late.method, Method::Cancel);
    first
        .send(tagged(&tried, 487, "late", EMPTY).as_bytes())
        .await;
    second
        .send(tagged(&invite, 486, "t", EMPTY).as_bytes())
        .await;
    assert_eq!(begun.await.unwrap(), Err(Cause::UserBusy));
}

/// A contact is there if one of its places is: calls go on to it too.
#[tokio::test]
async fn a_contact_is_asked_at_its_next_place_after_a_503_or_silence() {
    for silent in [false, true] {
        let more = "qualify_frequency=1\nqualify_timeout=0.3\n";
        let (exchange, _names, first, second) = two_places_with(more).await;
        let asked = first.request().await;
        assert_eq!(asked.method, Method::Options);
        if !silent {
            first.send(tagged(&asked, 503, "t", EMPTY).as_bytes()).await;
        }
        let again = second.request().await;
        assert_eq!(again.method, Method::Options);
        second
            .send(tagged(&again, 200, "t", EMPTY).as_bytes())
            .await;
        until("it is there", || {
            let all = exchange.signal.contacts();
            let all = all.iter().map(|contact| contact.status);
            all.into_iter()
                .any(|status| matches!(status, signal::ContactStatus::Available(_)))
        })
        .await;
    }
}

#[tokio::test]
async fn a_message_goes_to_the_next_place_after_a_503() {
    let (exchange, _names, first, second) = two_places().await;
    let text = switch::Text {
        to: "pjsip:trunk".to_owned(),
        ..switch::Text::default()
    };
    exchange.switch.send_text(&text).await.unwrap();
    let tried = first.request().await;
    assert_eq!(tried.method, Method::Message);
    first.send(tagged(&tried, 503, "t", EMPTY).as_bytes()).await;
    let again = second.request().await;
    assert_eq!(again.method, Method::Message);
    second
        .send(tagged(&again, 200, "t", EMPTY).as_bytes())
        .await;
}

/// pjsip.conf: `outbound_proxy` of an aor is for its contacts.
#[tokio::test]
async fn a_call_goes_through_the_proxy_of_its_address_of_record() {
    let proxy = DeskPhone::unbound().await;
    let trunk = format!(
        "{PJSIP}[trunk](phone)\naors=trunk\n[trunk]\ntype=aor\ncontact=sip:provider.test\n\
         outbound_proxy=sip:127.0.0.1:{}\n",
        proxy.port()
    );
    let exchange = Exchange::with(&trunk, signal::Keepalive::default()).await;
    proxy.know(exchange.udp).await;
    let begun = originate(&exchange, "PJSIP/4711@trunk").await.unwrap();
    let invite = proxy.request().await;
    assert_eq!(invite.uri.as_str(), "sip:4711@provider.test");
    let route = format!("<sip:127.0.0.1:{};lr>", proxy.port());
    assert_eq!(invite.headers.get(&HeaderName::Route), Some(&*route));
    proxy
        .send(tagged(&invite, 486, "t", EMPTY).as_bytes())
        .await;
    assert_eq!(begun.await.unwrap(), Err(Cause::UserBusy));
}

#[tokio::test]
async fn naptr_says_which_protocol_and_a_dead_place_is_passed_over() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let names = NameServer::start(vec![
        naptr("provider.test", 10, "SIPS+D2T", "_sips._tcp.provider.test"),
        naptr("provider.test", 30, "SIP+D2U", "_sip._udp.provider.test"),
        naptr("provider.test", 20, "SIP+D2T", "_sip._tcp.provider.test"),
        srv("_sip._tcp.provider.test", 1, 9, "dead.provider.test"),
        srv("_sip._tcp.provider.test", 2, port, "live.provider.test"),
        a("dead.provider.test", "127.0.0.1"),
        a("live.provider.test", "127.0.0.1"),
    ])
    .await;
    let pjsip = format!("{PJSIP}{}", registration("sip:provider.test", ""));
    let files = [("pjsip.conf", &*pjsip)];
    let transports = vec![
        transport("udp", "127.0.0.1", &[]),
        transport("tcp", "127.0.0.1", &[]),
    ];
    let exchange = Exchange::asking(&files, transports, &names).await;
    let accepted = tokio::time::timeout(PATIENCE, listener.accept()).await;
    let mut server = StreamPhone::new(accepted.unwrap().unwrap().0);
    let register = server.request().await;
    assert_eq!(register.uri.as_str(), "sip:provider.test");
    server.send(&ok(&register)).await;
    is_registered(&exchange).await;
}

#[tokio::test]
async fn a_call_goes_through_the_proxy_of_its_endpoint() {
    let proxy = DeskPhone::unbound().await;
    let trunk = format!(
        "{PJSIP}{TRUNK}[far](phone)\naors=trunk\noutbound_proxy=sip:127.0.0.1:{}\n",
        proxy.port()
    );
    let exchange = Exchange::with(&trunk, signal::Keepalive::default()).await;
    proxy.know(exchange.udp).await;
    for destination in ["PJSIP/4711@far", "PJSIP/far/sip:4711@provider.test"] {
        let begun = originate(&exchange, destination).await.unwrap();
        let invite = proxy.request().await;
        assert_eq!(invite.uri.as_str(), "sip:4711@provider.test");
        let route = format!("<sip:127.0.0.1:{};lr>", proxy.port());
        assert_eq!(invite.headers.get(&HeaderName::Route), Some(&*route));
        proxy
            .send(tagged(&invite, 603, "t", EMPTY).as_bytes())
            .await;
        assert_eq!(proxy.request().await.method, Method::Ack);
        assert_eq!(begun.await.unwrap(), Err(Cause::CallRejected));
    }
}

#[tokio::test]
async fn a_trunk_is_known_by_the_hosts_its_srv_records_name() {
    let names = NameServer::start(vec![
        srv("_sip._udp.provider.test", 1, 5060, "edge.provider.test"),
        srv("_sip._udp.other.test", 1, 5060, "edge.other.test"),
        a("edge.provider.test", "127.0.0.8"),
        a("edge.other.test", "127.0.0.9"),
        a("provider.test", "127.0.0.7"),
    ])
    .await;
    let pjsip = format!(
        "{PJSIP}[trunk](phone)\n[other](phone)\n\
         [trunk]\ntype=identify\nendpoint=trunk\nmatch=provider.test\n\
         [other]\ntype=identify\nendpoint=other\nmatch=other.test\nsrv_lookups=no\n"
    );
    let files = [("pjsip.conf", &*pjsip)];
    let transports = vec![transport("udp", "127.0.0.1", &[])];
    let exchange = Exchange::asking(&files, transports, &names).await;
    for (own, status) in [
        ("127.0.0.7:0", 200),
        ("127.0.0.8:0", 200),
        ("127.0.0.9:0", 401),
    ] {
        let phone = DeskPhone::from(own, exchange.udp).await;
        let (id, uri, port) = (unique(), format!("sip:100@{}", exchange.udp), phone.port());
        let call = format!(
            "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{id}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:4711@provider.test>;tag=1\r\nTo: <{uri}>\r\nCall-ID: c{id}\r\n\
             CSeq: 1 INVITE\r\nContact: <sip:127.0.0.1:{port}>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{OFFER}",
            OFFER.len()
        );
        assert_eq!(phone.ask(&call).await.status.code(), status, "{own}");
    }
}

/// A wrong name is told at the start, and at each reload, before a call is refused for it.
#[tokio::test]
async fn hosts_of_identifies_are_looked_up_before_anybody_calls() {
    let names = NameServer::start(vec![a("provider.test", "127.0.0.7")]).await;
    let pjsip = format!(
        "{PJSIP}[trunk](phone)\n[trunk]\ntype=identify\nendpoint=trunk\nsrv_lookups=no\nmatch=provider.test\n"
    );
    let files = [("pjsip.conf", &*pjsip)];
    let transports = vec![transport("udp", "127.0.0.1", &[])];
    let _exchange = Exchange::asking(&files, transports, &names).await;
    until("it is looked up", || names.questions() > 0).await;
}

#[tokio::test]
async fn a_registrar_over_tls_must_prove_its_name() {
    let folder = Folder::new();
    let authority = folder.authority("ca");
    folder.certificate("server", &authority, false);
    folder.authority("stranger");
    let far = Exchange::on(vec![folder.tls(&[])]).await;
    let port = far.signal.transports()[0].bound.unwrap().port();
    for (host, authority, standing) in [
        ("localhost", "ca.pem", Standing::Registered),
        ("127.0.0.1", "ca.pem", Standing::Rejected),
        ("localhost", "stranger.pem", Standing::Rejected),
    ] {
        let authority = folder.path(authority);
        let options = [("verify_server", "yes"), ("ca_list_file", &*authority)];
        let server = format!("sip:{host}:{port}\\;transport=tls");
        let more = "max_retries=0\ntransport=tls";
        let pjsip = format!("{PJSIP}{}", registration(&server, more));
        let files = [("pjsip.conf", &*pjsip)];
        let names = NameServer::start(Vec::new()).await;
        let exchange = Exchange::asking(&files, vec![folder.tls(&options)], &names).await;
        until("it is decided", || {
            let all = exchange.signal.registrations();
            all[0].standing == standing
        })
        .await;
        exchange.signal.shutdown(PATIENCE).await;
    }
}
