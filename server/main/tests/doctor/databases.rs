//! Faults of the database.

use std::fs;

use crate::patient::Patient;
use crate::ports::free_port;

const ROWS: &str = "
INSERT INTO ps_aors (id, max_contacts) VALUES ('row', 2);
INSERT INTO ps_auths (id, auth_type, username, password) VALUES ('row', 'userpass', 'row', 'secret');
INSERT INTO ps_endpoints (id, aors, auth, context, webrtc, disallow, allow, transport)
VALUES ('row', 'row', 'row', 'sets', 'yes', 'all', 'opus', 'transport-udp');
";

/// A patient whose only account is in the database.
fn patient() -> Patient {
    let patient = Patient::new();
    let text = fs::read_to_string(patient.etc("pjsip.conf")).unwrap();
    let (_, transport) = text.split_once("[transport-udp]").unwrap();
    patient.write("pjsip.conf", &format!("[transport-udp]{transport}"));
    patient.sql(ROWS);
    patient
}

#[test]
fn an_account_of_the_database_registers_and_calls() {
    let verdict = patient().examine();
    for link in ["database", "register", "call"] {
        assert_eq!(verdict.outcome(link), "ok", "{link}: {:#}", verdict.json);
    }
    assert!(
        verdict.summary("call").contains("600 as row"),
        "{:#}",
        verdict.json
    );
}

#[test]
fn names_of_rows_that_nothing_defines_are_named() {
    for (sql, sentence, cure) in [
        (
            "UPDATE ps_endpoints SET transport = 'transportudp'",
            "transport names `transportudp`",
            "UPDATE ps_endpoints SET transport = 'transport-udp' WHERE id = 'row'",
        ),
        (
            "UPDATE ps_endpoints SET auth = 'raw'",
            "auth names `raw`",
            "did you mean `row`?",
        ),
        (
            "UPDATE ps_endpoints SET aors = 'raw'",
            "aors names `raw`",
            "did you mean `row`?",
        ),
        (
            "UPDATE ps_endpoints SET context = 'set'",
            "context names `set`",
            "context = 'sets'",
        ),
        (
            "UPDATE ps_endpoints SET allow = ''",
            "no codec is allowed",
            "set allow",
        ),
    ] {
        let patient = patient();
        patient.sql(sql);
        let verdict = patient.examine();
        verdict.warns("database", "ps_endpoints, row row", sentence, cure);
    }
}

#[test]
fn a_wrong_password_in_the_database_is_named_by_its_row() {
    let mut patient = patient();
    patient.argument(&["--user", "row", "--password", "wrong"]);
    let verdict = patient.examine();
    verdict.fails(
        "register",
        "table ps_auths, row row",
        "is refused with 4",
        "compare username and password",
    );
}

#[test]
fn a_missing_column_is_named() {
    let patient = patient();
    patient.sql("ALTER TABLE ps_endpoints DROP COLUMN webrtc");
    let verdict = patient.examine();
    let findings = verdict.json["links"][1].to_string();
    assert!(
        findings.contains("webrtc") && findings.contains("cure"),
        "{findings}"
    );
    assert_ne!(verdict.outcome("database"), "ok");
}

#[test]
fn a_missing_table_is_named() {
    let patient = patient();
    patient.sql("DROP TABLE ps_auths");
    let verdict = patient.examine();
    let findings = verdict.json["links"][1].to_string();
    assert!(
        findings.contains("ps_auths") && findings.contains("db init"),
        "{findings}"
    );
    assert_eq!((verdict.outcome("database"), verdict.code), ("failed", 1));
}

#[test]
fn a_damaged_database_is_named() {
    let patient = Patient::new();
    fs::write(
        patient.path("data/sidetone.db"),
        "this is no database, is it?".repeat(100),
    )
    .unwrap();
    let verdict = patient.examine();
    verdict.fails("database", "", "cannot be reached", "");
}

#[test]
fn a_database_that_is_down_is_named_and_the_files_still_work() {
    let patient = Patient::new();
    let url = format!("url=mysql://asterisk:x@127.0.0.1:{}/asterisk", free_port());
    patient.write("database.conf", &format!("[general]\n{url}\n"));
    let verdict = patient.examine();
    verdict.fails("database", "", "cannot be reached", "");
    assert_eq!(verdict.outcome("call"), "ok", "{:#}", verdict.json);
}
