//! Objects of the snapshot that are rows of tables.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use config::{Config, Elsewhere, Record, Severity, diff, load_with, row_of};
use expect_test::{Expect, expect};

const SORCERY: &str = "[res_pjsip]\nglobal=realtime,ps_globals\nglobal=config,pjsip.conf,criteria=type=global\n\
    system=realtime,ps_systems\n\
    transport=config,pjsip.conf,criteria=type=transport\ntransport=realtime,ps_transports\n\
    domain_alias=realtime,ps_domain_aliases\n\
    [res_pjsip_outbound_registration]\nregistration=realtime,ps_registrations\n";

fn row(name: &str, values: &[(&str, &str)]) -> Record {
    let values = values.iter();
    Record {
        name: name.to_owned(),
        values: values
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

/// What the files and these rows say, and what is wrong with them.
fn read(pjsip: &str, sorcery: &str, rows: &[(&str, Vec<Record>)]) -> (Config, String) {
    let files = [
        ("pjsip.conf", pjsip),
        ("sorcery.conf", sorcery),
        ("extensions.conf", "[c]\nexten => 1,1,Answer()\n"),
    ];
    let rows = rows.iter();
    let elsewhere = Elsewhere {
        rows: rows
            .map(|(kind, rows)| ((*kind).to_owned(), rows.clone()))
            .collect(),
        ..Elsewhere::default()
    };
    let (config, said) = load_with(&files.as_slice(), &elsewhere);
    let said = said.iter().filter(|d| d.severity > Severity::Info);
    let said = said.map(|d| format!("{} {d}\n", d.severity)).collect();
    (config.unwrap(), said)
}

fn check(pjsip: &str, rows: &[(&str, Vec<Record>)], expected: &Expect) -> Config {
    let (config, said) = read(pjsip, SORCERY, rows);
    expected.assert_eq(&said);
    config
}

#[test]
fn rows_become_objects_beside_those_of_the_file() {
    let pjsip = "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1\n\
        [alice]\ntype=endpoint\ncontext=c\nallow=opus\ntransport=tcp\n[out]\ntype=auth\npassword=x\n";
    let rows = [
        (
            "global",
            vec![row(
                "g",
                &[
                    ("user_agent", "Ours"),
                    ("max_forwards", ""),
                    ("colour", "green"),
                ],
            )],
        ),
        (
            "transport",
            vec![row(
                "tcp",
                &[
                    ("protocol", "tcp"),
                    ("bind", "127.0.0.1:5070"),
                    ("cert_file", "a.pem"),
                ],
            )],
        ),
        (
            "domain_alias",
            vec![row("example.net", &[("domain", "example.com")])],
        ),
        (
            "registration",
            vec![row(
                "acme",
                &[
                    ("server_uri", "sip:acme.example.com"),
                    ("client_uri", "sip:us@acme.example.com"),
                    ("outbound_auth", "out"),
                    ("transport", "tcp"),
                ],
            )],
        ),
    ];
    let config = check(pjsip, &rows, &expect![[""]]);
    assert_eq!(config.global.user_agent.as_deref(), Some("Ours"));
    assert_eq!(config.global.max_forwards, 70);
    let ids: Vec<&str> = config.transports.iter().map(|t| t.id.as_str()).collect();
    assert_eq!(ids, ["udp", "tcp"]);
    assert_eq!(
        config.transports[1].title(),
        "ps_transports, row tcp: transport `tcp`"
    );
    assert_eq!(config.domain_aliases["example.net"], "example.com");
    assert_eq!(config.registrations[0].id, "acme");
    // A changed row is a change like any other.
    let (old, _) = read(pjsip, SORCERY, &[]);
    let said: String = diff(&old, &config)
        .iter()
        .map(|c| format!("{c}\n"))
        .collect();
    expect![[r#"
        ~ global: user_agent (none) → Ours
        + transport tcp
        + registration acme
        + domain_alias example.net
    "#]]
    .assert_eq(&said);
}

#[test]
fn what_is_wrong_with_a_row_is_said_by_table_row_and_column() {
    let rows = [
        ("global", vec![row("g", &[("max_forwards", "many")])]),
        (
            "transport",
            vec![
                row("a", &[("protocol", "udpp"), ("bind", "127.0.0.1:5071")]),
                row("b", &[("protocol", "tls"), ("bind", "127.0.0.1:5072")]),
                row("c", &[("protocol", "udp"), ("bind", "127.0.0.1:5073")]),
                row("d", &[("protocol", "udp"), ("bind", "127.0.0.1:5073")]),
            ],
        ),
        ("domain_alias", vec![row("example.net", &[("domain", "")])]),
        (
            "registration",
            vec![
                row(
                    "acme",
                    &[
                        ("server_uri", "sip:acme.example.com"),
                        ("client_uri", "sip:us@acme.example.com"),
                        ("outbound_auth", "nobody"),
                        ("expiration", "soon"),
                    ],
                ),
                row(
                    "other",
                    &[
                        ("server_uri", "sip:acme.example.com"),
                        ("client_uri", "sip:us@acme.example.com"),
                        ("outbound_auth", "nobody"),
                    ],
                ),
            ],
        ),
    ];
    let config = check(
        "",
        &rows,
        &expect![[r#"
        error ps_globals, row g, column max_forwards: global `g` is not used: max_forwards is not a number from 1 to 255
           = write a number from 1 to 255
        error ps_domain_aliases, row example.net: domain_alias `example.net` has no domain and is not used
           = add `domain=example.com`
        error ps_registrations, row acme, column expiration: registration `acme` is not used: expiration is not a number from 1 to 31536000
           = write a number from 1 to 31536000
        error ps_transports, row a, column protocol: transport `a` is not used: protocol is none of udp, tcp, tls, ws, wss
           = did you mean `udp`?
        error ps_transports, row b: transport `b`: protocol=tls needs `cert_file`: nothing listens
           = add `cert_file=…`; `sidetone cert` makes a certificate
        error ps_transports, row d: transport `d` is left out: `c` (ps_transports, row c) listens on 127.0.0.1:5073 already
           = give one of them another `bind`, or take one out
        warning ps_registrations, row other, column outbound_auth: outbound_auth names `nobody`, which no file defines
           = add `[nobody]` with `type=auth`, or a row to ps_auths
    "#]],
    );
    let ids: Vec<&str> = config.transports.iter().map(|t| t.id.as_str()).collect();
    assert_eq!(ids, ["b", "c"]);
}

#[test]
fn the_place_of_a_row_can_be_taken_apart() {
    let files = [("sorcery.conf", SORCERY)];
    let elsewhere = Elsewhere {
        rows: [("transport".to_owned(), vec![row("a, b", &[("bind", "x")])])].into(),
        ..Elsewhere::default()
    };
    let (_, said) = load_with(&files.as_slice(), &elsewhere);
    let place = said.iter().find_map(row_of);
    assert_eq!(place, Some(("ps_transports", "a, b", Some("bind"))));
}

#[test]
fn the_first_place_that_sorcery_names_has_the_object() {
    let pjsip = "[global]\ntype=global\nuser_agent=File\n[system]\ntype=system\n\
        [udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1\n";
    let rows = [
        (
            "global",
            vec![
                row("g", &[("user_agent", "Table")]),
                row("h", &[("user_agent", "Late")]),
            ],
        ),
        (
            "transport",
            vec![row("udp", &[("protocol", "udp"), ("bind", "127.0.0.2")])],
        ),
    ];
    let config = check(
        pjsip,
        &rows,
        &expect![[r#"
        warning ps_globals, row h: global `h` is left out: there is one already, which is looked for first
           = keep one of them; the order of the lines in sorcery.conf says which is first
        warning pjsip.conf:1:2: global `global` is left out: there is one already, which is looked for first
         1 | [global]
           |  ^
           = keep one of them; the order of the lines in sorcery.conf says which is first
        warning sorcery.conf: objects `system` are looked for in the database alone: 1 of pjsip.conf are not used
           = add `system=config,pjsip.conf,criteria=type=system` to [res_pjsip]
        warning ps_transports, row udp: transport `udp` is left out: there is one already, which is looked for first
           = keep one of them; the order of the lines in sorcery.conf says which is first
    "#]],
    );
    assert_eq!(config.global.user_agent.as_deref(), Some("Table"));
    assert_eq!(config.transports[0].bind.to_string(), "127.0.0.1:5060");
}

#[test]
fn rows_that_sorcery_does_not_name_are_none() {
    let rows = [("global", vec![row("g", &[("user_agent", "Table")])])];
    let (config, said) = read("", "", &rows);
    assert_eq!((config.global.user_agent, said.as_str()), (None, ""));
    let (_, said) = read(
        "",
        "[res_pjsip]\nregistration=realtime,ps_registrations\n",
        &[],
    );
    expect![[r#"
        warning sorcery.conf:2:1: objects `registration` are looked for where [res_pjsip_outbound_registration] says
         2 | registration=realtime,ps_registrations
           | ^
           = move the line to [res_pjsip_outbound_registration]
    "#]].assert_eq(&said);
}
