//! What protects the exchange from a call, and calls from each other.

use std::time::Duration;

use media::EchoMode;
use switch::pbx::PRIORITIES_WITHOUT_WAITING_MAX;
use switch::{Application, Cause, ChannelEvent, INBOX_MAX};

use crate::world::{World, pass, sdp, seconds, settle};

#[tokio::test(start_paused = true)]
async fn an_endless_goto_is_ended_and_other_calls_run_meanwhile() {
    let world = World::new(
        "exten => 1,1,NoOp()\nsame => n,Wait(0)\nsame => n,Goto(1)\n\
         exten => 2,1,Answer()\nsame => n,Wait(60)\n",
    )
    .await;
    let endless = world.try_dial("1", None).unwrap();
    let other = world.dial("2").await;
    assert!(other.saw("answer: audio, video"), "the endless one yields");
    while !endless.is_over() {
        settle().await;
    }
    assert!(world.ladder.has("hangup 42"));
    let remarks = world.remarks();
    let limit = PRIORITIES_WITHOUT_WAITING_MAX.to_string();
    assert!(
        remarks.iter().any(|text| text.starts_with(&limit)),
        "{remarks:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_far_end_can_leave_an_endless_goto() {
    let world = World::new("exten => 1,1,NoOp()\nsame => n,Goto(1)\n").await;
    let call = world.try_dial("1", None).unwrap();
    tokio::task::yield_now().await;
    call.leave().await;
    assert!(call.is_over());
    assert!(world.ladder.lines().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_waits_runs_for_ever() {
    let world = World::new("exten => 1,1,Wait(0.001)\nsame => n,Goto(1)\n").await;
    let call = world.dial("1").await;
    for _ in 0..2_000 {
        tokio::time::advance(Duration::from_millis(2)).await;
        tokio::task::yield_now().await;
    }
    assert!(!call.is_over());
}

static STUCK: Application = Application {
    name: "Stuck",
    synopsis: "",
    doc: "",
    run: |call, _| {
        Box::pin(async move {
            call.answer().await?;
            let _echo = call.echo(EchoMode::OneToOne);
            // Waits for something that is not the channel, and not through `during`.
            std::future::pending::<()>().await;
            Ok(())
        })
    },
};

static PANICS: Application = Application {
    name: "Panics",
    synopsis: "",
    doc: "",
    run: |call, _| {
        Box::pin(async move {
            call.answer().await?;
            panic!("a defect");
        })
    },
};

static WAIT: Application = Application {
    name: "Wait",
    synopsis: "",
    doc: "",
    run: |call, _| Box::pin(async move { call.wait(Duration::from_secs(60)).await }),
};

static DURING: Application = Application {
    name: "During",
    synopsis: "",
    doc: "",
    run: |call, _| {
        Box::pin(async move {
            let timer = tokio::time::sleep(Duration::from_secs(60));
            call.during(timer).await?;
            Err(call.hangup(Cause::UserBusy))
        })
    },
};

static TABLE: &[&Application] = &[&STUCK, &PANICS, &WAIT, &DURING];

const PLAN: &str = "exten => 1,1,Stuck()\nexten => 2,1,Panics()\nexten => 3,1,Wait()\n\
     exten => 4,1,During()\n";

#[tokio::test(start_paused = true)]
async fn a_call_that_reads_no_events_is_dropped_when_its_inbox_is_full() {
    let world = World::with(PLAN, TABLE).await;
    let stuck = world.dial("1").await;
    let other = world.dial("3").await;
    for _ in 0..INBOX_MAX {
        assert!(stuck.inbox.send(ChannelEvent::FlowRestored));
    }
    settle().await;
    assert!(!stuck.is_over());
    assert!(!stuck.inbox.send(ChannelEvent::FlowRestored));
    settle().await;
    assert!(stuck.is_over() && !other.is_over());
    assert_eq!(
        world.ladder.lines(),
        [
            "answer: audio, video",
            "echo one to one",
            "echo one to one ends",
            "hangup 42",
            "leg closed"
        ]
    );
    assert!(
        world
            .story()
            .verdict
            .clone()
            .unwrap()
            .english
            .contains("no longer read its events")
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_its_call_only() {
    let world = World::with(PLAN, TABLE).await;
    let other = world.dial("3").await;
    let panics = world.dial("2").await;
    assert!(panics.is_over() && !other.is_over());
    assert_eq!(
        world.ladder.lines(),
        ["answer: audio, video", "hangup 127", "leg closed"]
    );
    assert_eq!(world.switch.status().tasks, 1);
    assert_eq!(world.switch.directory().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn hangup_interrupts_what_is_awaited_beside_the_channel() {
    let world = World::with(PLAN, TABLE).await;
    let call = world.dial("4").await;
    let finished = world.dial("4").await;
    call.leave().await;
    assert!(call.is_over());
    pass(seconds(60)).await;
    assert!(finished.is_over());
    assert_eq!(world.ladder.lines(), ["hangup 17"]);
}

#[tokio::test(start_paused = true)]
async fn shutdown_hangs_up_every_call_within_a_second_even_a_stuck_one() {
    let world = World::with(PLAN, TABLE).await;
    let stuck = world.dial("1").await;
    let waits = world.dial("3").await;
    let began = tokio::time::Instant::now();
    world.switch.shutdown(Cause::NormalClearing).await;
    assert!(began.elapsed() <= seconds(1));
    assert!(stuck.is_over() && waits.is_over());
    assert!(world.ladder.has("hangup 16") && world.ladder.has("hangup 41"));
    assert_eq!(world.switch.status().tasks, 0);
    assert!(
        world.try_dial("3", None).is_none(),
        "no call is taken any more"
    );
}

#[tokio::test(start_paused = true)]
async fn no_media_refuses_the_call_as_unavailable() {
    let world = World::new("exten => 1,1,Answer()\n").await;
    world.script.lock().unwrap().full = true;
    world.dial("1").await;
    assert_eq!(world.ladder.lines(), ["hangup 47"]);
    assert_eq!(Cause::ResourceUnavailable.status(), 503);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_and_one_calls_are_one_too_many() {
    let world = World::with(PLAN, TABLE).await;
    let calls: Vec<_> = (0..switch::CHANNELS_MAX)
        .map(|_| {
            world
                .try_dial("3", Some(sdp(&["audio"])))
                .expect("there is room")
        })
        .collect();
    assert!(world.try_dial("3", None).is_none());
    assert_eq!(world.ladder.lines(), ["hangup 42"]);
    assert_eq!(Cause::SwitchCongestion.status(), 503);
    assert_eq!(world.switch.directory().count(), calls.len());
}
