//! SIP over TLS: certificates of ours and of clients, faults by name, new certificates under old
//! connections.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{Config, TransportConfig};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{Exchange, request, transport, unique};
use crate::transport::StreamPhone;

/// A folder with an authority and what it signed.
pub(crate) struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    pub(crate) fn new() -> Self {
        let name = format!("sidetone-tls-{}-{}", std::process::id(), unique());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    /// An authority in `NAME.pem`.
    pub(crate) fn authority(&self, name: &str) -> Issuer<'static, KeyPair> {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        self.write(&format!("{name}.pem"), &certificate.pem());
        Issuer::new(parameters, key)
    }

    /// A certificate for localhost in `NAME.pem`, its key in `NAME.key`.
    pub(crate) fn certificate(&self, name: &str, by: &Issuer<'_, KeyPair>, expired: bool) {
        let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        if expired {
            parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
            parameters.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, by).unwrap();
        self.write(&format!("{name}.pem"), &certificate.pem());
        self.write(&format!("{name}.key"), &key.serialize_pem());
    }

    pub(crate) fn tls(&self, more: &[(&str, &str)]) -> TransportConfig {
        let (certificate, key) = (self.path("server.pem"), self.path("server.key"));
        let mut options = vec![("cert_file", &*certificate), ("priv_key_file", &*key)];
        options.extend(more);
        transport("tls", "127.0.0.1", &options)
    }

    /// A client that trusts `authority` and shows the certificate `own`.
    async fn connect(
        &self,
        address: SocketAddr,
        own: Option<&str>,
    ) -> std::io::Result<StreamPhone<TlsStream<TcpStream>>> {
        let mut roots = RootCertStore::empty();
        roots.add(read(&self.0.join("ca.pem"))).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match own {
            Some(name) => {
                let key = self.0.join(format!("{name}.key"));
                let key = PrivateKeyDer::from_pem_file(key).unwrap();
                let chain = vec![read(&self.0.join(format!("{name}.pem")))];
                builder.with_client_auth_cert(chain, key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await?;
        Ok(StreamPhone::new(stream))
    }
}

fn read(file: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file).unwrap()
}

fn bound(exchange: &Exchange) -> SocketAddr {
    exchange.signal.transports()[0].bound.expect("it listens")
}

/// The certificate the exchange shows.
fn shown(phone: &StreamPhone<TlsStream<TcpStream>>) -> CertificateDer<'static> {
    let (_, connection) = phone.stream.get_ref();
    connection.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}

#[tokio::test]
async fn phones_register_over_tls_and_a_new_certificate_disturbs_nobody() {
    let folder = Folder::new();
    let authority = folder.authority("ca");
    folder.certificate("server", &authority, false);
    let config = folder.tls(&[]);
    let exchange = Exchange::on(vec![config.clone()]).await;
    assert_eq!(exchange.signal.faults(), Vec::<String>::new());
    let mut old = folder.connect(bound(&exchange), None).await.unwrap();
    assert_eq!(old.register("alice", "wonderland").await, 200);

    let config = Config {
        transports: vec![config],
        ..Config::default()
    };
    // A damaged file leaves the old certificate in force and says why.
    let before = shown(&old);
    folder.write("server.pem", "nothing");
    let faults = exchange.signal.prepare(&config).unwrap_err();
    assert!(
        faults[0].contains("server.pem has no certificate in PEM form"),
        "{faults:?}"
    );
    let again = folder.connect(bound(&exchange), None).await.unwrap();
    assert_eq!(shown(&again), before);

    folder.certificate("server", &authority, false);
    exchange.signal.prepare(&config).unwrap().commit();
    let new = folder.connect(bound(&exchange), None).await.unwrap();
    assert_ne!(shown(&new), before);
    let options = request("OPTIONS", "sip:127.0.0.1", "alice", "");
    assert_eq!(old.ask(&options).await.status.code(), 401, "lives on");
    assert_eq!(exchange.signal.counts().bindings, 1);
}

/// The certificate shown after the next look at its files, or a little before.
async fn later(folder: &Folder, exchange: &Exchange) -> CertificateDer<'static> {
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(3)).await;
    tokio::time::resume();
    shown(&folder.connect(bound(exchange), None).await.unwrap())
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_without_a_reload() {
    let folder = Folder::new();
    let authority = folder.authority("ca");
    folder.certificate("server", &authority, false);
    let exchange = Exchange::on(vec![folder.tls(&[])]).await;
    let mut old = folder.connect(bound(&exchange), None).await.unwrap();
    assert_eq!(old.register("alice", "wonderland").await, 200);
    folder.write("server.pem", "half a file");
    for _ in 0..5 {
        assert_eq!(later(&folder, &exchange).await, shown(&old), "a bad one");
    }
    folder.certificate("server", &authority, false);
    let renewed = read(&folder.0.join("server.pem"));
    let mut looks = 0;
    while later(&folder, &exchange).await != renewed {
        looks += 1;
        assert!(looks < 100, "the new certificate is never taken");
    }
    let options = request("OPTIONS", "sip:127.0.0.1", "alice", "");
    assert_eq!(old.ask(&options).await.status.code(), 401, "lives on");
}

