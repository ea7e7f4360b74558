//! `type=system`: the timers of SIP.

use crate::option::{Object, Parse, Row, inert};

/// The one `type=system` object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// RFC 3261's T1, the time a round trip may take, in milliseconds.
    pub timer_t1_ms: u32,
    /// How long an INVITE waits for any answer, in milliseconds.
    pub timer_b_ms: u32,
}

impl Default for System {
    fn default() -> Self {
        Self {
            timer_t1_ms: 500,
            timer_b_ms: 32_000,
        }
    }
}

impl Object for System {
    const KIND: &'static str = "system";
    const OPTIONS: &'static [Row<Self>] = OPTIONS;

    fn named(_: &str) -> Self {
        Self::default()
    }
}

/// The transaction layer has its own.
const OWN_TIMERS: &str = "the timers of RFC 3261 have the values the specification recommends";

const OPTIONS: &[Row<System>] = &[
    inert(
        "timer_b",
        "32000",
        Parse::Number(|s| &mut s.timer_b_ms, 1000, 600_000),
        "Milliseconds an INVITE waits for an answer.",
        OWN_TIMERS,
    ),
    inert(
        "timer_t1",
        "500",
        Parse::Number(|s| &mut s.timer_t1_ms, 100, 10_000),
        "Milliseconds a round trip may take.",
        OWN_TIMERS,
    ),
];
