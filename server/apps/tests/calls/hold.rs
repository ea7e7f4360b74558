//! Who is held hears music, until it is resumed or somebody leaves.

use std::sync::Arc;

use switch::{Cause, ChannelEvent};

use crate::reach::Reach;
use crate::world::{Call, millis, pass, sdp, seconds};

const MUSIC: &str = "play music default";
const END: &str = "play music default ends";

async fn connected(reach: &Reach) -> Call {
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    call.send(ChannelEvent::Established).await;
    assert!(call.saw("connected"), "{:?}", reach.world.ladder.lines());
    call
}

async fn world() -> (Reach, Call) {
    let reach = Reach::new("exten => 100,1,Dial(TEST/1)\n").await;
    let call = connected(&reach).await;
    (reach, call)
}

fn offer(streams: &[&str]) -> ChannelEvent {
    ChannelEvent::Offer(Some(sdp(streams)))
}

const TALK: &[&str] = &["audio", "video"];

#[tokio::test(start_paused = true)]
async fn who_is_held_in_whatever_form_hears_music_until_it_is_resumed() {
    let (reach, call) = world().await;
    let forms: [&[&str]; 4] = [
        &["audio sendonly", "video sendonly"],
        &["audio inactive", "video inactive"],
        &["audio inactive", "video recvonly"],
        &["audio sendonly", "video"],
    ];
    for (times, form) in forms.into_iter().enumerate() {
        call.send(offer(form)).await;
        assert_eq!(reach.world.ladder.count(MUSIC), 2 * times + 1, "{form:?}");
        call.send(offer(form)).await;
        assert_eq!(reach.world.ladder.count(MUSIC), 2 * times + 1, "once");
        call.send(offer(TALK)).await;
        assert_eq!(reach.world.ladder.count(END), 2 * times + 1);
        // The other way round.
        reach.send(0, offer(form)).await;
        assert_eq!(reach.world.ladder.count(MUSIC), 2 * times + 2);
        reach.send(0, offer(TALK)).await;
        assert_eq!(reach.world.ladder.count(END), 2 * times + 2);
    }
    let listened = [&["audio recvonly", "video inactive"][..]];
    for form in listened {
        call.send(offer(form)).await;
        assert_eq!(reach.world.ladder.count(MUSIC), 8, "that is no hold");
    }
}

#[tokio::test(start_paused = true)]
async fn both_hold_at_once_and_each_hears_music_as_long_as_the_other_holds() {
    let (reach, call) = world().await;
    let hold = &["audio sendonly", "video inactive"];
    call.send(offer(hold)).await;
    reach.send(0, offer(hold)).await;
    assert_eq!(reach.world.ladder.count(MUSIC), 2);
    call.send(offer(TALK)).await;
    assert_eq!(reach.world.ladder.count(END), 1);
    reach.send(0, offer(TALK)).await;
    assert_eq!(reach.world.ladder.count(END), 2);
    call.leave().await;
    assert!(call.is_over());
}

#[tokio::test(start_paused = true)]
async fn who_holds_and_hangs_up_ends_the_music_with_the_call() {
    let reach = Reach::new("exten => 100,1,Dial(TEST/1,,g)\n same => n,Wait(5)\n").await;
    let call = connected(&reach).await;
    reach.send(0, offer(&["audio sendonly"])).await;
    assert_eq!(reach.world.ladder.count(MUSIC), 1);
    reach
        .send(0, ChannelEvent::Hangup(Cause::NormalClearing))
        .await;
    assert_eq!(
        reach.world.ladder.count(END),
        1,
        "the dial plan goes on without it"
    );
    assert_eq!(call.runs(), "Wait(5)");
}

#[tokio::test(start_paused = true)]
async fn who_held_before_the_answer_is_known_to_hold_after_it() {
    let reach = Reach::new("exten => 100,1,Dial(TEST/1)\n").await;
    let call = reach
        .world
        .dial_with("100", Some(sdp(&["audio sendonly"])))
        .await;
    reach
        .send(0, ChannelEvent::Accepted(Some(sdp(&["audio"]))))
        .await;
    call.send(ChannelEvent::Established).await;
    assert_eq!(reach.world.ladder.count(MUSIC), 1);
}

