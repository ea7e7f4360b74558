//! What a phone writes: requests and responses as text, with what is wanted of them and nothing else.

use bytes::Bytes;
use sip::digest::{Answer, Secret};
use sip::{HeaderName, Message, Request, Response};

/// Branches, tags and Call-IDs that are never the same.
pub(crate) fn unique() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed).to_string()
}

/// A request as JsSIP writes it, without body.
pub(crate) fn request(method: &str, uri: &str, from: &str, more: &str) -> String {
    let id = unique();
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/WS s58im4vdpmpn.invalid;branch=z9hG4bK{id}\r\n\
         Max-Forwards: 69\r\nTo: <{uri}>\r\nFrom: <sip:{from}@127.0.0.1>;tag=t{id}\r\n\
         Call-ID: c{id}\r\nCSeq: 1 {method}\r\n{more}\
         Supported: path,gruu,outbound\r\nUser-Agent: JsSIP 3.13.8\r\nContent-Length: 0\r\n\r\n"
    )
}

pub(crate) fn register(user: &str, contact: &str) -> String {
    let contact = format!("Contact: {contact}\r\n");
    let contact = if contact.trim_end() == "Contact:" {
        String::new()
    } else {
        contact
    };
    request("REGISTER", "sip:127.0.0.1", user, &contact).replacen(
        "To: <sip:127.0.0.1>",
        &format!("To: <sip:{user}@127.0.0.1>"),
        1,
    )
}

/// The Contact of a JsSIP user agent.
pub(crate) fn contact(user: &str, instance: &str) -> String {
    format!(
        "<sip:{user}@s58im4vdpmpn.invalid;transport=ws>;+sip.ice;reg-id=1;\
         +sip.instance=\"<urn:uuid:{instance}>\";expires=600"
    )
}

pub(crate) fn invite(from: &str, exten: &str, contact: &str, sdp: &str) -> String {
    let head = format!(
        "Contact: <sip:{contact}@s58im4vdpmpn.invalid;transport=ws;ob>\r\n\
         Content-Type: application/sdp\r\nAllow: INVITE,ACK,CANCEL,BYE,UPDATE,INFO\r\n"
    );
    let text = request("INVITE", &format!("sip:{exten}@127.0.0.1"), from, &head);
    let length = format!("Content-Length: {}\r\n\r\n{sdp}", sdp.len());
    text.replacen("Content-Length: 0\r\n\r\n", &length, 1)
}

/// An offer the media double likes.
pub(crate) const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
a=fingerprint:sha-256 00\r\na=rtpmap:111 opus/48000/2\r\na=sendrecv\r\n\
m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\na=sendrecv\r\n";

/// The request with the answer to the challenge, as a new transaction.
pub(crate) fn signed(text: &str, challenged: &Response, user: &str, password: &str) -> String {
    let uri = text.split(' ').nth(1).unwrap();
    signed_about(uri, text, challenged, (user, password))
}

/// The same with a digest-uri of its own.
pub(crate) fn signed_about(
    uri: &str,
    text: &str,
    challenged: &Response,
    (user, password): (&str, &str),
) -> String {
    let Ok(Message::Request(request)) = Message::parse(&Bytes::copy_from_slice(text.as_bytes()))
    else {
        panic!("no request: {text}");
    };
    let challenges = challenged.headers.challenges().unwrap();
    let [challenge] = &challenges[..] else {
        panic!("exactly one challenge: {challenges:?}")
    };
    let value = Answer {
        username: user,
        secret: Secret::Password(password),
        method: &request.method,
        uri,
        cnonce: "ljrcp8sia1v6",
        nc: 1,
    }
    .authorization(challenge)
    .unwrap();
    again(text, &format!("Authorization: {value}\r\n"))
}

/// The request as a new transaction: the next CSeq, another branch, one more header.
pub(crate) fn again(text: &str, header: &str) -> String {
    let method = text.split(' ').next().unwrap();
    let line = text.lines().find(|line| line.starts_with("CSeq:")).unwrap();
    let number: u32 = line.split(' ').nth(1).unwrap().parse().unwrap();
    text.replacen(line, &format!("CSeq: {} {method}", number + 1), 1)
        .replacen(
            ";branch=z9hG4bK",
            &format!(";branch=z9hG4bK{}x", unique()),
            1,
        )
        .replacen("Supported:", &format!("{header}Supported:"), 1)
}

/// The ACK of a refused INVITE: same branch, To tag of the response (RFC 3261 §17.1.1.3).
pub(crate) fn ack(invite: &str, response: &Response) -> String {
    let head = invite.split("Contact:").next().unwrap();
    let to = invite.lines().find(|line| line.starts_with("To:")).unwrap();
    let answered = response.headers.get(&HeaderName::To).unwrap();
    head.replacen("INVITE", "ACK", 1)
        .replacen(" INVITE\r\n", " ACK\r\n", 1)
        .replacen(to, &format!("To: {answered}"), 1)
        + "Content-Length: 0\r\n\r\n"
}

/// A request inside the dialog that `invite` and its 200 made.
pub(crate) fn in_dialog(
    method: &str,
    cseq: u32,
    invite: &str,
    ok: &Response,
    more: &str,
) -> String {
    let line = |name: &str| invite.lines().find(|line| line.starts_with(name)).unwrap();
    let target = match ok.headers.contacts().unwrap() {
        sip::Contacts::List(list) => list[0].address.uri.clone(),
        sip::Contacts::Star => panic!("a star"),
    };
    let to = ok.headers.get(&HeaderName::To).unwrap();
    let more = if more.is_empty() {
        "Content-Length: 0\r\n\r\n"
    } else {
        more
    };
    format!(
        "{method} {target} SIP/2.0\r\nVia: SIP/2.0/WS s58im4vdpmpn.invalid;branch=z9hG4bKd{}\r\n\
         Max-Forwards: 69\r\nTo: {to}\r\n{}\r\n{}\r\nCSeq: {cseq} {method}\r\n{more}",
        unique(),
        line("From:"),
        line("Call-ID:"),
    )
}

/// Answers a request of the exchange.
pub(crate) fn reply(request: &Request, status: u16, more: &str) -> String {
    let mut text = format!("SIP/2.0 {status} X\r\n");
    for name in [
        HeaderName::Via,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
        HeaderName::CSeq,
    ] {
        for value in request.headers.get_all(&name) {
            text += &format!("{name}: {value}\r\n");
        }
    }
    text + if more.is_empty() {
        "Content-Length: 0\r\n\r\n"
    } else {
        more
    }
}
