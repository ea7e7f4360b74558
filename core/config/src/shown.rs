//! Objects as an operator sees them: each option with the value in force.

use crate::option::{Object, Parse};
use crate::{
    Acl, ActivatedBy, Aor, Auth, AuthKind, BridgeProfile, Cdr, DtlsSetup, DtmfMode, Endpoint,
    FeatureGeneral, FeatureMap, Global, Identify, IdentifyBy, ListEvent, Logger, MediaEncryption,
    Menu, MusicClass, MusicMode, MusicOnHold, Own, ParkingLot, ProvisionalAcks, RedirectMethod,
    Registration, ResourceList, RotateStrategy, Rtp, SessionTimers, StrictRtp, System, TextMatch,
    UserProfile, VideoMode,
};
use codec::Codec;

/// An object whose options can be printed in Asterisk's spelling.
pub trait Shown: Object + Clone {
    /// The value of an option that is read in its own way; `None` if it is no value of the object,
    /// as `disallow`.
    fn own(&self, option: &str) -> Option<String>;

    /// Each option with its value, in the order of the table, which is that of the alphabet.
    fn shown(&self) -> Vec<(&'static str, String)> {
        // The rows give access for writing only, so they are asked about a copy.
        let mut copy = self.clone();
        let rows = Self::OPTIONS.iter();
        rows.filter_map(|row| {
            let value = match &row.parse {
                Parse::Text(field) => field(&mut copy).clone(),
                Parse::Optional(field) => field(&mut copy).clone().unwrap_or_default(),
                Parse::YesNo(field) => field(&mut copy).to_string(),
                Parse::Number(field, ..) => field(&mut copy).to_string(),
                Parse::Names(field) => field(&mut copy).join(","),
                Parse::Own(_) => self.own(row.name)?,
            };
            Some((row.name, value))
        })
        .collect()
    }
}

/// The options about codecs and encryption.
fn of_media(endpoint: &Endpoint, option: &str) -> Option<String> {
    let word = |preference: codec::Preference| preference.call_word().map(str::to_owned);
    match option {
        "codec_prefs_incoming_answer" => Some(endpoint.incoming_answer.to_string()),
        "codec_prefs_incoming_offer" => Some(endpoint.offers().to_string()),
        "codec_prefs_outgoing_answer" => Some(endpoint.outgoing_answer.to_string()),
        "codec_prefs_outgoing_offer" => Some(endpoint.offered().to_string()),
        "incoming_call_offer_pref" => word(endpoint.incoming_call),
        "outgoing_call_offer_pref" => word(endpoint.outgoing_call),
        "dtls_fingerprint" => Some(match endpoint.is_dtls_sha1 {
            true => "SHA-1".to_owned(),
            false => "SHA-256".to_owned(),
        }),
        "dtls_setup" => Some(match endpoint.dtls_setup {
            DtlsSetup::Either => "actpass".to_owned(),
            DtlsSetup::Active => "active".to_owned(),
            DtlsSetup::Passive => "passive".to_owned(),
        }),
        "media_encryption" => Some(match endpoint.media_encryption {
            MediaEncryption::No => "no".to_owned(),
            MediaEncryption::Sdes => "sdes".to_owned(),
            MediaEncryption::Dtls => "dtls".to_owned(),
        }),
        other => crate::endpoint::sockets_shown(&endpoint.sockets, other),
    }
}

