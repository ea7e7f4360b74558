//! The options as a page to read: what `docs/configuration.md` holds.

use std::fmt::Write as _;

use crate::acl::NamedAcl;
use crate::http::General;
use crate::option::Object;
use crate::{
    Acl, Aor, Auth, BridgeProfile, Cdr, DatabaseFile, DomainAlias, Endpoint, FeatureGeneral,
    FeatureMap, Global, HttpRestriction, Identify, Indications, Logger, Menu, MusicClass,
    MusicOnHold, Own, ParkingGeneral, ParkingLot, Registration, ResourceList, Rtp, System,
    TransportConfig, UserProfile, known,
};

/// Every option of every kind of object, in Markdown. Made from the tables that the readers use, so
/// that the page cannot say anything else than the program does.
pub fn manual() -> String {
    let mut page = String::from(
        "# Options\n\n\
         Made from the program's own tables (`core/config`); a test compares them. Names and defaults \
         are Asterisk's.\n",
    );
    page.push_str("\n## pjsip.conf\n");
    describe::<Endpoint>(&mut page);
    describe::<Auth>(&mut page);
    describe::<Aor>(&mut page);
    describe::<TransportConfig>(&mut page);
    describe::<Global>(&mut page);
    describe::<System>(&mut page);
    describe::<Identify>(&mut page);
    describe::<Registration>(&mut page);
    describe::<Acl>(&mut page);
    describe::<DomainAlias>(&mut page);
    describe::<ResourceList>(&mut page);
    page.push_str("\nSections of other types are accepted and have no effect:\n\n");
    for (kind, why) in crate::pjsip::unserved_types() {
        let _ = writeln!(page, "- `type={kind}`, because {why}");
    }
    page.push_str("\n## acl.conf\n");
    describe::<NamedAcl>(&mut page);
    page.push_str("\n## http.conf\n");
    describe::<General>(&mut page);
    describe::<HttpRestriction>(&mut page);
    page.push_str("\n## rtp.conf\n");
    describe::<Rtp>(&mut page);
    page.push_str("\n## sidetone.conf\n");
    describe::<Own>(&mut page);
    page.push_str("\n## database.conf\n");
    describe::<DatabaseFile>(&mut page);
    page.push_str("\n## extensions.conf\n");
    extensions(&mut page);
    page.push_str("\n## cdr.conf\n");
    describe::<Cdr>(&mut page);
    page.push_str("\n## logger.conf\n");
    describe::<Logger>(&mut page);
    page.push_str("\n## features.conf\n");
    describe::<FeatureGeneral>(&mut page);
    describe::<FeatureMap>(&mut page);
    page.push_str("\n## res_parking.conf\n");
    describe::<ParkingGeneral>(&mut page);
    describe::<ParkingLot>(&mut page);
    page.push_str("\n## confbridge.conf\n");
    describe::<UserProfile>(&mut page);
    describe::<BridgeProfile>(&mut page);
    describe::<Menu>(&mut page);
    page.push_str("\n## indications.conf\n\n");
    indications(&mut page);
    page.push_str("\n## musiconhold.conf\n");
    describe::<MusicOnHold>(&mut page);
    describe::<MusicClass>(&mut page);
    page
}

fn indications(page: &mut String) {
    page.push_str(
        "`country` of `[general]` (`us`) says whose tones callers hear from `Playtones`, `Busy`, `Congestion`, ringing that \
         the exchange plays, and `i` of `Read`; `tone_zone` of an endpoint or `CHANNEL(tonezone)` may name another one. A \
         section is a country: `description`, `ringcadence` (no effect here, because phones ring by themselves), and each \
         other name is a tone, as a list of `hz/milliseconds`. These are known without the file:\n\n",
    );
    for (name, zone) in &Indications::default().zones {
        let tones: Vec<&str> = zone.tones.keys().map(String::as_str).collect();
        let _ = writeln!(
            page,
            "- `{name}` ({}): {}",
            zone.description,
            tones.join(", ")
        );
    }
}

fn describe<T: Object>(page: &mut String) {
    let kind = T::KIND;
    let _ = writeln!(
        page,
        "\n### {kind}\n\n| option | default | meaning |\n|---|---|---|"
    );
    if let Some(why) = T::INERT {
        let _ = writeln!(
            page,
            "| (all) | | No effect here, because {} |",
            escaped(why)
        );
    }
    for row in T::OPTIONS {
        let doc = match row.inert {
            Some(why) => format!("{} No effect here, because {why}.", row.doc),
            None => row.doc.to_owned(),
        };
        let _ = writeln!(
            page,
            "| `{}` | {} | {} |",
            row.name,
            code(row.default),
            escaped(&doc)
        );
    }
    unserved(kind, page);
}

/// What is no object: the dial plan.
fn extensions(page: &mut String) {
    page.push_str(
        "\nContexts hold `exten`, `same`, `include` and `switch` (`lswitch`, `eswitch`). \
         `switch => Realtime/[context]@[family][/p]` looks for extensions in a table \
         ([database.md](database.md)); the switches `Loopback`, `IAX2`, `DUNDi` and `Lua` are told and not \
         asked. `[general]` has `autofallthrough` (`yes`): a call that runs out of steps is hung up; and \
         `overrideswitch`: a switch that is asked before the contexts themselves. Accepted without effect, \
         and said so:\n\n",
    );
    for (name, _, why) in dialplan::WITHOUT_EFFECT {
        let _ = writeln!(page, "- `{name}`, because {why}");
    }
}

/// Options that are accepted without effect, by their reason.
fn unserved(kind: &str, page: &mut String) {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for known in known::of(kind) {
        let name = match known.default {
            "" => format!("`{}`", known.name),
            default => format!("`{}` ({})", known.name, code(default)),
        };
        match reasons.iter_mut().find(|(why, _)| *why == known.why) {
            Some((_, names)) => names.push(name),
            None => reasons.push((known.why, vec![name])),
        }
    }
    if reasons.is_empty() {
        return;
    }
    let _ = writeln!(
        page,
        "\nAccepted without effect, and said so (defaults of Asterisk in parentheses):\n"
    );
    for (why, names) in reasons {
        let _ = writeln!(page, "- {}, because {why}", names.join(", "));
    }
}

fn code(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!("`{text}`"),
    }
}

/// A cell of a table must not end early.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
