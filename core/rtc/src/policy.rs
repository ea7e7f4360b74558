//! What an endpoint may use in a call.

pub use crate::dtls::Hash;
use codec::{Codec, Kind, Preference};
pub use rtp::Strictness;
use rtp::srtp::Suite;
use sdp::Sdp;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::Refused;
use crate::negotiate;
use crate::topology::{Direction, Topology};

/// The limits that an offer is answered within.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Allowed audio codecs, best first (the order of `allow=`).
    pub audio: Vec<&'static Codec>,
    /// Allowed video codecs, best first.
    pub video: Vec<&'static Codec>,
    /// Audio codecs that a later offer of a desk phone may have where it has none of `audio`: allowed ones, left out
    /// because the party it is connected to has others. From then on sound is made anew.
    pub later: Vec<&'static Codec>,
    /// What pictures the peer may be answered with in lines that it adds, seen from us: less than `SendRecv` where
    /// the party it is connected to has none, or sends or takes none. The line stays, for the next party.
    pub pictures: Direction,
    /// How many audio streams a call may have.
    pub max_audio_streams: usize,
    /// How many video streams a call may have.
    pub max_video_streams: usize,
    /// Whether digits may come as RTP events (RFC 4733).
    pub telephone_event: bool,
    /// In which order codecs of the peer's descriptions are used, and which.
    pub reading: Reading,
    /// What packets are marked with that go by the port browsers share: that of the socket does not tell one
    /// from the other, so the byte of the IP header alone counts.
    pub marks: Marks,
    /// What carries the media.
    pub transport: Transport,
}

/// What the codecs of a description of the peer become (`codec_prefs_incoming_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Those of its offers.
    pub offers: Preference,
    /// Those of its answers.
    pub answers: Preference,
    /// Whether an offer is answered with the best codec alone (`preferred_codec_only`).
    pub is_first_alone: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            offers: Preference::LOCAL,
            // RFC 3264 §7: the offerer "SHOULD use the first media format listed in the answer".
            answers: Preference::ANSWER,
            is_first_alone: false,
        }
    }
}

impl Reading {
    /// How an offer is answered.
    pub(crate) fn to_answer(self) -> Preference {
        Preference {
            keeps_first: self.offers.keeps_first || self.is_first_alone,
            ..self.offers
        }
    }
}

/// How media goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// ICE and DTLS-SRTP on one port, as browsers do.
    #[default]
    WebRtc,
    /// RTP on ports of its own, as desk phones do.
    Rtp(Terms),
}

/// What holds for plain RTP and SDES.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Whether packets are encrypted with keys in the description (RFC 4568).
    pub encryption: Encryption,
    /// Whether AVPF or SAVPF is insisted on.
    pub feedback: bool,
    /// Whether the profile of an offer does not name DTLS (`force_avp`).
    pub is_profile_short: bool,
    /// Whether the path is found by checks of connectivity (RFC 8445) where the peer does that too.
    pub ice: bool,
    /// Whether RTCP may share the port of RTP (RFC 5761).
    pub rtcp_mux: bool,
    /// Whether all lines may share one port (RFC 9143), for which [`Self::rtcp_mux`] has to hold.
    pub bundle: bool,
    /// Whether packets are sent to where they come from.
    pub symmetric: bool,
    /// How strictly the source of packets is learned.
    pub strictness: Strictness,
    /// A call ends after so long without RTP.
    pub timeout: Option<Duration>,
    /// The same while the peer holds us.
    pub timeout_hold: Option<Duration>,
    /// After so long without a packet of ours one is sent, to keep a NAT open.
    pub keepalive: Option<Duration>,
    /// What the sockets are to be, for whoever binds them.
    pub sockets: Sockets,
}

/// The sockets of a desk phone's media.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sockets {
    /// The address that descriptions name, whatever the sockets have (`media_address`).
    pub address: Option<IpAddr>,
    /// Whether the sockets must have it too (`bind_rtp_to_media_address`).
    pub is_address_bound: bool,
    /// The ports, if they are not those of all.
    pub ports: Option<RangeInclusive<u16>>,
    /// What packets with sound are marked with.
    pub audio: Marks,
    /// What those with pictures are marked with.
    pub video: Marks,
}

