//! Options of `Dial` that run parts of the dial plan.

use switch::{Cause, ChannelEvent};

use crate::dial::{hangs_up, result};
use crate::reach::Reach;

async fn reach(options: &str, more: &str) -> Reach {
    let plan = format!(
        "exten => 100,1,Dial(TEST/2,30,{options})\n \
         same => n,NoOp(${{DIALSTATUS}} ${{HANGUPCAUSE}})\n{more}"
    );
    Reach::new(&plan).await
}

#[tokio::test(start_paused = true)]
async fn each_leg_is_prepared_before_it_is_called_and_the_caller_before_all() {
    let more = "[before]
exten => s,1,Set(PJSIP_HEADER(add,X-Leg)=${ARG1} ${COLOUR})
 same => n,Return()
exten => all,1,Set(_COLOUR=${ARG1})
 same => n,Return()
";
    let reach = reach("b(before^s^1(one^two))B(before^all^1(blue))", more).await;
    reach.world.dial("100").await;
    let expected = [
        "0: open for 'alice'",
        "0: header X-Leg: one blue",
        "0: call audio, video",
        "1: open for 'alice'",
        "1: header X-Leg: one blue",
        "1: call audio, video",
    ];
    assert_eq!(reach.world.ladder.lines(), expected);
}

const ROUTINES: &str = "[connect]
exten => s,1,Wait(2)
 same => n,Return()
[busy]
exten => s,1,Set(GOSUB_RESULT=BUSY)
 same => n,Return()
[abort]
exten => s,1,Set(GOSUB_RESULT=ABORT)
 same => n,Return()
[goto]
exten => s,1,Set(GOSUB_RESULT=GOTO:test^700^1)
 same => n,Return()
[test](+)
exten => 700,1,NoOp(at 700 of ${ARG1})
";

#[tokio::test(start_paused = true)]
async fn a_subroutine_of_who_answers_decides_whether_they_talk() {
    let waits = reach("U(connect)", ROUTINES).await;
    let call = waits.world.dial("100").await;
    waits.answer(0).await;
    assert!(!call.saw("connected"), "it runs first");
    crate::world::pass(crate::world::seconds(2)).await;
    assert!(call.saw("connected"));

    let busy = reach("U(busy)", ROUTINES).await;
    let call = busy.world.dial("100").await;
    busy.answer(0).await;
    assert_eq!(result(&busy), "BUSY 17");
    assert!(call.saw("0: hangup 16") && !call.saw("connected"));

    let abort = reach("U(abort)", ROUTINES).await;
    let call = abort.world.dial("100").await;
    abort.answer(0).await;
    assert!(call.is_over() && call.saw("hangup 16"));

    let goes = reach("U(goto)", ROUTINES).await;
    goes.world.dial("100").await;
    goes.answer(0).await;
    assert_eq!(result(&goes), "at 700 of");
}

#[tokio::test(start_paused = true)]
async fn both_go_on_in_the_dial_plan() {
    let more = "exten => 800,1,Wait(100)\n same => n,Wait(200)\n";
    let reach = reach("G(800^1)", more).await;
    reach.world.dial("100").await;
    reach.answer(0).await;
    let mut runs: Vec<_> = reach.states().into_iter().map(|(_, runs)| runs).collect();
    runs.sort();
    assert_eq!(runs, ["Wait(100)", "Wait(200)"]);
}

#[tokio::test(start_paused = true)]
async fn the_called_goes_on_when_the_caller_leaves() {
    let more = "exten => 800,1,Wait(300)\n";
    let reach = reach("F(800^1)", more).await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    call.leave().await;
    assert!(call.is_over());
    let runs: Vec<_> = reach.states().into_iter().map(|(_, runs)| runs).collect();
    assert_eq!(runs, ["Wait(300)"]);
    hangs_up(&reach, 0, Cause::NormalClearing).await;
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_last_extension_is_run_for_the_called_too() {
    let more = "exten => h,1,NoOp(${CHANNEL(name)})\n";
    for (options, count) in [("", 1), ("e", 2)] {
        let reach = reach(options, more).await;
        reach.world.dial("100").await;
        reach.answer(0).await;
        hangs_up(&reach, 0, Cause::NormalClearing).await;
        let stories = reach.world.switch.directory().stories();
        let events = stories.iter().flat_map(|story| &story.events);
        let said = events.filter(|entry| format!("{:?}", entry.event).contains("NoOp(PJSIP/"));
        assert_eq!(said.count(), count, "{options}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_called_can_be_led_elsewhere() {
    let more = "exten => 800,1,Wait(300)\n";
    let reach = reach("g", more).await;
    reach.world.dial("100").await;
    reach.answer(0).await;
    let all = reach.world.switch.directory().all();
    let leg = all
        .iter()
        .find(|own| own.name().ends_with("00000001"))
        .unwrap();
    leg.redirect(switch::Position {
        context: "test".to_owned(),
        exten: "800".to_owned(),
        priority: 1,
    });
    crate::world::settle().await;
    assert_eq!(result(&reach), "ANSWER 16");
    reach.send(0, ChannelEvent::digit('1')).await;
    let runs: Vec<_> = reach.states().into_iter().map(|(_, runs)| runs).collect();
    assert_eq!(runs, ["Wait(300)"]);
}

/// Whom it called there is no longer who is called where it went on: each attempt has a record of its own.
#[tokio::test(start_paused = true)]
async fn who_leaves_by_a_digit_ends_the_record_of_the_attempt() {
    let more = " same => n,Hangup()\nexten => 5,1,NoOp()\n same => n,Set(GLOBAL(called)=[${CDR(dstchannel)}])\n";
    let reach = reach("d", more).await;
    let call = reach.world.dial("100").await;
    call.press('5').await;
    assert_eq!(reach.world.switch.global("called").as_deref(), Some("[]"));
}
