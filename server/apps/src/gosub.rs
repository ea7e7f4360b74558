//! `Gosub`, `GosubIf`, `Return`, `StackPop`.

use switch::{AppResult, Application, Args, Channel, Interrupt, Position};

use crate::arguments::{position, unusable, warn};
use crate::condition::{branches, holds, split};

/// Goes into a subroutine.
pub(crate) static GOSUB: Application = Application {
    name: "Gosub",
    synopsis: "Go on in a subroutine, and come back at Return",
    doc: include_str!("gosub.md"),
    run: |call, args| Box::pin(gosub(call, args)),
};

/// Goes into one of two subroutines.
pub(crate) static GOSUB_IF: Application = Application {
    name: "GosubIf",
    synopsis: "Go on in one of two subroutines, as a condition says",
    doc: include_str!("gosub_if.md"),
    run: |call, args| Box::pin(gosub_if(call, args)),
};

/// Comes back from a subroutine.
pub(crate) static RETURN: Application = Application {
    name: "Return",
    synopsis: "Go back to where the subroutine was called",
    doc: include_str!("return.md"),
    run: |call, args| Box::pin(come_back(call, args)),
};

/// Stays where it is instead of coming back.
pub(crate) static STACK_POP: Application = Application {
    name: "StackPop",
    synopsis: "Forget where the subroutine was called, and go on here",
    doc: include_str!("stack_pop.md"),
    run: |call, args| Box::pin(stack_pop(call, args)),
};

async fn gosub(call: &mut Channel, args: Args<'_>) -> AppResult {
    enter(call, "Gosub", &args, args.text())
}

async fn gosub_if(call: &mut Channel, args: Args<'_>) -> AppResult {
    let Some((condition, rest)) = args.text().split_once('?') else {
        let why = "write it as GosubIf(condition?label(arguments):label(arguments))";
        return Err(unusable(call, "GosubIf", &args, why));
    };
    let (yes, no) = branches(rest);
    match if holds(condition) { yes } else { no } {
        "" => Ok(()),
        target => enter(call, "GosubIf", &args, target),
    }
}

async fn come_back(call: &mut Channel, args: Args<'_>) -> AppResult {
    let value = args.text().trim().to_owned();
    let back = call.leave();
    // A value that is too long is told by Set itself.
    let _ = call.vars.set("GOSUB_RETVAL", &value);
    match back {
        Some(back) => Err(Interrupt::Redirect(back)),
        None => {
            warn(
                call,
                "Return",
                &args,
                "no subroutine was called; the call goes on",
            );
            Ok(())
        }
    }
}

async fn stack_pop(call: &mut Channel, args: Args<'_>) -> AppResult {
    if !call.forget_subroutine() {
        warn(call, "StackPop", &args, "no subroutine was called");
    }
    Ok(())
}

/// `[[context,]exten,]priority[(arguments)]`.
fn enter(call: &mut Channel, application: &str, args: &Args<'_>, target: &str) -> AppResult {
    let (place, arguments) = with_arguments(target, ',');
    let to = match position(call, place, ',') {
        Ok(to) => to,
        Err(why) => return Err(unusable(call, application, args, why)),
    };
    let back = Position {
        priority: call.at.priority + 1,
        ..call.at.clone()
    };
    match call.enter(back, &arguments) {
        Ok(()) => Err(Interrupt::Redirect(to)),
        Err(why) => Err(unusable(call, application, args, why)),
    }
}

/// A place and the arguments in the parentheses behind it.
pub(crate) fn with_arguments(text: &str, separator: char) -> (&str, Vec<String>) {
    let text = text.trim();
    let Some((place, rest)) = text.split_once('(') else {
        return (text, Vec::new());
    };
    let inside = rest.trim_end();
    let inside = inside.strip_suffix(')').unwrap_or(inside);
    if inside.is_empty() {
        return (place.trim(), Vec::new());
    }
    let mut arguments = Vec::new();
    let mut rest = inside;
    while let Some((argument, after)) = split(rest, separator) {
        arguments.push(unquoted(argument));
        rest = after;
    }
    arguments.push(unquoted(rest));
    (place.trim(), arguments)
}

fn unquoted(argument: &str) -> String {
    let argument = argument.trim();
    let inside = argument
        .strip_prefix('"')
        .and_then(|it| it.strip_suffix('"'));
    inside.unwrap_or(argument).to_owned()
}

#[cfg(test)]
mod tests {
    use super::with_arguments;

    #[test]
    fn arguments_stand_behind_the_place() {
        let (place, arguments) = with_arguments(r#"sub,s,1(a,"b,c",d(e,f))"#, ',');
        assert_eq!(place, "sub,s,1");
        assert_eq!(arguments, ["a", "b,c", "d(e,f)"]);
        assert_eq!(with_arguments("sub,s,1()", ','), ("sub,s,1", Vec::new()));
        assert_eq!(with_arguments("s,1", ','), ("s,1", Vec::new()));
    }
}
