//! Each rule, and what it is silent about.

use std::net::{Ipv4Addr, SocketAddr};

use super::{Entry, PlainRtp, Side, StoryEvent, Surroundings};
use crate::cause::Cause;

/// The verdict in English; the Russian one must be there and name the same numbers.
fn verdict(entries: &[Entry], surroundings: &Surroundings) -> Option<String> {
    let verdict = super::verdict(entries, surroundings)?;
    let is_cyrillic = |c: char| ('\u{400}'..'\u{500}').contains(&c);
    let numbers = |text: &str| -> Vec<String> {
        let numbers = text.split(|c: char| !c.is_ascii_digit());
        let numbers = numbers.filter(|digits| !digits.is_empty());
        numbers.map(str::to_owned).collect()
    };
    assert!(verdict.russian.contains(is_cyrillic), "{verdict:?}");
    assert!(!verdict.english.contains(is_cyrillic), "{verdict:?}");
    assert_eq!(numbers(&verdict.russian), numbers(&verdict.english));
    Some(verdict.english)
}

fn story(events: Vec<StoryEvent>) -> Option<String> {
    let mut entries: Vec<Entry> = events
        .into_iter()
        .map(|event| Entry { at_ms: 10, event })
        .collect();
    if let Some(last) = entries.last_mut() {
        last.at_ms = 60_000;
    }
    verdict(&entries, &Surroundings::default())
}

fn ended() -> StoryEvent {
    StoryEvent::Ended {
        by: Side::Them,
        cause: Cause::NormalClearing,
    }
}

fn pair() -> StoryEvent {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 10_000));
    StoryEvent::IcePair {
        local: address,
        remote: address,
    }
}

fn secured() -> StoryEvent {
    StoryEvent::Secured {
        dtls: "1.2".to_owned(),
        srtp: "AEAD_AES_128_GCM".to_owned(),
    }
}

fn packet(received: bool) -> StoryEvent {
    StoryEvent::FirstPacket {
        kind: "audio",
        received,
    }
}

#[test]
fn a_good_call_has_no_verdict() {
    let events = vec![
        StoryEvent::Up,
        pair(),
        secured(),
        packet(true),
        packet(false),
        ended(),
    ];
    assert_eq!(story(events), None);
}

#[test]
fn ice_that_never_connected_names_the_port_range() {
    let sentence = story(vec![StoryEvent::Up, ended()]).unwrap();
    assert!(
        sentence.contains("No candidate pair answered"),
        "{sentence}"
    );
    assert!(sentence.contains("10000–20000"), "{sentence}");
}

/// Half of a local call has neither candidates nor packets of its own.
#[test]
fn a_local_channel_is_not_blamed_for_media_it_cannot_have() {
    let entry = |at_ms, event| Entry { at_ms, event };
    let entries = [entry(0, StoryEvent::Up), entry(60_000, ended())];
    assert!(verdict(&entries, &Surroundings::default()).is_some());
    let local = Surroundings {
        is_local: true,
        ..Surroundings::default()
    };
    assert_eq!(verdict(&entries, &local), None);
}

#[test]
fn each_step_of_media_has_its_own_sentence() {
    let dtls = story(vec![StoryEvent::Up, pair(), ended()]).unwrap();
    assert!(dtls.contains("DTLS"), "{dtls}");
    let muted = story(vec![StoryEvent::Up, pair(), secured(), ended()]).unwrap();
    assert!(muted.contains("microphone"), "{muted}");
    let silent = story(vec![
        StoryEvent::Up,
        pair(),
        secured(),
        packet(true),
        ended(),
    ])
    .unwrap();
    assert!(silent.contains("nothing was sent back"), "{silent}");
}

#[test]
fn a_short_call_is_not_blamed_for_lack_of_media() {
    let entries = [
        Entry {
            at_ms: 0,
            event: StoryEvent::Up,
        },
        Entry {
            at_ms: 900,
            event: ended(),
        },
    ];
    assert_eq!(verdict(&entries, &Surroundings::default()), None);
}

