//! Messages of four browser stacks, recorded: JsSIP, SIP.js, sipML5, Cyber Mega Phone 2K.

#[path = "support/vectors.rs"]
mod vectors;

use sip::{Contacts, HeaderName, Message, Method};
use vectors::{Expected, verdict};

fn all() -> Vec<(String, bytes::Bytes)> {
    let files = vectors::names("transcripts");
    files
        .iter()
        .flat_map(|file| vectors::messages(&format!("transcripts/{file}")))
        .collect()
}

#[test]
fn every_recorded_message_is_well_formed_and_survives_printing() {
    let messages = all();
    assert!(messages.len() > 150, "{}", messages.len());
    for (name, bytes) in &messages {
        let message = Message::parse(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        match &message {
            Message::Request(request) => assert_eq!(request.validate(), Ok(()), "{name}"),
            // sipML5 answers with as many Vias as it was asked with.
            Message::Response(response) => drop(response.headers.vias().expect(name)),
        }
        let again = Message::parse(&message.to_bytes()).expect(name);
        assert!(vectors::same_meaning(&message, &again), "{name}");
    }
}

#[test]
fn contacts_are_kept_as_they_came() {
    let mut seen = 0;
    for (name, bytes) in all() {
        let Ok(Message::Request(request)) = Message::parse(&bytes) else {
            continue;
        };
        if request.method != Method::Register {
            continue;
        }
        let Contacts::List(contacts) = request.headers.contacts().expect(&name) else {
            continue;
        };
        let [contact] = &contacts[..] else {
            panic!("{name}: one contact")
        };
        assert_eq!(
            request.headers.get(&HeaderName::Contact),
            Some(contact.raw()),
            "{name}"
        );
        assert!(
            contact.expires().is_some() || request.headers.has(&HeaderName::Expires),
            "{name}"
        );
        seen += 1;
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn credentials_name_the_request_uri() {
    let mut seen = 0;
    for (name, bytes) in all() {
        let Ok(Message::Request(request)) = Message::parse(&bytes) else {
            continue;
        };
        for credentials in request.headers.authorizations().expect(&name) {
            assert!(credentials.is_digest() && !credentials.is_empty(), "{name}");
            assert_eq!(credentials.get("uri"), Some(request.uri.as_str()), "{name}");
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn nothing_a_browser_sends_is_refused_for_its_form() {
    for (name, bytes) in all() {
        if let Expected::Refused(status) = verdict(&bytes) {
            // INFO, REFER, NOTIFY and UPDATE are not in the capabilities of this test.
            assert_eq!(status, 405, "{name}");
        }
    }
}
