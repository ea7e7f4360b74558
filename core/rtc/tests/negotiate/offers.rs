//! Our own offers: more streams in a call, and first offers.

use crate::engine::{Side, policy, usual};
use crate::rules::{assert_answers, browser_answer};
use crate::*;
use codec::Kind;
use rtc::Refused;
use rtc::negotiate::Note;
use rtc::topology::{Direction, Topology};

use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};

/// A call in which StreamEcho(4) has made its offer.
fn stream_echo(text: &str) -> (Side, Sdp) {
    let mut side = Side::new(usual());
    side.answer(&sdp(text)).unwrap();
    let want = side
        .negotiator
        .agreed()
        .clone()
        .with_count(Kind::Video, 4, SendOnly);
    let offer = side.offer(&want).unwrap().unwrap();
    (side, offer)
}

#[test]
fn stream_echo_adds_three_pictures_of_their_own() {
    for text in [CHROMIUM, FIREFOX] {
        let (mut side, offer) = stream_echo(text);
        let first = sdp(text);
        assert_eq!(
            directions(&offer),
            ["sendrecv", "sendrecv", "sendonly", "sendonly", "sendonly"]
        );
        let mids: Vec<&str> = offer
            .media
            .iter()
            .map(|media| media.mid().unwrap())
            .collect();
        assert_eq!(mids[..2], ["0", "1"]);
        assert_eq!(offer.groups().next().unwrap().mids, mids);
        let mut streams: Vec<&str> = offer
            .media
            .iter()
            .map(|media| media.msids().next().unwrap().stream)
            .collect();
        streams.dedup();
        assert_eq!(
            streams.len(),
            4,
            "sound and first picture, then one stream for each picture"
        );
        // New lines use the numbers of the call and no others.
        assert_eq!(formats(&offer, 2), formats(&offer, 1));
        assert!(
            offer
                .media
                .iter()
                .all(|media| offer.setup(media) == Some(sdp::Setup::ActPass))
        );

        let answer = browser_answer(
            &first,
            &offer,
            &[SendRecv, SendRecv, RecvOnly, RecvOnly, RecvOnly],
        );
        side.apply(&answer).unwrap();
        side.assert_engine_agrees();
        let agreed = side.negotiator.agreed();
        let pictures: Vec<Direction> = agreed
            .streams(Kind::Video)
            .map(|stream| stream.direction)
            .collect();
        assert_eq!(pictures, [SendRecv, SendOnly, SendOnly, SendOnly]);
        assert!(
            agreed
                .streams(Kind::Video)
                .all(|stream| stream.payloads[0].rtx.is_some())
        );
    }
}

#[test]
fn surplus_pictures_are_dropped_without_an_offer() {
    let mut side = Side::new(policy(&["opus"], &["vp8"], 1));
    side.answer(&sdp(CHROMIUM)).unwrap();
    let want = side
        .negotiator
        .agreed()
        .clone()
        .with_count(Kind::Video, 4, SendOnly);
    assert_eq!(side.offer(&want), Ok(None));
    let note = Note::StreamsDropped {
        kind: Kind::Video,
        dropped: 3,
        max: 1,
    };
    assert_eq!(side.negotiator.notes(), [note]);
    // No offer is pending.
    side.answer(&sdp(CHROMIUM_HOLD)).unwrap();
}

#[test]
fn pictures_within_the_limit_are_offered() {
    let mut side = Side::new(policy(&["opus"], &["vp8"], 2));
    side.answer(&sdp(CHROMIUM)).unwrap();
    let want = side
        .negotiator
        .agreed()
        .clone()
        .with_count(Kind::Video, 4, SendOnly);
    assert_eq!(side.offer(&want).unwrap().unwrap().media.len(), 3);
}

#[test]
fn a_refused_offer_is_forgotten_and_the_next_one_stands() {
    let (mut side, refused) = stream_echo(CHROMIUM);
    side.rollback();
    side.assert_engine_agrees();
    assert_eq!(side.negotiator.agreed().len(), 2);
    let answer = side.answer(&sdp(CHROMIUM_HOLD)).unwrap();
    assert_eq!(answer.media.len(), 2);
    side.answer(&sdp(CHROMIUM_RESUME)).unwrap();
    let want = side
        .negotiator
        .agreed()
        .clone()
        .with_count(Kind::Video, 3, SendOnly);
    let offer = side.offer(&want).unwrap().unwrap();
    assert_eq!(offer.media.len(), 4);
    let version = |sdp: &Sdp| sdp.origin().unwrap().version.parse::<u64>().unwrap();
    assert!(version(&offer) > version(&refused));
    let answer = browser_answer(
        &sdp(CHROMIUM),
        &offer,
        &[SendRecv, SendRecv, RecvOnly, RecvOnly],
    );
    side.apply(&answer).unwrap();
    side.assert_engine_agrees();
}

