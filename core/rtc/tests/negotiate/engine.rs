//! A negotiator with a real engine below it, as the packet machine drives them.

use std::sync::Arc;
use std::time::Instant;

use codec::Kind;
use rtc::Refused;
use rtc::negotiate::{Change, Negotiator};
use rtc::policy::Policy;
use rtc::topology::{Direction, Topology};
use sdp::Sdp;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::format::{Codec, FormatParams};
use str0m::media::{Frequency, MediaKind};
use str0m::{Candidate, Rtc, RtcConfig};

pub(crate) struct Side {
    pub(crate) negotiator: Negotiator,
    pub(crate) rtc: Rtc,
    pending: Option<SdpPendingOffer>,
}

pub(crate) fn policy(audio: &[&str], video: &[&str], max_video_streams: usize) -> Policy {
    let codecs = |names: &[&str]| {
        names
            .iter()
            .map(|name| codec::by_name(name).unwrap())
            .collect()
    };
    Policy {
        audio: codecs(audio),
        video: codecs(video),
        later: Vec::new(),
        pictures: Direction::SendRecv,
        max_audio_streams: 1,
        max_video_streams,
        telephone_event: true,
        reading: Default::default(),
        marks: Default::default(),
        transport: rtc::policy::Transport::WebRtc,
    }
}

/// What an endpoint with `webrtc=yes` and `allow=opus,ulaw,vp8,h264` may do.
pub(crate) fn usual() -> Policy {
    policy(&["opus", "ulaw"], &["vp8", "h264"], 4)
}

impl Side {
    pub(crate) fn new(policy: Policy) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the engine wants a start, any will do"
        )]
        let now = Instant::now();
        let mut config = RtcConfig::new().set_rtp_mode(true).clear_codecs();
        add_codecs(&mut config, &policy);
        let mut rtc = config.build(now);
        let address = "127.0.0.1:10000".parse().unwrap();
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        Self {
            negotiator: Negotiator::new(Arc::new(policy), [7; 32]),
            rtc,
            pending: None,
        }
    }

    pub(crate) fn answer(&mut self, offer: &Sdp) -> Result<Sdp, Refused> {
        let text = self.negotiator.accept_offer(offer)?;
        let offer =
            SdpOffer::from_sdp_string(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let answer = self
            .rtc
            .sdp_api()
            .accept_offer(offer)
            .unwrap_or_else(|error| panic!("{error}\n{text}"));
        self.negotiator.finish_answer(&answer.to_sdp_string())
    }

    pub(crate) fn offer(&mut self, want: &Topology) -> Result<Option<Sdp>, Refused> {
        let changes = self.negotiator.plan_offer(want)?;
        let mut api = self.rtc.sdp_api();
        for change in &changes {
            match change {
                Change::Add {
                    kind,
                    direction,
                    stream_id,
                    track_id,
                } => {
                    let kind = match kind {
                        Kind::Audio => MediaKind::Audio,
                        Kind::Video => MediaKind::Video,
                    };
                    let names = (stream_id.to_string(), track_id.to_string());
                    api.add_media(kind, engine(*direction), Some(names.0), Some(names.1), None);
                }
                Change::SetDirection { mid, direction } => {
                    api.set_direction((**mid).into(), engine(*direction));
                }
                Change::Renew { .. } => unreachable!("no codecs are wanted"),
            }
        }
        let Some((offer, pending)) = api.apply() else {
            assert!(changes.is_empty());
            return Ok(None);
        };
        self.pending = Some(pending);
        self.negotiator
            .finish_offer(&offer.to_sdp_string())
            .map(Some)
    }

    pub(crate) fn apply(&mut self, answer: &Sdp) -> Result<(), Refused> {
        let text = self.negotiator.accept_answer(answer)?;
        let answer =
            SdpAnswer::from_sdp_string(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let pending = self.pending.take().expect("an offer is pending");
        self.rtc
            .sdp_api()
            .accept_answer(pending, answer)
            .unwrap_or_else(|error| panic!("{error}\n{text}"));
        Ok(())
    }

    /// The peer's answer to what stands, sent once more.
    pub(crate) fn confirm(&mut self, answer: &Sdp) -> Result<(), Refused> {
        let text = self.negotiator.accept_confirmation(answer)?;
        let offer =
            SdpOffer::from_sdp_string(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let answer = self
            .rtc
            .sdp_api()
            .accept_offer(offer)
            .unwrap_or_else(|error| panic!("{error}\n{text}"));
        self.negotiator.finish_confirmation(&answer.to_sdp_string())
    }

    pub(crate) fn rollback(&mut self) {
        self.pending = None;
        let mut api = self.rtc.sdp_api();
        for change in self.negotiator.rollback() {
            if let Change::SetDirection { mid, direction } = change {
                api.set_direction((*mid).into(), engine(direction));
            }
        }
    }

    /// The engine has every agreed stream, in the agreed direction.
    pub(crate) fn assert_engine_agrees(&self) {
        for stream in self.negotiator.agreed().iter() {
            let mid = stream.mid.as_deref().unwrap();
            let media = self.rtc.media(mid.into()).expect("a line of the engine");
            assert_eq!(media.direction(), engine(stream.direction), "{stream:?}");
        }
    }
}

pub(crate) fn engine(direction: Direction) -> str0m::media::Direction {
    match direction {
        Direction::SendRecv => str0m::media::Direction::SendRecv,
        Direction::SendOnly => str0m::media::Direction::SendOnly,
        Direction::RecvOnly => str0m::media::Direction::RecvOnly,
        Direction::Inactive => str0m::media::Direction::Inactive,
    }
}

fn add_codecs(config: &mut RtcConfig, policy: &Policy) {
    let codecs = config.codec_config();
    for codec in policy.audio.iter().chain(&policy.video) {
        match codec.name {
            "opus" => codecs.enable_opus(true, false),
            "g722" => codecs.enable_g722(true, false),
            "ulaw" => codecs.enable_pcmu(true, false),
            "alaw" => codecs.enable_pcma(true, false),
            "vp8" => codecs.enable_vp8(true),
            "vp9" => codecs.enable_vp9(true),
            "h264" => codecs.enable_h264(true),
            "av1" => codecs.enable_av1(true),
            other => panic!("no such codec: {other}"),
        }
    }
    for (number, clock) in [
        (126, Frequency::EIGHT_KHZ),
        (110, Frequency::FORTY_EIGHT_KHZ),
    ] {
        let format = FormatParams {
            telephone_event_max: Some(16),
            ..FormatParams::default()
        };
        codecs.add_config(number.into(), None, Codec::Tele, clock, None, format);
    }
}
