//! `MusicOnHold`, `StartMusicOnHold` and `StopMusicOnHold`.

use std::time::Duration;

use switch::{AppResult, Application, Args, Channel};

use crate::arguments::{arrived, unusable, warn};

/// Plays music and waits.
pub(crate) static MUSIC_ON_HOLD: Application = Application {
    name: "MusicOnHold",
    synopsis: "Play music on hold, for some seconds or until the hang-up",
    doc: include_str!("music_on_hold.md"),
    run: |call, args| Box::pin(run(call, args)),
};

/// Plays music while the dial plan goes on.
pub(crate) static START_MUSIC_ON_HOLD: Application = Application {
    name: "StartMusicOnHold",
    synopsis: "Play music on hold while the dial plan goes on",
    doc: include_str!("start_music_on_hold.md"),
    run: |call, args| Box::pin(async move { begin(call, "StartMusicOnHold", &args).await }),
};

/// Ends it.
pub(crate) static STOP_MUSIC_ON_HOLD: Application = Application {
    name: "StopMusicOnHold",
    synopsis: "End the music that StartMusicOnHold began",
    doc: include_str!("stop_music_on_hold.md"),
    run: |call, _| {
        Box::pin(async move {
            call.stop_music();
            Ok(())
        })
    },
};

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let seconds = args.at(1).map(str::parse::<u32>);
    let duration = match seconds {
        None => Duration::MAX,
        Some(Ok(seconds)) => Duration::from_secs(seconds.into()),
        Some(Err(_)) => {
            let why = "give a number of seconds, as in MusicOnHold(default,30)";
            return Err(unusable(call, "MusicOnHold", &args, why));
        }
    };
    begin(call, "MusicOnHold", &args).await?;
    arrived(call);
    let waited = call.wait(duration).await;
    call.stop_music();
    waited
}

async fn begin(call: &mut Channel, application: &str, args: &Args<'_>) -> AppResult {
    if !call.is_up() && !call.early().await? {
        let what = "the call is not answered, so nobody hears it; put Answer() before it";
        warn(call, application, args, what);
    }
    let class = args.at(0).filter(|class| !class.is_empty());
    call.start_music(class).await;
    Ok(())
}
