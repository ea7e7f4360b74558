//! Every message of RFC 5118 (IPv6), with what the RFC says of it and what we do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/vectors.rs"]
mod vectors;

use bytes::Bytes;
use sip::{Host, Message};
use vectors::{Expected, verdict};

use Expected::{Accepted, Refused};

/// File, section of RFC 5118, verdict.
const TABLE: &[(&str, &str, Expected)] = &[
    ("ipv6-good", "4.1", Accepted),
    // An address without brackets in the Request-URI: 400.
    ("ipv6-bad", "4.2", Refused(400)),
    // 5070 is the last part of the address, not a port. The sender may have meant otherwise.
    ("port-ambiguous", "4.3", Accepted),
    ("port-unambiguous", "4.4", Accepted),
    ("via-received-param-with-delim", "4.5", Accepted),
    ("via-received-param-no-delim", "4.5", Accepted),
    ("ipv6-in-sdp", "4.6", Accepted),
    ("mult-ip-in-header", "4.7", Accepted),
    ("mult-ip-in-sdp", "4.8", Accepted),
    ("ipv4-mapped-ipv6", "4.9", Accepted),
    // Three colons come from a mistake in the grammar of RFC 3261; both forms are taken.
    ("ipv6-bug-abnf-3-colons", "4.10", Accepted),
    ("ipv6-correct-abnf-2-colons", "4.10", Accepted),
];

/// The archive has bare LF, leaves the empty line out twice, and says 268 where the body has 251
/// bytes.
fn file(name: &str) -> Bytes {
    let mut text = String::from_utf8(vectors::read(&format!("rfc5118/{name}")).to_vec()).unwrap();
    if !text.contains("\n\n") {
        text.push('\n');
    }
    Bytes::from(
        text.replace('\n', "\r\n")
            .replace("Content-Length: 268", "Content-Length: 251"),
    )
}

fn request(name: &str) -> sip::Request {
    match Message::parse(&file(name)) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
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
    let mut listed: Vec<_> = TABLE.iter().map(|(name, ..)| (*name).to_owned()).collect();
    listed.sort();
    assert_eq!(listed, vectors::names("rfc5118"));
}

#[test]
fn ports_are_told_from_addresses() {
    let v6 = |text: &str| Some(Host::V6(text.parse().unwrap()));
    let ambiguous = request("port-ambiguous").uri;
    assert_eq!(
        (ambiguous.host().cloned(), ambiguous.port()),
        (v6("2001:db8::10:5070"), None)
    );
    let clear = request("port-unambiguous").uri;
    assert_eq!(
        (clear.host().cloned(), clear.port()),
        (v6("2001:db8::10"), Some(5070))
    );
}

#[test]
fn received_is_read_with_and_without_brackets() {
    for name in [
        "via-received-param-with-delim",
        "via-received-param-no-delim",
    ] {
        let via = request(name).headers.top_via().unwrap();
        assert_eq!(
            via.received(),
            Some("2001:db8::9:255".parse().unwrap()),
            "{name}"
        );
    }
}

#[test]
fn both_spellings_of_an_embedded_address_are_the_same_host() {
    let three = request("ipv6-bug-abnf-3-colons").uri;
    let two = request("ipv6-correct-abnf-2-colons").uri;
    assert!(three.equivalent(&two));
    // Nobody else's text is changed on the way.
    assert_eq!(three.to_string(), "sip:user@[2001:db8:::192.0.2.1]");
}

#[test]
fn mixed_families_keep_their_order() {
    let vias = request("mult-ip-in-header").headers.vias().unwrap();
    let hops: Vec<_> = vias.iter().map(sip::Via::sent_by).collect();
    assert_eq!(
        hops,
        ["[2001:db8::9:1]:6050", "192.0.2.1", "[2001:db8::9:255]"]
    );
    let mapped = request("ipv4-mapped-ipv6").headers.top_via().unwrap();
    assert_eq!(mapped.host().ip(), Some("192.0.2.10".parse().unwrap()));
}
