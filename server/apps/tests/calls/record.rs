//! `Record`, `WaitForSilence`, `WaitForNoise`, and the names callers record for options `p` and `P` of `Dial`.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::reach::Reach;
use crate::world::{Call, World, pass, seconds, settle};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("sidetone-record-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A world whose sounds are in this folder.
async fn reach(plan: &str, folder: &Folder) -> Reach {
    let reach = Reach::on(World::new(plan).await, |_| {});
    let switch = &reach.world.switch;
    let mut config = (*switch.config()).clone();
    config.own.sounds = folder.0.display().to_string();
    switch.store().set_config(Arc::new(config));
    reach
}

/// Waits for the step after: files are opened and closed outside of the paused clock.
async fn until(mut is: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + seconds(10);
    while !is() {
        assert!(std::time::Instant::now() < end, "it does not happen");
        std::thread::yield_now();
        settle().await;
    }
}

const SHOW: &str =
    " same => n,Set(GLOBAL(is)=${RECORD_STATUS} ${RECORDED_FILE})\n same => n,Wait(1000)\n";

async fn recorded(folder: &Folder, arguments: &str) -> (Reach, Call) {
    let plan = format!("exten => 100,1,Record({arguments})\n{SHOW}");
    let reach = reach(&plan, folder).await;
    let call = reach.world.dial("100").await;
    call.sees("play tones", 1).await;
    pass(seconds(1)).await;
    call.sees("tap", 1).await;
    (reach, call)
}

async fn told(reach: &Reach) -> String {
    let is = || reach.world.switch.global("is");
    until(|| is().is_some()).await;
    is().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_digit_ends_a_recording_and_says_so() {
    let folder = Folder::new("digit");
    for (arguments, pressed, expected, file) in [
        ("a.wav", "19#", "DTMF a", "a.wav"),
        ("deep/b:ulaw,0,0,t", "#*", "DTMF deep/b", "deep/b.ulaw"),
        ("c.alaw,,,o", "0", "OPERATOR c", "c.alaw"),
        ("d.g722,,,y", "5", "DTMF d", "d.g722"),
        ("n%d.sln", "#", "DTMF n0", "n0.sln"),
        ("n%d.sln", "#", "DTMF n1", "n1.sln"),
    ] {
        let (reach, call) = recorded(&folder, arguments).await;
        let last = pressed.chars().last().unwrap();
        for digit in pressed.chars() {
            assert_eq!(
                reach.world.switch.global("is"),
                None,
                "{arguments}: too soon"
            );
            call.press(digit).await;
            settle().await;
            if digit != last {
                assert!(!call.saw("tap ends"), "{arguments}: {digit}");
            }
        }
        assert_eq!(told(&reach).await, expected);
        assert!(folder.has(file), "{file}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_and_time_end_a_recording() {
    let folder = Folder::new("time");
    for (arguments, lasts, expected) in [
        ("a.wav,3", 3, "SILENCE a"),
        ("b.wav,3,60,u", 3, "SILENCE b"),
        ("c.wav,30,10", 10, "TIMEOUT c"),
        ("d.wav,0,10,x", 10, "TIMEOUT d"),
    ] {
        let (reach, call) = recorded(&folder, arguments).await;
        call.press('#').await;
        if !arguments.ends_with('x') {
            assert!(told(&reach).await.starts_with("DTMF"));
        }
        let (reach, _call) = recorded(&folder, arguments).await;
        for _ in 0..lasts * 10 - 1 {
            pass(seconds(1) / 10).await;
        }
        assert_eq!(reach.world.switch.global("is"), None, "{arguments}");
        pass(seconds(1)).await;
        assert_eq!(told(&reach).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_caller_left_when_it_hung_up_is_kept_if_that_is_wanted() {
    let folder = Folder::new("hangup");
    for (arguments, is_kept) in [("gone.wav", false), ("kept.wav,,,k", true)] {
        let plan = format!(
            "exten => 100,1,Record({arguments})\nexten => h,1,Set(GLOBAL(is)=${{RECORD_STATUS}})\n"
        );
        let reach = reach(&plan, &folder).await;
        let call = reach.world.dial("100").await;
        call.sees("play tones", 1).await;
        pass(seconds(1)).await;
        call.sees("tap", 1).await;
        let name = arguments.split(',').next().unwrap();
        assert!(folder.has(name));
        call.leave().await;
        assert_eq!(told(&reach).await, "HANGUP");
        assert_eq!(folder.has(name), is_kept, "{arguments}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_recorded_outside_of_the_folder_or_before_the_answer() {
    let folder = Folder::new("never");
    for (arguments, expected) in [
        ("../out.wav", "ERROR "),
        ("a/../../out.wav", "ERROR "),
        ("a.mp3", "ERROR "),
        ("a.wav,,,s", "SKIP a"),
    ] {
        let plan = format!("exten => 100,1,Record({arguments})\n{SHOW}");
        let reach = reach(&plan, &folder).await;
        reach.world.dial("100").await;
        assert_eq!(told(&reach).await, expected, "{arguments}");
        assert_eq!(reach.world.ladder.count("tap"), 0);
    }
    let plan = format!("exten => 100,1,Record(early.wav,,5,nq)\n{SHOW}");
    let reach = reach(&plan, &folder).await;
    let call = reach.world.dial("100").await;
    call.sees("tap", 1).await;
    assert!(call.saw("early: audio, video") && !call.saw("answer: audio, video"));
    assert!(!call.saw("play tones"));
}

#[tokio::test(start_paused = true)]
async fn silence_and_noise_are_waited_for() {
    let plan = "exten => 100,1,Answer()\n same => n,WaitForSilence(500,2,10)\n \
                same => n,Set(GLOBAL(is)=${WAITSTATUS})\n same => n,WaitForNoise(100,1,3)\n \
                same => n,Set(GLOBAL(then)=${WAITSTATUS})\n same => n,Wait(100)\n";
    let reach = Reach::new(plan).await;
    let call = reach.world.dial("100").await;
    call.sees("tap", 1).await;
    for _ in 0..9 {
        pass(seconds(1) / 10).await;
    }
    assert_eq!(reach.world.switch.global("is"), None);
    pass(seconds(1) / 10).await;
    assert_eq!(told(&reach).await, "SILENCE");
    call.sees("tap", 2).await;
    for _ in 0..31 {
        pass(seconds(1) / 10).await;
    }
    assert_eq!(
        reach.world.switch.global("then").as_deref(),
        Some("TIMEOUT")
    );
    assert_eq!(reach.world.ladder.count("tap ends"), 2);
}

/// Says its name, until that is recorded.
async fn introduces(call: &Call) {
    call.sees("play tones", 1).await;
    pass(seconds(1)).await;
    call.sees("tap", 1).await;
    for _ in 0..21 {
        pass(seconds(1) / 10).await;
    }
    call.sees("0: call audio, video", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_says_its_name_once_and_n_forgets_it() {
    let folder = Folder::new("intro");
    let file = "priv-callerintros/alice.sln";
    for (options, digit, is_kept) in [
        ("p", '1', true),
        ("pn", '2', true),
        ("pn", '1', false),
        ("pn(1)", '2', false),
    ] {
        let plan =
            format!("exten => 100,1,Dial(TEST/1,,{options})\n same => n,NoOp(${{DIALSTATUS}})\n");
        let is_known = folder.has(file);
        let reach = reach(&plan, &folder).await;
        let call = reach.world.dial("100").await;
        match is_known {
            true => call.sees("0: call audio, video", 1).await,
            false => introduces(&call).await,
        }
        assert_eq!(
            call.saw("tap"),
            !is_known,
            "{options}: it has said its name"
        );
        reach.answer(0).await;
        // It hears a tone, having been answered.
        if is_known {
            call.sees("ring", 1).await;
        }
        reach.send(0, switch::ChannelEvent::digit(digit)).await;
        match digit {
            '1' => call.sees("connected", 1).await,
            _ => call.sees("0: hangup 16", 1).await,
        }
        let has = || folder.has(file);
        until(|| has() == is_kept).await;
        if is_kept {
            // Nothing was heard in this world.
            fs::write(folder.0.join(file), [0; 1600]).unwrap();
        }
        call.leave().await;
    }
}

/// `f` and `u`: who is shown, and to whom.
#[tokio::test(start_paused = true)]
async fn the_caller_that_is_shown_and_who_may_see_it() {
    let plan = "exten => 100,1,Dial(Local/200@test,,f(\"Desk\" <70>)u(prohib))\n\
                exten => 200,1,NoOp(${CALLERID(all)} ${CALLERID(pres)})\n same => n,Wait(100)\n\
                exten => 300,1,Set(FORWARD_CONTEXT=test)\n same => n,Dial(TEST/1,,f)\n\
                exten => 200,hint,PJSIP/x(Two)\n";
    let reach = Reach::new(plan).await;
    reach.world.dial("100").await;
    let stories = || format!("{:?}", reach.world.switch.directory().all().len());
    assert_eq!(stories(), "3");
    reach
        .world
        .switch
        .directory()
        .all()
        .iter()
        .for_each(|it| assert!(it.hangup(switch::Cause::NormalClearing)));
    settle().await;
    let told = format!("{:?}", reach.world.switch.directory().stories());
    assert!(told.contains("NoOp(\\\"Desk\\\" <70> prohib)"), "{told}");
}

/// The name of a caller without a number is of no use later.
#[tokio::test(start_paused = true)]
async fn a_caller_without_a_number_leaves_no_name_behind() {
    for leaves in [true, false] {
        let folder = Folder::new(&format!("anonymous-{leaves}"));
        let plan = "exten => 100,1,Set(CALLERID(num)=)\n same => n,Dial(TEST/1,5,p)\n \
                    same => n,Wait(1000)\n";
        let reach = reach(plan, &folder).await;
        let call = reach.world.dial("100").await;
        introduces(&call).await;
        let names = || {
            let names = fs::read_dir(folder.0.join("priv-callerintros"));
            names.map_or(0, Iterator::count)
        };
        assert_eq!(names(), 1);
        match leaves {
            true => call.leave().await,
            false => pass(seconds(6)).await,
        }
        until(|| names() == 0).await;
    }
}

/// Two that are asked at the same time what they have to say.
#[tokio::test(start_paused = true)]
async fn a_number_is_of_one_recording() {
    let folder = Folder::new("two");
    let plan = "exten => 100,1,Record(n%d.sln,,,k)\n same => n,Wait(1000)\n\
                exten => 200,1,Record(s%d.sln,,,s)\n same => n,Set(GLOBAL(is)=skipped)\n same => n,Wait(1000)\n";
    let reach = reach(plan, &folder).await;
    let one = reach.world.dial("100").await;
    until(|| folder.has("n0.sln")).await;
    let other = reach.world.dial("100").await;
    until(|| folder.has("n1.sln")).await;
    other.leave().await;
    // It said nothing, not even after the beep.
    until(|| !folder.has("n1.sln")).await;
    one.sees("play tones", 1).await;
    pass(seconds(1)).await;
    one.sees("tap", 1).await;
    one.press('#').await;
    until(|| one.runs() == "Wait(1000)").await;
    assert!(folder.has("n0.sln"));
    let _skipping = reach.world.dial("200").await;
    assert_eq!(told(&reach).await, "skipped");
    until(|| !folder.has("s0.sln")).await;
}
