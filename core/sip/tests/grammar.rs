//! The grammar of RFC 3261 §25 and its limits: what any bytes may do, what real peers send, and
//! what nobody may smuggle.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use bytes::Bytes;
use proptest::prelude::*;
use sip::{
    Contact, Contacts, Fault, HeaderName, Headers, Message, Method, NameAddr, Params, ParseFault,
    Request, SessionExpires, Status, Uri, Via, limits,
};

mod grammar {
    mod uri;
}

const HEAD: &str = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/WS c.invalid;branch=z9hG4bK1\r\n\
                    From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n";

fn parse(text: impl Into<Vec<u8>>) -> Result<Message, sip::ParseError> {
    Message::parse(&Bytes::from(text.into()))
}

fn request(extra: &str) -> Request {
    match parse(format!("{HEAD}{extra}\r\n")) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn fault(extra: &str) -> ParseFault {
    parse(format!("{HEAD}{extra}")).unwrap_err().fault()
}

#[test]
fn compact_names_are_the_full_ones() {
    let pairs = [
        ("v", HeaderName::Via),
        ("F", HeaderName::From),
        ("t", HeaderName::To),
        ("i", HeaderName::CallId),
        ("m", HeaderName::Contact),
        ("l", HeaderName::ContentLength),
        ("c", HeaderName::ContentType),
        ("k", HeaderName::Supported),
        ("x", HeaderName::SessionExpires),
        ("r", HeaderName::ReferTo),
        ("b", HeaderName::ReferredBy),
        ("o", HeaderName::Event),
        ("u", HeaderName::AllowEvents),
        ("e", HeaderName::ContentEncoding),
        ("s", HeaderName::Subject),
        ("cSEQ", HeaderName::CSeq),
        ("www-authenticate", HeaderName::WwwAuthenticate),
    ];
    for (text, name) in pairs {
        assert_eq!(HeaderName::from(text), name, "{text}");
    }
    assert_eq!(HeaderName::from("X-Mine"), HeaderName::from("x-mINE"));
    assert_ne!(HeaderName::from("X-Mine"), HeaderName::from("X-Yours"));
}

#[test]
fn unknown_headers_keep_spelling_and_order() {
    let request = request("X-b: \t two  words \r\nx-B:\r\nX-a: 3\r\n");
    let printed = request.to_bytes();
    let text = std::str::from_utf8(&printed).unwrap();
    assert!(
        text.contains("\r\nX-b: two  words\r\nx-B: \r\nX-a: 3\r\n"),
        "{text}"
    );
    let name = HeaderName::from("x-b");
    assert_eq!(
        request.headers.get_all(&name).collect::<Vec<_>>(),
        ["two  words", ""]
    );
}

#[test]
fn latin_1_bytes_survive() {
    let mut message = HEAD
        .replace("<sip:a@b>;tag=1", "\"J_rgen\" <sip:a@b>;tag=1")
        .into_bytes();
    let at = message.iter().position(|&byte| byte == b'_').unwrap();
    message[at] = 0xfc;
    message.extend_from_slice(b"Organization: \xe4\xf6\xfc \xff\r\n\r\n");
    let Ok(Message::Request(request)) = parse(message) else {
        panic!("a request")
    };
    assert_eq!(
        request.headers.from().unwrap().display_name.as_deref(),
        Some("Jürgen")
    );
    let printed = request.to_bytes();
    let holds = |bytes: &Bytes, part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(holds(&printed, b"Organization: \xe4\xf6\xfc \xff\r\n"));
    assert!(holds(
        &request.response(Status::OK).to_bytes(),
        b"\"J\xfcrgen\""
    ));
    assert_eq!(Message::parse(&printed).unwrap().to_bytes(), printed);
}

#[test]
fn display_names_of_any_script_survive() {
    for name in ["Алиса", "日本 語", "say \"hi\" \\ now", "a\u{7}b", ""] {
        let mut address = NameAddr::new("sip:a@b".parse().unwrap());
        address.display_name = Some(name.into());
        address.set_tag("x");
        assert_eq!(NameAddr::parse(&address.to_string()), Ok(address));
    }
    let unquoted = NameAddr::parse("Алиса <sip:a@b>;tag=1").unwrap();
    assert_eq!(unquoted.display_name.as_deref(), Some("Алиса"));
}

#[test]
fn addresses_are_read_as_peers_write_them() {
    let read = |text: &str| {
        let address = NameAddr::parse(text).unwrap();
        (address.uri.to_string(), address.tag().map(str::to_owned))
    };
    let tagged = |uri: &str| (uri.to_owned(), Some("1".to_owned()));
    assert_eq!(read("\"A\"<sip:a@b>;tag=1"), tagged("sip:a@b"));
    assert_eq!(read("A<sip:a@b>;tag=1"), tagged("sip:a@b"));
    assert_eq!(read("<sip:a@b;x=y>;TAG = 1"), tagged("sip:a@b;x=y"));
    assert_eq!(read("sip:a@b;tag=1"), tagged("sip:a@b"));
    assert_eq!(read("<sip:a@b> ; tag=1 ;"), tagged("sip:a@b"));
    assert_eq!(
        read("\"<,;>\" <sip:a@b>;q=\";tag=2\";tag=1"),
        tagged("sip:a@b")
    );
    assert_eq!(read("A. B (C) <sip:a@b>").1, None);
}

#[test]
fn broken_addresses_are_refused_with_the_reason() {
    let fault = |text: &str| NameAddr::parse(text).unwrap_err();
    assert_eq!(fault("\"A <sip:a@b>"), Fault::UnclosedQuote);
    assert_eq!(fault("<sip:a@b"), Fault::UnclosedBracket);
    assert_eq!(fault("\"A\" sip:a@b"), Fault::UnclosedBracket);
    assert_eq!(fault("A, B <sip:a@b>"), Fault::BadCharacter);
    assert_eq!(fault("< sip:a@b>"), Fault::BadUri);
    assert_eq!(fault("sip:a@b?x=y"), Fault::BareUri);
    assert_eq!(fault("<sip:a@b>;=1"), Fault::BadParameter);
    assert_eq!(fault("<sip:a@b>;tag=a b"), Fault::BadParameter);
    assert_eq!(fault("<sip:a@b>tag=1"), Fault::BadParameter);
    assert_eq!(fault(""), Fault::Empty);
}

#[test]
fn lists_come_apart_at_the_right_commas() {
    let request = request(
        "Contact: \"a,b\" <sip:a,b@c>;q=0.5 , <sip:c@d>\r\nX: y\r\nm: \"\\\",\" <sip:e@f>,\r\n",
    );
    let Ok(Contacts::List(contacts)) = request.headers.contacts() else {
        panic!("a list")
    };
    let uris: Vec<_> = contacts
        .iter()
        .map(|contact| contact.address.uri.as_str())
        .collect();
    assert_eq!(uris, ["sip:a,b@c", "sip:c@d", "sip:e@f"]);
    assert_eq!(contacts[0].q(), Some(500));
    let star = self::request("Contact: *\r\n");
    assert_eq!(star.headers.contacts(), Ok(Contacts::Star));
    let both = self::request("Contact: *\r\nContact: <sip:a@b>\r\n");
    assert_eq!(both.headers.contacts().unwrap_err().fault, Fault::Repeated);
}

/// Numbers as attackers write them. None of them may wrap around to a small one.
const NUMBERS: [&str; 12] = [
    "-1",
    "+1",
    "2147483648",
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "10000000000000000000000000000000000000000",
    "0x10",
    "1e9",
    "٣",
    "1 2",
    "",
];

#[test]
fn numbers_never_wrap() {
    for number in NUMBERS {
        let cseq = format!("{number} OPTIONS");
        let text = HEAD.replace("1 OPTIONS", &cseq) + "\r\n";
        if let Ok(Message::Request(request)) = parse(text) {
            assert!(request.validate().is_err(), "CSeq {number}");
        }
        let expires = request(&format!("Expires: {number}\r\n")).headers.expires();
        let fits = ["2147483648", "4294967295"].contains(&number);
        match number.parse::<f64>() {
            Ok(value) if fits => assert_eq!(expires, Ok(Some(value as u32))),
            _ => assert!(
                matches!(expires, Err(_) | Ok(Some(3600))),
                "{number}: {expires:?}"
            ),
        }
        let max_forwards = request(&format!("Max-Forwards: {number}\r\n"))
            .headers
            .max_forwards();
        assert!(max_forwards.is_err(), "Max-Forwards {number}");
        let length = format!("Content-Length: {number}\r\n\r\n");
        let length = fault(&length);
        assert!(
            matches!(
                length,
                ParseFault::BadContentLength | ParseFault::BodyTooShort
            ),
            "Content-Length {number}: {length:?}"
        );
        assert!(
            Via::parse(&format!("SIP/2.0/UDP h:{number};branch=z9hG4bKx")).is_err(),
            "{number}"
        );
        assert!(
            format!("sip:a@b:{number}").parse::<Uri>().is_err(),
            "port {number}"
        );
        let contact = Contact::parse(&format!("<sip:a@b>;q={number}"));
        assert!(
            contact.is_err() || contact.is_ok_and(|contact| contact.q().is_none()),
            "q {number}"
        );
        if let Ok(interval) = SessionExpires::parse(number) {
            assert!(fits, "{number}: {interval:?}");
        }
    }
    assert!("sip:a@b:65536".parse::<Uri>().is_err());
    assert_eq!("sip:a@b:65535".parse::<Uri>().unwrap().port(), Some(65535));
}

#[test]
fn malformed_contact_parameters_have_safe_values() {
    let contact = |params: &str| Contact::parse(&format!("<sip:a@b>{params}")).unwrap();
    assert_eq!(contact(";expires=-5").expires(), Some(3600));
    assert_eq!(contact(";expires=99999999999").expires(), Some(3600));
    assert_eq!(contact(";expires=0").expires(), Some(0));
    assert_eq!(contact(";q=1.001").q(), None);
    assert_eq!(contact(";q=1.000").q(), Some(1000));
    assert_eq!(contact(";q=.5").q(), Some(500));
    assert_eq!(contact(";q=0.3333").q(), None);
    assert_eq!(contact(";reg-id=0").reg_id(), None);
    assert_eq!(contact(";reg-id=1").reg_id(), Some(1));
    let instance = contact(";+sip.instance=\"<urn:uuid:f81d4fae>\"");
    assert_eq!(instance.instance(), Some("urn:uuid:f81d4fae"));
}

#[test]
fn content_length_decides_where_the_body_ends() {
    let body = |extra: &str| match parse(format!("{HEAD}{extra}")) {
        Ok(message) => Ok(String::from_utf8(message.body().to_vec()).unwrap()),
        Err(error) => Err(error.fault()),
    };
    assert_eq!(body("\r\nwhole").as_deref(), Ok("whole"));
    assert_eq!(body("Content-Length: 2\r\n\r\nwhole").as_deref(), Ok("wh"));
    assert_eq!(
        body("l: 5\r\nContent-Length: 05\r\n\r\nwhole").as_deref(),
        Ok("whole")
    );
    assert_eq!(body("l: 6\r\n\r\nwhole"), Err(ParseFault::BodyTooShort));
    assert_eq!(
        body("l: 5\r\nl: 4\r\n\r\nwhole"),
        Err(ParseFault::ConflictingContentLength)
    );
    assert_eq!(
        body("l: 5, 5\r\n\r\nwhole"),
        Err(ParseFault::BadContentLength)
    );
    assert_eq!(body("l: 5\r\n"), Err(ParseFault::Unfinished));
}

#[test]
fn nobody_hides_a_header_from_a_filter() {
    for name in [
        "X-Bypass\u{b}",
        "X-Bypass\u{c}",
        "X Bypass",
        "X-Bypass\0",
        "X-B\u{fc}",
        "",
    ] {
        assert_eq!(
            fault(&format!("{name}: 1\r\n\r\n")),
            ParseFault::BadHeaderLine,
            "{name:?}"
        );
    }
    // A lone CR is a line end to some.
    assert_eq!(
        fault("X: 1\rFrom: <sip:evil@b>\r\n\r\n"),
        ParseFault::BadHeaderLine
    );
    let spaced = request("X-Bypass \t: 1\r\n");
    assert_eq!(spaced.headers.get(&HeaderName::from("X-Bypass")), Some("1"));
}

#[test]
fn no_value_smuggles_a_second_line_out() {
    let mut request = request("");
    request
        .headers
        .push(HeaderName::Subject, "a\r\nX-Evil: 1\r\n\r\nbody");
    request
        .headers
        .push(HeaderName::Other("X\r\nX-Evil".into()), "1");
    request.headers.set(HeaderName::Server, "b\nX-Evil: 1");
    request.method = Method::from("OPTIONS");
    let mut response = request.response(Status::OK);
    response.reason = "fine\r\nX-Evil: 1".into();
    for bytes in [request.to_bytes(), response.to_bytes()] {
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.headers().get(&HeaderName::from("X-Evil")), None);
        assert!(message.body().is_empty());
    }
}

