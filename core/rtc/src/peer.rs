//! One media transport of a peer: packets, clock and offer/answer rounds in; packets and events out.
//!
//! There are two machines behind one interface: a WebRTC transport for browsers (ICE, DTLS-SRTP, around
//! str0m), and RTP with or without SDES keys for desk phones (ours). The policy of the endpoint says
//! which.
//!
//! A peer has the shape of every machine here: `handle_*` takes input, `poll_*` gives output, time
//! is an argument. Poll the transmits, then the events, until both are empty, after each input;
//! writes made meanwhile come out of the next transmit poll. Where packets go is its owner's affair.

mod desk;
mod packet;
mod round;
mod stats;
mod webrtc;

pub use packet::{Extensions, Format, Packet};
pub use round::{Outcome, Round};
pub use stats::{PeerStats, Quality, Series, StreamStats};

use crate::Refused;
use crate::dtls::Certificate;
use crate::policy::{Policy, Transport};
use crate::topology::Topology;
use desk::DeskPeer;
use rtp::{DigitEvent, EventPacket};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use webrtc::WebRtcPeer;

pub(crate) use webrtc::fresh_credentials;

/// A stream of a peer: the number of its m-line in the descriptions the peer sees, which stays the
/// same for the life of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub usize);

/// What a peer is made from.
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// What may be negotiated, and by which machine media is carried.
    pub policy: Arc<Policy>,
    /// The addresses packets may be sent to: one candidate each.
    pub candidates: Vec<SocketAddr>,
    /// How the ICE user name of this peer begins; random characters follow. Whoever demultiplexes
    /// finds the peer by it. Only ice-chars: letters, digits, `+` and `/`.
    pub ufrag_prefix: String,
    /// Where plain RTP and SDES legs receive: one pair of ports for each stream they may have.
    pub ports: Vec<PortPair>,
    /// Where the peer's signalling comes from, if that is known: packets from there are believed sooner.
    pub signaled: Option<IpAddr>,
    /// Shown in the DTLS handshake.
    pub certificate: Certificate,
    /// Where random choices come from, passwords among them: 32 bytes nobody can guess.
    pub seed: [u8; 32],
}

/// The ports of one stream of a desk phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortPair {
    /// An even port.
    pub rtp: SocketAddr,
    /// The odd port behind it.
    pub rtcp: SocketAddr,
}

/// ICE credentials of our side (RFC 8445 §5.3).
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) ufrag: String,
    pub(crate) password: String,
}

/// A password is never printed.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Credentials").field(&self.ufrag).finish()
    }
}

/// A datagram to send.
#[derive(Debug)]
pub struct Transmit {
    /// The candidate to send from.
    pub local: SocketAddr,
    /// Where to.
    pub remote: SocketAddr,
    /// What.
    pub bytes: Vec<u8>,
}

/// What a peer tells its owner.
#[derive(Debug)]
pub enum Event {
    /// ICE found a pair, or moved to another one.
    IceConnected {
        /// Our address.
        local: SocketAddr,
        /// The peer's address as we see it.
        remote: SocketAddr,
    },
    /// The DTLS handshake is done, or the first packet under the keys of the description came: media
    /// can flow.
    Connected {
        /// "DTLS 1.2", "DTLS 1.3" or "SDES".
        dtls: &'static str,
        /// The name of the SRTP protection profile.
        srtp: &'static str,
    },
    /// A desk phone's packets come from here; packets from elsewhere are not heard.
    SourceLearned {
        /// Our address.
        local: SocketAddr,
        /// The peer's address as we see it.
        remote: SocketAddr,
        /// Where ours go: not there, if the description says otherwise and is believed.
        target: SocketAddr,
    },
    /// An RTP packet came, after decryption and repair.
    Packet(Packet),
    /// The peer needs a key frame on a stream we send.
    KeyframeRequested(StreamId),
    /// The peer is to send a key frame, and its profile has no feedback to ask for one by: signalling is to ask.
    KeyframeWanted,
    /// A digit was pressed or let go: telephone events.
    Digit(DigitEvent),
    /// Packets of a stream were lost for good.
    Losses {
        /// Which stream.
        stream: StreamId,
        /// How many so far.
        lost: u64,
        /// How many arrived so far.
        received: u64,
    },
    /// The peer reports what it missed of a stream we send, since its report before.
    Missed {
        /// Which stream.
        stream: StreamId,
        /// The share of the packets.
        percent: u8,
    },
    /// The last event: nothing comes from this peer any more.
    Down(Down),
}

