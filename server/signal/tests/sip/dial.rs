//! Connections of our own: to phones whose connection is gone and that say where they listen, and to
//! written addresses.

use std::net::SocketAddr;
use std::time::Duration;

use signal::{Keepalive, Limits};
use sip::Method;
use store::SavedContact;
use switch::Cause;
use tokio::net::{TcpListener, TcpStream};

use crate::outbound::{EMPTY, originate, tagged};
use crate::support::{Exchange, PATIENCE, PJSIP, register, signed, until};
use crate::tls::Folder;
use crate::transport::{StreamPhone, bound, connect, with_limits};

/// A phone that listens, and its address.
async fn listening() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn accepted(listener: &TcpListener) -> StreamPhone<TcpStream> {
    let accepted = tokio::time::timeout(PATIENCE, listener.accept()).await;
    StreamPhone::new(accepted.expect("a connection in time").unwrap().0)
}

/// Registers bob over a connection and closes it.
async fn register_and_leave(exchange: &Exchange, address: SocketAddr, contact: &str) {
    let mut phone = connect(address).await;
    let text = register("bob", contact);
    let challenged = phone.ask(&text).await;
    let text = signed(&text, &challenged, "bobby", "builder");
    assert_eq!(phone.ask(&text).await.status.code(), 200);
    drop(phone);
    until("the connection is gone", || {
        exchange.signal.counts().streams == 0
    })
    .await;
}

async fn exchange() -> (Exchange, SocketAddr) {
    with_limits(Limits::default()).await
}

/// The exchange calls bob; the phone at the other end is busy.
async fn is_called(exchange: &Exchange, phone: &mut StreamPhone<TcpStream>, port: u16) {
    let begun = originate(exchange, "PJSIP/bob").await.unwrap();
    let invite = phone.request().await;
    assert_eq!(invite.method, Method::Invite);
    assert_eq!(
        invite.uri.as_str(),
        format!("sip:bob@127.0.0.1:{port};transport=tcp")
    );
    let via = invite.headers.top_via().unwrap();
    let own = exchange.signal.transports()[0].bound.unwrap();
    assert_eq!(via.port(), Some(own.port()), "where we listen");
    phone.send(&tagged(&invite, 486, "t", EMPTY)).await;
    assert_eq!(phone.request().await.method, Method::Ack);
    assert_eq!(begun.await.unwrap(), Err(Cause::UserBusy));
}

#[tokio::test]
async fn a_phone_whose_connection_is_gone_is_called_where_it_listens() {
    let (exchange, address) = exchange().await;
    let (listener, port) = listening().await;
    let contact = format!("<sip:bob@127.0.0.1:{port};transport=tcp>");
    register_and_leave(&exchange, address, &contact).await;
    assert_eq!(exchange.signal.counts().bindings, 1);
    let first = originate(&exchange, "PJSIP/bob").await.unwrap();
    let second = originate(&exchange, "PJSIP/bob").await.unwrap();
    let mut phone = accepted(&listener).await;
    for invite in [phone.request().await, phone.request().await] {
        phone.send(&tagged(&invite, 603, "t", EMPTY)).await;
        assert_eq!(phone.request().await.method, Method::Ack);
    }
    for begun in [first, second] {
        assert_eq!(begun.await.unwrap(), Err(Cause::CallRejected));
    }
    // The connection is the contact's from now on; when it is gone as well, there is another one.
    is_called(&exchange, &mut phone, port).await;
    assert_eq!(exchange.signal.counts().streams, 1);
    drop(phone);
    until("it is gone", || exchange.signal.counts().streams == 0).await;
    let again = originate(&exchange, "PJSIP/bob").await.unwrap();
    let mut phone = accepted(&listener).await;
    assert_eq!(phone.request().await.method, Method::Invite);
    drop(phone);
    assert_eq!(again.await.unwrap(), Err(Cause::SubscriberAbsent));
    // Nobody listens any more.
    drop(listener);
    until("it is gone", || exchange.signal.counts().streams == 0).await;
    let absent = originate(&exchange, "PJSIP/bob").await.unwrap();
    assert_eq!(absent.await.unwrap(), Err(Cause::NormalCircuitCongestion));
    assert_eq!(exchange.signal.counts().invites, 0);
}

/// A call would be lost on a connection that the other end has closed, though answers still go there for a while.
#[tokio::test]
async fn a_phone_that_has_closed_its_end_is_called_over_a_new_connection() {
    let (exchange, address) = exchange().await;
    let (listener, port) = listening().await;
    let contact = format!("<sip:bob@127.0.0.1:{port};transport=tcp>");
    register_and_leave(&exchange, address, &contact).await;
    let first = originate(&exchange, "PJSIP/bob").await.unwrap();
    let mut phone = accepted(&listener).await;
    let invite = phone.request().await;
    phone.send(&tagged(&invite, 486, "t", EMPTY)).await;
    assert_eq!(phone.request().await.method, Method::Ack);
    assert_eq!(first.await.unwrap(), Err(Cause::UserBusy));
    phone.send(&register("bob", &contact)).await;
    phone.falls_silent().await;
    phone.response().await;
    let second = originate(&exchange, "PJSIP/bob").await.unwrap();
    let mut other = accepted(&listener).await;
    let invite = other.request().await;
    other.send(&tagged(&invite, 603, "t", EMPTY)).await;
    assert_eq!(second.await.unwrap(), Err(Cause::CallRejected));
}

