//! Asterisk's own way to a database: `extconfig.conf` and `sorcery.conf` say what is where, and
//! `res_odbc.conf`, `res_pgsql.conf`, `res_config_mysql.conf` and `res_config_sqlite3.conf` say how it
//! is reached.

use super::{Database, Origin, Place, Slip, odbc, server};
use conf::{Diagnostic, Document, Entry, Report, Severity, Source, closest};
use dialplan::{AltSwitch, Plan, Realtime, Variables};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Tables that are read; the first that is mapped decides where the database is.
const SERVED: [&str; 14] = [
    "ps_endpoints",
    "ps_auths",
    "ps_aors",
    "ps_contacts",
    "ps_endpoint_id_ips",
    "extensions",
    "ps_globals",
    "ps_systems",
    "ps_transports",
    "ps_domain_aliases",
    "ps_registrations",
    "ps_resource_list",
    "cdr",
    "astdb",
];
/// Families Asterisk has besides, and why their tables are not read.
const UNSERVED: [(&str, &str); 24] = [
    ("acls", "lists of addresses are read from acl.conf"),
    ("followme", "numbers are not followed"),
    ("followme_numbers", "numbers are not followed"),
    ("iaxpeers", "IAX2 is not spoken"),
    ("iaxusers", "IAX2 is not spoken"),
    ("iaxfriends", "IAX2 is not spoken"),
    ("meetme", "MeetMe is not there"),
    ("musiconhold", "music on hold is read from musiconhold.conf"),
    (
        "musiconhold_entry",
        "music on hold is read from musiconhold.conf",
    ),
    ("parkinglots", "lots are read from res_parking.conf alone"),
    (
        "ps_asterisk_publications",
        "states of devices are not exchanged with other servers",
    ),
    (
        "ps_inbound_publications",
        "states of devices are not taken from other servers",
    ),
    (
        "ps_outbound_publishes",
        "states of devices are not sent to other servers",
    ),
    (
        "ps_subscription_persistence",
        "subscriptions are not kept over a restart",
    ),
    ("queue_log", "there are no call queues yet"),
    ("queue_members", "there are no call queues yet"),
    ("queue_rules", "there are no call queues yet"),
    ("queues", "there are no call queues yet"),
    (
        "sippeers",
        "it is chan_sip's; endpoints are in ps_endpoints",
    ),
    ("sipregs", "it is chan_sip's; contacts are in ps_contacts"),
    (
        "sipusers",
        "it is chan_sip's; endpoints are in ps_endpoints",
    ),
    ("voicemail", "there is no voicemail yet"),
    ("voicemail_data", "there is no voicemail yet"),
    ("voicemail_messages", "there is no voicemail yet"),
];
/// Drivers of Asterisk, and whether they are read here.
const DRIVERS: [(&str, bool); 7] = [
    ("odbc", true),
    ("mysql", true),
    ("pgsql", true),
    ("sqlite3", true),
    ("sqlite", false),
    ("ldap", false),
    ("curl", false),
];

/// One family of `extconfig.conf`.
struct Mapping {
    family: String,
    table: String,
    place: Place,
    /// What `res_odbc.conf` says of the number of connections.
    pool_size: Option<u32>,
    /// A message without words at its line.
    at: Diagnostic,
}

/// Reads the mappings into `database`. With `place_known` the files name only tables: the database
/// itself is chosen already.
pub(super) fn read(
    source: &dyn Source,
    place_known: bool,
    plan: &Plan,
    database: &mut Database,
    report: &mut Report,
) {
    let own: Vec<String> = tables_of(plan).map(|(_, table)| table.family).collect();
    let mappings = extconfig(source, place_known, &own, report);
    if let Some(mappings) = &mappings {
        for mapping in mappings {
            let written = database.written.tables.entry(mapping.family.clone());
            written.or_insert_with(|| mapping.at.clone());
            if mapping.table != mapping.family {
                database
                    .tables
                    .insert(mapping.family.clone(), mapping.table.clone());
            }
        }
        let mut served = mappings
            .iter()
            .filter(|m| SERVED.contains(&m.family.as_str()) || own.contains(&m.family));
        if let Some(first) = served.next()
            && !place_known
        {
            database.place = first.place.clone();
            database.written.place = Some(first.at.clone());
            if let Some(size) = first.pool_size {
                database.pool_size = size;
            }
            for other in served.filter(|other| other.place != first.place) {
                let message = format!(
                    "{} is mapped to {} and {} to {}; there is one database, {} is used for both",
                    first.family, first.place, other.family, other.place, first.place
                );
                let about = Diagnostic::about_file(Severity::Error, "extconfig.conf", message);
                report.push(about.advise("move the tables into one database"));
            }
        }
    }
    if let Some(mappings) = &mappings {
        switches(plan, mappings, report);
    }
    sorcery(source, mappings.as_deref(), database, report);
    for mapping in mappings.iter().flatten() {
        let mut unread = database.object_tables_unread();
        if let Some((kind, table)) = unread.find(|(_, table)| *table == mapping.family) {
            let mut said = mapping.at.clone();
            said.severity = Severity::Info;
            said.message = format!(
                "`{table}` is accepted, has no effect here, because sorcery.conf does not say `{kind}=realtime,{table}`"
            );
            report.push(said);
        }
    }
}

