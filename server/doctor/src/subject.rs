//! The examination as a whole: what is examined, in which order, and what depends on what.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::{Config, Diagnostic, Secret, Source, Subscriber};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::exchange::Exchange;
use crate::link::ports::Exchange as State;
use crate::link::register::Who;
use crate::link::{
    acme, browser, call, certificate, clock, configuration, database, firewall, limits, outside,
    ports, register, selinux, websocket,
};
use crate::listeners;
use crate::phone::{Account, Phone};
use crate::places::Places;
use crate::report::{Link, Outcome, Report};
use crate::root::Root;
use crate::sockets;
use crate::wire::Url;

/// What is to be examined.
pub struct Subject<'a> {
    /// The folder of the files.
    pub folder: PathBuf,
    /// What reads them.
    pub source: &'a (dyn Source + Sync),
    /// What they say, unless they cannot be used.
    pub config: Option<Arc<Config>>,
    /// What is wrong with them.
    pub messages: Vec<Diagnostic>,
    /// The data folder of the exchange.
    pub data: PathBuf,
    /// The database file in it.
    pub database: PathBuf,
    /// The console's socket in it: who answers there is the running exchange.
    pub console: PathBuf,
    /// The program that is started where none runs.
    pub binary: PathBuf,
    /// The system.
    pub root: Root,
    /// The names browsers use.
    pub names: Vec<String>,
    /// Where the WebSocket is, if not where the files say.
    pub url: Option<String>,
    /// The site whose page opens it, if not the exchange's own.
    pub origin: Option<String>,
    /// Who registers, if not the first account that can.
    pub user: Option<String>,
    /// With which password.
    pub password: Option<Secret>,
    /// What is called, if not the first echo of the dial plan.
    pub exten: Option<String>,
    /// Whether a real browser calls too.
    pub browser: bool,
}

/// Examines every link.
pub async fn examine(subject: &Subject<'_>) -> Report {
    let places = Places::new(&subject.folder, subject.source);
    let messages = &subject.messages;
    let config = subject.config.as_deref();
    let mut links = vec![configuration::examine(config, messages, &places)];
    if let Some(config) = &subject.config {
        Box::pin(with_config(subject, config, &places, &mut links)).await;
    } else {
        links.extend(
            DEPENDENT.map(|name| Link::skipped(name, "because the configuration cannot be used")),
        );
    }
    let files =
        ["pjsip.conf", "http.conf", "extensions.conf"].map(|name| subject.folder.join(name));
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    links.push(clock::examine(&subject.root, &files).await);
    links.push(limits::buffers(&subject.root));
    Report::new(links)
}

/// What is skipped without a configuration.
const DEPENDENT: [&str; 8] = [
    "database",
    "certificate",
    "ports",
    "firewall",
    "exchange",
    "websocket",
    "register",
    "call",
];

async fn with_config(
    subject: &Subject<'_>,
    config: &Arc<Config>,
    places: &Places<'_>,
    links: &mut Vec<Link>,
) {
    let root = &subject.root;
    let (link, rows) = database::examine(config, &subject.database).await;
    links.push(link);
    let hostname = root.read("/proc/sys/kernel/hostname");
    let store = certificate::Store::of(root);
    let against = certificate::Against {
        root,
        names: &subject.names,
        hostname: hostname
            .as_deref()
            .map(str::trim)
            .filter(|name| !name.is_empty()),
        store: &store,
    };
    let state = running(&subject.console).await;
    let mut link = certificate::examine(config, places, &against);
    if let Some(acme) = &config.http.acme {
        let about = acme::About {
            data: &subject.data,
            names: &subject.names,
            store: &store,
            is_running: matches!(state, State::Running { .. }),
            plain_port: config.http.bind.map(|bind| bind.port()),
        };
        acme::examine(acme, &about, places, &mut link).await;
    }
    links.push(link);
    let listeners = listeners::of(config, places);
    links.push(ports::examine(root, config, &listeners, places, state));
    let are_ports_good = links
        .last()
        .is_some_and(|link| link.outcome != Outcome::Failed);
    // The firewall comes here, once it is known which ports carry media.
    let after_ports = links.len();
    links.push(selinux::examine(root).await);
    let (link, started) = exchange(subject, state, are_ports_good).await;
    let is_up = link.outcome < Outcome::Failed && link.outcome != Outcome::Skipped;
    let failed = link.outcome == Outcome::Failed;
    links.push(link);
    let pid = match state {
        State::Running { pid } => pid,
        State::Stopped => started.as_ref().and_then(Exchange::pid),
    };
    let media = match pid.filter(|_| is_up) {
        Some(pid) => sockets::udp_ports(root, pid, &config.rtp.ports),
        None => Vec::new(),
    };
    let firewall = firewall::examine(root, config, &listeners, &media, places).await;
    links.insert(after_ports, firewall);
    if is_up {
        let file_accounts = config.endpoints.values().cloned().collect::<Vec<_>>();
        let accounts = Accounts {
            in_files: &file_accounts,
            in_rows: &rows,
        };
        Box::pin(phone(subject, config, places, &store, &accounts, links)).await;
    } else {
        let because = match (failed, state) {
            (true, State::Running { .. }) => "because the exchange does not answer",
            (true, State::Stopped) => "because the exchange does not start",
            (false, _) => "because a port it needs is not free",
        };
        links.extend(["websocket", "register", "call"].map(|name| Link::skipped(name, because)));
    }
    links.push(limits::files(root, config, places, pid));
    links.push(outside::examine(config, places));
    if let Some(started) = started {
        started.stop().await;
    }
}

