//! What phones offer, and what they are answered.

use crate::world::{Leg, audio, policy, sections};
use codec::Preference;
use rtc::policy::{Encryption, Reading, Terms};
use rtc::topology::{Direction, Topology};
use rtc::{Refused, Round};
use sdp::Sdp;

const KEY: &str = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

fn plain() -> Leg {
    Leg::new(policy(&["ulaw", "alaw"], &[], Terms::default()))
}

fn secure(optimistic: bool) -> Leg {
    let encryption = Encryption::Sdes {
        short_tag: false,
        optimistic,
    };
    let terms = Terms {
        encryption,
        ..Terms::default()
    };
    Leg::new(policy(&["ulaw"], &[], terms))
}

fn answered(leg: &mut Leg, offer: &str) -> Sdp {
    leg.answer(offer).unwrap().sdp.unwrap()
}

fn directions(leg: &mut Leg, offer: &str) -> Vec<Direction> {
    let agreed = leg.answer(offer).unwrap().agreed;
    agreed.iter().map(|stream| stream.direction).collect()
}

#[test]
fn static_numbers_need_no_map_and_the_order_is_that_of_allow() {
    let answer = answered(
        &mut plain(),
        &audio(
            "RTP/AVP",
            "18 8 0 101",
            "a=rtpmap:101 telephone-event/8000\n",
        ),
    );
    assert_eq!(sections(&answer), ["audio 4000 RTP/AVP 0 8 101"]);
    let text = answer.to_string();
    assert!(text.contains("c=IN IP4 10.0.0.1\r\n"), "{text}");
    assert!(
        text.contains("a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"),
        "{text}"
    );
    assert!(
        text.contains("a=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"),
        "{text}"
    );
}

/// The line stays open for the next party, and what the phone offers again does not bring pictures on.
#[test]
fn a_phone_whose_other_party_has_no_pictures_keeps_its_line() {
    let both = policy(&["ulaw"], &["vp8"], Terms::default());
    let mut leg = Leg::new(rtc::policy::Policy {
        pictures: Direction::Inactive,
        ..both
    });
    let offer = audio(
        "RTP/AVP",
        "0",
        "m=video 4002 RTP/AVP 96\na=rtpmap:96 VP8/90000\n",
    );
    let answer = answered(&mut leg, &offer);
    assert_eq!(
        sections(&answer),
        ["audio 4000 RTP/AVP 0", "video 4002 RTP/AVP 96"]
    );
    let own = |sdp: &Sdp| -> Vec<Direction> {
        let media = sdp.media.iter();
        media.map(|media| sdp.direction(media)).collect()
    };
    let dark = [Direction::SendRecv, Direction::Inactive];
    assert_eq!(own(&answer), dark);
    assert_eq!(directions(&mut leg, &offer), dark);
    let agreed = leg.answer(&offer).unwrap().agreed;
    let streams = agreed.iter().cloned().map(|mut stream| {
        stream.direction = Direction::SendRecv;
        stream
    });
    let want = Topology::new(streams.collect());
    assert_eq!(own(&leg.offer(want)), [Direction::SendRecv; 2]);
    leg.apply(&offer).unwrap();
    assert_eq!(directions(&mut leg, &offer), [Direction::SendRecv; 2]);
}

#[test]
fn opus_has_the_number_the_phone_gave_it() {
    let mut leg = Leg::new(policy(&["opus", "g722"], &[], Terms::default()));
    let offer = audio(
        "RTP/AVP",
        "9 96 97",
        "a=rtpmap:96 opus/48000/2\na=rtpmap:97 telephone-event/8000\na=ptime:40\n",
    );
    let answer = answered(&mut leg, &offer);
    assert_eq!(sections(&answer), ["audio 4000 RTP/AVP 96 9 97"]);
    assert!(answer.to_string().contains("a=ptime:40\r\n"));
}

