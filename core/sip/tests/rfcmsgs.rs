//! The 758 complete SIP messages printed in RFCs: read, print, read again, and every header of
//! every one of them in its typed form.

#[path = "support/vectors.rs"]
mod vectors;

use bytes::Bytes;
use sip::{Fault, HeaderError, HeaderName, Message, Rejected, Response};

/// Messages that break the grammar as the RFC prints them, by what is wrong with them.
const BROKEN: &[(&str, &[&str])] = &[
    (
        "its Request-URI has no scheme",
        &[
            "rfc3327-009",
            "rfc3327-010",
            "rfc3327-011",
            "rfc3327-012",
            "rfc3666-100",
            "rfc3666-104",
            "rfc3666-105",
            "rfc3666-125",
            "rfc3666-128",
            "rfc3666-130",
            "rfc3666-131",
            "rfc3666-134",
        ],
    ),
    (
        "a line `. . .` stands for what was left out, and folds into the header above",
        &[
            "rfc3327-002",
            "rfc3327-003",
            "rfc3327-004",
            "rfc3327-005",
            "rfc3327-006",
            "rfc3327-007",
            "rfc3327-008",
            "rfc3608-001",
            "rfc3608-002",
            "rfc3608-003",
            "rfc3608-007",
            "rfc3608-008",
            "rfc3608-009",
            "rfc3608-010",
        ],
    ),
    (
        "a URI in it has no scheme",
        &["rfc3261-015", "rfc3666-038", "rfc3666-040", "rfc5626-002"],
    ),
    (
        "a line is broken inside a URI, where no white space may stand",
        &["rfc5049-001", "rfc7118-003", "rfc7118-005"],
    ),
    ("a comma is missing in Authorization", &["rfc3665-003"]),
    ("To has a second `>`", &["rfc3666-032"]),
];

#[test]
fn every_message_survives_printing() {
    let messages = vectors::messages("rfcmsgs.txt");
    assert_eq!(messages.len(), 758);
    let mut failed = Vec::new();
    for (name, bytes) in &messages {
        let outcome = survive(bytes);
        let broken = BROKEN
            .iter()
            .any(|(_, names)| names.contains(&name.as_str()));
        if outcome.is_ok() == broken {
            failed.push((name, outcome));
        }
    }
    assert!(failed.is_empty(), "{} of them: {failed:#?}", failed.len());
}

fn survive(bytes: &Bytes) -> Result<(), String> {
    let message = Message::parse(&without_length(bytes)).map_err(|error| error.to_string())?;
    let checked = match &message {
        Message::Request(request) => request.validate(),
        Message::Response(response) => validate(response).map_err(Rejected::Header),
    };
    match checked {
        // The RFC shows only the headers it speaks of.
        Err(Rejected::Header(HeaderError {
            fault: Fault::Missing,
            ..
        })) => {}
        Err(rejected) => return Err(rejected.reason()),
        Ok(()) => typed(&message).map_err(|error| error.to_string())?,
    }
    let printed = message.to_bytes();
    let again = Message::parse(&printed).map_err(|error| error.to_string())?;
    if !vectors::same_meaning(&message, &again) {
        return Err(format!("{message:?} became {again:?}"));
    }
    if again.to_bytes() != printed {
        return Err("printing is not stable".to_owned());
    }
    Ok(())
}

/// The RFCs leave bodies out and miscount them, so in these texts Content-Length is not believed.
fn without_length(bytes: &Bytes) -> Bytes {
    let text = std::str::from_utf8(bytes).expect("the RFCs are ASCII");
    let is_length = |line: &&str| {
        let line = line.trim_end();
        let name = line.split(':').next().unwrap_or("");
        name.eq_ignore_ascii_case("Content-Length") && line.ends_with(|c: char| c.is_ascii_digit())
    };
    text.split_inclusive('\n')
        .filter(|line| !is_length(line))
        .collect::<String>()
        .into()
}

/// Responses on their way through proxies have several Vias; those are ours to read all the same.
fn validate(response: &Response) -> Result<(), HeaderError> {
    let mut response = response.clone();
    let top = response.headers.top_via()?;
    response.headers.set(HeaderName::Via, &top.to_string());
    response.validate()
}

/// Every typed reader, and what it reads prints and reads as the same.
fn typed(message: &Message) -> Result<(), HeaderError> {
    let headers = message.headers();
    for via in headers.vias()? {
        assert_eq!(sip::Via::parse(&via.to_string()).as_ref(), Ok(&via));
    }
    let lists = [
        headers.routes()?,
        headers.record_routes()?,
        headers.paths()?,
    ];
    for address in lists
        .into_iter()
        .flatten()
        .chain([headers.from()?, headers.to()?])
    {
        assert_eq!(
            sip::NameAddr::parse(&address.to_string()).as_ref(),
            Ok(&address)
        );
        assert!(address.uri.equivalent(&address.uri));
    }
    headers.min_expires()?;
    headers.session_expires()?;
    headers.min_se()?;
    headers.rack()?;
    headers.rseq()?;
    headers.reasons()?;
    headers.requires()?;
    headers.accepts()?;
    headers.authorizations()?;
    headers.challenges()?;
    headers.retry_after()?;
    Ok(())
}
