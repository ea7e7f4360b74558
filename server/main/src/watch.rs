//! Files that are read again when they change: which ones were read, and how they looked then.
//!
//! They are looked at once in a while instead of asking the kernel to tell: a handful of files costs
//! nothing, and it works on network folders, in containers, and with editors that replace a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cli::{Exchange, Part};
use config::{Config, Diagnostic, Severity, Source, Wildcard};

use crate::files::Folder;

/// A folder that remembers what was read of it.
pub(crate) struct Watched {
    folder: Folder,
    seen: Mutex<Look>,
    /// The files of the folder itself that what runs was read of, once something was read.
    in_force: Mutex<Option<BTreeSet<String>>>,
}

/// How files looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// By name; `None` is a file that is not there.
    files: BTreeMap<String, Option<Stamp>>,
    /// The names a pattern stood for.
    patterns: BTreeMap<String, Vec<String>>,
}

/// What changes when a file does: time in nanoseconds, size, and which file it is.
type Stamp = (i64, i64, u64, u64);

impl Watched {
    pub(crate) fn new(folder: Folder) -> Self {
        Self {
            folder,
            seen: Mutex::default(),
            in_force: Mutex::default(),
        }
    }

    /// The folder itself.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// Minds the certificates of SIP too, which are read again with `pjsip.conf`. Those of the web
    /// server are watched by itself.
    pub(crate) fn mind_certificates(&self, config: &Config) {
        let files = config.transports.iter().flat_map(|transport| {
            let files = [
                &transport.cert_file,
                &transport.priv_key_file,
                &transport.ca_list_file,
            ];
            files.into_iter().flatten()
        });
        for name in files {
            let stamp = self.stamp(name);
            self.seen().files.entry(name.clone()).or_insert(stamp);
        }
    }

    /// Forgets what was read; all of it is about to be read again.
    pub(crate) fn begin(&self) {
        let before = std::mem::take(&mut *self.seen());
        // What was read first is in force, whatever was wrong with it.
        self.in_force().get_or_insert_with(|| before.own_files());
    }

    /// Says which files are gone that were in force. A file that is not there says nothing, so that all it
    /// defined would go with it: after a slip, or while an editor replaces it.
    pub(crate) fn gone(&self) -> Vec<Diagnostic> {
        let here = self.seen().own_files();
        let in_force = self.in_force();
        let gone = in_force.iter().flat_map(|before| before.difference(&here));
        gone.map(|name| {
            Diagnostic::about_file(Severity::Error, name, "was there before and is gone")
                .advise("put it back; an empty file says that nothing of it is wanted any more")
        })
        .collect()
    }

    /// What was read is in force.
    pub(crate) fn accept(&self) {
        let here = self.seen().own_files();
        *self.in_force() = Some(here);
    }

    /// How the files look now, if otherwise than when they were read.
    fn changed(&self) -> Option<Look> {
        let seen = self.seen().clone();
        let files = seen.files.keys();
        let patterns = seen.patterns.keys().filter_map(|pattern| {
            let names = self.folder.list(Wildcard::parse(pattern)?);
            Some((pattern.clone(), sorted(names.unwrap_or_default())))
        });
        let now = Look {
            files: files.map(|name| (name.clone(), self.stamp(name))).collect(),
            patterns: patterns.collect(),
        };
        (now != seen).then_some(now)
    }

    fn stamp(&self, name: &str) -> Option<Stamp> {
        let file = fs::metadata(self.folder.0.join(name)).ok()?;
        Some((file.mtime(), file.mtime_nsec(), file.size(), file.ino()))
    }

    fn in_force(&self) -> MutexGuard<'_, Option<BTreeSet<String>>> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, Look> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Look {
    /// The files that are there, without those of folders below and certificates.
    fn own_files(&self) -> BTreeSet<String> {
        let own = |name: &str| name.ends_with(".conf") && !name.contains('/');
        let here = self.files.iter();
        let here = here.filter(|(name, stamp)| own(name) && stamp.is_some());
        here.map(|(name, _)| name.clone()).collect()
    }
}

