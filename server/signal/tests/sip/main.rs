//! Signalling and the web server started together, used by phones over loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod calls;
mod connected;
mod database;
mod dial;
mod digits;
mod early;
mod flows;
mod identity;
mod lamps;
mod lists;
mod login;
mod names;
mod options;
mod outbound;
mod pickup;
mod picture;
mod places;
mod presence;
mod qualify;
mod register;
mod security;
mod semi_attended;
mod support;
mod text;
mod tls;
mod transfer;
mod transport;
mod trunk;
