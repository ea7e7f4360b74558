//! `pjsip.conf`: sections to objects, and what they name to each other.

use crate::acl::{Acl, AddressLists};
use crate::auth::Auth;
use crate::database::{self, Origin};
use crate::endpoint::Endpoint;
use crate::identify::Identify;
use crate::option::Object as _;
use crate::reader::Reader;
use crate::reference::Dangling;
use crate::registration::{DomainAlias, Registration};
use crate::resource_list::ResourceList;
use crate::rows;
use crate::snapshot::{Config, Elsewhere};
use crate::transport::{TransportConfig, Written};
use conf::{Diagnostic, Document, Report, Section, Severity, closest};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Types that are read.
const SERVED: [&str; 11] = [
    "acl",
    "aor",
    "auth",
    "domain_alias",
    "endpoint",
    "global",
    "identify",
    "registration",
    "resource_list",
    "system",
    "transport",
];
/// Types Asterisk knows besides, and why their sections have no effect.
const UNSERVED: [(&str, &str); 8] = [
    (
        "asterisk-publication",
        "states of devices are not exchanged with other servers",
    ),
    (
        "contact",
        "contacts are what phones register; one that needs no registration is written `contact=` in its aor",
    ),
    (
        "inbound-publication",
        "states of devices are not taken from other servers",
    ),
    (
        "outbound-publish",
        "states of devices are not sent to other servers",
    ),
    ("phoneprov", "phones are not provisioned over HTTP"),
    (
        "subscription_persistence",
        "phones subscribe anew after a restart",
    ),
    (
        "taskpool",
        "tasks are scheduled on as many threads as the machine has cores",
    ),
    (
        "transport-websocket",
        "web sockets listen where http.conf says",
    ),
];

/// The sections of objects, for what is said about them when all are read.
#[derive(Default)]
struct Sections<'a> {
    endpoints: BTreeMap<String, (Endpoint, &'a Section)>,
    /// Endpoints that are not used: what they name may be wrong as well.
    broken: Vec<(Endpoint, &'a Section)>,
    identifies: Vec<&'a Section>,
    registrations: Vec<&'a Section>,
    acls: Vec<&'a Section>,
}

/// What the files try to define, though it may have been refused with a message of its own: that somebody names
/// it is no second fault.
struct Attempts<'a> {
    named: BTreeSet<(&'a str, &'a str)>,
    elsewhere: &'a Elsewhere,
}

impl<'a> Attempts<'a> {
    fn of(document: &'a Document, elsewhere: &'a Elsewhere) -> Self {
        let sections = document.sections.iter().filter(|s| !s.template);
        let named = sections.filter_map(|section| {
            let kind = section.last("type").map(|entry| entry.value.as_str());
            let unserved = |kind: &str| UNSERVED.iter().any(|(name, _)| *name == kind);
            match kind {
                Some(kind) if SERVED.contains(&kind) => Some((kind, section.name.as_str())),
                Some(kind) if unserved(kind) => None,
                // Without a type it may be meant as anything.
                Some(_) | None => Some(("", section.name.as_str())),
            }
        });
        Self {
            named: named.collect(),
            elsewhere,
        }
    }

    /// Whether a name leads nowhere, and nothing says so yet.
    fn lack(&self, dangling: &Dangling) -> bool {
        let name = dangling.name.as_str();
        let refused = dangling.kind().is_some_and(|kind| {
            self.named.contains(&(kind, name)) || self.named.contains(&("", name))
        });
        !refused && !dangling.is_in(self.elsewhere)
    }
}

