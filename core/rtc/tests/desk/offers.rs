//! What phones are offered, and what becomes of their answers.

use crate::world::{Leg, audio, policy, sections, voice};
use codec::{Kind, by_name};
use rtc::policy::{Encryption, Terms};
use rtc::topology::Direction;
use rtc::{Refused, Round};

fn sdes(short_tag: bool, optimistic: bool) -> Terms {
    Terms {
        encryption: Encryption::Sdes {
            short_tag,
            optimistic,
        },
        ..Terms::default()
    }
}

#[test]
fn a_phone_is_offered_static_numbers_in_the_order_of_allow() {
    let mut leg = Leg::new(policy(
        &["opus", "g722", "alaw", "ulaw"],
        &["h264"],
        Terms::default(),
    ));
    let want = voice().with_count(Kind::Video, 1, Direction::SendRecv);
    let offer = leg.offer(want);
    assert_eq!(
        sections(&offer),
        [
            "audio 4000 RTP/AVP 107 9 8 0 101 102",
            "video 4002 RTP/AVP 99"
        ]
    );
    let text = offer.to_string();
    for line in [
        "a=rtpmap:107 opus/48000/2",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=rtpmap:102 telephone-event/48000",
        "a=fmtp:99 packetization-mode=1;profile-level-id=42e01f",
    ] {
        assert!(text.contains(&format!("{line}\r\n")), "{line} in {text}");
    }
    assert!(!text.contains("ice") && !text.contains("fingerprint") && !text.contains("crypto"));
}

/// baresip has Opus, and events of 8 kHz alone.
#[test]
fn a_phone_with_opus_is_offered_events_of_both_clocks() {
    let mut leg = Leg::new(policy(&["opus"], &[], Terms::default()));
    let offer = leg.offer(voice());
    assert_eq!(sections(&offer), ["audio 4000 RTP/AVP 107 101 102"]);
    let rest = "a=rtpmap:107 opus/48000/2\na=rtpmap:101 telephone-event/8000\n";
    let outcome = leg.apply(&audio("RTP/AVP", "107 101", rest)).unwrap();
    let agreed = &outcome.agreed.iter().next().unwrap().payloads;
    let digits = rtc::topology::Format::Digits { clock_hz: 8_000 };
    assert!(agreed.iter().any(|own| own.format == digits), "{agreed:?}");
}

#[test]
fn a_phone_without_video_refuses_it_and_the_call_goes_on() {
    let mut leg = Leg::new(policy(&["ulaw"], &["vp8"], Terms::default()));
    leg.offer(voice().with_count(Kind::Video, 1, Direction::SendRecv));
    let outcome = leg
        .apply(&audio("RTP/AVP", "0", "m=video 0 RTP/AVP 96\n"))
        .unwrap();
    assert_eq!(outcome.agreed.len(), 1);
    assert_eq!(outcome.notes.len(), 1);
    let stands = leg.peer.negotiate(
        leg.now,
        Round::Offer {
            want: outcome.agreed,
        },
    );
    assert!(stands.unwrap().sdp.is_none(), "nothing to ask");
}

#[test]
fn a_phone_that_refuses_everything_or_answers_another_count_is_refused() {
    let mut leg = Leg::new(policy(&["ulaw"], &[], Terms::default()));
    leg.offer(voice());
    let none = audio("RTP/AVP", "0", "").replace("m=audio 4000", "m=audio 0");
    assert_eq!(leg.apply(&none).unwrap_err(), Refused::NoMedia);
    leg.offer(voice());
    let two = audio("RTP/AVP", "0", "m=video 0 RTP/AVP 96\n");
    assert!(matches!(leg.apply(&two), Err(Refused::LineCount { .. })));
}

#[test]
fn keys_are_offered_for_each_suite_and_the_chosen_one_counts() {
    for (short_tag, first) in [
        (false, "1 AES_CM_128_HMAC_SHA1_80 "),
        (true, "1 AES_CM_128_HMAC_SHA1_32 "),
    ] {
        let mut leg = Leg::new(policy(&["ulaw"], &[], sdes(short_tag, false)));
        let offer = leg.offer(voice());
        assert_eq!(offer.media[0].profile.as_ref(), "RTP/SAVP");
        assert!(
            offer.media[0]
                .attribute("crypto")
                .unwrap()
                .starts_with(first)
        );
        let count = offer.media[0].attributes("crypto").count();
        assert_eq!(count, if short_tag { 4 } else { 3 });
    }
}

#[test]
fn an_answer_in_the_clear_is_taken_only_where_that_may_be() {
    for (optimistic, profile, taken) in [(false, "RTP/SAVP", false), (true, "RTP/AVP", true)] {
        let mut leg = Leg::new(policy(&["ulaw"], &[], sdes(false, optimistic)));
        let offer = leg.offer(voice());
        assert_eq!(&*offer.media[0].profile, profile);
        assert!(offer.media[0].has("crypto"));
        assert_eq!(leg.apply(&audio(profile, "0", "")).is_ok(), taken);
    }
}

#[test]
fn a_key_that_was_not_offered_is_refused() {
    let mut leg = Leg::new(policy(&["ulaw"], &[], sdes(false, false)));
    leg.offer(voice());
    let key = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
    let other = format!("a=crypto:9 AES_CM_128_HMAC_SHA1_80 {key}\n");
    assert!(leg.apply(&audio("RTP/SAVP", "0", &other)).is_err());
}

