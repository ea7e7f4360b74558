//! Who is connected, told in the middle of a call: by the responses, by UPDATE, by re-INVITE.

use sip::{Body, Event, HeaderName, InviteId, OfferVia, Transport};

use super::solo::{SDP, Solo, request};

const PAI: &str = "P-Asserted-Identity";

fn told(who: &str) -> Vec<(HeaderName, String)> {
    vec![(HeaderName::from(PAI), format!("<sip:{who}@pbx>"))]
}

fn has(headers: &sip::Headers, who: &str) -> bool {
    headers.get(&HeaderName::from(PAI)) == Some(&format!("<sip:{who}@pbx>"))
}

/// A call of the peer that waits for its ACK: its id and our tag.
fn answered(solo: &mut Solo, headers: &str) -> (InviteId, String) {
    solo.receive(&request("INVITE", 1, "a", "", &format!("{headers}\n{SDP}")));
    let id = solo.invited();
    solo.act(|agent, now, _| {
        agent.tell(id, told("bob"));
        agent.provisional(now, id, sip::Status::RINGING, None);
    });
    assert!(has(&solo.last_response().headers, "bob"), "in the 180");
    solo.act(|agent, now, _| agent.accept(now, id, Body::sdp("our answer")));
    assert!(has(&solo.last_response().headers, "bob"), "in the 200");
    let tag = solo.our_tag();
    (id, tag)
}

#[test]
fn a_peer_that_allows_update_is_told_by_one_after_its_ack() {
    let mut solo = Solo::new(Transport::Ws);
    let (id, tag) = answered(&mut solo, "Allow: INVITE, UPDATE");
    solo.lines();
    solo.act(|agent, now, _| {
        agent.tell(id, told("carol"));
        agent.announce(now, id, OfferVia::Reinvite);
    });
    assert!(solo.lines().is_empty(), "JsSIP answers 403 before its ACK");
    solo.receive(&request("ACK", 1, "b", &tag, ""));
    let update = solo.last_request();
    assert!(has(&update.headers, "carol") && update.body.is_empty());
    assert_eq!(solo.lines(), ["UPDATE"]);
}

#[test]
fn another_is_told_by_a_reinvite_that_changes_nothing() {
    let mut solo = Solo::new(Transport::Ws);
    let (id, tag) = answered(&mut solo, "Allow: INVITE");
    solo.receive(&request("ACK", 1, "b", &tag, ""));
    solo.lines();
    solo.events.clear();
    solo.act(|agent, now, _| {
        agent.tell(id, told("carol"));
        agent.announce(now, id, OfferVia::Reinvite);
    });
    let invite = solo.last_request();
    assert!(has(&invite.headers, "carol"));
    assert_eq!(&invite.body[..], b"our answer");
    solo.answer("200 OK", "", SDP);
    assert_eq!(solo.lines(), ["INVITE", "ACK"]);
    // RFC 3264 §8: the answer "MAY be different".
    assert!(matches!(solo.events[..], [Event::Restated { .. }]));
}

#[test]
fn glare_is_waited_out_and_what_is_told_is_the_newest() {
    let mut solo = Solo::new(Transport::Ws);
    let (id, tag) = answered(&mut solo, "Allow: INVITE");
    solo.receive(&request("ACK", 1, "b", &tag, ""));
    solo.lines();
    let announce = |solo: &mut Solo, who: &str| {
        solo.act(|agent, now, _| {
            agent.tell(id, told(who));
            agent.announce(now, id, OfferVia::Reinvite);
        });
    };
    announce(&mut solo, "carol");
    solo.answer("491 Request Pending", "", "");
    solo.lines();
    announce(&mut solo, "dave");
    solo.advance_ms(4_100);
    assert!(has(&solo.last_request().headers, "dave"));
    solo.answer("200 OK", "", SDP);
    let lines = solo.lines();
    let invites = lines.iter().filter(|line| *line == "INVITE").count();
    assert_eq!(invites, 1, "it says all there is to say: {lines:?}");
}

/// An UPDATE that says something and is refused for the moment is said again, with the newest, and not for ever.
#[test]
fn an_update_that_crosses_another_request_is_said_again() {
    for refusal in ["491 Request Pending", "500 Busy", "403 Wrong Status"] {
        let mut solo = Solo::new(Transport::Ws);
        let (id, tag) = answered(&mut solo, "Allow: INVITE, UPDATE");
        solo.receive(&request("ACK", 1, "b", &tag, ""));
        solo.lines();
        solo.act(|agent, now, _| {
            agent.tell(id, told("carol"));
            agent.announce(now, id, OfferVia::Reinvite);
        });
        solo.answer(refusal, "", "");
        assert_eq!(solo.lines(), ["UPDATE"]);
        solo.act(|agent, _, _| agent.tell(id, told("dave")));
        solo.advance_ms(4_100);
        assert!(has(&solo.last_request().headers, "dave"), "{refusal}");
        solo.answer("200 OK", "", "");
        assert_eq!(solo.lines(), ["UPDATE"], "{refusal}");
        solo.advance_ms(60_000);
        assert!(solo.lines().is_empty(), "{refusal}");
        // Who refuses always is not asked for ever.
        solo.act(|agent, now, _| agent.announce(now, id, OfferVia::Update));
        let mut said = 0;
        while !solo.sent.is_empty() {
            solo.answer(refusal, "", "");
            said += solo.lines().len();
            solo.advance_ms(4_100);
        }
        assert_eq!(said, 8, "{refusal}");
    }
}

#[test]
fn what_the_peer_says_of_itself_is_handed_up() {
    let mut solo = Solo::new(Transport::Ws);
    let (_, tag) = answered(&mut solo, "Allow: INVITE, UPDATE");
    solo.receive(&request("ACK", 1, "b", &tag, ""));
    solo.events.clear();
    let who = "P-Asserted-Identity: <sip:9@peer>";
    solo.receive(&request("UPDATE", 2, "c", &tag, who));
    assert!(matches!(solo.events[..], [Event::Identity { .. }]));
    solo.receive(&request("UPDATE", 3, "d", &tag, ""));
    assert_eq!(solo.events.len(), 1, "a sign of life says nothing");
    solo.receive(&request("INVITE", 4, "e", &tag, &format!("{who}\n{SDP}")));
    assert!(matches!(
        solo.events[1..],
        [Event::Identity { .. }, Event::Offer { .. }]
    ));
}
