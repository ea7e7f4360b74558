//! The thread that writes: the only place where logging may wait.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Rotation;
use super::channel::Out;

/// The standard error's number.
pub(super) const STDERR: u32 = 0;

/// Lines that wait to be written.
const LINES_MAX: usize = 8_192;

/// Bytes of them.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Files that `logger rotate` keeps of one channel, where it counts them.
const ROTATED_MAX: u32 = 100;

/// How long a rotation may take.
const ROTATION_PATIENCE: Duration = Duration::from_secs(10);

/// An open channel.
#[derive(Debug)]
pub(super) enum Open {
    File { path: PathBuf, file: File },
    Syslog(UnixDatagram),
}

/// Opens a channel for writing.
pub(super) fn open(out: &Out, folder: &Path) -> io::Result<Open> {
    match out {
        Out::Console => Err(io::Error::other("the console is no file")),
        Out::File(name) => {
            // A path stays what it is.
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let file = open_file(&path)?;
            Ok(Open::File { path, file })
        }
        Out::Syslog(..) => {
            let socket = UnixDatagram::unbound()?;
            socket.connect("/dev/log")?;
            socket.set_nonblocking(true)?;
            Ok(Open::Syslog(socket))
        }
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o640).open(path)
}

enum Order {
    Line { to: u32, text: String },
    Set(Vec<(u32, Open)>),
    Rotate(Rotation, SyncSender<Vec<String>>),
    Flush(SyncSender<()>),
}

/// The handle of the thread. The thread ends with it.
#[derive(Debug)]
pub(super) struct Writer {
    orders: SyncSender<Order>,
    waiting: Arc<Waiting>,
}

/// What waits, and what did not fit.
#[derive(Debug, Default)]
struct Waiting {
    bytes: AtomicUsize,
    left_out: AtomicU64,
}

impl Writer {
    pub(super) fn start() -> io::Result<Self> {
        let (orders, received) = sync_channel(LINES_MAX);
        let waiting = Arc::new(Waiting::default());
        let thread = Thread {
            waiting: waiting.clone(),
            open: HashMap::new(),
            failing: Vec::new(),
        };
        let builder = std::thread::Builder::new().name("log".to_owned());
        builder.spawn(move || thread.run(&received))?;
        Ok(Self { orders, waiting })
    }

    /// Hands a line over, or counts it as left out. Never waits.
    pub(super) fn write(&self, to: u32, text: String) {
        let length = text.len();
        let before = self.waiting.bytes.fetch_add(length, Ordering::Relaxed);
        let fits = before + length <= BYTES_MAX;
        let sent = fits.then(|| self.orders.try_send(Order::Line { to, text }));
        match sent {
            Some(Ok(())) => {}
            None | Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) => {
                self.waiting.bytes.fetch_sub(length, Ordering::Relaxed);
                self.waiting.left_out.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Lets these channels take the place of those there are.
    pub(super) fn set(&self, open: Vec<(u32, Open)>) {
        // The thread lives as long as this handle.
        let _ = self.orders.send(Order::Set(open));
    }

    pub(super) fn rotate(&self, rotation: Rotation) -> Vec<String> {
        let (reply, replied) = sync_channel(1);
        if self.orders.send(Order::Rotate(rotation, reply)).is_err() {
            return Vec::new();
        }
        let said = replied.recv_timeout(ROTATION_PATIENCE);
        said.unwrap_or_else(|_| vec!["the log is busy; it is done later".to_owned()])
    }

    pub(super) fn flush(&self, patience: Duration) {
        let (reply, replied) = sync_channel(1);
        if self.orders.try_send(Order::Flush(reply)).is_ok() {
            let _ = replied.recv_timeout(patience);
        }
    }
}

struct Thread {
    waiting: Arc<Waiting>,
    open: HashMap<u32, Open>,
    /// Channels whose failure has been told.
    failing: Vec<u32>,
}

impl Thread {
    fn run(mut self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            match order {
                Order::Line { to, text } => {
                    self.waiting.bytes.fetch_sub(text.len(), Ordering::Relaxed);
                    self.tell_left_out();
                    self.write(to, &text);
                }
                Order::Set(open) => {
                    self.open = open.into_iter().collect();
                    self.failing.clear();
                }
                Order::Rotate(rotation, reply) => {
                    let said = self.rotate(rotation);
                    let _ = reply.try_send(said);
                }
                Order::Flush(reply) => {
                    let _ = reply.try_send(());
                }
            }
        }
    }

    fn tell_left_out(&mut self) {
        let left_out = self.waiting.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            let text =
                format!("[{left_out} lines of the log are left out: it is written too slowly]\n");
            let all: Vec<u32> = self.open.keys().copied().chain([STDERR]).collect();
            all.into_iter().for_each(|to| self.write(to, &text));
        }
    }

