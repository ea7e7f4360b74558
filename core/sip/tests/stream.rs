//! SIP on byte streams: framing by Content-Length, keep-alives, limits.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use proptest::prelude::*;
use sip::{Frame, FramingError, Message, StreamFramer, limits};

const OPTIONS: &str = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c;branch=z9hG4bK1\r\n\
                       From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n";

fn message(body: &str) -> String {
    format!("{OPTIONS}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn frames(framer: &mut StreamFramer) -> Result<Vec<Frame>, FramingError> {
    std::iter::from_fn(|| framer.poll().transpose()).collect()
}

fn feed_all(bytes: &[u8]) -> Result<Vec<Frame>, FramingError> {
    let mut framer = StreamFramer::new();
    framer.feed(bytes);
    frames(&mut framer)
}

fn bodies(frames: &[Frame]) -> Vec<String> {
    let body = |frame: &Frame| match frame {
        Frame::Message(bytes) => {
            let message = Message::parse(bytes).unwrap();
            String::from_utf8(message.body().to_vec()).unwrap()
        }
        Frame::Ping => "ping".to_owned(),
        Frame::Pong => "pong".to_owned(),
    };
    frames.iter().map(body).collect()
}

#[test]
fn pipelined_messages_and_keep_alives_come_apart() {
    let stream = format!(
        "{}\r\n\r\n{}\r\n{}",
        message("one"),
        message(""),
        message("three\r\n\r\n")
    );
    let frames = feed_all(stream.as_bytes()).unwrap();
    assert_eq!(
        bodies(&frames),
        ["one", "ping", "", "pong", "three\r\n\r\n"]
    );
}

proptest! {
    #[test]
    fn the_cuts_of_the_network_change_nothing(cuts in prop::collection::vec(1usize..40, 1..60)) {
        let stream = format!("{}\r\n\r\n{}{}", message("one"), message(""), message("three\r\n\r\n"));
        let mut rest = stream.as_bytes();
        let mut framer = StreamFramer::new();
        let mut all = Vec::new();
        for cut in cuts.into_iter().chain([stream.len()]) {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            framer.feed(now);
            all.extend(frames(&mut framer).unwrap());
            rest = later;
        }
        prop_assert_eq!(bodies(&all), ["one", "ping", "", "three\r\n\r\n"]);
    }

    #[test]
    fn no_bytes_make_it_panic_or_hold_more_than_a_message(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        if let Ok(frames) = feed_all(&bytes) {
            for frame in frames {
                if let Frame::Message(message) = frame {
                    prop_assert!(message.len() <= limits::MESSAGE_BYTES_MAX);
                }
            }
        }
    }
}

#[test]
fn half_a_ping_is_awaited() {
    let mut framer = StreamFramer::new();
    framer.feed(b"\r\n");
    assert_eq!(framer.poll(), Ok(None));
    framer.feed(b"\r");
    assert_eq!(framer.poll(), Ok(None));
    framer.feed(b"\n");
    assert_eq!(framer.poll(), Ok(Some(Frame::Ping)));
    assert_eq!(framer.poll(), Ok(None));
}

#[test]
fn lengths_nobody_can_trust_end_the_stream() {
    let with = |lines: &str| feed_all(format!("{OPTIONS}{lines}\r\n\r\nbody").as_bytes());
    let bad = [
        "Content-Length: -1",
        "Content-Length: 99999999999999999999",
        "Content-Length: 0x4",
        "Content-Length: 4\r\nl: 5",
        "Content-Length:",
        "Content-Length: 4 4",
    ];
    for lines in bad {
        assert_eq!(with(lines), Err(FramingError::BadContentLength), "{lines}");
    }
    assert_eq!(with("Subject: none"), Err(FramingError::NoContentLength));
    assert_eq!(
        with("Content-Length: 2147483647"),
        Err(FramingError::MessageTooLarge)
    );
    assert_eq!(with("Content-Length: 4\r\nl : 4").unwrap().len(), 1);
}

#[test]
fn headers_without_end_are_cut_off() {
    let mut framer = StreamFramer::new();
    let mut fed = 0;
    let error = loop {
        framer.feed(&[b'a'; 4096]);
        fed += 4096;
        match framer.poll() {
            Ok(frame) => assert_eq!(frame, None),
            Err(error) => break error,
        }
    };
    assert_eq!(error, FramingError::HeadTooLong);
    assert!(fed <= limits::MESSAGE_BYTES_MAX + 4096);
}
