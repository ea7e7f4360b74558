//! Plays a sound or tones to a peer: decoded, brought to a rate of the agreed codec, encoded, sent in
//! packets of the length that the peer asks for (`a=ptime`), by the deadlines of the shard.
//!
//! Nothing begins before a packet can really be sent, so that a browser whose handshake still goes on
//! misses no word; but a stream that may not be sent at all (hold, no audio) does not stop the time.

use super::music::{Music, Stations};
use super::packets::{self, Packets, Source, TONES_HZ};
use codec::{Codec, Kind, Sound, SoundReader, TonePlayer, ToneScript};
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
    /// Music, without end.
    Music(Music),
}

/// Plays one thing to one peer.
pub(crate) struct Player {
    number: u64,
    /// What is made for this peer alone.
    source: Option<Source>,
    /// What is made for all who hear it, after that.
    music: Option<Music>,
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
    /// When the last packet was due.
    stamped: Option<Instant>,
    /// Dropped with the player, which tells the end as well.
    over: Option<oneshot::Sender<()>>,
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
    codec: &'static Codec,
    /// Of a packet.
    length: Duration,
    /// For what is made for this peer alone.
    packets: Option<Packets>,
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
        let (source, music) = match playable {
            Playable::Sound(sound) => (Some(Source::Sound(SoundReader::new(sound))), None),
            Playable::Tones(script) => {
                let player = TonePlayer::new(script, TONES_HZ);
                (Some(Source::Tones(player)), None)
            }
            Playable::Music(music) => {
                let welcome = music.welcome().cloned();
                let welcome = welcome.map(|sound| Source::Sound(SoundReader::new(sound)));
                (welcome, Some(music))
            }
        };
        Self {
            number,
            source,
            music,
            output: None,
            due: now,
            patience: now + PATIENCE,
            has_begun: false,
            is_spent: false,
            sequence: 0,
            timestamp: 0,
            stamped: None,
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

    /// Whether the time of the first packet has come.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Sends what is due; nobody hears it while it `is_muted`.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        peer: &mut Peer,
        origin: u32,
        stations: &mut Stations,
        is_muted: bool,
    ) -> Played {
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
                let is_sent = self.send(now, peer, origin, stations, is_muted);
                self.has_begun |= is_sent || self.output.is_none() || now >= self.patience;
                played.is_sent |= is_sent;
                self.due += self.length();
            }
        }
        played
    }

    /// How long the packet that is due is.
    fn length(&self) -> Duration {
        let output = self.output.as_ref();
        output.map_or(packets::USUAL, |output| output.length)
    }

    /// The agreed stream and its codec may have changed since the last packet.
    fn tune(&mut self, peer: &Peer) {
        let audio = peer.sending().find(|(_, kind)| *kind == Kind::Audio);
        let wanted = audio.and_then(|(stream, _)| Some((stream, peer.format(stream)?)));
        let Some((stream, format)) = wanted else {
            self.output = None;
            return;
        };
        let agreed = peer.agreed().iter();
        let agreed = agreed.into_iter().find(|own| own.mline == stream.0);
        let length = agreed.zip(format.codec());
        let length = length.map_or(packets::USUAL, |(own, codec)| {
            packets::length(codec, &own.wishes)
        });
        let is_same = |output: &Output| {
            output.stream == stream && output.format.suits(&format) && output.length == length
        };
        if !self.output.as_ref().is_some_and(is_same) {
            self.output = Output::new(stream, format, length);
        }
    }

    fn send(
        &mut self,
        now: Instant,
        peer: &mut Peer,
        origin: u32,
        stations: &mut Stations,
        is_muted: bool,
    ) -> bool {
        let (due, length) = (self.due, self.length());
        let output = self.output.as_mut().filter(|_| !is_muted);
        let Some(output) = output else {
            // Nobody can hear it; it goes on all the same.
            if let Some(source) = &mut self.source
                && !source.read(length, &mut Vec::new())
            {
                self.source = None;
            }
            self.is_spent = self.source.is_none() && self.music.is_none();
            return false;
        };
        if let Some(source) = &mut self.source {
            if output.packet.is_none() && !output.make(source) {
                self.source = None;
            }
        } else if let Some(music) = &self.music {
            output.packet = stations.packet(due, music, output.codec, length);
        }
        self.is_spent = self.source.is_none() && self.music.is_none();
        let Some(payload) = output.packet.take() else {
            return false;
        };
        // The clock runs on while nothing is sent.
        let passed = self
            .stamped
            .map_or(Duration::ZERO, |last| due.saturating_duration_since(last));
        let units = passed.as_micros() as u64 * u64::from(output.format.clock_hz()) / 1_000_000;
        let timestamp = self.timestamp.wrapping_add(units as u32);
        let packet = Packet {
            stream: output.stream,
            kind: Kind::Audio,
            format: output.format,
            ssrc: self.number as u32,
            sequence: self.sequence,
            timestamp,
            // RFC 3551 §4.1: the first packet after a silence.
            marker: self.sequence == 0 || passed > length,
            extensions: Extensions::default(),
            payload,
        };
        let is_sent = peer.write(now, output.stream, origin, &packet);
        if !is_sent && !self.has_begun && now < self.patience {
            output.packet = Some(packet.payload);
            self.is_spent = false;
            return false;
        }
        self.sequence += u64::from(is_sent);
        (self.timestamp, self.stamped) = (timestamp, Some(due));
        is_sent
    }
}

impl Output {
    /// `None` if there is no codec.
    fn new(stream: StreamId, format: Format, length: Duration) -> Option<Self> {
        Some(Self {
            stream,
            format,
            codec: format.codec()?,
            length,
            packets: None,
            packet: None,
        })
    }

    /// Makes the next packet. `false`: the source is at its end.
    fn make(&mut self, source: &mut Source) -> bool {
        if self.packets.is_none() {
            self.packets = Packets::new(self.codec, self.length, source.rate_hz());
        }
        let Some(packets) = &mut self.packets else {
            // Nothing can be made of it here; the time goes on all the same.
            return source.read(self.length, &mut Vec::new());
        };
        let (packet, goes_on) = packets.make(source);
        self.packet = packet;
        goes_on
    }
}

/// How long the first packet waits for somebody who can hear it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Packets that are later than this are not made up for.
const LATE_MAX: Duration = Duration::from_millis(200);
