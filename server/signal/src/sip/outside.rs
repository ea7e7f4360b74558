//! What peers beyond address translation are told of us: `external_signaling_address` in Contact and
//! Via, and to peers outside `local_net` `external_media_address`: to browsers as one more ICE candidate
//! (RFC 8839 §5.1), to desk phones as the address that media goes to.
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

/// The description with a candidate at `outside` for each port of ours, once, and with `outside` for our
/// own address where media is to be sent to.
pub(crate) fn as_seen_from_outside(body: Body, outside: IpAddr) -> Body {
    let Ok(text) = std::str::from_utf8(&body.bytes) else {
        return body;
    };
    if &*body.content_type != "application/sdp" {
        return body;
    }
    let mut written = String::with_capacity(text.len() + 256);
    let mut seen = BTreeSet::new();
    for line in text.split_inclusive('\n') {
        match moved(line.trim_end(), outside) {
            Some(line) => written.push_str(&line),
            None => written.push_str(line),
        }
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

/// A line that names the address media is sent to, `c=` or `o=` (RFC 8866 §5.2, §5.7), with the address
/// outside. A browser's names none: 0.0.0.0.
fn moved(line: &str, outside: IpAddr) -> Option<String> {
    if !line.starts_with("c=") && !line.starts_with("o=") {
        return None;
    }
    let (before, address) = line.rsplit_once(' ')?;
    let own: IpAddr = address.parse().ok()?;
    let is_other = own.is_ipv4() != outside.is_ipv4() || own.is_unspecified() || own.is_loopback();
    (!is_other && own != outside).then(|| format!("{before} {outside}\r\n"))
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
        let body = as_seen_from_outside(Body::sdp(SDP), "192.0.2.1".parse().unwrap());
        let text = std::str::from_utf8(&body.bytes).unwrap();
        let added = "a=candidate:x1 1 udp 1694498559 192.0.2.1 40000 typ srflx raddr 10.0.0.5 rport 40000\r\n";
        assert_eq!(text.replacen(added, "", 1), SDP);
        assert!(text.find(added) < text.find("a=end-of-candidates"));
        let six = as_seen_from_outside(Body::sdp(SDP), "2001:db8::1".parse().unwrap());
        let six = std::str::from_utf8(&six.bytes).unwrap();
        assert!(six.contains(" 2001:db8::1 40000 typ srflx raddr fd00::5 rport 40000\r\n"));
    }

    #[test]
    fn desk_phones_outside_send_to_the_address_outside() {
        let sdp = "v=0\r\no=- 1 2 IN IP4 10.0.0.5\r\ns=-\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\n\
                   m=audio 40000 RTP/AVP 0\r\na=sendrecv\r\n";
        let outside: IpAddr = "192.0.2.1".parse().unwrap();
        let seen = as_seen_from_outside(Body::sdp(sdp), outside);
        assert_eq!(seen.bytes, sdp.replace("10.0.0.5", "192.0.2.1"));
        for other in ["0.0.0.0", "127.0.0.1", "192.0.2.1"] {
            let sdp = sdp.replace("10.0.0.5", other);
            assert_eq!(
                as_seen_from_outside(Body::sdp(sdp.clone()), outside).bytes,
                sdp
            );
        }
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
            let body = as_seen_from_outside(Body::sdp(text), "192.0.2.1".parse().unwrap());
            assert_eq!(body.bytes, text);
        }
    }
}
