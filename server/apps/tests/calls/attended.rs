//! Attended transfers by digits: `atxfer` of `features.conf` and its options.

use switch::{Cause, ChannelEvent};

use crate::blind::{announced, press};
use crate::dial::hangs_up;
use crate::reach::Reach;
use crate::world::{Call, pass, seconds};

const PLAN: &str = "exten => 100,1,Dial(TEST/1,30,tT)
exten => 200,1,Dial(TEST/1)
";

pub(crate) const FEATURES: &str = "[general]
atxfernoanswertimeout=20
atxferloopdelay=4
atxfercallbackretries=2
atxferabort=*7
atxfercomplete=*8
atxferswap=*9
xfersound=done
xferfailsound=failed
[featuremap]
atxfer=*2
blindxfer=
";

/// Alice talks to leg 0 and calls 200, which is leg 1.
pub(crate) async fn calls(features: &str) -> (Reach, Call) {
    let reach = Reach::featured(PLAN, features).await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    press(&call, "*2").await;
    assert!(call.saw("parted"));
    announced(&call, 1).await;
    press(&call, "200").await;
    assert!(
        call.saw("1: call audio, video"),
        "{:?}",
        reach.world.ladder.lines()
    );
    (reach, call)
}

pub(crate) async fn consults() -> (Reach, Call) {
    let (reach, call) = calls(FEATURES).await;
    reach.ring(1).await;
    assert_eq!(
        reach.world.ladder.count("play tones"),
        3,
        "the target rings"
    );
    reach.answer(1).await;
    assert_eq!(reach.world.ladder.count("play tones ends"), 3);
    assert_eq!(connections(&reach), 2);
    (reach, call)
}

fn connections(reach: &Reach) -> usize {
    reach.world.ladder.count("connected")
}

fn now_apart(reach: &Reach) -> bool {
    connections(reach) == reach.world.ladder.count("parted")
}

