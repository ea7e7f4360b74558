//! Calls that ring and are picked up by another: `Pickup`, `PickupChan`, `pickupexten`.

use std::sync::Arc;

use switch::{Cause, ChannelEvent};

use crate::dial::{hangs_up, result};
use crate::reach::Reach;
use crate::sounds::Folder;
use crate::world::{World, pass, sdp, seconds};

const PLAN: &str = "exten => 100,1,Dial(TEST/2,30,g)
 same => n,NoOp(${DIALSTATUS} ${DIALEDPEERNAME} ${DIALEDPEERNUMBER})
exten => 110,1,Set(_PICKUPMARK=door)
 same => n,Dial(TEST/1)
exten => 700,1,Pickup(999&100)
 same => n,NoOp(nothing)
exten => 701,1,Pickup(100@other&100@test)
exten => 702,1,Pickup(wrong@PICKUPMARK&door@PICKUPMARK)
exten => 703,1,PickupChan(PJSIP/nobody&pjsip/ALICE-00000001)
exten => 704,1,Pickup()
 same => n,NoOp(nothing)
";

/// A world whose endpoints are in these groups.
async fn reach(call_group: &str, pickup_group: &str) -> Reach {
    let text = format!(
        "[alice]\ntype=endpoint\nnamed_call_group=others\ncall_group={call_group}\npickup_group={pickup_group}\n"
    );
    let files = [("pjsip.conf", text.as_str())];
    let config = config::load(&files.as_slice()).0.unwrap();
    let read = &config.endpoints["alice"].endpoint;
    Reach::with(PLAN, |endpoint| {
        endpoint.call_groups = read.call_groups.clone();
        endpoint.pickup_groups = read.pickup_groups.clone();
    })
    .await
}

/// 100 is called and rings at its second place; then this is dialled.
async fn picked_up(reach: &Reach, exten: &str) {
    let caller = reach.world.dial("100").await;
    reach.ring(1).await;
    let other = reach.world.dial_with(exten, Some(sdp(&["audio"]))).await;
    let lines = reach.world.ladder.lines();
    let expected = [
        "0: open for 'alice'",
        "0: call audio, video",
        "1: open for 'alice'",
        "1: call audio, video",
        "ring",
        "answer: audio",
        "1: hangup 26",
        "leg closed",
        "0: hangup 26",
        "leg closed",
        // Who picks up has no pictures.
        "answer: audio, video inactive",
        "connected",
    ];
    assert_eq!(lines, expected, "{exten}");
    assert_eq!(reach.count(), 2);
    other.leave().await;
    assert_eq!(result(reach), "ANSWER PJSIP/alice-00000003 2", "{exten}");
    assert!(caller.is_over());
}