/// Reads the objects of `pjsip.conf` and of tables into `config`; its plan, its database and its named lists of
/// addresses must be there already.
pub(crate) fn read(
    document: Option<&Document>,
    config: &mut Config,
    elsewhere: &Elsewhere,
    report: &mut Report,
) {
    let database = config.database.clone();
    let tables = database.object_tables().filter_map(|(kind, table)| {
        let rows = elsewhere.rows.get(kind)?;
        Some((kind, rows::document(&database, kind, table, rows)))
    });
    let (first, last): (Vec<_>, Vec<_>) =
        tables.partition(|(kind, _)| database.origins(kind).first() == Some(&Origin::Table));
    let mut taken = Taken::default();
    let mut found = Vec::new();
    for (kind, document) in &first {
        found.push((document, table(document, kind, config, &mut taken, report)));
    }
    let mut sections = Sections::default();
    if let Some(document) = document {
        sections = file(document, config, &mut taken, report);
    }
    for (kind, document) in &last {
        found.push((document, table(document, kind, config, &mut taken, report)));
    }
    if let Some(rows) = elsewhere.rows.get(Auth::KIND) {
        let document = rows::document(&database, Auth::KIND, "ps_auths", rows);
        let mut reader = Reader::new(&document, report);
        for section in &document.sections {
            if let Some(auth) = auth(&mut reader, section) {
                let id = section.name.clone();
                config.registration_auths.insert(id, Arc::new(auth));
            }
        }
    }
    let none = Document::of_records(&[], |_, _| String::new());
    let document = document.unwrap_or(&none);
    let attempts = Attempts::of(document, elsewhere);
    let mut reader = Reader::new(document, report);
    for (id, (endpoint, section)) in std::mem::take(&mut sections.endpoints) {
        endpoint_references(&mut reader, &endpoint, section, config, &attempts);
        let subscriber = config.subscriber(endpoint);
        config.endpoints.insert(id, Arc::new(subscriber));
    }
    for (endpoint, section) in std::mem::take(&mut sections.broken) {
        endpoint_references(&mut reader, &endpoint, section, config, &attempts);
    }
    references(&mut reader, &sections, config, &attempts);
    for (document, sections) in found {
        let mut reader = Reader::new(document, report);
        references(&mut reader, &sections, config, &attempts);
    }
}

/// Objects of the snapshot that one place has, so that another that comes later has none of that name.
type Taken = BTreeSet<(&'static str, String)>;

/// By what an object is known: of some kinds there is one.
fn key(kind: &'static str, id: &str) -> (&'static str, String) {
    match kind {
        "global" | "system" => (kind, String::new()),
        kind => (kind, id.to_owned()),
    }
}

fn say_taken(reader: &mut Reader<'_>, kind: &str, section: &Section) {
    let message = format!(
        "{kind} `{}` is left out: there is one already, which is looked for first",
        section.name
    );
    let advice = "keep one of them; the order of the lines in sorcery.conf says which is first";
    reader.say(Severity::Warning, section, message, advice);
}

/// Reads the objects of `pjsip.conf`.
fn file<'a>(
    document: &'a Document,
    config: &mut Config,
    taken: &mut Taken,
    report: &mut Report,
) -> Sections<'a> {
    let mut sections = Sections::default();
    let mut defined: BTreeMap<(&'static str, &str), &Section> = BTreeMap::new();
    let mut unused: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut reader = Reader::new(document, report);
    for section in document.sections.iter().filter(|s| !s.template) {
        let Some(kind) = kind(&mut reader, section) else {
            continue;
        };
        if !config.database.origins(kind).contains(&Origin::Files)
            && rows::KINDS.iter().any(|(own, _)| *own == kind)
        {
            *unused.entry(kind).or_default() += 1;
            continue;
        }
        if taken.contains(&key(kind, &section.name)) {
            say_taken(&mut reader, kind, section);
            continue;
        }
        if let Some(earlier) = defined.insert((kind, &section.name), section) {
            let message = format!(
                "{kind} `{}` is defined already in line {}; this one is left out",
                section.name, earlier.at.line
            );
            let diagnostic = reader.at_section(Severity::Error, section, message);
            let advice = format!(
                "write `[{}](+)` to add to the first one, or give this one another name",
                section.name
            );
            reader.push(diagnostic.advise(advice));
            defined.insert((kind, &section.name), earlier);
            continue;
        }
        object(&mut reader, kind, section, config, &mut sections);
    }
    taken.extend(defined.keys().map(|(kind, id)| key(kind, id)));
    for (kind, count) in unused {
        let of = match kind {
            "registration" => "res_pjsip_outbound_registration",
            _ => "res_pjsip",
        };
        database::say_unused(kind, of, count, report);
    }
    sections
}

