//! Both ends of the console: served by the exchange that runs, asked by `-rx` and `exec`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use cli::{Console, Exchange};

use crate::data::{self, DataFolder};

/// The product as `http show status` and `core show version` name it.
pub(crate) const PRODUCT: &str = concat!("Sidetone/", env!("CARGO_PKG_VERSION"));

/// Serves the console in the data folder. Without one the exchange runs all the same.
pub(crate) fn listen(folder: &DataFolder, exchange: Arc<Exchange>) -> Option<Console> {
    let path = folder.file(cli::SOCKET_NAME);
    Console::listen(&path, exchange)
        .inspect_err(|error| {
            tracing::error!("no console: cannot listen on {}: {error}", path.display());
        })
        .ok()
}

/// Opens a console for a person to type into; whether all was done.
pub(crate) fn open(folder: Option<PathBuf>, verbose: u8) -> Result<bool> {
    let folder = match folder {
        Some(folder) => folder,
        None => data::of_running()?,
    };
    Ok(cli::shell(&cli::ShellOptions { folder, verbose })?)
}

/// Runs one command on the running exchange and prints the answer; whether it was done.
#[expect(
    clippy::print_stdout,
    reason = "the person who typed the command reads it"
)]
pub(crate) fn execute(folder: Option<PathBuf>, line: &str) -> Result<bool> {
    let folder = match folder {
        Some(folder) => folder,
        None => data::of_running()?,
    };
    let answer = cli::ask(&folder, line)?;
    print!("{}", answer.text);
    Ok(answer.done)
}
