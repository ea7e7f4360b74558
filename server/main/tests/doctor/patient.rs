//! A folder of files that are in order, made wrong in one place, and what the doctor says of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;

use crate::ports::free_port;

/// Where ports of media may begin, in 5,000 places.
const RTP_FIRST: u16 = 10_000;

/// An exchange on free ports, with a certificate of an authority that the system trusts.
pub(crate) struct Patient {
    folder: PathBuf,
    pub(crate) http: u16,
    pub(crate) https: u16,
    pub(crate) sip: u16,
    pub(crate) rtp: u16,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
}

/// What the doctor said.
pub(crate) struct Verdict {
    pub(crate) code: i32,
    pub(crate) json: Value,
    all: String,
}

impl Patient {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sidetone-doctor-test-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        for part in ["etc", "data", "bin", "root"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        let mut patient = Self {
            folder,
            http: free_port(),
            https: free_port(),
            sip: free_port(),
            rtp: RTP_FIRST + (std::process::id().wrapping_mul(7_919) % 5_000) as u16 * 2,
            environment: Vec::new(),
            arguments: Vec::new(),
        };
        patient.certificate(|_| {});
        patient.write(
            "pjsip.conf",
            &format!("{PJSIP}bind=127.0.0.1:{}\n", patient.sip),
        );
        let (crt, key) = (patient.path("server.crt"), patient.path("server.key"));
        let http = format!(
            "[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport={}\ntlsenable=yes\n\
             tlsbindaddr=127.0.0.1:{}\ntlscertfile={}\ntlsprivatekey={}\n",
            patient.http,
            patient.https,
            crt.display(),
            key.display()
        );
        patient.write("http.conf", &http);
        patient.write("extensions.conf", EXTENSIONS);
        let rtp = format!(
            "[general]\nrtpstart={}\nrtpend={}\n",
            patient.rtp,
            patient.rtp + 200
        );
        patient.write("rtp.conf", &rtp);
        // Nothing of the test machine's own firewall and clock.
        patient.program("nft", "echo '{\"nftables\": []}'");
        patient.program("ufw", "exit 1");
        patient.program("firewall-cmd", "exit 1");
        patient.program("getenforce", "exit 1");
        patient.program("timedatectl", "echo yes");
        patient
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn etc(&self, name: &str) -> PathBuf {
        self.folder.join("etc").join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.etc(name), text).unwrap();
    }

