//! The console as a person has it, on a terminal; stop and restart.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::phone::Phone;
use crate::world::{BINARY, World};

/// A console on a pseudo-terminal, which `script` of util-linux makes.
struct Terminal {
    child: Child,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    fn open(world: &World, more: &str) -> Self {
        let command = format!("{BINARY} console {more} --data {}", world.data().display());
        let mut child = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = child.stdout.take().unwrap();
        let screen = Arc::new(Mutex::new(String::new()));
        let seen = screen.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                seen.lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
        });
        Self { child, screen }
    }

    fn keys(&mut self, keys: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(keys.as_bytes()).unwrap();
        input.flush().unwrap();
    }

    /// Waits until a text has been shown, and forgets what came before its end.
    fn sees(&self, world: &World, text: &str) {
        world.until(
            &format!("{text:?} in {:?}", self.screen.lock().unwrap()),
            |_| {
                let mut screen = self.screen.lock().unwrap();
                let found = screen.find(text);
                if let Some(at) = found {
                    screen.drain(..at + text.len());
                }
                found.is_some()
            },
        );
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_person_types_completes_and_follows_the_log_through_a_restart() {
    let mut world = World::start("console", &[]);
    let mut terminal = Terminal::open(&world, "-v");
    terminal.sees(&world, "Connected to Sidetone");
    terminal.sees(&world, "*CLI> ");
    terminal.keys("core show ver\t\r");
    terminal.sees(&world, "Sidetone 0.1.0 on a ");
    terminal.keys("pjsip show endpoint al\t\r");
    terminal.sees(&world, "ParameterValue");
    terminal.keys("core set verbose 3\r");
    terminal.sees(&world, "Console verbose was 1 and is now 3.");
    let channels = world.done("logger show channels");
    assert!(channels.contains("VERBOSE:3"), "{channels}");
    world.done("module reload http");
    terminal.sees(&world, "the files were read again");
    let pid = world.pid();
    terminal.keys("core restart now\r");
    terminal.sees(&world, "waiting for it to come back");
    terminal.sees(&world, &format!("(pid = {pid})"));
    terminal.keys("core show uptime\r");
    terminal.sees(&world, "System uptime: ");
    terminal.keys("exit\r");
    assert!(terminal.child.wait().unwrap().success());
    assert!(
        world.try_ask("core show version").is_ok(),
        "the exchange goes on"
    );
    let history = world.data().join("console_history");
    let mode = fs::metadata(&history).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(
        fs::read_to_string(history)
            .unwrap()
            .contains("core set verbose 3")
    );
    let mut terminal = Terminal::open(&world, "");
    terminal.sees(&world, "*CLI> ");
    terminal.keys("core stop now\r");
    terminal.sees(&world, "it has been stopped");
    assert!(terminal.child.wait().unwrap().success());
    assert!(world.ended());
}

#[test]
fn ctrl_c_leaves_the_console_and_not_the_exchange() {
    let world = World::start("ctrl-c", &[]);
    let mut terminal = Terminal::open(&world, "");
    terminal.sees(&world, "*CLI> ");
    terminal.keys("core st\u{3}");
    assert!(terminal.child.wait().unwrap().success());
    assert!(world.try_ask("core show version").is_ok());
}

#[test]
fn without_a_terminal_it_runs_what_is_piped_in() {
    let world = World::start("piped", &[]);
    let mut child = Command::new(BINARY)
        .args(["console", "--data"])
        .arg(world.data())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = b"core show channels count\nnosuch\nexit\ncore stop now\n";
    child.stdin.take().unwrap().write_all(lines).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("0 active channels\n"), "{text}");
    assert!(!output.status.success(), "a command was not done");
    assert!(
        world.try_ask("core show version").is_ok(),
        "`exit` was before the stop"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_waits_for_the_call_and_can_be_taken_back() {
    let mut world = World::start("graceful", &[]);
    let mut phone = Phone::connect(world.http).await;
    let dialog = phone.dial("100").await.unwrap();
    world.done("core stop gracefully");
    let mut other = Phone::connect(world.http).await;
    let refused = other.dial("100").await.err().unwrap();
    assert!(refused.contains("SIP/2.0 503"), "{refused}");
    let said = world.done("core abort shutdown");
    assert_eq!(said, "'core stop gracefully' is taken back.\n");
    let taken = other.dial("100").await.unwrap();
    other.hang_up(&taken).await.unwrap();
    world.done("core stop gracefully");
    phone.hang_up(&dialog).await.unwrap();
    assert!(world.ended());
}

#[tokio::test(flavor = "multi_thread")]
async fn channel_request_hangup_ends_the_call() {
    let world = World::start("hangup-request", &[]);
    let mut phone = Phone::connect(world.http).await;
    phone.dial("100").await.unwrap();
    let said = world.done("channel request hangup all");
    assert!(
        said.starts_with("Requested Hangup on channel 'PJSIP/alice-"),
        "{said}"
    );
    assert!(phone.is_hung_up().await);
}
