//! What peers beyond address translation are told of us: `external_signaling_address` in Contact and
//! Via, `external_media_address` as one more ICE candidate (RFC 8839 §5.1), to peers outside `local_net`.
//!
//! The router must pass the ports of `rtp.conf` on to this machine unchanged. The candidates of our own
//! addresses stay: a peer tries them all and takes what works.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ::sip::Body;
use config::TransportConfig;

/// What stands for our own addresses on one flow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outside {
    /// Host and port of Contact and Via.
    pub(crate) host: Option<String>,
    /// Address of media.
    pub(crate) media: Option<IpAddr>,
}

impl Outside {
    /// What a transport says to `remote`.
    pub(crate) fn of(config: &TransportConfig, remote: IpAddr) -> Self {
        Self {
            host: config.external_host(remote),
            media: config.external_media(remote),
        }
    }
}

/// The description with a candidate at `outside` for each port of ours, once.
pub(crate) fn with_candidates(body: Body, outside: IpAddr) -> Body {
    let Ok(text) = std::str::from_utf8(&body.bytes) else {
        return body;
    };
    if &*body.content_type != "application/sdp" {
        return body;
    }
    let mut written = String::with_capacity(text.len() + 256);
    let mut seen = BTreeSet::new();
    for line in text.split_inclusive('\n') {
        written.push_str(line);
        if line.starts_with("m=") {
            seen.clear();
        }
        if let Some(candidate) = reflexive(line.trim_end(), outside)
            && seen.insert(candidate.port.clone())
        {
            written.push_str(&candidate.line);
        }
    }
    Body {
        bytes: written.into(),
        ..body
    }
}

struct Candidate {
    port: String,
    line: String,
}

/// The candidate a STUN server outside would have told us of, for a host candidate of ours.
fn reflexive(line: &str, outside: IpAddr) -> Option<Candidate> {
    let fields: Vec<&str> = line.strip_prefix("a=candidate:")?.split(' ').collect();
    let [
        foundation,
        component,
        transport,
        priority,
        address,
        port,
        "typ",
        "host",
        ..,
    ] = fields[..]
    else {
        return None;
    };
    let base: IpAddr = address.parse().ok()?;
    if base.is_ipv4() != outside.is_ipv4() || base == outside || base.is_loopback() {
        return None;
    }
    // RFC 8445 §5.1.2.2: type preference 100 for server reflexive candidates.
    let priority = priority.parse::<u32>().ok()? & 0x00ff_ffff | 100 << 24;
    Some(Candidate {
        port: format!("{component} {port}"),
        line: format!(
            "a=candidate:x{foundation} {component} {transport} {priority} {outside} {port} typ srflx \
             raddr {address} rport {port}\r\n"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDP: &str = "v=0\r\nm=audio 40000 UDP/TLS/RTP/SAVPF 111\r\n\
        a=candidate:1 1 udp 2130706175 10.0.0.5 40000 typ host\r\n\
        a=candidate:2 1 udp 2130705919 172.16.0.5 40000 typ host generation 0\r\n\
        a=candidate:3 1 udp 2130705663 fd00::5 40000 typ host\r\n\
        a=candidate:4 1 udp 2130705663 127.0.0.1 40000 typ host\r\n\
        a=end-of-candidates\r\n";

    #[test]
    fn peers_outside_get_one_candidate_for_each_port() {
        let body = with_candidates(Body::sdp(SDP), "192.0.2.1".parse().unwrap());
        let text = std::str::from_utf8(&body.bytes).unwrap();
        let added = "a=candidate:x1 1 udp 1694498559 192.0.2.1 40000 typ srflx raddr 10.0.0.5 rport 40000\r\n";
        assert_eq!(text.replacen(added, "", 1), SDP);
        assert!(text.find(added) < text.find("a=end-of-candidates"));
        let six = with_candidates(Body::sdp(SDP), "2001:db8::1".parse().unwrap());
        let six = std::str::from_utf8(&six.bytes).unwrap();
        assert!(six.contains(" 2001:db8::1 40000 typ srflx raddr fd00::5 rport 40000\r\n"));
    }

    #[test]
    fn what_is_no_candidate_of_ours_stays_as_it_is() {
        for text in [
            "v=0\r\na=candidate:1 1 udp x 10.0.0.5 40000 typ host\r\n",
            "a=candidate:1 1 udp 1 192.0.2.1 40000 typ host\r\n",
            "a=candidate:1 1 udp 1 10.0.0.5 40000 typ relay\r\n",
            "a=candidate:1\r\n",
            "",
        ] {
            let body = with_candidates(Body::sdp(text), "192.0.2.1".parse().unwrap());
            assert_eq!(body.bytes, text);
        }
    }
}
