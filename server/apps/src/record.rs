//! `Record`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use media::{Playable, RecordFormat, RecordSpec, Side};
use switch::{AppResult, Application, Args, Channel, Happened, Interrupt, Switch};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::arguments::{arrived, warn};
use crate::prompt::{ready, sound_or_beep};

/// Records what the caller says.
pub(crate) static RECORD: Application = Application {
    name: "Record",
    synopsis: "Record what the caller says, to be played later",
    doc: include_str!("record.md"),
    run: |call, args| Box::pin(run(call, args)),
};

/// What is asked for.
#[derive(Default)]
struct Options {
    is_appended: bool,
    is_kept: bool,
    unanswered: bool,
    operator: bool,
    is_quiet: bool,
    skips: bool,
    keeps_silence: bool,
    stops: Stops,
}

/// Which digits end it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stops {
    #[default]
    Hash,
    Star,
    Any,
    None,
}

impl Stops {
    fn has(self, digit: char) -> bool {
        match self {
            Self::Hash => digit == '#',
            Self::Star => digit == '*',
            Self::Any => true,
            Self::None => false,
        }
    }
}

/// How long somebody is recorded.
pub(crate) struct Until {
    /// After so much silence.
    pub(crate) silence: Option<Duration>,
    /// After so long in any case.
    pub(crate) lasts: Option<Duration>,
}

/// How it ended.
pub(crate) enum Ended {
    Digit(char),
    Silence,
    Timeout,
    Left(Interrupt),
}

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let options = options(call, &args);
    let name = args.at(0).unwrap_or_default();
    let name = match name.rsplit_once('.').or_else(|| name.rsplit_once(':')) {
        Some((name, ending)) if !ending.contains('/') => format!("{name}.{ending}"),
        _ => name.to_owned(),
    };
    let found = match call.sound_file(&name) {
        Ok((file, format)) => {
            let switch = call.switch().clone();
            let numbered = move || numbered(&file, &switch).map(|found| (found, format));
            let found = call.during(tokio::task::spawn_blocking(numbered)).await?;
            found.expect("looking for a file does not panic")
        }
        Err(why) => Err(why.to_string()),
    };
    let (
        Numbered {
            file,
            number,
            taken,
        },
        format,
    ) = match found {
        Ok(found) => found,
        Err(why) => {
            warn(call, "Record", &args, why);
            return status(call, &args, "ERROR");
        }
    };
    let named = name.replace("%d", &number.to_string());
    let stem = Path::new(&named).with_extension("");
    set(call, &args, "RECORDED_FILE", &stem.display().to_string());
    if !ready(call, options.skips, options.unanswered).await? {
        return status(call, &args, "SKIP");
    }
    if !options.is_quiet {
        let beep = sound_or_beep(call, "Record", &args, "beep").await?;
        call.play(beep, |_| false).await?;
    }
    let until = until(call, &args);
    let ended = record(call, &args, (&file, format), &until, &options).await?;
    if let Some(taken) = taken.filter(|_| ended.is_some()) {
        taken.keep();
    }
    let shown = match &ended {
        None => "ERROR",
        Some(Ended::Digit('0')) if options.operator => "OPERATOR",
        Some(Ended::Digit(_)) => "DTMF",
        Some(Ended::Silence) => "SILENCE",
        Some(Ended::Timeout) => "TIMEOUT",
        Some(Ended::Left(_)) => "HANGUP",
    };
    status(call, &args, shown)?;
    match ended {
        Some(Ended::Left(interrupt)) => {
            if !options.is_kept {
                remove(file).await;
            }
            Err(interrupt)
        }
        _ => Ok(()),
    }
}

