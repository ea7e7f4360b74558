//! Music that lasts: made once for all who listen to it in the same codec and the same packets.
//!
//! A shard has one station for each music, codec and length of packets that somebody hears. It encodes each packet once, when
//! the first listener is due to send it, and keeps it for a moment for the others. So a call on hold costs
//! no more than the packets it is sent. Whoever joins hears it from where it is; a station nobody hears
//! stands still, and is forgotten after a minute.

use super::packets::{Packets, Source};
use codec::{Codec, Sound, SoundReader};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where the pieces of a music come from.
pub trait Repertoire: Send + Sync {
    /// Begins a programme that will be heard in this codec, whose files may be in it already. Called on a
    /// media thread: it must not wait.
    fn open(&self, codec: &'static Codec) -> Box<dyn Programme>;
}

/// One piece after the other.
pub trait Programme: Send {
    /// The next piece, unless it is not at hand yet. Called on a media thread: it must not wait.
    fn poll_next(&mut self) -> Option<Sound>;
}

/// A music. Clones are the same one, which is shared by all who hear it.
#[derive(Clone)]
pub struct Music {
    name: Arc<str>,
    repertoire: Arc<dyn Repertoire>,
    welcome: Option<Sound>,
}

impl Music {
    /// The music of this name.
    pub fn new(name: &str, repertoire: impl Repertoire + 'static) -> Self {
        Self {
            name: name.into(),
            repertoire: Arc::new(repertoire),
            welcome: None,
        }
    }

    /// Everybody hears this first, and then the music.
    #[must_use]
    pub fn with_welcome(self, welcome: Sound) -> Self {
        Self {
            welcome: Some(welcome),
            ..self
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is heard first.
    pub(crate) fn welcome(&self) -> Option<&Sound> {
        self.welcome.as_ref()
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.repertoire, &other.repertoire)
    }
}

impl fmt::Debug for Music {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Music").field(&self.name).finish()
    }
}

/// The stations of a shard.
#[derive(Default)]
pub(crate) struct Stations(Vec<Station>);

impl Stations {
    /// Forgets those that nobody has heard for a while.
    pub(crate) fn forget(&mut self, now: Instant) {
        self.0.retain(|station| now < station.heard + IDLE_MAX);
    }

    /// The packet that is heard at this time; none while there is no music yet, or no way to encode it.
    pub(crate) fn packet(
        &mut self,
        due: Instant,
        music: &Music,
        codec: &'static Codec,
        length: Duration,
    ) -> Option<Arc<[u8]>> {
        let is_it = |station: &Station| {
            station.codec == codec && station.length == length && station.music.is(music)
        };
        let index = match self.0.iter().position(is_it) {
            Some(index) => index,
            None => {
                if self.0.len() == STATIONS_MAX {
                    // Who still listens there gets a new one, at the beginning.
                    let quietest = (0..STATIONS_MAX).min_by_key(|place| self.0[*place].heard);
                    self.0.swap_remove(quietest.unwrap_or(0));
                }
                self.0.push(Station::new(due, music.clone(), codec, length));
                self.0.len() - 1
            }
        };
        self.0[index].packet(due)
    }

    /// How many there are, and how many packets they have made.
    #[cfg(test)]
    pub(crate) fn made(&self) -> (usize, u64) {
        (
            self.0.len(),
            self.0.iter().map(|station| station.next).sum(),
        )
    }
}

/// One music in packets of one length of one codec.
struct Station {
    music: Music,
    codec: &'static Codec,
    length: Duration,
    programme: Box<dyn Programme>,
    source: Option<Source>,
    packets: Option<Packets>,
    /// When packet 0 was heard, had it never stood still.
    epoch: Instant,
    /// The number of the next packet to be made.
    next: u64,
    /// The last ones that were.
    ring: VecDeque<Option<Arc<[u8]>>>,
    heard: Instant,
}

impl Station {
    fn new(now: Instant, music: Music, codec: &'static Codec, length: Duration) -> Self {
        Self {
            programme: music.repertoire.open(codec),
            music,
            codec,
            length,
            source: None,
            packets: None,
            epoch: now,
            next: 0,
            ring: VecDeque::new(),
            heard: now,
        }
    }

