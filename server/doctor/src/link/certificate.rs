//! The certificates of HTTPS and of SIP over TLS: readable, whole, matching, in date, for the right
//! names, trusted.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use config::{Config, Protocol};
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use serde_json::{Value, json};
use web::CertificateError;
use webpki::{EndEntityCert, KeyUsage};

use crate::places::Places;
use crate::report::Link;
use crate::root::Root;

const NAME: &str = "certificate";

/// Where a certificate is named.
struct Named {
    what: String,
    certificate: String,
    key: String,
    place: String,
    key_place: String,
}

/// What the certificates are examined against.
pub(crate) struct Against<'a> {
    pub(crate) root: &'a Root,
    /// The names browsers use, as the operator says; empty if he does not.
    pub(crate) names: &'a [String],
    pub(crate) hostname: Option<&'a str>,
    pub(crate) store: &'a Store,
}

/// The certificates this system trusts.
pub(crate) struct Store {
    pub(crate) file: Option<String>,
    pub(crate) certificates: Vec<CertificateDer<'static>>,
}

impl Store {
    /// Reads the bundle of the distribution, or the one SSL_CERT_FILE names, as OpenSSL does.
    pub(crate) fn of(root: &Root) -> Self {
        let named = std::env::var("SSL_CERT_FILE").ok();
        let files = named.into_iter().chain(BUNDLES.map(str::to_owned));
        for file in files {
            if let Some(text) = root.read(&file) {
                let certificates = CertificateDer::pem_slice_iter(text.as_bytes());
                return Self {
                    file: Some(file),
                    certificates: certificates.filter_map(Result::ok).collect(),
                };
            }
        }
        Self {
            file: None,
            certificates: Vec::new(),
        }
    }
}

/// Debian, Fedora and Red Hat, Alpine and BSD.
const BUNDLES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// Examines every certificate once.
pub(crate) fn examine(config: &Config, places: &Places<'_>, against: &Against<'_>) -> Link {
    let mut link = Link::new(NAME, String::new());
    let all = named(config, places, &mut link);
    let is_got = config.http.acme.is_some();
    if is_got && all.is_empty() {
        return link;
    }
    if all.is_empty() && link.findings.is_empty() {
        let mut link = Link::new(NAME, "none is configured");
        link.warn(
            Some(places.option("http.conf", "general", &["tlsenable"])),
            "there is no HTTPS: browsers give microphone and camera only to pages of https:// or localhost",
            "make a certificate with `sidetone cert`, then write tlsenable=yes, tlsbindaddr=0.0.0.0:8089, \
             tlscertfile and tlsprivatekey",
        );
        return link;
    }
    let mut seen = BTreeSet::new();
    let mut details = Vec::new();
    let mut shown = Vec::new();
    for named in &all {
        if !seen.insert((named.certificate.clone(), named.key.clone())) {
            continue;
        }
        let before = link.findings.len();
        details.push(one(named, against, &mut link));
        if link.findings.len() == before {
            shown.push(named.certificate.clone());
        }
    }
    link.summary = match shown.is_empty() {
        true => format!("{} examined", seen.len()),
        false => format!("good and trusted: {}", shown.join(", ")),
    };
    link.details = json!(details);
    link
}

/// `http.conf` first, then each TLS transport.
fn named(config: &Config, places: &Places<'_>, link: &mut Link) -> Vec<Named> {
    let mut all = Vec::new();
    if let Some(tls) = &config.http.tls {
        let place = |options: &[&str]| places.option("http.conf", "general", options);
        all.push(Named {
            what: "HTTPS".to_owned(),
            certificate: tls.certificate.clone(),
            key: tls.private_key.clone(),
            place: place(&["tlscertfile", "sslcert"]),
            key_place: place(&["tlsprivatekey", "sslprivatekey", "tlscertfile", "sslcert"]),
        });
    }
    for transport in &config.transports {
        if transport.protocol != Protocol::Tls {
            continue;
        }
        let place = |options: &[&str]| places.object(&transport.id, "transport", options);
        let Some(certificate) = &transport.cert_file else {
            link.fail(
                Some(place(&["protocol"])),
                format!("transport {} is tls and names no certificate", transport.id),
                "add cert_file= and priv_key_file= there; `sidetone cert` makes them",
            );
            continue;
        };
        all.push(Named {
            what: format!("transport {}", transport.id),
            key: transport
                .priv_key_file
                .clone()
                .unwrap_or_else(|| certificate.clone()),
            certificate: certificate.clone(),
            place: place(&["cert_file"]),
            key_place: place(&["priv_key_file", "cert_file"]),
        });
    }
    all
}

