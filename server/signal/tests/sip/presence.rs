//! Lamps and friends (RFC 6665, 4235, 3856): who may subscribe, and what is told when phones come, talk and go.

mod mailbox;

use signal::Keepalive;
use sip::{HeaderName, Method, Request, Response};

use crate::outbound::{EMPTY, originate, registered, tagged, with_answer};
use crate::support::{Exchange, PJSIP, Phone, contact, register, reply, request, signed, until};
use crate::tls::Folder;

pub(crate) const HINTS: &str = "
[phones]
exten => bob,hint,PJSIP/bob
exten => bob,1,NoOp()
exten => both,hint,PJSIP/bob&PJSIP/alice
exten => ghost,hint,PJSIP/ghost
exten => plain,1,NoOp()
exten => night,hint,Custom:night&Custom:door
exten => 1,1,NoOp(${HINT(night@phones)})
 same => n,Set(DEVICE_STATE(Custom:night)=INUSE)
 same => n,Hangup(17)
exten => 2,1,DBdel(mwi_external/mailboxes/100@default)
 same => n,Hangup(17)
[lamps]
exten => 7,hint,PJSIP/bob
";

pub(crate) async fn exchange(pjsip: &str) -> Exchange {
    let files = [("pjsip.conf", pjsip), ("extensions.conf", HINTS)];
    Exchange::with_files(&files, Keepalive::default()).await
}

pub(crate) fn subscribe(resource: &str, more: &str) -> String {
    let contact = "Contact: <sip:alice1@s58im4vdpmpn.invalid;transport=ws>\r\n";
    let uri = format!("sip:{resource}@127.0.0.1");
    request("SUBSCRIBE", &uri, "alice", &format!("{contact}{more}"))
}

/// Subscribes as Alice: the answer, and the NOTIFY that follows it.
pub(crate) async fn subscribed(
    phone: &mut Phone,
    resource: &str,
    more: &str,
) -> (Response, Request) {
    let ok = phone
        .ask_as("alice", "wonderland", &subscribe(resource, more))
        .await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    let notify = notified(phone).await;
    (ok, notify)
}

pub(crate) async fn notified(phone: &mut Phone) -> Request {
    let notify = phone.request().await;
    assert_eq!(notify.method, Method::Notify);
    phone.send(&reply(&notify, 200, EMPTY)).await;
    notify
}

pub(crate) fn body(request: &Request) -> &str {
    std::str::from_utf8(&request.body).unwrap()
}

pub(crate) fn lamp(request: &Request) -> &str {
    let body = body(request);
    let (_, rest) = body.split_once("<state>").unwrap();
    rest.split_once("</state>").unwrap().0
}

pub(crate) async fn bob(exchange: &Exchange) -> Phone {
    let mut phone = exchange.phone().await;
    let text = register("bob", &contact("bob1", "b"));
    let challenged = phone.ask(&text).await;
    let ok = phone
        .ask(&signed(&text, &challenged, "bobby", "builder"))
        .await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    phone
}

#[tokio::test]
async fn a_lamp_follows_the_phone_from_ringing_to_the_end() {
    let exchange = exchange(PJSIP).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let more = "Event: dialog\r\nAccept: application/dialog-info+xml\r\nExpires: 600\r\n";
    let (ok, first) = subscribed(&mut alice, "bob", more).await;
    assert_eq!(ok.headers.get(&HeaderName::Expires), Some("600"));
    assert_eq!(lamp(&first), "terminated");
    assert!(body(&first).contains("version=\"0\""));
    assert!(body(&first).contains("entity=\"sip:bob@127.0.0.1\""));
    let mut bob = bob(&exchange).await;
    let begun = originate(&exchange, "PJSIP/bob").await.unwrap();
    let invite = bob.request().await;
    bob.send(&tagged(&invite, 180, "t", EMPTY)).await;
    let ringing = loop {
        let notify = notified(&mut alice).await;
        match lamp(&notify) {
            "early" => break notify,
            // Bob registered meanwhile. It is not busy before it rings.
            other => assert_eq!(other, "terminated"),
        }
    };
    assert!(body(&ringing).contains("direction=\"recipient\""));
    bob.send(&tagged(&invite, 200, "t", &with_answer())).await;
    assert_eq!(bob.request().await.method, Method::Ack);
    begun.await.unwrap().unwrap();
    assert_eq!(lamp(&notified(&mut alice).await), "confirmed");
    for call in exchange.switch.directory().all() {
        call.hangup(switch::Cause::NormalClearing);
    }
    assert_eq!(lamp(&notified(&mut alice).await), "terminated");
    let bye = bob.request().await;
    bob.send(&reply(&bye, 200, EMPTY)).await;
}

