//! What the tests need besides Rust: browsers, Node, databases, a C++ compiler. Installed where that is possible,
//! named where it is not.

use anyhow::{Result, bail};

use crate::run::{command, exists, must};

/// A program of the test machine and the Debian package that brings it.
struct Tool {
    program: &'static str,
    package: &'static str,
    purpose: &'static str,
}

const BROWSER_TOOLS: &[Tool] = &[
    Tool {
        program: "node",
        package: "nodejs",
        purpose: "the browser tests' driver",
    },
    Tool {
        program: "npm",
        package: "npm",
        purpose: "the client's build",
    },
    Tool {
        program: "chromium",
        package: "chromium",
        purpose: "the Chromium tests",
    },
    Tool {
        program: "firefox-esr",
        package: "firefox-esr",
        purpose: "the Firefox tests",
    },
];

const REFERENCE_TOOLS: &[Tool] = &[Tool {
    program: "cmake",
    package: "cmake",
    purpose: "libopus, which Opus is held against",
}];

const FUZZ_TOOLS: &[Tool] = &[Tool {
    program: "g++",
    package: "g++",
    purpose: "libFuzzer, which is C++",
}];

const DATABASE_TOOLS: &[Tool] = &[
    Tool {
        program: "mariadbd",
        package: "mariadb-server",
        purpose: "the tests with MariaDB",
    },
    Tool {
        program: "psql",
        package: "postgresql",
        purpose: "the tests with PostgreSQL",
    },
];

const PACKAGING_TOOLS: &[Tool] = &[
    Tool {
        program: "debootstrap",
        package: "debootstrap",
        purpose: "a clean Debian to install the package on",
    },
    Tool {
        program: "dpkg-shlibdeps",
        package: "dpkg-dev",
        purpose: "the package's dependencies",
    },
    Tool {
        program: "systemd-analyze",
        package: "systemd",
        purpose: "the check of the service unit",
    },
];

/// `ip` has no `--version`; its package is asked for when the command is not there.
const NAMESPACE_PACKAGE: &str = "iproute2";

/// SIPp, which plays a desk phone; asked for its version, it says it and fails.
const PHONE_PACKAGE: &str = "sip-tester";

/// baresip, a desk phone with sound; without the programs for a screen it recommends.
const DESK_PHONE_PACKAGE: &str = "baresip-core";

/// linphonec, another one, without a screen.
const OTHER_DESK_PHONE_PACKAGE: &str = "linphone-cli";

/// Node, npm, Chromium, Firefox, network namespaces, SIPp, baresip and linphonec.
pub(crate) fn browsers() -> Result<()> {
    install(BROWSER_TOOLS)?;
    node_is_recent()?;
    if command("ip", &["-V"]).output().is_err() {
        apt(&[NAMESPACE_PACKAGE])?;
    }
    if command("sipp", &["-v"]).output().is_err() {
        apt(&[PHONE_PACKAGE])?;
    }
    if command("baresip", &["-h"]).output().is_err() {
        apt(&[DESK_PHONE_PACKAGE])?;
    }
    if command("linphonec", &["-v"]).output().is_err() {
        apt(&[OTHER_DESK_PHONE_PACKAGE])?;
    }
    Ok(())
}

/// MariaDB and PostgreSQL.
pub(crate) fn databases() -> Result<()> {
    install(DATABASE_TOOLS)?;
    // For the servers' certificates; it has no `--version` either.
    if command("openssl", &["version"]).output().is_err() {
        apt(&["openssl"])?;
    }
    Ok(())
}

/// An ACME server, OpenSSL, and what puts an authority into Chromium's store.
pub(crate) fn certificates() -> Result<()> {
    // None of them has `--version`; that they can be started is enough.
    let absent = |program: &str| command(program, &["-help"]).output().is_err();
    let missing = CERTIFICATE_PACKAGES.iter();
    let missing = missing.filter(|(program, _)| absent(program));
    let packages: Vec<&str> = missing.map(|(_, package)| *package).collect();
    match packages.is_empty() {
        true => Ok(()),
        false => apt(&packages),
    }
}

/// Programs of the tests with certificates, and their packages.
const CERTIFICATE_PACKAGES: &[(&str, &str)] = &[
    ("pebble", "pebble"),
    ("openssl", "openssl"),
    ("certutil", "libnss3-tools"),
];

/// What builds the reference library of Opus.
pub(crate) fn reference() -> Result<()> {
    install(REFERENCE_TOOLS)
}

/// A C++ compiler for libFuzzer.
pub(crate) fn fuzzing() -> Result<()> {
    install(FUZZ_TOOLS)
}

/// What builds the Debian package and a system to install it on.
pub(crate) fn packaging() -> Result<()> {
    install(PACKAGING_TOOLS)?;
    for (program, package) in [("openssl", "openssl"), ("ip", NAMESPACE_PACKAGE)] {
        if command(program, &["help"]).output().is_err() {
            apt(&[package])?;
        }
    }
    Ok(())
}

/// Vite and the test runner need it; a distribution may carry an older one.
fn node_is_recent() -> Result<()> {
    let output = command("node", &["--version"]).output()?;
    let version = String::from_utf8_lossy(&output.stdout);
    let major = version.trim().trim_start_matches('v').split('.').next();
    match major.and_then(|major| major.parse::<u32>().ok()) {
        Some(major) if major >= NODE_MAJOR_MIN => Ok(()),
        _ => bail!(
            "Node {NODE_MAJOR_MIN} or newer is needed, this is {}; install it from nodejs.org",
            version.trim()
        ),
    }
}

const NODE_MAJOR_MIN: u32 = 20;

fn install(tools: &[Tool]) -> Result<()> {
    let missing: Vec<&Tool> = tools.iter().filter(|tool| !exists(tool.program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for tool in &missing {
        eprintln!(
            "{} is not installed; it is needed for {}",
            tool.program, tool.purpose
        );
    }
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    apt(&packages)
}

fn apt(packages: &[&str]) -> Result<()> {
    if command("apt-get", &["--version"]).output().is_err() {
        bail!(
            "install these yourself, then run the command again: {}",
            packages.join(" ")
        );
    }
    must(command("apt-get", &["update", "-qq"]))?;
    let mut words = vec!["install", "-y", "-qq", "--no-install-recommends"];
    words.extend(packages);
    let mut install = command("apt-get", &words);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    must(install).map_err(|error| {
        error.context(format!(
            "run as root: apt-get install {}",
            packages.join(" ")
        ))
    })
}