#[test]
fn codec_mismatch_names_the_endpoint_and_its_codecs() {
    let events = [Entry {
        at_ms: 1,
        event: StoryEvent::Refused {
            by: Side::Us,
            status: 488,
            why: "no codec in common on line 1".to_owned(),
            lacks_codec: true,
        },
    }];
    let surroundings = Surroundings {
        endpoint: "alice".to_owned(),
        file: "pjsip.conf:12".to_owned(),
        allow: "opus,vp8".to_owned(),
        ..Surroundings::default()
    };
    let sentence = verdict(&events, &surroundings).unwrap();
    assert!(
        sentence.contains("no codec in common on line 1"),
        "{sentence}"
    );
    assert!(sentence.contains("alice allows opus,vp8"), "{sentence}");
    assert!(sentence.contains("allow= in pjsip.conf:12"), "{sentence}");
}

fn desk(events: Vec<StoryEvent>, plain: PlainRtp) -> Option<String> {
    let spread = |(index, event)| Entry {
        at_ms: 20_000 * index as u64,
        event,
    };
    let entries: Vec<Entry> = events.into_iter().enumerate().map(spread).collect();
    let surroundings = Surroundings {
        endpoint: "desk".to_owned(),
        plain: Some(plain),
        ..Surroundings::default()
    };
    verdict(&entries, &surroundings)
}

#[test]
fn advice_about_codecs_is_given_for_codecs_alone() {
    let refused = StoryEvent::Refused {
        by: Side::Us,
        status: 488,
        why: "The description has SDES keys".to_owned(),
        lacks_codec: false,
    };
    let sentence = desk(vec![refused], PlainRtp::default()).unwrap();
    assert!(
        sentence.contains("SDES keys") && !sentence.contains("allow"),
        "{sentence}"
    );
}

#[test]
fn a_phone_without_ice_is_told_of_ports_and_of_what_was_announced() {
    let silent = vec![StoryEvent::Up, ended()];
    let sentence = desk(silent.clone(), PlainRtp::default()).unwrap();
    assert!(
        sentence.contains("10000–20000") && !sentence.contains("ICE"),
        "{sentence}"
    );
    assert!(sentence.contains("external_media_address"), "{sentence}");
    let announced = PlainRtp {
        media_address: Some("203.0.113.9".to_owned()),
        ..PlainRtp::default()
    };
    let sentence = desk(silent, announced).unwrap();
    assert!(
        sentence.contains("203.0.113.9 (media_address"),
        "{sentence}"
    );
}

#[test]
fn a_timeout_of_rtp_is_said_with_its_option() {
    let plain = PlainRtp {
        timeout_s: 12,
        media_address: None,
    };
    for (never_up, said) in [(true, "came:"), (false, "came any more:")] {
        let down = StoryEvent::MediaDown {
            why: "no RTP came within rtp_timeout".to_owned(),
            never_up,
            timed_out: true,
        };
        let sentence = desk(vec![StoryEvent::Up, down, ended()], plain.clone()).unwrap();
        assert!(
            sentence.contains("rtp_timeout=12 of endpoint desk"),
            "{sentence}"
        );
        assert!(sentence.contains(said), "{sentence}");
    }
}

#[test]
fn one_way_sound_names_both_addresses_and_the_option() {
    let source = |target: &str| StoryEvent::RtpSource {
        local: "192.0.2.1:10000".parse().unwrap(),
        remote: "198.51.100.7:4000".parse().unwrap(),
        target: target.parse().unwrap(),
    };
    let call = |target: &str, round_trip_us| {
        let mut reported = sums("audio", 500, 0);
        if let StoryEvent::Sums {
            round_trip_us: own, ..
        } = &mut reported
        {
            *own = round_trip_us;
        }
        let events = [
            source(target),
            packet(true),
            packet(false),
            reported,
            ended(),
        ];
        let events = [StoryEvent::Up].into_iter().chain(events);
        desk(events.collect(), PlainRtp::default())
    };
    let sentence = call("192.168.77.1:4000", None).unwrap();
    for part in [
        "198.51.100.7:4000",
        "192.168.77.1:4000",
        "rtp_symmetric=yes for endpoint desk",
    ] {
        assert!(sentence.contains(part), "{sentence}");
    }
    assert_eq!(call("192.168.77.1:4000", Some(2_000)), None, "it was heard");
    assert_eq!(
        call("198.51.100.7:4002", None),
        None,
        "another port of the same machine"
    );
}

