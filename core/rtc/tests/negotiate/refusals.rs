//! Offers that cannot be answered: the status and a sentence to act on.

use crate::engine::{Side, policy, usual};
use crate::*;
use expect_test::{Expect, expect};
use rtc::Refused;

fn check(offer: &Sdp, expected: &Expect) {
    let refused = Side::new(policy(&["opus"], &["vp8"], 1))
        .answer(offer)
        .unwrap_err();
    expected.assert_eq(&format!("{} {refused}", refused.status()));
}

fn without(text: &str, name: &str) -> Sdp {
    let lines = text
        .lines()
        .filter(|line| !line.starts_with(&format!("a={name}")));
    sdp(&lines.collect::<Vec<_>>().join("\r\n"))
}

#[test]
fn the_sentence_names_what_to_switch_on() {
    check(
        &without(CHROMIUM, "fingerprint"),
        &expect![[
            r#"488 No a=fingerprint in the offer: switch on WebRTC (DTLS-SRTP) in the client"#
        ]],
    );
    check(
        &without(CHROMIUM, "ice-pwd"),
        &expect![[r#"488 No a=ice-ufrag and a=ice-pwd in the offer: switch on ICE in the client"#]],
    );
    check(
        &without(CHROMIUM, "rtcp-mux"),
        &expect![[r#"488 No a=rtcp-mux in the offer: switch on RTCP multiplexing in the client"#]],
    );
    let sdes = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\na=mid:0";
    let sdes = without(&CHROMIUM.replace("a=mid:0", sdes), "fingerprint");
    check(
        &sdes,
        &expect![[
            r#"488 The offer has SDES keys (a=crypto) only: switch the client from SDES to DTLS-SRTP"#
        ]],
    );
}

#[test]
fn a_plain_phone_is_told_to_switch_on_webrtc() {
    let phone = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 opus/48000/2\r\n";
    check(
        &sdp(phone),
        &expect![[
            r#"488 No a=fingerprint in the offer: switch on WebRTC (DTLS-SRTP) in the client"#
        ]],
    );
}

#[test]
fn no_codec_in_common_names_both_lists() {
    let offer = sdp(&CHROMIUM_AUDIO.replace("opus/48000/2", "speex/16000"));
    check(
        &offer,
        &expect![[
            r#"488 No common audio codec: the far end has speex, red, G722, PCMU, PCMA, CN, telephone-event, the endpoint allows opus"#
        ]],
    );
}

#[test]
fn nothing_to_hear_or_see() {
    let data = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n";
    check(
        &sdp(data),
        &expect![[r#"488 The offer has neither audio nor video that may be used"#]],
    );
    check(
        &sdp("v=0\r\n"),
        &expect![[r#"488 The offer has neither audio nor video that may be used"#]],
    );
}

/// An offer that is refused in a call changes nothing (RFC 3261 §14.1).
#[test]
fn what_may_not_change_in_a_call_is_refused_and_the_call_stands() {
    let changes: [(Sdp, Expect); 5] = [
        (
            {
                let mut offer = sdp(CHROMIUM);
                offer.media.pop();
                offer
            },
            expect!["400 The offer has 1 m= lines, the one before had 2"],
        ),
        (
            edited(
                CHROMIUM,
                &[("BUNDLE 0 1", "BUNDLE 0 2"), ("a=mid:1", "a=mid:2")],
            ),
            expect!["400 m= line 2 changed its media type or mid in mid-call"],
        ),
        (
            edited(CHROMIUM, &[("a=mid:1", "a=mid:0")]),
            expect!["400 m= line 2 has the a=mid of another line"],
        ),
        (
            edited(
                CHROMIUM,
                &[("a=fingerprint:sha-256 ", "a=fingerprint:sha-256 00:")],
            ),
            expect!["488 The DTLS fingerprint changed in mid-call: hang up and call again"],
        ),
        (
            edited(CHROMIUM, &[("a=setup:actpass", "a=setup:passive")]),
            expect!["488 a=setup contradicts the DTLS role agreed before: offer actpass"],
        ),
    ];
    for (offer, expected) in changes {
        let mut side = Side::new(usual());
        side.answer(&sdp(CHROMIUM)).unwrap();
        let before = side.negotiator.agreed().clone();
        let refused = side.answer(&offer).unwrap_err();
        expected.assert_eq(&format!("{} {refused}", refused.status()));
        assert_eq!(side.negotiator.agreed(), &before);
        side.answer(&sdp(CHROMIUM_HOLD)).unwrap();
        side.assert_engine_agrees();
    }
}

#[test]
fn an_answer_without_a_question_is_refused() {
    let mut side = Side::new(usual());
    assert_eq!(
        side.negotiator.accept_answer(&sdp(CHROMIUM)),
        Err(Refused::NoOfferPending)
    );
    assert_eq!(
        side.negotiator.finish_answer("v=0\r\n"),
        Err(Refused::NoOfferPending)
    );
    assert_eq!(
        side.negotiator.finish_offer("v=0\r\n"),
        Err(Refused::NoOfferPending)
    );
    assert!(side.negotiator.rollback().is_empty());
}
