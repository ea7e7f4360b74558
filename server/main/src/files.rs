//! Where configuration text comes from: a folder of files.

use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Result, bail};
use config::{Config, Diagnostic, Elsewhere, Severity, Source, Wildcard};

/// A folder of Asterisk-style files.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Source for Folder {
    fn read(&self, name: &str) -> Result<Option<String>, String> {
        let path = self.0.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|error| {
                let (good, bad) = (error.utf8_error().valid_up_to(), error.as_bytes());
                let line = bad[..good].iter().filter(|byte| **byte == b'\n').count() + 1;
                format!(
                    "{} is not UTF-8 text in line {line}; convert it, for example with \
                     `iconv -f latin1 -t utf-8`",
                    path.display()
                )
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    fn list(&self, pattern: Wildcard<'_>) -> Result<Vec<String>, String> {
        // Joining an absolute pattern leaves the folder, as an absolute file name does.
        let absolute = pattern.as_str().starts_with('/');
        let mut found = vec![if absolute { "/" } else { "" }.to_owned()];
        let parts = pattern.as_str().split('/').filter(|part| !part.is_empty());
        for part in parts {
            let mut next = Vec::new();
            for before in found {
                self.list_part(&before, part, &mut next)?;
            }
            found = next;
        }
        found.retain(|name| self.0.join(name).is_file());
        Ok(found)
    }

    fn locate(&self, path: &str) -> String {
        let file = self.0.join(path);
        let file = std::path::absolute(&file).unwrap_or(file);
        file.to_string_lossy().into_owned()
    }

    fn unreadable(&self, path: &str) -> Option<String> {
        let path = &self.locate(path);
        let opened = std::fs::metadata(path).and_then(|metadata| match metadata.is_dir() {
            true => std::fs::read_dir(path).map(|_| ()),
            false => std::fs::File::open(path).map(|_| ()),
        });
        opened.err().map(|error| format!("{path}: {error}"))
    }
}

impl Folder {
    /// Adds the names in the folder `before` that one part of a pattern matches.
    fn list_part(&self, before: &str, part: &str, to: &mut Vec<String>) -> Result<(), String> {
        let within = |name: &str| match before {
            "" => name.to_owned(),
            "/" => format!("/{name}"),
            before => format!("{before}/{name}"),
        };
        let Some(pattern) = Wildcard::parse(part) else {
            to.push(within(part));
            return Ok(());
        };
        let folder = self.0.join(before);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(());
            }
            Err(error) => return Err(format!("{}: {error}", folder.display())),
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        to.extend(
            names
                .filter(|name| pattern.matches_name(name))
                .map(|name| within(&name))
                .take(NAMES_MAX.saturating_sub(to.len())),
        );
        Ok(())
    }
}

/// Names one pattern may match; a document holds no more files than this anyway.
const NAMES_MAX: usize = 10_000;

/// Reads and checks everything; faults go to standard error, one paragraph each.
///
/// # Errors
///
/// When nothing can be run from these files.
pub(crate) fn load(source: &dyn Source) -> Result<Config> {
    taken(read(source))
}

/// What was read; faults go to standard error, one paragraph each.
///
/// # Errors
///
/// When nothing can be run from it.
pub(crate) fn taken((config, messages): (Option<Config>, Vec<Diagnostic>)) -> Result<Config> {
    let (mut errors, mut without_effect) = (0_usize, 0_usize);
    for message in &messages {
        // What has no effect would hide what is wrong; `sidetone check` shows it.
        match message.severity {
            Severity::Info => without_effect += 1,
            Severity::Warning => eprintln!("warning: {message}"),
            Severity::Error => {
                eprintln!("error: {message}");
                errors += 1;
            }
        }
    }
    if without_effect > 0 {
        tracing::info!(
            options = without_effect,
            "options without effect here; `sidetone check` names them and says why"
        );
    }
    match config {
        Some(config) => {
            if errors > 0 {
                tracing::error!(
                    errors,
                    "the configuration has errors; what they name is left out"
                );
            }
            Ok(config)
        }
        None => bail!("the configuration cannot be used ({errors} errors, see above)"),
    }
}

/// Says which files of a folder are not read.
pub(crate) fn say_unread(folder: &Folder) {
    for message in config::migration::unread_files(folder) {
        match message.severity {
            Severity::Info => tracing::info!("{}", message.to_string().trim_end()),
            Severity::Warning | Severity::Error => eprintln!("warning: {message}"),
        }
    }
}

/// What the files say, and everything that is wrong with them.
pub(crate) fn read(source: &dyn Source) -> (Option<Config>, Vec<Diagnostic>) {
    read_with(source, &Elsewhere::default(), Database::Unknown)
}

/// Whether all is known that a database defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    /// It was not asked for all of it.
    Unknown,
    /// It was.
    Known,
}

/// The same where it is known what a database defines.
pub(crate) fn read_with(
    source: &dyn Source,
    elsewhere: &Elsewhere,
    database: Database,
) -> (Option<Config>, Vec<Diagnostic>) {
    let (config, mut messages) = config::load_with(source, elsewhere);
    if let Some(config) = &config {
        messages.extend(config.plan.unknown_applications(&applications()));
        messages.extend(config.plan.unknown_branches(&applications()));
        messages.extend(config.plan.unknown_functions(&functions()));
        let elsewhere = (database == Database::Known).then_some(elsewhere);
        messages.extend(config.device_faults(elsewhere));
        messages.extend(config.deafness());
        messages.extend(config.plan.faults());
    }
    config::show_lines(source, &mut messages);
    (config, messages)
}

/// The names of the applications there are.
pub(crate) fn applications() -> Vec<&'static str> {
    apps::APPLICATIONS.iter().map(|app| app.name).collect()
}

/// The names of the functions there are.
fn functions() -> Vec<&'static str> {
    apps::FUNCTIONS
        .iter()
        .map(|function| function.name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Folder;
    use config::{Source as _, Wildcard};

    #[test]
    fn a_file_in_another_encoding_is_named_with_its_line() {
        let root = std::env::temp_dir().join(format!("sidetone-latin-{}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        std::fs::write(root.join("a.conf"), b"[a]\n; B\xfcro\n").unwrap();
        let refused = Folder(root.clone()).read("a.conf").unwrap_err();
        assert!(refused.contains("not UTF-8 text in line 2"), "{refused}");
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn lists_the_files_a_pattern_matches_in_folders_it_matches() {
        let root = std::env::temp_dir().join(format!("sidetone-files-{}", std::process::id()));
        for (folder, file) in [("a.d", "1.conf"), ("a.d", "2.txt"), ("b.d", "1.conf")] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
            std::fs::write(root.join(folder).join(file), "").unwrap();
        }
        let folder = Folder(root.clone());
        let list = |pattern| {
            let mut names = folder.list(Wildcard::parse(pattern).unwrap()).unwrap();
            names.sort();
            names
        };
        assert_eq!(list("*/*.conf"), ["a.d/1.conf", "b.d/1.conf"]);
        assert_eq!(list("a.d/*"), ["a.d/1.conf", "a.d/2.txt"]);
        assert_eq!(list("*.d"), [""; 0], "a folder is no file");
        assert_eq!(list("none/*"), [""; 0]);
        let absolute = format!("{}/b.?/*", root.display());
        assert_eq!(list(&absolute), [format!("{}/b.d/1.conf", root.display())]);
        std::fs::remove_dir_all(root).unwrap();
    }
}