    fn write(&mut self, to: u32, text: &str) {
        let written = match self.open.get_mut(&to) {
            None if to == STDERR => {
                // Nobody may be left to read it.
                let _ = io::stderr().write_all(text.as_bytes());
                Ok(())
            }
            // It was replaced while the line waited.
            None => Ok(()),
            Some(Open::File { file, .. }) => file.write_all(text.as_bytes()),
            Some(Open::Syslog(socket)) => socket.send(text.as_bytes()).map(drop),
        };
        if let Err(error) = written
            && !self.failing.contains(&to)
        {
            self.failing.push(to);
            let name = match self.open.get(&to) {
                Some(Open::File { path, .. }) => path.display().to_string(),
                _ => "syslog".to_owned(),
            };
            let _ = writeln!(io::stderr(), "the log {name} cannot be written: {error}");
        }
    }

    fn rotate(&mut self, rotation: Rotation) -> Vec<String> {
        let mut said = Vec::new();
        for open in self.open.values_mut() {
            let Open::File { path, file } = open else {
                continue;
            };
            let moved = put_away(path, rotation);
            match moved.and_then(|to| Ok((to, open_file(path)?))) {
                Ok((to, new)) => {
                    *file = new;
                    said.extend(to.map(|to| format!("{} is now {}", path.display(), to.display())));
                }
                Err(error) => said.push(format!("{}: {error}", path.display())),
            }
        }
        self.failing.clear();
        said.sort();
        said
    }
}

/// Renames a file as the strategy says; the new name.
fn put_away(path: &Path, rotation: Rotation) -> io::Result<Option<PathBuf>> {
    let with = |end: &dyn std::fmt::Display| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{end}"));
        PathBuf::from(name)
    };
    let to = match rotation {
        Rotation::None => return Ok(None),
        Rotation::Sequential => {
            let mut numbers = 0..ROTATED_MAX;
            let free = numbers.find(|number| !with(number).exists());
            let free = free.ok_or_else(|| {
                io::Error::other(format!("there are {ROTATED_MAX} old files; take some away"))
            })?;
            with(&free)
        }
        Rotation::Rotate => {
            let taken = (0..ROTATED_MAX).take_while(|number| with(number).exists());
            for number in taken.collect::<Vec<_>>().into_iter().rev() {
                fs::rename(with(&number), with(&(number + 1)))?;
            }
            with(&0)
        }
        Rotation::Timestamp => {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            with(&now.as_secs())
        }
    };
    fs::rename(path, &to)?;
    Ok(Some(to))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::{Out, Rotation, Writer, open};

    #[test]
    fn a_file_is_written_put_away_and_opened_again() {
        let folder = std::env::temp_dir().join(format!("cli-writer-{}", std::process::id()));
        let writer = Writer::start().unwrap();
        let full = open(&Out::File("full".to_owned()), &folder).unwrap();
        writer.set(vec![(7, full)]);
        let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        for (rotation, line) in [
            (Rotation::Sequential, "one\n"),
            (Rotation::Sequential, "two\n"),
            (Rotation::Rotate, "three\n"),
        ] {
            writer.write(7, line.to_owned());
            assert_eq!(writer.rotate(rotation).len(), 1);
        }
        writer.write(7, "four\n".to_owned());
        writer.write(8, "for nobody\n".to_owned());
        writer.flush(Duration::from_secs(5));
        let all = ["full", "full.0", "full.1", "full.2"].map(text);
        assert_eq!(all, ["four\n", "three\n", "one\n", "two\n"]);
        fs::remove_dir_all(folder).unwrap();
    }
}
