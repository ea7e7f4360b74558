//! A byte stream: where the network cuts it changes nothing, and no frame is over the limit.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::{Frame, FramingError, Message, StreamFramer, limits};

fuzz_target!(|data: &[u8]| {
    let Some((&size, stream)) = data.split_first() else {
        return;
    };
    let whole = frames(stream, stream.len().max(1));
    let cut = frames(stream, usize::from(size).max(1));
    assert_eq!(whole, cut);
    for frame in whole.0 {
        if let Frame::Message(bytes) = frame {
            assert!(bytes.len() <= limits::MESSAGE_BYTES_MAX);
            let _message = Message::parse(&bytes);
        }
    }
});

fn frames(stream: &[u8], cut: usize) -> (Vec<Frame>, Option<FramingError>) {
    let mut framer = StreamFramer::new();
    let mut frames = Vec::new();
    for chunk in stream.chunks(cut) {
        framer.feed(chunk);
        loop {
            match framer.poll() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}