impl Shown for Endpoint {
    fn own(&self, option: &str) -> Option<String> {
        Some(match option {
            "call_group" => return Some(self.call_groups.numbers()),
            "named_call_group" => return Some(self.call_groups.names()),
            "named_pickup_group" => return Some(self.pickup_groups.names()),
            "pickup_group" => return Some(self.pickup_groups.numbers()),
            "100rel" => match self.provisional_acks {
                ProvisionalAcks::No => "no",
                ProvisionalAcks::Yes => "yes",
                ProvisionalAcks::Required => "required",
                ProvisionalAcks::PeerSupported => "peer_supported",
            }
            .to_owned(),
            "redirect_method" => match self.redirect_method {
                RedirectMethod::User => "user",
                RedirectMethod::UriCore => "uri_core",
                RedirectMethod::UriPjsip => "uri_pjsip",
            }
            .to_owned(),
            "acl" => self.acl.named.join(","),
            "allow" => codecs(&self.allow),
            "contact_acl" => self.contact_acl.named.join(","),
            "outbound_proxy" => self.outbound_proxy.clone().unwrap_or_default(),
            "contact_deny" => self.contact_acl.own.written(false),
            "contact_permit" => self.contact_acl.own.written(true),
            "deny" => self.acl.own.written(false),
            "permit" => self.acl.own.written(true),
            "identify_by" => identified_by(&self.identify_by),
            "timers" => match self.timers {
                SessionTimers::No => "no",
                SessionTimers::Yes => "yes",
                SessionTimers::Required => "required",
                SessionTimers::Always => "always",
            }
            .to_owned(),
            "callerid" => match &self.caller_id {
                Some(id) => format!("\"{}\" <{}>", id.name, id.number),
                None => "<unknown>".to_owned(),
            },
            "callerid_privacy" => self.caller_privacy.as_str().to_owned(),
            "connected_line_method" => self.connected_line_method.as_str().to_owned(),
            "dtls_auto_generate_cert" => "Yes".to_owned(),
            "dtmf_mode" => match self.dtmf_mode {
                DtmfMode::Rfc4733 => "rfc4733",
                DtmfMode::Inband => "inband",
                DtmfMode::Info => "info",
                DtmfMode::Auto => "auto",
                DtmfMode::AutoInfo => "auto_info",
                DtmfMode::None => "none",
            }
            .to_owned(),
            "max_audio_streams" => self.max_audio_streams.to_string(),
            "max_video_streams" => self.max_video_streams.to_string(),
            "set_var" => {
                let pairs = self.set_var.iter();
                let pairs: Vec<String> = pairs
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                pairs.join(",")
            }
            other => return of_media(self, other),
        })
    }
}

fn identified_by(by: &[IdentifyBy]) -> String {
    match by {
        [] => "username,auth_username,ip".to_owned(),
        some => {
            let names: Vec<&str> = some.iter().map(|by| by.as_str()).collect();
            names.join(",")
        }
    }
}

impl Shown for Aor {
    fn own(&self, option: &str) -> Option<String> {
        Some(match option {
            "contact" => self.contacts.join(","),
            "outbound_proxy" => self.outbound_proxy.clone().unwrap_or_default(),
            "qualify_timeout" => format!("{:.6}", f64::from(self.qualify_timeout_ms) / 1_000.0),
            _ => return None,
        })
    }
}

impl Shown for ResourceList {
    fn own(&self, option: &str) -> Option<String> {
        Some(match option {
            "event" => match self.event? {
                ListEvent::Presence => "presence",
                ListEvent::Dialog => "dialog",
                ListEvent::MessageSummary => "message-summary",
            }
            .to_owned(),
            "list_item" => self.items.join(","),
            _ => return None,
        })
    }
}

impl Shown for Auth {
    /// Secrets stay dots.
    fn own(&self, option: &str) -> Option<String> {
        Some(match option {
            "auth_type" => match self.kind {
                AuthKind::Digest => "digest",
                AuthKind::Userpass => "userpass",
                AuthKind::Md5 => "md5",
                AuthKind::GoogleOauth => "google_oauth",
            }
            .to_owned(),
            "password" => self
                .password
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            "password_digest" => {
                let digests = self.digests.iter();
                let shown: Vec<String> = digests
                    .map(|digest| format!("{}:{}", digest.algorithm.as_str(), digest.ha1))
                    .collect();
                shown.join(",")
            }
            "supported_algorithms_uac" => {
                let names: Vec<&str> = self.algorithms_uac.iter().map(|a| a.as_str()).collect();
                names.join(",")
            }
            "supported_algorithms_uas" => {
                let names: Vec<&str> = self.algorithms.iter().map(|a| a.as_str()).collect();
                names.join(",")
            }
            _ => return None,
        })
    }
}

