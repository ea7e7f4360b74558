//! The files of a recording: WAV, or samples without a header.

use super::track::Track;
use super::{Chunk, Side, State};
use codec::{Encode, Settings, by_name};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How samples are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// 16 bits, with a header.
    Wav {
        /// Samples a second.
        rate_hz: u32,
    },
    /// 16 bits, least significant byte first.
    Linear {
        /// Samples a second.
        rate_hz: u32,
    },
    /// G.711 µ-law.
    Ulaw,
    /// G.711 A-law.
    Alaw,
    /// G.722 at 64 kbit/s.
    G722,
}

impl Format {
    /// As Asterisk names files.
    pub fn of_ending(ending: &str) -> Option<Self> {
        Some(match ending.to_ascii_lowercase().as_str() {
            "wav" => Self::Wav { rate_hz: 8_000 },
            "wav16" => Self::Wav { rate_hz: 16_000 },
            "sln" | "slin" | "raw" => Self::Linear { rate_hz: 8_000 },
            "sln16" | "slin16" => Self::Linear { rate_hz: 16_000 },
            "sln48" | "slin48" => Self::Linear { rate_hz: 48_000 },
            "ulaw" | "ul" | "mu" | "pcm" => Self::Ulaw,
            "alaw" | "al" => Self::Alaw,
            "g722" => Self::G722,
            _ => return None,
        })
    }

    /// Samples a second.
    pub fn rate_hz(self) -> u32 {
        match self {
            Self::Wav { rate_hz } | Self::Linear { rate_hz } => rate_hz,
            Self::Ulaw | Self::Alaw => 8_000,
            Self::G722 => 16_000,
        }
    }

    /// The bytes of so many samples.
    fn bytes_of(self, samples: u64) -> u64 {
        match self {
            Self::Wav { .. } | Self::Linear { .. } => samples * 2,
            Self::Ulaw | Self::Alaw => samples,
            Self::G722 => samples / 2,
        }
    }
}

/// What is to be recorded.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Samples a second, of all files.
    pub rate_hz: u32,
    /// The files; each with its format and the directions it has.
    pub files: Vec<(PathBuf, Format, Vec<Side>)>,
    /// Goes on with files that are there.
    pub is_appended: bool,
    /// What is heard and what is said is made louder so many times, or softer if negative.
    pub volume: [i8; 2],
}

/// A recording that is being written.
pub(super) struct Open {
    pub(super) state: Arc<State>,
    track: Track,
    outputs: Vec<Output>,
    volume: [i8; 2],
    rate_hz: u32,
    /// So much of it is kept.
    kept: Option<Duration>,
}

struct Output {
    path: PathBuf,
    file: File,
    format: Format,
    sides: Vec<Side>,
    waiting: Vec<u8>,
    /// Of G.722, and the samples it has not been given.
    encoder: Option<(Box<dyn Encode>, Vec<i16>)>,
    /// Bytes that were there before.
    base: u64,
    /// It cannot be written any more.
    is_broken: bool,
}

impl Open {
    pub(super) fn new(spec: &Spec) -> io::Result<Self> {
        let outputs = spec.files.iter().map(|(path, format, sides)| {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            Output::new(path.clone(), *format, sides.clone(), spec.is_appended)
        });
        Ok(Self {
            state: Arc::default(),
            track: Track::new(spec.rate_hz as usize / KEPT_PER_S),
            outputs: outputs.collect::<io::Result<_>>()?,
            volume: spec.volume,
            rate_hz: spec.rate_hz,
            kept: None,
        })
    }

    /// Its files, for the log.
    pub(super) fn names(&self) -> String {
        let names = self.outputs.iter().map(|it| it.path.display().to_string());
        names.collect::<Vec<_>>().join(", ")
    }

    /// What comes after so long is not kept.
    pub(super) fn keep(&mut self, kept: Duration) {
        self.kept = Some(kept);
    }

