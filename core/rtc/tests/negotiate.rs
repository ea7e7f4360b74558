//! The negotiator with the real engine: recorded offers in, answers out, and our own offers.

#[path = "negotiate/engine.rs"]
mod engine;
#[path = "negotiate/rules.rs"]
mod rules;

use codec::Kind;
use engine::{Side, policy, usual};
use rtc::Refused;
use rtc::negotiate::{LineFault, Note};
use rtc::topology::{Direction, Topology};
use rules::{assert_answers, browser_answer};
use sdp::Sdp;

const CHROMIUM: &str =
    include_str!("../../sdp/tests/vectors/recorded/jssip-3013-to-313.03248.alice.offer.sdp");
const FIREFOX: &str = include_str!("../../sdp/tests/vectors/recorded/ff.04638.ff.offer.sdp");

fn sdp(text: &str) -> Sdp {
    text.parse().unwrap()
}

fn formats(sdp: &Sdp, mline: usize) -> Vec<&str> {
    sdp.media[mline]
        .formats
        .iter()
        .map(|format| &**format)
        .collect()
}

#[test]
fn answers_chromium_with_opus_ulaw_digits_and_vp8() {
    let mut side = Side::new(usual());
    let offer = sdp(CHROMIUM);
    let answer = side.answer(&offer).unwrap();
    assert_answers(&offer, &answer);
    assert_eq!(formats(&answer, 0), ["111", "0", "110", "126"]);
    assert_eq!(formats(&answer, 1)[..2], ["96", "97"]);
}

#[test]
fn answers_firefox_with_its_session_level_fingerprint() {
    let mut side = Side::new(usual());
    let offer = sdp(FIREFOX);
    let answer = side.answer(&offer).unwrap();
    assert_answers(&offer, &answer);
}

#[test]
fn stream_echo_adds_three_pictures_to_a_call() {
    let mut side = Side::new(usual());
    let offer = sdp(CHROMIUM);
    let answer = side.answer(&offer).unwrap();
    let want = side
        .negotiator
        .agreed()
        .clone()
        .with_count(Kind::Video, 4, Direction::SendOnly);
    let ours = side.offer(&want).unwrap().unwrap();
    assert_eq!(ours.media.len(), 5);
    assert_eq!(answer.media[0].mid(), ours.media[0].mid());
    use Direction::{RecvOnly, SendRecv};
    let theirs = browser_answer(
        &offer,
        &ours,
        &[SendRecv, SendRecv, RecvOnly, RecvOnly, RecvOnly],
    );
    side.apply(&theirs).unwrap();
    let agreed = side.negotiator.agreed();
    assert_eq!(agreed.len(), 5);
    assert_eq!(
        agreed
            .streams(Kind::Video)
            .filter(|stream| stream.direction == Direction::SendOnly)
            .count(),
        3
    );
    let directions: Vec<_> = agreed
        .iter()
        .map(|stream| engine::engine(stream.direction))
        .collect();
    assert_eq!(side.engine_directions(), directions);
}