impl Shown for Global {
    fn own(&self, option: &str) -> Option<String> {
        let names: Vec<&str> = match option {
            "default_auth_algorithms_uac" => {
                let names = self.default_auth_algorithms_uac.iter();
                names.map(|algorithm| algorithm.as_str()).collect()
            }
            "default_auth_algorithms_uas" => {
                let names = self.default_auth_algorithms_uas.iter();
                names.map(|algorithm| algorithm.as_str()).collect()
            }
            "endpoint_identifier_order" => {
                let order = self.endpoint_identifier_order.iter();
                order.map(|by| by.as_str()).collect()
            }
            _ => return None,
        };
        Some(names.join(","))
    }
}

impl Shown for Rtp {
    fn own(&self, option: &str) -> Option<String> {
        Some(match option {
            "rtpstart" => self.ports.start().to_string(),
            "rtpend" => self.ports.end().to_string(),
            "strictrtp" => match self.strict_rtp {
                StrictRtp::No => "no",
                StrictRtp::Yes => "yes",
                StrictRtp::SeqNo => "seqno",
            }
            .to_owned(),
            _ => return None,
        })
    }
}

impl Shown for MusicOnHold {
    fn own(&self, _: &str) -> Option<String> {
        None
    }
}

impl Shown for MusicClass {
    fn own(&self, option: &str) -> Option<String> {
        Some(match option {
            "digit" => self.digit.map(String::from).unwrap_or_default(),
            "entry" => self.entries.join(","),
            "mode" => self
                .mode
                .map(MusicMode::as_str)
                .unwrap_or_default()
                .to_owned(),
            "sort" => self.sort.as_str().to_owned(),
            _ => return None,
        })
    }
}

impl Shown for Own {
    fn own(&self, _: &str) -> Option<String> {
        None
    }
}

impl Shown for Identify {
    fn own(&self, option: &str) -> Option<String> {
        let words: Vec<String> = match option {
            "match" => {
                let networks = self.networks.iter().map(ToString::to_string);
                networks
                    .chain(self.hosts.iter().map(ToString::to_string))
                    .collect()
            }
            "match_header" => {
                let headers = self.headers.iter();
                headers
                    .map(|header| format!("{}: {}", header.name, header.value.written()))
                    .collect()
            }
            "match_request_uri" => self.request_uris.iter().map(TextMatch::written).collect(),
            _ => return None,
        };
        Some(words.join(","))
    }
}

impl Shown for Acl {
    fn own(&self, option: &str) -> Option<String> {
        Some(match option {
            "acl" => self.source.named.join(","),
            "contact_acl" => self.contact.named.join(","),
            "contact_deny" => self.contact.own.written(false),
            "contact_permit" => self.contact.own.written(true),
            "deny" => self.source.own.written(false),
            "permit" => self.source.own.written(true),
            _ => return None,
        })
    }
}

impl Shown for Registration {
    fn own(&self, option: &str) -> Option<String> {
        Some(match option {
            "client_uri" => self.client_uri.clone(),
            "contact_header_params" => self.contact_header_params.clone(),
            "outbound_proxy" => self.outbound_proxy.clone().unwrap_or_default(),
            "server_uri" => self.server_uri.clone(),
            _ => return None,
        })
    }
}

impl Shown for Logger {
    fn own(&self, option: &str) -> Option<String> {
        (option == "rotatestrategy").then(|| {
            match self.rotate_strategy {
                RotateStrategy::Sequential => "sequential",
                RotateStrategy::Rotate => "rotate",
                RotateStrategy::Timestamp => "timestamp",
                RotateStrategy::None => "none",
            }
            .to_owned()
        })
    }
}

impl Shown for FeatureMap {
    fn own(&self, option: &str) -> Option<String> {
        Some(match option {
            "atxfer" => self.attended_transfer.clone(),
            "automixmon" => self.record.clone(),
            "automon" => self.monitor.clone(),
            "blindxfer" => self.blind_transfer.clone(),
            "disconnect" => self.disconnect.clone(),
            "parkcall" => self.park_call.clone(),
            _ => return None,
        })
    }
}

