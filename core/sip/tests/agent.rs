//! Scenarios of the Agent in virtual time: no clock, no network, every seed fixed.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "support/vectors.rs"]
mod vectors;

mod agent {
    mod cancel;
    mod dialog;
    mod flow;
    mod glare;
    mod identity;
    mod invite;
    mod limits;
    mod login;
    mod loss;
    mod pair;
    mod registration;
    mod reliable;
    mod replay;
    mod session_timer;
    mod solo;
    mod subscription;
    mod transaction;
}
