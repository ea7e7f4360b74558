//! Files that options name: certificates, keys, lists of authorities. Whether they can be read is known
//! to the source alone, and matters for who checks a folder, not for who loads it. Relative names lead
//! from the folder of the source, whoever reads them and from whichever folder he was started.

use crate::{Config, Password, Place};
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
    ("http.conf", "tlscapath", "folder of authorities"),
    ("http.conf", "acme_ca_file", "list of authorities"),
    ("database.conf", "ca_file", "list of authorities"),
    ("database.conf", "certificate", "certificate"),
    ("database.conf", "password_file", "file with the password"),
    ("database.conf", "private_key", "private key"),
    ("http.conf", "sslcert", "certificate"),
    ("http.conf", "sslprivatekey", "private key"),
];

/// An error for each file that an option names and that cannot be read.
pub fn unreadable_files(source: &dyn Source) -> Vec<Diagnostic> {
    let mut report = Report::default();
    for name in ["pjsip.conf", "http.conf", "database.conf"] {
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

/// The place of an option in `http.conf`, the last of these that is written, for a message about its value.
pub fn http_option(source: &dyn Source, names: &[&str]) -> Option<Diagnostic> {
    let document = Document::read(source, "http.conf", &mut Report::default())?;
    let sections = document.sections.iter().filter(|section| !section.template);
    let entries = sections.flat_map(|section| &section.entries);
    let mut named = entries.rev().filter(|entry| {
        names
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&entry.name))
    });
    let entry = named.next()?;
    Some(document.diagnostic(Severity::Error, entry.value_at, String::new()))
}

/// A certificate and its key as options name them, whole paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate chain.
    pub certificate: String,
    /// The private key; the file of the certificate if none is named.
    pub key: String,
    /// The place of the option that names the certificate, for a message about it.
    pub at: Diagnostic,
}

/// Every certificate that the files name and that can be read, with its key.
pub fn certificate_files(source: &dyn Source) -> Vec<CertificateFiles> {
    let mut found = Vec::new();
    for (name, certificate, key) in [
        ("pjsip.conf", &["cert_file"][..], &["priv_key_file"][..]),
        (
            "http.conf",
            &["tlscertfile", "sslcert"],
            &["tlsprivatekey", "sslprivatekey"],
        ),
    ] {
        let Some(document) = Document::read(source, name, &mut Report::default()) else {
            continue;
        };
        for section in document.sections.iter().filter(|section| !section.template) {
            let named = |options: &[&str]| {
                let mut entries = section.entries.iter().rev();
                entries.find(|entry| {
                    !entry.value.is_empty()
                        && options
                            .iter()
                            .any(|option| option.eq_ignore_ascii_case(&entry.name))
                })
            };
            let Some(certificate) = named(certificate) else {
                continue;
            };
            let key = named(key).unwrap_or(certificate);
            if [certificate, key]
                .iter()
                .any(|entry| source.unreadable(&entry.value).is_some())
            {
                continue;
            }
            found.push(CertificateFiles {
                certificate: source.locate(&certificate.value),
                key: source.locate(&key.value),
                at: document.diagnostic(Severity::Error, certificate.value_at, String::new()),
            });
        }
    }
    found
}

/// Gives each file that an option names its whole path.
pub(crate) fn locate(config: &mut Config, source: &dyn Source) {
    let http = &mut config.http;
    let mut named: Vec<&mut String> = Vec::new();
    if let Some(tls) = &mut http.tls {
        named.extend([&mut tls.certificate, &mut tls.private_key]);
    }
    let settings = &mut http.tls_settings;
    named.extend(&mut settings.ca_file);
    named.extend(&mut settings.ca_path);
    named.extend(http.acme.as_mut().and_then(|acme| acme.ca_file.as_mut()));
    named.extend(&mut http.static_dir);
    for transport in &mut config.transports {
        named.extend(&mut transport.cert_file);
        named.extend(&mut transport.priv_key_file);
        named.extend(&mut transport.ca_list_file);
        named.extend(&mut transport.ca_list_path);
    }
    if let Place::MySql(server) | Place::Postgres(server) = &mut config.database.place {
        named.extend(&mut server.tls.ca_file);
        named.extend(&mut server.tls.certificate);
        named.extend(&mut server.tls.private_key);
        if let Password::File(file) = &mut server.password {
            named.push(file);
        }
    }
    named.push(&mut config.own.sounds);
    for path in named {
        *path = source.locate(path);
    }
}
