//! Phones that register and leave over UDP, browsers that call, and what was promised to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::ENDPOINTS;
use super::phone::{Browser, DeskPhone};

/// What is true of each contact, and which calls were answered.
#[derive(Default)]
pub(crate) struct Ledger {
    /// `aor/uri` of each contact that was ever asked for: registered, gone, or nobody knows.
    contacts: BTreeMap<String, Option<bool>>,
    /// The extensions of calls that were answered.
    pub(crate) answered: BTreeSet<String>,
    /// Changes of registrations that were acknowledged.
    pub(crate) acknowledged: usize,
}

impl Ledger {
    /// What the list of contacts has not that it must have, and has that it must not.
    pub(crate) fn differences(&self, listed: &str) -> Vec<String> {
        let listed: BTreeSet<&str> = listed.split_whitespace().collect();
        let wrong = self.contacts.iter().filter_map(|(contact, registered)| {
            let is_listed = listed.contains(contact.as_str());
            match registered {
                Some(true) if !is_listed => Some(format!("{contact} is lost")),
                Some(false) if is_listed => Some(format!("{contact} is back")),
                Some(_) | None => None,
            }
        });
        wrong.collect()
    }
}

/// Numbers that are the same in each run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // Knuth's MMIX generator; the high bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Running phones.
pub(crate) struct Load {
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

/// Starts them.
pub(crate) fn start(udp: u16, http: u16, ledger: &Arc<Mutex<Ledger>>, random: &mut Random) -> Load {
    let stop = Arc::new(AtomicBool::new(false));
    let mut threads = Vec::new();
    for _ in 0..3 {
        let (ledger, stop, mut random) =
            (ledger.clone(), stop.clone(), Random(random.below(1 << 30)));
        threads.push(std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) && register(udp, &ledger, &mut random).is_some() {}
        }));
    }
    for _ in 0..2 {
        let (ledger, stop, mut random) =
            (ledger.clone(), stop.clone(), Random(random.below(1 << 30)));
        threads.push(std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) && call(http, &ledger, &mut random).is_some() {}
        }));
    }
    Load { threads, stop }
}

impl Load {
    /// Ends them; the exchange is dead already.
    pub(crate) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

static NEXT: AtomicU64 = AtomicU64::new(1);

/// One phone registers, and sometimes leaves. `None`: nobody answers any more.
fn register(udp: u16, ledger: &Mutex<Ledger>, random: &mut Random) -> Option<()> {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let user = format!("u{}", number % u64::from(ENDPOINTS));
    let phone = DeskPhone::new(udp);
    let uri = format!("sip:c{number}@{}", phone.address);
    let contact = format!("{user}/{uri}");
    let promise = |registered: Option<bool>| {
        let mut ledger = ledger.lock().unwrap();
        ledger.acknowledged += usize::from(registered.is_some());
        ledger.contacts.insert(contact.clone(), registered);
    };
    promise(None);
    match phone.register(&user, &uri, 3_600)? {
        200 => promise(Some(true)),
        // The address has its 32 contacts.
        403 => return Some(()),
        other => panic!("{other} to a REGISTER"),
    }
    if random.below(3) > 0 {
        promise_nothing(ledger, &contact);
        assert_eq!(phone.register(&user, &uri, 0)?, 200);
        promise(Some(false));
    }
    Some(())
}

fn promise_nothing(ledger: &Mutex<Ledger>, contact: &str) {
    ledger
        .lock()
        .unwrap()
        .contacts
        .insert(contact.to_owned(), None);
}

/// One browser calls, and sometimes hangs up.
fn call(http: u16, ledger: &Mutex<Ledger>, random: &mut Random) -> Option<()> {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let exten = format!("1{number:07}");
    let mut browser = Browser::connect(http)?;
    let call = browser.call(&format!("u{}", random.below(ENDPOINTS.into())), &exten)?;
    ledger.lock().unwrap().answered.insert(exten);
    if random.below(2) > 0 {
        std::thread::sleep(Duration::from_millis(random.below(60)));
        browser.hang_up(&call)?;
    }
    Some(())
}
