//! Rows that are read with the files: what holds for all of SIP, transports, aliases, registrations.

use crate::support::{Scratch, on_every_database};
use config::{Config, Elsewhere, Severity, load, load_with};
use store::{Store, inspect, objects};

on_every_database!(
    rows_that_sorcery_names_become_objects,
    a_table_that_cannot_be_read_is_named,
    rows_that_nobody_reads_are_told,
);

const SORCERY: &str = "[res_pjsip]\nglobal=realtime,ps_globals\nsystem=realtime,ps_systems\n\
    transport=realtime,ps_transports\ndomain_alias=realtime,ps_domain_aliases\n\
    [res_pjsip_outbound_registration]\nregistration=realtime,ps_registrations\n";

/// Every kind of object; numbers, words and truths in the types Asterisk gives them.
const ROWS: &str = "INSERT INTO ps_globals (id, max_forwards, user_agent, disable_multi_domain) \
        VALUES ('g', 33, 'Ours', 'yes'); \
    INSERT INTO ps_systems (id, timer_t1) VALUES ('s', 400); \
    INSERT INTO ps_transports (id, protocol, bind, tos, tcp_keepalive_enable, tcp_keepalive_idle_time, method) \
        VALUES ('tcp', 'tcp', '127.0.0.1:5070', 'cs3', TRUE, 60, NULL); \
    INSERT INTO ps_domain_aliases (id, domain) VALUES ('example.net', 'example.com'); \
    INSERT INTO ps_registrations (id, server_uri, client_uri, outbound_auth, expiration, transport) \
        VALUES ('acme', 'sip:acme.example.com', 'sip:us@acme.example.com', 'out', 120, 'tcp'); \
    INSERT INTO ps_auths (id, username, password) VALUES ('out', 'us', 'x'), ('other', 'o', 'y')";

const FILES: [(&str, &str); 1] = [("sorcery.conf", SORCERY)];

fn config(scratch: &Scratch, files: &[(&str, &str)]) -> Config {
    let mut config = load(&files).0.unwrap();
    config.database.place = scratch.database.place.clone();
    config
}

async fn filled(scratch: &Scratch) -> Store {
    let store = scratch.store("").await;
    store.run_script(ROWS).await.unwrap();
    store
}

async fn rows_that_sorcery_names_become_objects(scratch: Scratch) {
    filled(&scratch).await;
    let config = config(&scratch, &FILES);
    let rows = objects(&config, &scratch.folder.file()).await.unwrap();
    let elsewhere = Elsewhere {
        rows,
        ..Elsewhere::default()
    };
    let (config, said) = load_with(&FILES.as_slice(), &elsewhere);
    let said: Vec<_> = said
        .iter()
        .filter(|message| message.severity > Severity::Info)
        .collect();
    assert!(said.is_empty(), "{said:?}");
    let config = config.unwrap();
    assert_eq!(config.global.user_agent.as_deref(), Some("Ours"));
    assert_eq!(config.global.max_forwards, 33);
    assert!(config.global.disable_multi_domain);
    assert_eq!(config.system.timer_t1_ms, 400);
    let transport = &config.transports[0];
    assert_eq!(transport.bind.to_string(), "127.0.0.1:5070");
    assert!(transport.tcp_keepalive_enable);
    assert_eq!(transport.tcp_keepalive_idle_time, 60);
    assert_eq!(config.domain_aliases["example.net"], "example.com");
    assert_eq!(config.registrations[0].expiration_s, 120);
    let auths: Vec<&String> = config.registration_auths.keys().collect();
    assert_eq!(auths, ["out"], "those that are named");
}

async fn a_table_that_cannot_be_read_is_named(scratch: Scratch) {
    let store = filled(&scratch).await;
    let target = store.backend().unwrap().table("ps_transports");
    let sql = format!("DROP TABLE {target}");
    store.run_script(&sql).await.unwrap();
    let config = config(&scratch, &FILES);
    let (table, _) = objects(&config, &scratch.folder.file()).await.unwrap_err();
    assert_eq!(table, "ps_transports");
    let found = inspect(&config, &scratch.folder.file()).await;
    let fault = found
        .iter()
        .find(|finding| finding.message == format!("there is no table {target}"));
    assert!(
        fault.is_some_and(|fault| fault.severity == Severity::Error),
        "{found:#?}"
    );
}

async fn rows_that_nobody_reads_are_told(scratch: Scratch) {
    let store = filled(&scratch).await;
    let sql = "INSERT INTO voicemail (context, mailbox, password) VALUES ('default', '100', '1234'); \
               INSERT INTO musiconhold (name) VALUES ('default')";
    store.run_script(sql).await.unwrap();
    // Without a word in sorcery.conf nothing is read.
    let config = config(&scratch, &[]);
    assert!(
        objects(&config, &scratch.folder.file())
            .await
            .unwrap()
            .is_empty()
    );
    let found = inspect(&config, &scratch.folder.file()).await;
    let told = |message: &str, cure: &str| {
        found.iter().any(|finding| {
            finding.severity == Severity::Info
                && finding.message.contains(message)
                && finding.cure.as_deref().unwrap_or_default().contains(cure)
        })
    };
    for (message, cure) in [
        (
            "ps_transports has rows, which are not used here",
            "`transport=realtime,ps_transports` under [res_pjsip]",
        ),
        (
            "ps_registrations has rows",
            "under [res_pjsip_outbound_registration]",
        ),
        (
            "voicemail has rows, which are not used here: there is no voicemail yet",
            "",
        ),
        (
            "musiconhold has rows, which are not used here: music on hold is read from musiconhold.conf",
            "",
        ),
    ] {
        assert!(told(message, cure), "{message}: {found:#?}");
    }
    assert!(!told("queues has rows", ""));
}
