//! Options of pjsip.conf, each written into a file and seen from outside: what a phone or a trunk notices.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use signal::{ContactStatus, Keepalive, Limits};
use sip::{HeaderName, Method, Response};
use tracing::field::{Field, Visit};
use tracing::span;

use crate::outbound::{EMPTY, originate, tagged};
use crate::support::{
    DeskPhone, Exchange, PJSIP, Phone, contact, register, reply, request, signed, transport,
    unique, until,
};
use crate::transport::{bound, connect};

async fn exchange(pjsip: &str) -> Exchange {
    Exchange::with(pjsip, Keepalive::default()).await
}

/// One phone whose auth and address say what is written.
fn erin(auth: &str, aor: &str) -> String {
    format!(
        "{PJSIP}
[erin](phone)
aors=erin
auth=erin
[erin]
type=auth
username=erin
{auth}
[erin]
type=aor
max_contacts=1
{aor}
"
    )
}

fn challenge(response: &Response) -> &str {
    assert_eq!(response.status.code(), 401, "{response:?}");
    response.headers.get(&HeaderName::WwwAuthenticate).unwrap()
}

#[tokio::test]
async fn a_hash_stands_in_for_the_password() {
    // Of erin:asterisk:pass.
    let md5 = "999b69716de0ce6cc887a34cb2b3ccdf";
    let sha256 = "3fc0507c4f83ca022980b31d2a73e03c6d052ad4584f331ecbb8d56a31fadc01";
    for (auth, algorithm) in [
        (format!("auth_type=md5\nmd5_cred={md5}"), "algorithm=MD5"),
        (
            format!("password_digest=SHA-256:{sha256}\nsupported_algorithms_uas=SHA-256"),
            "algorithm=SHA-256",
        ),
    ] {
        let exchange = exchange(&erin(&auth, "")).await;
        let mut phone = exchange.phone().await;
        let text = register("erin", &contact("erin", "1"));
        let challenged = phone.ask(&text).await;
        assert!(challenge(&challenged).contains(algorithm), "{challenged:?}");
        let wrong = signed(&text, &challenged, "erin", "other");
        assert_eq!(phone.ask(&wrong).await.status.code(), 401, "{auth}");
        let right = phone.register("erin", "pass", &contact("erin", "1")).await;
        assert_eq!(right.status.code(), 200, "{auth}");
    }
}

#[tokio::test]
async fn realm_and_algorithm_of_challenges_have_their_defaults_in_global() {
    let global = "[global]\ntype=global\ndefault_realm=pbx.example.org\n\
                  default_auth_algorithms_uas=SHA-512-256,MD5\n";
    let pjsip = erin("password=pass", "");
    let exchange = exchange(&format!("{pjsip}{global}")).await;
    let mut phone = exchange.phone().await;
    let text = register("erin", &contact("erin", "1"));
    let challenged = phone.ask(&text).await;
    let value = challenge(&challenged);
    assert!(value.contains("realm=\"pbx.example.org\""), "{value}");
    assert!(value.contains("algorithm=SHA-512-256"), "{value}");
    let ok = phone.ask(&signed(&text, &challenged, "erin", "pass")).await;
    assert_eq!(ok.status.code(), 200);
}

/// Whether an INVITE that is challenged with this algorithm comes again with credentials.
async fn answers(global: &str, auth: &str, algorithm: &str) -> bool {
    let phone = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = phone.local_addr().unwrap().port();
    drop(phone);
    let pjsip = format!(
        "{PJSIP}[global]\ntype=global\n{global}\n[trunk](phone)\naors=trunk\noutbound_auth=out\n\
         [out]\ntype=auth\nusername=us\npassword=secret\n{auth}\n\
         [trunk]\ntype=aor\ncontact=sip:127.0.0.1:{port}\n"
    );
    let exchange = exchange(&pjsip).await;
    let phone = DeskPhone::at(port, exchange.udp).await;
    let begun = originate(&exchange, "PJSIP/49@trunk").await.unwrap();
    let invite = phone.request().await;
    let challenge = format!(
        "WWW-Authenticate: Digest realm=\"t\", nonce=\"n\", algorithm={algorithm}\r\n{EMPTY}"
    );
    let challenged = tagged(&invite, 401, "t", &challenge);
    phone.send(challenged.as_bytes()).await;
    assert_eq!(phone.request().await.method, Method::Ack);
    let again = async {
        let again = phone.request().await;
        assert!(again.headers.get(&HeaderName::Authorization).is_some());
    };
    tokio::select! {
        () = again => true,
        ended = begun => {
            assert!(ended.unwrap().is_err());
            false
        }
    }
}

