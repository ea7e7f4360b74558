//! Features of `[applicationmap]`, for who has them in `DYNAMIC_FEATURES`.

use switch::Cause;

use crate::blind::press;
use crate::dial::hangs_up;
use crate::reach::Reach;
use crate::world::{pass, seconds};

const FEATURES: &str = "[general]
featuredigittimeout=500
[applicationmap]
note => *1,self/caller,NoOp,own ${CHANNEL}
told => *2,peer/callee,Wait(2)
send => *5,self/caller,BlindTransfer(300)
ask => *6,self/caller,AttnTransfer,300,default
lost => *7,self/caller,BlindTransfer(999)
[team]
note => 77
";

async fn reach(dynamic: &str) -> Reach {
    let plan = format!(
        "exten => 100,1,Set(DYNAMIC_FEATURES={dynamic})\n same => n,Dial(TEST/1)\n\
         exten => h,1,NoOp()\nexten => 300,1,Dial(TEST/1)\n\
         exten => 400,1,BlindTransfer(300)\n same => n,NoOp(${{BLINDTRANSFERSTATUS}})\n"
    );
    Reach::featured(&plan, FEATURES).await
}

/// How often the stories say that this ran.
/// How often this was told of a call.
pub(crate) fn ran(reach: &Reach, what: &str) -> usize {
    let stories = reach.world.switch.directory().stories();
    let events = stories.iter().flat_map(|story| &story.events);
    let said = events.filter(|entry| format!("{:?}", entry.event).contains(what));
    said.count()
}

#[tokio::test(start_paused = true)]
async fn digits_run_an_application_on_who_dialled_them_or_on_the_other() {
    let reach = reach("note#told").await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    press(&call, "*1").await;
    assert_eq!(reach.world.ladder.count("connected"), 2, "and they talk on");
    // It is not the caller's to start.
    press(&call, "*2").await;
    assert_eq!(reach.world.ladder.count("parted"), 1);
    reach.press(0, "*1").await;
    assert_eq!(reach.world.ladder.count("parted"), 1);
    reach.press(0, "*2").await;
    assert_eq!(reach.world.ladder.count("parted"), 2);
    assert_eq!(reach.world.ladder.count("connected"), 2);
    pass(seconds(2)).await;
    assert_eq!(reach.world.ladder.count("connected"), 3);
    hangs_up(&reach, 0, Cause::NormalClearing).await;
    assert_eq!(ran(&reach, "NoOp(own PJSIP/alice-00000000)"), 1);
    assert_eq!(ran(&reach, "Wait(2)"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_group_has_digits_of_its_own() {
    let reach = reach("team").await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    press(&call, "*1").await;
    assert!(!call.saw("parted"));
    press(&call, "7").await;
    pass(seconds(1)).await;
    press(&call, "7").await;
    assert!(!call.saw("parted"), "too slow");
    pass(seconds(1)).await;
    press(&call, "77").await;
    assert!(call.saw("parted"));
}

#[tokio::test(start_paused = true)]
async fn the_other_may_leave_while_an_application_runs() {
    let reach = reach("told").await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    reach.press(0, "*2").await;
    hangs_up(&reach, 0, Cause::NormalClearing).await;
    assert!(call.is_over());
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_channel_has_digits_and_pauses_of_its_own() {
    let plan = "exten => 100,1,Set(FEATUREMAP(disconnect)=*55)
 same => n,Set(FEATURE(featuredigittimeout)=3000)
 same => n,Set(FEATURE(featuredigittimeout)=soon)
 same => n,Set(FEATUREMAP(disconnect)=x)
 same => n,Set(FEATUREMAP(nothing)=1)
 same => n,NoOp(${FEATUREMAP(disconnect)} ${FEATURE(featuredigittimeout)} ${FEATUREMAP(blindxfer)})
 same => n,Dial(TEST/1,30,H)
";
    let reach = Reach::featured(plan, FEATURES).await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    press(&call, "*").await;
    pass(seconds(2)).await;
    press(&call, "55").await;
    assert!(call.is_over());
    assert_eq!(crate::dial::result(&reach), "*55 3000 #");
}

#[tokio::test(start_paused = true)]
async fn a_feature_sends_the_other_party_to_an_extension() {
    let reach = reach("send#lost").await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    press(&call, "*7").await;
    assert!(
        !call.is_over() && !call.saw("1: call audio, video"),
        "there is no such extension"
    );
    press(&call, "*5").await;
    assert!(
        call.is_over() && call.saw("1: call audio, video"),
        "{:?}",
        reach.world.ladder.lines()
    );
    reach.answer(1).await;
    hangs_up(&reach, 1, Cause::NormalClearing).await;
    assert!(call.saw("0: hangup 16"));
}

#[tokio::test(start_paused = true)]
async fn a_feature_calls_an_extension_before_the_other_party_is_sent_there() {
    let reach = reach("ask").await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    press(&call, "*6").await;
    assert!(
        !call.is_over() && call.saw("1: call audio, video"),
        "{:?}",
        reach.world.ladder.lines()
    );
    reach.answer(1).await;
    assert!(!call.saw("0: hangup 16"), "it waits");
    call.leave().await;
    call.sees("play tones", 1).await;
    pass(seconds(1)).await;
    assert!(call.is_over() && !call.saw("0: hangup 16") && !call.saw("1: hangup 16"));
    hangs_up(&reach, 1, Cause::NormalClearing).await;
    assert!(call.saw("0: hangup 16"));
}

#[tokio::test(start_paused = true)]
async fn who_talks_to_nobody_sends_nobody_on() {
    let reach = reach("send").await;
    reach.world.dial("400").await;
    assert_eq!(ran(&reach, "NoOp(FAILURE)"), 1);
}
