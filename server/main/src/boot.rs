//! The start, in order, and the stop, in the opposite one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context as _, Result};
use cli::{Exchange, Log, Places};
use config::{Config, Secret};
use signal::Signal;
use store::{SavedContact, Store};
use switch::{Cause, Parts, Switch, Then};
use web::{Audience, Certificate, Listen, Options, Routes, Server, Site};

use crate::addresses::{self, Addresses};
use crate::arguments::RunArguments;
use crate::data::{self, DataFolder};
use crate::heartbeat::{self, Machines};
use crate::notify::Notify;
use crate::planes::Planes;
use crate::reload::{self, Origin};
use crate::rows::Rows;
use crate::site::Folders;
use crate::stop::Stop;
use crate::watch::Watched;
use crate::{certificate, console, database, demo, files, logging, report, site};

/// Runs the exchange until it is asked to stop; says what comes then.
///
/// # Errors
///
/// One sentence about why it cannot start.
pub(crate) async fn run(arguments: RunArguments) -> Result<Then> {
    let mut stop = Stop::new()?;
    let notify = Notify::from_environment();
    let folder = match &arguments.data {
        Some(path) => DataFolder::open(path)?,
        None => DataFolder::open(&data::default_path()?)?,
    };
    let log = logging::start(&arguments, &folder)?;
    let addresses = addresses::of_this_machine();
    let wanted = match &arguments.config {
        Some(path) => Wanted::of_files(path, &folder).await?,
        None => Wanted::of_demo(&arguments, &folder)?,
    };
    let config = Arc::new(wanted.config);
    logging::follow(&log, &config);
    let (store, survivors) = open_store(&config, &folder, wanted.demo).await?;
    let accounts = match wanted.demo {
        true => Some(store.demo_accounts(&demo::ACCOUNTS, demo::password).await?),
        false => None,
    };
    let certificate = wanted.web.certificate.clone();
    let running = Running::start(
        &config,
        store,
        &addresses,
        wanted.web,
        accounts.as_deref(),
        &wanted.origin,
    )?;
    running.signal.restore(survivors);
    if let (Some(folders), Some(server)) = (&wanted.folders, running.server.get())
        && !arguments.examined
    {
        site::following(&config.http, folders, server, certificate)();
    }
    let exchange = running.exchange(&wanted.origin, wanted.folders.as_ref(), folder.path(), log);
    let (store, origin) = (running.switch.store(), &wanted.origin);
    reload::listen(&exchange, store, origin, arguments.autoreload, &notify)?;
    let console = console::listen(&folder, exchange);
    announce(&running, accounts.as_deref());
    if addresses.loopback_only {
        tracing::warn!(
            "this machine has no network interface besides loopback; browsers gather no loopback \
             candidates, so calls will have no sound or picture"
        );
    }
    let switch = running.switch.clone();
    let machines = running.machines();
    notify.ready(&machines.status());
    let heartbeat = tokio::spawn(heartbeat::run(machines, notify.clone()));
    // Whoever ends the demo is done with it.
    let is_drained = !wanted.demo;
    let drain = || match is_drained {
        true => Duration::from_secs(switch.config().own.drain_s.into()),
        false => Duration::ZERO,
    };
    let ended = tokio::select! {
        ended = switch.until_stop() => ended,
        never = stop.watch(&switch, &notify, drain) => never,
    };
    tracing::info!("{}: hanging up and leaving", ended.by);
    notify.stopping("hanging up and leaving", Duration::ZERO);
    heartbeat.abort();
    if let Some(console) = console {
        console.shutdown(FLUSH).await;
    }
    running.stop().await;
    Ok(ended.then)
}

/// The database, and the contacts that survived the last run. The demo's accounts and contacts must not
/// become an operator's.
async fn open_store(
    config: &Arc<Config>,
    folder: &DataFolder,
    demo: bool,
) -> Result<(Store, Vec<SavedContact>)> {
    let (database, kept) = match demo {
        true => ("demo.db", folder.file("demo")),
        false => (database::FILE, folder.path().to_owned()),
    };
    let store = Store::open(config.clone(), Some(&folder.file(database)))
        .await
        .context("cannot use the database")?;
    let name = site::hostname().unwrap_or_else(|| "sidetone".to_owned());
    let survivors = store.keep(&kept, &name).await;
    Ok((store, survivors))
}

