//! Sound at rest: what a file of a prompt or of music holds, and how it is read.
//!
//! A file is a RIFF WAVE (16-bit PCM, µ-law or A-law) or, by its ending, samples and nothing else, as
//! Asterisk keeps them. It stays encoded in memory, shared by all who play it, and becomes samples of
//! one channel as it is read.

use crate::coding::{Decode, Settings};
use crate::registry::{Codec, by_name};
use crate::{alaw_value, ulaw_value};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// The endings of files that can be read, without the dot, best sound last where a rate belongs to the
/// ending.
pub const SOUND_ENDINGS: &[&str] = &[
    "ulaw", "ul", "pcm", "mu", "alaw", "al", "alw", "sln", "raw", "wav", "sln12", "g722", "sln16",
    "wav16", "sln24", "sln32", "sln44", "sln48", "sln96",
];

/// Why a file cannot be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BadSound {
    /// The ending names no format that is known here.
    #[error("its ending names no format that can be played")]
    Ending,
    /// It does not begin like a WAV file, or ends in the middle of its header.
    #[error("it is no WAV file, whatever its name says")]
    NotWave,
    /// Compressed, or with samples of another size.
    #[error("its samples are neither 16-bit PCM nor G.711")]
    Samples,
    /// A sampling rate that cannot be converted.
    #[error("its sampling rate of {0} Hz cannot be played")]
    Rate(u32),
    /// More channels than two, or none.
    #[error("it has {0} channels; one or two can be played")]
    Channels(u16),
    /// There is nothing in it.
    #[error("it holds no sound")]
    Empty,
}

/// A sound that can be played any number of times at once.
#[derive(Clone, Debug)]
pub struct Sound {
    samples: Samples,
    rate_hz: u32,
    channels: usize,
    data: Arc<[u8]>,
    /// Where in `data` the samples are.
    range: Range<usize>,
}

/// How samples are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Samples {
    Pcm,
    Ulaw,
    Alaw,
    G722,
}

impl Sound {
    /// The sound of a file's bytes; `ending` is what stands after the last dot of its name.
    pub fn parse(ending: &str, data: Arc<[u8]>) -> Result<Self, BadSound> {
        let sound = match ending {
            "wav" | "wav16" => wave(data)?,
            "ulaw" | "ul" | "pcm" | "mu" => raw(data, Samples::Ulaw, 8000),
            "alaw" | "al" | "alw" => raw(data, Samples::Alaw, 8000),
            "g722" => raw(data, Samples::G722, 16_000),
            "sln" | "raw" => raw(data, Samples::Pcm, 8000),
            "sln12" => raw(data, Samples::Pcm, 12_000),
            "sln16" => raw(data, Samples::Pcm, 16_000),
            "sln24" => raw(data, Samples::Pcm, 24_000),
            "sln32" => raw(data, Samples::Pcm, 32_000),
            "sln44" => raw(data, Samples::Pcm, 44_100),
            "sln48" => raw(data, Samples::Pcm, 48_000),
            "sln96" => raw(data, Samples::Pcm, 96_000),
            _ => return Err(BadSound::Ending),
        };
        match sound.count() {
            0 => Err(BadSound::Empty),
            _ => Ok(sound),
        }
    }

    /// These samples of one channel.
    pub fn of_samples(samples: &[i16], rate_hz: u32) -> Self {
        let data: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
        raw(data.into(), Samples::Pcm, rate_hz)
    }

    /// Samples per second.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// The codec whose payloads it consists of, if there is one: it can be sent as it is.
    pub fn coded_as(&self) -> Option<&'static Codec> {
        let (name, rate_hz) = match self.samples {
            Samples::Ulaw => ("ulaw", 8000),
            Samples::Alaw => ("alaw", 8000),
            Samples::G722 => ("g722", 16_000),
            Samples::Pcm => return None,
        };
        let fits = self.channels == 1 && self.rate_hz == rate_hz;
        by_name(name).filter(|_| fits)
    }

    /// How many samples each channel has.
    pub fn count(&self) -> usize {
        match self.samples {
            // Two samples of 16 kHz in each byte (RFC 3551 §4.5.2).
            Samples::G722 => self.range.len() * 2,
            Samples::Pcm | Samples::Ulaw | Samples::Alaw => self.range.len() / self.frame(),
        }
    }

    /// How long it lasts.
    pub fn duration(&self) -> Duration {
        let ms = self.count() as u64 * 1000 / u64::from(self.rate_hz.max(1));
        Duration::from_millis(ms)
    }

    /// Bytes of one sample of all channels.
    fn frame(&self) -> usize {
        match self.samples {
            Samples::Pcm => 2 * self.channels,
            Samples::Ulaw | Samples::Alaw | Samples::G722 => self.channels,
        }
    }
}

