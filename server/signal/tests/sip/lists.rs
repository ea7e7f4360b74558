//! Lists of resources (`type=resource_list`, RFC 4662): many lamps by one subscription.

use signal::Keepalive;
use sip::{HeaderName, Request};

use crate::lamps::reload;
use crate::outbound::{EMPTY, registered};
use crate::presence::{HINTS, bob, body, notified, subscribe, subscribed};
use crate::support::{DeskPhone, Exchange, PJSIP, reply, signed};

const LISTS: &str = "
[team]
type=resource_list
event=presence
list_item=bob,sales
list_item=nobody
resource_display_name=yes

[sales]
type=resource_list
event=presence
list_item=both
list_item=team

[mail]
type=resource_list
event=message-summary
list_item=alice
";

const LIST: &str = "Supported: eventlist\r\nEvent: presence\r\nAccept: application/pidf+xml, \
                    application/rlmi+xml, multipart/related\r\n";

async fn exchange(options: &str) -> Exchange {
    let lists = LISTS.replacen(
        "event=presence\n",
        &format!("event=presence\n{options}\n"),
        1,
    );
    crate::presence::exchange(&format!("{PJSIP}{lists}")).await
}

/// The document that names the resources, and the others: their type and text.
fn parts(notify: &Request) -> (String, Vec<(String, String)>) {
    let content_type = notify.headers.get(&HeaderName::ContentType).unwrap();
    assert!(content_type.starts_with("multipart/related;type=\"application/rlmi+xml\""));
    assert_eq!(notify.headers.get(&HeaderName::Require), Some("eventlist"));
    let (_, rest) = content_type.split_once("boundary=\"").unwrap();
    let boundary = format!("--{}", rest.split_once('"').unwrap().0);
    let text = body(notify);
    assert!(text.ends_with(&format!("\r\n{boundary}--\r\n")), "{text}");
    let delimiter = format!("{boundary}\r\n");
    let all = text.split(&delimiter).skip(1);
    let all = all.map(|part| part.split_once("\r\n\r\n").unwrap());
    let mut all: Vec<_> = all
        .map(|(head, text)| {
            let (_, rest) = head.split_once("Content-Type: ").unwrap();
            let (_, cid) = head.split_once("Content-ID: <").unwrap();
            let cid = cid.split_once('>').unwrap().0;
            (rest.to_owned(), cid.to_owned(), text.to_owned())
        })
        .collect();
    let (media_type, start, rlmi) = all.remove(0);
    assert_eq!(media_type, "application/rlmi+xml");
    assert!(content_type.contains(&format!("start=\"<{start}>\"")));
    for (_, cid, _) in &all {
        assert!(rlmi.contains(&format!("cid=\"{cid}\"")), "{rlmi}");
    }
    let all = all
        .into_iter()
        .map(|(media_type, _, text)| (media_type, text));
    (rlmi, all.collect())
}

#[tokio::test]
async fn one_subscription_tells_of_all_and_then_of_what_changed() {
    let exchange = exchange("").await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let (ok, first) = subscribed(&mut alice, "team", LIST).await;
    assert_eq!(ok.headers.get(&HeaderName::Require), Some("eventlist"));
    let (rlmi, states) = parts(&first);
    assert!(rlmi.contains("uri=\"sip:team@127.0.0.1\" version=\"0\" fullState=\"true\""));
    assert!(rlmi.contains("<resource uri=\"sip:bob@127.0.0.1\">"));
    assert!(rlmi.contains("<resource uri=\"sip:both@127.0.0.1\">"));
    assert_eq!(states.len(), 2, "{states:?}");
    assert!(
        states
            .iter()
            .all(|(kind, _)| kind == "application/pidf+xml")
    );
    assert!(states[0].1.contains("<basic>closed</basic>"));
    assert!(
        states[1].1.contains("<basic>open</basic>"),
        "Alice is there"
    );
    let _bob = bob(&exchange).await;
    let (rlmi, states) = parts(&notified(&mut alice).await);
    assert!(rlmi.contains("version=\"1\" fullState=\"false\""), "{rlmi}");
    assert_eq!(states.len(), 1, "{states:?}");
    assert!(states[0].1.contains("<basic>open</basic>") && rlmi.contains("sip:bob@"));
}