#[test]
fn setting_and_removing_keep_the_others_in_place() {
    let mut headers = Headers::default();
    for (name, value) in [("Via", "1"), ("X", "a"), ("Via", "2"), ("Z1", "b")] {
        headers.push(HeaderName::from(name), value);
    }
    headers.set(HeaderName::Via, "3");
    headers.set(HeaderName::from("Z"), "c");
    headers.remove(&HeaderName::from("x"));
    headers.push_front(HeaderName::Route, "r");
    let all: Vec<_> = headers
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(all, ["Route=r", "Via=3", "Z1=b", "Z=c"]);
}

#[test]
fn the_topmost_via_is_changed_alone() {
    let text = "Via: SIP/2.0/UDP a:1 ;rport;branch=z9hG4bKa, SIP/2.0/TCP  b;branch=\"x,y\"\r\n\
                Via: SIP/2.0/TLS c\r\n";
    let message = HEAD.replace("Via: SIP/2.0/WS c.invalid;branch=z9hG4bK1\r\n", text) + "\r\n";
    let Ok(Message::Request(mut request)) = parse(message) else {
        panic!("a request")
    };
    let mut via = request.headers.top_via().unwrap();
    assert_eq!(via.rport(), Some(None));
    via.set_received("192.0.2.9:4711".parse().unwrap());
    request.headers.set_top_via(&via);
    let lines: Vec<_> = request.headers.get_all(&HeaderName::Via).collect();
    assert_eq!(
        lines,
        [
            "SIP/2.0/UDP a:1;rport=4711;branch=z9hG4bKa;received=192.0.2.9, \
             SIP/2.0/TCP  b;branch=\"x,y\"",
            "SIP/2.0/TLS c"
        ]
    );
    assert_eq!(request.headers.vias().unwrap()[0].rport(), Some(Some(4711)));
}

