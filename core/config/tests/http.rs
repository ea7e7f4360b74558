//! `http.conf` beyond listeners: what is ours, who may open what, and an ACME server.

use config::{AcmeChallenge, Config, Severity};
use std::net::IpAddr;
use std::time::Duration;

fn read(http: &str) -> (Config, Vec<String>) {
    let acl = "[office]\ndeny=0.0.0.0/0\npermit=10.0.0.0/8\n";
    let files = [("http.conf", http), ("acl.conf", acl)];
    let (config, diagnostics) = config::load(&files.as_slice());
    let said = diagnostics.iter().filter(|d| d.severity > Severity::Info);
    let said = said.map(|d| d.to_string().lines().next().unwrap_or_default().to_owned());
    (config.expect("files in memory can be read"), said.collect())
}

#[test]
fn options_of_connections_and_of_tls_are_read() {
    let (config, said) = read(
        "[general]\nsession_inactivity=5000\nsession_keep_alive=0\nservername=\ntlscipher=ECDHE+AESGCM\n\
         tlsdisablev12=yes\ntlsservercipherorder=no\ntlsverifyclient=yes\ntlscafile=ca.pem\n\
         hostnames=pbx.example.org,*.example.net\nwebsocket_origins=https://a.example:8443, http://b.example\n\
         enable_status=yes\nstatic_dir=phones\n",
    );
    assert_eq!(said, [""; 0]);
    let http = config.http;
    assert_eq!(http.session_inactivity, Duration::from_secs(5));
    assert_eq!(http.session_keep_alive, Duration::ZERO);
    assert_eq!(
        http.server_name.as_deref(),
        Some(""),
        "no header, rather than ours"
    );
    let tls = http.tls_settings;
    assert_eq!(tls.ciphers.as_deref(), Some("ECDHE+AESGCM"));
    assert!(!tls.tls12 && !tls.server_order && tls.verify_clients);
    assert_eq!(tls.ca_file.as_deref(), Some("ca.pem"));
    assert_eq!(http.hostnames, ["pbx.example.org", "*.example.net"]);
    assert_eq!(
        http.websocket_origins,
        ["https://a.example:8443", "http://b.example"]
    );
    assert!(http.status_page);
    assert_eq!(http.static_dir.as_deref(), Some("phones"));
}

#[test]
fn origins_are_sites() {
    for value in [
        "phones.example.org",
        "https://a/b",
        "wss://a",
        "https://",
        "https://*.a",
    ] {
        let (config, said) = read(&format!("[general]\nwebsocket_origins={value}\n"));
        assert!(
            said[0].contains("names something that is no site"),
            "{value}: {said:?}"
        );
        assert_eq!(config.http.websocket_origins, [""; 0]);
    }
    let (config, said) = read("[general]\nwebsocket_origins=*\n");
    assert_eq!(
        (config.http.websocket_origins[0].as_str(), said.len()),
        ("*", 0)
    );
}

#[test]
fn restrictions_are_lists_of_addresses_and_a_broken_one_lets_nobody_in() {
    let (config, said) = read(
        "[/ws]\ntype=restriction\nacl=office\n[httpstatus]\ntype=restriction\ndeny=10.1.0.0/16\n\
         [/a]\ntype=restriction\npermit=everybody\n[/b]\ntype=restriction\nacl=ofice\n",
    );
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said.iter()
            .any(|line| line.contains("names the list `ofice`")),
        "{said:?}"
    );
    let may = |path: &str, address: &str| {
        let address: IpAddr = address.parse().expect("an address");
        let mut restrictions = config.http.restrictions.iter();
        let found = restrictions.find(|restriction| restriction.path == path);
        config.admits(&found.expect("a restriction").source, address)
    };
    assert!(may("/ws", "10.9.9.9") && !may("/ws", "192.0.2.1"));
    assert!(may("/httpstatus", "10.0.0.1") && !may("/httpstatus", "10.1.2.3"));
    assert!(!may("/a", "10.0.0.1") && !may("/b", "10.0.0.1"));
}

#[test]
fn an_acme_server_replaces_the_files_of_the_certificate() {
    let base = "[general]\nenabled=yes\nbindaddr=0.0.0.0\nacme=yes\n";
    let (config, said) = read(&format!("{base}acme_names=pbx.example.org\n"));
    assert_eq!(said, [""; 0]);
    let acme = config.http.acme.expect("it is asked for");
    assert_eq!(acme.bind.to_string(), "0.0.0.0:8089");
    assert_eq!(
        acme.directory,
        "https://acme-v02.api.letsencrypt.org/directory"
    );
    assert_eq!(acme.challenge, AcmeChallenge::Http01);
    let (config, said) = read(base);
    assert!(said[0].contains("needs `acme_names`"), "{said:?}");
    assert_eq!(config.http.acme, None);
    let (config, said) = read(&format!("{base}acme_names=a.example\ntlscertfile=/a.pem\n"));
    assert!(said[0].contains("`tlscertfile` is not read"), "{said:?}");
    assert!(config.http.tls.is_none() && config.http.acme.is_some());
    let secure = "[general]\ntlsbindaddr=0.0.0.0\nacme=yes\nacme_names=a.example\n";
    assert!(read(secure).1[0].contains("answered over plain HTTP"));
    assert_eq!(
        read(&format!("{secure}acme_challenge=tls-alpn-01\n")).1,
        [""; 0]
    );
}

#[test]
fn addresses_have_a_port_in_every_usual_form() {
    let bound = |options: &str| {
        let (config, messages) = read(&format!("[general]\nenabled=yes\n{options}\n"));
        assert_eq!(messages, [""; 0], "{options}");
        config.http.bind.unwrap().to_string()
    };
    assert_eq!(bound("bindaddr=::"), "[::]:8088");
    assert_eq!(bound("bindaddr=[::]"), "[::]:8088");
    assert_eq!(bound("bindaddr=[::]:9000"), "[::]:9000");
    assert_eq!(bound("bindaddr=::1\nbindport=80"), "[::1]:80");
    assert_eq!(bound("bindaddr=0.0.0.0:80"), "0.0.0.0:80");
    assert_eq!(bound("bindaddr=localhost"), "127.0.0.1:8088");
    let faults = [
        (
            "::8088",
            "has a port after an IPv6 address that is not in brackets",
        ),
        (":::8088", "is not an IP address with an optional port"),
        ("[::]:99999", "is not an IP address with an optional port"),
        ("*:8088", "is not an IP address with an optional port"),
        ("[::]8088", "is not an IP address with an optional port"),
    ];
    for (value, fault) in faults {
        let (config, messages) = read(&format!("[general]\nenabled=yes\nbindaddr={value}\n"));
        assert_eq!(config.http.bind, None, "{value}");
        let found = messages
            .iter()
            .find(|message| message.contains("http.conf:3:10"));
        let found = found.unwrap_or_else(|| panic!("{value}: {messages:?}"));
        assert!(found.contains(fault), "{found}");
    }
}
