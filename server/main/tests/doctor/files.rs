//! Faults of the files.

use crate::patient::{Patient, line_of};

#[test]
fn everything_in_order_is_said_so_with_every_port_and_line() {
    let patient = Patient::new();
    let verdict = patient.examine();
    for link in [
        "configuration",
        "certificate",
        "ports",
        "firewall",
        "exchange",
        "websocket",
        "register",
        "call",
        "files",
        "outside",
        "clock",
    ] {
        assert_eq!(verdict.outcome(link), "ok", "{link}: {:#}", verdict.json);
    }
    assert_eq!(verdict.code, 0);
    let call = verdict.summary("call");
    for part in ["600 as alice", "ICE ", "DTLS 1.", "SRTP", "50 received"] {
        assert!(call.contains(part), "{call}");
    }
    let (text, code) = patient.text();
    assert_eq!(code, 0, "{text}");
    let (https, sip, rtp) = (patient.https, patient.sip, patient.rtp);
    assert!(text.contains(&format!("127.0.0.1:{https}/tcp")), "{text}");
    assert!(text.contains(&format!("127.0.0.1:{sip}/udp")), "{text}");
    // One port for each media thread is opened, not the 201 of the file.
    for line in ["firewall-cmd", "ufw allow", "udp dport '{"] {
        let lines: Vec<&str> = text.lines().filter(|text| text.contains(line)).collect();
        assert!(
            lines.iter().any(|text| text.contains(&rtp.to_string())),
            "{text}"
        );
        assert!(
            !lines
                .iter()
                .any(|text| text.contains(&(rtp + 200).to_string())),
            "{text}"
        );
    }
}

#[test]
fn a_tls_transport_is_opened_as_tcp_on_5061() {
    let patient = Patient::new();
    let crt = patient.path("server.crt");
    let key = patient.path("server.key");
    let transport = format!(
        "[transport-tls]\ntype=transport\nprotocol=tls\nbind=0.0.0.0\ncert_file={}\npriv_key_file={}\n[alice]",
        crt.display(),
        key.display()
    );
    patient.edit("pjsip.conf", "[alice]", &transport);
    let (text, _) = patient.text();
    assert!(text.contains("--add-port=5061/tcp"), "{text}");
    assert!(text.contains("ufw allow 5061/tcp"), "{text}");
}

#[test]
fn an_unknown_option_is_named_with_what_was_meant() {
    let patient = Patient::new();
    patient.edit("pjsip.conf", "max_contacts=2", "max_contact=2");
    let verdict = patient.examine();
    let line = line_of(&patient.etc("pjsip.conf"), "max_contact=2");
    let place = format!("{line}:1");
    let findings = verdict.json.to_string();
    assert!(
        findings.contains(&place) && findings.contains("did you mean `max_contacts`?"),
        "{findings}"
    );
    assert_ne!(verdict.outcome("configuration"), "ok");
    // No contact may be registered then.
    assert_eq!(verdict.outcome("register"), "failed", "{findings}");
}

#[test]
fn names_that_nothing_defines_are_named() {
    for (from, to, name) in [
        ("aors=alice", "aors=alise", "alise"),
        ("auth=alice", "auth=alicia", "alicia"),
        ("context=sets", "context=set", "`set`"),
        (
            "webrtc=yes",
            "webrtc=yes\ntransport=transport-upd",
            "transport-upd",
        ),
    ] {
        let patient = Patient::new();
        patient.edit("pjsip.conf", from, to);
        let verdict = patient.examine();
        let findings = verdict.json["links"][0].to_string();
        assert!(
            findings.contains(name) && findings.contains("did you mean"),
            "{to}: {findings}"
        );
        let written = to.rsplit('\n').next().unwrap();
        let place = line_of(&patient.etc("pjsip.conf"), written);
        assert!(findings.contains(&place), "{to}: {findings}");
    }
}

#[test]
fn an_endpoint_without_codecs_is_named() {
    let patient = Patient::new();
    patient.edit("pjsip.conf", "allow=opus,vp8\n", "");
    let place = line_of(&patient.etc("pjsip.conf"), "disallow=all");
    let verdict = patient.examine();
    verdict.fails(
        "configuration",
        &place,
        "endpoint alice has no codecs",
        "add `allow=opus,ulaw,vp8`",
    );
}

#[test]
fn a_missing_dial_plan_is_named() {
    let patient = Patient::new();
    std::fs::remove_file(patient.etc("extensions.conf")).unwrap();
    let verdict = patient.examine();
    verdict.fails(
        "configuration",
        "extensions.conf",
        "there is no dial plan",
        "exten => 600,1,Answer()",
    );
}

#[test]
fn a_range_of_media_ports_that_is_small_or_held_is_named() {
    let patient = Patient::new();
    let rtp = patient.rtp;
    let held = [rtp, rtp + 1].map(|port| std::net::UdpSocket::bind(("0.0.0.0", port)).unwrap());
    patient.write(
        "rtp.conf",
        &format!("[general]\nrtpstart={rtp}\nrtpend={}\n", rtp + 1),
    );
    let verdict = patient.examine();
    verdict.warns(
        "configuration",
        "rtp.conf:3",
        "only 2 ports",
        "widen the range",
    );
    let sentence = format!("no UDP port of {rtp} to {} is free", rtp + 1);
    verdict.fails("ports", "rtp.conf:3", &sentence, "rtpstart");
    drop(held);
    patient.write(
        "rtp.conf",
        &format!("[general]\nrtpstart={}\nrtpend={rtp}\n", rtp + 1),
    );
    patient
        .examine()
        .fails("configuration", "", "is not below rtpend", "");
}

#[test]
fn without_http_there_is_no_websocket() {
    let patient = Patient::new();
    patient.edit("http.conf", "enabled=yes", "enabled=no");
    patient.edit("http.conf", "tlsenable=yes", "tlsenable=no");
    let verdict = patient.examine();
    verdict.fails(
        "websocket",
        "http.conf:5",
        "neither HTTP nor HTTPS is enabled",
        "enabled=yes",
    );
    assert_eq!(verdict.outcome("register"), "skipped");
    assert_eq!(verdict.summary("call"), "because there is no WebSocket");
}

#[test]
fn a_file_that_cannot_be_read_at_all_skips_what_needs_it() {
    let patient = Patient::new();
    std::fs::write(patient.etc("pjsip.conf"), b"[a]\ntype=\xff\xff\n").unwrap();
    let verdict = patient.examine();
    verdict.fails("configuration", "pjsip.conf", "is not UTF-8 text", "");
    assert_eq!(
        verdict.summary("call"),
        "because the configuration cannot be used"
    );
}
