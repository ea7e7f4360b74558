//! Call detail records and the dial plan's database.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use switch::{Application, Cause, ChannelEvent};

use crate::world::{World, pass, sdp, seconds};

/// A data folder that goes with its test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sidetone-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(start_paused = true)]
async fn the_record_follows_the_call() {
    let world = World::new(
        "exten => 246,1,Set(GLOBAL(before)=${CDR(disposition)} ${CDR(billsec)} ${CDR(answer)})\n\
         same => n,Answer()\n\
         same => n,Set(CDR(userfield)=gold)\n\
         same => n,Set(CDR(amaflags)=BILLING)\n\
         same => n,Set(CDR(Mood)=good)\n\
         same => n,Set(CDR(src)=mallory)\n\
         same => n,Wait(3)\n\
         same => n,Set(GLOBAL(during)=${CDR(src)} ${CDR(dst)} ${CDR(dcontext)} ${CDR(clid)} ${CDR(disposition)} ${CDR(disposition,u)})\n\
         same => n,Set(GLOBAL(more)=${CDR(billsec)} ${CDR(billsec,f)} ${CDR(userfield)} ${CDR(amaflags)} ${CDR(mood)} ${CDR(lastapp)})\n\
         same => n,Set(GLOBAL(none)=[${CDR(nothing)}])\n",
    )
    .await;
    world.dial("246").await;
    pass(seconds(3)).await;
    let global = |name| world.switch.global(name).unwrap();
    assert_eq!(global("before"), "NO ANSWER 0 ");
    assert_eq!(
        global("during"),
        "alice 246 test \"Alice\" <alice> ANSWERED 8"
    );
    assert_eq!(global("more"), "3 3.000000 gold BILLING good Set");
    assert_eq!(global("none"), "[]");
}

const PLAN: &str = "exten => 1,1,Answer()\n same => n,Set(CDR(userfield)=gold)\n same => n,Hangup()\n\
     exten => 2,1,Hangup(17)\n\
     exten => 3,1,Set(CDR_PROP(disable)=1)\n same => n,Answer()\n\
     exten => 4,1,Answer()\n same => n,Set(CDR_PROP(disable)=1)\n\
     exten => 5,1,Answer()\n same => n,Wait(60)\n\
     exten => 6,1,Wait(60)\n\
     exten => h,1,Set(CDR(userfield)=late)\n";

/// Takes time, though the caller has hung up.
static NAP: Application = Application {
    name: "Nap",
    synopsis: "",
    doc: "",
    run: |_, _| {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(1_100)).await;
            Ok(())
        })
    },
};

/// All applications and that one.
fn applications() -> &'static [&'static Application] {
    let all = apps::APPLICATIONS.iter().copied();
    Vec::leak(all.chain([&NAP]).collect())
}

