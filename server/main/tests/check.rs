//! `sidetone check`: the program itself, on folders of files and their database.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use expect_test::expect;
use serde_json::Value;

/// A folder that is gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("sidetone-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        for (name, text) in files {
            std::fs::write(path.join(name), text).unwrap();
        }
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn sidetone(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidetone"));
    command.args(arguments).output().unwrap()
}

/// What the program prints, the folder's own name taken out, and whether it succeeds.
fn check(folder: &Path, more: &[&str]) -> (String, bool) {
    let shown = folder.to_str().unwrap();
    let output = sidetone(&[&["check", shown], more].concat());
    let printed = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let text = format!("{printed}{said}").replace(shown, "DIR");
    (text, output.status.success())
}

const TRANSPORTS: &str = "\
[transport-udp]
type=transport
protocol=udp
bind=127.0.0.1
[transport-tls]
type=transport
protocol=tcp
bind=127.0.0.1
";

const PLAN: &str = "[sets]\nexten => 246,1,Answer()\n same => n,StreamEcho(4)\n";

#[test]
fn errors_are_shown_with_their_places_and_fail() {
    let pjsip = format!("{TRANSPORTS}[alice]\ntype=endpoint\ncontext=stes\nallow=opsu\n");
    let plan = PLAN.replace("StreamEcho", "StreamEhco");
    let http = "[general]\ntlsenable=yes\ntlsbindaddr=127.0.0.1:8089\ntlscertfile=/nowhere/a.pem\n";
    let files = [
        ("pjsip.conf", pjsip.as_str()),
        ("extensions.conf", &plan),
        ("http.conf", http),
    ];
    let folder = Folder::new("check-errors", &files);
    let data = folder.0.join("none");
    let (text, good) = check(&folder.0, &["--data", data.to_str().unwrap()]);
    assert!(!good);
    expect![[r#"
        warning: pjsip.conf:11:9: context names `stes`, which no file defines
         11 | context=stes
            |         ^
            = did you mean `sets`?
        error: pjsip.conf:12:7: endpoint `alice` is not used: allow names the unknown codec `opsu`
         12 | allow=opsu
            |       ^
            = did you mean `opus`?
        warning: extensions.conf:3:12: application `StreamEhco` is not known
         3 |  same => n,StreamEhco(4)
           |            ^
           = did you mean `StreamEcho`?
        error: http.conf:4:13: the certificate cannot be read: /nowhere/a.pem: No such file or directory (os error 2)
         4 | tlscertfile=/nowhere/a.pem
           |             ^
           = put the certificate there, or correct `tlscertfile`
        info: database: the file DIR/none/sidetone.db is not there yet, it is made at the start
        2 errors, 2 warnings, 1 note
    "#]].assert_eq(&text);
}

#[test]
fn files_that_are_not_read_are_told() {
    let files = [
        ("pjsip.conf", TRANSPORTS),
        ("pjsip_wizard.conf", "[trunk]\ntype=wizard\n"),
        ("sip.conf", "[general]\n"),
        ("extension.conf", PLAN),
        ("queues.conf", "[general]\n"),
        ("modules.conf", "[modules]\n"),
        ("extensions.conf", "#include more.conf\n"),
        ("more.conf", PLAN),
        ("branches.conf", PLAN),
    ];
    let folder = Folder::new("check-unread", &files);
    let data = folder.0.join("none");
    let (text, good) = check(&folder.0, &["--data", data.to_str().unwrap()]);
    assert!(good, "{text}");
    expect![[r#"
        info: branches.conf: is not read
           = write `#include branches.conf` where its lines belong, if they are to count
        warning: extension.conf: is not read
           = rename it if it is to be `extensions.conf`
        warning: pjsip_wizard.conf: is not read: objects are not made by the wizard
           = write the endpoint, aor and auth into pjsip.conf
        info: queues.conf: is not read: there are no queues of agents
        warning: sip.conf: is not read: the old channel driver chan_sip, which Asterisk 21 took out
           = move it to pjsip.conf: Asterisk's contrib/scripts/sip_to_pjsip.py writes one from it
        info: database: the file DIR/none/sidetone.db is not there yet, it is made at the start
        0 errors, 3 warnings, 3 notes
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_folder_and_its_database_are_checked_together() {
    let files = [("pjsip.conf", TRANSPORTS), ("extensions.conf", PLAN)];
    let folder = Folder::new("check-database", &files);
    let data = Folder::new("check-data", &[]);
    let (config, data) = (folder.0.to_str().unwrap(), data.0.to_str().unwrap());
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../store/tests/conformance/fixtures/realtime.sql"
    );
    for arguments in [&["db", "init"][..], &["db", "exec", script]] {
        let output = sidetone(&[arguments, &["--config", config, "--data", data]].concat());
        assert!(output.status.success(), "{output:?}");
    }
    let (text, good) = check(&folder.0, &["--data", data]);
    assert!(good, "a warning is no error: {text}");
    assert!(text.contains("did you mean `transport-tls`?"), "{text}");

    // An identify may name an endpoint that the database defines, and may not name another.
    let identify = "[i]\ntype=identify\nendpoint=NAME\nmatch=192.0.2.1\n";
    for (name, expected) in [("WS_PHONE_A", false), ("WS_PHONE_X", true)] {
        let pjsip = format!("{TRANSPORTS}{}", identify.replace("NAME", name));
        std::fs::write(folder.0.join("pjsip.conf"), pjsip).unwrap();
        let (text, _) = check(&folder.0, &["--data", data]);
        let dangling = format!("endpoint names `{name}`");
        assert_eq!(text.contains(&dangling), expected, "{text}");
    }

    let (text, _) = check(&folder.0, &["--data", data, "--json"]);
    let found: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(found["ok"], true);
    let messages = found["messages"].as_array().unwrap();
    let row = messages
        .iter()
        .find(|message| message["row"] == "WS_PHONE_A");
    let row = row.expect("a message about the row of the database");
    assert_eq!(
        (&row["source"], &row["severity"]),
        (&"database".into(), &"warning".into())
    );
    let placed = messages
        .iter()
        .find(|message| message["source"] == "file")
        .unwrap();
    assert_eq!(placed["file"], "pjsip.conf");
    assert!(placed["line"].is_u64() && placed["column"].is_u64() && placed["excerpt"].is_string());
    let warnings = messages
        .iter()
        .filter(|message| message["severity"] == "warning");
    assert_eq!(found["counts"]["warnings"], warnings.count());
}

#[test]
fn a_folder_that_is_not_there_is_said_so() {
    let (text, good) = check(Path::new("/nowhere/at/all"), &[]);
    assert!(!good);
    assert_eq!(
        text,
        "sidetone: DIR is not a folder; name the folder of the files: sidetone check DIR\n"
    );
}

/// Lines of the report that stay whatever else the exchange learns: what works as in Asterisk, what is not
/// its business, what stands in files it will never read.
const EXPECTED: &str = "\
What works here of DIR
extensions.conf (read)
  works       extensions.conf:6:2: section globals works
  differs     extensions.conf:2:1: option `static` is accepted, has no effect here, because
  unsupported extensions.conf:23:12: application Queue: there are no queues of agents
  unsupported extensions.conf:40:12: application AGI: no program runs on behalf of a call
extensions_custom.conf (read, since another file includes it)
  unsupported extensions_custom.conf:3:12: application Wiat: neither Asterisk nor the exchange has
              = did you mean `Wait`?
pjsip.conf (read)
  works       pjsip.conf:39:2: endpoint alice works
  differs     pjsip.conf:28:1: option `direct_media` is accepted, has no effect here, because
  works       pjsip.conf:65:2: registration provider works
  works       pjsip.conf:92:2: identify provider works
  works       pjsip.conf:97:2: resource_list presence works
pjsip.d/carol.conf (read, since another file includes it)
  differs     pjsip.d/carol.conf:4:1: option `alow` is not known in endpoint
              = did you mean `allow`?
acl.conf (read)
  works       acl.conf:1:2: list of addresses office works
modules.conf (not read)
  works       which modules are loaded: all parts are built in, so nothing needs to be loaded
queues.conf (not read)
  unsupported queues.conf:3:2: queue support: there are no queues of agents
sip.conf (not read)
  unsupported the old channel driver chan_sip, which Asterisk 21 took out
              = move it to pjsip.conf: Asterisk's contrib/scripts/sip_to_pjsip.py writes one from it
  unsupported sip.conf:3:2: peer old-phone: the old channel driver chan_sip
voicemail.conf (not read)
extensions.ael (not read)
  unsupported the dial plan in AEL is not read
mine.conf (not read)
  differs     nothing reads it: it is no file of Asterisk's that is known here
Applications that are not there
  Queue                there are no queues of agents (extensions.conf:23)
Functions that are not there
  SHELL                no program and no file is reached from the dial plan (extensions.conf:50)
";

#[test]
fn a_folder_of_asterisk_is_reported_file_by_file() {
    let folder = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/asterisk"
    ));
    let (text, good) = check(folder, &["--asterisk"]);
    assert!(!good, "the folder has queues");
    assert!(!text.contains("hunter2"), "a secret is shown");
    for line in EXPECTED.lines() {
        assert!(text.contains(line), "{line}\nis not in\n{text}");
    }

    // No file is passed over.
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let heading = format!("\n{name} (");
        assert!(
            name == "pjsip.d" || text.contains(&heading),
            "{name} is missing"
        );
    }

    let (json, _) = check(folder, &["--asterisk", "--json"]);
    let found: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["ok"], false);
    let mut counted = 0;
    for file in found["files"].as_array().unwrap() {
        let items = file["items"].as_array().unwrap();
        counted += items
            .iter()
            .filter(|item| item["verdict"] == "unsupported")
            .count();
    }
    assert_eq!(found["counts"]["unsupported"], counted);
    let applications = found["applications"].as_array().unwrap();
    let queue = applications
        .iter()
        .find(|lacking| lacking["name"] == "Queue")
        .unwrap();
    assert_eq!(queue["places"][0], "extensions.conf:23");
}

