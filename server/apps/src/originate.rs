//! `Originate`.

use std::time::Duration;

use switch::{
    AppResult, Application, Args, CallerId, Cause, Channel, ORIGINATE_TIMEOUT, Position, Purpose,
    Unreachable, pbx,
};

use crate::arguments::{position, warn};
use crate::gosub::with_arguments;

/// Makes a call beside this one.
pub(crate) static ORIGINATE: Application = Application {
    name: "Originate",
    synopsis: "Make a call beside this one",
    doc: include_str!("originate.md"),
    run: |call, args| Box::pin(run(call, args)),
};

/// The longest it may ring.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3600);

/// What the options ask for.
#[derive(Default)]
struct Options {
    goes_on: bool,
    before: Option<String>,
    before_here: Option<String>,
    caller: CallerId,
    variables: Vec<(String, String)>,
    problems: Vec<String>,
}

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let status = originate(call, &args).await?;
    if let Err(why) = call.vars.set("ORIGINATE_STATUS", status) {
        warn(call, "Originate", &args, why);
    }
    Ok(())
}

async fn originate(call: &mut Channel, args: &Args<'_>) -> AppResult<&'static str> {
    let options = Options::parse(args.at(6).unwrap_or_default());
    for problem in &options.problems {
        warn(call, "Originate", args, problem);
    }
    let purpose = match purpose(call, args) {
        Ok(purpose) => purpose,
        Err(why) => {
            warn(call, "Originate", args, why);
            return Ok("FAILED");
        }
    };
    if let Some((at, arguments)) = routine(call, args, options.before_here.as_deref()) {
        pbx::subroutine(call, at, &arguments).await?;
    }
    let before = routine(call, args, options.before.as_deref());
    let asked = switch::Originate {
        destination: args.at(0).unwrap_or_default().to_owned(),
        purpose,
        timeout: timeout(call, args),
        caller: options.caller,
        variables: options.variables,
        before,
    };
    let switch = call.switch().clone();
    let begun = match call.during(switch.originate(asked)).await? {
        Ok(begun) => begun,
        Err(why) => {
            let is_busy = matches!(
                &why,
                switch::NotOriginated::Unreachable(Unreachable::Store(_))
            );
            warn(call, "Originate", args, why);
            return Ok(if is_busy { "CONGESTION" } else { "FAILED" });
        }
    };
    if options.goes_on {
        return Ok("SUCCESS");
    }
    let ended = call.during(begun).await?;
    Ok(match ended {
        Ok(Ok(_)) => "SUCCESS",
        Ok(Err(cause)) => status(cause),
        Err(_) => "FAILED",
    })
}

fn status(cause: Cause) -> &'static str {
    match cause {
        Cause::UserBusy => "BUSY",
        Cause::NoAnswer => "RINGING",
        Cause::NormalCircuitCongestion | Cause::SwitchCongestion => "CONGESTION",
        Cause::SubscriberAbsent | Cause::NoRouteDestination | Cause::Unallocated => "FAILED",
        _ => "HANGUP",
    }
}

fn purpose(call: &Channel, args: &Args<'_>) -> Result<Purpose, String> {
    let form = "write it as Originate(PJSIP/bob,app,Playback,hello) or (PJSIP/bob,exten,context,extension,1)";
    let (Some(_), Some(kind), Some(first)) = (args.at(0), args.at(1), args.at(2)) else {
        return Err(form.to_owned());
    };
    let second = args.at(3).unwrap_or_default();
    match kind.to_ascii_lowercase().as_str() {
        "app" => {
            let quoted = second.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
            Ok(Purpose::Application {
                name: first.to_owned(),
                arguments: quoted.unwrap_or(second).to_owned(),
            })
        }
        "exten" => {
            // As in Asterisk: the extension may be left out, and the first argument be it.
            let exten = if second.is_empty() { "s" } else { second };
            let priority = args.at(4).unwrap_or("1");
            let place = format!("{first},{exten},{priority}");
            position(call, &place, ',').map(Purpose::Extension)
        }
        _ => Err(format!("'{kind}' is neither app nor exten; {form}")),
    }
}

fn timeout(call: &mut Channel, args: &Args<'_>) -> Duration {
    let Some(text) = args.at(5) else {
        return ORIGINATE_TIMEOUT;
    };
    match text.parse().map(Duration::try_from_secs_f64) {
        Ok(Ok(time)) if !time.is_zero() => time.min(TIMEOUT_MAX),
        _ => {
            let what = format!("'{text}' is no number of seconds; 30 it is");
            warn(call, "Originate", args, what);
            ORIGINATE_TIMEOUT
        }
    }
}

fn routine(
    call: &mut Channel,
    args: &Args<'_>,
    text: Option<&str>,
) -> Option<(Position, Vec<String>)> {
    let (place, arguments) = with_arguments(text?, '^');
    match position(call, place, '^') {
        Ok(at) => Some((at, arguments)),
        Err(why) => {
            warn(call, "Originate", args, why);
            None
        }
    }
}

impl Options {
    fn parse(text: &str) -> Self {
        let mut options = Self::default();
        let mut rest = text.trim();
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            let argument = crate::dial::argument(&mut rest).unwrap_or_default();
            match letter {
                'a' => options.goes_on = true,
                'b' => options.before = Some(argument.to_owned()),
                'B' => options.before_here = Some(argument.to_owned()),
                'c' => argument.clone_into(&mut options.caller.number),
                'n' => argument.clone_into(&mut options.caller.name),
                'v' => {
                    let pairs = argument.split('^').filter_map(|pair| pair.split_once('='));
                    let pairs =
                        pairs.map(|(name, value)| (name.trim().to_owned(), value.to_owned()));
                    options.variables = pairs.collect();
                }
                other => {
                    let what =
                        format!("option `{other}` has no effect; there are a, b, B, c, n and v");
                    options.problems.push(what);
                }
            }
        }
        options
    }
}
