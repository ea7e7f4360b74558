//! Rooms: seats that hear each other, each all the others and not itself.
//!
//! A seat is a leg without a peer: a leg is connected to it as to any other. So the leg's own side decodes what its
//! peer says, conceals what is lost and hands the seat plain samples at the rate of the room, on its own shard; the
//! seat's side makes what the peer hears of the mixture. The room takes 20 ms of everybody by one clock, adds them,
//! and takes from the sum for each what it said itself. Adding allocates nothing; the packets that leave do, one
//! for each seat.
//!
//! The rate is the best that at least two can have: one alone at 48 kHz hears nobody better for it. Only sound goes
//! through a room.

use super::Request;
use super::bridge::{Bridge, Cargo, Far, Relayed};
use crate::leg::LegId;
use crate::node::voice::Voice;
use codec::{Codec, Kind, Mix};
use rtc::topology::{Direction, Format as Carries, Payload, Stream, Topology, Wishes};
use rtc::{Extensions, Format, Packet, StreamId};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// All rooms of a shard.
#[derive(Default)]
pub(super) struct Rooms {
    rooms: HashMap<u32, Room>,
    /// In which room a seat is.
    seats: HashMap<u32, u32>,
}

impl Rooms {
    /// Puts a seat into a room, which is opened for the first.
    pub(super) fn open(&mut self, now: Instant, number: u32, id: LegId) {
        let room = self.rooms.entry(number).or_insert_with(|| Room::new(now));
        room.seats.push(Seat::new(id, room.rate));
        self.seats.insert(id.serial, number);
    }

    /// Takes a seat away. The room of the last one is empty.
    pub(super) fn close(&mut self, serial: u32) {
        let number = self.seats.remove(&serial);
        if let Some(room) = number.and_then(|number| self.rooms.get_mut(&number)) {
            room.seats.retain(|seat| seat.id.serial != serial);
            room.agree();
        }
    }

    /// The number of the room of a seat.
    pub(super) fn of(&self, serial: u32) -> Option<u32> {
        self.seats.get(&serial).copied()
    }

    /// Forgets a room: one that is empty, or that broke, whose seats hear nothing from then on.
    pub(super) fn forget(&mut self, number: u32) -> Option<Room> {
        self.rooms.remove(&number)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.seats.is_empty()
    }

    pub(super) fn room(&mut self, number: u32) -> Option<&mut Room> {
        self.rooms.get_mut(&number)
    }
}

/// Those who hear each other.
pub(super) struct Room {
    seats: Vec<Seat>,
    rate: &'static Rate,
    mix: Mix,
    /// What one of them hears; kept for its room.
    heard: Vec<i16>,
    /// When the next frame is due.
    due: Instant,
    /// The alarm set for this room.
    pub(super) armed: Option<Instant>,
}

struct Seat {
    id: LegId,
    /// The leg that sits here.
    bridge: Option<Bridge>,
    voice: Voice,
    /// What was taken of it for this frame.
    frame: Vec<i16>,
    sequence: u64,
    timestamp: u32,
    payload: Vec<u8>,
}

/// At which rate a room runs.
#[derive(Debug, PartialEq, Eq)]
struct Rate {
    hz: u32,
    codec: &'static str,
}

impl Rate {
    fn codec(&self) -> Option<&'static Codec> {
        codec::by_name(self.codec)
    }

    fn frame(&self) -> usize {
        self.hz as usize * FRAME.as_millis() as usize / 1000
    }
}

impl Room {
    fn new(now: Instant) -> Self {
        Self {
            seats: Vec::new(),
            rate: &RATES[0],
            mix: Mix::default(),
            heard: Vec::new(),
            due: now + FRAME,
            armed: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        let bridges = self.seats.iter().filter_map(|seat| seat.bridge.as_ref());
        let bridges = bridges.filter_map(Bridge::poll_timeout);
        bridges.min().map_or(self.due, |due| due.min(self.due))
    }

    /// A request to a seat; what only a peer could do is dropped, and with it the place for a reply.
    pub(super) fn handle_request(&mut self, serial: u32, request: Request) {
        let rate = self.rate;
        let Some(seat) = self.seat(serial) else {
            return;
        };
        match request {
            Request::Connect { number, far } => seat.sit(number, far, rate),
            Request::Part { number } => {
                seat.bridge.take_if(|bridge| bridge.number == number);
            }
            Request::Negotiate { .. }
            | Request::Echo { .. }
            | Request::EndEcho { .. }
            | Request::Play { .. }
            | Request::EndPlay { .. }
            | Request::Listen(_)
            | Request::Digit(_)
            | Request::Tap { .. }
            | Request::EndTap { .. }
            | Request::Refresh
            | Request::Stats { .. } => return,
        }
        self.agree();
    }

    /// The leg of a seat has something for it.
    pub(super) fn handle_relayed(&mut self, relayed: Relayed) {
        let rate = self.rate;
        let Some(seat) = self.seat(relayed.to) else {
            return;
        };
        let Some(bridge) = &mut seat.bridge else {
            return;
        };
        if bridge.number != relayed.number {
            return;
        }
        match relayed.cargo {
            Cargo::Agreed { topology, asks } => {
                bridge.on_theirs(topology, asks);
                self.agree();
            }
            Cargo::Packet { packet, .. } => {
                // One of another rate was on its way when that changed.
                if packet.format.codec() == rate.codec() {
                    seat.voice.push(&packet.payload);
                }
            }
            Cargo::Missed { stream, percent } => bridge.on_missed(stream, percent),
            Cargo::Keyframe(_) => {}
        }
    }

    /// Mixes what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut VecDeque<Relayed>) {
        if now.saturating_duration_since(self.due) > LATE_MAX {
            // A thread that was kept from its work goes on where it is instead of sending a burst.
            self.due = now;
        }
        while self.due <= now {
            self.mix(now, out);
            self.due += FRAME;
        }
        self.flush(now, out);
    }