/// The tables that the switches of a plan name, as far as no call says which.
fn tables_of(plan: &Plan) -> impl Iterator<Item = (&AltSwitch, Realtime)> {
    let switches = plan.switches().map(|(_, switch)| switch);
    let fixed = switches.filter(|switch| !switch.evaluated || !switch.written.contains("${"));
    fixed.filter_map(|switch| Some((switch, switch.table(&Nothing)?)))
}

/// What a plan knows without a call.
struct Nothing;

impl Variables for Nothing {
    fn variable(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }

    fn function(&self, _: &str, _: &str) -> Option<String> {
        None
    }
}

/// Says which switches ask for a family that is not mapped, although others are.
fn switches(plan: &Plan, mappings: &[Mapping], report: &mut Report) {
    for (switch, table) in tables_of(plan) {
        let family = &table.family;
        let mut families = mappings.iter().map(|mapping| mapping.family.as_str());
        if families.clone().any(|known| known == family) {
            continue;
        }
        let message =
            format!("extconfig.conf does not map `{family}`: the table `{family}` is asked");
        let mut said = Diagnostic::about_file(Severity::Warning, &switch.file, message);
        (said.line, said.column) = (switch.line, switch.column);
        let meant = closest(family, families.by_ref());
        report.push(match meant {
            Some(_) => said.did_you_mean(meant),
            None => said.advise(format!(
                "add `{family} => odbc,asterisk` to [settings] there"
            )),
        });
    }
}

/// Databases found already, so that what is wrong with one is said once.
#[derive(Default)]
struct Places(BTreeMap<(String, String), Found>);

/// A database, and how many connections it allows.
type Found = Result<(Place, Option<u32>), Slip>;

impl Places {
    fn find(
        &mut self,
        source: &dyn Source,
        driver: &str,
        name: &str,
        report: &mut Report,
    ) -> Found {
        let key = (driver.to_owned(), name.to_owned());
        let find = || match driver {
            "odbc" => odbc::place(source, name, report),
            driver => server::place(source, driver, name, report).map(|place| (place, None)),
        };
        self.0.entry(key).or_insert_with(find).clone()
    }
}

/// The families of `extconfig.conf`; `None` if there is no such file.
fn extconfig(
    source: &dyn Source,
    place_known: bool,
    own: &[String],
    report: &mut Report,
) -> Option<Vec<Mapping>> {
    let document = Document::read(source, "extconfig.conf", report)?;
    let mut mappings = Vec::new();
    let mut places = Places::default();
    for section in document.sections.iter().filter(|s| !s.template) {
        if !section.name.eq_ignore_ascii_case("settings") {
            let message = format!("section `{}` is not known in this file", section.name);
            let said = document.diagnostic(Severity::Warning, section.at, message);
            report.push(said.did_you_mean(Some("settings")));
            continue;
        }
        for entry in &section.entries {
            let name = entry.name.to_ascii_lowercase();
            if !is_served(&document, entry, &name, own, report) {
                continue;
            }
            match target(
                source,
                &name,
                &entry.value,
                place_known,
                &mut places,
                report,
            ) {
                Ok((table, place, pool_size)) => mappings.push(Mapping {
                    family: name,
                    table,
                    place,
                    pool_size,
                    at: document.diagnostic(Severity::Error, entry.value_at, ""),
                }),
                Err(slip) => {
                    let said = document.diagnostic(Severity::Error, entry.value_at, slip.message);
                    report.push(match &slip.meant {
                        Some(meant) => said.did_you_mean(Some(meant)),
                        None => said.advise(slip.advice),
                    });
                }
            }
        }
    }
    Some(mappings)
}

