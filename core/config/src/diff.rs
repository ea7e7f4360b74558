//! What differs between two states of the configuration, by object and option.

use crate::auth::Auth;
use crate::database::Database;
use crate::http::Http;
use crate::indications::Zone;
use crate::logger::Logger;
use crate::music_on_hold::{MusicClass, MusicOnHold};
use crate::shown::Shown;
use crate::snapshot::Config;
use dialplan::{Extension, Plan};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// One object that is new, gone or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The kind of object: `endpoint`, `listener`, `extension`.
    pub kind: &'static str,
    /// Its name; empty if there is one of the kind only.
    pub name: String,
    /// What became of it.
    pub how: How,
}

/// What became of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another; what of it, as far as that can be written.
    Changed(Vec<Detail>),
}

/// One option of a changed object. Secrets are dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The option, or `priority 4`.
    pub option: String,
    /// Its value before; empty if it had none.
    pub before: String,
    /// Its value now; empty if it has none.
    pub after: String,
}

/// `~ endpoint alice: max_video_streams 1 → 4`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.how {
            How::Added => '+',
            How::Removed => '-',
            How::Changed(_) => '~',
        };
        write!(f, "{sign} {}", self.kind)?;
        if !self.name.is_empty() {
            write!(f, " {}", self.name)?;
        }
        if let How::Changed(details) = &self.how {
            for (index, detail) in details.iter().enumerate() {
                let before = if index == 0 { ": " } else { ", " };
                write!(f, "{before}{detail}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |value: &str| match value {
            "" => "(none)".to_owned(),
            value => value.to_owned(),
        };
        let (before, after) = (or_none(&self.before), or_none(&self.after));
        write!(f, "{} {before} → {after}", self.option)
    }
}

impl Detail {
    fn new(option: &str, before: impl fmt::Display, after: impl fmt::Display) -> Self {
        Self {
            option: option.to_owned(),
            before: before.to_string(),
            after: after.to_string(),
        }
    }
}

/// Everything that differs, file by file; nothing if the two mean the same.
pub fn diff(old: &Config, new: &Config) -> Vec<Change> {
    let mut changes = Vec::new();
    changes.extend(one("global", &old.global, &new.global, options));
    let transports = |config: &Config| by_name(&config.transports, |transport| &transport.id);
    let (before, after) = (transports(old), transports(new));
    changes.extend(named("transport", &before, &after, options));
    // An endpoint holds the objects it names; those are told under their own names.
    let endpoints = |config: &Config| {
        let all = config.endpoints.iter();
        all.map(|(id, subscriber)| (id.clone(), subscriber.endpoint.clone()))
            .collect()
    };
    changes.extend(named("endpoint", &endpoints(old), &endpoints(new), options));
    changes.extend(named("auth", &old.auths, &new.auths, auth));
    changes.extend(named("aor", &old.aors, &new.aors, |old, new| {
        options(&**old, &**new)
    }));
    changes.extend(one("system", &old.system, &new.system, options));
    let identifies = |config: &Config| by_name(&config.identifies, |identify| &identify.id);
    changes.extend(named(
        "identify",
        &identifies(old),
        &identifies(new),
        options,
    ));
    let registrations = |config: &Config| by_name(&config.registrations, |object| &object.id);
    let (before, after) = (registrations(old), registrations(new));
    changes.extend(named("registration", &before, &after, options));
    let auths = (&old.registration_auths, &new.registration_auths);
    changes.extend(named("auth of a registration", auths.0, auths.1, auth));
    let acls = |config: &Config| by_name(&config.acls, |acl| &acl.id);
    changes.extend(named("acl", &acls(old), &acls(new), options));
    let lists = (&old.named_acls, &new.named_acls);
    changes.extend(named("acl.conf", lists.0, lists.1, |old, new| {
        [("deny", false), ("permit", true)]
            .into_iter()
            .map(|(name, permit)| Detail::new(name, old.written(permit), new.written(permit)))
            .filter(|detail| detail.before != detail.after)
            .collect()
    }));
    let aliases = (&old.domain_aliases, &new.domain_aliases);
    changes.extend(named("domain_alias", aliases.0, aliases.1, |old, new| {
        vec![Detail::new("domain", old, new)]
    }));
    let lists = (&old.resource_lists, &new.resource_lists);
    changes.extend(named("resource_list", lists.0, lists.1, options));
    http(&old.http, &new.http, &mut changes);
    changes.extend(one("rtp.conf", &old.rtp, &new.rtp, options));
    changes.extend(one("database", &old.database, &new.database, database));
    other_files(old, new, &mut changes);
    changes.extend(one("sidetone.conf", &old.own, &new.own, options));
    plan(&old.plan, &new.plan, &mut changes);
    changes
}

