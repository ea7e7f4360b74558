//! What reading the files anew means for what runs: which pieces are made ready, and who asks.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use cli::{Exchange, Files, Log, Part, Piece, Ready};
use signal::Signal;
use store::{Replacement, Store};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use crate::notify::Notify;
use crate::planes::Planes;
use crate::rows::Rows;
use crate::watch::Watched;
use crate::{demo, files, logging, watch};

/// The files that the exchange runs on, to be read again.
#[derive(Clone)]
pub(crate) enum Origin {
    /// A folder of files, and rows of the database they choose.
    Folder(Arc<Watched>, Arc<Rows>),
    /// The demo's own files, with the port that stands for the one they name.
    Demo { sip_port: u16 },
}

impl Origin {
    /// The folder of the files.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(watched, _) => Some(watched.folder()),
            Self::Demo { .. } => None,
        }
    }

    /// What the files say now. It blocks, on a thread that may.
    pub(crate) fn read(&self) -> Files {
        match self {
            Self::Folder(watched, rows) => {
                watched.begin();
                let (config, mut messages) = Handle::current().block_on(rows.read(&**watched));
                messages.extend(watched.gone());
                if let Some(config) = &config {
                    watched.mind_certificates(config);
                }
                (config, messages)
            }
            Self::Demo { sip_port } => {
                let (mut config, messages) = files::read(&demo::Files);
                if let Some(config) = &mut config {
                    demo::listen_at(config, *sip_port);
                }
                (config, messages)
            }
        }
    }
}

/// The pieces of the exchange that files are made ready for.
pub(crate) fn pieces(
    store: &Store,
    signal: &Arc<Signal>,
    planes: &Arc<Planes>,
    log: &Log,
    origin: &Origin,
) -> Vec<Piece> {
    vec![
        names(origin.clone()),
        transports(signal.clone()),
        logger(log.clone()),
        media_ports(planes.clone()),
        // The last one: until all is ready, it keeps connections to two databases.
        database(store.clone()),
    ]
}

/// Which files are in force.
fn names(origin: Origin) -> Piece {
    Piece {
        part: Part::All,
        prepare: Box::new(move |_, _| {
            let origin = origin.clone();
            Ok(Ready::step(move || match origin {
                Origin::Folder(watched, _) => watched.accept(),
                Origin::Demo { .. } => {}
            }))
        }),
    }
}

/// Listeners of SIP: certificates are read again even where nothing is written differently.
fn transports(signal: Arc<Signal>) -> Piece {
    Piece {
        part: Part::Pjsip,
        prepare: Box::new(move |_, new| {
            let prepared = signal.prepare(new)?;
            Ok(Ready::step(move || prepared.commit()))
        }),
    }
}

/// Ports of media: new calls go through those of the new range.
fn media_ports(planes: Arc<Planes>) -> Piece {
    Piece {
        part: Part::Rtp,
        prepare: Box::new(move |old, new| {
            if old.rtp.ports == new.rtp.ports {
                return Ok(Ready::default());
            }
            let prepared = planes.prepare(&new.rtp.ports);
            let plane = prepared.map_err(|error| vec![format!("rtp.conf: {error}")])?;
            let planes = planes.clone();
            Ok(plane.map_or_else(Ready::default, |plane| {
                Ready::step(move || planes.replace(plane))
            }))
        }),
    }
}

/// Channels of the log.
fn logger(log: Log) -> Piece {
    Piece {
        part: Part::Logger,
        prepare: Box::new(move |old, new| {
            if old.logger == new.logger {
                return Ok(Ready::default());
            }
            match log.prepare(logging::settings(&new.logger)) {
                (prepared, errors) if errors.is_empty() => {
                    Ok(Ready::step(move || prepared.commit()))
                }
                (_, errors) => Err(errors),
            }
        }),
    }
}

/// The database: opened and looked at before anything of it is in force.
fn database(store: Store) -> Piece {
    Piece {
        part: Part::Database,
        prepare: Box::new(move |_, new| {
            let prepared = Handle::current().block_on(store.prepare(new));
            let database = prepared.map_err(|faults| {
                let faults = faults.iter().map(ToString::to_string);
                faults.collect::<Vec<_>>()
            })?;
            let notes = database.iter().flat_map(Replacement::notes);
            Ok(Ready {
                notes: notes.map(|note| format!("database: {note}")).collect(),
                database,
                ..Ready::default()
            })
        }),
    }
}

/// Reads the files again at each SIGHUP, and when they change if that is wanted. Ends with the runtime.
///
/// # Errors
///
/// When the system refuses a signal handler.
pub(crate) fn listen(
    exchange: &Arc<Exchange>,
    store: &Store,
    origin: &Origin,
    autoreload: bool,
    notify: &Notify,
) -> Result<()> {
    let mut hangups = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let (asked, notify) = (exchange.clone(), notify.clone());
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            notify.reloading();
            // The log has what came of it.
            notify.ready(match asked.reload(Part::All, "SIGHUP").await {
                Ok(_) => "the configuration was read again",
                Err(_) => "the changed configuration has errors; the old one is in force",
            });
        }
    });
    if let Origin::Folder(watched, rows) = origin {
        tokio::spawn(watch::watch(watched.clone(), exchange.clone(), autoreload));
        let (rows, exchange, store) = (rows.clone(), exchange.clone(), store.clone());
        tokio::spawn(async move { rows.follow(exchange, store).await });
    }
    Ok(())
}