/// What would keep HTTPS or a client out at the start is found before it.
#[test]
fn suites_and_authorities_that_cannot_be_used_are_named_with_their_place() {
    let http =
        "[general]\nenabled=yes\nbindaddr=127.0.0.1\ntlsenable=yes\ntlsbindaddr=127.0.0.1:0\n";
    let cases = [
        (
            "tlscipher=zzz\n",
            "http.conf:6:11: the cipher list \"zzz\" leaves none of the suites that are served",
        ),
        (
            "tlsverifyclient=yes\ntlscapath=/none\n",
            "http.conf:7:11: the folder of authorities cannot be read: /none: No such file or directory",
        ),
        (
            "tlsverifyclient=yes\ntlscafile=http.conf\n",
            "http.conf:7:11: cannot use the authorities in DIR/http.conf: it has no certificate",
        ),
    ];
    for (lines, said) in cases {
        let text = format!("{http}{lines}tlscertfile=none.pem\n");
        let files = [("http.conf", text.as_str()), ("extensions.conf", PLAN)];
        let folder = Folder::new("https", &files);
        let place = format!("error: {said}");
        for (arguments, said) in [(&[][..], &*place), (&["--asterisk"], said)] {
            let (text, good) = check(&folder.0, arguments);
            assert!(!good, "{text}");
            let lines: Vec<&str> = text.lines().filter(|line| line.contains(said)).collect();
            assert_eq!(lines.len(), 1, "{said}\n{text}");
            assert!(
                arguments.is_empty() || lines[0].contains("unsupported"),
                "{text}"
            );
        }
        // The file of the certificate is not there either.
        let (text, _) = check(&folder.0, &["--asterisk"]);
        assert!(
            text.contains("the certificate cannot be read: DIR/none.pem"),
            "{text}"
        );
        assert!(!text.contains("section general works"), "{text}");
    }
}

