//! Rows with faults: what cannot be read, and names nobody has.

use super::{About, Finding};
use crate::StoreError;
use crate::backend::Backend;
use crate::identifies;
use crate::realtime::columns;
use config::{Aor, Auth, Config, Endpoint, Identify, Object, Severity, closest};
use std::collections::BTreeMap;

/// Rows looked at in each table; nobody reads more sentences.
const ROWS_MAX: usize = 10_000;
/// Sentences about rows.
const FINDINGS_MAX: usize = 200;

/// The objects of one table by id; `None` for a row that cannot be used.
type Objects<T> = BTreeMap<String, Option<T>>;

pub(super) async fn inspect(
    backend: &Backend,
    config: &Config,
) -> Result<Vec<Finding>, StoreError> {
    let mut found = Vec::new();
    let endpoints: Objects<Endpoint> = read(backend, "ps_endpoints", &mut found).await?;
    let auths: Objects<Auth> = read(backend, "ps_auths", &mut found).await?;
    let aors: Objects<Aor> = read(backend, "ps_aors", &mut found).await?;
    for endpoint in endpoints.values().flatten() {
        let about = || About::Row(backend.table("ps_endpoints"), endpoint.id.clone());
        let mut say = |message: String, cure: String| {
            let message = format!("endpoint {}: {message}", endpoint.id);
            found.push(Finding::fault(about(), Severity::Warning, message, cure));
        };
        for dangling in config.dangling(endpoint) {
            let (option, id) = (dangling.option, &endpoint.id);
            let cure = match &dangling.meant {
                Some(meant) => {
                    let table = backend.settings().table("ps_endpoints");
                    let (meant, id) = (quoted(meant), quoted(id));
                    format!("UPDATE {table} SET {option} = {meant} WHERE id = {id}")
                }
                None => format!(
                    "define `{}` in the files, or change {option}",
                    dangling.name
                ),
            };
            say(dangling.to_string(), cure);
        }
        if endpoint.allow.is_empty() {
            say(
                "no codec is allowed".to_owned(),
                "set allow, for example to 'opus,ulaw'".to_owned(),
            );
        }
        for name in &endpoint.auth {
            let names = auths.keys().chain(config.auths.keys());
            if let Some((message, cure)) = missing("auth", name, names) {
                say(message, cure);
            }
        }
        for name in &endpoint.aors {
            let names = aors.keys().chain(config.aors.keys());
            if let Some((message, cure)) = missing("aors", name, names) {
                say(message, cure);
            }
        }
    }
    for aor in aors.values().flatten() {
        if aor.max_contacts == 0 && aor.contacts.is_empty() {
            let about = About::Row(backend.table("ps_aors"), aor.id.clone());
            let message = format!(
                "aor {}: max_contacts is not set: nobody can register",
                aor.id
            );
            let (table, id) = (backend.settings().table("ps_aors"), quoted(&aor.id));
            let cure = format!("UPDATE {table} SET max_contacts = 1 WHERE id = {id}");
            found.push(Finding::fault(about, Severity::Warning, message, cure));
        }
    }
    identify_rows(backend, config, &endpoints, &mut found).await?;
    let counts = [endpoints.len(), auths.len(), aors.len()];
    conclude(backend, counts, &mut found);
    Ok(found)
}

/// A text as a statement has it, that somebody may copy.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What is wrong with the rows of identifies, if there is such a table.
async fn identify_rows(
    backend: &Backend,
    config: &Config,
    endpoints: &Objects<Endpoint>,
    found: &mut Vec<Finding>,
) -> Result<(), StoreError> {
    if backend.columns(identifies::TABLE).await?.is_empty() {
        return Ok(());
    }
    let identifies: Objects<Identify> = read(backend, identifies::TABLE, found).await?;
    for identify in identifies.values().flatten() {
        let about = About::Row(backend.table(identifies::TABLE), identify.id.clone());
        let id = &identify.id;
        let names = endpoints.keys().chain(config.endpoints.keys());
        if let Some((lack, advice)) = identify.lack() {
            let message = format!("identify {id} {lack} and is not used");
            found.push(Finding::fault(about, Severity::Error, message, advice));
        } else if let Some((message, cure)) = missing("endpoint", &identify.endpoint, names) {
            let message = format!("identify {id}: {message}");
            found.push(Finding::fault(about, Severity::Warning, message, cure));
        }
    }
    Ok(())
}

/// Cuts what is too much to read, and says so; or that there is nothing to say.
fn conclude(backend: &Backend, [endpoints, auths, aors]: [usize; 3], found: &mut Vec<Finding>) {
    let more = found.len().saturating_sub(FINDINGS_MAX);
    found.truncate(FINDINGS_MAX);
    let table = About::Table(backend.table("ps_endpoints"));
    if more > 0 {
        let message = format!("{more} more rows have faults");
        let cure = "mend those above first".to_owned();
        found.push(Finding::fault(table, Severity::Warning, message, cure));
    } else if found.is_empty() {
        let message = format!("{endpoints} endpoints, {auths} auths, {aors} aors without fault");
        found.push(Finding::fine(table, message));
    }
}

/// What is wrong with a name of another object, and the cure.
fn missing<'a>(
    option: &str,
    name: &str,
    mut names: impl Iterator<Item = &'a String> + Clone,
) -> Option<(String, String)> {
    if names.clone().any(|known| known == name) {
        return None;
    }
    let message =
        format!("{option} names `{name}`, which there is neither in the database nor in a file");
    let meant = closest(name, names.by_ref().map(String::as_str));
    let cure = match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("insert `{name}`, or change {option}"),
    };
    Some((message, cure))
}

/// The objects of a table, and what is wrong with its rows.
async fn read<T: Object>(
    backend: &Backend,
    table: &str,
    found: &mut Vec<Finding>,
) -> Result<Objects<T>, StoreError> {
    let target = backend.table(table);
    let sql = format!("SELECT * FROM {target} ORDER BY id LIMIT {ROWS_MAX}");
    let mut objects = BTreeMap::new();
    for row in backend.fetch(&sql, &[]).await? {
        let Some(id) = row.text("id").map(str::to_owned) else {
            continue;
        };
        let about = || About::Row(target.clone(), id.clone());
        let object = match T::from_columns(&id, &columns(&row)) {
            Ok((object, bad)) => {
                for column in bad {
                    let message = format!("{} {id}: {column}", T::KIND);
                    let cure = format!("change {} in that row", column.option);
                    found.push(Finding::fault(about(), Severity::Warning, message, cure));
                }
                Some(object)
            }
            Err(column) => {
                let message = format!("{} {id} is not used: {column}", T::KIND);
                let value = row.text(&column.option).unwrap_or_default();
                let cure = match column.fault.meant(value) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("change {} in that row", column.option),
                };
                found.push(Finding::fault(about(), Severity::Error, message, cure));
                None
            }
        };
        objects.insert(id, object);
    }
    Ok(objects)
}
