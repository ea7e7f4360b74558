//! What `http.conf` means for the web server, at the start and at each reload.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use cli::{Part, Piece, Ready};
use config::{AddressList, Config, Http, HttpRestriction, HttpTlsSettings};
use web::{
    Certificate, Clients, Listen, Options, Pace, Redirect, Restriction, Server, Site, StartError,
    TlsSettings,
};

use crate::console::PRODUCT;
use crate::files;
use crate::obtained::Obtained;

/// Where relative names of files lead.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    /// The files that are run.
    pub(crate) config: PathBuf,
    /// What survives a restart.
    pub(crate) data: PathBuf,
    /// The certificate of `acme=yes`.
    pub(crate) obtained: Arc<Obtained>,
}

impl Folders {
    pub(crate) fn new(config: &Path, data: &Path) -> Self {
        Self {
            config: config.to_owned(),
            data: data.to_owned(),
            obtained: Arc::new(Obtained::new(data)),
        }
    }
}

/// What is to be served, and what of it cannot be.
pub(crate) struct Wanted {
    /// Without what is faulty.
    pub(crate) options: Options,
    /// Sentences, each about a part that is left out.
    pub(crate) faults: Vec<String>,
    /// Sentences about what works, though not for everybody.
    pub(crate) remarks: Vec<String>,
}

/// Reads the certificate; binds nothing.
pub(crate) fn wanted(config: &Config, folders: &Folders) -> Wanted {
    let http = &config.http;
    let mut names: Vec<String> = hostname().into_iter().collect();
    names.extend(http.hostnames.iter().cloned());
    let mut wanted = Wanted {
        options: Options {
            connections_max: http.session_limit,
            names,
            origins: http.websocket_origins.clone(),
            tls: tls_settings(&http.tls_settings),
            ..Options::default()
        },
        faults: Vec::new(),
        remarks: Vec::new(),
    };
    wanted.options.site = site(config, folders, &mut wanted.remarks);
    if let Some(address) = http.bind {
        wanted.listen(address, false);
    }
    if let Some(tls) = &http.tls {
        let (certificate, key) = (Path::new(&tls.certificate), Path::new(&tls.private_key));
        let read = Certificate::from_files(certificate, key);
        wanted.secure(tls.bind, read.map_err(|error| error.to_string()));
    }
    if let Some(acme) = &http.acme {
        let certificate = folders.obtained.certificate(acme);
        wanted.secure(acme.bind, certificate);
        wanted.options.names.extend(acme.names.iter().cloned());
    }
    wanted
}

impl Wanted {
    fn listen(&mut self, address: SocketAddr, secure: bool) {
        self.options.listeners.push(Listen {
            address,
            secure,
            optional: false,
        });
    }

    fn secure(&mut self, address: SocketAddr, certificate: Result<Certificate, String>) {
        // A fault of the settings alone is found here too, so that plain HTTP starts without HTTPS.
        let checked = certificate.and_then(|certificate| {
            let checked = self.options.tls.server_config(&certificate, &[]);
            checked
                .map(|_| certificate)
                .map_err(|error| error.to_string())
        });
        match checked {
            Ok(certificate) => {
                let remarks = certificate.remarks();
                let remarks = remarks.iter().map(|remark| format!("HTTPS: {remark}"));
                self.remarks.extend(remarks);
                self.options.certificate = Some(certificate);
                self.listen(address, true);
            }
            Err(error) => {
                let fault = format!("http.conf: HTTPS on {address} does not start: {error}");
                self.faults.push(fault);
            }
        }
    }
}

/// How TLS is spoken.
pub(crate) fn tls_settings(settings: &HttpTlsSettings) -> TlsSettings {
    let authorities = settings.ca_file.iter().chain(&settings.ca_path);
    let authorities = authorities.map(PathBuf::from).collect();
    TlsSettings {
        ciphers: settings.ciphers.clone(),
        tls12: settings.tls12,
        server_order: settings.server_order,
        clients: match settings.verify_clients {
            true => Clients::Required(authorities),
            false => Clients::Anybody,
        },
    }
}

fn site(config: &Config, folders: &Folders, remarks: &mut Vec<String>) -> Site {
    let http = &config.http;
    let server_name = http.server_name.clone();
    let server_name = server_name.unwrap_or_else(|| PRODUCT.to_owned());
    let redirects = http.redirects.iter().map(|redirect| Redirect {
        from: redirect.from.clone(),
        to: redirect.to.clone(),
    });
    let restrictions = http.restrictions.iter().map(|restriction| Restriction {
        path: restriction.path.clone(),
        allows: allows(config, restriction),
    });
    Site {
        prefix: http.prefix.clone(),
        server_name: Some(server_name).filter(|name| !name.is_empty()),
        redirects: redirects.collect(),
        static_folder: http.static_files.then(|| {
            let folder = static_folder(http, folders);
            if !folder.is_dir() {
                let shown = folder.display();
                remarks.push(format!(
                    "http.conf: enable_static=yes, but there is no folder {shown}; make it, and put \
                     the pages there"
                ));
            }
            folder
        }),
        status_page: http.status_page,
        restrictions: restrictions.collect(),
        pace: Pace {
            inactivity: http.session_inactivity,
            keep_alive: http.session_keep_alive,
        },
    }
}

