//! Who is held hears music, until it is resumed or somebody leaves.

use switch::{Cause, ChannelEvent};

use crate::reach::Reach;
use crate::world::{Call, sdp};

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

/// pjsip.conf: `moh_suggest`, in place of which CHANNEL(musicclass) may name another.
#[tokio::test(start_paused = true)]
async fn the_one_who_holds_suggests_the_music_and_the_channel_that_hears_it_may_insist() {
    let plan = "exten => 100,1,Set(CHANNEL(musicclass)=own)\n \
                same => n,NoOp(${CHANNEL(musicclass)})\n same => n,Dial(TEST/1)\n";
    let reach = Reach::with(plan, |endpoint| endpoint.moh_suggest = "jazz".to_owned()).await;
    let call = connected(&reach).await;
    assert!(call.saw("connected"));
    let mut asked = Vec::new();
    for by_caller in [true, false] {
        let hold = offer(&["audio sendonly"]);
        match by_caller {
            true => call.send(hold).await,
            false => reach.send(0, hold).await,
        }
        let lines = reach.world.ladder.lines();
        asked.extend(
            lines
                .into_iter()
                .filter(|line| line.starts_with("play music")),
        );
    }
    assert_eq!(asked.last().unwrap(), "play music default", "{asked:?}");
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
