//! Every codec's payloads and its sound with any content: what is encoded decodes to its length.

#![no_main]

use codec::{CODECS, DtmfDetector, NoisePlayer, Settings, ToneScript, describe_noise};
use libfuzzer_sys::fuzz_target;

// A byte chooses the codec; the rest is a payload, then sound, then text of a tone.
fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, rest)) = bytes.split_first() else {
        return;
    };
    let codings: Vec<_> = CODECS.iter().filter_map(|codec| codec.coding).collect();
    let coding = codings[usize::from(choice) % codings.len()];
    let fmtp = String::from_utf8_lossy(&rest[..rest.len().min(100)]);
    let settings = Settings {
        rate_hz: coding.rates_hz[usize::from(choice >> 4) % coding.rates_hz.len()],
        channels: 1,
        fmtp: &fmtp,
    };
    let mut decoder = (coding.decoder)(&settings).unwrap();
    let mut encoder = (coding.encoder)(&settings).unwrap();
    let mut sound = Vec::new();
    let expected = decoder.samples_in(rest);
    if decoder.decode(rest, &mut sound).is_ok() {
        assert_eq!(Some(sound.len()), expected);
    }
    decoder.conceal(333, Some(rest), &mut sound);
    let (pairs, _) = rest.as_chunks::<2>();
    let samples: Vec<i16> = pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
    encoder.on_loss(choice);
    let packet = settings.rate_hz as usize * usize::from(coding.packet_ms) / 1000;
    for frame in samples.chunks_exact(packet) {
        let mut payload = Vec::new();
        encoder.encode(frame, &mut payload).unwrap();
        assert!(decoder.is_pause(&payload) || decoder.samples_in(&payload) == Some(packet));
        sound.clear();
        decoder.decode(&payload, &mut sound).unwrap();
    }
    let _ = encoder.encode(&samples, &mut Vec::new());
    DtmfDetector::new(settings.rate_hz).listen(&samples, &mut Vec::new());
    let mut noise = Vec::new();
    describe_noise(&samples, choice.into(), &mut noise);
    let mut player = NoisePlayer::new(1);
    assert!(player.describe(&noise));
    player.describe(rest);
    player.play(&mut [0; 160]);
    if let Ok(script) = ToneScript::parse(&fmtp) {
        codec::TonePlayer::new(script, 8000).play(&mut [0; 800]);
    }
});
