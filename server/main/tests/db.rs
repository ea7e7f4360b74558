//! `sidetone db` as it is typed, on each database.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const CHAPTER: &str = include_str!("../../store/tests/conformance/fixtures/realtime.sql");

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sidetone-db-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs `sidetone db …` with the SQL on its standard input.
fn db(data: &Path, words: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sidetone"))
        .arg("db")
        .args(words)
        .arg("--data")
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that reads nothing may be gone already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// From nothing to the chapter's two phones; then the same again, which fails with its line.
fn walk(name: &str, url: Option<&str>, chapter: &str) {
    let folder = Folder::new(name);
    let with_url = |words: &[&'static str]| -> Vec<String> {
        let words = words.iter().map(|word| (*word).to_owned());
        let url = url
            .into_iter()
            .flat_map(|url| ["--database".to_owned(), url.to_owned()]);
        words.chain(url).collect()
    };
    let run = |words: &[&'static str], input: &str| {
        let words = with_url(words);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        db(&folder.0, &words, input)
    };
    let init = run(&["init"], "");
    assert!(init.status.success(), "{}", text(&init.stderr));
    assert!(
        text(&init.stdout).contains("made the table"),
        "{}",
        text(&init.stdout)
    );
    let exec = run(&["exec", "-"], chapter);
    assert_eq!(
        text(&exec.stdout),
        "6 rows changed\n",
        "{}",
        text(&exec.stderr)
    );
    let again = run(&["exec", "-"], &format!("-- again\n\n{chapter}"));
    assert!(!again.status.success());
    let said = text(&again.stderr);
    assert!(
        said.contains("standard input: line 3: ") && said.contains("`UPDATE`"),
        "{said}"
    );
    let check = run(&["check", "--json"], "");
    assert!(check.status.success(), "{}", text(&check.stderr));
    let findings: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap();
    let said = findings.to_string();
    assert!(
        said.contains("endpoint WS_PHONE_A: transport names `transporttls`"),
        "{said}"
    );
    let init = run(&["init"], "");
    assert!(
        !text(&init.stdout).contains("made the table"),
        "{}",
        text(&init.stdout)
    );
}

#[test]
fn the_chapter_is_walked_on_the_embedded_database() {
    walk("sqlite", None, CHAPTER);
}

#[test]
fn the_chapter_is_walked_on_servers_whose_database_is_not_there_yet() {
    for variable in ["SIDETONE_TEST_MYSQL", "SIDETONE_TEST_POSTGRES"] {
        let Ok(url) = std::env::var(variable) else {
            // Past the test's capture: what is skipped must not look like what passed.
            let sentence = format!("SKIPPED: {variable} is not set; `cargo xtask test` sets it\n");
            let _ = std::io::stderr().write_all(sentence.as_bytes());
            continue;
        };
        let (server, _) = url.rsplit_once('/').unwrap();
        let name = format!("db_test_{}", std::process::id());
        // On MariaDB the name before the table is the database's.
        let chapter = match variable {
            "SIDETONE_TEST_MYSQL" => CHAPTER.replace("asterisk.", &format!("{name}.")),
            _ => CHAPTER.to_owned(),
        };
        walk(variable, Some(&format!("{server}/{name}")), &chapter);
    }
}

#[test]
fn a_table_that_is_not_there_is_told_how_to_be_made() {
    let folder = Folder::new("missing");
    let done = db(
        &folder.0,
        &["exec", "-"],
        "INSERT INTO ps_aor (id) VALUES ('a')",
    );
    let said = text(&done.stderr);
    assert!(
        !done.status.success() && said.contains("`sidetone db init`"),
        "{said}"
    );
    let done = db(
        &folder.0,
        &["check", "--database", "mysql://u@127.0.0.1:9/d"],
        "",
    );
    assert!(!done.status.success());
    let said = text(&done.stdout);
    assert!(
        said.starts_with("error ") && said.contains("→ start the server"),
        "{said}"
    );
    let done = db(&folder.0, &["check", "--database", "mysq://u@h/d"], "");
    let said = text(&done.stderr);
    assert!(said.contains("did you mean `mysql:`?"), "{said}");
}