/// The plan is read as a call would read it.
#[test]
fn jumps_to_nowhere_and_variables_without_end_are_told() {
    let plan = "[sets]\nexten => 1,1,Goto(nowhere,s,1)\nexten => 2,1,NoOp(${EXTEN)\n";
    let folder = Folder::new("jumps", &[("extensions.conf", plan)]);
    for arguments in [&[][..], &["--asterisk"]] {
        let (text, _) = check(&folder.0, arguments);
        for said in [
            "extensions.conf:2:14: context `nowhere` does not exist: the call would end here",
            "extensions.conf:3:19: `${` is never closed: what follows it would be lost",
        ] {
            assert!(text.contains(said), "{said}\n{text}");
        }
    }
}

#[test]
fn a_certificate_with_the_key_of_another_is_named_with_its_place() {
    let http = "[general]\nenabled=yes\nbindaddr=127.0.0.1\ntlsenable=yes\ntlsbindaddr=127.0.0.1:0\ntlscertfile=one.pem\ntlsprivatekey=one.key\n";
    let files = [("http.conf", http), ("extensions.conf", PLAN)];
    let folder = Folder::new("keys", &files);
    for name in ["one", "other"] {
        let path = |ending: &str| {
            folder
                .0
                .join(format!("{name}.{ending}"))
                .display()
                .to_string()
        };
        let dir = folder.0.join("ca").display().to_string();
        let made = sidetone(&[
            "cert",
            "--dir",
            &dir,
            "--cert",
            &path("pem"),
            "--key",
            &path("key"),
        ]);
        assert!(made.status.success(), "{made:?}");
    }
    let (text, good) = check(&folder.0, &[]);
    assert!(good, "{text}");
    std::fs::copy(folder.0.join("other.key"), folder.0.join("one.key")).unwrap();
    let (text, good) = check(&folder.0, &[]);
    assert!(!good, "{text}");
    let said =
        "http.conf:6:13: the key in DIR/one.key does not belong to the certificate in DIR/one.pem";
    assert!(text.contains(said), "{text}");
}