impl Source for Watched {
    fn read(&self, name: &str) -> Result<Option<String>, String> {
        // Before it is read: what is written meanwhile is a change.
        let stamp = self.stamp(name);
        self.seen().files.entry(name.to_owned()).or_insert(stamp);
        self.folder.read(name)
    }

    fn list(&self, pattern: Wildcard<'_>) -> Result<Vec<String>, String> {
        let names = self.folder.list(pattern)?;
        let mut seen = self.seen();
        let list = seen.patterns.entry(pattern.as_str().to_owned());
        list.or_insert_with(|| sorted(names.clone()));
        Ok(names)
    }

    fn locate(&self, path: &str) -> String {
        self.folder.locate(path)
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// Waits for a change to settle, so that a file is not read while an editor writes it.
#[derive(Debug, Default)]
struct Settling(Option<Look>);

impl Settling {
    /// Whether it is time to read: the files look otherwise than when read, and the same twice.
    fn look(&mut self, changed: Option<Look>) -> bool {
        let settled = changed.is_some() && self.0 == changed;
        self.0 = if settled { None } else { changed };
        settled
    }
}

/// Reads the files again when they have changed, for as long as the exchange runs: `always`, or while
/// `autoreload` in `sidetone.conf` says so.
pub(crate) async fn watch(watched: Arc<Watched>, exchange: Arc<Exchange>, always: bool) {
    let mut settling = Settling::default();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if !always && !exchange.config().own.autoreload {
            continue;
        }
        let looked = watched.clone();
        let changed = tokio::task::spawn_blocking(move || looked.changed()).await;
        if settling.look(changed.ok().flatten()) {
            let _ = exchange.reload(Part::All, "changed files").await;
        }
    }
}

/// A change is in force after two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use std::fs;

    use config::Source as _;

    use super::{Look, Settling, Watched};
    use crate::files::Folder;

    #[test]
    fn sees_a_change_of_an_included_file_and_a_new_one_that_a_pattern_takes_in() {
        let root = std::env::temp_dir().join(format!("sidetone-watch-{}", std::process::id()));
        fs::create_dir_all(root.join("ext.d")).unwrap();
        let write = |name: &str, text: &str| fs::write(root.join(name), text).unwrap();
        write("extensions.conf", "#include ext.d/*.conf\n");
        write("ext.d/a.conf", "[a]\nexten => 1,1,Answer()\n");
        let watched = Watched::new(Folder(root.clone()));
        let load = || {
            watched.begin();
            config::load(&watched).0.unwrap()
        };
        load();
        assert_eq!(watched.changed(), None);
        write("ext.d/a.conf", "[a]\nexten => 22,1,Answer()\n");
        assert!(watched.changed().is_some(), "an included file");
        assert!(load().plan.find("a", "22", None).is_some());
        assert_eq!(watched.changed(), None);
        write("ext.d/b.conf", "[b]\n");
        assert!(watched.changed().is_some(), "a new file");
        load();
        let tls = "[t]\ntype=transport\nprotocol=tls\ncert_file=c.pem\npriv_key_file=c.pem\n";
        write("pjsip.conf", tls);
        write("c.pem", "1");
        watched.mind_certificates(&load());
        assert_eq!(watched.changed(), None);
        write("c.pem", "22");
        assert!(watched.changed().is_some(), "a certificate");
        watched.mind_certificates(&load());
        write("http.conf", "[general]\n");
        assert!(watched.changed().is_some(), "a file that was not there");
        assert!(watched.read("http.conf").unwrap().is_some());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_change_is_read_once_it_has_settled() {
        let look = |size: u64| {
            let files = [("a".to_owned(), Some((0, 0, size, 0)))].into();
            Some(Look {
                files,
                patterns: [].into(),
            })
        };
        let mut settling = Settling::default();
        assert!(!settling.look(None));
        assert!(!settling.look(look(1)), "it may still grow");
        assert!(!settling.look(look(2)));
        assert!(settling.look(look(2)));
        assert!(!settling.look(None), "it has been read");
    }
}