/// Whether the table of `family => driver,database,table,priority` is read, by us or by a switch of the
/// plan (`own`).
fn is_served(
    document: &Document,
    entry: &Entry,
    family: &str,
    own: &[String],
    report: &mut Report,
) -> bool {
    if SERVED.contains(&family) || own.iter().any(|known| known == family) {
        return true;
    }
    let known = UNSERVED.iter().find(|(name, _)| *name == family);
    let why = known.map(|(_, why)| *why);
    let file = "files are read from the folder of the configuration";
    report.push(
        match why.or_else(|| family.ends_with(".conf").then_some(file)) {
            Some(why) => {
                let message = format!("`{family}` is accepted, has no effect here, because {why}");
                document.diagnostic(Severity::Info, entry.at, message)
            }
            None => {
                let message = format!("no table is called `{family}`");
                let said = document.diagnostic(Severity::Warning, entry.at, message);
                said.advise(format!("tables are {}", SERVED.join(", ")))
                    .did_you_mean(closest(
                        family,
                        SERVED.into_iter().chain(UNSERVED.map(|(name, _)| name)),
                    ))
            }
        },
    );
    false
}

/// What a family is mapped to: a table, where that is, and how many connections may be used.
fn target(
    source: &dyn Source,
    family: &str,
    value: &str,
    place_known: bool,
    places: &mut Places,
    report: &mut Report,
) -> Result<(String, Place, Option<u32>), Slip> {
    let mut fields = value.split(',').map(|field| field.trim().trim_matches('"'));
    let driver = fields.next().unwrap_or_default().to_ascii_lowercase();
    let name = fields.next().unwrap_or_default();
    let table = fields.next().filter(|table| !table.is_empty());
    let table = table.unwrap_or(family).to_owned();
    if !super::is_table_name(&table) {
        let message = format!("`{table}` is not the name of a table");
        return Err(Slip::new(
            message,
            "letters, digits and `_` make a name".to_owned(),
        ));
    }
    match DRIVERS.iter().find(|(known, _)| *known == driver) {
        Some((_, true)) => {}
        Some((_, false)) => {
            let message = format!("the driver `{driver}` is not served here");
            let advice = "odbc, pgsql, mysql and sqlite3 are".to_owned();
            return Err(Slip::new(message, advice));
        }
        None => {
            return Err(Slip {
                message: format!("there is no driver `{driver}`"),
                meant: closest(&driver, DRIVERS.map(|(name, _)| name)).map(str::to_owned),
                advice: "write `driver,database,table`, as in `odbc,asterisk`".to_owned(),
            });
        }
    }
    let (place, pool_size) = match place_known {
        true => (Place::DataFolder, None),
        false => places.find(source, &driver, name, report)?,
    };
    Ok((table, place, pool_size))
}

/// Kinds of objects whose origin is honoured, with the section and the name they have in
/// `sorcery.conf`, and the table they are in if nothing else is said.
const KINDS: [(&str, &str, &str); 11] = [
    ("res_pjsip", "endpoint", "ps_endpoints"),
    ("res_pjsip", "auth", "ps_auths"),
    ("res_pjsip", "aor", "ps_aors"),
    ("res_pjsip", "contact", "ps_contacts"),
    (
        "res_pjsip_endpoint_identifier_ip",
        "identify",
        "ps_endpoint_id_ips",
    ),
    ("res_pjsip", "global", "ps_globals"),
    ("res_pjsip", "system", "ps_systems"),
    ("res_pjsip", "transport", "ps_transports"),
    ("res_pjsip", "domain_alias", "ps_domain_aliases"),
    (
        "res_pjsip_outbound_registration",
        "registration",
        "ps_registrations",
    ),
    ("res_pjsip_pubsub", "resource_list", "ps_resource_list"),
];
/// Sections and kinds Asterisk has besides.
const OTHER_KINDS: [&str; 6] = [
    "acl",
    "inbound-publication",
    "asterisk-publication",
    "outbound-publish",
    "phoneprov",
    "subscription_persistence",
];
const WIZARDS: [&str; 5] = ["astdb", "config", "memory", "memory_cache", "realtime"];

