//! TLS as http.conf settles it, tried by a client that speaks it: versions, suites, certificates.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use web::{Clients, Options, Server, TlsSettings};

use crate::support::{Folder, localhost, secure, start_with, status};

/// Who signs.
struct Authority {
    parameters: CertificateParams,
    key: KeyPair,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        let subject = &mut parameters.distinguished_name;
        subject.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self {
            parameters,
            key,
            pem,
        }
    }

    /// The certificate of a client and its key.
    fn sign(&self, name: &str) -> Shown {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let issuer = Issuer::from_params(&self.parameters, &self.key);
        let certificate = parameters.signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        (certificate.der().clone(), key)
    }
}

/// What a client shows.
type Shown = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// A secure server, where it is, and what it shows.
struct Secure {
    _server: Server,
    address: SocketAddr,
    shown: CertificateDer<'static>,
}

impl Secure {
    fn new(tls: TlsSettings) -> Self {
        let (certificate, shown) = localhost();
        let (server, address) = start_with(Options {
            listeners: vec![secure()],
            certificate: Some(certificate),
            tls,
            ..Options::default()
        });
        Self {
            _server: server,
            address,
            shown: CertificateDer::from_pem_slice(shown.as_bytes()).unwrap(),
        }
    }

    /// What is agreed on once the server has answered a request: in TLS 1.3 the client is done
    /// before the server has seen its certificate.
    async fn agreed(&self, client: Client) -> Result<(ProtocolVersion, CipherSuite), String> {
        let mut roots = RootCertStore::empty();
        roots.add(self.shown.clone()).unwrap();
        let mut provider = aws_lc_rs::default_provider();
        if let Some(suite) = client.suite {
            provider.cipher_suites.retain(|own| own.suite() == suite);
        }
        let config = configure(provider, client, roots);
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let stream = connector.connect(name, stream).await;
        let mut stream = stream.map_err(|error| error.to_string())?;
        let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let mut answer = Vec::new();
        let asked = async {
            stream.write_all(request).await?;
            stream.read_to_end(&mut answer).await
        };
        asked.await.map_err(|error| error.to_string())?;
        assert_eq!(status(&String::from_utf8_lossy(&answer)), 200);
        let (_, connection) = stream.get_ref();
        let suite = connection.negotiated_cipher_suite().unwrap().suite();
        Ok((connection.protocol_version().unwrap(), suite))
    }
}

/// What a client is able to.
struct Client {
    versions: &'static [&'static SupportedProtocolVersion],
    /// The only suite it knows.
    suite: Option<CipherSuite>,
    shows: Option<Shown>,
}

const ABLE: Client = Client {
    versions: BOTH,
    suite: None,
    shows: None,
};

const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
const OLD: &[&SupportedProtocolVersion] = &[&TLS12];

fn configure(provider: CryptoProvider, client: Client, roots: RootCertStore) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(client.versions)
        .unwrap()
        .with_root_certificates(roots);
    match client.shows {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(vec![certificate], key)
            .unwrap(),
    }
}

/// A file of one authority and a folder of two, as tlscafile and tlscapath name them.
#[tokio::test]
async fn clients_show_a_certificate_of_the_right_authority_or_are_refused() {
    let folder = Folder::new("clients");
    let (right, wrong) = (Authority::new("right"), Authority::new("wrong"));
    let pretender = Authority::new("right");
    let file = folder.write("ca.pem", &right.pem);
    folder.write("hashed/0a0b0c0d.0", &Authority::new("other").pem);
    folder.write("hashed/1a1b1c1d.0", &right.pem);
    let places: [PathBuf; 2] = [file, folder.0.join("hashed")];
    for place in places {
        let secure = Secure::new(TlsSettings {
            clients: Clients::Required(vec![place]),
            ..TlsSettings::default()
        });
        for versions in [BOTH, OLD] {
            let with = |shows| Client {
                versions,
                shows,
                ..ABLE
            };
            let refused = secure.agreed(with(None)).await.unwrap_err();
            let alerts = ["CertificateRequired", "HandshakeFailure"];
            let named = alerts.iter().any(|alert| refused.contains(alert));
            assert!(named, "{refused}");
            let stranger = with(Some(wrong.sign("phone")));
            let refused = secure.agreed(stranger).await.unwrap_err();
            assert!(refused.contains("UnknownCA"), "{refused}");
            let forged = with(Some(pretender.sign("phone")));
            let refused = secure.agreed(forged).await.unwrap_err();
            assert!(refused.contains("DecryptError"), "{refused}");
            let agreed = secure.agreed(with(Some(right.sign("phone")))).await;
            agreed.unwrap();
        }
    }
}

#[tokio::test]
async fn without_tlsverifyclient_nobody_is_asked() {
    let secure = Secure::new(TlsSettings::default());
    secure.agreed(ABLE).await.unwrap();
    let shows = Some(Authority::new("any").sign("phone"));
    secure.agreed(Client { shows, ..ABLE }).await.unwrap();
}

#[tokio::test]
async fn the_old_version_can_be_left_out() {
    let old = || Client {
        versions: OLD,
        ..ABLE
    };
    let both = Secure::new(TlsSettings::default());
    assert_eq!(both.agreed(ABLE).await.unwrap().0, ProtocolVersion::TLSv1_3);
    assert_eq!(
        both.agreed(old()).await.unwrap().0,
        ProtocolVersion::TLSv1_2
    );
    let new = Secure::new(TlsSettings {
        tls12: false,
        ..TlsSettings::default()
    });
    assert_eq!(new.agreed(ABLE).await.unwrap().0, ProtocolVersion::TLSv1_3);
    let refused = new.agreed(old()).await.unwrap_err();
    assert!(refused.contains("ProtocolVersion"), "{refused}");
}

#[tokio::test]
async fn suites_outside_the_list_are_refused() {
    use CipherSuite::{
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 as AES_128,
        TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 as AES_256,
    };
    let secure = Secure::new(TlsSettings {
        ciphers: Some("ECDHE-ECDSA-AES256-GCM-SHA384".to_owned()),
        ..TlsSettings::default()
    });
    let knows = |suite| Client {
        versions: OLD,
        suite,
        ..ABLE
    };
    let refused = secure.agreed(knows(Some(AES_128))).await.unwrap_err();
    assert!(refused.contains("HandshakeFailure"), "{refused}");
    for suite in [Some(AES_256), None] {
        let (_, agreed) = secure.agreed(knows(suite)).await.unwrap();
        assert_eq!(agreed, AES_256);
    }
    // The list says nothing about TLS 1.3, as in OpenSSL.
    let (version, _) = secure.agreed(ABLE).await.unwrap();
    assert_eq!(version, ProtocolVersion::TLSv1_3);
    // The order of the list decides, whatever the client likes best.
    let ordered = Secure::new(TlsSettings {
        ciphers: Some("ECDHE-ECDSA-AES128-GCM-SHA256:HIGH".to_owned()),
        ..TlsSettings::default()
    });
    assert_eq!(ordered.agreed(knows(None)).await.unwrap().1, AES_128);
    let polite = Secure::new(TlsSettings {
        ciphers: Some("ECDHE-ECDSA-AES128-GCM-SHA256:HIGH".to_owned()),
        server_order: false,
        ..TlsSettings::default()
    });
    assert_eq!(polite.agreed(knows(None)).await.unwrap().1, AES_256);
}
