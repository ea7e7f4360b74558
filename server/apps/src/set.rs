//! `Set`.

use switch::{AppResult, Application, Args, Channel};

use crate::arguments::warn;

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
        warn(call, "Set", &args, error);
    }
    Ok(())
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
    use super::split;

    #[test]
    fn the_value_begins_after_the_first_equals_sign_outside_of_a_function() {
        assert_eq!(split("a=b=c"), Some(("a", "b=c")));
        assert_eq!(split("F(x=1)=2"), Some(("F(x=1)", "2")));
        assert_eq!(split("nothing"), None);
    }
}
