//! What functions of a step have to wait for, before the step's text is read: reading waits for nothing.

use super::Channel;
use crate::event::AppResult;
use crate::function::ACTING;

/// Functions that wait, and endpoints and the like that are looked up, in one step.
const WAITS_MAX: usize = 20;

impl Channel {
    /// Waits for what the functions of a text need. Returns the locks that were taken for it: its own `LOCK()`s take
    /// them once more.
    pub(crate) async fn prepare(&mut self, text: &str) -> AppResult<Vec<String>> {
        self.look_at_media_for(text).await;
        let mut taken = Vec::new();
        if !text.contains("LOCK(") && !text.contains("PJSIP_") {
            return Ok(taken);
        }
        for argument in arguments_of(text, &["LOCK"]) {
            if let Some(name) = self.read_beforehand(argument) {
                match self.lock(name.trim()).await {
                    Ok(true) => taken.push(name.trim().to_owned()),
                    Ok(false) => {}
                    Err(interrupt) => {
                        self.give_back(&taken);
                        return Err(interrupt);
                    }
                }
            }
        }
        for argument in arguments_of(text, &["PJSIP_ENDPOINT", "PJSIP_AOR"]) {
            let name = argument.split(',').next().unwrap_or_default();
            if let Some(name) = self.read_beforehand(name) {
                let store = self.switch().store().clone();
                let asked = store.subscriber(name.trim());
                // A call that is over (`h`, hangup handlers) is interrupted by nothing.
                let known = match self.ended() {
                    Some(_) => Ok(asked.await),
                    None => self.during(asked).await,
                };
                match known {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => {
                        let channel = self.name();
                        tracing::warn!(channel, "'{name}' cannot be looked up: {error}");
                    }
                    Err(interrupt) => {
                        self.give_back(&taken);
                        return Err(interrupt);
                    }
                }
            }
        }
        Ok(taken)
    }

    pub(crate) fn give_back(&self, locks: &[String]) {
        for name in locks {
            self.unlock(name);
        }
    }

    /// An argument as it is going to be read; `None` where reading it twice would do something twice.
    fn read_beforehand(&self, argument: &str) -> Option<String> {
        let acts = ACTING
            .iter()
            .any(|name| argument.contains(&format!("{{{name}(")));
        (!acts).then(|| self.substitute(argument))
    }
}

/// What stands in the parentheses of these functions.
fn arguments_of<'a>(text: &'a str, functions: &[&str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    for function in functions {
        let begin = format!("${{{function}(");
        let mut rest = text;
        while let Some(at) = rest.find(&begin) {
            rest = &rest[at + begin.len()..];
            if let Some(end) = closing(rest) {
                found.push(&rest[..end]);
            }
            if found.len() >= WAITS_MAX {
                return found;
            }
        }
    }
    found
}

/// Where the parenthesis is closed that is open.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_u32;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth == 0 => return Some(at),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::arguments_of;

    #[test]
    fn arguments_end_where_their_parenthesis_is_closed() {
        let text = "a=${LOCK(b${CALLERID(num)})}${TRYLOCK(x)}${LOCK(c)} ${LOCK(d";
        assert_eq!(arguments_of(text, &["LOCK"]), ["b${CALLERID(num)}", "c"]);
    }
}
