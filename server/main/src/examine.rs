//! `sidetone doctor`: gathers what is to be examined, prints what was found.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use config::Secret;
use doctor::{Root, Subject};

use crate::arguments::DoctorArguments;
use crate::{data, database, files, rows};

/// Examines the exchange on these folders; whether no link failed.
#[expect(
    clippy::print_stdout,
    reason = "the person who typed the command reads it"
)]
pub(crate) async fn run(arguments: DoctorArguments) -> Result<bool> {
    let folder = match arguments.config {
        Some(folder) => folder,
        None if Path::new(data::CONFIGURATION).is_dir() => PathBuf::from(data::CONFIGURATION),
        None => bail!(
            "there is no {}; name the folder of the files with --config DIR",
            data::CONFIGURATION
        ),
    };
    if !folder.is_dir() {
        bail!(
            "{} is not a folder; name the folder of the files with --config DIR",
            folder.display()
        );
    }
    let folder = std::path::absolute(folder).context("the folder has no path")?;
    let data = match arguments.data {
        Some(data) => data,
        None => data::of_running()?,
    };
    let source = files::Folder(folder.clone());
    let (config, messages) = rows::read_once(&source, data.join(database::FILE)).await;
    let subject = Subject {
        config: config.map(Arc::new),
        messages,
        database: data.join(database::FILE),
        console: data.join(cli::SOCKET_NAME),
        binary: std::env::current_exe().context("this program does not know its own file")?,
        root: Root::new(arguments.root.as_deref()),
        names: arguments.name,
        url: arguments.url,
        origin: arguments.origin,
        user: arguments.user,
        password: arguments.password.map(Secret::new),
        exten: arguments.exten,
        browser: arguments.browser,
        source: &source,
        folder,
        data,
    };
    if std::io::stderr().is_terminal() {
        eprintln!("examining {} …", subject.folder.display());
    }
    let report = doctor::examine(&subject).await;
    match arguments.json {
        true => println!("{}", report.json()),
        false => print!("{report}"),
    }
    Ok(report.ok)
}
