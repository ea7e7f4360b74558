//! One browser transport around str0m in RTP mode: ICE, DTLS, SRTP, RTCP, retransmission.
//!
//! str0m's types end here. Three of its rules shape this file: every input must be followed by
//! polling until a timeout comes out, or received packets are lost; a change of direction acts at
//! once and must be taken back when the peer refuses it; after an ICE restart of the peer it draws
//! its own credentials, which are replaced by ours because ours lead to the right transport.
//!
//! We are a full ICE agent, not a lite one: our own checks notice a browser that died without a
//! word, and they find a pair from both sides at once.

use crate::dtls;
use crate::negotiate::Change;
use crate::peer::{Credentials, Format, PeerConfig};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::format::{Codec, FormatParams};
use str0m::ice::IceCreds;
use str0m::media::{Direction, Frequency, KeyframeRequestKind, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, ExtensionValues, RtpPacket, RtpWrite, Ssrc};
use str0m::stats::{MediaEgressStats, MediaIngressStats};
use str0m::{Candidate, IceConnectionState, Input, Output, Rtc, RtcConfig};

/// str0m and what it does not remember itself.
pub(crate) struct WebRtc {
    rtc: Rtc,
    /// Our offer that has not been answered.
    pending: Option<SdpPendingOffer>,
}

/// What polling brings to light.
pub(crate) enum Happening {
    /// Nothing more until then.
    Timeout(Instant),
    Transmit {
        local: SocketAddr,
        remote: SocketAddr,
        bytes: Vec<u8>,
    },
    Ice(IceConnectionState),
    /// DTLS is done and packets can flow.
    Connected(Option<dtls::Agreed>),
    /// The peer closed the transport.
    Closed,
    Packet(Box<RtpPacket>),
    KeyframeRequested(Mid),
    Ingress(Box<MediaIngressStats>),
    Egress(Box<MediaEgressStats>),
    /// Of no concern to us.
    Other,
}

/// str0m refused a description that our negotiator had let through, or broke.
#[derive(Debug)]
pub(crate) struct EngineError(pub(crate) String);

impl From<str0m::RtcError> for EngineError {
    fn from(error: str0m::RtcError) -> Self {
        Self(error.to_string())
    }
}

impl WebRtc {
    pub(crate) fn new(now: Instant, config: &PeerConfig, credentials: &Credentials) -> Self {
        let mut builder = RtcConfig::new()
            .set_rtp_mode(true)
            .set_crypto_provider(dtls::crypto())
            .set_dtls_cert(config.certificate.0.browser.clone())
            .set_local_ice_credentials(credentials.to_engine())
            .set_stats_interval(Some(STATS_INTERVAL))
            .clear_codecs();
        builder.set_initial_stun_rto(STUN_RTO);
        add_codecs(&mut builder, config);
        let mut rtc = builder.build(now);
        for address in &config.candidates {
            // Addresses no candidate can have (wildcard, link-local IPv4) are not offered.
            if let Ok(candidate) = Candidate::host(*address, Protocol::Udp) {
                rtc.add_local_candidate(candidate);
            }
        }
        Self { rtc, pending: None }
    }

    /// The engine's answer. `fresh` are the credentials to use if the offer restarts ICE.
    pub(crate) fn accept_offer(
        &mut self,
        text: &str,
        fresh: &Credentials,
    ) -> Result<String, EngineError> {
        let offer = SdpOffer::from_sdp_string(text).map_err(|e| EngineError(e.to_string()))?;
        let before = self.rtc.direct_api().local_ice_credentials();
        let woken = self.wake(text);
        let accepted = self.rtc.sdp_api().accept_offer(offer);
        let mut answer = accepted
            .inspect_err(|_| self.set_directions(&woken, Direction::Inactive))?
            .to_sdp_string();
        let after = self.rtc.direct_api().local_ice_credentials();
        if before != after {
            self.rtc
                .direct_api()
                .set_local_ice_credentials(fresh.to_engine());
            answer = answer
                .replace(&after.ufrag, &fresh.ufrag)
                .replace(&after.pass, &fresh.password);
        }
        Ok(answer)
    }

    /// The engine never lets the peer give a line back that we had added and that it held: `inactive` would stay. So
    /// those that an offer wants to hear again send already when it comes. Returns them.
    fn wake(&mut self, offer: &str) -> Vec<Mid> {
        let mids = offer
            .split("\r\nm=")
            .skip(1)
            .filter(|section| section.lines().any(|line| line == "a=recvonly"))
            .filter_map(|section| section.lines().find_map(|line| line.strip_prefix("a=mid:")))
            .map(Mid::from)
            .filter(|mid| {
                let media = self.rtc.media(*mid);
                media.is_some_and(|media| media.direction() == Direction::Inactive)
            })
            .collect::<Vec<_>>();
        self.set_directions(&mids, Direction::SendOnly);
        mids
    }

