//! `pjsip.conf`: sections to objects, and what they name to each other.

use crate::auth::Auth;
use crate::endpoint::Endpoint;
use crate::option::{Applied, Object};
use crate::snapshot::Config;
use crate::transport::{Protocol, TransportConfig};
use conf::{Diagnostic, Document, Entry, Report, Section, Severity, closest};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Types that are read.
const SERVED: [&str; 6] = ["aor", "auth", "endpoint", "global", "system", "transport"];
/// Types Asterisk knows besides.
const UNSERVED: [&str; 13] = [
    "acl",
    "asterisk-publication",
    "contact",
    "domain_alias",
    "identify",
    "inbound-publication",
    "outbound-publish",
    "phoneprov",
    "registration",
    "resource_list",
    "subscription_persistence",
    "taskpool",
    "transport-websocket",
];
/// Options without effect that are there to keep somebody out.
const GUARDS: [&str; 9] = [
    "acl",
    "contact_acl",
    "contact_deny",
    "contact_permit",
    "deny",
    "ice_acl",
    "ice_deny",
    "ice_permit",
    "permit",
];

/// Reads the objects of a document into `config`; its plan must be there already.
pub(crate) fn read(document: &Document, config: &mut Config, report: &mut Report) {
    let mut reader = Reader::new(document, report);
    let mut endpoints: BTreeMap<String, (Endpoint, &Section)> = BTreeMap::new();
    let mut defined: BTreeMap<(&str, &str), &Section> = BTreeMap::new();
    for section in document.sections.iter().filter(|s| !s.template) {
        let Some(kind) = reader.kind(section) else {
            continue;
        };
        if let Some(earlier) = defined.insert((kind, &section.name), section) {
            let message = format!(
                "{kind} `{}` is defined already in line {}; this one is left out",
                section.name, earlier.at.line
            );
            reader.say(Severity::Error, section, message);
            defined.insert((kind, &section.name), earlier);
            continue;
        }
        let id = section.name.clone();
        match kind {
            "global" => config.global = reader.object(section).unwrap_or_default(),
            "system" => reader.unserved(section, "system"),
            "transport" => config.transports.extend(reader.transport(section)),
            "auth" => {
                if let Some(auth) = reader.auth(section) {
                    config.auths.insert(id, Arc::new(auth));
                }
            }
            "aor" => {
                if let Some(aor) = reader.object(section) {
                    config.aors.insert(id, Arc::new(aor));
                }
            }
            _ => {
                if let Some(endpoint) = reader.endpoint(section) {
                    endpoints.insert(id, (endpoint, section));
                }
            }
        }
    }
    for (id, (endpoint, section)) in endpoints {
        reader.references(&endpoint, section, config);
        let subscriber = config.subscriber(endpoint);
        config.endpoints.insert(id, Arc::new(subscriber));
    }
}