/// Who answers at the console's socket.
async fn running(console: &Path) -> State {
    match UnixStream::connect(console).await {
        Ok(stream) => State::Running {
            pid: stream
                .peer_cred()
                .ok()
                .and_then(|peer| u32::try_from(peer.pid()?).ok()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            State::Running { pid: None }
        }
        Err(_) => State::Stopped,
    }
}

/// Whether the running exchange still answers, as its service manager would ask.
async fn answers(console: &Path) -> bool {
    let asking = async {
        let mut stream = UnixStream::connect(console).await.ok()?;
        stream.write_all(b"run core show uptime\n").await.ok()?;
        stream.read_u8().await.ok()
    };
    matches!(timeout(ANSWER_MAX, asking).await, Ok(Some(_)))
}

/// How long a running exchange may take to say how long it runs.
const ANSWER_MAX: Duration = Duration::from_secs(5);

async fn exchange(
    subject: &Subject<'_>,
    state: State,
    are_ports_good: bool,
) -> (Link, Option<Exchange>) {
    const NAME: &str = "exchange";
    match state {
        State::Running { pid } => {
            let name = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            let mut link = Link::new(NAME, format!("running{name}"));
            if pid.is_some() && !answers(&subject.console).await {
                let (wait, socket) = (ANSWER_MAX.as_secs(), subject.console.display());
                link.fail(
                    None,
                    format!(
                        "the exchange{name} does not answer at {socket} within {wait} s: it hangs"
                    ),
                    "restart it (systemctl restart sidetone), and report what its log says last",
                );
            }
            (link, None)
        }
        State::Stopped if subject.url.is_some() => (
            Link::new(
                NAME,
                "not on this data folder; the one at --url is examined",
            ),
            None,
        ),
        State::Stopped if !are_ports_good => (
            Link::skipped(NAME, "stopped, and not started because of its ports"),
            None,
        ),
        State::Stopped => {
            match Exchange::start(&subject.binary, &subject.folder, &subject.data).await {
                Ok(started) => (
                    Link::new(
                        NAME,
                        "stopped; started for this examination with a copy of its data",
                    ),
                    Some(started),
                ),
                Err(words) => {
                    let mut link = Link::new(NAME, "stopped");
                    link.fail(
                        None,
                        format!("the exchange does not start:\n{words}"),
                        "its last lines name the cause",
                    );
                    (link, None)
                }
            }
        }
    }
}

/// Where an account may come from.
struct Accounts<'a> {
    in_files: &'a [Arc<Subscriber>],
    in_rows: &'a [Arc<Subscriber>],
}

impl<'a> Accounts<'a> {
    /// The one that is asked for, or the first browser that has all it needs.
    fn choose(&self, user: Option<&str>, password: Option<&Secret>) -> Option<Who<'a>> {
        let all = || {
            let files = self.in_files.iter().map(|subscriber| (subscriber, true));
            files.chain(self.in_rows.iter().map(|subscriber| (subscriber, false)))
        };
        let found = match user {
            Some(user) => all().find(|(subscriber, _)| subscriber.endpoint.id == user),
            None => {
                let usable = |(subscriber, _): &(&Arc<Subscriber>, bool)| {
                    secret_of(subscriber).is_some() && !subscriber.aors.is_empty()
                };
                let mut browsers = all().filter(|(subscriber, _)| subscriber.endpoint.webrtc);
                browsers.find(usable).or_else(|| all().find(usable))
            }
        };
        let known = found.and_then(|(subscriber, _)| secret_of(subscriber));
        let password = password
            .cloned()
            .or_else(|| known.as_ref().map(|known| known.1.clone()))?;
        let id = user
            .map(str::to_owned)
            .or_else(|| Some(found?.0.endpoint.id.clone()))?;
        Some(Who {
            account: Account {
                username: known.map_or_else(|| id.clone(), |known| known.0),
                id,
                password,
            },
            subscriber: found.map(|(subscriber, _)| &**subscriber),
            is_in_files: found.is_some_and(|(_, is_in_files)| is_in_files),
        })
    }
}

