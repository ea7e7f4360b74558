//! Reads the recorded messages under `tests/vectors`, and says what becomes of a message.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(
    clippy::disallowed_methods,
    reason = "core/ has no files, its tests have"
)]

use bytes::Bytes;
use sip::{Capabilities, Headers, Message, Method, Request};

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It goes on to the transaction, the dialog or the application.
    Accepted,
    /// It is answered with this status.
    Refused(u16),
    /// Nobody answers and nobody acts.
    Dropped,
}

/// What the Agent does before a transaction is looked for.
pub(crate) fn verdict(datagram: &Bytes) -> Expected {
    match Message::parse(datagram) {
        Err(error) => match error.reply() {
            Some(reply) => Expected::Refused(reply.status.code()),
            None => Expected::Dropped,
        },
        Ok(Message::Response(response)) => match response.validate() {
            Ok(()) => Expected::Accepted,
            Err(_) => Expected::Dropped,
        },
        Ok(Message::Request(request)) => request_verdict(&request),
    }
}

fn request_verdict(request: &Request) -> Expected {
    let checked = request
        .validate()
        .and_then(|()| request.acceptable(&capabilities()));
    match checked {
        Ok(()) => Expected::Accepted,
        Err(rejected) => Expected::Refused(rejected.status().code()),
    }
}

/// An endpoint that answers itself.
pub(crate) fn capabilities() -> Capabilities<'static> {
    const METHODS: &[Method] = &[
        Method::Invite,
        Method::Ack,
        Method::Bye,
        Method::Cancel,
        Method::Register,
        Method::Options,
        Method::Message,
    ];
    Capabilities {
        methods: METHODS,
        extensions: &["timer", "outbound", "path"],
        media_types: &["application/sdp", "multipart/mixed", "text/plain"],
        forwards: false,
    }
}

/// One file, byte for byte.
pub(crate) fn read(name: &str) -> Bytes {
    let path = format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{path}: {error}"))
        .into()
}

/// The sorted names of the files in a folder.
pub(crate) fn names(folder: &str) -> Vec<String> {
    let path = format!("{}/tests/vectors/{folder}", env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(path).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The messages of a file in which each stands behind a line `>>> name`, with a line end behind.
pub(crate) fn messages(name: &str) -> Vec<(String, Bytes)> {
    const MARK: &[u8] = b">>> ";
    let file = read(name);
    let starts: Vec<_> = memchr::memmem::find_iter(&file, MARK)
        .filter(|&at| at == 0 || file[at - 1] == b'\n')
        .chain([file.len()])
        .collect();
    let cut = |range: &[usize]| {
        let entry = file.slice(range[0] + MARK.len()..range[1]);
        let line = memchr::memchr(b'\n', &entry).unwrap();
        let name = String::from_utf8(entry[..line].to_vec()).unwrap();
        (name, entry.slice(line + 1..entry.len() - 1))
    };
    starts.windows(2).map(cut).collect()
}

/// Do they say the same? Content-Length is computed when printing, so it is left out.
pub(crate) fn same_meaning(a: &Message, b: &Message) -> bool {
    let start = match (a, b) {
        (Message::Request(a), Message::Request(b)) => a.method == b.method && a.uri == b.uri,
        (Message::Response(a), Message::Response(b)) => {
            a.status == b.status && a.reason == b.reason
        }
        _ => false,
    };
    start && a.body() == b.body() && lines(a.headers()).eq(lines(b.headers()))
}

fn lines(headers: &Headers) -> impl Iterator<Item = (&sip::HeaderName, &str)> {
    headers
        .iter()
        .filter(|(name, _)| **name != sip::HeaderName::ContentLength)
}
