//! Where the files say that the exchange listens.

use std::net::SocketAddr;

use config::{Config, Protocol};
use serde::Serialize;

use crate::places::Places;

/// The protocol below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layer {
    Tcp,
    Udp,
}

impl Layer {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// One address the exchange listens on.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Listener {
    pub(crate) what: String,
    pub(crate) layer: Layer,
    pub(crate) address: SocketAddr,
    pub(crate) place: String,
    /// Whether browsers come in by it.
    pub(crate) is_web: bool,
}

/// SIP transports in the order of the file, then HTTP and HTTPS.
pub(crate) fn of(config: &Config, places: &Places<'_>) -> Vec<Listener> {
    let mut listeners = Vec::new();
    for transport in &config.transports {
        let layer = match transport.protocol {
            Protocol::Udp => Layer::Udp,
            Protocol::Tcp | Protocol::Tls => Layer::Tcp,
            // These come in by the web server.
            Protocol::Ws | Protocol::Wss => continue,
        };
        listeners.push(Listener {
            what: format!(
                "SIP over {} ({})",
                transport.protocol.as_str().to_uppercase(),
                transport.id
            ),
            layer,
            address: transport.bind,
            place: places.object(&transport.id, "transport", &["bind"]),
            is_web: false,
        });
    }
    let mut web = |what: &str, address, options: &[&str]| {
        listeners.push(Listener {
            what: what.to_owned(),
            layer: Layer::Tcp,
            address,
            place: places.option("http.conf", "general", options),
            is_web: true,
        });
    };
    if let Some(address) = config.http.bind {
        web("HTTP", address, &["bindport", "bindaddr"]);
    }
    if let Some(address) = config.http.secure_bind() {
        let options = ["tlsbindaddr", "sslbindaddr", "bindaddr"];
        web("HTTPS", address, &options);
    }
    listeners
}
