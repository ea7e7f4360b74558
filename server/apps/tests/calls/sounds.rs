//! What callers hear and dial: files, tones, digits during both.

use std::path::PathBuf;

use switch::Cause;

use crate::world::{World, millis, pass, seconds};

/// A folder of prompts that goes with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(test: &str) -> Self {
        let name = format!("prompts-{test}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const FILES: &[(&str, usize)] = &[("one.ulaw", 1000), ("de/two.ulaw", 500), ("two.ulaw", 2000)];

async fn world(test: &str, plan: &str) -> (World, Folder) {
    let folder = Folder::new(test);
    let world = World::with_sounds(plan, &folder.0, FILES).await;
    (world, folder)
}

#[tokio::test(start_paused = true)]
async fn playback_answers_and_plays_one_file_after_the_other_in_the_calls_language() {
    let plan = "exten => 1,1,Playback(one&two)\nsame => n,Set(GLOBAL(is)=${PLAYBACKSTATUS})\n";
    let (mut world, _folder) = world("playback", plan).await;
    world.endpoint.language = Some("de_AT".to_owned());
    let call = world.dial("1").await;
    call.sees("play 1000 ms", 1).await;
    call.press('1').await;
    pass(millis(999)).await;
    assert!(!call.saw("play 1000 ms ends"), "a digit does not end it");
    pass(millis(1)).await;
    call.sees("play 500 ms", 1).await;
    assert!(!call.is_over());
    pass(millis(500)).await;
    call.ends().await;
    assert_eq!(
        world.ladder.lines(),
        [
            "answer: audio, video",
            "play 1000 ms",
            "play 1000 ms ends",
            "play 500 ms",
            "play 500 ms ends",
            "hangup 16",
            "leg closed"
        ]
    );
    assert_eq!(world.switch.global("is").unwrap(), "SUCCESS");
}

#[tokio::test(start_paused = true)]
async fn a_missing_file_is_one_warning_with_the_folder_and_the_others_are_played() {
    let plan = "exten => 1,1,Playback(gone&one)\nsame => n,Set(GLOBAL(is)=${PLAYBACKSTATUS})\n";
    let (world, folder) = world("missing", plan).await;
    let call = world.dial("1").await;
    call.sees("play 1000 ms", 1).await;
    pass(seconds(1)).await;
    call.ends().await;
    assert_eq!(world.switch.global("is").unwrap(), "FAILED");
    let remarks = world.remarks();
    assert_eq!(remarks.len(), 1, "{remarks:?}");
    let start = format!(
        "extensions.conf:2: Playback(gone&one): no sound `gone` in {0}/en or {0}; put it there",
        folder.0.display()
    );
    assert!(remarks[0].starts_with(&start), "{remarks:?}");
}

#[tokio::test(start_paused = true)]
async fn playback_before_the_answer_plays_early_or_nothing() {
    let plan = "exten => 1,1,Playback(one,noanswer)\nexten => 2,1,Playback(one,noanswer,skip)\n";
    let (world, _folder) = world("early", plan).await;
    let call = world.dial("1").await;
    call.sees("play 1000 ms", 1).await;
    let lines = world.ladder.lines();
    assert_eq!(lines, ["early: audio, video", "play 1000 ms"]);
    call.leave().await;
    call.ends().await;
    let before = world.ladder.count("play 1000 ms");
    let call = world.dial("2").await;
    assert!(call.is_over());
    assert_eq!(world.ladder.count("play 1000 ms"), before);
}

#[tokio::test(start_paused = true)]
async fn a_hang_up_ends_what_is_played_at_once() {
    let (world, _folder) = world("leaves", "exten => 1,1,Playback(one)\n").await;
    let call = world.dial("1").await;
    call.sees("play 1000 ms", 1).await;
    call.leave().await;
    assert!(call.is_over() && call.saw("play 1000 ms ends"));
}

/// The other half of a local call is connected a moment after its own one has answered.
#[tokio::test(start_paused = true)]
async fn a_caller_through_a_local_channel_hears_the_prompt_from_its_beginning() {
    let plan = "exten => 1,1,Dial(Local/2@test/n)\n\
                exten => 2,1,Answer()\nsame => n,Playback(one)\nsame => n,Hangup()\n";
    let (world, _folder) = world("local", plan).await;
    let call = world.dial("1").await;
    call.sees("play 1000 ms", 1).await;
    pass(millis(999)).await;
    assert!(!call.is_over() && !call.saw("play 1000 ms ends"));
    pass(millis(2)).await;
    call.ends().await;
    assert_eq!(world.ladder.count("play 1000 ms"), 1);
}

/// What comes in at the other end goes back: nobody hears it, and it takes its time all the same.
#[tokio::test(start_paused = true)]
async fn a_prompt_that_nobody_hears_takes_its_time() {
    let plan = "exten => 1,1,Answer()\nsame => n,Echo()\n";
    let (world, _folder) = world("nobody", plan).await;
    let originate = switch::Originate {
        destination: "Local/1@test".to_owned(),
        purpose: switch::Purpose::Application {
            name: "Playback".to_owned(),
            arguments: "one".to_owned(),
        },
        timeout: seconds(30),
        caller: switch::CallerId::default(),
        variables: Vec::new(),
        before: None,
    };
    let begun = world.switch.originate(originate).await.unwrap();
    begun.await.unwrap().unwrap();
    let (began, patience) = (tokio::time::Instant::now(), std::time::Instant::now());
    // The file is read by a thread, in a time of its own.
    while world.switch.directory().count() > 0 {
        assert!(patience.elapsed() < seconds(10), "it does not end");
        std::thread::yield_now();
        pass(millis(10)).await;
    }
    assert!(began.elapsed() >= seconds(1), "{:?}", began.elapsed());
    assert!(!world.ladder.has("play 1000 ms"));
}

const MENU: &str = "exten => 1,1,Answer()\nsame => n,Background(one)\nsame => n,WaitExten(3)\n\
     same => n,Hangup(31)\n\
     exten => 5,1,Hangup(17)\nexten => _7XX,1,Set(GLOBAL(at)=${EXTEN})\nsame => n,Hangup(18)\n\
     exten => i,1,Set(GLOBAL(at)=i ${INVALID_EXTEN})\nsame => n,Hangup(19)\n";

#[tokio::test(start_paused = true)]
async fn a_digit_in_background_is_an_extension_at_once_if_no_longer_one_begins_so() {
    let (world, _folder) = world("background", MENU).await;
    let call = world.dial("1").await;
    call.sees("play 1000 ms", 1).await;
    call.press('5').await;
    assert!(
        call.is_over() && call.saw("hangup 17"),
        "{:?}",
        world.ladder.lines()
    );
}

#[tokio::test(start_paused = true)]
async fn further_digits_are_waited_for_and_the_last_is_enough() {
    let (world, _folder) = world("digits", MENU).await;
    let call = world.dial("1").await;
    call.sees("play 1000 ms", 1).await;
    call.press('7').await;
    assert!(call.saw("play 1000 ms ends"));
    pass(millis(4900)).await;
    call.press('0').await;
    assert!(!call.is_over());
    call.press('1').await;
    assert!(call.is_over() && call.saw("hangup 18"));
    assert_eq!(world.switch.global("at").unwrap(), "701");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_extension_goes_to_i_and_a_pause_ends_the_digits() {
    let (world, _folder) = world("invalid", MENU).await;
    let call = world.dial("1").await;
    call.sees("play 1000 ms", 1).await;
    call.press('9').await;
    assert!(call.is_over());
    assert_eq!(world.switch.global("at").unwrap(), "i 9");
    let call = world.dial("1").await;
    call.sees("play 1000 ms", 2).await;
    call.press('7').await;
    pass(seconds(5)).await;
    assert_eq!(world.switch.global("at").unwrap(), "i 7");
    assert!(call.is_over());
}

#[tokio::test(start_paused = true)]
async fn wait_exten_goes_on_after_its_time_and_hears_the_extension_before() {
    let (world, _folder) = world("wait", MENU).await;
    let call = world.dial("1").await;
    call.sees("play 1000 ms", 1).await;
    pass(seconds(1)).await;
    call.sees("play 1000 ms ends", 1).await;
    assert_eq!(call.runs(), "WaitExten(3)");
    pass(millis(2999)).await;
    assert!(!call.is_over());
    pass(millis(1)).await;
    assert!(call.is_over() && call.saw("hangup 31"));
    let call = world.dial("1").await;
    call.sees("play 1000 ms", 2).await;
    pass(seconds(1)).await;
    call.sees("play 1000 ms ends", 2).await;
    call.press('5').await;
    assert!(call.is_over() && call.saw("hangup 17"));
}

#[tokio::test(start_paused = true)]
async fn background_looks_in_another_context_or_for_single_digits_if_it_is_told_to() {
    let plan = "exten => 1,1,Background(one,,,menu)\nexten => 2,1,Background(one,m)\n\
         same => n,Hangup(20)\nexten => 3,1,Background(one,p)\nsame => n,Hangup(20)\n\
         [menu]\nexten => 5,1,Hangup(17)\n";
    let (world, _folder) = world("context", plan).await;
    let call = world.dial("1").await;
    call.sees("play 1000 ms", 1).await;
    call.press('5').await;
    assert!(call.is_over() && call.saw("hangup 17"));
    for (count, exten) in [(2, "2"), (3, "3")] {
        let call = world.dial(exten).await;
        call.sees("play 1000 ms", count).await;
        call.press('5').await;
        assert!(!call.is_over());
        if exten == "3" {
            call.press('1').await;
        }
        pass(seconds(1)).await;
        call.sees("hangup 20", count - 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn read_takes_as_many_digits_as_asked_for_or_those_before_the_pound_sign() {
    let plan = "exten => 1,1,Read(pin,one,4)\nsame => n,Set(GLOBAL(is)=${READSTATUS} ${pin})\n\
         exten => 2,1,Read(pin,one,4,t(*),2,3)\n\
         same => n,Set(GLOBAL(is)=${READSTATUS} ${pin})\n";
    let (world, _folder) = world("read", plan).await;
    let told = || world.switch.global("is").unwrap();
    let call = world.dial("1").await;
    call.sees("play 1000 ms", 1).await;
    for digit in "1234".chars() {
        assert!(!call.is_over());
        call.press(digit).await;
        pass(millis(200)).await;
    }
    assert_eq!((call.is_over(), told()), (true, "OK 1234".to_owned()));
    let call = world.dial("1").await;
    call.sees("play 1000 ms", 2).await;
    call.press('5').await;
    call.press('#').await;
    assert_eq!((call.is_over(), told()), (true, "OK 5".to_owned()));
    let call = world.dial("2").await;
    for attempt in [3, 4] {
        call.sees("play 1000 ms", attempt).await;
        pass(seconds(1)).await;
        call.sees("play 1000 ms ends", attempt).await;
        pass(seconds(3)).await;
    }
    assert_eq!((call.is_over(), told()), (true, "TIMEOUT ".to_owned()));
    let call = world.dial("2").await;
    call.sees("play 1000 ms", 5).await;
    for digit in "#7".chars() {
        call.press(digit).await;
    }
    pass(seconds(3)).await;
    assert_eq!((call.is_over(), told()), (true, "TIMEOUT #7".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn read_tells_h_that_the_caller_left() {
    let plan = "exten => 1,1,Read(pin,,4)\nexten => h,1,Set(GLOBAL(is)=${READSTATUS})\n";
    let world = World::new(plan).await;
    let call = world.dial("1").await;
    call.press('1').await;
    call.leave().await;
    assert_eq!(world.switch.global("is").unwrap(), "HANGUP");
}

#[tokio::test(start_paused = true)]
async fn tones_last_until_they_are_stopped_or_a_file_is_played() {
    let plan = "exten => 1,1,Answer()\nsame => n,Playtones(425/500\\,0/500)\nsame => n,Wait(5)\n\
         same => n,StopPlaytones()\nsame => n,Playtones(busy)\nsame => n,Playback(one)\n\
         exten => 2,1,Answer()\nsame => n,Playtones(engaged)\n";
    let (world, _folder) = world("tones", plan).await;
    let call = world.dial("1").await;
    assert!(call.saw("play tones") && !call.saw("play tones ends"));
    pass(seconds(5)).await;
    call.sees("play 1000 ms", 1).await;
    assert_eq!(
        world.ladder.lines()[1..],
        [
            "play tones",
            "play tones ends",
            "play tones",
            "play tones ends",
            "play 1000 ms"
        ]
    );
    pass(seconds(1)).await;
    call.ends().await;
    let call = world.dial("2").await;
    assert!(call.is_over());
    let stories = world.switch.directory().stories();
    let text = format!("{stories:?}");
    assert!(
        text.contains("nor one of the names busy, callwaiting, congestion"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn timeouts_are_those_the_dial_plan_sets() {
    let plan = "exten => 1,1,Answer()\nsame => n,Set(TIMEOUT(digit)=1.5)\n\
         same => n,Set(TIMEOUT(response)=2)\n\
         same => n,Set(GLOBAL(is)=${TIMEOUT(digit)} ${TIMEOUT(response)} ${TIMEOUT(absolute)})\n\
         same => n,WaitExten()\n\
         exten => t,1,Hangup(21)\nexten => _7XX,1,Hangup(18)\nexten => i,1,Hangup(19)\n";
    let world = World::new(plan).await;
    let call = world.dial("1").await;
    assert_eq!(world.switch.global("is").unwrap(), "1.500 2.000 0");
    pass(millis(1999)).await;
    assert!(!call.is_over());
    pass(millis(1)).await;
    assert!(call.is_over() && call.saw("hangup 21"));
    let call = world.dial("1").await;
    call.press('7').await;
    pass(millis(1500)).await;
    assert!(call.is_over() && call.saw("hangup 19"));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_has_lasted_long_enough_goes_to_t_or_ends() {
    let plan = "exten => 1,1,Answer()\nsame => n,Set(TIMEOUT(absolute)=10)\nsame => n,Echo()\n\
         exten => T,1,Set(GLOBAL(is)=${TIMEOUT(absolute)})\nsame => n,Hangup(21)\n\
         [other]\nexten => 1,1,Hangup(1)\n";
    let world = World::new(plan).await;
    let call = world.dial("1").await;
    pass(millis(9999)).await;
    assert_eq!(call.runs(), "Echo()");
    pass(millis(1)).await;
    assert!(call.is_over() && call.saw("hangup 21"));
    assert_eq!(world.switch.global("is").unwrap(), "0");
    world.reload("exten => 1,1,Answer()\nsame => n,Set(TIMEOUT(absolute)=10)\nsame => n,Echo()\n");
    let call = world.dial("1").await;
    pass(seconds(10)).await;
    assert!(call.is_over() && call.saw("hangup 16"));
    let stories = world.switch.directory().stories();
    assert!(
        stories
            .iter()
            .any(|story| story.cause == Cause::NormalClearing)
    );
}

#[tokio::test(start_paused = true)]
async fn tones_are_those_of_the_country() {
    let plan = "exten => 1,1,Answer()\nsame => n,Set(GLOBAL(one)=${CHANNEL(tonezone)})\n\
                same => n,Playtones(ring)\nsame => n,Wait(1)\n\
                same => n,Set(CHANNEL(tonezone)=fr)\nsame => n,Set(GLOBAL(two)=${CHANNEL(tonezone)})\n\
                same => n,Playtones(ring)\nsame => n,Wait(1)\n\
                same => n,Set(CHANNEL(tonezone)=nowhere)\nsame => n,Set(GLOBAL(three)=${CHANNEL(tonezone)})\n";
    for (own, expected) in [(None, "us"), (Some("uk"), "uk")] {
        let mut world = World::new(plan).await;
        world.endpoint.tone_zone = own.map(str::to_owned);
        let call = world.dial("1").await;
        pass(seconds(3)).await;
        pass(seconds(3)).await;
        call.ends().await;
        for (name, value) in [("one", expected), ("two", "fr"), ("three", "fr")] {
            let global = world.switch.global(name);
            assert_eq!(global.as_deref(), Some(value), "{name}");
        }
        let played = world.script.lock().unwrap().tones.clone();
        let (cadence, french) = (played[0].clone(), played[1].clone());
        let indications = config::Indications::default();
        assert_eq!(Some(cadence), indications.tone(Some(expected), "ring"));
        assert_eq!(Some(french), indications.tone(Some("fr"), "ring"));
    }
}

#[tokio::test(start_paused = true)]
async fn background_plays_in_the_language_it_names() {
    let plan = "exten => 1,1,Background(two,,de)\nsame => n,Background(two)\n";
    let (world, _folder) = world("language", plan).await;
    let call = world.dial("1").await;
    call.sees("play 500 ms", 1).await;
    pass(millis(500)).await;
    call.sees("play 2000 ms", 1).await;
}