#[tokio::test]
async fn challenges_are_answered_with_the_algorithms_that_are_allowed() {
    let only = "default_auth_algorithms_uac=SHA-256";
    assert!(answers("", "", "MD5").await);
    assert!(!answers(only, "", "MD5").await);
    assert!(answers(only, "", "SHA-256").await);
    let own = "supported_algorithms_uac=MD5";
    assert!(
        answers(only, own, "MD5").await,
        "the auth's own list counts"
    );
    assert!(!answers("", own, "SHA-256").await);
}

#[tokio::test]
async fn registrations_last_as_long_as_the_address_allows() {
    let times = "minimum_expiration=100\ndefault_expiration=200\nmaximum_expiration=300";
    let exchange = exchange(&erin("password=pass", times)).await;
    let mut phone = exchange.phone().await;
    for (asked, granted) in [
        (";expires=5", "100"),
        ("", "200"),
        (";expires=250", "250"),
        (";expires=9999", "300"),
    ] {
        let own = format!("<sip:erin@x.invalid;transport=ws>{asked}");
        let ok = phone.register("erin", "pass", &own).await;
        assert_eq!(ok.status.code(), 200, "{ok:?}");
        let expires = ok.headers.get(&HeaderName::Expires);
        assert_eq!(expires, Some(granted), "asked for {asked:?}");
    }
}

/// Two contacts fit; the first of them does not answer. A third comes.
#[tokio::test]
async fn remove_unavailable_gives_the_place_of_who_does_not_answer() {
    for (written, expected) in [("yes", 200), ("no", 403)] {
        let aor = format!(
            "remove_unavailable={written}\nmax_contacts=2\nqualify_frequency=60\nqualify_timeout=0.2"
        );
        let exchange = exchange(&erin("password=pass", &aor)).await;
        let mut silent = exchange.phone().await;
        let own = contact("silent", "1");
        assert_eq!(registered(&mut silent, &own).await, 200);
        silent.request().await;
        let mut alive = exchange.phone().await;
        assert_eq!(registered(&mut alive, &contact("alive", "2")).await, 200);
        let asked = alive.request().await;
        alive.send(&reply(&asked, 200, EMPTY)).await;
        let status_of = |user: &str| {
            let contacts = exchange.signal.contacts();
            let mut of = contacts.iter().filter(|one| one.uri.contains(user));
            of.next().map(|one| one.status)
        };
        until("both are judged", || {
            status_of("silent") == Some(ContactStatus::Unavailable)
                && matches!(status_of("alive"), Some(ContactStatus::Available(_)))
        })
        .await;
        let mut third = exchange.phone().await;
        let code = registered(&mut third, &contact("third", "3")).await;
        assert_eq!(code, expected, "remove_unavailable={written}");
        assert_eq!(status_of("silent").is_none(), written == "yes");
        assert!(status_of("alive").is_some());
    }
}

async fn registered(phone: &mut Phone, own: &str) -> u16 {
    let answer = phone.register("erin", "pass", own).await;
    answer.status.code()
}

/// Eight contacts in a file, asked every hour, of which some moment of the first hour is the first.
#[tokio::test]
async fn max_initial_qualify_time_brings_the_first_question_forward() {
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let contacts: String = (0..8)
        .map(|number| format!("contact=sip:{number}@127.0.0.1:{port}\n"))
        .collect();
    let with = |global: &str| {
        format!(
            "{PJSIP}[global]\ntype=global\n{global}\n[desk](phone)\naors=desk\n[desk]\ntype=aor\n\
             qualify_frequency=3600\nqualify_timeout=0.1\n{contacts}"
        )
    };
    let soon = exchange(&with("max_initial_qualify_time=1")).await;
    let late = exchange(&with("")).await;
    let asked = |exchange: &Exchange| {
        let contacts = exchange.signal.contacts();
        let judged = contacts
            .iter()
            .filter(|one| one.status == ContactStatus::Unavailable);
        judged.count()
    };
    until("all are asked", || asked(&soon) == 8).await;
    assert!(asked(&late) < 8, "an hour has room for all of them");
}

