//! How an authority becomes trusted, on each system and here.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What to do on each system, as text to read.
pub(super) fn instructions(file: &Path) -> String {
    let file = file.display();
    format!(
        "Copy {file} (never ca.key) to every machine whose browser is to trust this exchange, then there:\n\
         \n\
         Debian, Ubuntu (as root)\n\
         \x20 cp ca.pem /usr/local/share/ca-certificates/sidetone-ca.crt && update-ca-certificates\n\
         Fedora, Red Hat (as root)\n\
         \x20 cp ca.pem /etc/pki/ca-trust/source/anchors/sidetone-ca.pem && update-ca-trust\n\
         macOS (Safari, Chrome)\n\
         \x20 sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain ca.pem\n\
         Windows (Edge, Chrome; as administrator)\n\
         \x20 certutil -addstore -f ROOT ca.pem\n\
         Chromium and Chrome on Linux (they read a store of each user, not the system's)\n\
         \x20 apt install libnss3-tools || dnf install nss-tools\n\
         \x20 mkdir -p ~/.pki/nssdb && certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n sidetone-ca -i ca.pem\n\
         Firefox\n\
         \x20 Settings, Privacy & Security, View Certificates, Authorities, Import: ca.pem, \"Trust this CA to\n\
         \x20 identify websites\"; or, for every profile on macOS and Windows, about:config\n\
         \x20 security.enterprise_roots.enabled = true after the step above\n\
         Android\n\
         \x20 Settings, Security, Encryption & credentials, Install a certificate, CA certificate: ca.pem\n\
         \x20 (Chrome trusts it; Firefox for Android after Settings, About, five taps on the logo, then Secret\n\
         \x20 settings, Use third party CA certificates)\n\
         iOS, iPadOS\n\
         \x20 send ca.pem to the device (AirDrop, mail), open it, then Settings, General, VPN & Device\n\
         \x20 Management: install the profile; then General, About, Certificate Trust Settings: switch it on"
    )
}

/// Does it on this machine; a line for each store.
pub(super) fn install(file: &Path, name: Option<&str>) -> Vec<String> {
    let mut lines = vec![system(file)];
    lines.extend(chromium(file, name.unwrap_or("sidetone-ca")));
    lines
}

/// Folder of anchors, name in it, command that reads it anew.
const STORES: [(&str, &str, &[&str]); 2] = [
    (
        "/usr/local/share/ca-certificates",
        "sidetone-ca.crt",
        &["update-ca-certificates"],
    ),
    (
        "/etc/pki/ca-trust/source/anchors",
        "sidetone-ca.pem",
        &["update-ca-trust"],
    ),
];

fn system(file: &Path) -> String {
    let store = STORES
        .iter()
        .find(|(folder, ..)| Path::new(folder).is_dir());
    let Some((folder, name, command)) = store else {
        return "system       no store that is known here; `--trust` says what to do by hand"
            .to_owned();
    };
    let to = Path::new(folder).join(name);
    if let Err(error) = std::fs::copy(file, &to) {
        return format!(
            "system       cannot write {}: {error}; run this as root",
            to.display()
        );
    }
    match run(command) {
        Ok(()) => format!("system       trusted by {}", to.display()),
        Err(error) => format!("system       {} is in place, but {error}", to.display()),
    }
}

/// The store of Chromium and Chrome on Linux.
fn chromium(file: &Path, name: &str) -> Option<String> {
    let home = PathBuf::from(std::env::var_os("HOME")?);
    let folder = home.join(".pki/nssdb");
    if let Err(error) = std::fs::create_dir_all(&folder) {
        return Some(format!(
            "Chromium     cannot make {}: {error}",
            folder.display()
        ));
    }
    let store = format!("sql:{}", folder.display());
    let file = file.display().to_string();
    if !folder.join("cert9.db").exists() {
        let made = run(&["certutil", "-d", &store, "-N", "--empty-password"]);
        if let Err(error) = made {
            return Some(format!(
                "Chromium     {error}; it is in the package libnss3-tools (nss-tools on Fedora)"
            ));
        }
    }
    Some(
        match run(&[
            "certutil", "-d", &store, "-A", "-t", "C,,", "-n", name, "-i", &file,
        ]) {
            Ok(()) => format!("Chromium     trusted by {}", folder.display()),
            Err(error) => format!("Chromium     {error}"),
        },
    )
}

fn run(words: &[&str]) -> Result<(), String> {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().next().unwrap_or("without a word").to_owned();
            Err(format!("`{}` failed: {said}", words[0]))
        }
        Err(error) => Err(format!("`{}` cannot be run: {error}", words[0])),
    }
}
