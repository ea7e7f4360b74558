//! The machine as it is seen: `/proc`, `/etc`, `/sys`, and programs that tell about it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// Where the files of the system are looked for first. A folder that holds some of them stands for
/// another machine, which is how the tests make a clock wrong or a buffer small.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

/// What a program said.
pub(crate) struct Told {
    pub(crate) done: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Root {
    /// The system itself, or a folder laid over it.
    pub fn new(path: Option<&Path>) -> Self {
        Self(path.map_or_else(|| PathBuf::from("/"), Path::to_owned))
    }

    /// A file of the folder, else of the system. The path is absolute.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        let laid_over = self.0.join(path.trim_start_matches('/'));
        if laid_over.exists() {
            laid_over
        } else {
            PathBuf::from(path)
        }
    }

    /// The text of a file.
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        let bytes = std::fs::read(self.path(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The end of a file that may be long.
    pub(crate) fn read_end(&self, path: &str) -> std::io::Result<String> {
        use std::io::{Read as _, Seek as _, SeekFrom};
        let mut file = std::fs::File::open(self.path(path))?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(END_BYTES_MAX)))?;
        let mut bytes = Vec::new();
        file.take(END_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A number in a file.
    pub(crate) fn number(&self, path: &str) -> Option<u64> {
        self.read(path)?.trim().parse().ok()
    }

    /// What a program says; `None` if it is not installed or does not end.
    pub(crate) async fn tell(&self, program: &str, arguments: &[&str]) -> Option<Told> {
        let mut command = tokio::process::Command::new(installed(program)?);
        command
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(TELL_MAX, command.output());
        let output = output.await.ok()?.ok()?;
        Some(Told {
            done: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

/// The program's file: in PATH, or where administrators' programs are, which PATH often leaves out.
pub(crate) fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// How long a program may think.
const TELL_MAX: Duration = Duration::from_secs(10);
/// The part of a log that is read.
const END_BYTES_MAX: u64 = 1 << 20;
