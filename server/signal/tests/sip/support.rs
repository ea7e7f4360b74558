//! An exchange on loopback with its configuration in memory, and phones that speak SIP to it in text.

mod media;
mod phone;
mod text;

pub(crate) use phone::{DeskPhone, Phone, call};
pub(crate) use text::{
    OFFER, ack, again, contact, in_dialog, invite, register, reply, request, signed, signed_about,
    unique,
};

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::{Config, Object, TransportConfig};
use media::Media;
use signal::{Keepalive, Limits, Options, Signal};
use store::Store;
use switch::{Parts, Switch};
use web::{Listen, Routes, Server};

use crate::names::NameServer;

/// Long enough for a busy machine; nothing waits for it but a failing test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) const PJSIP: &str = "
[phone](!)
type=endpoint
context=phones
disallow=all
allow=opus,ulaw,vp8
webrtc=yes
max_video_streams=4

[alice](phone)
aors=alice
auth=alice
[alice]
type=auth
auth_type=userpass
username=alice
password=wonderland
[alice]
type=aor
max_contacts=2

[bob](phone)
aors=bob
auth=bob-auth
callerid=Bob <1002>
[bob-auth]
type=auth
auth_type=userpass
username=bobby
password=builder
[bob]
type=aor
max_contacts=1
remove_existing=yes
support_path=yes

[carol](phone)
aors=carol
auth=carol
[carol]
type=auth
auth_type=digest
username=carol
password=lewis
supported_algorithms_uas=SHA-256
[carol]
type=aor
max_contacts=0
";

pub(crate) const EXTENSIONS: &str = "
[phones]
exten => 100,1,Answer()
 same => n,Echo()
exten => 246,1,Answer()
 same => n,StreamEcho(3)
exten => 300,1,Hangup(17)
";

/// Everything that runs.
pub(crate) struct Exchange {
    pub(crate) signal: Signal,
    pub(crate) switch: Switch,
    _server: Server,
    pub(crate) ws: SocketAddr,
    pub(crate) udp: SocketAddr,
}

impl Exchange {
    pub(crate) async fn start() -> Self {
        Self::with(PJSIP, Keepalive::default()).await
    }

    pub(crate) async fn with(pjsip: &str, keepalive: Keepalive) -> Self {
        Self::with_files(&[("pjsip.conf", pjsip)], keepalive).await
    }

    /// With these files and the usual plan.
    pub(crate) async fn with_files(files: &[(&str, &str)], keepalive: Keepalive) -> Self {
        let limits = Limits::default();
        let transports = vec![transport("udp", "127.0.0.1", &[])];
        let exchange = Self::listening(files, keepalive, transports, limits).await;
        assert_eq!(exchange.signal.faults(), Vec::<String>::new());
        exchange
    }

    /// With these transports alone.
    pub(crate) async fn on(transports: Vec<TransportConfig>) -> Self {
        let files = [("pjsip.conf", PJSIP)];
        Self::listening(&files, Keepalive::default(), transports, Limits::default()).await
    }

    pub(crate) async fn listening(
        files: &[(&str, &str)],
        keepalive: Keepalive,
        transports: Vec<TransportConfig>,
        connections: Limits,
    ) -> Self {
        let options = Options {
            keepalive,
            connections,
            ..Options::new(transports, [2; 32])
        };
        Self::begin(files, options).await
    }

    /// Whose names this server knows.
    pub(crate) async fn asking(
        files: &[(&str, &str)],
        transports: Vec<TransportConfig>,
        names: &NameServer,
    ) -> Self {
        let options = Options {
            name_server: Some(names.address),
            ..Options::new(transports, [2; 32])
        };
        Self::begin(files, options).await
    }

    async fn begin(files: &[(&str, &str)], options: Options) -> Self {
        let mut all = BTreeMap::from([("extensions.conf".to_owned(), EXTENSIONS.to_owned())]);
        let files = files.iter();
        all.extend(files.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
        let files = all;
        let (config, diagnostics) = config::load(&files);
        let config: Config = config.unwrap_or_else(|| panic!("{diagnostics:?}"));
        // A server the files name needs no folder.
        let folder = files
            .contains_key("database.conf")
            .then(|| Path::new("/nowhere"));
        let store = Store::open(Arc::new(config), folder).await.unwrap();
        let switch = Switch::new(Parts {
            store,
            media: Arc::new(Media),
            applications: apps::APPLICATIONS,
            functions: apps::FUNCTIONS,
            seed: [1; 32],
        });
        let signal = Signal::start(options, switch.clone());
        switch.connect(signal.technologies());
        let listen = Listen {
            address: "127.0.0.1:0".parse().unwrap(),
            secure: false,
            optional: false,
        };
        let options = web::Options {
            listeners: vec![listen],
            ..web::Options::default()
        };
        let server = Server::start(options, signal.routes(Routes::new())).unwrap();
        let ws = server.listening()[0].address;
        let udp = signal.udp().first().copied().unwrap_or(ws);
        Self {
            signal,
            switch,
            _server: server,
            ws,
            udp,
        }
    }

    pub(crate) async fn phone(&self) -> Phone {
        Phone::connect(self.ws).await
    }
}

/// A transport on a free port.
pub(crate) fn transport(protocol: &str, ip: &str, options: &[(&str, &str)]) -> TransportConfig {
    let mut columns = vec![("protocol", protocol), ("bind", ip)];
    columns.extend(options);
    let (mut transport, _) = TransportConfig::from_columns(protocol, &columns).unwrap();
    transport.bind.set_port(0);
    transport
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}
