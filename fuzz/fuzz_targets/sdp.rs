//! Any bytes are a description or not; what is one prints as text that reads as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(sdp) = sdp::parse(bytes) else {
        return;
    };
    let text = sdp.to_string();
    assert_eq!(sdp::parse(text.as_bytes()).as_ref(), Ok(&sdp));
    for media in &sdp.media {
        let _ = (
            sdp.direction(media),
            sdp.ice(media),
            sdp.fingerprints(media),
            sdp.setup(media),
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
            media.bandwidths().count(),
        );
    }
    let _ = (
        sdp.origin(),
        sdp.groups().count(),
        sdp.times().count(),
        sdp.candidates().count(),
    );
});
