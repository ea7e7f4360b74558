//! The certificate that `acme=yes` gets: what was got so far, and whether the next one can be got.
//!
//! Only the ACME server itself sees whether it reaches this machine from outside; what is asked here is
//! asked from this machine, and the link says so.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use config::{Acme, AcmeChallenge};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use web::{Certificate, CertificateError};

use crate::link::certificate::{Store, verify};
use crate::places::Places;
use crate::report::Link;
use crate::wire::{self, Refused, Url};

/// What the examination needs beside the settings.
pub(crate) struct About<'a> {
    /// The data folder of the exchange.
    pub(crate) data: &'a Path,
    /// The names browsers use, as the operator says; empty if he does not.
    pub(crate) names: &'a [String],
    pub(crate) store: &'a Store,
    /// Whether somebody is there to answer a challenge.
    pub(crate) is_running: bool,
    /// Where plain HTTP listens.
    pub(crate) plain_port: Option<u16>,
}

/// Adds what is found to the link about certificates.
pub(crate) async fn examine(acme: &Acme, about: &About<'_>, places: &Places<'_>, link: &mut Link) {
    let place = |option: &str| Some(places.option("http.conf", "general", &[option]));
    let got = kept(acme, about, place("acme"), link);
    let others = match link.summary.is_empty() {
        true => String::new(),
        false => format!("; {}", link.summary),
    };
    link.summary = format!("{got} (acme=yes){others}");
    for name in about.names {
        if !acme.names.iter().any(|own| speaks_for(own, name)) {
            let written = acme.names.join(", ");
            let sentence = format!("HTTPS: acme_names has no {name} (it has {written})");
            let cure = format!("add {name} to acme_names");
            link.fail(place("acme_names"), sentence, cure);
        }
    }
    directory(acme, about.store, &place, link).await;
    for name in acme.names.iter().filter(|name| !name.starts_with("*.")) {
        challenge(acme, name, about, &place, link).await;
    }
    let from = match about.is_running {
        true => "these answers are those to this machine",
        false => "the exchange is stopped, so nobody answers a challenge now",
    };
    link.note(format!(
        "whether the ACME server reaches port {} of each name from outside cannot be seen from here; {from}",
        port_of(acme.challenge)
    ));
}

/// What the data folder has from this server, in words for the summary.
fn kept(acme: &Acme, about: &About<'_>, place: Option<String>, link: &mut Link) -> String {
    let names = acme.names.join(", ");
    let file = web::Acme::kept_in(&about.data.join(web::Acme::FOLDER), &acme.directory);
    let meanwhile = "browsers warn about the self-made one that is served meanwhile";
    let certificate = match Certificate::from_files(&file, &file) {
        Ok(certificate) => certificate,
        Err(CertificateError::Unreadable { source, .. })
            if source.kind() == ErrorKind::NotFound =>
        {
            link.warn(
                place,
                format!(
                    "HTTPS: no certificate has come from {} yet; {meanwhile}",
                    acme.directory
                ),
                "start the exchange; its log says with the server's own words why there is none",
            );
            return format!("none yet for {names}");
        }
        Err(error) => {
            let sentence = format!(
                "HTTPS: what came from {} is not used: {error}",
                acme.directory
            );
            let cure = format!(
                "remove {} and restart the exchange, which gets another",
                file.display()
            );
            link.warn(place, sentence, cure);
            return format!("none that can be used for {names}");
        }
    };
    let facts = certificate.facts();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_s = i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(i64::MAX);
    let days = (facts.not_after - now_s) / 86_400;
    if let Some(missing) = acme.names.iter().find(|name| !certificate.covers(name)) {
        let sentence = format!(
            "HTTPS: the certificate in {} is not for {missing}",
            file.display()
        );
        let cure = "the exchange asks for another by itself; its log says if that fails";
        link.warn(place, sentence, cure);
    // Renewal comes at two thirds of the life; a day later something is wrong.
    } else if facts.not_after - (facts.not_after - facts.not_before) / 3 + 86_400 < now_s {
        let sentence = format!("HTTPS: the certificate expires in {days} days and is not renewed");
        let cure = "the log of the exchange says with the server's own words why";
        link.warn(place, sentence, cure);
    }
    format!("{names}, valid for {days} days, from {}", acme.directory)
}

/// Whether a name of a certificate means `name`.
fn speaks_for(own: &str, name: &str) -> bool {
    let wild = own
        .strip_prefix("*.")
        .zip(name.split_once('.'))
        .is_some_and(|(rest, (_, above))| rest.eq_ignore_ascii_case(above));
    wild || own.eq_ignore_ascii_case(name)
}

