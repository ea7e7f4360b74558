//! Rows of a database that count while the exchange runs.

use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

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

const SORCERY: &str = "[res_pjsip]\nglobal=realtime,ps_globals\n\
    transport=config,pjsip.conf,criteria=type=transport\ntransport=realtime,ps_transports\n\
    [res_pjsip_outbound_registration]\nregistration=realtime,ps_registrations\n";

#[test]
fn rows_of_transports_and_the_like_are_read_with_the_files() {
    let world = World::start("objects", &[]);
    let port = crate::ports::free_port();
    sql(
        &world,
        &format!(
            "INSERT INTO ps_globals (id, user_agent) VALUES ('g', 'From the table'); \
             INSERT INTO ps_transports (id, protocol, bind) VALUES ('second', 'udp', '127.0.0.1:{port}'); \
             INSERT INTO ps_registrations (id, server_uri, client_uri, outbound_auth) VALUES \
             ('acme', 'sip:127.0.0.1:9', 'sip:us@127.0.0.1:9', 'out'); \
             INSERT INTO ps_auths (id, username, password) VALUES ('out', 'us', 'x')"
        ),
    );
    assert_eq!(
        world.done("core reload"),
        "Nothing has changed.\n",
        "nobody asked for them"
    );
    world.write("sorcery.conf", SORCERY);
    let said = world.done("core reload");
    for line in [
        "~ global: user_agent (none) → From the table\n",
        "+ transport second\n",
        "+ registration acme\n",
        "+ auth of a registration out\n",
    ] {
        assert!(said.contains(line), "{line} not in {said}");
    }
    let shown = world.done("pjsip show transports");
    assert!(shown.contains(&format!("127.0.0.1:{port}")), "{shown}");
    let shown = world.done("pjsip show registrations");
    assert!(shown.contains("acme/sip:127.0.0.1:9"), "{shown}");
    // A slip in a row is an error like one in a file: the old state stays, whole.
    sql(
        &world,
        "UPDATE ps_transports SET bind = 'nowhere'; UPDATE ps_globals SET user_agent = 'Other'",
    );
    let refused = world.ask("core reload");
    assert!(!refused.done);
    let named = "error: ps_transports, row second, column bind: transport `second` is not used";
    assert!(refused.text.contains(named), "{}", refused.text);
    assert!(
        refused
            .text
            .ends_with("Nothing changes.\nCommand 'core reload' failed.\n"),
        "{}",
        refused.text
    );
    // The dial plan is another part.
    world.done("dialplan reload");
    sql(&world, "DELETE FROM ps_transports");
    let said = world.done("module reload pjsip");
    assert!(said.contains("- transport second\n"), "{said}");
    // A table that is gone takes nothing along.
    sql(
        &world,
        "ALTER TABLE asterisk.ps_registrations RENAME TO gone",
    );
    let said = world.done("core reload");
    assert!(
        said.contains("the table ps_registrations cannot be read"),
        "{said}"
    );
    assert!(said.contains("what was read last holds"), "{said}");
    let shown = world.done("pjsip show registrations");
    assert!(shown.contains("acme/sip:127.0.0.1:9"), "{shown}");
}

/// Passes on what comes in at a port, from now on.
fn relay(port: u16, to: String) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(&to).unwrap();
            let pairs = [
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                (server, client),
            ];
            for (mut from, mut to) in pairs {
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Both);
                });
            }
        }
    });
}

/// The exchange starts before its database does, as after a power cut.
#[test]
fn rows_are_taken_when_a_database_that_was_away_is_there() {
    let Ok(url) = std::env::var("SIDETONE_TEST_POSTGRES") else {
        eprintln!("SKIPPED: SIDETONE_TEST_POSTGRES is not set; `cargo xtask test` sets it");
        return;
    };
    let (server, _) = url.rsplit_once('/').unwrap();
    let (login, target) = server.rsplit_once('@').unwrap();
    let name = format!("late_{}", std::process::id());
    let own = format!("{server}/{name}");
    let late = crate::ports::free_port();
    let transport = crate::ports::free_port();
    let mut world = World::start("late", &[]);
    let db = |words: &[&str], input: &str| {
        let mut child = Command::new(BINARY)
            .arg("db")
            .args(words)
            .args(["--database", &own])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        assert!(child.wait().unwrap().success(), "{words:?}");
    };
    db(&["init"], "");
    let row = format!(
        "INSERT INTO ps_transports (id, protocol, bind) VALUES ('second', 'udp', '127.0.0.1:{transport}')"
    );
    db(&["exec", "-"], &row);
    world.write(
        "database.conf",
        &format!("[database]\nurl={login}@127.0.0.1:{late}/{name}\n"),
    );
    world.write("sorcery.conf", SORCERY);
    world.restart();
    let has_second = |world: &World| world.done("pjsip show transports").contains("second");
    assert!(!has_second(&world));
    assert!(
        world.log().contains("the table ps_globals cannot be read"),
        "{}",
        world.log()
    );
    relay(late, target.to_owned());
    world.until("the row is a transport", has_second);
}
