//! The web server as others see it: over real sockets, with real files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod acme;
mod authority;
mod certificate;
mod files;
mod handshake;
mod http2;
mod pace;
mod reload;
mod server;
mod support;
