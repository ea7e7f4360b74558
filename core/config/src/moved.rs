//! Options of Asterisk's older channel driver and of other sections, written where nobody reads them: where they went.

use crate::aor::Aor;
use crate::auth::Auth;
use crate::endpoint::Endpoint;
use crate::identify::Identify;
use crate::option::Object as _;
use crate::parking::ParkingLot;
use crate::registration::Registration;
use crate::transport::TransportConfig;

/// Options of `sip.conf` and what stands for them in `pjsip.conf`, by name.
const OLD: &[(&str, &str)] = &[
    (
        "allowguest",
        "let strangers in with an endpoint `[anonymous]`",
    ),
    (
        "bindaddr",
        "write `bind=ADDRESS` in a section with `type=transport`",
    ),
    (
        "bindport",
        "write `bind=ADDRESS:PORT` in a section with `type=transport`",
    ),
    ("busylevel", "write `device_state_busy_at=` here"),
    (
        "call-limit",
        "count calls in the dial plan with GROUP() and GROUP_COUNT()",
    ),
    (
        "calllimit",
        "count calls in the dial plan with GROUP() and GROUP_COUNT()",
    ),
    ("callgroup", "write `call_group=` here"),
    (
        "canreinvite",
        "write `direct_media=no` here; media always passes through the exchange",
    ),
    (
        "defaultexpiry",
        "write `default_expiration=` in the section with `type=aor`",
    ),
    (
        "defaultuser",
        "write `username=` in the section with `type=auth` that `auth=` names",
    ),
    (
        "directmedia",
        "write `direct_media=no` here; media always passes through the exchange",
    ),
    (
        "dtmfmode",
        "write `dtmf_mode=` here: rfc4733, info, inband, auto, auto_info or none",
    ),
    ("encryption", "write `media_encryption=sdes` here"),
    (
        "externaddr",
        "write `external_media_address=` and `external_signaling_address=` in the section with `type=transport`",
    ),
    (
        "externip",
        "write `external_media_address=` and `external_signaling_address=` in the section with `type=transport`",
    ),
    ("fromdomain", "write `from_domain=` here"),
    ("fromuser", "write `from_user=` here"),
    (
        "host",
        "`host=dynamic` is `max_contacts=1` in the section with `type=aor`; a fixed host is `contact=sip:HOST` there",
    ),
    (
        "insecure",
        "leave `auth=` out, and write a section with `type=identify`, `endpoint=` and `match=ADDRESS`",
    ),
    (
        "localnet",
        "write `local_net=` in the section with `type=transport`",
    ),
    ("mailbox", "write `mailboxes=` here"),
    (
        "maxexpiry",
        "write `maximum_expiration=` in the section with `type=aor`",
    ),
    (
        "md5secret",
        "write `password_digest=MD5:…` in the section with `type=auth` that `auth=` names",
    ),
    (
        "minexpiry",
        "write `minimum_expiration=` in the section with `type=aor`",
    ),
    (
        "nat",
        "write `force_rport=yes`, `rewrite_contact=yes` and `rtp_symmetric=yes` here",
    ),
    ("peer", "write `type=endpoint`"),
    ("pickupgroup", "write `pickup_group=` here"),
    (
        "port",
        "write the port in `contact=sip:HOST:PORT` of the section with `type=aor`",
    ),
    ("progressinband", "write `inband_progress=` here"),
    (
        "qualify",
        "write `qualify_frequency=60` in the section with `type=aor`",
    ),
    (
        "qualifyfreq",
        "write `qualify_frequency=` in the section with `type=aor`",
    ),
    (
        "register",
        "write a section with `type=registration`, `server_uri=` and `client_uri=`",
    ),
    (
        "secret",
        "write `password=` in the section with `type=auth` that `auth=` names",
    ),
    ("sendrpid", "write `send_pai=yes` or `send_rpid=yes` here"),
    ("session-timers", "write `timers=` here"),
    ("subscribecontext", "write `subscribe_context=` here"),
    ("trustrpid", "write `trust_id_inbound=yes` here"),
    ("videosupport", "name codecs of video in `allow=`"),
];

/// Where an option nobody reads here belongs; `None`: nobody knows it anywhere.
pub(crate) fn advice(kind: &str, name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    if kind.starts_with("features.conf") || kind == "general" {
        let is_parking = ParkingLot::is_option(&name);
        return is_parking.then(|| format!("write `{name}=` in res_parking.conf"));
    }
    if !KINDS.contains(&kind) {
        return None;
    }
    if let Some((_, advice)) = OLD.iter().find(|(old, _)| *old == name) {
        return Some((*advice).to_owned());
    }
    let owner = match () {
        () if kind != "endpoint" && Endpoint::is_option(&name) => "endpoint",
        () if Aor::is_option(&name) => "aor",
        () if Auth::is_option(&name) => "auth",
        () if TransportConfig::is_option(&name) => "transport",
        () if Registration::is_option(&name) => "registration",
        () if Identify::is_option(&name) => "identify",
        () => return None,
    };
    Some(format!(
        "it belongs into the section with `type={owner}`: write `{name}=` there"
    ))
}

/// Kinds of objects whose sections stand beside each other in one file.
const KINDS: [&str; 6] = [
    "aor",
    "auth",
    "endpoint",
    "identify",
    "registration",
    "transport",
];
