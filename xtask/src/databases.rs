//! MariaDB and PostgreSQL for the tests: on ports and data folders of their own, with a user and a
//! password each, gone when the tests end.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::prerequisites;
use crate::run::{command, shown};

/// The variables that tell tests where the databases are: URLs of a user who may do everything.
pub(crate) const VARIABLES: [&str; 2] = ["SIDETONE_TEST_MYSQL", "SIDETONE_TEST_POSTGRES"];

/// The variable that names the authority of both servers' certificates; beside that file, with `.other`
/// after its name, is one that is not.
pub(crate) const AUTHORITY: &str = "SIDETONE_TEST_CA";

/// Running servers. Dropped, they are stopped and their data is removed.
pub(crate) struct Databases {
    folder: PathBuf,
    servers: Vec<Child>,
    /// What to put into the environment of tests.
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// Who asks, and how he proves it.
const USER: &str = "sidetone";
const PASSWORD: &str = "conformance";
/// How long a server may take until it answers.
const START_MAX: Duration = Duration::from_secs(60);

impl Databases {
    /// Installs what is missing and starts both, unless the environment names them already.
    pub(crate) fn start() -> Result<Self> {
        let mut databases = Self {
            folder: PathBuf::new(),
            servers: Vec::new(),
            environment: Vec::new(),
        };
        let given = VARIABLES.map(|variable| std::env::var(variable).ok());
        if given.iter().all(Option::is_some) {
            return Ok(databases);
        }
        prerequisites::databases()?;
        remove_stale();
        let name = format!("{FOLDER_PREFIX}{}", std::process::id());
        databases.folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&databases.folder)?;
        // The servers run as other users, who must get to their folders.
        fs::set_permissions(&databases.folder, fs::Permissions::from_mode(0o755))?;
        let authority = databases.authority()?;
        databases.mariadb()?;
        databases.postgres()?;
        let authority = authority.display().to_string();
        databases.environment.push((AUTHORITY, authority));
        Ok(databases)
    }

    /// An authority for the servers' certificates, and another one.
    fn authority(&self) -> Result<PathBuf> {
        let authority = self.folder.join("ca.pem");
        for (key, certificate) in [("ca.key", "ca.pem"), ("other.key", "ca.pem.other")] {
            let mut make = openssl(&self.folder.join(key), &self.folder.join(certificate));
            make.args(["-subj", "/CN=Authority of the tests"])
                .args(["-addext", "basicConstraints=critical,CA:TRUE"]);
            quietly(make, &self.folder.join("log"))?;
        }
        Ok(authority)
    }

