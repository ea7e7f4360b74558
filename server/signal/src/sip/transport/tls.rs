//! What TLS a transport speaks: certificate, versions, suites, client certificates.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{TlsMethod, TransportConfig};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{CipherSuite, RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_rustls::TlsAcceptor;
use web::Certificate;

/// Files of `ca_list_path` that are read.
const AUTHORITIES_MAX: usize = 1_000;

/// The acceptor of a transport, or a sentence about why there is none.
pub(crate) fn acceptor(config: &TransportConfig) -> Result<TlsAcceptor, String> {
    let certificate = config
        .cert_file
        .as_deref()
        .ok_or("protocol=tls needs cert_file")?;
    let key = config.priv_key_file.as_deref().unwrap_or(certificate);
    let certificate = Certificate::from_files(Path::new(certificate), Path::new(key))
        .map_err(|error| error.to_string())?;
    let provider = Arc::new(provider(config));
    let versions: &[&SupportedProtocolVersion] = match config.method {
        TlsMethod::Tls12 => &[&rustls::version::TLS12],
        TlsMethod::Tls13 => &[&rustls::version::TLS13],
        TlsMethod::Any | TlsMethod::Obsolete => &[&rustls::version::TLS13, &rustls::version::TLS12],
    };
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(|error| format!("TLS cannot be spoken: {error}"))?;
    let builder = if config.verify_client || config.require_client_cert {
        builder.with_client_cert_verifier(verifier(config, provider)?)
    } else {
        builder.with_no_client_auth()
    };
    let server = builder.with_cert_resolver(Arc::new(certificate));
    Ok(TlsAcceptor::from(Arc::new(server)))
}

/// `require_client_cert=yes` turns away who shows none; `verify_client=yes` alone lets him in.
fn verifier(
    config: &TransportConfig,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for file in authorities(config)? {
        for certificate in read(&file)? {
            roots.add(certificate).map_err(|error| {
                format!("{} has an unusable certificate: {error}", file.display())
            })?;
        }
    }
    if roots.is_empty() {
        let sentence = "client certificates are to be checked, but ca_list_file and ca_list_path \
                        hold no certificate of an authority";
        return Err(sentence.to_owned());
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match config.require_client_cert {
        true => builder,
        false => builder.allow_unauthenticated(),
    };
    builder
        .build()
        .map_err(|error| format!("client certificates cannot be checked: {error}"))
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
