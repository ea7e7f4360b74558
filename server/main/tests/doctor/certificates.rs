//! Faults of certificates.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::patient::Patient;

#[test]
fn a_missing_certificate_is_named_with_file_and_line() {
    let patient = Patient::new();
    fs::remove_file(patient.path("server.crt")).unwrap();
    let verdict = patient.examine();
    verdict.fails(
        "certificate",
        "http.conf:7",
        "cannot read",
        "`sidetone cert`",
    );
    fs::write(patient.path("server.crt"), "no PEM at all").unwrap();
    patient.examine().fails(
        "certificate",
        "http.conf:7",
        "has no certificate in PEM form",
        "name a PEM file",
    );
}

#[test]
fn a_key_of_another_certificate_is_named() {
    let mut patient = Patient::new();
    let key = fs::read(patient.path("server.key")).unwrap();
    patient.certificate(|_| {});
    fs::write(patient.path("server.key"), key).unwrap();
    let verdict = patient.examine();
    verdict.fails(
        "certificate",
        "http.conf:8",
        "does not belong to the certificate",
        "name the key",
    );
}

#[test]
fn dates_are_compared_with_the_clock() {
    let mut patient = Patient::new();
    patient.certificate(|parameters| parameters.not_after = rcgen::date_time_ymd(2024, 6, 1));
    patient
        .examine()
        .fails("certificate", "http.conf:7", "is expired", "renew it");
    patient.certificate(|parameters| parameters.not_before = rcgen::date_time_ymd(2089, 6, 1));
    patient.examine().fails(
        "certificate",
        "http.conf:7",
        "not valid for another",
        "set the clock",
    );
    let soon = std::time::SystemTime::now() + std::time::Duration::from_secs(5 * 86_400 + 60);
    patient.certificate(|parameters| parameters.not_after = soon.into());
    patient.examine().warns(
        "certificate",
        "http.conf:7",
        "expires in 5 days",
        "renew it now",
    );
}

#[test]
fn names_and_trust_are_those_of_the_browsers() {
    let mut patient = Patient::new();
    patient.argument(&["--name", "phones.example.org"]);
    let verdict = patient.examine();
    verdict.fails(
        "certificate",
        "http.conf:7",
        "is not for phones.example.org (it is for localhost, pbx.example.org",
        "sidetone cert --name phones.example.org",
    );
    let mut patient = Patient::new();
    patient.argument(&["--name", "pbx.example.org"]);
    let ca = fs::read(patient.path("ca.crt")).unwrap();
    patient.certificate(|_| {});
    // The system trusts the authority of before.
    fs::write(patient.path("ca.crt"), ca).unwrap();
    let verdict = patient.examine();
    verdict.warns(
        "certificate",
        "http.conf:7",
        "is not trusted by the system store",
        "sidetone cert --trust",
    );
    assert_eq!(
        verdict.outcome("call"),
        "ok",
        "a browser may accept it: {:#}",
        verdict.json
    );
}

#[test]
fn a_key_that_the_service_may_not_read_is_named_even_to_root() {
    use std::os::unix::fs::PermissionsExt as _;
    let patient = Patient::new();
    let key = patient.path("server.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    patient.system(
        "/etc/passwd",
        "root:x:0:0::/root:/bin/sh\nsidetone:x:4242:4242::/var/lib/sidetone:/bin/false\n",
    );
    patient.system("/etc/group", "root:x:0:\nsidetone:x:4242:\n");
    let verdict = patient.examine();
    let sentence = "the user sidetone may not read";
    verdict.fails(
        "certificate",
        "http.conf:8",
        sentence,
        &format!("chgrp sidetone {}", key.display()),
    );
}

#[test]
fn a_tls_transport_without_certificate_is_named() {
    let patient = Patient::new();
    patient.edit(
        "pjsip.conf",
        "[alice]",
        "[transport-tls]\ntype=transport\nprotocol=tls\nbind=127.0.0.1\n[alice]",
    );
    let verdict = patient.examine();
    verdict.fails(
        "certificate",
        "pjsip.conf:3",
        "names no certificate",
        "cert_file=",
    );
}