#[tokio::test]
async fn a_friend_is_there_while_registered() {
    let exchange = exchange(PJSIP).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let (_, first) = subscribed(&mut alice, "bob", "Event: presence\r\n").await;
    assert!(
        body(&first).contains("<basic>closed</basic>"),
        "{}",
        body(&first)
    );
    assert_eq!(
        first.headers.get(&HeaderName::ContentType),
        Some("application/pidf+xml")
    );
    let phone = bob(&exchange).await;
    let there = notified(&mut alice).await;
    assert!(
        body(&there).contains("<basic>open</basic>"),
        "{}",
        body(&there)
    );
    drop(phone);
    let gone = notified(&mut alice).await;
    assert!(
        body(&gone).contains("<basic>closed</basic>"),
        "{}",
        body(&gone)
    );
}

#[tokio::test]
async fn who_leaves_is_told_the_state_once_more() {
    let exchange = exchange(PJSIP).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let (_, notify) = subscribed(&mut alice, "both", "Event: dialog\r\nExpires: 0\r\n").await;
    let state = notify.headers.get(&HeaderName::SubscriptionState).unwrap();
    assert_eq!(state, "terminated;reason=timeout");
    assert_eq!(lamp(&notify), "terminated");
}

#[tokio::test]
async fn what_cannot_be_subscribed_to_is_said_so() {
    let pjsip = PJSIP.replacen(
        "[alice](phone)\n",
        "[alice](phone)\nsubscribe_context=lamps\nsub_min_expiry=120\n",
        1,
    );
    let exchange = exchange(&pjsip).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let rows = [
        ("7", "Event: dialog\r\nExpires: 60\r\n", 423, "120"),
        ("bob", "Event: dialog\r\n", 404, ""),
        (
            "7",
            "Event: conference\r\n",
            489,
            "presence, dialog, message-summary",
        ),
        ("7", "", 489, "presence, dialog, message-summary"),
        ("7", "Event: dialog\r\nAccept: text/plain\r\n", 406, ""),
        ("alice", "Event: message-summary\r\n", 404, ""),
        (
            "7",
            "Event: dialog\r\nAccept: text/plain, application/dialog-info+xml\r\n",
            200,
            "",
        ),
    ];
    for (resource, more, status, named) in rows {
        let text = subscribe(resource, more);
        let answer = alice.ask_as("alice", "wonderland", &text).await;
        assert_eq!(answer.status.code(), status, "{resource} {more}");
        let names = [HeaderName::MinExpires, HeaderName::AllowEvents];
        let found = names.iter().find_map(|name| answer.headers.get(name));
        assert_eq!(found.unwrap_or_default(), named, "{resource} {more}");
    }
}

#[tokio::test]
async fn an_endpoint_that_does_not_exist_is_unavailable() {
    let exchange = exchange(PJSIP).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let (_, notify) = subscribed(&mut alice, "ghost", "Event: presence\r\n").await;
    assert!(body(&notify).contains("<note>Unavailable</note>"));
    let text = subscribe("plain", "Event: presence\r\n");
    let answer = alice.ask_as("alice", "wonderland", &text).await;
    assert_eq!(answer.status.code(), 404, "it has no hint");
}

/// The same phones with a line more for one of them.
pub(crate) fn with(endpoint: &str, line: &str) -> String {
    let section = format!("[{endpoint}](phone)\n");
    assert!(PJSIP.contains(&section));
    PJSIP.replace(&section, &format!("{section}{line}\n"))
}

/// Bob's phone takes a call.
async fn talks(exchange: &Exchange, bob: &mut Phone) {
    let begun = originate(exchange, "PJSIP/bob").await.unwrap();
    let invite = bob.request().await;
    bob.send(&tagged(&invite, 200, "t", &with_answer())).await;
    assert_eq!(bob.request().await.method, Method::Ack);
    begun.await.unwrap().unwrap();
}

#[tokio::test]
async fn device_state_busy_at_counts_the_calls_that_make_a_phone_busy() {
    for (line, basic) in [
        ("device_state_busy_at=1", "closed"),
        ("device_state_busy_at=2", "open"),
        ("", "open"),
    ] {
        let exchange = exchange(&with("bob", line)).await;
        let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
        let mut bob = bob(&exchange).await;
        talks(&exchange, &mut bob).await;
        let (_, told) = subscribed(&mut alice, "bob", "Event: presence\r\n").await;
        let expected = format!("<basic>{basic}</basic>");
        assert!(body(&told).contains(&expected), "{line}: {}", body(&told));
        assert!(body(&told).contains("On the phone"), "{}", body(&told));
    }
}