/// The lists as they are now: those of `acl.conf` are read anew together with `http.conf`.
fn allows(
    config: &Config,
    restriction: &HttpRestriction,
) -> Arc<dyn Fn(IpAddr) -> bool + Send + Sync> {
    let own = restriction.source.own.clone();
    let named = restriction.source.named.iter();
    let named: Option<Vec<AddressList>> = named
        .map(|name| config.named_acls.get(name).cloned())
        .collect();
    Arc::new(move |address| {
        let named = named.as_ref();
        own.admits(address)
            && named.is_some_and(|lists| lists.iter().all(|list| list.admits(address)))
    })
}

/// What is named, else `static-http` beside the configuration or in the data folder, where Asterisk
/// has it.
fn static_folder(http: &Http, folders: &Folders) -> PathBuf {
    if let Some(named) = &http.static_dir {
        return PathBuf::from(named);
    }
    let beside = folders.config.join(STATIC_FOLDER);
    let within = folders.data.join(STATIC_FOLDER);
    match !beside.is_dir() && within.is_dir() {
        true => within,
        false => beside,
    }
}

/// Why the web server cannot listen or speak TLS: the place in the file, and what to write there.
pub(crate) fn fault(folder: &Path, error: &StartError) -> String {
    let StartError::Bind {
        address,
        secure,
        source,
    } = error
    else {
        return format!("http.conf: {error}");
    };
    let (what, options): (_, &[&str]) = match secure {
        true => ("HTTPS", &["tlsbindaddr", "sslbindaddr"]),
        false => ("HTTP", &["bindport"]),
    };
    let (ip, port) = (address.ip(), address.port());
    let folder = files::Folder(folder.to_owned());
    // A port that is not written is the default one.
    let written = config::http_option(&folder, options);
    let verb = match written.is_some() {
        true => "change the port in",
        false => "write another port as",
    };
    let option = options[0];
    let place = written.or_else(|| config::http_option(&folder, &["bindaddr"]));
    let place = place.map_or_else(
        || "http.conf".to_owned(),
        |at| format!("{}:{}", at.file, at.line),
    );
    match source.kind() {
        ErrorKind::AddrInUse => format!(
            "{place}: {what} needs port {port} of {ip}, but another program listens there; stop it, or {verb} \
             `{option}`"
        ),
        ErrorKind::AddrNotAvailable => format!(
            "{place}: {what} cannot listen on {address}: this machine has no such address; correct it, or use \
             0.0.0.0"
        ),
        ErrorKind::PermissionDenied => format!(
            "{place}: {what} cannot listen on {address}: the system does not permit it; ports below 1024 need \
             CAP_NET_BIND_SERVICE"
        ),
        _ => format!("{place}: {what} {error}"),
    }
}

/// Makes the web server ready for a new state of the files; the certificate is read again, whether
/// they changed or not.
pub(crate) fn piece(server: &Arc<OnceLock<Server>>, folders: &Folders) -> Piece {
    let (server, folders) = (server.clone(), folders.clone());
    Piece {
        part: Part::Http,
        prepare: Box::new(move |_, new| {
            let Some(server) = server.get() else {
                return Ok(Ready::default());
            };
            let wanted = wanted(new, &folders);
            if !wanted.faults.is_empty() {
                return Err(wanted.faults);
            }
            let certificate = wanted.options.certificate.clone();
            let prepared = server.prepare(wanted.options);
            let prepared = prepared.map_err(|errors| {
                let errors = errors.iter().map(|error| fault(&folders.config, error));
                errors.collect::<Vec<_>>()
            })?;
            let follow = following(&new.http, &folders, server, certificate);
            Ok(Ready {
                notes: wanted.remarks,
                ..Ready::step(move || {
                    prepared.commit();
                    follow();
                })
            })
        }),
    }
}

/// What gets and renews the certificate of `acme=yes`, if that is wanted, and ends what is not.
pub(crate) fn following(
    http: &Http,
    folders: &Folders,
    server: &Server,
    certificate: Option<Certificate>,
) -> impl FnOnce() + Send + 'static {
    let obtained = folders.obtained.clone();
    let (acme, challenges) = (http.acme.clone(), server.challenges());
    move || obtained.follow(acme.as_ref().zip(certificate), &challenges)
}

/// The machine's name, under which its pages are opened.
pub(crate) fn hostname() -> Option<String> {
    let name = std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// As in Asterisk's data folder.
const STATIC_FOLDER: &str = "static-http";
