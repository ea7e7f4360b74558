//! `p` and `P`: who is called decides about each caller, and with `P` once and for all.

use std::path::PathBuf;
use std::time::Duration;

use media::Playable;
use switch::{AppResult, Args, Channel, Switch};

use super::options::{Intro, Options};
use super::set;
use super::waiting::alert;
use crate::arguments::warn;
use crate::record::{record_name, remove, remove_later};

/// The family of the dial plan's database that remembers, as in Asterisk.
const FAMILY: &str = "privacy";

/// The folder of what callers have said, below that of sounds.
const INTRODUCTIONS: &str = "priv-callerintros";

/// How often the called is asked.
const ROUNDS: usize = 3;

/// How long it may think after the prompt.
const PATIENCE: Duration = Duration::from_secs(4);

/// A caller that has to be decided about.
pub(super) struct Screen {
    /// Where the decision is kept.
    key: Option<String>,
    /// The caller's name in its own voice.
    intro: Introduction,
}

/// What the caller has recorded.
struct Introduction {
    /// As a sound.
    name: String,
    file: Option<PathBuf>,
    fate: Intro,
    switch: Switch,
}

impl Introduction {
    /// The two are connected, or not: whether it goes.
    async fn end(&mut self, is_connected: bool) {
        let goes = match self.fate {
            Intro::Kept => false,
            Intro::GoesWhenConnected => is_connected,
            Intro::Goes => true,
        };
        if goes && let Some(file) = self.file.take() {
            remove(file).await;
        }
    }
}

impl Drop for Introduction {
    /// Whoever leaves before the end.
    fn drop(&mut self) {
        if self.fate == Intro::Goes
            && let Some(file) = self.file.take()
        {
            remove_later(&self.switch, file);
        }
    }
}

/// Begins: the caller says its name, unless it has before. `Err`: the decision has been made, this is `DIALSTATUS`, and
/// nobody is called.
pub(super) async fn begin(
    call: &mut Channel,
    options: &Options,
    args: &Args<'_>,
) -> AppResult<Result<Option<Screen>, &'static str>> {
    let number = cleaned(&call.caller.number);
    let excepted = options.screens_no_numbers && !number.is_empty();
    if excepted || (!options.screens && options.privacy.is_none()) {
        return Ok(Ok(None));
    }
    let key = options.privacy.as_ref().map(|place| {
        let place = match place.as_str() {
            "" => &call.at.exten,
            place => place,
        };
        let who = match number.as_str() {
            "" => format!("NOCALLERID_{}={}", call.at.exten, call.endpoint().id),
            number => number.to_owned(),
        };
        format!("{place}/{who}")
    });
    if let Some(key) = &key {
        let known = call.switch().store().astdb();
        let known = known.and_then(|database| database.value(FAMILY, key));
        match known.as_deref() {
            Some("allow") => return Ok(Ok(None)),
            Some("deny") => return Ok(Err("NOANSWER")),
            Some("kill") => return Ok(Err("DONTCALL")),
            Some("torture") => return Ok(Err("TORTURE")),
            Some(_) | None => {}
        }
    }
    let (who, fate) = match number.as_str() {
        // A name that belongs to no number is of no use later, and must be nobody else's: channels are named anew
        // after a start.
        "" => {
            let own = cleaned(&format!(
                "NOCALLERID_{}={}",
                call.at.exten,
                call.unique_id()
            ));
            (own, Intro::Goes)
        }
        number => (number.to_owned(), options.intro),
    };
    let intro = introduce(call, args, &who, fate).await?;
    Ok(Ok(Some(Screen { key, intro })))
}

/// Has the caller say its name, unless it has before.
async fn introduce(
    call: &mut Channel,
    args: &Args<'_>,
    who: &str,
    fate: Intro,
) -> AppResult<Introduction> {
    let name = format!("{INTRODUCTIONS}/{who}");
    let file = format!("{name}.sln");
    let mut intro = Introduction {
        file: call.sound_file(&file).ok().map(|(file, _)| file),
        name,
        fate,
        switch: call.switch().clone(),
    };
    if call.sound(&intro.name).await?.is_ok() {
        return Ok(intro);
    }
    call.answer().await?;
    match record_name(call, "Dial", args, ("priv-recordintro", &file)).await? {
        true => match call.sound("vm-dialout").await? {
            Ok(sound) => drop(call.play(Playable::Sound(sound), |_| false).await?),
            Err(why) => warn(call, "Dial", args, why),
        },
        false => intro.file = None,
    }
    Ok(intro)
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
        &mut self,
        call: &mut Channel,
        callee: &mut Channel,
        args: &Args<'_>,
    ) -> AppResult<bool> {
        alert(call);
        let asked = call.during(self.ask(callee, args)).await?;
        call.stop_tones();
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
        self.intro.end(status.is_none()).await;
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
        let choices = match self.key {
            Some(_) => "priv-callee-options",
            None => "screen-callee-options",
        };
        let intro = self.intro.file.as_ref().map(|_| self.intro.name.as_str());
        let prompts = [Some("priv-callpending"), intro, Some(choices)];
        let means = |digit: char| self.decision(digit).is_some();
        for _ in 0..ROUNDS {
            for name in prompts.into_iter().flatten() {
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