/// Why a peer is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Down {
    /// No connectivity check succeeded: the addresses in the descriptions do not reach each other.
    NeverConnected,
    /// The addresses reach each other, the handshake failed.
    DtlsFailed,
    /// Neither packets nor answers to our checks come any more (RFC 7675).
    ConsentLost,
    /// The peer closed the transport.
    ClosedByPeer,
    /// No RTP came for as long as `rtp_timeout` or `rtp_timeout_hold` allows.
    RtpTimeout,
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverConnected => "no ICE check succeeded: the media addresses are unreachable",
            Self::DtlsFailed => "the DTLS handshake failed",
            Self::ConsentLost => "nothing came from the peer any more",
            Self::ClosedByPeer => "the peer closed the media transport",
            Self::RtpTimeout => "no RTP came within rtp_timeout",
        })
    }
}

/// One media transport and its streams.
pub struct Peer(Machine, Option<Vec<Copied>>);

/// A packet that was sent, and whose it was.
pub type Copied = (u32, Packet);

/// Copies that wait to be taken; more are not made.
const COPIES_MAX: usize = 256;

/// What carries the media.
enum Machine {
    WebRtc(Box<WebRtcPeer>),
    Desk(Box<DeskPeer>),
}

/// Both machines have the same interface.
macro_rules! machine {
    ($peer:expr, $machine:ident => $call:expr) => {
        match $peer {
            Machine::WebRtc($machine) => $call,
            Machine::Desk($machine) => $call,
        }
    };
}

impl Peer {
    /// A transport that waits for its first round.
    pub fn new(now: Instant, config: PeerConfig) -> Self {
        let machine = match config.policy.transport.clone() {
            Transport::WebRtc => Machine::WebRtc(Box::new(WebRtcPeer::new(now, config))),
            Transport::Rtp(terms) => Machine::Desk(Box::new(DeskPeer::new(now, terms, config))),
        };
        Self(machine, None)
    }

    /// Does a round, or the part of it that can be done now. After an error everything is as before.
    pub fn negotiate(&mut self, now: Instant, round: Round) -> Result<Outcome, Refused> {
        machine!(&mut self.0, peer => peer.negotiate(now, round))
    }

    /// Whether a datagram from an unknown address belongs to this peer, proven by the message
    /// integrity of its connectivity check. Nothing else may be believed from a stranger. Never true for
    /// a desk phone: its ports are its own.
    pub fn accepts(
        &self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &[u8],
    ) -> bool {
        match &self.0 {
            Machine::WebRtc(peer) => peer.accepts(now, local, remote, bytes),
            Machine::Desk(_) => false,
        }
    }