    /// Tells the legs what they do not know yet, and sends what their coders have ready.
    pub(super) fn flush(&mut self, now: Instant, out: &mut VecDeque<Relayed>) {
        for seat in &mut self.seats {
            if let Some(bridge) = &mut seat.bridge {
                bridge.say(seat.id, out);
                bridge.flush(now, seat.id, out);
            }
        }
    }

    fn mix(&mut self, now: Instant, out: &mut VecDeque<Relayed>) {
        self.mix.clear(self.rate.frame());
        for seat in &mut self.seats {
            seat.frame.clear();
            seat.voice.take(&mut seat.frame);
            self.mix.add(&seat.frame);
        }
        let Some(codec) = self.rate.codec() else {
            return;
        };
        for seat in &mut self.seats {
            if seat.bridge.is_some() {
                self.heard.clear();
                self.mix.without(&seat.frame, &mut self.heard);
                seat.send(now, codec, &self.heard, out);
            }
        }
    }

    /// The rate follows those who are here.
    fn agree(&mut self) {
        let bests = self.seats.iter().filter_map(Seat::best_hz);
        let (mut first, mut second) = (0, 0);
        for hz in bests {
            if hz > first {
                (first, second) = (hz, first);
            } else {
                second = second.max(hz);
            }
        }
        let wanted = RATES.iter().rev().find(|rate| rate.hz <= second);
        let wanted = wanted.unwrap_or(&RATES[0]);
        if wanted == self.rate {
            return;
        }
        self.rate = wanted;
        for seat in &mut self.seats {
            seat.voice = Voice::new(wanted.frame());
            if let Some(bridge) = &mut seat.bridge {
                bridge.on_agreed(&topology(wanted));
            }
        }
    }

    fn seat(&mut self, serial: u32) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.id.serial == serial)
    }
}

impl Seat {
    fn new(id: LegId, rate: &Rate) -> Self {
        Self {
            id,
            bridge: None,
            voice: Voice::new(rate.frame()),
            frame: Vec::new(),
            sequence: 0,
            timestamp: 0,
            payload: Vec::new(),
        }
    }

    fn sit(&mut self, number: u64, far: Far, rate: &Rate) {
        self.bridge = Some(Bridge::new(number, far, &topology(rate)));
        // What was said before was said by somebody else.
        self.voice = Voice::new(rate.frame());
    }

    /// The best rate that who sits here can hear and say.
    fn best_hz(&self) -> Option<u32> {
        let theirs = self.bridge.as_ref()?.theirs()?;
        let stream = theirs.streams(Kind::Audio).next()?;
        let codecs = stream.payloads.iter().filter_map(|own| own.format.codec());
        let rates = codecs.filter_map(|codec| codec.coding);
        rates
            .filter_map(|coding| coding.rates_hz.first().copied())
            .next()
    }

    fn send(
        &mut self,
        now: Instant,
        codec: &'static Codec,
        samples: &[i16],
        out: &mut VecDeque<Relayed>,
    ) {
        let Some(bridge) = &mut self.bridge else {
            return;
        };
        self.payload.clear();
        let bytes = samples.iter().flat_map(|sample| sample.to_be_bytes());
        self.payload.extend(bytes);
        let packet = Packet {
            stream: StreamId(0),
            kind: Kind::Audio,
            format: Format::new(Carries::Codec(codec), None),
            ssrc: self.id.serial,
            sequence: self.sequence,
            timestamp: self.timestamp,
            marker: self.sequence == 0,
            extensions: Extensions::default(),
            payload: Arc::from(&*self.payload),
        };
        self.sequence += 1;
        self.timestamp = self.timestamp.wrapping_add(samples.len() as u32);
        bridge.pass(now, self.id, packet, out);
    }
}

/// What a seat has to say and to hear.
fn topology(rate: &Rate) -> Topology {
    let payload = |codec| Payload {
        number: 96,
        format: Carries::Codec(codec),
        rtx: None,
    };
    Topology::new(vec![Stream {
        payloads: rate.codec().map(payload).into_iter().collect(),
        wishes: Wishes {
            packet_ms: Some(FRAME.as_millis() as u16),
            ..Wishes::default()
        },
        ..Stream::wanted(Kind::Audio, Direction::SendRecv)
    }])
}

/// The rates of rooms, lowest first.
static RATES: [Rate; 3] = [
    Rate {
        hz: 8_000,
        codec: "slin",
    },
    Rate {
        hz: 16_000,
        codec: "slin16",
    },
    Rate {
        hz: 48_000,
        codec: "slin48",
    },
];

/// How much is mixed at once.
const FRAME: Duration = Duration::from_millis(20);
/// Frames that are later than this are not made up for.
const LATE_MAX: Duration = Duration::from_millis(200);
