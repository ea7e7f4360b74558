//! Makes packets of what is played, of the length its receiver asks for: decoded, brought to a rate of the codec, encoded; or taken as
//! they are from a file that is in the codec already.

use codec::{Codec, Encode, Resampler, Settings, SoundReader, TonePlayer};
use rtc::topology::Wishes;
use std::sync::Arc;
use std::time::Duration;

/// How long a packet of a codec is for a receiver with these wishes.
pub(crate) fn length(codec: &Codec, wishes: &Wishes) -> Duration {
    let ms = codec.coding.map_or(USUAL_MS, |coding| {
        coding.packet_ms_near(wishes.packet_ms(coding.packet_ms))
    });
    Duration::from_millis(ms.into())
}

/// Where nobody hears it.
pub(crate) const USUAL: Duration = Duration::from_millis(USUAL_MS as u64);
const USUAL_MS: u16 = 20;

/// Where sound comes from.
pub(crate) enum Source {
    Sound(SoundReader),
    Tones(TonePlayer),
}

impl Source {
    pub(crate) fn rate_hz(&self) -> u32 {
        match self {
            Self::Sound(reader) => reader.rate_hz(),
            Self::Tones(_) => TONES_HZ,
        }
    }

    /// Appends so much sound, or what is left. `false`: nothing comes after it.
    pub(crate) fn read(&mut self, length: Duration, out: &mut Vec<i16>) -> bool {
        let count = samples(self.rate_hz(), length);
        match self {
            Self::Sound(reader) => {
                reader.read(count, out);
                !reader.is_over()
            }
            Self::Tones(player) => {
                let before = out.len();
                out.resize(before + count, 0);
                let filled = player.play(&mut out[before..]);
                out.truncate(before + filled);
                // Tones without any length would repeat for ever.
                filled > 0 && !player.is_over()
            }
        }
    }

    /// The sound, where its bytes are payloads of this codec.
    fn coded(&mut self, codec: &Codec) -> Option<&mut SoundReader> {
        match self {
            Self::Sound(reader) => {
                let is_its = reader.sound().coded_as().is_some_and(|own| own == codec);
                is_its.then_some(reader)
            }
            Self::Tones(_) => None,
        }
    }
}

/// How many samples a packet has.
fn samples(rate_hz: u32, length: Duration) -> usize {
    rate_hz as usize * length.as_millis() as usize / 1000
}

/// Makes the packets of one codec.
pub(crate) struct Packets {
    codec: &'static Codec,
    /// Of a packet.
    length: Duration,
    /// Of what it is made from.
    from_hz: u32,
    /// Of what is encoded.
    rate_hz: u32,
    resampler: Option<Resampler>,
    encoder: Box<dyn Encode>,
    read: Vec<i16>,
    /// Less than a packet between two packets.
    waiting: Vec<i16>,
    payload: Vec<u8>,
}

impl Packets {
    /// `None` if the codec cannot be encoded here.
    pub(crate) fn new(codec: &'static Codec, length: Duration, from_hz: u32) -> Option<Self> {
        let coding = codec.coding?;
        let rates = || coding.rates_hz.iter().copied();
        // The lowest that keeps all of it.
        let enough = rates().filter(|rate_hz| *rate_hz >= from_hz).min();
        let rate_hz = enough.or_else(|| rates().max())?;
        let settings = Settings {
            rate_hz,
            ..Settings::default()
        };
        let resampler = match from_hz == rate_hz {
            true => None,
            false => Some(Resampler::new(from_hz, rate_hz)?),
        };
        Some(Self {
            codec,
            length,
            from_hz,
            rate_hz,
            resampler,
            encoder: (coding.encoder)(&settings).ok()?,
            read: Vec::new(),
            waiting: Vec::new(),
            payload: Vec::new(),
        })
    }

    /// The rate of the sound it is made for.
    pub(crate) fn source_hz(&self) -> u32 {
        self.from_hz
    }

    /// The next packet, the last one filled with silence; none where the source is at its end already.
    /// `false`: the source is at its end now.
    pub(crate) fn make(&mut self, source: &mut Source) -> (Option<Arc<[u8]>>, bool) {
        if self.waiting.is_empty()
            && let Some(reader) = source.coded(self.codec)
        {
            return self.take(reader);
        }
        let len = samples(self.rate_hz, self.length);
        let mut goes_on = true;
        while self.waiting.len() < len && goes_on {
            self.read.clear();
            goes_on = source.read(self.length, &mut self.read);
            match &mut self.resampler {
                Some(resampler) => resampler.resample(&self.read, &mut self.waiting),
                None => self.waiting.extend_from_slice(&self.read),
            }
        }
        if self.waiting.is_empty() {
            return (None, false);
        }
        self.waiting.resize(self.waiting.len().max(len), 0);
        let packet = self.encode();
        (packet, goes_on || !self.waiting.is_empty())
    }

    /// A packet of silence.
    pub(crate) fn silence(&mut self) -> Option<Arc<[u8]>> {
        let len = samples(self.rate_hz, self.length);
        self.waiting.resize(self.waiting.len().max(len), 0);
        self.encode()
    }

    fn encode(&mut self) -> Option<Arc<[u8]>> {
        let len = samples(self.rate_hz, self.length);
        self.payload.clear();
        // The length is one of every codec's own; a packet that fails all the same is a lost one.
        let encoded = self.encoder.encode(&self.waiting[..len], &mut self.payload);
        self.waiting.drain(..len);
        encoded.is_ok().then(|| Arc::from(&*self.payload))
    }

    /// The bytes of the file as they are.
    fn take(&mut self, reader: &mut SoundReader) -> (Option<Arc<[u8]>>, bool) {
        self.payload.clear();
        let len = self.length.as_millis() as usize * CODED_BYTES_PER_MS;
        if reader.read_coded(len, &mut self.payload) == 0 {
            return (None, false);
        }
        self.payload.resize(len, silent_byte(self.codec));
        (Some(Arc::from(&*self.payload)), !reader.is_over())
    }
}

/// What fills the last packet of a file: the code of nothing heard.
fn silent_byte(codec: &Codec) -> u8 {
    match codec.name {
        "ulaw" => 0xFF,
        "alaw" => 0xD5,
        // What an encoder of G.722 makes of silence.
        _ => 0xFA,
    }
}

/// Tones have nothing above half of it.
pub(crate) const TONES_HZ: u32 = 8000;
/// All codecs that files may be in have 64 kbit/s.
const CODED_BYTES_PER_MS: usize = 8;
