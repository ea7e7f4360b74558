//! `type=transport`: each option into its field, and what is said of transports that cannot listen.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use config::{
    Applied, Diagnostic, Fault, Network, Object, Protocol, Shown, TlsMethod, TransportConfig,
};
use std::collections::BTreeMap;

fn of(options: &[(&str, &str)]) -> TransportConfig {
    TransportConfig::from_columns("x", options).unwrap().0
}

fn said(pjsip: &str, http: &str) -> (Vec<TransportConfig>, Vec<Diagnostic>) {
    let files = BTreeMap::from([
        ("pjsip.conf".to_owned(), pjsip.to_owned()),
        ("http.conf".to_owned(), http.to_owned()),
    ]);
    let (config, diagnostics) = config::load(&files);
    (config.unwrap().transports, diagnostics)
}

#[test]
fn each_option_reaches_its_field() {
    let transport = of(&[
        ("protocol", "tls"),
        ("bind", "[::1]"),
        ("cert_file", "/c"),
        ("priv_key_file", "/k"),
        ("ca_list_file", "/ca"),
        ("ca_list_path", "/cas"),
        ("method", "tlsv1_3"),
        (
            "cipher",
            "ECDHE-RSA-AES256-GCM-SHA384,TLS_AES_128_GCM_SHA256",
        ),
        ("verify_client", "yes"),
        ("require_client_cert", "yes"),
        ("verify_server", "yes"),
        ("allow_wildcard_certs", "yes"),
        ("external_media_address", "192.0.2.1"),
        ("external_signaling_address", "pbx.example.org"),
        ("external_signaling_port", "6061"),
        ("local_net", "10.0.0.0/8, fd00::/8"),
        ("tos", "cs3"),
        ("cos", "3"),
        ("tcp_keepalive_enable", "yes"),
        ("tcp_keepalive_idle_time", "31"),
        ("tcp_keepalive_interval_time", "11"),
        ("tcp_keepalive_probe_count", "6"),
    ]);
    let shown: Vec<String> = transport
        .shown()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        shown.join("\n"),
        "allow_wildcard_certs=true\nbind=[::1]:5061\nca_list_file=/ca\nca_list_path=/cas\n\
         cert_file=/c\ncipher=ECDHE-RSA-AES256-GCM-SHA384,TLS_AES_128_GCM_SHA256\ncos=3\n\
         external_media_address=192.0.2.1\nexternal_signaling_address=pbx.example.org\n\
         external_signaling_port=6061\nlocal_net=10.0.0.0/8,fd00::/8\nmethod=tlsv1_3\n\
         priv_key_file=/k\nprotocol=tls\nrequire_client_cert=true\ntcp_keepalive_enable=true\n\
         tcp_keepalive_idle_time=31\ntcp_keepalive_interval_time=11\ntcp_keepalive_probe_count=6\n\
         tos=96\nverify_client=true\nverify_server=true"
    );
    assert_eq!(transport.protocol, Protocol::Tls);
}

#[test]
fn types_of_service_are_asterisks_words() {
    let cases = [
        ("cs0", 0),
        ("CS3", 0x60),
        ("cs7", 0xe0),
        ("af11", 0x28),
        ("af31", 0x68),
        ("af43", 0x98),
        ("ef", 0xb8),
        ("0xb8", 0xb8),
        ("184", 184),
        ("no", 0),
    ];
    for (written, expected) in cases {
        assert_eq!(of(&[("tos", written)]).tos, expected, "{written}");
    }
    for bad in ["cs8", "af14", "af50", "256", "0xfff", "urgent", ""] {
        let applied = of(&[]).set("tos", bad);
        assert_eq!(applied, Applied::Fault(Fault::NotTos), "{bad}");
    }
    assert_eq!(of(&[("cos", "5")]).cos, 5);
    let applied = of(&[]).set("cos", "8");
    assert_eq!(applied, Applied::Fault(Fault::NotNumber(0, 7)));
}