/// How the network is asked to treat packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The byte of the IP header (RFC 2474).
    pub tos: u8,
    /// The priority of the socket.
    pub cos: u8,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            encryption: Encryption::No,
            feedback: false,
            is_profile_short: false,
            ice: false,
            rtcp_mux: false,
            bundle: false,
            symmetric: false,
            strictness: Strictness::Yes,
            timeout: None,
            timeout_hold: None,
            keepalive: None,
            sockets: Sockets::default(),
        }
    }
}

/// `media_encryption` of a leg that is no browser's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Plain RTP.
    No,
    /// Keys in the description.
    Sdes {
        /// Whether 32 bits of authentication are preferred to 80 (`srtp_tag_32`).
        short_tag: bool,
        /// Whether a peer that cannot is served in the clear (`media_encryption_optimistic`).
        optimistic: bool,
    },
    /// Keys by a handshake on the path of media (RFC 5764).
    Dtls {
        /// Who begins it (`dtls_setup`).
        role: Role,
        /// What our fingerprint is made with (`dtls_fingerprint`).
        hash: Hash,
        /// Whether 32 bits of authentication are preferred to 80 (`srtp_tag_32`).
        short_tag: bool,
        /// Whether a peer that cannot is served in the clear (`media_encryption_optimistic`).
        optimistic: bool,
    },
}

impl Encryption {
    /// What packets may be encrypted with, the best first.
    pub(crate) fn suites(self) -> Vec<Suite> {
        let is_short = match self {
            Self::No => return Vec::new(),
            Self::Sdes { short_tag, .. } | Self::Dtls { short_tag, .. } => short_tag,
        };
        let usual = [Suite::AesCm128Sha1_80, Suite::Gcm256, Suite::Gcm128];
        let short = is_short.then_some(Suite::AesCm128Sha1_32);
        short.into_iter().chain(usual).collect()
    }
}

/// `dtls_setup`: the role that our offers have, and our answers to offers that leave it open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// `actpass`: whoever answers chooses; we leave it to the peer.
    #[default]
    Either,
    /// `active`: we begin.
    Active,
    /// `passive`: the peer begins.
    Passive,
}

impl Policy {
    /// The allowed codecs of a kind, best first.
    pub fn codecs(&self, kind: Kind) -> &[&'static Codec] {
        match kind {
            Kind::Audio => &self.audio,
            Kind::Video => &self.video,
        }
    }

    /// How many streams of a kind a call may have.
    pub fn max_streams(&self, kind: Kind) -> usize {
        match kind {
            Kind::Audio => self.max_audio_streams,
            Kind::Video => self.max_video_streams,
        }
    }

    /// The most that a line of this kind has when the peer adds it, seen from us.
    pub(crate) fn ceiling(&self, kind: Kind) -> Direction {
        match kind {
            Kind::Audio => Direction::SendRecv,
            Kind::Video => self.pictures,
        }
    }

    /// The rank of a codec, 0 the best; `None` where it is not allowed.
    pub fn rank(&self, codec: &Codec) -> Option<usize> {
        self.codecs(codec.kind)
            .iter()
            .position(|allowed| *allowed == codec)
    }

    /// What of this an offer asks for: its codecs that are allowed, and as many streams as it has. A kind
    /// it has no line for has no streams.
    pub fn asked(&self, offer: &Sdp) -> Self {
        let mut asked = self.without_streams();
        for (kind, codecs) in negotiate::lines(offer, self) {
            asked.add(kind, codecs.into_iter());
        }
        asked.capped(self)
    }

    /// Why an offer cannot be answered, if not one of its codecs is allowed. One without sound and pictures is not
    /// judged here.
    pub fn refusal_of(&self, offer: &Sdp) -> Option<Refused> {
        negotiate::nothing_in_common(offer, self)
    }

