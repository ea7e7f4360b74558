//! A running exchange with its own folders and ports.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cli::{Answer, Unanswered};

use crate::ports::free_port;

/// Long enough for a busy machine; nothing waits for it but a failing test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_sidetone");

pub(crate) struct World {
    root: PathBuf,
    pub(crate) http: u16,
    pub(crate) udp: u16,
    /// `None` before it is started.
    child: Option<Child>,
}

pub(crate) const PLAN: &str =
    "[c]\nexten => 100,1,Answer()\nsame => n,Wait(60)\nexten => 200,1,Hangup()\n";

impl World {
    /// Starts the exchange on files with one endpoint, `alice`, and the plan [`PLAN`].
    pub(crate) fn start(name: &str, more: &[&str]) -> Self {
        let usual = |world: &Self| {
            vec![
                ("pjsip.conf", world.pjsip("")),
                ("http.conf", world.http("")),
                ("extensions.conf", PLAN.to_owned()),
            ]
        };
        Self::with_files(name, usual, more)
    }

    /// Starts the exchange on these files.
    pub(crate) fn with_files(
        name: &str,
        files: impl FnOnce(&Self) -> Vec<(&'static str, String)>,
        more: &[&str],
    ) -> Self {
        let mut world = Self::new(name);
        for (file, text) in files(&world) {
            world.write(file, &text);
        }
        let mut command = Command::new(BINARY);
        command
            .args(["run", "--config"])
            .arg(world.root.join("etc"));
        world.run(command.args(more));
        world
    }

    /// Starts the demo.
    pub(crate) fn demo(name: &str) -> Self {
        let mut world = Self::new(name);
        let [http, https, udp] = [world.http, free_port(), world.udp].map(|port| port.to_string());
        let mut command = Command::new(BINARY);
        command.args([
            "--http-port",
            &http,
            "--https-port",
            &https,
            "--sip-port",
            &udp,
        ]);
        world.run(&mut command);
        world
    }

    /// Its folders, and nothing that runs.
    pub(crate) fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("running-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("etc")).unwrap();
        Self {
            root,
            http: free_port(),
            udp: free_port(),
            child: None,
        }
    }

    fn run(&mut self, command: &mut Command) {
        let log = File::create(self.root.join("stderr")).unwrap();
        command.arg("--data").arg(self.data());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.child = Some(command.spawn().unwrap());
        self.until("it answers", |world| {
            world.try_ask("core show version").is_ok()
        });
    }

    /// Ends it and starts it anew on the same folders.
    pub(crate) fn restart(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let mut command = Command::new(BINARY);
        self.run(command.args(["run", "--config"]).arg(self.root.join("etc")));
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// All its folders.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// `pjsip.conf`, with more.
    pub(crate) fn pjsip(&self, more: &str) -> String {
        format!(
            "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:{}\n\
             [alice]\ntype=endpoint\ncontext=c\nallow=opus,vp8\nwebrtc=yes\n{more}",
            self.udp
        )
    }

    /// `http.conf`, with more.
    pub(crate) fn http(&self, more: &str) -> String {
        format!(
            "[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport={}\n{more}",
            self.http
        )
    }

    /// Writes a file as an editor does: whole, then in its place.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.root.join("etc").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let new = self.root.join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.root.join("etc").join(name));
    }

    pub(crate) fn try_ask(&self, line: &str) -> Result<Answer, Unanswered> {
        cli::ask(&self.data(), line)
    }

    /// The answer of a command.
    pub(crate) fn ask(&self, line: &str) -> Answer {
        self.try_ask(line)
            .unwrap_or_else(|error| panic!("{line}: {error}\n{}", self.log()))
    }

    /// The answer of a command that must be done.
    pub(crate) fn done(&self, line: &str) -> String {
        let answer = self.ask(line);
        assert!(answer.done, "{line}: {}", answer.text);
        answer.text
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.root.join("stderr")).unwrap()
    }

    /// Waits until `condition` holds.
    pub(crate) fn until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(Instant::now() < end, "never: {what}\n{}", self.log());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(name)
            .arg(self.pid().to_string())
            .status();
        assert!(status.unwrap().success());
    }

    /// Waits for the process to end by itself.
    pub(crate) fn ended(&mut self) -> bool {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                return status.success();
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        false
    }

    /// Memory in KiB that the process holds.
    pub(crate) fn memory_kib(&self) -> u64 {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Open file descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(self.proc("fd")).unwrap().count()
    }

    fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.pid().to_string()).join(name)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}
