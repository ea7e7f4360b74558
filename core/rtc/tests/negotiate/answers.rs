//! Answers to first offers and to later ones that change the lines.

use crate::engine::{Side, policy, usual};
use crate::rules::assert_answers;
use crate::*;
use codec::Kind;
use rtc::negotiate::{LineFault, Note};

#[test]
fn every_recorded_offer_gets_a_lawful_answer() {
    for (name, text) in OFFERS {
        for policy in [
            usual(),
            policy(&["ulaw"], &["h264"], 1),
            policy(&["opus", "g722", "alaw"], &["av1", "vp9", "vp8"], 9),
        ] {
            let mut side = Side::new(policy);
            let offer = sdp(text);
            let answer = side
                .answer(&offer)
                .unwrap_or_else(|refused| panic!("{name}: {refused}"));
            assert_answers(&offer, &answer);
            side.assert_engine_agrees();
        }
    }
}

#[test]
fn chromium_gets_opus_ulaw_its_digits_and_vp8() {
    let mut side = Side::new(usual());
    let answer = side.answer(&sdp(CHROMIUM)).unwrap();
    assert_eq!(formats(&answer, 0), ["111", "0", "110", "126"]);
    assert_eq!(formats(&answer, 1)[..2], ["96", "97"]);
    assert_eq!(answer.media[0].candidates().count(), 1);
    assert!(answer.media[0].has("end-of-candidates"));
    assert_eq!(answer.media[1].candidates().count(), 0);
}

#[test]
fn firefox_gets_its_own_payload_types() {
    let mut side = Side::new(usual());
    let answer = side.answer(&sdp(FIREFOX)).unwrap();
    assert_eq!(formats(&answer, 0), ["109", "0", "101"]);
    assert_eq!(formats(&answer, 1), ["120", "124"]);
}

#[test]
fn the_order_of_allow_decides_not_the_order_of_the_offer() {
    let mut side = Side::new(policy(&["alaw", "opus"], &["vp9", "vp8"], 1));
    let answer = side.answer(&sdp(CHROMIUM)).unwrap();
    assert_eq!(formats(&answer, 0), ["8", "111", "126", "110"]);
    let video = answer.media[1].rtpmaps().next().unwrap();
    assert_eq!(video.encoding, "VP9");
}

#[test]
fn audio_only_is_answered_audio_only() {
    let mut side = Side::new(usual());
    let offer = sdp(CHROMIUM_AUDIO);
    let answer = side.answer(&offer).unwrap();
    assert_eq!(ports(&answer), [9]);
    assert_eq!(side.negotiator.agreed().len(), 1);
}

#[test]
fn an_endpoint_without_video_codecs_refuses_the_picture_and_keeps_the_sound() {
    let mut side = Side::new(policy(&["ulaw"], &[], 0));
    let offer = sdp(CHROMIUM);
    let answer = side.answer(&offer).unwrap();
    assert_answers(&offer, &answer);
    assert_eq!(ports(&answer), [9, 0]);
    assert_eq!(formats(&answer, 0), ["0", "126"]);
    assert_eq!(answer.media[1].formats, offer.media[1].formats);
    assert_eq!(answer.groups().next().unwrap().mids, ["0"]);
    let notes = side.negotiator.notes();
    assert_eq!(notes.len(), 1);
    assert_eq!(
        notes[0].to_string(),
        "Refused m=video (line 2): the endpoint allows 0 of its kind"
    );
}

#[test]
fn firefox_without_h264_keeps_its_sound_at_an_h264_endpoint() {
    let mut side = Side::new(policy(&["opus"], &["h264"], 1));
    let answer = side.answer(&sdp(FIREFOX)).unwrap();
    assert_eq!(ports(&answer), [9, 0]);
    let mut side = Side::new(policy(&["opus"], &["h264"], 1));
    let answer = side.answer(&sdp(CHROMIUM)).unwrap();
    let encodings: Vec<&str> = answer.media[1].rtpmaps().map(|map| map.encoding).collect();
    assert!(
        encodings.iter().all(|name| matches!(*name, "H264" | "rtx")),
        "{encodings:?}"
    );
}

