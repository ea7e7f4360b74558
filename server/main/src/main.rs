//! The telephone exchange for browsers: one binary that wires the crates together.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;
use switch::Then;

use crate::arguments::{Arguments, Command, DoctorArguments};

mod addresses;
mod arguments;
mod boot;
mod cert;
mod certificate;
mod check;
mod console;
mod data;
mod database;
mod demo;
mod examine;
mod files;
mod heartbeat;
mod logging;
mod manual;
mod notify;
mod obtained;
mod planes;
mod reload;
mod report;
mod restart;
mod rows;
mod site;
mod stop;
mod watch;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let run = match (arguments.command, arguments.execute) {
        (Some(Command::Run(run)), _) => run,
        (Some(Command::Doctor(doctor)), _) => return diagnose(*doctor),
        (Some(Command::Check(arguments)), _) => return judge(check::run(arguments)),
        (Some(Command::Completions { shell }), _) => return manual::completions(shell),
        (Some(Command::Man), _) => return manual::page(),
        (Some(Command::Cert(cert)), _) => {
            return match cert::run(cert) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => refuse(&format!("{error:#}")),
            };
        }
        (Some(Command::Exec(exec)), _) => {
            let line = exec.command.join(" ");
            return match console::execute(exec.data, &line) {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error) => refuse(&format!("{error:#}")),
            };
        }
        (Some(Command::Db(arguments)), _) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let done = match runtime {
                Ok(runtime) => runtime.block_on(database::run(arguments)),
                Err(error) => Err(error.into()),
            };
            return match done {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error) => refuse(&format!("{error:#}")),
            };
        }
        // As `asterisk -rx`, it fails only when there is no answer.
        (None, Some(line)) => {
            return match console::execute(arguments.run.data, &line) {
                Ok(_) => ExitCode::SUCCESS,
                Err(error) => refuse(&format!("{error:#}")),
            };
        }
        (Some(Command::Console(at)), _) => return open(at.data, at.verbose),
        (None, None) if arguments.remote => return open(arguments.run.data, arguments.verbose),
        (None, None) => arguments.run,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("cannot start the runtime: {error}")),
    };
    let ended = runtime.block_on(boot::run(run));
    logging::flush();
    match ended {
        Ok(then) => {
            // A task that never yields must not hold the process.
            runtime.shutdown_background();
            match then {
                Then::Leave => ExitCode::SUCCESS,
                Then::Restart => refuse(&restart::again()),
            }
        }
        Err(error) => refuse(&format!("{error:#}")),
    }
}

/// Success if no link of the chain failed.
fn diagnose(arguments: DoctorArguments) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("cannot start the runtime: {error}")),
    };
    match runtime.block_on(examine::run(arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => refuse(&format!("{error:#}")),
    }
}

/// The console of the exchange on a data folder.
fn open(folder: Option<PathBuf>, verbose: u8) -> ExitCode {
    judge(console::open(folder, verbose))
}

/// Success if all is as it should be.
fn judge(done: anyhow::Result<bool>) -> ExitCode {
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => refuse(&format!("{error:#}")),
    }
}

/// One sentence on standard error.
fn refuse(sentence: &str) -> ExitCode {
    eprintln!("sidetone: {sentence}");
    ExitCode::FAILURE
}