#[test]
fn networks_hold_their_addresses_and_no_others() {
    let cases = [
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("10.0.0.0/255.0.0.0", "10.1.2.3", true),
        ("192.168.1.7", "192.168.1.7", true),
        ("192.168.1.7", "192.168.1.6", false),
        ("0.0.0.0/0", "8.8.8.8", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("10.0.0.0/8", "::ffff:10.0.0.1", true),
        ("fd00::/8", "fdff::1", true),
        ("fd00::/8", "fe00::1", false),
        ("::/0", "::1", true),
        ("::/0", "127.0.0.1", false),
        ("[fd00::1]", "fd00::1", true),
    ];
    for (network, address, within) in cases {
        let parsed = Network::parse(network).unwrap();
        assert_eq!(
            parsed.contains(address.parse().unwrap()),
            within,
            "{network} {address}"
        );
    }
    for bad in [
        "",
        "10.0.0.0/33",
        "10.0.0.0/255.0.255.0",
        "fd00::/129",
        "home",
        "10.0.0.0/-1",
    ] {
        assert_eq!(Network::parse(bad), None, "{bad}");
    }
}

#[test]
fn obsolete_versions_of_tls_are_not_spoken() {
    for (written, expected) in [
        ("tlsv1_2", TlsMethod::Tls12),
        ("tlsv1_3", TlsMethod::Tls13),
        ("unspecified", TlsMethod::Any),
        ("tlsv1", TlsMethod::Obsolete),
        ("sslv3", TlsMethod::Obsolete),
    ] {
        assert_eq!(of(&[("method", written)]).method, expected, "{written}");
    }
}

#[test]
fn outside_hosts_are_written_for_peers_outside_alone() {
    let transport = of(&[
        ("bind", "0.0.0.0:5070"),
        ("external_signaling_address", "192.0.2.1"),
        ("local_net", "10.0.0.0/8"),
    ]);
    let host = |remote: &str| transport.external_host(remote.parse().unwrap());
    assert_eq!(host("203.0.113.9").as_deref(), Some("192.0.2.1:5070"));
    assert_eq!(host("10.0.0.9"), None);
    let transport = of(&[
        ("external_signaling_address", "2001:db8::1"),
        ("external_signaling_port", "99"),
    ]);
    let host = transport.external_host("10.0.0.9".parse().unwrap());
    assert_eq!(host.as_deref(), Some("[2001:db8::1]:99"));
}

#[test]
fn what_cannot_listen_is_said_with_its_line() {
    let (transports, diagnostics) = said(
        "[a]\ntype=transport\nprotocol=udp\nbind=0.0.0.0\n\
         [b]\ntype=transport\nprotocol=udp\nbind=127.0.0.1\n\
         [c]\ntype=transport\nprotocol=tcp\nbind=0.0.0.0\n\
         [d]\ntype=transport\nprotocol=tls\nbind=0.0.0.0\nmethod=tlsv1\ncipher=RC4-MD5\n\
         [e]\ntype=transport\nprotocol=wss\nbind=0.0.0.0\n\
         [f]\ntype=transport\nprotocol=ws\nbind=0.0.0.0\nasync_operations=4\n\
         [g]\ntype=transport\nprotocol=tls\nbind=0.0.0.0:1\ncert_file=x\nverify_client=yes\n\
         verify_server=yes\n",
        "[general]\nenabled=yes\nbindaddr=127.0.0.1\n",
    );
    let said: Vec<String> = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity > config::Severity::Info)
        .map(|diagnostic| {
            format!(
                "{} {} {}",
                diagnostic.severity, diagnostic.line, diagnostic.message
            )
        })
        .collect();
    let expected = [
        "error 5 transport `b` is left out: `a` in line 1 listens on 0.0.0.0:5060 already",
        "error 13 transport `d`: protocol=tls needs `cert_file`: nothing listens",
        "warning 17 transport `d`: method names SSL, TLS 1.0 or TLS 1.1, which are not spoken (RFC 8996)",
        "warning 18 transport `d`: cipher names `RC4-MD5`, not spoken here and left out; there are ",
        "warning 19 transport `e`: web sockets come in through http.conf, where nothing listens for wss",
        "error 33 transport `g`: verify_client and require_client_cert need `ca_list_file` or \
         `ca_list_path`: nothing listens",
        "warning 34 transport `g`: verify_server needs `ca_list_file` or `ca_list_path`: nobody is",
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (line, expected) in said.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}\n{expected}");
    }
    let ids: Vec<&str> = transports.iter().map(|t| t.id.as_str()).collect();
    assert_eq!(ids, ["a", "c", "d", "e", "f", "g"]);
    assert_eq!(transports[1].title(), "pjsip.conf:9: transport `c`");
}
