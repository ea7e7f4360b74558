//! Typed views of what browsers write.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use sdp::{Direction, MediaKind, Sdp, Setup};

const CHROMIUM: &str = include_str!("vectors/recorded/jssip-3013-to-313.03248.alice.offer.sdp");
const FIREFOX: &str = include_str!("vectors/recorded/ff.04638.ff.offer.sdp");

fn sdp(text: &str) -> Sdp {
    text.parse().unwrap()
}

#[test]
fn chromium_describes_each_line_by_itself() {
    let sdp = sdp(CHROMIUM);
    let (audio, video) = (&sdp.media[0], &sdp.media[1]);
    assert_eq!(
        (&audio.kind, &video.kind),
        (&MediaKind::Audio, &MediaKind::Video)
    );
    assert_eq!(&*audio.profile, "UDP/TLS/RTP/SAVPF");
    assert_eq!(
        audio.payload_types().collect::<Vec<_>>(),
        [111, 63, 9, 0, 8, 13, 110, 126]
    );
    assert_eq!(sdp.groups().next().unwrap().mids, ["0", "1"]);
    assert_eq!((audio.mid(), video.mid()), (Some("0"), Some("1")));
    let opus = audio.rtpmaps().next().unwrap();
    assert_eq!(
        (opus.encoding, opus.clock_hz, opus.channels),
        ("opus", 48_000, Some(2))
    );
    let fmtp = audio.fmtps().next().unwrap();
    assert_eq!(
        (fmtp.payload_type, fmtp.parameter("useinbandfec")),
        (111, Some("1"))
    );
    let feedback: Vec<&str> = video
        .feedbacks()
        .filter(|feedback| feedback.payload_type == Some(96))
        .map(|feedback| feedback.value)
        .collect();
    assert_eq!(
        feedback,
        ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"]
    );
    let rtx = video.fmtps().find(|fmtp| fmtp.payload_type == 97).unwrap();
    assert_eq!(rtx.apt(), Some(96));
    let mid = audio
        .extmaps()
        .find(|map| map.uri.ends_with("sdes:mid"))
        .unwrap();
    assert_eq!((mid.id, mid.direction), (4, None));
    let repair = video.ssrc_groups().next().unwrap();
    assert_eq!((repair.semantics, repair.ssrcs.len()), ("FID", 2));
    let ssrc = video.ssrcs().next().unwrap();
    assert_eq!((ssrc.ssrc, ssrc.attribute), (repair.ssrcs[0], "cname"));
    assert_eq!(sdp.setup(audio), Some(Setup::ActPass));
    assert_eq!(sdp.fingerprints(video)[0].hash, "sha-256");
    assert!(audio.has("rtcp-mux") && video.has("rtcp-rsize"));
    let candidate = audio.candidates().next().unwrap();
    assert_eq!(
        (candidate.component, candidate.transport, candidate.kind),
        (1, "udp", "host")
    );
    assert_eq!(audio.msids().next().unwrap().track.unwrap().len(), 36);
}

#[test]
fn firefox_writes_fingerprint_and_direction_once_for_all() {
    let sdp = sdp(FIREFOX);
    let video = &sdp.media[1];
    assert_eq!(video.attribute("fingerprint"), None);
    assert_eq!(sdp.fingerprints(video).len(), 1);
    assert_eq!(sdp.direction(video), Direction::SendRecv);
    assert!(sdp.ice(video).is_some());
    let tcp = video
        .candidates()
        .filter(|candidate| candidate.transport.eq_ignore_ascii_case("tcp"));
    assert!(
        tcp.map(|candidate| candidate.extensions)
            .all(|rest| rest.starts_with("tcptype"))
    );
}

#[test]
fn a_line_overrides_the_session() {
    let sdp = sdp(
        "v=0\r\ns=-\r\na=ice-ufrag:sess\r\na=ice-pwd:pwd\r\na=setup:passive\r\na=recvonly\r\n\
        m=audio 9 RTP/AVP 0\r\na=sendonly\r\na=ice-ufrag:own\r\na=ice-pwd:own\r\na=setup: active\r\nm=video 9 RTP/AVP 96\r\n",
    );
    assert_eq!(sdp.direction(&sdp.media[0]), Direction::SendOnly);
    assert_eq!(sdp.direction(&sdp.media[1]), Direction::RecvOnly);
    assert_eq!(sdp.ice(&sdp.media[0]), Some(("own", "own")));
    assert_eq!(sdp.ice(&sdp.media[1]), Some(("sess", "pwd")));
    assert_eq!(sdp.setup(&sdp.media[0]), Some(Setup::Active));
    assert_eq!(sdp.setup(&sdp.media[1]), Some(Setup::Passive));
}

#[test]
fn unreadable_values_are_left_out_and_kept_in_the_text() {
    let text = "v=0\r\nm=audio 9 RTP/AVP 0 200 x\r\na=rtpmap:200 a/1\r\na=rtpmap:0\r\na=rtpmap:0 PCMU\r\n\
        a=ssrc:x cname:y\r\na=candidate:1 1 udp 5 host\r\na=extmap:x y\r\na=rid:\r\na=rtcp-fb:* nack\r\n";
    let sdp = sdp(text);
    let media = &sdp.media[0];
    assert_eq!(media.payload_types().collect::<Vec<_>>(), [0]);
    assert_eq!(
        media.rtpmaps().count() + media.ssrcs().count() + media.candidates().count(),
        0
    );
    assert_eq!(media.extmaps().count() + media.rids().count(), 0);
    assert_eq!(media.feedbacks().next().unwrap().payload_type, None);
    assert_eq!(sdp.to_string(), text);
}

#[test]
fn directions_mirror_and_intersect() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    for direction in [SendRecv, SendOnly, RecvOnly, Inactive] {
        assert_eq!(direction.reversed().reversed(), direction);
        assert_eq!(direction.intersect(SendRecv), direction);
        assert_eq!(direction.intersect(Inactive), Inactive);
        assert_eq!(Direction::from_name(direction.as_str()), Some(direction));
    }
    assert_eq!(SendOnly.reversed(), RecvOnly);
    assert_eq!(SendOnly.intersect(RecvOnly), Inactive);
}
