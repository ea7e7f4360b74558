//! What systemd is told (`sd_notify(3)`): ready, reloading, stopping, alive. Nothing where nobody asks.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Whom to tell. Clones tell the same.
#[derive(Clone)]
pub(crate) struct Notify {
    to: Option<SocketAddr>,
}

impl Notify {
    /// The socket in `NOTIFY_SOCKET`: a path, or a name of the abstract namespace after `@`.
    pub(crate) fn from_environment() -> Self {
        let address = std::env::var_os("NOTIFY_SOCKET").and_then(|name| {
            match name.as_bytes().strip_prefix(b"@") {
                Some(name) => SocketAddr::from_abstract_name(name),
                None => SocketAddr::from_pathname(name),
            }
            .inspect_err(|error| tracing::warn!("NOTIFY_SOCKET cannot be used: {error}"))
            .ok()
        });
        Self { to: address }
    }

    /// Whether somebody listens.
    pub(crate) fn is_wanted(&self) -> bool {
        self.to.is_some()
    }

    /// Everything listens, and the configuration in force is the one of the files.
    pub(crate) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// The files are being read again; [`Self::ready`] follows.
    pub(crate) fn reloading(&self) {
        self.send("RELOADING=1\nSTATUS=reading the configuration again");
    }

    /// The stop has begun and may take so long.
    pub(crate) fn stopping(&self, status: &str, takes: Duration) {
        let takes = takes + STOP_SPARE;
        self.send(&format!(
            "STOPPING=1\nEXTEND_TIMEOUT_USEC={}\nSTATUS={}",
            takes.as_micros(),
            one_line(status)
        ));
    }

    /// The machines turn.
    pub(crate) fn alive(&self, status: &str) {
        self.send(&format!("WATCHDOG=1\nSTATUS={}", one_line(status)));
    }

    /// Tells what `systemctl status` shows.
    pub(crate) fn status(&self, status: &str) {
        self.send(&format!("STATUS={}", one_line(status)));
    }

    fn send(&self, text: &str) {
        let Some(address) = &self.to else {
            return;
        };
        // Nobody there is no reason to stop telephoning.
        let sent = UnixDatagram::unbound().and_then(|socket| {
            socket.set_nonblocking(true)?;
            socket.send_to_addr(text.as_bytes(), address)
        });
        if let Err(error) = sent {
            tracing::debug!("systemd was not told: {error}");
        }
    }
}

/// How often the service manager wants to hear that we are alive, if it does: half of the time after
/// which it gives up.
pub(crate) fn heartbeat() -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    let limit = number("WATCHDOG_USEC").filter(|_| is_ours)?;
    Some(Duration::from_micros(limit / 2).max(HEARTBEAT_MIN))
}

const HEARTBEAT_MIN: Duration = Duration::from_millis(50);
/// BYEs, journals and sockets, after the last call.
const STOP_SPARE: Duration = Duration::from_secs(10);

/// A line break would begin another assignment.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    use std::time::Duration;

    use super::Notify;

    #[test]
    fn each_state_is_one_datagram() {
        let path = std::env::temp_dir().join(format!("sidetone-notify-{}", std::process::id()));
        let socket = UnixDatagram::bind(&path).unwrap();
        let notify = Notify {
            to: Some(SocketAddr::from_pathname(&path).unwrap()),
        };
        let told = || {
            let mut buffer = [0; 256];
            let length = socket.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        };
        notify.ready("2 calls\nX=1");
        assert_eq!(told(), "READY=1\nSTATUS=2 calls X=1");
        notify.stopping("draining", Duration::from_secs(30));
        assert_eq!(
            told(),
            "STOPPING=1\nEXTEND_TIMEOUT_USEC=40000000\nSTATUS=draining"
        );
        std::fs::remove_file(path).unwrap();
        // A socket that is gone is no fault of ours.
        notify.alive("");
    }
}