#[tokio::test]
async fn default_from_user_is_who_asks_and_calls_where_nobody_does() {
    let global = "[global]\ntype=global\ndefault_from_user=switchboard\nmax_forwards=12\n";
    let pjsip = erin("password=pass", "qualify_frequency=60");
    let exchange = exchange(&format!("{pjsip}{global}")).await;
    let mut phone = exchange.phone().await;
    assert_eq!(registered(&mut phone, &contact("erin", "1")).await, 200);
    let options = phone.request().await;
    phone.send(&reply(&options, 200, EMPTY)).await;
    let _begun = originate(&exchange, "PJSIP/erin").await.unwrap();
    let invite = phone.request().await;
    assert_eq!(
        (options.method.as_str(), invite.method.as_str()),
        ("OPTIONS", "INVITE")
    );
    for request in [options, invite] {
        let from = request.headers.from().unwrap();
        assert_eq!(from.uri.user().as_deref(), Some("switchboard"));
        assert_eq!(request.headers.max_forwards(), Ok(Some(12)), "{request:?}");
    }
}

#[tokio::test]
async fn disable_multi_domain_leaves_endpoints_with_a_domain_alone() {
    let domain = "[alice@example.com]\ntype=endpoint\ncontext=phones\nallow=opus\n";
    for (written, expected) in [("no", 200), ("yes", 401)] {
        let global = format!("[global]\ntype=global\ndisable_multi_domain={written}\n");
        let exchange = exchange(&format!("{PJSIP}{domain}{global}")).await;
        let phone = DeskPhone::connect(exchange.udp).await;
        let text = request("OPTIONS", "sip:100@127.0.0.1", "alice", "");
        let text = text.replace("sip:alice@127.0.0.1", "sip:alice@example.com");
        let answer = phone.ask(&text).await;
        assert_eq!(answer.status.code(), expected, "{written}");
    }
}

/// The options of an endpoint that its calls carry: each is made the cause with which the call is refused.
#[tokio::test]
async fn calls_carry_what_their_endpoint_says() {
    let extensions = "[phones]\nexten => 1,1,Hangup(${WHY})\n\
                      exten => 2,1,Hangup(${CDR(accountcode)})\n\
                      exten => 3,1,Hangup(${CHANNEL(language)})\n[more]\nexten => 4999,1,NoOp()\n";
    let pjsip = format!(
        "{PJSIP}[desk]\ntype=endpoint\ncontext=phones\nallow=opus\nset_var=WHY=17\naccountcode=17\n\
         language=17\noverlap_context=more\n[plain]\ntype=endpoint\ncontext=phones\nallow=opus\n"
    );
    let files = [("pjsip.conf", &*pjsip), ("extensions.conf", extensions)];
    let exchange = Exchange::with_files(&files, Keepalive::default()).await;
    let phone = DeskPhone::connect(exchange.udp).await;
    for (exten, desk, plain) in [
        ("1", 486, 603),
        ("2", 486, 603),
        ("3", 486, 603),
        ("49", 484, 404),
    ] {
        for (from, expected) in [("desk", desk), ("plain", plain)] {
            let invite = crate::support::invite(from, exten, "x", crate::support::OFFER);
            let answer = phone.ask(&invite).await;
            assert_eq!(answer.status.code(), expected, "{from} {exten}");
        }
    }
}

#[tokio::test]
async fn contact_acl_says_where_contacts_may_lead() {
    let acl = ("acl.conf", "[near]\ndeny=0.0.0.0/0\npermit=192.0.2.0/24\n");
    let endpoint =
        |more: &str| format!("{PJSIP}[desk]\ntype=endpoint\ncontext=phones\nallow=opus\n{more}\n");
    for (pjsip, host, expected) in [
        (endpoint("contact_acl=near"), "192.0.2.9", 200),
        (endpoint("contact_acl=near"), "198.51.100.9", 403),
        (
            endpoint("[all]\ntype=acl\ncontact_acl=near"),
            "192.0.2.9",
            200,
        ),
        (
            endpoint("[all]\ntype=acl\ncontact_acl=near"),
            "198.51.100.9",
            403,
        ),
    ] {
        let files = [("pjsip.conf", &*pjsip), acl];
        let exchange = Exchange::with_files(&files, Keepalive::default()).await;
        let phone = DeskPhone::connect(exchange.udp).await;
        let header = format!("Contact: <sip:desk@{host}>\r\n");
        let text = request("OPTIONS", "sip:100@127.0.0.1", "desk", &header);
        let answer = phone.ask(&text).await;
        assert_eq!(answer.status.code(), expected, "{pjsip} {host}");
    }
}

