//! `sidetone db`: makes, fills and inspects the database, whether the exchange runs or not.

use std::io::Read as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use config::{Config, Diagnostic, Place, Severity};
use store::{About, Backend, Dialect, Finding};

use crate::arguments::{DbArguments, DbCommand};
use crate::{data, files, rows};

/// The file of an operator's objects in the data folder.
pub(crate) const FILE: &str = "sidetone.db";

/// Runs the command; whether it found everything as it should be.
pub(crate) async fn run(arguments: DbArguments) -> Result<bool> {
    let folder = match &arguments.data {
        Some(folder) => folder.clone(),
        None => data::of_running()?,
    };
    let file = folder.join(FILE);
    let (config, messages) = config(&arguments, &file).await?;
    match arguments.command {
        DbCommand::Init => init(&config, &folder, &file).await,
        DbCommand::Schema { dialect } => {
            let dialect = dialect.map_or_else(|| of_place(&config.database.place), Into::into);
            print(&store::schema_sql(dialect, &config.database));
            Ok(true)
        }
        DbCommand::Exec { file: script } => exec(&config, &folder, &file, &script).await,
        DbCommand::Check { json } => {
            let mut findings = store::inspect_with(&config, &file, &files::applications()).await;
            findings.extend(messages.iter().filter_map(of_row));
            print(&match json {
                true => json_of(&findings),
                false => findings.iter().map(line).collect(),
            });
            Ok(findings
                .iter()
                .all(|finding| finding.severity < Severity::Error))
        }
    }
}

/// A message about a row of a table that is read with the files.
fn of_row(message: &Diagnostic) -> Option<Finding> {
    let (table, row, _) = config::row_of(message)?;
    Some(Finding {
        about: About::Row(table.to_owned(), row.to_owned()),
        severity: message.severity,
        message: format!("{}: {}", message.file, message.message),
        cure: message.suggestion.clone(),
    })
}

/// What the files say, with the database the command line names, and what is wrong with rows that belong to
/// them.
async fn config(arguments: &DbArguments, file: &Path) -> Result<(Config, Vec<Diagnostic>)> {
    let mut said = Vec::new();
    let mut config = match &arguments.config {
        Some(folder) => {
            let source = files::Folder(folder.clone());
            let reads_rows = matches!(arguments.command, DbCommand::Check { .. });
            let (config, messages) = match reads_rows && arguments.database.is_none() {
                true => rows::read_once(&source, file.to_owned()).await,
                false => files::read(&source),
            };
            let (rows, messages): (Vec<_>, Vec<_>) = messages
                .into_iter()
                .partition(|message| config::row_of(message).is_some());
            said = rows;
            let errors = messages
                .iter()
                .filter(|message| message.severity == Severity::Error);
            let errors: String = errors.map(|message| format!("{message}\n")).collect();
            match config {
                Some(config) => {
                    eprint!("{errors}");
                    config
                }
                None => bail!("the configuration cannot be used:\n{errors}"),
            }
        }
        None => Config::default(),
    };
    if let Some(url) = &arguments.database {
        let database = std::mem::take(&mut config.database).at_url(url);
        config.database = database.map_err(|what| anyhow!("the URL of --database {what}"))?;
    }
    Ok((config, said))
}

async fn init(config: &Config, folder: &Path, file: &Path) -> Result<bool> {
    make_folder(config, folder)?;
    let done = store::init(&config.database, file).await.map_err(|error| {
        let finding = Finding::unreachable(&config.database, &error);
        anyhow!("{}{}", finding.message, cure(&finding))
    })?;
    give_away(file)?;
    let place = &config.database.place;
    let mut text: String = done.iter().map(|line| format!("{line}\n")).collect();
    match done.is_empty() {
        true => text.push_str(&format!("{place}: everything was there already\n")),
        false => text.push_str(&format!("{place}: done\n")),
    }
    print(&text);
    Ok(true)
}

async fn exec(config: &Config, folder: &Path, file: &Path, script: &Path) -> Result<bool> {
    let text = match script == Path::new("-") {
        true => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .context("standard input cannot be read as text")?;
            text
        }
        false => std::fs::read_to_string(script)
            .with_context(|| format!("{} cannot be read", script.display()))?,
    };
    make_folder(config, folder)?;
    let backend = Backend::open(&config.database, file).await?;
    let done = backend.run_script(&text).await;
    backend.close().await;
    give_away(file)?;
    match done {
        Ok(changed) => {
            let rows = if changed == 1 { "row" } else { "rows" };
            print(&format!("{changed} {rows} changed\n"));
            Ok(true)
        }
        Err(error) => {
            let name = match script == Path::new("-") {
                true => "standard input".to_owned(),
                false => script.display().to_string(),
            };
            let before = match error.changed {
                0 => String::new(),
                changed => format!("\nthe statements before it have changed {changed} rows"),
            };
            bail!("{name}: {error}{before}")
        }
    }
}

/// The data folder, if the database is a file in it.
fn make_folder(config: &Config, folder: &Path) -> Result<()> {
    if config.database.place != Place::DataFolder {
        return Ok(());
    }
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.with_context(|| {
        let shown = PathBuf::from(folder);
        format!(
            "cannot make the data folder {}; choose another with --data DIR",
            shown.display()
        )
    })
}

/// What root makes in the folder of a service belongs to the service.
fn give_away(file: &Path) -> Result<()> {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let folder = file.parent().and_then(|folder| folder.metadata().ok());
    let (Some(folder), Ok(made)) = (folder, file.metadata()) else {
        return Ok(());
    };
    if made.uid() == folder.uid() {
        return Ok(());
    }
    chown(file, Some(folder.uid()), Some(folder.gid())).with_context(|| {
        format!(
            "{} cannot be given to the owner of its folder",
            file.display()
        )
    })
}

fn of_place(place: &Place) -> Dialect {
    match place {
        Place::DataFolder | Place::Sqlite(_) => Dialect::Sqlite,
        Place::MySql(_) => Dialect::MySql,
        Place::Postgres(_) => Dialect::Postgres,
    }
}

/// One finding as one line, and its cure below it.
fn line(finding: &Finding) -> String {
    let word = match finding.severity {
        Severity::Info => "ok",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    format!("{word:<8} {}{}\n", finding.message, cure(finding))
}

fn cure(finding: &Finding) -> String {
    let cure = finding.cure.as_ref();
    cure.map_or_else(String::new, |cure| format!("\n         → {cure}"))
}

fn json_of(findings: &[Finding]) -> String {
    let findings = findings.iter().map(|finding| {
        serde_json::json!({
            "severity": finding.severity.to_string(),
            "message": finding.message,
            "cure": finding.cure,
        })
    });
    let all = serde_json::Value::Array(findings.collect());
    format!("{all:#}\n")
}

#[expect(
    clippy::print_stdout,
    reason = "the person who typed the command reads it"
)]
fn print(text: &str) {
    print!("{text}");
}
