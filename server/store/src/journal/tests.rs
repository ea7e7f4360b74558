//! The journal with crashes, full disks and full journals.

use super::{Journal, Reader};
use crate::cdr::{Cdr, Disposition};
use crate::journal::folder::Folder;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// A folder that goes with its test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sidetone-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open(path: &Path) -> (Journal, Reader) {
    Journal::open(path, "name".to_owned()).unwrap()
}

fn answered(journal: &Journal, src: &str) -> Cdr {
    let cdr = Cdr {
        sequence: journal.next_sequence(),
        src: src.to_owned(),
        start_us: 1_000_000,
        answer_us: Some(2_000_000),
        disposition: Disposition::Answered,
        ..Cdr::default()
    };
    journal.open_call(cdr.clone()).blocking_recv().unwrap();
    cdr
}

fn ended(cdr: &Cdr) -> Cdr {
    Cdr {
        end_us: Some(9_000_000),
        ..cdr.clone()
    }
}

/// Everything that is to be delivered: `src`, and whether the record has its own end.
fn all(reader: &mut Reader) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    loop {
        let next = reader.next().unwrap();
        if next.is_empty() {
            return found;
        }
        found.extend(
            next.into_iter()
                .map(|(_, cdr)| (cdr.src, cdr.end_us == Some(9_000_000))),
        );
    }
}

fn pairs(expected: &[(&str, bool)]) -> Vec<(String, bool)> {
    expected
        .iter()
        .map(|(src, own)| ((*src).to_owned(), *own))
        .collect()
}

#[test]
fn calls_are_delivered_once_and_in_the_order_of_their_ends() {
    let scratch = Scratch::new("order");
    let (journal, mut reader) = open(&scratch.0);
    let (a, b) = (answered(&journal, "a"), answered(&journal, "b"));
    journal.close_call(ended(&b));
    journal.close_call(ended(&a));
    journal.stop();
    assert_eq!(all(&mut reader), pairs(&[("b", true), ("a", true)]));
    let position = reader.position;
    // Not delivered, so the next run finds them again; and then no more.
    let (journal, mut reader) = open(&scratch.0);
    assert_eq!(all(&mut reader), pairs(&[("b", true), ("a", true)]));
    assert!(journal.next_sequence() > b.sequence);
    journal.delivered(position);
    journal.stop();
    assert_eq!(journal.health().pending, 0);
    let (_, mut reader) = open(&scratch.0);
    assert_eq!(all(&mut reader), []);
}

/// A crash at any moment is a file that ends at any byte. Each call whose opening was confirmed by
/// then is delivered exactly once: with its own end where that was written, else with the last sign of
/// life.
#[test]
fn a_crash_at_any_byte_loses_and_doubles_nothing() {
    let scratch = Scratch::new("bytes");
    let (journal, _) = open(&scratch.0);
    let file = || {
        let mut files = fs::read_dir(&scratch.0).unwrap();
        files.next().unwrap().unwrap().path()
    };
    let a = answered(&journal, "a");
    let a_open = fs::read(file()).unwrap().len();
    let b = answered(&journal, "b");
    let b_open = fs::read(file()).unwrap().len();
    journal.close_call(ended(&a));
    let c = answered(&journal, "c");
    let c_open = fs::read(file()).unwrap().len();
    journal.close_call(ended(&b));
    journal.close_call(ended(&c));
    journal.stop();
    let whole = fs::read(file()).unwrap();
    let name = file().file_name().unwrap().to_owned();
    let crashed = Scratch::new("bytes-crashed");
    for length in 0..=whole.len() {
        let folder = Folder::open(&crashed.0).unwrap();
        fs::write(crashed.0.join(&name), &whole[..length]).unwrap();
        let found = folder.read().unwrap();
        for (sequence, at) in [
            (a.sequence, a_open),
            (b.sequence, b_open),
            (c.sequence, c_open),
        ] {
            let ended = whole[..length].windows(7).filter(|w| w == b"\"close\"");
            assert!(found.pending.len() <= ended.count(), "cut at {length}");
            let expected = usize::from(found.open.contains_key(&sequence));
            assert!(expected == 1 || length < at || !found.pending.is_empty());
        }
        assert!(found.open.len() + found.pending.len() <= 3);
        // Starting on it takes the disk's confirmation, so not after each byte.
        if length % 50 != 0 && length != whole.len() {
            continue;
        }
        let (journal, mut reader) = open(&crashed.0);
        journal.stop();
        let mut found = all(&mut reader);
        found.sort();
        let sources: Vec<&str> = found.iter().map(|(src, _)| src.as_str()).collect();
        let mut distinct = sources.clone();
        distinct.dedup();
        assert_eq!(sources, distinct, "cut at {length}");
        for (src, at) in [("a", a_open), ("b", b_open), ("c", c_open)] {
            assert!(
                length < at || sources.contains(&src),
                "{src} cut at {length}"
            );
        }
        assert!(length < whole.len() || found.iter().all(|(_, own)| *own));
        fs::remove_dir_all(&crashed.0).unwrap();
    }
}