/// The log of a test, in its own thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn with(&self, words: &str) -> usize {
        let lines = self.0.lock().unwrap();
        lines.iter().filter(|line| line.contains(words)).count()
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!("{field}={value:?} ");
    }
}

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::INFO
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Lines in the log after each of so many requests of nobody, with a pause before the last.
async fn lines_after(global: &str, requests: u32, pause: Duration) -> usize {
    let log = Lines::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let pjsip = format!("{PJSIP}[global]\ntype=global\n{global}\n");
    let exchange = exchange(&pjsip).await;
    let phone = DeskPhone::connect(exchange.udp).await;
    for number in 1..=requests {
        if number == requests {
            tokio::time::sleep(pause).await;
        }
        let user = format!("nobody{}", unique());
        let text = request("OPTIONS", "sip:100@127.0.0.1", &user, "");
        assert_eq!(phone.ask(&text).await.status.code(), 401);
    }
    log.with("no matching endpoint")
}

#[tokio::test]
async fn requests_of_nobody_are_told_of_as_global_says() {
    let at_once = Duration::ZERO;
    let later = Duration::from_millis(1_200);
    for (options, requests, pause, lines) in [
        ("unidentified_request_count=3", 2, at_once, 0),
        ("unidentified_request_count=3", 3, at_once, 1),
        ("unidentified_request_count=3", 9, at_once, 1),
        ("", 4, at_once, 0),
        ("", 5, at_once, 1),
        // Too slow to be a flood, and forgotten in between.
        (
            "unidentified_request_count=3\nunidentified_request_period=1",
            3,
            later,
            0,
        ),
        (
            "unidentified_request_count=3\nunidentified_request_prune_interval=1",
            3,
            later,
            0,
        ),
        ("unidentified_request_count=3", 3, later, 1),
    ] {
        let told = lines_after(options, requests, pause).await;
        assert_eq!(
            told, lines,
            "{requests} requests with {options:?} {pause:?}"
        );
    }
}

/// Anybody can write the sender of a datagram: fail2ban is not told of one who has answered no challenge.
#[tokio::test]
async fn only_connections_are_banned_without_credentials() {
    let kept_out = format!("{PJSIP}[all]\ntype=acl\ndeny=127.0.0.0/8\n");
    for (pjsip, status, for_fail2ban, for_people) in [
        (
            PJSIP,
            401,
            "- No matching endpoint found after 5 tries in 5000.000 ms",
            "no matching endpoint for 5 requests",
        ),
        (
            &*kept_out,
            403,
            "- Not match Endpoint ACL",
            "acl all keeps out the address it came from",
        ),
    ] {
        for protocol in ["udp", "tcp"] {
            let log = Lines::default();
            let _guard = tracing::subscriber::set_default(log.clone());
            let own = vec![transport(protocol, "127.0.0.1", &[])];
            let files = [("pjsip.conf", pjsip)];
            let limits = Limits::default();
            let exchange = Exchange::listening(&files, Keepalive::default(), own, limits).await;
            let address = bound(&exchange, 0);
            let (desk, mut stream) = match protocol {
                "udp" => (Some(DeskPhone::connect(address).await), None),
                _ => (None, Some(connect(address).await)),
            };
            for _ in 0..5 {
                let text = request("OPTIONS", "sip:100@127.0.0.1", "mallory", "");
                let answer = match (&desk, &mut stream) {
                    (Some(desk), _) => desk.ask(&text).await,
                    (None, Some(stream)) => stream.ask(&text).await,
                    (None, None) => panic!("no phone"),
                };
                assert_eq!(answer.status.code(), status, "{protocol}");
            }
            assert_eq!(log.with(for_people), 1, "{protocol}: {for_people}");
            let told = log.with(for_fail2ban);
            assert_eq!(told, usize::from(protocol == "tcp"), "{for_fail2ban}");
        }
    }
}