#[test]
fn received_is_written_only_when_it_says_something() {
    let received = |via: &str, remote: &str| {
        let mut via = Via::parse(via).unwrap();
        via.set_received(remote.parse().unwrap());
        via.to_string()
    };
    let same = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa";
    assert_eq!(received(same, "192.0.2.1:9"), same);
    assert_eq!(received(same, "[::ffff:192.0.2.1]:9"), same);
    assert_eq!(
        received("SIP/2.0/WS x.invalid", "[2001:db8::1]:9"),
        "SIP/2.0/WS x.invalid;received=2001:db8::1"
    );
}

#[test]
fn limits_are_kept() {
    let headers = "X: 1\r\n".repeat(limits::HEADERS_MAX);
    assert_eq!(fault(&format!("{headers}\r\n")), ParseFault::TooManyHeaders);
    let long = "x".repeat(limits::HEADER_BYTES_MAX);
    assert_eq!(
        fault(&format!("X: {long}\r\n\r\n")),
        ParseFault::HeaderTooLong
    );
    let folded = "\r\n x".repeat(limits::HEADER_BYTES_MAX / 4);
    assert_eq!(
        fault(&format!("X: {folded}\r\n\r\n")),
        ParseFault::HeaderTooLong
    );
    let body = "x".repeat(limits::MESSAGE_BYTES_MAX);
    assert_eq!(fault(&format!("\r\n{body}")), ParseFault::MessageTooLarge);
    let uri = HEAD.replace(
        "sip:a@b SIP",
        &format!("sip:{}@b SIP", "a".repeat(limits::URI_BYTES_MAX)),
    );
    let error = parse(uri + "\r\n").unwrap_err();
    assert_eq!(error.fault(), ParseFault::UriTooLong);
    assert_eq!(error.reply().unwrap().status, Status::REQUEST_URI_TOO_LONG);
    let many = "<sip:a@b>,".repeat(limits::LIST_ELEMENTS_MAX + 1);
    let routes = request(&format!("Route: {many}\r\n")).headers.routes();
    assert_eq!(routes.unwrap_err().fault, Fault::TooMany);
}

