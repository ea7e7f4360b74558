//! One contact as it is kept: Asterisk's fields, and what only we need.

use crate::astdb::Urgency;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value as Json};

/// A registered contact as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedContact {
    /// The address of record.
    pub aor: String,
    /// The address as the client wrote it.
    pub uri: String,
    /// The whole Contact as the client wrote it, parameters and all.
    pub contact: String,
    /// The end of the registration, in seconds since 1970.
    pub expiration_time: i64,
    /// The endpoint that registered it.
    pub endpoint: String,
    /// The Path headers (RFC 3327), each whole.
    pub path: Vec<String>,
    /// User-Agent of the client.
    pub user_agent: String,
    /// The host of its lowest Via.
    pub via_addr: String,
    /// The port of it; 0 if it names none.
    pub via_port: u16,
    /// Call-ID of its registrations.
    pub call_id: String,
    /// CSeq of the last one.
    pub cseq: u32,
    /// The transport it came over: `udp`, `ws`.
    pub transport: String,
    /// Our end of its flow.
    pub local: String,
    /// Its end of the flow.
    pub remote: String,
    /// It ends with its connection, and so with the exchange.
    pub prune_on_boot: bool,
}

/// A change of what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactChange {
    /// A contact is new, or has changed.
    Save {
        /// It.
        contact: Box<SavedContact>,
        /// Whether only the end of the registration has changed.
        refresh: bool,
    },
    /// A contact is gone.
    Remove {
        /// [`SavedContact::id`].
        id: String,
    },
}

impl ContactChange {
    pub(super) fn urgency(&self) -> Urgency {
        match self {
            Self::Save { refresh: true, .. } => Urgency::Lazy,
            Self::Save { refresh: false, .. } | Self::Remove { .. } => Urgency::Now,
        }
    }

    pub(super) fn id(&self) -> String {
        match self {
            Self::Save { contact, .. } => contact.id(),
            Self::Remove { id } => id.clone(),
        }
    }
}

impl SavedContact {
    /// What the contact is called in the tables, as in Asterisk: `alice;@` and the MD5 of its URI.
    pub fn id(&self) -> String {
        Self::id_of(&self.aor, &self.uri)
    }

    /// The same for the contact of an address with this URI.
    pub fn id_of(aor: &str, uri: &str) -> String {
        let sum = Md5::digest(uri.as_bytes());
        let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{aor};@{sum}")
    }

