//! Files that change while the exchange runs.

use std::net::UdpSocket;

use crate::phone::Phone;
use crate::ports::free_port;
use crate::world::{PLAN, World};

/// What an operator sees of the state in force.
fn state(world: &World) -> String {
    let commands = [
        "dialplan show",
        "pjsip show endpoint alice",
        "pjsip show transports",
        "http show status",
        "rtp show settings",
        "logger show channels",
    ];
    commands.map(|line| world.done(line)).concat()
}

#[test]
fn a_broken_file_of_any_kind_keeps_the_whole_old_state() {
    let world = World::start("broken", &[]);
    let before = state(&world);
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let on_taken = format!("[more]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:{port}\n");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = listener.local_addr().unwrap().port();
    let http = format!("[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport={busy}\n");
    let tls = "[tls]\ntype=transport\nprotocol=tls\nbind=127.0.0.1:0\ncert_file=/nowhere.pem\n";
    let https = "tlsenable=yes\ntlsbindaddr=127.0.0.1:0\ntlscertfile=/nowhere.pem\n";
    let broken = [
        ("pjsip.conf", world.pjsip("webrtc=perhaps\n"), "pjsip.conf:"),
        ("pjsip.conf", world.pjsip(&on_taken), "another program"),
        ("pjsip.conf", world.pjsip(tls), "/nowhere.pem"),
        (
            "extensions.conf",
            "[c]\nexten => 1,x,Answer()\n".to_owned(),
            "extensions.conf:2:",
        ),
        (
            "extensions.conf",
            "#include extensions.conf\n".to_owned(),
            "extensions.conf:1:",
        ),
        ("http.conf", world.http("tlsenable=yes\n"), "http.conf:"),
        ("http.conf", world.http(https), "/nowhere.pem"),
        ("http.conf", http, "http.conf:4: HTTP needs port"),
        (
            "rtp.conf",
            "[general]\nrtpstart=9000\nrtpend=8000\n".to_owned(),
            "rtp.conf:",
        ),
        (
            "logger.conf",
            "[logfiles]\n/proc/nowhere/log => error\n".to_owned(),
            "/proc/nowhere/log cannot be written",
        ),
    ];
    for (file, text, said) in broken {
        // A good change beside the bad one must not be taken either.
        let good = format!("{PLAN}exten => 300,1,Hangup()\n");
        if file != "extensions.conf" {
            world.write("extensions.conf", &good);
        }
        world.write(file, &text);
        let answer = world.ask("core reload");
        assert!(!answer.done, "{file}: {}", answer.text);
        assert!(answer.text.contains(said), "{said}: {}", answer.text);
        assert!(
            answer.text.contains("Nothing changes.\n"),
            "{}",
            answer.text
        );
        assert_eq!(state(&world), before, "{file}");
        world.write("pjsip.conf", &world.pjsip(""));
        world.write("http.conf", &world.http(""));
        world.write("extensions.conf", PLAN);
        world.remove("rtp.conf");
        world.remove("logger.conf");
    }
    assert_eq!(world.done("core reload"), "Nothing has changed.\n");
}

#[test]
fn a_file_that_is_gone_takes_nothing_along() {
    let world = World::start("gone", &[]);
    let before = state(&world);
    world.remove("pjsip.conf");
    for _ in 0..2 {
        let answer = world.ask("core reload");
        assert!(!answer.done, "{}", answer.text);
        assert!(
            answer
                .text
                .contains("pjsip.conf: was there before and is gone"),
            "{}",
            answer.text
        );
    }
    assert_eq!(state(&world), before);
    world.write("pjsip.conf", "");
    world.done("core reload");
    assert!(
        !world.ask("pjsip show endpoint alice").done,
        "an empty file says so"
    );
    world.write("pjsip.conf", &world.pjsip(""));
    world.done("core reload");
    assert_eq!(state(&world), before);
}