/// The server takes them from the folder of the configuration, whatever folder it is started in.
#[test]
fn relative_paths_lead_from_the_configuration() {
    let patient = Patient::new();
    for name in ["server.crt", "server.key"] {
        fs::copy(patient.path(name), patient.etc(name)).unwrap();
        let whole = patient.path(name).display().to_string();
        patient.edit("http.conf", &whole, name);
    }
    let verdict = patient.examine();
    assert_eq!(verdict.outcome("certificate"), "ok");
    assert!(verdict.summary("websocket").contains("over TLS"));
    fs::remove_file(patient.etc("server.key")).unwrap();
    let verdict = patient.examine();
    let whole = patient.etc("server.key").display().to_string();
    verdict.fails("certificate", "http.conf:8", &whole, "correct the path");
}

/// A patient with `acme=yes`, and the port of its ACME server, where nobody is.
fn with_acme(names: &str) -> (Patient, u16) {
    let patient = Patient::new();
    let acme = crate::ports::free_port();
    let directory = format!("https://127.0.0.1:{acme}/dir");
    let http = format!(
        "[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport={}\nacme=yes\n\
         tlsbindaddr=127.0.0.1:{}\nacme_directory={directory}\nacme_names={names}\n",
        patient.http, patient.https
    );
    patient.write("http.conf", &http);
    (patient, acme)
}

#[test]
fn what_an_acme_server_gives_is_examined() {
    let (mut patient, acme) = with_acme("localhost,pbx.invalid");
    let verdict = patient.examine();
    let warns = |line: &str, sentence: &str, cure: &str| {
        verdict.finds("certificate", "warning", line, sentence, cure);
    };
    warns(
        "http.conf:5",
        "no certificate has come from",
        "its log says",
    );
    warns(
        "http.conf:7",
        "nothing answers at",
        "correct acme_directory",
    );
    let sentence = "acme_names has pbx.invalid, which has no address";
    verdict.fails("certificate", "http.conf:8", sentence, "enter it in DNS");
    let unseen = "the exchange is stopped, so nobody answers a challenge now";
    verdict.finds("certificate", "ok", "", unseen, "");

    patient.edit("http.conf", "localhost,pbx.invalid", "localhost");
    let kept = format!("data/acme/127.0.0.1_{acme}_dir");
    fs::create_dir_all(patient.path(&kept)).unwrap();
    let keep = |patient: &Patient| {
        let pem = ["server.key", "server.crt"].map(|name| fs::read(patient.path(name)).unwrap());
        let file = patient.path(&kept).join("certificate.pem");
        fs::write(file, pem.concat()).unwrap();
    };
    keep(&patient);
    let verdict = patient.examine();
    let summary = verdict.summary("certificate");
    assert!(summary.starts_with("localhost, valid for "), "{summary}");

    let soon = std::time::SystemTime::now() + std::time::Duration::from_secs(5 * 86_400 + 60);
    patient.certificate(|parameters| parameters.not_after = soon.into());
    keep(&patient);
    let verdict = patient.examine();
    let sentence = "expires in 5 days and is not renewed";
    verdict.warns(
        "certificate",
        "http.conf:5",
        sentence,
        "the log of the exchange",
    );
    patient.argument(&["--name", "phones.example.org"]);
    let sentence = "acme_names has no phones.example.org (it has localhost)";
    let verdict = patient.examine();
    verdict.fails(
        "certificate",
        "http.conf:8",
        sentence,
        "add phones.example.org",
    );
}

/// What an ACME server allows belongs to the real exchange. The one counted is the doctor's own look.
#[test]
fn the_exchange_of_an_examination_asks_for_no_certificate() {
    let (patient, acme) = with_acme("localhost");
    let server = std::net::TcpListener::bind(("127.0.0.1", acme)).unwrap();
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for _ in server.incoming() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let verdict = patient.examine();
    let fault = "the ACME server cannot be asked: TLS with";
    verdict.warns(
        "certificate",
        "http.conf:7",
        fault,
        "correct acme_directory",
    );
    assert!(
        verdict
            .summary("exchange")
            .contains("started for this examination")
    );
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}
