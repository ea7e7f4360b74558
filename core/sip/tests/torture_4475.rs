//! Every message of RFC 4475, with what the RFC says of it and what we do.
//!
//! The verdicts come from the functions the Agent calls: [`Message::parse`], [`ParseError::reply`],
//! [`Request::validate`], [`Request::acceptable`] and [`Response::validate`].

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/vectors.rs"]
mod vectors;

use bytes::Bytes;
use sip::{Capabilities, HeaderName, Message, Method, ParseFault, Rejected};
use vectors::{Expected, verdict};

use Expected::{Accepted, Dropped, Refused};

/// File, section of RFC 4475, verdict.
const TABLE: &[(&str, &str, Expected)] = &[
    // Valid messages: the parser accepts all of them.
    ("wsinv", "3.1.1.1", Accepted),
    // A method nobody knows: valid, and 501 because it is unknown here.
    ("intmeth", "3.1.1.2", Refused(501)),
    ("esc01", "3.1.1.3", Accepted),
    ("escnull", "3.1.1.4", Accepted),
    // `RE%47IST%45R` is not REGISTER: escapes mean nothing in a method.
    ("esc02", "3.1.1.5", Refused(501)),
    ("lwsdisp", "3.1.1.6", Accepted),
    ("longreq", "3.1.1.7", Accepted),
    // What follows the first message in the datagram is discarded.
    ("dblreq", "3.1.1.8", Accepted),
    ("semiuri", "3.1.1.9", Accepted),
    ("transports", "3.1.1.10", Accepted),
    ("mpart01", "3.1.1.11", Accepted),
    ("unreason", "3.1.1.12", Accepted),
    ("noreason", "3.1.1.13", Accepted),
    // Invalid messages.
    ("badinv01", "3.1.2.1", Refused(400)),
    ("clerr", "3.1.2.2", Refused(400)),
    ("ncl", "3.1.2.3", Refused(400)),
    ("scalar02", "3.1.2.4", Refused(400)),
    ("scalarlg", "3.1.2.5", Dropped),
    ("quotbal", "3.1.2.6", Refused(400)),
    ("ltgtruri", "3.1.2.7", Refused(400)),
    ("lwsruri", "3.1.2.8", Refused(400)),
    ("lwsstart", "3.1.2.9", Refused(400)),
    ("trws", "3.1.2.10", Refused(400)),
    ("escruri", "3.1.2.11", Refused(400)),
    ("baddate", "3.1.2.12", Refused(400)),
    ("regbadct", "3.1.2.13", Refused(400)),
    ("badaspec", "3.1.2.14", Refused(400)),
    ("baddn", "3.1.2.15", Refused(400)),
    ("badvers", "3.1.2.16", Refused(505)),
    ("mismatch01", "3.1.2.17", Refused(400)),
    // 400 or 501: which of the two faults is found first is left open.
    ("mismatch02", "3.1.2.18", Refused(400)),
    ("bigcode", "3.1.2.19", Dropped),
    // Transaction layer: a branch of nothing but the cookie counts as none.
    ("badbranch", "3.2.1", Accepted),
    // Application layer.
    ("insuf", "3.3.1", Refused(400)),
    ("unkscm", "3.3.2", Refused(416)),
    ("novelsc", "3.3.3", Refused(416)),
    // Valid for a proxy; a registrar refuses a To that is no SIP URI.
    ("unksm2", "3.3.4", Refused(400)),
    ("bext01", "3.3.5", Refused(420)),
    ("invut", "3.3.6", Refused(415)),
    // Valid; the registrar challenges, because it does not know the scheme.
    ("regaut01", "3.3.7", Accepted),
    ("multi01", "3.3.8", Refused(400)),
    ("mcl01", "3.3.9", Refused(400)),
    // Two Vias in a response: we are no proxy, so it is not ours.
    ("bcast", "3.3.10", Dropped),
    // An endpoint processes it; an element that forwards answers 483, see below.
    ("zeromf", "3.3.11", Accepted),
    ("cparam01", "3.3.12", Accepted),
    ("cparam02", "3.3.13", Accepted),
    ("regescrt", "3.3.14", Accepted),
    ("sdp01", "3.3.15", Refused(406)),
    // Backward compatibility.
    ("inv2543", "3.4.1", Accepted),
    // In the archive, in no section: neither a request line nor a Via to answer to.
    ("test", "", Dropped),
];

