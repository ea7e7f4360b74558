//! Pictures are on where both parties have them, and a party that has waits for none where the other has not.

use switch::ChannelEvent;

use crate::attended::{FEATURES, consults};
use crate::blind::{announced, press};
use crate::dial::hangs_up;
use crate::reach::Reach;
use crate::world::{Call, pass, sdp, seconds};
use switch::Cause;

const BOTH: [&str; 2] = ["audio", "video"];
const DARK: [&str; 2] = ["audio", "video inactive"];

/// Alice, who has pictures, is connected to a phone that answers with this.
async fn talks(plan: &str, phone: &[&str]) -> (Reach, Call) {
    let reach = Reach::new(plan).await;
    let call = reach.world.dial("100").await;
    call.send(ChannelEvent::Established).await;
    accepts(&reach, 0, phone).await;
    call.send(ChannelEvent::Established).await;
    assert!(call.saw("connected"), "{:?}", reach.world.ladder.lines());
    (reach, call)
}

async fn accepts(reach: &Reach, leg: usize, streams: &[&str]) {
    let answer = ChannelEvent::Accepted(Some(sdp(streams)));
    reach.send(leg, answer).await;
}

/// That so many offers were made, and no more are.
async fn rests(reach: &Reach, offers: usize) {
    pass(seconds(60)).await;
    let lines = reach.world.ladder.lines();
    let made = lines.iter().filter(|line| line.contains("offer"));
    assert_eq!(made.count(), offers, "{lines:?}");
}

const DIAL: &str = "exten => 100,1,Dial(TEST/1)\n";
const ANSWERED: &str = "exten => 100,1,Answer()\n same => n,Dial(TEST/1)\n";

#[tokio::test(start_paused = true)]
async fn a_caller_is_answered_with_the_pictures_that_the_called_has() {
    let inactive = "answer: audio, video inactive";
    for (phone, answer) in [
        (&["audio"][..], inactive),
        (&["audio", "video inactive"], inactive),
        (
            &["audio", "video recvonly"],
            "answer: audio, video recvonly",
        ),
        (
            &["audio", "video sendonly"],
            "answer: audio, video sendonly",
        ),
        (&BOTH, "answer: audio, video"),
    ] {
        let (reach, call) = talks(DIAL, phone).await;
        assert!(
            call.saw(answer),
            "{phone:?} {:?}",
            reach.world.ladder.lines()
        );
        rests(&reach, 0).await;
        // Whoever offers the same again is answered the same.
        call.send(ChannelEvent::Offer(Some(sdp(&BOTH)))).await;
        assert!(call.saw(&answer.replace("answer", "accept")));
    }
}

#[tokio::test(start_paused = true)]
async fn early_media_says_so_already_and_another_branch_that_answers_brings_them_on() {
    let reach = Reach::new("exten => 100,1,Dial(TEST/2)\n").await;
    let call = reach.world.dial("100").await;
    let (status, answer) = (183, Some(sdp(&["audio"])));
    reach
        .send(0, ChannelEvent::Progress { status, answer })
        .await;
    assert!(call.saw("early: audio, video inactive"));
    accepts(&reach, 1, &BOTH).await;
    assert!(
        call.saw("answer: audio, video inactive"),
        "as was said before"
    );
    rests(&reach, 0).await;
    call.send(ChannelEvent::Established).await;
    assert!(call.saw("offer: audio, video"));
    call.send(ChannelEvent::Answer(sdp(&BOTH))).await;
    assert_eq!(call.handle.info().streams, "audio sendrecv, video sendrecv");
    rests(&reach, 1).await;
}

#[tokio::test(start_paused = true)]
async fn who_was_answered_first_is_offered_to_go_on_without_and_may_refuse() {
    let (reach, call) = talks(ANSWERED, &["audio"]).await;
    assert!(call.saw("answer: audio, video"));
    let off = "offer: audio, video inactive";
    assert!(call.saw(off), "{:?}", reach.world.ladder.lines());
    call.send(ChannelEvent::OfferRejected { status: 488 }).await;
    assert_eq!(call.handle.info().streams, "audio sendrecv, video sendrecv");
    rests(&reach, 1).await;
    let (reach, call) = talks(ANSWERED, &["audio"]).await;
    call.send(ChannelEvent::Answer(sdp(&DARK))).await;
    assert_eq!(call.handle.info().streams, "audio sendrecv, video inactive");
    rests(&reach, 1).await;
    let (reach, call) = talks(ANSWERED, &BOTH).await;
    assert!(!call.saw(off));
    rests(&reach, 0).await;
}

#[tokio::test(start_paused = true)]
async fn before_its_ack_nobody_is_offered_anything() {
    let reach = Reach::new(ANSWERED).await;
    let call = reach.world.dial("100").await;
    accepts(&reach, 0, &["audio"]).await;
    assert!(call.saw("connected"));
    rests(&reach, 0).await;
    call.send(ChannelEvent::Established).await;
    rests(&reach, 1).await;
}

