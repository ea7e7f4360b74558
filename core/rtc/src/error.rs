//! Why an offer or an answer cannot be used.

use std::fmt;

use codec::Kind;

use crate::negotiate::LineFault;

/// The faults that refuse a whole description. Single lines are refused inside the answer and told
/// by [`crate::negotiate::Note`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No line carries `a=fingerprint` (RFC 8827 §6.5 requires DTLS-SRTP).
    NoFingerprint,
    /// The keys come in `a=crypto` (RFC 4568) alone.
    SdesOnly,
    /// `a=ice-ufrag` or `a=ice-pwd` is missing (RFC 8839 §4.2.4).
    NoIce,
    /// `a=rtcp-mux` is missing (RFC 8834 §4.5 requires it).
    NoRtcpMux,
    /// There is neither audio nor video to talk about.
    NoMedia,
    /// It is about a fax (T.38) alone.
    Fax,
    /// No codec is both offered and allowed.
    NoCommonCodec {
        /// Of the first line that failed.
        kind: Kind,
        /// The names in the offer.
        offered: Box<str>,
        /// The names in `allow=`.
        allowed: Box<str>,
    },
    /// A later description has fewer `m=` lines (RFC 3264 §8 forbids removing them).
    LinesRemoved {
        /// How many there were.
        before: usize,
        /// How many are left.
        now: usize,
    },
    /// An answer has another number of `m=` lines than the offer (RFC 3264 §6).
    LineCount {
        /// In our offer.
        offered: usize,
        /// In the answer.
        answered: usize,
    },
    /// A line in use changed its media type or its `a=mid` (RFC 3264 §8.3.3, RFC 8829 §5.8).
    LineChanged {
        /// From 0.
        mline: usize,
    },
    /// Two lines have the same `a=mid` (RFC 5888 §9.1).
    DuplicateMid {
        /// The second of the two, from 0.
        mline: usize,
    },
    /// The DTLS fingerprint changed in the call; the engine keeps its one association.
    FingerprintChanged,
    /// An answer with other ICE credentials than before, although our offer did not restart ICE
    /// (RFC 8839 §4.4.3.1).
    IceChanged,
    /// A setup role that contradicts the first one (RFC 8842 §5.5).
    SetupChanged,
    /// Our own offer is waiting for its answer (RFC 3261 §14.2).
    OfferPending,
    /// There is no offer that this could answer.
    NoOfferPending,
    /// The one stream it is about cannot be had, for this reason.
    Line(LineFault),
    /// The engine refused a description that we thought it takes; the text is its own.
    Engine(Box<str>),
}

impl Refused {
    /// Whether another `allow=` would cure it.
    pub fn lacks_codec(&self) -> bool {
        matches!(
            self,
            Self::NoCommonCodec { .. } | Self::Line(LineFault::NoCommonCodec { .. })
        )
    }

    /// The SIP status that tells the peer.
    pub fn status(&self) -> u16 {
        match self {
            Self::LinesRemoved { .. }
            | Self::LineCount { .. }
            | Self::LineChanged { .. }
            | Self::DuplicateMid { .. } => 400,
            Self::NoFingerprint
            | Self::SdesOnly
            | Self::NoIce
            | Self::NoRtcpMux
            | Self::NoMedia
            | Self::Fax
            | Self::NoCommonCodec { .. }
            | Self::FingerprintChanged
            | Self::IceChanged
            | Self::Line(_)
            | Self::SetupChanged => 488,
            Self::OfferPending => 491,
            Self::NoOfferPending | Self::Engine(_) => 500,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFingerprint => f.write_str(
                "No a=fingerprint in the offer: switch on WebRTC (DTLS-SRTP) in the client",
            ),
            Self::SdesOnly => f.write_str(
                "The offer has SDES keys (a=crypto) only: switch the client from SDES to DTLS-SRTP",
            ),
            Self::NoIce => f.write_str(
                "No a=ice-ufrag and a=ice-pwd in the offer: switch on ICE in the client",
            ),
            Self::NoRtcpMux => {
                f.write_str("No a=rtcp-mux in the offer: switch on RTCP multiplexing in the client")
            }
            Self::NoMedia => f.write_str("The offer has neither audio nor video that may be used"),
            Self::Fax => f.write_str("Fax (T.38) is not served: send it as sound (G.711)"),
            Self::NoCommonCodec {
                kind,
                offered,
                allowed,
            } => write!(
                f,
                "No common {} codec: the far end has {offered}, the endpoint allows {allowed}",
                kind.as_str()
            ),
            Self::LinesRemoved { before, now } => {
                write!(
                    f,
                    "The offer has {now} m= lines, the one before had {before}"
                )
            }
            Self::LineCount { offered, answered } => {
                write!(
                    f,
                    "The answer has {answered} m= lines, the offer had {offered}"
                )
            }
            Self::LineChanged { mline } => {
                write!(
                    f,
                    "m= line {} changed its media type or mid in mid-call",
                    mline + 1
                )
            }
            Self::DuplicateMid { mline } => {
                write!(f, "m= line {} has the a=mid of another line", mline + 1)
            }
            Self::FingerprintChanged => {
                f.write_str("The DTLS fingerprint changed in mid-call: hang up and call again")
            }
            Self::IceChanged => f.write_str(
                "The answer restarts ICE, which only an offer can do: hang up and call again",
            ),
            Self::SetupChanged => {
                f.write_str("a=setup contradicts the DTLS role agreed before: offer actpass")
            }
            Self::OfferPending => f.write_str("Our own offer is waiting for its answer"),
            Self::NoOfferPending => f.write_str("There is no offer to answer"),
            Self::Line(LineFault::Encryption { offered }) => write!(
                f,
                "The description has {offered}, the endpoint's media_encryption says otherwise: \
                 set media_encryption (or webrtc=yes for a browser) to what the client does"
            ),
            Self::Line(fault) => write!(f, "The stream cannot be used: {fault}"),
            Self::Engine(text) => write!(f, "The media engine refused the description: {text}"),
        }
    }
}

impl std::error::Error for Refused {}