    /// What of this was agreed.
    pub fn agreed(&self, topology: &Topology) -> Self {
        let mut agreed = self.without_streams();
        for stream in topology.iter() {
            let codecs = stream
                .payloads
                .iter()
                .filter_map(|payload| payload.format.codec());
            agreed.add(stream.kind, codecs);
        }
        agreed.capped(self)
    }

    /// The policy for a party that is to be connected to one with `other`. Where that one has a stream, the
    /// audio codecs are what the preference makes of both lists, and the video codecs those that both can
    /// have, in the other's order, since nobody makes video anew. How many streams there may be stays as it
    /// is.
    #[must_use]
    pub fn meeting(&self, other: &Self, preference: &Preference) -> Self {
        let audio = match other.max_audio_streams {
            0 => self.audio.clone(),
            _ => preference.apply(&other.audio, &self.audio),
        };
        let video = match other.max_video_streams {
            0 => self.video.clone(),
            _ => {
                let theirs = other.video.iter().copied();
                theirs.filter(|codec| self.video.contains(codec)).collect()
            }
        };
        let allowed = self.audio.iter().chain(&self.later).copied();
        let later = allowed.filter(|codec| !audio.contains(codec)).collect();
        Self {
            audio,
            video,
            later,
            reading: Reading {
                // What both can have, in the order that was chosen here.
                offers: Preference::LOCAL,
                ..self.reading
            },
            ..self.clone()
        }
    }

    /// As [`Self::meeting`], for the answer to `offer`. One that has none of the codecs of sound that come of it, but
    /// others that are allowed, is answered with those, and sound is made anew.
    #[must_use]
    pub fn meeting_offer(
        &self,
        offer: Option<&Sdp>,
        other: &Self,
        preference: &Preference,
    ) -> Self {
        let met = self.meeting(other, preference);
        match offer {
            Some(offer) if met.asked(offer).audio.is_empty() => Self {
                audio: self.audio.clone(),
                later: self.later.clone(),
                ..met
            },
            _ => met,
        }
    }

    /// What an offer is held against that has none of the codecs of sound it should; `None` where that is no more.
    pub(crate) fn at_last(&self) -> Option<Self> {
        (!self.later.is_empty()).then(|| Self {
            audio: self.later.clone(),
            later: Vec::new(),
            ..self.clone()
        })
    }

    fn without_streams(&self) -> Self {
        Self {
            audio: Vec::new(),
            video: Vec::new(),
            later: Vec::new(),
            pictures: self.pictures,
            max_audio_streams: 0,
            max_video_streams: 0,
            telephone_event: self.telephone_event,
            reading: self.reading,
            marks: self.marks,
            transport: self.transport.clone(),
        }
    }

    /// One stream more, with these codecs.
    fn add(&mut self, kind: Kind, codecs: impl Iterator<Item = &'static Codec>) {
        let (own, streams) = match kind {
            Kind::Audio => (&mut self.audio, &mut self.max_audio_streams),
            Kind::Video => (&mut self.video, &mut self.max_video_streams),
        };
        *streams += 1;
        for codec in codecs {
            if !own.contains(&codec) {
                own.push(codec);
            }
        }
    }

