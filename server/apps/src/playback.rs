//! `Playback`.

use switch::{AppResult, Application, Args, Channel};

use crate::arguments::{unusable, warn};
use crate::prompt::{play_files, ready};

/// Plays files.
pub(crate) static PLAYBACK: Application = Application {
    name: "Playback",
    synopsis: "Play files",
    doc: include_str!("playback.md"),
    run: |call, args| Box::pin(run(call, args)),
};

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let Some(names) = args.at(0) else {
        let why = "name a file, as in Playback(hello-world)";
        return Err(unusable(call, "Playback", &args, why));
    };
    let (mut skipped, mut unanswered) = (false, false);
    let options = (1..args.count()).filter_map(|index| args.at(index));
    for option in options.flat_map(|options| options.split('&')) {
        match option.trim().to_ascii_lowercase().as_str() {
            "" => {}
            "skip" => skipped = true,
            "noanswer" => unanswered = true,
            other => {
                let what = format!("option `{other}` has no effect; there are skip and noanswer");
                warn(call, "Playback", &args, what);
            }
        }
    }
    let mut status = "SUCCESS";
    if ready(call, skipped, unanswered).await? {
        let heard = play_files(call, "Playback", &args, names, |_| false).await?;
        if heard.is_failed {
            status = "FAILED";
        }
    }
    if let Err(why) = call.vars.set("PLAYBACKSTATUS", status) {
        warn(call, "Playback", &args, why);
    }
    Ok(())
}