/// Whether the ACME server is there and is whom it says it is.
async fn directory(
    acme: &Acme,
    store: &Store,
    place: &impl Fn(&str) -> Option<String>,
    link: &mut Link,
) {
    let Some(url) = Url::parse(&acme.directory).filter(|url| url.is_secure) else {
        let sentence = format!("acme_directory={} is no https:// address", acme.directory);
        let cure = "write for example https://acme-v02.api.letsencrypt.org/directory";
        return link.fail(place("acme_directory"), sentence, cure);
    };
    let connected = match wire::connect(&url).await {
        Ok(connected) => connected,
        Err(refused) => {
            let sentence = format!("the ACME server cannot be asked: {refused}");
            let cure = "without it there is no new certificate: correct acme_directory, or let this machine \
                        reach it";
            return link.warn(place("acme_directory"), sentence, cure);
        }
    };
    let own = acme.ca_file.as_ref().map(|file| {
        let pem = std::fs::read(file).unwrap_or_default();
        CertificateDer::pem_slice_iter(&pem)
            .filter_map(Result::ok)
            .collect::<Vec<_>>()
    });
    let trusted = own.as_ref().unwrap_or(&store.certificates);
    if let Err(error) = verify(&connected.chain, trusted) {
        let sentence = format!("the ACME server at {} is not trusted: {error:?}", url.host);
        let cure = "name the authority of its own certificate in acme_ca_file";
        link.warn(place("acme_ca_file"), sentence, cure);
    }
}

/// Whether the name leads anywhere, and its port to this exchange.
async fn challenge(
    acme: &Acme,
    name: &str,
    about: &About<'_>,
    place: &impl Fn(&str) -> Option<String>,
    link: &mut Link,
) {
    let port = port_of(acme.challenge);
    if name.parse::<IpAddr>().is_err() {
        let found = timeout(LOOK_UP_MAX, tokio::net::lookup_host((name, port))).await;
        let is_found = found.is_ok_and(|found| found.is_ok_and(|mut all| all.next().is_some()));
        if !is_found {
            let sentence = format!("acme_names has {name}, which has no address");
            let cure =
                "enter it in DNS with the address under which the internet sees this machine";
            return link.fail(place("acme_names"), sentence, cure);
        }
    }
    if !about.is_running {
        return;
    }
    let own = match acme.challenge {
        AcmeChallenge::Http01 => about.plain_port.unwrap_or(port),
        AcmeChallenge::TlsAlpn01 => acme.bind.port(),
    };
    let fault = match acme.challenge {
        AcmeChallenge::Http01 => match timeout(ANSWER_MAX, ask(name, port)).await {
            Ok(Ok(true)) => None,
            Ok(Ok(false)) => Some("is answered by another program".to_owned()),
            Ok(Err(error)) => Some(format!("does not answer: {error}")),
            Err(_) => Some(format!("does not answer within {} s", ANSWER_MAX.as_secs())),
        },
        AcmeChallenge::TlsAlpn01 => refusal(name, port).await,
    };
    if let Some(fault) = fault {
        let sentence = format!("port {port} of {name}, where the challenge comes, {fault}");
        let cure = match own == port {
            true => "see the links `ports` and `firewall`".to_owned(),
            false => format!("let port {port} lead to port {own} of this machine"),
        };
        link.warn(place("acme_challenge"), sentence, cure);
    }
}

/// Why TLS is not spoken there, if it is not.
async fn refusal(name: &str, port: u16) -> Option<String> {
    let url = Url::parse(&format!("https://{name}:{port}/"))?;
    match wire::connect(&url).await {
        Ok(_) => None,
        Err(refused @ Refused::NoTls { .. }) => Some(format!("speaks no TLS: {refused}")),
        Err(refused) => Some(format!("does not answer: {refused}")),
    }
}

/// Whether the web server there is an exchange of ours: it knows its sentence for what is not there.
async fn ask(name: &str, port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect((name, port)).await?;
    let request = format!(
        "GET /.well-known/acme-challenge/sidetone-doctor HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut answer)
        .await?;
    Ok(String::from_utf8_lossy(&answer).contains(web::NOTHING_HERE))
}

fn port_of(challenge: AcmeChallenge) -> u16 {
    match challenge {
        AcmeChallenge::Http01 => 80,
        AcmeChallenge::TlsAlpn01 => 443,
    }
}

const LOOK_UP_MAX: Duration = Duration::from_secs(5);
const ANSWER_MAX: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: u64 = 16 * 1024;
