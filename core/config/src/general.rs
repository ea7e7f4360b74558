//! Files whose sections have fixed names: `http.conf`, `rtp.conf`, `sidetone.conf`, `cdr.conf`,
//! `logger.conf`, `features.conf`, `confbridge.conf`, `musiconhold.conf`, `acl.conf`.
//!
//! There is no object to drop, so a broken option is left out alone.

use crate::acl::{AddressList, NamedAcl};
use crate::cdr::Cdr;
use crate::confbridge::ConfBridge;
use crate::features::Features;
use crate::http::{General, Http, HttpRestriction, Missing};
use crate::logger::Logger;
use crate::music_on_hold::{MusicClass, MusicOnHold};
use crate::option::Object;
use crate::own::Own;
use crate::parking::{LOTS_MAX, Parking, ParkingLot};
use crate::reader::Reader;
use crate::rtp::Rtp;
use conf::{Document, Report, Section, Severity, closest};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reads `http.conf`; `lists` are those of `acl.conf`.
pub(crate) fn http(
    document: &Document,
    lists: &BTreeMap<String, AddressList>,
    report: &mut Report,
) -> Http {
    let mut reader = Reader::new(document, report);
    let mut general = General::named("general");
    let mut at = None;
    let mut restrictions = Vec::new();
    for section in document.sections.iter().filter(|s| !s.template) {
        let kind = section.last("type").map(|entry| entry.value.as_str());
        match section.name.as_str() {
            "general" => {
                at = Some(section);
                reader.fill(&mut general, section);
            }
            _ if kind == Some("restriction") => {
                restrictions.push(restriction(&mut reader, section, lists));
            }
            "post_mappings" => {
                let why = Some("nothing is uploaded to the exchange");
                reader.unserved(section, why, &[]);
            }
            _ => reader.unserved(section, None, &["general"]),
        }
    }
    general.finish();
    let (mut http, missing) = general.into_http();
    http.restrictions = restrictions;
    for (section, missing) in at
        .iter()
        .flat_map(|at| missing.iter().map(move |m| (*at, m)))
    {
        let (severity, message, advice) = match missing {
            Missing::Bind => (
                Severity::Warning,
                "enabled=yes needs `bindaddr`: nothing listens",
                "add for example `bindaddr=0.0.0.0`",
            ),
            Missing::TlsBind => (
                Severity::Error,
                "tlsenable=yes needs `tlsbindaddr`: nothing listens",
                "add for example `tlsbindaddr=0.0.0.0:8089`",
            ),
            Missing::Certificate => (
                Severity::Error,
                "tlsenable=yes needs `tlscertfile`: nothing listens",
                "add `tlscertfile=…`; `sidetone cert` makes a certificate",
            ),
            Missing::AcmeNames => (
                Severity::Error,
                "acme=yes needs `acme_names`: nothing listens",
                "add for example `acme_names=pbx.example.com`",
            ),
            Missing::TwoCertificates => (
                Severity::Warning,
                "acme=yes brings a certificate of its own: `tlscertfile` is not read",
                "take `tlscertfile` out, or write `acme=no`",
            ),
            Missing::AcmeHttp => (
                Severity::Warning,
                "acme_challenge=http-01 is answered over plain HTTP: it needs enabled=yes and `bindaddr`",
                "add `enabled=yes` and `bindaddr`, or write `acme_challenge=tls-alpn-01`",
            ),
            Missing::Authorities => (
                Severity::Error,
                "tlsverifyclient=yes needs `tlscafile` or `tlscapath`",
                "add `tlscafile=…`, or write `tlsverifyclient=no`",
            ),
        };
        reader.say(severity, section, message, advice);
    }
    http
}

/// One section with `type=restriction`. A broken one lets nobody in: half of it might let in too many.
fn restriction(
    reader: &mut Reader<'_>,
    section: &Section,
    lists: &BTreeMap<String, AddressList>,
) -> HttpRestriction {
    let restriction: HttpRestriction = reader.object(section).unwrap_or_else(|| {
        let mut closed = HttpRestriction::named(&section.name);
        // A list that is not there lets nobody in.
        closed.source.named.push(String::new());
        closed
    });
    for name in restriction
        .source
        .named
        .iter()
        .filter(|name| !name.is_empty())
    {
        if !lists.contains_key(name) {
            let message = format!(
                "restriction `{}` names the list `{name}`, which acl.conf does not define: nobody may \
                 open these paths",
                section.name
            );
            let diagnostic = reader.at_section(Severity::Error, section, message);
            let meant = closest(name, lists.keys().map(String::as_str));
            reader.push(match meant {
                Some(_) => diagnostic.did_you_mean(meant),
                None => diagnostic.advise(format!("add `[{name}]` with `permit=…` to acl.conf")),
            });
        }
    }
    restriction
}