#[tokio::test]
async fn certificates_that_cannot_be_used_are_named_with_their_line() {
    let folder = Folder::new();
    let authority = folder.authority("ca");
    folder.certificate("server", &authority, false);
    folder.certificate("other", &authority, false);
    folder.certificate("old", &authority, true);
    let (server, old, other) = (
        folder.path("server.pem"),
        folder.path("old.pem"),
        folder.path("other.key"),
    );
    let (old_key, server_key) = (folder.path("old.key"), folder.path("server.key"));
    let missing = folder.path("missing.pem");
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[("cert_file", &missing)], "missing.pem: No such file"),
        (
            &[("cert_file", &old), ("priv_key_file", &old_key)],
            "expired since",
        ),
        (
            &[("cert_file", &server), ("priv_key_file", &other)],
            "does not belong to the certificate",
        ),
        (&[("cert_file", &server)], "has no private key in PEM form"),
        (&[], "protocol=tls needs cert_file"),
        (
            &[
                ("cert_file", &server),
                ("priv_key_file", &server_key),
                ("require_client_cert", "yes"),
                ("ca_list_file", &server_key),
            ],
            "hold no certificate of an authority",
        ),
    ];
    let mut transports: Vec<TransportConfig> = cases
        .iter()
        .zip(10..)
        .map(|((options, _), line)| {
            let mut transport = transport("tls", "127.0.0.1", options);
            transport.id = format!("tls-{line}");
            transport.written.file = "pjsip.conf".to_owned();
            transport.written.line = line;
            transport
        })
        .collect();
    transports.push(transport("tcp", "127.0.0.1", &[]));
    let exchange = Exchange::on(transports).await;
    let faults = exchange.signal.faults();
    for ((line, (_, reason)), fault) in (10..).zip(cases).zip(&faults) {
        let begin = format!("pjsip.conf:{line}: transport `tls-{line}` does not listen: ");
        assert!(
            fault.starts_with(&begin) && fault.contains(reason),
            "{fault}"
        );
    }
    assert_eq!(faults.len(), cases.len());
    let tcp = exchange.signal.transports()[6].bound.unwrap();
    let mut phone = StreamPhone::new(TcpStream::connect(tcp).await.unwrap());
    assert_eq!(phone.register("alice", "wonderland").await, 200);
}

#[tokio::test]
async fn client_certificates_are_asked_for_and_checked() {
    let folder = Folder::new();
    let authority = folder.authority("ca");
    let foreign = folder.authority("foreign");
    folder.certificate("server", &authority, false);
    folder.certificate("phone", &authority, false);
    folder.certificate("stranger", &foreign, false);
    let ca = folder.path("ca.pem");
    let folder_of_cas = folder.path("cas");
    std::fs::create_dir(&folder_of_cas).unwrap();
    std::fs::copy(&ca, Path::new(&folder_of_cas).join("one.pem")).unwrap();
    let required = folder.tls(&[("require_client_cert", "yes"), ("ca_list_file", &ca)]);
    let mut optional = folder.tls(&[("verify_client", "yes"), ("ca_list_path", &folder_of_cas)]);
    optional.bind.set_ip("127.0.0.2".parse().unwrap());
    let exchange = Exchange::on(vec![required, optional]).await;
    assert_eq!(exchange.signal.faults(), Vec::<String>::new());
    let states = exchange.signal.transports();
    let cases = [
        (0, Some("phone"), true),
        (0, Some("stranger"), false),
        (0, None, false),
        (1, Some("phone"), true),
        (1, Some("stranger"), false),
        (1, None, true),
    ];
    for (index, own, admitted) in cases {
        let address = states[index].bound.unwrap();
        // In TLS 1.3 the client learns of its refusal by the first read.
        let Ok(mut phone) = folder.connect(address, own).await else {
            assert!(!admitted, "{index} {own:?}");
            continue;
        };
        if admitted {
            assert_eq!(phone.register("alice", "wonderland").await, 200);
        } else {
            let mut buffer = [0; 1];
            assert!(
                phone.stream.read(&mut buffer).await.is_err(),
                "{index} {own:?}"
            );
        }
    }
}

#[tokio::test]
async fn versions_and_suites_are_those_of_the_transport() {
    let folder = Folder::new();
    let authority = folder.authority("ca");
    folder.certificate("server", &authority, false);
    for (method, cipher, version, suite) in [
        (
            "tlsv1_2",
            "ECDHE-ECDSA-AES128-GCM-SHA256",
            rustls::ProtocolVersion::TLSv1_2,
            rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ),
        (
            "unspecified",
            "TLS_CHACHA20_POLY1305_SHA256",
            rustls::ProtocolVersion::TLSv1_3,
            rustls::CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        ),
    ] {
        let config = folder.tls(&[("method", method), ("cipher", cipher)]);
        let exchange = Exchange::on(vec![config]).await;
        let phone = folder.connect(bound(&exchange), None).await.unwrap();
        let (_, connection) = phone.stream.get_ref();
        assert_eq!(connection.protocol_version(), Some(version));
        let negotiated = connection.negotiated_cipher_suite().unwrap();
        assert_eq!(negotiated.suite(), suite);
    }
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let folder = Folder::new();
    let authority = folder.authority("ca");
    folder.certificate("server", &authority, false);
    let quick = signal::Limits {
        handshake: std::time::Duration::from_millis(100),
        ..signal::Limits::default()
    };
    let exchange = Exchange::listening(
        &[("pjsip.conf", crate::support::PJSIP)],
        signal::Keepalive::default(),
        vec![folder.tls(&[])],
        quick,
    )
    .await;
    let stalled = TcpStream::connect(bound(&exchange)).await.unwrap();
    assert_eq!(StreamPhone::new(stalled).closed().await, b"");
    let plain = TcpStream::connect(bound(&exchange)).await.unwrap();
    let mut plain = StreamPhone::new(plain);
    plain
        .send(&request("OPTIONS", "sip:127.0.0.1", "alice", ""))
        .await;
    let _ = plain.closed().await;
    let mut phone = folder.connect(bound(&exchange), None).await.unwrap();
    assert_eq!(phone.register("alice", "wonderland").await, 200);
}
