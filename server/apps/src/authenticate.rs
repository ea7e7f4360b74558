//! `Authenticate`.

use std::io::Read as _;
use std::time::Duration;

use media::Playable;
use switch::{AppResult, Application, Args, Cause, Channel};

use crate::arguments::{unusable, warn};

/// Asks for a password.
pub(crate) static AUTHENTICATE: Application = Application {
    name: "Authenticate",
    synopsis: "Ask for a password, and hang up on who does not know it",
    doc: include_str!("authenticate.md"),
    run: |call, args| Box::pin(run(call, args)),
};

/// How often it is asked for.
const ROUNDS: usize = 3;
/// The longest password.
const DIGITS_MAX: usize = 255;
/// The longest file of passwords.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// After the last digit.
const PATIENCE: Duration = Duration::from_secs(5);

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let Some(password) = args.at(0) else {
        let why = "name the password, as in Authenticate(1234)";
        return Err(unusable(call, "Authenticate", &args, why));
    };
    let options = args.at(1).unwrap_or_default();
    if let Some(other) = options.chars().find(|option| !"adr".contains(*option)) {
        let what = format!("option `{other}` has no effect; there are a, d and r");
        warn(call, "Authenticate", &args, what);
    }
    let digits_max = args
        .at(2)
        .and_then(|text| text.parse().ok())
        .unwrap_or(DIGITS_MAX);
    let prompt = args.at(3).unwrap_or("agent-pass");
    call.answer().await?;
    for round in 0..ROUNDS {
        let first = match round {
            0 => prompt,
            _ => "auth-incorrect",
        };
        let said = ask(call, &args, first, digits_max.clamp(1, DIGITS_MAX)).await?;
        if is_right(call, &args, (password, options), &said).await? {
            if options.contains('a')
                && let Err(why) = call.record_mut().set("accountcode", &said)
            {
                warn(call, "Authenticate", &args, why);
            }
            play(call, &args, "auth-thankyou", |_| false).await?;
            return Ok(());
        }
    }
    play(call, &args, "vm-goodbye", |_| false).await?;
    Err(call.hangup(Cause::CallRejected))
}

async fn ask(
    call: &mut Channel,
    args: &Args<'_>,
    prompt: &str,
    digits_max: usize,
) -> AppResult<String> {
    let mut next = play(call, args, prompt, |_| true).await?;
    let mut digits = String::new();
    while digits.len() < digits_max {
        let digit = match next.take() {
            Some(digit) => Some(digit),
            None => call.read_digit_within(PATIENCE).await?,
        };
        match digit {
            None | Some('#') => break,
            Some(digit) => digits.push(digit),
        }
    }
    Ok(digits)
}

async fn is_right(
    call: &mut Channel,
    args: &Args<'_>,
    (password, options): (&str, &str),
    said: &str,
) -> AppResult<bool> {
    // An empty answer is never a password.
    if said.is_empty() {
        return Ok(false);
    }
    let Some(path) = password.strip_prefix('/') else {
        return Ok(password == said);
    };
    if options.contains('d') {
        let database = call.switch().store().astdb();
        let known = database.filter(|database| database.value(path, said).is_some());
        if let Some(database) = &known
            && options.contains('r')
        {
            drop(database.remove(path, said));
        }
        return Ok(known.is_some());
    }
    let file = password.to_owned();
    let read = move || {
        let mut text = String::new();
        let file = std::fs::File::open(file)?;
        file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
        Ok::<_, std::io::Error>(text)
    };
    let read = call.during(tokio::task::spawn_blocking(read)).await?;
    match read.expect("reading a file does not panic") {
        Ok(text) => Ok(text.lines().any(|line| line.trim() == said)),
        Err(why) => {
            warn(
                call,
                "Authenticate",
                args,
                format!("{password} cannot be read: {why}"),
            );
            Ok(false)
        }
    }
}

async fn play(
    call: &mut Channel,
    args: &Args<'_>,
    name: &str,
    stops: impl Fn(char) -> bool,
) -> AppResult<Option<char>> {
    match call.sound(name).await? {
        Ok(sound) => call.play(Playable::Sound(sound), stops).await,
        Err(why) => {
            warn(call, "Authenticate", args, why);
            Ok(None)
        }
    }
}
