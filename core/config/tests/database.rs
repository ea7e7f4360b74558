//! Which database the files choose, and what is said about slips in them.

use config::{Config, Database, Origin, Password, Place, Secret, Severity, TlsMode, load};
use expect_test::{Expect, expect};

fn read(files: &[(&str, &str)]) -> (Database, String) {
    let (config, said) = load(&files);
    let said = said.iter().filter(|d| d.severity > Severity::Info);
    let said = said.map(|d| format!("{} {d}\n", d.severity)).collect();
    (
        config
            .map(|config: Config| config.database)
            .unwrap_or_default(),
        said,
    )
}

fn check(files: &[(&str, &str)], expected: &Expect) -> Database {
    let (database, said) = read(files);
    expected.assert_eq(&said);
    database
}

const EXTCONFIG: &str = "[settings]\nps_endpoints => odbc,asterisk\nps_auths => odbc,asterisk\n\
                         ps_aors => odbc,asterisk,my_aors\nvoicemail => odbc,asterisk\n\
                         ps_endpoint_id_ips => odbc,asterisk,my_peers\n\
                         ps_domain_aliases => odbc,asterisk\n";
const RES_ODBC: &str = "[asterisk]\nenabled => yes\ndsn => asterisk-connector\n\
                        username => asterisk\npassword => ODBCpw\npre-connect => yes\n\
                        sanitysql => select 1\nmax_connections => 20\n";
const SORCERY: &str = "[res_pjsip]\nendpoint=realtime,ps_endpoints\n\
                       endpoint=config,pjsip.conf,criteria=type=endpoint\n\
                       auth=realtime,ps_auths\naor=realtime,ps_aors\n\
                       domain_alias=realtime,ps_domain_aliases\n\
                       endpoint/cache=memory_cache,expire_on_reload=yes\n\
                       [res_pjsip_endpoint_identifier_ip]\n\
                       identify=realtime,ps_endpoint_id_ips\n";

#[test]
fn nothing_said_is_the_file_in_the_data_folder() {
    let database = check(&[], &expect![""]);
    assert_eq!(database, Database::default());
    assert_eq!(database.origins("endpoint"), [Origin::Files, Origin::Table]);
}

#[test]
fn a_url_chooses_the_database_and_the_password_may_be_elsewhere() {
    let text = "[database]\nurl = postgres://sip@db.example:5433/pbx\npassword_file = /run/pw\n\
                tls = verify-full\nca_file = /ca.pem\npool_size = 25\nquery_timeout = 900\n\
                [tables]\nps_endpoints = phones\n";
    let database = check(&[("database.conf", text)], &expect![""]);
    let Place::Postgres(server) = &database.place else {
        panic!("{database:?}");
    };
    assert_eq!(server.password, Password::File("/run/pw".to_owned()));
    assert_eq!(server.tls.mode, TlsMode::VerifyFull);
    assert_eq!(server.tls.ca_file.as_deref(), Some("/ca.pem"));
    assert_eq!((database.pool_size, database.query_timeout_ms), (25, 900));
    assert_eq!(database.table("ps_endpoints"), "phones");
    assert_eq!(
        database.place.to_string(),
        "postgres://sip@db.example:5433/pbx"
    );
}