    /// A certificate for a server on this machine, and its key.
    fn certificate(&self, folder: &Path, account: Account) -> Result<(PathBuf, PathBuf)> {
        let (key, certificate) = (folder.join("server.key"), folder.join("server.pem"));
        let mut make = openssl(&key, &certificate);
        make.arg("-CA")
            .arg(self.folder.join("ca.pem"))
            .arg("-CAkey")
            .arg(self.folder.join("ca.key"))
            .args(["-subj", "/CN=localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        quietly(make, &folder.join("log"))?;
        account.own(&key)?;
        account.own(&certificate)?;
        Ok((key, certificate))
    }

    fn mariadb(&mut self) -> Result<()> {
        let account = Account::of("mysql")?;
        let folder = self.folder_for("mariadb", account)?;
        let (data, socket) = (folder.join("data"), folder.join("socket"));
        let log = folder.join("log");
        eprintln!("starting MariaDB in {}", folder.display());
        let mut install = account.command("mariadb-install-db");
        install
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
        quietly(install, &log)?;
        let port = free_port()?;
        let (key, certificate) = self.certificate(&folder, account)?;
        let mut server = account.command("mariadbd");
        server
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", socket.display()))
            .arg(format!("--port={port}"))
            .arg(format!("--pid-file={}", folder.join("pid").display()))
            .arg(format!("--ssl-key={}", key.display()))
            .arg(format!("--ssl-cert={}", certificate.display()))
            // Clients may show certificates of this authority.
            .arg(format!("--ssl-ca={}", self.folder.join("ca.pem").display()))
            .args(["--bind-address=127.0.0.1", "--max-connections=500"])
            // The data is thrown away: nothing has to be on a disk.
            .args([
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-buffer-pool-size=64M",
            ])
            .args(["--skip-log-bin", "--performance-schema=OFF"]);
        self.spawn(server, &log)?;
        let sql = format!(
            "CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}'; \
             GRANT ALL ON *.* TO '{USER}'@'%' WITH GRANT OPTION; CREATE DATABASE asterisk;"
        );
        self.until("MariaDB", &log, || {
            let mut client = command("mariadb", &["--no-defaults", "--user=root"]);
            client
                .arg(format!("--socket={}", socket.display()))
                .args(["--execute", &sql]);
            client
        })?;
        let url = format!("mysql://{USER}:{PASSWORD}@127.0.0.1:{port}/asterisk");
        self.environment.push((VARIABLES[0], url));
        Ok(())
    }

    fn postgres(&mut self) -> Result<()> {
        let account = Account::of("postgres")?;
        let folder = self.folder_for("postgres", account)?;
        let data = folder.join("data");
        let log = folder.join("log");
        eprintln!("starting PostgreSQL in {}", folder.display());
        let programs = postgres_programs()?;
        let password = folder.join("password");
        fs::write(&password, PASSWORD)?;
        account.own(&password)?;
        let mut install = account.command(programs.join("initdb"));
        install
            .arg(format!("--pgdata={}", data.display()))
            .arg(format!("--username={USER}"))
            .arg(format!("--pwfile={}", password.display()))
            .args([
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
            ]);
        quietly(install, &log)?;
        // Who has this name must show a certificate too.
        let access = data.join("pg_hba.conf");
        let usual = fs::read_to_string(&access)?;
        let certified = "hostssl all certified 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n";
        fs::write(&access, format!("{certified}{usual}"))?;
        let port = free_port()?;
        let (key, certificate) = self.certificate(&folder, account)?;
        let authority = self.folder.join("ca.pem");
        let mut server = account.command(programs.join("postgres"));
        server
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&folder)
            .args(["-p", &port.to_string(), "-c", "ssl=on"])
            .args(["-c", &format!("ssl_key_file={}", key.display())])
            .args(["-c", &format!("ssl_cert_file={}", certificate.display())])
            .args(["-c", &format!("ssl_ca_file={}", authority.display())])
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "max_connections=500",
            ])
            // The data is thrown away: nothing has to be on a disk.
            .args(["-c", "fsync=off", "-c", "synchronous_commit=off"])
            .args(["-c", "full_page_writes=off"]);
        self.spawn(server, &log)?;
        let url =
            |database: &str| format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/{database}");
        let psql = programs.join("psql");
        self.until("PostgreSQL", &log, || {
            let mut client = Command::new(&psql);
            client
                .args(["--no-psqlrc", "--quiet", "--dbname", &url("postgres")])
                .args(["--command", "CREATE DATABASE asterisk"]);
            client
        })?;
        self.environment.push((VARIABLES[1], url("asterisk")));
        Ok(())
    }

    fn folder_for(&self, name: &str, account: Account) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir(&folder)?;
        account.own(&folder)?;
        Ok(folder)
    }

    fn spawn(&mut self, mut server: Command, log: &Path) -> Result<()> {
        let shown = shown(&server);
        let out = fs::File::options().create(true).append(true).open(log)?;
        server
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out);
        let child = server
            .spawn()
            .with_context(|| format!("cannot start {shown}"))?;
        self.servers.push(child);
        Ok(())
    }

    /// Runs the client until it has success, which means that the server is up.
    fn until(&mut self, what: &str, log: &Path, client: impl Fn() -> Command) -> Result<()> {
        let start = Instant::now();
        loop {
            let output = client()
                .output()
                .with_context(|| format!("the client of {what}"))?;
            if output.status.success() {
                return Ok(());
            }
            let ended = self
                .servers
                .last_mut()
                .is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
            if ended || start.elapsed() > START_MAX {
                bail!(
                    "{what} does not start: {}\n{}",
                    String::from_utf8_lossy(&output.stderr),
                    fs::read_to_string(log).unwrap_or_default()
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        for server in &mut self.servers {
            // Nothing of theirs is kept.
            let _ = server.kill();
            let _ = server.wait();
        }
        if !self.folder.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// What runs that were interrupted have left.
fn remove_stale() {
    for entry in fs::read_dir(std::env::temp_dir())
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(FOLDER_PREFIX));
        if let Some(owner) = owner
            && !Path::new("/proc").join(owner).exists()
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// What the folders are called, before the id of the process they belong to.
const FOLDER_PREFIX: &str = "sidetone-databases-";

/// Starts both, prints how to point tests at them, and waits for the end of the input or Ctrl-C.
#[expect(
    clippy::print_stdout,
    reason = "the exports are for the shell that asked"
)]
pub(crate) fn run() -> Result<()> {
    let databases = Databases::start()?;
    if databases.environment.is_empty() {
        bail!("{} are set already", VARIABLES.join(" and "));
    }
    for (name, value) in &databases.environment {
        println!("export {name}='{value}'");
    }
    eprintln!("both run until this command ends: Ctrl-C, or the end of its input");
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line)? > 0 {}
    Ok(())
}

/// The user a server runs as: PostgreSQL refuses to run as root, and MariaDB should.
#[derive(Clone, Copy)]
struct Account {
    ids: Option<(u32, u32)>,
}

impl Account {
    /// The named user if we are root; ourselves if we are not.
    fn of(name: &str) -> Result<Self> {
        let root = command("id", &["-u"]).output()?.stdout.starts_with(b"0\n");
        if !root {
            return Ok(Self { ids: None });
        }
        for name in [name, "nobody"] {
            if let (Some(user), Some(group)) = (id("-u", name), id("-g", name)) {
                return Ok(Self {
                    ids: Some((user, group)),
                });
            }
        }
        bail!("there is neither a user {name} nor a user nobody to run the server as")
    }

    /// The program as this user; it ends when we do, however that happens.
    fn command(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("setpriv");
        command.current_dir("/").args(["--pdeathsig", "KILL"]);
        if let Some((user, group)) = self.ids {
            command
                .arg(format!("--reuid={user}"))
                .arg(format!("--regid={group}"))
                .arg("--clear-groups");
        }
        command.arg(program);
        command
    }

    fn own(self, path: &Path) -> Result<()> {
        let (user, group) = self.ids.unzip();
        std::os::unix::fs::chown(path, user, group)
            .with_context(|| format!("cannot give away {}", path.display()))
    }
}

fn id(which: &str, name: &str) -> Option<u32> {
    let output = command("id", &[which, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// Debian keeps PostgreSQL's programs out of the path, by version; the newest one.
fn postgres_programs() -> Result<PathBuf> {
    let output = command("pg_config", &["--bindir"]).output();
    if let Ok(output) = output
        && output.status.success()
    {
        let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        if folder.join("initdb").exists() {
            return Ok(folder);
        }
    }
    let versions = fs::read_dir("/usr/lib/postgresql").context("PostgreSQL's programs")?;
    let mut folders: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            let programs = path.join("bin");
            programs
                .join("initdb")
                .exists()
                .then_some((version, programs))
        })
        .collect();
    folders.sort();
    match folders.pop() {
        Some((_, folder)) => Ok(folder),
        None => bail!("PostgreSQL's `initdb` is not found under /usr/lib/postgresql"),
    }
}

/// Runs a command whose words are of interest only if it fails.
fn quietly(mut command: Command, log: &Path) -> Result<()> {
    let shown = shown(&command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {shown}"))?;
    fs::write(log, &output.stdout).ok();
    if !output.status.success() {
        bail!(
            "{shown} failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// A new key and a certificate for it, to be completed.
fn openssl(key: &Path, certificate: &Path) -> Command {
    let mut command = Command::new("openssl");
    command
        .args(["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"])
        .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .arg("-keyout")
        .arg(key)
        .arg("-out")
        .arg(certificate);
    command
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
