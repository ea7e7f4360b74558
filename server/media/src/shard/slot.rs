//! One leg on its shard: the peer, where its packets go, and its owner's inbox.

use super::bridge::{Bridge, Cargo, Relayed};
use super::{ADDRESSES_PER_LEG_MAX, LegEvent, Path, RETRY_PAUSE, Request};
use crate::DownReason;
use crate::echo::{self, EchoMode, Route};
use crate::leg::{DigitForm, EventSink, LegId, LegStats, Recoded};
use crate::node::ear::{Ear, Heard};
use crate::node::keys::Keys;
use crate::node::music::Stations;
use crate::node::play::Player;
use crate::node::tap::Tap;
use crate::record::{Side, Sink};
use codec::Kind;
use rtc::{Event, Packet, Peer, StreamId, Transmit};
use rtp::DigitEvent;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

pub(super) struct Slot {
    pub(super) id: LegId,
    /// The type of service of its packets, where its socket is not its own.
    pub(super) tos: u8,
    state: State,
    events: EventSink,
    /// The echo that runs, and its number.
    echo: Option<(u32, EchoMode)>,
    routes: Vec<Route>,
    /// The leg it is connected to.
    bridge: Option<Bridge>,
    /// How the last packet of sound from that leg was made, where it was made anew.
    said_anew: Option<Recoded>,
    /// What is played to it, in place of what others send to the same stream.
    player: Option<Player>,
    /// The digits that are sent to it, in place of everything else.
    keys: Keys,
    /// Finds digits in what its peer says.
    ear: Option<Ear>,
    /// What records it.
    taps: Vec<Tap>,
    /// Its peer presses a key, which it tells by events.
    is_pressed: bool,
    /// It asked by signalling for a key frame of the pictures it is sent.
    is_refresh_asked: bool,
    /// Audio and video, received and sent.
    first_packets: Vec<(Kind, bool)>,
    /// The farewell of a peer that is gone.
    farewell: Vec<Transmit>,
    /// The paths packets are believed from, oldest first.
    pub(super) addresses: Vec<Path>,
    /// The paths checks were sent to.
    pub(super) probes: Vec<Path>,
    /// The alarm set for this leg.
    pub(super) armed: Option<Instant>,
    /// As many as the gauge counts for this leg.
    pub(super) streams: usize,
}

enum State {
    Live(Box<Peer>),
    /// The owner is still to be told why.
    Ending {
        reason: DownReason,
        retry: Instant,
    },
    Down,
}

impl Slot {
    pub(super) fn new(now: Instant, id: LegId, peer: Peer, events: EventSink) -> Self {
        Self {
            id,
            tos: 0,
            state: State::Live(Box::new(peer)),
            events,
            echo: None,
            routes: Vec::new(),
            bridge: None,
            said_anew: None,
            player: None,
            keys: Keys::new(now),
            ear: None,
            taps: Vec::new(),
            is_pressed: false,
            is_refresh_asked: false,
            first_packets: Vec::new(),
            farewell: Vec::new(),
            addresses: Vec::new(),
            probes: Vec::new(),
            armed: None,
            streams: 0,
        }
    }

    pub(super) fn marked(self, tos: u8) -> Self {
        Self { tos, ..self }
    }

    pub(super) fn is_down(&self) -> bool {
        !matches!(self.state, State::Live(_))
    }

    pub(super) fn stream_count(&self) -> usize {
        match &self.state {
            State::Live(peer) => peer.stream_count(),
            State::Ending { .. } | State::Down => 0,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Live(peer) => {
                let bridge = self.bridge.as_ref().and_then(Bridge::poll_timeout);
                let player = self.player.as_ref().map(Player::poll_timeout);
                let own = bridge.into_iter().chain(player);
                let ear = self.ear.as_ref().and_then(Ear::poll_timeout);
                let taps = self.taps.iter().filter_map(Tap::poll_timeout);
                let own = own.chain(self.keys.poll_timeout()).chain(ear).chain(taps);
                peer.poll_timeout().into_iter().chain(own).min()
            }
            State::Ending { retry, .. } => Some(*retry),
            State::Down => None,
        }
    }

    pub(super) fn accepts(
        &self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &[u8],
    ) -> bool {
        match &self.state {
            State::Live(peer) => peer.accepts(now, local, remote, bytes),
            State::Ending { .. } | State::Down => false,
        }
    }

