//! Every port the files name: held by the exchange, free, or held by whom.

use std::collections::HashMap;
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;

use config::Config;
use serde_json::json;

use crate::listeners::{Layer, Listener};
use crate::places::Places;
use crate::report::Link;
use crate::root::Root;
use crate::sockets::{self, Holder, Socket};

const NAME: &str = "ports";

/// What is known of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    Running { pid: Option<u32> },
    Stopped,
}

/// Examines every listener, then the range of media.
pub(crate) fn examine(
    root: &Root,
    config: &Config,
    listeners: &[Listener],
    places: &Places<'_>,
    exchange: Exchange,
) -> Link {
    let table = Table {
        root,
        sockets: sockets::all(root),
        holders: sockets::holders(),
    };
    let state = match exchange {
        Exchange::Running { .. } => "held by the exchange",
        Exchange::Stopped => "free",
    };
    let mut link = Link::new(NAME, String::new());
    let mut shown = Vec::new();
    for listener in listeners {
        let before = link.findings.len();
        match exchange {
            Exchange::Running { pid } => table.is_ours(listener, pid, &mut link),
            Exchange::Stopped => table.is_free(listener, &mut link),
        }
        if link.findings.len() == before {
            let layer = listener.layer.as_str();
            shown.push(format!("{}/{layer}", listener.address));
        }
    }
    link.summary = match (listeners.len(), shown.is_empty()) {
        (0, _) => "no transport and no web server is configured".to_owned(),
        (_, true) => format!("none of {} is {state}", listeners.len()),
        (_, false) => format!("{state}: {}", shown.join(", ")),
    };
    if listeners.is_empty() {
        link.fail(
            Some(places.file("pjsip.conf")),
            "the files name no address to listen on",
            "add a transport to pjsip.conf, and enabled=yes with bindaddr=0.0.0.0 to http.conf",
        );
    }
    let media = table.media(config, exchange);
    if exchange == Exchange::Stopped && media.is_empty() && !config.rtp.ports.is_empty() {
        link.fail(
            Some(places.option("rtp.conf", "general", &["rtpstart", "rtpend"])),
            format!(
                "no UDP port of {} to {} is free for media",
                config.rtp.ports.start(),
                config.rtp.ports.end()
            ),
            "choose another range with rtpstart and rtpend, or stop the program that holds it",
        );
    }
    link.details = json!({ "listeners": listeners, "media": media });
    link
}

struct Table<'a> {
    root: &'a Root,
    sockets: Vec<Socket>,
    holders: HashMap<u64, Holder>,
}

impl Table<'_> {
    fn on(&self, layer: Layer, address: SocketAddr) -> Option<&Socket> {
        let covering = |socket: &&Socket| sockets::covers(socket, layer, address);
        self.sockets.iter().find(covering)
    }

    /// Who holds a socket, in words.
    fn who(&self, socket: &Socket) -> String {
        match self.holders.get(&socket.inode) {
            Some(holder) => format!("{} (pid {})", holder.program, holder.pid),
            None => format!(
                "a process of user {} (run doctor as root to see which)",
                sockets::user(self.root, socket.uid)
            ),
        }
    }

    fn is_ours(&self, listener: &Listener, pid: Option<u32>, link: &mut Link) {
        let (address, layer) = (listener.address, listener.layer.as_str());
        let what = format!("{} on {address}/{layer}", listener.what);
        match self.on(listener.layer, address) {
            None => link.fail(
                Some(listener.place.clone()),
                format!("{what}: the running exchange does not listen there"),
                "the files have changed since it started, or its certificate could not be used (see \
                 the log): run `sidetone -rx \"core reload\"`, else restart it",
            ),
            Some(socket) => match (self.holders.get(&socket.inode), pid) {
                (Some(holder), Some(pid)) if holder.pid != pid => link.fail(
                    Some(listener.place.clone()),
                    format!("{what}: held by {}, not by the exchange", self.who(socket)),
                    format!(
                        "stop {}, or choose another port here; then restart the exchange",
                        holder.program
                    ),
                ),
                (None, _) => link.note(format!("{what}: held by {}", self.who(socket))),
                _ => {}
            },
        }
    }

    fn is_free(&self, listener: &Listener, link: &mut Link) {
        let (address, layer) = (listener.address, listener.layer.as_str());
        let Err(error) = bind(listener.layer, address) else {
            return;
        };
        let what = format!("{} on {address}/{layer}", listener.what);
        let place = Some(listener.place.clone());
        match error.kind() {
            ErrorKind::AddrInUse => {
                let holder = self.on(listener.layer, address);
                let who = holder.map_or_else(|| "another program".to_owned(), |s| self.who(s));
                link.fail(
                    place,
                    format!("{what}: the port is held by {who}"),
                    format!("stop it, or choose another port than {} here", address.port()),
                );
            }
            ErrorKind::PermissionDenied => link.fail(
                place,
                format!("{what}: this user may not open a port below 1024"),
                "run the exchange by its service, which has CAP_NET_BIND_SERVICE, or choose a higher port",
            ),
            ErrorKind::AddrNotAvailable => link.fail(
                place,
                format!("{what}: no interface of this machine has the address {}", address.ip()),
                "write 0.0.0.0 (or [::]), or an address that `ip address` shows",
            ),
            _ => link.fail(
                place,
                format!("{what}: {error}"),
                "choose another address or port here",
            ),
        }
    }

    /// The media ports in use, or the first that could be.
    fn media(&self, config: &Config, exchange: Exchange) -> Vec<u16> {
        let range = &config.rtp.ports;
        match exchange {
            Exchange::Running { pid: Some(pid) } => {
                let ours = |socket: &&Socket| {
                    let holder = self.holders.get(&socket.inode);
                    socket.layer == Layer::Udp
                        && range.contains(&socket.address.port())
                        && holder.is_some_and(|holder| holder.pid == pid)
                };
                let mut ports: Vec<u16> = self.sockets.iter().filter(ours).map(port).collect();
                ports.sort_unstable();
                ports.dedup();
                ports
            }
            Exchange::Running { pid: None } => Vec::new(),
            Exchange::Stopped => {
                let free = |port: &u16| bind(Layer::Udp, ([0, 0, 0, 0], *port).into()).is_ok();
                range
                    .clone()
                    .take(TRIED_MAX)
                    .find(free)
                    .into_iter()
                    .collect()
            }
        }
    }
}

fn port(socket: &Socket) -> u16 {
    socket.address.port()
}

/// Takes the port for a moment, as the exchange would.
fn bind(layer: Layer, address: SocketAddr) -> Result<(), Error> {
    match layer {
        // The standard library reuses addresses that wait out a closed connection, as the exchange does.
        Layer::Tcp => std::net::TcpListener::bind(address).map(drop),
        Layer::Udp => std::net::UdpSocket::bind(address).map(drop),
    }
}

/// Media ports that are tried before all are thought to be busy.
const TRIED_MAX: usize = 4096;
