//! Files with one `[general]` section: `http.conf`, `rtp.conf` and `sidetone.conf`.
//!
//! There is no object to drop, so a broken option is left out alone.

use crate::http::{General, Http, Missing};
use crate::option::Object;
use crate::own::Own;
use crate::pjsip::Reader;
use crate::rtp::Rtp;
use conf::{Document, Report, Section, Severity};

/// Reads `http.conf`.
pub(crate) fn http(document: &Document, report: &mut Report) -> Http {
    let mut reader = Reader::new(document, report);
    let (general, section): (General, _) = read(&mut reader, document);
    let (http, missing) = general.into_http();
    if let Some(section) = section {
        for missing in missing {
            let (severity, message) = match missing {
                Missing::Bind => (Severity::Warning, "enabled=yes needs `bindaddr`"),
                Missing::TlsBind => (Severity::Error, "tlsenable=yes needs `tlsbindaddr`"),
                Missing::Certificate => (Severity::Error, "tlsenable=yes needs `tlscertfile`"),
            };
            reader.say(severity, section, format!("{message}: nothing listens"));
        }
    }
    http
}

/// Reads `rtp.conf`.
pub(crate) fn rtp(document: &Document, report: &mut Report) -> Rtp {
    let mut reader = Reader::new(document, report);
    let (mut rtp, section): (Rtp, _) = read(&mut reader, document);
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
        reader.say(Severity::Error, section, message);
        rtp.ports = default;
    }
    rtp
}

/// Reads `sidetone.conf`.
pub(crate) fn own(document: &Document, report: &mut Report) -> Own {
    read(&mut Reader::new(document, report), document).0
}

/// The options of `[general]`, and the section if there is one.
fn read<'a, T: Object>(
    reader: &mut Reader<'_>,
    document: &'a Document,
) -> (T, Option<&'a Section>) {
    let mut object = T::named("general");
    let mut general = None;
    for section in document.sections.iter().filter(|s| !s.template) {
        if section.name != "general" {
            let message = format!("section `{}` is not served and has no effect", section.name);
            reader.say(Severity::Warning, section, message);
            continue;
        }
        general = Some(section);
        for entry in &section.entries {
            let owner = format!("option is left out: {}", entry.name);
            reader.option(&mut object, entry, &owner);
        }
    }
    object.finish();
    (object, general)
}
