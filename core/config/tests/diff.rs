//! What a reload says of a change.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use config::{Config, diff};
use expect_test::{Expect, expect};

const PJSIP: &str = "\
[alice]\ntype=endpoint\ncontext=c\nallow=opus\nauth=alice\naors=alice\n\
[alice]\ntype=auth\nusername=alice\npassword=hunter2\n\
[alice]\ntype=aor\nmax_contacts=1\n\
[udp]\ntype=transport\nprotocol=udp\nbind=0.0.0.0\n";
const HTTP: &str = "[general]\nenabled=yes\nbindaddr=127.0.0.1\nredirect=/a /b\n";
const PLAN: &str = "[c]\nexten => 1,1,Answer()\nsame => n,Echo()\n";

fn config(pjsip: &str, http: &str, plan: &str) -> Config {
    let files = [
        ("pjsip.conf", pjsip),
        ("http.conf", http),
        ("extensions.conf", plan),
    ];
    config::load(&files.as_slice()).0.unwrap()
}

fn check(new: &Config, expected: &Expect) {
    let old = config(PJSIP, HTTP, PLAN);
    let lines = diff(&old, new)
        .into_iter()
        .map(|change| format!("{change}\n"));
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn the_same_files_differ_in_nothing() {
    let moved = format!("; a comment\n\n{PLAN}");
    check(&config(PJSIP, HTTP, &moved), &expect![[""]]);
}

#[test]
fn an_option_is_told_with_both_values_and_a_secret_with_dots() {
    let pjsip = PJSIP
        .replace("allow=opus", "allow=opus,ulaw\nmax_video_streams=4")
        .replace("hunter2", "hunter3")
        .replace("0.0.0.0", "127.0.0.1:5070");
    check(
        &config(&pjsip, HTTP, PLAN),
        &expect![[r#"
            ~ transport udp: bind 0.0.0.0:5060 → 127.0.0.1:5070
            ~ endpoint alice: allow (opus) → (opus|ulaw), max_video_streams 1 → 4
            ~ auth alice: password •••• → ••••
        "#]],
    );
}

#[test]
fn objects_come_and_go() {
    let pjsip = PJSIP.replace("[alice]\ntype=aor\nmax_contacts=1\n", "[bob]\ntype=aor\n");
    let http = "[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport=9000\nredirect=/a /c\n\
                prefix=/p\n";
    let plan =
        "[globals]\nX=1\n[c]\ninclude => d\nexten => 1,1,Answer()\n[d]\nexten => 2,1,Echo()\n";
    check(
        &config(&pjsip, http, plan),
        &expect![[r#"
            - aor alice
            + aor bob
            - listener http 127.0.0.1:8088
            + listener http 127.0.0.1:9000
            ~ redirect /a: to /b → /c
            ~ http.conf: prefix (none) → /p
            ~ extension 1@c: priority 2 Echo() → (none)
            + extension 2@d
            + include d in c
            + global variable X
        "#]],
    );
}