/// Reads `cdr.conf`.
pub(crate) fn cdr(document: &Document, report: &mut Report) -> Cdr {
    const UNSERVED: &[(&str, &str)] = &[
        ("csv", "call records are kept in a database, not in files"),
        (
            "custom",
            "call records are kept in a database, in Asterisk's columns",
        ),
        (
            "manager",
            "there is no manager interface to send call records to",
        ),
        ("radius", "call records are not sent to RADIUS"),
    ];
    let mut reader = Reader::new(document, report);
    let mut cdr = Cdr::default();
    for section in document.sections.iter().filter(|s| !s.template) {
        if section.name == "general" {
            reader.fill(&mut cdr, section);
        } else {
            let why = UNSERVED.iter().find(|(name, _)| *name == section.name);
            reader.unserved(
                section,
                why.map(|(_, why)| *why),
                &["general", "csv", "radius"],
            );
        }
    }
    cdr
}

/// Reads `logger.conf`.
pub(crate) fn logger(document: &Document, report: &mut Report) -> Logger {
    let mut reader = Reader::new(document, report);
    let mut logger = Logger::default();
    let sections = || document.sections.iter().filter(|s| !s.template);
    // Levels of one's own are known before the lines that name them, wherever they stand.
    for section in sections() {
        match section.name.as_str() {
            "general" => reader.fill(&mut logger, section),
            "logfiles" => {}
            _ => reader.unserved(section, None, &["general", "logfiles"]),
        }
    }
    for section in sections().filter(|section| section.name == "logfiles") {
        for entry in &section.entries {
            let applied = logger.add_channel(&entry.name, &entry.value);
            let owner = format!("log `{}` is left out: it", entry.name);
            reader.applied("logfiles", &applied, entry, &owner);
        }
    }
    logger
}

/// Reads `features.conf`.
pub(crate) fn features(document: &Document, report: &mut Report) -> Features {
    let mut reader = Reader::new(document, report);
    let mut features = Features::default();
    for section in document.sections.iter().filter(|s| !s.template) {
        match section.name.as_str() {
            "general" => reader.fill(&mut features.general, section),
            "featuremap" => reader.fill(&mut features.map, section),
            name => {
                for entry in &section.entries {
                    let (kind, applied) = if name == "applicationmap" {
                        let applied = features.add_application(&entry.name, &entry.value);
                        ("applicationmap", applied)
                    } else {
                        let applied = features.add_to_group(name, &entry.name, &entry.value);
                        ("featuregroup", applied)
                    };
                    let owner = format!("feature `{}` is left out: it", entry.name);
                    reader.applied(kind, &applied, entry, &owner);
                }
            }
        }
    }
    features
}

/// Reads `res_parking.conf`.
pub(crate) fn parking(document: &Document, report: &mut Report) -> Parking {
    let mut reader = Reader::new(document, report);
    let mut parking = Parking::default();
    for section in document.sections.iter().filter(|s| !s.template) {
        if section.name == "general" {
            reader.fill(&mut parking.general, section);
        } else if parking.lots.len() < LOTS_MAX || parking.lots.contains_key(&section.name) {
            let mut lot = ParkingLot::named(&section.name);
            reader.fill(&mut lot, section);
            parking.lots.insert(lot.id.clone(), lot);
        } else {
            let message = format!("there are more than {LOTS_MAX} lots; this one is left out");
            let diagnostic = reader.at_section(Severity::Error, section, message);
            reader.push(diagnostic);
        }
    }
    parking
}