    pub(super) fn add(&mut self, chunk: &Chunk) {
        let (outputs, volume) = (&mut self.outputs, self.volume);
        let out = |frame| put(outputs, volume, frame);
        self.track.add(chunk.side, chunk.at, &chunk.samples, out);
        for output in &mut self.outputs {
            if output.waiting.len() >= WAITING_BYTES {
                output.flush();
            }
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let (outputs, volume) = (&mut self.outputs, self.volume);
        self.track.finish(|frame| put(outputs, volume, frame));
        let samples = |kept: Duration| kept.as_micros() * u128::from(self.rate_hz) / 1_000_000;
        let kept = self.kept.map(|kept| samples(kept) as u64);
        for output in outputs {
            output.flush();
            if let Some(kept) = kept {
                let cut = output.cut(kept);
                output.check(cut);
            }
        }
    }
}

fn put(outputs: &mut [Output], volume: [i8; 2], frame: [i16; 2]) {
    for output in outputs.iter_mut().filter(|output| !output.is_broken) {
        let mixed = output.sides.iter().fold(0_i16, |mixed, side| {
            let index = *side as usize;
            mixed.saturating_add(louder(frame[index], volume[index]))
        });
        output.put(mixed);
    }
}

/// As Asterisk does: so many times as loud, or a fraction of it.
fn louder(sample: i16, volume: i8) -> i16 {
    match volume {
        0 => sample,
        1.. => sample.saturating_mul(volume.into()),
        ..0 => sample / i16::from(volume.unsigned_abs()),
    }
}

impl Output {
    fn new(path: PathBuf, format: Format, sides: Vec<Side>, is_appended: bool) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let mut file = options.truncate(!is_appended).open(&path)?;
        let is_new = file.seek(SeekFrom::End(0))? == 0;
        if is_new && let Format::Wav { rate_hz } = format {
            file.write_all(&header(rate_hz, 0))?;
        } else if let Format::Wav { rate_hz } = format {
            // One that is no recording of ours, or has another rate, would be spoilt.
            let mut known = [0; HEADER_BYTES];
            file.rewind()?;
            let is_ours =
                file.read_exact(&mut known).is_ok() && known[8..40] == header(rate_hz, 0)[8..40];
            if !is_ours {
                let text = "it is there and no WAV of 16 bits at this rate, so nothing is added";
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            file.seek(SeekFrom::End(0))?;
        }
        let base = file.stream_position()?;
        let settings = Settings {
            rate_hz: format.rate_hz(),
            ..Settings::default()
        };
        let coding = by_name("g722").and_then(|codec| codec.coding);
        let coding = coding.filter(|_| format == Format::G722);
        let encoder = coding.and_then(|coding| (coding.encoder)(&settings).ok());
        Ok(Self {
            path,
            file,
            format,
            sides,
            waiting: Vec::new(),
            encoder: encoder.map(|encoder| (encoder, Vec::new())),
            base,
            is_broken: false,
        })
    }

    fn put(&mut self, sample: i16) {
        match self.format {
            Format::Wav { .. } | Format::Linear { .. } => {
                self.waiting.extend_from_slice(&sample.to_le_bytes());
            }
            Format::Ulaw => self.waiting.push(codec::ulaw_of(sample)),
            Format::Alaw => self.waiting.push(codec::alaw_of(sample)),
            Format::G722 => {
                if let Some((encoder, samples)) = &mut self.encoder {
                    samples.push(sample);
                    if samples.len() == SAMPLES_AT_ONCE {
                        // Sound of whole pairs is always encoded.
                        let _ = encoder.encode(samples, &mut self.waiting);
                        samples.clear();
                    }
                }
            }
        }
        // A long silence must not be kept whole.
        if self.waiting.len() >= WAITING_BYTES_MAX {
            self.flush();
        }
    }

    /// Takes off what was recorded after so many samples.
    fn cut(&mut self, samples: u64) -> io::Result<()> {
        let kept = self.base + self.format.bytes_of(samples);
        if self.file.stream_position()? > kept {
            self.file.set_len(kept)?;
            self.file.seek(SeekFrom::End(0))?;
            self.tell_length()?;
        }
        Ok(())
    }

    fn flush(&mut self) {
        let written = self.file.write_all(&self.waiting);
        self.waiting.clear();
        let written = written.and_then(|()| self.tell_length());
        self.check(written);
    }

    /// The header says how long the file has become, each time: a recording that is cut off can be played.
    fn tell_length(&mut self) -> io::Result<()> {
        let Format::Wav { rate_hz } = self.format else {
            return Ok(());
        };
        let data = self
            .file
            .stream_position()?
            .saturating_sub(HEADER_BYTES as u64);
        let data = u32::try_from(data).unwrap_or(u32::MAX - HEADER_BYTES as u32);
        self.file.rewind()?;
        self.file.write_all(&header(rate_hz, data))?;
        self.file.seek(SeekFrom::End(0)).map(drop)
    }

    fn check(&mut self, written: io::Result<()>) {
        if let Err(error) = written
            && !std::mem::replace(&mut self.is_broken, true)
        {
            let file = self.path.display();
            tracing::error!("recording {file} ends here: {error}; the call goes on");
        }
    }
}

/// The header of a WAV file with one channel of 16 bits.
fn header(rate_hz: u32, data_bytes: u32) -> [u8; HEADER_BYTES] {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(b"RIFF");
    header.extend_from_slice(&data_bytes.saturating_add(36).to_le_bytes());
    header.extend_from_slice(b"WAVEfmt ");
    header.extend_from_slice(&16_u32.to_le_bytes());
    // PCM, one channel.
    header.extend_from_slice(&[1, 0, 1, 0]);
    header.extend_from_slice(&rate_hz.to_le_bytes());
    header.extend_from_slice(&(rate_hz * 2).to_le_bytes());
    // Bytes of a frame, bits of a sample.
    header.extend_from_slice(&[2, 0, 16, 0]);
    header.extend_from_slice(b"data");
    header.extend_from_slice(&data_bytes.to_le_bytes());
    header
        .try_into()
        .expect("the fields above are as long as the header")
}

const HEADER_BYTES: usize = 44;
/// What G.722 is given at a time: 20 ms.
const SAMPLES_AT_ONCE: usize = 320;
/// Half a second is kept back for what comes late.
const KEPT_PER_S: usize = 2;
/// A second of sound, about, is written at a time.
const WAITING_BYTES: usize = 16 << 10;
const WAITING_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::{Chunk, Format, Open, Side, Spec};
    use std::fs;
    use std::time::Duration;