#[test]
fn who_holds_is_not_told_that_nothing_was_sent() {
    let mut events = vec![StoryEvent::Up, pair(), secured(), packet(true), ended()];
    assert!(story(events.clone()).is_some());
    events.insert(3, StoryEvent::Held);
    assert_eq!(story(events), None);
}

fn sums(kind: &'static str, packets_in: u64, lost: u64) -> StoryEvent {
    StoryEvent::Sums {
        mline: 0,
        kind,
        packets_in,
        lost,
        jitter_us: 0,
        packets_out: packets_in,
        nacks_in: 0,
        keyframe_requests_in: 0,
        lost_out: 0,
        round_trip_us: None,
        refused: 0,
    }
}

fn good_until(mut last: Vec<StoryEvent>) -> Option<String> {
    let mut events = vec![
        StoryEvent::Up,
        pair(),
        secured(),
        packet(true),
        packet(false),
    ];
    events.append(&mut last);
    story(events)
}

#[test]
fn heavy_loss_names_the_worst_stream_and_its_share() {
    let streams = vec![sums("audio", 900, 100), sums("video", 2_380, 340), ended()];
    let sentence = good_until(streams).unwrap();
    assert!(
        sentence.starts_with("12.5 % of the caller's video packets (340 of 2720)"),
        "{sentence}"
    );
    assert!(sentence.contains("cable"), "{sentence}");
    // One packet in twenty is heavy; less is not, nor are a few packets enough to tell.
    assert!(good_until(vec![sums("audio", 950, 50), ended()]).is_some());
    assert_eq!(good_until(vec![sums("audio", 951, 49), ended()]), None);
    assert_eq!(good_until(vec![sums("audio", 100, 100), ended()]), None);
    assert_eq!(good_until(vec![sums("audio", 0, 0), ended()]), None);
    assert!(good_until(vec![sums("audio", 1 << 50, 1 << 50), ended()]).is_some());
}

#[test]
fn what_goes_wrong_in_the_middle_has_its_own_sentence() {
    let why = "nothing came from the peer any more".to_owned();
    let down = StoryEvent::MediaDown {
        why,
        never_up: false,
        timed_out: false,
    };
    let sentence = good_until(vec![down, ended()]).unwrap();
    assert!(sentence.contains("in the middle"), "{sentence}");
    let refused = StoryEvent::Refused {
        by: Side::Them,
        status: 488,
        why: "Not Acceptable Here".to_owned(),
        lacks_codec: false,
    };
    let sentence = good_until(vec![refused, ended()]).unwrap();
    assert!(sentence.contains("(488)"), "{sentence}");
    let congested = StoryEvent::Ended {
        by: Side::Us,
        cause: Cause::SwitchCongestion,
    };
    let sentence = good_until(vec![congested]).unwrap();
    assert!(sentence.contains("no longer read"), "{sentence}");
}

#[test]
fn a_page_that_was_closed_is_recognised() {
    let events = vec![
        StoryEvent::Up,
        pair(),
        secured(),
        packet(true),
        packet(false),
        StoryEvent::FlowLost,
        StoryEvent::Ended {
            by: Side::Us,
            cause: Cause::NetworkOutOfOrder,
        },
    ];
    let sentence = story(events).unwrap();
    assert!(sentence.contains("did not come back"), "{sentence}");
}

#[test]
fn a_phone_whose_handshake_failed_is_told_that_and_not_of_ports() {
    let down = StoryEvent::MediaDown {
        why: "the DTLS handshake failed".to_owned(),
        never_up: true,
        timed_out: false,
    };
    let sentence = desk(vec![StoryEvent::Up, down, ended()], PlainRtp::default()).unwrap();
    assert!(sentence.contains("the DTLS handshake failed"), "{sentence}");
    assert!(!sentence.contains("UDP ports"), "{sentence}");
}
