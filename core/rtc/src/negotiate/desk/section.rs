//! One media section of a desk phone: what it says, and whether it can be used.

use super::crypto::Crypto;
use super::{ice, secure};
use crate::negotiate::decide::{allowed_names, has_codec};
use crate::negotiate::format::{self, Described};
use crate::negotiate::note::LineFault;
use crate::negotiate::table::av_kind;
use crate::policy::{Encryption, Policy, Terms};
use crate::topology::Wishes;
use codec::{Kind, Preference};
use sdp::{Connection, Direction, Media, Sdp};
use std::net::{IpAddr, SocketAddr};

/// Where a peer receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remote {
    pub(crate) rtp: SocketAddr,
    pub(crate) rtcp: SocketAddr,
}

/// What a section offers or answers.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub(super) kind: Kind,
    /// Seen from the peer.
    pub(super) direction: Direction,
    pub(super) formats: Vec<Described>,
    /// `None`: on hold in the old way (`c=` 0.0.0.0), or an address that cannot be sent to.
    pub(super) remote: Option<Remote>,
    pub(super) mux: bool,
    /// Whether feedback may be sent (AVPF, SAVPF).
    pub(super) feedback: bool,
    /// The usable keys; empty: in the clear.
    pub(super) cryptos: Vec<Crypto>,
    pub(super) wishes: Wishes,
    /// Of the peer's certificate; none: no DTLS.
    pub(super) dtls: Option<secure::Theirs>,
    /// None: no checks of connectivity.
    pub(super) ice: Option<ice::Theirs>,
}

/// What an RTP profile means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Profile {
    tls: bool,
    secure: bool,
    pub(super) feedback: bool,
}

impl Profile {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (tls, name) = match name.strip_prefix("UDP/TLS/") {
            Some(rest) => (true, rest),
            None => (false, name),
        };
        let (secure, feedback) = match name {
            "RTP/AVP" => (false, false),
            "RTP/AVPF" => (false, true),
            "RTP/SAVP" => (true, false),
            "RTP/SAVPF" => (true, true),
            _ => return None,
        };
        Some(Self {
            tls,
            secure,
            feedback,
        })
    }

    /// The profile of our offers.
    pub(super) fn offered(terms: &Terms) -> &'static str {
        let (secure, tls) = match terms.encryption {
            Encryption::No => (false, false),
            // What may be declined is offered in the profile of who declines it (RFC 8643 §3.1).
            Encryption::Sdes { optimistic, .. } => (!optimistic, false),
            Encryption::Dtls { optimistic, .. } => (!optimistic, !terms.is_profile_short),
        };
        match (secure, tls, terms.feedback) {
            (false, _, false) => "RTP/AVP",
            (false, _, true) => "RTP/AVPF",
            (true, false, false) => "RTP/SAVP",
            (true, false, true) => "RTP/SAVPF",
            (true, true, false) => "UDP/TLS/RTP/SAVP",
            (true, true, true) => "UDP/TLS/RTP/SAVPF",
        }
    }
}

impl Section {
    /// Reads a section in use.
    pub(super) fn read(
        sdp: &Sdp,
        media: &Media,
        policy: &Policy,
        terms: &Terms,
        order: Preference,
        local: IpAddr,
    ) -> Result<Self, LineFault> {
        let kind = av_kind(&media.kind).ok_or(LineFault::Kind)?;
        let profile = Profile::parse(&media.profile)
            .ok_or_else(|| LineFault::Profile(media.profile.clone()))?;
        if terms.feedback && !profile.feedback {
            return Err(LineFault::NoFeedback(media.profile.clone()));
        }
        let Protection { cryptos, dtls } = protection(sdp, media, profile, terms)?;
        let formats = format::read_loosely(media, kind, policy, order);
        let wishes = format::wishes(sdp, media, &formats);
        if !has_codec(&formats) {
            return Err(LineFault::NoCommonCodec {
                offered: format::names(media),
                allowed: allowed_names(policy, kind),
            });
        }
        let connection = media.connection().or_else(|| sdp.connection());
        let ip = connection.and_then(|connection| address(&connection));
        let Some(ip) = ip else {
            return Err(LineFault::Address);
        };
        let mut direction = sdp.direction(media);
        if ip.is_unspecified() {
            // RFC 3264 §8.4: "an address of 0.0.0.0 ... specifies that neither RTP nor RTCP should be
            // sent to the peer", the way to hold before there were directions.
            direction = direction.intersect(Direction::SendOnly);
        } else if ip.is_ipv4() != local.is_ipv4() {
            return Err(LineFault::Family { theirs: ip });
        }
        Ok(Self {
            kind,
            direction,
            formats,
            remote: remote(media, ip, local),
            mux: terms.rtcp_mux && media.has("rtcp-mux"),
            feedback: profile.feedback,
            cryptos,
            wishes,
            dtls,
            ice: terms.ice.then(|| ice::Theirs::read(sdp, media)).flatten(),
        })
    }
}

