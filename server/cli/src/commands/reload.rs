//! `core reload`, `dialplan reload`, `module reload`: the files read anew, all or nothing.
//!
//! The new state is checked whole before it is put in force by one store; with an error in any file
//! the old state stays. Sockets are opened at the start alone, so what would need new ones is said
//! and waits for the next start.

use std::collections::BTreeMap;
use std::fmt;

use config::{Config, Severity};
use dialplan::{Extensions, Plan};
use tokio::time::Instant;

use crate::command::{Command, Outcome, Takes};
use crate::exchange::{Exchange, Files};

pub(crate) static CORE_RELOAD: Command = Command {
    path: "core reload",
    takes: Takes::Nothing,
    synopsis: "Global reload",
    doc: "Reads all files again. If any of them has an error, nothing changes and the errors are\n\
          shown; else each object that changed is named. Calls go on.",
    run: |exchange, _| Box::pin(reload(exchange, Part::All, None)),
};

pub(crate) static DIALPLAN_RELOAD: Command = Command {
    path: "dialplan reload",
    takes: Takes::Nothing,
    synopsis: "Reload extensions and *only* extensions",
    doc: "Reads the files again and puts extensions.conf in force, unless it has an error.",
    run: |exchange, _| Box::pin(reload(exchange, Part::Dialplan, None)),
};

pub(crate) static MODULE_RELOAD: Command = Command {
    path: "module reload",
    takes: Takes::Module,
    synopsis: "Reload configuration for a module",
    doc: "Reads the files again and puts those of one module in force: http, pjsip (res_pjsip),\n\
          dialplan (pbx_config) or rtp; without a module, all.",
    run: |exchange, words| Box::pin(module_reload(exchange, words)),
};

/// The names a module goes by.
pub(crate) const MODULES: &[&str] = &[
    "dialplan",
    "http",
    "pbx_config",
    "pjsip",
    "res_pjsip",
    "rtp",
];

/// What is put in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    All,
    Dialplan,
    Pjsip,
    Http,
    Rtp,
}

impl Part {
    fn of_module(name: &str) -> Option<Self> {
        Some(match name.strip_suffix(".so").unwrap_or(name) {
            "dialplan" | "pbx_config" => Self::Dialplan,
            "pjsip" | "res_pjsip" => Self::Pjsip,
            "http" => Self::Http,
            "rtp" => Self::Rtp,
            _ => return None,
        })
    }

    fn has(self, other: Self) -> bool {
        self == Self::All || self == other
    }
}

async fn module_reload(exchange: &Exchange, words: &[String]) -> Outcome {
    let Some(name) = words.first() else {
        return reload(exchange, Part::All, None).await;
    };
    match Part::of_module(name) {
        Some(part) => reload(exchange, part, Some(name)).await,
        None => Outcome::Missing(format!("No such module '{name}'\n")),
    }
}

async fn reload(exchange: &Exchange, part: Part, module: Option<&str>) -> Outcome {
    let mut reloaded = exchange.reloaded.lock().await;
    let read = exchange.parts.read.clone();
    let files = tokio::task::spawn_blocking(move || read()).await;
    let Ok(files) = files else {
        return Outcome::Failed("Reading the files went wrong; nothing changes.\n".to_owned());
    };
    let store = exchange.parts.switch.store();
    let old = store.config();
    match merge(&old, files, part) {
        Ok((new, mut text)) => {
            store.set_config(new.into());
            *reloaded = Some(Instant::now());
            if let Some(module) = module {
                text.push_str(&format!("Module '{module}' reloaded successfully.\n"));
            }
            Outcome::Done(text)
        }
        Err(text) => Outcome::Failed(text),
    }
}

/// The state to put in force and what changes by it; or what is wrong with the files.
fn merge(old: &Config, files: Files, part: Part) -> Result<(Config, String), String> {
    let (new, messages) = files;
    let mut said: String = messages
        .iter()
        .map(ToString::to_string)
        .map(ended)
        .collect();
    let faulty = messages
        .iter()
        .any(|message| message.severity == Severity::Error);
    let Some(new) = new.filter(|_| !faulty) else {
        said.push_str("Nothing changes.\n");
        return Err(said);
    };
    let mut merged = old.clone();
    if part.has(Part::Dialplan) {
        said.push_str(&plan_changes(&old.plan, &new.plan));
        merged.plan = new.plan;
    }
    if part.has(Part::Pjsip) {
        said.push_str(&changes("endpoint", &old.endpoints, &new.endpoints));
        said.push_str(&changes("auth", &old.auths, &new.auths));
        said.push_str(&changes("aor", &old.aors, &new.aors));
        if old.global != new.global {
            said.push_str("~ global\n");
        }
        merged.endpoints = new.endpoints;
        merged.auths = new.auths;
        merged.aors = new.aors;
        merged.global = new.global;
        said.push_str(&waits("transports", old.transports != new.transports));
    }
    if part.has(Part::Http) {
        said.push_str(&waits("http.conf", old.http != new.http));
    }
    if part.has(Part::Rtp) {
        said.push_str(&waits("rtp.conf", old.rtp != new.rtp));
    }
    Ok((merged, said))
}