/// Reads the objects of a table.
fn table<'a>(
    document: &'a Document,
    kind: &'static str,
    config: &mut Config,
    taken: &mut Taken,
    report: &mut Report,
) -> Sections<'a> {
    let mut reader = Reader::new(document, report);
    let mut sections = Sections::default();
    for section in &document.sections {
        match taken.insert(key(kind, &section.name)) {
            true => object(&mut reader, kind, section, config, &mut sections),
            false => say_taken(&mut reader, kind, section),
        }
    }
    sections
}

/// The type of a section, if objects of it are read.
fn kind(reader: &mut Reader<'_>, section: &Section) -> Option<&'static str> {
    let Some(entry) = section.last("type") else {
        let message = format!("section `{}` has no `type=` and is not used", section.name);
        let diagnostic = reader.at_section(Severity::Warning, section, message);
        let advice = "add for example `type=endpoint`, or `(!)` after the name of a template";
        reader.push(diagnostic.advise(advice));
        return None;
    };
    let kind = entry.value.as_str();
    if let Some(kind) = SERVED.into_iter().find(|served| *served == kind) {
        return Some(kind);
    }
    let unserved = UNSERVED.into_iter().find(|(name, _)| *name == kind);
    let diagnostic = if let Some((_, why)) = unserved {
        let message = format!(
            "type={kind} is accepted, section `{}` has no effect here, because {why}",
            section.name
        );
        reader.at_value(Severity::Warning, entry, message)
    } else {
        let message = format!(
            "`{kind}` is no type; section `{}` is not used",
            section.name
        );
        let names = UNSERVED.iter().map(|(name, _)| *name);
        let meant = closest(kind, SERVED.into_iter().chain(names));
        let diagnostic = reader.at_value(Severity::Error, entry, message);
        match meant {
            Some(_) => diagnostic.did_you_mean(meant),
            None => diagnostic.advise(format!("types are {}", SERVED.join(", "))),
        }
    };
    reader.push(diagnostic);
    None
}

/// Reads one section into the snapshot.
fn object<'a>(
    reader: &mut Reader<'_>,
    kind: &'static str,
    section: &'a Section,
    config: &mut Config,
    sections: &mut Sections<'a>,
) {
    let id = section.name.clone();
    match kind {
        "global" => config.global = reader.object(section).unwrap_or_default(),
        "system" => config.system = reader.object(section).unwrap_or_default(),
        "transport" => {
            let transport = transport(reader, section, &config.transports);
            config.transports.extend(transport);
        }
        "auth" => {
            if let Some(auth) = auth(reader, section) {
                config.auths.insert(id, Arc::new(auth));
            }
        }
        "aor" => {
            if let Some(aor) = reader.object(section) {
                config.aors.insert(id, Arc::new(aor));
            }
        }
        "identify" => {
            config.identifies.extend(identify(reader, section));
            sections.identifies.push(section);
        }
        "registration" => {
            config.registrations.extend(registration(reader, section));
            sections.registrations.push(section);
        }
        "acl" => {
            // A list with a slip in it must not let everybody in.
            let acl = reader.object(section).unwrap_or_else(|| closed(&id));
            config.acls.push(acl);
            sections.acls.push(section);
        }
        "domain_alias" => {
            if let Some(alias) = domain_alias(reader, section) {
                config.domain_aliases.insert(id, alias.domain);
            }
        }
        "resource_list" => {
            if let Some(list) = resource_list(reader, section) {
                config.resource_lists.insert(id, list);
            }
        }
        _ => {
            let (endpoint, is_usable) = endpoint(reader, section);
            match is_usable {
                true => drop(sections.endpoints.insert(id, (endpoint, section))),
                false => sections.broken.push((endpoint, section)),
            }
        }
    }
}

/// A list that lets nobody in.
fn closed(id: &str) -> Acl {
    let mut source = AddressLists::default();
    let all = source.own.add(false, "0.0.0.0/0,::/0");
    all.expect("both are networks");
    Acl {
        id: id.to_owned(),
        source,
        contact: AddressLists::default(),
    }
}

