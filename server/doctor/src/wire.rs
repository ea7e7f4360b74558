//! From an address to an open WebSocket: name, TCP, TLS, the upgrade of RFC 6455.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_util::either::Either;

/// Where a WebSocket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) is_secure: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) path: String,
    /// Where to connect instead of asking for the name's address.
    pub(crate) at: Option<SocketAddr>,
}

impl Url {
    /// `wss://host:port/path`; the port may be left out.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let is_secure = match scheme {
            "wss" | "https" => true,
            "ws" | "http" => false,
            _ => return None,
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/ws"),
        };
        let default = if is_secure { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
            _ => (authority, default),
        };
        (!host.is_empty()).then(|| Self {
            is_secure,
            host: host.to_owned(),
            port,
            path: path.to_owned(),
            at: None,
        })
    }

    /// The URL as it is written.
    pub(crate) fn text(&self) -> String {
        let scheme = if self.is_secure { "wss" } else { "ws" };
        format!("{scheme}://{}:{}{}", self.host, self.port, self.path)
    }

    /// The origin of a page from there.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }
}

/// A stream, encrypted or not.
pub(crate) type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// An open connection.
pub(crate) struct Connected {
    pub(crate) stream: Stream,
    pub(crate) remote: SocketAddr,
    /// "TLSv1_3" and the like.
    pub(crate) tls: Option<String>,
    /// What the server showed, its own certificate first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
}

/// Where the way to the WebSocket ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the name {host} has no address: {source}")]
    NoAddress {
        host: String,
        source: std::io::Error,
    },
    #[error("nothing answers at {address}/tcp: {source}")]
    NoConnection {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("{address}/tcp does not answer within {} s", CONNECT_MAX.as_secs())]
    Silent { address: SocketAddr },
    #[error("TLS with {address} fails: {source}")]
    NoTls {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("{url} answers {status} instead of 101 Switching Protocols: {body}")]
    NoUpgrade {
        url: String,
        status: StatusCode,
        body: String,
    },
    #[error("{url} upgrades, but not to the subprotocol sip")]
    NoSubprotocol { url: String },
    #[error("the upgrade of {url} fails: {reason}")]
    Broken { url: String, reason: String },
}

/// Opens TCP, and TLS where the URL says so. Whether the certificate is trusted is another link's
/// affair.
pub(crate) async fn connect(url: &Url) -> Result<Connected, Refused> {
    let address = match url.at {
        Some(address) => address,
        None => resolve(url).await?,
    };
    let connecting = timeout(CONNECT_MAX, TcpStream::connect(address)).await;
    let stream = connecting
        .map_err(|_| Refused::Silent { address })?
        .map_err(|source| Refused::NoConnection { address, source })?;
    if !url.is_secure {
        return Ok(Connected {
            stream: Either::Left(stream),
            remote: address,
            tls: None,
            chain: Vec::new(),
        });
    }
    let shown = Arc::new(Shown::default());
    let name = ServerName::try_from(url.host.trim_matches(['[', ']']).to_owned())
        .unwrap_or_else(|_| ServerName::from(address.ip()));
    let connector = TlsConnector::from(client_config(Arc::clone(&shown)));
    let handshake = timeout(CONNECT_MAX, connector.connect(name, stream)).await;
    let stream = handshake
        .map_err(|_| Refused::Silent { address })?
        .map_err(|source| Refused::NoTls { address, source })?;
    let version = stream.get_ref().1.protocol_version();
    let chain = std::mem::take(&mut *shown.0.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Connected {
        tls: version.map(|version| format!("{version:?}")),
        stream: Either::Right(stream),
        remote: address,
        chain,
    })
}

async fn resolve(url: &Url) -> Result<SocketAddr, Refused> {
    let host = url.host.trim_matches(['[', ']']);
    let found = tokio::net::lookup_host((host, url.port)).await;
    let refused = |source| Refused::NoAddress {
        host: url.host.clone(),
        source,
    };
    let mut found = found.map_err(refused)?;
    found
        .next()
        .ok_or_else(|| refused(std::io::ErrorKind::NotFound.into()))
}

/// Upgrades to a WebSocket that speaks SIP, as a page of `origin` would; a program has none.
pub(crate) async fn upgrade(
    connected: Connected,
    url: &Url,
    origin: Option<&str>,
) -> Result<WebSocketStream<Stream>, Refused> {
    let broken = |reason: String| Refused::Broken {
        url: url.text(),
        reason,
    };
    let request = url.text().into_client_request();
    let mut request = request.map_err(|error| broken(error.to_string()))?;
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", HeaderValue::from_static("sip"));
    if let Some(origin) = origin {
        let value = HeaderValue::from_str(origin).map_err(|error| broken(error.to_string()))?;
        headers.insert("origin", value);
    }
    let upgrading = tokio_tungstenite::client_async(request, connected.stream);
    let upgraded = timeout(CONNECT_MAX, upgrading).await;
    let upgraded = upgraded.map_err(|_| broken("there is no answer".to_owned()))?;
    match upgraded {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) => {
            let body = response.body().as_deref().unwrap_or_default();
            let body = String::from_utf8_lossy(body);
            let body: String = body
                .chars()
                .filter(|c| !c.is_control())
                .take(BODY_SHOWN_MAX)
                .collect();
            Err(Refused::NoUpgrade {
                url: url.text(),
                status: response.status(),
                body,
            })
        }
        Err(tungstenite::Error::Protocol(
            tungstenite::error::ProtocolError::SecWebSocketSubProtocolError(_),
        )) => Err(Refused::NoSubprotocol { url: url.text() }),
        Err(error) => Err(broken(error.to_string())),
    }
}

/// How long a server may take for a step.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Characters of a refusal that are shown.
const BODY_SHOWN_MAX: usize = 200;

/// Remembers the certificates instead of judging them.
#[derive(Debug, Default)]
struct Shown(Mutex<Vec<CertificateDer<'static>>>);

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn client_config(shown: Arc<Shown>) -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(shown)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

impl ServerCertVerifier for Shown {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        let chain = chain
            .map(|certificate| certificate.clone().into_owned())
            .collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[test]
    fn urls_are_read_and_written() {
        let url = Url::parse("wss://pbx.example.org:8089/ws").unwrap();
        assert_eq!(
            (url.host.as_str(), url.port, url.is_secure),
            ("pbx.example.org", 8089, true)
        );
        assert_eq!(url.text(), "wss://pbx.example.org:8089/ws");
        assert_eq!(url.origin(), "https://pbx.example.org:8089");
        let url = Url::parse("ws://[::1]/asterisk/ws").unwrap();
        assert_eq!(
            (url.host.as_str(), url.port, url.path.as_str()),
            ("[::1]", 80, "/asterisk/ws")
        );
        assert!(Url::parse("sip:alice@example.org").is_none() && Url::parse("wss://").is_none());
    }
}
