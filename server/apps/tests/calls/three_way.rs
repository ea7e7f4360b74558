//! A call of three: `atxferthreeway` of `features.conf`.

use switch::{Cause, ChannelEvent};

use crate::attended::consults;
use crate::blind::{announced, press};
use crate::dial::hangs_up;
use crate::reach::Reach;
use crate::world::Call;

/// Alice, leg 0 and leg 1 in one call.
async fn three() -> (Reach, Call) {
    let (reach, call) = consults().await;
    press(&call, "*3").await;
    assert!(call.saw("room of 3"), "{:?}", reach.world.ladder.lines());
    // The transferer and the target hear that it is done.
    announced(&call, 5).await;
    assert_eq!(joints(&reach), 3, "{:?}", reach.world.ladder.lines());
    (reach, call)
}

/// Joints that stand.
fn joints(reach: &Reach) -> usize {
    reach.world.ladder.count("connected") - reach.world.ladder.count("parted")
}

#[tokio::test(start_paused = true)]
async fn the_transferer_leaves_and_the_two_talk_on() {
    let (reach, call) = three().await;
    call.leave().await;
    assert_eq!(joints(&reach), 1);
    assert!(!call.saw("0: hangup 16") && !call.saw("1: hangup 16"));
    hangs_up(&reach, 1, Cause::NormalClearing).await;
    assert!(call.saw("0: hangup 16"));
    assert_eq!((reach.count(), joints(&reach)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn either_of_the_others_leaves_and_the_two_talk_on() {
    for leaves in [0, 1] {
        let (reach, call) = three().await;
        hangs_up(&reach, leaves, Cause::NormalClearing).await;
        assert_eq!(joints(&reach), 1, "{:?}", reach.world.ladder.lines());
        assert!(!call.is_over());
        call.leave().await;
        assert!(call.saw(&format!("{}: hangup 16", 1 - leaves)));
        assert_eq!((reach.count(), joints(&reach)), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn all_may_be_asked_for_while_the_target_still_rings() {
    let (reach, call) = crate::attended::calls(crate::attended::FEATURES).await;
    reach.ring(1).await;
    press(&call, "*3").await;
    assert!(!call.saw("room of 3"), "it is not there yet");
    reach.answer(1).await;
    announced(&call, 5).await;
    assert!(call.saw("room of 3"));
    assert_eq!(joints(&reach), 3, "{:?}", reach.world.ladder.lines());
}

#[tokio::test(start_paused = true)]
async fn from_the_one_who_waits_too_and_its_digits_go_to_both_others() {
    let (reach, call) = consults().await;
    press(&call, "*9").await;
    press(&call, "*3").await;
    announced(&call, 5).await;
    assert_eq!(joints(&reach), 3, "{:?}", reach.world.ladder.lines());
    let before = reach.world.ladder.count("digit 5 100 ms");
    press(&call, "5").await;
    let after = reach.world.ladder.lines();
    let sent = after
        .iter()
        .filter(|line| line.starts_with("digit 5"))
        .count();
    assert_eq!(sent - before, 2, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn who_is_led_elsewhere_goes_there_and_the_two_talk_on() {
    let (reach, call) = three().await;
    let to = switch::Control::Redirect(dialplan::Position {
        context: "test".to_owned(),
        exten: "100".to_owned(),
        priority: 1,
    });
    reach.send(0, ChannelEvent::Control(to)).await;
    assert!(
        call.saw("2: call audio, video"),
        "{:?}",
        reach.world.ladder.lines()
    );
    assert_eq!(joints(&reach), 1);
    assert!(!call.saw("0: hangup 16") && !call.saw("1: hangup 16") && !call.is_over());
}

/// It does not say which of the two others is meant.
#[tokio::test(start_paused = true)]
async fn a_refer_is_refused_and_all_talk_on() {
    let (reach, call) = three().await;
    let transfer = switch::Transfer {
        to: switch::TransferTo::Extension("100".to_owned()),
        referred_by: None,
        refer_to: String::new(),
    };
    call.send(ChannelEvent::Transfer(Box::new(transfer))).await;
    assert_eq!(joints(&reach), 3);
    assert!(!call.is_over());
}
