//! The connection for signalling breaks; media ends; digits come twice.

use media::{DownReason, LegEvent};
use rtc::Down;
use switch::{Cause, ChannelEvent, FLOW_GRACE};

use crate::world::{World, millis, pass, seconds};

const PLAN: &str =
    "exten => 1,1,Answer()\nsame => n,Echo()\nsame => n,Echo()\nsame => n,Hangup(31)\n";

#[tokio::test(start_paused = true)]
async fn a_lost_flow_that_comes_back_in_time_changes_nothing() {
    let world = World::new(PLAN).await;
    let call = world.dial("1").await;
    call.send(ChannelEvent::FlowLost).await;
    pass(FLOW_GRACE - millis(1)).await;
    call.send(ChannelEvent::FlowRestored).await;
    pass(FLOW_GRACE * 2).await;
    assert!(!call.is_over());
    assert!(!call.saw("echo one to one ends"), "media is kept meanwhile");
}

#[tokio::test(start_paused = true)]
async fn a_flow_lost_for_good_ends_the_call_after_the_grace() {
    let world = World::new(PLAN).await;
    let call = world.dial("1").await;
    call.send(ChannelEvent::FlowLost).await;
    pass(seconds(20)).await;
    // Lost again without having come back: the first loss counts.
    call.send(ChannelEvent::FlowLost).await;
    pass(seconds(9)).await;
    assert!(!call.is_over());
    pass(seconds(1)).await;
    assert!(call.is_over() && call.saw("hangup 38"));
    assert_eq!(world.story().cause, Cause::NetworkOutOfOrder);
}

#[tokio::test(start_paused = true)]
async fn media_that_ends_ends_the_call() {
    let world = World::new(PLAN).await;
    let call = world.dial("1").await;
    call.send(LegEvent::Down(DownReason::Transport(Down::NeverConnected)))
        .await;
    assert!(call.saw("hangup 102"));
    let verdict = world.story().verdict.clone().unwrap().english;
    assert!(
        verdict.contains("never came up: no ICE check succeeded"),
        "{verdict}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_digit_that_comes_both_ways_counts_once() {
    let world = World::new(PLAN).await;
    let call = world.dial("1").await;
    call.events('#', millis(80)).await;
    assert_eq!(
        world.ladder.count("echo one to one"),
        2,
        "the first # ends the first echo"
    );
    pass(millis(99)).await;
    call.press('#').await;
    assert!(!call.is_over(), "the same one by INFO");
    pass(millis(40)).await;
    call.press('#').await;
    assert!(call.is_over());
}
