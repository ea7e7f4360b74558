//! What an inspection finds, and the cure it names.

use crate::support::{Scratch, files, on_every_database, server};
use config::{Config, Database, Severity};
use store::{About, Dialect, Finding, inspect};

on_every_database!(
    a_database_that_was_made_is_without_fault,
    an_empty_database_is_told_how_to_be_filled,
    slips_in_rows_are_named_with_what_was_meant,
    columns_missing_and_unknown_are_named,
);

fn config(scratch: &Scratch, pjsip: &str) -> Config {
    let mut config = Config::clone(&files(pjsip));
    config.database = scratch.database.clone();
    config
}

async fn faults(scratch: &Scratch, pjsip: &str) -> Vec<Finding> {
    let mut found = inspect(&config(scratch, pjsip), &scratch.folder.file()).await;
    found.retain(|finding| finding.severity > Severity::Info);
    found
}

/// Whether one of the findings says this, and its cure that.
fn says(findings: &[Finding], message: &str, cure: &str) -> bool {
    findings.iter().any(|finding| {
        finding.message.contains(message)
            && finding.cure.as_deref().unwrap_or_default().contains(cure)
    })
}

async fn a_database_that_was_made_is_without_fault(scratch: Scratch) {
    scratch.store("").await;
    let found = inspect(&config(&scratch, ""), &scratch.folder.file()).await;
    let faults = found
        .iter()
        .filter(|finding| finding.severity > Severity::Info);
    assert_eq!(faults.count(), 0, "{found:#?}");
    let abouts: Vec<&About> = found.iter().map(|finding| &finding.about).collect();
    assert!(abouts.contains(&&About::Connection) && abouts.contains(&&About::Server));
    assert!(says(
        &found,
        "ps_contacts: SELECT, INSERT, UPDATE, DELETE allowed",
        ""
    ));
}

async fn an_empty_database_is_told_how_to_be_filled(scratch: Scratch) {
    if scratch.dialect == Dialect::Sqlite {
        let found = inspect(&config(&scratch, ""), &scratch.folder.file()).await;
        assert!(says(&found, "is not there yet", ""), "{found:#?}");
        assert!(
            !scratch.folder.file().exists(),
            "an inspection makes nothing"
        );
        let mut elsewhere = config(&scratch, "");
        elsewhere.database.place = config::Place::Sqlite("/nowhere/of/this/name/x.db".into());
        let found = inspect(&elsewhere, &scratch.folder.file()).await;
        assert!(
            says(
                &found,
                "cannot be made",
                "make the folder /nowhere/of/this/name"
            ),
            "{found:#?}"
        );
        std::fs::write(scratch.folder.file(), "").unwrap();
    }
    let found = faults(&scratch, "").await;
    assert!(
        says(&found, "ps_endpoints", "`sidetone db init` makes it"),
        "{found:#?}"
    );
    let store = scratch.store_as_it_is("").await;
    if scratch.dialect != Dialect::Sqlite {
        assert_eq!(
            store.backend().unwrap().columns("ps_aors").await.unwrap(),
            [""; 0]
        );
    }
}

async fn slips_in_rows_are_named_with_what_was_meant(scratch: Scratch) {
    let store = scratch.store("").await;
    store.run_script(&scratch.chapter()).await.unwrap();
    let script = "UPDATE ps_endpoints SET auth = 'WS_PHONE_BB' WHERE id = 'WS_PHONE_B'; \
                  INSERT INTO ps_aors (id) VALUES ('quiet'); \
                  INSERT INTO ps_endpoints (id, context, allow) VALUES ('bad', 'sets', 'opsu')";
    store.run_script(script).await.unwrap();
    let pjsip = "[transport-tls]\ntype=transport\nprotocol=tls\n\
                 [transport-udp]\ntype=transport\nprotocol=udp\n";
    let found = faults(&scratch, pjsip).await;
    let cure = "SET transport = 'transport-tls' WHERE id = 'WS_PHONE_A'";
    assert!(says(&found, "`transporttls`", cure), "{found:#?}");
    assert!(
        says(&found, "`WS_PHONE_BB`", "did you mean `WS_PHONE_B`?"),
        "{found:#?}"
    );
    assert!(says(&found, "aor quiet", "max_contacts = 1"), "{found:#?}");
    assert!(
        says(&found, "endpoint bad is not used", "did you mean `opus`?"),
        "{found:#?}"
    );
    assert_eq!(found.len(), 4, "{found:#?}");
}