#[test]
fn events_on_8_khz_beside_opus_are_taken() {
    let mut leg = Leg::new(policy(&["opus"], &[], Terms::default()));
    let offer = audio(
        "RTP/AVP",
        "96 101",
        "a=rtpmap:96 opus/48000/2\na=rtpmap:101 telephone-event/8000\n",
    );
    assert_eq!(
        sections(&answered(&mut leg, &offer)),
        ["audio 4000 RTP/AVP 96 101"]
    );
}

#[test]
fn no_common_codec_names_both_sides() {
    let refused = plain().answer(&audio("RTP/AVP", "18 3", "")).unwrap_err();
    assert_eq!(refused.status(), 488);
    assert!(
        matches!(refused, Refused::NoCommonCodec { .. }),
        "{refused}"
    );
}

#[test]
fn every_way_to_hold_is_understood_and_undone() {
    let (mut leg, base) = (plain(), audio("RTP/AVP", "0", ""));
    let zero = base.replace("c=IN IP4 10.0.0.2", "c=IN IP4 0.0.0.0");
    let cases = [
        (base.clone(), Direction::SendRecv),
        (base.clone() + "a=sendonly\n", Direction::RecvOnly),
        (base.clone() + "a=recvonly\n", Direction::SendOnly),
        (base.clone() + "a=inactive\n", Direction::Inactive),
        (zero.clone(), Direction::RecvOnly),
        (zero + "a=inactive\n", Direction::Inactive),
        (
            base.replace("t=0 0\n", "t=0 0\na=sendonly\n"),
            Direction::RecvOnly,
        ),
        (base.clone(), Direction::SendRecv),
    ];
    for (offer, direction) in cases {
        assert_eq!(directions(&mut leg, &offer), [direction], "{offer}");
    }
    let answer = answered(&mut leg, &(base + "a=sendonly\n"));
    assert!(answer.to_string().contains("a=recvonly\r\n"));
}

#[test]
fn video_and_other_media_that_cannot_be_had_keep_their_place_with_port_0() {
    let offer = audio(
        "RTP/AVP",
        "0",
        "m=video 5000 RTP/AVP 99\na=rtpmap:99 H264/90000\nm=image 5004 udptl t38\nm=application 9 UDP/BFCP *\n",
    );
    let outcome = plain().answer(&offer).unwrap();
    assert_eq!(
        sections(&outcome.sdp.unwrap()),
        [
            "audio 4000 RTP/AVP 0",
            "video 0 RTP/AVP 99",
            "image 0 udptl t38",
            "application 0 UDP/BFCP *"
        ]
    );
    assert_eq!(outcome.notes.len(), 3);
    assert_eq!(outcome.agreed.len(), 1);
}

#[test]
fn video_has_ports_of_its_own_and_goes_on_when_audio_comes_back() {
    let mut leg = Leg::new(policy(&["ulaw"], &["h264"], Terms::default()));
    let video = "m=video 5000 RTP/AVP 99\na=rtpmap:99 H264/90000\na=fmtp:99 profile-level-id=42e01f;packetization-mode=1\n";
    let answer = answered(&mut leg, &audio("RTP/AVP", "0", video));
    assert_eq!(
        sections(&answer),
        ["audio 4000 RTP/AVP 0", "video 4002 RTP/AVP 99"]
    );
    assert!(
        answer
            .to_string()
            .contains("a=fmtp:99 profile-level-id=42e01f;packetization-mode=1\r\n")
    );
    let closed = audio("RTP/AVP", "0", video).replace("m=audio 4000", "m=audio 0");
    assert_eq!(
        sections(&answered(&mut leg, &closed)),
        ["audio 0 RTP/AVP 0", "video 4002 RTP/AVP 99"]
    );
    let again = answered(&mut leg, &audio("RTP/AVP", "0", video));
    assert_eq!(
        sections(&again),
        ["audio 4000 RTP/AVP 0", "video 4002 RTP/AVP 99"]
    );
}

