//! The log: what the exchange says while it runs, to every channel that listens.
//!
//! A [`Log`] is one layer of `tracing`. Each event has one of Asterisk's levels ([`Level`]) and goes to
//! the channels that take it: the standard error, files and syslog of `logger.conf`, and consoles that
//! are attached. Nothing that logs ever waits: lines go through bounded queues, and what does not fit is
//! left out and counted. A level nobody takes costs nothing.

mod attached;
mod channel;
pub(crate) mod clock;
mod level;
mod line;
mod rule;
mod settings;
mod writer;

use std::fmt;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context as Layered, Layer};

pub use attached::Attached;
pub use channel::{Channel, Format, Out};
pub use level::{Class, Level, Levels};
pub(crate) use line::colour;
pub(crate) use rule::OURS;
pub use rule::{Debug, State, Traced};

use attached::Queue;
use channel::Listener;
use line::Line;
use writer::Writer;

/// How to begin.
#[derive(Debug)]
pub struct LogOptions {
    /// What the standard error shows, in words like `info,signal=debug`; `None`: what `logger.conf` says
    /// of `console`, or else `info`.
    pub filter: Option<String>,
    /// Whether SIP messages are printed from the start.
    pub sip_trace: bool,
    /// Where files go whose name is no path.
    pub folder: PathBuf,
}

/// The log. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    state: ArcSwap<State>,
    /// Held while the state is changed.
    changing: Mutex<()>,
    writer: Writer,
    folder: PathBuf,
    next_id: AtomicU32,
}

impl Log {
    /// Starts the thread that writes.
    ///
    /// # Errors
    ///
    /// A sentence: the filter is none, or the system gives no thread.
    pub fn start(options: LogOptions) -> Result<Self, String> {
        let directives = match &options.filter {
            None => None,
            Some(filter) => Some(targets(filter).ok_or_else(|| {
                format!("`--log {filter}` is not a filter, e.g. `info` or `signal=debug`")
            })?),
        };
        let usual = targets("info").unwrap_or_default();
        let writer = Writer::start().map_err(|error| format!("the log cannot start: {error}"))?;
        let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let mut state = State::new(directives, usual, colours);
        state.sip.on = options.sip_trace;
        Ok(Self {
            shared: Arc::new(Shared {
                state: ArcSwap::from_pointee(state),
                changing: Mutex::new(()),
                writer,
                folder: options.folder,
                next_id: AtomicU32::new(1),
            }),
        })
    }

    /// What is set now.
    pub fn state(&self) -> Arc<State> {
        self.shared.state.load_full()
    }

    /// Changes what is set; every place that logs learns of it.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let _held = self.changing();
        let mut state = State::clone(&self.shared.state.load());
        let result = change(&mut state);
        self.shared.state.store(Arc::new(state));
        tracing::callsite::rebuild_interest_cache();
        result
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        let held = self.shared.changing.lock();
        held.unwrap_or_else(PoisonError::into_inner)
    }

    /// Which SIP messages are printed.
    pub fn trace_sip(&self, change: impl FnOnce(&mut Traced)) {
        self.change(|state| change(&mut state.sip));
    }

    /// Which RTP packets are printed.
    pub fn trace_rtp(&self, change: impl FnOnce(&mut Traced)) {
        self.change(|state| change(&mut state.rtp));
    }

    /// Which RTCP packets are printed.
    pub fn trace_rtcp(&self, change: impl FnOnce(&mut Traced)) {
        self.change(|state| change(&mut state.rtcp));
    }

    /// How much is told of calls: to one attached console, or to all that say nothing else. Returns
    /// what it was.
    pub fn set_verbose(&self, console: Option<u32>, verbose: u8) -> u8 {
        self.change(|state| match state.console(console) {
            Some(levels) => levels.verbose.replace(verbose).unwrap_or(verbose),
            None => std::mem::replace(&mut state.verbose, verbose),
        })
    }

    /// How much is told to programmers, by everything or by one module. Returns what it was.
    pub fn set_debug(&self, module: Option<&str>, level: u8) -> u8 {
        self.change(|state| state.debug.set(module, level))
    }

    /// Switches one level of an attached console, or of the standard error.
    pub fn set_level(&self, console: Option<u32>, level: Level, on: bool) {
        self.change(|state| state.set_level(console, level, on));
    }

    /// Opens what the channels need, which changes nothing yet. With it, a sentence for each that
    /// cannot be opened.
    pub fn prepare(&self, settings: Settings) -> (PreparedLog, Vec<String>) {
        let (mut opened, mut listeners, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        let mut console = None;
        for channel in settings.channels {
            if channel.out == Out::Console {
                console = Some(channel.levels);
                continue;
            }
            let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
            match writer::open(&channel.out, &self.shared.folder) {
                Ok(open) => {
                    opened.push((id, open));
                    listeners.push(Listener { id, channel });
                }
                Err(error) => {
                    errors.push(format!(
                        "logger.conf: {} cannot be written: {error}",
                        channel.out
                    ));
                }
            }
        }
        let prepared = PreparedLog {
            log: self.clone(),
            opened,
            listeners,
            console,
            date_format: settings.date_format,
            rotation: settings.rotation,
        };
        (prepared, errors)
    }

    /// Puts the files away under other names and opens new ones; what was done, in lines.
    pub fn rotate(&self) -> Vec<String> {
        self.shared.writer.rotate(self.state().rotation)
    }

    /// Opens the files again, for a program that has moved them.
    pub fn reopen(&self) -> Vec<String> {
        self.shared.writer.rotate(Rotation::None)
    }

    /// Waits until all that was logged so far is written, or `patience` is over.
    pub fn flush(&self, patience: Duration) {
        self.shared.writer.flush(patience);
    }

    /// Attaches a console; `None` when there are too many already.
    pub fn attach(&self, verbose: u8) -> Option<Attached> {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let (queue, received) = Queue::new();
        self.change(|state| state.attach(id, verbose, queue))
            .then(|| Attached::new(self.clone(), id, received))
    }

    pub(crate) fn detach(&self, id: u32) {
        self.change(|state| state.detach(id));
    }
}

