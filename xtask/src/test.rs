//! `cargo xtask test`: all tests, in groups.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::databases::Databases;
use crate::run::{cargo, command, exists, must, root};
use crate::{fuzz, package_test, prerequisites};

/// Seconds each fuzz target runs as part of the tests.
const FUZZ_S: u32 = 20;

/// Programs that must not be needed to build the exchange.
const SHADOWED: &[&str] = &["cmake", "node", "npm"];

/// Runs one group of tests, or all.
pub(crate) fn run(only: Option<&str>) -> Result<()> {
    match only {
        Some("rust") => rust(),
        Some("client") => client(),
        Some("interop") => binary_without_shadowed_tools().and_then(|()| interop()),
        Some("package") => binary_without_shadowed_tools().and_then(|()| package()),
        Some("fuzz") => fuzz::run(None, FUZZ_S),
        Some(group) => {
            bail!("no test group `{group}`; there are rust, client, interop, package, fuzz")
        }
        None => {
            binary_without_shadowed_tools()?;
            rust()?;
            client()?;
            interop()?;
            package()?;
            fuzz::run(None, FUZZ_S)
        }
    }
}

/// The Debian package on a clean Debian.
fn package() -> Result<()> {
    if !package_test::is_root() {
        eprintln!("the package is not tried, which needs root: sudo cargo xtask package-test");
        return Ok(());
    }
    package_test::run(Some(binary()?))
}

/// The house rules alone.
pub(crate) fn tidy() -> Result<()> {
    must(cargo(&["test", "--quiet", "--package", "xtask"]))
}

fn rust() -> Result<()> {
    prerequisites::certificates()?;
    let databases = Databases::start()?;
    let mut tests = match exists("cargo-nextest") {
        true => cargo(&["nextest", "run", "--workspace"]),
        false => cargo(&["test", "--workspace", "--all-targets"]),
    };
    tests.envs(databases.environment.iter().cloned());
    must(tests)?;
    must(cargo(&["test", "--workspace", "--doc", "--quiet"]))?;
    reference()
}

/// Opus against the reference library, and the exchange's use of that library.
fn reference() -> Result<()> {
    prerequisites::reference()?;
    must(cargo(&[
        "test",
        "--package",
        "codec",
        "--features",
        "libopus",
        "--lib",
        "--test",
        "opus",
    ]))
}

/// Installs the client's packages and builds it into `client/dist`.
pub(crate) fn build_client() -> Result<()> {
    prerequisites::browsers()?;
    npm("client", &["ci", "--no-audit", "--no-fund"])?;
    npm("client", &["run", "build"])
}

/// The client's own tests, and the proof that the committed `client/dist` is what its source builds.
fn client() -> Result<()> {
    build_client()?;
    npm("client", &["run", "check"])?;
    npm("client", &["test"])?;
    let difference = command("git", &["status", "--porcelain", "--", "client/dist"]).output()?;
    if !difference.stdout.is_empty() {
        bail!(
            "client/dist is not what client/ builds; run `cargo xtask client` and commit:\n{}",
            String::from_utf8_lossy(&difference.stdout)
        );
    }
    Ok(())
}

/// The real binary against real browsers and phones.
fn interop() -> Result<()> {
    prerequisites::browsers()?;
    prerequisites::certificates()?;
    npm("interop", &["ci", "--no-audit", "--no-fund"])?;
    let databases = Databases::start()?;
    let mut tests = command("npm", &["test"]);
    tests
        .current_dir(root().join("interop"))
        .envs(databases.environment.iter().cloned())
        .env("SIDETONE_BIN", binary()?);
    must(tests)
}

/// Builds the binary with programs that a stranger's machine lacks shadowed by ones that fail, which
/// proves that Rust and a C compiler are enough. The tests are built along with it: another choice of
/// packages would have other features, and every library would be built twice.
fn binary_without_shadowed_tools() -> Result<()> {
    let shims = target()?.join("shims");
    fs::create_dir_all(&shims)?;
    for tool in SHADOWED {
        let path = shims.join(tool);
        fs::write(
            &path,
            format!("#!/bin/sh\necho '{tool} must not be needed' >&2\nexit 1\n"),
        )?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let mut build = cargo(&["build", "--workspace", "--all-targets"]);
    build.env("PATH", format!("{}:{path}", shims.display()));
    must(build)
}

fn binary() -> Result<std::path::PathBuf> {
    Ok(target()?.join("debug/sidetone"))
}

/// Cargo's target folder, which `CARGO_TARGET_DIR` may have moved.
pub(crate) fn target() -> Result<std::path::PathBuf> {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => {
            std::path::absolute(Path::new(&folder)).context("CARGO_TARGET_DIR is not a path")
        }
        None => Ok(root().join("target")),
    }
}

fn npm(folder: &str, arguments: &[&str]) -> Result<()> {
    let mut npm = command("npm", arguments);
    npm.current_dir(root().join(folder));
    must(npm)
}