/// What is to run: the files and where the web server listens.
struct Wanted {
    config: Config,
    web: Options,
    demo: bool,
    /// Where the files are read again.
    origin: Origin,
    /// Where the files lie that they name; the demo names none.
    folders: Option<Folders>,
}

impl Wanted {
    fn of_demo(arguments: &RunArguments, folder: &DataFolder) -> Result<Self> {
        let mut config = files::load(&demo::Files)?;
        demo::listen_at(&mut config, arguments.sip_port);
        let pem = certificate::of(folder)?;
        let loopback = |port: u16, secure: bool| {
            [
                (IpAddr::V4(Ipv4Addr::LOCALHOST), false),
                (IpAddr::V6(Ipv6Addr::LOCALHOST), true),
            ]
            .map(|(ip, optional)| Listen {
                address: SocketAddr::new(ip, port),
                secure,
                optional,
            })
        };
        let listeners = [
            loopback(arguments.http_port, false),
            loopback(arguments.https_port, true),
        ]
        .concat();
        let certificate =
            Certificate::from_files(&pem.certificate, &pem.key).with_context(|| {
                format!(
                    "remove {} and {}, they are made anew",
                    pem.certificate.display(),
                    pem.key.display()
                )
            })?;
        let web = Options {
            listeners,
            certificate: Some(certificate),
            site: Site {
                server_name: Some(console::PRODUCT.to_owned()),
                ..Site::default()
            },
            ..Options::default()
        };
        Ok(Self {
            config,
            web,
            demo: true,
            origin: Origin::Demo {
                sip_port: arguments.sip_port,
            },
            folders: None,
        })
    }

    async fn of_files(path: &Path, folder: &DataFolder) -> Result<Self> {
        let watched = Arc::new(Watched::new(files::Folder(path.to_owned())));
        let rows = Arc::new(Rows::new(folder.file(database::FILE)));
        let config = files::taken(rows.read(&*watched).await)?;
        files::say_unread(&files::Folder(path.to_owned()));
        watched.mind_certificates(&config);
        let folders = Folders::new(path, folder.path());
        let wanted = site::wanted(&config, &folders);
        // Asterisk starts without HTTPS too; the other transports are of use meanwhile.
        for fault in wanted.faults {
            tracing::error!("{fault}");
        }
        for remark in wanted.remarks {
            tracing::warn!("{remark}");
        }
        let web = wanted.options;
        Ok(Self {
            config,
            web,
            demo: false,
            origin: Origin::Folder(watched, rows),
            folders: Some(folders),
        })
    }
}

/// Everything that runs.
struct Running {
    planes: Arc<Planes>,
    switch: Switch,
    signal: Arc<Signal>,
    server: Arc<OnceLock<Server>>,
}

impl Running {
    fn start(
        config: &Config,
        store: Store,
        addresses: &Addresses,
        web: Options,
        accounts: Option<&[(String, Secret)]>,
        origin: &Origin,
    ) -> Result<Self> {
        let planes = Arc::new(Planes::start(addresses.all.clone(), &config.rtp.ports)?);
        let switch = Switch::new(Parts {
            store,
            media: planes.clone(),
            applications: apps::APPLICATIONS,
            functions: apps::FUNCTIONS,
            seed: seed()?,
        });
        let signal = Signal::start(signal_options(config)?, switch.clone());
        for fault in signal.faults() {
            if accounts.is_some() {
                anyhow::bail!("{fault}, or choose another port with --sip-port");
            }
            // As with Asterisk, the other transports are of use meanwhile.
            tracing::error!("{fault}");
        }
        switch.connect(signal.technologies());
        let signal = Arc::new(signal);
        let server = Arc::new(OnceLock::new());
        let routes = routes(&switch, &signal, &server, accounts, addresses.loopback_only);
        let started = Server::start(web, routes).map_err(|error| match origin {
            Origin::Folder(watched, _) => anyhow::anyhow!(site::fault(watched.folder(), &error)),
            Origin::Demo { .. } => demo::fault(&error),
        })?;
        server.set(started).ok();
        Ok(Self {
            planes,
            switch,
            signal,
            server,
        })
    }