/// Reads a sound from its beginning to its end.
pub struct SoundReader {
    sound: Sound,
    at: usize,
    decoder: Option<Box<dyn Decode>>,
}

impl SoundReader {
    /// At the beginning.
    pub fn new(sound: Sound) -> Self {
        let at = sound.range.start;
        let decoder = (sound.samples == Samples::G722).then(|| {
            let coding = by_name("g722").and_then(|codec| codec.coding);
            let settings = Settings {
                rate_hz: sound.rate_hz,
                ..Settings::default()
            };
            coding.and_then(|coding| (coding.decoder)(&settings).ok())
        });
        Self {
            sound,
            at,
            decoder: decoder.flatten(),
        }
    }

    /// Samples per second of what is read.
    pub fn rate_hz(&self) -> u32 {
        self.sound.rate_hz
    }

    /// Whether there is nothing more to read.
    pub fn is_over(&self) -> bool {
        self.at + self.sound.frame() > self.sound.range.end
    }

    /// The sound it reads.
    pub fn sound(&self) -> &Sound {
        &self.sound
    }

    /// Appends up to `count` bytes as they are in the file, for [`Sound::coded_as`]; fewer, or none, at the
    /// end.
    pub fn read_coded(&mut self, count: usize, out: &mut Vec<u8>) -> usize {
        let end = self.sound.range.end.min(self.at + count);
        out.extend_from_slice(&self.sound.data[self.at..end]);
        let read = end - self.at;
        self.at = end;
        read
    }

    /// Appends up to `count` samples; fewer, or none, at the end.
    pub fn read(&mut self, count: usize, out: &mut Vec<i16>) -> usize {
        let frame = self.sound.frame();
        let bytes = match self.sound.samples {
            Samples::G722 => count.div_ceil(2),
            Samples::Pcm | Samples::Ulaw | Samples::Alaw => count * frame,
        };
        let left = self.sound.range.end.saturating_sub(self.at);
        let whole = left - left % frame;
        let end = self.at + bytes.min(whole);
        let data = &self.sound.data[self.at..end];
        self.at = end;
        let before = out.len();
        match (self.sound.samples, &mut self.decoder) {
            (Samples::Pcm, _) => mix(data, 2, self.sound.channels, out, |bytes| {
                i16::from_le_bytes([bytes[0], bytes[1]])
            }),
            (Samples::Ulaw, _) => mix(data, 1, self.sound.channels, out, |b| ulaw_value(b[0])),
            (Samples::Alaw, _) => mix(data, 1, self.sound.channels, out, |b| alaw_value(b[0])),
            (Samples::G722, Some(decoder)) => {
                for packet in data.chunks(G722_BYTES) {
                    // Every byte is a code word of G.722, so none is malformed.
                    let _ = decoder.decode(packet, out);
                }
            }
            (Samples::G722, None) => {}
        }
        out.len() - before
    }
}

/// Appends the mean of the channels.
fn mix(
    data: &[u8],
    size: usize,
    channels: usize,
    out: &mut Vec<i16>,
    value: impl Fn(&[u8]) -> i16,
) {
    out.extend(data.chunks_exact(size * channels).map(|frame| {
        let sum: i32 = frame.chunks_exact(size).map(|s| i32::from(value(s))).sum();
        (sum / channels as i32) as i16
    }));
}

fn raw(data: Arc<[u8]>, samples: Samples, rate_hz: u32) -> Sound {
    let range = 0..data.len();
    Sound {
        samples,
        rate_hz,
        channels: 1,
        data,
        range,
    }
}