/// `None`: it cannot be recorded.
async fn record(
    call: &mut Channel,
    args: &Args<'_>,
    (file, format): (&Path, RecordFormat),
    until: &Until,
    options: &Options,
) -> AppResult<Option<Ended>> {
    let spec = RecordSpec {
        rate_hz: format.rate_hz(),
        files: vec![(file.to_owned(), format, vec![Side::Heard])],
        is_appended: options.is_appended,
        volume: [0; 2],
    };
    let id = match call.record_sound(spec).await? {
        Ok(id) => id,
        Err(why) => {
            warn(call, "Record", args, why);
            return Ok(None);
        }
    };
    arrived(call);
    let stops = |digit| options.stops.has(digit) || (options.operator && digit == '0');
    let ended = listen(call, id, until, stops).await;
    let without = match &ended {
        Ended::Silence if !options.keeps_silence => {
            let silence = until.silence.unwrap_or_default();
            silence.saturating_sub(SILENCE_KEPT)
        }
        // As in Asterisk: what may be a piece of the digit.
        Ended::Digit(_) => DIGIT,
        Ended::Silence | Ended::Timeout | Ended::Left(_) => Duration::ZERO,
    };
    call.finish_recording(id, without).await;
    Ok(Some(ended))
}

/// Waits for the end of a recording.
async fn listen(call: &mut Channel, id: u64, until: &Until, stops: impl Fn(char) -> bool) -> Ended {
    let began = Instant::now();
    let end = began + until.lasts.unwrap_or(FOR_EVER);
    let (mut loud, mut heard) = (call.loud(id), began);
    loop {
        let now = Instant::now();
        let next = match until.silence {
            Some(silence) => end.min((heard + silence).min(now + LOOK)),
            None => end,
        };
        match call.next_until(next).await {
            Err(interrupt) => return Ended::Left(interrupt),
            Ok(Some(Happened::Digit(digit))) if stops(digit) => return Ended::Digit(digit),
            Ok(_) => {}
        }
        let now = Instant::now();
        if now >= end {
            return Ended::Timeout;
        }
        let is_loud = std::mem::replace(&mut loud, call.loud(id)) != loud;
        if is_loud {
            heard = now;
        }
        if until.silence.is_some_and(|silence| now >= heard + silence) {
            return Ended::Silence;
        }
    }
}

/// Records somebody's name after a prompt and a beep. `false`: nothing was recorded.
pub(crate) async fn record_name(
    call: &mut Channel,
    application: &str,
    args: &Args<'_>,
    (prompt, file): (&str, &str),
) -> AppResult<bool> {
    match call.sound(prompt).await? {
        Ok(sound) => drop(call.play(Playable::Sound(sound), |_| false).await?),
        Err(why) => warn(call, application, args, why),
    }
    let beep = sound_or_beep(call, application, args, "beep").await?;
    call.play(beep, |_| false).await?;
    let (file, format) = match call.sound_file(file) {
        Ok(found) => found,
        Err(why) => {
            warn(call, application, args, why);
            return Ok(false);
        }
    };
    let until = Until {
        silence: Some(NAME_SILENCE),
        lasts: Some(NAME_MAX),
    };
    let options = Options::default();
    let ended = record(call, args, (&file, format), &until, &options).await?;
    match ended {
        Some(Ended::Left(interrupt)) => {
            remove(file).await;
            Err(interrupt)
        }
        ended => Ok(ended.is_some()),
    }
}

/// Removes a recording.
pub(crate) async fn remove(file: PathBuf) {
    let removed = tokio::task::spawn_blocking(move || (std::fs::remove_file(&file), file)).await;
    if let Ok((Err(why), file)) = removed
        && why.kind() != io::ErrorKind::NotFound
    {
        let file = file.display();
        tracing::warn!("{file} cannot be removed: {why}");
    }
}

/// Removes a recording that whoever leaves has no use for.
pub(crate) fn remove_later(switch: &Switch, file: PathBuf) {
    let spawned = Handle::try_current().is_ok() && switch.spawn(remove(file.clone()));
    if !spawned {
        // The exchange stops: nobody waits for this any more.
        let _ = std::fs::remove_file(file);
    }
}

/// Where is recorded to.
struct Numbered {
    file: PathBuf,
    number: usize,
    taken: Option<Taken>,
}

