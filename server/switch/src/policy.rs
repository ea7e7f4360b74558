//! What an endpoint's options allow in a negotiation.

use std::time::Duration;

use codec::Kind;
use config::{DtlsSetup, DtmfMode, Endpoint, MediaEncryption, Rtp, StrictRtp};
use rtc::policy::{
    Encryption, Hash, Marks, Policy, Reading, Role, Sockets, Strictness, Terms, Transport,
};

/// The policy of an endpoint: `allow=` in its order, the limits of streams, digits in RTP, and what
/// carries its media.
pub fn of(endpoint: &Endpoint) -> Policy {
    under(endpoint, &Rtp::default())
}

/// The same under what `rtp.conf` says.
pub(crate) fn under(endpoint: &Endpoint, rtp: &Rtp) -> Policy {
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
        later: Vec::new(),
        pictures: rtc::topology::Direction::SendRecv,
        max_audio_streams: endpoint.max_audio_streams,
        max_video_streams: endpoint.max_video_streams,
        telephone_event: match endpoint.dtmf_mode {
            DtmfMode::Rfc4733 | DtmfMode::Auto | DtmfMode::AutoInfo => true,
            DtmfMode::Inband | DtmfMode::Info | DtmfMode::None => false,
        },
        reading: Reading {
            offers: endpoint.offers(),
            answers: endpoint.incoming_answer,
            is_first_alone: endpoint.preferred_codec_only,
        },
        // Sound and pictures share a path, and one treatment.
        marks: marks(endpoint.sockets.audio),
        transport: transport(endpoint, rtp),
    }
}

fn transport(endpoint: &Endpoint, rtp: &Rtp) -> Transport {
    let encryption = match endpoint.media_encryption {
        // What browsers have, whose engine has more: feedback, retransmission, all streams on one port.
        MediaEncryption::Dtls if endpoint.ice_support && endpoint.rtcp_mux => {
            return Transport::WebRtc;
        }
        MediaEncryption::Dtls => Encryption::Dtls {
            role: match endpoint.dtls_setup {
                DtlsSetup::Either => Role::Either,
                DtlsSetup::Active => Role::Active,
                DtlsSetup::Passive => Role::Passive,
            },
            hash: match endpoint.is_dtls_sha1 {
                true => Hash::Sha1,
                false => Hash::Sha256,
            },
            short_tag: endpoint.srtp_tag_32,
            optimistic: endpoint.media_encryption_optimistic,
        },
        MediaEncryption::No => Encryption::No,
        MediaEncryption::Sdes => Encryption::Sdes {
            short_tag: endpoint.srtp_tag_32,
            optimistic: endpoint.media_encryption_optimistic,
        },
    };
    let seconds = |seconds: u32| (seconds > 0).then(|| Duration::from_secs(seconds.into()));
    Transport::Rtp(Terms {
        encryption,
        feedback: endpoint.use_avpf,
        is_profile_short: endpoint.force_avp,
        ice: endpoint.ice_support && rtp.ice_support,
        rtcp_mux: endpoint.rtcp_mux,
        bundle: endpoint.bundle,
        symmetric: endpoint.rtp_symmetric,
        strictness: match rtp.strict_rtp {
            StrictRtp::Yes => Strictness::Yes,
            StrictRtp::SeqNo => Strictness::Sequence,
            StrictRtp::No => Strictness::No,
        },
        timeout: seconds(endpoint.rtp_timeout_s),
        timeout_hold: seconds(endpoint.rtp_timeout_hold_s),
        keepalive: seconds(endpoint.rtp_keepalive_s),
        sockets: sockets(&endpoint.sockets),
    })
}

fn marks(written: config::Marks) -> Marks {
    Marks {
        tos: written.tos,
        cos: written.cos,
    }
}

fn sockets(written: &config::Sockets) -> Sockets {
    Sockets {
        address: written.address,
        is_address_bound: written.is_address_bound,
        ports: written.ports(),
        audio: marks(written.audio),
        video: marks(written.video),
    }
}

#[cfg(test)]
mod tests {
    use config::{DtmfMode, Endpoint, MediaEncryption, Object as _, Rtp};
    use rtc::policy::{Encryption, Hash, Reading, Role, Transport};

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
    fn a_browser_has_ice_and_dtls_and_a_desk_phone_what_is_written() {
        let mut endpoint = Endpoint::new("alice");
        let terms = |endpoint: &Endpoint| match of(endpoint).transport {
            Transport::Rtp(terms) => Some(terms),
            Transport::WebRtc => None,
        };
        assert_eq!(terms(&endpoint), Some(Default::default()));
        endpoint.media_encryption = MediaEncryption::Sdes;
        endpoint.srtp_tag_32 = true;
        endpoint.rtp_timeout_s = 30;
        let encrypted = terms(&endpoint).unwrap();
        let sdes = Encryption::Sdes {
            short_tag: true,
            optimistic: false,
        };
        assert_eq!(encrypted.encryption, sdes);
        assert_eq!(encrypted.timeout.map(|timeout| timeout.as_secs()), Some(30));
        endpoint.webrtc = true;
        endpoint.apply_webrtc();
        let mixed = terms(&endpoint).unwrap();
        assert_eq!(mixed.encryption, sdes, "the encryption that is written");
        assert!(mixed.ice && mixed.rtcp_mux && mixed.feedback);
        endpoint.media_encryption = MediaEncryption::No;
        endpoint.apply_webrtc();
        assert_eq!(terms(&endpoint), None);
    }