    fn packet(&mut self, due: Instant) -> Option<Arc<[u8]>> {
        self.heard = self.heard.max(due);
        let mut number = self.number(due);
        if self.next == 0 || number > self.next + AHEAD_MAX {
            // It begins with the first packet there is; if nobody listened for a while, it goes on where it
            // stood still.
            self.epoch = due - self.length * u32::try_from(self.next).unwrap_or(0);
            number = self.next;
        }
        while self.next <= number {
            let made = self.make();
            if made.is_none() && self.packets.is_none() {
                // The first piece is still on its way.
                return None;
            }
            self.next += 1;
            self.ring.push_back(made);
            if self.ring.len() > RING {
                self.ring.pop_front();
            }
        }
        let oldest = self.next - self.ring.len() as u64;
        // One who is later than that is told the oldest there is.
        let place = number.saturating_sub(oldest) as usize;
        self.ring.get(place).cloned().flatten()
    }

    fn number(&self, due: Instant) -> u64 {
        let since = due.saturating_duration_since(self.epoch);
        (since.as_micros() / self.length.as_micros()) as u64
    }

    fn make(&mut self) -> Option<Arc<[u8]>> {
        // A piece without a packet in it must not keep the thread here.
        for _ in 0..PIECES_PER_PACKET_MAX {
            if self.source.is_none() {
                let piece = self.programme.poll_next();
                self.source = piece.map(|sound| Source::Sound(SoundReader::new(sound)));
            }
            let Some(source) = &mut self.source else {
                break;
            };
            let from_hz = source.rate_hz();
            if self
                .packets
                .as_ref()
                .is_none_or(|own| own.source_hz() != from_hz)
            {
                self.packets = Packets::new(self.codec, self.length, from_hz);
            }
            let packets = self.packets.as_mut()?;
            let (packet, goes_on) = packets.make(source);
            if !goes_on {
                self.source = None;
            }
            if packet.is_some() {
                return packet;
            }
        }
        self.packets.as_mut()?.silence()
    }
}

/// Classes times codecs and lengths that are heard at once on one thread.
const STATIONS_MAX: usize = 256;
/// How long a station that nobody hears is kept.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// Packets that may be made at once for one who asks after a pause.
const AHEAD_MAX: u64 = 16;
/// Packets kept for those who are late.
const RING: usize = 32;
const PIECES_PER_PACKET_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::{Music, Programme, Repertoire, STATIONS_MAX, Stations};
    use codec::{Codec, Sound, by_name};
    use std::time::{Duration, Instant};

    const PACKET: Duration = Duration::from_millis(20);

    struct Silence;

    impl Repertoire for Silence {
        fn open(&self, _: &'static Codec) -> Box<dyn Programme> {
            Box::new(Self)
        }
    }

    impl Programme for Silence {
        fn poll_next(&mut self) -> Option<Sound> {
            Some(Sound::of_samples(&[0; 160], 8000))
        }
    }

    #[test]
    fn there_are_no_more_stations_than_may_be_and_the_last_one_is_heard() {
        let (now, codec) = (Instant::now(), by_name("ulaw").unwrap());
        let mut stations = Stations::default();
        for count in 1..=STATIONS_MAX + 3 {
            let music = Music::new("many", Silence);
            assert!(stations.packet(now, &music, codec, PACKET).is_some());
            assert_eq!(stations.made().0, count.min(STATIONS_MAX));
        }
    }

    /// A thousand who listen for a second: fifty packets are made.
    #[test]
    fn who_listens_costs_nothing_to_encode() {
        let (begin, codec) = (Instant::now(), by_name("opus").unwrap());
        let mut stations = Stations::default();
        let music = Music::new("default", Silence);
        for turn in 0..50 {
            let due = begin + PACKET * turn;
            for _ in 0..1000 {
                assert!(stations.packet(due, &music, codec, PACKET).is_some());
            }
        }
        assert_eq!(stations.made(), (1, 50));
    }
    /// Who asks for longer packets has a station of its own, and as much sound in each.
    #[test]
    fn packets_are_as_long_as_is_asked_for() {
        let (begin, codec) = (Instant::now(), by_name("ulaw").unwrap());
        let mut stations = Stations::default();
        let music = Music::new("default", Silence);
        for ms in [10, 20, 30, 60] {
            let length = Duration::from_millis(ms);
            for turn in 0..5 {
                let packet = stations.packet(begin + length * turn, &music, codec, length);
                assert_eq!(packet.unwrap().len() as u64, ms * 8);
            }
        }
        assert_eq!(stations.made(), (4, 20));
    }
}
