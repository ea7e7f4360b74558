//! Both ends of the console: served by the exchange that runs, asked by `-rx` and `exec`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use cli::{Console, Exchange, Files, Parts};
use config::Source;

use crate::data::{self, DataFolder};
use crate::files;

/// The product as `http show status` and `core show version` name it.
pub(crate) const PRODUCT: &str = concat!("Sidetone/", env!("CARGO_PKG_VERSION"));

/// Serves the console in the data folder. Without one the exchange runs all the same.
pub(crate) fn listen(folder: &DataFolder, parts: Parts) -> Option<Console> {
    let path = folder.file(cli::SOCKET_NAME);
    Console::listen(&path, Exchange::new(parts))
        .inspect_err(|error| {
            tracing::error!("no console: cannot listen on {}: {error}", path.display());
        })
        .ok()
}

/// Reads the files of `source` again, whenever it is called. `sip_port` stands for the ports that the
/// files name, as it did at the start.
pub(crate) fn reader(
    source: impl Source + Send + Sync + 'static,
    sip_port: Option<u16>,
) -> Arc<Read> {
    Arc::new(move || {
        let (mut config, messages) = files::read(&source);
        for transport in config.iter_mut().flat_map(|config| &mut config.transports) {
            if let Some(port) = sip_port {
                transport.bind.set_port(port);
            }
        }
        (config, messages)
    })
}

/// What reads the files again.
pub(crate) type Read = dyn Fn() -> Files + Send + Sync;

/// Runs one command on the running exchange and prints the answer; whether it was done.
#[expect(
    clippy::print_stdout,
    reason = "the person who typed the command reads it"
)]
pub(crate) fn execute(folder: Option<PathBuf>, line: &str) -> Result<bool> {
    let folder = match folder {
        Some(folder) => folder,
        None => data::default_path()?,
    };
    let answer = cli::ask(&folder, line)?;
    print!("{}", answer.text);
    Ok(answer.done)
}