#[test]
fn a_line_that_is_taken_away_is_an_error_of_the_peer() {
    let mut leg = plain();
    let two = audio("RTP/AVP", "0", "m=video 0 RTP/AVP 99\n");
    leg.answer(&two).unwrap();
    let refused = leg.answer(&audio("RTP/AVP", "0", "")).unwrap_err();
    assert_eq!(refused, Refused::LinesRemoved { before: 2, now: 1 });
    let other = two
        .replace("m=audio", "m=video")
        .replacen("m=video 0", "m=audio 0", 1);
    assert!(leg.answer(&other).is_err());
    assert!(leg.answer(&two).is_ok(), "what was agreed stands");
}

#[test]
fn encryption_is_what_the_endpoint_says_and_nothing_else() {
    let crypto = format!("a=crypto:4 AES_CM_128_HMAC_SHA1_80 {KEY}|2^31\n");
    let dtls = "a=fingerprint:sha-256 AB:CD\na=setup:actpass\n";
    // Profile, attributes, then whether it is taken with no encryption, with SDES, with SDES if it may be.
    let cases = [
        ("RTP/AVP", "", [true, false, true]),
        ("RTP/AVP", &*crypto, [true, true, true]),
        ("RTP/AVPF", &*crypto, [true, true, true]),
        ("RTP/SAVP", &*crypto, [false, true, true]),
        ("RTP/SAVPF", &*crypto, [false, true, true]),
        ("RTP/SAVP", "", [false, false, false]),
        (
            "RTP/SAVP",
            "a=crypto:1 F8_128_HMAC_SHA1_80 inline:AAAA\n",
            [false, false, false],
        ),
        ("RTP/SAVPF", dtls, [false, false, false]),
        ("UDP/TLS/RTP/SAVPF", dtls, [false, false, false]),
        ("RTP/XXX", "", [false, false, false]),
    ];
    for (profile, rest, taken) in cases {
        let offer = audio(profile, "0", rest);
        let legs = [plain(), secure(false), secure(true)];
        let taken_now = legs.map(|mut leg| leg.answer(&offer).is_ok());
        assert_eq!(taken_now, taken, "{offer}");
    }
}

#[test]
fn the_answer_has_the_profile_and_the_tag_of_the_offer_and_a_key_of_our_own() {
    let offer = audio(
        "RTP/SAVP",
        "0",
        &format!(
            "a=crypto:1 AES_192_CM_HMAC_SHA1_80 {KEY}\na=crypto:7 AES_CM_128_HMAC_SHA1_32 {KEY}\na=crypto:8 AES_CM_128_HMAC_SHA1_80 {KEY}\n"
        ),
    );
    let mut leg = secure(false);
    let answer = answered(&mut leg, &offer);
    assert_eq!(sections(&answer), ["audio 4000 RTP/SAVP 0"]);
    let cryptos = |answer: &Sdp| -> Vec<String> {
        let values = answer.media[0].attributes("crypto");
        values.map(str::to_owned).collect()
    };
    let first = cryptos(&answer);
    assert_eq!(first.len(), 1);
    assert!(
        first[0].starts_with("7 AES_CM_128_HMAC_SHA1_32 inline:"),
        "{first:?}"
    );
    assert!(!first[0].contains(KEY));
    assert_eq!(cryptos(&answered(&mut leg, &offer)), first, "the key stays");
}

#[test]
fn feedback_is_insisted_on_where_the_endpoint_does() {
    let terms = Terms {
        feedback: true,
        ..Terms::default()
    };
    let mut leg = Leg::new(policy(&["ulaw"], &[], terms));
    assert!(leg.answer(&audio("RTP/AVP", "0", "")).is_err());
    assert!(leg.answer(&audio("RTP/AVPF", "0", "")).is_ok());
}

#[test]
fn rtcp_shares_the_port_where_both_say_so() {
    for (allowed, offered, shared) in [
        (true, true, true),
        (true, false, false),
        (false, true, false),
    ] {
        let terms = Terms {
            rtcp_mux: allowed,
            ..Terms::default()
        };
        let mut leg = Leg::new(policy(&["ulaw"], &[], terms));
        let rest = if offered { "a=rtcp-mux\n" } else { "" };
        let answer = answered(&mut leg, &audio("RTP/AVP", "0", rest));
        assert_eq!(answer.media[0].has("rtcp-mux"), shared);
    }
}