#[tokio::test]
async fn a_contact_that_cannot_be_connected_to_ends_with_its_connection() {
    let (exchange, address) = exchange().await;
    for contact in [
        "<sip:bob@192.0.2.77:5060;transport=tcp>",
        "<sip:bob@127.0.0.1:5060;transport=tcp>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"",
        "<sip:bob@x.invalid;transport=tcp>",
    ] {
        register_and_leave(&exchange, address, contact).await;
        assert_eq!(exchange.signal.counts().bindings, 0, "{contact}");
    }
}

#[tokio::test]
async fn contacts_of_an_earlier_run_are_called_where_they_listen() {
    let (exchange, _) = exchange().await;
    let (listener, port) = listening().await;
    let contact = format!("sip:bob@127.0.0.1:{port};transport=tcp");
    exchange.signal.restore(vec![SavedContact {
        aor: "bob".to_owned(),
        contact: format!("<{contact}>"),
        uri: contact,
        expiration_time: i64::MAX,
        endpoint: "bob".to_owned(),
        transport: "tcp".to_owned(),
        remote: "127.0.0.1:1".to_owned(),
        ..SavedContact::default()
    }]);
    until("it is there", || exchange.signal.counts().bindings == 1).await;
    // It is also asked whether it is there.
    exchange.signal.qualify("bob").await.unwrap();
    let mut phone = accepted(&listener).await;
    let options = phone.request().await;
    assert_eq!(options.method, Method::Options);
    phone.send(&tagged(&options, 200, "t", EMPTY)).await;
    is_called(&exchange, &mut phone, port).await;
}

#[tokio::test]
async fn who_does_not_answer_in_time_is_given_up_and_so_is_he_who_hangs_up_first() {
    let folder = Folder::new();
    let authority = folder.authority("ca");
    folder.certificate("server", &authority, false);
    let limits = Limits {
        dial: Duration::from_millis(300),
        ..Limits::default()
    };
    let files = [("pjsip.conf", PJSIP)];
    let tls = vec![folder.tls(&[])];
    let exchange = Exchange::listening(&files, Keepalive::default(), tls, limits).await;
    // It takes the connection and says nothing.
    let (_listener, port) = listening().await;
    let destination = format!("PJSIP/bob/sip:bob@127.0.0.1:{port};transport=tls");
    let late = originate(&exchange, &destination).await.unwrap();
    assert_eq!(late.await.unwrap(), Err(Cause::NormalCircuitCongestion));
    let begun = originate(&exchange, &destination).await.unwrap();
    let directory = exchange.switch.directory();
    until("it is called", || !directory.all().is_empty()).await;
    directory.all()[0].hangup(Cause::NormalClearing);
    assert_eq!(begun.await.unwrap(), Err(Cause::NormalClearing));
    assert_eq!(exchange.signal.counts().invites, 0);
    let nowhere = format!("PJSIP/bob/sip:bob@127.0.0.1:{port};transport=tcp");
    let begun = originate(&exchange, &nowhere).await.unwrap();
    assert_eq!(
        begun.await.unwrap(),
        Err(Cause::NormalCircuitCongestion),
        "there is no transport for it"
    );
}

/// A host, options of the transport, and whether a call gets there.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], bool);

/// Two exchanges; one calls the other over TLS. Whether it gets there depends on the certificate.
#[tokio::test]
async fn certificates_of_others_are_checked_where_that_is_asked_for() {
    let folder = Folder::new();
    let authority = folder.authority("ca");
    folder.authority("foreign");
    folder.certificate("server", &authority, false);
    let (ca, foreign) = (folder.path("ca.pem"), folder.path("foreign.pem"));
    // It asks for a certificate itself, and is shown ours.
    let asks = [("require_client_cert", "yes"), ("ca_list_file", &*ca)];
    let other = Exchange::on(vec![folder.tls(&asks)]).await;
    let port = bound(&other, 0).port();
    let cases: [Case<'_>; 5] = [
        ("127.0.0.1", &[], true),
        (
            "localhost",
            &[("verify_server", "yes"), ("ca_list_file", &ca)],
            true,
        ),
        (
            "127.0.0.1",
            &[("verify_server", "yes"), ("ca_list_file", &ca)],
            false,
        ),
        (
            "localhost",
            &[("verify_server", "yes"), ("ca_list_file", &foreign)],
            false,
        ),
        ("localhost", &[("verify_server", "yes")], false),
    ];
    for (host, options, admitted) in cases {
        let exchange = Exchange::on(vec![folder.tls(options)]).await;
        let destination = format!("PJSIP/bob/sip:300@{host}:{port};transport=tls");
        let begun = originate(&exchange, &destination).await.unwrap();
        let cause = begun.await.unwrap().unwrap_err();
        let refused = cause == Cause::NormalCircuitCongestion;
        assert_eq!(refused, !admitted, "{host} {options:?}: {cause:?}");
    }
}