/// Reads sections of any file into objects.
pub(crate) struct Reader<'a> {
    document: &'a Document,
    report: &'a mut Report,
    /// Options without effect that were mentioned already.
    mentioned: BTreeSet<(&'static str, String)>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(document: &'a Document, report: &'a mut Report) -> Self {
        Self {
            document,
            report,
            mentioned: BTreeSet::new(),
        }
    }

    /// The type of a section, if objects of it are read.
    fn kind(&mut self, section: &Section) -> Option<&'static str> {
        let Some(entry) = section.last("type") else {
            let message = format!("section `{}` has no `type=` and is not used", section.name);
            self.say(Severity::Warning, section, message);
            return None;
        };
        let kind = entry.value.as_str();
        if let Some(kind) = SERVED.into_iter().find(|served| *served == kind) {
            return Some(kind);
        }
        let diagnostic = if UNSERVED.contains(&kind) {
            let message = format!("type={kind} is not served yet; the section has no effect");
            self.at_value(Severity::Warning, entry, message)
        } else {
            let message = format!(
                "`{kind}` is no type; section `{}` is not used",
                section.name
            );
            self.at_value(Severity::Error, entry, message)
                .did_you_mean(closest(kind, SERVED.into_iter().chain(UNSERVED)))
        };
        self.report.push(diagnostic);
        None
    }

    /// The object in a section; `None`, and an error, if an option of it is broken.
    fn object<T: Object>(&mut self, section: &Section) -> Option<T> {
        let mut object = T::named(&section.name);
        let mut usable = true;
        for entry in &section.entries {
            if entry.name.eq_ignore_ascii_case("type") {
                continue;
            }
            let owner = format!("{} `{}` is not used: {}", T::KIND, section.name, entry.name);
            usable &= self.option(&mut object, entry, &owner);
        }
        object.finish();
        usable.then_some(object)
    }

    /// Reads one option; false if its value is broken. `owner` begins the message that says so.
    pub(crate) fn option<T: Object>(&mut self, object: &mut T, entry: &Entry, owner: &str) -> bool {
        match object.set(&entry.name, &entry.value) {
            Applied::Set => {}
            Applied::Unserved => self.mention(T::KIND, entry),
            Applied::Unknown => {
                let message = format!("option `{}` is not known in {}", entry.name, T::KIND);
                let mut diagnostic = self
                    .document
                    .diagnostic(Severity::Warning, entry.at, message)
                    .did_you_mean(T::closest_option(&entry.name));
                diagnostic.excerpt = Some(format!("{}=…", entry.name));
                self.report.push(diagnostic);
            }
            Applied::Fault(fault) => {
                let meant = fault.meant(&entry.value);
                let diagnostic = if fault.drops() {
                    self.at_value(Severity::Error, entry, format!("{owner} {fault}"))
                } else {
                    let message = format!("{} {fault}", entry.name);
                    self.at_value(Severity::Warning, entry, message)
                };
                self.report.push(diagnostic.did_you_mean(meant));
                return !fault.drops();
            }
        }
        true
    }

    /// Says once that an option has no effect.
    fn mention(&mut self, kind: &'static str, entry: &Entry) {
        let name = entry.name.to_ascii_lowercase();
        // Whoever relies on a list of addresses must not be left to believe that it holds.
        let (severity, message) = if GUARDS.contains(&name.as_str()) {
            let message = format!("option `{name}` has no effect here: it keeps nobody out");
            (Severity::Warning, message)
        } else {
            let message = format!("option `{name}` is accepted and has no effect here");
            (Severity::Info, message)
        };
        if self.mentioned.insert((kind, name)) {
            let diagnostic = self.document.diagnostic(severity, entry.at, message);
            self.report.push(diagnostic);
        }
    }

    /// A section whose options are all without effect.
    fn unserved(&mut self, section: &Section, kind: &'static str) {
        for entry in &section.entries {
            if !entry.name.eq_ignore_ascii_case("type") {
                self.mention(kind, entry);
            }
        }
    }

    fn transport(&mut self, section: &Section) -> Option<TransportConfig> {
        let transport: TransportConfig = self.object(section)?;
        match transport.protocol {
            Protocol::Udp | Protocol::Ws | Protocol::Wss => {}
            Protocol::Tcp | Protocol::Tls => {
                let message = format!(
                    "transport `{}` is not served yet: nothing listens on {}",
                    section.name,
                    transport.protocol.as_str()
                );
                self.say(Severity::Warning, section, message);
            }
        }
        Some(transport)
    }

    fn auth(&mut self, section: &Section) -> Option<Auth> {
        let auth: Auth = self.object(section)?;
        if auth.password.is_none() && auth.digests.is_empty() {
            let message = format!("auth `{}` has no secret: nobody can sign by it", auth.id);
            self.say(Severity::Warning, section, message);
        }
        Some(auth)
    }

    fn endpoint(&mut self, section: &Section) -> Option<Endpoint> {
        let endpoint: Endpoint = self.object(section)?;
        if endpoint.allow.is_empty() {
            let message = format!(
                "endpoint `{}` allows no codec: its calls will be refused",
                endpoint.id
            );
            let diagnostic = self.at_section(Severity::Warning, section, message);
            self.report
                .push(diagnostic.advise("add for example `allow=opus,ulaw,vp8`"));
        }
        Some(endpoint)
    }

    fn references(&mut self, endpoint: &Endpoint, section: &Section, config: &Config) {
        let mut dangling = config.dangling(endpoint);
        dangling.extend(config.dangling_objects(endpoint));
        for reference in dangling {
            let message = format!("{} {}", reference.option, reference.missing());
            let diagnostic = match section.last(reference.option) {
                Some(entry) => self.at_value(Severity::Warning, entry, message),
                None => self.at_section(Severity::Warning, section, message),
            };
            self.report
                .push(diagnostic.did_you_mean(reference.meant.as_deref()));
        }
        for aor in endpoint
            .aors
            .iter()
            .filter_map(|name| config.aors.get(name))
        {
            if aor.max_contacts == 0 && aor.contacts.is_empty() {
                let message = format!(
                    "aor `{}` has max_contacts=0: `{}` cannot register",
                    aor.id, endpoint.id
                );
                self.say(Severity::Warning, section, message);
            }
        }
    }

    pub(crate) fn at_value(
        &self,
        severity: Severity,
        entry: &Entry,
        message: impl Into<String>,
    ) -> Diagnostic {
        self.document.diagnostic(severity, entry.value_at, message)
    }

    pub(crate) fn at_section(
        &self,
        severity: Severity,
        section: &Section,
        message: impl Into<String>,
    ) -> Diagnostic {
        self.document.diagnostic(severity, section.at, message)
    }

    pub(crate) fn say(
        &mut self,
        severity: Severity,
        section: &Section,
        message: impl Into<String>,
    ) {
        let diagnostic = self.at_section(severity, section, message);
        self.report.push(diagnostic);
    }
}