/// RFC 4662 §5.2: versions are those of the NOTIFYs that went out; one that was replaced while it waited has none.
#[tokio::test]
async fn no_version_is_left_out_where_a_notify_took_the_place_of_another() {
    let exchange = exchange("").await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let text = subscribe("team", LIST);
    let ok = alice.ask_as("alice", "wonderland", &text).await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    let first = alice.request().await;
    assert!(parts(&first).0.contains("version=\"0\""));
    // That of Bob alone is answered, and tells when the list has been told of too.
    subscribed(&mut alice, "bob", "Event: presence\r\n").await;
    for time in 1..=2 {
        let bob = bob(&exchange).await;
        let there = notified(&mut alice).await;
        assert!(body(&there).contains("<basic>open</basic>"), "{time}");
        drop(bob);
        let gone = notified(&mut alice).await;
        assert!(body(&gone).contains("<basic>closed</basic>"), "{time}");
    }
    alice.send(&reply(&first, 200, EMPTY)).await;
    let (rlmi, _) = parts(&notified(&mut alice).await);
    assert!(rlmi.contains("version=\"1\" fullState=\"false\""), "{rlmi}");
    let _bob = bob(&exchange).await;
    let (one, other) = (notified(&mut alice).await, notified(&mut alice).await);
    let list = [one, other]
        .into_iter()
        .find(|it| body(it).contains("<list"));
    let (rlmi, _) = parts(&list.unwrap());
    assert!(rlmi.contains("version=\"2\""), "{rlmi}");
}

#[tokio::test]
async fn full_state_tells_of_all_each_time() {
    let exchange = exchange("full_state=yes\nnotification_batch_interval=300").await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    subscribed(&mut alice, "team", LIST).await;
    let bob = bob(&exchange).await;
    let (rlmi, states) = parts(&notified(&mut alice).await);
    assert!(rlmi.contains("version=\"1\" fullState=\"true\""), "{rlmi}");
    assert_eq!(states.len(), 2, "{states:?}");
    drop(bob);
    assert_eq!(parts(&notified(&mut alice).await).1.len(), 2);
}

#[tokio::test]
async fn who_cannot_read_a_list_is_told_what_it_takes() {
    let exchange = exchange("").await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let text = subscribe("team", "Event: presence\r\n");
    let refused = alice.ask_as("alice", "wonderland", &text).await;
    assert_eq!(refused.status.code(), 421);
    assert_eq!(refused.headers.get(&HeaderName::Require), Some("eventlist"));
    // It is a list of another event, or holds nothing that is known.
    for (resource, event) in [("team", "dialog"), ("mail", "message-summary")] {
        let text = subscribe(
            resource,
            &LIST.replace("presence", event).replace("pidf", event),
        );
        let text = text.replace("application/dialog+xml", "application/dialog-info+xml");
        let text = text.replace(
            "application/message-summary+xml",
            "application/simple-message-summary",
        );
        let refused = alice.ask_as("alice", "wonderland", &text).await;
        assert_eq!(refused.status.code(), 404, "{event}");
    }
}

#[tokio::test]
async fn a_list_that_is_another_after_a_reload_is_asked_for_anew() {
    let exchange = exchange("").await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    subscribed(&mut alice, "team", LIST).await;
    let mut config = (*exchange.switch.config()).clone();
    config.resource_lists.get_mut("team").unwrap().items.pop();
    exchange
        .switch
        .store()
        .set_config(std::sync::Arc::new(config));
    // A list without that item is told to end; who is meant asks at once again (RFC 6665 §4.1.3).
    let last = alice.request().await;
    let said = last.headers.get(&HeaderName::SubscriptionState).unwrap();
    assert_eq!(said, "terminated;reason=deactivated");
}

/// Whether its phone is there or not.
#[tokio::test]
async fn a_hint_that_is_removed_or_comes_back_is_told_in_the_list() {
    let exchange = exchange("").await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let (_, first) = subscribed(&mut alice, "team", LIST).await;
    assert!(parts(&first).1[0].1.contains("<basic>closed</basic>"));
    reload(
        &exchange,
        &HINTS.replacen("exten => bob,hint,PJSIP/bob\n", "", 1),
    );
    let (rlmi, states) = parts(&notified(&mut alice).await);
    assert!(rlmi.contains("uri=\"sip:bob@127.0.0.1\""), "{rlmi}");
    assert!(
        rlmi.contains("state=\"terminated\" reason=\"noresource\""),
        "{rlmi}"
    );
    assert!(states.is_empty(), "{states:?}");
    reload(&exchange, HINTS);
    let (rlmi, states) = parts(&notified(&mut alice).await);
    assert!(
        rlmi.contains("state=\"active\"") && states.len() == 1,
        "{rlmi}"
    );
}

