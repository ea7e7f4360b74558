//! Plays a sound or tones to a peer: decoded, brought to a rate of the agreed codec, encoded, sent in
//! packets of 20 ms by the deadlines of the shard.
//!
//! Nothing begins before a packet can really be sent, so that a browser whose handshake still goes on
//! misses no word; but a stream that may not be sent at all (hold, no audio) does not stop the time.

use codec::{Encode, Kind, Resampler, Settings, Sound, SoundReader, TonePlayer, ToneScript};
use rtc::{Extensions, Format, Packet, Peer, StreamId};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// What can be played.
#[derive(Clone, Debug)]
pub enum Playable {
    /// A file, once.
    Sound(Sound),
    /// Tones: until their end, if they have one.
    Tones(ToneScript),
}

/// Plays one thing to one peer.
pub(crate) struct Player {
    number: u64,
    source: Source,
    output: Option<Output>,
    /// When the next packet is due.
    due: Instant,
    /// Until when the first packet is tried again.
    patience: Instant,
    has_begun: bool,
    /// The source is at its end; what was sent still lasts.
    is_spent: bool,
    sequence: u64,
    timestamp: u32,
    /// Dropped with the player, which tells the end as well.
    over: Option<oneshot::Sender<()>>,
}

enum Source {
    Sound(SoundReader),
    Tones(TonePlayer),
}

/// What came of a turn.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Played {
    /// A packet went out.
    pub(crate) is_sent: bool,
    /// Nothing more comes.
    pub(crate) is_over: bool,
}

/// Where it goes and what it becomes.
struct Output {
    stream: StreamId,
    format: Format,
    rate_hz: u32,
    resampler: Option<Resampler>,
    encoder: Box<dyn Encode>,
    read: Vec<i16>,
    /// Less than a packet between two packets.
    waiting: Vec<i16>,
    payload: Vec<u8>,
    /// Made, and not sent yet.
    packet: Option<Arc<[u8]>>,
}

impl Player {
    pub(crate) fn new(
        now: Instant,
        number: u64,
        playable: Playable,
        over: oneshot::Sender<()>,
    ) -> Self {
        let source = match playable {
            Playable::Sound(sound) => Source::Sound(SoundReader::new(sound)),
            Playable::Tones(script) => Source::Tones(TonePlayer::new(script, TONES_HZ)),
        };
        Self {
            number,
            source,
            output: None,
            due: now,
            patience: now + PATIENCE,
            has_begun: false,
            is_spent: false,
            sequence: 0,
            timestamp: 0,
            over: Some(over),
        }
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether this stream is taken, so that nothing else may be sent on it.
    pub(crate) fn has(&self, stream: StreamId) -> bool {
        let output = self.output.as_ref();
        output.is_some_and(|output| output.stream == stream)
    }

    pub(crate) fn poll_timeout(&self) -> Instant {
        self.due
    }

    /// Sends what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant, peer: &mut Peer, origin: u32) -> Played {
        let mut played = Played::default();
        if now.saturating_duration_since(self.due) > LATE_MAX {
            // A thread that was kept from its work goes on where it is instead of sending a burst.
            self.due = now;
        }
        while self.due <= now && !played.is_over {
            if self.is_spent {
                if let Some(over) = self.over.take() {
                    // Whoever waited may have left.
                    let _ = over.send(());
                }
                played.is_over = true;
            } else {
                self.tune(peer);
                let is_sent = self.send(now, peer, origin);
                self.has_begun |= is_sent || self.output.is_none() || now >= self.patience;
                played.is_sent |= is_sent;
                self.due += PACKET;
            }
        }
        played
    }

