//! Options Asterisk 23 knows that have no row of their own, and why they change nothing here.
//!
//! An option that is implemented moves from here to the table of its object. A reason is the end of
//! the sentence "accepted, has no effect here, because …".

/// An option without effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) name: &'static str,
    /// Asterisk's default; empty if it is unset.
    pub(crate) default: &'static str,
    pub(crate) why: &'static str,
}

/// The option of this name, compared without case.
pub(crate) fn find(kind: &str, name: &str) -> Option<Known> {
    of(kind).find(|known| known.name.eq_ignore_ascii_case(name))
}

/// The options of one kind of object.
pub(crate) fn of(kind: &str) -> impl Iterator<Item = Known> {
    let groups = GROUPS.iter().filter(move |(of, ..)| *of == kind);
    groups.flat_map(|(_, why, options)| {
        let options = options.iter();
        options.map(|(name, default)| Known { name, default, why })
    })
}

/// Options of one kind with one reason: kind, reason, names with their defaults.
type Group = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

#[rustfmt::skip]
static GROUPS: &[Group] = &[
    ("auth", "OAuth is for registrations at Google Voice, which is not served",
        &[("oauth_clientid", ""), ("oauth_secret", ""), ("refresh_token", "")]),

    ("endpoint", "forked calls and early media of calls out are not followed yet",
        &[("accept_multiple_sdp_answers", "no"), ("follow_early_media_fork", "yes"), ("ignore_183_without_sdp", "no")]),
    ("endpoint", "each stream is received in any codec that was agreed on, and what is made anew for a phone has the codec that it sends, always",
        &[("asymmetric_rtp_codec", "no")]),
    ("endpoint", "media has the family of addresses that the phone's SDP has, or its signalling where we offer",
        &[("rtp_ipv6", "no")]),
    ("endpoint", "the Contact of the exchange is its own, without a user",
        &[("contact_user", "")]),
    ("endpoint", "media always passes through the exchange, as with direct_media=no",
        &[("direct_media", "yes"), ("direct_media_glare_mitigation", "none"), ("direct_media_method", "invite"), ("disable_direct_media_on_nat", "no")]),
    ("endpoint", "the peer is who has the certificate whose fingerprint its SDP says, which is checked always; who signed that certificate is not asked",
        &[("dtls_ca_file", ""), ("dtls_ca_path", ""), ("dtls_verify", "no")]),
    ("endpoint", "a certificate is made for each start, and peers know it by its fingerprint in our SDP; no file is read",
        &[("dtls_cert_file", ""), ("dtls_private_key", "")]),
    ("endpoint", "the ciphers are ECDHE with AES-GCM or ChaCha20-Poly1305, and with phones AES-256-CBC where they have nothing better; they protect the handshake alone, not media",
        &[("dtls_cipher", "")]),
    ("endpoint", "keys live as long as the call, which cannot use one up: it serves 2^48 packets (RFC 3711); nobody renegotiates DTLS",
        &[("dtls_rekey", "0")]),
    ("endpoint", "faxes are not served",
        &[("fax_detect", "no"), ("fax_detect_timeout", "0"), ("t38_bind_udptl_to_media_address", "no"), ("t38_udptl", "no"), ("t38_udptl_ec", "none"), ("t38_udptl_ipv6", "no"), ("t38_udptl_maxdatagram", "0"), ("t38_udptl_nat", "no")]),
    ("endpoint", "messages that are redirected are not sent on",
        &[("follow_redirect_methods", "")]),
    ("endpoint", "every answer goes to the address and port the request came from",
        &[("force_rport", "yes")]),
    ("endpoint", "the codec G.726 is not served",
        &[("g726_non_standard", "no")]),
    ("endpoint", "positions (RFC 6442) are not passed on",
        &[("geoloc_incoming_call_profile", ""), ("geoloc_outgoing_call_profile", "")]),
    ("endpoint", "ringing is told by 180; no tone is sent before the answer",
        &[("inband_progress", "no")]),
    ("endpoint", "a phone that asks for a recording by INFO (`Record: on`) is not obeyed; `automon` and `automixmon` of features.conf are",
        &[("one_touch_recording", "no"), ("record_off_feature", "automixmon"), ("record_on_feature", "automixmon")]),
    ("endpoint", "the exchange answers to the address a request came from, whatever its Contact says",
        &[("rewrite_contact", "no")]),
    ("endpoint", "there is one engine of media",
        &[("rtp_engine", "asterisk")]),
    ("endpoint", "the lines `o=` and `s=` are the exchange's own",
        &[("sdp_owner", "-"), ("sdp_session", "Asterisk")]),
    ("endpoint", "security mechanisms (RFC 3329) are not negotiated: TLS is used or it is not",
        &[("security_mechanisms", ""), ("security_negotiation", "no")]),
    ("endpoint", "charges (AOC) are not told",
        &[("send_aoc", "no")]),
    ("endpoint", "calls are not signed (RFC 8224)",
        &[("stir_shaken", "no"), ("stir_shaken_profile", "")]),
    ("endpoint", "Reason headers carry the cause in all of our refusals and BYEs",
        &[("suppress_q850_reason_headers", "no")]),
    ("endpoint", "there is one tenant",
        &[("tenantid", "")]),
    ("endpoint", "sound that is made anew has packets as long as the receiver asks for (`a=ptime`), always; the rest is passed on as it is",
        &[("use_ptime", "no")]),

    ("global", "a re-INVITE without an offer is answered with what was agreed before",
        &[("all_codecs_on_empty_reinvite", "no")]),
    ("global", "180 and 183 go out as the dial plan asks",
        &[("allow_sending_180_after_183", "no")]),
    ("global", "contacts end at their exact time, not at the next look",
        &[("contact_expiration_check_interval", "30")]),
    ("global", "messages are shown by `--sip-trace` or `pjsip set logger on`",
        &[("debug", "no")]),
    ("global", "contacts that are known at the start are told of the mailboxes of their endpoint, always",
        &[("mwi_disable_initial_unsolicited", "no")]),
    ("global", "NOTIFYs about mailboxes are paced, however many wait",
        &[("mwi_tps_queue_high", "500"), ("mwi_tps_queue_low", "-1")]),
    ("global", "connections are kept alive by the pings of WebSocket and the keep-alives of TCP",
        &[("keep_alive_interval", "90")]),
    ("global", "there is no AMI yet to tell the status of a contact to",
        &[("send_contact_status_on_update_registration", "no")]),
    ("global", "a REFER with `Refer-Sub: false` is obeyed (RFC 4488) in any case; Supported does not say so",
        &[("norefersub", "yes")]),
    ("global", "registrations make no extensions of the dial plan",
        &[("regcontext", "")]),
    ("global", "queues are bounded one by one, and what is too much is answered 503",
        &[("taskprocessor_overload_trigger", "global")]),
    ("global", "the Contact of the exchange is its own, without a user",
        &[("use_callerid_contact", "no")]),

    ("system", "forked calls and early media of calls out are not followed yet",
        &[("accept_multiple_sdp_answers", "no"), ("follow_early_media_fork", "yes")]),
    ("system", "no header has its short form; each message is read by every device in its long one",
        &[("compact_headers", "no")]),
    ("system", "our requests over UDP always ask for `rport` (RFC 3581)",
        &[("disable_rport", "no")]),
    ("system", "a request goes by the transport its flow has, whatever its length",
        &[("disable_tcp_switch", "yes")]),
    ("system", "tasks are scheduled on as many threads as the machine has cores",
        &[("taskpool_auto_increment", "1"), ("taskpool_idle_timeout", "60"), ("taskpool_initial_size", "4"), ("taskpool_max_size", "50"), ("taskpool_minimum_size", "4"), ("threadpool_auto_increment", "1"), ("threadpool_idle_timeout", "60"), ("threadpool_initial_size", "4"), ("threadpool_max_size", "50")]),

    ("registration", "security mechanisms (RFC 3329) are not negotiated: TLS is used or it is not",
        &[("security_mechanisms", ""), ("security_negotiation", "no")]),

    ("contact", "contacts are what phones register; one that needs no registration is written `contact=` in its aor",
        &[("authenticate_qualify", "no"), ("call_id", ""), ("endpoint", ""), ("expiration_time", ""), ("outbound_proxy", ""), ("path", ""), ("prune_on_boot", "no"), ("qualify_2xx_only", "no"), ("qualify_frequency", "0"), ("qualify_timeout", "3.0"), ("reg_server", ""), ("uri", ""), ("user_agent", ""), ("via_addr", ""), ("via_port", "0")]),

    ("transport", "every reload puts what changed in force; connections and calls never notice",
        &[("allow_reload", "no")]),
    ("transport", "every socket takes as many packets at once as it can",
        &[("async_operations", "1")]),
    ("transport", "Asterisk stores it and never reads it",
        &[("domain", "")]),
    ("transport", "a host name is written as `external_signaling_address`",
        &[("external_signaling_hostname", "")]),
    ("transport", "private keys with a passphrase are not read; `openssl pkey -in KEY -out NEW` takes it off",
        &[("password", "")]),
    ("transport", "answers and requests always go down the connection, or to the address and port, a phone registered from",
        &[("symmetric_transport", "no")]),
    ("transport", "a WebSocket has ten seconds to take a message, and is closed when its queue is full",
        &[("websocket_write_timeout", "100")]),

    ("http.conf", "TLS 1.0 and 1.1 are never offered: RFC 8996 forbids them, and the TLS library (rustls) has neither",
        &[("tlsdisablev1", "yes"), ("tlsdisablev11", "no")]),
    ("http.conf", "it is for programs that ask other servers, and the web server answers only",
        &[("tlsclientmethod", ""), ("tlsdontverifyserver", "no")]),

    ("rtp.conf", "DTLS packets have the length that the path of a browser allows, 1,200 bytes at most",
        &[("dtls_mtu", "1200")]),
    ("rtp.conf", "a digit ends when its last packet says so, or when the next begins",
        &[("dtmftimeout", "1200")]),
    ("rtp.conf", "only the exchange's own addresses are offered as candidates; peers' candidates are tried only after their password was proven",
        &[("ice_acl", ""), ("ice_deny", ""), ("ice_permit", "")]),
    ("rtp.conf", "a stream is believed by its key (SRTP), not by the order of its first packets",
        &[("probation", "4")]),
    ("rtp.conf", "reports are sent as often as RFC 3550 and the bandwidth ask for",
        &[("rtcpinterval", "5000")]),
    ("rtp.conf", "the kernel makes the checksums of UDP, and IPv6 demands them",
        &[("rtpchecksums", "yes")]),
    ("rtp.conf", "SRTP always refuses packets that come again (RFC 3711 §3.3.2)",
        &[("srtpreplayprotection", "yes")]),
    ("rtp.conf", "the exchange asks no STUN server: its addresses are those of the machine, and peers are seen where they send from",
        &[("stun_acl", ""), ("stun_deny", ""), ("stun_permit", ""), ("stunaddr", "")]),
    ("rtp.conf", "STUN messages name no software",
        &[("stun_software_attribute", "yes")]),
    ("rtp.conf", "the exchange itself is reachable for media and needs no TURN relay; browsers bring their own",
        &[("turnaddr", ""), ("turnpassword", ""), ("turnusername", "")]),

    ("logger.conf", "there are no queues of agents, so nothing is logged about them",
        &[("queue_log", "yes"), ("queue_log_name", "queue_log"), ("queue_log_realtime_use_gmt", "no"), ("queue_log_to_file", "no")]),
];

#[cfg(test)]
mod tests {
    use super::{GROUPS, of};
    use std::collections::BTreeSet;

    #[test]
    fn every_reason_ends_a_sentence_and_every_option_stands_once() {
        for (kind, why, options) in GROUPS {
            assert!(!why.ends_with('.') && !options.is_empty(), "{kind}: {why}");
            let mut names = BTreeSet::new();
            for known in of(kind) {
                assert!(
                    names.insert(known.name),
                    "{kind} {} stands twice",
                    known.name
                );
            }
        }
    }
}
