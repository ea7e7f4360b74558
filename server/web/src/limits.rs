//! Every bound on what a stranger may cost the listener.

use std::time::Duration;

/// Open TCP connections over all listeners, upgraded ones included.
pub const CONNECTIONS_MAX: usize = 8_192;

/// Time for a TLS handshake, the first byte included.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for a whole request head; also how long a kept-alive connection may stay idle.
pub(crate) const HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// Life of a connection that never becomes a WebSocket: bounds slow readers of big files.
pub(crate) const HTTP_LIFE_MAX: Duration = Duration::from_secs(120);

/// Bytes of a request head; a longer one is answered 431.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Header lines of a request; more are answered 431.
pub(crate) const HEADERS_MAX: usize = 64;

/// Bytes of one WebSocket message: the largest SIP message taken. A description of 50 pictures has
/// 60 kB; room is taken only while a message comes in.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// Read buffer of an idle WebSocket. The library's own 128 KiB would cost 13 GB at 100,000 phones.
pub(crate) const READ_BUFFER_BYTES: usize = 4 * 1024;

/// Bytes that may wait to be written to one WebSocket.
pub(crate) const WRITE_BUFFER_BYTES_MAX: usize = 1024 * 1024;

/// Time a WebSocket peer has to take one message off our hands.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Distinct refused hosts and origins that get a log line each; the rest are refused silently.
pub(crate) const REFUSALS_LOGGED_MAX: usize = 64;
