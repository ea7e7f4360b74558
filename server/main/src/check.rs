//! `sidetone check`: what is wrong with a folder of files and with its database, and what works here of a
//! folder of Asterisk. Nothing is changed and nothing is started.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use config::{CertificateFiles, Config, Diagnostic, Elsewhere, Place, Severity};
use serde_json::{Value, json};
use store::{About, Backend, Finding};
use web::{Certificate, TlsError};

use crate::arguments::CheckArguments;
use crate::{data, database, files, rows, site};

mod migration;

/// Checks; whether all is as it should be.
///
/// # Errors
///
/// When there is no such folder.
pub(crate) fn run(arguments: CheckArguments) -> Result<bool> {
    let default = match arguments.asterisk {
        true => ASTERISK,
        false => data::CONFIGURATION,
    };
    let folder = arguments.folder.unwrap_or_else(|| PathBuf::from(default));
    if !folder.is_dir() {
        bail!(
            "{} is not a folder; name the folder of the files: sidetone check DIR",
            folder.display()
        );
    }
    if arguments.asterisk {
        return Ok(migration::run(&folder, arguments.json));
    }
    let data = match arguments.data {
        Some(data) => Some(data),
        // Without a home there is no default, and no database to look at.
        None => data::of_running().ok(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let checked = runtime.block_on(check(&folder, data.as_deref()));
    match arguments.json {
        true => print(&format!("{:#}\n", checked.json(&folder))),
        false => print(&checked.text()),
    }
    Ok(checked.count(Severity::Error) == 0)
}

/// Where Asterisk's files are.
const ASTERISK: &str = "/etc/asterisk";

/// Everything that was found.
struct Checked {
    messages: Vec<Diagnostic>,
    findings: Vec<Finding>,
}

async fn check(folder: &Path, data: Option<&Path>) -> Checked {
    let source = files::Folder(folder.to_owned());
    // The files choose the database, and the database defines what files may name.
    let (config, _) = config::load(&source);
    let config = config.unwrap_or_default();
    let file = data.map(|data| data.join(database::FILE));
    let asked = match &file {
        Some(file) => elsewhere(&config, file).await,
        None => None,
    };
    let database = match asked {
        Some(_) => files::Database::Known,
        None => files::Database::Unknown,
    };
    let elsewhere = asked.unwrap_or_default();
    let (read, mut messages) = files::read_with(&source, &elsewhere, database);
    messages.extend(beside(&source));
    messages.extend(config::migration::unread_files(&source));
    config::show_lines(&source, &mut messages);
    let findings = match (&read, &file) {
        (Some(config), Some(file)) => {
            store::inspect_with(config, file, &files::applications()).await
        }
        _ => Vec::new(),
    };
    Checked { messages, findings }
}

/// What is wrong with the files that options name, and with how TLS is to be spoken.
fn beside(source: &files::Folder) -> Vec<Diagnostic> {
    let mut messages = config::unreadable_files(source);
    let named = config::certificate_files(source);
    messages.extend(named.iter().flat_map(certificate));
    let (config, _) = config::load(source);
    messages.extend(config.and_then(|config| https(source, &config)));
    messages
}

/// What the start would say of suites and authorities of HTTPS, whatever its certificate is.
fn https(source: &files::Folder, config: &Config) -> Option<Diagnostic> {
    config.http.secure_bind()?;
    let settings = site::tls_settings(&config.http.tls_settings);
    let error = settings.check().err()?;
    let (options, advice): (&[&str], _) = match &error {
        TlsError::NoSuite(..) => (
            &["tlscipher", "sslcipher"],
            "take it out, or name suites of those",
        ),
        TlsError::NoAuthorities | TlsError::Authorities { .. } => (
            &["tlscafile", "tlscapath"],
            "name certificates of authorities in PEM form",
        ),
    };
    let at = config::http_option(source, options)?;
    // A file that is not there has its message already.
    if matches!(&error, TlsError::Authorities { file, .. } if !file.exists()) {
        return None;
    }
    let message = error.to_string();
    Some(Diagnostic { message, ..at }.advise(advice))
}

/// What the start would say of a certificate: another one's key, a date, what browsers refuse.
fn certificate(named: &CertificateFiles) -> Vec<Diagnostic> {
    let about = |severity, message: String, advice: &str| {
        let at = named.at.clone();
        let message = Diagnostic {
            severity,
            message,
            ..at
        };
        message.advise(advice)
    };
    match Certificate::from_files(Path::new(&named.certificate), Path::new(&named.key)) {
        Err(error) => vec![about(
            Severity::Error,
            error.to_string(),
            "name a certificate with its own key; `sidetone cert` makes both",
        )],
        Ok(certificate) => {
            let remarks = certificate.remarks().into_iter();
            let advice = "`sidetone cert` makes or renews one, `acme=yes` in http.conf gets one";
            remarks
                .map(|remark| about(Severity::Warning, remark, advice))
                .collect()
        }
    }
}

/// The ids the database has; `None` if it cannot be asked, which its inspection says.
async fn elsewhere(config: &Config, file: &Path) -> Option<Elsewhere> {
    let own_file = match &config.database.place {
        Place::DataFolder => Some(file),
        Place::Sqlite(other) => Some(Path::new(other)),
        Place::MySql(_) | Place::Postgres(_) => None,
    };
    if own_file.is_some_and(|file| !file.exists()) {
        return Some(Elsewhere::default());
    }
    let backend = Backend::open_as_it_is(&config.database, file).await.ok()?;
    let elsewhere = Elsewhere {
        endpoints: ids(&backend, "ps_endpoints").await,
        auths: ids(&backend, "ps_auths").await,
        aors: ids(&backend, "ps_aors").await,
        rows: rows::of(config, file).await,
    };
    backend.close().await;
    Some(elsewhere)
}

/// Ids of one table that are looked at.
const IDS_MAX: usize = 100_000;

async fn ids(backend: &Backend, table: &str) -> BTreeSet<String> {
    let sql = format!("SELECT id FROM {} LIMIT {IDS_MAX}", backend.table(table));
    let rows = backend.fetch(&sql, &[]).await.unwrap_or_default();
    let ids = rows.iter().filter_map(|row| row.text("id"));
    ids.map(|id| id.to_string()).collect()
}

impl Checked {
    fn count(&self, severity: Severity) -> usize {
        let messages = self.messages.iter().map(|message| message.severity);
        let findings = self.findings.iter().map(|finding| finding.severity);
        messages
            .chain(findings)
            .filter(|found| *found == severity)
            .count()
    }

    /// One paragraph for each message, files first, then the database; the numbers at the end.
    fn text(&self) -> String {
        let mut text = String::new();
        for message in &self.messages {
            text.push_str(&format!("{}: {message}\n", message.severity));
        }
        for finding in &self.findings {
            text.push_str(&format!(
                "{}: {}{}\n",
                finding.severity,
                place(&finding.about),
                finding.message
            ));
            if let Some(cure) = &finding.cure {
                text.push_str(&format!("  = {cure}\n"));
            }
        }
        let number = |severity, one: &str| match self.count(severity) {
            1 => format!("1 {one}"),
            many => format!("{many} {one}s"),
        };
        text.push_str(&format!(
            "{}, {}, {}\n",
            number(Severity::Error, "error"),
            number(Severity::Warning, "warning"),
            number(Severity::Info, "note"),
        ));
        text
    }

    fn json(&self, folder: &Path) -> Value {
        let messages = self.messages.iter().map(json_of);
        let findings = self.findings.iter().map(|finding| {
            let (table, row) = match &finding.about {
                About::Row(table, row) => (Some(table), Some(row)),
                About::Table(table) | About::Rights(table) => (Some(table), None),
                About::Connection | About::Server | About::Trigger => (None, None),
            };
            json!({
                "source": "database",
                "severity": finding.severity.to_string(),
                "file": null,
                "line": null,
                "column": null,
                "table": table,
                "row": row,
                "message": finding.message,
                "suggestion": finding.cure,
                "excerpt": null,
            })
        });
        json!({
            "directory": folder,
            "ok": self.count(Severity::Error) == 0,
            "messages": messages.chain(findings).collect::<Vec<_>>(),
            "counts": {
                "errors": self.count(Severity::Error),
                "warnings": self.count(Severity::Warning),
                "notes": self.count(Severity::Info),
            },
        })
    }
}

/// `ps_endpoints alice: `, or nothing where the message says it.
fn place(about: &About) -> String {
    match about {
        About::Row(table, row) => format!("{table} {row}: "),
        _ => "database: ".to_owned(),
    }
}

/// One message about a file. A message about a file as a whole has no line.
fn json_of(message: &Diagnostic) -> Value {
    if let Some((table, row, column)) = config::row_of(message) {
        return json!({
            "source": "database",
            "severity": message.severity.to_string(),
            "file": null,
            "line": null,
            "column": column,
            "table": table,
            "row": row,
            "message": message.message,
            "suggestion": message.suggestion,
            "excerpt": null,
        });
    }
    let placed = message.line > 0;
    json!({
        "source": "file",
        "severity": message.severity.to_string(),
        "file": message.file,
        "line": placed.then_some(message.line),
        "column": placed.then_some(message.column),
        "table": null,
        "row": null,
        "message": message.message,
        "suggestion": message.suggestion,
        "excerpt": message.excerpt,
    })
}

#[expect(
    clippy::print_stdout,
    reason = "the person who typed the command reads it"
)]
fn print(text: &str) {
    print!("{text}");
}