#[test]
fn hold_is_offered_and_taken_back() {
    let mut leg = Leg::new(policy(&["ulaw"], &[], Terms::default()));
    let stands = leg.answer(&audio("RTP/AVP", "0", "")).unwrap().agreed;
    let directed = |direction| {
        let mut streams: Vec<_> = stands.iter().cloned().collect();
        streams[0].direction = direction;
        rtc::topology::Topology::new(streams)
    };
    let held = leg.offer(directed(Direction::SendOnly));
    assert!(held.to_string().contains("a=sendonly\r\n"));
    leg.peer.negotiate(leg.now, Round::Rollback).unwrap();
    let held = leg.offer(directed(Direction::SendOnly));
    assert_eq!(sections(&held), ["audio 4000 RTP/AVP 0"]);
    leg.apply(&audio("RTP/AVP", "0", "a=recvonly\n")).unwrap();
    // While we hold the phone its own offers do not end it.
    let answer = leg.answer(&audio("RTP/AVP", "0", "")).unwrap().sdp.unwrap();
    assert!(answer.to_string().contains("a=sendonly\r\n"));
    let resumed = leg.offer(directed(Direction::SendRecv));
    assert!(resumed.to_string().contains("a=sendrecv\r\n"));
}

#[test]
fn what_stands_is_confirmed_by_an_answer() {
    let mut leg = Leg::new(policy(&["ulaw", "alaw"], &[], Terms::default()));
    leg.answer(&audio("RTP/AVP", "0 8", "")).unwrap();
    let answer = crate::world::sdp(&audio("RTP/AVP", "8", "a=sendonly\n"));
    let outcome = leg
        .peer
        .negotiate(leg.now, Round::Confirm { answer })
        .unwrap();
    let direction = outcome.agreed.iter().next().unwrap().direction;
    assert_eq!(direction, Direction::RecvOnly);
}

#[test]
fn the_version_of_a_description_rises_by_one() {
    let mut leg = Leg::new(policy(&["ulaw"], &[], Terms::default()));
    let mut version = || {
        let answer = leg.answer(&audio("RTP/AVP", "0", "")).unwrap().sdp.unwrap();
        answer.origin().unwrap().version.parse::<u64>().unwrap()
    };
    let first = version();
    assert_eq!(version(), first + 1);
}

#[test]
fn only_what_the_phone_answered_is_agreed_on_in_its_order() {
    let mut leg = Leg::new(policy(
        &["opus", "g722", "ulaw", "alaw"],
        &[],
        Terms::default(),
    ));
    leg.offer(voice());
    let agreed = leg.apply(&audio("RTP/AVP", "0 9", "")).unwrap().agreed;
    let stream = agreed.iter().next().unwrap();
    let codecs = stream.payloads.iter().filter_map(|own| own.format.codec());
    let names: Vec<_> = codecs.map(|codec| codec.name).collect();
    assert_eq!(names, ["ulaw", "g722"]);
}

fn recode(leg: &mut Leg, names: &[&str]) -> Option<sdp::Sdp> {
    let codecs = names.iter().map(|name| by_name(name).unwrap()).collect();
    let outcome = leg.peer.negotiate(leg.now, Round::Recode { codecs });
    outcome.unwrap().sdp
}

#[test]
fn a_phone_is_offered_other_codecs_under_the_numbers_it_knows() {
    let mut leg = Leg::new(policy(&["opus", "g722", "ulaw"], &[], Terms::default()));
    let rest = "a=rtpmap:96 opus/48000/2\na=rtpmap:97 telephone-event/8000\na=sendrecv\n";
    leg.answer(&audio("RTP/AVP", "96 0 9 97", rest)).unwrap();
    assert!(
        recode(&mut leg, &["opus", "g722", "ulaw"]).is_none(),
        "that stands"
    );
    let offer = recode(&mut leg, &["ulaw"]).unwrap();
    assert_eq!(sections(&offer), ["audio 4000 RTP/AVP 0 97"]);
    let agreed = leg
        .apply(&audio("RTP/AVP", "0 97", &rest[24..]))
        .unwrap()
        .agreed;
    let sound = agreed.streams(Kind::Audio).next().unwrap();
    assert_eq!(sound.payloads.len(), 2);
    // RFC 3264 §8.3.2: 96 still is Opus, and 97 are events.
    let offer = recode(&mut leg, &["opus", "ulaw"]).unwrap();
    assert_eq!(sections(&offer), ["audio 4000 RTP/AVP 96 0 97 102"]);
    leg.peer.negotiate(leg.now, Round::Rollback).unwrap();
    assert!(recode(&mut leg, &["ulaw"]).is_none(), "it stands again");
}

#[test]
fn packets_that_were_on_their_way_are_heard_in_the_codec_that_stood_before() {
    let mut leg = Leg::new(policy(&["g722", "ulaw"], &[], Terms::default()));
    leg.answer(&audio("RTP/AVP", "9 0", "")).unwrap();
    recode(&mut leg, &["ulaw"]).unwrap();
    leg.apply(&audio("RTP/AVP", "0", "")).unwrap();
    let packet = rtp::RtpPacket {
        marker: false,
        payload_type: 9,
        sequence: 1,
        timestamp: 160,
        ssrc: 7,
        payload: &[0; 160],
    };
    leg.receive("10.0.0.2:4000", &packet.write());
    let is_packet = |event: &rtc::Event| matches!(event, rtc::Event::Packet(_));
    assert!(leg.events().iter().any(is_packet));
}
