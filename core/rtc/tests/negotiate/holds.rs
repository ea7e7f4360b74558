//! Hold and resume, by the peer and by us.

use crate::engine::{Side, usual};
use crate::rules::{assert_answers, browser_answer};
use crate::*;
use rtc::negotiate::Note;
use rtc::policy::Policy;
use rtc::topology::{Direction, Topology};

fn answer_all(offers: &[&str]) -> (Side, Vec<Sdp>) {
    let mut side = Side::new(usual());
    let mut answers = Vec::new();
    for text in offers {
        let offer = sdp(text);
        let answer = side.answer(&offer).unwrap();
        assert_answers(&offer, &answer);
        side.assert_engine_agrees();
        answers.push(answer);
    }
    (side, answers)
}

#[test]
fn hold_is_answered_recvonly_and_resume_gives_the_streams_back() {
    for call in [
        [CHROMIUM, CHROMIUM_HOLD, CHROMIUM_RESUME],
        [SIPJS, SIPJS_HOLD, SIPJS_RESUME],
        [FIREFOX, FIREFOX_HOLD, FIREFOX_RESUME],
    ] {
        let (_, answers) = answer_all(&call);
        assert_eq!(directions(&answers[1]), ["recvonly", "recvonly"]);
        assert_eq!(directions(&answers[2]), ["sendrecv", "sendrecv"]);
        let msid = |answer: &Sdp| answer.media[1].attribute("msid").map(str::to_owned);
        assert_eq!(msid(&answers[1]), None);
        assert_eq!(
            msid(&answers[2]),
            msid(&answers[0]),
            "the picture keeps its stream"
        );
        let ssrcs = |answer: &Sdp| {
            answer.media[1]
                .ssrcs()
                .map(|ssrc| ssrc.ssrc)
                .collect::<Vec<_>>()
        };
        assert_eq!(ssrcs(&answers[2]), ssrcs(&answers[0]));
    }
}

/// RFC 3264 §6.1: an answer to `sendrecv` may be `inactive`. The line stays in the bundle and in the engine.
#[test]
fn a_peer_whose_other_party_has_no_pictures_is_answered_inactive_and_gets_them_back() {
    for (text, again) in [(CHROMIUM, CHROMIUM_RESUME), (FIREFOX, FIREFOX_RESUME)] {
        let dark = Policy {
            pictures: Direction::Inactive,
            ..usual()
        };
        let mut side = Side::new(dark);
        let offer = sdp(text);
        let answer = side.answer(&offer).unwrap();
        assert_answers(&offer, &answer);
        side.assert_engine_agrees();
        assert_eq!(directions(&answer), ["sendrecv", "inactive"]);
        assert_eq!(ports(&answer), [9, 9]);
        assert_eq!(answer.media[1].attribute("msid"), None);
        let mids = |sdp: &Sdp| sdp.groups().next().unwrap().mids.len();
        assert_eq!(mids(&answer), mids(&offer), "no line leaves the bundle");
        // Its own next offer does not bring them on.
        let answer = side.answer(&sdp(again)).unwrap();
        assert_eq!(directions(&answer), ["sendrecv", "inactive"]);
        let want = redirected(side.negotiator.agreed(), Direction::SendRecv);
        let offer = side.offer(&want).unwrap().unwrap();
        assert_eq!(directions(&offer), ["sendrecv", "sendrecv"]);
        let answer = browser_answer(&sdp(text), &offer, &[Direction::SendRecv; 2]);
        side.apply(&answer).unwrap();
        side.assert_engine_agrees();
        let agreed = side.negotiator.agreed().iter();
        let agreed: Vec<_> = agreed.map(|stream| stream.direction).collect();
        assert_eq!(agreed, [Direction::SendRecv; 2]);
    }
}