    /// Believes a path; returns the one that has to be forgotten for it.
    pub(super) fn learn(&mut self, path: Path) -> Option<Path> {
        self.addresses.push(path);
        (self.addresses.len() > ADDRESSES_PER_LEG_MAX).then(|| self.addresses.remove(0))
    }

    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &[u8],
    ) {
        if let State::Live(peer) = &mut self.state {
            peer.handle_datagram(now, local, remote, bytes);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, stations: &mut Stations) {
        match &mut self.state {
            State::Live(peer) => {
                peer.handle_timeout(now);
                self.play(now, stations);
            }
            State::Ending { reason, .. } => {
                let reason = *reason;
                self.tell_end(now, reason);
            }
            State::Down => {}
        }
    }

    /// A request to a leg that is down is dropped, and with it the place for its reply.
    pub(super) fn handle_request(
        &mut self,
        now: Instant,
        request: Request,
        stations: &mut Stations,
    ) {
        let State::Live(peer) = &mut self.state else {
            return;
        };
        match request {
            Request::Negotiate { round, reply } => {
                let outcome = peer.negotiate(now, round);
                if let Some(bridge) = &mut self.bridge {
                    bridge.on_agreed(peer.agreed());
                }
                self.reroute(now);
                // Whoever asked may have hung up meanwhile.
                let _ = reply.send(outcome);
            }
            Request::Echo { serial, mode } => {
                self.echo = Some((serial, mode));
                self.reroute(now);
            }
            Request::EndEcho { serial } => {
                if self.echo.take_if(|echo| echo.0 == serial).is_some() {
                    self.reroute(now);
                }
            }
            Request::Connect { number, far } => {
                self.bridge = Some(Bridge::new(number, far, peer.agreed()));
                self.said_anew = None;
            }
            Request::Part { number } => {
                let parted = self.bridge.take_if(|bridge| bridge.number == number);
                self.said_anew = self.said_anew.filter(|_| parted.is_none());
            }
            Request::Play {
                number,
                playable,
                over,
            } => {
                self.player = Some(Player::new(now, number, playable, over));
                self.play(now, stations);
            }
            Request::EndPlay { number } => {
                self.player.take_if(|player| player.number() == number);
            }
            Request::Listen(is_on) => match is_on {
                true => drop(self.ear.get_or_insert_default()),
                false => {
                    let heard = self.ear.take().map(Ear::stop).unwrap_or_default();
                    let form = DigitForm::Tone;
                    for event in heard.events {
                        self.tell(now, LegEvent::Digit { form, event });
                    }
                }
            },
            Request::Digit(event) => {
                self.keys.press(now, event);
                self.play(now, stations);
            }
            Request::Refresh => self.is_refresh_asked = true,
            Request::Tap { number, sink } => self.tap(now, number, sink),
            Request::EndTap { number } => {
                self.taps.retain(|tap| tap.number != number);
                peer.copy_sent(!self.taps.is_empty());
            }
            Request::Stats { reply } => {
                let recoded = (
                    self.bridge.as_ref().and_then(|own| own.anew),
                    self.said_anew,
                );
                let _ = reply.send(account(peer, recoded));
            }
        }
    }

    /// The leg this one is connected to has something for it.
    pub(super) fn handle_relayed(&mut self, now: Instant, relayed: Relayed) {
        let (State::Live(peer), Some(bridge)) = (&mut self.state, &mut self.bridge) else {
            return;
        };
        if bridge.number != relayed.number {
            return;
        }
        match relayed.cargo {
            Cargo::Agreed { topology, asks } => bridge.on_theirs(topology, asks),
            Cargo::Packet {
                target,
                packet,
                made_of,
            } => {
                if let Some(codec) = packet.format.codec().filter(|_| packet.kind == Kind::Audio) {
                    self.said_anew = made_of.map(|from| (from, codec));
                }
                let is_played_to = |player: &Player| player.has(target);
                if self.player.as_ref().is_some_and(is_played_to) {
                    return;
                }
                if self.keys.blocks(target) {
                    return peer.skip(target, relayed.from, &packet);
                }
                if peer.write(now, target, relayed.from, &packet) {
                    self.tell_first(now, packet.kind, false);
                }
            }
            Cargo::Keyframe(stream) => peer.request_keyframe(now, stream),
            Cargo::Missed { stream, percent } => bridge.on_missed(stream, percent),
        }
    }

    /// The owner dropped its handle.
    pub(super) fn close(&mut self, now: Instant) {
        if let State::Live(peer) = &mut self.state {
            peer.close(now);
        } else {
            self.state = State::Down;
        }
    }

    /// Says goodbye to the peer and tells the owner.
    pub(super) fn end(&mut self, now: Instant, reason: DownReason) {
        if let State::Live(peer) = &mut self.state {
            peer.close(now);
            self.farewell = std::iter::from_fn(|| peer.poll_transmit()).collect();
            self.tell_end(now, reason);
        }
    }

    /// The peer's machine is broken and must not be touched again.
    pub(super) fn abandon(&mut self, now: Instant, reason: DownReason) {
        if let State::Live(peer) = std::mem::replace(&mut self.state, State::Down) {
            // Its destructor might panic as well: a leak is the lesser evil.
            std::mem::forget(peer);
        }
        self.tell_end(now, reason);
    }

    /// Takes everything the peer has to say.
    pub(super) fn pump(
        &mut self,
        now: Instant,
        transmits: &mut VecDeque<Transmit>,
        relayed: &mut VecDeque<Relayed>,
    ) {
        for tap in &mut self.taps {
            tap.handle_timeout(now);
        }
        if let Some(ear) = &mut self.ear {
            let heard = ear.handle_timeout(now);
            self.on_heard(now, heard, relayed);
        }
        if std::mem::take(&mut self.is_refresh_asked)
            && let State::Live(peer) = &self.state
        {
            let sent = peer.sending().filter(|(_, kind)| *kind == Kind::Video);
            for (stream, _) in sent.collect::<Vec<_>>() {
                self.refresh(now, stream, relayed);
            }
        }
        loop {
            transmits.extend(self.farewell.drain(..));
            let State::Live(peer) = &mut self.state else {
                return;
            };
            while let Some(transmit) = peer.poll_transmit() {
                transmits.push_back(transmit);
            }
            for (origin, packet) in peer.take_sent() {
                for tap in &mut self.taps {
                    tap.take(now, Side::Said, origin, &packet);
                }
            }
            if let Some(bridge) = &mut self.bridge {
                bridge.say(self.id, relayed);
                bridge.flush(now, self.id, relayed);
            }
            let Some(event) = peer.poll_event() else {
                return;
            };
            self.on_event(now, event, relayed);
        }
    }

    fn on_event(&mut self, now: Instant, event: Event, relayed: &mut VecDeque<Relayed>) {
        if self.is_down() {
            return;
        }
        let event = match event {
            Event::Packet(packet) => return self.on_packet(now, packet, relayed),
            Event::KeyframeRequested(stream) => return self.refresh(now, stream, relayed),
            Event::KeyframeWanted => LegEvent::KeyframeWanted,
            Event::Missed { stream, percent } => {
                if let Some(bridge) = &self.bridge {
                    bridge.tell_missed(self.id, stream, percent, relayed);
                }
                return;
            }
            Event::IceConnected { local, remote } => LegEvent::IceConnected { local, remote },
            Event::Connected { dtls, srtp } => {
                // What came before was for nobody.
                if let Some(bridge) = &mut self.bridge {
                    bridge.ask_keyframes();
                }
                LegEvent::MediaUp { dtls, srtp }
            }
            Event::SourceLearned {
                local,
                remote,
                target,
            } => LegEvent::SourceLearned {
                local,
                remote,
                target,
            },
            Event::Digit(event) => {
                self.is_pressed = matches!(event, DigitEvent::Began(_));
                let form = DigitForm::Event;
                LegEvent::Digit { form, event }
            }
            Event::Losses {
                stream,
                lost,
                received,
            } => LegEvent::Losses {
                stream: stream.0,
                lost,
                received,
            },
            Event::Down(down) => return self.tell_end(now, DownReason::Transport(down)),
        };
        self.tell(now, event);
    }

    /// Asks for a key frame of what the peer is sent on this stream, where that comes from.
    fn refresh(&mut self, now: Instant, stream: StreamId, relayed: &mut VecDeque<Relayed>) {
        let State::Live(peer) = &mut self.state else {
            return;
        };
        if let Some(bridge) = &self.bridge {
            bridge.ask_keyframe(self.id, stream, relayed);
        }
        let is_target = |route: &&Route| route.targets.contains(&stream);
        if let Some(route) = self.routes.iter().find(is_target) {
            peer.request_keyframe(now, route.source);
        }
    }

    fn on_packet(&mut self, now: Instant, packet: Packet, relayed: &mut VecDeque<Relayed>) {
        let State::Live(peer) = &mut self.state else {
            return;
        };
        let is_route = |route: &&Route| route.source == packet.stream;
        let targets = self
            .routes
            .iter()
            .find(is_route)
            .map(|route| &route.targets);
        let mut is_sent = false;
        let player = self.player.as_ref();
        let is_free = |target: &&StreamId| player.is_none_or(|player| !player.has(**target));
        for target in targets.into_iter().flatten().filter(is_free) {
            match self.keys.blocks(*target) {
                true => peer.skip(*target, self.id.origin(), &packet),
                false => is_sent |= peer.write(now, *target, self.id.origin(), &packet),
            }
        }
        let kind = packet.kind;
        for tap in &mut self.taps {
            tap.take(now, Side::Heard, 0, &packet);
        }
        match &mut self.ear {
            Some(ear) => {
                let heard = ear.listen(now, packet);
                self.on_heard(now, heard, relayed);
            }
            None => self.pass(now, packet, relayed),
        }
        self.tell_first(now, kind, true);
        if is_sent {
            self.tell_first(now, kind, false);
        }
    }

    fn tap(&mut self, now: Instant, number: u64, sink: Sink) {
        let State::Live(peer) = &mut self.state else {
            return;
        };
        if self.taps.len() >= TAPS_MAX {
            tracing::warn!(leg = %self.id, "not recorded: {TAPS_MAX} recordings of it run (TAPS_MAX)");
        } else if let Some(tap) = Tap::new(now, number, sink) {
            self.taps.push(tap);
            peer.copy_sent(true);
        }
    }

    /// Hands a packet to the leg this one is connected to. What a digit sounds like is not for that: it is
    /// sent the digit.
    fn pass(&mut self, now: Instant, packet: Packet, relayed: &mut VecDeque<Relayed>) {
        let is_digit =
            packet.format.is_telephone_event() || (self.is_pressed && packet.kind == Kind::Audio);
        match &mut self.bridge {
            Some(bridge) if is_digit => bridge.skip(self.id, &packet, relayed),
            Some(bridge) => bridge.pass(now, self.id, packet, relayed),
            None => {}
        }
    }

    fn on_heard(&mut self, now: Instant, heard: Heard, relayed: &mut VecDeque<Relayed>) {
        for packet in heard.packets {
            self.pass(now, packet, relayed);
        }
        for event in heard.events {
            let form = DigitForm::Tone;
            self.tell(now, LegEvent::Digit { form, event });
        }
    }

    /// Sends what the player has to send by now.
    fn play(&mut self, now: Instant, stations: &mut Stations) {
        let State::Live(peer) = &mut self.state else {
            return;
        };
        let mut is_sent = self
            .keys
            .handle_timeout(now, peer, self.id.origin(), stations);
        if let Some(player) = &mut self.player {
            let audio = peer.sending().find(|(_, kind)| *kind == Kind::Audio);
            let is_muted = audio.is_some_and(|(stream, _)| self.keys.blocks(stream));
            let played = player.handle_timeout(now, peer, self.id.origin(), stations, is_muted);
            is_sent |= played.is_sent;
            if played.is_over {
                self.player = None;
            }
        }
        if is_sent {
            self.tell_first(now, Kind::Audio, false);
        }
    }

    fn reroute(&mut self, now: Instant) {
        let State::Live(peer) = &mut self.state else {
            return;
        };
        let routes = self.echo.map_or_else(Vec::new, |(_, mode)| {
            let agreed: Vec<_> = peer.streams().collect();
            let sending: Vec<_> = peer.sending().collect();
            echo::routes(mode, &agreed, &sending)
        });
        let before = std::mem::replace(&mut self.routes, routes);
        for route in &self.routes {
            let old = before.iter().find(|old| old.source == route.source);
            let had = |target: &StreamId| old.is_some_and(|old| old.targets.contains(target));
            // A stream that begins to be watched begins with a key frame.
            if !route.targets.iter().all(had) {
                peer.request_keyframe(now, route.source);
            }
        }
    }

    fn tell_first(&mut self, now: Instant, kind: Kind, received: bool) {
        if !self.first_packets.contains(&(kind, received)) {
            self.first_packets.push((kind, received));
            self.tell(now, LegEvent::FirstPacket { kind, received });
        }
    }

    fn tell(&mut self, now: Instant, event: LegEvent) {
        if self.events.send(event).is_err() {
            tracing::warn!(leg = %self.id, "closed: its call does not take media events");
            self.end(now, DownReason::InboxFull);
        }
    }

    fn tell_end(&mut self, now: Instant, reason: DownReason) {
        let is_told = self.events.send(LegEvent::Down(reason)).is_ok();
        self.state = if is_told {
            State::Down
        } else {
            let retry = now + RETRY_PAUSE;
            State::Ending { reason, retry }
        };
    }
}

/// What a peer carried; what was made anew on the way from it and to it.
fn account(peer: &mut Peer, recoded: (Option<Recoded>, Option<Recoded>)) -> LegStats {
    let stats = peer.stats();
    let sound = peer.agreed().streams(Kind::Audio).next();
    LegStats {
        pair: stats.pair,
        streams: stats.streams,
        codecs: sound.map_or_else(Vec::new, |own| own.codecs().collect()),
        heard_anew: recoded.0,
        said_anew: recoded.1,
    }
}

/// Recordings of one leg at once.
const TAPS_MAX: usize = 8;
