//! `core reload`, `dialplan reload`, `module reload`: see [`crate::reload`].

use crate::command::{Command, Outcome, Takes};
use crate::exchange::Exchange;
use crate::reload::{Part, SAME};

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
    doc: "Reads the files again and puts extensions.conf in force, unless it has an error. What was\n\
          added at the console is gone then. Calls go on; each takes its next priority from the\n\
          new plan.",
    run: |exchange, _| Box::pin(reload(exchange, Part::Dialplan, None)),
};

pub(crate) static MODULE_RELOAD: Command = Command {
    path: "module reload",
    takes: Takes::Module,
    synopsis: "Reload configuration for a module",
    doc: "Reads the files again and puts those of one module in force: http, pjsip (res_pjsip),\n\
          dialplan (pbx_config), rtp, acl, cdr, logger, features, confbridge (app_confbridge) or\n\
          moh (res_musiconhold); without a module, all.",
    run: |exchange, words| Box::pin(module_reload(exchange, words)),
};

async fn module_reload(exchange: &Exchange, words: &[String]) -> Outcome {
    let Some(name) = words.first() else {
        return reload(exchange, Part::All, None).await;
    };
    match Part::of_module(name) {
        Some(part) => reload(exchange, part, Some(name)).await,
        None => Outcome::Missing(format!("No such module '{name}'\n")),
    }
}

pub(crate) async fn reload(exchange: &Exchange, part: Part, module: Option<&str>) -> Outcome {
    match exchange.reload(part, "the console").await {
        Ok(mut text) => {
            if let Some(module) = module {
                // As Asterisk, which says no more than the following.
                text = text.replace(SAME, "");
                text.push_str(&format!("Module '{module}' reloaded successfully.\n"));
            }
            Outcome::Done(text)
        }
        Err(text) => Outcome::Failed(text),
    }
}
