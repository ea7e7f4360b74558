//! Contacts are asked whether they are there.

use signal::{ContactStatus, Keepalive};
use sip::{HeaderName, Method, Request};

use crate::outbound::{EMPTY, originate};
use crate::support::{DeskPhone, Exchange, PJSIP, Phone, contact, reply, until};

/// One phone, asked every minute.
fn asked(aor: &str) -> String {
    format!(
        "{PJSIP}
[erin](phone)
aors=erin
auth=erin
outbound_auth=to-erin
[erin]
type=auth
username=erin
password=pass
[to-erin]
type=auth
username=exchange
password=secret
[erin]
type=aor
max_contacts=1
qualify_frequency=60
{aor}
"
    )
}

async fn registered(aor: &str) -> (Exchange, Phone) {
    let exchange = Exchange::with(&asked(aor), Keepalive::default()).await;
    let mut phone = exchange.phone().await;
    let ok = phone.register("erin", "pass", &contact("erin", "1")).await;
    assert_eq!(ok.status.code(), 200);
    (exchange, phone)
}

fn status(exchange: &Exchange) -> ContactStatus {
    exchange.signal.contacts()[0].status
}

async fn options(phone: &mut Phone) -> Request {
    let request = phone.request().await;
    assert_eq!(request.method, Method::Options);
    assert_eq!(
        request.uri.as_str(),
        "sip:erin@s58im4vdpmpn.invalid;transport=ws"
    );
    request
}

async fn answered(exchange: &Exchange) {
    until("an answer", || {
        matches!(status(exchange), ContactStatus::Available(_))
    })
    .await;
}

#[tokio::test]
async fn a_contact_is_asked_soon_after_it_registered_and_its_answer_is_timed() {
    let (exchange, mut phone) = registered("").await;
    let request = options(&mut phone).await;
    assert_eq!(status(&exchange), ContactStatus::Unknown);
    // Any answer is a sign of life.
    phone.send(&reply(&request, 404, EMPTY)).await;
    answered(&exchange).await;
}

#[tokio::test]
async fn where_only_success_counts_another_answer_does_not() {
    let (exchange, mut phone) = registered("qualify_2xx_only=yes").await;
    let request = options(&mut phone).await;
    phone.send(&reply(&request, 404, EMPTY)).await;
    until("a verdict", || {
        status(&exchange) == ContactStatus::Unavailable
    })
    .await;
}

#[tokio::test]
async fn who_does_not_answer_in_time_is_not_called_until_asked_again() {
    let (exchange, mut phone) = registered("qualify_timeout=0.1").await;
    options(&mut phone).await;
    until("a verdict", || {
        status(&exchange) == ContactStatus::Unavailable
    })
    .await;
    let refused = originate(&exchange, "PJSIP/erin").await.unwrap_err();
    assert_eq!(refused.to_string(), "no contact of endpoint 'erin' answers");
    let aors = exchange.signal.qualify("erin").await.unwrap();
    assert_eq!(aors, Some(vec!["erin".to_owned()]));
    let request = options(&mut phone).await;
    phone.send(&reply(&request, 200, EMPTY)).await;
    answered(&exchange).await;
    assert!(originate(&exchange, "PJSIP/erin").await.is_ok());
    assert_eq!(exchange.signal.qualify("nobody").await.unwrap(), None);
}

#[tokio::test]
async fn a_challenge_is_answered_if_the_address_says_so() {
    let (exchange, mut phone) = registered("authenticate_qualify=yes\nqualify_2xx_only=yes").await;
    let request = options(&mut phone).await;
    let challenge = format!(
        "WWW-Authenticate: Digest realm=\"erin\", nonce=\"n\", algorithm=SHA-256\r\n{EMPTY}"
    );
    phone.send(&reply(&request, 401, &challenge)).await;
    let again = options(&mut phone).await;
    let authorization = again.headers.get(&HeaderName::Authorization).unwrap();
    assert!(
        authorization.contains("username=\"exchange\""),
        "{authorization}"
    );
    assert_eq!(again.headers.cseq().unwrap().number, 2);
    assert_eq!(again.headers.call_id(), request.headers.call_id());
    phone.send(&reply(&again, 200, EMPTY)).await;
    answered(&exchange).await;
}

/// Each answer finds its nonce stale: that is no reason to go on for ever.
#[tokio::test]
async fn challenges_without_end_are_not_answered_without_end() {
    let (exchange, mut phone) =
        registered("authenticate_qualify=yes\nqualify_2xx_only=yes\nqualify_timeout=50").await;
    for number in 1..=4 {
        let request = options(&mut phone).await;
        assert_eq!(request.headers.cseq().unwrap().number, number);
        let challenge = format!(
            "WWW-Authenticate: Digest realm=\"erin\", nonce=\"n{number}\", algorithm=SHA-256, \
             stale=true\r\n{EMPTY}"
        );
        phone.send(&reply(&request, 401, &challenge)).await;
    }
    until("the verdict", || {
        status(&exchange) == ContactStatus::Unavailable
    })
    .await;
}

#[tokio::test]
async fn who_is_not_to_be_asked_is_asked_by_hand_only() {
    let exchange = Exchange::start().await;
    let mut phone = exchange.phone().await;
    phone
        .register("alice", "wonderland", &contact("alice", "1"))
        .await;
    assert_eq!(status(&exchange), ContactStatus::NotQualified);
    exchange.signal.qualify("alice").await.unwrap();
    let request = phone.request().await;
    assert_eq!(request.method, Method::Options);
    phone.send(&reply(&request, 200, EMPTY)).await;
    answered(&exchange).await;
}

#[tokio::test]
async fn a_contact_that_stands_in_a_file_is_asked_too() {
    let phone = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = phone.local_addr().unwrap().port();
    drop(phone);
    let pjsip = format!(
        "{PJSIP}[desk](phone)\naors=desk\n[desk]\ntype=aor\nqualify_frequency=1\n\
         qualify_timeout=0.1\ncontact=sip:desk@127.0.0.1:{port}\n"
    );
    let exchange = Exchange::with(&pjsip, Keepalive::default()).await;
    // Nobody is there yet.
    until("a verdict", || {
        let contacts = exchange.signal.contacts();
        contacts.first().map(|one| one.status) == Some(ContactStatus::Unavailable)
    })
    .await;
    let refused = originate(&exchange, "PJSIP/desk").await.unwrap_err();
    assert_eq!(refused.to_string(), "no contact of endpoint 'desk' answers");
    let phone = DeskPhone::at(port, exchange.udp).await;
    // What comes first may be one repeated that nobody waits for any more.
    let answering = async {
        loop {
            let request = phone.request().await;
            assert_eq!(request.method, Method::Options);
            assert_eq!(request.uri.as_str(), format!("sip:desk@127.0.0.1:{port}"));
            phone.send(reply(&request, 200, EMPTY).as_bytes()).await;
        }
    };
    let answer = until("an answer", || {
        matches!(status(&exchange), ContactStatus::Available(_))
    });
    tokio::select! {
        () = answering => {}
        () = answer => {}
    }
}
