//! Where configuration text comes from: a folder of files.

use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Result, bail};
use config::{Config, Severity, Source};

/// A folder of Asterisk-style files.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Source for Folder {
    fn read(&self, name: &str) -> Result<Option<String>, String> {
        let path = self.0.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8(bytes)
                .map(Some)
                .map_err(|_| format!("{} is not UTF-8 text", path.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }
}

/// Reads and checks everything; faults go to standard error, one paragraph each.
///
/// # Errors
///
/// When nothing can be run from these files.
pub(crate) fn load(source: &dyn Source) -> Result<Config> {
    let (config, mut messages) = config::load(source);
    if let Some(config) = &config {
        let known: Vec<&str> = apps::APPLICATIONS.iter().map(|app| app.name).collect();
        messages.extend(config.plan.unknown_applications(&known));
    }
    let mut errors = 0_usize;
    for message in &messages {
        eprintln!("{message}");
        errors += usize::from(message.severity == Severity::Error);
    }
    match config {
        Some(config) => {
            if errors > 0 {
                tracing::error!(
                    errors,
                    "the configuration has errors; what they name is left out"
                );
            }
            Ok(config)
        }
        None => bail!("the configuration cannot be used ({errors} errors, see above)"),
    }
}
