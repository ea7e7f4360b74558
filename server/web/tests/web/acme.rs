//! A certificate from Pebble, Let's Encrypt's own ACME server for tests: it rejects good nonces now and
//! then, comes to the listeners to see the proof, and signs with an authority of its own.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;
use web::{Acme, Certificate, Listen, Options, Proof, Retry, Server};

use crate::support::{Folder, get, localhost, plain, start_with, status};

/// Pebble and the name server it asks; they end with the test.
struct Pebble {
    children: Vec<Child>,
    directory: String,
    folder: Folder,
    /// What it signs is valid for so many seconds.
    life_s: u64,
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port that was free a moment ago.
fn port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

impl Pebble {
    /// Comes to these ports for its proofs.
    async fn start(name: &str, http: u16, tls: u16, life_s: u64) -> Self {
        let folder = Folder::new(name);
        let own = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = folder.write("pebble.pem", own.cert.pem());
        let key = folder.write("pebble.key", own.signing_key.serialize_pem());
        let (api, management, dns, names) = (port(), port(), port(), port());
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{api}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": certificate,
            "privateKey": key,
            "httpPort": http,
            "tlsPort": tls,
            "externalAccountBindingRequired": false,
            "certificateValidityPeriod": life_s,
        }});
        let config = folder.write("config.json", config.to_string());
        let resolver = program("pebble-challtestsrv")
            .args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""])
            .args(["-http01", "", "-https01", "", "-tlsalpn01", ""])
            .args(["-dns01", &format!("127.0.0.1:{dns}")])
            .args(["-management", &format!("127.0.0.1:{names}")])
            .spawn()
            .expect("pebble is installed (apt-get install pebble)");
        let server = program("pebble")
            .arg("-config")
            .arg(config)
            .args(["-dnsserver", &format!("127.0.0.1:{dns}")])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", "20")
            .spawn()
            .unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], api));
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self {
            children: vec![resolver, server],
            directory: format!("https://127.0.0.1:{api}/dir"),
            folder,
            life_s,
        }
    }

    fn acme(&self, proof: Proof) -> Acme {
        Acme {
            directory: self.directory.clone(),
            email: Some("operator@pbx.test".to_owned()),
            names: vec!["pbx.test".to_owned(), "www.pbx.test".to_owned()],
            authority: Some(self.folder.0.join("pebble.pem")),
            proof,
            folder: self.folder.0.join("acme"),
            retry: Retry {
                first: Duration::from_millis(200),
                longest: Duration::from_millis(400),
            },
        }
    }

    /// The files of account and certificate.
    fn kept(&self) -> Vec<PathBuf> {
        let servers = std::fs::read_dir(self.folder.0.join("acme")).unwrap();
        let folder = servers.map(|server| server.unwrap().path()).next().unwrap();
        let files = std::fs::read_dir(folder).unwrap();
        let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }
}

fn serve(certificate: &Certificate) -> (Server, u16, u16) {
    let secure = Listen {
        secure: true,
        ..plain()
    };
    let (server, address) = start_with(Options {
        listeners: vec![plain(), secure],
        certificate: Some(certificate.clone()),
        ..Options::default()
    });
    let secure = server.listening()[1].address.port();
    (server, address.port(), secure)
}

/// A certificate that is replaced soon, so that a server can start before Pebble does.
fn makeshift() -> Certificate {
    localhost().0
}

async fn until(mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting)
        .await
        .expect("it did not come about");
}

#[tokio::test]
async fn a_certificate_is_got_over_http_and_renewed_and_kept() {
    let certificate = makeshift();
    let (server, http, tls) = serve(&certificate);
    let pebble = Pebble::start("pebble-http", http, tls, 8).await;
    let acme = pebble.acme(Proof::Http);
    certificate.replace(&acme.certificate().unwrap());
    assert!(
        certificate.facts().self_issued,
        "something is served until the answer comes"
    );
    let keeping = tokio::spawn(acme.clone().keep(certificate.clone(), server.challenges()));
    until(|| !certificate.facts().self_issued).await;
    let first = certificate.facts();
    assert!(certificate.covers("pbx.test") && certificate.covers("www.pbx.test"));
    assert!(
        first.issuer_name.as_ref().unwrap().contains("Pebble"),
        "{first:?}"
    );
    let life_s = u64::try_from(first.not_after - first.not_before).unwrap();
    assert!(life_s.abs_diff(pebble.life_s) <= 1);
    for file in pebble.kept() {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    let account = std::fs::read(&pebble.kept()[0]).unwrap();

    until(|| certificate.facts().not_after > first.not_after).await;
    keeping.abort();
    assert_eq!(
        std::fs::read(&pebble.kept()[0]).unwrap(),
        account,
        "the account is the same"
    );
    let again = acme.certificate().unwrap();
    assert_eq!(
        again.facts(),
        certificate.facts(),
        "a restart has it at once"
    );
    let others = Acme {
        names: vec!["other.test".to_owned()],
        ..acme
    };
    assert!(others.certificate().unwrap().facts().self_issued);
    // Nothing answers for a challenge that is over.
    let address = SocketAddr::from(([127, 0, 0, 1], http));
    let answer = get(address, "/.well-known/acme-challenge/x", "").await;
    assert_eq!(status(&answer), 404);
}

#[tokio::test]
async fn a_certificate_is_got_over_tls_alone() {
    let certificate = makeshift();
    let (server, _, tls) = serve(&certificate);
    let pebble = Pebble::start("pebble-tls", 9, tls, 3_600).await;
    let acme = pebble.acme(Proof::TlsAlpn);
    let keeping = tokio::spawn(acme.keep(certificate.clone(), server.challenges()));
    until(|| certificate.covers("www.pbx.test")).await;
    keeping.abort();
    assert!(!certificate.facts().self_issued);
}

/// Nobody answers where Pebble looks, then it is mended: the certificate comes by itself.
#[tokio::test]
async fn failures_are_tried_again() {
    let certificate = makeshift();
    let (server, http, tls) = serve(&certificate);
    // The answers are given by a server that Pebble does not come to.
    let pebble = Pebble::start("pebble-late", http, tls, 3_600).await;
    let acme = pebble.acme(Proof::Http);
    let wrong = web::Challenges::default();
    let failing = tokio::spawn(acme.clone().keep(certificate.clone(), wrong));
    until(|| pebble.folder.0.join("acme").exists()).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(certificate.facts().self_issued, "it was not proven");
    failing.abort();
    let keeping = tokio::spawn(acme.keep(certificate.clone(), server.challenges()));
    until(|| certificate.covers("pbx.test")).await;
    keeping.abort();
}