#[test]
fn keep_alives_and_nonsense_are_dropped() {
    for (bytes, expected) in [
        (&b""[..], ParseFault::KeepAlive),
        (b"\r\n\r\n", ParseFault::KeepAlive),
        (b"\0\0\0\0", ParseFault::BadStartLine),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            ParseFault::BadStartLine,
        ),
        (b"SIP/2.0 99 Low\r\n\r\n", ParseFault::BadStatus),
        (b"SIP/2.0 700 High\r\n\r\n", ParseFault::BadStatus),
        (b"SIP/3.0 200 OK\r\n\r\n", ParseFault::VersionNotSupported),
    ] {
        let error = parse(bytes).unwrap_err();
        assert_eq!(error.fault(), expected, "{bytes:?}");
        assert!(error.reply().is_none(), "{bytes:?}");
    }
    // RFC 3261 §17.1.1.3: an ACK is never answered, however broken.
    let ack = HEAD.replace("OPTIONS", "ACK") + "l: -1\r\n\r\n";
    assert!(parse(ack).unwrap_err().reply().is_none());
}

#[test]
fn bare_line_feeds_and_leading_line_ends_are_forgiven() {
    let text = format!("\r\n\n{HEAD}\r\nbody").replace("\r\n", "\n");
    let message = parse(text).unwrap();
    assert_eq!(&message.body()[..], b"body");
    assert_eq!(message.headers().call_id(), Ok("1"));
}

