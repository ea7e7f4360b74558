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
    for (variable, url) in servers() {
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

/// The servers the tests run on: the variable, and the URL without user and password.
fn servers() -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for variable in ["SIDETONE_TEST_MYSQL", "SIDETONE_TEST_POSTGRES"] {
        match std::env::var(variable) {
            Ok(url) => found.push((variable, url)),
            Err(_) => {
                // Past the test's capture: what is skipped must not look like what passed.
                let sentence =
                    format!("SKIPPED: {variable} is not set; `cargo xtask test` sets it\n");
                let _ = std::io::stderr().write_all(sentence.as_bytes());
            }
        }
    }
    found
}

/// `mysql://USER@HOST/DATABASE`, and the password it had.
fn as_user(url: &str, user: &str) -> (String, String) {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (account, place) = rest.split_once('@').unwrap();
    let (_, password) = account.split_once(':').unwrap();
    (format!("{scheme}://{user}@{place}"), password.to_owned())
}

/// A folder whose `database.conf` the program reads.
struct Written(Folder);

impl Written {
    /// Runs SQL with these lines and this password in the environment; whether it is done, and what is said.
    fn exec(&self, lines: &str, environment: &str, sql: &str) -> (bool, String) {
        let folder = self.0.0.display().to_string();
        self.write(lines);
        let mut child = Command::new(env!("CARGO_BIN_EXE_sidetone"))
            .args(["db", "exec", "-", "--config", &folder, "--data", &folder])
            .env("SIDETONE_TEST_PASSWORD", environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let _ = stdin.write_all(sql.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        (output.status.success(), said)
    }

    fn write(&self, lines: &str) {
        let file = self.0.0.join("database.conf");
        std::fs::write(file, format!("[database]\n{lines}\n")).unwrap();
    }

    /// Whether the server lets us in: then it says that a table does not exist.
    fn is_in(&self, lines: &str, environment: &str) -> bool {
        let sql = "UPDATE nothing_at_all SET id = 1";
        self.exec(lines, environment, sql).1.contains("exist")
    }
}

#[test]
fn the_password_is_where_database_conf_says() {
    for (variable, url) in servers() {
        let written = Written(Folder::new(&format!("password-{variable}")));
        let (bare, password) = as_user(&url, "sidetone");
        let with = |line: &str| format!("url = {bare}\n{line}");
        let environment = with("password_env = SIDETONE_TEST_PASSWORD");
        assert!(written.is_in(&environment, &password), "{variable}");
        assert!(!written.is_in(&environment, "wrong"), "{variable}");
        let secret = written.0.0.join("secret");
        std::fs::write(secret, format!("{password}\nanother line\n")).unwrap();
        // Beside the file that names it.
        assert!(
            written.is_in(&with("password_file = secret"), ""),
            "{variable}"
        );
        assert!(!written.is_in(&with("password = wrong"), ""), "{variable}");
        let right = with(&format!("password = {password}"));
        assert!(written.is_in(&right, ""), "{variable}");
    }
}

/// A server that lets in only who shows a certificate, and whose own is checked.
#[test]
fn certificates_are_shown_and_checked_as_database_conf_says() {
    for (variable, url) in servers() {
        let Ok(ca) = std::env::var("SIDETONE_TEST_CA") else {
            continue;
        };
        let written = Written(Folder::new(&format!("certificate-{variable}")));
        client_certificate(Path::new(&ca), &written.0.0);
        let make = match variable {
            "SIDETONE_TEST_MYSQL" => {
                "CREATE OR REPLACE USER certified@'%' IDENTIFIED BY 'pw' REQUIRE X509;\n\
                 GRANT ALL ON *.* TO certified@'%';\n"
            }
            _ => "DROP ROLE IF EXISTS certified;\nCREATE ROLE certified LOGIN PASSWORD 'pw';\n",
        };
        let (done, said) = written.exec(&format!("url = {url}"), "", make);
        assert!(done, "{variable}: {said}");
        let (certified, _) = as_user(&url, "certified");
        let checked =
            |ca: &str| format!("url = {certified}\npassword = pw\ntls = verify-ca\nca_file = {ca}");
        let with_none = written.is_in(&checked(&ca), "");
        assert!(!with_none, "{variable}: it must show a certificate");
        let own = "\ncertificate = client.pem\nprivate_key = client.key";
        assert!(written.is_in(&(checked(&ca) + own), ""), "{variable}");
        let foreign = checked(&format!("{ca}.other")) + own;
        assert!(!written.is_in(&foreign, ""), "{variable}");
        // A file that is not there is found before the server is asked.
        written.write(&(checked(&ca) + &own.replace("client.key", "gone.key")));
        let folder = written.0.0.display().to_string();
        let check = Command::new(env!("CARGO_BIN_EXE_sidetone"))
            .args(["check", &folder, "--data", &folder])
            .output()
            .unwrap();
        let said = text(&check.stdout);
        let expected = "database.conf:7:15: the private key cannot be read";
        assert!(said.contains(expected), "{said}");
    }
}

/// `client.pem` and `client.key`, of the authority of the tests.
fn client_certificate(ca: &Path, folder: &Path) {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=client",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-CA")
        .arg(ca)
        .arg("-CAkey")
        .arg(ca.with_extension("key"))
        .arg("-keyout")
        .arg(folder.join("client.key"))
        .arg("-out")
        .arg(folder.join("client.pem"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}
