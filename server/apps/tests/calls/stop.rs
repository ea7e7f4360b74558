//! How the exchange ends while calls are in it.

use switch::{Stop, Then, When};

use crate::world::{World, settle};

const PLAN: &str = "exten => 1,1,Answer()\nsame => n,Wait(60)\n";

fn waits(when: When) -> Stop {
    Stop {
        when,
        then: Then::Restart,
        by: "test".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_graceful_stop_waits_for_calls_and_refuses_new_ones() {
    let world = World::new(PLAN).await;
    let call = world.dial("1").await;
    let switch = world.switch.clone();
    let stopped = tokio::spawn(async move { switch.until_stop().await });
    world.switch.ask_stop(waits(When::Gracefully));
    settle().await;
    assert!(!stopped.is_finished() && !call.is_over());
    assert!(world.try_dial("1", None).is_none(), "refused");
    call.leave().await;
    let stop = stopped.await.unwrap();
    assert_eq!((stop.when, stop.then), (When::Now, Then::Restart));
}

#[tokio::test(start_paused = true)]
async fn a_stop_when_convenient_takes_calls_meanwhile() {
    let world = World::new(PLAN).await;
    let first = world.dial("1").await;
    let switch = world.switch.clone();
    let stopped = tokio::spawn(async move { switch.until_stop().await });
    world.switch.ask_stop(waits(When::Convenient));
    let second = world.dial("1").await;
    first.leave().await;
    settle().await;
    assert!(!stopped.is_finished(), "the second call is there");
    second.leave().await;
    stopped.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_waits_can_be_taken_back() {
    let world = World::new(PLAN).await;
    let call = world.dial("1").await;
    let switch = world.switch.clone();
    let stopped = tokio::spawn(async move { switch.until_stop().await });
    world.switch.ask_stop(waits(When::Gracefully));
    settle().await;
    assert_eq!(world.switch.abort_stop(), Some(waits(When::Gracefully)));
    assert_eq!(world.switch.abort_stop(), None);
    call.leave().await;
    settle().await;
    assert!(!stopped.is_finished());
    assert!(world.try_dial("1", None).is_some());
    world.switch.ask_stop(Stop::now("test"));
    assert_eq!(stopped.await.unwrap().then, Then::Leave);
    assert_eq!(world.switch.abort_stop(), None, "it is under way");
}
