//! `GROUP()` and its kin: limits by counting.

use crate::dial::result;
use crate::reach::Reach;
use crate::world::{World, settle};

#[tokio::test(start_paused = true)]
async fn channels_are_counted_in_their_groups_until_they_hang_up() {
    let plan = "exten => 1,1,Set(GROUP(trunk)=berlin)\n same => n,Set(GROUP()=all)\n same => n,Wait(100)\n\
                exten => 2,1,Set(GROUP()=bonn@trunk)\n same => n,Wait(100)\n\
                exten => 3,1,Set(GROUP(trunk)=berlin)\n same => n,Set(GROUP(trunk)=)\n same => n,Wait(100)\n\
                exten => 9,1,Set(GLOBAL(is)=${GROUP_COUNT(berlin@trunk)} ${GROUP_COUNT(bonn@trunk)} \
                ${GROUP_COUNT(all)} ${GROUP_MATCH_COUNT(^b@trunk)} ${GROUP_MATCH_COUNT(.)} ${GROUP_COUNT()})\n\
                exten => 8,1,Set(GROUP(a)=x)\n same => n,Set(GROUP()=y)\n same => n,Set(GROUP(a)=z)\n \
                same => n,Set(GLOBAL(is)=${GROUP_LIST()} ${GROUP(a)} ${GROUP()} ${GROUP_COUNT()} ${GROUP_COUNT(@a)})\n";
    let world = World::new(plan).await;
    let is = || world.switch.global("is").unwrap();
    let berlin = world.dial("1").await;
    world.dial("1").await;
    world.dial("2").await;
    world.dial("3").await;
    world.dial("9").await;
    assert_eq!(is(), "2 1 2 3 3 0");
    berlin.leave().await;
    settle().await;
    world.dial("9").await;
    assert_eq!(is(), "1 1 1 2 2 0");
    world.dial("8").await;
    assert_eq!(is(), "y z@a z y 1 1");
}

/// The example of docs/trunks.md.
#[tokio::test(start_paused = true)]
async fn the_third_call_to_a_trunk_is_refused() {
    let plan = "exten => _0X.,1,Set(GROUP(trunk)=provider)\n \
                same => n,GotoIf($[${GROUP_COUNT(provider@trunk)} > 2]?full)\n \
                same => n,Dial(TEST/1,60)\n same => n,Hangup()\n \
                same => n(full),Congestion()\n";
    let reach = Reach::new(plan).await;
    let first = reach.world.dial("0123").await;
    let second = reach.world.dial("0456").await;
    let third = reach.world.dial("0789").await;
    assert!(third.is_over() && third.saw("hangup 34"));
    assert!(!first.is_over() && !second.is_over());
    first.leave().await;
    let fourth = reach.world.dial("0789").await;
    assert!(!fourth.is_over());
}

/// `OUTBOUND_GROUP` is for the called channel.
#[tokio::test(start_paused = true)]
async fn a_called_channel_is_put_into_a_group_of_its_own() {
    let plan = "exten => 100,1,Set(OUTBOUND_GROUP=out@trunk)\n same => n,Dial(TEST/2)\n\
                exten => 200,1,Set(OUTBOUND_GROUP_ONCE=once@trunk)\n same => n,Dial(TEST/1,1)\n \
                same => n,Dial(TEST/1)\n\
                exten => 9,1,NoOp(${GROUP_COUNT(out@trunk)} ${GROUP_COUNT(once@trunk)})\n";
    let reach = Reach::new(plan).await;
    reach.world.dial("100").await;
    reach.world.dial("200").await;
    reach.world.dial("9").await;
    assert_eq!(result(&reach), "2 1");
    reach.answer(1).await;
    crate::world::pass(crate::world::seconds(2)).await;
    let world = &reach.world;
    world.dial("9").await;
    let stories = world.switch.directory().stories();
    let told = format!("{stories:?}");
    assert!(told.contains("NoOp(1 0)"), "{told}");
}