fn transport(
    reader: &mut Reader<'_>,
    section: &Section,
    others: &[TransportConfig],
) -> Option<TransportConfig> {
    let mut transport: TransportConfig = reader.object(section)?;
    let at = reader.at_section(Severity::Info, section, "");
    transport.written = Written {
        file: at.file,
        line: at.line,
    };
    for (fatal, message, advice) in transport.faults() {
        let severity = if fatal {
            Severity::Error
        } else {
            Severity::Warning
        };
        // The option the message begins with, where it is written.
        let mut entries = section.entries.iter().rev();
        let named = message.split(' ').next().unwrap_or_default();
        let written = entries.find(|entry| entry.name.eq_ignore_ascii_case(named));
        let message = format!("transport `{}`: {message}", transport.id);
        let diagnostic = match written {
            Some(entry) => reader.at_value(severity, entry, message),
            None => reader.at_section(severity, section, message),
        };
        reader.push(diagnostic.advise(advice));
    }
    if let Some(other) = others.iter().find(|other| other.collides(&transport)) {
        let message = format!(
            "transport `{}` is left out: `{}` {} listens on {} already",
            transport.id,
            other.id,
            match other.written.line {
                0 => format!("({})", other.written),
                line => format!("in line {line}"),
            },
            other.bind
        );
        let advice = "give one of them another `bind`, or take one out";
        reader.say(Severity::Error, section, message, advice);
        return None;
    }
    Some(transport)
}

fn auth(reader: &mut Reader<'_>, section: &Section) -> Option<Auth> {
    let auth: Auth = reader.object(section)?;
    if auth.password.is_none() && auth.digests.is_empty() {
        let message = format!("auth `{}` has no secret: nobody can sign by it", auth.id);
        let diagnostic = reader.at_section(Severity::Warning, section, message);
        reader.push(diagnostic.advise("add `password=…`, or `password_digest=SHA-256:…`"));
    }
    Some(auth)
}

fn endpoint(reader: &mut Reader<'_>, section: &Section) -> (Endpoint, bool) {
    let (mut endpoint, is_usable): (Endpoint, _) = reader.object_as_it_is(section);
    let at = reader.at_section(Severity::Info, section, "");
    endpoint.written = Written {
        file: at.file,
        line: at.line,
    };
    if endpoint.allow.is_empty() && is_usable {
        let message = format!(
            "endpoint `{}` allows no codec: its calls will be refused",
            endpoint.id
        );
        let diagnostic = reader.at_section(Severity::Warning, section, message);
        reader.push(diagnostic.advise("add for example `allow=opus,ulaw,vp8`"));
    }
    let sockets = &endpoint.sockets;
    let (start, end) = (sockets.port_start, sockets.port_end);
    if sockets.ports().is_none() && (start, end) != (0, 0) {
        let message = format!(
            "endpoint `{}` has no ports from rtp_port_start {start} to rtp_port_end {end}: those of rtp.conf are taken",
            endpoint.id
        );
        let diagnostic = reader.at_section(Severity::Warning, section, message);
        reader.push(diagnostic.advise("write both, `rtp_port_start` as the lower of them"));
    }
    (endpoint, is_usable)
}

fn identify(reader: &mut Reader<'_>, section: &Section) -> Option<Identify> {
    let identify: Identify = reader.object(section)?;
    let Some((lacks, advice)) = identify.lack() else {
        return Some(identify);
    };
    let message = format!("identify `{}` {lacks} and is not used", identify.id);
    let diagnostic = reader.at_section(Severity::Error, section, message);
    reader.push(diagnostic.advise(advice));
    None
}

fn registration(reader: &mut Reader<'_>, section: &Section) -> Option<Registration> {
    let mut registration: Registration = reader.object(section)?;
    let at = reader.at_section(Severity::Info, section, "");
    registration.written = Written {
        file: at.file,
        line: at.line,
    };
    for (value, option) in [
        (&registration.server_uri, "server_uri"),
        (&registration.client_uri, "client_uri"),
    ] {
        if value.is_empty() {
            let message = format!("registration `{}` has no {option}", registration.id);
            let diagnostic = reader.at_section(Severity::Error, section, message);
            reader.push(diagnostic.advise(format!("add `{option}=sip:…`")));
            return None;
        }
    }
    if registration.line != registration.endpoint.is_some() {
        let message = format!(
            "registration `{}`: `line` and `endpoint` go together",
            registration.id
        );
        let advice = "write `line=yes` and `endpoint=…`, or neither";
        reader.say(Severity::Warning, section, message, advice);
    }
    Some(registration)
}