/// A port that is taken, as is the next one, while the sockets live.
fn two_taken() -> (u16, [UdpSocket; 2]) {
    let bind = |port: u16| UdpSocket::bind(("127.0.0.1", port));
    loop {
        let one = bind(0).unwrap();
        let port = one.local_addr().unwrap().port();
        if let Some(Ok(two)) = port.checked_add(1).map(bind) {
            return (port, [one, two]);
        }
    }
}

/// The ports that media goes through now.
fn media_ports(world: &World) -> Vec<u16> {
    let shown = world.done("rtp show settings");
    let ports = shown
        .lines()
        .find_map(|line| line.split_once("Ports in use:"));
    let ports = ports.unwrap().1.split(',');
    ports.map(|port| port.trim().parse().unwrap()).collect()
}

#[tokio::test]
async fn a_call_keeps_its_media_ports_while_new_ones_take_others() {
    let world = World::start("ports", &[]);
    let before = media_ports(&world);
    let mut phone = Phone::connect(world.http).await;
    let call = phone.dial("100").await.unwrap();
    let first = free_port();
    let range = |last: u16| format!("[general]\nrtpstart={first}\nrtpend={last}\n");
    world.write("rtp.conf", &range(first + 100));
    let said = world.done("core reload");
    assert!(!said.contains("next start"), "{said}");
    let during = media_ports(&world);
    assert!(
        before.iter().all(|port| during.contains(port)),
        "{during:?}"
    );
    assert!(during.contains(&first), "{during:?}");
    phone.hang_up(&call).await.unwrap();
    world.until("the old ports to be let go", |world| {
        !media_ports(world).contains(&before[0])
            && UdpSocket::bind(("127.0.0.1", before[0])).is_ok()
    });
    // The ports in use lie in the narrower range: nothing need move.
    world.write("rtp.conf", &range(first + 50));
    world.done("core reload");
    assert_eq!(media_ports(&world)[0], first);
    let (port, _taken) = two_taken();
    world.write(
        "rtp.conf",
        &format!("[general]\nrtpstart={port}\nrtpend={}\n", port + 1),
    );
    let refused = world.ask("core reload");
    assert!(
        refused.text.contains("rtp.conf: no UDP port"),
        "{}",
        refused.text
    );
    assert_eq!(media_ports(&world)[0], first);
    phone.dial("100").await.unwrap();
}

#[test]
fn reloads_at_once_are_done_one_after_the_other() {
    let world = World::start("at-once", &[]);
    world.write(
        "extensions.conf",
        &format!("{PLAN}exten => 300,1,Hangup()\n"),
    );
    let answers: Vec<String> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| world.done("core reload")))
            .collect();
        asked.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let changed = answers.iter().filter(|said| *said == "+ extension 300@c\n");
    assert_eq!(changed.count(), 1, "{answers:?}");
    let same = answers
        .iter()
        .filter(|said| *said == "Nothing has changed.\n");
    assert_eq!(same.count(), 7, "{answers:?}");
}

#[test]
fn the_demo_reads_its_own_files_again() {
    let world = World::demo("demo");
    assert_eq!(world.done("core reload"), "Nothing has changed.\n");
    let transports = world.done("pjsip show transports");
    assert!(
        transports.contains(&format!(":{}\n", world.udp)),
        "{transports}"
    );
    let http = world.done("http show status");
    assert!(
        http.contains(&format!("Bound to 127.0.0.1:{}\n", world.http)),
        "{http}"
    );
}

#[test]
fn sighup_reads_the_files_again() {
    let world = World::start("hangup", &[]);
    world.write(
        "extensions.conf",
        &format!("{PLAN}exten => 300,1,Hangup()\n"),
    );
    world.signal("-HUP");
    world.until("the new plan", |world| {
        world.ask("dialplan show 300@c").done
    });
    world.until("the log", |world| world.log().contains("+ extension 300@c"));
}

