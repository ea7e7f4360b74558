//! Certificates from files: each fault names its file, and TLS is served with what is left.

use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use web::{Certificate, CertificateError, Listen, Options, Refreshed, Routes, Server};

use crate::support::Folder;

fn pair(key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    change(&mut parameters);
    (
        parameters.self_signed(key).unwrap().pem(),
        key.serialize_pem(),
    )
}

fn ec() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

#[test]
fn every_fault_names_its_file() {
    let folder = Folder::new("faults");
    let (certificate, key) = pair(&ec(), |_| {});
    let (_, other_key) = pair(&ec(), |_| {});
    let (expired, expired_key) = pair(&ec(), |parameters| {
        parameters.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    let (future, future_key) = pair(&ec(), |parameters| {
        parameters.not_before = rcgen::date_time_ymd(2090, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2091, 1, 1);
    });
    let good = folder.write("good.pem", &certificate);
    let good_key = folder.write("good.key", &key);
    let text = folder.write("text.pem", "hello\n");
    let cut = folder.write("cut.pem", &certificate[..certificate.len() / 2]);
    let missing = folder.0.join("missing.pem");
    let cases: [(&Path, &Path, &str); 8] = [
        (&missing, &good_key, "missing.pem"),
        (&good, &missing, "missing.pem"),
        (&text, &good_key, "text.pem has no certificate"),
        (&good, &text, "text.pem has no private key"),
        (&cut, &good_key, "cut.pem"),
        (
            &good,
            &folder.write("other.key", &other_key),
            "other.key does not belong",
        ),
        (
            &folder.write("old.pem", &expired),
            &folder.write("old.key", &expired_key),
            "old.pem is expired",
        ),
        (
            &folder.write("new.pem", &future),
            &folder.write("new.key", &future_key),
            "new.pem is not valid",
        ),
    ];
    for (certificate, key, expected) in cases {
        let error = Certificate::from_files(certificate, key)
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error} should say {expected}");
    }
    assert!(Certificate::from_files(&good, &good_key).is_ok());
    let both = folder.write("both.pem", format!("{certificate}{key}"));
    assert!(
        Certificate::from_files(&both, &both).is_ok(),
        "one file may hold both"
    );
    assert!(matches!(
        Certificate::from_files(&folder.0, &good_key),
        Err(CertificateError::Unreadable { .. })
    ));
}

/// The certificate a TLS client is shown.
async fn shown(address: std::net::SocketAddr, trusted: &str) -> CertificateDer<'static> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let tls = connector.connect(name, stream).await.unwrap();
    let (_, connection) = tls.get_ref();
    connection.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}

#[tokio::test]
async fn certificate_is_replaced_under_a_running_server() {
    let (first, first_key) = pair(&ec(), |_| {});
    let (second, second_key) = pair(&KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap(), |_| {});
    let certificate = Certificate::from_pem(first.as_bytes(), first_key.as_bytes()).unwrap();
    let options = Options {
        listeners: vec![Listen {
            address: "127.0.0.1:0".parse().unwrap(),
            secure: true,
            optional: false,
        }],
        certificate: Some(certificate.clone()),
        ..Options::default()
    };
    let server = Server::start(options, Routes::new()).unwrap();
    let address = server.listening()[0].address;
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    assert_eq!(shown(address, &first).await, der(&first));
    certificate.replace(&Certificate::from_pem(second.as_bytes(), second_key.as_bytes()).unwrap());
    assert_eq!(shown(address, &second).await, der(&second));
}

/// Sets the time of change, as a file written later has it.
fn touch(file: &Path, minutes: u64) {
    let file = std::fs::File::options().write(true).open(file).unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60 * minutes);
    file.set_modified(later).unwrap();
}

#[test]
fn changed_files_are_taken_when_they_rest_and_broken_ones_are_named_once() {
    let folder = Folder::new("watch");
    let (first, first_key) = pair(&ec(), |_| {});
    let (second, second_key) = pair(&ec(), |parameters| {
        parameters.distinguished_name = rcgen::DistinguishedName::new();
    });
    let file = folder.write("pbx.crt", &first);
    let key = folder.write("pbx.key", &first_key);
    let certificate = Certificate::from_files(&file, &key).unwrap();
    let before = certificate.facts();
    assert!(matches!(certificate.refresh(), Refreshed::Unchanged));

    // The one is written before the other.
    folder.write("pbx.crt", &second);
    touch(&file, 1);
    assert!(matches!(certificate.refresh(), Refreshed::Unchanged));
    folder.write("pbx.key", &second_key);
    touch(&key, 1);
    assert!(matches!(certificate.refresh(), Refreshed::Unchanged));
    assert!(matches!(certificate.refresh(), Refreshed::Replaced));
    let after = certificate.facts();
    assert_ne!(before, after);

    folder.write("pbx.crt", "no certificate at all");
    touch(&file, 2);
    assert!(matches!(certificate.refresh(), Refreshed::Unchanged));
    let Refreshed::Kept(error) = certificate.refresh() else {
        panic!("a broken file was taken");
    };
    assert!(
        error.to_string().contains("pbx.crt has no certificate"),
        "{error}"
    );
    assert!(matches!(certificate.refresh(), Refreshed::Unchanged));
    std::fs::remove_file(&file).unwrap();
    certificate.refresh();
    let Refreshed::Kept(error) = certificate.refresh() else {
        panic!("a missing file was taken");
    };
    assert!(error.to_string().starts_with("cannot read "), "{error}");
    assert_eq!(certificate.facts(), after);
}

#[test]
fn certificates_as_people_have_them_are_used_as_they_are() {
    // Scripts in the manner of ast_tls_cert make certificates of version 1, without a name that a
    // browser looks at.
    let certificate = Certificate::from_pem(
        include_bytes!("fixtures/version1.crt"),
        include_bytes!("fixtures/version1.key"),
    );
    let certificate = certificate.unwrap();
    assert_eq!(certificate.facts().common_name.as_deref(), Some("pbx"));
    let remarks = certificate.remarks();
    assert!(remarks[0].contains("has no subjectAltName"), "{remarks:?}");

    // The key first, a chain behind the leaf, and parameters of the curve before the key.
    let (leaf, key) = pair(&ec(), |_| {});
    let (authority, _) = pair(&ec(), |_| {});
    let parameters =
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let all = format!("{parameters}{key}{leaf}{authority}");
    let certificate = Certificate::from_pem(all.as_bytes(), all.as_bytes()).unwrap();
    assert!(certificate.covers("localhost") && !certificate.covers("127.0.0.1"));
    assert_eq!(certificate.remarks(), [""; 0]);

    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let error = Certificate::from_pem(leaf.as_bytes(), locked.as_bytes()).unwrap_err();
    assert!(
        matches!(error, CertificateError::Encrypted { .. }),
        "{error}"
    );
}
