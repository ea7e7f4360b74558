//! What the repository does to itself: checks, tests, fuzzing.
//!
//! `cargo xtask ci` is exactly what CI runs. `cargo xtask test` passes every test on a fresh machine,
//! installing what it needs or saying exactly what is missing.

use std::process::ExitCode;

use anyhow::{Result, bail};

mod ci;
mod databases;
mod fuzz;
mod package;
mod package_test;
mod prerequisites;
mod run;
mod test;
#[cfg(test)]
mod tidy;

const USAGE: &str = "usage: cargo xtask COMMAND

  ci                      fmt, clippy, docs, then test: what CI runs
  test [--only GROUP]     every test; GROUP is one of rust, client, interop, package, fuzz
  fuzz [TARGET] [--seconds N]
                          build the fuzz targets and run each (default 600 seconds)
  package                 the Debian package, into target/package
  package-test [BINARY]   the package on a clean Debian: install, serve, call, purge (as root)
  tidy                    only the house rules: crate edges, lengths, names, tables
  databases               start MariaDB and PostgreSQL for tests and print their URLs
  client                  rebuild client/dist from client/src (needs Node)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["ci"] => ci::run(),
        ["test"] => test::run(None),
        ["test", "--only", group] => test::run(Some(group)),
        ["package"] => {
            let release = package::Profile::Release;
            let file = package::build(release, &release.build()?)?;
            eprintln!("{}", file.display());
            Ok(())
        }
        ["package-test"] => package_test::run(None),
        ["package-test", binary] => package_test::run(Some(std::path::absolute(binary)?)),
        ["tidy"] => test::tidy(),
        ["client"] => test::build_client(),
        ["databases"] => databases::run(),
        ["fuzz"] => fuzz::run(None, fuzz::LONG_S),
        ["fuzz", "--seconds", seconds] => fuzz::run(None, seconds.parse()?),
        ["fuzz", target] => fuzz::run(Some(target), fuzz::LONG_S),
        ["fuzz", target, "--seconds", seconds] => fuzz::run(Some(target), seconds.parse()?),
        [] | ["help" | "--help" | "-h"] => {
            eprintln!("{USAGE}");
            Ok(())
        }
        _ => bail!("unknown command {words:?}\n{USAGE}"),
    }
}
