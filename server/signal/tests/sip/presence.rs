//! Lamps, lists of friends and mailboxes (RFC 6665, 4235, 3856, 3842): who may subscribe, and what is told when
//! phones come, talk and go.

use signal::Keepalive;
use sip::{HeaderName, Message, Method, Request, Response};

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
async fn a_mailbox_is_empty_where_there_is_one() {
    let pjsip = PJSIP.replacen(
        "max_contacts=2\n",
        "max_contacts=2\nmailboxes=100@default\n",
        1,
    );
    let exchange = exchange(&pjsip).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let (_, notify) = subscribed(&mut alice, "alice", "Event: message-summary\r\n").await;
    assert_eq!(
        body(&notify),
        "Messages-Waiting: no\r\nMessage-Account: sip:alice@127.0.0.1\r\nVoice-Message: 0/0 (0/0)\r\n"
    );
}

/// Where a phone calls to hear its messages: that of the aor, else of the endpoint, else of all.
#[tokio::test]
async fn voicemail_extension_is_told_as_the_account() {
    for (aor, endpoint, global, account) in [
        ("*97", "*98", "*99", "*97"),
        ("", "*98", "*99", "*98"),
        ("", "", "*99", "*99"),
    ] {
        let pjsip = with(
            "alice",
            &format!("mailboxes=100@default\nvoicemail_extension={endpoint}"),
        );
        let section = "[alice]\ntype=aor\n";
        let pjsip = pjsip.replacen(
            section,
            &format!("{section}mailboxes=100@default\nvoicemail_extension={aor}\n"),
            1,
        );
        let pjsip =
            format!("{pjsip}\n[global]\ntype=global\ndefault_voicemail_extension={global}\n");
        let exchange = exchange(&pjsip).await;
        let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
        let unasked = notified(&mut alice).await;
        let own = match endpoint {
            "" => global,
            own => own,
        };
        let expected = format!("Message-Account: sip:{own}@127.0.0.1\r\n");
        assert!(body(&unasked).contains(&expected), "{}", body(&unasked));
        let (_, asked) = subscribed(&mut alice, "alice", "Event: message-summary\r\n").await;
        let expected = format!("Message-Account: sip:{account}@127.0.0.1\r\n");
        assert!(body(&asked).contains(&expected), "{}", body(&asked));
    }
}

/// A provider that has the voicemail of a trunk says what waits there.
#[tokio::test]
async fn incoming_mwi_mailbox_is_what_an_endpoint_says_it_is() {
    let summary = "Messages-Waiting: yes\r\nVoice-Message: 4/1 (0/0)\r\n";
    let notify = |event: &str| {
        let more = format!(
            "Event: {event}\r\nSubscription-State: terminated\r\nContent-Type: \
             application/simple-message-summary\r\nContent-Length: {}\r\n",
            summary.len()
        );
        let text = request("NOTIFY", "sip:alice@127.0.0.1", "alice", &more);
        let text = text.replace("Content-Length: 0\r\n", "");
        format!("{text}{summary}")
    };
    let (exchange, _folder) = with_database(&with("alice", "incoming_mwi_mailbox=700")).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let other = alice
        .ask_as("alice", "wonderland", &notify("presence"))
        .await;
    assert_eq!(other.status.code(), 481);
    let ok = alice
        .ask_as("alice", "wonderland", &notify("message-summary"))
        .await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    let waiting = exchange.switch.mailbox("700@default");
    assert_eq!((waiting.new, waiting.old), (4, 1));
    // Who has no such mailbox tells nobody anything.
    let (exchange, _folder) = with_database(PJSIP).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let refused = alice
        .ask_as("alice", "wonderland", &notify("message-summary"))
        .await;
    assert_eq!(refused.status.code(), 481);
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

#[tokio::test]
async fn a_mailbox_is_told_of_when_messages_come_and_go() {
    let pjsip = PJSIP.replacen(
        "[alice]\ntype=aor\n",
        "[alice]\ntype=aor\nmailboxes=100@default,200@default\n",
        1,
    );
    let (exchange, _folder) = with_database(&pjsip).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let more = "Event: message-summary\r\nExpires: 900\r\n";
    let (_, first) = subscribed(&mut alice, "alice", more).await;
    assert!(body(&first).contains("Messages-Waiting: no\r\n"));
    let set = |mailbox: &str, new, old| {
        let messages = switch::Messages { new, old };
        exchange
            .switch
            .set_mailbox(mailbox, Some(messages))
            .unwrap();
    };
    set("100@default", 2, 1);
    set("200@default", 1, 0);
    let told = notified(&mut alice).await;
    assert!(body(&told).contains("Messages-Waiting: yes\r\n"));
    assert!(
        body(&told).contains("Voice-Message: 3/1 (0/0)\r\n"),
        "{}",
        body(&told)
    );
    let listed = exchange.signal.subscriptions().await;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].endpoint.as_str(), listed[0].resource.as_str()),
        ("alice", "alice")
    );
    assert_eq!(listed[0].event, "message-summary");
    assert!(listed[0].left.as_secs() > 800 && !listed[0].call_id.is_empty());
    exchange.switch.set_mailbox("100@default", None).unwrap();
    exchange.switch.set_mailbox("200@default", None).unwrap();
    let told = notified(&mut alice).await;
    assert!(body(&told).contains("Messages-Waiting: no\r\n"));
}