/// A file that was made so that nobody else has its number. It goes unless something is recorded to it.
struct Taken {
    switch: Switch,
    file: Option<PathBuf>,
}

impl Taken {
    fn keep(mut self) {
        self.file = None;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            let is_empty = std::fs::metadata(&file).is_ok_and(|it| it.len() == 0);
            if is_empty {
                remove_later(&self.switch, file);
            }
        }
    }
}

/// The file with the first number in it that there is none of. Whoever makes the file has the number.
fn numbered(file: &Path, switch: &Switch) -> Result<Numbered, String> {
    let text = file.to_string_lossy();
    if !text.contains("%d") {
        return Ok(Numbered {
            file: file.to_owned(),
            number: 0,
            taken: None,
        });
    }
    for number in 0..NUMBERS_MAX {
        let file = PathBuf::from(text.replace("%d", &number.to_string()));
        let folder = file.parent().map_or(Ok(()), std::fs::create_dir_all);
        match folder.and_then(|()| File::create_new(&file)) {
            Ok(_) => {
                let taken = Taken {
                    switch: switch.clone(),
                    file: Some(file.clone()),
                };
                return Ok(Numbered {
                    file,
                    number,
                    taken: Some(taken),
                });
            }
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            Err(why) => return Err(format!("{} cannot be made: {why}", file.display())),
        }
    }
    Err(format!(
        "there are {NUMBERS_MAX} files of this name (NUMBERS_MAX)"
    ))
}

fn until(call: &mut Channel, args: &Args<'_>) -> Until {
    let mut seconds = |index: usize, what: &str| {
        let text = args.at(index)?;
        match text.parse::<f64>().map(Duration::try_from_secs_f64) {
            Ok(Ok(time)) if time.is_zero() => None,
            Ok(Ok(time)) => Some(time.min(FOR_EVER)),
            _ => {
                let what = format!("the {what} '{text}' is no number of seconds; there is none");
                warn(call, "Record", args, what);
                None
            }
        }
    };
    Until {
        silence: seconds(1, "silence"),
        lasts: seconds(2, "longest time"),
    }
}

fn options(call: &mut Channel, args: &Args<'_>) -> Options {
    let mut options = Options::default();
    for option in args.at(3).unwrap_or_default().chars() {
        match option {
            'a' => options.is_appended = true,
            'k' => options.is_kept = true,
            'n' => options.unanswered = true,
            'o' => options.operator = true,
            'q' => options.is_quiet = true,
            's' => options.skips = true,
            't' => options.stops = Stops::Star,
            'u' => options.keeps_silence = true,
            'x' => options.stops = Stops::None,
            'y' => options.stops = Stops::Any,
            other => {
                let what = format!(
                    "option `{other}` has no effect; there are a, k, n, o, q, s, t, u, x and y"
                );
                warn(call, "Record", args, what);
            }
        }
    }
    options
}

fn status(call: &mut Channel, args: &Args<'_>, status: &str) -> AppResult {
    set(call, args, "RECORD_STATUS", status);
    match call.ended() {
        Some(cause) if status != "HANGUP" => Err(Interrupt::Hangup(cause)),
        Some(_) | None => Ok(()),
    }
}

fn set(call: &mut Channel, args: &Args<'_>, name: &str, value: &str) {
    if let Err(why) = call.vars.set(name, value) {
        warn(call, "Record", args, why);
    }
}

/// How often it is looked whether the caller was silent.
pub(crate) const LOOK: Duration = Duration::from_millis(100);
/// What stays of the silence that ended it, as in Asterisk.
const SILENCE_KEPT: Duration = Duration::from_secs(1);
/// What is left off where a digit ended it.
const DIGIT: Duration = Duration::from_millis(250);
/// Of the name of a caller: how long it may be, and which silence ends it.
const NAME_MAX: Duration = Duration::from_secs(4);
const NAME_SILENCE: Duration = Duration::from_secs(2);
/// Longer than any call, and short enough for every clock.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// Files one name may have by `%d`.
const NUMBERS_MAX: usize = 100_000;
