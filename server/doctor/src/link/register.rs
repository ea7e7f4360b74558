//! REGISTER with digest, as an account of the configuration or the database.

use std::net::SocketAddr;

use config::Subscriber;
use serde_json::json;
use sip::{Contacts, Response};

use crate::phone::{Account, Failed, Phone};
use crate::places::Places;
use crate::report::Link;

const NAME: &str = "register";

/// Who registers, and where that is written.
pub(crate) struct Who<'a> {
    pub(crate) account: Account,
    /// What is known of it, if it is an account of ours.
    pub(crate) subscriber: Option<&'a Subscriber>,
    /// Whether a file defines it; else a database.
    pub(crate) is_in_files: bool,
}

impl Who<'_> {
    /// Where an option of an object of this account is written.
    pub(crate) fn place(
        &self,
        places: &Places<'_>,
        kind: &str,
        options: &[&str],
    ) -> Option<String> {
        let subscriber = self.subscriber?;
        let id = match kind {
            "auth" => subscriber.auths.first()?.id.as_str(),
            "aor" => subscriber
                .aors
                .first()
                .map_or(self.account.id.as_str(), |aor| &aor.id),
            _ => self.account.id.as_str(),
        };
        Some(match self.is_in_files {
            true => places.object(id, kind, options),
            false => format!("table ps_{kind}s, row {id}"),
        })
    }
}

/// Registers for a minute. True if the phone may call now.
pub(crate) async fn examine(
    phone: &mut Phone,
    who: &Who<'_>,
    places: &Places<'_>,
    remote: SocketAddr,
) -> (Link, bool) {
    let id = &who.account.id;
    let mut link = Link::new(NAME, format!("as {id}"));
    // What is registered already: a phone that holds the last place must not lose it to us.
    let asked = match phone.register(None).await {
        Ok(asked) => asked,
        Err(failed) => {
            link.fail(
                None,
                format!("REGISTER as {id}: {failed}"),
                "see the log of the exchange",
            );
            return (link, false);
        }
    };
    if asked.status.is_success() {
        let held = contacts(&asked);
        let aor = who
            .subscriber
            .and_then(|subscriber| subscriber.aors.first());
        if let Some(aor) = aor
            && aor.max_contacts > 0
            && held >= aor.max_contacts as usize
        {
            let sentence = format!(
                "the password of {id} is right, but all {held} places of max_contacts are taken, and \
                 doctor takes none from a phone"
            );
            link.summary = format!("as {id}: authenticated, not registered");
            link.warn(
                who.place(places, "aor", &["max_contacts"]),
                sentence,
                "raise max_contacts by one, or name an account that nobody uses: --user ID --password PASSWORD",
            );
            return (link, true);
        }
    }
    let response = if asked.status.is_success() {
        phone.register(Some(EXPIRES_S)).await
    } else {
        Ok(asked)
    };
    match response {
        Ok(response) if response.status.is_success() => {
            let count = contacts(&response);
            link.summary =
                format!("as {id}: one challenge, 200 OK, {count} contact(s), by {remote}");
            link.details = json!({ "account": id, "contacts": count });
            (link, true)
        }
        Ok(response) => {
            refused(&response, who, places, &mut link);
            (link, false)
        }
        Err(failed) => {
            link.fail(
                None,
                format!("REGISTER as {id}: {failed}"),
                "see the log of the exchange",
            );
            (link, false)
        }
    }
}

/// Takes our Contact away again.
pub(crate) async fn leave(phone: &mut Phone) -> Result<(), Failed> {
    phone.register(Some(0)).await.map(|_| ())
}

/// Long enough for the examination, short enough if it dies in the middle.
const EXPIRES_S: u32 = 60;

fn contacts(response: &Response) -> usize {
    match response.headers.contacts() {
        Ok(Contacts::List(list)) => list.len(),
        Ok(Contacts::Star) | Err(_) => 0,
    }
}

fn refused(response: &Response, who: &Who<'_>, places: &Places<'_>, link: &mut Link) {
    let (id, username) = (&who.account.id, &who.account.username);
    let answer = format!("{} {}", response.status.code(), response.reason);
    let (place, sentence, cure) = match response.status.code() {
        401 | 403 | 407 => (
            who.place(places, "auth", &["password", "md5_cred", "username"]),
            format!(
                "REGISTER as {id} is refused with {answer}: user `{username}` or password is wrong, or there \
                 is no such endpoint"
            ),
            "compare username and password of the auth that the endpoint names with what the phone uses"
                .to_owned(),
        ),
        404 => (
            who.place(places, "aor", &[]).or_else(|| who.place(places, "endpoint", &["aors"])),
            format!("REGISTER as {id} is refused with {answer}: it has no address of record to register at"),
            format!("write a type=aor with max_contacts=1 named {id}, and aors={id} at the endpoint"),
        ),
        423 => (
            who.place(places, "aor", &["minimum_expiration"]),
            format!("REGISTER as {id} for {EXPIRES_S} s is refused with {answer}"),
            format!("let minimum_expiration be {EXPIRES_S} or less"),
        ),
        500..=599 => (
            None,
            format!("REGISTER as {id} is refused with {answer}: the exchange cannot look up the account"),
            "see the link `database` and the log of the exchange".to_owned(),
        ),
        _ => (
            who.place(places, "endpoint", &[]),
            format!("REGISTER as {id} is refused with {answer}"),
            "see the log of the exchange, which says why".to_owned(),
        ),
    };
    link.fail(place, sentence, cure);
}
