//! The data folder: mode 0700, locked against a second instance.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// The folder, held for as long as this value lives.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    /// Its lock ends with the process, however that ends.
    _lock: File,
}

impl DataFolder {
    /// Makes the folder where it is missing, closes it to others and locks it.
    ///
    /// # Errors
    ///
    /// When it cannot be made or written, or when another instance holds it: one sentence each.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        DirBuilder::new()
            .recursive(true)
            .mode(MODE)
            .create(path)
            .with_context(|| {
                format!("cannot make the data folder {shown}; choose another with --data DIR")
            })?;
        let metadata =
            fs::metadata(path).with_context(|| format!("cannot read the data folder {shown}"))?;
        if metadata.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(MODE)).with_context(|| {
                format!(
                    "others can read the data folder {shown} and its mode cannot be changed to 0700"
                )
            })?;
        }
        let lock = File::create(path.join("lock")).with_context(|| {
            format!("cannot write into the data folder {shown}; choose another with --data DIR")
        })?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => bail!(
                "another sidetone runs on the data folder {shown}; stop it, or choose another folder with --data DIR"
            ),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock the data folder {shown}"))
            }
        }
    }

    /// A file in the folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Where the data lies when nothing is said: `$XDG_DATA_HOME/sidetone`, else `~/.local/share/sidetone`.
///
/// # Errors
///
/// When neither variable is set.
pub(crate) fn default_path() -> Result<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("XDG_DATA_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".local/share")))
        .map(|folder| folder.join("sidetone"))
        .context("neither XDG_DATA_HOME nor HOME is set; say where the data goes with --data DIR")
}

/// The data folder of the exchange that runs here, for commands that ask it: the default one if an exchange
/// answers there, else the service's.
///
/// # Errors
///
/// As [`default_path`], where there is no service.
pub(crate) fn of_running() -> Result<PathBuf> {
    let own = default_path();
    match &own {
        Ok(own) if own.join(cli::SOCKET_NAME).exists() => {}
        _ if Path::new(SERVICE).is_dir() => return Ok(PathBuf::from(SERVICE)),
        _ => {}
    }
    own
}

/// The files of the service, as the package installs it.
pub(crate) const CONFIGURATION: &str = "/etc/sidetone";
/// The data of the service.
const SERVICE: &str = "/var/lib/sidetone";

/// Only the owner may look.
const MODE: u32 = 0o700;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::DataFolder;

    #[test]
    fn a_second_instance_is_refused_with_a_sentence() {
        let folder = std::env::temp_dir().join(format!("sidetone-lock-{}", std::process::id()));
        let first = DataFolder::open(&folder).unwrap();
        let refused = DataFolder::open(&folder).unwrap_err().to_string();
        assert!(
            refused.starts_with("another sidetone runs on the data folder"),
            "{refused}"
        );
        drop(first);
        DataFolder::open(&folder).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_folder_is_closed_to_others_even_when_it_was_open() {
        let folder = std::env::temp_dir().join(format!("sidetone-mode-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        let _held = DataFolder::open(&folder).unwrap();
        let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
