//! The journal's text: one record per line, checked by a sum.
//!
//! A record is `RS sum position json LF`, after RFC 7464 (JSON text sequences): eight hexadecimal
//! digits of the CRC-32 of `position json`, the position in decimal, and the entry. Both RS and LF
//! separate, so one damaged byte costs one record at most, and a damaged separator costs none. People
//! read it with `grep` and `jq`.

use crate::cdr::Cdr;
use serde::{Deserialize, Serialize};

/// What the journal holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// The first record of each file.
    Begin {
        /// The name of this journal, which the database knows it by.
        journal: String,
        /// The sequence number of the next call.
        sequence: u64,
        /// Everything up to this position is in the database.
        delivered: u64,
    },
    /// A call was answered; what is known of it.
    Open(Box<Cdr>),
    /// A call is over; its record is to be delivered.
    Close(Box<Cdr>),
    /// The call of this sequence number is over, and not to be recorded.
    Forget(u64),
    /// The open calls were alive at this time, in microseconds since 1970.
    Alive(i64),
    /// Everything up to this position is in the database.
    Delivered(u64),
}

/// A piece of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A whole record, with its position.
    Record(u64, Entry),
    /// So many bytes that are none.
    Damaged(usize),
}

const START: u8 = 0x1e;
const END: u8 = b'\n';
/// Digits of the sum.
const SUM_DIGITS: usize = 8;

/// Appends a record to `to`.
pub(crate) fn write(to: &mut Vec<u8>, position: u64, entry: &Entry) {
    let json = serde_json::to_string(entry).expect("an entry has string keys only");
    let body = format!("{position} {json}");
    to.push(START);
    to.extend(format!("{:08x} ", crc32(body.as_bytes())).into_bytes());
    to.extend(body.into_bytes());
    to.push(END);
}

/// The records in `bytes`, and what is damaged between them.
pub(crate) fn read(bytes: &[u8]) -> impl Iterator<Item = Piece> {
    let pieces = bytes.split(|byte| matches!(*byte, START | END));
    pieces.filter(|piece| !piece.is_empty()).map(|piece| {
        parse(piece).map_or(Piece::Damaged(piece.len()), |(at, entry)| {
            Piece::Record(at, entry)
        })
    })
}

/// The length of `bytes` up to and including the last whole line.
pub(crate) fn whole_lines(bytes: &[u8]) -> usize {
    let last = bytes.iter().rposition(|byte| *byte == END);
    last.map_or(0, |at| at + 1)
}

fn parse(piece: &[u8]) -> Option<(u64, Entry)> {
    let (sum, rest) = piece.split_at_checked(SUM_DIGITS)?;
    let body = rest.strip_prefix(b" ")?;
    let sum = u32::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    if crc32(body) != sum {
        return None;
    }
    let (position, json) = std::str::from_utf8(body).ok()?.split_once(' ')?;
    Some((position.parse().ok()?, serde_json::from_str(json).ok()?))
}

/// CRC-32 as in ISO 3309 (zip, Ethernet).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        CRC_TABLE[usize::from(sum.to_le_bytes()[0] ^ byte)] ^ (sum >> 8)
    })
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                0xedb8_8320 ^ (value >> 1)
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::{Entry, Piece, crc32, read, write};
    use crate::cdr::Cdr;

    fn entries() -> Vec<Entry> {
        let cdr = Cdr {
            sequence: 7,
            clid: "\"Zoë\n\u{1e}\" <1001>".to_owned(),
            ..Cdr::default()
        };
        vec![
            Entry::Open(Box::new(cdr.clone())),
            Entry::Alive(5),
            Entry::Close(Box::new(cdr)),
            Entry::Delivered(3),
        ]
    }

    fn written() -> Vec<u8> {
        let mut bytes = Vec::new();
        for (at, entry) in entries().iter().enumerate() {
            write(&mut bytes, at as u64 + 1, entry);
        }
        bytes
    }

    fn records(bytes: &[u8]) -> Vec<(u64, Entry)> {
        let records = read(bytes).filter_map(|piece| match piece {
            Piece::Record(at, entry) => Some((at, entry)),
            Piece::Damaged(_) => None,
        });
        records.collect()
    }

    #[test]
    fn the_sum_is_that_of_zip() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn what_is_written_is_read() {
        let read: Vec<Entry> = records(&written()).into_iter().map(|(_, e)| e).collect();
        assert_eq!(read, entries());
    }

    /// A write that was cut short anywhere costs the record it cut, and no other.
    #[test]
    fn a_file_cut_at_any_byte_keeps_every_record_before() {
        let bytes = written();
        let whole = records(&bytes);
        for length in 0..=bytes.len() {
            let kept = records(&bytes[..length]);
            let ended = bytes[..length]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count();
            assert!(kept.len() >= ended, "cut at {length}");
            assert_eq!(kept[..], whole[..kept.len()], "cut at {length}");
        }
    }

    /// One flipped bit costs at most one record, and never changes one.
    #[test]
    fn a_flipped_bit_anywhere_costs_one_record_at_most() {
        let bytes = written();
        let whole = records(&bytes);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let kept = records(&damaged);
                assert!(kept.len() + 1 >= whole.len(), "byte {at} bit {bit}");
                assert!(
                    kept.iter().all(|record| whole.contains(record)),
                    "byte {at}"
                );
            }
        }
    }
}