fn waits(exchange: &Exchange, mailbox: &str, new: u32, old: u32) {
    let messages = switch::Messages { new, old };
    exchange
        .switch
        .set_mailbox(mailbox, Some(messages))
        .unwrap();
}

/// The counts in a NOTIFY.
fn counts(notify: &Request) -> &str {
    let (_, rest) = body(notify).split_once("Voice-Message: ").unwrap();
    rest.split_once(" (0/0)").unwrap().0
}

/// NOTIFYs until one says this: two changes may be told of in two.
async fn told(phone: &mut Phone, expected: &str) -> Request {
    loop {
        let notify = notified(phone).await;
        if counts(&notify) == expected {
            return notify;
        }
    }
}

pub(crate) fn state(notify: &Request) -> &str {
    let state = notify.headers.get(&HeaderName::SubscriptionState).unwrap();
    state.split(';').next().unwrap()
}

#[tokio::test]
async fn mailboxes_of_an_endpoint_are_told_of_unasked() {
    let pjsip = with("alice", "mailboxes=100@default,200@default");
    let (exchange, _folder) = with_database(&pjsip).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let mut other = registered(&exchange, "alice", "wonderland", "2").await;
    let first = notified(&mut alice).await;
    assert_eq!(
        body(&first),
        "Messages-Waiting: no\r\nVoice-Message: 0/0 (0/0)\r\n"
    );
    let header = |name| first.headers.get(&name).unwrap_or_default();
    assert_eq!(header(HeaderName::Event), "message-summary");
    assert_eq!(header(HeaderName::SubscriptionState), "terminated");
    assert_eq!(
        header(HeaderName::ContentType),
        "application/simple-message-summary"
    );
    assert!(header(HeaderName::Contact).starts_with("<sip:"));
    assert!(header(HeaderName::From).starts_with("<sip:asterisk@"));
    assert_eq!(counts(&notified(&mut other).await), "0/0");
    waits(&exchange, "100@default", 2, 1);
    waits(&exchange, "200@default", 1, 0);
    let sum = told(&mut alice, "3/1").await;
    assert!(body(&sum).starts_with("Messages-Waiting: yes\r\n"));
    told(&mut other, "3/1").await;
    let again = contact("alice1", "1");
    let ok = alice.register("alice", "wonderland", &again).await;
    assert_eq!(ok.status.code(), 200);
    assert_eq!(counts(&notified(&mut alice).await), "3/1");
    exchange.switch.set_mailbox("100@default", None).unwrap();
    told(&mut alice, "1/0").await;
    // Who has registered again was told alone.
    assert_eq!(counts(&notified(&mut other).await), "1/0");
}

#[tokio::test]
async fn without_aggregate_mwi_each_mailbox_is_told_of_by_itself() {
    let more = "mailboxes=100@default,200@default\naggregate_mwi=no\nmwi_from_user=mail\n\
                from_user=exchange";
    let (exchange, _folder) = with_database(&with("alice", more)).await;
    waits(&exchange, "100@default", 2, 1);
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let mut both = Vec::new();
    for _ in 0..2 {
        let notify = notified(&mut alice).await;
        let from = notify.headers.get(&HeaderName::From).unwrap();
        assert!(from.starts_with("<sip:mail@"), "{from}");
        both.push(counts(&notify).to_owned());
    }
    assert_eq!(both, ["2/1", "0/0"]);
}

