//! `cargo xtask package-test`: the package on a clean Debian, from installation to a call.
//!
//! A minimal Debian in a folder, without systemd: the service is run as its unit says, by the user, with
//! the capabilities and the command line that are written there, in a network of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::package::{self, Profile};
use crate::run::{command, must, root};
use crate::{prerequisites, test};

/// The release that the package must run on.
const SUITE: &str = "bookworm";
const MIRROR: &str = "http://deb.debian.org/debian";

/// Whether a clean Debian can be made and entered.
pub(crate) fn is_root() -> bool {
    let id = command("id", &["-u"]).output();
    id.is_ok_and(|id| String::from_utf8_lossy(&id.stdout).trim() == "0")
}

/// Installs, runs, examines, stops and purges the package of a binary that was built for tests, or of
/// one that is built now.
pub(crate) fn run(binary: Option<PathBuf>) -> Result<()> {
    let begun = Instant::now();
    if !is_root() {
        bail!("a clean Debian is made and entered as root: run `sudo cargo xtask package-test`");
    }
    prerequisites::packaging()?;
    let binary = match binary {
        Some(binary) => binary,
        None => Profile::Debug.build()?,
    };
    let package = package::build(Profile::Debug, &binary)?;
    let debian = Debian::fresh()?;
    debian.installs(&package)?;
    debian.serves_the_skeleton()?;
    debian.serves_the_chapter()?;
    debian.purges()?;
    eprintln!(
        "the package works on a clean {SUITE} ({} s)",
        begun.elapsed().as_secs()
    );
    Ok(())
}

/// A minimal system in a folder.
struct Debian {
    folder: PathBuf,
}

impl Debian {
    /// Unpacks a system that was made once.
    fn fresh() -> Result<Self> {
        let cache = test::target()?.join("package");
        let (archive, folder) = (cache.join(format!("{SUITE}.tar")), cache.join("root"));
        fs::create_dir_all(&cache)?;
        if !archive.exists() {
            let made = cache.join("made");
            let _ = fs::remove_dir_all(&made);
            must(command(
                "debootstrap",
                &["--variant=minbase", SUITE, &text(&made), MIRROR],
            ))?;
            must(command(
                "tar",
                &["-C", &text(&made), "-cf", &text(&archive), "."],
            ))?;
            fs::remove_dir_all(&made)?;
        }
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        must(command(
            "tar",
            &["-C", &text(&folder), "-xf", &text(&archive)],
        ))?;
        Ok(Self { folder })
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path.trim_start_matches('/'))
    }

    /// What a command prints there; it must succeed.
    fn says(&self, words: &[&str]) -> Result<String> {
        said(Command::new("chroot").arg(&self.folder).args(words))
    }

    fn installs(&self, package: &Path) -> Result<()> {
        fs::copy(package, self.path("/tmp/sidetone.deb"))?;
        // Twice: what the scripts do must be done once.
        for _ in 0..2 {
            self.says(&["dpkg", "--install", "/tmp/sidetone.deb"])?;
        }
        self.says(&["getent", "passwd", "sidetone"])?;
        for (path, wanted) in [
            ("/etc/sidetone", "750 root:sidetone"),
            ("/etc/sidetone/pjsip.conf", "640 root:sidetone"),
            ("/var/lib/sidetone", "700 sidetone:sidetone"),
        ] {
            let found = self.says(&["stat", "-c", "%a %U:%G", path])?;
            ensure!(found.trim() == wanted, "{path} is {found}, not {wanted}");
        }
        let kept = self.says(&[
            "dpkg-query",
            "--showformat",
            "${Conffiles}",
            "--show",
            "sidetone",
        ])?;
        ensure!(
            kept.contains("/etc/sidetone/http.conf"),
            "no conffile: {kept}"
        );
        for file in [
            "/usr/share/man/man1/sidetone.1.gz",
            "/usr/share/bash-completion/completions/sidetone",
            "/lib/systemd/system/sidetone.service",
        ] {
            ensure!(self.path(file).exists(), "the package has no {file}");
        }
        self.unit_is_sound()
    }

    /// The unit is verified outside, where there is a systemd; the program must exist for that.
    fn unit_is_sound(&self) -> Result<()> {
        let unit = fs::read_to_string(self.path("/lib/systemd/system/sidetone.service"))?;
        let program = text(&self.path("/usr/bin/sidetone"));
        let copy = test::target()?.join("package/sidetone.service");
        fs::write(&copy, unit.replace("/usr/bin/sidetone", &program))?;
        must(command(
            "systemd-analyze",
            &["--man=no", "verify", &text(&copy)],
        ))
    }

    /// What is installed runs as it is.
    fn serves_the_skeleton(&self) -> Result<()> {
        let service = Service::start(self)?;
        let status = service.says(&["sidetone", "-rx", "http show status"])?;
        ensure!(
            status.contains("Bound to 127.0.0.1:8088"),
            "http show status:\n{status}"
        );
        service.stop()
    }

    /// The files and the SQL of the chapter, to the letter.
    fn serves_the_chapter(&self) -> Result<()> {
        for (name, content) in [
            ("pjsip.conf", PJSIP),
            ("http.conf", HTTP),
            ("extensions.conf", EXTENSIONS),
        ] {
            fs::write(self.path("/etc/sidetone").join(name), content)?;
        }
        let certificates = self.path("/home/asterisk/certs");
        fs::create_dir_all(&certificates)?;
        let (key, crt) = (
            certificates.join("self-signed.key"),
            certificates.join("self-signed.crt"),
        );
        must(command(
            "openssl",
            &[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "30",
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost",
                "-keyout",
                &text(&key),
                "-out",
                &text(&crt),
            ],
        ))?;
        self.says(&["chgrp", "-R", "sidetone", "/home/asterisk/certs"])?;
        self.says(&["chmod", "-R", "g+rX,o-rwx", "/home/asterisk/certs"])?;
        let sql = "server/store/tests/conformance/fixtures/realtime.sql";
        fs::copy(root().join(sql), self.path("/tmp/realtime.sql"))?;
        let service = Service::start(self)?;
        service.says(&[
            "sidetone",
            "db",
            "exec",
            "--config",
            "/etc/sidetone",
            "/tmp/realtime.sql",
        ])?;
        let status = service.says(&["sidetone", "-rx", "http show status"])?;
        for line in [
            "Server Enabled and Bound to 0.0.0.0:8088",
            "HTTPS Server Enabled and Bound to 0.0.0.0:8089",
        ] {
            ensure!(
                status.contains(line),
                "http show status lacks `{line}`:\n{status}"
            );
        }
        let report = service.says(&["sidetone", "doctor"])?;
        eprintln!("{report}");
        for line in ["ok       register", "ok       call", "DTLS", "SRTP"] {
            ensure!(report.contains(line), "the doctor's report lacks `{line}`");
        }
        ensure!(
            report.contains("did you mean `transport-tls`?"),
            "the slip in the SQL is not named"
        );
        service.stop()
    }

    fn purges(&self) -> Result<()> {
        self.says(&["dpkg", "--remove", "sidetone"])?;
        ensure!(
            self.path("/etc/sidetone/http.conf").exists(),
            "removal takes no configuration away"
        );
        self.says(&["dpkg", "--purge", "sidetone"])?;
        for path in ["/etc/sidetone", "/var/lib/sidetone", "/usr/bin/sidetone"] {
            ensure!(!self.path(path).exists(), "{path} is left behind");
        }
        let left = self.says(&["getent", "passwd", "sidetone"]);
        ensure!(left.is_err(), "the user is left behind");
        Ok(())
    }
}

