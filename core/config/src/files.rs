//! Files that options name: certificates, keys, lists of authorities. Whether they can be read is known
//! to the source alone, and matters for who checks a folder, not for who loads it.

use conf::{Diagnostic, Document, Report, Severity, Source};

/// Options that name a file, by the file they stand in, and what the file is.
const OPTIONS: &[(&str, &str, &str)] = &[
    ("pjsip.conf", "cert_file", "certificate"),
    ("pjsip.conf", "priv_key_file", "private key"),
    ("pjsip.conf", "ca_list_file", "list of authorities"),
    ("pjsip.conf", "ca_list_path", "folder of authorities"),
    ("http.conf", "tlscertfile", "certificate"),
    ("http.conf", "tlsprivatekey", "private key"),
    ("http.conf", "tlscafile", "list of authorities"),
    ("http.conf", "sslcert", "certificate"),
    ("http.conf", "sslprivatekey", "private key"),
];

/// An error for each file that an option names and that cannot be read.
pub fn unreadable_files(source: &dyn Source) -> Vec<Diagnostic> {
    let mut report = Report::default();
    for name in ["pjsip.conf", "http.conf"] {
        // What is wrong with the text itself is said by who loads it.
        let Some(document) = Document::read(source, name, &mut Report::default()) else {
            continue;
        };
        let sections = document.sections.iter().filter(|section| !section.template);
        for entry in sections.flat_map(|section| &section.entries) {
            let option = OPTIONS.iter().find(|(file, option, _)| {
                *file == name && option.eq_ignore_ascii_case(&entry.name)
            });
            let Some((_, _, what)) = option.filter(|_| !entry.value.is_empty()) else {
                continue;
            };
            if let Some(why) = source.unreadable(&entry.value) {
                let message = format!("the {what} cannot be read: {why}");
                let diagnostic = document.diagnostic(Severity::Error, entry.value_at, message);
                let advice = format!("put the {what} there, or correct `{}`", entry.name);
                report.push(diagnostic.advise(advice));
            }
        }
    }
    report.finish()
}