/// What is opened at the start alone.
fn waits(what: &str, changed: bool) -> String {
    match changed {
        true => format!("! {what}: changed, takes effect at the next start\n"),
        false => String::new(),
    }
}

/// One line per object that is new, gone or changed.
fn changes<T: PartialEq>(
    kind: impl fmt::Display,
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
) -> String {
    let gone = old.keys().filter(|id| !new.contains_key(*id));
    let mut text: String = gone.map(|id| format!("- {kind} {id}\n")).collect();
    for (id, object) in new {
        match old.get(id) {
            None => text.push_str(&format!("+ {kind} {id}\n")),
            Some(before) if before != object => text.push_str(&format!("~ {kind} {id}\n")),
            Some(_) => {}
        }
    }
    text
}

fn plan_changes(old: &Plan, new: &Plan) -> String {
    let (before, after) = (extensions(old), extensions(new));
    let mut text = changes("extension", &before, &after);
    text.push_str(&changes("global variable", old.globals(), new.globals()));
    text
}

/// The extensions by `name@context`, each as what it does, wherever it stands.
fn extensions(plan: &Plan) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (context, extensions) in plan.contexts() {
        all.entry(format!("include@{context}"))
            .or_default()
            .extend(included(extensions));
        for extension in extensions.iter() {
            let steps = extension.steps.iter();
            let steps = steps.map(|(priority, step)| {
                let label = step.label.as_deref().unwrap_or_default();
                format!(
                    "{priority}({label}) {}({})",
                    step.application, step.arguments
                )
            });
            let caller = extension.caller.iter().map(|caller| format!("/{caller}"));
            let hint = extension.hint.iter().map(|hint| format!("hint {hint}"));
            let name = format!("{}@{context}", extension.name);
            all.entry(name)
                .or_default()
                .extend(caller.chain(hint).chain(steps));
        }
    }
    all.retain(|name, what| !(name.starts_with("include@") && what.is_empty()));
    all
}

fn included(extensions: &Extensions) -> impl Iterator<Item = String> {
    extensions
        .includes()
        .iter()
        .map(|include| include.context.clone())
}

fn ended(mut text: String) -> String {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{Part, merge};
    use crate::exchange::Files;
    use config::Config;

    fn files(pjsip: &str, extensions: &str, http: &str) -> Files {
        let files = [
            ("pjsip.conf", pjsip),
            ("extensions.conf", extensions),
            ("http.conf", http),
        ];
        config::load(&files.as_slice())
    }

    fn old() -> Config {
        let (config, messages) = files(ALICE, "[c]\nexten => 1,1,Answer()\n", "");
        assert!(messages.is_empty(), "{messages:?}");
        config.unwrap()
    }

    const ALICE: &str = "[alice]\ntype=endpoint\ncontext=c\nallow=opus\n";

    #[test]
    fn says_what_changed_and_what_must_wait() {
        let pjsip = "[alice]\ntype=endpoint\ncontext=c\nallow=ulaw\n[bob]\ntype=aor\n";
        let plan = "\n\n[c]\nexten => 1,1,Answer()\nexten => 2,1,Hangup()\n";
        let http = "[general]\nenabled=yes\nbindaddr=127.0.0.1\n";
        let (new, text) = merge(&old(), files(pjsip, plan, http), Part::All).unwrap();
        expect![[r#"
            + extension 2@c
            ~ endpoint alice
            + aor bob
            ! http.conf: changed, takes effect at the next start
        "#]]
        .assert_eq(&text);
        assert_eq!(
            new.http.bind, None,
            "nothing listens there before the next start"
        );
        assert!(new.plan.find("c", "2", None).is_some());
    }

    #[test]
    fn an_error_keeps_everything_as_it_was() {
        let broken = "[alice]\ntype=endpoint\nwebrtc=perhaps\n";
        let text = merge(&old(), files(broken, "", ""), Part::All).unwrap_err();
        assert!(text.starts_with("pjsip.conf:3:"), "{text}");
        assert!(text.ends_with("Nothing changes.\n"), "{text}");
    }

    #[test]
    fn a_part_leaves_the_others_alone() {
        let (new, _) = merge(&old(), files("", "", ""), Part::Dialplan).unwrap();
        assert!(new.plan.find("c", "1", None).is_none());
        assert!(new.endpoints.contains_key("alice"));
    }
}