#[tokio::test]
async fn notify_early_inuse_ringing_shows_the_second_call_as_ringing() {
    for (line, state) in [
        ("notify_early_inuse_ringing=yes", "early"),
        ("notify_early_inuse_ringing=no", "confirmed"),
    ] {
        let exchange = exchange(&with("alice", line)).await;
        let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
        let mut bob = bob(&exchange).await;
        talks(&exchange, &mut bob).await;
        let _second = originate(&exchange, "PJSIP/bob").await.unwrap();
        let invite = bob.request().await;
        bob.send(&tagged(&invite, 180, "t", EMPTY)).await;
        let directory = exchange.switch.directory();
        until("it rings", || {
            let all = directory.all();
            all.iter()
                .any(|call| call.info().state == switch::ChannelState::Alerting)
        })
        .await;
        let more = "Event: dialog\r\nAccept: application/dialog-info+xml\r\n";
        let (_, told) = subscribed(&mut alice, "bob", more).await;
        assert_eq!(lamp(&told), state, "{line}");
    }
}

/// An exchange whose dial plan has a database, and its folder.
pub(crate) async fn with_database(pjsip: &str) -> (Exchange, Folder) {
    let (exchange, folder) = (exchange(pjsip).await, Folder::new());
    let path = folder.path("kept");
    let store = exchange.switch.store();
    store.keep(std::path::Path::new(&path), "here").await;
    (exchange, folder)
}

#[tokio::test]
async fn a_lamp_of_the_dial_plans_own_follows_what_it_is_set_to() {
    let (exchange, _folder) = with_database(PJSIP).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let (_, first) = subscribed(&mut alice, "night", "Event: dialog\r\n").await;
    assert_eq!(lamp(&first), "terminated");
    let switch = &exchange.switch;
    switch
        .set_device_state("Custom:door", switch::DeviceState::Ringing)
        .unwrap();
    assert_eq!(lamp(&notified(&mut alice).await), "early");
    switch
        .set_device_state("Custom:door", switch::DeviceState::NotInUse)
        .unwrap();
    assert_eq!(lamp(&notified(&mut alice).await), "terminated");
    assert_eq!(
        switch.device_state("custom:door"),
        switch::DeviceState::NotInUse
    );
    let custom = switch.custom_devices().await.unwrap();
    assert_eq!(custom.len(), 1, "{custom:?}");
    assert!(
        switch
            .set_device_state("PJSIP/bob", switch::DeviceState::Busy)
            .is_err()
    );
    let config = switch.config();
    let state = switch.extension_state(&config.plan, "phones", "night");
    assert_eq!(state, Some(switch::DeviceState::NotInUse));
    assert_eq!(
        switch.extension_state(&config.plan, "phones", "plain"),
        None
    );
}

#[tokio::test]
async fn the_dial_plan_knows_phones_and_sets_lamps() {
    let (exchange, _folder) = with_database(PJSIP).await;
    let switch = &exchange.switch;
    assert_eq!(
        switch.device_state("PJSIP/bob"),
        switch::DeviceState::Unavailable
    );
    assert_eq!(
        switch.device_state("PJSIP/ghost"),
        switch::DeviceState::Invalid
    );
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    assert_eq!(
        switch.device_state("PJSIP/alice"),
        switch::DeviceState::NotInUse
    );
    let (_, first) = subscribed(&mut alice, "night", "Event: dialog\r\n").await;
    assert_eq!(lamp(&first), "terminated");
    let text = crate::support::invite("alice", "1", "alice1", crate::support::OFFER);
    let challenged = alice.ask(&text).await;
    alice.send(&crate::support::ack(&text, &challenged)).await;
    let again = signed(&text, &challenged, "alice", "wonderland");
    assert_eq!(alice.ask(&again).await.status.code(), 486);
    until("the lamp is on", || {
        switch.device_state("Custom:night") == switch::DeviceState::InUse
    })
    .await;
    assert_eq!(lamp(&notified(&mut alice).await), "confirmed");
}

pub(crate) fn state(notify: &Request) -> &str {
    let state = notify.headers.get(&HeaderName::SubscriptionState).unwrap();
    state.split(';').next().unwrap()
}