/// Makes the database in a data folder, and fills it.
fn fill(data: &Path, sql: &str) {
    let script = data.join("script.sql");
    std::fs::create_dir_all(data).unwrap();
    std::fs::write(&script, sql).unwrap();
    let (data, script) = (data.to_str().unwrap(), script.to_str().unwrap());
    let done = sidetone(&["db", "exec", script, "--data", data]);
    assert!(done.status.success(), "{done:?}");
}

#[test]
fn a_slip_in_a_row_is_told_by_table_row_and_column() {
    let files = [
        ("pjsip.conf", TRANSPORTS),
        ("extensions.conf", "[sets]\nswitch => Realtime/@\n"),
        (
            "sorcery.conf",
            "[res_pjsip]\ntransport=config,pjsip.conf,criteria=type=transport\n\
             transport=realtime,ps_transports\n",
        ),
    ];
    let folder = Folder::new("check-rows", &files);
    let data = folder.0.join("data");
    fill(
        &data,
        "INSERT INTO ps_transports (id, protocol, bind) VALUES ('third', 'udp', '127.0.0.1:50600'), \
         ('fourth', 'udp', 'nowhere'); \
         INSERT INTO extensions (context, exten, priority, app, appdata) VALUES \
         ('sets', '_1[', 1, 'Answer', ''), ('sets', '100', 1, 'Anwser', ''); \
         INSERT INTO ps_endpoints (id, context, allow, transport) VALUES ('a', 'sets', 'ulaw', 'third'); \
         INSERT INTO voicemail (context, mailbox, password) VALUES ('default', '100', '1234')",
    );
    let words = ["--data", data.to_str().unwrap()];
    let (text, good) = check(&folder.0, &words);
    assert!(!good);
    for line in [
        "error: ps_transports, row fourth, column bind: transport `fourth` is not used: bind is not an IP address",
        "error: asterisk.extensions 1: the row is not used: exten `_1[`: `[` has no closing `]`",
        "warning: asterisk.extensions 2: application `Anwser` is not known\n  = did you mean `Answer`?",
        "info: database: asterisk.voicemail has rows, which are not used here: there is no voicemail yet",
    ] {
        assert!(text.contains(line), "{line} not in {text}");
    }
    // The row of the table is a transport that endpoints may name.
    assert!(!text.contains("names `third`"), "{text}");
    let (json, _) = check(&folder.0, &[&words[..], &["--json"]].concat());
    let json: Value = serde_json::from_str(&json).unwrap();
    let messages = json["messages"].as_array().unwrap();
    let row = messages
        .iter()
        .find(|message| message["row"] == "fourth")
        .unwrap();
    assert_eq!(row["source"], "database");
    assert_eq!(row["table"], "ps_transports");
    assert_eq!(row["column"], "bind");
    // So does `db check`.
    let config = folder.0.to_str().unwrap();
    let output = sidetone(&["db", "check", "--config", config, "--data", words[1]]);
    let printed = String::from_utf8(output.stdout).unwrap();
    let line = "error    ps_transports, row fourth, column bind: transport `fourth` is not used";
    assert!(printed.contains(line), "{printed}");
    assert!(!output.status.success());
}