#[test]
fn a_browser_offers_again_after_stream_echo() {
    let (mut side, ours) = stream_echo(CHROMIUM);
    let first = sdp(CHROMIUM);
    let answer = browser_answer(
        &first,
        &ours,
        &[SendRecv, SendRecv, RecvOnly, RecvOnly, RecvOnly],
    );
    side.apply(&answer).unwrap();
    // Hold: what the browser only received becomes inactive.
    let hold = browser_answer(
        &first,
        &ours,
        &[SendOnly, SendOnly, Inactive, Inactive, Inactive],
    );
    let hold = edited(&hold.to_string(), &[("a=setup:active", "a=setup:actpass")]);
    let held = side.answer(&hold).unwrap();
    assert_answers(&hold, &held);
    assert_eq!(
        directions(&held),
        ["recvonly", "recvonly", "inactive", "inactive", "inactive"]
    );
    let resume = edited(
        &answer.to_string(),
        &[("a=setup:active", "a=setup:actpass")],
    );
    let resumed = side.answer(&resume).unwrap();
    assert_answers(&resume, &resumed);
    side.assert_engine_agrees();
    assert_eq!(resumed.media.len(), 5);
}

#[test]
fn a_picture_that_the_browser_refuses_is_gone_and_the_others_flow() {
    let (mut side, offer) = stream_echo(CHROMIUM);
    let first = sdp(CHROMIUM);
    let mut answer = browser_answer(
        &first,
        &offer,
        &[SendRecv, SendRecv, RecvOnly, RecvOnly, RecvOnly],
    );
    answer.media[3].port = 0;
    let mids: Vec<&str> = [0, 1, 2, 4]
        .iter()
        .map(|index: &usize| offer.media[*index].mid().unwrap())
        .collect();
    let group = format!("a=group:BUNDLE {}", mids.join(" "));
    let all = answer
        .lines
        .iter()
        .find(|line| line.value.starts_with("group:"))
        .unwrap();
    let answer = edited(
        &answer.to_string(),
        &[(&format!("a={}", all.value), &group)],
    );
    side.apply(&answer).unwrap();
    side.assert_engine_agrees();
    assert_eq!(side.negotiator.agreed().len(), 4);
    assert_eq!(side.negotiator.notes(), [Note::PeerRefused { mline: 3 }]);
    // The next offer keeps the refused place.
    let want = side
        .negotiator
        .agreed()
        .clone()
        .with_count(Kind::Video, 4, SendOnly);
    let offer = side.offer(&want).unwrap().unwrap();
    assert_eq!(ports(&offer), [9, 9, 9, 0, 9, 9]);
    let directions = [SendRecv, SendRecv, RecvOnly, Inactive, RecvOnly, RecvOnly];
    let mut answer = browser_answer(&first, &offer, &directions);
    answer.media[3].port = 0;
    side.apply(&answer).unwrap();
    side.assert_engine_agrees();
    assert_eq!(side.negotiator.agreed().len(), 5);
}

/// RFC 3264 §6.1 forbids it, sipML5 does it: the engine must not wait for pictures there.
#[test]
fn an_answer_cannot_send_where_we_offered_sendonly() {
    let (mut side, offer) = stream_echo(CHROMIUM);
    let answer = browser_answer(&sdp(CHROMIUM), &offer, &[SendRecv; 5]);
    side.apply(&answer).unwrap();
    side.assert_engine_agrees();
    let pictures = side.negotiator.agreed().streams(Kind::Video).skip(1);
    assert!(
        pictures
            .map(|stream| stream.direction)
            .all(|direction| direction == SendOnly)
    );
}

#[test]
fn a_late_offer_starts_a_call() {
    let mut side = Side::new(usual());
    let want = Topology::default()
        .with_count(Kind::Audio, 1, SendRecv)
        .with_count(Kind::Video, 1, SendRecv);
    let offer = side.offer(&want).unwrap().unwrap();
    assert_eq!(offer.media.len(), 2);
    assert_eq!(
        offer.media[0].msids().next().unwrap().stream,
        offer.media[1].msids().next().unwrap().stream
    );
    let answer = browser_answer(&sdp(FIREFOX), &offer, &[SendRecv, SendRecv]);
    side.apply(&answer).unwrap();
    side.assert_engine_agrees();
    // The browser is active, so we are passive; its next offer leaves that open.
    let again = edited(
        &answer.to_string(),
        &[("a=setup:active", "a=setup:actpass")],
    );
    let reply = side.answer(&again).unwrap();
    assert_answers(&again, &reply);
    assert_eq!(reply.setup(&reply.media[0]), Some(sdp::Setup::Passive));
}

