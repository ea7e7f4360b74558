//! `Dial`: who is called, who is cancelled, what both are told, what the dial plan learns.

use switch::story::StoryEvent;
use switch::{Cause, ChannelEvent};

use crate::reach::Reach;
use crate::world::{Call, millis, pass, sdp, seconds, settle};

/// Says what `Dial` left behind, in the story.
const RESULT: &str = "NoOp(${DIALSTATUS} ${HANGUPCAUSE} ${DIALEDPEERNAME} ${DIALEDPEERNUMBER} ${DIALEDTIME} ${ANSWEREDTIME})";

/// A world whose extension 100 is one `Dial`, and says the result, also from `h`.
async fn reach(dial: &str) -> Reach {
    let plan = format!(
        "exten => 100,1,{dial}\n same => n,{RESULT}\n same => n,Hangup(16)\nexten => h,1,{RESULT}\n"
    );
    Reach::new(&plan).await
}

/// What `NoOp` said first.
pub(crate) fn result(reach: &Reach) -> String {
    let stories = reach.world.switch.directory().stories();
    let events = stories.iter().flat_map(|story| &story.events);
    let mut said = events.filter_map(|entry| match &entry.event {
        StoryEvent::Application { application, .. } => {
            let said = application.strip_prefix("NoOp(")?.strip_suffix(')')?;
            Some(said.trim_end().to_owned())
        }
        _ => None,
    });
    said.next().expect("the dial plan went on")
}

pub(crate) async fn hangs_up(reach: &Reach, leg: usize, cause: Cause) {
    reach.send(leg, ChannelEvent::Hangup(cause)).await;
}

async fn connected(dial: &str) -> (Reach, Call) {
    let reach = reach(dial).await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    assert!(call.saw("connected"), "{:?}", reach.world.ladder.lines());
    (reach, call)
}

#[tokio::test(start_paused = true)]
async fn who_answers_is_connected_and_leaving_ends_both() {
    let reach = reach("Dial(TEST/1,30)").await;
    let call = reach.world.dial("100").await;
    reach.ring(0).await;
    reach.ring(0).await;
    pass(seconds(4)).await;
    reach.answer(0).await;
    pass(seconds(7)).await;
    hangs_up(&reach, 0, Cause::UserBusy).await;
    let expected = [
        "0: open for 'alice'",
        "0: call audio, video",
        "ring",
        "answer: audio, video",
        "connected",
        "parted",
        "hangup 17",
        "leg closed",
        "leg closed",
    ];
    assert_eq!(reach.world.ladder.lines(), expected);
    assert!(call.is_over());
    assert_eq!(result(&reach), "ANSWER 17 PJSIP/alice-00000001 1 11 7");
}

