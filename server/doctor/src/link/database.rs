//! The database: reachable, its tables, and accounts that name what no file defines.

use std::path::Path;
use std::sync::Arc;

use config::{Config, Subscriber};
use serde_json::json;
use store::Store;

use crate::places::Places;
use crate::report::Link;

const NAME: &str = "database";

/// Opens the database as the exchange does.
pub(crate) async fn examine(
    config: &Arc<Config>,
    file: &Path,
    places: &Places<'_>,
) -> (Link, Vec<Arc<Subscriber>>) {
    let shown = file.display();
    if !file.exists() {
        let summary = format!("{shown} is made at the first start");
        return (Link::skipped(NAME, summary), Vec::new());
    }
    let mut link = Link::new(NAME, shown.to_string());
    let store = match Store::open(Arc::clone(config), Some(file)).await {
        Ok(store) => store,
        Err(error) => {
            link.fail(
                None,
                format!("the database {shown} cannot be used: {error}"),
                "let this user read and write it; if it is damaged, move it away and it is made anew",
            );
            return (link, Vec::new());
        }
    };
    let mut subscribers = Vec::new();
    match store.endpoint_ids().await {
        Ok(ids) => {
            let in_files = &config.endpoints;
            for id in ids
                .iter()
                .filter(|id| !in_files.contains_key(*id))
                .take(EXAMINED_MAX)
            {
                match store.subscriber(id).await {
                    Ok(found) => subscribers.extend(found),
                    Err(error) => link.fail(
                        None,
                        format!("endpoint {id} cannot be read: {error}"),
                        "compare the tables with `sidetone db check`",
                    ),
                }
            }
        }
        Err(error) => link.fail(
            None,
            format!("table ps_endpoints cannot be read: {error}"),
            "compare the tables with `sidetone db check`",
        ),
    }
    for subscriber in &subscribers {
        rows(config, subscriber, places, &mut link);
    }
    link.summary = format!("{shown}: {} endpoints", subscribers.len());
    link.details = json!({ "endpoints": subscribers.len() });
    store.close().await;
    (link, subscribers)
}

/// Endpoints whose rows are examined one by one.
const EXAMINED_MAX: usize = 1000;

/// What is wrong with the rows of one endpoint.
pub(crate) fn rows(config: &Config, subscriber: &Subscriber, places: &Places<'_>, link: &mut Link) {
    let endpoint = &subscriber.endpoint;
    let row = format!("table ps_endpoints, row {}", endpoint.id);
    for dangling in config.dangling(endpoint) {
        let cure = match &dangling.meant {
            Some(meant) => format!(
                "UPDATE ps_endpoints SET {} = '{meant}' WHERE id = '{}';",
                dangling.option, endpoint.id
            ),
            None => format!(
                "define it in {}, or change the row",
                places.file(match dangling.option {
                    "transport" => "pjsip.conf",
                    _ => "extensions.conf",
                })
            ),
        };
        let sentence = format!("endpoint {}: {dangling}", endpoint.id);
        match dangling.option {
            "transport" => link.warn(
                Some(row.clone()),
                format!("{sentence}; it works all the same"),
                cure,
            ),
            _ => link.fail(
                Some(row.clone()),
                format!("{sentence}; its calls go nowhere"),
                cure,
            ),
        }
    }
    let missing = |named: &[String], found: usize| named.len() > found;
    if missing(&endpoint.auth, subscriber.auths.len()) {
        link.fail(
            Some(row.clone()),
            format!("endpoint {} names the auth {}, which does not exist", endpoint.id, endpoint.auth.join(",")),
            format!("insert it into ps_auths (id, auth_type, username, password), or correct auth of {}", endpoint.id),
        );
    }
    if missing(&endpoint.aors, subscriber.aors.len()) {
        link.fail(
            Some(row.clone()),
            format!(
                "endpoint {} names the aor {}, which does not exist",
                endpoint.id,
                endpoint.aors.join(",")
            ),
            format!(
                "insert it into ps_aors (id, max_contacts), or correct aors of {}",
                endpoint.id
            ),
        );
    }
    if endpoint.allow.is_empty() {
        link.fail(
            Some(row),
            format!("endpoint {} has no codecs: every call is refused with 488", endpoint.id),
            format!("UPDATE ps_endpoints SET disallow = 'all', allow = 'opus,ulaw,vp8' WHERE id = '{}';", endpoint.id),
        );
    }
}