#[test]
fn a_caller_with_sound_only_accepts_half_of_a_late_offer() {
    let mut side = Side::new(usual());
    let want = Topology::default()
        .with_count(Kind::Audio, 1, SendRecv)
        .with_count(Kind::Video, 1, SendRecv);
    let offer = side.offer(&want).unwrap().unwrap();
    let mut answer = browser_answer(&sdp(CHROMIUM_AUDIO), &offer, &[SendRecv, Inactive]);
    answer.media[1].port = 0;
    let mid = offer.media[1].mid().unwrap();
    let answer = edited(&answer.to_string(), &[(&format!(" {mid}\r\n"), "\r\n")]);
    side.apply(&answer).unwrap();
    side.assert_engine_agrees();
    assert_eq!(side.negotiator.agreed().len(), 1);
}

#[test]
fn offers_that_cross_are_told_apart() {
    let (mut side, offer) = stream_echo(CHROMIUM);
    let refused = side.answer(&sdp(CHROMIUM_HOLD)).unwrap_err();
    assert_eq!((refused.status(), &refused), (491, &Refused::OfferPending));
    let answer = browser_answer(
        &sdp(CHROMIUM),
        &offer,
        &[SendRecv, SendRecv, RecvOnly, RecvOnly, RecvOnly],
    );
    side.apply(&answer).unwrap();
    assert_eq!(side.apply(&answer).unwrap_err(), Refused::NoOfferPending);
}

#[test]
fn an_answer_with_other_lines_is_refused_and_the_offer_can_be_taken_back() {
    let (mut side, offer) = stream_echo(CHROMIUM);
    let mut answer = browser_answer(
        &sdp(CHROMIUM),
        &offer,
        &[SendRecv, SendRecv, RecvOnly, RecvOnly, RecvOnly],
    );
    answer.media.pop();
    let refused = side.apply(&answer).unwrap_err();
    assert_eq!(
        refused,
        Refused::LineCount {
            offered: 5,
            answered: 4
        }
    );
    side.rollback();
    side.assert_engine_agrees();
    side.answer(&sdp(CHROMIUM_HOLD)).unwrap();
}

#[test]
fn fewer_pictures_are_wanted_by_setting_them_inactive() {
    let (mut side, offer) = stream_echo(CHROMIUM);
    let first = sdp(CHROMIUM);
    let answer = browser_answer(
        &first,
        &offer,
        &[SendRecv, SendRecv, RecvOnly, RecvOnly, RecvOnly],
    );
    side.apply(&answer).unwrap();
    let want = side
        .negotiator
        .agreed()
        .clone()
        .with_count(Kind::Video, 2, SendOnly);
    let offer = side.offer(&want).unwrap().unwrap();
    assert_eq!(
        directions(&offer),
        ["sendrecv", "sendrecv", "sendonly", "inactive", "inactive"]
    );
    let answer = browser_answer(
        &first,
        &offer,
        &[SendRecv, SendRecv, RecvOnly, Inactive, Inactive],
    );
    side.apply(&answer).unwrap();
    side.assert_engine_agrees();
    let want = side
        .negotiator
        .agreed()
        .clone()
        .with_count(Kind::Video, 3, SendOnly);
    let offer = side.offer(&want).unwrap().unwrap();
    assert_eq!(
        directions(&offer),
        ["sendrecv", "sendrecv", "sendonly", "sendonly", "inactive"]
    );
}

#[test]
fn an_answer_cannot_restart_ice() {
    let (mut side, offer) = stream_echo(CHROMIUM);
    let first = sdp(CHROMIUM);
    let answer = browser_answer(
        &first,
        &offer,
        &[SendRecv, SendRecv, RecvOnly, RecvOnly, RecvOnly],
    );
    let (ufrag, _) = first.ice(&first.media[0]).unwrap();
    let answer = edited(&answer.to_string(), &[(ufrag, "NEWx")]);
    assert_eq!(side.apply(&answer).unwrap_err(), Refused::IceChanged);
    side.rollback();
    side.assert_engine_agrees();
}