#[test]
fn addresses_that_cannot_be_sent_to() {
    let base = audio("RTP/AVP", "0", "");
    let with = |address: &str| base.replace("c=IN IP4 10.0.0.2", &format!("c=IN {address}"));
    for (address, status) in [("IP6 2001:db8::1", 488), ("IP4 phone.example.com", 488)] {
        let refused = plain().answer(&with(address)).unwrap_err();
        assert_eq!(refused.status(), status, "{address}");
    }
    let without = base.replace("c=IN IP4 10.0.0.2\n", "");
    assert!(plain().answer(&without).is_err());
    // Taken, but nothing is sent there: a description must not aim at this machine, or at a group.
    for address in ["IP4 127.0.0.1", "IP4 239.1.2.3/127", "IP4 255.255.255.255"] {
        let mut leg = plain();
        assert!(leg.answer(&with(address)).is_ok(), "{address}");
        let due = leg.peer.poll_timeout().unwrap() + std::time::Duration::from_secs(10);
        leg.peer.handle_timeout(due);
        assert_eq!(leg.transmits().len(), 0, "{address}");
    }
}

#[test]
fn a_phone_that_is_already_sent_our_offer_gets_491() {
    let mut leg = plain();
    leg.offer(crate::world::voice());
    let refused = leg.answer(&audio("RTP/AVP", "0", "")).unwrap_err();
    assert_eq!(refused, Refused::OfferPending);
}

#[test]
fn what_a_phone_asks_of_our_packets_is_known() {
    let mut leg = Leg::new(policy(&["opus", "ulaw"], &[], Terms::default()));
    let offer = audio(
        "RTP/AVP",
        "96 0",
        "a=rtpmap:96 opus/48000/2\na=fmtp:96 maxaveragebitrate=16000;usedtx=1\na=ptime:60\n\
         a=maxptime:40\n",
    );
    let agreed = leg.answer(&offer).unwrap().agreed;
    let wishes = &agreed.iter().next().unwrap().wishes;
    let opus = codec::by_name("opus").unwrap();
    assert_eq!(wishes.fmtp(opus), "maxaveragebitrate=16000;usedtx=1");
    assert_eq!(wishes.fmtp(codec::by_name("ulaw").unwrap()), "");
    assert_eq!(wishes.packet_ms(20), 40, "never longer than a=maxptime");
    let strange = offer
        .replace("a=ptime:60", "a=ptime:7000")
        .replace("a=maxptime:40\n", "");
    let agreed = leg.answer(&strange).unwrap().agreed;
    assert_eq!(agreed.iter().next().unwrap().wishes.packet_ms(20), 20);
}

#[test]
fn comfort_noise_is_agreed_where_the_phone_has_it_and_never_offered() {
    let answer = answered(&mut plain(), &audio("RTP/AVP", "0 13", ""));
    assert_eq!(sections(&answer), ["audio 4000 RTP/AVP 0 13"]);
    assert!(answer.to_string().contains("a=rtpmap:13 CN/8000\r\n"));
    let strange = audio("RTP/AVP", "0 98", "a=rtpmap:98 CN/16000\n");
    let answer = answered(&mut plain(), &strange);
    assert_eq!(
        sections(&answer),
        ["audio 4000 RTP/AVP 0"],
        "no sound has that clock"
    );
    let offer = plain().offer(crate::world::voice());
    assert_eq!(sections(&offer), ["audio 4000 RTP/AVP 0 8 101"]);
}