#[test]
fn a_response_copies_what_identifies_the_request() {
    let request = request("Via: SIP/2.0/UDP d\r\nTimestamp: 5\r\nRecord-Route: <sip:p;lr>\r\n");
    let names = |status| {
        let response = request.response(status);
        response
            .headers
            .iter()
            .map(|(name, _)| name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(Status::OK),
        ["Via", "Via", "From", "To", "Call-ID", "CSeq"]
    );
    assert_eq!(names(Status::TRYING).last().unwrap(), "Timestamp");
}

#[test]
fn parameters_are_set_in_place() {
    let mut params = Params::parse(";A=1; b ;c=\"x;y\\\"z\"").unwrap();
    params.set("a", Some("two words"));
    params.set("d", Some("t"));
    params.remove("B");
    assert_eq!(params.to_string(), ";A=\"two words\";c=\"x;y\\\"z\";d=t");
    assert_eq!(params.unescaped("c").as_deref(), Some("x;y\"z"));
    assert_eq!(params.get("a"), Some("two words"));
}

/// 64 kB of what costs most. That the time grows with the length alone is the fuzzers' to find: they
/// have two seconds for an input.
#[test]
fn long_values_of_every_shape_are_taken_or_refused() {
    let fill = |unit: &str| unit.repeat(8_000 / unit.len());
    let values = [
        fill(","),
        fill("<"),
        fill("\""),
        fill("\\\""),
        fill(";"),
        fill("<sip:a@b>,"),
        fill("a=b;"),
        fill("%41"),
        fill("\r\n "),
    ];
    for value in values {
        for name in ["Contact", "Via", "Route", "To", "Authorization", "X"] {
            let line = format!("{name}: {value}\r\n");
            let text = format!("{HEAD}{}\r\n", line.repeat(8));
            if let Ok(Message::Request(request)) = parse(text) {
                let _verdict = request.validate();
                let _credentials = request.headers.authorizations();
                let _printed = request.to_bytes();
            }
        }
    }
}

fn header_value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,60}",
        "[a-z\"<>;,=@:%\\\\ ]{0,60}",
        "\"[a-zA-Zé ]{0,10}\" <sip:[a-z]{1,8}@[a-z]{1,8}>(;[a-z]{1,4}=[a-z0-9]{1,4}){0,3}",
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..1500)) {
        if let Ok(message) = parse(bytes) {
            let _again = message.to_bytes();
        }
    }

    #[test]
    fn any_header_values_survive_printing(values in prop::collection::vec((0usize..12, header_value()), 0..12)) {
        const NAMES: [&str; 12] = [
            "Via", "To", "From", "Contact", "CSeq", "Route", "Authorization", "X-Any", "Expires",
            "Session-Expires", "Date", "Content-Type",
        ];
        let lines: String = values.iter().map(|(name, value)| format!("{}: {value}\r\n", NAMES[*name])).collect();
        let Ok(message) = parse(format!("{HEAD}{lines}\r\nbody")) else { return Ok(()) };
        let Message::Request(request) = &message else { panic!("a request") };
        let printed = message.to_bytes();
        let again = Message::parse(&printed).unwrap();
        prop_assert_eq!(again.to_bytes(), printed);
        let Message::Request(again) = again else { panic!("a request") };
        prop_assert_eq!(request.validate(), again.validate());
        prop_assert_eq!(request.headers.contacts(), again.headers.contacts());
        let _all = (request.headers.authorizations(), request.headers.session_expires());
        let _answer = request.response(Status::OK).to_bytes();
    }

    #[test]
    fn an_address_prints_what_it_reads(text in header_value()) {
        if let Ok(address) = NameAddr::parse(&text) {
            prop_assert_eq!(NameAddr::parse(&address.to_string()), Ok(address));
        }
    }

    #[test]
    fn a_uri_prints_as_it_came(text in "sips?:[a-z%0-9;@:?&=\\[\\]./-]{0,40}") {
        if let Ok(uri) = text.parse::<Uri>() {
            prop_assert_eq!(uri.to_string(), text);
            prop_assert!(uri.equivalent(&uri));
            let made = uri.host().map(|host| Uri::sip(uri.user().as_deref(), host, uri.port()));
            prop_assert!(made.is_some_and(|made| made.user() == uri.user()));
        }
    }

    #[test]
    fn parameters_print_as_they_read(text in "(;[a-z]{1,4}(=(\"[a-z;,\\\\\\\\]{0,6}\"|[a-z0-9.]{1,6}))?){0,5}") {
        if let Ok(params) = Params::parse(&text) {
            prop_assert_eq!(Params::parse(&params.to_string()), Ok(params));
        }
    }
}

#[test]
fn a_description_of_fifty_pictures_fits() {
    let body = "a=candidate\r\n".repeat(200 * 1024 / 13);
    let Message::Request(request) = parse(format!("{HEAD}\r\n{body}")).unwrap() else {
        panic!("it was a request");
    };
    assert_eq!(request.body.len(), body.len());
}

/// Latin-1 takes twice the room when it is printed as UTF-8.
#[test]
fn a_reason_phrase_that_fits_when_read_fits_when_printed() {
    let mut text = b"SIP/2.0 200 ".to_vec();
    text.extend([0xE9; 4_000]);
    text.extend(HEAD.split_once("\r\n").unwrap().1.as_bytes());
    text.extend(b"\r\n");
    text.splice(4_012..4_012, *b"\r\n");
    let printed = parse(text).unwrap().to_bytes();
    assert_eq!(Message::parse(&printed).unwrap().to_bytes(), printed);
}