    /// Directions act when they are set. What would become an offer is dropped.
    fn set_directions(&mut self, mids: &[Mid], direction: Direction) {
        let mut api = self.rtc.sdp_api();
        for mid in mids {
            api.set_direction(*mid, direction);
        }
    }

    /// The engine's offer, or `None` if the changes need no round.
    pub(crate) fn offer(&mut self, changes: &[Change]) -> Option<String> {
        let renewed = changes.iter().filter_map(|change| match change {
            Change::Renew { mid } => {
                let mid = Mid::from(&**mid);
                Some((mid, self.rtc.media(mid)?.direction()))
            }
            Change::Add { .. } | Change::SetDirection { .. } => None,
        });
        let stands: Vec<(Mid, Direction)> = renewed.collect();
        let mut api = self.rtc.sdp_api();
        for change in changes {
            match change {
                Change::Add {
                    kind,
                    direction,
                    stream_id,
                    track_id,
                } => {
                    let (stream_id, track_id) = (stream_id.to_string(), track_id.to_string());
                    api.add_media(
                        media_kind(*kind),
                        engine_direction(*direction),
                        Some(stream_id),
                        Some(track_id),
                        None,
                    );
                }
                Change::SetDirection { mid, direction } => {
                    api.set_direction((**mid).into(), engine_direction(*direction));
                }
                Change::Renew { mid } => {
                    // The engine makes an offer only where it knows of a change: there, and back at once.
                    let standing = stands.iter().find(|(own, _)| *own == Mid::from(&**mid));
                    let Some((mid, stands)) = standing else {
                        continue;
                    };
                    let away = match stands {
                        Direction::Inactive => Direction::SendOnly,
                        Direction::SendOnly => Direction::Inactive,
                        Direction::RecvOnly => Direction::SendRecv,
                        Direction::SendRecv => Direction::RecvOnly,
                    };
                    api.set_direction(*mid, away);
                    api.set_direction(*mid, *stands);
                }
            }
        }
        let (offer, pending) = api.apply()?;
        self.pending = Some(pending);
        Some(offer.to_sdp_string())
    }

    pub(crate) fn accept_answer(&mut self, answer: &str) -> Result<(), EngineError> {
        let answer = SdpAnswer::from_sdp_string(answer).map_err(|e| EngineError(e.to_string()))?;
        let pending = self
            .pending
            .take()
            .ok_or_else(|| EngineError("there is no offer to answer".to_owned()))?;
        Ok(self.rtc.sdp_api().accept_answer(pending, answer)?)
    }

    /// Takes our unanswered offer back; these are the directions that were in force before it.
    pub(crate) fn rollback(&mut self, changes: &[Change]) {
        self.pending = None;
        let mut api = self.rtc.sdp_api();
        for change in changes {
            if let Change::SetDirection { mid, direction } = change {
                api.set_direction((**mid).into(), engine_direction(*direction));
            }
        }
        // Directions act when they are set. What would become an offer is dropped.
        drop(api);
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.rtc.is_alive()
    }

