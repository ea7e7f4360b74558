//! RTCP of desk-phone legs: sender and receiver reports, source descriptions, goodbyes (RFC 3550 §6),
//! picture loss (RFC 4585 §6.3.1) and full intra requests (RFC 5104 §4.3.1).
//!
//! A compound packet is read as far as it holds together; kinds that nobody here reads are skipped.

/// A packet of a compound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rtcp {
    /// SR: what a source sent, and what it received.
    Sender {
        /// Who reports.
        ssrc: u32,
        /// The middle 32 bits of its NTP time, to be given back as LSR.
        ntp_middle: u32,
        /// What it received.
        blocks: Vec<Block>,
    },
    /// RR: what a source received.
    Receiver {
        /// Who reports.
        ssrc: u32,
        /// What it received.
        blocks: Vec<Block>,
    },
    /// BYE: sources that are gone.
    Bye {
        /// Which.
        ssrcs: Vec<u32>,
    },
    /// PLI or FIR: a key frame is wanted.
    Keyframe {
        /// Of which source; 0 where none is named.
        ssrc: u32,
    },
}

/// A report block (RFC 3550 §6.4.1): how a source is received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The source.
    pub ssrc: u32,
    /// Of 256, since the last report.
    pub fraction_lost: u8,
    /// Packets lost in all; negative where copies came. 24 bits on the wire.
    pub lost: i32,
    /// The highest sequence number, extended by its cycles.
    pub highest: u32,
    /// In timestamp units.
    pub jitter: u32,
    /// The NTP time of the last SR that came, its middle 32 bits; 0 for none.
    pub last_sr: u32,
    /// How long ago that was, in 1/65536 seconds.
    pub since_last_sr: u32,
}

/// What we sent, for a sender report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// Seconds and fractions on the clock that all our reports share.
    pub ntp: u64,
    /// The same moment on the stream's clock.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub bytes: u32,
}

/// A compound packet of ours: SR or RR, then SDES with the canonical name (RFC 3550 §6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// Our source.
    pub ssrc: u32,
    /// SR if there is one, else RR.
    pub sender: Option<SenderInfo>,
    /// What we received.
    pub block: Option<Block>,
    /// The canonical name, which all our streams of a call share.
    pub cname: &'a str,
}

impl Report<'_> {
    /// Writes it.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        let count = u8::from(self.block.is_some());
        let blocks = usize::from(count) * BLOCK_WORDS;
        match self.sender {
            Some(sender) => {
                head(&mut bytes, count, SR, 6 + blocks);
                bytes.extend(self.ssrc.to_be_bytes());
                bytes.extend(sender.ntp.to_be_bytes());
                for word in [sender.timestamp, sender.packets, sender.bytes] {
                    bytes.extend(word.to_be_bytes());
                }
            }
            None => {
                head(&mut bytes, count, RR, 1 + blocks);
                bytes.extend(self.ssrc.to_be_bytes());
            }
        }
        if let Some(block) = &self.block {
            write_block(&mut bytes, block);
        }
        self.write_name(&mut bytes);
        bytes
    }

    /// Writes it as a farewell: BYE behind it (RFC 3550 §6.6).
    pub fn write_bye(&self) -> Vec<u8> {
        let mut bytes = self.write();
        head(&mut bytes, 1, BYE, 1);
        bytes.extend(self.ssrc.to_be_bytes());
        bytes
    }

    /// Writes it with a request for a key frame of `media` behind it.
    pub fn write_keyframe_request(&self, media: u32) -> Vec<u8> {
        let mut bytes = self.write();
        head(&mut bytes, PLI, PAYLOAD_FEEDBACK, 2);
        bytes.extend(self.ssrc.to_be_bytes());
        bytes.extend(media.to_be_bytes());
        bytes
    }

    fn write_name(&self, bytes: &mut Vec<u8>) {
        let name = &self.cname.as_bytes()[..self.cname.len().min(CNAME_LEN_MAX)];
        // At least one null byte ends the chunk.
        let len = (4 + 2 + name.len() + 1).next_multiple_of(4);
        head(bytes, 1, SDES, len / 4);
        let end = bytes.len() + len;
        bytes.extend(self.ssrc.to_be_bytes());
        bytes.extend([CNAME, name.len() as u8]);
        bytes.extend(name);
        bytes.resize(end, 0);
    }
}

/// Reads a compound packet in the clear. Empty: it is none.
pub fn parse(bytes: &[u8]) -> Vec<Rtcp> {
    let mut read = Vec::new();
    let mut rest = bytes;
    while let Some((head, after)) = rest.split_first_chunk::<4>() {
        let words = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let Some((body, next)) = after.split_at_checked(words * 4) else {
            break;
        };
        if head[0] >> 6 != 2 || read.len() == PACKETS_MAX {
            break;
        }
        let count = usize::from(head[0] & 0x1F);
        read.extend(parse_one(count, head[1], body));
        rest = next;
    }
    read
}