#[tokio::test(start_paused = true)]
async fn the_transferer_hangs_up_and_the_two_talk() {
    let (reach, call) = consults().await;
    call.leave().await;
    announced(&call, 4).await;
    assert_eq!(connections(&reach), 3, "{:?}", reach.world.ladder.lines());
    assert!(!now_apart(&reach) && !call.saw("0: hangup 16") && !call.saw("1: hangup 16"));
    hangs_up(&reach, 1, Cause::NormalClearing).await;
    assert!(call.saw("0: hangup 16"));
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_called_transfers_as_well_and_ends_it_by_digits() {
    let reach = Reach::featured(PLAN, FEATURES).await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    reach.press(0, "*2").await;
    announced(&call, 1).await;
    reach.press(0, "200").await;
    reach.answer(1).await;
    reach.press(0, "*8").await;
    assert!(call.saw("0: hangup 16"));
    announced(&call, 3).await;
    assert!(!now_apart(&reach) && !call.is_over());
    call.leave().await;
    assert!(call.saw("1: hangup 16"));
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_is_given_up_while_it_rings_and_after_the_answer() {
    let (reach, call) = calls(FEATURES).await;
    press(&call, "*7").await;
    assert!(call.saw("1: hangup 16"));
    assert_eq!(connections(&reach), 2, "back to the first");

    let (reach, call) = consults().await;
    press(&call, "*7").await;
    assert!(call.saw("1: hangup 16"));
    assert_eq!(connections(&reach), 3);
    hangs_up(&reach, 0, Cause::NormalClearing).await;
    assert!(call.is_over());
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_transferer_goes_to_and_fro_and_then_leads_them_together() {
    let (reach, call) = consults().await;
    press(&call, "*9").await;
    assert_eq!(connections(&reach), 3);
    press(&call, "*9").await;
    assert_eq!(connections(&reach), 4);
    press(&call, "*9").await;
    press(&call, "*8").await;
    assert!(call.is_over());
    announced(&call, 4).await;
    assert_eq!(connections(&reach), 6);
    assert_eq!(
        reach.count(),
        4,
        "two parties and the two halves of a Local call"
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_answers_in_time_and_they_talk_on() {
    let (reach, call) = calls(FEATURES).await;
    pass(seconds(20)).await;
    assert!(call.saw("1: hangup 16") || call.saw("1: hangup 19"));
    announced(&call, 3).await;
    assert_eq!(connections(&reach), 2);
    assert!(!call.is_over());

    let (reach, call) = calls(FEATURES).await;
    hangs_up(&reach, 1, Cause::UserBusy).await;
    announced(&call, 3).await;
    assert_eq!(connections(&reach), 2);
}

#[tokio::test(start_paused = true)]
async fn the_target_leaves_and_the_first_two_talk_on() {
    let (reach, call) = consults().await;
    hangs_up(&reach, 1, Cause::NormalClearing).await;
    announced(&call, 4).await;
    assert_eq!(connections(&reach), 3);
    assert!(!call.is_over());
}

#[tokio::test(start_paused = true)]
async fn who_was_to_be_transferred_leaves_and_the_other_two_talk_on() {
    let (reach, call) = consults().await;
    hangs_up(&reach, 0, Cause::NormalClearing).await;
    assert_eq!(connections(&reach), 3);
    assert!(!call.is_over() && !now_apart(&reach));
    call.leave().await;
    assert!(call.saw("1: hangup 16"));
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_while_it_rings_has_transferred_blindly() {
    for digits in ["", "*8"] {
        let (reach, call) = calls(FEATURES).await;
        match digits {
            "" => call.leave().await,
            digits => press(&call, digits).await,
        }
        assert!(call.saw("leg closed"), "the transferer is gone");
        assert!(!call.saw("0: hangup 16"), "it hears ringing");
        reach.answer(1).await;
        announced(&call, 4).await;
        assert!(!now_apart(&reach), "{:?}", reach.world.ladder.lines());
        hangs_up(&reach, 0, Cause::NormalClearing).await;
        assert!(call.saw("1: hangup 16"));
        assert_eq!(reach.count(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_called_back_where_the_call_is_to_be_dropped() {
    let features = FEATURES.replace("[general]", "[general]\natxferdropcall=yes");
    let (reach, call) = calls(&features).await;
    call.leave().await;
    assert!(!call.saw("0: hangup 16"), "it hears ringing");
    pass(seconds(21)).await;
    assert!(call.saw("0: hangup 16"), "{:?}", reach.world.ladder.lines());
    assert!(!call.saw("2: call"), "{:?}", reach.world.ladder.lines());
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_transferer_is_called_back_and_the_target_again() {
    // The transferer is leg 0, whose channel is called PJSIP/alice: TEST stands in for that technology.
    let (reach, call) = calls(FEATURES).await;
    call.leave().await;
    // 20 s of ringing, a call back to nobody (no PJSIP here), 4 s, the target again.
    pass(seconds(20)).await;
    assert!(call.saw("1: hangup 16") || call.saw("1: hangup 19"));
    pass(seconds(4)).await;
    assert!(
        call.saw("2: call audio, video"),
        "{:?}",
        reach.world.ladder.lines()
    );
    reach.answer(2).await;
    announced(&call, 4).await;
    assert!(!now_apart(&reach));
    reach
        .send(2, ChannelEvent::Hangup(Cause::NormalClearing))
        .await;
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn nobody_at_all_answers_and_who_was_to_be_transferred_is_hung_up() {
    let (reach, call) = calls(FEATURES).await;
    call.leave().await;
    for _ in 0..4 {
        pass(seconds(20)).await;
        pass(seconds(4)).await;
    }
    assert!(call.saw("0: hangup 16"), "{:?}", reach.world.ladder.lines());
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_dialled_before_the_answer_reaches_who_is_heard() {
    let (reach, call) = calls(FEATURES).await;
    let answer = Some(crate::world::sdp(&["audio", "video"]));
    let early = ChannelEvent::Progress {
        status: 183,
        answer,
    };
    let sent = || {
        let lines = reach.world.ladder.lines();
        let digits = lines.iter().filter_map(|line| line.strip_prefix("digit "));
        let whole = digits.filter(|digit| digit.contains(" of "));
        whole
            .filter_map(|digit| digit.chars().next())
            .collect::<String>()
    };
    // Nobody hears this one.
    press(&call, "4").await;
    reach.send(1, early).await;
    assert_eq!(connections(&reach), 2, "{:?}", reach.world.ladder.lines());
    press(&call, "5").await;
    assert_eq!(sent(), "5");
    // What is meant for the exchange is not for the target.
    press(&call, "*3").await;
    press(&call, "6").await;
    assert_eq!(sent(), "56");
    press(&call, "*7").await;
    assert_eq!(sent(), "56");
    assert!(call.saw("1: hangup 16"));
}