/// Reads `confbridge.conf`.
pub(crate) fn confbridge(document: &Document, report: &mut Report) -> ConfBridge {
    const TYPES: [&str; 3] = ["user", "bridge", "menu"];
    let mut reader = Reader::new(document, report);
    let mut confbridge = ConfBridge::default();
    for section in document.sections.iter().filter(|s| !s.template) {
        let id = section.name.clone();
        let Some(kind) = section.last("type") else {
            if section.name != "general" {
                let message = format!("section `{id}` has no `type=` and is not used");
                let diagnostic = reader.at_section(Severity::Warning, section, message);
                reader.push(diagnostic.advise("add `type=user`, `type=bridge` or `type=menu`"));
            }
            continue;
        };
        match kind.value.as_str() {
            "user" => {
                let profile = reader.object(section).map(|profile| (id, profile));
                confbridge.users.extend(profile);
            }
            "bridge" => {
                let profile = reader.object(section).map(|profile| (id, profile));
                confbridge.bridges.extend(profile);
            }
            "menu" => {
                let menu = reader.object(section).map(|menu| (id, menu));
                confbridge.menus.extend(menu);
            }
            other => {
                let message = format!("`{other}` is no type; section `{id}` is not used");
                let diagnostic = reader.at_value(Severity::Error, kind, message);
                reader.push(match closest(other, TYPES) {
                    Some(meant) => diagnostic.did_you_mean(Some(meant)),
                    None => diagnostic.advise(format!("types are {}", TYPES.join(", "))),
                });
            }
        }
    }
    confbridge
}

/// Reads `musiconhold.conf`.
pub(crate) fn music(document: &Document, report: &mut Report) -> MusicOnHold {
    let mut reader = Reader::new(document, report);
    let mut music = MusicOnHold::default();
    for section in document.sections.iter().filter(|s| !s.template) {
        if section.name == "general" {
            reader.fill(&mut music, section);
            continue;
        }
        let Some(class) = reader.object::<MusicClass>(section) else {
            continue;
        };
        if let Some((why, advice)) = class.lacks() {
            let message = format!(
                "music class `{}` is not heard, because {why}; who asks for it hears `default`",
                section.name
            );
            reader.say(Severity::Warning, section, message, advice);
            continue;
        }
        music.classes.insert(section.name.clone(), Arc::new(class));
    }
    music
}

/// Reads `acl.conf`. A list with a slip in it lets nobody in: it is as good as not defined.
pub(crate) fn acl(document: &Document, report: &mut Report) -> BTreeMap<String, AddressList> {
    let mut reader = Reader::new(document, report);
    let mut lists = BTreeMap::new();
    for section in document.sections.iter().filter(|s| !s.template) {
        if let Some(NamedAcl(list)) = reader.object(section) {
            lists.insert(section.name.clone(), list);
        }
    }
    lists
}

/// Reads `rtp.conf`.
pub(crate) fn rtp(document: &Document, report: &mut Report) -> Rtp {
    let mut reader = Reader::new(document, report);
    let why = |section: &Section| {
        let candidates = section.name == "ice_host_candidates";
        candidates.then_some("the addresses of the machine are offered as they are")
    };
    let (mut rtp, section): (Rtp, _) = read(&mut reader, document, why);
    if let Some(section) = section
        && rtp.ports.start() >= rtp.ports.end()
    {
        let default = Rtp::default().ports;
        let message = format!(
            "rtpstart {} is not below rtpend {}: ports {} to {} are used",
            rtp.ports.start(),
            rtp.ports.end(),
            default.start(),
            default.end()
        );
        let advice = "write for example `rtpstart=10000` and `rtpend=20000`";
        reader.say(Severity::Error, section, message, advice);
        rtp.ports = default;
    }
    rtp
}

/// Reads `sidetone.conf`.
pub(crate) fn own(document: &Document, report: &mut Report) -> Own {
    read(&mut Reader::new(document, report), document, |_| None).0
}

/// The options of `[general]`, and the section if there is one. `why` tells of another section why it
/// has no effect, if it is known.
fn read<'a, T: Object>(
    reader: &mut Reader<'_>,
    document: &'a Document,
    why: impl Fn(&Section) -> Option<&'static str>,
) -> (T, Option<&'a Section>) {
    let mut object = T::named("general");
    let mut general = None;
    for section in document.sections.iter().filter(|s| !s.template) {
        if section.name != "general" {
            reader.unserved(section, why(section), &["general"]);
            continue;
        }
        general = Some(section);
        reader.fill(&mut object, section);
    }
    object.finish();
    (object, general)
}