fn file(name: &str) -> Bytes {
    vectors::read(&format!("rfc4475/{name}.dat"))
}

#[test]
fn every_message_gets_its_verdict() {
    let wrong: Vec<_> = TABLE
        .iter()
        .map(|&(name, section, expected)| (name, section, expected, verdict(&file(name))))
        .filter(|(_, _, expected, found)| expected != found)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_table_names_every_file_once() {
    let mut listed: Vec<_> = TABLE
        .iter()
        .map(|(name, ..)| format!("{name}.dat"))
        .collect();
    listed.sort();
    assert_eq!(listed, vectors::names("rfc4475"));
}

#[test]
fn valid_messages_keep_their_meaning_when_printed() {
    for &(name, _, expected) in TABLE {
        let Ok(message) = Message::parse(&file(name)) else {
            assert_ne!(expected, Accepted, "{name}");
            continue;
        };
        let again = Message::parse(&message.to_bytes()).expect(name);
        assert!(
            vectors::same_meaning(&message, &again),
            "{name}: {message:?} {again:?}"
        );
    }
}

fn request(name: &str) -> sip::Request {
    match Message::parse(&file(name)) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn tortuous_invite_reads_as_the_rfc_says() {
    let invite = request("wsinv");
    let headers = &invite.headers;
    assert_eq!(headers.to().unwrap().tag(), Some("1918181833n"));
    let from = headers.from().unwrap();
    assert_eq!(from.display_name.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!(from.tag(), Some("98asjd8"));
    assert_eq!(headers.max_forwards().unwrap(), Some(68));
    assert_eq!(headers.cseq().unwrap().number, 9);
    assert_eq!(headers.get(&HeaderName::Subject), Some(""));
    let unknown = HeaderName::from("newfangledheader");
    assert_eq!(
        headers.get(&unknown),
        Some("newfangled value continued newfangled value")
    );
    let vias = headers.vias().unwrap();
    let hops: Vec<_> = vias
        .iter()
        .map(|via| (&*via.transport, via.sent_by()))
        .collect();
    let expected = [
        ("UDP", "192.0.2.2"),
        ("TCP", "spindle.example.com"),
        ("UDP", "192.168.255.111"),
    ];
    assert_eq!(hops, expected);
    assert_eq!(vias[1].branch(), Some("z9hG4bK9ikj8"));
    assert_eq!(vias[0].unique_branch(), None);
    let sip::Contacts::List(contacts) = headers.contacts().unwrap() else {
        panic!("a list")
    };
    assert_eq!(
        contacts[0].address.display_name.as_deref(),
        Some("Quoted string \"\"")
    );
    assert_eq!(contacts[0].q(), Some(330));
    assert_eq!(contacts[0].address.params.get("newparam"), Some("newvalue"));
    assert_eq!(headers.routes().unwrap()[0].uri.param("lr"), Some(""));
}

#[test]
fn unusual_characters_survive() {
    let odd = request("intmeth");
    assert_eq!(
        odd.method,
        Method::from("!interesting-Method0123456789_*+`.%indeed'~")
    );
    let to = odd.headers.to().unwrap();
    assert_eq!(
        to.display_name.as_deref(),
        Some("BEL:\u{7} NUL:\0 DEL:\u{7f}")
    );
    assert_eq!(
        odd.headers
            .from()
            .unwrap()
            .params
            .get("fromParam''~+*_!.-%"),
        Some("работающий")
    );
    let copied = odd.response(sip::Status::OK).to_bytes();
    let Ok(Message::Response(response)) = Message::parse(&copied) else {
        panic!("a response")
    };
    assert_eq!(response.headers.to().unwrap(), to);
}

#[test]
fn escapes_are_undone_where_the_rfc_says() {
    let invite = request("esc01");
    assert_eq!(invite.uri.user().as_deref(), Some("sips:user@example.com"));
    assert_eq!(
        invite.headers.to().unwrap().uri.user().as_deref(),
        Some("user")
    );
    let sip::Contacts::List(contacts) = invite.headers.contacts().unwrap() else {
        panic!("a list")
    };
    let uri = &contacts[0].address.uri;
    assert_eq!(uri.user().as_deref(), Some("caller"));
    assert_eq!(uri.param("lr"), Some(""));
    assert_eq!(uri.param("name"), Some("v%61lue%25%34%31"));
    // A NUL never ends a name early.
    assert_eq!(
        request("escnull")
            .headers
            .to()
            .unwrap()
            .uri
            .user()
            .as_deref(),
        Some("null-%00-null")
    );
    // `%Z%45` in a display name is no escape, and C%6Fntact is no Contact.
    let odd = request("esc02");
    assert_eq!(
        odd.headers.to().unwrap().display_name.as_deref(),
        Some("%Z%45")
    );
    assert_eq!(odd.headers.get_all(&HeaderName::Contact).count(), 2);
}

#[test]
fn contact_parameters_belong_where_the_brackets_put_them() {
    let contact = |name: &str| match request(name).headers.contacts().unwrap() {
        sip::Contacts::List(mut list) => list.remove(0),
        sip::Contacts::Star => panic!("a list"),
    };
    let bare = contact("cparam01");
    assert!(bare.address.params.has("unknownparam"));
    assert_eq!(bare.address.uri.param("unknownparam"), None);
    let bracketed = contact("cparam02");
    assert!(!bracketed.address.params.has("unknownparam"));
    assert_eq!(bracketed.address.uri.param("unknownparam"), Some(""));
    let escaped = contact("regescrt");
    assert_eq!(
        escaped.address.uri.header("Route").as_deref(),
        Some("<sip:sip.example.com>")
    );
}

#[test]
fn only_the_first_of_two_requests_in_a_datagram_counts() {
    let register = request("dblreq");
    assert_eq!(register.method, Method::Register);
    assert!(register.body.is_empty());
}

#[test]
fn a_bare_cookie_is_no_unique_branch() {
    let via = request("badbranch").headers.top_via().unwrap();
    assert_eq!(via.branch(), Some("z9hG4bK"));
    assert_eq!(via.unique_branch(), None);
}

#[test]
fn zero_max_forwards_stops_only_what_would_be_forwarded() {
    let options = request("zeromf");
    let forwarder = Capabilities {
        forwards: true,
        ..vectors::capabilities()
    };
    assert_eq!(options.acceptable(&forwarder), Err(Rejected::TooManyHops));
    assert_eq!(Rejected::TooManyHops.status().code(), 483);
}

#[test]
fn refusals_carry_what_their_status_demands() {
    let answer = |name: &str| {
        let request = request(name);
        let capabilities = vectors::capabilities();
        let rejected = request.acceptable(&capabilities).unwrap_err();
        rejected.response(&request, &capabilities)
    };
    let extension = answer("bext01");
    // RFC 4475 §3.3.5: the answer lists what Require named, and not Proxy-Require.
    let unsupported = extension.headers.get(&HeaderName::Unsupported);
    assert_eq!(
        unsupported,
        Some("nothingSupportsThis, nothingSupportsThisEither")
    );
    let media_type = answer("invut");
    assert!(
        media_type
            .headers
            .get(&HeaderName::Accept)
            .unwrap()
            .contains("application/sdp")
    );
    let method = answer("intmeth");
    assert!(
        method
            .headers
            .get(&HeaderName::Allow)
            .unwrap()
            .contains("INVITE")
    );
}

#[test]
fn parse_errors_say_what_and_where() {
    let error = Message::parse(&file("mcl01")).unwrap_err();
    assert_eq!(error.fault(), ParseFault::ConflictingContentLength);
    assert_eq!(
        error.reply().unwrap().reason.as_ref(),
        "Conflicting Content-Length"
    );
    let error = Message::parse(&file("lwsstart")).unwrap_err();
    assert_eq!(error.to_string(), "Malformed request line in line 1");
    let reply = error.reply().unwrap();
    assert_eq!(
        reply.headers.call_id(),
        Ok("lwsstart.dfknq234oi243099adsdfnawe3@example.com")
    );
}
