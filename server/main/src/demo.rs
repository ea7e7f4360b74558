//! The demo: embedded files, two accounts with random passwords, this machine only.

use config::{Config, Secret, Source};
use web::StartError;

/// The demo's accounts.
pub(crate) const ACCOUNTS: [&str; 2] = ["alice", "bob"];

/// What there is to dial, with a label for the page.
pub(crate) const NUMBERS: [(&str, &str); 2] = [
    ("246", "StreamEcho(4): see yourself four times"),
    ("600", "Echo(): hear yourself"),
];

/// The files that the demo runs on, as an operator would write them.
pub(crate) struct Files;

impl Source for Files {
    fn read(&self, name: &str) -> Result<Option<String>, String> {
        let text = match name {
            "pjsip.conf" => include_str!("demo/pjsip.conf"),
            "http.conf" => include_str!("demo/http.conf"),
            "extensions.conf" => include_str!("demo/extensions.conf"),
            "rtp.conf" => include_str!("demo/rtp.conf"),
            _ => return Ok(None),
        };
        Ok(Some(text.to_owned()))
    }
}

/// Puts the port of the command line in the place of the file's, which nobody has: a message must not name it.
pub(crate) fn listen_at(config: &mut Config, sip_port: u16) {
    for transport in &mut config.transports {
        transport.bind.set_port(sip_port);
        transport.written = config::Written::default();
    }
}

/// Why the page cannot be served, and which option of the command line helps.
pub(crate) fn fault(error: &StartError) -> anyhow::Error {
    let StartError::Bind {
        address,
        secure,
        source,
    } = error
    else {
        return anyhow::anyhow!("{error}");
    };
    let (what, option) = match secure {
        true => ("HTTPS", "--https-port"),
        false => ("HTTP", "--http-port"),
    };
    match source.kind() == std::io::ErrorKind::AddrInUse {
        true => anyhow::anyhow!(
            "{what} needs port {} of {}, but another program listens there; stop it, or choose another port with \
             {option}",
            address.port(),
            address.ip()
        ),
        false => anyhow::anyhow!("{error}; {option} chooses another port"),
    }
}

/// A password of 20 letters and digits without look-alikes: 115 bits.
///
/// # Panics
///
/// When the operating system has no randomness to give; nothing is safe then.
pub(crate) fn password() -> Secret {
    let mut bytes = [0_u8; 20];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    let text: String = bytes
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]))
        .collect();
    Secret::new(text)
}

/// 54 characters that nobody confuses.
const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ234567";

/// What is printed when the demo is ready.
pub(crate) fn banner(http_port: u16, https_port: u16, accounts: &[(String, Secret)]) -> String {
    let mut text = format!(
        "\n  Open http://localhost:{http_port}/ in Chromium or Firefox and press Call.\n\
         \n  You see yourself in four more windows and hear yourself; # or Hang up ends it.\n  \
         600 echoes sound alone. The same page over TLS: https://127.0.0.1:{https_port}/\n  \
         (self-signed, so the browser asks once).\n\n  Accounts:\n"
    );
    for (id, password) in accounts {
        text.push_str(&format!("    {id:<8} {}\n", password.expose()));
    }
    text.push_str("\n  Ctrl-C stops the exchange.\n");
    text
}

#[cfg(test)]
mod tests {
    use super::{Files, LETTERS, password};

    #[test]
    fn the_embedded_files_are_without_fault() {
        let (config, messages) = config::load(&Files);
        assert!(
            messages.is_empty(),
            "{}",
            messages.iter().map(ToString::to_string).collect::<String>()
        );
        let plan = config.unwrap().plan;
        assert!(plan.has_context("sets"));
    }

    #[test]
    fn passwords_are_long_and_differ() {
        let (one, other) = (password(), password());
        assert_eq!(one.expose().len(), 20);
        assert_ne!(one.expose(), other.expose());
        assert!(one.expose().bytes().all(|byte| LETTERS.contains(&byte)));
    }
}
