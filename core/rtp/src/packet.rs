//! The RTP packet on the wire: RFC 3550 §5.1, with padding and header extension (RFC 8285) skipped.
//!
//! A packet borrows its payload. What does not hold together (another version, lists longer than the
//! packet, padding longer than the payload) is no packet.

/// One RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    /// The marker bit.
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// As on the wire.
    pub sequence: u16,
    /// In units of the format's clock.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
    /// Without padding.
    pub payload: &'a [u8],
}

impl<'a> RtpPacket<'a> {
    /// Reads a packet in the clear.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (head, mut rest) = bytes.split_first_chunk::<HEADER_LEN>()?;
        if !is_rtp(bytes) {
            return None;
        }
        let sources = usize::from(head[0] & 0x0F);
        rest = rest.get(sources * 4..)?;
        if head[0] & EXTENSION_BIT != 0 {
            let (extension, after) = rest.split_first_chunk::<4>()?;
            let words = usize::from(u16::from_be_bytes([extension[2], extension[3]]));
            rest = after.get(words * 4..)?;
        }
        if head[0] & PADDING_BIT != 0 {
            let padding = usize::from(*rest.last()?);
            if padding == 0 {
                return None;
            }
            rest = rest.get(..rest.len().checked_sub(padding)?)?;
        }
        Some(Self {
            marker: head[1] & MARKER_BIT != 0,
            payload_type: head[1] & 0x7F,
            sequence: u16::from_be_bytes([head[2], head[3]]),
            timestamp: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            ssrc: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
            payload: rest,
        })
    }

    /// Writes it, without sources, extension or padding.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LEN + self.payload.len() + TAG_LEN_MAX);
        let marker = if self.marker { MARKER_BIT } else { 0 };
        bytes.extend([VERSION, marker | self.payload_type & 0x7F]);
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.timestamp.to_be_bytes());
        bytes.extend(self.ssrc.to_be_bytes());
        bytes.extend(self.payload);
        bytes
    }
}

/// The header extension of this number in a packet (RFC 8285). It is in the clear in SRTP too.
pub fn extension(bytes: &[u8], number: u8) -> Option<&[u8]> {
    let (head, rest) = bytes.split_first_chunk::<HEADER_LEN>()?;
    if !is_rtp(bytes) || head[0] & EXTENSION_BIT == 0 {
        return None;
    }
    let rest = rest.get(usize::from(head[0] & 0x0F) * 4..)?;
    let (head, rest) = rest.split_first_chunk::<4>()?;
    let profile = u16::from_be_bytes([head[0], head[1]]);
    let words = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let mut rest = rest.get(..words * 4)?;
    let is_short = profile == SHORT_FORM;
    if !is_short && profile >> 4 != LONG_FORM {
        return None;
    }
    while let Some((first, after)) = rest.split_first() {
        if *first == 0 {
            rest = after;
            continue;
        }
        let (own, len, after) = match is_short {
            // Number 15 ends the list.
            true if first >> 4 == 15 => return None,
            true => (first >> 4, usize::from(first & 0x0F) + 1, after),
            false => {
                let (len, after) = after.split_first()?;
                (*first, usize::from(*len), after)
            }
        };
        let (value, after) = after.split_at_checked(len)?;
        if own == number {
            return Some(value);
        }
        rest = after;
    }
    None
}

/// Puts a header extension in a packet as [`RtpPacket::write`] makes it, in the short form: a number of 1
/// to 14, 1 to 16 bytes. What does not fit is left out.
pub fn extend(bytes: &mut Vec<u8>, number: u8, value: &[u8]) {
    let fits = (1..=14).contains(&number) && (1..=16).contains(&value.len());
    if !fits || bytes.len() < HEADER_LEN {
        return;
    }
    let words = (1 + value.len()).div_ceil(4);
    let mut block = Vec::with_capacity(4 + words * 4);
    block.extend(SHORT_FORM.to_be_bytes());
    block.extend((words as u16).to_be_bytes());
    block.push(number << 4 | (value.len() - 1) as u8);
    block.extend(value);
    block.resize(4 + words * 4, 0);
    bytes[0] |= EXTENSION_BIT;
    bytes.splice(HEADER_LEN..HEADER_LEN, block);
}

/// Whether this may be RTP: version 2, and not one of RTCP's packet types (RFC 5761 §4).
pub fn is_rtp(bytes: &[u8]) -> bool {
    matches!(bytes, [first, second, ..] if first >> 6 == 2 && !(192..224).contains(second))
}

/// Whether this may be RTCP: version 2, and one of RTCP's packet types (RFC 5761 §4).
pub fn is_rtcp(bytes: &[u8]) -> bool {
    matches!(bytes, [first, second, ..] if first >> 6 == 2 && (192..224).contains(second))
}

/// RFC 8285 §4.2.
const SHORT_FORM: u16 = 0xBEDE;
/// RFC 8285 §4.3: the upper twelve bits.
const LONG_FORM: u16 = 0x100;
const VERSION: u8 = 2 << 6;
const PADDING_BIT: u8 = 0x20;
const EXTENSION_BIT: u8 = 0x10;
const MARKER_BIT: u8 = 0x80;
const HEADER_LEN: usize = 12;
/// Room for the tag of SRTP, so that sealing need not move the packet.
const TAG_LEN_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::{RtpPacket, is_rtcp, is_rtp};

    const PACKET: RtpPacket<'_> = RtpPacket {
        marker: true,
        payload_type: 101,
        sequence: 0xFFFE,
        timestamp: 0xDEAD_BEEF,
        ssrc: 7,
        payload: &[1, 2, 3],
    };

    #[test]
    fn what_is_written_is_read() {
        let bytes = PACKET.write();
        assert_eq!(RtpPacket::parse(&bytes), Some(PACKET));
        assert!(is_rtp(&bytes) && !is_rtcp(&bytes));
    }

    #[test]
    fn sources_extension_and_padding_are_skipped() {
        let mut bytes = PACKET.write();
        bytes[0] |= 0x31;
        bytes.splice(12..12, [0, 0, 0, 9, 0xBE, 0xDE, 0, 1, 0x10, 5, 0, 0]);
        bytes.extend([0, 0, 0, 4]);
        assert_eq!(RtpPacket::parse(&bytes), Some(PACKET));
    }

    #[test]
    fn what_does_not_hold_together_is_refused() {
        let whole = PACKET.write();
        for len in 0..12 {
            assert_eq!(RtpPacket::parse(&whole[..len]), None, "cut off at {len}");
        }
        let broken = |at: usize, value: u8| {
            let mut bytes = whole.clone();
            bytes[at] = value;
            RtpPacket::parse(&bytes).is_none()
        };
        assert!(broken(0, 0x40), "version 1");
        assert!(broken(0, 0x8F), "fifteen sources");
        assert!(broken(0, 0x90), "an extension of 0x0203 words");
        assert!(broken(1, 200), "RTCP");
        let mut padded = whole.clone();
        padded[0] |= 0x20;
        *padded.last_mut().unwrap() = 4;
        assert_eq!(RtpPacket::parse(&padded), None, "padding beyond payload");
        *padded.last_mut().unwrap() = 0;
        assert_eq!(
            RtpPacket::parse(&padded),
            None,
            "padding that counts nothing"
        );
    }
}