#[test]
fn a_second_picture_is_refused_where_one_is_allowed() {
    let mut side = Side::new(policy(&["opus"], &["vp8"], 1));
    let offer = sdp(TWO_PICTURES);
    let answer = side.answer(&offer).unwrap();
    assert_answers(&offer, &answer);
    assert_eq!(ports(&answer), [9, 9, 0]);
    let fault = LineFault::TooMany { max: 1 };
    let media = "video".into();
    assert_eq!(
        side.negotiator.notes(),
        [Note::LineRefused {
            mline: 2,
            media,
            fault
        }]
    );
}

#[test]
fn sound_and_first_picture_share_a_stream_and_further_pictures_do_not() {
    let mut side = Side::new(usual());
    let answer = side.answer(&sdp(TWO_PICTURES)).unwrap();
    let stream = |mline: usize| answer.media[mline].msids().next().unwrap().stream;
    assert_eq!(stream(0), stream(1));
    assert_ne!(stream(1), stream(2));
    let theirs = sdp(TWO_PICTURES);
    for own in &answer.media {
        for msid in own.msids() {
            assert!(
                theirs
                    .media
                    .iter()
                    .all(|media| media.msids().all(|their| their.stream != msid.stream))
            );
        }
    }
}

#[test]
fn a_fax_line_in_the_middle_is_refused_in_its_place() {
    let fax = "m=image 4000 udptl t38\r\nc=IN IP4 192.0.2.2\r\na=T38FaxVersion:0\r\nm=video";
    let offer = edited(CHROMIUM, &[("m=video", fax)]);
    let mut side = Side::new(usual());
    let answer = side.answer(&offer).unwrap();
    assert_answers(&offer, &answer);
    assert_eq!(ports(&answer), [9, 0, 9]);
    assert_eq!(&*answer.media[1].formats[0], "t38");
    let mlines: Vec<usize> = side
        .negotiator
        .agreed()
        .iter()
        .map(|stream| stream.mline)
        .collect();
    assert_eq!(mlines, [0, 2]);

    // Later the caller uses the place of the fax line for a second picture.
    let picture = offer.media[2].to_string().replace("a=mid:1", "a=mid:7");
    let picture = picture
        .lines()
        .filter(|line| !line.contains("ssrc"))
        .collect::<Vec<_>>()
        .join("\r\n");
    let mut later = offer.clone();
    later.media[1] = sdp(&format!("v=0\r\n{picture}\r\n")).media.remove(0);
    let later = edited(&later.to_string(), &[("BUNDLE 0 1", "BUNDLE 0 7 1")]);
    let answer = side.answer(&later).unwrap();
    assert_answers(&later, &answer);
    assert_eq!(ports(&answer), [9, 9, 9]);
    side.assert_engine_agrees();
}

#[test]
fn bandwidth_twice_titles_and_a_missing_time_do_not_matter() {
    let offer = edited(
        CHROMIUM,
        &[
            ("t=0 0\r\n", ""),
            ("s=-\r\n", "s=\r\ni=call\r\nb=AS:4000\r\nb=TIAS:4000000\r\n"),
            (
                "a=mid:1\r\n",
                "i=camera\r\nb=AS:2000\r\nb=TIAS:2000000\r\na=mid:1\r\n",
            ),
        ],
    );
    let mut side = Side::new(usual());
    let answer = side.answer(&offer).unwrap();
    assert_answers(&offer, &answer);
    assert_eq!(ports(&answer), [9, 9]);
}

#[test]
fn old_names_of_the_profile_are_echoed() {
    for profile in [
        "RTP/SAVPF",
        "UDP/TLS/RTP/SAVP",
        "RTP/AVPF",
        "RTP/AVP",
        "TCP/TLS/RTP/SAVPF",
    ] {
        let offer = edited(CHROMIUM, &[("UDP/TLS/RTP/SAVPF", profile)]);
        let mut side = Side::new(usual());
        let answer = side.answer(&offer).unwrap();
        assert_answers(&offer, &answer);
        assert_eq!(&*answer.media[0].profile, profile);
    }
}