/// `sorcery.conf`: where objects of each kind are looked for, in order.
fn sorcery(
    source: &dyn Source,
    mappings: Option<&[Mapping]>,
    database: &mut Database,
    report: &mut Report,
) {
    let Some(document) = Document::read(source, "sorcery.conf", report) else {
        return;
    };
    let sections = document.sections.iter().filter(|section| !section.template);
    for section in sections.filter(|section| section.name.starts_with("res_pjsip")) {
        for entry in &section.entries {
            let mut say = |severity, at, message: String, meant: Option<&str>, advice: &str| {
                let said = document.diagnostic(severity, at, message);
                report.push(match meant {
                    Some(_) => said.did_you_mean(meant),
                    None => said.advise(advice),
                });
            };
            if let Some((kind, table)) = kind(&section.name, entry, &mut say)
                && let Some(origin) = wizard(entry, table, mappings, database, &mut say)
            {
                let list = database.origins.entry(kind.to_owned());
                list.or_default().push(origin);
            }
        }
    }
}

/// Says something about a place: severity, place, what is wrong, what was meant, what to do.
type Say<'a> = dyn FnMut(Severity, conf::Place, String, Option<&str>, &str) + 'a;

/// The kind of objects a line is about, and their table, if they are looked for as it says.
fn kind(section: &str, entry: &Entry, say: &mut Say<'_>) -> Option<(&'static str, &'static str)> {
    let (name, layer) = entry.name.split_once('/').unwrap_or((&entry.name, ""));
    let mut kinds = KINDS.iter();
    let found = kinds.find(|(of, kind, _)| *of == section && *kind == name);
    let Some((_, kind, table)) = found else {
        let names = KINDS
            .map(|(_, name, _)| name)
            .into_iter()
            .chain(OTHER_KINDS);
        let mut elsewhere = KINDS.iter().filter(|(_, kind, _)| *kind == name);
        if let Some((of, ..)) = elsewhere.next() {
            let message = format!("objects `{name}` are looked for where [{of}] says");
            let advice = format!("move the line to [{of}]");
            say(Severity::Warning, entry.at, message, None, &advice);
        } else if names.clone().any(|known| known == name) {
            let why = format!("`{name}` is read from pjsip.conf alone; this has no effect here");
            say(Severity::Info, entry.at, why, None, "leave it for Asterisk");
        } else {
            let message = format!("there are no objects `{name}`");
            let advice = "take the line out";
            say(
                Severity::Warning,
                entry.at,
                message,
                closest(name, names),
                advice,
            );
        }
        return None;
    };
    if layer == "cache" || entry.value.starts_with("memory_cache") {
        let why = "answers are kept for a second here, whatever this says".to_owned();
        say(Severity::Info, entry.at, why, None, "leave it for Asterisk");
        return None;
    }
    Some((*kind, *table))
}

/// Where a line looks for objects; `table` is theirs unless it says otherwise.
fn wizard(
    entry: &Entry,
    table: &str,
    mappings: Option<&[Mapping]>,
    database: &mut Database,
    say: &mut Say<'_>,
) -> Option<Origin> {
    let mut fields = entry.value.split(',').map(str::trim);
    let wizard = fields.next().unwrap_or_default();
    let argument = fields.next().unwrap_or_default();
    match wizard {
        "realtime" => {
            let family = if argument.is_empty() { table } else { argument };
            let families = mappings
                .unwrap_or_default()
                .iter()
                .map(|m| m.family.as_str());
            if mappings.is_some() && !families.clone().any(|known| known == family) {
                let message = format!("extconfig.conf does not map `{family}`");
                let advice = "add `family => odbc,asterisk` to [settings] there";
                let meant = closest(family, families);
                say(Severity::Error, entry.value_at, message, meant, advice);
            }
            if family != table {
                let target = database.table(family).to_owned();
                database.tables.insert(table.to_owned(), target);
            }
            Some(Origin::Table)
        }
        "config" => {
            if argument != "pjsip.conf" {
                let message = format!("objects are read from pjsip.conf, not from `{argument}`");
                let advice = "`#include` that file in pjsip.conf";
                say(Severity::Warning, entry.value_at, message, None, advice);
            }
            Some(Origin::Files)
        }
        // Where Asterisk keeps contacts by itself; so do we.
        "astdb" | "memory" => None,
        other => {
            let message = format!("there is no wizard `{other}`");
            let advice =
                "write `realtime,ps_endpoints` or `config,pjsip.conf,criteria=type=endpoint`";
            let meant = closest(other, WIZARDS);
            say(Severity::Error, entry.value_at, message, meant, advice);
            None
        }
    }
}
