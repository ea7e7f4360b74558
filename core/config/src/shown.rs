//! Objects as an operator sees them: each option with the value in force.

use crate::option::{Object, Parse};
use crate::{
    Aor, Auth, AuthKind, DtmfMode, Endpoint, Global, MediaEncryption, Own, ProvisionalAcks, Rtp,
    SessionTimers, StrictRtp, TransportConfig,
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

impl Shown for Endpoint {
    fn own(&self, option: &str) -> Option<String> {
        Some(match option {
            "100rel" => match self.provisional_acks {
                ProvisionalAcks::No => "no",
                ProvisionalAcks::Yes => "yes",
                ProvisionalAcks::Required => "required",
                ProvisionalAcks::PeerSupported => "peer_supported",
            }
            .to_owned(),
            "acl" => self.acl.named.join(","),
            "allow" => codecs(&self.allow),
            "contact_acl" => self.contact_acl.named.join(","),
            "contact_deny" => self.contact_acl.written(false),
            "contact_permit" => self.contact_acl.written(true),
            "deny" => self.acl.written(false),
            "permit" => self.acl.written(true),
            "identify_by" => match self.identify_by.as_slice() {
                [] => "username,auth_username,ip".to_owned(),
                some => {
                    let names: Vec<&str> = some.iter().map(|by| by.as_str()).collect();
                    names.join(",")
                }
            },
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
            "dtls_auto_generate_cert" => "Yes".to_owned(),
            "dtmf_mode" => match self.dtmf_mode {
                DtmfMode::Rfc4733 => "rfc4733",
                DtmfMode::Inband => "inband",
                DtmfMode::Info => "info",
                DtmfMode::Auto => "auto",
                DtmfMode::AutoInfo => "auto_info",
            }
            .to_owned(),
            "max_audio_streams" => self.max_audio_streams.to_string(),
            "max_video_streams" => self.max_video_streams.to_string(),
            "media_encryption" => match self.media_encryption {
                MediaEncryption::No => "no",
                MediaEncryption::Sdes => "sdes",
                MediaEncryption::Dtls => "dtls",
            }
            .to_owned(),
            "set_var" => {
                let pairs = self.set_var.iter();
                let pairs: Vec<String> = pairs
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                pairs.join(",")
            }
            _ => return None,
        })
    }
}

impl Shown for Aor {
    fn own(&self, option: &str) -> Option<String> {
        (option == "contact").then(|| self.contacts.join(","))
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

impl Shown for TransportConfig {
    fn own(&self, option: &str) -> Option<String> {
        Some(match option {
            "bind" => self.bind.to_string(),
            "external_signaling_port" => self.external_signaling_port.to_string(),
            "protocol" => self.protocol.as_str().to_owned(),
            _ => return None,
        })
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

impl Shown for Own {
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
