//! `p` and `P`: who is called decides about each caller, and with `P` once and for all.

use std::time::Duration;

use media::Playable;
use switch::{AppResult, Args, Channel};

use super::options::Options;
use super::set;
use crate::arguments::warn;

/// The family of the dial plan's database that remembers, as in Asterisk.
const FAMILY: &str = "privacy";

/// How often the called is asked.
const ROUNDS: usize = 3;

/// How long it may think after the prompt.
const PATIENCE: Duration = Duration::from_secs(4);

/// A caller that has to be decided about.
pub(super) struct Screen {
    /// Where the decision is kept.
    key: Option<String>,
}

/// Begins. `Err`: the decision has been made, this is `DIALSTATUS`, and nobody is called.
pub(super) fn begin(call: &Channel, options: &Options) -> Result<Option<Screen>, &'static str> {
    let number = cleaned(&call.caller.number);
    let excepted = options.screens_no_numbers && !number.is_empty();
    if excepted || (!options.screens && options.privacy.is_none()) {
        return Ok(None);
    }
    let Some(place) = &options.privacy else {
        return Ok(Some(Screen { key: None }));
    };
    let place = match place.as_str() {
        "" => &call.at.exten,
        place => place,
    };
    let who = match number.as_str() {
        "" => format!("NOCALLERID_{}={}", call.at.exten, call.endpoint().id),
        number => number.to_owned(),
    };
    let key = format!("{place}/{who}");
    let known = call.switch().store().astdb();
    let known = known.and_then(|database| database.value(FAMILY, &key));
    match known.as_deref() {
        Some("allow") => Ok(None),
        Some("deny") => Err("NOANSWER"),
        Some("kill") => Err("DONTCALL"),
        Some("torture") => Err("TORTURE"),
        Some(_) | None => Ok(Some(Screen { key: Some(key) })),
    }
}

/// What the called wants.
struct Decision {
    /// What is remembered.
    kept: &'static str,
    /// `DIALSTATUS`; `None`: the two are connected.
    status: Option<&'static str>,
}

impl Screen {
    /// Asks the called. `false`: the caller is not put through, and `DIALSTATUS` says why.
    pub(super) async fn admits(
        &self,
        call: &mut Channel,
        callee: &mut Channel,
        args: &Args<'_>,
    ) -> AppResult<bool> {
        call.ring();
        let asked = call.during(self.ask(callee, args)).await?;
        // Who hung up instead of deciding is as if it had not answered.
        let digit = asked.unwrap_or_default();
        let decision = digit.and_then(|digit| self.decision(digit));
        if let (Some(key), Some(decision)) = (&self.key, &decision)
            && let Some(database) = call.switch().store().astdb()
            && let Err(why) = database.put(FAMILY, key, decision.kept)
        {
            let what = format!("what was decided about the caller is not kept: {why}");
            warn(call, "Dial", args, what);
        }
        let status = decision.map_or(Some("NOANSWER"), |decision| decision.status);
        if let Some(status) = status {
            set(call, "DIALSTATUS", status);
        }
        Ok(status.is_none())
    }

    fn decision(&self, digit: char) -> Option<Decision> {
        let (kept, status) = match digit {
            '1' => ("allow", None),
            '2' => ("deny", Some("NOANSWER")),
            '3' => ("torture", Some("TORTURE")),
            '4' => ("kill", Some("DONTCALL")),
            '5' if self.key.is_some() => ("allow", Some("NOANSWER")),
            _ => return None,
        };
        Some(Decision { kept, status })
    }

    /// The digit it presses; `None`: none that means anything.
    async fn ask(&self, callee: &mut Channel, args: &Args<'_>) -> AppResult<Option<char>> {
        let prompts: &[&str] = match self.key {
            Some(_) => &["priv-callpending", "priv-callee-options"],
            None => &["screen-callee-options"],
        };
        let means = |digit: char| self.decision(digit).is_some();
        for _ in 0..ROUNDS {
            for name in prompts {
                match callee.sound(name).await? {
                    Ok(sound) => {
                        let digit = callee.play(Playable::Sound(sound), means).await?;
                        if digit.is_some() {
                            return Ok(digit);
                        }
                    }
                    Err(why) => warn(callee, "Dial", args, why),
                }
            }
            if let Some(digit) = callee.read_digit_within(PATIENCE).await?
                && means(digit)
            {
                return Ok(Some(digit));
            }
        }
        Ok(None)
    }
}

/// A number as a key: what nobody dials is left out.
fn cleaned(number: &str) -> String {
    let dialled =
        |character: &char| character.is_ascii_alphanumeric() || "+*#".contains(*character);
    number.chars().filter(dialled).collect()
}
