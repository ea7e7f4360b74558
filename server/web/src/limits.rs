//! Every bound on what a stranger may cost the listener.

use std::time::Duration;

/// Open TCP connections over all listeners, upgraded ones included.
pub const CONNECTIONS_MAX: usize = 8_192;

/// Time for a TLS handshake, the first byte included.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// What one address may have of few connections: a browser opens six at once.
pub(crate) const ADDRESS_SHARE_MIN: usize = 16;

/// Connections of one address that are no WebSockets: handshakes, requests, idle ones. An office
/// behind one address needs some; a flood of handshakes gets no more.
pub(crate) const STRANGERS_PER_ADDRESS_MAX: usize = 128;

/// Time in which nothing moves during a request, unless http.conf says otherwise; the whole head of
/// a request must be there within the longer of this and the next.
pub(crate) const INACTIVITY_TIMEOUT: Duration = Duration::from_secs(30);

/// Time between requests, unless http.conf says otherwise.
pub(crate) const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(15);

/// Life of a connection that never becomes a WebSocket: bounds those who read a byte now and then.
pub(crate) const HTTP_LIFE_MAX: Duration = Duration::from_secs(3_600);

/// Time a connection has to send what it still has when it is to end.
pub(crate) const GOODBYE_TIMEOUT: Duration = Duration::from_millis(500);

/// Requests at once on one connection of HTTP/2.
pub(crate) const STREAMS_MAX: u32 = 64;

/// Bytes one stream of HTTP/2 may have ready to be sent.
pub(crate) const SEND_BUFFER_BYTES_MAX: usize = 128 * 1024;

/// Bytes a client of HTTP/2 may send before we take them; nobody has much to say to us.
pub(crate) const WINDOW_BYTES: u32 = 64 * 1024;

/// Bytes of a request's body; nothing here takes one, so more is not even read.
pub(crate) const BODY_BYTES_MAX: u64 = 64 * 1024;

/// A compressed copy is made of files up to this size; bigger ones go as they are.
pub(crate) const COMPRESSED_SOURCE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Bytes of compressed copies kept, over all files.
pub(crate) const COMPRESSED_CACHE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of a file read and sent at once.
pub(crate) const FILE_CHUNK_BYTES: usize = 64 * 1024;

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