/// sipML5 takes its tracks out and writes `sendonly` over the browser's `recvonly`; the browser
/// rejects a `recvonly` answer then. On resume it adds lines that it mislabels.
#[test]
fn sipml5_is_held_with_inactive_and_its_extra_lines_are_refused_in_place() {
    let (mut side, answers) = answer_all(&[SIPML5, SIPML5_HOLD]);
    assert_eq!(directions(&answers[1]), ["inactive", "inactive"]);
    assert!(
        side.negotiator
            .notes()
            .contains(&Note::HeldInactive { mline: 1 })
    );
    let resume = sdp(SIPML5_RESUME);
    let answer = side.answer(&resume).unwrap();
    assert_answers(&resume, &answer);
    assert_eq!(ports(&answer), [9, 9, 0, 9]);
}

#[test]
fn a_peer_that_we_hold_stays_held_when_it_offers() {
    let (mut side, _) = answer_all(&[CHROMIUM]);
    let want = redirected(side.negotiator.agreed(), Direction::SendOnly);
    let offer = side.offer(&want).unwrap().unwrap();
    assert_eq!(directions(&offer), ["sendonly", "sendonly"]);
    let answer = browser_answer(&sdp(CHROMIUM), &offer, &[Direction::RecvOnly; 2]);
    side.apply(&answer).unwrap();
    side.assert_engine_agrees();
    // RFC 3264 §8.4 leaves hold to each side: both may hold.
    let answer = side.answer(&sdp(CHROMIUM)).unwrap();
    assert_eq!(directions(&answer), ["sendonly", "sendonly"]);
    let answer = side.answer(&sdp(CHROMIUM_HOLD)).unwrap();
    assert_eq!(directions(&answer), ["inactive", "inactive"]);
    side.answer(&sdp(CHROMIUM_RESUME)).unwrap();
    let want = redirected(side.negotiator.agreed(), Direction::SendRecv);
    let offer = side.offer(&want).unwrap().unwrap();
    assert_eq!(directions(&offer), ["sendrecv", "sendrecv"]);
    let answer = browser_answer(&sdp(CHROMIUM), &offer, &[Direction::SendRecv; 2]);
    side.apply(&answer).unwrap();
    side.assert_engine_agrees();
    let answer = side.answer(&sdp(CHROMIUM)).unwrap();
    assert_eq!(directions(&answer), ["sendrecv", "sendrecv"]);
}

#[test]
fn a_refused_hold_leaves_the_engine_as_it_was() {
    let (mut side, _) = answer_all(&[CHROMIUM]);
    let want = redirected(side.negotiator.agreed(), Direction::Inactive);
    side.offer(&want).unwrap().unwrap();
    side.rollback();
    side.assert_engine_agrees();
    let answer = side.answer(&sdp(CHROMIUM)).unwrap();
    assert_eq!(directions(&answer), ["sendrecv", "sendrecv"]);
}

/// The peer asked for an offer and holds in its answer (RFC 3264 §8.4 by RFC 6337 §5.3).
#[test]
fn an_answer_to_what_stands_may_hold() {
    let (mut side, answers) = answer_all(&[CHROMIUM]);
    let held = browser_answer(&sdp(CHROMIUM), &answers[0], &[Direction::SendOnly; 2]);
    side.confirm(&held).unwrap();
    side.assert_engine_agrees();
    let now: Vec<_> = side.negotiator.agreed().iter().collect();
    assert!(now.iter().all(|s| s.direction == Direction::RecvOnly));
    // What was told the peer counts, not what was made of it here.
    let answer = side.answer(&sdp(CHROMIUM)).unwrap();
    assert_eq!(answer.lines[1], answers[0].lines[1], "o=");
    assert_eq!(directions(&answer), ["sendrecv", "sendrecv"]);
    let shorter = Sdp {
        media: held.media[..1].to_vec(),
        ..held.clone()
    };
    assert!(side.confirm(&shorter).is_err());
    let restarted: Sdp = held
        .to_string()
        .replace("a=ice-ufrag:", "a=ice-ufrag:x")
        .parse()
        .unwrap();
    assert_eq!(side.confirm(&restarted), Err(rtc::Refused::IceChanged));
}

fn redirected(agreed: &Topology, direction: Direction) -> Topology {
    let streams = agreed.iter().cloned();
    Topology::new(
        streams
            .map(|stream| rtc::topology::Stream {
                direction,
                ..stream
            })
            .collect(),
    )
}
