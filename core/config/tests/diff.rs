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

#[test]
fn lists_identifies_and_the_other_files_are_told_too() {
    let read = |files: &[(&str, &str)]| config::load(&files).0.unwrap();
    let old = read(&[
        ("acl.conf", "[office]\npermit=192.0.2.0/24\n"),
        (
            "pjsip.conf",
            "[a]\ntype=identify\nendpoint=alice\nmatch=192.0.2.1\n",
        ),
    ]);
    let new = read(&[
        (
            "acl.conf",
            "[office]\ndeny=0.0.0.0/0\npermit=192.0.2.0/24\n",
        ),
        (
            "pjsip.conf",
            "[a]\ntype=identify\nendpoint=alice\nmatch=192.0.2.2\n[x]\ntype=acl\nacl=office\n",
        ),
        ("cdr.conf", "[general]\nunanswered=yes\n"),
        ("logger.conf", "[logfiles]\nconsole=error\n"),
        ("features.conf", "[featuremap]\nblindxfer=##\n"),
        ("confbridge.conf", "[u]\ntype=user\npin=1\n"),
    ]);
    let lines = diff(&old, &new).into_iter();
    let lines: String = lines.map(|change| format!("{change}\n")).collect();
    expect![[r#"
        ~ identify a: match 192.0.2.1/32 → 192.0.2.2/32
        + acl x
        ~ acl.conf office: deny (none) → 0.0.0.0/0
        ~ cdr.conf: unanswered false → true
        + log console
        ~ features.conf: blindxfer # → ##
        + user profile u
    "#]]
    .assert_eq(&lines);
}

#[test]
fn channels_of_the_log_are_objects() {
    let config = |logger: &str| {
        let files = [("logger.conf", logger)];
        config::load(&files.as_slice()).0.unwrap()
    };
    let old = config("[logfiles]\nconsole => notice\nfull => error\n");
    let new = config(
        "[general]\ndateformat=%F\n[logfiles]\nfull => error,verbose(3)\nsyslog.local0 => *\n",
    );
    let lines = diff(&old, &new)
        .into_iter()
        .map(|change| format!("{change}\n"));
    expect![[r#"
        - log console
        ~ log full: levels default error → default error,verbose(3)
        + log syslog.local0
        ~ logger.conf: dateformat (none) → %F
    "#]]
    .assert_eq(&lines.collect::<String>());
}

#[test]
fn a_switch_that_comes_or_goes_is_told() {
    let plan = format!("[general]\noverrideswitch => Realtime/@a\n{PLAN}switch => Realtime/@/p\n");
    check(
        &config(PJSIP, HTTP, &plan),
        &expect![[r#"
        + switch Realtime/@/p in c
        + switch Realtime/@a before every context
    "#]],
    );
}
