//! `Background`.

use switch::{AppResult, Application, Args, Channel};

use crate::arguments::{unusable, warn};
use crate::prompt::{play_in, ready};

/// Plays files while the caller may dial.
pub(crate) static BACKGROUND: Application = Application {
    name: "Background",
    synopsis: "Play files until the caller dials an extension",
    doc: include_str!("background.md"),
    run: |call, args| Box::pin(run(call, args)),
};

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let Some(names) = args.at(0) else {
        let why = "name a file, as in Background(welcome)";
        return Err(unusable(call, "Background", &args, why));
    };
    let options = args.at(1).unwrap_or_default();
    for other in options.chars().filter(|option| !"snmp".contains(*option)) {
        let what = format!("option `{other}` has no effect; there are s, n, m and p");
        warn(call, "Background", &args, what);
    }
    let language = args.at(2).filter(|language| !language.is_empty());
    let has = |option: char| options.contains(option);
    if !ready(call, has('s'), has('n')).await? {
        return Ok(());
    }
    let before = call.at.context.clone();
    if let Some(context) = args.at(3) {
        call.at.context = context.to_owned();
    }
    let digits = match (has('p'), has('m')) {
        (true, _) => String::new(),
        // Only what is an extension by itself interrupts.
        (false, true) => extensions(call).await?,
        (false, false) => DIGITS.to_owned(),
    };
    let stops = |digit: char| digits.contains(digit.to_ascii_uppercase());
    let heard = play_in(call, "Background", &args, (names, language), stops).await?;
    match heard.digit {
        Some(digit) => call.dials(&digit.to_string()),
        None => call.at.context = before,
    }
    let status = if heard.is_failed { "FAILED" } else { "SUCCESS" };
    if let Err(why) = call.vars.set("BACKGROUNDSTATUS", status) {
        warn(call, "Background", &args, why);
    }
    Ok(())
}

/// The digits that are extensions of the call's context.
async fn extensions(call: &mut Channel) -> AppResult<String> {
    let mut found = String::new();
    for digit in DIGITS.chars() {
        // A table that does not answer has none; who dials all the same is told by the pbx loop.
        if call
            .has_extension(&digit.to_string())
            .await?
            .unwrap_or(false)
        {
            found.push(digit);
        }
    }
    Ok(found)
}

const DIGITS: &str = "0123456789*#ABCD";
