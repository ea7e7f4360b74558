//! Where configuration text comes from.

use crate::Wildcard;
use std::collections::BTreeMap;

/// A folder of configuration files, as the reader of them sees it.
pub trait Source {
    /// The text of the file `name` (as written in an `#include`, or a plain name such as
    /// `pjsip.conf`); `None` if there is no such file, the reason if it cannot be read.
    fn read(&self, name: &str) -> Result<Option<String>, String>;

    /// The names of the files a pattern matches, for `#include pjsip.d/*.conf`; the reader puts
    /// them in order. A source that does not say otherwise has none.
    fn list(&self, pattern: Wildcard<'_>) -> Result<Vec<String>, String> {
        let _ = pattern;
        Ok(Vec::new())
    }

    /// Where a file is that an option names, such as a certificate: a relative name leads from the
    /// folder of the source, if it has one.
    fn locate(&self, path: &str) -> String {
        path.to_owned()
    }

    /// Why a file that an option names, such as a certificate, cannot be read; `None` if it can, or if
    /// the source knows of no other files.
    fn unreadable(&self, path: &str) -> Option<String> {
        let _ = path;
        None
    }
}

/// Files held in memory, by name.
impl Source for BTreeMap<String, String> {
    fn read(&self, name: &str) -> Result<Option<String>, String> {
        Ok(self.get(name).cloned())
    }

    fn list(&self, pattern: Wildcard<'_>) -> Result<Vec<String>, String> {
        let names = self.keys().filter(|name| pattern.matches(name));
        Ok(names.cloned().collect())
    }
}

/// Files compiled into the program or written out in a test.
impl Source for &[(&str, &str)] {
    fn read(&self, name: &str) -> Result<Option<String>, String> {
        let found = self.iter().find(|(file, _)| *file == name);
        Ok(found.map(|(_, text)| (*text).to_owned()))
    }

    fn list(&self, pattern: Wildcard<'_>) -> Result<Vec<String>, String> {
        let names = self.iter().map(|(name, _)| *name);
        let matching = names.filter(|name| pattern.matches(name));
        Ok(matching.map(str::to_owned).collect())
    }
}