#[test]
fn the_codecs_of_an_offer_are_answered_as_the_endpoint_prefers() {
    let answered_with = |offers: &str, is_first_alone: bool| {
        let mut own = policy(&["ulaw", "alaw", "g722"], &[], Terms::default());
        own.reading = Reading {
            offers: Preference::OFFER.parse(offers).unwrap(),
            is_first_alone,
            ..Reading::default()
        };
        let answer = answered(&mut Leg::new(own), &audio("RTP/AVP", "18 9 0 3", ""));
        sections(&answer).remove(0)
    };
    let pending = "prefer: pending, operation: intersect";
    assert_eq!(answered_with(pending, false), "audio 4000 RTP/AVP 9 0");
    assert_eq!(answered_with(pending, true), "audio 4000 RTP/AVP 9");
    let configured = "prefer: configured, operation: intersect";
    assert_eq!(answered_with(configured, false), "audio 4000 RTP/AVP 0 9");
    let first = "prefer: configured, operation: intersect, keep: first";
    assert_eq!(answered_with(first, false), "audio 4000 RTP/AVP 0");
}

#[test]
fn a_phone_whose_packets_name_their_key_is_answered_and_may_change_it() {
    let mut leg = secure(false);
    let named = |key: &str| {
        let line = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {key}|2^31|1:1\n");
        audio("RTP/SAVP", "0", &line)
    };
    let crypto = |answer: &Sdp| answer.media[0].attribute("crypto").unwrap().to_owned();
    let first = crypto(&answered(&mut leg, &named(KEY)));
    assert!(!first.contains('|'), "ours has no name: {first}");
    // RFC 4568 §7.1.4: another key in a later offer is taken, and ours may stay.
    let other = "inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";
    assert_eq!(crypto(&answered(&mut leg, &named(other))), first);
}

/// It was answered with the codec of the other party alone. Later it may change to any that is allowed, but not begin
/// with one.
#[test]
fn a_phone_changes_to_a_codec_that_was_left_out_at_first() {
    let own = policy(&["ulaw", "alaw"], &[], Terms::default());
    let far = policy(&["ulaw"], &[], Terms::default());
    let mut leg = Leg::new(own.meeting(&far, &Preference::ANSWER));
    let begins = leg.answer(&audio("RTP/AVP", "8", "")).unwrap_err();
    assert!(matches!(begins, Refused::NoCommonCodec { .. }));
    for (offered, agreed) in [("0 8", "0"), ("8", "8"), ("8 0", "0"), ("8", "8")] {
        let answer = answered(&mut leg, &audio("RTP/AVP", offered, ""));
        assert_eq!(
            sections(&answer),
            [format!("audio 4000 RTP/AVP {agreed}")],
            "{offered}"
        );
    }
    // What it changed to is what we offer it when it is held, and what a refresh of the session tells.
    let agreed = leg.peer.agreed().clone();
    let held = agreed.iter().cloned().map(|mut stream| {
        stream.direction = Direction::SendOnly;
        stream
    });
    let offer = leg.offer(Topology::new(held.collect()));
    assert_eq!(sections(&offer), ["audio 4000 RTP/AVP 8"]);
    let held = audio("RTP/AVP", "8", "a=recvonly\n");
    leg.apply(&held).unwrap();
    let answer = crate::world::sdp(&held);
    let round = Round::Confirm { answer };
    leg.peer.negotiate(leg.now, round).unwrap();
    let unknown = leg.answer(&audio("RTP/AVP", "18", "")).unwrap_err();
    assert!(matches!(unknown, Refused::NoCommonCodec { .. }));
}

/// A gateway that hears a fax asks for T.38 in the line of the sound.
#[test]
fn a_line_that_becomes_something_else_is_refused_and_the_sound_stands() {
    let mut leg = plain();
    let sound = audio("RTP/AVP", "0", "");
    answered(&mut leg, &sound);
    let fax = sound.replace("m=audio 4000 RTP/AVP 0", "m=image 4000 udptl t38");
    assert_ne!(fax, sound);
    let refused = leg.answer(&fax).unwrap_err();
    assert_eq!((refused.status(), &refused), (488, &Refused::Fax));
    assert_eq!(
        sections(&answered(&mut leg, &sound)),
        ["audio 4000 RTP/AVP 0"]
    );
    let beside = format!("{fax}m=audio 6002 RTP/AVP 0\n");
    let answer = answered(&mut leg, &beside);
    assert_eq!(sections(&answer).len(), 2);
    assert!(sections(&answer)[0].starts_with("image 0 "), "{answer}");
}