/// What `logger.conf` says.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `[logfiles]`.
    pub channels: Vec<Channel>,
    /// How times are written; `%b %e %T` if `None`.
    pub date_format: Option<String>,
    /// How files are put away.
    pub rotation: Rotation,
}

/// How `logger rotate` names what it puts away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rotation {
    /// The highest number is the newest.
    #[default]
    Sequential,
    /// The lowest number is the newest.
    Rotate,
    /// The time stands in the name.
    Timestamp,
    /// Files are opened again only.
    None,
}

/// Channels that are open. Dropped, they are closed and nothing has changed.
pub struct PreparedLog {
    log: Log,
    opened: Vec<(u32, writer::Open)>,
    listeners: Vec<Listener>,
    console: Option<Levels>,
    date_format: Option<String>,
    rotation: Rotation,
}

impl PreparedLog {
    /// Lets them take the place of those there are.
    pub fn commit(self) {
        self.log.shared.writer.set(self.opened);
        self.log.change(|state| {
            state.listeners = self.listeners;
            state.console_levels = self.console;
            state.date_format = self.date_format;
            state.rotation = self.rotation;
        });
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

/// A time as the log writes it where nothing else is said.
pub(crate) fn time_of(at: std::time::SystemTime) -> String {
    clock::local(at, Some("%F %T"))
}

/// `info,signal=debug`, beside what libraries may say.
fn targets(filter: &str) -> Option<Targets> {
    format!("str0m=warn,dimpl=warn,is=warn,sqlx=off,{filter}")
        .parse()
        .ok()
}

impl<S: Subscriber> Layer<S> for Log {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match self.shared.state.load().is_wanted(metadata) {
            true => Interest::always(),
            false => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Layered<'_, S>) -> bool {
        self.shared.state.load().is_wanted(metadata)
    }

    fn on_event(&self, event: &Event<'_>, _: Layered<'_, S>) {
        let state = self.shared.state.load();
        let Some(line) = Line::of(event, &state) else {
            return;
        };
        let metadata = event.metadata();
        if state.stderr_wants(metadata, line.class) {
            let text = line.for_terminal(state.colours);
            self.shared.writer.write(writer::STDERR, text);
        }
        for listener in &state.listeners {
            if state.wants(&listener.channel.levels, metadata, line.class) {
                let text = line.formatted(&listener.channel, state.date_format.as_deref());
                self.shared.writer.write(listener.id, text);
            }
        }
        for console in &state.consoles {
            if state.wants(&console.levels, metadata, line.class) {
                console.queue.push(line.plain(state.date_format.as_deref()));
            }
        }
    }
}