    /// What the console and reloads see of this.
    fn exchange(
        &self,
        origin: &Origin,
        folders: Option<&Folders>,
        data: &Path,
        log: Log,
    ) -> Arc<Exchange> {
        let origin = origin.clone();
        let places = Places {
            config: origin.folder().map(Path::to_owned),
            data: data.to_owned(),
        };
        let mut pieces = reload::pieces(
            self.switch.store(),
            &self.signal,
            &self.planes,
            &log,
            &origin,
        );
        pieces.extend(folders.map(|folders| site::piece(&self.server, folders)));
        Arc::new(Exchange::new(cli::Parts {
            switch: self.switch.clone(),
            signal: self.signal.clone(),
            server: self.server.clone(),
            read: Arc::new(move || origin.read()),
            pieces,
            log,
            places,
            product: console::PRODUCT,
            function_doc: apps::function_doc,
        }))
    }

    /// What the watchdog asks.
    fn machines(&self) -> Machines {
        Machines {
            switch: self.switch.clone(),
            signal: self.signal.clone(),
            planes: self.planes.clone(),
        }
    }

    /// Calls first, so that their BYEs still find a connection.
    async fn stop(self) {
        self.switch.shutdown(Cause::NormalClearing).await;
        self.signal.shutdown(FLUSH).await;
        if let Some(server) = self.server.get() {
            server.shutdown(FLUSH).await;
        }
        self.planes.shutdown().await;
        self.switch.store().close().await;
    }
}

/// How long each layer may take to send what it still has.
const FLUSH: Duration = Duration::from_millis(100);

fn routes(
    switch: &Switch,
    signal: &Arc<Signal>,
    server: &Arc<OnceLock<Server>>,
    accounts: Option<&[(String, Secret)]>,
    loopback_only: bool,
) -> Routes {
    let client = report::client(accounts, loopback_only);
    let status = {
        let (switch, signal, server) = (switch.clone(), signal.clone(), server.clone());
        move || report::status(&switch, &signal, server.get().map(Server::counts))
    };
    signal
        .routes(Routes::new())
        .json("/status", Audience::Loopback, status)
        .json("/client.json", Audience::SameOrigin, move || client.clone())
}

fn signal_options(config: &Config) -> Result<signal::Options> {
    let mut options = signal::Options::new(config.transports.clone(), seed()?);
    options.server.clone_from(&config.global.user_agent);
    Ok(options)
}

fn seed() -> Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| anyhow::anyhow!("the operating system gives no random bytes: {error}"))?;
    Ok(seed)
}

/// The scheme, host and port under which a person opens a listener. One on every address is reached by TLS
/// from elsewhere, by this machine's name; without TLS browsers give their microphone to pages of `localhost`
/// alone.
fn origin(listen: &Listen) -> String {
    let scheme = if listen.secure { "https" } else { "http" };
    let address = listen.address;
    if !address.ip().is_unspecified() {
        return format!("{scheme}://{address}");
    }
    let name = site::hostname().filter(|_| listen.secure);
    let name = name.unwrap_or_else(|| "localhost".to_owned());
    format!("{scheme}://{name}:{}", address.port())
}

/// The one thing that goes to standard output: where to look.
#[expect(
    clippy::print_stdout,
    reason = "the person who typed the command reads it"
)]
fn announce(running: &Running, accounts: Option<&[(String, Secret)]>) {
    let server = running.server.get();
    let listening = server.map(Server::listening).unwrap_or_default();
    let prefix = server.map(Server::prefix).unwrap_or_default();
    let port = |secure: bool| {
        listening
            .iter()
            .find(|listen| listen.secure == secure)
            .map(|listen| listen.address.port())
    };
    match accounts {
        Some(accounts) => {
            let (http, https) = (
                port(false).unwrap_or_default(),
                port(true).unwrap_or_default(),
            );
            println!("{}", demo::banner(http, https, accounts));
        }
        None => {
            for listen in &listening {
                let origin = origin(listen);
                println!("  Open {origin}{prefix}/ ; WebSocket at {prefix}/ws");
            }
        }
    }
}
