//! Recordings: `MixMonitor`, `StopMixMonitor`, options `w`, `W`, `x` and `X` of `Dial`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::blind::{announced, press};
use crate::reach::Reach;
use crate::world::Call;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("sidetone-recordings-{}-{name}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const FEATURES: &str = "[general]
courtesytone=tick
recordingfailsound=sorry
[featuremap]
automixmon=*3
automon=*1
";

async fn reach(plan: &str, recordings: &Path) -> Reach {
    let reach = Reach::featured(plan, FEATURES).await;
    let switch = &reach.world.switch;
    let mut config = (*switch.config()).clone();
    config.own.recordings = recordings.display().to_string();
    switch.store().set_config(Arc::new(config));
    reach
}

/// What the folder holds.
fn files(folder: &Folder) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(&folder.0) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[tokio::test(start_paused = true)]
async fn a_call_is_recorded_until_it_is_stopped_or_ends() {
    let folder = Folder::new("mix");
    let plan = "exten => 100,1,MixMonitor(a.wav,ai(ONE)W(2))
 same => n,MixMonitor(b.sln16,r(in.sln16)t(out.ulaw))
 same => n,NoOp(${MIXMONITOR_FILENAME})
 same => n,StopMixMonitor(${ONE})
 same => n,Wait(5)
 same => n,StopMixMonitor()
 same => n,MixMonitor(../out.wav)
 same => n,MixMonitor(call.mp3)
 same => n,MixMonitor(c.wav)
 same => n,Wait(1000)
";
    let reach = reach(
        &format!(
            "exten => 100,1,Answer()\n{}",
            plan.replacen("100,1", "100,2", 1)
        ),
        &folder.0,
    )
    .await;
    let call = reach.world.dial("100").await;
    call.sees("tap", 2).await;
    call.sees("tap ends", 1).await;
    crate::world::pass(crate::world::seconds(5)).await;
    call.sees("tap", 3).await;
    assert_eq!(reach.world.ladder.count("tap ends"), 2);
    assert_eq!(files(&folder), ["a.wav", "b.sln16", "c.wav", "in.sln16"]);
    call.leave().await;
    assert_eq!(reach.world.ladder.count("tap ends"), 3);
    let named = folder.0.join("b.sln16").display().to_string();
    assert_eq!(crate::dial::result(&reach), named);
}

/// As most dial plans have it: the recording is asked for before anybody has answered.
#[tokio::test(start_paused = true)]
async fn a_call_is_recorded_from_its_answer_when_that_comes_later() {
    let folder = Folder::new("before");
    let plan = "exten => 100,1,MixMonitor(a.wav)
 same => n,Dial(TEST/1,30)
exten => 200,1,MixMonitor(b.wav,i(ID))
 same => n,StopMixMonitor(${ID})
 same => n,MixMonitor(c.wav)
 same => n,Answer()
 same => n,Wait(1000)
exten => before,1,MixMonitor(called.wav)
 same => n,Return()
exten => 300,1,Dial(TEST/1,30,b(test^before^1))
";
    let reach = reach(plan, &folder.0).await;
    let call = reach.world.dial("100").await;
    assert!(!call.saw("tap"));
    assert_eq!(files(&folder), [""; 0], "nobody has answered");
    reach.answer(0).await;
    call.sees("tap", 1).await;
    assert_eq!(files(&folder), ["a.wav"]);
    call.leave().await;
    assert!(call.saw("tap ends"));

    let call = reach.world.dial("100").await;
    crate::dial::hangs_up(&reach, 1, switch::Cause::UserBusy).await;
    assert!(call.is_over());
    assert_eq!(reach.world.ladder.count("tap"), 1, "nothing to be heard");

    let call = reach.world.dial("200").await;
    call.sees("tap", 2).await;
    assert_eq!(files(&folder), ["a.wav", "c.wav"], "b.wav was stopped");
    call.leave().await;

    let call = reach.world.dial("300").await;
    call.sees("tap", 3).await;
    assert_eq!(files(&folder), ["a.wav", "c.wav", "called.wav"]);
    call.leave().await;
}

/// Talks, and touches.
async fn touched(folder: &Folder, set: &str) -> (Reach, Call) {
    let plan = format!("exten => 100,1,NoOp()\n{set} same => n,Dial(TEST/1,30,XxWw)\n");
    let reach = reach(&plan, &folder.0).await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    press(&call, "*3").await;
    (reach, call)
}

#[tokio::test(start_paused = true)]
async fn digits_begin_and_end_a_recording_and_both_hear_it() {
    let folder = Folder::new("touch");
    let (reach, call) = touched(&folder, "").await;
    call.sees("tap", 1).await;
    announced(&call, 1).await;
    announced(&call, 2).await;
    assert_eq!(reach.world.ladder.count("connected"), 2, "they talk on");
    press(&call, "*3").await;
    assert!(call.saw("tap ends"));
    announced(&call, 3).await;
    announced(&call, 4).await;
    // The called has its own.
    reach.press(0, "*3").await;
    call.sees("tap", 2).await;
    assert!(
        files(&folder)[0].starts_with("auto-"),
        "{:?}",
        files(&folder)
    );
}

#[tokio::test(start_paused = true)]
async fn a_recording_has_the_name_and_the_messages_that_were_set() {
    let folder = Folder::new("named");
    let set = " same => n,Set(TOUCH_MIXMONITOR=sale)
 same => n,Set(TOUCH_MIXMONITOR_FORMAT=ulaw)
 same => n,Set(TOUCH_MIXMONITOR_PREFIX=shop)
 same => n,Set(TOUCH_MIXMONITOR_MESSAGE_STOP=over)
 same => n,Set(TOUCH_MONITOR=other)
";
    let (reach, call) = touched(&folder, set).await;
    call.sees("tap", 1).await;
    announced(&call, 1).await;
    announced(&call, 2).await;
    press(&call, "*3").await;
    announced(&call, 3).await;
    announced(&call, 4).await;
    press(&call, "*1").await;
    call.sees("tap", 2).await;
    let names = files(&folder);
    assert!(
        names[1].starts_with("shop-") && names[1].ends_with("-sale.ulaw"),
        "{names:?}"
    );
    assert!(
        names[0].starts_with("auto-") && names[0].ends_with("-other.wav"),
        "{names:?}"
    );
    drop(reach);
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_cannot_be_written_ends_no_call() {
    let folder = Folder::new("broken");
    std::fs::write(&folder.0, "a file where a folder is to be").unwrap();
    let (reach, call) = touched(&folder, "").await;
    announced(&call, 1).await;
    assert!(!call.saw("tap") && !call.is_over());
    assert_eq!(reach.world.ladder.count("connected"), 2);
    std::fs::remove_file(&folder.0).unwrap();
}
