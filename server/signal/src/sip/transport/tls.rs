//! What TLS a transport speaks: certificate, versions, suites, certificates of others.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{TlsMethod, TransportConfig};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use web::{Certificate, Facts};

/// Files of `ca_list_path` that are read.
const AUTHORITIES_MAX: usize = 1_000;

/// The acceptor of a transport with the certificate it shows, or a sentence about why there is none.
pub(crate) fn acceptor(config: &TransportConfig) -> Result<(TlsAcceptor, Certificate), String> {
    let certificate = config
        .cert_file
        .as_deref()
        .ok_or("protocol=tls needs cert_file")?;
    let key = config.priv_key_file.as_deref().unwrap_or(certificate);
    let certificate = Certificate::from_files(Path::new(certificate), Path::new(key))
        .map_err(|error| error.to_string())?;
    let provider = Arc::new(provider(config));
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions(config))
        .map_err(|error| format!("TLS cannot be spoken: {error}"))?;
    let builder = if config.verify_client || config.require_client_cert {
        builder.with_client_cert_verifier(verifier(config, provider)?)
    } else {
        builder.with_no_client_auth()
    };
    let server = builder.with_cert_resolver(Arc::new(certificate.clone()));
    Ok((TlsAcceptor::from(Arc::new(server)), certificate))
}

fn versions(config: &TransportConfig) -> Vec<&'static SupportedProtocolVersion> {
    match config.method {
        TlsMethod::Tls12 => vec![&rustls::version::TLS12],
        TlsMethod::Tls13 => vec![&rustls::version::TLS13],
        TlsMethod::Any | TlsMethod::Obsolete => {
            vec![&rustls::version::TLS13, &rustls::version::TLS12]
        }
    }
}

/// `require_client_cert=yes` turns away who shows none; `verify_client=yes` alone lets him in.
fn verifier(
    config: &TransportConfig,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let roots = roots(config)
        .map_err(|error| format!("client certificates are to be checked, but {error}"))?;
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider);
    let builder = match config.require_client_cert {
        true => builder,
        false => builder.allow_unauthenticated(),
    };
    builder
        .build()
        .map_err(|error| format!("client certificates cannot be checked: {error}"))
}

/// Every certificate of an authority that the transport names.
fn roots(config: &TransportConfig) -> Result<Arc<RootCertStore>, String> {
    let mut roots = RootCertStore::empty();
    for file in authorities(config)? {
        for certificate in read(&file)? {
            roots.add(certificate).map_err(|error| {
                format!("{} has an unusable certificate: {error}", file.display())
            })?;
        }
    }
    match roots.is_empty() {
        true => Err("ca_list_file and ca_list_path hold no certificate of an authority".to_owned()),
        false => Ok(Arc::new(roots)),
    }
}

/// How we connect to others, or a sentence about why we cannot. Who asks for a certificate is shown
/// that of the transport.
pub(crate) fn connector(config: &TransportConfig) -> Result<TlsConnector, String> {
    let provider = Arc::new(provider(config));
    let unspoken = |error| format!("TLS cannot be spoken: {error}");
    let servers = Servers::of(config, provider.clone())?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(config))
        .map_err(unspoken)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(servers));
    let client = match config.cert_file.as_deref() {
        Some(certificate) => {
            let key = config.priv_key_file.as_deref().unwrap_or(certificate);
            let own = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| format!("{key} is not usable: {error}"))?;
            let chain = read(Path::new(certificate))?;
            builder
                .with_client_auth_cert(chain, own)
                .map_err(unspoken)?
        }
        None => builder.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(client)))
}

/// Which certificates of others are good: all, unless `verify_server=yes`; then those of the
/// authorities that name the host, without a wildcard unless `allow_wildcard_certs=yes`.
#[derive(Debug)]
struct Servers {
    provider: Arc<CryptoProvider>,
    checked: Option<Arc<WebPkiServerVerifier>>,
    wildcards: bool,
}