/// The next message, which is an answer.
async fn answer(phone: &mut Phone) -> Response {
    match phone.receive().await {
        Message::Response(response) => response,
        Message::Request(request) => panic!("{request:?}"),
    }
}

#[tokio::test]
async fn a_phone_that_refuses_is_told_again_once_it_has_registered_anew() {
    let pjsip = with("alice", "mailboxes=100@default");
    let pjsip = pjsip.replace("[bob](phone)\n", "[bob](phone)\nmailboxes=100@default\n");
    let (exchange, _folder) = with_database(&pjsip).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let mut bob = bob(&exchange).await;
    let first = alice.request().await;
    alice.send(&reply(&first, 489, EMPTY)).await;
    told(&mut bob, "0/0").await;
    // The answer has come when a later question was answered.
    let options = request("OPTIONS", "sip:bob@127.0.0.1", "alice", "");
    alice.ask_as("alice", "wonderland", &options).await;
    for new in 1..=2 {
        waits(&exchange, "100@default", new, 0);
        told(&mut bob, &format!("{new}/0")).await;
    }
    // `register` passes over what would have come meanwhile; so it is sent by hand.
    let text = register("alice", &contact("alice1", "1"));
    alice.send(&text).await;
    let challenged = answer(&mut alice).await;
    let text = signed(&text, &challenged, "alice", "wonderland");
    alice.send(&text).await;
    assert_eq!(answer(&mut alice).await.status.code(), 200);
    assert_eq!(counts(&notified(&mut alice).await), "2/0");
}

#[tokio::test]
async fn mwi_subscribe_replaces_unsolicited_where_the_phone_has_subscribed() {
    for (line, replaced) in [
        ("mwi_subscribe_replaces_unsolicited=yes", true),
        ("mwi_subscribe_replaces_unsolicited=no", false),
    ] {
        let pjsip = with("alice", &format!("mailboxes=100@default\n{line}"));
        let aor = "[alice]\ntype=aor\n";
        let pjsip = pjsip.replacen(aor, &format!("{aor}mailboxes=100@default\n"), 1);
        let (exchange, _folder) = with_database(&pjsip).await;
        let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
        assert_eq!(state(&notified(&mut alice).await), "terminated");
        let more = "Event: message-summary\r\nExpires: 900\r\n";
        let (_, first) = subscribed(&mut alice, "alice", more).await;
        assert_eq!(state(&first), "active");
        let mut states = Vec::new();
        for new in 1..=2 {
            waits(&exchange, "100@default", new, 0);
            // The subscription hears of it, and the contact besides.
            for _ in 0..if replaced { 1 } else { 2 } {
                let notify = told(&mut alice, &format!("{new}/0")).await;
                states.push(state(&notify).to_owned());
            }
        }
        states.sort();
        let expected: &[&str] = match replaced {
            true => &["active", "active"],
            false => &["active", "active", "terminated", "terminated"],
        };
        assert_eq!(states, expected, "{line}");
    }
}

#[tokio::test]
async fn a_contact_that_stands_in_a_file_is_told_from_the_start() {
    let desk = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = desk.local_addr().unwrap().port();
    let pjsip = format!(
        "{PJSIP}[desk](phone)\naors=desk\nmailboxes=100@default\n[desk]\ntype=aor\n\
         contact=sip:desk@127.0.0.1:{port}\n"
    );
    let (exchange, _folder) = with_database(&pjsip).await;
    let told = async |expected: &str| {
        loop {
            let mut buffer = vec![0; 65_535];
            let (length, from) = desk.recv_from(&mut buffer).await.unwrap();
            buffer.truncate(length);
            let Message::Request(notify) = Message::parse(&buffer.into()).unwrap() else {
                panic!("an answer to nothing");
            };
            assert_eq!(notify.method, Method::Notify);
            let ok = reply(&notify, 200, EMPTY);
            desk.send_to(ok.as_bytes(), from).await.unwrap();
            // What comes first may be one repeated.
            if counts(&notify) == expected {
                break;
            }
        }
    };
    told("0/0").await;
    waits(&exchange, "100@default", 4, 0);
    told("4/0").await;
    // The dial plan empties the mailbox.
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let text = crate::support::invite("alice", "2", "alice1", crate::support::OFFER);
    let challenged = alice.ask(&text).await;
    alice.send(&crate::support::ack(&text, &challenged)).await;
    let again = signed(&text, &challenged, "alice", "wonderland");
    assert_eq!(alice.ask(&again).await.status.code(), 486);
    told("0/0").await;
}
