//! An exchange of our own for the examination of a stopped one: the same program on the same files and
//! ports, with a copy of its data folder.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::UnixDatagram;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

/// A child process and its folder.
pub(crate) struct Exchange {
    child: Child,
    folder: PathBuf,
    log: JoinHandle<Vec<String>>,
}

impl Exchange {
    /// Starts `binary` on the files in `config` and waits until it says that it is ready, as it says to
    /// systemd.
    ///
    /// # Errors
    ///
    /// A sentence with the last lines of its log.
    pub(crate) async fn start(binary: &Path, config: &Path, data: &Path) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!(
            "sidetone-doctor-{}-{}",
            std::process::id(),
            crate::phone::random().map_err(|error| error.to_string())?
        ));
        let cannot =
            |error: std::io::Error| format!("{} cannot be made: {error}", folder.display());
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .map_err(cannot)?;
        let copied = copy(data, &folder.join("data"));
        copied.map_err(|error| format!("{} cannot be copied: {error}", data.display()))?;
        let notify = folder.join("notify");
        let socket = UnixDatagram::bind(&notify).map_err(cannot)?;
        let mut child = Command::new(binary)
            .args(["run", "--examined", "--log", "info", "--config"])
            .arg(config)
            .arg("--data")
            .arg(folder.join("data"))
            .env("NOTIFY_SOCKET", &notify)
            .env_remove("WATCHDOG_USEC")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", binary.display()))?;
        let stderr = child.stderr.take();
        let log = tokio::spawn(async move {
            let mut last = Vec::new();
            let Some(stderr) = stderr else {
                return last;
            };
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if last.len() == LINES_KEPT {
                    last.remove(0);
                }
                last.push(line);
            }
            last
        });
        let mut exchange = Self { child, folder, log };
        let end = Instant::now() + START_MAX;
        let mut buffer = vec![0; 4096];
        loop {
            let said = tokio::select! {
                said = timeout_at(end, socket.recv(&mut buffer)) => said,
                _ = exchange.child.wait() => return Err(exchange.last_words().await),
            };
            match said {
                Ok(Ok(length)) => {
                    let text = String::from_utf8_lossy(&buffer[..length]);
                    if text.lines().any(|line| line == "READY=1") {
                        return Ok(exchange);
                    }
                }
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) => {
                    let words = exchange.stop().await;
                    return Err(format!(
                        "not ready after {} s: {words}",
                        START_MAX.as_secs()
                    ));
                }
            }
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks it to stop, as systemd would, and removes its folder. Its last lines.
    pub(crate) async fn stop(mut self) -> String {
        if let Some(pid) = self.child.id() {
            let kill = format!("kill -TERM {pid}");
            // A shell is everywhere, `kill` as a program is not.
            let asked = Command::new("/bin/sh").args(["-c", &kill]).status().await;
            let stopped = timeout(STOP_MAX, self.child.wait()).await;
            if asked.is_err() || stopped.is_err() {
                let _ = self.child.kill().await;
            }
        }
        self.last_words().await
    }

    async fn last_words(&mut self) -> String {
        let log = timeout(Duration::from_secs(1), &mut self.log).await;
        let lines = log.ok().and_then(Result::ok).unwrap_or_default();
        match lines.is_empty() {
            true => "it says nothing".to_owned(),
            false => lines.join("\n"),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Copies the files of a data folder; sockets and locks belong to who made them.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(to)?;
    let entries = match fs::read_dir(from) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() && entry.file_name() != "lock" {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// How long the exchange may take to listen.
const START_MAX: Duration = Duration::from_secs(20);
/// How long it may take to stop.
const STOP_MAX: Duration = Duration::from_secs(5);
/// Lines of its log that are shown when it does not start.
const LINES_KEPT: usize = 6;
