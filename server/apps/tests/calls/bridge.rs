//! `Bridge`: a channel fetches another out of what it does.

use switch::{Cause, ChannelEvent};

use crate::dial::result;
use crate::reach::Reach;
use crate::world::{pass, sdp, seconds};

/// The first call is alice-00000000; with `Dial` the next one is its leg.
async fn reach(first: &str, bridge: &str) -> Reach {
    let plan = format!(
        "exten => 100,1,{first}
 same => n,Playtones(busy)
 same => n,Wait(70)
exten => 200,1,Set(FIRST=PJSIP/alice-00000000)
 same => n,Set(LEG=PJSIP/alice-00000001)
 same => n,{bridge}
 same => n,NoOp(${{BRIDGERESULT}} ${{BRIDGEPEER}})
exten => 300,1,Wait(80)
"
    );
    Reach::with(&plan, |endpoint| endpoint.context = "test".to_owned()).await
}

#[tokio::test(start_paused = true)]
async fn an_application_is_left_and_the_dial_plan_goes_on_behind_it() {
    for (bridge, expected) in [
        ("Bridge(${FIRST})", "Wait(70)"),
        ("Bridge(${FIRST},F(300^1))", "Wait(80)"),
    ] {
        let reach = reach("Wait(60)", bridge).await;
        let first = reach.world.dial("100").await;
        assert!(!first.saw("answer: audio, video"));
        let second = reach.world.dial_with("200", Some(sdp(&["audio"]))).await;
        // Both are answered.
        assert!(first.saw("answer: audio, video") && first.saw("answer: audio"));
        assert!(first.saw("connected"));
        second.leave().await;
        assert!(second.is_over() && !first.is_over(), "{bridge}");
        assert_eq!(first.runs(), expected);
        first.leave().await;
        assert_eq!(reach.count(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_left_goes_on_in_the_dial_plan() {
    let reach = reach("Wait(60)", "Bridge(${FIRST},x)").await;
    let first = reach.world.dial("100").await;
    let second = reach.world.dial("200").await;
    first.leave().await;
    assert!(second.is_over());
    assert_eq!(result(&reach), "SUCCESS PJSIP/alice-00000000");

    let reach = self::reach("Wait(60)", "Bridge(${FIRST},xS(5))").await;
    let first = reach.world.dial("100").await;
    reach.world.dial("200").await;
    pass(seconds(6)).await;
    assert!(first.is_over(), "x: it is hung up after its time");
    assert_eq!(result(&reach), "SUCCESS PJSIP/alice-00000000");
}

/// Whoever it was talking to is left: the caller of `Dial` goes on only with `g`.
#[tokio::test(start_paused = true)]
async fn a_conversation_is_left_too() {
    for (whom, dial, is_over) in [
        ("${LEG}", "Dial(TEST/1)", true),
        ("${LEG}", "Dial(TEST/1,,g)", false),
        ("${FIRST}", "Dial(TEST/1)", false),
    ] {
        let reach = reach(dial, &format!("Bridge({whom})")).await;
        let first = reach.world.dial("100").await;
        reach.answer(0).await;
        let second = reach.world.dial("200").await;
        assert_eq!(reach.world.ladder.count("connected"), 2, "{whom} {dial}");
        assert_eq!(first.is_over(), is_over, "{whom} {dial}");
        second.leave().await;
        if whom == "${LEG}" {
            // It stands in no dial plan.
            assert!(first.saw("0: hangup 16"));
        } else {
            assert_eq!(first.runs(), "Wait(70)");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn digits_end_it_where_they_may() {
    let reach = reach("Wait(60)", "Bridge(${FIRST},h)").await;
    let first = reach.world.dial("100").await;
    let second = reach.world.dial("200").await;
    second.press('*').await;
    pass(seconds(2)).await;
    assert!(!second.is_over());
    first.press('*').await;
    pass(seconds(2)).await;
    assert!(second.is_over() && first.runs() == "Wait(70)");
}

#[tokio::test(start_paused = true)]
async fn it_says_why_it_does_nothing() {
    for (bridge, expected) in [
        ("Bridge(PJSIP/nobody-00000001)", "NONEXISTENT"),
        ("Bridge(${CHANNEL})", "LOOP"),
        ("Bridge()", "FAILURE"),
        // A phone that rings cannot be fetched.
        ("Bridge(${LEG})", "FAILURE"),
    ] {
        let reach = reach("Dial(TEST/1)", bridge).await;
        let first = reach.world.dial("100").await;
        reach.ring(0).await;
        let second = reach.world.dial("200").await;
        pass(seconds(3)).await;
        assert!(second.is_over() && !first.is_over(), "{bridge}");
        assert_eq!(result(&reach), expected);
        // What it did not want any more does not come later.
        reach.answer(0).await;
        assert_eq!(reach.count(), 2);
        reach
            .send(0, ChannelEvent::Hangup(Cause::NormalClearing))
            .await;
        assert_eq!(reach.count(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_fetched_hears_a_tone_first() {
    let reach = reach("Answer()", "Bridge(${FIRST},p)").await;
    reach.world.dial("100").await;
    let before = reach.world.ladder.count("play tones");
    let second = reach.world.dial("200").await;
    second.sees("play tones", before + 1).await;
    assert!(!second.saw("connected"));
    pass(seconds(1)).await;
    assert!(second.saw("connected"));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_over_fetches_nobody() {
    let plan = "exten => 100,1,Wait(70)\nexten => 200,1,Wait(5)\nexten => h,1,Bridge(PJSIP/alice-00000000)\n";
    let reach = Reach::new(plan).await;
    let first = reach.world.dial("100").await;
    let second = reach.world.dial("200").await;
    second.leave().await;
    pass(seconds(3)).await;
    assert!(second.is_over() && !first.is_over());
    assert_eq!(first.runs(), "Wait(70)");
}

#[tokio::test(start_paused = true)]
async fn who_is_asked_too_late_stays_where_it_is() {
    let plan = "exten => 100,1,Dial(TEST/1,,b(slow^s^1))\n[slow]\nexten => s,1,Wait(5)\n same => n,Return()\n\
                [test]\nexten => 200,1,Bridge(PJSIP/alice-00000000)\n same => n,NoOp(${BRIDGERESULT})\n same => n,Wait(90)\n";
    let reach = Reach::new(plan).await;
    let first = reach.world.dial("100").await;
    let second = reach.world.dial("200").await;
    pass(seconds(2)).await;
    assert!(!second.is_over());
    pass(seconds(4)).await;
    assert!(!first.is_over() && !second.is_over());
    assert_eq!(first.runs(), "Dial(TEST/1,,b(slow^s^1))");
    assert_eq!(second.runs(), "Wait(90)");
}

/// It is led elsewhere while the tone before the talk is played to it, and goes there.
#[tokio::test(start_paused = true)]
async fn a_guest_that_is_led_elsewhere_before_the_talk_goes_there() {
    let reach = reach("Wait(60)", "Bridge(${FIRST},p)").await;
    let first = reach.world.dial("100").await;
    let second = reach.world.dial("200").await;
    let to = switch::Position {
        context: "test".to_owned(),
        exten: "300".to_owned(),
        priority: 1,
    };
    assert!(first.handle.control(switch::Control::Redirect(to)));
    pass(seconds(2)).await;
    assert!(!first.is_over(), "{:?}", reach.world.ladder.lines());
    assert_eq!(first.runs(), "Wait(80)");
    assert_eq!(result(&reach), "FAILURE");
    drop(second);
}