fn domain_alias(reader: &mut Reader<'_>, section: &Section) -> Option<DomainAlias> {
    let alias: DomainAlias = reader.object(section)?;
    if alias.domain.is_empty() {
        let message = format!("domain_alias `{}` has no domain and is not used", alias.id);
        let diagnostic = reader.at_section(Severity::Error, section, message);
        reader.push(diagnostic.advise("add `domain=example.com`"));
        return None;
    }
    Some(alias)
}

fn resource_list(reader: &mut Reader<'_>, section: &Section) -> Option<ResourceList> {
    let list: ResourceList = reader.object(section)?;
    let Some((lack, advice)) = list.lack() else {
        return Some(list);
    };
    let message = format!("resource_list `{}` {lack} and is not used", list.id);
    reader.say(Severity::Error, section, message, advice);
    None
}

fn endpoint_references(
    reader: &mut Reader<'_>,
    endpoint: &Endpoint,
    section: &Section,
    config: &Config,
    attempts: &Attempts<'_>,
) {
    let mut dangling = config.dangling(endpoint);
    dangling.extend(config.dangling_objects(endpoint));
    for reference in dangling.iter().filter(|found| attempts.lack(found)) {
        say_dangling(reader, section, reference);
    }
    let aors = endpoint.aors.iter();
    for aor in aors.filter_map(|name| config.aors.get(name)) {
        if aor.max_contacts == 0 && aor.contacts.is_empty() {
            let message = format!(
                "aor `{}` has max_contacts=0: `{}` cannot register",
                aor.id, endpoint.id
            );
            let diagnostic = reader.at_section(Severity::Warning, section, message);
            reader.push(diagnostic.advise(format!("add `max_contacts=1` to aor `{}`", aor.id)));
        }
    }
}

/// What identifies, registrations and lists of addresses name.
fn references(
    reader: &mut Reader<'_>,
    sections: &Sections<'_>,
    config: &Config,
    attempts: &Attempts<'_>,
) {
    let mut say = |among: &[&Section], id: &str, dangling: &[Dangling]| {
        let section = among.iter().find(|section| section.name == id);
        for reference in dangling.iter().filter(|found| attempts.lack(found)) {
            if let Some(section) = section {
                say_dangling(reader, section, reference);
            }
        }
    };
    for identify in &config.identifies {
        let dangling = config.dangling_identify(identify);
        say(&sections.identifies, &identify.id, &dangling);
    }
    for registration in &config.registrations {
        let dangling = config.dangling_registration(registration);
        say(&sections.registrations, &registration.id, &dangling);
    }
    for acl in &config.acls {
        let lists = [("acl", &acl.source), ("contact_acl", &acl.contact)];
        say(&sections.acls, &acl.id, &config.dangling_lists(lists));
    }
}

fn say_dangling(reader: &mut Reader<'_>, section: &Section, reference: &Dangling) {
    let message = format!("{} {}", reference.option, reference.missing());
    let severity = reference.severity();
    let entries = section.entries.iter().rev();
    let mut named = entries.filter(|entry| entry.name.eq_ignore_ascii_case(reference.option));
    // Of several lines of one option, the one that has the name.
    let entry = named
        .clone()
        .find(|entry| {
            entry
                .value
                .split(',')
                .any(|word| word.trim() == reference.name)
        })
        .or_else(|| named.next());
    let diagnostic: Diagnostic = match entry {
        Some(entry) => reader.at_value(severity, entry, message),
        None => reader.at_section(severity, section, message),
    };
    reader.push(match &reference.meant {
        Some(meant) => diagnostic.did_you_mean(Some(meant)),
        None => diagnostic.advise(reference.advice()),
    });
}

/// Why sections of a type have no effect, for the page of options.
pub(crate) fn unserved_types() -> impl Iterator<Item = (&'static str, &'static str)> {
    UNSERVED.into_iter()
}