async fn columns_missing_and_unknown_are_named(scratch: Scratch) {
    let store = scratch.store("").await;
    let table = store.backend().unwrap().table("ps_aors");
    let sql = format!(
        "ALTER TABLE {table} DROP COLUMN qualify_2xx_only; \
         ALTER TABLE {table} ADD COLUMN favourite_colour VARCHAR(9)"
    );
    store.run_script(&sql).await.unwrap();
    let found = inspect(&config(&scratch, ""), &scratch.folder.file()).await;
    assert!(
        says(&found, "lacks qualify_2xx_only", "`sidetone db init`"),
        "{found:#?}"
    );
    assert!(
        says(&found, "cdr: SELECT, INSERT allowed", ""),
        "{found:#?}"
    );
    assert!(says(&found, "also has favourite_colour", ""), "{found:#?}");
}

#[tokio::test]
async fn rights_a_user_lacks_are_named_with_the_grant() {
    for (variable, scratch) in [
        ("SIDETONE_TEST_MYSQL", Scratch::mysql().await),
        ("SIDETONE_TEST_POSTGRES", Scratch::postgres().await),
    ] {
        let Some(scratch) = scratch else { continue };
        let store = scratch.store("").await;
        let user = crate::support::unique("u").replace('-', "_");
        let sql = match scratch.dialect {
            Dialect::MySql => {
                format!("CREATE USER {user} IDENTIFIED BY 'pw'; GRANT SELECT ON *.* TO {user}")
            }
            _ => format!(
                "CREATE ROLE {user} LOGIN PASSWORD 'pw'; GRANT USAGE ON SCHEMA asterisk TO {user}; \
                 GRANT SELECT ON ALL TABLES IN SCHEMA asterisk TO {user}"
            ),
        };
        store.run_script(&sql).await.unwrap();
        let mut config = config(&scratch, "");
        let (config::Place::MySql(server) | config::Place::Postgres(server)) =
            &mut config.database.place
        else {
            panic!("{variable} is a server");
        };
        server.user.clone_from(&user);
        server.password = config::Password::Written(config::Secret::new("pw"));
        let found = inspect(&config, &scratch.folder.file()).await;
        let grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON ps_contacts TO";
        assert!(
            says(&found, "INSERT, UPDATE, DELETE not allowed", grant),
            "{found:#?}"
        );
        assert!(says(&found, "ps_auths: SELECT allowed", ""), "{found:#?}");
    }
}

#[tokio::test]
async fn why_a_server_cannot_be_reached_decides_the_cure() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    let mut urls = vec![
        (format!("mysql://u@127.0.0.1:{port}/d"), "start the server"),
        (
            format!("postgres://u@127.0.0.1:{port}/d"),
            "start the server",
        ),
    ];
    for variable in ["SIDETONE_TEST_MYSQL", "SIDETONE_TEST_POSTGRES"] {
        if let Some(url) = server(variable) {
            urls.push((
                url.replace(":conformance@", ":wrong@"),
                "correct user and password",
            ));
            urls.push((
                url.replace("/asterisk", "/no_such_database"),
                "CREATE DATABASE",
            ));
            let authority = "?sslmode=verify-ca&sslrootcert=/nowhere/ca.pem";
            urls.push((format!("{url}{authority}"), "correct what names it"));
            if let Some(ca) = server("SIDETONE_TEST_CA") {
                let other = format!("{url}?sslmode=verify-ca&sslrootcert={ca}.other");
                urls.push((other, "ca_file"));
            }
        }
    }
    for (url, cure) in urls {
        let mut config = Config::clone(&files(""));
        config.database = Database::default().at_url(&url).unwrap();
        let found = inspect(&config, std::path::Path::new("/nowhere")).await;
        assert_eq!(found.len(), 1, "{url}: {found:#?}");
        assert!(says(&found, "cannot be reached", cure), "{url}: {found:#?}");
    }
}
