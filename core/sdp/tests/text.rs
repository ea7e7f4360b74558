//! Text to types and back: recorded and collected descriptions, faults, limits.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::disallowed_methods, reason = "the vectors are files")]

use std::path::Path;

use proptest::prelude::*;
use sdp::{BYTES_MAX, FORMATS_MAX, Fault, LINES_MAX, MEDIA_MAX, ParseError, Sdp, parse};

fn vectors(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(folder);
    let mut vectors: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sdp"))
        .map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
        .collect();
    vectors.sort();
    vectors
}

/// The text with the line ends that we print.
fn crlf(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| format!("{line}\r\n")).collect()
}

#[test]
fn recorded_descriptions_print_as_they_came() {
    let vectors = vectors("recorded");
    assert_eq!(vectors.len(), 67);
    for (name, bytes) in vectors {
        let sdp = parse(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(sdp.to_string().as_bytes(), bytes, "{name}");
    }
}

#[test]
fn collected_seeds_print_as_they_came_or_are_refused_with_a_line() {
    let vectors = vectors("webrtc-fuzzer-corpora");
    assert_eq!(vectors.len(), 67);
    let mut refused = Vec::new();
    for (name, bytes) in vectors {
        match parse(&bytes) {
            Ok(sdp) => assert_eq!(sdp.to_string(), crlf(&bytes), "{name}"),
            Err(error) => refused.push((name.rsplit('/').next().unwrap().to_owned(), error)),
        }
    }
    let fragment = ParseError {
        line: 1,
        fault: Fault::NoVersion,
    };
    let expected = ["unittest-3.sdp", "unittest-6.sdp", "unittest-7.sdp"];
    assert_eq!(refused, expected.map(|name| (name.to_owned(), fragment)));
}

const SMALL: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";

fn fault(text: &str) -> (usize, Fault) {
    let error = text.parse::<Sdp>().unwrap_err();
    (error.line, error.fault)
}

#[test]
fn faults_name_the_line_and_the_reason() {
    assert_eq!(fault(""), (1, Fault::Empty));
    assert_eq!(fault("\r\n\r\n"), (1, Fault::Empty));
    assert_eq!(fault("o=- 1 1 IN IP4 127.0.0.1\r\n"), (1, Fault::NoVersion));
    assert_eq!(fault("v=1\r\n"), (1, Fault::Version));
    assert_eq!(fault("v=0\r\no=- 1 1\r\n"), (2, Fault::Origin));
    assert_eq!(fault(&format!("{SMALL}hello\r\n")), (5, Fault::NotALine));
    assert_eq!(fault(&format!("{SMALL} a=b\r\n")), (5, Fault::NotALine));
    assert_eq!(fault(&format!("{SMALL}1=b\r\n")), (5, Fault::NotALine));
    assert_eq!(fault(&format!("{SMALL}a=x\0y\r\n")), (5, Fault::Control));
    assert_eq!(fault(&format!("{SMALL}a=x\ry\r\n")), (5, Fault::Control));
    assert_eq!(
        fault(&format!("{SMALL}m=audio 9\r\n")),
        (5, Fault::MediaFields)
    );
    assert_eq!(
        fault(&format!("{SMALL}m=audio 9 RTP/AVP\r\n")),
        (5, Fault::MediaFields)
    );
    assert_eq!(
        fault(&format!("{SMALL}m=audio 65536 RTP/AVP 0\r\n")),
        (5, Fault::MediaPort)
    );
    assert_eq!(
        fault(&format!("{SMALL}m=audio 9/x RTP/AVP 0\r\n")),
        (5, Fault::MediaPort)
    );
    let error = format!("{SMALL}\r\nhello").parse::<Sdp>().unwrap_err();
    assert_eq!(error.to_string(), "SDP line 6: not of the form x=value");
}

#[test]
fn what_phones_and_browsers_get_wrong_is_read() {
    let sdp: Sdp = "\nv=0\no=Cisco SPA 504G 1 1 IN IP4 192.0.2.1 \ns=\ni=call\nb=AS:1\nb=TIAS:x\nb=CT:2\nm=audio 9/2 RTP/AVP 0\ni=voice\nb=AS:64\nb=TIAS:64000\n\n"
        .parse()
        .unwrap();
    assert_eq!(sdp.origin().unwrap().username, "Cisco SPA 504G");
    assert_eq!(sdp.session_name(), "");
    assert_eq!(sdp.times().count(), 0);
    let modifiers = |bandwidths: Vec<sdp::Bandwidth<'_>>| -> Vec<String> {
        bandwidths
            .iter()
            .map(|bandwidth| format!("{}:{}", bandwidth.modifier, bandwidth.value))
            .collect()
    };
    assert_eq!(modifiers(sdp.bandwidths().collect()), ["AS:1", "CT:2"]);
    assert_eq!(
        modifiers(sdp.media[0].bandwidths().collect()),
        ["AS:64", "TIAS:64000"]
    );
    assert_eq!(sdp.media[0].port_count, Some(2));
    let latin1 = parse(b"v=0\r\ns=caf\xe9\r\n").unwrap();
    assert_eq!(latin1.session_name(), "caf\u{fffd}");
}

