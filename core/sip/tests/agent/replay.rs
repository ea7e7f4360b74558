//! A whole visit of JsSIP 3.0.13, recorded: REGISTER, call, INFO, hold and resume, MESSAGE, REFER, BYE, un-REGISTER.

use bytes::Bytes;
use sip::{Body, Counts, Ended, Event, HeaderName, Message, OfferVia, Status, Transport};

use super::solo::Solo;
use crate::vectors;

/// The To tag of the party she called then.
const RECORDED_TAG: &str = "rhrf7gdsf4";

fn recorded(number: u32, tag: &str) -> Bytes {
    let name = format!("jssip-3013-to-313-{number:03}");
    let all = vectors::messages("transcripts/jssip-3013-to-313.txt");
    let (_, bytes) = all.into_iter().find(|(known, _)| *known == name).unwrap();
    match Message::parse(&bytes).unwrap() {
        Message::Request(mut request) => {
            let to = request
                .headers
                .get(&HeaderName::To)
                .unwrap()
                .replace(RECORDED_TAG, tag);
            request.headers.set(HeaderName::To, &to);
            request.to_bytes()
        }
        Message::Response(response) => response.to_bytes(),
    }
}

/// The layer above, as simple as it can be.
fn react(solo: &mut Solo) -> Vec<&'static str> {
    let mut told = Vec::new();
    for event in std::mem::take(&mut solo.events) {
        told.push(match event {
            Event::Request { id, request, .. } => {
                let known = request.headers.has(&HeaderName::Authorization)
                    || request.method == sip::Method::Message;
                let status = if known {
                    Status::OK
                } else {
                    Status::UNAUTHORIZED
                };
                let mut response = request.response(status);
                let contacts: Vec<_> = request.headers.get_all(&HeaderName::Contact).collect();
                for contact in contacts.into_iter().filter(|_| known) {
                    response.headers.push(HeaderName::Contact, contact);
                }
                solo.act(|agent, now, _| agent.respond(now, id, response));
                "request"
            }
            Event::Invite { id, .. } => {
                solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("answer")));
                "invite"
            }
            Event::Confirmed { .. } => "confirmed",
            Event::Offer {
                id,
                via: OfferVia::Reinvite,
                body: Some(_),
            } => {
                solo.act(|agent, now, _| agent.answer(now, id, Some(Body::sdp("answer"))));
                "offer"
            }
            Event::InDialog {
                request_id,
                request,
                ..
            } => {
                let response = request.response(Status::OK);
                solo.act(|agent, now, _| agent.respond(now, request_id, response));
                "in dialog"
            }
            Event::Ended {
                cause: Ended::Bye(_),
                ..
            } => "bye",
            other => panic!("{other:?}"),
        });
    }
    told
}

#[test]
fn a_recorded_visit_of_jssip_is_served() {
    let mut solo = Solo::new(Transport::Ws);
    let steps: [(u32, &[&str], &[&str]); 16] = [
        (1, &["request"], &["401 REGISTER"]),
        (2, &["request"], &["200 REGISTER"]),
        (5, &["invite"], &["100 INVITE", "200 INVITE"]),
        (9, &["confirmed"], &[]),
        (10, &["in dialog"], &["200 INFO"]),
        (12, &["offer"], &["100 INVITE", "200 INVITE"]),
        (15, &[], &[]),
        // A response, and the ACK to a 200 we never sent.
        (17, &[], &[]),
        (19, &[], &[]),
        (24, &["request"], &["200 MESSAGE"]),
        (26, &["in dialog"], &["200 INFO"]),
        (28, &["in dialog"], &["200 REFER"]),
        // Responses to somebody else's requests.
        (31, &[], &[]),
        (35, &[], &[]),
        (36, &["bye"], &["200 BYE"]),
        (38, &["request"], &["401 REGISTER"]),
    ];
    let mut tag = String::new();
    for (number, events, lines) in steps {
        let bytes = recorded(number, &tag);
        solo.act(|agent, now, flow| agent.handle_message(now, flow, &bytes));
        assert_eq!(react(&mut solo), events, "message {number}");
        if number == 5 {
            tag = solo.our_tag();
            let headers = &solo.last_response().headers;
            assert_eq!(
                headers.get(&HeaderName::SessionExpires),
                Some("90;refresher=uac")
            );
            assert_eq!(headers.vias().unwrap().len(), 1);
        }
        assert_eq!(solo.lines(), lines, "message {number}");
        solo.advance_ms(100);
    }
    solo.advance_ms(64_000);
    assert_eq!(solo.agent.counts(), Counts::default());
    assert_eq!(solo.agent.poll_timeout(), None);
}