fn parse_one(count: usize, kind: u8, body: &[u8]) -> Option<Rtcp> {
    match kind {
        SR => Some(Rtcp::Sender {
            ssrc: word(body, 0)?,
            // RFC 3550 §6.4.1: the last sixteen bits of the seconds, the first of the fraction.
            ntp_middle: word(body, 1)? << 16 | word(body, 2)? >> 16,
            blocks: blocks(body.get(24..)?, count),
        }),
        RR => Some(Rtcp::Receiver {
            ssrc: word(body, 0)?,
            blocks: blocks(body.get(4..)?, count),
        }),
        BYE => Some(Rtcp::Bye {
            ssrcs: (0..count).map_while(|index| word(body, index)).collect(),
        }),
        PAYLOAD_FEEDBACK if count == usize::from(PLI) => Some(Rtcp::Keyframe {
            ssrc: word(body, 1)?,
        }),
        PAYLOAD_FEEDBACK if count == usize::from(FIR) => Some(Rtcp::Keyframe {
            ssrc: word(body, 2)?,
        }),
        // RFC 2032 §5.2.1, which Tandberg and other old video phones send: no feedback packet, but a
        // type of its own.
        OLD_FIR => Some(Rtcp::Keyframe { ssrc: 0 }),
        _ => None,
    }
}

fn blocks(bytes: &[u8], count: usize) -> Vec<Block> {
    let chunks = bytes.chunks_exact(BLOCK_WORDS * 4).take(count);
    chunks.filter_map(block).collect()
}

fn block(bytes: &[u8]) -> Option<Block> {
    let loss = word(bytes, 1)?;
    Some(Block {
        ssrc: word(bytes, 0)?,
        fraction_lost: (loss >> 24) as u8,
        // The sign of 24 bits.
        lost: (loss << 8).cast_signed() >> 8,
        highest: word(bytes, 2)?,
        jitter: word(bytes, 3)?,
        last_sr: word(bytes, 4)?,
        since_last_sr: word(bytes, 5)?,
    })
}

fn write_block(bytes: &mut Vec<u8>, block: &Block) {
    let lost = block.lost.clamp(-0x80_0000, 0x7F_FFFF).cast_unsigned() & 0xFF_FFFF;
    for word in [
        block.ssrc,
        u32::from(block.fraction_lost) << 24 | lost,
        block.highest,
        block.jitter,
        block.last_sr,
        block.since_last_sr,
    ] {
        bytes.extend(word.to_be_bytes());
    }
}

fn head(bytes: &mut Vec<u8>, count: u8, kind: u8, words: usize) {
    bytes.extend([2 << 6 | count, kind]);
    bytes.extend((words as u16).to_be_bytes());
}

fn word(bytes: &[u8], index: usize) -> Option<u32> {
    let (word, _) = bytes.get(index * 4..)?.split_first_chunk::<4>()?;
    Some(u32::from_be_bytes(*word))
}

const OLD_FIR: u8 = 192;
const SR: u8 = 200;
const RR: u8 = 201;
const SDES: u8 = 202;
const BYE: u8 = 203;
const PAYLOAD_FEEDBACK: u8 = 206;
/// Formats of payload-specific feedback.
const PLI: u8 = 1;
const FIR: u8 = 4;
/// The item of SDES.
const CNAME: u8 = 1;
const CNAME_LEN_MAX: usize = 255;
const BLOCK_WORDS: usize = 6;
/// Packets read of one compound.
const PACKETS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::{Block, Report, Rtcp, SenderInfo, parse};

    fn block() -> Block {
        Block {
            ssrc: 9,
            fraction_lost: 25,
            lost: -3,
            highest: 0x0001_FFFF,
            jitter: 160,
            last_sr: 0x1234_5678,
            since_last_sr: 65_536,
        }
    }

    fn report() -> Report<'static> {
        Report {
            ssrc: 5,
            sender: Some(SenderInfo {
                ntp: 0x0000_0010_8000_0000,
                timestamp: 8000,
                packets: 50,
                bytes: 8000,
            }),
            block: Some(block()),
            cname: "abc@sidetone",
        }
    }

    #[test]
    fn a_sender_report_is_read_as_written() {
        let bytes = report().write();
        assert_eq!(bytes.len() % 4, 0);
        let sender = Rtcp::Sender {
            ssrc: 5,
            ntp_middle: 0x0010_8000,
            blocks: vec![block()],
        };
        assert_eq!(parse(&bytes), [sender]);
        // RFC 3550 §6.5: type 202, one chunk: SSRC, CNAME, length, text, at least one null byte.
        let name = &bytes[52..];
        assert_eq!(name[..10], [0x81, 202, 0, 5, 0, 0, 0, 5, 1, 12]);
        assert_eq!(name[10..], *b"abc@sidetone\0\0");
    }

    #[test]
    fn a_farewell_and_a_key_frame_request_follow_a_report() {
        let quiet = Report {
            sender: None,
            block: None,
            ..report()
        };
        let receiver = Rtcp::Receiver {
            ssrc: 5,
            blocks: Vec::new(),
        };
        let bye = Rtcp::Bye { ssrcs: vec![5] };
        assert_eq!(parse(&quiet.write_bye()), [receiver.clone(), bye]);
        let wanted = Rtcp::Keyframe { ssrc: 77 };
        assert_eq!(parse(&quiet.write_keyframe_request(77)), [receiver, wanted]);
    }

    #[test]
    fn what_is_cut_off_is_read_as_far_as_it_holds() {
        let whole = report().write_bye();
        for len in 0..whole.len() {
            assert!(parse(&whole[..len]).len() < 2, "cut off at {len}");
        }
        assert_eq!(parse(&[0x80, 203, 0, 0]), [Rtcp::Bye { ssrcs: vec![] }]);
        assert_eq!(parse(&[0x9F, 201, 0, 0]), []);
    }
}
