//! The WebSocket of the phones: name, TCP, TLS, upgrade to `sip`, and who else may open it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use config::Config;
use serde_json::json;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::http::StatusCode;

use crate::link::certificate::{self, Store};
use crate::places::Places;
use crate::report::Link;
use crate::wire::{self, Refused, Stream, Url};

const NAME: &str = "websocket";

/// The URL of the files' own web server: HTTPS if it is served, under the name that browsers use.
pub(crate) fn url_of(config: &Config, name: Option<&str>) -> Option<Url> {
    let http = &config.http;
    let (is_secure, address) = match (http.secure_bind(), http.bind) {
        (Some(bind), _) => (true, bind),
        (None, Some(bind)) => (false, bind),
        (None, None) => return None,
    };
    let at = reachable(address);
    Some(Url {
        is_secure,
        host: name.map_or_else(|| bracketed(at.ip()), str::to_owned),
        port: address.port(),
        path: format!("{}/ws", http.prefix),
        at: Some(at),
    })
}

/// The address to connect to on this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn bracketed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

/// Opens the WebSocket and keeps it for the links after this one.
pub(crate) async fn examine(
    url: &Url,
    origin: Option<&str>,
    places: &Places<'_>,
    store: &Store,
) -> (Link, Option<WebSocketStream<Stream>>) {
    let mut link = Link::new(NAME, url.text());
    let connected = match wire::connect(url).await {
        Ok(connected) => connected,
        Err(refused) => {
            fail(&refused, url, places, &mut link);
            return (link, None);
        }
    };
    let (remote, tls) = (connected.remote, connected.tls.clone());
    if !connected.chain.is_empty() {
        let is_trusted = certificate::verify(&connected.chain, &store.certificates).is_ok();
        link.details = json!({ "trusted": is_trusted });
    }
    // What a browser sends when the page comes from the exchange itself.
    let own = url.origin();
    let socket = match wire::upgrade(connected, url, Some(origin.unwrap_or(&own))).await {
        Ok(socket) => socket,
        Err(refused) => {
            fail(&refused, url, places, &mut link);
            return (link, None);
        }
    };
    let over = tls.map(|tls| format!(" over {tls}")).unwrap_or_default();
    link.summary = format!("{} upgrades to sip{over} at {remote}", url.text());
    if !url.is_secure {
        link.note("without TLS only pages of http://localhost may use a microphone");
    }
    if let Ok(other) = wire::connect(url).await
        && wire::upgrade(other, url, Some(FOREIGN)).await.is_ok()
    {
        link.warn(
            Some(places.option("http.conf", "general", &["websocket_origins", "hostnames"])),
            format!("a page of any site ({FOREIGN}) may open it and use what its visitor may"),
            "list the sites of your own web phones instead of all",
        );
    }
    (link, Some(socket))
}

/// A site that nobody has (RFC 2606).
const FOREIGN: &str = "https://foreign.invalid";

fn fail(refused: &Refused, url: &Url, places: &Places<'_>, link: &mut Link) {
    let place = |options: &[&str]| Some(places.option("http.conf", "general", options));
    let (place, cure) = match refused {
        Refused::NoAddress { .. } => (
            None,
            "enter the name in DNS or /etc/hosts, or give the address in --url".to_owned(),
        ),
        Refused::NoConnection { .. } => (
            place(&["enabled", "tlsenable", "bindaddr", "tlsbindaddr"]),
            "start the exchange, or correct the address and port here".to_owned(),
        ),
        Refused::Silent { .. } => (
            None,
            format!("a firewall drops {}/tcp on the way: see the link `firewall`", url.port),
        ),
        Refused::NoTls { .. } => (
            place(&["tlscertfile", "tlsenable", "tlscipher"]),
            "see the link `certificate`; if the port speaks plain HTTP, use ws:// there".to_owned(),
        ),
        Refused::NoUpgrade { status, .. } => match *status {
            StatusCode::FORBIDDEN | StatusCode::MISDIRECTED_REQUEST => (
                place(&["websocket_origins", "hostnames"]),
                "open it by a name of this exchange, or allow the page's site: websocket_origins=https://… (and \
                 hostnames= for other names)"
                    .to_owned(),
            ),
            StatusCode::NOT_FOUND => (
                place(&["prefix"]),
                format!("the WebSocket is at PREFIX/ws, where prefix= says; the phone uses {}", url.path),
            ),
            StatusCode::SERVICE_UNAVAILABLE => (
                place(&["sessionlimit"]),
                "the exchange is full or stopping: raise sessionlimit".to_owned(),
            ),
            _ => (None, "see the log of the exchange".to_owned()),
        },
        Refused::NoSubprotocol { .. } | Refused::Broken { .. } => (
            None,
            "something between (a proxy?) does not pass WebSockets on: let it pass Upgrade, Connection and \
             Sec-WebSocket-Protocol"
                .to_owned(),
        ),
    };
    link.fail(place, refused.to_string(), cure);
}

/// Why there is no WebSocket at all in these files.
pub(crate) fn without_web(places: &Places<'_>) -> Link {
    let mut link = Link::new(NAME, "there is none");
    link.fail(
        Some(places.option("http.conf", "general", &["enabled", "tlsenable"])),
        "neither HTTP nor HTTPS is enabled: browsers have no WebSocket to register over",
        "write under [general]: enabled=yes, bindaddr=0.0.0.0, bindport=8088, and for HTTPS tlsenable=yes, \
         tlsbindaddr=0.0.0.0:8089, tlscertfile, tlsprivatekey",
    );
    link
}
