//! What is set: who takes which events.

use std::net::IpAddr;

use tracing::Metadata;
use tracing_subscriber::filter::Targets;

use super::Rotation;
use super::attached::{CONSOLES_MAX, Console, Queue};
use super::channel::Listener;
use super::level::{Class, Level, Levels};

/// Everything that is set, replaced whole.
#[derive(Clone)]
pub struct State {
    /// What the standard error shows, if that was said on the command line.
    directives: Option<Targets>,
    /// What it shows if nothing was said anywhere.
    usual: Targets,
    /// What `logger.conf` says of `console`, or the console has changed.
    pub(super) console_levels: Option<Levels>,
    pub(super) colours: bool,
    /// `core set verbose`.
    pub verbose: u8,
    /// `core set debug`.
    pub debug: Debug,
    /// `pjsip set logger`.
    pub sip: Traced,
    /// `rtp set debug`.
    pub rtp: Traced,
    /// `rtcp set debug`.
    pub rtcp: Traced,
    pub(super) listeners: Vec<Listener>,
    pub(super) consoles: Vec<Console>,
    pub(super) date_format: Option<String>,
    pub(super) rotation: Rotation,
}

/// Which messages or packets are printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traced {
    /// Whether any are.
    pub on: bool,
    /// Those from and to these hosts; all if there are none. Without a port, any.
    pub hosts: Vec<(IpAddr, Option<u16>)>,
    /// Those of these methods; all if there are none.
    pub methods: Vec<String>,
    /// Their first line alone.
    pub brief: bool,
}

impl Traced {
    /// Hosts or methods that can be named.
    pub const NAMED_MAX: usize = 100;

    /// Whether one from or to this address, with this method, is printed.
    pub(super) fn has(&self, remote: &str, method: &str) -> bool {
        let host = || {
            let address: Option<std::net::SocketAddr> = remote.parse().ok();
            address.is_some_and(|address| {
                let mut hosts = self.hosts.iter();
                hosts.any(|(ip, port)| {
                    *ip == address.ip().to_canonical()
                        && port.is_none_or(|port| port == address.port())
                })
            })
        };
        let method = || {
            self.methods
                .iter()
                .any(|own| own.eq_ignore_ascii_case(method))
        };
        self.on && (self.hosts.is_empty() || host()) && (self.methods.is_empty() || method())
    }
}

/// How much is told to programmers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Debug {
    /// By everything.
    pub all: u8,
    /// By one module, where it is another number.
    pub modules: Vec<(String, u8)>,
}

impl Debug {
    pub(super) fn set(&mut self, module: Option<&str>, level: u8) -> u8 {
        let Some(module) = module else {
            return std::mem::replace(&mut self.all, level);
        };
        let before = self.of(module);
        self.modules.retain(|(name, _)| name != module);
        if level > 0 {
            self.modules.push((module.to_owned(), level));
        }
        before
    }

    /// What holds for a place in the program.
    fn of(&self, target: &str) -> u8 {
        let module = target.split("::").next().unwrap_or_default();
        let own = self.modules.iter().find(|(name, _)| name == module);
        own.map_or(self.all, |(_, level)| *level)
    }
}

/// Our crates, the modules of `core set debug`. Libraries are heard from warnings on.
pub(crate) const OURS: [&str; 17] = [
    "apps", "cli", "codec", "conf", "config", "dialplan", "media", "rtc", "rtp", "sdp", "sidetone",
    "signal", "sip", "store", "switch", "web", "xtask",
];

/// What is told of calls where nothing else is said: that they begin and end.
const VERBOSE: u8 = 2;

impl State {
    pub(super) fn new(directives: Option<Targets>, usual: Targets, colours: bool) -> Self {
        Self {
            directives,
            usual,
            console_levels: None,
            colours,
            verbose: VERBOSE,
            debug: Debug::default(),
            sip: Traced::default(),
            rtp: Traced::default(),
            rtcp: Traced::default(),
            listeners: Vec::new(),
            consoles: Vec::new(),
            date_format: None,
            rotation: Rotation::default(),
        }
    }

    /// Whether anybody takes what comes from this place.
    pub(super) fn is_wanted(&self, metadata: &Metadata<'_>) -> bool {
        let class = Class::of(metadata);
        self.stderr_wants(metadata, class)
            || self
                .listeners
                .iter()
                .map(|listener| &listener.channel.levels)
                .chain(self.consoles.iter().map(|console| &console.levels))
                .any(|levels| self.wants(levels, metadata, class))
    }

