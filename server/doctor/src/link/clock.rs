//! The clock: certificates, nonces and call records depend on it.

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::report::Link;
use crate::root::Root;

const NAME: &str = "clock";

/// Whether somebody keeps the clock, and whether it can be right.
pub(crate) async fn examine(root: &Root, files: &[&Path]) -> Link {
    let kept = keeper(root).await;
    let summary = match &kept {
        Kept::Yes(by) => format!("synchronised ({by})"),
        Kept::No(by) => format!("not synchronised ({by})"),
        Kept::Unknown => "nothing tells whether it is synchronised".to_owned(),
    };
    let mut link = Link::new(NAME, summary);
    match &kept {
        Kept::Yes(_) => {}
        Kept::No(by) => link.warn(
            None,
            format!(
                "the clock is not synchronised, says {by}: certificates may seem expired, call records \
                 have wrong times"
            ),
            "run `timedatectl set-ntp true`, or install chrony",
        ),
        Kept::Unknown => link.note(
            "neither timedatectl nor chronyc is there to ask; in a container the host keeps the clock",
        ),
    }
    if let Some(ahead) = behind(SystemTime::now(), files) {
        link.fail(
            None,
            format!(
                "the clock is wrong: a configuration file was written {} hours in the future",
                ahead.as_secs() / 3600
            ),
            "set the clock (`timedatectl set-ntp true`), or touch the files if the clock is right",
        );
    }
    link.details = json!({ "synchronised": matches!(kept, Kept::Yes(_)) });
    link
}

enum Kept {
    Yes(&'static str),
    No(&'static str),
    Unknown,
}

async fn keeper(root: &Root) -> Kept {
    let told = root
        .tell(
            "timedatectl",
            &["show", "--property=NTPSynchronized", "--value"],
        )
        .await;
    match told
        .as_ref()
        .filter(|told| told.done)
        .map(|told| told.stdout.trim())
    {
        Some("yes") => return Kept::Yes("timedatectl"),
        Some("no") => return Kept::No("timedatectl"),
        _ => {}
    }
    match root.tell("chronyc", &["-c", "tracking"]).await {
        // The last field of the line; an unsynchronised clock says so there.
        Some(told) if told.done && told.stdout.contains("Not synchronised") => Kept::No("chronyc"),
        Some(told) if told.done => Kept::Yes("chronyc"),
        _ => Kept::Unknown,
    }
}

/// By how much the newest of these files is younger than now, if that is more than clocks differ.
fn behind(now: SystemTime, files: &[&Path]) -> Option<Duration> {
    let written = files
        .iter()
        .filter_map(|file| std::fs::metadata(file).ok()?.modified().ok());
    let ahead = written.max()?.duration_since(now).ok()?;
    (ahead > AHEAD_MAX).then_some(ahead)
}

/// A file server's clock may differ by so much.
const AHEAD_MAX: Duration = Duration::from_secs(3600);
