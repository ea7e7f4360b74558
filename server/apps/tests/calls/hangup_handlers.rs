//! `CHANNEL(hangup_handler_push)` and its kin: subroutines that are run when a channel is over.

use switch::story::StoryEvent;
use switch::{Cause, HANGUP_HANDLERS_MAX};

use crate::dial::hangs_up;
use crate::reach::Reach;
use crate::world::{World, pass, seconds};

/// What `NoOp` said, of each call in its order.
fn said(world: &World) -> Vec<String> {
    let stories = world.switch.directory().stories();
    let events = stories.iter().flat_map(|story| &story.events);
    let said = events.filter_map(|entry| match &entry.event {
        StoryEvent::Application { application, .. } => {
            let said = application.strip_prefix("NoOp(")?.strip_suffix(')')?;
            Some(said.trim_end().to_owned())
        }
        _ => None,
    });
    said.collect()
}

const SUB: &str = "exten => sub,1,NoOp(${ARG1} ${ARG2} ${X} ${EXTEN} ${HANGUPCAUSE})
 same => n,Return()
exten => ends,1,Hangup()
 same => n,NoOp(never)
exten => waits,1,Wait(5)
 same => n,NoOp(never)
exten => again,1,Set(GLOBAL(RAN)=$[0${RAN}+1])
 same => n,Set(CHANNEL(hangup_handler_push)=again,1)
 same => n,Return()
exten => h,1,NoOp(h)
";

async fn world(steps: &str) -> World {
    World::new(&format!(
        "exten => 100,1,{steps}\n same => n,Wait(60)\n{SUB}"
    ))
    .await
}

#[tokio::test(start_paused = true)]
async fn the_latest_is_run_first_and_all_after_h() {
    let world = world(
        "Set(X=1)
 same => n,Set(CHANNEL(hangup_handler_push)=sub,1(a,${X}))
 same => n,Set(CHANNEL(hangup_handler_push)=ends,1)
 same => n,Set(CHANNEL(hangup_handler_push)=waits,1)
 same => n,Set(CHANNEL(hangup_handler_push)=test,sub,1(b))
 same => n,Set(X=2)",
    )
    .await;
    let call = world.dial("100").await;
    call.leave().await;
    assert!(call.is_over());
    // The arguments are those of when it was set, variables those of the end.
    assert_eq!(said(&world), ["h", "b  2 sub 16", "a 1 2 sub 16"]);
}

#[tokio::test(start_paused = true)]
async fn they_are_taken_back_or_replaced() {
    let push = |name: &str| format!("Set(CHANNEL(hangup_handler_push)=sub,1({name}))\n same => n,");
    let rows: [(&str, &[&str]); 4] = [
        ("Set(CHANNEL(hangup_handler_pop)=)", &["a   sub 16"]),
        (
            "Set(CHANNEL(hangup_handler_pop)=sub,1(c))",
            &["c   sub 16", "a   sub 16"],
        ),
        ("Set(CHANNEL(hangup_handler_wipe)=)", &[]),
        (
            "Set(CHANNEL(hangup_handler_wipe)=sub,1(c))",
            &["c   sub 16"],
        ),
    ];
    for (step, expected) in rows {
        let world = world(&format!("{}{}{step}", push("a"), push("b"))).await;
        world.dial("100").await.leave().await;
        assert_eq!(said(&world)[1..], *expected, "{step}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_not_taken_and_what_goes_on_for_ever_ends() {
    let steps = "Set(CHANNEL(hangup_handler_push)=nowhere)
 same => n,Set(CHANNEL(hangup_handler_push)=again,1)";
    let world = world(steps).await;
    let call = world.dial("100").await;
    assert!(!call.is_over());
    call.leave().await;
    assert!(call.is_over());
    let ran = world.switch.global("RAN");
    assert_eq!(ran, Some(HANGUP_HANDLERS_MAX.to_string()));
}

/// They belong to the channel, wherever it goes; who it calls has none, but what `b` of Dial sets for it.
#[tokio::test(start_paused = true)]
async fn each_channel_has_its_own() {
    let plan = format!(
        "exten => 100,1,Set(CHANNEL(hangup_handler_push)=sub,1(caller))
 same => n,Dial(TEST/2,30,b(before^1))
exten => before,1,Set(CHANNEL(hangup_handler_push)=sub,1(${{CHANNEL}}))
 same => n,Return()
{SUB}"
    );
    let reach = Reach::new(&plan).await;
    reach.world.dial("100").await;
    reach.answer(1).await;
    pass(seconds(1)).await;
    let first = |said: &[String]| -> Vec<String> {
        let words = said.iter().map(|line| line.split(' ').next().unwrap());
        words.map(str::to_owned).collect()
    };
    assert_eq!(
        first(&said(&reach.world)),
        ["PJSIP/alice-00000001"],
        "the one that lost has ended"
    );
    hangs_up(&reach, 1, Cause::NormalClearing).await;
    assert_eq!(
        first(&said(&reach.world)),
        [
            "PJSIP/alice-00000001",
            "PJSIP/alice-00000002",
            "h",
            "caller"
        ]
    );
    assert_eq!(reach.count(), 0);
}
