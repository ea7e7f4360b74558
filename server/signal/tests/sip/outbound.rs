//! Calls to registered phones: over the flow they registered from, to all their contacts at once.

use std::time::Duration;

use signal::Keepalive;
use sip::{HeaderName, Method, Request};
use switch::{Begun, CallerId, Cause, NotOriginated, Originate, Purpose};

use crate::support::{
    DeskPhone, Exchange, OFFER, PJSIP, Phone, ack, contact, invite, register, reply, signed, until,
};

/// The chapter's slip: a phone that comes by WebSocket, pinned to a transport of another kind.
const PINNED: &str = "
[transport-tls]
type=transport
protocol=tls
bind=127.0.0.1
[dora](phone)
aors=dora
auth=dora
transport=transport-tls
[dora]
type=auth
username=dora
password=explorer
[dora]
type=aor
max_contacts=5
";

async fn exchange() -> Exchange {
    Exchange::with(&format!("{PJSIP}{PINNED}"), Keepalive::default()).await
}

pub(crate) async fn registered(
    exchange: &Exchange,
    user: &str,
    password: &str,
    instance: &str,
) -> Phone {
    let mut phone = exchange.phone().await;
    let contact = contact(&format!("{user}{instance}"), instance);
    let ok = phone.register(user, password, &contact).await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    phone
}

pub(crate) async fn originate(
    exchange: &Exchange,
    destination: &str,
) -> Result<Begun, NotOriginated> {
    exchange.switch.originate(plain(destination)).await
}

fn plain(destination: &str) -> Originate {
    Originate {
        destination: destination.to_owned(),
        purpose: Purpose::Application {
            name: "Echo".to_owned(),
            arguments: String::new(),
        },
        timeout: Duration::from_secs(30),
        caller: CallerId::default(),
        variables: Vec::new(),
        before: None,
    }
}

/// A response with a To tag, as every phone sends.
pub(crate) fn tagged(request: &Request, status: u16, tag: &str, more: &str) -> String {
    let to = request.headers.get(&HeaderName::To).unwrap();
    let line = format!("To: {to}\r\n");
    let more = format!("Contact: <sip:phone@127.0.0.1;transport=ws>\r\n{more}");
    reply(request, status, &more).replacen(&line, &format!("To: {to};tag={tag}\r\n"), 1)
}

pub(crate) fn with_answer() -> String {
    format!(
        "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{OFFER}",
        OFFER.len()
    )
}

pub(crate) const EMPTY: &str = "Content-Length: 0\r\n\r\n";

