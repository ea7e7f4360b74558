//! `Set`.

use switch::{AppResult, Application, Args, Channel, SetError, closest};

use crate::FUNCTIONS;
use crate::arguments::warn;
use crate::function::items::wrong;

/// Sets a variable or a function.
pub(crate) static SET: Application = Application {
    name: "Set",
    synopsis: "Set a variable of the channel, or what a function stands for",
    doc: include_str!("set.md"),
    run: |call, args| Box::pin(run(call, args)),
};

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let Some((name, value)) = split(args.text()) else {
        warn(call, "Set", &args, "write it as name=value; nothing is set");
        return Ok(());
    };
    if let Err(error) = call.set(name.trim(), value) {
        warn(call, "Set", &args, why(name.trim(), error));
    }
    Ok(())
}

/// Why a variable or a function was not set, in words.
pub(crate) fn why(name: &str, error: SetError) -> String {
    let Some((function, item)) = name.split_once('(') else {
        return error.to_string();
    };
    let (function, item) = (function.trim(), item.trim_end_matches(')'));
    match error {
        SetError::Item => wrong(function, item),
        SetError::Value => format!(
            "that is no value for {name}; `core show function {function}` tells what it takes"
        ),
        SetError::NoFunction => {
            let known = FUNCTIONS.iter().map(|own| own.name);
            match closest(function, known) {
                Some(meant) => format!("there is no function {function}; did you mean {meant}?"),
                None => format!("there is no function {function}"),
            }
        }
        SetError::ReadOnly => format!("{function} can only be read"),
        SetError::Name | SetError::TooMany | SetError::TooLong | SetError::Function => {
            error.to_string()
        }
    }
}

/// Splits at the first `=` that is not inside the parentheses of a function.
pub(crate) fn split(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_u32;
    let at = text.find(|character| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '=' => return depth == 0,
            _ => {}
        }
        false
    })?;
    Some((&text[..at], &text[at + 1..]))
}

#[cfg(test)]
mod tests {
    use switch::SetError;

    use super::{split, why};

    #[test]
    fn what_is_not_set_is_told_with_its_cure() {
        let rows = [
            (
                "DEVICE_STATE(Custom:night)",
                SetError::Value,
                "no value for DEVICE_STATE(Custom:night)",
            ),
            ("CALLERID(nmu)", SetError::Item, "did you mean `num`?"),
            (
                "CALERID(num)",
                SetError::NoFunction,
                "did you mean CALLERID?",
            ),
            ("LEN(x)", SetError::ReadOnly, "LEN can only be read"),
            ("a", SetError::Name, "not the name of a variable"),
        ];
        for (name, error, expected) in rows {
            let text = why(name, error);
            assert!(text.contains(expected), "{name}: {text}");
        }
    }

    #[test]
    fn the_value_begins_after_the_first_equals_sign_outside_of_a_function() {
        assert_eq!(split("a=b=c"), Some(("a", "b=c")));
        assert_eq!(split("F(x=1)=2"), Some(("F(x=1)", "2")));
        assert_eq!(split("nothing"), None);
    }
}
