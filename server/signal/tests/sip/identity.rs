//! Who a request speaks for, and who is kept out.

use crate::support::{DeskPhone, EXTENSIONS, Exchange, OFFER, signed, unique, until};
use signal::Keepalive;

/// What is in the files besides the usual phones.
async fn exchange(more: &[(&str, &str)]) -> Exchange {
    Exchange::with_files(more, Keepalive::default()).await
}

const TRUNK: &str = "
[trunk]
type=endpoint
context=phones
allow=opus
callerid=Trunk <4930>
trust_id_inbound=yes
[somebody]
type=endpoint
context=phones
allow=opus
[locked]
type=endpoint
context=phones
allow=opus
acl=office
[quiet]
type=endpoint
context=phones
allow=opus
allow_subscribe=no
allow_overlap=no
[alice@example.com]
type=endpoint
context=phones
allow=opus
[pbx.example.com]
type=domain_alias
domain=example.com
[signed]
type=endpoint
context=phones
allow=opus
auth=signed
allow_unauthenticated_options=yes
[signed]
type=auth
username=signed
password=x
";

fn request(method: &str, from: &str, to: &str, more: &str) -> String {
    let id = unique();
    format!(
        "{method} sip:{to}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{id};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:{from}>;tag=a\r\nTo: <sip:{to}@127.0.0.1>\r\n\
         Call-ID: c{id}\r\nCSeq: 1 {method}\r\nContact: <sip:x@192.0.2.9>\r\n{more}\
         Content-Length: 0\r\n\r\n"
    )
}

#[track_caller]
fn status(response: &sip::Response) -> u16 {
    response.status.code()
}

async fn somebody_asks(exchange: &Exchange) -> u16 {
    let phone = DeskPhone::connect(exchange.udp).await;
    let text = request("OPTIONS", "somebody@x", "100", "");
    status(&phone.ask(&text).await)
}

#[tokio::test]
async fn an_address_a_header_or_a_uri_says_who_speaks() {
    let identify = "
[by-address]
type=identify
endpoint=trunk
match=127.0.0.0/8
";
    let pjsip = format!("{TRUNK}{identify}");
    let exchange = exchange(&[("pjsip.conf", &pjsip)]).await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let known = phone.ask(&request("OPTIONS", "nobody@x", "100", "")).await;
    assert_eq!(status(&known), 200, "the address is the trunk's");

    for identify in [
        "match_header=X-Trunk: acme",
        "match_header=X-Trunk: /^ac/",
        "match_request_uri=sip:100@127.0.0.1",
        "match=localhost",
    ] {
        let pjsip = format!("{TRUNK}[i]\ntype=identify\nendpoint=trunk\n{identify}\n");
        let exchange = self::exchange(&[("pjsip.conf", &pjsip)]).await;
        let phone = DeskPhone::connect(exchange.udp).await;
        let header = "X-Trunk: acme\r\n";
        let known = phone
            .ask(&request("OPTIONS", "nobody@x", "100", header))
            .await;
        assert_eq!(status(&known), 200, "{identify}");
    }
    let pjsip = format!(
        "{TRUNK}[i]\ntype=identify\nendpoint=trunk\nmatch=192.0.2.1\nmatch_header=X-Trunk: acme\n"
    );
    let exchange = self::exchange(&[("pjsip.conf", &pjsip)]).await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let unknown = phone
        .ask(&request("OPTIONS", "nobody@x", "100", "X-Trunk: other\r\n"))
        .await;
    assert_eq!(status(&unknown), 401);
}

