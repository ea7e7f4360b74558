//! The negotiator with the real engine: recorded offers in, answers out, and our own offers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "negotiate/answers.rs"]
mod answers;
#[path = "negotiate/engine.rs"]
mod engine;
#[path = "negotiate/holds.rs"]
mod holds;
#[path = "negotiate/mutations.rs"]
mod mutations;
#[path = "negotiate/offers.rs"]
mod offers;
#[path = "negotiate/refusals.rs"]
mod refusals;
#[path = "negotiate/rules.rs"]
mod rules;

use sdp::Sdp;

macro_rules! recorded {
    ($($name:ident = $file:literal,)*) => {
        $(
            pub(crate) const $name: &str =
                include_str!(concat!("../../sdp/tests/vectors/recorded/", $file, ".sdp"));
        )*
        /// Every first offer of a recorded call, and offers from inside calls.
        pub(crate) const OFFERS: &[(&str, &str)] = &[$(($file, $name)),*];
    };
}

recorded! {
    CHROMIUM = "jssip-3013-to-313.03248.alice.offer",
    CHROMIUM_HOLD = "jssip-3013-to-313.08473.alice.offer",
    CHROMIUM_RESUME = "jssip-3013-to-313.09970.alice.offer",
    CHROMIUM_AUDIO = "attx.04116.alice.offer",
    CHROMIUM_AUDIO_HOLD = "attx.05894.alice.offer",
    CHROMIUM_CAROL = "attx.06818.alice.offer",
    CHROMIUM_BOB = "attx.08898.bob.offer",
    MEGA_PHONE = "cmp.03833.alice.offer",
    TWO_PICTURES = "cmp.08267.bob.offer",
    TWO_PICTURES_LATER = "cmp.11840.bob.offer",
    CHROMIUM_CMP = "cmp.15631.bob.offer",
    FIREFOX = "ff.04638.ff.offer",
    FIREFOX_HOLD = "ff.09647.ff.offer",
    FIREFOX_RESUME = "ff.11150.ff.offer",
    CHROMIUM_UPDATE = "jssip-3013-to-313.11482.bob.offer",
    CHROMIUM_UPDATE_BACK = "jssip-3013-to-313.12684.bob.offer",
    JSSIP_313 = "jssip-to-sipml.04296.alice.offer",
    SIPML5_HOLD_BY_CALLEE = "jssip-to-sipml.14253.bob.offer",
    SIPJS = "sipjs-to-jssip.03995.alice.offer",
    SIPJS_HOLD = "sipjs-to-jssip.10647.alice.offer",
    SIPJS_RESUME = "sipjs-to-jssip.12170.alice.offer",
    SIPML5 = "sipml-mangle.03397.alice.offer",
    SIPML5_HOLD = "sipml-mangle.09856.alice.offer",
    SIPML5_RESUME = "sipml-mangle.11346.alice.offer",
    FOUR_LINES = "sipml-mangle.13356.bob.offer",
    SIPML5_OTHER = "sipml-to-jssip.03334.alice.offer",
    INACTIVE = "sipml-to-jssip.13296.bob.offer",
}

pub(crate) fn sdp(text: &str) -> Sdp {
    text.parse().unwrap()
}

/// A recorded description with parts of its text changed; each part must be there.
pub(crate) fn edited(text: &str, edits: &[(&str, &str)]) -> Sdp {
    let mut text = text.to_owned();
    for (from, to) in edits {
        assert!(text.contains(from), "{from:?} is not in the recording");
        text = text.replace(from, to);
    }
    sdp(&text)
}

pub(crate) fn formats(sdp: &Sdp, mline: usize) -> Vec<&str> {
    sdp.media[mline]
        .formats
        .iter()
        .map(|format| &**format)
        .collect()
}

pub(crate) fn directions(sdp: &Sdp) -> Vec<&'static str> {
    sdp.media
        .iter()
        .map(|media| sdp.direction(media).as_str())
        .collect()
}

pub(crate) fn ports(sdp: &Sdp) -> Vec<u16> {
    sdp.media.iter().map(|media| media.port).collect()
}
