//! `type=aor`: an address of record, the place contacts are registered at.

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
    /// The mailboxes a subscriber to this address is told of.
    pub mailboxes: Vec<String>,
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
            mailboxes: Vec::new(),
        }
    }
}
