//! What a person should know about a negotiation that went on all the same.

use std::fmt;
use std::net::IpAddr;

use codec::Kind;

/// One thing that was not done as asked, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A line of the peer's offer was refused with port 0.
    LineRefused {
        /// From 0.
        mline: usize,
        /// Its media type.
        media: Box<str>,
        /// Why.
        fault: LineFault,
    },
    /// The peer refused a line of our offer.
    PeerRefused {
        /// From 0.
        mline: usize,
    },
    /// Fewer streams were offered than wanted.
    StreamsDropped {
        /// Audio or video.
        kind: Kind,
        /// How many were left out.
        dropped: usize,
        /// The limit of the endpoint.
        max: usize,
    },
    /// The engine cannot carry this `a=mid`; it calls the line otherwise.
    MidRenamed {
        /// From 0.
        mline: usize,
        /// The peer's name.
        mid: Box<str>,
    },
    /// A hold was answered `inactive` because sipML5 fails on `recvonly`.
    HeldInactive {
        /// From 0.
        mline: usize,
    },
}

/// Why one line is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineFault {
    /// Neither audio nor video.
    Kind,
    /// Not an RTP profile.
    Profile(Box<str>),
    /// The endpoint allows only so many.
    TooMany {
        /// `max_audio_streams` or `max_video_streams`.
        max: usize,
    },
    /// Nothing in it is both offered and allowed.
    NoCommonCodec {
        /// The names in the offer.
        offered: Box<str>,
        /// The names in `allow=`.
        allowed: Box<str>,
    },
    /// It wants a transport of its own (RFC 9143 allows that, we do not have one).
    NotBundled,
    /// It is encrypted in another way than the endpoint's `media_encryption`.
    Encryption {
        /// What it has.
        offered: &'static str,
    },
    /// The profile has no feedback, and the endpoint insists on it (`use_avpf`).
    NoFeedback(Box<str>),
    /// It has no `c=` with a numeric address.
    Address,
    /// Its address is of another family than the leg's.
    Family {
        /// What it has.
        theirs: IpAddr,
    },
    /// The leg has no more ports.
    NoPort,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineRefused {
                mline,
                media,
                fault,
            } => {
                write!(f, "Refused m={media} (line {}): {fault}", mline + 1)
            }
            Self::PeerRefused { mline } => {
                write!(f, "The peer refused stream {} of our offer", mline + 1)
            }
            Self::StreamsDropped { kind, dropped, max } => write!(
                f,
                "{dropped} more {0} stream(s) were not offered: max_{0}_streams is {max}",
                kind.as_str()
            ),
            Self::MidRenamed { mline, mid } => write!(
                f,
                "a=mid:{mid} (line {}) has characters that RTP cannot carry here; its packets are told apart by SSRC",
                mline + 1
            ),
            Self::HeldInactive { mline } => {
                write!(
                    f,
                    "Held line {} is answered inactive, as sipML5 needs it",
                    mline + 1
                )
            }
        }
    }
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind => f.write_str("only audio and video are supported"),
            Self::Profile(profile) => write!(f, "the profile {profile} is not RTP"),
            Self::TooMany { max } => write!(f, "the endpoint allows {max} of its kind"),
            Self::NoCommonCodec { offered, allowed } => {
                write!(
                    f,
                    "the far end has {offered}, the endpoint allows {allowed}"
                )
            }
            Self::NotBundled => f.write_str("it is not in the BUNDLE group of the first stream"),
            Self::Encryption { offered } => write!(
                f,
                "it has {offered}, which is not what media_encryption of the endpoint says"
            ),
            Self::NoFeedback(profile) => {
                write!(
                    f,
                    "the profile {profile} is not AVPF, which use_avpf asks for"
                )
            }
            Self::Address => f.write_str("it has no c= line with a numeric address"),
            Self::Family { theirs } => {
                write!(f, "its address {theirs} is of another family than ours")
            }
            Self::NoPort => f.write_str("there is no port left for it"),
        }
    }
}