    /// Whether a channel with these levels takes it.
    pub(super) fn wants(&self, levels: &Levels, metadata: &Metadata<'_>, class: Class) -> bool {
        if !levels.has(class.level()) {
            return false;
        }
        match class {
            Class::Error | Class::Warning => true,
            Class::Sip => self.sip.on,
            Class::Rtp => self.rtp.on,
            Class::Rtcp => self.rtcp.on,
            Class::Notice => is_ours(metadata),
            Class::Verbose(number) => number <= levels.verbose.unwrap_or(self.verbose),
            Class::Debug(number) => is_ours(metadata) && number <= self.debug.of(metadata.target()),
        }
    }

    pub(super) fn stderr_wants(&self, metadata: &Metadata<'_>, class: Class) -> bool {
        let directives = match (&self.directives, &self.console_levels) {
            (None, Some(levels)) => return self.wants(levels, metadata, class),
            (Some(directives), _) => directives,
            (None, None) => &self.usual,
        };
        let named = || directives.would_enable(metadata.target(), metadata.level());
        match class {
            Class::Sip => self.sip.on,
            Class::Rtp => self.rtp.on,
            Class::Rtcp => self.rtcp.on,
            Class::Error | Class::Warning | Class::Notice => named(),
            Class::Verbose(1) => named() && self.verbose >= 1,
            Class::Verbose(number) => named() || self.verbose >= number,
            Class::Debug(number) => {
                named() || (is_ours(metadata) && number <= self.debug.of(metadata.target()))
            }
        }
    }

    /// The levels of an attached console.
    pub(super) fn console(&mut self, id: Option<u32>) -> Option<&mut Levels> {
        let mut consoles = self.consoles.iter_mut();
        let found = consoles.find(|console| Some(console.id) == id);
        found.map(|console| &mut console.levels)
    }

    pub(super) fn set_level(&mut self, console: Option<u32>, level: Level, on: bool) {
        if let Some(levels) = self.console(console) {
            levels.set(level, on);
            return;
        }
        let mut levels = self.stderr_levels();
        levels.set(level, on);
        self.console_levels = Some(levels);
        // What was said on the command line has been changed by hand.
        self.directives = None;
    }

    /// The levels that the standard error takes.
    pub fn stderr_levels(&self) -> Levels {
        let directives = match (&self.directives, self.console_levels) {
            (None, Some(levels)) => return levels,
            (Some(directives), _) => directives,
            (None, None) => &self.usual,
        };
        let mut levels = Levels::default();
        for (level, of) in [
            (Level::Error, tracing::Level::ERROR),
            (Level::Warning, tracing::Level::WARN),
            (Level::Notice, tracing::Level::INFO),
            (Level::Verbose, tracing::Level::INFO),
            (Level::Debug, tracing::Level::DEBUG),
            (Level::Trace, tracing::Level::TRACE),
        ] {
            levels.set(level, directives.would_enable("sidetone", &of));
        }
        levels
    }

    pub(super) fn attach(&mut self, id: u32, verbose: u8, queue: Queue) -> bool {
        let room = self.consoles.len() < CONSOLES_MAX;
        if room {
            let levels = Levels::of_console(verbose);
            self.consoles.push(Console { id, levels, queue });
        }
        room
    }

    pub(super) fn detach(&mut self, id: u32) {
        self.consoles.retain(|console| console.id != id);
    }

    /// The channels of files, in the order written.
    pub(crate) fn listeners(&self) -> impl Iterator<Item = &super::Channel> {
        self.listeners.iter().map(|listener| &listener.channel)
    }

    /// The attached consoles.
    pub(crate) fn consoles(&self) -> impl Iterator<Item = (u32, Levels)> {
        self.consoles
            .iter()
            .map(|console| (console.id, console.levels))
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    let module = metadata.target().split("::").next().unwrap_or_default();
    OURS.contains(&module)
}

#[cfg(test)]
mod tests {
    use super::{Debug, Traced};

    #[test]
    fn a_trace_is_narrowed_by_host_and_method() {
        let mut traced = Traced {
            on: true,
            ..Traced::default()
        };
        assert!(traced.has("192.0.2.1:5060", "INVITE"));
        traced.hosts.push(("192.0.2.1".parse().unwrap(), None));
        traced.methods.push("REGISTER".to_owned());
        assert!(traced.has("192.0.2.1:9", "register"));
        assert!(!traced.has("192.0.2.2:9", "REGISTER"));
        assert!(!traced.has("192.0.2.1:9", "INVITE"));
        traced.hosts[0].1 = Some(5060);
        assert!(!traced.has("192.0.2.1:9", "REGISTER"));
    }

    #[test]
    fn a_module_may_have_its_own_level() {
        let mut debug = Debug::default();
        assert_eq!(debug.set(None, 1), 0);
        assert_eq!(debug.set(Some("signal"), 5), 1);
        assert_eq!((debug.of("signal::sip"), debug.of("web")), (5, 1));
        assert_eq!(debug.set(Some("signal"), 0), 5);
        assert_eq!(debug.of("signal"), 1);
    }
}