#[tokio::test]
async fn a_browser_is_called_over_the_socket_it_registered_from_whatever_transport_it_names() {
    let exchange = exchange().await;
    let mut phone = registered(&exchange, "dora", "explorer", "1").await;
    let begun = originate(&exchange, "PJSIP/dora").await.unwrap();
    let invite = phone.request().await;
    assert_eq!(invite.method, Method::Invite);
    assert_eq!(
        invite.uri.as_str(),
        "sip:dora1@s58im4vdpmpn.invalid;transport=ws",
        "JsSIP answers 404 unless it is its own Contact"
    );
    assert_eq!(
        invite.headers.from().unwrap().uri.as_str(),
        "sip:asterisk@127.0.0.1"
    );
    assert!(sdp::parse(&invite.body).is_ok());
    assert!(
        invite
            .headers
            .top_via()
            .unwrap()
            .to_string()
            .starts_with("SIP/2.0/WS ")
    );
    phone.send(&reply(&invite, 100, EMPTY)).await;
    phone.send(&tagged(&invite, 180, "t", EMPTY)).await;
    phone.send(&tagged(&invite, 200, "t", &with_answer())).await;
    assert_eq!(phone.request().await.method, Method::Ack);
    let name = begun.await.unwrap().unwrap();
    assert_eq!(name, "PJSIP/dora-00000000");
    let handle = exchange.switch.directory().by_name(&name).unwrap();
    until("Echo runs", || handle.info().application == "Echo()").await;
    assert!(handle.hangup(Cause::NormalClearing));
    let bye = phone.request().await;
    assert_eq!(bye.method, Method::Bye);
    assert_eq!(bye.uri.as_str(), "sip:phone@127.0.0.1;transport=ws");
    phone.send(&reply(&bye, 200, EMPTY)).await;
    until("the call is over", || exchange.signal.counts().invites == 0).await;
    let story = exchange.switch.status().stories.pop().unwrap();
    let text = serde_json::to_string(&story).unwrap();
    for part in [
        "INVITE sip:dora1@",
        "\"180\"",
        "\"200\"",
        "\"called\":\"sip:dora1@",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[tokio::test]
async fn a_desk_phone_is_called_over_udp_where_it_registered_from() {
    let exchange = exchange().await;
    let phone = DeskPhone::connect(exchange.udp).await;
    // Behind NAT its Contact names an address that leads nowhere.
    let text = register("bob", "<sip:bob@192.0.2.77:5060>").replace("SIP/2.0/WS", "SIP/2.0/UDP");
    let challenged = phone.ask(&text).await;
    let text = signed(&text, &challenged, "bobby", "builder");
    assert_eq!(phone.ask(&text).await.status.code(), 200);
    let begun = originate(&exchange, "PJSIP/bob").await.unwrap();
    let invite = phone.request().await;
    assert_eq!(invite.uri.as_str(), "sip:bob@192.0.2.77:5060");
    phone
        .send(tagged(&invite, 486, "t", EMPTY).as_bytes())
        .await;
    assert_eq!(phone.request().await.method, Method::Ack);
    assert_eq!(begun.await.unwrap(), Err(Cause::UserBusy));
}

/// A trunk that is told who calls, and that wants to know who we are.
const TRUNK: &str = "
[trunk](phone)
aors=trunk
outbound_auth=to-trunk
send_pai=yes
send_rpid=yes
user_eq_phone=yes
from_user=account
from_domain=example.com
[to-trunk]
type=auth
username=account
password=secret
[trunk]
type=aor
";

#[tokio::test]
async fn a_trunk_is_told_who_calls_and_its_challenge_is_answered() {
    let phone = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = phone.local_addr().unwrap().port();
    drop(phone);
    let pjsip = format!("{PJSIP}{TRUNK}contact=sip:127.0.0.1:{port}\n");
    let exchange = Exchange::with(&pjsip, Keepalive::default()).await;
    let phone = DeskPhone::at(port, exchange.udp).await;
    let originate = Originate {
        caller: CallerId::new("Alice \"A\"", "1001"),
        ..plain("PJSIP/4930@trunk")
    };
    let begun = exchange.switch.originate(originate).await.unwrap();
    let invite = phone.request().await;
    assert_eq!(
        invite.uri.as_str(),
        format!("sip:4930@127.0.0.1:{port};user=phone")
    );
    let header = |name: &str| invite.headers.get(&HeaderName::from(name)).unwrap();
    let from = invite.headers.from().unwrap();
    assert_eq!(from.uri.as_str(), "sip:account@example.com");
    assert_eq!(from.display_name.as_deref(), Some("Alice \"A\""));
    let who = "\"Alice \\\"A\\\"\" <sip:1001@example.com;user=phone>";
    assert_eq!(header("P-Asserted-Identity"), who);
    assert_eq!(
        header("Remote-Party-ID"),
        format!("{who};party=calling;privacy=off;screen=no")
    );
    let challenge =
        format!("WWW-Authenticate: Digest realm=\"t\", nonce=\"n\", qop=\"auth\"\r\n{EMPTY}");
    phone
        .send(tagged(&invite, 401, "t", &challenge).as_bytes())
        .await;
    assert_eq!(phone.request().await.method, Method::Ack);
    let again = phone.request().await;
    let authorization = again.headers.get(&HeaderName::Authorization).unwrap();
    assert!(
        authorization.contains("username=\"account\""),
        "{authorization}"
    );
    phone.send(tagged(&again, 480, "t", EMPTY).as_bytes()).await;
    assert_eq!(begun.await.unwrap(), Err(Cause::NoAnswer));
}

#[tokio::test]
async fn a_written_address_is_called_over_udp() {
    let exchange = exchange().await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let destination = format!("PJSIP/bob/sip:bob@127.0.0.1:{}", phone.port());
    let begun = originate(&exchange, &destination).await.unwrap();
    let invite = phone.request().await;
    assert_eq!(invite.uri.user().as_deref(), Some("bob"));
    let answer = tagged(
        &invite,
        404,
        "t",
        "Reason: Q.850;cause=22\r\nContent-Length: 0\r\n\r\n",
    );
    phone.send(answer.as_bytes()).await;
    assert_eq!(
        begun.await.unwrap(),
        Err(Cause::NumberChanged),
        "the Reason says more"
    );
    for bad in [
        "PJSIP/bob/sips:bob@127.0.0.1;transport=ws",
        "PJSIP/bob/tel:1",
        "PJSIP/bob/sip:b@h;transport=ws",
    ] {
        assert!(originate(&exchange, bad).await.is_err(), "{bad}");
    }
}

#[tokio::test]
async fn all_contacts_ring_and_those_that_lose_are_told_where_it_was_answered() {
    let exchange = exchange().await;
    let mut first = registered(&exchange, "dora", "explorer", "1").await;
    let mut second = registered(&exchange, "dora", "explorer", "2").await;
    let begun = originate(&exchange, "PJSIP/dora").await.unwrap();
    let (one, two) = (first.request().await, second.request().await);
    assert_ne!(
        one.headers.call_id().unwrap(),
        two.headers.call_id().unwrap(),
        "two calls, not one that was forked"
    );
    first.send(&tagged(&one, 180, "t1", EMPTY)).await;
    second.send(&tagged(&two, 180, "t2", EMPTY)).await;
    second.send(&tagged(&two, 200, "t2", &with_answer())).await;
    assert!(begun.await.unwrap().is_ok());
    let cancel = first.request().await;
    assert_eq!(cancel.method, Method::Cancel);
    let reasons: Vec<_> = cancel.headers.get_all(&HeaderName::Reason).collect();
    assert_eq!(
        reasons[0],
        "SIP;cause=200;text=\"Call completed elsewhere\""
    );
    assert_eq!(exchange.switch.status().channels, 1);
}

#[tokio::test]
async fn who_declines_is_not_asked_again_and_the_cause_is_kept() {
    for (status, cause) in [
        (603, Cause::CallRejected),
        (486, Cause::UserBusy),
        (480, Cause::NoAnswer),
        (488, Cause::BearerNotAvailable),
        (302, Cause::RedirectedToNewDestination),
    ] {
        let exchange = exchange().await;
        let mut phone = registered(&exchange, "dora", "explorer", "1").await;
        let begun = originate(&exchange, "PJSIP/dora").await.unwrap();
        let invite = phone.request().await;
        phone.send(&tagged(&invite, status, "t", EMPTY)).await;
        assert_eq!(phone.request().await.method, Method::Ack);
        assert_eq!(begun.await.unwrap(), Err(cause), "{status}");
        until("nothing is left", || exchange.signal.counts().invites == 0).await;
        let story = exchange.switch.status().stories.pop().unwrap();
        let story = serde_json::to_string(&story).unwrap();
        let told = story.contains("sends its callers on to sip:phone@");
        assert_eq!(told, status == 302, "{story}");
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_while_it_rings_is_cancelled_with_its_reason() {
    let exchange = exchange().await;
    let mut phone = registered(&exchange, "dora", "explorer", "1").await;
    let begun = originate(&exchange, "PJSIP/dora").await.unwrap();
    let invite = phone.request().await;
    phone.send(&tagged(&invite, 180, "t", EMPTY)).await;
    let directory = exchange.switch.directory();
    until("it rings", || {
        directory.all()[0].info().state == switch::ChannelState::Alerting
    })
    .await;
    directory.all()[0].hangup(Cause::NormalClearing);
    let cancel = phone.request().await;
    assert_eq!(cancel.method, Method::Cancel);
    assert_eq!(
        cancel.headers.get(&HeaderName::Reason),
        Some("Q.850;cause=16;text=\"Normal call clearing\"")
    );
    phone.send(&reply(&cancel, 200, EMPTY)).await;
    phone.send(&tagged(&invite, 487, "t", EMPTY)).await;
    assert_eq!(phone.request().await.method, Method::Ack);
    assert_eq!(begun.await.unwrap(), Err(Cause::NormalClearing));
    until("nothing is left", || exchange.signal.counts().invites == 0).await;
}

#[tokio::test]
async fn an_answer_without_description_is_acknowledged_and_ended() {
    let exchange = exchange().await;
    let mut phone = registered(&exchange, "dora", "explorer", "1").await;
    let begun = originate(&exchange, "PJSIP/dora").await.unwrap();
    let invite = phone.request().await;
    phone.send(&tagged(&invite, 200, "t", EMPTY)).await;
    assert_eq!(phone.request().await.method, Method::Ack);
    assert_eq!(phone.request().await.method, Method::Bye);
    assert_eq!(begun.await.unwrap(), Err(Cause::BearerNotAvailable));
}

#[tokio::test]
async fn a_phone_whose_page_closes_while_it_rings_is_absent() {
    let exchange = exchange().await;
    let mut phone = registered(&exchange, "dora", "explorer", "1").await;
    let begun = originate(&exchange, "PJSIP/dora").await.unwrap();
    phone.request().await;
    drop(phone);
    assert_eq!(begun.await.unwrap(), Err(Cause::SubscriberAbsent));
}

#[tokio::test]
async fn who_cannot_be_called_is_named() {
    let exchange = exchange().await;
    for (destination, sentence) in [
        ("PJSIP/nobody", "endpoint 'nobody' was not found"),
        (
            "PJSIP/dora",
            "endpoint 'dora' is not registered: it has no contact",
        ),
        ("SIP/dora", "no technology is called 'SIP'; there is PJSIP"),
    ] {
        let refused = originate(&exchange, destination).await.unwrap_err();
        assert_eq!(refused.to_string(), sentence);
    }
}

#[tokio::test]
async fn pjsip_dial_contacts_rings_every_contact() {
    let plan = "[phones]\nexten => 6,1,Dial(${PJSIP_DIAL_CONTACTS(alice)},30)\n";
    let files = [("pjsip.conf", PJSIP), ("extensions.conf", plan)];
    let exchange = Exchange::with_files(&files, Keepalive::default()).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let mut other = registered(&exchange, "alice", "wonderland", "2").await;
    let mut bob = exchange.phone().await;
    let text = invite("bob", "6", "bob1", OFFER);
    let challenged = bob.ask(&text).await;
    bob.send(&ack(&text, &challenged)).await;
    bob.send(&signed(&text, &challenged, "bobby", "builder"))
        .await;
    let (first, second) = (alice.request().await, other.request().await);
    for (invite, user) in [(&first, "alice1"), (&second, "alice2")] {
        assert_eq!(invite.method, Method::Invite);
        assert_eq!(invite.uri.user().as_deref(), Some(user));
    }
    alice.send(&tagged(&first, 180, "a", EMPTY)).await;
    other.send(&tagged(&second, 486, "o", EMPTY)).await;
    // One that is busy leaves the other ringing.
    assert_eq!(other.request().await.method, Method::Ack);
    alice.send(&tagged(&first, 200, "a", &with_answer())).await;
    assert_eq!(bob.response().await.status.code(), 200);
}

/// What the dial plan may ask about who is called, and what it says in its INVITE and reads in the answer.
#[tokio::test]
async fn the_dial_plan_reads_of_endpoints_contacts_and_headers() {
    let plan = "[phones]\n\
        exten => 6,1,Set(c=${PJSIP_AOR(alice,contact)})\n \
        same => n,Set(GLOBAL(a)=${PJSIP_ENDPOINT(alice,context)} ${PJSIP_AOR(alice,max_contacts)} [${PJSIP_ENDPOINT(no,aors)}])\n \
        same => n,Set(GLOBAL(b)=${PJSIP_CONTACT(${c},status)} ${PJSIP_CONTACT(${c},rtt)} ${PJSIP_CONTACT(${c},endpoint)})\n \
        same => n,Set(uri=${PJSIP_CONTACT(${c},uri)})\n \
        same => n,Set(GLOBAL(u)=${PJSIP_PARSE_URI(${uri},user)} ${PJSIP_PARSE_URI_FROM(uri,scheme)})\n \
        same => n,Set(GLOBAL(h)=${PJSIP_HEADER(read,CSeq)} ${PJSIP_HEADERS(CS)})\n \
        same => n,Dial(PJSIP/alice,30,b(before^s^1)U(after^s^1))\n\
        [before]\nexten => s,1,Set(PJSIP_HEADER(add,X-A)=1)\n same => n,Set(PJSIP_HEADER(add,X-A)=2)\n \
        same => n,Set(PJSIP_HEADER(add,X-B)=3)\n same => n,Set(PJSIP_HEADER(add,Z-Y)=4)\n \
        same => n,Set(PJSIP_HEADER(update,X-A,2)=5)\n same => n,Set(PJSIP_HEADER(remove,X-B*)=)\n \
        same => n,Set(GLOBAL(added)=${PJSIP_HEADERS()} ${PJSIP_HEADER(read,X-*,2)})\n same => n,Return()\n\
        [after]\nexten => s,1,Set(GLOBAL(r)=${PJSIP_RESPONSE_HEADER(read,CSeq)} ${PJSIP_RESPONSE_HEADERS(CS)})\n same => n,Return()\n";
    let files = [("pjsip.conf", PJSIP), ("extensions.conf", plan)];
    let exchange = Exchange::with_files(&files, Keepalive::default()).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let mut bob = exchange.phone().await;
    let text = invite("bob", "6", "bob1", OFFER);
    let challenged = bob.ask(&text).await;
    bob.send(&ack(&text, &challenged)).await;
    bob.send(&signed(&text, &challenged, "bobby", "builder"))
        .await;
    let asked = alice.request().await;
    let all = |name: &str| {
        let name = HeaderName::from(name);
        let all = asked.headers.get_all(&name);
        all.map(str::to_owned).collect::<Vec<_>>().join(",")
    };
    assert_eq!([all("X-A"), all("X-B"), all("Z-Y")], ["1,5", "", "4"]);
    alice.send(&tagged(&asked, 200, "a", &with_answer())).await;
    assert_eq!(bob.response().await.status.code(), 200);
    let switch = &exchange.switch;
    until("the end of the subroutine", || switch.global("r").is_some()).await;
    let global = |name| switch.global(name).unwrap_or_default();
    assert_eq!(global("u"), "alice1 sip");
    assert_eq!(global("a"), "phones 2 []");
    assert_eq!(global("b"), "NonQualified N/A alice");
    assert!(global("h").ends_with(" INVITE CSeq"), "{}", global("h"));
    assert_eq!(global("added"), "X-A,Z-Y 5");
    assert_eq!(global("r"), format!("{} CSeq", all("CSeq")));
}