/// The service, run as its unit says.
struct Service<'a> {
    debian: &'a Debian,
    child: Child,
}

impl<'a> Service<'a> {
    fn start(debian: &'a Debian) -> Result<Self> {
        let unit = fs::read_to_string(debian.path("/lib/systemd/system/sidetone.service"))?;
        let setting = |name: &str| {
            let line = unit
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.with_context(|| format!("the unit has no {name}"))
        };
        let user = setting("User")?;
        let capability = setting("AmbientCapabilities")?;
        let capability = capability.trim_start_matches("CAP_").to_ascii_lowercase();
        let path = debian.path("/run/notify");
        let _ = fs::remove_file(&path);
        let notify = UnixDatagram::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777))?;
        notify.set_read_timeout(Some(START_MAX))?;
        let folder = text(&debian.folder);
        let script = format!(
            "ip link set lo up && mount -t proc proc {folder}/proc && exec chroot {folder} setpriv \
             --reuid={user} --regid={user} --init-groups --no-new-privs --bounding-set=-all,+{capability} \
             --inh-caps=-all,+{capability} --ambient-caps=-all,+{capability} \
             env -i PATH=/usr/bin:/bin NOTIFY_SOCKET=/run/notify WATCHDOG_USEC=20000000 {}",
            setting("ExecStart")?
        );
        let mut run = Command::new("unshare");
        let child = run
            .args(["--net", "--mount", "sh", "-c", &script])
            .spawn()?;
        let service = Self { debian, child };
        let end = Instant::now() + START_MAX;
        let mut buffer = [0; 4096];
        while Instant::now() < end {
            let length = notify
                .recv(&mut buffer)
                .context("the service does not become ready")?;
            if String::from_utf8_lossy(&buffer[..length])
                .lines()
                .any(|line| line == "READY=1")
            {
                return Ok(service);
            }
        }
        bail!("the service does not become ready");
    }

    /// What a command of root's prints beside it.
    fn says(&self, words: &[&str]) -> Result<String> {
        let pid = self.child.id().to_string();
        let mut enter = Command::new("nsenter");
        enter
            .args(["--target", &pid, "--net", "--mount", "chroot"])
            .arg(&self.debian.folder);
        said(enter.args(words))
    }

    /// As systemd stops it.
    fn stop(mut self) -> Result<()> {
        must(command("kill", &["-TERM", &self.child.id().to_string()]))?;
        let end = Instant::now() + START_MAX;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "the service ends with {status}");
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the service does not stop");
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        // It has ended already where all is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn said(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let words: Vec<_> = command
            .get_args()
            .map(|word| word.to_string_lossy())
            .collect();
        bail!(
            "`{}` failed ({}):\n{stdout}{}",
            words.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(stdout)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

const START_MAX: Duration = Duration::from_secs(20);

const PJSIP: &str = "[transport-udp]
type=transport
protocol=udp
bind=0.0.0.0
[transport-tls]
type=transport
protocol=tls
bind=0.0.0.0
cert_file=/home/asterisk/certs/self-signed.crt
priv_key_file=/home/asterisk/certs/self-signed.key
";

const HTTP: &str = "[general]
enabled=yes
bindaddr=0.0.0.0
bindport=8088
tlsenable=yes
tlsbindaddr=0.0.0.0:8089
tlscertfile=/home/asterisk/certs/self-signed.crt
tlsprivatekey=/home/asterisk/certs/self-signed.key
";

const EXTENSIONS: &str = "[sets]
exten => 246,1,Noop()
  same => n,Answer()
  same => n,Wait(0.5)
  same => n,StreamEcho(4)
  same => n,Hangup()
";