#[test]
fn slips_in_database_conf_are_shown_without_the_password() {
    let text = "[database]\nurl = postgress://u:topsecret@h/d\ntls = requir\npool_sise = 3\n";
    let database = check(
        &[("database.conf", text)],
        &expect![[r#"
        error database.conf:2:7: option is left out: url `postgress:` is no database that is known here, sqlite, mysql, mariadb and postgres are; did you mean `postgres:`?
         2 | url =…
           |       ^
           = write for example `mysql://user@host/asterisk`
        error database.conf:3:7: option is left out: tls is none of disable, prefer, require, verify-ca, verify-full
         3 | tls = requir
           |       ^
           = did you mean `require`?
        warning database.conf:4:1: option `pool_sise` is not known in database.conf
         4 | pool_sise=…
           | ^
           = did you mean `pool_size`?
    "#]],
    );
    assert_eq!(database.place, Place::DataFolder);
}

#[test]
fn asterisk_s_own_files_lead_to_the_server_through_odbc() {
    let odbc = "# unixODBC\n[asterisk-connector]\nDescription = MySQL connection to 'asterisk'\n\
                Driver = MariaDB\nServer = 192.0.2.7\nPort = 3307\nDatabase = asterisk\n\
                Socket = /run/mysqld/mysqld.sock\n";
    let files = [
        ("extconfig.conf", EXTCONFIG),
        ("sorcery.conf", SORCERY),
        ("res_odbc.conf", RES_ODBC),
        ("/etc/odbc.ini", odbc),
    ];
    let database = check(&files, &expect![""]);
    let Place::MySql(server) = &database.place else {
        panic!("{database:?}");
    };
    assert_eq!(
        (server.host.as_str(), server.port),
        ("192.0.2.7", Some(3307))
    );
    assert_eq!(
        (server.user.as_str(), server.database.as_str()),
        ("asterisk", "asterisk")
    );
    assert_eq!(server.password, Password::Written(Secret::new("ODBCpw")));
    assert_eq!(database.pool_size, 20);
    assert_eq!(database.table("ps_aors"), "my_aors");
    assert_eq!(database.origins("endpoint"), [Origin::Table, Origin::Files]);
    assert_eq!(database.origins("auth"), [Origin::Table]);
    assert_eq!(database.origins("identify"), [Origin::Table]);
    assert_eq!(database.table("ps_endpoint_id_ips"), "my_peers");
    assert_eq!(database.origins("contact"), [Origin::Files, Origin::Table]);
}

#[test]
fn a_driver_of_another_name_is_found_by_its_file() {
    let files = [
        ("extconfig.conf", EXTCONFIG),
        ("res_odbc.conf", RES_ODBC),
        (
            "odbc.ini",
            "[asterisk-connector]\nDriver=ours\nServername=::1\nDatabase=pbx\n",
        ),
        (
            "/etc/odbcinst.ini",
            "[ours]\nDriver=/usr/lib/odbc/psqlodbcw.so\n",
        ),
    ];
    let database = check(&files, &expect![""]);
    assert_eq!(database.place.to_string(), "postgres://asterisk@[::1]/pbx");
}

#[test]
fn the_other_drivers_of_asterisk_are_read() {
    let extconfig = |driver: &str| format!("[settings]\nps_endpoints => {driver},general,phones\n");
    let (postgres, mysql, sqlite) = (extconfig("pgsql"), extconfig("mysql"), extconfig("sqlite3"));
    let settings = "[general]\ndbhost=h\ndbname=d\ndbuser=u\ndbpass=p\nrequirements=warn\n";
    let of = |files: &[(&str, &str)]| check(files, &expect![""]).place.to_string();
    let files = [
        ("extconfig.conf", postgres.as_str()),
        ("res_pgsql.conf", settings),
    ];
    assert_eq!(of(&files), "postgres://u@h/d");
    let files = [
        ("extconfig.conf", mysql.as_str()),
        ("res_config_mysql.conf", settings),
    ];
    assert_eq!(of(&files), "mysql://u@h/d");
    let settings = "[general]\ndbfile=/var/lib/asterisk/realtime.sqlite3\n";
    let files = [
        ("extconfig.conf", sqlite.as_str()),
        ("res_config_sqlite3.conf", settings),
    ];
    assert_eq!(of(&files), "sqlite:/var/lib/asterisk/realtime.sqlite3");
}

#[test]
fn slips_from_file_to_file_are_named_with_what_was_meant() {
    let extconfig = "[setings]\n[settings]\nps_endpoints => odbc,asterisc\nps_auth => odbc,asterisk\n\
                     ps_aors => pqsql,asterisk\nps_contacts => odbc,off\ncdr => odbc,asterisk,c;dr\n\
                     ps_auths => odbc,asterisk,a-b\nastdb => odbc,asterisk\n";
    let odbc = "[asterisk]\ndsn => asterisk-conector\nusernam => a\n[off]\nenabled=no\ndsn=x\n";
    let ini = "[asterisk-connector]\nDriver=MariaDB\n";
    let sorcery = "[res_pjsip]\nendpiont=realtime,ps_endpoints\nauth=realtme,ps_auths\n\
                   aor=config,aors.conf\n";
    check(
        &[
            ("extconfig.conf", extconfig),
            ("res_odbc.conf", odbc),
            ("/etc/odbc.ini", ini),
            ("sorcery.conf", sorcery),
        ],
        &expect![[r#"
            warning extconfig.conf:1:2: section `setings` is not known in this file
             1 | [setings]
               |  ^
               = did you mean `settings`?
            error extconfig.conf:3:17: names `asterisc`, but res_odbc.conf has no section of that name
             3 | ps_endpoints => odbc,asterisc
               |                 ^
               = did you mean `asterisk`?
            warning extconfig.conf:4:1: no table is called `ps_auth`
             4 | ps_auth => odbc,asterisk
               | ^
               = did you mean `ps_auths`?
            error extconfig.conf:5:12: there is no driver `pqsql`
             5 | ps_aors => pqsql,asterisk
               |            ^
               = did you mean `pgsql`?
            error extconfig.conf:6:16: names `off`, which is not enabled in res_odbc.conf
             6 | ps_contacts => odbc,off
               |                ^
               = write `enabled => yes` in [off] there
            error extconfig.conf:7:8: needs the data source `asterisk-conector`, which odbc.ini does not describe
             7 | cdr => odbc,asterisk,c;dr
               |        ^
               = did you mean `asterisk-connector`?
            error extconfig.conf:8:13: `a-b` is not the name of a table
             8 | ps_auths => odbc,asterisk,a-b
               |             ^
               = letters, digits and `_` make a name
            error extconfig.conf:9:10: needs the data source `asterisk-conector`, which odbc.ini does not describe
             9 | astdb => odbc,asterisk
               |          ^
               = did you mean `asterisk-connector`?
            warning res_odbc.conf:3:1: option `usernam` is not known in res_odbc.conf
             3 | usernam=…
               | ^
               = did you mean `username`?
            warning sorcery.conf:2:1: there are no objects `endpiont`
             2 | endpiont=realtime,ps_endpoints
               | ^
               = did you mean `endpoint`?
            error sorcery.conf:3:6: there is no wizard `realtme`
             3 | auth=realtme,ps_auths
               |      ^
               = did you mean `realtime`?
            warning sorcery.conf:4:5: objects are read from pjsip.conf, not from `aors.conf`
             4 | aor=config,aors.conf
               |     ^
               = `#include` that file in pjsip.conf
        "#]],
    );
}

#[test]
fn objects_of_files_that_nobody_looks_for_are_said() {
    check(
        &[
            (
                "sorcery.conf",
                "[res_pjsip]\nendpoint=realtime,ps_endpoints\n",
            ),
            (
                "pjsip.conf",
                "[a]\ntype=endpoint\ncontext=c\nallow=ulaw\n[a]\ntype=aor\n",
            ),
            ("extensions.conf", "[c]\nexten => 1,1,Answer()\n"),
        ],
        &expect![[r#"
            warning sorcery.conf: objects `endpoint` are looked for in the database alone: 1 of pjsip.conf are not used
               = add `endpoint=config,pjsip.conf,criteria=type=endpoint` to [res_pjsip]
        "#]],
    );
}

#[test]
fn one_database_serves_all() {
    let extconfig = "[settings]\nps_endpoints => pgsql,a\nps_aors => sqlite3,b\n";
    let database = check(
        &[
            ("extconfig.conf", extconfig),
            ("res_pgsql.conf", "[general]\ndbhost=h\ndbname=d\n"),
            ("res_config_sqlite3.conf", "[b]\ndbfile=/b.db\n"),
        ],
        &expect![[r#"
            error extconfig.conf: ps_endpoints is mapped to postgres://h/d and ps_aors to sqlite:/b.db; there is one database, postgres://h/d is used for both
               = move the tables into one database
        "#]],
    );
    assert_eq!(database.place.to_string(), "postgres://h/d");
}

#[test]
fn what_is_found_out_later_is_said_at_the_line_that_names_it() {
    let url = "; ours\n[database]\nurl = postgres://sip@db/pbx\n[tables]\nps_aors = aors\n";
    let (database, _) = read(&[("database.conf", url)]);
    let said = database.fault(None, "is away").advise("start it");
    expect![[r#"
        database.conf:3:7: is away
         3 | url =…
           |       ^
           = start it"#]]
    .assert_eq(&said.to_string());
    let said = database.fault(Some("ps_aors"), "is missing").to_string();
    assert!(said.starts_with("database.conf:5:11: is missing"), "{said}");
    let (database, _) = read(&[
        ("extconfig.conf", EXTCONFIG),
        ("res_odbc.conf", RES_ODBC),
        (
            "odbc.ini",
            "[asterisk-connector]\nDriver = MariaDB\nServer = db\n",
        ),
    ]);
    let said = |table| {
        let said = database.fault(table, "x").to_string();
        said.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(said(None), "extconfig.conf:2:17: x");
    assert_eq!(said(Some("ps_aors")), "extconfig.conf:4:12: x");
    assert_eq!(said(Some("cdr")), "extconfig.conf:2:17: x");
    assert_eq!(
        Database::default().fault(None, "x").to_string(),
        "database.conf: x"
    );
}

#[test]
fn a_line_that_moves_is_no_change_and_a_password_is() {
    let text = "[database]\nurl = mysql://sip:one@db/pbx\n";
    let read = |text: &str| {
        let files = [("database.conf", text)];
        load(&files.as_slice()).0.unwrap()
    };
    let moved = text.replace("url", "\n\nurl");
    assert_eq!(config::diff(&read(text), &read(&moved)), []);
    let other = text.replace("one", "two");
    let said = config::diff(&read(text), &read(&other));
    let said: String = said.iter().map(|change| format!("{change}\n")).collect();
    expect![[r#"
        ~ database: password •••• → ••••
    "#]]
    .assert_eq(&said);
}

#[test]
fn a_switch_of_the_plan_names_families_that_are_read_then() {
    let plan = "[c]\nswitch => Realtime/@\nswitch => Realtime/@plan2\nswitch => Realtime/@pln3\n\
                eswitch => Realtime/@${FAMILY}\n";
    let extconfig =
        "[settings]\nplan2 => pgsql,a,second_plan\nplan3 => pgsql,a\nextensions => pgsql,a\n";
    let database = check(
        &[
            ("extensions.conf", plan),
            ("extconfig.conf", extconfig),
            ("res_pgsql.conf", "[general]\ndbhost=h\ndbname=d\n"),
        ],
        &expect![[r#"
            warning extconfig.conf:3:1: no table is called `plan3`
             3 | plan3 => pgsql,a
               | ^
               = tables are ps_endpoints, ps_auths, ps_aors, ps_contacts, ps_endpoint_id_ips, extensions, ps_globals, ps_systems, ps_transports, ps_domain_aliases, ps_registrations, ps_resource_list, cdr, astdb
            warning extensions.conf:4:11: extconfig.conf does not map `pln3`: the table `pln3` is asked
             4 | switch => Realtime/@pln3
               |           ^
               = add `pln3 => odbc,asterisk` to [settings] there
        "#]],
    );
    assert_eq!(database.table("plan2"), "second_plan");
    assert_eq!(database.place.to_string(), "postgres://h/d");
}