    /// The object that Asterisk's `astdb` has for a contact: all values are text. Our own fields
    /// follow; Asterisk would not read this file while it is ours.
    pub(super) fn to_json(&self, server: &str) -> String {
        let yes_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        let fields = [
            ("via_addr", self.via_addr.clone()),
            ("via_port", self.via_port.to_string()),
            ("call_id", self.call_id.clone()),
            ("reg_server", server.to_owned()),
            ("prune_on_boot", yes_no(self.prune_on_boot)),
            ("path", self.path.join(",")),
            ("endpoint", self.endpoint.clone()),
            ("uri", self.uri.clone()),
            ("user_agent", self.user_agent.clone()),
            ("expiration_time", self.expiration_time.to_string()),
            ("sidetone_contact", self.contact.clone()),
            ("sidetone_cseq", self.cseq.to_string()),
            ("sidetone_transport", self.transport.clone()),
            ("sidetone_local", self.local.clone()),
            ("sidetone_remote", self.remote.clone()),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), Json::from(value)));
        Json::Object(Map::from_iter(fields)).to_string()
    }

    /// Reads what [`Self::to_json`] wrote, or Asterisk.
    pub(crate) fn from_json(id: &str, json: &str) -> Option<Self> {
        let Ok(Json::Object(fields)) = serde_json::from_str(json) else {
            return None;
        };
        let field = |name: &str| match fields.get(name) {
            Some(Json::String(text)) => text.clone(),
            Some(Json::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        Self::from_fields(id, field)
    }

    /// Reads a contact by the names of its fields.
    pub(crate) fn from_fields(id: &str, field: impl Fn(&str) -> String) -> Option<Self> {
        let (aor, _) = id.rsplit_once(";@")?;
        let uri = field("uri");
        if aor.is_empty() || uri.is_empty() {
            return None;
        }
        let contact = Some(field("sidetone_contact")).filter(|contact| !contact.is_empty());
        Some(Self {
            aor: aor.to_owned(),
            contact: contact.unwrap_or_else(|| format!("<{uri}>")),
            uri,
            expiration_time: field("expiration_time").parse().ok()?,
            endpoint: field("endpoint"),
            path: split_path(&field("path")),
            user_agent: field("user_agent"),
            via_addr: field("via_addr"),
            via_port: field("via_port").parse().unwrap_or_default(),
            call_id: field("call_id"),
            cseq: field("sidetone_cseq").parse().unwrap_or_default(),
            transport: field("sidetone_transport"),
            local: field("sidetone_local"),
            remote: field("sidetone_remote"),
            prune_on_boot: is_yes(&field("prune_on_boot")),
        })
    }
}

/// Asterisk's words for yes.
fn is_yes(word: &str) -> bool {
    ["yes", "true", "on", "1"]
        .iter()
        .any(|yes| yes.eq_ignore_ascii_case(word))
}

/// Headers that were joined by commas; those in quotes and brackets do not separate.
fn split_path(text: &str) -> Vec<String> {
    let (mut quoted, mut bracket) = (false, false);
    let parts = text.split(|character: char| {
        match character {
            '"' => quoted = !quoted,
            '<' if !quoted => bracket = true,
            '>' if !quoted => bracket = false,
            ',' => return !quoted && !bracket,
            _ => {}
        }
        false
    });
    let parts = parts.map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::SavedContact;

    #[test]
    fn what_is_kept_is_read_again() {
        let contact = SavedContact {
            aor: "al;@ice".to_owned(),
            uri: "sip:alice@192.0.2.7:5060;ob".to_owned(),
            contact: "\"Zoë\" <sip:alice@192.0.2.7:5060;ob>;q=0.5".to_owned(),
            expiration_time: 1_764_105_000,
            endpoint: "alice".to_owned(),
            path: vec!["<sip:a,b@edge;lr>".to_owned(), "<sip:other;lr>".to_owned()],
            user_agent: "Phone/1".to_owned(),
            via_addr: "192.0.2.7".to_owned(),
            via_port: 5060,
            call_id: "c1".to_owned(),
            cseq: 7,
            transport: "udp".to_owned(),
            local: "192.0.2.1:5060".to_owned(),
            remote: "192.0.2.7:5060".to_owned(),
            prune_on_boot: false,
        };
        let read = SavedContact::from_json(&contact.id(), &contact.to_json("here"));
        assert_eq!(read, Some(contact));
    }

    /// As Asterisk 20 writes it.
    #[test]
    fn a_contact_of_asterisk_is_read() {
        let json = r#"{"via_addr":"10.0.0.5","qualify_timeout":"3.000000","call_id":"x","reg_server":"",
            "prune_on_boot":"no","path":"","endpoint":"6001","via_port":"5060",
            "authenticate_qualify":"no","uri":"sip:6001@10.0.0.5:5060","qualify_frequency":"0",
            "user_agent":"Yealink","expiration_time":"1764105000","outbound_proxy":""}"#;
        let id = "6001;@0123456789abcdef0123456789abcdef";
        let contact = SavedContact::from_json(id, json).unwrap();
        assert_eq!((contact.aor.as_str(), contact.via_port), ("6001", 5060));
        assert_eq!(contact.contact, "<sip:6001@10.0.0.5:5060>");
        assert_eq!(SavedContact::from_json("noid", json), None);
        assert_eq!(SavedContact::from_json(id, "{"), None);
    }

    #[test]
    fn the_id_is_asterisks() {
        let id = SavedContact::id_of("alice", "sip:a@b");
        // `printf sip:a@b | md5sum`
        assert_eq!(id, "alice;@d2c19764dd05d723f5fa41d40214e539");
    }
}