#[test]
fn what_a_crash_left_open_ends_with_the_last_sign_of_life() {
    let scratch = Scratch::new("alive");
    let (journal, _) = open(&scratch.0);
    let a = answered(&journal, "a");
    let mut b = ended(&answered(&journal, "b"));
    b.end_us = Some(7_000_000);
    journal.close_call(b);
    journal.stop();
    let (_journal, mut reader) = open(&scratch.0);
    assert_eq!(reader.next().unwrap()[0].1.src, "b");
    let (_, left) = &reader.next().unwrap()[0];
    assert_eq!((left.sequence, left.end_us), (a.sequence, Some(7_000_000)));
    assert_eq!(left.disposition, Disposition::Answered);
}

#[test]
fn files_are_removed_when_they_are_delivered_though_a_call_is_still_open() {
    let scratch = Scratch::new("segments");
    let (journal, mut reader) = open(&scratch.0);
    let long = answered(&journal, "long");
    let filler = "x".repeat(4_000);
    let mut delivered = 0;
    for _ in 0..800 {
        let mut cdr = answered(&journal, "short");
        cdr.lastdata.clone_from(&filler);
        journal.close_call(ended(&cdr));
        let last = reader.next().unwrap();
        delivered += last.len();
        journal.delivered(reader.position);
    }
    let files = || fs::read_dir(&scratch.0).unwrap().count();
    assert!(files() <= 3, "{} files", files());
    journal.close_call(ended(&long));
    journal.stop();
    delivered += all(&mut reader).len();
    assert_eq!(delivered, 801);
}

#[test]
fn a_full_disk_delays_records_and_loses_none() {
    let scratch = Scratch::new("full-disk");
    let folder = Folder::open(&scratch.0).unwrap();
    let room = folder.room.clone();
    let (journal, mut reader) = Journal::open_in(folder, "name".to_owned(), 1 << 20).unwrap();
    let a = answered(&journal, "a");
    room.store(20, Ordering::Relaxed);
    let cdr = Cdr {
        sequence: journal.next_sequence(),
        src: "b".to_owned(),
        ..Cdr::default()
    };
    assert!(
        journal.open_call(cdr.clone()).blocking_recv().is_err(),
        "told at once"
    );
    assert!(
        journal
            .health()
            .error
            .is_some_and(|error| error.contains("no storage space"))
    );
    journal.close_call(ended(&a));
    journal.close_call(ended(&cdr));
    room.store(i64::MAX, Ordering::Relaxed);
    journal.stop();
    assert_eq!(all(&mut reader), pairs(&[("a", true), ("b", true)]));
    assert_eq!((journal.health().error, journal.health().lost), (None, 0));
}

#[test]
fn a_full_journal_keeps_the_oldest_and_counts_what_it_drops() {
    let scratch = Scratch::new("full-journal");
    let folder = Folder::open(&scratch.0).unwrap();
    let (journal, mut reader) = Journal::open_in(folder, "name".to_owned(), 20_000).unwrap();
    let first = answered(&journal, "first");
    let mut kept = 1;
    loop {
        let cdr = Cdr {
            sequence: journal.next_sequence(),
            src: "next".to_owned(),
            ..Cdr::default()
        };
        let accepted = journal.open_call(cdr.clone()).blocking_recv().is_ok();
        journal.close_call(ended(&cdr));
        if !accepted {
            break;
        }
        kept += 1;
    }
    // The call that is in it is ended all the same.
    journal.close_call(ended(&first));
    journal.stop();
    let found = all(&mut reader);
    assert_eq!(found.len(), kept);
    assert!(found.contains(&("first".to_owned(), true)));
    let health = journal.health();
    assert_eq!(health.lost, 2, "the opening and the end of one call");
    assert!(health.bytes <= 20_000 + 20_000 / 8 + 1_000);
}
