//! Session descriptions (RFC 8866): text to types and back, losslessly.
//!
//! [`Sdp`] keeps every line in its place, known or not, so that printing what was parsed gives the
//! same text again (line ends become CRLF). Typed views read the lines on demand. The parser is
//! lenient where browsers and phones are: bare LF, a missing `t=`, an empty `s=`, `i=` and several
//! `b=` lines anywhere. It is strict about what cannot be carried further: a line that is not
//! `x=value`, an `m=` line without port or profile, a wrong version.
//!
//! Deliberately not here: what an answer to an offer is (crate `rtc`), and SDP of RFC 3108, of
//! capability negotiation (RFC 5939) or of source-specific multicast, whose lines are only kept.

mod attribute;
mod direction;
mod error;
mod media;
mod parse;
mod print;
mod session;

pub use attribute::{Candidate, Extmap, Feedback, Fingerprint, Fmtp, Group, Msid, Rtpmap};
pub use attribute::{Rid, Setup, Ssrc, SsrcGroup};
pub use direction::Direction;
pub use error::{Fault, ParseError};
pub use media::{Media, MediaKind};
pub use parse::{BYTES_MAX, FORMATS_MAX, LINES_MAX, MEDIA_MAX, parse};
pub use session::{Bandwidth, Connection, Line, Origin, Sdp, Times};