const BIG: &str = "Supported: eventlist\r\nEvent: dialog\r\nAccept: application/dialog-info+xml, \
                   application/rlmi+xml, multipart/related\r\n";

/// With a list of so many lamps, `big`.
async fn with_lamps(count: usize) -> Exchange {
    let numbers = || (0..count).map(|number| format!("1{number:03}"));
    let hints = numbers().map(|number| format!("exten => {number},hint,PJSIP/bob\n"));
    let plan = format!("[phones]\n{}", hints.collect::<String>());
    let items = numbers().map(|number| format!("list_item={number}\n"));
    let items = items.collect::<String>();
    let pjsip = format!("{PJSIP}[big]\ntype=resource_list\nevent=dialog\n{items}");
    let files = [("pjsip.conf", pjsip.as_str()), ("extensions.conf", &plan)];
    Exchange::with_files(&files, Keepalive::default()).await
}

/// What one who subscribes to many lists can make them cost is bounded in sum: each of these is looked at whenever
/// any call changes.
#[tokio::test]
async fn what_one_endpoint_watches_is_bounded_over_all_its_lists() {
    let exchange = with_lamps(200).await;
    let mut alice = registered(&exchange, "alice", "wonderland", "1").await;
    let mut last = None;
    for _ in 0..10 {
        let text = subscribe("big", BIG);
        let ok = alice.ask_as("alice", "wonderland", &text).await;
        assert_eq!(ok.status.code(), 200, "{ok:?}");
        let notify = alice.request().await;
        assert_eq!(body(&notify).matches("<dialog-info ").count(), 200);
        last = Some(notify);
    }
    let text = subscribe("1000", "Event: dialog\r\n");
    let refused = alice.ask_as("alice", "wonderland", &text).await;
    assert_eq!(refused.status.code(), 503);
    assert!(refused.headers.has(&HeaderName::RetryAfter));
    let warning = refused.headers.get(&HeaderName::Warning).unwrap();
    assert!(
        warning.contains("No more than 2000 extensions"),
        "{warning}"
    );
    // Others are not kept out by it.
    let mut carol = exchange.phone().await;
    let text = subscribe("1000", "Event: dialog\r\n").replace("alice", "carol");
    let ok = carol.ask_as("carol", "lewis", &text).await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    // One that ends makes room.
    alice.send(&reply(&last.unwrap(), 481, EMPTY)).await;
    let text = subscribe("big", BIG);
    let ok = alice.ask_as("alice", "wonderland", &text).await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
}

#[tokio::test]
async fn a_list_too_long_for_a_datagram_is_refused_or_told_over_a_connection() {
    let exchange = with_lamps(200).await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let ask = async |text: String| {
        let challenged = phone.ask(&text).await;
        phone
            .ask(&signed(&text, &challenged, "alice", "wonderland"))
            .await
    };
    let refused = ask(subscribe("big", BIG)).await;
    assert_eq!(refused.status.code(), 513, "{refused:?}");
    let warning = refused.headers.get(&HeaderName::Warning).unwrap();
    assert!(warning.contains("TCP or TLS"), "{warning}");
    // The same client has registered over a connection, so that is taken.
    let mut connected = registered(&exchange, "alice", "wonderland", "1").await;
    let ok = ask(subscribe("big", BIG)).await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    let first = notified(&mut connected).await;
    assert_eq!(parts(&first).1.len(), 200);
    // It is lost: asked for anew, the list is refused with the reason.
    drop(connected);
    let last = phone.request().await;
    let said = last.headers.get(&HeaderName::SubscriptionState).unwrap();
    assert_eq!(said, "terminated;reason=deactivated");
    phone.send(reply(&last, 200, EMPTY).as_bytes()).await;
}

#[tokio::test]
async fn a_list_that_fits_goes_by_datagram_where_there_is_nothing_else() {
    let exchange = with_lamps(80).await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let text = subscribe("big", BIG);
    let challenged = phone.ask(&text).await;
    let ok = phone
        .ask(&signed(&text, &challenged, "alice", "wonderland"))
        .await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    let first = phone.request().await;
    assert_eq!(parts(&first).1.len(), 80);
    phone.send(reply(&first, 200, EMPTY).as_bytes()).await;
}
