//! What every answer must hold to, whatever was offered.

use std::collections::BTreeSet;

use sdp::{Direction, Media, MediaKind, Sdp, Setup};

/// RFC 3264 §6, RFC 9143 §7.3, RFC 8842 §5.3, RFC 8830: the rules a browser checks before it takes
/// an answer.
pub(crate) fn assert_answers(offer: &Sdp, answer: &Sdp) {
    let text = answer.to_string();
    assert_eq!(text.parse::<Sdp>().as_ref(), Ok(answer), "prints as it is");
    assert_eq!(answer.media.len(), offer.media.len(), "{text}");
    let mut setups = BTreeSet::new();
    for (offered, answered) in offer.media.iter().zip(&answer.media) {
        assert_eq!(answered.kind, offered.kind, "{text}");
        assert_eq!(answered.profile, offered.profile, "{text}");
        assert_eq!(answered.mid(), offered.mid(), "{text}");
        assert!(!answered.formats.is_empty(), "{text}");
        if answered.port == 0 {
            continue;
        }
        assert!(matches!(answered.kind, MediaKind::Audio | MediaKind::Video));
        assert_live(offer, offered, answer, answered);
        setups.insert(answer.setup(answered).map(Setup::as_str));
    }
    assert!(setups.len() <= 1, "one DTLS role: {text}");
    assert!(!setups.contains(&Some("actpass")), "{text}");
    assert_bundle(offer, answer);
    assert_streams(answer);
}

fn assert_live(offer: &Sdp, offered: &Media, answer: &Sdp, answered: &Media) {
    for format in &answered.formats {
        assert!(offered.formats.contains(format), "{format} was not offered");
    }
    for map in answered.rtpmaps() {
        if let Some(own) = offered
            .rtpmaps()
            .find(|own| own.payload_type == map.payload_type)
        {
            assert!(own.encoding.eq_ignore_ascii_case(map.encoding), "{map:?}");
            assert_eq!(
                own.clock_hz, map.clock_hz,
                "{map:?} in {answer} for {offer}"
            );
        }
    }
    for map in answered.extmaps() {
        let same = |own: &sdp::Extmap<'_>| own.id == map.id && own.uri == map.uri;
        assert!(
            offered.extmaps().any(|own| same(&own)),
            "{map:?} was not offered"
        );
    }
    let (asked, got) = (offer.direction(offered), answer.direction(answered));
    assert_eq!(
        got,
        got.intersect(asked.reversed()),
        "{asked} answered {got}"
    );
    assert!(answer.ice(answered).is_some() && !answer.fingerprints(answered).is_empty());
    assert!(answered.has("rtcp-mux") && !answered.has("crypto"));
    assert_eq!(
        answered.has("msid"),
        got.sends(),
        "a sending line names its stream"
    );
}

/// RFC 9143 §7.3: the answer's group is the part of an offered one that is in use.
fn assert_bundle(offer: &Sdp, answer: &Sdp) {
    let live = || answer.media.iter().filter(|media| media.port != 0);
    let mids: Vec<&str> = live().filter_map(Media::mid).collect();
    let groups: Vec<_> = answer.groups().collect();
    let mut offered = offer.groups().filter(|group| group.semantics == "BUNDLE");
    let offered = offered.find(|group| mids.first().is_some_and(|mid| group.mids.contains(mid)));
    match offered {
        Some(offered) => {
            assert_eq!(groups.len(), 1);
            assert_eq!(groups[0].mids, mids);
            assert!(mids.iter().all(|mid| offered.mids.contains(mid)));
        }
        None => {
            assert!(groups.is_empty());
            assert!(live().count() <= 1, "one transport");
        }
    }
}

/// In a browser every remote picture must be a MediaStream of its own.
fn assert_streams(answer: &Sdp) {
    let mut pictures = BTreeSet::new();
    let mut tracks = BTreeSet::new();
    for media in answer.media.iter().filter(|media| media.port != 0) {
        for msid in media.msids() {
            assert!(tracks.insert(msid.track), "two lines with one track");
            if media.kind == MediaKind::Video {
                assert!(pictures.insert(msid.stream), "two pictures in one stream");
            }
        }
    }
}

/// An answer as a browser makes it: same mids and numbers, directions as given.
pub(crate) fn browser_answer(own: &Sdp, offer: &Sdp, directions: &[Direction]) -> Sdp {
    let mut answer = own.clone();
    answer.media.clear();
    for (index, offered) in offer.media.iter().enumerate() {
        let mut media = offered.clone();
        let theirs = own.media.get(index).unwrap_or(&own.media[0]);
        media.lines.retain(|line| {
            let name = line.as_attribute().map(|(name, _)| name);
            let transport = [
                "ice-ufrag",
                "ice-pwd",
                "fingerprint",
                "setup",
                "candidate",
                "msid",
                "ssrc",
                "ssrc-group",
            ];
            !name.is_some_and(|name| {
                transport.contains(&name) || Direction::from_name(name).is_some()
            })
        });
        for name in ["ice-ufrag", "ice-pwd", "fingerprint"] {
            for value in theirs.attributes(name).chain(own.attributes(name)) {
                media.lines.push(sdp::Line::attribute(name, value));
            }
        }
        media.lines.push(sdp::Line::attribute("setup", "active"));
        media
            .lines
            .push(sdp::Line::flag(directions[index].as_str()));
        if directions[index].sends() {
            for name in ["msid", "ssrc-group", "ssrc"] {
                media.lines.extend(
                    theirs
                        .attributes(name)
                        .map(|value| sdp::Line::attribute(name, value)),
                );
            }
        }
        answer.media.push(media);
    }
    let mids: Vec<&str> = offer
        .media
        .iter()
        .filter(|media| media.port != 0)
        .filter_map(Media::mid)
        .collect();
    let group = sdp::Line::attribute("group", format!("BUNDLE {}", mids.join(" ")));
    answer
        .lines
        .retain(|line| !line.value.starts_with("group:"));
    answer.lines.push(group);
    answer
}