/// RIFF WAVE: a `fmt ` chunk and a `data` chunk among others (Multimedia Programming Interface and Data
/// Specifications 1.0, 1991).
fn wave(data: Arc<[u8]>) -> Result<Sound, BadSound> {
    let is_wave = data.starts_with(b"RIFF") && data.get(8..12) == Some(b"WAVE");
    if !is_wave {
        return Err(BadSound::NotWave);
    }
    let (mut format, mut at) = (None, 12);
    while let Some(head) = data.get(at..at + 8) {
        let len = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let body = at + 8..(at + 8).saturating_add(len).min(data.len());
        match &head[..4] {
            b"fmt " => format = Some(wave_format(&data[body])?),
            // What writes to a pipe does not know the length, and says 0 or the most there can be.
            b"data" => {
                let (samples, rate_hz, channels) = format.ok_or(BadSound::NotWave)?;
                let range = match len {
                    0 => body.start..data.len(),
                    _ => body,
                };
                return Ok(Sound {
                    samples,
                    rate_hz,
                    channels,
                    data,
                    range,
                });
            }
            _ => {}
        }
        // Chunks begin at even places.
        at = (at + 8).saturating_add(len.next_multiple_of(2));
    }
    Err(BadSound::NotWave)
}

fn wave_format(body: &[u8]) -> Result<(Samples, u32, usize), BadSound> {
    let word = |at: usize| {
        let bytes = body.get(at..at + 2).ok_or(BadSound::NotWave)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    };
    let tag = match word(0)? {
        // WAVE_FORMAT_EXTENSIBLE: the format stands at the beginning of a GUID.
        0xFFFE => word(24)?,
        tag => tag,
    };
    let samples = match (tag, word(14)?) {
        (1, 16) => Samples::Pcm,
        (6, 8) => Samples::Alaw,
        (7, 8) => Samples::Ulaw,
        _ => return Err(BadSound::Samples),
    };
    let rate_hz = u32::from(word(4)?) | u32::from(word(6)?) << 16;
    if !RATES_HZ.contains(&rate_hz) {
        return Err(BadSound::Rate(rate_hz));
    }
    match word(2)? {
        channels @ 1..=2 => Ok((samples, rate_hz, channels.into())),
        channels => Err(BadSound::Channels(channels)),
    }
}

/// Those that [`crate::Resampler`] turns into the rates of the codecs.
const RATES_HZ: &[u32] = &[
    8000, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000,
];
/// As much as a packet may have.
const G722_BYTES: usize = 160;

#[cfg(test)]
mod tests {
    use super::{BadSound, RATES_HZ, SOUND_ENDINGS, Sound, SoundReader};
    use crate::registry::CODECS;
    use crate::{Resampler, ulaw_of};

    fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut bytes = name.to_vec();
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        bytes
    }

    fn format(tag: u16, channels: u16, rate_hz: u32, bits: u16) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend(tag.to_le_bytes());
        body.extend(channels.to_le_bytes());
        body.extend(rate_hz.to_le_bytes());
        body.extend([0; 6]);
        body.extend(bits.to_le_bytes());
        body
    }

    fn wave(format: &[u8], data: &[u8]) -> Vec<u8> {
        let chunks = [
            b"WAVE".to_vec(),
            chunk(b"fmt ", format),
            chunk(b"LIST", b"odd"),
            chunk(b"data", data),
        ];
        chunk(b"RIFF", &chunks.concat())
    }

    fn samples(ending: &str, bytes: &[u8]) -> Result<(u32, Vec<i16>), BadSound> {
        let sound = Sound::parse(ending, bytes.into())?;
        let (rate_hz, count) = (sound.rate_hz(), sound.count());
        let mut reader = SoundReader::new(sound);
        let mut samples = Vec::new();
        while reader.read(7, &mut samples) > 0 {}
        assert_eq!(samples.len(), count);
        Ok((rate_hz, samples))
    }

    #[test]
    fn a_wave_file_is_read_as_it_says() {
        let data: Vec<u8> = [100_i16, -200, 300, -400]
            .iter()
            .flat_map(|s| s.to_le_bytes())
            .collect();
        let mono = wave(&format(1, 1, 8000, 16), &data);
        assert_eq!(
            samples("wav", &mono),
            Ok((8000, vec![100, -200, 300, -400]))
        );
        let stereo = wave(&format(1, 2, 48_000, 16), &data);
        assert_eq!(samples("wav", &stereo), Ok((48_000, vec![-50, -50])));
        let ulaw = wave(&format(7, 1, 8000, 8), &[ulaw_of(0), ulaw_of(32_000)]);
        let (_, read) = samples("wav", &ulaw).unwrap();
        assert!(read[0].abs() < 10 && read[1] > 31_000, "{read:?}");
        let mut extensible = format(0xFFFE, 1, 16_000, 16);
        extensible.extend([22, 0, 16, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 16, 0]);
        assert_eq!(samples("wav", &wave(&extensible, &data)).unwrap().0, 16_000);
    }

    #[test]
    fn a_wave_file_cut_off_anywhere_is_no_panic() {
        let whole = wave(&format(1, 2, 48_000, 16), &[1; 40]);
        for len in 0..whole.len() {
            if let Ok((_, samples)) = samples("wav", &whole[..len]) {
                assert!(samples.len() <= 10);
            }
        }
        let mut endless = whole;
        let at = endless.windows(4).position(|four| four == b"data").unwrap() + 4;
        for len in [0, u32::MAX] {
            endless[at..at + 4].copy_from_slice(&len.to_le_bytes());
            assert_eq!(samples("wav", &endless).unwrap().1.len(), 10, "from a pipe");
        }
    }

    #[test]
    fn a_file_that_is_in_a_codec_already_is_read_as_it_is() {
        let coded = |ending: &str, bytes: &[u8]| {
            let sound = Sound::parse(ending, bytes.into()).unwrap();
            let name = sound.coded_as()?.name;
            let (mut reader, mut out) = (SoundReader::new(sound), Vec::new());
            while reader.read_coded(3, &mut out) > 0 {}
            assert!(reader.is_over());
            Some((name, out))
        };
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(coded("ulaw", &bytes), Some(("ulaw", bytes.to_vec())));
        assert_eq!(coded("al", &bytes), Some(("alaw", bytes.to_vec())));
        assert_eq!(coded("g722", &bytes), Some(("g722", bytes.to_vec())));
        assert_eq!(coded("sln", &bytes), None);
        let wav = |channels, rate_hz| wave(&format(7, channels, rate_hz, 8), &bytes);
        assert_eq!(coded("wav", &wav(1, 8000)), Some(("ulaw", bytes.to_vec())));
        assert_eq!(coded("wav", &wav(2, 8000)), None, "two channels");
        assert_eq!(coded("wav", &wav(1, 16_000)), None, "another clock");
    }

    #[test]
    fn samples_become_a_sound() {
        let sound = Sound::of_samples(&[1, -2, 3], 8000);
        let (mut reader, mut read) = (SoundReader::new(sound), Vec::new());
        reader.read(9, &mut read);
        assert_eq!(read, [1, -2, 3]);
    }

    #[test]
    fn what_cannot_be_played_is_said() {
        let say = |format: &[u8]| samples("wav", &wave(format, &[0; 8])).unwrap_err();
        assert_eq!(say(&format(1, 1, 8000, 24)), BadSound::Samples);
        assert_eq!(say(&format(1, 6, 8000, 16)), BadSound::Channels(6));
        assert_eq!(say(&format(1, 1, 8001, 16)), BadSound::Rate(8001));
        assert_eq!(samples("wav", b"ID3"), Err(BadSound::NotWave));
        assert_eq!(samples("ulaw", b""), Err(BadSound::Empty));
        assert_eq!(samples("gsm", b"x"), Err(BadSound::Ending));
    }

    #[test]
    fn every_ending_is_read_and_its_rate_converted_for_every_codec() {
        for ending in SOUND_ENDINGS {
            let bytes = match ending.starts_with("wav") {
                true => wave(&format(1, 1, 16_000, 16), &[0; 640]),
                false => vec![0x55; 640],
            };
            let (rate_hz, samples) = samples(ending, &bytes).unwrap();
            assert!(
                samples.len() >= 320 && RATES_HZ.contains(&rate_hz),
                "{ending}"
            );
        }
        for rate_hz in RATES_HZ {
            for coding in CODECS.iter().filter_map(|codec| codec.coding) {
                for to_hz in coding.rates_hz {
                    assert!(
                        Resampler::new(*rate_hz, *to_hz).is_some(),
                        "{rate_hz} to {to_hz}"
                    );
                }
            }
        }
    }
}
