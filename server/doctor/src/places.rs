//! Where in the files an option is written, so that a cure can name file and line.

use std::path::{Path, PathBuf};

use conf::{Document, Report, Section};
use config::Source;

/// The files, asked for places.
pub(crate) struct Places<'a> {
    folder: PathBuf,
    source: &'a dyn Source,
}

impl<'a> Places<'a> {
    pub(crate) fn new(folder: &Path, source: &'a dyn Source) -> Self {
        Self {
            folder: folder.to_owned(),
            source,
        }
    }

    /// The path of a file of the configuration.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// `file:line` of the last of these options in a section; of the section where none is written;
    /// the file where that does not exist either.
    pub(crate) fn option(&self, file: &str, section: &str, options: &[&str]) -> String {
        self.place(file, options, |found| found.name == section)
    }

    /// The same in the section of this name and `type`.
    pub(crate) fn object(&self, name: &str, kind: &str, options: &[&str]) -> String {
        self.place("pjsip.conf", options, |found| {
            let written = found
                .entries
                .iter()
                .rev()
                .find(|entry| entry.name == "type");
            found.name == name && written.is_some_and(|entry| entry.value == kind)
        })
    }

    fn place(&self, file: &str, options: &[&str], is_it: impl Fn(&Section) -> bool) -> String {
        let document = Document::read(self.source, file, &mut Report::default());
        let Some(document) = document else {
            return self.file(file);
        };
        let sections = || document.sections.iter().filter(|section| is_it(section));
        let entries = sections().flat_map(|section| &section.entries);
        let written = |name: &str| {
            options
                .iter()
                .any(|option| option.eq_ignore_ascii_case(name))
        };
        let entry = entries.filter(|entry| written(&entry.name)).last();
        let at = entry.map(|entry| entry.at);
        match at.or_else(|| sections().next().map(|section| section.at)) {
            Some(at) => format!("{}:{}", self.file(document.file(at)), at.line),
            None => self.file(file),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::Places;

    #[test]
    fn an_option_has_a_line_or_that_of_its_section() {
        let text = "[a]\ntype=auth\npassword=x\n[a]\ntype=endpoint\nauth=a\n";
        let files = BTreeMap::from([("pjsip.conf".to_owned(), text.to_owned())]);
        let places = Places::new(Path::new("/etc/x"), &files);
        assert_eq!(
            places.object("a", "auth", &["password"]),
            "/etc/x/pjsip.conf:3"
        );
        assert_eq!(
            places.object("a", "endpoint", &["allow"]),
            "/etc/x/pjsip.conf:4"
        );
        assert_eq!(places.object("b", "endpoint", &[]), "/etc/x/pjsip.conf");
        assert_eq!(
            places.option("http.conf", "general", &[]),
            "/etc/x/http.conf"
        );
    }
}