fn auth(old: &Arc<Auth>, new: &Arc<Auth>) -> Vec<Detail> {
    let mut details = options(&**old, &**new);
    let secret = |name: &str| Detail::new(name, "••••", "••••");
    if old.password != new.password {
        details.push(secret("password"));
    }
    if old.digests != new.digests && !details.iter().any(|d| d.option == "password_digest") {
        details.push(secret("password_digest"));
    }
    details
}

/// Where objects are. Which table is which is told by its name alone.
fn database(old: &Database, new: &Database) -> Vec<Detail> {
    let tables = |database: &Database| {
        let pairs = database.tables.iter();
        let pairs: Vec<_> = pairs.map(|(own, other)| format!("{own}={other}")).collect();
        pairs.join(",")
    };
    let origins = |database: &Database| {
        let kinds = database.origins.iter();
        let kinds: Vec<_> = kinds
            .map(|(kind, origins)| {
                let names: Vec<_> = origins.iter().map(|origin| origin.name()).collect();
                format!("{kind}={}", names.join("+"))
            })
            .collect();
        kinds.join(",")
    };
    let details = [
        Detail::new("place", &old.place, &new.place),
        Detail::new("tables", tables(old), tables(new)),
        Detail::new("origins", origins(old), origins(new)),
        Detail::new("pool_size", old.pool_size, new.pool_size),
        Detail::new(
            "connect_timeout",
            old.connect_timeout_ms,
            new.connect_timeout_ms,
        ),
        Detail::new("query_timeout", old.query_timeout_ms, new.query_timeout_ms),
    ];
    let differ = details.into_iter().filter(|one| one.before != one.after);
    let mut differ: Vec<Detail> = differ.collect();
    if let (Some(old), Some(new)) = (old.place.server(), new.place.server()) {
        if old.password != new.password {
            differ.push(Detail::new("password", &old.password, &new.password));
        }
        if old.tls != new.tls {
            differ.push(Detail::new("tls", &old.tls, &new.tls));
        }
    }
    differ
}

/// `cdr.conf`, `logger.conf`, `features.conf`, `res_parking.conf`, `confbridge.conf`, `musiconhold.conf`,
/// `indications.conf`.
fn other_files(old: &Config, new: &Config, changes: &mut Vec<Change>) {
    changes.extend(one("cdr.conf", &old.cdr, &new.cdr, options));
    logger(&old.logger, &new.logger, changes);
    let (before, after) = (&old.features, &new.features);
    changes.extend(one("features.conf", before, after, |old, new| {
        let mut details = options(&old.general, &new.general);
        details.extend(options(&old.map, &new.map));
        details
    }));
    let (before, after) = (&old.parking, &new.parking);
    changes.extend(named("parking lot", &before.lots, &after.lots, options));
    let (before, after) = (&old.confbridge, &new.confbridge);
    changes.extend(named("user profile", &before.users, &after.users, options));
    changes.extend(named(
        "bridge profile",
        &before.bridges,
        &after.bridges,
        options,
    ));
    changes.extend(named("menu", &before.menus, &after.menus, options));
    let (before, after) = (&old.indications, &new.indications);
    changes.extend(one(
        "indications.conf",
        &before.country,
        &after.country,
        |old, new| vec![Detail::new("country", old, new)],
    ));
    changes.extend(named("tone zone", &before.zones, &after.zones, zone));
    let (before, after) = (&old.music, &new.music);
    let without = |music: &MusicOnHold| MusicOnHold {
        classes: BTreeMap::new(),
        ..music.clone()
    };
    let (general_before, general_after) = (without(before), without(after));
    changes.extend(one(
        "musiconhold.conf",
        &general_before,
        &general_after,
        options,
    ));
    let class = |old: &Arc<MusicClass>, new: &Arc<MusicClass>| options(&**old, &**new);
    changes.extend(named("music class", &before.classes, &after.classes, class));
}

fn zone(old: &Zone, new: &Zone) -> Vec<Detail> {
    let names: BTreeSet<&String> = old.tones.keys().chain(new.tones.keys()).collect();
    let list = |zone: &Zone, name: &String| zone.tones.get(name).cloned().unwrap_or_default();
    let pairs = names
        .into_iter()
        .map(|name| (name, list(old, name), list(new, name)));
    let differ = pairs.filter(|(_, before, after)| before != after);
    differ
        .map(|(name, before, after)| Detail::new(name, &before, &after))
        .collect()
}