    #[test]
    fn a_recording_has_both_directions_and_goes_on_where_it_ended() {
        let folder = std::env::temp_dir().join(format!("sidetone-record-{}", std::process::id()));
        let both = folder.join("deep/both.wav");
        let heard = folder.join("heard.ulaw");
        let spec = |is_appended| Spec {
            rate_hz: 8_000,
            files: vec![
                (
                    both.clone(),
                    Format::Wav { rate_hz: 8_000 },
                    vec![Side::Heard, Side::Said],
                ),
                (heard.clone(), Format::Ulaw, vec![Side::Heard]),
            ],
            is_appended,
            volume: [0, 2],
        };
        for is_appended in [false, true] {
            let mut open = Open::new(&spec(is_appended)).unwrap();
            for (side, sample) in [(Side::Heard, 1000), (Side::Said, 30)] {
                let samples = vec![sample; 160];
                let at = 0;
                open.add(&Chunk { side, at, samples });
            }
        }
        let bytes = fs::read(&both).unwrap();
        let length = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(bytes.len(), 44 + 4 * 160);
        assert_eq!((length(4), length(40)), (36 + 640, 640));
        assert_eq!(bytes[44..46], 1060_i16.to_le_bytes());
        assert_eq!(fs::read(&heard).unwrap().len(), 320);
        let other = Spec {
            rate_hz: 16_000,
            files: vec![(both, Format::Wav { rate_hz: 16_000 }, vec![Side::Heard])],
            is_appended: true,
            volume: [0; 2],
        };
        assert!(Open::new(&other).is_err(), "another rate is not added");
        fs::remove_dir_all(folder).unwrap();
    }

    /// After a crash the header is what it was last.
    #[test]
    fn a_recording_that_goes_on_can_be_played() {
        let folder = std::env::temp_dir().join(format!("sidetone-cut-{}", std::process::id()));
        let file = folder.join("call.wav");
        let spec = Spec {
            rate_hz: 8_000,
            files: vec![(
                file.clone(),
                Format::Wav { rate_hz: 8_000 },
                vec![Side::Heard],
            )],
            is_appended: false,
            volume: [0; 2],
        };
        let mut open = Open::new(&spec).unwrap();
        for number in 0..200 {
            let (side, at, samples) = (Side::Heard, number * 160, vec![1000; 160]);
            open.add(&Chunk { side, at, samples });
        }
        let bytes = fs::read(&file).unwrap();
        let length = u32::from_le_bytes(bytes[40..44].try_into().unwrap());
        assert!(length > 16_000, "{length}");
        assert_eq!(bytes.len(), 44 + length as usize);
        drop(open);
        assert_eq!(fs::read(&file).unwrap().len(), 44 + 200 * 320);
        fs::remove_dir_all(folder).unwrap();
    }

    /// What came last is taken off again, whatever the format; what was there before stays.
    #[test]
    fn the_end_of_a_recording_is_cut_off() {
        let folder = std::env::temp_dir().join(format!("sidetone-end-{}", std::process::id()));
        let wide = Format::Wav { rate_hz: 16_000 };
        let (wav, g722) = (folder.join("a.wav16"), folder.join("a.g722"));
        for (is_appended, expected) in [(false, [44 + 16_000, 4_000]), (true, [44 + 32_000, 8_000])]
        {
            let heard = vec![Side::Heard];
            let mut open = Open::new(&Spec {
                rate_hz: 16_000,
                files: vec![
                    (wav.clone(), wide, heard.clone()),
                    (g722.clone(), Format::G722, heard),
                ],
                is_appended,
                volume: [0; 2],
            })
            .unwrap();
            for number in 0..100 {
                let (side, at, samples) = (Side::Heard, number * 320, vec![1000; 320]);
                open.add(&Chunk { side, at, samples });
            }
            open.keep(Duration::from_millis(500));
            drop(open);
            let lengths = [&wav, &g722].map(|file| fs::metadata(file).unwrap().len());
            assert_eq!(lengths, expected);
        }
        let data = fs::read(&wav).unwrap();
        assert_eq!(data[40..44], 32_000_u32.to_le_bytes());
        let sound = codec::Sound::parse("g722", fs::read(&g722).unwrap().into()).unwrap();
        let mut samples = Vec::new();
        codec::SoundReader::new(sound).read(7_000, &mut samples);
        assert!((samples[6_000] - 1000).abs() < 100, "{}", samples[6_000]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_is_written_as_its_ending_says() {
        assert_eq!(
            Format::of_ending("WAV16"),
            Some(Format::Wav { rate_hz: 16_000 })
        );
        assert_eq!(Format::of_ending("al"), Some(Format::Alaw));
        assert_eq!(Format::of_ending("mp3"), None);
    }
}