    #[test]
    fn sockets_are_what_the_options_say() {
        let options = [
            ("media_address", "192.0.2.9"),
            ("bind_rtp_to_media_address", "yes"),
            ("rtp_port_start", "30000"),
            ("rtp_port_end", "30099"),
            ("tos_audio", "ef"),
            ("cos_audio", "6"),
            ("tos_video", "af41"),
            ("cos_video", "5"),
        ];
        let (mut endpoint, bad) = Endpoint::from_columns("alice", &options).unwrap();
        assert!(bad.is_empty(), "{bad:?}");
        let Transport::Rtp(terms) = of(&endpoint).transport else {
            panic!("no browser");
        };
        let own = terms.sockets;
        assert_eq!(own.address.unwrap().to_string(), "192.0.2.9");
        assert!(own.is_address_bound);
        assert_eq!(own.ports, Some(30_000..=30_099));
        assert_eq!((own.audio.tos, own.audio.cos), (0xB8, 6));
        assert_eq!((own.video.tos, own.video.cos), (0x88, 5));
        endpoint.webrtc = true;
        endpoint.apply_webrtc();
        let browser = of(&endpoint);
        assert_eq!(
            (browser.transport, browser.marks.tos),
            (Transport::WebRtc, 0xB8)
        );
    }

    #[test]
    fn dtls_without_a_browser_is_what_the_options_say() {
        let terms = |options: &[(&str, &str)]| {
            let (endpoint, bad) = Endpoint::from_columns("alice", options).unwrap();
            assert!(bad.is_empty(), "{bad:?}");
            match of(&endpoint).transport {
                Transport::Rtp(terms) => Some(terms),
                Transport::WebRtc => None,
            }
        };
        let dtls = ("media_encryption", "dtls");
        let own = terms(&[
            dtls,
            ("dtls_setup", "passive"),
            ("dtls_fingerprint", "SHA-1"),
            ("force_avp", "yes"),
            ("srtp_tag_32", "yes"),
        ]);
        let expected = Encryption::Dtls {
            role: Role::Passive,
            hash: Hash::Sha1,
            short_tag: true,
            optimistic: false,
        };
        let own = own.unwrap();
        assert_eq!((own.encryption, own.is_profile_short), (expected, true));
        let usual = Encryption::Dtls {
            role: Role::Either,
            hash: Hash::Sha256,
            short_tag: false,
            optimistic: false,
        };
        let with_ice = terms(&[dtls, ("ice_support", "yes")]).unwrap();
        assert_eq!((with_ice.encryption, with_ice.ice), (usual, true));
        let browser = terms(&[dtls, ("ice_support", "yes"), ("rtcp_mux", "yes")]);
        assert_eq!(browser, None, "a browser has all three");
        let one_port = terms(&[("bundle", "yes"), ("rtcp_mux", "no")]).unwrap();
        assert!(
            one_port.bundle && one_port.rtcp_mux,
            "one port for all, and for RTCP"
        );
        assert!(!with_ice.bundle && !with_ice.rtcp_mux);
        let mut endpoint = Endpoint::new("alice");
        endpoint.ice_support = true;
        let rtp = Rtp {
            ice_support: false,
            ..Rtp::default()
        };
        let Transport::Rtp(terms) = super::under(&endpoint, &rtp).transport else {
            panic!("no browser");
        };
        assert!(!terms.ice, "icesupport=no of rtp.conf");
    }

    #[test]
    fn codecs_of_offers_and_answers_are_as_the_options_say() {
        let endpoint = |options: &[(&str, &str)]| {
            let (endpoint, bad) = Endpoint::from_columns("alice", options).unwrap();
            assert!(bad.is_empty(), "{bad:?}");
            endpoint
        };
        let usual = of(&endpoint(&[])).reading;
        assert_eq!(usual, Reading::default());
        let own = endpoint(&[
            ("codec_prefs_incoming_answer", "prefer: configured"),
            ("incoming_call_offer_pref", "remote"),
            ("outgoing_call_offer_pref", "local_first"),
            ("preferred_codec_only", "yes"),
        ]);
        let reading = of(&own).reading;
        assert!(reading.answers.prefers_configured && reading.is_first_alone);
        assert!(!reading.offers.prefers_configured && !reading.offers.keeps_first);
        assert_eq!(own.offered().call_word(), Some("local_first"));
        let both = endpoint(&[
            ("codec_prefs_outgoing_offer", "prefer: pending, keep: all"),
            ("outgoing_call_offer_pref", "local_first"),
        ]);
        assert_eq!(
            both.offered(),
            codec::Preference::OFFER,
            "the longer one counts"
        );
    }

    #[test]
    fn digits_by_info_or_tones_are_not_offered_in_rtp() {
        let mut endpoint = Endpoint::new("alice");
        endpoint.dtmf_mode = DtmfMode::Info;
        assert!(!of(&endpoint).telephone_event);
    }
}