/// A row counts as an object of a file does, and stops counting when it goes.
#[tokio::test]
async fn a_row_of_the_database_tells_who_speaks() {
    let name = format!("sidetone-identify-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let database = format!(
        "[database]\nurl = sqlite:{}\n",
        folder.join("a.db").display()
    );
    let exchange = exchange(&[("pjsip.conf", TRUNK), ("database.conf", &database)]).await;
    let store = exchange.switch.store();
    let phone = DeskPhone::connect(exchange.udp).await;
    let asked = async |header: &str| {
        let ask = request("OPTIONS", "nobody@x", "100", header);
        status(&phone.ask(&ask).await)
    };
    assert_eq!(asked("").await, 401);
    for (columns, header) in [
        ("\"match\") VALUES ('i', 'trunk', '127.0.0.0/8'", ""),
        (
            "match_header) VALUES ('i', 'trunk', 'X-Trunk: acme'",
            "X-Trunk: acme\r\n",
        ),
        (
            "match_request_uri) VALUES ('i', 'trunk', 'sip:100@127.0.0.1'",
            "",
        ),
    ] {
        // The store that runs a script forgets at once.
        let sql = format!("INSERT INTO ps_endpoint_id_ips (id, endpoint, {columns});");
        store.run_script(&sql).await.unwrap();
        assert_eq!(asked(header).await, 200, "{columns}");
        let sql = "DELETE FROM ps_endpoint_id_ips;";
        store.run_script(sql).await.unwrap();
        assert_eq!(asked(header).await, 401, "{columns}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn the_order_of_the_ways_is_that_of_the_file() {
    let files = |order: &str| {
        format!(
            "{TRUNK}[global]\ntype=global\nendpoint_identifier_order={order}\n\
             [i]\ntype=identify\nendpoint=locked\nmatch=127.0.0.1\n"
        )
    };
    let acl = ("acl.conf", "[office]\ndeny=0.0.0.0/0\n");
    for (order, expected) in [("username,ip", 200), ("ip,username", 403), ("header", 401)] {
        let pjsip = files(order);
        let exchange = exchange(&[("pjsip.conf", &pjsip), acl]).await;
        assert_eq!(somebody_asks(&exchange).await, expected, "{order}");
    }
}

#[tokio::test]
async fn everybody_else_is_anonymous_where_there_is_such_an_endpoint() {
    let pjsip = format!("{TRUNK}[anonymous]\ntype=endpoint\ncontext=phones\nallow=opus\n");
    let exchange = exchange(&[("pjsip.conf", &pjsip)]).await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let answer = phone.ask(&request("OPTIONS", "nobody@x", "100", "")).await;
    assert_eq!(status(&answer), 200);
}

#[tokio::test]
async fn endpoints_named_with_their_domain_are_found_by_it_and_its_aliases() {
    let exchange = exchange(&[("pjsip.conf", TRUNK)]).await;
    let phone = DeskPhone::connect(exchange.udp).await;
    for from in ["alice@example.com", "alice@PBX.example.com"] {
        let answer = phone.ask(&request("OPTIONS", from, "100", "")).await;
        assert_eq!(status(&answer), 200, "{from}");
    }
    let other = phone
        .ask(&request("OPTIONS", "alice@example.net", "100", ""))
        .await;
    assert_eq!(status(&other), 401);
}

#[tokio::test]
async fn identify_by_names_the_ways_an_endpoint_is_known() {
    let pjsip =
        format!("{TRUNK}[mute]\ntype=endpoint\ncontext=phones\nallow=opus\nidentify_by=ip\n");
    let exchange = exchange(&[("pjsip.conf", &pjsip)]).await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let answer = phone.ask(&request("OPTIONS", "mute@x", "100", "")).await;
    assert_eq!(status(&answer), 401, "From may not say that it is mute");
}

#[tokio::test]
async fn lists_of_addresses_keep_out() {
    let all = (
        "acl.conf",
        "[office]\ndeny=127.0.0.0/8\n[others]\npermit=127.0.0.1\n",
    );
    let exchange = exchange(&[("pjsip.conf", TRUNK), all]).await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let locked = phone.ask(&request("OPTIONS", "locked@x", "100", "")).await;
    assert_eq!(status(&locked), 403, "the list of the endpoint");
    let open = phone
        .ask(&request("OPTIONS", "somebody@x", "100", ""))
        .await;
    assert_eq!(status(&open), 200);

    for (lists, expected) in [
        ("deny=127.0.0.1", 403),
        ("acl=office", 403),
        ("acl=others", 200),
        ("acl=nowhere", 403),
        ("contact_deny=192.0.2.0/24", 403),
        ("contact_permit=192.0.2.0/24", 200),
        ("deny=0.0.0.0/0\npermit=127.0.0.1", 200),
    ] {
        let pjsip = format!("{TRUNK}[everybody]\ntype=acl\n{lists}\n");
        let exchange = self::exchange(&[("pjsip.conf", &pjsip), all]).await;
        assert_eq!(somebody_asks(&exchange).await, expected, "{lists}");
    }
}

#[tokio::test]
async fn contacts_of_an_endpoint_are_held_against_its_lists() {
    let pjsip = format!(
        "{TRUNK}[far]\ntype=endpoint\ncontext=phones\nallow=opus\ncontact_deny=0.0.0.0/0\ncontact_permit=198.51.100.0/24\n"
    );
    let exchange = exchange(&[("pjsip.conf", &pjsip)]).await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let answer = phone.ask(&request("OPTIONS", "far@x", "100", "")).await;
    assert_eq!(status(&answer), 403);
}

#[tokio::test]
async fn options_need_no_signature_where_the_endpoint_says_so() {
    let exchange = exchange(&[("pjsip.conf", TRUNK)]).await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let options = phone.ask(&request("OPTIONS", "signed@x", "100", "")).await;
    assert_eq!(status(&options), 200);
    let message = phone.ask(&request("MESSAGE", "signed@x", "100", "")).await;
    assert_eq!(status(&message), 401);
}

#[tokio::test]
async fn an_endpoint_that_may_not_subscribe_is_declined() {
    let exchange = exchange(&[("pjsip.conf", TRUNK)]).await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let event = "Event: presence\r\n";
    let quiet = phone
        .ask(&request("SUBSCRIBE", "quiet@x", "100", event))
        .await;
    assert_eq!(status(&quiet), 603);
    let other = phone
        .ask(&request("SUBSCRIBE", "somebody@x", "100", event))
        .await;
    assert_eq!(status(&other), 404, "it may, but there is no hint");
}

#[tokio::test]
async fn a_number_that_could_go_on_is_incomplete() {
    assert!(
        EXTENSIONS.contains("exten => 246"),
        "the test dials its beginning"
    );
    let exchange = exchange(&[("pjsip.conf", TRUNK)]).await;
    let phone = DeskPhone::connect(exchange.udp).await;
    for (from, to, expected) in [
        ("somebody@x", "24", 484),
        ("somebody@x", "99", 404),
        ("quiet@x", "24", 404),
    ] {
        let answer = phone.ask(&request("INVITE", from, to, "")).await;
        assert_eq!(status(&answer), expected, "{from} {to}");
    }
}

#[tokio::test]
async fn options_in_the_user_of_a_uri_may_be_left_out() {
    for (written, expected) in [("yes", 200), ("no", 404)] {
        let pjsip = format!("{TRUNK}[global]\ntype=global\nignore_uri_user_options={written}\n");
        let exchange = exchange(&[("pjsip.conf", &pjsip)]).await;
        let phone = DeskPhone::connect(exchange.udp).await;
        let answer = phone
            .ask(&request("OPTIONS", "somebody@x", "100;phone-context=x", ""))
            .await;
        assert_eq!(status(&answer), expected, "{written}");
    }
}

#[tokio::test]
async fn a_trusted_peer_says_who_calls() {
    let identify = "[i]\ntype=identify\nendpoint=trunk\nmatch=127.0.0.1\n";
    let pjsip = format!("{TRUNK}{identify}");
    let exchange = exchange(&[("pjsip.conf", &pjsip)]).await;
    let phone = DeskPhone::connect(exchange.udp).await;
    for (header, expected) in [
        (
            "P-Asserted-Identity: \"Bob\" <sip:1234@x>, <tel:1234>\r\n",
            "1234",
        ),
        ("Remote-Party-ID: <sip:5678@x>;party=calling\r\n", "5678"),
        ("", "4930"),
    ] {
        let invite = request("INVITE", "other@x", "100", header);
        let invite = invite.replace(
            "Content-Length: 0\r\n\r\n",
            &format!(
                "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{OFFER}",
                OFFER.len()
            ),
        );
        phone.send(invite.as_bytes()).await;
        until("the call is there", || {
            let live = exchange.switch.status().live;
            live.iter().any(|call| call.caller == expected)
        })
        .await;
    }
}

/// The clock of nonces is the wall's, in whole seconds.
#[tokio::test]
async fn a_challenge_is_stale_after_the_nonce_lifetime_of_its_auth() {
    for (lifetime, expected) in [("nonce_lifetime=1", 401), ("nonce_lifetime=60", 202)] {
        let pjsip = TRUNK.replace("username=signed", &format!("username=signed\n{lifetime}"));
        let exchange = exchange(&[("pjsip.conf", &pjsip)]).await;
        let phone = DeskPhone::connect(exchange.udp).await;
        let headers = "Content-Type: text/plain\r\nSupported: path\r\n";
        let text = request("MESSAGE", "signed@x", "100", headers);
        let challenged = phone.ask(&text).await;
        assert_eq!(status(&challenged), 401);
        tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
        let answer = phone.ask(&signed(&text, &challenged, "signed", "x")).await;
        assert_eq!(status(&answer), expected, "{lifetime}");
    }
}

/// The INVITE of `somebody` with these headers, and what the exchange answers at last.
async fn invite_with(options: &str, headers: &str) -> (u16, Option<String>, Option<String>) {
    let pjsip = TRUNK.replace(
        "[somebody]\ntype=endpoint\n",
        &format!("[somebody]\ntype=endpoint\n{options}\n"),
    );
    let exchange = exchange(&[("pjsip.conf", &pjsip)]).await;
    let phone = DeskPhone::connect(exchange.udp).await;
    let body = format!(
        "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{OFFER}",
        OFFER.len()
    );
    let invite = request("INVITE", "somebody@x", "100", headers);
    let answer = phone
        .ask(&invite.replace("Content-Length: 0\r\n\r\n", &body))
        .await;
    let header = |name| answer.headers.get(&name).map(str::to_owned);
    (
        status(&answer),
        header(sip::HeaderName::SessionExpires),
        header(sip::HeaderName::MinSe),
    )
}

#[tokio::test]
async fn calls_are_watched_over_as_the_endpoint_says() {
    let asks = "Supported: timer\r\nSession-Expires: 100\r\n";
    let (code, expires, _) = invite_with("timers=yes", asks).await;
    assert_eq!((code, expires.as_deref()), (200, Some("100;refresher=uac")));
    let (code, expires, _) = invite_with("timers=no", asks).await;
    assert_eq!((code, expires), (200, None));
    let (code, _, least) = invite_with("timers_min_se=200", asks).await;
    assert_eq!((code, least.as_deref()), (422, Some("200")));
    let (code, expires, _) = invite_with("timers=yes", "").await;
    assert_eq!((code, expires), (200, None));
    let (code, expires, _) = invite_with("timers=always\ntimers_sess_expires=600", "").await;
    assert_eq!((code, expires.as_deref()), (200, Some("600;refresher=uas")));
    assert_eq!(invite_with("timers=required", "").await.0, 421);
    assert_eq!(invite_with("timers=required", asks).await.0, 200);
}