const CLASSES: &str = "\
[default]\nmode=files\ndirectory=/nowhere\n\
[jazz]\nmode=playlist\nentry=/nowhere/a\ndigit=2\n\
[rock]\nmode=files\ndirectory=/nowhere\ndigit=3\n\
[late]\nmode=files\ndirectory=/nowhere\nansweredonly=yes\n";

/// Puts this musiconhold.conf in force.
fn classes(reach: &Reach, text: &str) {
    let files = [("musiconhold.conf", text)];
    let (read, messages) = config::load(&files.as_slice());
    assert!(messages.is_empty(), "{messages:?}");
    let mut config = (*reach.world.switch.config()).clone();
    config.music = read.unwrap().music;
    reach.world.switch.store().set_config(Arc::new(config));
}

/// The classes of the music that was begun, in order.
fn begun(reach: &Reach) -> Vec<String> {
    let lines = reach.world.ladder.lines().into_iter();
    let begun = lines.filter_map(|line| line.strip_prefix("play music ").map(str::to_owned));
    begun.filter(|line| !line.ends_with(" ends")).collect()
}

/// pjsip.conf: `moh_suggest`, in place of which CHANNEL(musicclass) may name another; musiconhold.conf:
/// `preferchannelclass`.
#[tokio::test(start_paused = true)]
async fn the_one_who_holds_suggests_the_music_and_the_channel_that_hears_it_may_insist() {
    for (general, expected) in [
        ("", ["jazz", "rock"]),
        ("[general]\npreferchannelclass=no\n", ["jazz", "jazz"]),
    ] {
        let plan = "exten => 100,1,Set(CHANNEL(musicclass)=rock)\n \
                    same => n,Set(GLOBAL(own)=${CHANNEL(musicclass)})\n \
                    same => n,Dial(TEST/1)\n";
        let reach = Reach::with(plan, |endpoint| endpoint.moh_suggest = "jazz".to_owned()).await;
        classes(&reach, &format!("{general}{CLASSES}"));
        let call = connected(&reach).await;
        call.send(offer(&["audio sendonly"])).await;
        call.send(offer(TALK)).await;
        reach.send(0, offer(&["audio sendonly"])).await;
        assert_eq!(begun(&reach), expected, "{general}");
        assert_eq!(reach.world.switch.global("own").as_deref(), Some("rock"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_class_that_is_not_there_is_said_and_the_default_is_heard() {
    let reach = Reach::with("exten => 100,1,Dial(TEST/1)\n", |endpoint| {
        endpoint.moh_suggest = "jaz".to_owned();
    });
    let reach = reach.await;
    classes(&reach, CLASSES);
    let call = connected(&reach).await;
    call.send(offer(&["audio sendonly"])).await;
    assert_eq!(begun(&reach), ["default"]);
    reach
        .send(0, ChannelEvent::Hangup(Cause::NormalClearing))
        .await;
    let stories = reach.world.switch.directory().stories();
    let said = format!(
        "{:?}",
        stories
            .iter()
            .map(|story| &story.events)
            .collect::<Vec<_>>()
    );
    assert!(
        said.contains("musiconhold.conf has no class `jaz`; `default` is heard"),
        "{said}"
    );
}

/// musiconhold.conf: `digit`.
#[tokio::test(start_paused = true)]
async fn a_digit_chooses_another_class_while_music_is_heard() {
    let (reach, call) = world().await;
    classes(&reach, CLASSES);
    call.press('2').await;
    reach.send(0, offer(&["audio sendonly"])).await;
    for _ in 0..2 {
        pass(millis(200)).await;
        call.press('2').await;
    }
    call.press('9').await;
    call.press('3').await;
    assert_eq!(begun(&reach), ["default", "jazz", "rock"]);
    reach.send(0, offer(TALK)).await;
    call.press('2').await;
    assert_eq!(begun(&reach).len(), 3, "no music, no choice");
    assert_eq!(reach.world.ladder.count("play music rock ends"), 1);
}

#[tokio::test(start_paused = true)]
async fn the_dial_plan_plays_music_for_a_while_or_while_it_goes_on() {
    let plan = "exten => 1,1,Answer()\n same => n,MusicOnHold(jazz,20)\n \
                same => n,StartMusicOnHold()\n same => n,Wait(5)\n same => n,StopMusicOnHold()\n \
                same => n,Wait(1)\n same => n,MusicOnHold(,x)\n";
    let reach = Reach::new(plan).await;
    classes(&reach, CLASSES);
    let call = reach.world.dial("1").await;
    let ladder = &reach.world.ladder;
    pass(millis(19_999)).await;
    call.press('5').await;
    assert!(call.saw("play music jazz") && !call.saw("play music jazz ends"));
    pass(millis(1)).await;
    assert!(call.saw("play music jazz ends") && call.saw(MUSIC));
    pass(seconds(5)).await;
    assert!(call.saw(END) && !call.is_over());
    pass(seconds(1)).await;
    assert!(call.is_over(), "MusicOnHold(,x): {:?}", ladder.lines());
}

/// musiconhold.conf: `answeredonly`.
#[tokio::test(start_paused = true)]
async fn music_before_the_answer_is_early_media_unless_the_class_is_for_answered_calls() {
    let plan = "exten => 1,1,MusicOnHold(jazz)\nexten => 2,1,MusicOnHold(late,1)\n \
                same => n,Answer()\n same => n,MusicOnHold(late)\n";
    let reach = Reach::new(plan).await;
    classes(&reach, CLASSES);
    let call = reach.world.dial("1").await;
    assert!(call.saw("early: audio, video") && call.saw("play music jazz"));
    call.leave().await;
    assert!(call.is_over() && call.saw("play music jazz ends"));
    let call = reach.world.dial("2").await;
    assert!(!call.saw("play music late"));
    pass(seconds(1)).await;
    assert!(call.saw("play music late"));
}

#[tokio::test(start_paused = true)]
async fn dial_plays_music_until_somebody_answers_or_nobody_does() {
    for (option, class) in [("m", "default"), ("m(jazz)", "jazz")] {
        let plan = format!("exten => 100,1,Dial(TEST/1,10,{option})\n same => n,Wait(9)\n");
        let reach = Reach::new(&plan).await;
        classes(&reach, CLASSES);
        let (music, end) = (
            format!("play music {class}"),
            format!("play music {class} ends"),
        );
        let call = reach.world.dial("100").await;
        assert!(call.saw("early: audio, video") && call.saw(&music));
        reach.ring(0).await;
        assert!(!call.saw("ring"), "it hears music, not ringing");
        reach.answer(0).await;
        assert!(call.saw(&end) && call.saw("connected"));
        call.leave().await;
        let call = reach.world.dial("100").await;
        pass(seconds(10)).await;
        assert_eq!(reach.world.ladder.count(&end), 2);
        assert_eq!(call.runs(), "Wait(9)");
    }
    // One that made no offer cannot hear it.
    let reach = Reach::new("exten => 100,1,Dial(TEST/1,10,m)\n").await;
    let call = reach.world.dial_with("100", None).await;
    assert!(call.saw("ring") && !call.saw(MUSIC));
}

#[tokio::test(start_paused = true)]
async fn who_is_to_dial_hears_music_or_a_tone_until_it_does() {
    let plan = "exten => 1,1,Answer()\n same => n,WaitExten(5,m(jazz))\n same => n,WaitExten(5,d)\n \
                same => n,Hangup(16)\nexten => 2,1,Hangup(17)\n";
    let reach = Reach::new(plan).await;
    classes(&reach, CLASSES);
    let call = reach.world.dial("1").await;
    assert!(call.saw("play music jazz"));
    pass(seconds(5)).await;
    assert!(call.saw("play music jazz ends") && call.saw("play tones"));
    assert!(!call.saw("play tones ends"));
    call.press('2').await;
    assert!(call.saw("play tones ends") && call.saw("hangup 17"));
}

#[tokio::test(start_paused = true)]
async fn hold_and_music_reach_through_a_local_channel() {
    let plan = "exten => 100,1,Dial(Local/200@test)\nexten => 200,1,Dial(TEST/1)\n\
                exten => 300,1,Dial(Local/400@test)\nexten => 400,1,Answer()\n same => n,MusicOnHold()\n";
    let reach = Reach::new(plan).await;
    let call = connected(&reach).await;
    let ladder = &reach.world.ladder;
    for turn in 1..=2 {
        call.send(offer(&["audio sendonly"])).await;
        assert_eq!(ladder.count(MUSIC), 2 * turn - 1, "{:?}", ladder.lines());
        call.send(offer(TALK)).await;
        assert_eq!(ladder.count(END), 2 * turn - 1);
        reach.send(0, offer(&["audio sendonly"])).await;
        assert_eq!(ladder.count(MUSIC), 2 * turn);
        reach.send(0, offer(TALK)).await;
        assert_eq!(ladder.count(END), 2 * turn);
    }
    call.leave().await;
    // The music is there before anybody is connected to hear it.
    let call = reach.world.dial("300").await;
    assert_eq!(ladder.count(MUSIC), 5, "{:?}", ladder.lines());
    call.leave().await;
    assert_eq!(ladder.count(END), 5);
}

/// A caller that hears early media holds by UPDATE, and is still holding when somebody answers.
#[tokio::test(start_paused = true)]
async fn a_hold_in_early_media_stands_after_the_answer() {
    let reach = Reach::new("exten => 100,1,Dial(TEST/1)\n").await;
    let call = reach.world.dial("100").await;
    let (status, answer) = (183, Some(sdp(TALK)));
    reach
        .send(0, ChannelEvent::Progress { status, answer })
        .await;
    assert!(call.saw("early: audio, video"));
    call.send(offer(&["audio sendonly", "video inactive"]))
        .await;
    assert!(call.saw("accept: audio recvonly, video inactive"));
    reach.answer(0).await;
    call.send(ChannelEvent::Established).await;
    let ladder = &reach.world.ladder;
    assert_eq!(ladder.count(MUSIC), 1, "{:?}", ladder.lines());
    call.send(offer(TALK)).await;
    assert_eq!(ladder.count(END), 1);
}

/// pjsip.conf: `suppress_moh_on_sendonly`.
#[tokio::test(start_paused = true)]
async fn one_that_plays_its_own_music_is_heard_where_that_is_wanted() {
    let suppress = |endpoint: &mut config::Endpoint| endpoint.suppress_moh_on_sendonly = true;
    let reach = Reach::with("exten => 100,1,Dial(TEST/1)\n", suppress).await;
    let call = connected(&reach).await;
    call.send(offer(&["audio sendonly", "video sendonly"]))
        .await;
    assert_eq!(reach.world.ladder.count(MUSIC), 0);
    call.send(offer(&["audio inactive", "video inactive"]))
        .await;
    assert_eq!(reach.world.ladder.count(MUSIC), 1);
}

/// pjsip.conf: `moh_passthrough`.
#[tokio::test(start_paused = true)]
async fn hold_is_passed_on_instead_of_music_where_that_is_wanted() {
    let pass = |endpoint: &mut config::Endpoint| endpoint.moh_passthrough = true;
    let reach = Reach::with("exten => 100,1,Dial(TEST/1,,g)\n same => n,Wait(5)\n", pass).await;
    let call = connected(&reach).await;
    let ladder = &reach.world.ladder;
    call.send(offer(&["audio sendonly", "video inactive"]))
        .await;
    assert!(
        ladder.has("0: offer audio sendonly, video sendonly"),
        "{:?}",
        ladder.lines()
    );
    // Resumed before the other has answered: it is told as soon as it has.
    call.send(offer(TALK)).await;
    let answer = sdp(&["audio recvonly", "video recvonly"]);
    reach.send(0, ChannelEvent::Answer(answer)).await;
    assert_eq!(
        ladder.count("0: offer audio, video"),
        1,
        "{:?}",
        ladder.lines()
    );
    reach.send(0, ChannelEvent::Answer(sdp(TALK))).await;
    // The other holds, and hangs up while it does.
    reach
        .send(0, offer(&["audio inactive", "video inactive"]))
        .await;
    assert!(call.saw("offer: audio sendonly, video sendonly"));
    call.send(ChannelEvent::Answer(sdp(&[
        "audio recvonly",
        "video recvonly",
    ])))
    .await;
    reach
        .send(0, ChannelEvent::Hangup(Cause::NormalClearing))
        .await;
    assert_eq!(ladder.count("offer: audio, video"), 1);
    assert_eq!(call.runs(), "Wait(5)");
    assert_eq!(ladder.count(MUSIC), 0);
}