/// Each channel is an object of its own.
fn logger(old: &Logger, new: &Logger, changes: &mut Vec<Change>) {
    let channels = |logger: &Logger| {
        let all = logger.channels.iter().map(|channel| {
            let levels: Vec<String> = channel.levels.iter().map(ToString::to_string).collect();
            let written = format!("{:?} {}", channel.format, levels.join(","));
            (channel.target.to_string(), written.to_ascii_lowercase())
        });
        all.collect::<BTreeMap<_, _>>()
    };
    let (before, after) = (channels(old), channels(new));
    changes.extend(named("log", &before, &after, |old, new| {
        vec![Detail::new("levels", old, new)]
    }));
    let without = |logger: &Logger| Logger {
        channels: Vec::new(),
        ..logger.clone()
    };
    changes.extend(one("logger.conf", &without(old), &without(new), options));
}

/// The options that are written differently.
fn options<T: Shown>(old: &T, new: &T) -> Vec<Detail> {
    let (before, after) = (old.shown(), new.shown());
    let pairs = before.into_iter().zip(after);
    pairs
        .filter(|((_, before), (_, after))| before != after)
        .map(|((name, before), (_, after))| Detail::new(name, before, after))
        .collect()
}

fn one<T: PartialEq>(
    kind: &'static str,
    old: &T,
    new: &T,
    details: impl Fn(&T, &T) -> Vec<Detail>,
) -> Option<Change> {
    (old != new).then(|| Change {
        kind,
        name: String::new(),
        how: How::Changed(details(old, new)),
    })
}

fn named<T: PartialEq>(
    kind: &'static str,
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
    details: impl Fn(&T, &T) -> Vec<Detail>,
) -> Vec<Change> {
    let change = |name: &str, how: How| Change {
        kind,
        name: name.to_owned(),
        how,
    };
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    let mut changes: Vec<Change> = gone.map(|name| change(name, How::Removed)).collect();
    for (name, after) in new {
        match old.get(name) {
            None => changes.push(change(name, How::Added)),
            Some(before) if before != after => {
                changes.push(change(name, How::Changed(details(before, after))));
            }
            Some(_) => {}
        }
    }
    changes
}

fn by_name<T: Clone>(list: &[T], name: impl Fn(&T) -> &String) -> BTreeMap<String, T> {
    let pairs = list
        .iter()
        .map(|object| (name(object).clone(), object.clone()));
    pairs.collect()
}

/// Listeners and redirects are objects of their own.
fn http(old: &Http, new: &Http, changes: &mut Vec<Change>) {
    let listeners = |http: &Http| {
        let plain = http
            .bind
            .iter()
            .map(|address| (format!("http {address}"), None));
        let secure = http.tls.iter().map(|tls| {
            let files = (tls.certificate.clone(), tls.private_key.clone());
            (format!("https {}", tls.bind), Some(files))
        });
        let acme = http.acme.iter().map(|acme| {
            let certificate = (format!("acme {}", acme.names.join(",")), String::new());
            (format!("https {}", acme.bind), Some(certificate))
        });
        plain.chain(secure).chain(acme).collect::<BTreeMap<_, _>>()
    };
    let files = |old: &Option<(String, String)>, new: &Option<(String, String)>| {
        let mut details = Vec::new();
        if let (Some(old), Some(new)) = (old, new) {
            if old.0 != new.0 {
                details.push(Detail::new("tlscertfile", &old.0, &new.0));
            }
            if old.1 != new.1 {
                details.push(Detail::new("tlsprivatekey", &old.1, &new.1));
            }
        }
        details
    };
    let before = changes.len();
    changes.extend(named("listener", &listeners(old), &listeners(new), files));
    let redirects = |http: &Http| {
        let all = http.redirects.iter();
        all.map(|redirect| (redirect.from.clone(), redirect.to.clone()))
            .collect::<BTreeMap<_, _>>()
    };
    let (was, is) = (redirects(old), redirects(new));
    changes.extend(named("redirect", &was, &is, |old, new| {
        vec![Detail::new("to", old, new)]
    }));
    let mut details = Vec::new();
    let mut option = |name: &str, before: &dyn fmt::Display, after: &dyn fmt::Display| {
        let detail = Detail::new(name, before, after);
        if detail.before != detail.after {
            details.push(detail);
        }
    };
    for (name, written) in HTTP_OPTIONS {
        option(name, &written(old), &written(new));
    }
    if !details.is_empty() || (old != new && changes.len() == before) {
        changes.push(Change {
            kind: "http.conf",
            name: String::new(),
            how: How::Changed(details),
        });
    }
}

