//! Which endpoint a request speaks for: Asterisk's `identify_by=username,auth_username`.

use std::sync::Arc;

use ::sip::{Credentials, Request};
use config::Subscriber;
use store::StoreError;
use switch::Switch;

/// The endpoint named by the user of From, else the one named by the digest's username.
pub(crate) async fn endpoint(
    switch: &Switch,
    request: &Request,
    credentials: Option<&Credentials>,
) -> Result<Option<Arc<Subscriber>>, StoreError> {
    let from = request
        .headers
        .from()
        .ok()
        .and_then(|from| from.uri.user().map(String::from));
    let username = credentials.map(|credentials| credentials.username().to_owned());
    let username = username.filter(|username| Some(username) != from.as_ref());
    for name in [from, username].into_iter().flatten() {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            continue;
        }
        if let Some(subscriber) = switch.store().subscriber(&name).await? {
            return Ok(Some(subscriber));
        }
    }
    Ok(None)
}

/// Names of endpoints are short; the database is not asked for more.
const NAME_BYTES_MAX: usize = 255;