/// How a section is encrypted; neither for plain RTP.
#[derive(Default)]
struct Protection {
    cryptos: Vec<Crypto>,
    dtls: Option<secure::Theirs>,
}

/// What `media_encryption` makes of a section, or a refusal. As Asterisk has it: keys or a fingerprint in
/// an AVP section are an offer to encrypt that may be declined (RFC 8643).
fn protection(
    sdp: &Sdp,
    media: &Media,
    profile: Profile,
    terms: &Terms,
) -> Result<Protection, LineFault> {
    let fault = |offered: &'static str| Err(LineFault::Encryption { offered });
    let plain = Protection::default;
    let has_keys = media.has("crypto");
    let has_print = !sdp.fingerprints(media).is_empty();
    let is_dtls = profile.tls || profile.secure && has_print && !has_keys;
    match terms.encryption {
        Encryption::Dtls { optimistic, .. } => {
            let dtls = secure::Theirs::read(sdp, media);
            match dtls {
                Some(_) => Ok(Protection { dtls, ..plain() }),
                None if has_print => fault("a fingerprint of an unknown kind"),
                None if profile.tls => fault("DTLS without a fingerprint"),
                None if profile.secure => fault("SDES"),
                None if optimistic => Ok(plain()),
                None => fault("no encryption"),
            }
        }
        _ if is_dtls => fault("DTLS-SRTP"),
        Encryption::No if profile.secure => fault("SDES"),
        Encryption::No => Ok(plain()),
        Encryption::Sdes { optimistic, .. } => {
            if !has_keys {
                return match !profile.secure && optimistic {
                    true => Ok(plain()),
                    false => fault("no encryption"),
                };
            }
            let cryptos = Crypto::read(media);
            match cryptos.is_empty() {
                true if optimistic && !profile.secure => Ok(plain()),
                true => fault("no key that can be used"),
                false => Ok(Protection { cryptos, ..plain() }),
            }
        }
    }
}

/// The address of a `c=` line. Names are not resolved: phones write numbers.
fn address(connection: &Connection<'_>) -> Option<IpAddr> {
    let text = connection.address;
    let text = text.split_once('/').map_or(text, |(address, _)| address);
    text.parse().ok().map(|ip: IpAddr| ip.to_canonical())
}

/// Where packets may be sent. Nothing is sent to a group, and to loopback only from there: a description
/// must not aim our packets at services of this machine.
fn remote(media: &Media, ip: IpAddr, local: IpAddr) -> Option<Remote> {
    let is_group = match ip {
        IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_multicast(),
    };
    let is_inward = ip.is_loopback() && !local.is_loopback();
    if ip.is_unspecified() || is_group || is_inward || media.port == 0 {
        return None;
    }
    // RFC 3605 §2.1: `a=rtcp:port [IN IP4 address]`.
    let written = media.attribute("rtcp").unwrap_or_default();
    let mut fields = written.split_ascii_whitespace();
    let port = fields.next().and_then(|port| port.parse::<u16>().ok());
    let port = port.filter(|port| *port != 0);
    Some(Remote {
        rtp: SocketAddr::new(ip, media.port),
        rtcp: SocketAddr::new(ip, port.unwrap_or_else(|| media.port.saturating_add(1))),
    })
}