/// An option of http.conf that is no listener and no redirect, and how it is written.
type HttpOption = (&'static str, fn(&Http) -> String);

const HTTP_OPTIONS: &[HttpOption] = &[
    ("enablestatic", |http| http.static_files.to_string()),
    ("enable_status", |http| http.status_page.to_string()),
    ("hostnames", |http| http.hostnames.join(",")),
    ("prefix", |http| http.prefix.clone()),
    ("restrictions", |http| {
        let paths = http.restrictions.iter();
        let paths: Vec<_> = paths.map(|restriction| restriction.path.as_str()).collect();
        paths.join(",")
    }),
    ("servername", |http| {
        http.server_name.clone().unwrap_or_default()
    }),
    ("session_inactivity", |http| {
        http.session_inactivity.as_millis().to_string()
    }),
    ("session_keep_alive", |http| {
        http.session_keep_alive.as_millis().to_string()
    }),
    ("sessionlimit", |http| http.session_limit.to_string()),
    ("static_dir", |http| {
        http.static_dir.clone().unwrap_or_default()
    }),
    ("tlscafile", |http| {
        http.tls_settings.ca_file.clone().unwrap_or_default()
    }),
    ("tlscapath", |http| {
        http.tls_settings.ca_path.clone().unwrap_or_default()
    }),
    ("tlscipher", |http| {
        http.tls_settings.ciphers.clone().unwrap_or_default()
    }),
    ("tlsdisablev12", |http| {
        (!http.tls_settings.tls12).to_string()
    }),
    ("tlsservercipherorder", |http| {
        http.tls_settings.server_order.to_string()
    }),
    ("tlsverifyclient", |http| {
        http.tls_settings.verify_clients.to_string()
    }),
    ("websocket_origins", |http| http.websocket_origins.join(",")),
];

fn plan(old: &Plan, new: &Plan, changes: &mut Vec<Change>) {
    let (before, after) = (extensions(old), extensions(new));
    changes.extend(named("extension", &before, &after, steps));
    let (before, after) = (includes(old), includes(new));
    changes.extend(named("include", &before, &after, |_, _| Vec::new()));
    let (before, after) = (switches(old), switches(new));
    changes.extend(named("switch", &before, &after, |_, _| Vec::new()));
    changes.extend(named(
        "global variable",
        old.globals(),
        new.globals(),
        |old, new| vec![Detail::new("value", old, new)],
    ));
    let falls = |plan: &Plan| if plan.autofallthrough { "yes" } else { "no" };
    if falls(old) != falls(new) {
        changes.push(Change {
            kind: "extensions.conf",
            name: String::new(),
            how: How::Changed(vec![Detail::new("autofallthrough", falls(old), falls(new))]),
        });
    }
}

/// What an extension does, wherever it stands in the files: `priority 1` → `Answer()`.
type Steps = BTreeMap<String, String>;

fn extensions(plan: &Plan) -> BTreeMap<String, Steps> {
    let mut all = BTreeMap::new();
    for (context, extensions) in plan.contexts() {
        for extension in extensions.iter() {
            let caller = extension.caller.iter().map(|caller| format!("/{caller}"));
            let caller: String = caller.collect();
            let name = format!("{}{caller}@{context}", extension.name);
            all.insert(name, written(extension));
        }
    }
    all
}

fn written(extension: &Extension) -> Steps {
    let steps = extension.steps.iter().map(|(priority, step)| {
        let label = step.label.iter().map(|label| format!("({label})"));
        let label: String = label.collect();
        let text = format!("{label}{}({})", step.application, step.arguments);
        // By number, not by its digits.
        (format!("priority {priority:>4}"), text)
    });
    let hint = extension
        .hint
        .iter()
        .map(|hint| ("hint".to_owned(), hint.clone()));
    steps.chain(hint).collect()
}

fn steps(old: &Steps, new: &Steps) -> Vec<Detail> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let none = String::new();
    let details = names.into_iter().filter_map(|name| {
        let value = |steps: &Steps| steps.get(name).unwrap_or(&none).clone();
        let (before, after) = (value(old), value(new));
        let option: Vec<&str> = name.split_whitespace().collect();
        (before != after).then(|| Detail::new(&option.join(" "), before, after))
    });
    details.collect()
}

/// `more in sets`, with the times written after it.
fn includes(plan: &Plan) -> BTreeMap<String, Option<String>> {
    let contexts = plan.contexts().flat_map(|(context, extensions)| {
        let includes = extensions.includes().iter();
        includes.map(move |include| {
            let name = format!("{} in {context}", include.context);
            (name, include.times.clone())
        })
    });
    contexts.collect()
}

/// `Realtime/@extensions in sets`.
fn switches(plan: &Plan) -> BTreeMap<String, ()> {
    let switches = plan.switches().map(|(context, switch)| {
        let place = context.map_or_else(
            || "before every context".to_owned(),
            |context| format!("in {context}"),
        );
        (format!("{} {place}", switch.written), ())
    });
    switches.collect()
}