    /// Replaces a text of a file, which must be there.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.etc(name)).unwrap();
        assert!(text.contains(from), "{name} has no `{from}`:\n{text}");
        self.write(name, &text.replacen(from, to, 1));
    }

    /// A file of the system that is examined.
    pub(crate) fn system(&self, path: &str, text: &str) {
        let file = self.folder.join("root").join(path.trim_start_matches('/'));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// A program of the system that is examined.
    pub(crate) fn program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let file = self.folder.join("bin").join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn argument(&mut self, words: &[&str]) -> &mut Self {
        self.arguments
            .extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Makes the certificate anew, as `change` wants it, by an authority that the system trusts.
    pub(crate) fn certificate(&mut self, change: impl FnOnce(&mut CertificateParams)) {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = authority.self_signed(&authority_key).unwrap();
        fs::write(self.path("ca.crt"), root.pem()).unwrap();
        let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let names = ["localhost", "127.0.0.1", "pbx.example.org", hostname.trim()];
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2024, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2090, 1, 1);
        change(&mut parameters);
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&authority, &authority_key);
        let certificate = parameters.signed_by(&key, &issuer).unwrap();
        fs::write(self.path("server.crt"), certificate.pem()).unwrap();
        fs::write(self.path("server.key"), key.serialize_pem()).unwrap();
        let trusted = self.path("ca.crt").display().to_string();
        self.environment.retain(|(name, _)| name != "SSL_CERT_FILE");
        self.environment.push(("SSL_CERT_FILE".to_owned(), trusted));
    }

    /// Runs SQL on the database of the data folder, which is made if need be.
    pub(crate) fn sql(&self, sql: &str) {
        let file = self.path("script.sql");
        fs::write(&file, sql).unwrap();
        let mut command = self.command("db");
        let output = command.arg("exec").arg(&file).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {stderr}");
    }

    /// The command line of `sidetone WORD` for these folders.
    pub(crate) fn command(&self, word: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidetone"));
        self.equip(&mut command);
        command.arg(word);
        command.arg("--config").arg(self.folder.join("etc"));
        command.arg("--data").arg(self.folder.join("data"));
        command
    }

    fn equip(&self, command: &mut Command) {
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = self.folder.join("bin");
        command.env("PATH", format!("{}:{path}", bin.display()));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).env_remove("NOTIFY_SOCKET");
    }

    fn doctor(&self) -> Command {
        let mut command = self.command("doctor");
        command.arg("--root").arg(self.folder.join("root"));
        command.args(&self.arguments);
        command
    }

    /// What the doctor says, for programs.
    pub(crate) fn examine(&self) -> Verdict {
        self.examine_by(|doctor| doctor)
    }

    /// The same by a shell that says something first: `ulimit -n 64`.
    pub(crate) fn examine_after(&self, words: &str) -> Verdict {
        self.examine_in(&["env"], words)
    }

    /// The same in what `wrapper` makes, where the shell says something first.
    pub(crate) fn examine_in(&self, wrapper: &[&str], words: &str) -> Verdict {
        self.examine_by(|doctor| {
            let mut shell = Command::new(wrapper[0]);
            self.equip(&mut shell);
            shell.args(&wrapper[1..]);
            shell
                .args(["/bin/sh", "-c"])
                .arg(format!("{words}; exec \"$0\" \"$@\""));
            shell.arg(doctor.get_program()).args(doctor.get_args());
            shell
        })
    }

    fn examine_by(&self, wrap: impl FnOnce(Command) -> Command) -> Verdict {
        let mut doctor = self.doctor();
        doctor.arg("--json");
        let output = wrap(doctor).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let json = serde_json::from_str(&text);
        Verdict {
            code: output.status.code().unwrap(),
            json: json.unwrap_or_else(|_| panic!("no JSON:\n{text}\n{stderr}")),
            all: text,
        }
    }

    /// What a person reads, and the exit code.
    pub(crate) fn text(&self) -> (String, i32) {
        let output = self.doctor().output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (text, output.status.code().unwrap())
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Verdict {
    fn link(&self, name: &str) -> &Value {
        let links = self.json["links"].as_array().unwrap();
        let found = links.iter().find(|link| link["link"] == name);
        found.unwrap_or_else(|| panic!("no link {name}: {}", self.all))
    }

    /// The outcome of a link.
    pub(crate) fn outcome(&self, name: &str) -> &str {
        self.link(name)["outcome"].as_str().unwrap()
    }

    pub(crate) fn summary(&self, name: &str) -> &str {
        self.link(name)["summary"].as_str().unwrap()
    }

    /// The link failed with this sentence, at this place, with this cure, and the program with 1.
    pub(crate) fn fails(&self, link: &str, place: &str, sentence: &str, cure: &str) {
        self.finds(link, "failed", place, sentence, cure);
        assert_eq!(
            (self.code, &self.json["ok"]),
            (1, &Value::Bool(false)),
            "{}",
            self.all
        );
        assert_eq!(self.outcome(link), "failed");
    }

    /// The link has a warning, and that alone is no failure.
    pub(crate) fn warns(&self, link: &str, place: &str, sentence: &str, cure: &str) {
        self.finds(link, "warning", place, sentence, cure);
        assert_eq!(self.outcome(link), "warning", "{}", self.all);
    }

    pub(crate) fn finds(&self, link: &str, outcome: &str, place: &str, sentence: &str, cure: &str) {
        let findings = self.link(link)["findings"].as_array().unwrap();
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or("").to_owned();
        let found = findings.iter().any(|finding| {
            text(finding, "outcome") == outcome
                && text(finding, "place").ends_with(place)
                && text(finding, "sentence").contains(sentence)
                && text(finding, "cure").contains(cure)
        });
        assert!(
            found,
            "{link}: no {outcome} `{sentence}` at {place} with `{cure}` in:\n{findings:#?}"
        );
    }
}

/// Where a text stands in a file of the patient: `/file:line`.
pub(crate) fn line_of(file: &Path, text: &str) -> String {
    let whole = fs::read_to_string(file).unwrap();
    let line = whole.lines().position(|line| line.contains(text)).unwrap() + 1;
    format!("{}:{line}", file.display())
}

const PJSIP: &str = "[alice]
type=endpoint
aors=alice
auth=alice
context=sets
webrtc=yes
disallow=all
allow=opus,vp8
[alice]
type=auth
auth_type=userpass
username=alice
password=wonderland
[alice]
type=aor
max_contacts=2
[transport-udp]
type=transport
protocol=udp
external_media_address=198.51.100.7
";

const EXTENSIONS: &str = "[sets]
exten => 246,1,Answer()
 same => n,StreamEcho(4)
 same => n,Hangup()
exten => 600,1,Answer()
 same => n,Echo()
exten => 700,1,Answer()
 same => n,Wait(30)
";