    /// The agreed stream and its codec may have changed since the last packet.
    fn tune(&mut self, peer: &Peer) {
        let audio = peer.sending().find(|(_, kind)| *kind == Kind::Audio);
        let wanted = audio.and_then(|(stream, _)| Some((stream, peer.format(stream)?)));
        let Some((stream, format)) = wanted else {
            self.output = None;
            return;
        };
        let is_same = |output: &Output| output.stream == stream && output.format.suits(&format);
        if !self.output.as_ref().is_some_and(is_same) {
            self.output = Output::new(stream, format, self.source.rate_hz());
        }
    }

    fn send(&mut self, now: Instant, peer: &mut Peer, origin: u32) -> bool {
        let Some(output) = &mut self.output else {
            // Nobody can hear it; it goes on all the same.
            self.is_spent = !self.source.read(&mut Vec::new());
            return false;
        };
        if output.packet.is_none() {
            self.is_spent = !output.make(&mut self.source);
        }
        let Some(payload) = output.packet.take() else {
            return false;
        };
        let packet = Packet {
            stream: output.stream,
            kind: Kind::Audio,
            format: output.format,
            ssrc: self.number as u32,
            sequence: self.sequence,
            timestamp: self.timestamp,
            // RFC 3551 §4.1: the first packet after a silence.
            marker: self.sequence == 0,
            extensions: Extensions::default(),
            payload,
        };
        let clock_hz = u64::from(output.format.clock_hz());
        let is_sent = peer.write(now, output.stream, origin, &packet);
        if !is_sent && !self.has_begun && now < self.patience {
            output.packet = Some(packet.payload);
            self.is_spent = false;
            return false;
        }
        self.sequence += u64::from(is_sent);
        let step = clock_hz * PACKET.as_millis() as u64 / 1000;
        self.timestamp = self.timestamp.wrapping_add(step as u32);
        is_sent
    }
}

impl Source {
    fn rate_hz(&self) -> u32 {
        match self {
            Self::Sound(reader) => reader.rate_hz(),
            Self::Tones(_) => TONES_HZ,
        }
    }

    /// Appends one packet's worth of samples, or what is left. `false`: nothing comes after it.
    fn read(&mut self, out: &mut Vec<i16>) -> bool {
        let count = samples(self.rate_hz());
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
}

/// How many samples a packet has.
fn samples(rate_hz: u32) -> usize {
    rate_hz as usize * PACKET.as_millis() as usize / 1000
}

impl Output {
    /// `None` if the codec cannot be encoded here.
    fn new(stream: StreamId, format: Format, from_hz: u32) -> Option<Self> {
        let coding = format.codec()?.coding?;
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
            stream,
            format,
            rate_hz,
            resampler,
            encoder: (coding.encoder)(&settings).ok()?,
            read: Vec::new(),
            waiting: Vec::new(),
            payload: Vec::new(),
            packet: None,
        })
    }

    /// Makes the next packet, the last one filled with silence. `false`: the source is at its end.
    fn make(&mut self, source: &mut Source) -> bool {
        let len = samples(self.rate_hz);
        let mut goes_on = true;
        while self.waiting.len() < len && goes_on {
            self.read.clear();
            goes_on = source.read(&mut self.read);
            match &mut self.resampler {
                Some(resampler) => resampler.resample(&self.read, &mut self.waiting),
                None => self.waiting.extend_from_slice(&self.read),
            }
        }
        if self.waiting.is_empty() {
            return false;
        }
        self.waiting.resize(self.waiting.len().max(len), 0);
        self.payload.clear();
        // The length is one of every codec's own; a packet that fails all the same is a lost one.
        if self
            .encoder
            .encode(&self.waiting[..len], &mut self.payload)
            .is_ok()
        {
            self.packet = Some(Arc::from(&*self.payload));
        }
        self.waiting.drain(..len);
        goes_on || !self.waiting.is_empty()
    }
}

/// Tones have nothing above half of it.
const TONES_HZ: u32 = 8000;
/// The length of a packet.
const PACKET: Duration = Duration::from_millis(20);
/// How long the first packet waits for somebody who can hear it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Packets that are later than this are not made up for.
const LATE_MAX: Duration = Duration::from_millis(200);
