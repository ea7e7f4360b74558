//! Mailboxes (RFC 3842): told of to who subscribes, and unasked to phones of accounts that have one.

use sip::{HeaderName, Message, Method, Request, Response};

use super::{bob, body, exchange, notified, state, subscribed, with, with_database};
use crate::outbound::{EMPTY, registered};
use crate::support::{Exchange, PJSIP, Phone, contact, register, reply, request, signed};

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

/// The next message, which is an answer.
async fn answer(phone: &mut Phone) -> Response {
    match phone.receive().await {
        Message::Response(response) => response,
        Message::Request(request) => panic!("{request:?}"),
    }
}
