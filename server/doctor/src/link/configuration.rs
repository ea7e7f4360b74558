//! The files: what they say that cannot be used, and names that stand for nothing.

use config::{Config, Diagnostic, Severity};
use serde_json::json;

use crate::places::Places;
use crate::report::{Link, Outcome};

const NAME: &str = "configuration";

/// Every message about the files.
pub(crate) fn examine(
    config: Option<&Config>,
    messages: &[Diagnostic],
    places: &Places<'_>,
) -> Link {
    let folder = places.file("");
    let folder = folder.trim_end_matches('/');
    let mut link = match config {
        Some(config) => Link::new(NAME, summary(folder, config)),
        None => Link::new(NAME, format!("{folder} cannot be used")),
    };
    for message in messages {
        let outcome = match message.severity {
            Severity::Error => Outcome::Failed,
            Severity::Warning => Outcome::Warning,
            Severity::Info => Outcome::Ok,
        };
        let file = match config::row_of(message) {
            Some(_) => message.file.clone(),
            None => places.file(&message.file),
        };
        let place = match message.line {
            0 => file,
            line => format!("{file}:{line}:{}", message.column),
        };
        let excerpt = message.excerpt.as_deref().map(str::trim);
        let sentence = match excerpt {
            Some(excerpt) => format!("{}\n| {excerpt}", message.message),
            None => message.message.clone(),
        };
        link.add(outcome, Some(place), sentence, message.suggestion.clone());
    }
    if let Some(config) = config {
        whole(config, places, &mut link);
    }
    link
}

fn summary(folder: &str, config: &Config) -> String {
    let contexts = config.plan.contexts().count();
    format!(
        "{folder}: {} transports, {} endpoints, {contexts} contexts in files",
        config.transports.len(),
        config.endpoints.len()
    )
}

/// What no single line is at fault for.
fn whole(config: &Config, places: &Places<'_>, link: &mut Link) {
    if config.plan.contexts().next().is_none() {
        link.fail(
            Some(places.file("extensions.conf")),
            "there is no dial plan: no call can go anywhere",
            "write extensions.conf, at least:\n[sets]\nexten => 600,1,Answer()\n same => n,Echo()",
        );
    }
    for subscriber in config.endpoints.values() {
        let endpoint = &subscriber.endpoint;
        let place = |options: &[&str]| places.object(&endpoint.id, "endpoint", options);
        if endpoint.allow.is_empty() {
            link.fail(
                Some(place(&["allow", "disallow"])),
                format!(
                    "endpoint {} has no codecs: every call is refused with 488",
                    endpoint.id
                ),
                "add `allow=opus,ulaw,vp8` after `disallow=all`",
            );
        }
        if endpoint.context.is_empty() {
            link.fail(
                Some(place(&["context"])),
                format!(
                    "endpoint {} has no context: its calls go nowhere",
                    endpoint.id
                ),
                "add `context=` with a context of extensions.conf",
            );
        }
    }
    let ports = &config.rtp.ports;
    let place = || Some(places.option("rtp.conf", "general", &["rtpend", "rtpstart"]));
    let count = usize::from(*ports.end()).saturating_sub(usize::from(*ports.start())) + 1;
    if count < PORTS_FEW {
        link.warn(
            place(),
            format!(
                "{} to {} are only {count} ports: browsers share one per processor, each desk phone \
                 needs two of its own",
                ports.start(),
                ports.end()
            ),
            "widen the range, e.g. rtpstart=10000 and rtpend=20000",
        );
    }
    link.details = json!({
        "endpoints": config.endpoints.len(),
        "transports": config.transports.len(),
        "rtp_ports": [ports.start(), ports.end()],
    });
}

/// Fewer ports than this run out with some phones.
const PORTS_FEW: usize = 100;
