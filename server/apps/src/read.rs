//! `Read`.

use std::time::Duration;

use media::Playable;
use switch::{AppResult, Application, Args, Channel, Interrupt};

use crate::arguments::warn;
use crate::prompt::{play_files, ready};

/// Reads digits into a variable.
pub(crate) static READ: Application = Application {
    name: "Read",
    synopsis: "Read digits into a variable",
    doc: include_str!("read.md"),
    run: |call, args| Box::pin(run(call, args)),
};

/// What is asked for.
struct Question<'a> {
    variable: &'a str,
    files: &'a str,
    digits_max: usize,
    skips: bool,
    unanswered: bool,
    /// The files are names of tones.
    is_tone: bool,
    terminator: Option<char>,
    /// A terminator alone is an answer.
    keeps_terminator: bool,
    attempts: u32,
    /// Before the first digit, and between two.
    patience: (Duration, Duration),
}

/// How one attempt ended.
struct Reply {
    digits: String,
    is_whole: bool,
}

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let Some(question) = question(call, &args) else {
        return status(call, &args, "ERROR");
    };
    let asked = ask(call, &args, &question).await;
    let shown = match &asked {
        Ok(shown) => shown,
        Err(Interrupt::Hangup(_)) => "HANGUP",
        Err(Interrupt::Redirect(_) | Interrupt::Join(_) | Interrupt::Park(_)) => "INTERRUPTED",
    };
    status(call, &args, shown)?;
    asked.map(|_| ())
}

async fn ask(
    call: &mut Channel,
    args: &Args<'_>,
    question: &Question<'_>,
) -> AppResult<&'static str> {
    if !ready(call, question.skips, question.unanswered).await? {
        return Ok("SKIPPED");
    }
    let mut shown = "OK";
    for _ in 0..question.attempts {
        let reply = attempt(call, args, question).await?;
        shown = if reply.is_whole { "OK" } else { "TIMEOUT" };
        if let Err(why) = call.set(question.variable, &reply.digits) {
            warn(call, "Read", args, why);
            return Ok("ERROR");
        }
        if !reply.digits.is_empty() {
            break;
        }
    }
    Ok(shown)
}

async fn attempt(call: &mut Channel, args: &Args<'_>, question: &Question<'_>) -> AppResult<Reply> {
    let (files, any) = (question.files, |_: char| true);
    let mut next = match call.tone(files).filter(|_| question.is_tone) {
        Some(tone) => {
            call.play_on(Playable::Tones(tone));
            None
        }
        None => play_files(call, "Read", args, files, any).await?.digit,
    };
    let mut digits = String::new();
    loop {
        let patience = match digits.is_empty() {
            true => question.patience.0,
            false => question.patience.1,
        };
        let digit = match next.take() {
            Some(digit) => Some(digit),
            None => call.read_digit_within(patience).await?,
        };
        call.stop_tones();
        let Some(digit) = digit else {
            let is_whole = false;
            return Ok(Reply { digits, is_whole });
        };
        let is_end = question.terminator == Some(digit);
        if !is_end || (digits.is_empty() && question.keeps_terminator) {
            digits.push(digit);
        }
        if is_end || digits.len() == question.digits_max {
            let is_whole = true;
            return Ok(Reply { digits, is_whole });
        }
    }
}

fn question<'a>(call: &mut Channel, args: &Args<'a>) -> Option<Question<'a>> {
    let Some(variable) = args.at(0) else {
        let what = "name the variable, as in Read(digits,prompt,4); nothing is read";
        warn(call, "Read", args, what);
        return None;
    };
    let mut number = |index: usize, what: &str, default: f64| match args.at(index).map(str::parse) {
        None => default,
        Some(Ok(number)) if f64::is_finite(number) => number,
        Some(_) => {
            let what = format!("the {what} is no number; {default} it is");
            warn(call, "Read", args, what);
            default
        }
    };
    // As in Asterisk, what is 0 or less is the most, once, and the usual time.
    let digits_max = match number(2, "number of digits", 0.0) {
        count if count >= 1.0 => (count as usize).min(DIGITS_MAX),
        _ => DIGITS_MAX,
    };
    let attempts = number(4, "number of attempts", 1.0).clamp(1.0, ATTEMPTS_MAX) as u32;
    let timeout = number(5, "timeout", 0.0);
    let patience = match Duration::try_from_secs_f64(timeout) {
        Ok(timeout) if !timeout.is_zero() => (timeout, timeout),
        _ => (call.response_timeout(), call.digit_timeout()),
    };
    let mut question = Question {
        variable,
        files: args.at(1).unwrap_or_default(),
        digits_max,
        skips: false,
        unanswered: false,
        is_tone: false,
        terminator: Some('#'),
        keeps_terminator: false,
        attempts,
        patience,
    };
    options(call, args, &mut question);
    Some(question)
}

fn options(call: &mut Channel, args: &Args<'_>, question: &mut Question<'_>) {
    let mut rest = args.at(3).unwrap_or_default();
    while let Some(option) = rest.chars().next() {
        rest = &rest[option.len_utf8()..];
        let mut value = None;
        if let Some((inside, after)) = rest.strip_prefix('(').and_then(|r| r.split_once(')')) {
            value = inside.trim().chars().next();
            rest = after;
        }
        match option {
            's' => question.skips = true,
            'n' => question.unanswered = true,
            'i' => question.is_tone = true,
            't' => question.terminator = value,
            'e' => question.keeps_terminator = true,
            other => {
                let what = format!("option `{other}` has no effect; there are s, i, n, t and e");
                warn(call, "Read", args, what);
            }
        }
    }
}

fn status(call: &mut Channel, args: &Args<'_>, status: &str) -> AppResult {
    if let Err(why) = call.vars.set("READSTATUS", status) {
        warn(call, "Read", args, why);
    }
    Ok(())
}

/// As in Asterisk.
const DIGITS_MAX: usize = 255;
const ATTEMPTS_MAX: f64 = 1000.0;