    /// No more streams than the other.
    fn capped(self, other: &Self) -> Self {
        Self {
            max_audio_streams: self.max_audio_streams.min(other.max_audio_streams),
            max_video_streams: self.max_video_streams.min(other.max_video_streams),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Policy;
    use crate::topology::Direction;
    use codec::by_name;
    use sdp::Sdp;

    fn policy(audio: &[&str], video: &[&str]) -> Policy {
        let codecs = |names: &[&str]| names.iter().map(|name| by_name(name).unwrap()).collect();
        Policy {
            audio: codecs(audio),
            video: codecs(video),
            later: Vec::new(),
            pictures: Direction::SendRecv,
            max_audio_streams: 1,
            max_video_streams: 1,
            telephone_event: true,
            reading: Default::default(),
            marks: Default::default(),
            transport: super::Transport::WebRtc,
        }
    }

    fn names(codecs: &[&'static codec::Codec]) -> Vec<&'static str> {
        codecs.iter().map(|codec| codec.name).collect()
    }

    fn offer(lines: &str) -> Sdp {
        let head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
        format!("{head}{lines}").parse().unwrap()
    }

    #[test]
    fn an_offer_asks_for_what_it_has_and_the_policy_allows() {
        let own = policy(&["opus", "ulaw"], &["vp8"]);
        let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 0 8 111 101\r\na=rtpmap:111 opus/48000/2\r\n\
                     a=rtpmap:101 telephone-event/8000\r\n";
        let asked = own.asked(&offer(audio));
        assert_eq!(names(&asked.audio), ["opus", "ulaw"]);
        assert_eq!((asked.max_audio_streams, asked.max_video_streams), (1, 0));
        let closed = format!("{audio}m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n");
        assert_eq!(own.asked(&offer(&closed)).max_video_streams, 0);
        let live = closed.replace("m=video 0", "m=video 9");
        let asked = own.asked(&offer(&live));
        assert_eq!(
            (names(&asked.video), asked.max_video_streams),
            (vec!["vp8"], 1)
        );
    }

    #[test]
    fn an_offer_without_one_allowed_codec_is_refused_before_anybody_is_called() {
        let own = policy(&["opus", "ulaw"], &["vp8"]);
        let refusal = |lines: &str| own.refusal_of(&offer(lines)).map(|why| why.to_string());
        let strange = "m=audio 9 RTP/AVP 18 8\r\n";
        assert_eq!(
            refusal(strange).unwrap(),
            "No common audio codec: the far end has G729, PCMA, the endpoint allows opus, PCMU"
        );
        let pictures = format!("{strange}m=video 9 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n");
        assert_eq!(refusal(&pictures), None);
        assert_eq!(refusal("m=audio 9 RTP/AVP 18 0\r\n"), None);
        assert_eq!(refusal("m=audio 0 RTP/AVP 18\r\n"), None);
        let fax = "m=image 9 udptl t38\r\n";
        assert!(refusal(fax).unwrap().contains("Fax (T.38) is not served"));
        assert!(
            refusal(&format!("m=audio 0 RTP/AVP 0\r\n{fax}"))
                .unwrap()
                .contains("Fax")
        );
        assert_eq!(refusal(&format!("m=audio 9 RTP/AVP 0\r\n{fax}")), None);
        assert_eq!(refusal("m=image 0 udptl t38\r\n"), None);
    }

    #[test]
    fn what_both_have_comes_first_and_sound_is_made_anew_where_nothing_is() {
        use codec::Preference;
        let own = policy(&["ulaw", "alaw", "opus"], &["vp8", "h264"]);
        let other = policy(&["opus", "ulaw"], &["vp9"]);
        let offered = own.meeting(&other, &Preference::OFFER);
        assert_eq!(names(&offered.audio), ["opus", "ulaw", "alaw"]);
        let answered = own.meeting(&other, &Preference::ANSWER);
        assert_eq!(names(&answered.audio), ["opus", "ulaw"]);
        assert_eq!(names(&answered.later), ["alaw"]);
        assert!(answered.video.is_empty(), "nobody makes video anew");
        let strange = policy(&["g722"], &[]);
        let answered = own.meeting(&strange, &Preference::ANSWER);
        assert_eq!(names(&answered.audio), ["ulaw", "alaw", "opus"]);
        // The other has PCMA of all that is allowed, but the offer has not.
        let far = policy(&["alaw"], &[]);
        let narrow = offer("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n");
        let answered = own.meeting_offer(Some(&narrow), &far, &Preference::ANSWER);
        assert_eq!(names(&answered.asked(&narrow).audio), ["ulaw"]);
        let wide = offer("m=audio 9 UDP/TLS/RTP/SAVPF 0 8\r\n");
        let answered = own.meeting_offer(Some(&wide), &far, &Preference::ANSWER);
        assert_eq!(names(&answered.asked(&wide).audio), ["alaw"]);
        let silent = Policy {
            max_video_streams: 0,
            ..other
        };
        let answered = own.meeting(&silent, &Preference::ANSWER);
        assert_eq!(names(&answered.video), ["vp8", "h264"]);
    }
}
