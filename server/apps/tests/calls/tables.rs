//! Calls through extensions that are rows of a table.

use std::path::PathBuf;

use config::Config;

use crate::records::until;
use crate::world::{World, sdp};

/// A world with these rows, whose calls start in a context that has a switch to them.
async fn world(plan: &str, rows: &str) -> (World, PathBuf) {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("sidetone-tables-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    let plan = format!("switch => Realtime/@\n{plan}");
    let world = World::keeping(Config::default(), &plan, &folder).await;
    let sql =
        format!("INSERT INTO extensions (context, exten, priority, app, appdata) VALUES {rows}");
    world.switch.store().run_script(&sql).await.unwrap();
    (world, folder)
}

/// Calls and waits for the end; what `GLOBAL(way)` is then.
async fn way(world: &World, exten: &str) -> String {
    let call = world.try_dial(exten, Some(sdp(&["audio"]))).unwrap();
    until(|| call.is_over()).await;
    let way = world.switch.global("way").unwrap_or_default();
    world.switch.globals().set("way", "").unwrap();
    way
}

#[tokio::test]
async fn a_call_runs_rows_by_priority_and_its_variables_are_put_in() {
    let (world, folder) = world(
        "",
        "('test', '100', 2, 'Set', 'GLOBAL(way)=${GLOBAL(way)},${EXTEN}-${PRIORITY}'), \
         ('test', '100', 1, 'set', 'GLOBAL(way)=${CALLERID(num)}'), \
         ('test', '_2XX', 1, 'Set', 'GLOBAL(way)=pattern ${EXTEN:1}'), \
         ('test', '200', 1, 'Set', 'GLOBAL(way)=itself'), \
         ('test', '_2XX', 2, 'Set', 'GLOBAL(way)=${GLOBAL(way)} and the pattern')",
    )
    .await;
    assert_eq!(way(&world, "100").await, "alice,100-2");
    assert_eq!(way(&world, "222").await, "pattern 22 and the pattern");
    assert_eq!(way(&world, "200").await, "itself and the pattern");
    assert_eq!(way(&world, "999").await, "");
    let _ = std::fs::remove_dir_all(folder);
}

#[tokio::test]
async fn special_extensions_and_gotos_lead_into_the_table_and_out_of_it() {
    let (world, folder) = world(
        "exten => 1,1,Goto(100,1)\nexten => 2,1,Goto(nowhere,1)\n[other]\nexten => 5,1,Set(GLOBAL(way)=out)\n",
        "('test', '100', 1, 'Goto', 'other,5,1'), \
         ('test', 'i', 1, 'Set', 'GLOBAL(way)=${INVALID_EXTEN}'), \
         ('test', 'h', 1, 'Set', 'GLOBAL(end)=${EXTEN}')",
    )
    .await;
    assert_eq!(way(&world, "1").await, "out");
    assert_eq!(way(&world, "2").await, "nowhere");
    assert_eq!(world.switch.global("end").unwrap(), "h");
    let _ = std::fs::remove_dir_all(folder);
}

#[tokio::test]
async fn an_application_nobody_has_is_named_with_its_row() {
    let (world, folder) = world("", "('test', '100', 1, 'Nosuch', '')").await;
    way(&world, "100").await;
    assert!(
        world.remarks()[0].contains("no application 'Nosuch' (extensions, row 1)"),
        "{:?}",
        world.remarks()
    );
    let _ = std::fs::remove_dir_all(folder);
}
