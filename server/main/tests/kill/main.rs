//! kill -9 of the real binary under load, at random moments of a fixed seed: no registration over UDP
//! that was acknowledged is lost, and each answered call has exactly one record.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod load;
mod phone;
#[path = "../fixtures/ports.rs"]
mod ports;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use config::Database;
use load::{Ledger, Random};
use store::Backend;

/// Times the exchange is killed; fewer while somebody works on this.
const KILLS: u32 = 50;
const SEED: u64 = 20_261_125;
/// Endpoints that register; each address takes 32 contacts.
const ENDPOINTS: u32 = 64;
/// For a busy machine; nothing waits so long but a failing test.
const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    folder: PathBuf,
    udp: u16,
    http: u16,
    child: Option<Child>,
}

impl World {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("sidetone-kill-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("etc")).unwrap();
        let (udp, http) = (ports::free_port(), ports::free_port());
        let mut pjsip = format!("[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:{udp}\n");
        for number in 0..ENDPOINTS {
            pjsip += &format!(
                "[u{number}]\ntype=endpoint\ncontext=test\nallow=opus\nwebrtc=yes\naors=u{number}\nauth=u{number}\n\
                 [u{number}]\ntype=auth\nusername=u{number}\npassword=secret\n\
                 [u{number}]\ntype=aor\nmax_contacts=32\n"
            );
        }
        let files = [
            ("pjsip.conf", pjsip),
            (
                "http.conf",
                format!("[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport={http}\n"),
            ),
            (
                "extensions.conf",
                "[test]\nexten => _1X.,1,Answer()\n same => n,Echo()\n".to_owned(),
            ),
        ];
        for (name, text) in files {
            fs::write(folder.join("etc").join(name), text).unwrap();
        }
        Self {
            folder,
            udp,
            http,
            child: None,
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Starts the exchange and waits until it answers.
    fn start(&mut self) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("log"));
        let log = log.unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_sidetone"))
            .arg("run")
            .arg("--config")
            .arg(self.folder.join("etc"))
            .arg("--data")
            .arg(self.data())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap());
        let data = self.data();
        self.until("it answers", || {
            cli::ask(&data, "core show version").is_ok()
        });
    }

    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !condition() {
            if Instant::now() > end {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(40).collect();
                panic!("never: {what}\n{}", tail.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Every acknowledged registration is in force; one that was acknowledged to be gone is not.
    fn check_contacts(&self, ledger: &Mutex<Ledger>, round: u32) {
        let data = self.data();
        let differences = || {
            let Ok(answer) = cli::ask(&data, "pjsip show contacts") else {
                return vec!["no answer".to_owned()];
            };
            ledger.lock().unwrap().differences(&answer.text)
        };
        let end = Instant::now() + Duration::from_secs(5);
        while !differences().is_empty() {
            assert!(
                Instant::now() < end,
                "after kill {round} of seed {SEED}: {:?}",
                differences()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_by_fifty_kills() {
    let kills = std::env::var("SIDETONE_KILLS").ok();
    let kills = kills.and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let mut world = World::new();
    let mut random = Random(SEED);
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    for round in 0..kills {
        world.start();
        world.check_contacts(&ledger, round);
        let load = load::start(world.udp, world.http, &ledger, &mut random);
        std::thread::sleep(Duration::from_millis(40 + random.below(400)));
        world.kill();
        load.stop();
    }
    world.start();
    world.check_contacts(&ledger, kills);
    let data = world.data();
    world.until("all records are delivered", || {
        let answer = cli::ask(&data, "cdr show status");
        answer.is_ok_and(|answer| answer.text.contains("Waiting for the database:   0\n"))
    });
    let records = records_by_extension(&data);
    let ledger = ledger.lock().unwrap();
    let wrong: Vec<String> = ledger
        .answered
        .iter()
        .filter(|exten| records.get(*exten) != Some(&1))
        .map(|exten| format!("{exten}: {:?} records", records.get(exten)))
        .collect();
    assert!(wrong.is_empty(), "answered calls: {wrong:?}");
    // What was killed between the record and the 200 may have one; nothing has two.
    assert!(records.values().all(|count| *count == 1), "{records:?}");
    let (registered, answered) = (ledger.acknowledged, ledger.answered.len());
    assert!(
        registered > kills as usize,
        "{registered} registrations are no load"
    );
    assert!(
        answered >= kills as usize / 2,
        "{answered} calls are no load"
    );
    eprintln!("{kills} kills, {registered} changes of registrations, {answered} answered calls");
}

/// How many records each extension has, in the exchange's own database.
fn records_by_extension(data: &Path) -> BTreeMap<String, u32> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let file = data.join("sidetone.db");
        let backend = Backend::open(&Database::default(), &file).await.unwrap();
        let sql = format!("SELECT dst FROM {}", backend.table("cdr"));
        let mut counts = BTreeMap::new();
        for row in backend.fetch(&sql, &[]).await.unwrap() {
            *counts
                .entry(row.text("dst").unwrap().to_owned())
                .or_default() += 1;
        }
        backend.close().await;
        counts
    })
}
