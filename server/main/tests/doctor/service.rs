//! What the service manager sees: ready, reloading, alive, draining, gone.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::patient::Patient;

/// A running exchange and what it tells the service manager.
pub(crate) struct Running {
    child: Child,
    socket: UnixDatagram,
}

impl Running {
    pub(crate) fn start(patient: &Patient) -> Self {
        let path = patient.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = patient.command("run");
        command
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "400000");
        let log = std::fs::File::create(patient.path("log")).unwrap();
        command.stdout(Stdio::null()).stderr(log);
        let running = Self {
            child: command.spawn().unwrap(),
            socket,
        };
        running.until("READY=1");
        running
    }

    /// The next datagram with this line; those before it are passed over.
    pub(crate) fn until(&self, line: &str) -> String {
        self.until_any(line, |found| found == line)
    }

    /// The next datagram with a line that begins like this.
    fn until_begins(&self, with: &str) -> String {
        self.until_any(with, |found| found.starts_with(with))
    }

    fn until_any(&self, line: &str, is_it: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        let mut buffer = [0; 4096];
        while Instant::now() < end {
            let length = self.socket.recv(&mut buffer).unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.lines().any(&is_it) {
                return text;
            }
        }
        panic!("never told: {line}");
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = std::process::Command::new("/bin/sh")
            .args(["-c", &kill])
            .status();
        assert!(status.unwrap().success());
    }

    fn code(&mut self) -> Option<i32> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < end, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A busy machine may take so long.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn the_service_manager_hears_of_every_state() {
    let patient = Patient::new();
    let mut running = Running::start(&patient);
    let alive = running.until("WATCHDOG=1");
    assert!(
        alive.contains("STATUS=0 calls, 0 registered contacts"),
        "{alive}"
    );
    running.until("WATCHDOG=1");
    running.signal("HUP");
    running.until("RELOADING=1");
    assert!(running.until("READY=1").contains("was read again"));
    patient.edit(
        "extensions.conf",
        "exten => 246,1,Answer()",
        "exten => 246,one,Answer()",
    );
    running.signal("HUP");
    assert!(running.until("READY=1").contains("the old one is in force"));
    running.signal("TERM");
    running.until("STOPPING=1");
    assert_eq!(running.code(), Some(0), "without calls it leaves at once");
}

#[test]
fn a_running_exchange_is_examined_as_it_runs() {
    let patient = Patient::new();
    let running = Running::start(&patient);
    let verdict = patient.examine();
    assert_eq!(verdict.code, 0, "{:#}", verdict.json);
    let summary = verdict.summary("exchange");
    assert_eq!(summary, format!("running (pid {})", running.child.id()));
    assert_eq!(verdict.outcome("call"), "ok");
    assert!(verdict.summary("ports").starts_with("held by the exchange"));
    // A healthy exchange that was examined has nothing to complain of.
    let log = std::fs::read_to_string(patient.path("log")).unwrap();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    // A file that was changed and not read again.
    patient.edit("http.conf", "enabled=yes", "enabled=yes ; and moved");
    patient.edit(
        "http.conf",
        &format!("bindport={}", patient.http),
        "bindport=1",
    );
    let verdict = patient.examine();
    verdict.fails(
        "ports",
        "http.conf:4",
        "the running exchange does not listen there",
        "core reload",
    );
}

#[test]
fn an_exchange_that_hangs_is_told_from_one_that_runs() {
    let patient = Patient::new();
    let running = Running::start(&patient);
    running.signal("STOP");
    let verdict = patient.examine();
    running.signal("CONT");
    verdict.fails("exchange", "", "it hangs", "systemctl restart sidetone");
    assert_eq!(verdict.outcome("websocket"), "skipped");
    assert_eq!(
        verdict.summary("websocket"),
        "because the exchange does not answer"
    );
}

#[test]
fn a_stop_lets_calls_end_for_a_time_and_refuses_new_ones() {
    let mut patient = Patient::new();
    patient.write("sidetone.conf", "[general]\ndrain=3\n");
    let mut running = Running::start(&patient);
    patient.argument(&["--exten", "700"]);
    std::thread::scope(|scope| {
        let calling = scope.spawn(|| patient.examine());
        running.until_begins("STATUS=1 calls,");
        running.signal("TERM");
        let stopping = running.until("STOPPING=1");
        assert!(
            stopping.contains("EXTEND_TIMEOUT_USEC=13000000"),
            "{stopping}"
        );
        assert!(stopping.contains("1 calls have 3 s to end"), "{stopping}");
        let refused = patient.examine();
        refused.fails("call", "", "refused with 503", "stopping");
        let ended = calling.join().unwrap();
        ended.fails("call", "", "the exchange hung up", "");
    });
    assert_eq!(running.code(), Some(0));
}

#[test]
fn a_second_sigterm_does_not_wait_for_calls() {
    let mut patient = Patient::new();
    patient.write("sidetone.conf", "[general]\ndrain=600\n");
    let mut running = Running::start(&patient);
    patient.argument(&["--exten", "700"]);
    std::thread::scope(|scope| {
        let calling = scope.spawn(|| patient.examine());
        running.until_begins("STATUS=1 calls,");
        running.signal("TERM");
        running.until("STOPPING=1");
        running.signal("TERM");
        assert_eq!(running.code(), Some(0));
        calling.join().unwrap();
    });
}