fn one(named: &Named, against: &Against<'_>, link: &mut Link) -> Value {
    let (certificate, key) = (Path::new(&named.certificate), Path::new(&named.key));
    if let Err(error) = web::Certificate::from_files(certificate, key) {
        let (place, cure) = match &error {
            CertificateError::Unreadable { file, source } => (
                if file == key { &named.key_place } else { &named.place },
                match source.kind() {
                    std::io::ErrorKind::NotFound => {
                        "make one with `sidetone cert`, or correct the path".to_owned()
                    }
                    _ => format!("let the exchange's user read it: `chgrp sidetone {0} && chmod 640 {0}`", file.display()),
                },
            ),
            CertificateError::Missing { file, .. } | CertificateError::Damaged { file, .. } => (
                if file == key { &named.key_place } else { &named.place },
                "name a PEM file with `-----BEGIN CERTIFICATE-----` (the chain, the server's first) or its \
                 private key"
                    .to_owned(),
            ),
            CertificateError::Encrypted { .. } => (
                &named.key_place,
                "the exchange starts without anybody to type the password: store the key without one, mode 0600"
                    .to_owned(),
            ),
            CertificateError::Mismatch { .. } => (
                &named.key_place,
                "name the key the certificate was made with, or make both anew with `sidetone cert`"
                    .to_owned(),
            ),
            CertificateError::OutOfDate { .. } => (
                &named.place,
                "renew it (`sidetone cert` makes one for this machine); if it should be valid, set the clock \
                 of this machine"
                    .to_owned(),
            ),
        };
        link.fail(
            Some(place.clone()),
            format!("{}: {error}", named.what),
            cure,
        );
        return json!({ "file": named.certificate, "error": error.to_string() });
    }
    unreadable_for_service(named, against.root, link);
    let chain: Vec<CertificateDer<'_>> = std::fs::read(certificate)
        .map(|pem| {
            CertificateDer::pem_slice_iter(&pem)
                .filter_map(Result::ok)
                .collect()
        })
        .unwrap_or_default();
    let Some(leaf) = chain.first() else {
        return Value::Null;
    };
    let days = days_left(leaf, named, link);
    names(leaf, named, against, link);
    let is_trusted = trust(&chain, named, against, link);
    json!({ "file": named.certificate, "days_left": days, "trusted": is_trusted })
}

fn days_left(leaf: &CertificateDer<'_>, named: &Named, link: &mut Link) -> Option<i64> {
    let not_after = web::Facts::of(leaf)?.not_after;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let days = (not_after - i64::try_from(now.as_secs()).ok()?) / 86_400;
    if days < DAYS_SOON {
        link.warn(
            Some(named.place.clone()),
            format!(
                "{}: the certificate in {} expires in {days} days",
                named.what, named.certificate
            ),
            "renew it now; the exchange takes the new file without a restart",
        );
    }
    Some(days)
}

/// Authorities that renew by themselves do so 30 days before the end.
const DAYS_SOON: i64 = 21;

fn names(leaf: &CertificateDer<'_>, named: &Named, against: &Against<'_>, link: &mut Link) {
    let Ok(parsed) = EndEntityCert::try_from(leaf) else {
        return;
    };
    let speaks_for = |name: &str| {
        ServerName::try_from(name.to_owned())
            .is_ok_and(|name| parsed.verify_is_valid_for_subject_name(&name).is_ok())
    };
    let written: Vec<&str> = parsed.valid_dns_names().collect();
    let written = match written.is_empty() {
        true => "no DNS name".to_owned(),
        false => written.join(", "),
    };
    for name in against.names.iter().filter(|name| !speaks_for(name)) {
        link.fail(
            Some(named.place.clone()),
            format!(
                "{}: the certificate in {} is not for {name} (it is for {written})",
                named.what, named.certificate
            ),
            format!("get one for {name}: `sidetone cert --name {name}`, or from an authority"),
        );
    }
    if let (true, Some(hostname)) = (against.names.is_empty(), against.hostname)
        && !speaks_for(hostname)
    {
        link.warn(
            Some(named.place.clone()),
            format!(
                "{}: the certificate in {} is for {written}, and this machine calls itself {hostname}",
                named.what, named.certificate
            ),
            "open the page by a name of the certificate, and say it here: `sidetone doctor --name NAME`",
        );
    }
}

