//! The names we give: `o=`, stream and track ids. All come from the seed.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use sdp::{Line as Row, Media, Sdp};

/// The source of names and the owner of `o=`.
#[derive(Debug)]
pub(super) struct Ids {
    rng: ChaCha12Rng,
    session: u64,
    version: u64,
    /// What was last sent, without `o=`.
    last: String,
    /// The stream of the first audio and the first video: what belongs together in one picture.
    pub(super) main_stream: Box<str>,
}

impl Ids {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        // RFC 8829 §5.2.1: 64 bits, the highest of them zero.
        let session = rng.next_u64() >> 1;
        let main_stream = token(&mut rng);
        Self {
            rng,
            session,
            version: 0,
            last: String::new(),
            main_stream,
        }
    }

    /// What [`Self::unseal`] takes back to.
    pub(super) fn sealed(&self) -> (u64, String) {
        (self.version, self.last.clone())
    }

    /// Forgets descriptions that were put together and never sent.
    pub(super) fn unseal(&mut self, (version, last): (u64, String)) {
        self.version = version;
        self.last = last;
    }

    /// A new stream or track id.
    pub(super) fn token(&mut self) -> Box<str> {
        token(&mut self.rng)
    }

    /// Puts a description together. RFC 3264 §8: "When issuing an offer that modifies the session,
    /// the 'o=' line of the new SDP MUST be identical to that in the previous SDP, except that the
    /// version in the origin field MUST increment by one".
    pub(super) fn seal(&mut self, session: Vec<Row>, media: Vec<Media>) -> Sdp {
        let mut sdp = Sdp {
            lines: session,
            media,
        };
        let content = sdp.to_string();
        if content != self.last {
            self.version += 1;
            self.last = content;
        }
        let origin = format!("- {} {} IN IP4 127.0.0.1", self.session, self.version);
        sdp.lines
            .splice(0..0, [Row::new('v', "0"), Row::new('o', origin)]);
        sdp
    }
}

/// 128 random bits in hexadecimal.
fn token(rng: &mut ChaCha12Rng) -> Box<str> {
    format!("{:016x}{:016x}", rng.next_u64(), rng.next_u64()).into()
}
