//! HTTP/2 over TLS, and what becomes of WebSockets there.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::Reason;
use h2::client::SendRequest;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use web::{Options, Server};

use crate::support::{localhost, secure, start_with};

/// A secure server and the PEM of what it shows.
fn start() -> (Server, SocketAddr, String) {
    let (certificate, pem) = localhost();
    let (server, address) = start_with(Options {
        listeners: vec![secure()],
        certificate: Some(certificate),
        ..Options::default()
    });
    (server, address, pem)
}

async fn tls(address: SocketAddr, trusted: &str, protocols: &[&[u8]]) -> TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    connector.connect(name, stream).await.unwrap()
}

async fn client() -> (Server, SendRequest<Bytes>) {
    let (server, address, pem) = start();
    let stream = tls(address, &pem, &[b"h2", b"http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    (server, client.ready().await.unwrap())
}

fn request(method: &str, host: &str, path: &str) -> axum::http::Request<()> {
    let request = axum::http::Request::builder().method(method);
    let request = request.uri(format!("https://{host}{path}"));
    request.body(()).unwrap()
}

#[tokio::test]
async fn pages_are_served_and_hosts_are_checked() {
    let (_server, mut client) = client().await;
    let mut ask = |method: &str, host: &str, path: &str| {
        let (answer, _) = client
            .send_request(request(method, host, path), true)
            .unwrap();
        answer
    };
    let answer = ask("GET", "localhost", "/healthz").await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    let mut body = answer.into_body();
    assert_eq!(&body.data().await.unwrap().unwrap()[..], b"ok\n");
    let answer = ask("HEAD", "localhost", "/healthz").await.unwrap();
    assert_eq!(answer.headers()["content-length"], "3");
    assert!(answer.into_body().data().await.is_none());
    assert_eq!(
        ask("GET", "evil.example", "/healthz")
            .await
            .unwrap()
            .status(),
        421
    );
    assert_eq!(
        ask("GET", "localhost", "/none").await.unwrap().status(),
        404
    );
    assert_eq!(ask("POST", "localhost", "/").await.unwrap().status(), 405);
}

/// RFC 9113 §7: HTTP_1_1_REQUIRED. Browsers and curl ask again with HTTP/1.1, where the answer may
/// say `Upgrade`.
#[tokio::test]
async fn websockets_are_for_http1_and_http2_says_so() {
    let (_server, mut client) = client().await;
    let (answer, _) = client
        .send_request(request("GET", "localhost", "/ws"), true)
        .unwrap();
    let error = answer.await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::HTTP_1_1_REQUIRED));
    // RFC 8441 §3: without the setting, a client may not even try.
    assert!(!client.is_extended_connect_protocol_enabled());
    let (answer, _) = client
        .send_request(request("GET", "localhost", "/healthz"), true)
        .unwrap();
    assert_eq!(
        answer.await.unwrap().status(),
        200,
        "the connection goes on"
    );
}

#[tokio::test]
async fn old_clients_get_http1() {
    let (_server, address, pem) = start();
    for protocols in [&[b"http/1.1".as_slice()][..], &[]] {
        let stream = tls(address, &pem, protocols).await;
        let chosen = stream.get_ref().1.alpn_protocol();
        assert_eq!(chosen, protocols.first().copied());
    }
}
