//! Signalling and the web server started together, used by phones over loopback.

mod calls;
mod register;
mod security;
mod support;
