//! Call detail records and the dial plan's database.

use std::path::PathBuf;

use config::Config;
use switch::{Cause, ChannelEvent};

use crate::world::{World, pass, sdp, seconds};

/// A data folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
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

/// Calls all of them, hangs up on those that wait, and tells what is in the table afterwards.
async fn recorded(cdr: config::Cdr, name: &str) -> Vec<String> {
    let folder = Folder::new(name);
    let config = Config {
        cdr,
        ..Config::default()
    };
    let world = World::keeping(config, PLAN, &folder.0).await;
    for exten in ["1", "2", "3", "4", "5", "6"] {
        let call = world.try_dial(exten, Some(sdp(&["audio"]))).unwrap();
        let waits = matches!(exten, "5" | "6");
        until(|| call.is_over() || (waits && call.runs() == "Wait(60)")).await;
        if waits {
            call.inbox.send(ChannelEvent::Hangup(Cause::NormalClearing));
        }
        until(|| call.is_over()).await;
    }
    let store = world.switch.store().clone();
    let backend = store.backend().unwrap();
    until(|| world.switch.directory().count() == 0).await;
    let records = store.records().unwrap();
    // Stopping writes and delivers what there is; the database stays open for us.
    records.stop().await;
    let sql = format!(
        "SELECT dst || ' ' || disposition || ' ' || userfield AS line FROM {} ORDER BY sequence",
        backend.table("cdr")
    );
    let rows = backend.fetch(&sql, &[]).await.unwrap();
    let lines = rows.iter().map(|row| row.text("line").unwrap().to_owned());
    let lines = lines.collect();
    store.close().await;
    lines
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
    let lines = recorded(config::Cdr::default(), "records-default").await;
    assert_eq!(lines, ["1 ANSWERED late", "5 ANSWERED late"]);
}

#[tokio::test]
async fn the_options_of_cdr_conf_decide_what_is_recorded() {
    let cdr = config::Cdr {
        unanswered: true,
        cancel_disposition: true,
        ..config::Cdr::default()
    };
    let lines = recorded(cdr, "records-unanswered").await;
    let expected = [
        "1 ANSWERED late",
        "2 BUSY late",
        "5 ANSWERED late",
        "6 CANCEL late",
    ];
    assert_eq!(lines, expected);
    let cdr = config::Cdr {
        enable: false,
        ..config::Cdr::default()
    };
    assert_eq!(recorded(cdr, "records-disabled").await, [""; 0]);
    let cdr = config::Cdr {
        channel_default_enabled: false,
        ..config::Cdr::default()
    };
    assert_eq!(recorded(cdr, "records-by-choice").await, [""; 0]);
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
