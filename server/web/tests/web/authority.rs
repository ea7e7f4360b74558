//! An authority of one's own: what it makes is taken by rustls and by OpenSSL.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use web::{Authority, AuthorityError, Certificate};

use crate::support::Folder;

fn names() -> Vec<String> {
    ["pbx.example.org", "localhost", "192.0.2.7", "::1"]
        .map(str::to_owned)
        .to_vec()
}

fn mode(file: &Path) -> u32 {
    std::fs::metadata(file).unwrap().permissions().mode() & 0o777
}

/// Whether rustls, as a client that trusts the authority, takes the certificate for the name.
fn is_taken(authority: &Path, certificate: &Path, name: &str) -> bool {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(authority).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    let leaf = CertificateDer::from_pem_file(certificate).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let verifier = verifier.build().unwrap();
    verifier
        .verify_server_cert(&leaf, &[], &name, &[], UnixTime::now())
        .is_ok()
}

#[test]
fn what_it_makes_is_taken_and_renewed_under_the_same_authority() {
    let folder = Folder::new("authority");
    let (file, key) = (folder.0.join("server.pem"), folder.0.join("server.key"));
    let made = Authority::open(&folder.0, "pbx", false).unwrap();
    assert!(made.is_new && made.facts.authority);
    let first = made.issue(&names(), &file, &key, false).unwrap();
    assert_eq!((mode(&key), mode(&folder.0.join("ca.key"))), (0o600, 0o600));
    for name in names() {
        assert!(is_taken(&made.file, &file, &name), "{name}");
    }
    assert!(!is_taken(&made.file, &file, "evil.example"));
    let days = (first.not_after - first.not_before) / 86_400;
    assert!(days <= 397, "{days} days are too long for Apple and others");

    let kept = Authority::open(&folder.0, "renamed", false).unwrap();
    assert!(!kept.is_new);
    assert_eq!(kept.facts, made.facts);
    let before = std::fs::read(&file).unwrap();
    kept.issue(&names(), &file, &key, false).unwrap();
    assert_ne!(std::fs::read(&file).unwrap(), before);
    assert!(
        is_taken(&made.file, &file, "localhost"),
        "who trusted the first trusts the second"
    );
    assert!(
        Certificate::from_files(&file, &key)
            .unwrap()
            .remarks()
            .is_empty()
    );

    let openssl = Command::new("openssl")
        .args(["verify", "-x509_strict", "-purpose", "sslserver"])
        .args(["-verify_hostname", "pbx.example.org"])
        .arg("-CAfile")
        .args([&made.file, &file])
        .output()
        .unwrap();
    assert!(
        openssl.status.success(),
        "{}",
        String::from_utf8_lossy(&openssl.stderr)
    );
}

#[test]
fn what_others_made_is_left_alone() {
    let folder = Folder::new("foreign");
    let (file, key) = (folder.0.join("a/server.pem"), folder.0.join("a/server.key"));
    let authority = Authority::open(&folder.0, "pbx", false).unwrap();
    let foreign = rcgen::generate_simple_self_signed(names()).unwrap();
    for (name, text) in [
        ("a/server.pem", foreign.cert.pem()),
        ("a/server.pem", "notes".to_owned()),
        ("a/server.key", foreign.signing_key.serialize_pem()),
    ] {
        folder.write(name, &text);
        let error = authority.issue(&names(), &file, &key, false).unwrap_err();
        assert!(matches!(error, AuthorityError::Foreign(_)), "{error}");
        assert_eq!(std::fs::read_to_string(folder.0.join(name)).unwrap(), text);
        std::fs::remove_file(folder.0.join(name)).unwrap();
    }
    folder.write("a/server.pem", foreign.cert.pem());
    authority.issue(&names(), &file, &key, true).unwrap();
    assert!(is_taken(&authority.file, &file, "localhost"));

    std::fs::remove_file(folder.0.join("ca.key")).unwrap();
    let error = Authority::open(&folder.0, "pbx", false).unwrap_err();
    assert!(error.to_string().contains("ca.key"), "{error}");
    folder.write("ca.key", foreign.signing_key.serialize_pem());
    let error = Authority::open(&folder.0, "pbx", false).unwrap_err();
    assert!(error.to_string().contains("does not belong"), "{error}");
    assert!(Authority::open(&folder.0, "pbx", true).unwrap().is_new);
}