impl Servers {
    fn of(config: &TransportConfig, provider: Arc<CryptoProvider>) -> Result<Self, String> {
        let checked = match config.verify_server {
            true => {
                let roots = roots(config);
                let roots = roots.map_err(|error| format!("verify_server=yes, but {error}"))?;
                let checked = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
                let checked = checked.build();
                Some(checked.map_err(|error| format!("certificates cannot be checked: {error}"))?)
            }
            false => None,
        };
        Ok(Self {
            provider,
            checked,
            wildcards: config.allow_wildcard_certs,
        })
    }
}

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(checked) = &self.checked else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified = checked.verify_server_cert(leaf, chain, name, ocsp, now)?;
        if let ServerName::DnsName(wanted) = name
            && !self.wildcards
        {
            let names = Facts::of(leaf).map(|facts| facts.names).unwrap_or_default();
            if !names
                .iter()
                .any(|name| name.eq_ignore_ascii_case(wanted.as_ref()))
            {
                let sentence = "the certificate fits by a wildcard, and allow_wildcard_certs is no";
                return Err(rustls::Error::General(sentence.to_owned()));
            }
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The file of `ca_list_file` and those in `ca_list_path`.
fn authorities(config: &TransportConfig) -> Result<Vec<PathBuf>, String> {
    let mut files: Vec<PathBuf> = config.ca_list_file.iter().map(PathBuf::from).collect();
    if let Some(folder) = &config.ca_list_path {
        let unreadable = |error| format!("cannot read the folder {folder}: {error}");
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_file() {
                files.push(path);
            }
            if files.len() > AUTHORITIES_MAX {
                return Err(format!("{folder} has more than {AUTHORITIES_MAX} files"));
            }
        }
    }
    Ok(files)
}

fn read(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem =
        std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{} is not usable: {error}", file.display()))
}

/// The suites `cipher` names; of a version it names none of, all.
fn provider(config: &TransportConfig) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    let named: Vec<CipherSuite> = config
        .cipher
        .iter()
        .filter_map(|name| {
            let mut known = SUITES.iter();
            known.find(|(openssl, _)| openssl.eq_ignore_ascii_case(name))
        })
        .map(|(_, suite)| *suite)
        .collect();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let of_version = |suite: &rustls::SupportedCipherSuite| suite.version() == version;
        let names_one = provider
            .cipher_suites
            .iter()
            .any(|suite| of_version(suite) && named.contains(&suite.suite()));
        if names_one {
            provider
                .cipher_suites
                .retain(|suite| !of_version(suite) || named.contains(&suite.suite()));
        }
    }
    provider
}

/// OpenSSL's names.
const SUITES: [(&str, CipherSuite); 9] = [
    (
        "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_AES_256_GCM_SHA384,
    ),
    (
        "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_128_GCM_SHA256,
    ),
    (
        "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    ),
    (
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "ECDHE-RSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

#[cfg(test)]
mod tests {
    use config::Object;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    use super::*;

    #[test]
    fn every_suite_the_configuration_knows_exists() {
        let all = aws_lc_rs::default_provider().cipher_suites;
        let names: Vec<&str> = SUITES.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, config::CIPHERS);
        for (name, suite) in SUITES {
            assert!(all.iter().any(|one| one.suite() == suite), "{name}");
        }
    }

    /// An authority in a file, and a certificate of it for this name.
    fn signed(file: &Path, name: &str) -> CertificateDer<'static> {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = parameters.self_signed(&key).unwrap();
        std::fs::write(file, authority.pem()).unwrap();
        let issuer = Issuer::new(parameters, key);
        let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &issuer);
        leaf.unwrap().der().clone()
    }

    #[test]
    fn a_wildcard_is_taken_only_where_that_is_written() {
        let file = std::env::temp_dir().join(format!("sidetone-ca-{}.pem", std::process::id()));
        let asked = ServerName::try_from("a.pbx.example").unwrap();
        for (name, wildcards, good) in [
            ("a.pbx.example", "no", true),
            ("A.pbx.example", "no", true),
            ("*.pbx.example", "no", false),
            ("*.pbx.example", "yes", true),
            ("b.pbx.example", "yes", false),
        ] {
            let leaf = signed(&file, name);
            let columns = [
                ("ca_list_file", file.to_str().unwrap()),
                ("verify_server", "yes"),
                ("allow_wildcard_certs", wildcards),
            ];
            let (config, _) = TransportConfig::from_columns("t", &columns).unwrap();
            let servers = Servers::of(&config, Arc::new(provider(&config))).unwrap();
            let verdict = servers.verify_server_cert(&leaf, &[], &asked, &[], UnixTime::now());
            assert_eq!(verdict.is_ok(), good, "{name} {wildcards}: {verdict:?}");
        }
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn named_suites_alone_are_spoken() {
        let columns = [("cipher", "ecdhe-rsa-aes256-gcm-sha384")];
        let (config, _) = TransportConfig::from_columns("t", &columns).unwrap();
        let suites = provider(&config).cipher_suites;
        let of_12 = suites
            .iter()
            .filter(|suite| suite.version() == &rustls::version::TLS12);
        let of_12: Vec<_> = of_12.map(rustls::SupportedCipherSuite::suite).collect();
        assert_eq!(of_12, [CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]);
        assert_eq!(suites.len(), 4, "TLS 1.3 keeps its three");
    }
}
