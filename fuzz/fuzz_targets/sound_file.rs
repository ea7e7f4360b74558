//! Files of prompts with any content: read or refused, never more sound than the file can hold.

#![no_main]

use codec::{Sound, SoundReader};
use libfuzzer_sys::fuzz_target;

// A byte chooses how the name of the file ends; the rest is the file.
fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, file)) = bytes.split_first() else {
        return;
    };
    let ending = ENDINGS[usize::from(choice) % ENDINGS.len()];
    let Ok(sound) = Sound::parse(ending, file.into()) else {
        return;
    };
    let (count, rate_hz) = (sound.count(), sound.rate_hz());
    assert!(rate_hz > 0 && count <= 4 * file.len());
    let mut reader = SoundReader::new(sound);
    let (mut out, mut turns) = (Vec::new(), 0);
    while !reader.is_over() {
        out.clear();
        reader.read(160, &mut out);
        turns += 1;
        assert!(turns <= count + 2, "it ends");
    }
});

const ENDINGS: [&str; 7] = ["wav", "wav16", "ulaw", "alaw", "g722", "sln", "sln16"];
