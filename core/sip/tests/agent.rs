//! Scenarios of the Agent in virtual time: no clock, no network, every seed fixed.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod agent {
    mod cancel;
    mod dialog;
    mod flow;
    mod glare;
    mod invite;
    mod limits;
    mod loss;
    mod pair;
    mod session_timer;
    mod solo;
    mod transaction;
}

use {
    hmac as _, md5 as _, memchr as _, proptest as _, rand_chacha as _, rand_core as _, sha2 as _,
};