#[test]
fn a_changed_file_that_is_included_is_read_again_unless_it_is_broken() {
    let world = World::start("autoreload", &["--autoreload"]);
    world.write("more.d/one.conf", "[more]\nexten => 1,1,Answer()\n");
    world.write(
        "extensions.conf",
        &format!("#include more.d/*.conf\n{PLAN}"),
    );
    world.until("the include", |world| {
        world.ask("dialplan show 1@more").done
    });
    world.write("more.d/one.conf", "[more]\nexten => 22,1,Answer()\n");
    world.until("the edit", |world| world.ask("dialplan show 22@more").done);
    world.write("more.d/one.conf", "[more]\nexten => 22,1\n");
    world.until("the complaint", |world| {
        world.log().contains("more.d/one.conf:2:")
    });
    assert!(
        world.ask("dialplan show 22@more").done,
        "the old state stays"
    );
    world.write("more.d/two.conf", "[two]\nexten => 2,1,Answer()\n");
    world.write("more.d/one.conf", "[more]\nexten => 33,1,Answer()\n");
    world.until("a new file", |world| world.ask("dialplan show 2@two").done);
    assert!(world.ask("dialplan show 33@more").done);
}

#[test]
fn the_log_goes_where_its_file_says_and_is_rotated() {
    let world = World::start("logger", &[]);
    let logger = "[general]\ndateformat=%F %T.%3q\n[logfiles]\nfull => notice,warning,error,verbose\n\
                  json => [json]notice\n";
    world.write("logger.conf", logger);
    world.done("module reload logger");
    let file = |name: &str| world.data().join("log").join(name);
    let text = |name: &str| std::fs::read_to_string(file(name)).unwrap_or_default();
    world.done("core reload");
    world.until("a line", |_| {
        text("full").contains("NOTICE[") && text("json").contains("\"message\"")
    });
    let said = world.done("logger rotate");
    assert!(said.contains("full.0"), "{said}");
    assert!(file("full.0").exists() && text("full").is_empty());
    let shown = world.done("logger show channels");
    assert!(
        shown.contains("full ") && shown.contains("NOTICE WARNING ERROR VERBOSE(*)"),
        "{shown}"
    );
    world.write("logger.conf", "");
    assert!(world.done("logger reload").contains("- log full\n"));
    assert!(!world.done("logger show channels").contains("full"));
}

/// The files of the log with that beginning, by name.
fn logs(world: &World, begin: &str) -> Vec<String> {
    let entries = std::fs::read_dir(world.data().join("log")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with(begin)).collect();
    names.sort();
    names
}

#[test]
fn files_of_the_log_bear_the_machines_name_and_are_put_away_as_written() {
    let world = World::start("rotate", &[]);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let host = host.trim();
    let text = |name: &str| std::fs::read_to_string(world.data().join("log").join(name)).unwrap();
    // Three lines, each followed by a rotation; the oldest one is in the file that is named last.
    for (strategy, oldest) in [("sequential", "0"), ("rotate", "2")] {
        world.write(
            "logger.conf",
            &format!(
                "[general]\nappendhostname=yes\nrotatestrategy={strategy}\n[logfiles]\n{strategy} => notice,warning\n"
            ),
        );
        world.done("module reload logger");
        let current = format!("{strategy}.{host}");
        for round in ["first", "second", "third"] {
            world.write(
                "extensions.conf",
                &format!("{PLAN}exten => {round},1,Hangup()\n"),
            );
            world.done("dialplan reload");
            world.until("the line", |_| text(&current).contains(round));
            world.done("logger rotate");
        }
        let put_away = logs(&world, strategy);
        let expected: Vec<String> = [
            String::new(),
            ".0".to_owned(),
            ".1".to_owned(),
            ".2".to_owned(),
        ]
        .map(|end| format!("{current}{end}"))
        .into();
        assert_eq!(put_away, expected, "{strategy}");
        assert!(
            text(&format!("{current}.{oldest}")).contains("first"),
            "{strategy}"
        );
    }
}