/// Asterisk calls its lines `audio-0`. The engine cannot, so the MID extension is left out and
/// packets are told apart by SSRC.
#[test]
fn mids_that_the_engine_cannot_carry_come_back_unchanged() {
    let offer = edited(
        CHROMIUM,
        &[
            ("BUNDLE 0 1", "BUNDLE audio-0 video-1"),
            ("a=mid:0", "a=mid:audio-0"),
            ("a=mid:1", "a=mid:video-1"),
        ],
    );
    let mut side = Side::new(usual());
    let answer = side.answer(&offer).unwrap();
    assert_answers(&offer, &answer);
    assert!(!answer.to_string().contains("sdes:mid"));
    let notes = side.negotiator.notes();
    assert_eq!(
        notes[0],
        Note::MidRenamed {
            mline: 0,
            mid: "audio-0".into()
        }
    );
    let agreed = side.negotiator.agreed().clone();
    for (stream, offered) in agreed.iter().zip(&offer.media) {
        let mid = stream.mid.as_deref().unwrap();
        let ssrc = offered.ssrcs().next().unwrap().ssrc;
        assert_eq!(stream.ssrcs[0].0, ssrc);
        let mut api = side.rtc.direct_api();
        let expected = api
            .stream_rx_by_mid(mid.into(), None)
            .expect("a stream by SSRC");
        assert_eq!(*expected.ssrc(), ssrc);
    }
}

#[test]
fn lines_without_mid_and_bundle_leave_room_for_one_transport() {
    let offer = edited(
        CHROMIUM,
        &[
            ("a=group:BUNDLE 0 1\r\n", ""),
            ("a=mid:0\r\n", ""),
            ("a=mid:1\r\n", ""),
        ],
    );
    let mut side = Side::new(usual());
    let answer = side.answer(&offer).unwrap();
    assert_answers(&offer, &answer);
    assert_eq!(ports(&answer), [9, 0]);
    let fault = LineFault::NotBundled;
    let notes = side.negotiator.notes();
    assert!(
        notes.contains(&Note::LineRefused {
            mline: 1,
            media: "video".into(),
            fault
        }),
        "{notes:?}"
    );
}

#[test]
fn port_0_inside_the_bundle_is_a_line_in_use() {
    let mut offer = sdp(CHROMIUM);
    offer.media[1].port = 0;
    let mut side = Side::new(usual());
    let answer = side.answer(&offer).unwrap();
    assert_eq!(ports(&answer), [9, 9]);
}

#[test]
fn a_stopped_line_stays_refused_until_its_place_is_used_again() {
    let mut side = Side::new(usual());
    side.answer(&sdp(CHROMIUM)).unwrap();
    let stop = |text: &str| {
        let mut offer = edited(text, &[("BUNDLE 0 1", "BUNDLE 0")]);
        offer.media[1].port = 0;
        offer
    };
    let stopped = stop(CHROMIUM);
    let answer = side.answer(&stopped).unwrap();
    assert_answers(&stopped, &answer);
    assert_eq!(ports(&answer), [9, 0]);
    assert_eq!(side.negotiator.agreed().len(), 1);
    // A browser uses the place again under a new mid, a phone under the old one.
    let again = edited(
        CHROMIUM,
        &[("BUNDLE 0 1", "BUNDLE 0 5"), ("a=mid:1", "a=mid:5")],
    );
    for again in [again, sdp(CHROMIUM)] {
        let answer = side.answer(&again).unwrap();
        assert_answers(&again, &answer);
        assert_eq!(ports(&answer), [9, 9]);
        side.assert_engine_agrees();
        side.answer(&stopped).unwrap();
    }
}

#[test]
fn the_first_line_may_stop_while_the_picture_goes_on() {
    let mut side = Side::new(usual());
    side.answer(&sdp(CHROMIUM)).unwrap();
    let mut offer = edited(CHROMIUM, &[("BUNDLE 0 1", "BUNDLE 1")]);
    offer.media[0].port = 0;
    let answer = side.answer(&offer).unwrap();
    assert_answers(&offer, &answer);
    assert_eq!(ports(&answer), [0, 9]);
    assert_eq!(
        answer.media[1].candidates().count(),
        1,
        "the candidates moved to the line in use"
    );
}

