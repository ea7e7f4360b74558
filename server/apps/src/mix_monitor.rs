//! `MixMonitor` and `StopMixMonitor`.

use media::{RecordSpec, Side};
use switch::{AppResult, Application, Args, Channel};

use crate::arguments::{unusable, warn};

/// Records a call.
pub(crate) static MIX_MONITOR: Application = Application {
    name: "MixMonitor",
    synopsis: "Record a call, both directions in one file",
    doc: include_str!("mix_monitor.md"),
    run: |call, args| Box::pin(run(call, args)),
};

/// Ends that.
pub(crate) static STOP_MIX_MONITOR: Application = Application {
    name: "StopMixMonitor",
    synopsis: "Stop recording a call",
    doc: include_str!("stop_mix_monitor.md"),
    run: |call, args| Box::pin(stop(call, args)),
};

/// What the options ask for.
#[derive(Default)]
struct Options<'a> {
    is_appended: bool,
    /// What is heard and what is said.
    volume: [i8; 2],
    /// Files of one direction.
    heard: Option<&'a str>,
    said: Option<&'a str>,
    /// Where the number of the recording is put.
    variable: Option<&'a str>,
}

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let options = options(call, &args);
    let name = args.at(0);
    if name.is_none() && options.heard.is_none() && options.said.is_none() {
        let why = "name a file, as in MixMonitor(call.wav)";
        return Err(unusable(call, "MixMonitor", &args, why));
    }
    if args.at(2).is_some() {
        let what = "no program runs when the recording is over; the command is ignored";
        warn(call, "MixMonitor", &args, what);
    }
    let wanted = [
        (name, vec![Side::Heard, Side::Said]),
        (options.heard, vec![Side::Heard]),
        (options.said, vec![Side::Said]),
    ];
    let mut files = Vec::new();
    for (name, sides) in wanted {
        let Some(name) = name else { continue };
        match call.recording_file(name) {
            Ok((file, format)) => files.push((file, format, sides)),
            Err(why) => warn(call, "MixMonitor", &args, why),
        }
    }
    // All files of a recording have the rate of the first.
    let Some(rate_hz) = files.first().map(|(_, format, _)| format.rate_hz()) else {
        return Ok(());
    };
    files.retain(|(file, format, _)| {
        let fits = format.rate_hz() == rate_hz;
        if !fits {
            let file = file.display();
            let what = format!("{file} has another rate than the first file and is left out");
            warn(call, "MixMonitor", &args, what);
        }
        fits
    });
    let main = files.first().map(|(file, ..)| file.display().to_string());
    let spec = RecordSpec {
        rate_hz,
        files,
        is_appended: options.is_appended,
        volume: options.volume,
    };
    match call.record_sound(spec).await? {
        Ok(id) => {
            let file = main.unwrap_or_default();
            set(call, &args, "MIXMONITOR_FILENAME", &file);
            if let Some(variable) = options.variable {
                set(call, &args, variable, &format!("0x{id:x}"));
            }
        }
        Err(why) => warn(call, "MixMonitor", &args, why),
    }
    Ok(())
}

fn options<'a>(call: &mut Channel, args: &Args<'a>) -> Options<'a> {
    let mut options = Options::default();
    let mut rest = args.at(1).unwrap_or_default();
    while let Some(option) = rest.chars().next() {
        rest = &rest[option.len_utf8()..];
        let mut value = None;
        if let Some((inside, after)) = rest.strip_prefix('(').and_then(|r| r.split_once(')')) {
            (value, rest) = (Some(inside.trim()), after);
        }
        let mut volume = || {
            let volume = value.and_then(|it| it.parse::<i8>().ok());
            let volume = volume.filter(|it| (-4..=4).contains(it));
            if volume.is_none() {
                let what = format!("option {option} needs a number from -4 to 4");
                warn(call, "MixMonitor", args, what);
            }
            volume.unwrap_or(0)
        };
        match option {
            'a' => options.is_appended = true,
            'v' => options.volume[0] = volume(),
            'V' => options.volume[1] = volume(),
            'W' => options.volume = [volume(); 2],
            'r' => options.heard = value,
            't' => options.said = value,
            'i' => options.variable = value,
            other => {
                let what =
                    format!("option `{other}` has no effect; there are a, v, V, W, r, t and i");
                warn(call, "MixMonitor", args, what);
            }
        }
    }
    options
}

async fn stop(call: &mut Channel, args: Args<'_>) -> AppResult {
    let id = args.at(0).map(|text| {
        let text = text.trim_start_matches("0x");
        u64::from_str_radix(text, 16)
    });
    let is_ended = match id {
        None => call.stop_recording(None),
        Some(Ok(id)) => call.stop_recording(Some(id)),
        Some(Err(_)) => false,
    };
    if !is_ended {
        warn(call, "StopMixMonitor", &args, "there is no such recording");
    }
    Ok(())
}

fn set(call: &mut Channel, args: &Args<'_>, name: &str, value: &str) {
    if let Err(why) = call.set(name, value) {
        warn(call, "MixMonitor", args, why);
    }
}