#[tokio::test(start_paused = true)]
async fn who_picks_up_talks_to_the_caller_and_the_phones_stop_ringing() {
    for exten in ["700", "701"] {
        picked_up(&reach("", "").await, exten).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_is_picked_up_by_its_name_or_its_mark() {
    let reach = reach("", "").await;
    let caller = reach.world.dial("110").await;
    reach.ring(0).await;
    let other = reach.world.dial("702").await;
    assert!(reach.world.ladder.has("connected") && caller.saw("0: hangup 26"));
    caller.leave().await;
    assert!(other.is_over(), "the caller ends the call of both");

    let reach = self::reach("", "").await;
    reach.world.dial("110").await;
    reach.ring(0).await;
    reach.world.dial("703").await;
    assert!(reach.world.ladder.has("connected"));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_ring_is_not_picked_up_and_the_dial_plan_goes_on() {
    let reach = reach("", "").await;
    let caller = reach.world.dial("100").await;
    let other = reach.world.dial("700").await;
    assert_eq!(result(&reach), "nothing", "called, but not ringing");
    assert!(other.is_over() && !caller.is_over());
    reach.answer(0).await;
    let third = reach.world.dial("700").await;
    assert!(third.is_over() && !caller.is_over(), "it talks");
    assert_eq!(reach.world.ladder.count("connected"), 1);
}

#[tokio::test(start_paused = true)]
async fn who_picks_up_in_vain_is_told_what_rings() {
    let reach = reach("", "").await;
    let said = |reach: &Reach| {
        let stories = reach.world.switch.directory().stories();
        let last = stories.last().unwrap();
        let remarks = last.events.iter().map(|entry| entry.event.to_string());
        remarks.collect::<Vec<_>>().join("\n")
    };
    reach.world.dial("700").await;
    let text = said(&reach);
    assert!(text.contains("the call goes on; nothing rings"), "{text}");
    reach.world.dial("110").await;
    reach.ring(0).await;
    reach.world.dial("700").await;
    let text = said(&reach);
    let rings = "what rings: PJSIP/alice-00000002 (dialled as 110@test)";
    assert!(text.contains(rings), "{text}");
}

/// pjsip.conf: `call_group`, `pickup_group`, `named_call_group`, `named_pickup_group`; features.conf: `pickupexten`.
#[tokio::test(start_paused = true)]
async fn the_oldest_call_of_the_group_is_taken() {
    for exten in ["704", "*8"] {
        let reach = reach("3-5", "1,4").await;
        let first = reach.world.dial("110").await;
        reach.world.dial("110").await;
        reach.ring(1).await;
        reach.ring(0).await;
        reach.world.dial(exten).await;
        assert!(
            first.saw("0: hangup 26") && first.saw("connected"),
            "{exten}"
        );
        assert!(!first.saw("1: hangup 26"));
        reach.world.dial(exten).await;
        assert!(first.saw("1: hangup 26"), "{exten}");
        assert_eq!(reach.world.ladder.count("connected"), 2);
    }
    // Another group.
    let reach = reach("3-5", "1,2").await;
    reach.world.dial("110").await;
    reach.ring(0).await;
    let other = reach.world.dial("*8").await;
    assert!(other.is_over() && other.saw("hangup 21"));
    assert!(!other.saw("0: hangup 26"));
}

/// features.conf: `pickupsound`, `pickupfailsound`.
#[tokio::test(start_paused = true)]
async fn who_picks_up_hears_whether_it_worked() {
    let folder = Folder::new("pickup");
    let files = [("good.ulaw", 300), ("bad.ulaw", 500)];
    let world = World::with_sounds(PLAN, &folder.0, &files).await;
    let mut config = (*world.switch.config()).clone();
    let general = &mut config.features.general;
    general.pickup_sound = Some("good".to_owned());
    general.pickup_fail_sound = Some("bad".to_owned());
    general.pickup_exten = "*9".to_owned();
    world.switch.store().set_config(Arc::new(config));
    let reach = Reach::on(world, |_| {});
    let call = reach.world.dial("*9").await;
    call.sees("play 500 ms", 1).await;
    pass(seconds(1)).await;
    call.sees("hangup 21", 1).await;
    reach.world.dial("110").await;
    reach.ring(0).await;
    let call = reach.world.dial("702").await;
    call.sees("play 300 ms", 1).await;
    call.sees("connected", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_picked_up_call_ends_like_any_other() {
    let reach = reach("", "").await;
    let caller = reach.world.dial("100").await;
    reach.ring(0).await;
    let other = reach.world.dial("700").await;
    // Late news of the phones that rang is for nobody.
    reach
        .send(0, ChannelEvent::Accepted(Some(sdp(&["audio"]))))
        .await;
    hangs_up(&reach, 1, Cause::UserBusy).await;
    assert!(!caller.is_over() && !other.is_over());
    caller.leave().await;
    assert!(other.is_over() && caller.is_over());
    assert_eq!(reach.count(), 0);
}

/// Two want the same call: who comes second hears `pickupfailsound`.
#[tokio::test(start_paused = true)]
async fn who_picks_up_too_late_hears_that() {
    let folder = Folder::new("race");
    let files = [("good.ulaw", 300), ("bad.ulaw", 500)];
    let world = World::with_sounds(PLAN, &folder.0, &files).await;
    let mut config = (*world.switch.config()).clone();
    let general = &mut config.features.general;
    general.pickup_sound = Some("good".to_owned());
    general.pickup_fail_sound = Some("bad".to_owned());
    world.switch.store().set_config(Arc::new(config));
    let reach = Reach::on(world, |_| {});
    reach.world.dial("110").await;
    reach.ring(0).await;
    // Both find it ringing, and read their sound at once.
    let offer = || Some(sdp(&["audio", "video"]));
    let first = reach.world.try_dial("702", offer()).unwrap();
    let second = reach.world.try_dial("702", offer()).unwrap();
    first.sees("play 300 ms", 2).await;
    first.sees("connected", 1).await;
    first.sees("play 500 ms", 1).await;
    pass(seconds(1)).await;
    first.sees("hangup 21", 1).await;
    assert_eq!(reach.world.ladder.count("connected"), 1);
    assert!(
        first.is_over() != second.is_over(),
        "one of them has the call"
    );
}
