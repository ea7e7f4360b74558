//! What an endpoint's options allow in a negotiation.

use codec::Kind;
use config::{DtmfMode, Endpoint};
use rtc::policy::Policy;

/// The policy of an endpoint: `allow=` in its order, the limits of streams, digits in RTP.
pub fn of(endpoint: &Endpoint) -> Policy {
    let of_kind = |kind: Kind| {
        endpoint
            .allow
            .iter()
            .copied()
            .filter(|codec| codec.kind == kind)
            .collect::<Vec<_>>()
    };
    Policy {
        audio: of_kind(Kind::Audio),
        video: of_kind(Kind::Video),
        max_audio_streams: endpoint.max_audio_streams,
        max_video_streams: endpoint.max_video_streams,
        telephone_event: match endpoint.dtmf_mode {
            DtmfMode::Rfc4733 | DtmfMode::Auto | DtmfMode::AutoInfo => true,
            DtmfMode::Inband | DtmfMode::Info => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use config::{DtmfMode, Endpoint};

    use super::of;

    #[test]
    fn order_of_allow_and_limits_are_kept() {
        let mut endpoint = Endpoint::new("alice");
        endpoint.allow = ["vp8", "ulaw", "opus"]
            .map(|name| codec::by_name(name).unwrap())
            .to_vec();
        endpoint.max_video_streams = 4;
        let policy = of(&endpoint);
        assert_eq!(policy.audio[0].name, "ulaw");
        assert_eq!(policy.video.len(), 1);
        assert_eq!((policy.max_audio_streams, policy.max_video_streams), (1, 4));
        assert!(policy.telephone_event);
    }

    #[test]
    fn digits_by_info_or_tones_are_not_offered_in_rtp() {
        let mut endpoint = Endpoint::new("alice");
        endpoint.dtmf_mode = DtmfMode::Info;
        assert!(!of(&endpoint).telephone_event);
    }
}