impl Shown for ParkingLot {
    fn own(&self, option: &str) -> Option<String> {
        let who = |who: Option<ActivatedBy>| match who {
            None => "no",
            Some(ActivatedBy::Caller) => "caller",
            Some(ActivatedBy::Callee) => "callee",
            Some(ActivatedBy::Both) => "both",
        };
        let word = match option {
            "findslot" if self.takes_next => "next",
            "findslot" => "first",
            "parkedcallhangup" => who(self.hangup),
            "parkedcallrecording" => who(self.recording),
            "parkedcallreparking" => who(self.reparking),
            "parkedcalltransfers" => who(self.transfers),
            "parkedplay" => who(self.played_to),
            "parkpos" => {
                return Some(format!("{}-{}", self.spaces.start(), self.spaces.end()));
            }
            _ => return None,
        };
        Some(word.to_owned())
    }
}

impl Shown for UserProfile {
    /// The PIN stays dots.
    fn own(&self, option: &str) -> Option<String> {
        (option == "pin").then(|| {
            let pin = self.pin.as_ref().map(ToString::to_string);
            pin.unwrap_or_default()
        })
    }
}

impl Shown for BridgeProfile {
    fn own(&self, option: &str) -> Option<String> {
        let rate = |rate: Option<u32>| rate.map(|rate| rate.to_string()).unwrap_or_default();
        Some(match option {
            "internal_sample_rate" => rate(self.internal_sample_rate_hz),
            "maximum_sample_rate" => rate(self.maximum_sample_rate_hz),
            "mixing_interval" => self.mixing_interval_ms.to_string(),
            "remb_behavior" => format!("{:?}", self.remb_behavior).to_ascii_lowercase(),
            "remb_estimated_bitrate" => rate(self.remb_bitrate_bps),
            "video_mode" => match self.video_mode {
                VideoMode::None => "none",
                VideoMode::FollowTalker => "follow_talker",
                VideoMode::LastMarked => "last_marked",
                VideoMode::FirstMarked => "first_marked",
                VideoMode::Sfu => "sfu",
            }
            .to_owned(),
            _ => return None,
        })
    }
}

impl Shown for System {
    fn own(&self, _: &str) -> Option<String> {
        None
    }
}

impl Shown for Cdr {
    fn own(&self, _: &str) -> Option<String> {
        None
    }
}

impl Shown for FeatureGeneral {
    fn own(&self, _: &str) -> Option<String> {
        None
    }
}

impl Shown for Menu {
    fn own(&self, _: &str) -> Option<String> {
        None
    }
}

/// `(opus|ulaw)`, as Asterisk prints a list of codecs.
fn codecs(list: &[&'static Codec]) -> String {
    let names: Vec<&str> = list.iter().map(|codec| codec.name).collect();
    format!("({})", names.join("|"))
}

#[cfg(test)]
mod tests {
    use super::Shown as _;
    use crate::option::Object as _;
    use crate::{Auth, Endpoint};

    #[test]
    fn shows_what_was_written_and_what_it_implies() {
        let mut endpoint = Endpoint::new("alice");
        for (name, value) in [
            ("allow", "opus,ulaw"),
            ("webrtc", "yes"),
            ("set_var", "a=b"),
        ] {
            endpoint.set(name, value);
        }
        endpoint.finish();
        let shown = endpoint.shown();
        let value = |name| {
            let found = shown.iter().find(|(option, _)| *option == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(value("allow"), Some("(opus|ulaw)"));
        assert_eq!(value("ice_support"), Some("true"));
        assert_eq!(value("set_var"), Some("a=b"));
        assert_eq!(value("disallow"), None);
    }

    #[test]
    fn a_password_is_dots() {
        let mut auth = Auth::new("alice");
        auth.set("password", "hunter2");
        assert!(!format!("{:?}", auth.shown()).contains("hunter2"));
    }
}