#[tokio::test(start_paused = true)]
async fn the_caller_that_leaves_ends_the_called() {
    let (reach, call) = connected("Dial(TEST/1)").await;
    call.leave().await;
    assert!(reach.world.ladder.has("0: hangup 16") && call.is_over());
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn all_ring_the_first_wins_and_the_others_are_told() {
    let reach = reach("Dial(TEST/2&TEST/bob&TEST/1,30)").await;
    let call = reach.world.dial("100").await;
    assert_eq!(reach.count(), 4, "the caller and three places");
    hangs_up(&reach, 0, Cause::UserBusy).await;
    reach.ring(1).await;
    reach.ring(2).await;
    assert_eq!(reach.world.ladder.count("ring"), 1);
    reach.answer(2).await;
    assert!(call.saw("1: hangup 26") && call.saw("connected"));
    // Signalling ends what answers late; the call does not hear of it.
    reach.answer(1).await;
    assert_eq!(reach.world.ladder.count("connected"), 1);
    hangs_up(&reach, 2, Cause::NormalClearing).await;
    assert_eq!(result(&reach), "ANSWER 16 PJSIP/alice-00000003 1 0 0");
}

#[tokio::test(start_paused = true)]
async fn nobody_answers_in_time_and_the_dial_plan_goes_on() {
    let reach = reach("Dial(TEST/2,20)").await;
    let call = reach.world.dial("100").await;
    pass(millis(19_999)).await;
    assert!(!call.saw("0: hangup 19"));
    pass(millis(1)).await;
    assert!(call.saw("0: hangup 19") && call.saw("1: hangup 19"));
    assert_eq!(result(&reach), "NOANSWER 19   20");
    assert!(!call.saw("answer: audio, video"));
}

#[tokio::test(start_paused = true)]
async fn the_caller_gives_up_while_it_rings() {
    for (dial, cause) in [("Dial(TEST/2)", 16), ("Dial(TEST/2,,c)", 26)] {
        let reach = reach(dial).await;
        let call = reach.world.dial("100").await;
        reach.ring(1).await;
        pass(seconds(3)).await;
        call.leave().await;
        for leg in [0, 1] {
            assert!(call.saw(&format!("{leg}: hangup {cause}")));
        }
        assert_eq!(result(&reach), "CANCEL 16   3");
    }
}

#[tokio::test(start_paused = true)]
async fn dialstatus_says_how_it_went() {
    let cases = [
        (
            vec![Cause::UserBusy, Cause::NormalCircuitCongestion],
            "BUSY 17",
        ),
        (
            vec![Cause::NormalCircuitCongestion, Cause::Unallocated],
            "CONGESTION 34",
        ),
        (
            vec![Cause::SubscriberAbsent, Cause::CallRejected],
            "CHANUNAVAIL 21",
        ),
        (vec![Cause::UserBusy, Cause::NoAnswer], "NOANSWER 17"),
    ];
    for (causes, expected) in cases {
        let reach = reach("Dial(TEST/2)").await;
        reach.world.dial("100").await;
        for (leg, cause) in causes.into_iter().enumerate() {
            hangs_up(&reach, leg, cause).await;
        }
        assert_eq!(result(&reach), format!("{expected}   0"));
    }
    let nobody = reach("Dial(TEST/bob&SIP/x)").await;
    nobody.world.dial("100").await;
    assert_eq!(result(&nobody), "CHANUNAVAIL 20   0");
    let nothing = reach("Dial()").await;
    nothing.world.dial("100").await;
    assert_eq!(result(&nothing), "INVALIDARGS 31");
}

#[tokio::test(start_paused = true)]
async fn a_dial_plan_that_ends_tells_the_caller_how_it_went() {
    let cases = [
        (Cause::UserBusy, "hangup 17"),
        (Cause::NoAnswer, "hangup 19"),
        (Cause::SubscriberAbsent, "hangup 34"),
        (Cause::BearerNotAvailable, "hangup 58"),
    ];
    for (cause, told) in cases {
        let reach = Reach::new("exten => 100,1,Dial(TEST/1)\n").await;
        let call = reach.world.dial("100").await;
        hangs_up(&reach, 0, cause).await;
        assert!(call.saw(told), "{:?}", reach.world.ladder.lines());
    }
}

/// As in Asterisk, whose channel keeps the cause of what it dialled: `Dial`, then `Hangup()`.
#[tokio::test(start_paused = true)]
async fn hangup_without_a_cause_tells_how_the_dial_before_it_went() {
    let cases = [
        (Cause::UserBusy, "hangup 17"),
        (Cause::Unallocated, "hangup 1"),
        (Cause::NoAnswer, "hangup 19"),
        (Cause::CallRejected, "hangup 21"),
    ];
    for (cause, told) in cases {
        for hangup in ["Hangup()", "Hangup(NO_SUCH_CAUSE)"] {
            let plan = format!("exten => 100,1,Dial(TEST/1)\n same => n,{hangup}\n");
            let reach = Reach::new(&plan).await;
            let call = reach.world.dial("100").await;
            hangs_up(&reach, 0, cause).await;
            assert!(call.saw(told), "{:?}", reach.world.ladder.lines());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn early_media_is_heard_before_the_answer_which_says_the_same() {
    let reach = reach("Dial(TEST/1)").await;
    let call = reach.world.dial("100").await;
    let answer = Some(sdp(&["audio", "video"]));
    reach
        .send(
            0,
            ChannelEvent::Progress {
                status: 183,
                answer,
            },
        )
        .await;
    assert!(call.saw("early: audio, video") && call.saw("connected"));
    reach.answer(0).await;
    assert!(call.saw("answer: audio, video"));
    call.leave().await;
    let lines = reach.world.ladder.lines();
    let calls = lines.iter().filter(|line| line.starts_with("answer"));
    assert_eq!(calls.count(), 1);
    assert_eq!(
        reach.world.ladder.count("connected"),
        2,
        "early, then for good"
    );
    assert_eq!(reach.world.ladder.count("parted"), 2);
}

#[tokio::test(start_paused = true)]
async fn ringing_that_was_asked_for_hides_early_media() {
    let reach = reach("Dial(TEST/1,,r)").await;
    let call = reach.world.dial("100").await;
    assert!(call.saw("ring"), "at once");
    let answer = Some(sdp(&["audio", "video"]));
    reach
        .send(
            0,
            ChannelEvent::Progress {
                status: 183,
                answer,
            },
        )
        .await;
    reach.ring(0).await;
    assert!(!call.saw("connected"));
    assert_eq!(reach.world.ladder.count("ring"), 1);
}

#[tokio::test(start_paused = true)]
async fn the_dial_plan_goes_on_after_the_called_left_where_that_is_wanted() {
    let (reach, call) = connected("Dial(TEST/1,,g)").await;
    hangs_up(&reach, 0, Cause::NormalClearing).await;
    assert!(call.saw("hangup 16"), "by Hangup(16)");
    assert_eq!(result(&reach), "ANSWER 16 PJSIP/alice-00000001 1 0 0");
}

#[tokio::test(start_paused = true)]
async fn a_conversation_lasts_no_longer_than_it_may() {
    for dial in ["Dial(TEST/1,,S(60))", "Dial(TEST/1,,L(60000))"] {
        let (reach, call) = connected(dial).await;
        pass(millis(59_999)).await;
        assert!(!call.is_over());
        pass(millis(1)).await;
        assert!(call.is_over() && reach.world.ladder.has("0: hangup 16"));
    }
}

#[tokio::test(start_paused = true)]
async fn digits_hang_up_for_whom_they_may() {
    let (reach, call) = connected("Dial(TEST/1,,Hg)").await;
    reach.send(0, ChannelEvent::digit('*')).await;
    assert!(!reach.world.ladder.has("parted"), "not for the called");
    call.press('*').await;
    assert!(reach.world.ladder.has("0: hangup 16"));
    assert_eq!(result(&reach), "ANSWER 16 PJSIP/alice-00000001 1 0 0");
    let (reach, call) = connected("Dial(TEST/1,,h)").await;
    call.press('*').await;
    assert!(!reach.world.ladder.has("parted"));
    reach.send(0, ChannelEvent::digit('*')).await;
    assert!(call.is_over());
}

#[tokio::test(start_paused = true)]
async fn who_calls_and_what_is_inherited_reach_the_leg() {
    let plan = "exten => 100,1,Set(__TRUNK=blue)\n same => n,Set(OWN=red)\n \
                same => n,Dial(TEST/1,,f(555))\n";
    let reach = Reach::new(plan).await;
    reach.world.dial("100").await;
    assert!(reach.world.ladder.has("0: open for '555'"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_one_adds_is_offered_to_the_other() {
    let reach = reach("Dial(TEST/1)").await;
    let call = reach.world.dial_with("100", Some(sdp(&["audio"]))).await;
    assert!(
        call.saw("0: call audio"),
        "{:?}",
        reach.world.ladder.lines()
    );
    let answer = sdp(&["audio"]);
    reach.send(0, ChannelEvent::Accepted(Some(answer))).await;
    call.send(ChannelEvent::Established).await;
    call.send(ChannelEvent::Offer(Some(sdp(&["audio", "video"]))))
        .await;
    assert!(call.saw("accept: audio, video"));
    assert!(
        call.saw("0: offer audio, video"),
        "{:?}",
        reach.world.ladder.lines()
    );
    let answer = sdp(&["audio", "video"]);
    reach.send(0, ChannelEvent::Answer(answer)).await;
    // One that holds is not passed on, nor what goes.
    call.send(ChannelEvent::Offer(Some(sdp(&[
        "audio sendonly",
        "video inactive",
    ]))))
    .await;
    assert_eq!(reach.world.ladder.count("0: offer audio, video"), 1);
    call.leave().await;
    assert!(call.is_over());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_used_ends_both() {
    let reach = reach("Dial(TEST/1)").await;
    let call = reach.world.dial("100").await;
    reach.world.script.lock().unwrap().refuse = vec![rtc::Refused::NoMedia];
    let answer = Some(sdp(&["audio"]));
    reach.send(0, ChannelEvent::Accepted(answer)).await;
    assert!(call.saw("0: hangup 58"), "{:?}", reach.world.ladder.lines());
    settle().await;
}

/// features.conf: `disconnect=*0` and `featuredigittimeout=500`.
#[tokio::test(start_paused = true)]
async fn the_digits_that_hang_up_are_those_of_features_conf() {
    let reach = reach("Dial(TEST/1,,H)").await;
    let mut config = (*reach.world.switch.config()).clone();
    config.features.map.disconnect = "*0".to_owned();
    config.features.general.digit_timeout_ms = 500;
    let store = reach.world.switch.store();
    store.set_config(std::sync::Arc::new(config));
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    call.press('*').await;
    pass(millis(501)).await;
    call.press('0').await;
    assert!(!call.is_over(), "too slow");
    call.press('*').await;
    pass(millis(499)).await;
    call.press('0').await;
    assert!(call.is_over() && call.saw("0: hangup 16"));
}
