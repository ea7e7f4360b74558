//! `rtp set debug on`: one line per RTP packet, as far as its header can be read in the clear.

use std::fmt;
use std::net::SocketAddr;

/// The target of these lines; at level TRACE.
pub const RTP_TARGET: &str = "rtp_debug";

/// The target of lines about RTCP; at level TRACE.
pub const RTCP_TARGET: &str = "rtcp_debug";

/// Which way a packet went.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    In,
    Out,
}

/// Prints a packet, if anybody wants it and it is RTP.
pub(crate) fn packet(way: Way, remote: SocketAddr, bytes: &[u8]) {
    if tracing::enabled!(target: RTCP_TARGET, tracing::Level::TRACE) {
        report(way, remote, bytes);
    }
    if !tracing::enabled!(target: RTP_TARGET, tracing::Level::TRACE) {
        return;
    }
    let Some(header) = Header::of(bytes) else {
        return;
    };
    let way = match way {
        Way::In => "Got  RTP packet from",
        Way::Out => "Sent RTP packet to  ",
    };
    tracing::trace!(target: RTP_TARGET, %remote, "{way} {remote} {header}");
}

fn report(way: Way, remote: SocketAddr, bytes: &[u8]) {
    let Some(report) = Report::of(bytes) else {
        return;
    };
    let way = match way {
        Way::In => "Got  RTCP packet from",
        Way::Out => "Sent RTCP packet to  ",
    };
    tracing::trace!(target: RTCP_TARGET, %remote, "{way} {remote} {report}");
}

/// What SRTCP leaves in the clear (RFC 3711 §3.4): the first packet's head and its sender.
struct Report {
    kind: u8,
    reports: u8,
    sender: u32,
    length: usize,
}

impl Report {
    fn of(bytes: &[u8]) -> Option<Self> {
        let head = bytes.first_chunk::<8>()?;
        let is_rtcp = (128..192).contains(&head[0]) && (192..224).contains(&head[1]);
        is_rtcp.then(|| Self {
            kind: head[1],
            reports: head[0] & 0x1f,
            sender: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            length: bytes.len(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // RFC 3550 §12.1, RFC 4585 §6.1, RFC 3611 §2.
        let name = match self.kind {
            200 => "SR",
            201 => "RR",
            202 => "SDES",
            203 => "BYE",
            204 => "APP",
            205 => "RTPFB",
            206 => "PSFB",
            207 => "XR",
            _ => "other",
        };
        let Self {
            kind,
            reports,
            sender,
            length,
        } = self;
        write!(
            f,
            "(type {kind} {name}, count {reports:02}, ssrc {sender:08x}, len {length:06})"
        )
    }
}

/// What SRTP leaves in the clear (RFC 3550 §5.1).
struct Header {
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    length: usize,
}

impl Header {
    fn of(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<12>()?;
        // RFC 7983 §7: RTP and RTCP begin with 128 to 191. RFC 5761 §4: RTCP's types are 192 to 223.
        let is_rtp = (128..192).contains(&head[0]) && !(192..224).contains(&head[1]);
        is_rtp.then(|| Self {
            payload_type: head[1] & 0x7f,
            sequence: u16::from_be_bytes([head[2], head[3]]),
            timestamp: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            length: rest.len(),
        })
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "(type {:02}, seq {:06}, ts {:06}, len {:06})",
            self.payload_type, self.sequence, self.timestamp, self.length
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Header, Report};

    #[test]
    fn tells_reports_by_their_type() {
        let packet = [0x81, 200, 0, 12, 0xde, 0xad, 0xbe, 0xef];
        let report = Report::of(&packet).unwrap().to_string();
        assert_eq!(report, "(type 200 SR, count 01, ssrc deadbeef, len 000008)");
        assert!(Report::of(&[0x80, 111, 0, 1, 0, 0, 0, 0]).is_none(), "RTP");
        assert!(Report::of(&packet[..7]).is_none(), "short");
    }

    #[test]
    fn tells_rtp_from_what_shares_its_port() {
        let mut packet = [0_u8; 32];
        packet[..8].copy_from_slice(&[0x80, 0x80 | 111, 0, 7, 0, 0, 3, 192]);
        let header = Header::of(&packet).unwrap().to_string();
        assert_eq!(header, "(type 111, seq 000007, ts 000960, len 000020)");
        packet[1] = 200;
        assert!(Header::of(&packet).is_none(), "RTCP");
        packet[0] = 0;
        assert!(Header::of(&packet).is_none(), "STUN");
        packet[0] = 22;
        assert!(Header::of(&packet[..10]).is_none(), "DTLS, short");
    }
}
