//! The database: reachable, its tables and rights, and rows that name what nothing defines.

use std::path::Path;
use std::sync::Arc;

use config::{Config, Place, Severity, Subscriber};
use serde_json::json;
use store::{About, Store};

use crate::report::{Link, Outcome};

const NAME: &str = "database";

/// Inspects the database the files choose, `file` if they choose none, and reads its endpoints.
pub(crate) async fn examine(config: &Arc<Config>, file: &Path) -> (Link, Vec<Arc<Subscriber>>) {
    let place = &config.database.place;
    let own = match place {
        Place::DataFolder => Some(file),
        Place::Sqlite(other) => Some(Path::new(other)),
        Place::MySql(_) | Place::Postgres(_) => None,
    };
    let shown = own.map_or_else(|| place.to_string(), |own| own.display().to_string());
    if own.is_some_and(|own| !own.exists()) {
        let summary = format!("{shown} is made at the first start");
        return (Link::skipped(NAME, summary), Vec::new());
    }
    let mut link = Link::new(NAME, shown.clone());
    for finding in store::inspect(config, file).await {
        let outcome = match finding.severity {
            Severity::Error => Outcome::Failed,
            Severity::Warning => Outcome::Warning,
            // What is as it should be needs no line here; `sidetone db check` has them.
            Severity::Info => continue,
        };
        let place = match finding.about {
            About::Table(table) | About::Rights(table) => Some(format!("table {table}")),
            About::Row(table, id) => Some(format!("table {table}, row {id}")),
            About::Connection | About::Server | About::Trigger => None,
        };
        link.add(outcome, place, finding.message, finding.cure);
    }
    if link.outcome == Outcome::Failed {
        return (link, Vec::new());
    }
    match subscribers(config, file).await {
        Ok(subscribers) => {
            link.summary = format!("{shown}: {} endpoints", subscribers.len());
            link.details = json!({ "endpoints": subscribers.len() });
            (link, subscribers)
        }
        Err(error) => {
            link.fail(
                None,
                format!("the endpoints cannot be read: {error}"),
                "compare the tables with `sidetone db check`",
            );
            (link, Vec::new())
        }
    }
}

/// The endpoints the files do not define.
async fn subscribers(
    config: &Arc<Config>,
    file: &Path,
) -> Result<Vec<Arc<Subscriber>>, store::StoreError> {
    let store = Store::open(Arc::clone(config), Some(file)).await?;
    let mut subscribers = Vec::new();
    let ids = store.endpoint_ids().await?;
    let others = ids.iter().filter(|id| !config.endpoints.contains_key(*id));
    for id in others.take(READ_MAX) {
        subscribers.extend(store.subscriber(id).await?);
    }
    store.close().await;
    Ok(subscribers)
}

/// One of so many can register.
const READ_MAX: usize = 100;