#[tokio::test(start_paused = true)]
async fn pictures_that_one_switches_off_and_on_again_follow_at_the_other() {
    let (reach, call) = talks(DIAL, &BOTH).await;
    call.send(ChannelEvent::Offer(Some(sdp(&DARK)))).await;
    assert!(call.saw("0: offer audio, video inactive"));
    reach.send(0, ChannelEvent::Answer(sdp(&DARK))).await;
    rests(&reach, 1).await;
    call.send(ChannelEvent::Offer(Some(sdp(&BOTH)))).await;
    assert!(call.saw("0: offer audio, video"));
    reach.send(0, ChannelEvent::Answer(sdp(&BOTH))).await;
    rests(&reach, 2).await;
    // What is held is left alone.
    let held = ["audio sendonly", "video inactive"];
    call.send(ChannelEvent::Offer(Some(sdp(&held)))).await;
    rests(&reach, 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_the_other_refuses_is_switched_off_and_not_asked_for_again() {
    let reach = Reach::new(DIAL).await;
    let call = reach.world.dial_with("100", Some(sdp(&["audio"]))).await;
    accepts(&reach, 0, &["audio"]).await;
    call.send(ChannelEvent::Established).await;
    call.send(ChannelEvent::Offer(Some(sdp(&BOTH)))).await;
    assert!(call.saw("accept: audio, video") && call.saw("0: offer audio, video"));
    reach
        .send(0, ChannelEvent::OfferRejected { status: 488 })
        .await;
    assert!(
        call.saw("offer: audio, video inactive"),
        "{:?}",
        reach.world.ladder.lines()
    );
    call.send(ChannelEvent::Answer(sdp(&DARK))).await;
    rests(&reach, 2).await;
}

/// What the far ends of the two legs are offered once Alice, who talked to leg 0 and called leg 1, has left them to
/// each other.
async fn transferred(first: &[&str], second: &[&str]) -> Reach {
    let plan = "exten => 100,1,Dial(TEST/1,30,tT)\nexten => 200,1,Dial(TEST/1)\n";
    let reach = Reach::featured(plan, FEATURES).await;
    let call = reach.world.dial("100").await;
    accepts(&reach, 0, first).await;
    call.send(ChannelEvent::Established).await;
    press(&call, "*2").await;
    announced(&call, 1).await;
    press(&call, "200").await;
    accepts(&reach, 1, second).await;
    pass(seconds(1)).await;
    call.leave().await;
    announced(&call, 3).await;
    pass(seconds(5)).await;
    reach
}

fn offers(reach: &Reach) -> Vec<String> {
    let lines = reach.world.ladder.lines();
    let own = |line: &String| line.starts_with("0: offer") || line.starts_with("1: offer");
    lines.into_iter().filter(own).collect()
}

#[tokio::test(start_paused = true)]
async fn a_transfer_brings_pictures_on_and_takes_them_off() {
    let reach = transferred(&BOTH, &BOTH).await;
    assert_eq!(offers(&reach), [""; 0], "both have pictures");
    let reach = transferred(&BOTH, &["audio"]).await;
    assert_eq!(offers(&reach), ["0: offer audio, video inactive"]);
    // Leg 0 refused pictures when it was called, and is asked again now that it talks to somebody else.
    let reach = transferred(&["audio"], &BOTH).await;
    assert_eq!(offers(&reach), ["0: offer audio, video"]);
    reach.send(0, ChannelEvent::Answer(sdp(&["audio"]))).await;
    let all = ["0: offer audio, video", "1: offer audio, video inactive"];
    assert_eq!(offers(&reach), all);
    let reach = transferred(&["audio"], &BOTH).await;
    reach.send(0, ChannelEvent::Answer(sdp(&BOTH))).await;
    assert_eq!(offers(&reach), all[..1], "they see each other");
}

#[tokio::test(start_paused = true)]
async fn three_have_none_and_the_two_that_stay_have_them_again() {
    let (reach, call) = consults().await;
    call.send(ChannelEvent::Established).await;
    press(&call, "*3").await;
    announced(&call, 5).await;
    for off in [
        "offer: audio, video inactive",
        "0: offer audio, video inactive",
        "1: offer audio, video inactive",
    ] {
        assert!(call.saw(off), "{off} {:?}", reach.world.ladder.lines());
    }
    call.send(ChannelEvent::Answer(sdp(&DARK))).await;
    for leg in [0, 1] {
        reach.send(leg, ChannelEvent::Answer(sdp(&DARK))).await;
    }
    hangs_up(&reach, 1, Cause::NormalClearing).await;
    assert!(
        call.saw("offer: audio, video") && call.saw("0: offer audio, video"),
        "{:?}",
        reach.world.ladder.lines()
    );
}

#[tokio::test(start_paused = true)]
async fn who_answers_the_change_in_a_way_nobody_can_use_is_not_asked_again() {
    let (reach, call) = talks(ANSWERED, &["audio"]).await;
    reach.world.script.lock().unwrap().refuse = vec![rtc::Refused::NoMedia];
    call.send(ChannelEvent::Answer(sdp(&["audio"]))).await;
    rests(&reach, 1).await;
    assert_eq!(call.handle.info().streams, "audio sendrecv, video sendrecv");
}

#[tokio::test(start_paused = true)]
async fn an_echo_after_a_party_without_pictures_has_them_again() {
    let plan = "exten => 100,1,Dial(TEST/1,,g)\n same => n,Echo()\n";
    let (reach, call) = talks(plan, &["audio"]).await;
    assert!(call.saw("answer: audio, video inactive"));
    hangs_up(&reach, 0, Cause::NormalClearing).await;
    assert!(
        call.saw("offer: audio, video"),
        "{:?}",
        reach.world.ladder.lines()
    );
    call.send(ChannelEvent::Answer(sdp(&BOTH))).await;
    rests(&reach, 1).await;
    assert_eq!(call.handle.info().streams, "audio sendrecv, video sendrecv");
}
