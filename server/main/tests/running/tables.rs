//! Rows of a database that count while the exchange runs.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::phone::Phone;
use crate::world::{BINARY, World};

/// What a program beside the exchange does to its database.
fn sql(world: &World, sql: &str) {
    let mut child = Command::new(BINARY)
        .args(["db", "exec", "-", "--data"])
        .arg(world.data())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(sql.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success(), "{sql}");
}

#[tokio::test]
async fn a_row_of_extensions_answers_the_next_call() {
    let world = World::start("rows", &[]);
    let plan = "[c]\nswitch => Realtime/@\nexten => 200,1,Hangup()\n";
    world.write("extensions.conf", plan);
    world.done("dialplan reload");
    let mut phone = Phone::connect(world.http).await;
    let refused = phone.dial("7001").await.err().unwrap();
    assert!(refused.contains(" 404 "), "{refused}");
    sql(
        &world,
        "INSERT INTO extensions (context, exten, priority, app, appdata) VALUES \
         ('c', '_7XXX', 1, 'Answer', ''), ('c', '_7XXX', 2, 'Wait', '60')",
    );
    // That there was no such row may be known for a second.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let dialog = phone.dial("7001").await.unwrap();
    phone.hang_up(&dialog).await.unwrap();
    let shown = world.done("dialplan show c");
    assert!(shown.contains("Alt. Switch =>    'Realtime/@'"), "{shown}");
    let shown = world.done("dialplan show 7001@c");
    assert!(shown.contains("'_7XXX' =>        1. Answer()"), "{shown}");
    assert!(shown.contains("[extensions, row 2]"), "{shown}");
    sql(&world, "DELETE FROM extensions");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(phone.dial("7001").await.is_err());
}
