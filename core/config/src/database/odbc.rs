//! `res_odbc.conf`, and through it `odbc.ini` and `odbcinst.ini`: the name of a data source becomes
//! a server, a port and a database. The ODBC driver itself is not used.

use super::{Password, Place, Server, Slip, Tls, TlsMode};
use crate::secret::Secret;
use conf::{Document, Report, Section, Severity, Source, closest};

/// Options of `res_odbc.conf`.
const OPTIONS: [&str; 17] = [
    "enabled",
    "dsn",
    "username",
    "password",
    "pre-connect",
    "sanitysql",
    "max_connections",
    "connect_timeout",
    "negative_connection_cache",
    "backslash_is_escape",
    "forcecommit",
    "isolation",
    "cache_type",
    "cache_size",
    "limit",
    "share_connections",
    "pooling",
];
/// Where data sources are described: in the folder of the configuration, and where unixODBC has them.
const ODBC_INI: [&str; 2] = ["odbc.ini", "/etc/odbc.ini"];
const ODBCINST_INI: [&str; 2] = ["odbcinst.ini", "/etc/odbcinst.ini"];

/// The database of a section of `res_odbc.conf`, and how many connections it allows.
pub(super) fn place(
    source: &dyn Source,
    name: &str,
    report: &mut Report,
) -> Result<(Place, Option<u32>), Slip> {
    let Some(document) = Document::read(source, "res_odbc.conf", report) else {
        return Err(Slip::new(
            "the driver `odbc` needs res_odbc.conf, which is not there".to_owned(),
            "write res_odbc.conf, or name the database in database.conf".to_owned(),
        ));
    };
    let sections = || {
        document
            .sections
            .iter()
            .filter(|s| !s.template && s.name != "ENV")
    };
    let Some(section) = sections().find(|section| section.name == name) else {
        let names: Vec<&str> = sections().map(|section| section.name.as_str()).collect();
        return Err(Slip {
            message: format!("names `{name}`, but res_odbc.conf has no section of that name"),
            meant: closest(name, names.iter().copied()).map(str::to_owned),
            advice: format!("add the section [{name}] to res_odbc.conf"),
        });
    };
    for entry in &section.entries {
        let lower = entry.name.to_ascii_lowercase();
        if !OPTIONS.contains(&lower.as_str()) {
            let message = format!("option `{lower}` is not known in res_odbc.conf");
            let mut said = document.diagnostic(Severity::Warning, entry.at, message);
            said.excerpt = Some(format!("{}=…", entry.name));
            report.push(said.did_you_mean(closest(&lower, OPTIONS)));
        }
    }
    let text = |option: &str| {
        let entry = section.last(option)?;
        Some(entry.value.as_str()).filter(|value| !value.is_empty())
    };
    if text("enabled").and_then(conf::yes_no) == Some(false) {
        return Err(Slip::new(
            format!("names `{name}`, which is not enabled in res_odbc.conf"),
            format!("write `enabled => yes` in [{name}] there"),
        ));
    }
    let Some(dsn) = text("dsn") else {
        return Err(Slip::new(
            format!("names `{name}`, which has no `dsn` in res_odbc.conf"),
            format!("write `dsn => NAME` in [{name}] there, with a name of odbc.ini"),
        ));
    };
    let (file, source_section) = data_source(source, dsn, report)?;
    let mut place = of_data_source(source, &file, &source_section, report)?;
    if let Place::MySql(server) | Place::Postgres(server) = &mut place {
        if let Some(user) = text("username") {
            user.clone_into(&mut server.user);
        }
        if let Some(password) = text("password") {
            server.password = Password::Written(Secret::new(password));
        }
    }
    // Fewer than three would leave none for what is written.
    let connections = text("max_connections").or_else(|| text("limit"));
    let connections = connections.and_then(|number| number.parse::<u32>().ok());
    let pool_size = connections
        .filter(|number| *number > 1)
        .map(|number| number.clamp(3, 500));
    Ok((place, pool_size))
}