    /// Whether this is meant for this transport: for STUN, whether its integrity holds.
    pub(crate) fn accepts(
        &self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &[u8],
    ) -> bool {
        Receive::new(Protocol::Udp, remote, local, bytes)
            .is_ok_and(|receive| self.rtc.accepts(&Input::Receive(now, receive)))
    }

    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &[u8],
    ) -> Result<(), EngineError> {
        // What is neither STUN, DTLS nor RTP is dropped (RFC 7983 §7).
        let Ok(receive) = Receive::new(Protocol::Udp, remote, local, bytes) else {
            return Ok(());
        };
        Ok(self.rtc.handle_input(Input::Receive(now, receive))?)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), EngineError> {
        Ok(self.rtc.handle_input(Input::Timeout(now))?)
    }

    pub(crate) fn poll(&mut self) -> Result<Happening, EngineError> {
        use str0m::Event;
        let event = match self.rtc.poll_output()? {
            Output::Timeout(at) => return Ok(Happening::Timeout(at)),
            Output::Transmit(transmit) => {
                return Ok(Happening::Transmit {
                    local: transmit.source,
                    remote: transmit.destination,
                    bytes: transmit.contents.into(),
                });
            }
            Output::Event(event) => event,
        };
        Ok(match event {
            Event::Connected => Happening::Connected(dtls::take_agreed()),
            Event::IceConnectionStateChange(state) => Happening::Ice(state),
            Event::Closed => Happening::Closed,
            Event::RtpPacket(packet) => Happening::Packet(Box::new(packet)),
            Event::KeyframeRequest(request) => Happening::KeyframeRequested(request.mid),
            Event::MediaIngressStats(stats) => Happening::Ingress(Box::new(stats)),
            Event::MediaEgressStats(stats) => Happening::Egress(Box::new(stats)),
            _ => Happening::Other,
        })
    }

    /// Says goodbye: what comes out of polling afterwards is the farewell.
    pub(crate) fn close(&mut self) {
        // Closing fails only where there is nobody to say goodbye to.
        let _ = self.rtc.close();
    }

    /// The m-line the packets of this source belong to.
    pub(crate) fn mid_of(&mut self, ssrc: Ssrc) -> Option<Mid> {
        self.rtc
            .direct_api()
            .stream_rx(&ssrc)
            .map(|stream| stream.mid())
    }

    /// Whether packets of this m-line say which line they belong to (RFC 9143 §15.2).
    pub(crate) fn names_lines(&self, mid: Mid) -> bool {
        let media = self.rtc.media(mid);
        media.is_some_and(|media| media.remote_extmap().id_of(Extension::RtpMid).is_some())
    }

    /// Takes packets of this source as the m-line's.
    pub(crate) fn expect(&mut self, mid: Mid, ssrc: Ssrc, rtx: Option<Ssrc>) {
        if self.rtc.media(mid).is_some() {
            self.rtc.direct_api().expect_stream_rx(ssrc, rtx, mid, None);
        }
    }

    /// What each payload type of the transport means, telephone events included.
    pub(crate) fn formats(&self) -> impl Iterator<Item = (Pt, Format)> {
        let params = self.rtc.codec_config().iter();
        params.filter_map(|params| Some((params.pt(), Format::from_engine(params.spec())?)))
    }

    /// The payload types the peer takes on this m-line, best first, if we may send on it.
    pub(crate) fn sendable(&self, mid: Mid) -> Vec<Pt> {
        self.rtc
            .media(mid)
            .filter(|media| media.direction().is_sending() && !media.stopped())
            .map(|media| media.remote_pts().to_vec())
            .unwrap_or_default()
    }

    pub(crate) fn write(&mut self, mid: Mid, packet: Outgoing) -> bool {
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(mid, None) else {
            return false;
        };
        let write = RtpWrite::new(
            packet.pt,
            packet.sequence.into(),
            packet.timestamp,
            packet.now,
            packet.payload,
        );
        stream.write_rtp(
            write
                .marker(packet.marker)
                .nackable(packet.nackable)
                .ext_vals(packet.extensions),
        );
        true
    }

    /// The synchronisation source we send this m-line with.
    pub(crate) fn ssrc_out(&mut self, mid: Mid) -> Option<u32> {
        self.rtc
            .direct_api()
            .stream_tx_by_mid(mid, None)
            .map(|stream| *stream.ssrc())
    }

    /// False if the source is not known (any more).
    pub(crate) fn request_keyframe(&mut self, ssrc: Ssrc) -> bool {
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_rx(&ssrc) else {
            return false;
        };
        stream.request_keyframe(KeyframeRequestKind::Pli);
        true
    }
}

/// A packet with its numbers on the outgoing stream.
pub(crate) struct Outgoing {
    pub(crate) now: Instant,
    pub(crate) pt: Pt,
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) nackable: bool,
    pub(crate) extensions: ExtensionValues,
    pub(crate) payload: Arc<[u8]>,
}

impl Credentials {
    pub(crate) fn to_engine(&self) -> IceCreds {
        IceCreds {
            ufrag: self.ufrag.clone(),
            pass: self.password.clone(),
        }
    }
}

fn add_codecs(builder: &mut RtcConfig, config: &PeerConfig) {
    let codecs = builder.codec_config();
    for codec in config.policy.audio.iter().chain(&config.policy.video) {
        match codec.name {
            "opus" => codecs.enable_opus(true, false),
            "g722" => codecs.enable_g722(true, false),
            "ulaw" => codecs.enable_pcmu(true, false),
            "alaw" => codecs.enable_pcma(true, false),
            "vp8" => codecs.enable_vp8(true),
            "vp9" => codecs.enable_vp9(true),
            "h264" => codecs.enable_h264(true),
            "av1" => codecs.enable_av1(true),
            // A codec str0m has no variant for cannot be offered on a browser leg.
            _ => {}
        }
    }
    if config.policy.telephone_event {
        for (pt, clock) in [
            (126, Frequency::EIGHT_KHZ),
            (110, Frequency::FORTY_EIGHT_KHZ),
        ] {
            let format = FormatParams {
                telephone_event_max: Some(16),
                ..FormatParams::default()
            };
            codecs.add_config(pt.into(), None, Codec::Tele, clock, None, format);
        }
    }
}

fn media_kind(kind: codec::Kind) -> MediaKind {
    match kind {
        codec::Kind::Audio => MediaKind::Audio,
        codec::Kind::Video => MediaKind::Video,
    }
}

fn engine_direction(direction: crate::topology::Direction) -> Direction {
    use crate::topology::Direction as Ours;
    match direction {
        Ours::SendRecv => Direction::SendRecv,
        Ours::SendOnly => Direction::SendOnly,
        Ours::RecvOnly => Direction::RecvOnly,
        Ours::Inactive => Direction::Inactive,
    }
}

const STATS_INTERVAL: Duration = Duration::from_secs(1);
/// The first check may be lost or come before the browser knows our answer; the next one shall not
/// be long in coming.
const STUN_RTO: Duration = Duration::from_millis(100);