#[test]
fn limits_hold() {
    let lines = |count: usize| format!("v=0\r\n{}", "a=x\r\n".repeat(count - 1));
    assert!(lines(LINES_MAX).parse::<Sdp>().is_ok());
    assert_eq!(fault(&lines(LINES_MAX + 1)).1, Fault::TooManyLines);
    let media = |count: usize| format!("v=0\r\n{}", "m=audio 9 RTP/AVP 0\r\n".repeat(count));
    assert!(media(MEDIA_MAX).parse::<Sdp>().is_ok());
    assert_eq!(
        fault(&media(MEDIA_MAX + 1)),
        (MEDIA_MAX + 2, Fault::TooManyMedia)
    );
    let formats = |count: usize| format!("v=0\r\nm=audio 9 RTP/AVP{}\r\n", " 0".repeat(count));
    assert!(formats(FORMATS_MAX).parse::<Sdp>().is_ok());
    assert_eq!(fault(&formats(FORMATS_MAX + 1)), (2, Fault::TooManyFormats));
    let long = |length: usize| format!("v=0\r\ns={}", "x".repeat(length - 7));
    assert!(long(BYTES_MAX).parse::<Sdp>().is_ok());
    assert_eq!(fault(&long(BYTES_MAX + 1)).1, Fault::TooLong);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn what_is_printed_is_read_back(lines in prop::collection::vec(line(), 0..40)) {
        let text = format!("v=0\r\n{}", lines.concat());
        let sdp: Sdp = text.parse().unwrap();
        prop_assert_eq!(sdp.to_string(), text);
        for media in &sdp.media {
            touch(&sdp, media);
        }
    }
}

/// A line that is well-formed as text; its value may be nonsense.
fn line() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec![
        "rtpmap",
        "fmtp",
        "rtcp-fb",
        "extmap",
        "msid",
        "ssrc",
        "ssrc-group",
        "candidate",
        "rid",
        "mid",
        "group",
        "fingerprint",
        "setup",
        "ice-ufrag",
        "ice-pwd",
        "simulcast",
        "crypto",
    ]);
    prop_oneof![
        (names, "[ -~]{0,40}").prop_map(|(name, value)| format!("a={name}:{value}\r\n")),
        "[abcikrtuz]=[^\0\r\n]{0,20}\r\n",
        (any::<u16>(), "[A-Z/]{1,12}", 0..128_u8)
            .prop_map(|(port, profile, format)| format!("m=video {port} {profile} {format}\r\n")),
    ]
}

/// Reads every view.
fn touch(sdp: &Sdp, media: &sdp::Media) {
    let _ = (
        sdp.direction(media),
        sdp.ice(media),
        sdp.fingerprints(media),
        sdp.setup(media),
    );
    let _ = (
        sdp.groups().count(),
        sdp.candidates().count(),
        sdp.bandwidths().count(),
        sdp.connection(),
    );
    let _ = (
        media.rtpmaps().count(),
        media.fmtps().filter_map(|fmtp| fmtp.apt()).count(),
    );
    let _ = (
        media.feedbacks().count(),
        media.extmaps().count(),
        media.msids().count(),
    );
    let _ = (
        media.ssrcs().count(),
        media.ssrc_groups().count(),
        media.candidates().count(),
    );
    let _ = (
        media.rids().count(),
        media.mid(),
        media.connection(),
        media.payload_types().count(),
    );
}