fn trust(
    chain: &[CertificateDer<'_>],
    named: &Named,
    against: &Against<'_>,
    link: &mut Link,
) -> Option<bool> {
    let Some(file) = &against.store.file else {
        link.note("this system has no store of trusted certificates to compare with");
        return None;
    };
    let error = verify(chain, &against.store.certificates).err()?;
    let (leaf, rest) = chain.split_first()?;
    let alone =
        rest.is_empty() && verify(std::slice::from_ref(leaf), std::slice::from_ref(leaf)).is_ok();
    let why = match error {
        webpki::Error::UnknownIssuer if alone => "it is self-signed".to_owned(),
        webpki::Error::UnknownIssuer if rest.is_empty() => {
            "its authority is not in it, or the intermediate certificate is missing from the file"
                .to_owned()
        }
        webpki::Error::UnknownIssuer => "its authority is not in it".to_owned(),
        webpki::Error::CaUsedAsEndEntity => {
            "it is an authority's certificate used as a server's".to_owned()
        }
        error => format!("{error:?}"),
    };
    link.warn(
        Some(named.place.clone()),
        format!(
            "{}: the certificate in {} is not trusted by the system store {file}: {why}",
            named.what, named.certificate
        ),
        "each browser must accept it first at https://…/ws, or trust its authority: `sidetone cert --trust` \
         says how; add intermediate certificates after the server's in the file",
    );
    Some(false)
}

/// RFC 5280 §6 as browsers do it, the name aside.
pub(crate) fn verify(
    chain: &[CertificateDer<'_>],
    trusted: &[CertificateDer<'_>],
) -> Result<(), webpki::Error> {
    let (leaf, intermediates) = chain.split_first().ok_or(webpki::Error::BadDer)?;
    let anchors: Vec<TrustAnchor<'_>> = trusted
        .iter()
        .filter_map(|certificate| webpki::anchor_from_trusted_cert(certificate).ok())
        .collect();
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
    let now = UnixTime::since_unix_epoch(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO),
    );
    EndEntityCert::try_from(leaf)?
        .verify_for_usage(
            algorithms.all,
            &anchors,
            intermediates,
            now,
            KeyUsage::server_auth(),
            None,
            None,
        )
        .map(|_| ())
}

/// Doctor may run as root, who reads everything; the service does not.
fn unreadable_for_service(named: &Named, root: &Root, link: &mut Link) {
    let Some((uid, gids)) = service_user(root) else {
        return;
    };
    for (file, place) in [
        (&named.certificate, &named.place),
        (&named.key, &named.key_place),
    ] {
        let path = Path::new(file);
        let refused = path.ancestors().find(|part| {
            // Of a folder one needs the right to pass, of the file the right to read.
            let right = if *part == path { 4 } else { 1 };
            let Ok(metadata) = std::fs::metadata(part) else {
                return false;
            };
            let mode = metadata.mode();
            let granted = if metadata.uid() == uid {
                mode >> 6
            } else if gids.contains(&metadata.gid()) {
                mode >> 3
            } else {
                mode
            };
            granted & right == 0
        });
        if let Some(part) = refused {
            let shown = part.display();
            link.fail(
                Some(place.clone()),
                format!(
                    "{}: the user {SERVICE_USER} may not read {file} ({shown} refuses)",
                    named.what
                ),
                format!("run `chgrp {SERVICE_USER} {shown} && chmod g+rX {shown}`"),
            );
        }
    }
}

/// Its number and groups, where the service is installed.
fn service_user(root: &Root) -> Option<(u32, Vec<u32>)> {
    let passwd = root.read("/etc/passwd")?;
    let fields: Vec<&str> = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&SERVICE_USER))?;
    let (uid, gid) = (fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
    let mut gids = vec![gid];
    for line in root.read("/etc/group").unwrap_or_default().lines() {
        let mut parts = line.split(':').skip(2);
        let (number, members) = (parts.next(), parts.next().unwrap_or_default());
        if members.split(',').any(|member| member == SERVICE_USER) {
            gids.extend(number.and_then(|number| number.parse::<u32>().ok()));
        }
    }
    Some((uid, gids))
}

/// The user the service runs as.
const SERVICE_USER: &str = "sidetone";