    /// Takes a datagram from an address this peer has accepted a check from, or to a port of its own.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &[u8],
    ) {
        machine!(&mut self.0, peer => peer.handle_datagram(now, local, remote, bytes));
    }

    /// Does what was due.
    pub fn handle_timeout(&mut self, now: Instant) {
        machine!(&mut self.0, peer => peer.handle_timeout(now));
    }

    /// Sends a packet of another stream on this one, with this stream's own numbers. `origin` says
    /// whose packet it is, where several send to the same stream in turn. False if the stream is not
    /// sent, or the peer has not agreed to this codec on it.
    pub fn write(&mut self, now: Instant, stream: StreamId, origin: u32, packet: &Packet) -> bool {
        let is_sent = machine!(&mut self.0, peer => peer.write(now, stream, origin, packet));
        if is_sent
            && packet.kind == codec::Kind::Audio
            && let Some(copies) = &mut self.1
            && copies.len() < COPIES_MAX
        {
            copies.push((origin, packet.clone()));
        }
        is_sent
    }

    /// Keeps copies of the packets of sound that [`Self::write`] sends from now on, or no more.
    pub fn copy_sent(&mut self, is_on: bool) {
        match is_on {
            true => drop(self.1.get_or_insert_default()),
            false => self.1 = None,
        }
    }

    /// The copies made since the last time.
    pub fn take_sent(&mut self) -> Vec<Copied> {
        self.1.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The clock of telephone events that may be sent on a stream now; `None`: the peer takes none.
    pub fn event_clock(&self, stream: StreamId) -> Option<u32> {
        machine!(&self.0, peer => peer.event_clock(stream))
    }

    /// Sends a packet of a digit between those of others. The first has no `start`; the one that is
    /// returned goes with all others of the digit. `None`: it cannot be sent.
    pub fn write_event(
        &mut self,
        now: Instant,
        stream: StreamId,
        start: Option<u32>,
        event: &EventPacket,
    ) -> Option<u32> {
        machine!(&mut self.0, peer => peer.write_event(now, stream, start, event))
    }

    /// A packet that [`Self::write`] would have sent is not sent, and the receiver does not miss it.
    pub fn skip(&mut self, stream: StreamId, origin: u32, packet: &Packet) {
        machine!(&mut self.0, peer => peer.skip(stream, origin, packet));
    }

    /// Asks the peer for a key frame of a stream it sends, at most once per [`KEYFRAME_PAUSE`]; a
    /// request that comes too early is made when the pause is over.
    pub fn request_keyframe(&mut self, now: Instant, stream: StreamId) {
        machine!(&mut self.0, peer => peer.request_keyframe(now, stream));
    }

    /// Says goodbye to the peer. Poll the transmits once more, then drop this.
    pub fn close(&mut self, now: Instant) {
        machine!(&mut self.0, peer => peer.close(now));
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        machine!(&mut self.0, peer => peer.poll_transmit())
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        machine!(&mut self.0, peer => peer.poll_event())
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        machine!(&self.0, peer => peer.poll_timeout())
    }

    /// The streams that can be written to now.
    pub fn sending(&self) -> impl Iterator<Item = (StreamId, codec::Kind)> {
        machine!(&self.0, peer => peer.sending()).into_iter()
    }

    /// What the peer likes best to receive on a stream, digits aside; for whoever makes packets itself
    /// instead of sending on those of others.
    pub fn format(&self, stream: StreamId) -> Option<Format> {
        machine!(&self.0, peer => peer.format(stream))
    }

    /// The agreed streams, in the order of their m-lines.
    pub fn streams(&self) -> impl Iterator<Item = (StreamId, codec::Kind)> {
        machine!(&self.0, peer => peer.streams()).into_iter()
    }

    /// How many streams are agreed.
    pub fn stream_count(&self) -> usize {
        machine!(&self.0, peer => peer.stream_count())
    }

    /// What was agreed in the last round that came to an end.
    pub fn agreed(&self) -> &Topology {
        machine!(&self.0, peer => peer.agreed())
    }

    /// What was sent and received so far.
    pub fn stats(&mut self) -> PeerStats {
        machine!(&mut self.0, peer => peer.stats())
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = match &self.0 {
            Machine::WebRtc(_) => "WebRtc",
            Machine::Desk(_) => "Rtp",
        };
        let streams = self.streams().count();
        write!(f, "Peer({machine}, {streams} streams)")
    }
}

/// Key frames are asked for no more often: they are large, and one answers every request before it.
pub const KEYFRAME_PAUSE: Duration = Duration::from_millis(500);
/// From the first description of the peer to a pair, and from the pair to media.
pub const CONNECT_MAX: Duration = Duration::from_secs(15);
/// A browser checks its consent every few seconds (RFC 7675 §5.1), even if it sends no media.
pub const SILENCE_MAX: Duration = Duration::from_secs(20);
/// More are dropped: nobody has polled.
const TRANSMITS_MAX: usize = 1024;
const EVENTS_MAX: usize = 1024;
