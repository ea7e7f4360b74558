//! What the dial plan may ask about endpoints, addresses of record, contacts and URIs.

use std::sync::Arc;

use ::sip::{NameAddr, Uri};
use config::{Aor, Shown as _};
use switch::{NoOption, Thing};

use crate::sip::shared::{self, Shared};

/// See [`switch::Technology::option_of`].
pub(crate) fn option_of(
    shared: &Shared,
    thing: Thing,
    name: &str,
    option: &str,
) -> Result<String, NoOption> {
    match thing {
        Thing::Endpoint => {
            let known = shared.switch.store().known_subscriber(name);
            let known = known.ok_or(NoOption::Thing)?;
            match option {
                "type" => Ok("endpoint".to_owned()),
                option => shown(known.endpoint.shown(), option),
            }
        }
        Thing::Aor => of_aor(shared, name, option),
        Thing::Contact => {
            let location = shared.location();
            let (_, contact) = location.named(name).ok_or(NoOption::Thing)?;
            contact.fact(shared::now(), option).ok_or(NoOption::Option)
        }
        Thing::Uri => {
            let address = NameAddr::parse(name).map_err(|_| NoOption::Thing)?;
            part(&address, option).ok_or(NoOption::Option)
        }
    }
}

fn of_aor(shared: &Shared, name: &str, option: &str) -> Result<String, NoOption> {
    let aor = aor(shared, name).ok_or(NoOption::Thing)?;
    match option {
        "type" => Ok("aor".to_owned()),
        // As Asterisk has it, those that have registered too: their names, for `PJSIP_CONTACT`.
        "contact" => Ok(shared.location().names(name).join(",")),
        option => shown(aor.shown(), option),
    }
}

/// One that stands in a file, or in the database as one of an endpoint of its name.
fn aor(shared: &Shared, name: &str) -> Option<Arc<Aor>> {
    let config = shared.switch.config();
    if let Some(aor) = config.aors.get(name) {
        return Some(Arc::clone(aor));
    }
    let known = shared.switch.store().known_subscriber(name)?;
    known.aors.iter().find(|aor| aor.id == name).cloned()
}

fn shown(options: Vec<(&'static str, String)>, option: &str) -> Result<String, NoOption> {
    let mut options = options.into_iter();
    let found = options.find(|(name, _)| *name == option);
    found.map(|(_, value)| value).ok_or(NoOption::Option)
}

/// A part of an address, by Asterisk's names; nothing where it has none.
fn part(address: &NameAddr, part: &str) -> Option<String> {
    let uri: &Uri = &address.uri;
    let param = |name: &str| uri.param(name).unwrap_or_default().to_owned();
    Some(match part {
        "display" => address
            .display_name
            .as_deref()
            .unwrap_or_default()
            .to_owned(),
        "scheme" => uri.scheme().to_owned(),
        "user" => uri.user().unwrap_or_default().into_owned(),
        "passwd" => uri.password().unwrap_or_default().to_owned(),
        "host" => uri.host().map(ToString::to_string).unwrap_or_default(),
        // As in Asterisk, where none is written.
        "port" => uri.port().unwrap_or_default().to_string(),
        "user_param" => param("user"),
        "method_param" => param("method"),
        "transport_param" => param("transport"),
        "ttl_param" => param("ttl"),
        "lr_param" => u8::from(
            uri.params()
                .any(|(name, _)| name.eq_ignore_ascii_case("lr")),
        )
        .to_string(),
        "maddr_param" => param("maddr"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use ::sip::NameAddr;

    use super::part;

    #[test]
    fn an_address_is_taken_apart() {
        let text = "\"Ada L\" <sips:a%20b:secret@[::1]:5071;transport=tcp;user=phone;lr>;tag=1";
        let address = NameAddr::parse(text).unwrap();
        for (name, expected) in [
            ("display", Some("Ada L")),
            ("scheme", Some("sips")),
            ("user", Some("a b")),
            ("passwd", Some("secret")),
            ("host", Some("[::1]")),
            ("port", Some("5071")),
            ("user_param", Some("phone")),
            ("transport_param", Some("tcp")),
            ("maddr_param", Some("")),
            ("lr_param", Some("1")),
            ("tag", None),
        ] {
            assert_eq!(part(&address, name).as_deref(), expected, "{name}");
        }
    }
}