#[test]
fn everything_may_stop_in_a_call() {
    let mut side = Side::new(usual());
    side.answer(&sdp(CHROMIUM)).unwrap();
    let mut offer = edited(CHROMIUM, &[("BUNDLE 0 1", "BUNDLE")]);
    offer.media.iter_mut().for_each(|media| media.port = 0);
    let answer = side.answer(&offer).unwrap();
    assert_eq!(ports(&answer), [0, 0]);
    let again = edited(
        CHROMIUM,
        &[
            ("BUNDLE 0 1", "BUNDLE 4 5"),
            ("a=mid:0", "a=mid:4"),
            ("a=mid:1", "a=mid:5"),
        ],
    );
    let answer = side.answer(&again).unwrap();
    assert_answers(&again, &answer);
    assert_eq!(ports(&answer), [9, 9]);
}

#[test]
fn video_added_to_a_call_keeps_the_sound_as_it_was() {
    let mut side = Side::new(usual());
    let mut audio = sdp(CHROMIUM);
    audio.media.truncate(1);
    let audio = edited(&audio.to_string(), &[("BUNDLE 0 1", "BUNDLE 0")]);
    let before = side.answer(&audio).unwrap();
    let offer = sdp(CHROMIUM);
    let answer = side.answer(&offer).unwrap();
    assert_answers(&offer, &answer);
    assert_eq!(answer.media[0], before.media[0]);
    assert_eq!(side.negotiator.agreed().streams(Kind::Video).count(), 1);
}

#[test]
fn a_restart_of_ice_is_answered_with_new_credentials() {
    let mut side = Side::new(usual());
    let before = side.answer(&sdp(CHROMIUM)).unwrap();
    let offer = sdp(CHROMIUM);
    let (ufrag, pwd) = offer.ice(&offer.media[0]).unwrap();
    let offer = edited(
        CHROMIUM,
        &[(ufrag, "NEWx"), (pwd, "abcdefghijklmnopqrstuvwx")],
    );
    let answer = side.answer(&offer).unwrap();
    assert_answers(&offer, &answer);
    assert_ne!(answer.ice(&answer.media[0]), before.ice(&before.media[0]));
}

#[test]
fn the_version_rises_only_with_the_content() {
    let mut side = Side::new(usual());
    let first = side.answer(&sdp(CHROMIUM)).unwrap();
    let same = side.answer(&sdp(CHROMIUM)).unwrap();
    let held = side.answer(&sdp(CHROMIUM_HOLD)).unwrap();
    let origin = |sdp: &Sdp| {
        let origin = sdp.origin().unwrap();
        (origin.session_id.to_owned(), origin.version.to_owned())
    };
    let (id, _) = origin(&first);
    assert_eq!(origin(&same), (id.clone(), "1".into()));
    assert_eq!(origin(&held), (id, "2".into()));
}

#[test]
fn the_same_seed_names_streams_alike() {
    let msids = || {
        let answer = Side::new(usual()).answer(&sdp(TWO_PICTURES)).unwrap();
        let lines = answer
            .media
            .iter()
            .map(|media| media.attribute("msid").unwrap().to_owned());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(msids(), msids());
}

/// The engine panics over a number with two meanings: the second meaning must not reach it.
#[test]
fn a_payload_type_keeps_its_first_meaning() {
    let offer = edited(
        CHROMIUM,
        &[
            ("a=rtpmap:96 VP8/90000", "a=rtpmap:111 VP8/90000"),
            ("SAVPF 96", "SAVPF 111"),
        ],
    );
    let mut side = Side::new(policy(&["opus"], &["vp8", "vp9"], 1));
    let answer = side.answer(&offer).unwrap();
    assert_eq!(answer.media[1].rtpmaps().next().unwrap().encoding, "VP9");
    // So must a new meaning in a later offer.
    let mut side = Side::new(policy(&["opus", "g722"], &[], 0));
    side.answer(&sdp(CHROMIUM_AUDIO)).unwrap();
    let later = edited(
        CHROMIUM_AUDIO,
        &[
            ("a=rtpmap:9 G722/8000\r\n", ""),
            ("a=rtpmap:111 opus/48000/2", "a=rtpmap:111 G722/8000"),
        ],
    );
    let _ = side.answer(&later);
}
