//! Faults between the phone and the echo.

use std::process::Command;

use crate::patient::{Patient, line_of};
use crate::ports::free_port;

#[test]
fn a_wrong_password_is_refused_and_the_auth_named() {
    let mut patient = Patient::new();
    patient.argument(&["--user", "alice", "--password", "through-the-looking-glass"]);
    let place = line_of(&patient.etc("pjsip.conf"), "password=");
    let verdict = patient.examine();
    verdict.fails(
        "register",
        &place,
        "REGISTER as alice is refused with 4",
        "compare username and password",
    );
    assert_eq!(verdict.summary("call"), "because REGISTER fails");
}

#[test]
fn an_unknown_user_is_refused() {
    let mut patient = Patient::new();
    patient.argument(&["--user", "mallory", "--password", "x"]);
    let verdict = patient.examine();
    verdict.fails(
        "register",
        "",
        "there is no such endpoint",
        "compare username",
    );
}

#[test]
fn without_an_account_there_is_nobody_to_register() {
    let patient = Patient::new();
    let text = std::fs::read_to_string(patient.etc("pjsip.conf")).unwrap();
    let (_, transport) = text.split_once("[transport-udp]").unwrap();
    patient.write("pjsip.conf", &format!("[transport-udp]{transport}"));
    let verdict = patient.examine();
    verdict.fails(
        "register",
        "pjsip.conf",
        "no endpoint of the files or the database",
        "--user ID",
    );
}

#[test]
fn an_endpoint_that_is_not_described_as_a_browser_is_named() {
    let patient = Patient::new();
    patient.edit("pjsip.conf", "webrtc=yes", "webrtc=no");
    let place = line_of(&patient.etc("pjsip.conf"), "webrtc=no");
    let verdict = patient.examine();
    verdict.fails(
        "call",
        &place,
        "the endpoint alice is not described as a browser",
        "webrtc=yes",
    );
}

#[test]
fn a_dial_plan_without_echo_is_told_what_to_add() {
    let patient = Patient::new();
    patient.write(
        "extensions.conf",
        "[sets]\nexten => 100,1,Answer()\n same => n,Hangup()\n",
    );
    let verdict = patient.examine();
    verdict.fails(
        "call",
        "extensions.conf:1",
        "no extension of context `sets` runs Echo()",
        "same => n,Echo()",
    );
}

#[test]
fn an_extension_that_does_not_exist_or_does_not_echo_is_named() {
    let mut patient = Patient::new();
    patient.argument(&["--exten", "999"]);
    let verdict = patient.examine();
    let place = line_of(&patient.etc("pjsip.conf"), "context=sets");
    verdict.fails(
        "call",
        &place,
        "refused with 404",
        "context `sets` has no extension 999",
    );
    let mut patient = Patient::new();
    patient.argument(&["--exten", "700"]);
    let verdict = patient.examine();
    verdict.fails(
        "call",
        "",
        "packets of sound and nothing came back",
        "does 700 reach Echo()",
    );
}

#[test]
fn a_page_of_another_site_is_kept_out() {
    let mut patient = Patient::new();
    patient.argument(&["--origin", "https://evil.example"]);
    let verdict = patient.examine();
    verdict.fails("websocket", "", "403", "allow the page's site");
}

#[test]
fn the_way_to_another_exchange_is_walked_step_by_step() {
    let mut patient = Patient::new();
    patient.argument(&["--url", "wss://nowhere.invalid:8089/ws"]);
    let verdict = patient.examine();
    verdict.fails(
        "websocket",
        "",
        "the name nowhere.invalid has no address",
        "enter the name in DNS",
    );
    let mut patient = Patient::new();
    let port = free_port();
    patient.argument(&["--url", &format!("wss://127.0.0.1:{port}/ws")]);
    patient
        .examine()
        .fails("websocket", "", "nothing answers at", "start the exchange");
    let mut patient = Patient::new();
    patient.argument(&["--url", "sip:alice@example.org"]);
    patient.examine().fails(
        "websocket",
        "",
        "is no URL of a WebSocket",
        "wss://host:port/ws",
    );
}

/// The path is a word in a phone's settings, and often the wrong one.
#[test]
fn another_path_than_the_one_of_the_files_is_named() {
    let mut patient = Patient::new();
    let running = crate::service::Running::start(&patient);
    let url = format!("ws://127.0.0.1:{}/asterisk/ws", patient.http);
    patient.argument(&["--url", &url]);
    let verdict = patient.examine();
    verdict.fails("websocket", "", "404", "the WebSocket is at PREFIX/ws");
    drop(running);
}

/// A namespace of its own, in which media is dropped and nothing else.
#[test]
fn media_that_is_dropped_on_the_way_is_noticed() {
    let able = Command::new("unshare")
        .args(["-rn", "nft", "list", "ruleset"])
        .output();
    if !able.is_ok_and(|output| output.status.success()) {
        eprintln!("no namespaces or no nft here: not tested");
        return;
    }
    let patient = Patient::new();
    std::fs::remove_file(patient.path("bin/nft")).unwrap();
    let (first, last) = (patient.rtp, patient.rtp + 200);
    let rules = format!(
        "ip link set lo up; nft add table inet f; nft 'add chain inet f input {{ type filter hook input \
         priority 0; }}'; nft add rule inet f input udp dport {first}-{last} drop"
    );
    let verdict = patient.examine_in(&["unshare", "-rn"], &rules);
    let sentence = "no ICE check gets through";
    verdict.fails(
        "call",
        "rtp.conf:3",
        sentence,
        &format!("open UDP {first}-{last}"),
    );
    verdict.fails(
        "firewall",
        "rtp.conf:3",
        "is blocked by nft",
        "nft insert rule inet f input udp dport",
    );
    assert_eq!(verdict.outcome("register"), "ok");
}

#[test]
fn a_real_browser_calls_from_the_products_own_page() {
    let programs = ["chromium", "chromium-browser", "google-chrome"];
    let is_here = |name: &str| Command::new(name).arg("--version").output().is_ok();
    if !programs.iter().any(|name| is_here(name)) {
        eprintln!("no Chromium here: not tested");
        return;
    }
    let mut patient = Patient::new();
    patient.argument(&["--browser"]);
    let verdict = patient.examine();
    assert_eq!(verdict.outcome("browser"), "ok", "{:#}", verdict.json);
    let summary = verdict.summary("browser");
    assert!(summary.contains("pictures decoded"), "{summary}");
}
