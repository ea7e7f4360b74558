//! `sidetone cert`: an authority of one's own and a certificate for this machine.

mod trust;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use web::Authority;

use crate::{addresses, data};

/// What is made, and where.
#[derive(Debug, Clone, Args)]
pub(crate) struct CertArguments {
    /// Folder of the authority, and of the certificate if no other file is named [default: certs in
    /// $XDG_DATA_HOME/sidetone].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// A name of this machine that it does not know itself. Repeatable.
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,

    /// An address under which it is reached, if it is not its own. Repeatable.
    #[arg(long, value_name = "ADDRESS")]
    ip: Vec<std::net::IpAddr>,

    /// Where the certificate goes [default: server.pem in the folder].
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,

    /// Where its key goes [default: server.key in the folder].
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// Replace files that were not made here, and make a new authority where the old one is broken.
    #[arg(long)]
    force: bool,

    /// Say for every system how to trust the authority.
    #[arg(long)]
    trust: bool,

    /// Trust it on this machine: in the system's store (as root), and in this user's Chromium.
    #[arg(long)]
    install: bool,
}

/// Makes what is missing, renews the certificate, and says what to do with it.
///
/// # Errors
///
/// A sentence when a file cannot be written or is somebody else's.
#[expect(
    clippy::print_stdout,
    reason = "the person who typed the command reads it"
)]
pub(crate) fn run(arguments: CertArguments) -> Result<()> {
    let folder = match arguments.dir {
        Some(folder) => folder,
        None => data::default_path()?.join("certs"),
    };
    // What http.conf names must not depend on where the server is started.
    let folder = std::path::absolute(&folder)
        .with_context(|| format!("cannot use the folder {}", folder.display()))?;
    let host = hostname();
    let mut names = machine_names(&host);
    for name in &arguments.name {
        ensure!(
            is_name(name),
            "`{name}` is no host name; write for example pbx.example.org"
        );
    }
    names.splice(
        0..0,
        arguments.name.iter().map(|name| name.to_ascii_lowercase()),
    );
    let machine = addresses::of_this_machine().all;
    let all = arguments.ip.iter().chain(&machine);
    names.extend(all.map(ToString::to_string));
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));

    let broken = arguments.force && Authority::open(&folder, &host, false).is_err();
    let authority = Authority::open(&folder, &host, broken)?;
    let path = |named: Option<PathBuf>, other: &str| {
        let named = named.unwrap_or_else(|| folder.join(other));
        std::path::absolute(&named).with_context(|| format!("cannot use {}", named.display()))
    };
    let certificate = path(arguments.cert, "server.pem")?;
    let key = path(arguments.key, "server.key")?;
    let facts = authority.issue(&names, &certificate, &key, arguments.force)?;

    let made = if authority.is_new { "made" } else { "kept" };
    println!(
        "authority    {} ({made}, until {})",
        authority.file.display(),
        day(authority.facts.not_after)
    );
    println!(
        "certificate  {} (until {})",
        certificate.display(),
        day(facts.not_after)
    );
    println!("key          {} (mode 0600)", key.display());
    println!("names        {}\n", names.join(", "));
    println!("In http.conf:\n\n  tlsenable=yes\n  tlsbindaddr=0.0.0.0:8089");
    println!(
        "  tlscertfile={}\n  tlsprivatekey={}\n",
        certificate.display(),
        key.display()
    );
    if arguments.install {
        for line in trust::install(&authority.file, authority.facts.common_name.as_deref()) {
            println!("{line}");
        }
    } else if arguments.trust {
        println!("{}", trust::instructions(&authority.file));
    } else {
        println!(
            "Browsers must trust {} once: `sidetone cert --trust` says how on each system. The certificate is\n\
             renewed by the same command; a running exchange takes it by itself.",
            authority.file.display()
        );
    }
    Ok(())
}

/// `localhost`, the machine's name and what it is called in the network around it.
fn machine_names(host: &str) -> Vec<String> {
    let mut names = Vec::new();
    if is_name(host) && host != "localhost" {
        names.push(host.to_owned());
        if !host.contains('.') {
            names.push(format!("{host}.local"));
        }
    }
    names.push("localhost".to_owned());
    names
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim().to_ascii_lowercase();
    match name.is_empty() {
        true => "localhost".to_owned(),
        false => name,
    }
}

/// RFC 1123 §2.1, and one `*` in front.
fn is_name(name: &str) -> bool {
    let rest = name.strip_prefix("*.").unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    rest.len() <= 253 && rest.split('.').all(label)
}

/// The date of Unix seconds.
fn day(seconds: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(seconds)
        .map_or_else(|_| seconds.to_string(), |time| time.date().to_string())
}

#[cfg(test)]
mod tests {
    use super::{is_name, machine_names};

    #[test]
    fn names_are_those_of_hosts() {
        for name in ["pbx", "pbx.example.org", "*.example.org", "a-b.c1"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-a", "a..b", "a b", "пбх", "a.*.b", "https://a", "a_b"] {
            assert!(!is_name(name), "{name}");
        }
        assert_eq!(machine_names("pbx"), ["pbx", "pbx.local", "localhost"]);
        assert_eq!(machine_names("pbx.lan"), ["pbx.lan", "localhost"]);
        assert_eq!(machine_names("localhost"), ["localhost"]);
        assert_eq!(machine_names("bad_name"), ["localhost"]);
    }
}
