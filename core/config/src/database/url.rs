//! `sqlite:`, `mysql:` and `postgres:` URLs, as their own tools write them.

use super::{Database, Password, Place, Server, TlsMode};
use crate::secret::Secret;
use conf::closest;

const SCHEMES: [&str; 5] = ["sqlite", "mysql", "mariadb", "postgres", "postgresql"];

/// Reads a URL into the place of `database`, and what stands after its `?` into the rest.
pub(super) fn read(url: &str, database: &mut Database) -> Result<(), String> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err("is not a URL like `mysql://user:password@host/asterisk`".to_owned());
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let scheme = scheme.to_ascii_lowercase();
    database.place = match scheme.as_str() {
        "sqlite" => Place::Sqlite(file(rest)?),
        "mysql" | "mariadb" => Place::MySql(server(rest)?),
        "postgres" | "postgresql" => Place::Postgres(server(rest)?),
        other => {
            let meant =
                closest(other, SCHEMES).map(|scheme| format!("; did you mean `{scheme}:`?"));
            let known = "sqlite, mysql, mariadb and postgres are";
            return Err(format!(
                "`{other}:` is no database that is known here, {known}{}",
                meant.unwrap_or_default()
            ));
        }
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        option(&name.to_ascii_lowercase(), &decoded(value)?, database)?;
    }
    Ok(())
}

/// What follows `sqlite:`: a path, with or without the two slashes of a URL.
fn file(rest: &str) -> Result<String, String> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    match path.is_empty() {
        true => Err("names no file; write `sqlite:/var/lib/asterisk.db`".to_owned()),
        false => decoded(path),
    }
}

/// What follows `mysql:` and the like: `//user:password@host:port/database`.
fn server(rest: &str) -> Result<Server, String> {
    let Some(rest) = rest.strip_prefix("//") else {
        return Err("has no `//` before the host".to_owned());
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, address) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (login, None),
    };
    let (host, port) = split_port(address)?;
    let host = decoded(host)?;
    let database = decoded(path)?;
    if database.is_empty() {
        return Err("names no database; write it after the host, as in `…/asterisk`".to_owned());
    }
    Ok(Server {
        socket: host.starts_with('/').then(|| host.clone()),
        host,
        port,
        user: decoded(user)?,
        password: match password {
            Some(password) if !password.is_empty() => {
                Password::Written(Secret::new(decoded(password)?))
            }
            _ => Password::None,
        },
        database,
        ..Server::default()
    })
}

/// `host`, `host:port`, `[address]:port`.
fn split_port(address: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, rest)) => (host, rest.strip_prefix(':').unwrap_or(rest)),
            None => return Err("has no `]` after the address".to_owned()),
        },
        None => address.split_once(':').unwrap_or((address, "")),
    };
    if port.is_empty() {
        return Ok((host, None));
    }
    match port.parse() {
        Ok(port) if port > 0 => Ok((host, Some(port))),
        _ => Err(format!(
            "has the port `{port}`, which is not a number from 1 to 65535"
        )),
    }
}

/// One `name=value` after the `?`, as the databases' own tools name them.
fn option(name: &str, value: &str, database: &mut Database) -> Result<(), String> {
    let server = match &mut database.place {
        Place::MySql(server) | Place::Postgres(server) => server,
        // What SQLite's tools write there (`mode=rwc`) changes nothing here.
        Place::Sqlite(_) | Place::DataFolder => return Ok(()),
    };
    match name {
        "sslmode" | "ssl-mode" | "tls" => {
            server.tls.mode = TlsMode::named(value).ok_or_else(|| {
                let names = TlsMode::NAMES.map(|(name, _)| name);
                let meant = closest(value, names).map(|name| format!("; did you mean `{name}`?"));
                format!(
                    "has the sslmode `{value}`, which is none of {}{}",
                    names.join(", "),
                    meant.unwrap_or_default()
                )
            })?;
        }
        "sslrootcert" | "ssl-root-cert" | "sslca" | "ssl-ca" => {
            server.tls.ca_file = Some(value.to_owned());
        }
        "sslcert" | "ssl-cert" => server.tls.certificate = Some(value.to_owned()),
        "sslkey" | "ssl-key" => server.tls.private_key = Some(value.to_owned()),
        "socket" => server.socket = Some(value.to_owned()),
        "host" if value.starts_with('/') => server.socket = Some(value.to_owned()),
        "host" => value.clone_into(&mut server.host),
        _ => {
            let known = [
                "sslmode",
                "sslrootcert",
                "sslcert",
                "sslkey",
                "socket",
                "host",
            ];
            let meant = closest(name, known).map(|name| format!("; did you mean `{name}`?"));
            return Err(format!(
                "has the option `{name}`, which is not known{}",
                meant.unwrap_or_default()
            ));
        }
    }
    Ok(())
}

