//! Connections of our own (RFC 3261 §18.1.1). They leave by the first transport of their protocol that
//! reaches the place, and are like those of others from then on.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ::sip::{Flow, FlowId, Transport};
use config::Protocol;
use rustls_pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::sip::destination::Destination;
use crate::sip::driver::Input;
use crate::sip::transport::admission::{Counted, Place};
use crate::sip::transport::tcp::{Settings, StreamListener, prepare};
use crate::sip::transport::{Links, connection, tls};

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Opens a connection and runs it to its end. It is called `id` from the beginning.
pub(crate) async fn run(id: FlowId, to: Destination, links: Links) {
    let dialing = timeout(links.limits.dial, open(&to, &links));
    let outcome = tokio::select! {
        outcome = dialing => outcome.unwrap_or_else(|_| Err("it does not answer in time".to_owned())),
        () = links.stopping.cancelled() => return,
    };
    let opened = match outcome {
        Ok(opened) => opened,
        Err(reason) => {
            let reason = format!("no connection to {to}: {reason}");
            let _ = links
                .inputs
                .send(Input::Undialed { flow: id, reason })
                .await;
            return;
        }
    };
    let _counted = opened.counted;
    let flow = Flow {
        id,
        transport: match opened.stream {
            Stream::Plain(_) => Transport::Tcp,
            Stream::Secured(_) => Transport::Tls,
        },
        local: opened.local,
        remote: opened.remote,
    };
    let place = Place::of_ours(&links.shared, id);
    match opened.stream {
        Stream::Plain(stream) => connection::run(stream, flow, place, links).await,
        Stream::Secured(stream) => connection::run(*stream, flow, place, links).await,
    }
}

struct Opened {
    stream: Stream,
    counted: Counted,
    /// Where others reach us: the port is that of the listener (RFC 3261 §18.1.1).
    local: SocketAddr,
    remote: SocketAddr,
}

enum Stream {
    Plain(TcpStream),
    Secured(Box<TlsStream<TcpStream>>),
}

async fn open(to: &Destination, links: &Links) -> Result<Opened, String> {
    let known = to.address.or_else(|| to.host.parse::<IpAddr>().ok());
    let remotes = match known {
        Some(ip) => vec![SocketAddr::new(ip, to.port)],
        None => {
            let found = lookup_host((to.host.as_str(), to.port)).await;
            let found = found.map_err(|error| error.to_string())?;
            found.take(ADDRESSES_MAX).collect()
        }
    };
    let mut fault = "it has no address".to_owned();
    for remote in remotes {
        match open_at(to, remote, links).await {
            Ok(opened) => return Ok(opened),
            Err(reason) => fault = reason,
        }
    }
    Err(fault)
}

async fn open_at(to: &Destination, remote: SocketAddr, links: &Links) -> Result<Opened, String> {
    let protocol = if to.secure {
        Protocol::Tls
    } else {
        Protocol::Tcp
    };
    let listeners = links.shared.streams.load_full();
    let reaches = |listener: &&Arc<StreamListener>| {
        let own = listener.bound.ip();
        let same_family = own.is_ipv4() == remote.is_ipv4();
        let settings = listener.settings.load();
        let named = to.transport.as_ref();
        settings.config.protocol == protocol
            && named.is_none_or(|id| **id == *settings.config.id)
            && (same_family || own.is_ipv6() && own.is_unspecified())
    };
    let listener = listeners.iter().find(reaches).ok_or_else(|| {
        let protocol = protocol.as_str();
        match &to.transport {
            Some(id) => format!(
                "transport `{id}` does not listen, or does not reach {}",
                remote.ip()
            ),
            None => format!(
                "no transport with protocol={protocol} reaches {}",
                remote.ip()
            ),
        }
    })?;
    let settings = listener.settings.load_full();
    let counted = Counted::take(&listener.connections, links.limits.connections)
        .ok_or_else(|| format!("transport {} is full", settings.config.id))?;
    let stream = connect(listener.bound.ip(), remote).await;
    let stream = stream.map_err(|error| error.to_string())?;
    let own = stream.local_addr().map_err(|error| error.to_string())?;
    prepare(&stream, &settings.config, own.is_ipv6());
    let stream = match to.secure {
        false => Stream::Plain(stream),
        true => Stream::Secured(Box::new(secure(to, stream, &settings).await?)),
    };
    Ok(Opened {
        stream,
        counted,
        local: SocketAddr::new(own.ip(), listener.bound.port()),
        remote,
    })
}

/// From the address the transport is bound to, and any port.
async fn connect(own: IpAddr, remote: SocketAddr) -> io::Result<TcpStream> {
    let socket = match remote {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    if !own.is_unspecified() {
        socket.bind((own, 0).into())?;
    }
    socket.connect(remote).await
}

/// TLS as the transport says it is now: authorities and certificate are read from their files.
async fn secure(
    to: &Destination,
    stream: TcpStream,
    settings: &Settings,
) -> Result<TlsStream<TcpStream>, String> {
    let config = settings.config.clone();
    let connector = tokio::task::spawn_blocking(move || tls::connector(&config)).await;
    let connector = connector.map_err(|error| error.to_string())??;
    let name = ServerName::try_from(to.host.clone()).map_err(|error| error.to_string())?;
    let secured = connector.connect(name, stream).await;
    secured.map_err(|error| {
        let own = &settings.config;
        let advice = match own.verify_server {
            true => "; its `verify_server=yes` trusts the authorities of `ca_list_file` alone, for this name",
            false => "",
        };
        format!(
            "TLS by transport `{}` ({}): {error}{advice}",
            own.id, own.written
        )
    })
}
