//! One datagram: whatever is read prints, and prints the same when it is read again; every typed
//! reader and every check answers without a panic.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sip::digest::{Algorithm, Challenger, Check, Secret};
use sip::{Capabilities, Headers, Message, Method, ParseFault, Request, Status};

fuzz_target!(|data: &[u8]| {
    let message = match Message::parse(&Bytes::copy_from_slice(data)) {
        Ok(message) => message,
        Err(error) => {
            if let Some(reply) = error.reply() {
                reads(&reply.to_bytes());
            }
            return;
        }
    };
    let printed = message.to_bytes();
    match Message::parse(&printed) {
        Ok(again) => assert_eq!(again.to_bytes(), printed),
        // Full names and a Content-Length may lift what was at a limit over it.
        Err(error) => assert!(
            printed.len() > data.len() && LIMITS.contains(&error.fault()),
            "{error:?}"
        ),
    }
    typed(message.headers());
    match &message {
        Message::Request(request) => check(request),
        Message::Response(response) => drop(response.validate()),
    }
});

/// Our own answers read, but for the limits: they carry all Vias of the request and headers of ours.
fn reads(answer: &Bytes) {
    if let Err(error) = Message::parse(answer) {
        assert!(LIMITS.contains(&error.fault()), "{error:?}");
    }
}

const LIMITS: [ParseFault; 4] = [
    ParseFault::MessageTooLarge,
    ParseFault::TooManyHeaders,
    ParseFault::HeaderTooLong,
    ParseFault::UriTooLong,
];

fn check(request: &Request) {
    let capabilities = Capabilities {
        methods: &[Method::Invite, Method::Ack, Method::Bye],
        extensions: &["timer"],
        media_types: &["application/sdp"],
        forwards: true,
    };
    if let Err(rejected) = request
        .validate()
        .and_then(|()| request.acceptable(&capabilities))
    {
        let answer = rejected.response(request, &capabilities).to_bytes();
        reads(&answer);
    }
    let mut response = request.response(Status::RINGING);
    if let Ok(mut via) = request.headers.top_via() {
        via.set_received(([192, 0, 2, 1], 4711).into());
        response.headers.set_top_via(&via);
        assert_eq!(response.headers.top_via(), Ok(via));
    }
    reads(&response.to_bytes());
    let mut challenger = Challenger::new([0; 32], std::time::Duration::from_secs(60));
    for credentials in request.headers.authorizations().into_iter().flatten() {
        let check = Check {
            source: b"source",
            method: &request.method,
            body: &request.body,
            realm: credentials.realm(),
            algorithm: Algorithm::Md5,
            username: credentials.username(),
            secret: Secret::Password("secret"),
        };
        let _verdict = challenger.verify(1_790_000_000, &credentials, &check);
    }
}

fn typed(headers: &Headers) {
    for via in headers.vias().into_iter().flatten() {
        assert_eq!(sip::Via::parse(&via.to_string()), Ok(via));
    }
    let addresses = [headers.from(), headers.to(), headers.refer_to()];
    let lists = [headers.routes(), headers.record_routes(), headers.paths()];
    for address in addresses
        .into_iter()
        .flatten()
        .chain(lists.into_iter().flatten().flatten())
    {
        assert_eq!(sip::NameAddr::parse(&address.to_string()), Ok(address));
    }
    if let Ok(sip::Contacts::List(contacts)) = headers.contacts() {
        for contact in contacts {
            let _values = (
                contact.expires(),
                contact.q(),
                contact.instance(),
                contact.reg_id(),
            );
            assert_eq!(sip::Contact::parse(contact.raw()), Ok(contact));
        }
    }
    let _numbers = (
        headers.max_forwards(),
        headers.expires(),
        headers.min_expires(),
    );
    let _numbers = (
        headers.retry_after(),
        headers.rseq(),
        headers.rack(),
        headers.cseq(),
    );
    let _timers = (
        headers.session_expires(),
        headers.min_se(),
        headers.reasons(),
    );
    let _types = (
        headers.content_type(),
        headers.accepts(),
        headers.requires(),
    );
    let _others = (
        headers.challenges(),
        headers.supports("timer"),
        headers.allows(&Method::Update),
    );
}