/// Text with `%40` and the like written out.
fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        match (digit(), digit()) {
            (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
            _ => {
                let advice = "write a percent sign in a password as `%25`";
                return Err(format!(
                    "has a `%` without two hexadecimal digits; {advice}"
                ));
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| "has `%` signs that make no UTF-8 text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::{Database, Password, Place, TlsMode};
    use crate::secret::Secret;

    fn read(url: &str) -> Result<Database, String> {
        Database::default().at_url(url)
    }

    #[test]
    fn the_parts_of_a_url_are_found_wherever_they_are_left_out() {
        let database =
            read("postgres://sip:p%40ss@[::1]:5433/pbx?sslmode=verify-full&sslrootcert=/ca.pem");
        let Place::Postgres(server) = database.unwrap().place else {
            panic!("a PostgreSQL server");
        };
        assert_eq!((server.host.as_str(), server.port), ("::1", Some(5433)));
        assert_eq!(server.user, "sip");
        assert_eq!(server.password, Password::Written(Secret::new("p@ss")));
        assert_eq!(server.tls.mode, TlsMode::VerifyFull);
        assert_eq!(server.tls.ca_file.as_deref(), Some("/ca.pem"));
        let Place::MySql(server) = read("mariadb://db.example/asterisk").unwrap().place else {
            panic!("a MySQL server");
        };
        assert_eq!((server.host.as_str(), server.port), ("db.example", None));
        assert_eq!(server.password, Password::None);
        for url in ["sqlite:/a b.db", "sqlite:///a%20b.db"] {
            assert_eq!(
                read(url).unwrap().place,
                Place::Sqlite("/a b.db".to_owned())
            );
        }
        let Place::Postgres(server) = read("postgres://%2Frun%2Fpostgresql/pbx").unwrap().place
        else {
            panic!("a PostgreSQL server");
        };
        assert_eq!(server.socket.as_deref(), Some("/run/postgresql"));
    }

    #[test]
    fn what_is_wrong_is_said_with_what_was_meant() {
        for (url, expected) in [
            ("asterisk", "is not a URL"),
            ("postgress://h/d", "did you mean `postgres:`?"),
            ("mysql://h", "names no database"),
            ("mysql://h:99999/d", "`99999`"),
            ("mysql://h/d?sslmod=require", "did you mean `sslmode`?"),
            ("mysql://h/d?sslmode=requir", "did you mean `require`?"),
            ("mysql://u:50%@h/d", "`%25`"),
        ] {
            let error = read(url).unwrap_err();
            assert!(error.contains(expected), "{url}: {error}");
        }
    }

    /// Every short text of what has a meaning: none makes a panic.
    #[test]
    fn no_text_breaks_it() {
        const PARTS: [&str; 10] = [":", "/", "@", "[", "]", "?", "%", "=", "é", "1"];
        for number in 0..PARTS.len().pow(5) {
            let digits = (0..5).map(|place| number / PARTS.len().pow(place) % PARTS.len());
            let rest: String = digits.map(|digit| PARTS[digit]).collect();
            let _ = read(&rest);
            let _ = read(&format!("mysql://{rest}"));
        }
    }

    #[test]
    fn a_place_is_shown_without_its_password() {
        let shown = |url| read(url).unwrap().place.to_string();
        assert_eq!(shown("mysql://u:secret@h:3307/d"), "mysql://u@h:3307/d");
        assert_eq!(shown("postgres://[::1]/d"), "postgres://[::1]/d");
    }
}
