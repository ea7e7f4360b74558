//! Blind transfers by digits: options `t` and `T` of `Dial`, `blindxfer` of `features.conf`.

use switch::Cause;

use crate::dial::{hangs_up, result};
use crate::reach::Reach;
use crate::world::{Call, millis, pass, seconds};

const PLAN: &str = "exten => 100,1,Dial(TEST/1,30,tT)
exten => 200,1,NoOp(${BLINDTRANSFER})
 same => n,Dial(TEST/1)
exten => 2001,1,NoOp(longer)
[elsewhere]
exten => 7,1,NoOp(elsewhere ${CONTEXT})
 same => n,Wait(100)
";

const FEATURES: &str = "[general]
transferdigittimeout=5
transferdialattempts=2
transferannouncesound=who
transferretrysound=again
transferinvalidsound=enough
[featuremap]
blindxfer=#1
";

async fn talk(features: &str) -> (Reach, Call) {
    let reach = Reach::featured(PLAN, features).await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    assert!(call.saw("connected"));
    (reach, call)
}

/// Dials, with a moment between two digits.
pub(crate) async fn press(call: &Call, digits: &str) {
    for digit in digits.chars() {
        call.press(digit).await;
        pass(millis(150)).await;
    }
}

/// The announcement has begun as a tone for the `count`th time; it is heard to its end.
pub(crate) async fn announced(call: &Call, count: usize) {
    call.sees("play tones", count).await;
    pass(millis(700)).await;
}

#[tokio::test(start_paused = true)]
async fn the_caller_sends_the_called_to_an_extension_that_is_dialled() {
    let (reach, call) = talk(FEATURES).await;
    press(&call, "#1").await;
    assert!(call.saw("parted"), "the two are parted for the time");
    announced(&call, 1).await;
    // The announcement has ended, the dial tone is heard until the first digit.
    assert_eq!(reach.world.ladder.count("play tones"), 2);
    press(&call, "2").await;
    assert_eq!(reach.world.ladder.count("play tones ends"), 2);
    press(&call, "00").await;
    assert!(!call.is_over(), "2001 exists as well");
    pass(seconds(5)).await;
    assert!(call.is_over() && call.saw("hangup 16"));
    assert!(
        call.saw("1: call audio, video"),
        "{:?}",
        reach.world.ladder.lines()
    );
    reach.answer(1).await;
    assert_eq!(reach.world.ladder.count("connected"), 2);
    hangs_up(&reach, 1, Cause::NormalClearing).await;
    assert_eq!(result(&reach), "PJSIP/alice-00000000");
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_called_sends_the_caller_in_the_context_it_names() {
    let (reach, call) = talk(FEATURES).await;
    let all = reach.world.switch.directory().all();
    assert_eq!(all.len(), 2);
    reach.press(0, "#1").await;
    announced(&call, 1).await;
    reach.press(0, "200#").await;
    assert!(call.saw("0: hangup 16"), "{:?}", reach.world.ladder.lines());
    assert!(!call.is_over());
    assert!(call.runs().starts_with("Dial("), "{}", call.runs());
    call.leave().await;
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn transfer_context_says_where_extensions_are() {
    let plan = PLAN.replace("Dial(TEST/1,30,tT)", "Set(TRANSFER_CONTEXT=elsewhere)")
        + "[test](+)\nexten => 100,2,Dial(TEST/1,30,T)\n";
    let reach = Reach::featured(&plan, FEATURES).await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    press(&call, "#1").await;
    announced(&call, 1).await;
    press(&call, "7").await;
    assert!(call.is_over());
    let runs: Vec<_> = reach.states().into_iter().map(|(_, runs)| runs).collect();
    assert_eq!(runs, ["Wait(100)"], "{:?}", reach.world.ladder.lines());
}

#[tokio::test(start_paused = true)]
async fn wrong_numbers_are_allowed_a_few_times_then_they_talk_on() {
    let (reach, call) = talk(FEATURES).await;
    press(&call, "#1").await;
    announced(&call, 1).await;
    press(&call, "9").await;
    // Told that it is wrong, asked anew, dial tone.
    announced(&call, 3).await;
    announced(&call, 4).await;
    pass(seconds(5)).await;
    // Nothing dialled is wrong as well, and the last time.
    announced(&call, 6).await;
    assert!(!call.is_over());
    assert_eq!(reach.world.ladder.count("connected"), 2, "they talk again");
    hangs_up(&reach, 0, Cause::NormalClearing).await;
    assert!(call.is_over());
    let remarks = format!("{:?}", reach.world.switch.directory().stories());
    for told in [
        "PJSIP/alice-00000000 dials blind transfer (blindxfer), talking to PJSIP/alice-00000001",
        "transfer by PJSIP/alice-00000000 to 9 fails: no such extension in context test \
         (TRANSFER_CONTEXT sets another)",
        "transfer by PJSIP/alice-00000000 fails: no number was dialled",
    ] {
        assert!(remarks.contains(told), "{told}\n{remarks}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_may_leave_and_who_dials_too() {
    let (reach, call) = talk(FEATURES).await;
    press(&call, "#1").await;
    hangs_up(&reach, 0, Cause::NormalClearing).await;
    assert!(call.is_over(), "{:?}", reach.world.ladder.lines());
    let (reach, call) = talk(FEATURES).await;
    press(&call, "#1").await;
    call.leave().await;
    assert!(call.saw("0: hangup 16"));
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_was_not_granted_it_transfers_nobody() {
    let reach = Reach::featured("exten => 100,1,Dial(TEST/1,30,t)\n", FEATURES).await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    press(&call, "#1").await;
    assert!(!call.saw("parted"));
    reach.press(0, "#1").await;
    assert!(call.saw("parted"));
}