/// The section of a data source in an `odbc.ini`, and the file's name.
fn data_source(
    source: &dyn Source,
    dsn: &str,
    report: &mut Report,
) -> Result<(String, Section), Slip> {
    let mut names: Vec<String> = Vec::new();
    for file in ODBC_INI {
        let Some(document) = ini(source, file, report) else {
            continue;
        };
        for section in document.sections {
            if section.name.eq_ignore_ascii_case(dsn) {
                return Ok((file.to_owned(), section));
            }
            names.push(section.name);
        }
    }
    let meant = closest(dsn, names.iter().map(String::as_str)).map(str::to_owned);
    let message = match names.is_empty() {
        true => format!("needs the data source `{dsn}`, but there is no odbc.ini"),
        false => format!("needs the data source `{dsn}`, which odbc.ini does not describe"),
    };
    let advice = "describe it in odbc.ini in this folder or in /etc/odbc.ini, or name the database \
                  in database.conf";
    Err(Slip {
        message,
        meant,
        advice: advice.to_owned(),
    })
}

fn of_data_source(
    source: &dyn Source,
    file: &str,
    section: &Section,
    report: &mut Report,
) -> Result<Place, Slip> {
    let text = |names: &[&str]| {
        let entry = names.iter().find_map(|name| section.last(name))?;
        Some(entry.value.trim_matches('"').to_owned()).filter(|value| !value.is_empty())
    };
    let slip = |what: String, advice: &str| {
        Slip::new(
            format!("needs [{}] of {file}, where {what}", section.name),
            advice.to_owned(),
        )
    };
    let Some(driver) = text(&["Driver"]) else {
        return Err(slip(
            "`Driver` is not set".to_owned(),
            "name the driver of MariaDB or PostgreSQL",
        ));
    };
    let Some(kind) = kind(&driver).or_else(|| installed(source, &driver, report)) else {
        return Err(slip(
            format!("the driver `{driver}` is none of MariaDB, MySQL, PostgreSQL or SQLite"),
            "name such a driver, or the database itself in database.conf",
        ));
    };
    let database = text(&["Database", "DBNAME", "Db"]);
    if kind == Kind::Sqlite {
        let file =
            database.ok_or_else(|| slip("`Database` is not set".to_owned(), "name the file"))?;
        return Ok(Place::Sqlite(file));
    }
    let port = match text(&["Port"]) {
        Some(port) => match port.parse() {
            Ok(port) => Some(port),
            Err(_) => return Err(slip(format!("`{port}` is no port"), "write a number")),
        },
        None => None,
    };
    let server = Server {
        host: text(&["Server", "Servername", "Host"]).unwrap_or_default(),
        port,
        socket: text(&["Socket"]),
        user: text(&["UserName", "User", "UID"]).unwrap_or_default(),
        password: match text(&["Password", "PWD"]) {
            Some(password) => Password::Written(Secret::new(password)),
            None => Password::None,
        },
        database: database.unwrap_or_else(|| "asterisk".to_owned()),
        tls: Tls {
            mode: text(&["SSLMode"])
                .and_then(|mode| TlsMode::named(&mode))
                .unwrap_or_default(),
            ca_file: text(&["SSLCA", "SSLRootCert"]),
            certificate: text(&["SSLCert"]),
            private_key: text(&["SSLKey"]),
        },
    };
    Ok(match kind {
        Kind::MySql => Place::MySql(server),
        Kind::Postgres | Kind::Sqlite => Place::Postgres(server),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    MySql,
    Postgres,
    Sqlite,
}

/// What a driver is for, by its name or the file it is in.
fn kind(driver: &str) -> Option<Kind> {
    let lower = driver.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    if has(&["maria", "mysql", "maodbc", "myodbc"]) {
        Some(Kind::MySql)
    } else if has(&["postgres", "psql", "pgsql"]) {
        Some(Kind::Postgres)
    } else {
        has(&["sqlite"]).then_some(Kind::Sqlite)
    }
}

/// What a driver of another name is for, by the file `odbcinst.ini` says it is in.
fn installed(source: &dyn Source, driver: &str, report: &mut Report) -> Option<Kind> {
    ODBCINST_INI.iter().find_map(|file| {
        let document = ini(source, file, report)?;
        let mut sections = document.sections.iter();
        let section = sections.find(|section| section.name.eq_ignore_ascii_case(driver))?;
        ["Driver", "Driver64", "Description"]
            .iter()
            .find_map(|option| kind(&section.last(option)?.value))
    })
}

/// A file of unixODBC, where `#` begins a comment and includes nothing.
fn ini(source: &dyn Source, file: &str, report: &mut Report) -> Option<Document> {
    let text = source.read(file).ok().flatten()?;
    let lines = text
        .lines()
        .map(|line| match line.trim_start().starts_with('#') {
            true => "",
            false => line,
        });
    let text = lines.collect::<Vec<_>>().join("\n");
    let files = [(file, text.as_str())];
    Document::read(&files.as_slice(), file, report)
}