/// Calls these with these lines in `cdr.conf`, hangs up on those that wait, and tells what is in the table
/// afterwards.
async fn table(options: &str, plan: &str, extens: &[&str], columns: &str) -> (World, Vec<String>) {
    let folder = Folder::new(&format!("records-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    let cdr = format!("[general]\n{options}\n");
    let (config, messages) = config::load(&[("cdr.conf", cdr.as_str())].as_slice());
    assert!(messages.is_empty(), "{messages:?}");
    let world = World::keeping_with(config.unwrap(), plan, &folder.0, applications()).await;
    for exten in extens {
        let call = world.try_dial(exten, Some(sdp(&["audio"]))).unwrap();
        until(|| call.is_over() || call.runs() == "Wait(60)").await;
        if !call.is_over() {
            call.inbox.send(ChannelEvent::Hangup(Cause::NormalClearing));
        }
        until(|| call.is_over()).await;
    }
    let store = world.switch.store().clone();
    let backend = store.backend().unwrap().clone();
    until(|| world.switch.directory().count() == 0).await;
    let records = store.records().unwrap();
    // A stop waits for a busy disk only so long; the rest would be delivered after a start.
    records.flush().await;
    until(|| records.health().journal.pending == 0).await;
    // The database stays open for us.
    records.stop().await;
    let sql = format!(
        "SELECT {columns} AS line FROM {} ORDER BY sequence",
        backend.table("cdr")
    );
    let rows = backend.fetch(&sql, &[]).await.unwrap();
    let lines = rows.iter().map(|row| row.text("line").unwrap().to_owned());
    let lines = lines.collect();
    store.close().await;
    (world, lines)
}

static NEXT: AtomicU32 = AtomicU32::new(0);

async fn recorded(options: &str) -> Vec<String> {
    let extens = ["1", "2", "3", "4", "5", "6"];
    let columns = "dst || ' ' || disposition || ' ' || userfield";
    table(options, PLAN, &extens, columns).await.1
}

pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(seconds(20), waiting).await.unwrap();
}

#[tokio::test]
async fn answered_calls_leave_one_record_and_others_none() {
    let lines = recorded("").await;
    assert_eq!(lines, ["1 ANSWERED late", "5 ANSWERED late"]);
}

#[tokio::test]
async fn the_options_of_cdr_conf_decide_what_is_recorded() {
    let lines = recorded("unanswered=yes").await;
    let expected = [
        "1 ANSWERED late",
        "2 BUSY late",
        "5 ANSWERED late",
        "6 NO ANSWER late",
    ];
    assert_eq!(lines, expected);
    let lines = recorded("unanswered=yes\ncanceldispositionenabled=yes").await;
    assert_eq!(lines[3], "6 CANCEL late");
    assert_eq!(recorded("enable=no").await, [""; 0]);
}

#[tokio::test]
async fn with_channeldefaultenabled_off_the_dial_plan_chooses_what_is_recorded() {
    let plan =
        "exten => 1,1,Answer()\nexten => 2,1,Set(CDR_PROP(disable)=0)\n same => n,Answer()\n";
    let record = async |options: &str| table(options, plan, &["1", "2"], "dst").await.1;
    assert_eq!(record("").await, ["1", "2"]);
    assert_eq!(record("channeldefaultenabled=no").await, ["2"]);
}

#[tokio::test]
async fn congestion_is_a_failure_unless_it_is_to_be_told() {
    let plan = "exten => 1,1,Hangup(34)\nexten => 2,1,Hangup(1)\n";
    for (options, first) in [
        ("unanswered=yes", "FAILED"),
        ("unanswered=yes\ncongestion=yes", "CONGESTION"),
    ] {
        let (_, lines) = table(options, plan, &["1", "2"], "disposition").await;
        assert_eq!(lines, [first, "FAILED"], "{options}");
    }
}

#[tokio::test]
async fn the_time_of_h_counts_where_the_record_ends_after_it() {
    let plan = "exten => 1,1,Answer()\n\
                exten => h,1,Set(GLOBAL(end)=[${CDR(end)}])\n same => n,Nap()\n";
    for (options, seconds, is_ended) in [("", "0", true), ("endbeforehexten=no", "1", false)] {
        let columns = "CAST(duration AS TEXT)";
        let (world, lines) = table(options, plan, &["1"], columns).await;
        assert_eq!(lines, [seconds], "{options}");
        let end = world.switch.global("end").unwrap();
        assert_eq!(end != "[]", is_ended, "{options}: {end}");
    }
}

#[tokio::test]
async fn initiatedseconds_rounds_to_the_nearest_second() {
    let plan = "exten => 1,1,Answer()\n same => n,Wait(0.6)\n";
    for (options, billsec) in [("", "0"), ("initiatedseconds=yes", "1")] {
        let (_, lines) = table(options, plan, &["1"], "CAST(billsec AS TEXT)").await;
        assert_eq!(lines, [billsec], "{options}");
    }
}

#[tokio::test]
async fn the_database_of_the_dial_plan_is_read_set_and_emptied() {
    let world = World::new(
        "exten => 1,1,Set(GLOBAL(a)=${DB_EXISTS(cid/1001)})\n\
         same => n,Set(DB(cid/1001)=Alice)\n\
         same => n,Set(GLOBAL(b)=${DB_EXISTS(cid/1001)} ${DB(cid/1001)})\n\
         same => n,Set(GLOBAL(c)=${DB_DELETE(cid/1001)} ${DB_EXISTS(cid/1001)})\n\
         same => n,Set(GLOBAL(d)=[${DB(cid)}])\n",
    )
    .await;
    let folder = Folder::new("apps-astdb");
    std::fs::create_dir_all(&folder.0).unwrap();
    let store = world.switch.store().clone();
    store.keep(&folder.0, "here").await;
    world.dial("1").await;
    let global = |name| world.switch.global(name).unwrap();
    assert_eq!(global("a"), "0");
    assert_eq!(global("b"), "1 Alice");
    assert_eq!(global("c"), "Alice 0");
    assert_eq!(global("d"), "[]");
    store.close().await;
}
