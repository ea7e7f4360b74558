//! The thread that follows the log, and finds the exchange again after a restart.

use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustyline::ExternalPrinter;

use crate::log::{Level, colour};
use crate::remote::{Unanswered, connect};
use crate::socket::END;

/// Time between two attempts to find the exchange again.
const RETRY_EVERY: Duration = Duration::from_millis(250);

/// What the two threads know of the connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    shared: Arc<(Mutex<Way>, Condvar)>,
}

/// How the connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Way {
    /// The exchange does not answer, and is sought.
    #[default]
    Lost,
    /// It knows us by this number.
    Up(u32),
    /// It has been stopped.
    Stopped,
}

impl Link {
    /// The number the exchange knows this console by.
    pub(super) fn id(&self) -> Option<u32> {
        match *self.way() {
            Way::Up(id) => Some(id),
            Way::Lost | Way::Stopped => None,
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.way() == Way::Stopped
    }

    /// Waits until the connection is no longer up.
    pub(super) fn wait_for_end(&self, patience: Duration) {
        let up = |way: &mut Way| matches!(way, Way::Up(_));
        let waited = self.shared.1.wait_timeout_while(self.way(), patience, up);
        drop(waited);
    }

    fn set(&self, way: Way) {
        *self.way() = way;
        self.shared.1.notify_all();
    }

    fn way(&self) -> MutexGuard<'_, Way> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that follows the log.
pub(super) struct Follower {
    folder: PathBuf,
    verbose: u8,
    stream: BufReader<UnixStream>,
    greeting: Greeting,
}

/// What the exchange says first.
struct Greeting {
    id: u32,
    pid: String,
    product: String,
}

impl Follower {
    pub(super) fn connect(folder: &Path, verbose: u8) -> Result<Self, Unanswered> {
        let mut stream = connect(folder)?;
        stream.write_all(format!("follow {verbose}\n").as_bytes())?;
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let mut words = line.trim_end().splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (id, pid, product) = (word(), word(), word());
        let Ok(id) = id.parse() else {
            return Err(Unanswered::Refused(
                line.trim_end_matches([END, '0', '\n']).to_owned(),
            ));
        };
        let greeting = Greeting { id, pid, product };
        Ok(Self {
            folder: folder.to_owned(),
            verbose,
            stream,
            greeting,
        })
    }

    /// Prints what comes from now on, in a thread that ends with the process.
    pub(super) fn start(self, printer: impl ExternalPrinter + Send + 'static) -> Link {
        let link = Link::default();
        link.set(Way::Up(self.greeting.id));
        let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let screen = Screen { printer, colours };
        let shared = link.clone();
        std::thread::spawn(move || self.follow(screen, &shared));
        link
    }

    fn follow(mut self, mut screen: Screen<impl ExternalPrinter>, link: &Link) {
        loop {
            let Greeting { pid, product, .. } = &self.greeting;
            let product = product.replacen('/', " ", 1);
            screen.say(&format!(
                "Connected to {product} currently running on {} (pid = {pid})\n",
                host()
            ));
            let name = product.split(' ').next().unwrap_or_default().to_owned();
            if self.read(&mut screen).as_deref() == Some("stop") {
                screen.say(&format!("Disconnected from {name}: it has been stopped.\n"));
                link.set(Way::Stopped);
                return;
            }
            link.set(Way::Lost);
            screen.say(&format!(
                "Disconnected from {name}; waiting for it to come back...\n"
            ));
            self = self.again();
            link.set(Way::Up(self.greeting.id));
        }
    }

    /// Prints the log until it ends; the word it ended with.
    fn read(&mut self, screen: &mut Screen<impl ExternalPrinter>) -> Option<String> {
        loop {
            let mut line = String::new();
            let read = self.stream.read_line(&mut line);
            if !matches!(read, Ok(1..)) {
                return None;
            }
            match line.split_once(END) {
                Some((_, word)) => return Some(word.to_owned()),
                None => screen.say(&line),
            }
        }
    }

    /// Seeks the exchange until it is there.
    fn again(self) -> Self {
        let Self {
            folder, verbose, ..
        } = self;
        loop {
            std::thread::sleep(RETRY_EVERY);
            if let Ok(follower) = Self::connect(&folder, verbose) {
                return follower;
            }
        }
    }
}

struct Screen<P> {
    printer: P,
    colours: bool,
}

impl<P: ExternalPrinter> Screen<P> {
    fn say(&mut self, text: &str) {
        let text = match self.colours {
            true => coloured(text),
            false => text.to_owned(),
        };
        // The terminal may be gone; then the other thread ends the console.
        let _ = self.printer.print(text);
    }
}

/// The level in `[time] LEVEL[pid]: …` in its colour.
fn coloured(line: &str) -> String {
    let parts = || {
        let (time, rest) = line.split_once("] ")?;
        let (word, rest) = rest.split_once('[')?;
        let level = time.starts_with('[').then(|| Level::named(word))??;
        Some((time, word, rest, colour(level)))
    };
    match parts() {
        Some((time, word, rest, colour)) => {
            format!("{time}] \u{1b}[{colour}m{word}\u{1b}[0m[{rest}")
        }
        None => line.to_owned(),
    }
}

/// The machine's name.
pub(super) fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::coloured;

    #[test]
    fn the_level_alone_has_a_colour() {
        let line = "[Nov 25 21:05:55] WARNING[1]: signal: x [y] z\n";
        assert_eq!(
            coloured(line),
            "[Nov 25 21:05:55] \u{1b}[33mWARNING\u{1b}[0m[1]: signal: x [y] z\n"
        );
        assert_eq!(coloured("Connected to X\n"), "Connected to X\n");
    }
}
