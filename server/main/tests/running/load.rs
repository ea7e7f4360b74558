//! 1,000 reloads of changing files under 20 calls a second: no call lost, no memory grown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::phone::Phone;
use crate::ports::free_port;
use crate::world::{PLAN, World};

const RELOADS: usize = 1_000;
/// What changes in turn.
const KINDS: usize = 5;
const RELOAD_EVERY: Duration = Duration::from_millis(40);
/// After so many, everything has happened once.
const WARM_AFTER: usize = 250;
const PHONES: u32 = 40;
/// One call each: 20 a second together.
const CALL_EVERY: Duration = Duration::from_secs(2);
const CALL_LASTS: Duration = Duration::from_millis(1_500);
/// What allocators and growing tables may take.
const GROWTH_KIB_MAX: u64 = 6 * 1_024;
/// Calls and reloads that are half done when they are counted.
const DESCRIPTORS_MORE_MAX: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_reloads_lose_no_call_and_grow_no_memory() {
    let world = Arc::new(World::start("load", &["--log", "warn"]));
    let stop = Arc::new(AtomicBool::new(false));
    let mut phones = Vec::new();
    for index in 0..PHONES {
        let phone = Phone::connect(world.http).await;
        let first = Instant::now() + CALL_EVERY * index / PHONES;
        phones.push(tokio::spawn(calls(phone, first, stop.clone())));
    }
    let reloading = world.clone();
    let measured = tokio::task::spawn_blocking(move || reloads(&reloading))
        .await
        .unwrap();
    stop.store(true, Ordering::Relaxed);
    let mut calls = 0;
    for phone in phones {
        calls += phone.await.unwrap();
    }
    let [warm, end] = measured;
    println!("{calls} calls, {warm:?} → {end:?}");
    let seconds = u32::try_from(RELOADS).unwrap() * RELOAD_EVERY.as_millis() as u32 / 1_000;
    assert!(
        calls >= 20 * seconds * 8 / 10,
        "{calls} calls are not 20 a second"
    );
    assert!(
        end.memory_kib <= warm.memory_kib + GROWTH_KIB_MAX,
        "memory grew: {warm:?} → {end:?}"
    );
    assert!(
        end.descriptors <= warm.descriptors + DESCRIPTORS_MORE_MAX,
        "descriptors grew: {warm:?} → {end:?}"
    );
    let totals = world.done("core show channels count");
    assert!(
        totals.ends_with(&format!("{calls} calls processed\n")),
        "{calls} calls were made: {totals}"
    );
    world.until("all calls are over", |world| {
        world
            .done("core show channels count")
            .starts_with("0 active channels\n")
    });
}

/// Calls one after the other; how many.
async fn calls(mut phone: Phone, first: Instant, stop: Arc<AtomicBool>) -> u32 {
    let mut ticks = interval_at(first, CALL_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        count += 1;
        if let Err(lost) = phone.call("100", CALL_LASTS).await {
            panic!("call {count} was lost: {lost}");
        }
    }
    count
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    memory_kib: u64,
    descriptors: usize,
}

/// Changes one file after the other and reads them again; what the process held when warm and at the
/// end.
fn reloads(world: &World) -> [Measured; 2] {
    let extra = free_port();
    let mut warm = None;
    let mut due = std::time::Instant::now();
    let mut transport = String::new();
    for round in 0..RELOADS {
        let odd = round / KINDS % 2 == 1;
        // One more and one less of each in turn; the first time there is none yet.
        let more = |yes: &str| if odd { yes.to_owned() } else { String::new() };
        let streams = format!("max_video_streams={}\n", 2 + round.div_ceil(KINDS) % 2);
        let expected = match round % KINDS {
            0 => {
                world.write(
                    "extensions.conf",
                    &(PLAN.to_owned() + &more("exten => 9,1,Echo()\n")),
                );
                "extension 9@c"
            }
            1 => {
                let redirect = format!("redirect=/r /static/{round}\n");
                world.write("http.conf", &world.http(&redirect));
                "redirect /r"
            }
            2 => {
                world.write("pjsip.conf", &world.pjsip(&(streams + &transport)));
                "~ endpoint alice: max_video_streams"
            }
            3 => {
                let other = format!(
                    "[database]\nurl=sqlite:{}\n",
                    world.data().join("other.db").display()
                );
                world.write("database.conf", &more(&other));
                "~ database: place"
            }
            _ => {
                transport = more(&format!(
                    "[extra]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:{extra}\n"
                ));
                world.write("pjsip.conf", &world.pjsip(&(streams + &transport)));
                "transport extra"
            }
        };
        let said = world.done("core reload");
        assert!(
            round < KINDS || said.contains(expected),
            "{round}: {expected}: {said}"
        );
        if round == WARM_AFTER {
            warm = Some(measure(world));
        }
        due += RELOAD_EVERY;
        std::thread::park_timeout(due.saturating_duration_since(std::time::Instant::now()));
    }
    [warm.unwrap(), measure(world)]
}

fn measure(world: &World) -> Measured {
    Measured {
        memory_kib: world.memory_kib(),
        descriptors: world.descriptors(),
    }
}
