//! Opus packets with any content, in any order, lost and recovered: sound of the length that their
//! heads say, and no fault.

#![no_main]

use codec::{Settings, by_name};
use libfuzzer_sys::fuzz_target;

// A byte chooses rate and channels. Each packet: a byte for its fate, two for its length, itself.
fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, mut rest)) = bytes.split_first() else {
        return;
    };
    let coding = by_name("opus").unwrap().coding.unwrap();
    let rate_hz = coding.rates_hz[usize::from(choice) % coding.rates_hz.len()];
    let channels = 1 + (choice >> 7);
    let settings = Settings {
        rate_hz,
        channels,
        fmtp: "",
    };
    let mut decoder = (coding.decoder)(&settings).unwrap();
    let mut samples = Vec::new();
    let mut packets = 0;
    while let Some((head, tail)) = rest.split_at_checked(3) {
        let len = usize::from(u16::from_be_bytes([head[1] & 7, head[2]])).min(tail.len());
        let (packet, tail) = tail.split_at(len);
        rest = tail;
        packets += 1;
        if packets > PACKETS_MAX {
            return;
        }
        samples.clear();
        let count = decoder.samples_in(packet);
        let usual = rate_hz as usize / 50;
        match head[0] % 4 {
            0 => {
                decoder.conceal(usual * usize::from(head[0] >> 5), None, &mut samples);
                assert_eq!(
                    samples.len(),
                    usual * usize::from(head[0] >> 5) * usize::from(channels)
                );
            }
            1 => {
                decoder.conceal(usual, Some(packet), &mut samples);
                assert_eq!(samples.len(), usual * usize::from(channels));
            }
            _ => match decoder.decode(packet, &mut samples) {
                Ok(()) => assert_eq!(
                    Some(samples.len()),
                    count.map(|c| c * usize::from(channels))
                ),
                Err(_) => assert!(samples.is_empty()),
            },
        }
        decoder.is_pause(packet);
    }
});

/// A packet of 120 ms costs a fraction of a millisecond; a fuzzer wants many inputs.
const PACKETS_MAX: usize = 200;
