//! `type=aor`: an address of record, the place contacts are registered at.

use crate::option::{Fault, Object, Parse, Row, row};
use crate::registration::proxy;

/// An address of record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aor {
    /// The section's name, which is the user part phones register.
    pub id: String,
    /// Contacts that need no registration.
    pub contacts: Vec<String>,
    /// Contacts that may be registered at once; 0 means that none may.
    pub max_contacts: u32,
    /// Whether a new registration replaces the others instead of being refused when full.
    pub remove_existing: bool,
    /// Whether contacts that answer no qualify are removed first when full.
    pub remove_unavailable: bool,
    /// The shortest time of registration granted, in seconds.
    pub minimum_expiration_s: u32,
    /// The time granted to a phone that asks for none, in seconds.
    pub default_expiration_s: u32,
    /// The longest time granted, in seconds.
    pub maximum_expiration_s: u32,
    /// Whether `Path` (RFC 3327) is kept.
    pub support_path: bool,
    /// The proxy requests to written contacts go through.
    pub outbound_proxy: Option<String>,
    /// The mailboxes a subscriber to this address is told of.
    pub mailboxes: Vec<String>,
    /// The extension that a subscriber calls to hear its messages.
    pub voicemail_extension: Option<String>,
    /// Seconds between two questions whether a contact is there; 0 asks never.
    pub qualify_frequency_s: u32,
    /// Milliseconds an answer may take.
    pub qualify_timeout_ms: u32,
    /// Whether only a 2xx counts as an answer.
    pub qualify_2xx_only: bool,
    /// Whether a challenge is answered with the endpoint's `outbound_auth`.
    pub authenticate_qualify: bool,
}

impl Aor {
    /// An object without options.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            contacts: Vec::new(),
            max_contacts: 0,
            remove_existing: false,
            remove_unavailable: false,
            minimum_expiration_s: 60,
            default_expiration_s: 3600,
            maximum_expiration_s: 7200,
            support_path: false,
            outbound_proxy: None,
            mailboxes: Vec::new(),
            voicemail_extension: None,
            qualify_frequency_s: 0,
            qualify_timeout_ms: 3_000,
            qualify_2xx_only: false,
            authenticate_qualify: false,
        }
    }
}

impl Object for Aor {
    const KIND: &'static str = "aor";
    const OPTIONS: &'static [Row<Self>] = OPTIONS;

    fn named(id: &str) -> Self {
        Self::new(id)
    }
}

const OPTIONS: &[Row<Aor>] = &[
    row(
        "authenticate_qualify",
        "no",
        Parse::YesNo(|a| &mut a.authenticate_qualify),
        "Answers a challenge to the question whether a contact is there, with `outbound_auth`.",
    ),
    row(
        "contact",
        "",
        Parse::Own(contact),
        "A contact that needs no registration, called over UDP; repeatable.",
    ),
    row(
        "default_expiration",
        "3600",
        Parse::Number(|a| &mut a.default_expiration_s, 1, SECONDS_MAX),
        "Seconds granted to a phone that asks for none.",
    ),
    row(
        "mailboxes",
        "",
        Parse::Names(|a| &mut a.mailboxes),
        "Mailboxes a subscriber hears of; `DB(mwi_external/mailboxes/NAME)` says what waits in them: new/old.",
    ),
    row(
        "max_contacts",
        "0",
        Parse::Number(|a| &mut a.max_contacts, 0, CONTACTS_MAX),
        "Contacts registered at once; 0 is none.",
    ),
    row(
        "maximum_expiration",
        "7200",
        Parse::Number(|a| &mut a.maximum_expiration_s, 1, SECONDS_MAX),
        "The most seconds granted.",
    ),
    row(
        "minimum_expiration",
        "60",
        Parse::Number(|a| &mut a.minimum_expiration_s, 1, SECONDS_MAX),
        "The least seconds granted.",
    ),
    row(
        "outbound_proxy",
        "",
        Parse::Own(|a, v| proxy(&mut a.outbound_proxy, v)),
        "The proxy requests to its written contacts go through, as a Route, if the endpoint has none.",
    ),
    row(
        "qualify_2xx_only",
        "no",
        Parse::YesNo(|a| &mut a.qualify_2xx_only),
        "Takes only a 2xx for a sign of life, else every answer.",
    ),
    row(
        "qualify_frequency",
        "0",
        Parse::Number(|a| &mut a.qualify_frequency_s, 0, QUALIFY_S_MAX),
        "Seconds between two questions (OPTIONS) whether a contact is there; 0 asks never.",
    ),
    row(
        "qualify_timeout",
        "3.0",
        Parse::Own(qualify_timeout),
        "Seconds an answer may take.",
    ),
    row(
        "remove_existing",
        "no",
        Parse::YesNo(|a| &mut a.remove_existing),
        "A new registration replaces the others when full.",
    ),
    row(
        "remove_unavailable",
        "no",
        Parse::YesNo(|a| &mut a.remove_unavailable),
        "Contacts that answer no qualify go first when full.",
    ),
    row(
        "support_path",
        "no",
        Parse::YesNo(|a| &mut a.support_path),
        "Keeps Path (RFC 3327).",
    ),
    row(
        "voicemail_extension",
        "",
        Parse::Optional(|a| &mut a.voicemail_extension),
        "The extension a subscriber to its mailboxes calls to hear them, told as Message-Account; that of the endpoint \
         if unset.",
    ),
];

/// A day, as in Asterisk.
const QUALIFY_S_MAX: u32 = 24 * 3600;
/// Seconds of `qualify_timeout`.
const TIMEOUT_S_MAX: u32 = 3_600;
/// A year.
const SECONDS_MAX: u32 = 365 * 24 * 3600;
/// `max_contacts` of one address.
const CONTACTS_MAX: u32 = 10_000;
/// Contacts written into files, of one address.
const WRITTEN_MAX: usize = 100;

/// Seconds with a fraction; 0 waits as long as the transaction does.
fn qualify_timeout(aor: &mut Aor, value: &str) -> Result<(), Fault> {
    let seconds: f64 = value
        .parse()
        .ok()
        .filter(|s: &f64| (0.0..=f64::from(TIMEOUT_S_MAX)).contains(s))
        .ok_or_else(|| Fault::NotNumber(0, TIMEOUT_S_MAX.into()))?;
    const TRANSACTION_MS: u32 = 32_000;
    // It is between 0 and 3,600,000.
    let millis = (seconds * 1_000.0).round() as u32;
    aor.qualify_timeout_ms = if millis == 0 { TRANSACTION_MS } else { millis };
    Ok(())
}

fn contact(aor: &mut Aor, value: &str) -> Result<(), Fault> {
    if aor.contacts.len() >= WRITTEN_MAX {
        return Err(Fault::TooMany(WRITTEN_MAX));
    }
    aor.contacts.push(value.to_owned());
    Ok(())
}
