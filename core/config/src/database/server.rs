//! `res_pgsql.conf`, `res_config_mysql.conf` and `res_config_sqlite3.conf`.

use super::{Password, Place, Server, Slip, Tls, TlsMode};
use crate::secret::Secret;
use conf::{Document, Report, Section, Severity, Source, closest};

/// Options of the files that are read.
const READ: [&str; 12] = [
    "dbhost",
    "dbport",
    "dbname",
    "dbuser",
    "dbpass",
    "dbsock",
    "dbfile",
    "ssl_ca",
    "ssl_cert",
    "ssl_key",
    "sslmode",
    "dbappname",
];
/// Options without effect here.
const PASSED_OVER: [&str; 10] = [
    "requirements",
    "order_multi_row_results_by_initial_column",
    "dbcharset",
    "debug",
    "batch",
    "cache_key",
    "timezone",
    "usegmtime",
    "dbtable",
    "schema",
];

/// The database of a driver other than ODBC.
pub(super) fn place(
    source: &dyn Source,
    driver: &str,
    name: &str,
    report: &mut Report,
) -> Result<Place, Slip> {
    let (file, section) = match driver {
        "pgsql" => ("res_pgsql.conf", "general"),
        "mysql" => ("res_config_mysql.conf", name),
        _ => ("res_config_sqlite3.conf", name),
    };
    let Some(document) = Document::read(source, file, report) else {
        return Err(Slip::new(
            format!("the driver `{driver}` needs {file}, which is not there"),
            format!("write {file}, or name the database in database.conf"),
        ));
    };
    let sections = || document.sections.iter().filter(|section| !section.template);
    let named = |wanted: &str| sections().find(|found| found.name.eq_ignore_ascii_case(wanted));
    // MySQL's databases share one section if they have none of their own.
    let found = named(section).or_else(|| named("general").filter(|_| driver == "mysql"));
    let Some(found) = found else {
        let names: Vec<&str> = sections().map(|section| section.name.as_str()).collect();
        return Err(Slip {
            message: format!("{file} has no section `{section}`"),
            meant: closest(section, names.iter().copied()).map(str::to_owned),
            advice: format!("add the section [{section}] to {file}"),
        });
    };
    for entry in &found.entries {
        let lower = entry.name.to_ascii_lowercase();
        if !READ.contains(&lower.as_str()) && !PASSED_OVER.contains(&lower.as_str()) {
            let message = format!("option `{lower}` is not known here");
            let mut said = document.diagnostic(Severity::Warning, entry.at, message);
            said.excerpt = Some(format!("{}=…", entry.name));
            report.push(said.did_you_mean(closest(&lower, READ.into_iter().chain(PASSED_OVER))));
        }
    }
    let place = of_section(driver, found, name);
    place.map_err(|what| {
        Slip::new(
            format!("{file}: {what}"),
            format!("write it in [{}] of {file}", found.name),
        )
    })
}

fn of_section(driver: &str, section: &Section, name: &str) -> Result<Place, String> {
    let text = |option: &str| {
        let entry = section.last(option)?;
        Some(entry.value.clone()).filter(|value| !value.is_empty())
    };
    if driver == "sqlite3" {
        let file = text("dbfile").ok_or("dbfile is not set")?;
        return Ok(Place::Sqlite(file));
    }
    let port = match text("dbport") {
        Some(port) => Some(
            port.parse()
                .map_err(|_| format!("dbport `{port}` is no port"))?,
        ),
        None => None,
    };
    let server = Server {
        host: text("dbhost").unwrap_or_default(),
        port,
        socket: text("dbsock"),
        user: text("dbuser").unwrap_or_default(),
        password: match text("dbpass") {
            Some(password) => Password::Written(Secret::new(password)),
            None => Password::None,
        },
        database: text("dbname").unwrap_or_else(|| name.to_owned()),
        tls: Tls {
            mode: text("sslmode")
                .and_then(|mode| TlsMode::named(&mode))
                .unwrap_or_default(),
            ca_file: text("ssl_ca"),
            certificate: text("ssl_cert"),
            private_key: text("ssl_key"),
        },
    };
    Ok(match driver {
        "pgsql" => Place::Postgres(server),
        _ => Place::MySql(server),
    })
}
