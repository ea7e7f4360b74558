//! Certificates from files: each fault names its file, and TLS is served with what is left.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use web::{Certificate, CertificateError, Listen, Options, Routes, Server};

/// A directory that vanishes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sidetone-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

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
    let both = folder.write("both.pem", &format!("{certificate}{key}"));
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
