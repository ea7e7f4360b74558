//! What `http.conf` means for the web server, at the start and at each reload.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use cli::{Part, Piece, Ready};
use config::{Http, HttpTls};
use web::{Certificate, Listen, Options, Redirect, Server, Site};

use crate::console::PRODUCT;

/// Where relative names of files lead.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    /// The files that are run.
    pub(crate) config: PathBuf,
    /// What survives a restart.
    pub(crate) data: PathBuf,
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
pub(crate) fn wanted(http: &Http, folders: &Folders) -> Wanted {
    let mut wanted = Wanted {
        options: Options {
            connections_max: http.session_limit,
            names: hostname().into_iter().collect(),
            ..Options::default()
        },
        faults: Vec::new(),
        remarks: Vec::new(),
    };
    wanted.options.site = site(http, folders, &mut wanted.remarks);
    let listen = |address, secure| Listen {
        address,
        secure,
        optional: false,
    };
    let plain = http.bind.map(|address| listen(address, false));
    wanted.options.listeners.extend(plain);
    if let Some(tls) = &http.tls {
        match certificate(tls, folders) {
            Ok(certificate) => {
                let remarks = certificate.remarks();
                let remarks = remarks.iter().map(|remark| format!("HTTPS: {remark}"));
                wanted.remarks.extend(remarks);
                wanted.options.certificate = Some(certificate);
                wanted.options.listeners.push(listen(tls.bind, true));
            }
            Err(error) => {
                let fault = format!("http.conf: HTTPS on {} does not start: {error}", tls.bind);
                wanted.faults.push(fault);
            }
        }
    }
    wanted
}

fn certificate(tls: &HttpTls, folders: &Folders) -> Result<Certificate, web::CertificateError> {
    let file = |name: &str| folders.config.join(name);
    Certificate::from_files(&file(&tls.certificate), &file(&tls.private_key))
}

fn site(http: &Http, folders: &Folders, remarks: &mut Vec<String>) -> Site {
    let redirects = http.redirects.iter();
    Site {
        prefix: http.prefix.clone(),
        server_name: Some(http.server_name.clone().unwrap_or_else(|| PRODUCT.to_owned())),
        redirects: redirects
            .map(|redirect| Redirect {
                from: redirect.from.clone(),
                to: redirect.to.clone(),
            })
            .collect(),
        static_folder: http.static_files.then(|| {
            let folder = static_folder(folders);
            if !folder.is_dir() {
                let shown = folder.display();
                remarks.push(format!(
                    "http.conf: enable_static=yes, but there is no folder {shown}; make it, and put \
                     the pages there"
                ));
            }
            folder
        }),
        ..Site::default()
    }
}

/// `static-http` beside the configuration, or in the data folder, where Asterisk has it.
fn static_folder(folders: &Folders) -> PathBuf {
    let beside = folders.config.join(STATIC_FOLDER);
    let within = folders.data.join(STATIC_FOLDER);
    match !beside.is_dir() && within.is_dir() {
        true => within,
        false => beside,
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
            let wanted = wanted(&new.http, &folders);
            if !wanted.faults.is_empty() {
                return Err(wanted.faults);
            }
            let prepared = server.prepare(wanted.options);
            let prepared = prepared.map_err(|errors| {
                let errors = errors.iter().map(|error| format!("http.conf: {error}"));
                errors.collect::<Vec<_>>()
            })?;
            Ok(Ready {
                notes: wanted.remarks,
                commit: Some(Box::new(move || prepared.commit())),
            })
        }),
    }
}

/// The machine's name, under which its pages are opened.
fn hostname() -> Option<String> {
    let name = std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// As in Asterisk's data folder.
const STATIC_FOLDER: &str = "static-http";