/// The user and password of an endpoint, where they are written in the clear.
fn secret_of(subscriber: &Subscriber) -> Option<(String, Secret)> {
    subscriber.auths.iter().find_map(|auth| {
        let password = auth.password.clone()?;
        Some((auth.username.clone(), password))
    })
}

async fn phone(
    subject: &Subject<'_>,
    config: &Config,
    places: &Places<'_>,
    store: &certificate::Store,
    accounts: &Accounts<'_>,
    links: &mut Vec<Link>,
) {
    let skip = |links: &mut Vec<Link>, names: &[&'static str], because: &str| {
        links.extend(names.iter().map(|name| Link::skipped(name, because)));
    };
    let url = match url_of(subject, config, places) {
        Ok(url) => url,
        Err(link) => {
            links.push(*link);
            return skip(
                links,
                &["register", "call"],
                "because there is no WebSocket",
            );
        }
    };
    let opened = websocket::examine(&url, subject.origin.as_deref(), places, store);
    let (link, socket) = Box::pin(opened).await;
    links.push(link);
    let Some(socket) = socket else {
        return skip(
            links,
            &["register", "call"],
            "because the WebSocket does not open",
        );
    };
    let Some(who) = accounts.choose(subject.user.as_deref(), subject.password.as_ref()) else {
        let mut link = Link::new("register", "no account");
        link.fail(
            Some(places.file("pjsip.conf")),
            "no endpoint of the files or the database has an auth with a password and an aor",
            "add one, or name one with --user ID --password PASSWORD",
        );
        links.push(link);
        return skip(links, &["call"], "because there is no account");
    };
    let remote = socket_peer(&socket).unwrap_or_else(|| ([0, 0, 0, 0], url.port).into());
    let mut phone = match Phone::new(socket, who.account.clone(), &url.host) {
        Ok(phone) => phone,
        Err(failed) => return skip(links, &["register", "call"], &failed.to_string()),
    };
    let (link, may_call) = register::examine(&mut phone, &who, places, remote).await;
    links.push(link);
    if !may_call {
        phone.close().await;
        return skip(links, &["call"], "because REGISTER fails");
    }
    let context = who
        .subscriber
        .map(|subscriber| subscriber.endpoint.context.as_str());
    let exten = subject
        .exten
        .clone()
        .or_else(|| call::echo_of(config, context?));
    links.push(match &exten {
        Some(exten) => call::examine(&mut phone, &who, exten, Some(config), places).await,
        None => call::without_echo(context.unwrap_or("default"), places),
    });
    // It ends with the connection in any case; the browser needs its place.
    let _ = register::leave(&mut phone).await;
    phone.close().await;
    if let (true, Some(exten)) = (subject.browser, &exten) {
        links.push(browser::examine(&url, &who.account, exten).await);
    }
}

/// Where the WebSocket is, or why there is none.
fn url_of(subject: &Subject<'_>, config: &Config, places: &Places<'_>) -> Result<Url, Box<Link>> {
    match &subject.url {
        Some(text) => Url::parse(text).ok_or_else(|| {
            let mut link = Link::new("websocket", text.clone());
            let sentence = format!("{text} is no URL of a WebSocket");
            link.fail(None, sentence, "write wss://host:port/ws");
            Box::new(link)
        }),
        None => websocket::url_of(config, subject.names.first().map(String::as_str))
            .ok_or_else(|| Box::new(websocket::without_web(places))),
    }
}

/// The other end of the connection.
fn socket_peer(
    socket: &tokio_tungstenite::WebSocketStream<crate::wire::Stream>,
) -> Option<std::net::SocketAddr> {
    use tokio_util::either::Either;
    match socket.get_ref() {
        Either::Left(stream) => stream.peer_addr().ok(),
        Either::Right(stream) => stream.get_ref().0.peer_addr().ok(),
    }
}
