//! The loop: priorities, special extensions, Goto, reload, the end.

use switch::{Cause, ChannelEvent, Control, Position};

use crate::world::{World, millis, pass, sdp, seconds, settle};

#[tokio::test(start_paused = true)]
async fn runs_priorities_in_order_and_hangs_up_after_the_last() {
    let world = World::new(
        "exten => 246,1,Set(GLOBAL(way)=${EXTEN}-${CONTEXT}-${PRIORITY})\n\
         same => n,Set(GLOBAL(way)=${GLOBAL(way)} then ${PRIORITY})\n\
         same => n,Answer()\n",
    )
    .await;
    let call = world.dial("246").await;
    assert!(call.is_over());
    assert_eq!(world.switch.global("way").unwrap(), "246-test-1 then 2");
    assert_eq!(
        world.ladder.lines(),
        ["answer: audio, video", "hangup 16", "leg closed"]
    );
    assert_eq!(world.switch.directory().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_extension_is_refused_as_unallocated_whatever_s_says() {
    let world = World::new("exten => s,1,Answer()\nexten => 246,1,Answer()\n").await;
    world.dial("999").await;
    assert_eq!(world.ladder.lines(), ["hangup 1"]);
    assert_eq!(world.story().cause, Cause::Unallocated);
    assert!(world.remarks()[0].contains("'999' is not in context 'test'"));
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_number_starts_at_s() {
    let world = World::new("exten => s,1,Set(GLOBAL(at)=${EXTEN})\n").await;
    world.dial("").await;
    assert_eq!(world.switch.global("at").unwrap(), "s");
}

#[tokio::test(start_paused = true)]
async fn goto_reaches_labels_extensions_and_distances() {
    let world = World::new(
        "exten => 1,1,Goto(there)\n\
         same => n,Hangup(17)\n\
         same => n(there),Goto(2,1)\n\
         exten => 2,1,Goto(+2)\n\
         same => n,Hangup(17)\n\
         same => n,Goto(other,3,1)\n\
         [other]\n\
         exten => 3,1,Set(GLOBAL(at)=${CONTEXT},${EXTEN},${PRIORITY})\n",
    )
    .await;
    world.dial("1").await;
    assert_eq!(world.switch.global("at").unwrap(), "other,3,1");
    assert_eq!(world.ladder.lines(), ["hangup 16"]);
}

#[tokio::test(start_paused = true)]
async fn goto_an_extension_that_does_not_exist_goes_to_i() {
    let world = World::new(
        "exten => 1,1,Goto(nowhere,1)\n\
         exten => i,1,Set(GLOBAL(bad)=${INVALID_EXTEN})\n\
         same => n,Hangup(28)\n",
    )
    .await;
    world.dial("1").await;
    assert_eq!(world.switch.global("bad").unwrap(), "nowhere");
    assert_eq!(world.ladder.lines(), ["hangup 28"]);
}

#[tokio::test(start_paused = true)]
async fn goto_an_extension_that_does_not_exist_hangs_up_without_i() {
    let world = World::new("exten => 1,1,Goto(nowhere,1)\n").await;
    world.dial("1").await;
    assert_eq!(world.ladder.lines(), ["hangup 1"]);
}

#[tokio::test(start_paused = true)]
async fn goto_a_label_that_does_not_exist_names_the_line() {
    let world = World::new("exten => 1,1,NoOp()\nsame => n,Goto(nolabel)\n").await;
    world.dial("1").await;
    assert_eq!(world.ladder.lines(), ["hangup 31"]);
    assert!(world.remarks()[0].starts_with("extensions.conf:3: Goto(nolabel)"));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_application_hangs_up_and_names_the_line() {
    let world = World::new("exten => 1,1,Answer()\nsame => n,NoSuchApp(1)\n").await;
    world.dial("1").await;
    assert_eq!(
        world.ladder.lines(),
        ["answer: audio, video", "hangup 69", "leg closed"]
    );
    assert_eq!(
        world.remarks(),
        ["no application 'NoSuchApp' (extensions.conf:3)"]
    );
}

#[tokio::test(start_paused = true)]
async fn h_runs_after_the_far_end_left_and_sees_the_cause() {
    let world = World::new(
        "exten => 1,1,Answer()\nsame => n,Wait(60)\n\
         exten => h,1,Set(GLOBAL(cause)=${HANGUPCAUSE})\n\
         same => n,Set(GLOBAL(exten)=${EXTEN})\n\
         same => n,Wait(1000)\n\
         same => n,Set(GLOBAL(cause)=never)\n",
    )
    .await;
    let call = world.dial("1").await;
    call.send(ChannelEvent::Hangup(Cause::UserBusy)).await;
    assert!(call.is_over(), "what would wait in h ends it");
    assert_eq!(world.switch.global("cause").unwrap(), "17");
    assert_eq!(world.switch.global("exten").unwrap(), "h");
    // The far end hung up: it is not told so again.
    assert_eq!(world.ladder.lines(), ["answer: audio, video", "leg closed"]);
}

#[tokio::test(start_paused = true)]
async fn media_are_let_go_before_h() {
    let world =
        World::new("exten => 1,1,Answer()\nsame => n,Wait(60)\nexten => h,1,Echo()\n").await;
    let call = world.dial("1").await;
    call.send(ChannelEvent::Hangup(Cause::NormalClearing)).await;
    assert_eq!(world.ladder.lines(), ["answer: audio, video", "leg closed"]);
}

#[tokio::test(start_paused = true)]
async fn h_runs_after_our_own_hangup_once_the_far_end_is_released() {
    let world =
        World::new("exten => 1,1,Hangup(busy)\nexten => h,1,Set(GLOBAL(cause)=${HANGUPCAUSE})\n")
            .await;
    world.dial("1").await;
    assert_eq!(world.ladder.lines(), ["hangup 17"]);
    assert_eq!(world.switch.global("cause").unwrap(), "17");
}

#[tokio::test(start_paused = true)]
async fn wait_waits_exactly_as_long_as_it_says() {
    let world =
        World::new("exten => 1,1,Wait(0.5)\nsame => n,Answer()\nsame => n,Wait(60)\n").await;
    let call = world.dial("1").await;
    pass(millis(499)).await;
    assert!(!call.saw("answer: audio, video"));
    pass(millis(1)).await;
    assert_eq!(world.ladder.time_of("answer: audio, video"), Some(500));
}

#[tokio::test(start_paused = true)]
async fn digits_pressed_while_waiting_are_lost() {
    let world = World::new("exten => 1,1,Answer()\nsame => n,Wait(1)\nsame => n,Echo()\n").await;
    let call = world.dial("1").await;
    call.press('#').await;
    pass(seconds(1)).await;
    assert_eq!(call.runs(), "Echo()");
}

#[tokio::test(start_paused = true)]
async fn hangup_interrupts_every_application_at_once() {
    for application in [
        "Wait(60)",
        "Echo()",
        "StreamEcho()",
        "StreamEcho(4)",
        "StreamEcho(1)",
    ] {
        let mut world =
            World::new(&format!("exten => 1,1,Answer()\nsame => n,{application}\n")).await;
        world.endpoint.max_video_streams = 4;
        let call = world.dial("1").await;
        call.send(ChannelEvent::Established).await;
        assert_eq!(call.runs(), application);
        call.leave().await;
        assert!(call.is_over(), "{application}");
        assert!(
            !world.ladder.has("hangup 16"),
            "{application}: the far end is told of its own end"
        );
        let lines = world.ladder.lines();
        assert_eq!(lines.last().unwrap(), "leg closed", "{application}");
        assert_eq!(
            lines
                .iter()
                .filter(|line| line.starts_with("echo") && !line.ends_with("ends"))
                .count(),
            lines
                .iter()
                .filter(|line| line.starts_with("echo") && line.ends_with("ends"))
                .count(),
            "{application}: every echo ends"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn redirect_takes_a_call_out_of_its_application() {
    let world =
        World::new("exten => 1,1,Answer()\nsame => n,Echo()\nexten => 2,1,Wait(60)\n").await;
    let call = world.dial("1").await;
    let to = Position {
        context: "test".to_owned(),
        exten: "2".to_owned(),
        priority: 1,
    };
    call.send(Control::Redirect(to)).await;
    assert_eq!(call.runs(), "Wait(60)");
    assert!(world.ladder.has("echo one to one ends"));
    assert!(call.handle.hangup(Cause::NormalClearing));
    settle().await;
    assert!(call.is_over());
    assert!(world.ladder.has("hangup 16"));
}

#[tokio::test(start_paused = true)]
async fn a_reload_repairs_a_dial_plan_under_a_running_call() {
    let world =
        World::new("exten => 1,1,Answer()\nsame => n(top),Wait(1)\nsame => n,Goto(top)\n").await;
    let call = world.dial("1").await;
    for _ in 0..10 {
        pass(seconds(1)).await;
    }
    assert!(!call.is_over());
    world.reload("exten => 1,1,Answer()\nsame => n(top),Wait(1)\nsame => n,Hangup(31)\n");
    pass(seconds(1)).await;
    assert!(world.ladder.has("hangup 31"));
}

#[tokio::test(start_paused = true)]
async fn with_autofallthrough_off_the_caller_dials_on_or_times_out() {
    let plan = "exten => 1,1,Answer()\n\
         exten => 22,1,Set(GLOBAL(at)=${EXTEN})\n\
         same => n,Hangup(31)\n\
         exten => t,1,Hangup(18)\n\
         exten => i,1,Hangup(28)\n\
         [general]\nautofallthrough=no\n";
    for (digits, line) in [("22", "hangup 31"), ("23", "hangup 28"), ("", "hangup 18")] {
        let world = World::new(plan).await;
        let call = world.dial("1").await;
        for digit in digits.chars() {
            call.press(digit).await;
            pass(millis(200)).await;
        }
        pass(seconds(10)).await;
        assert!(call.saw(line), "{digits}: {:?}", world.ladder.lines());
    }
}

#[tokio::test(start_paused = true)]
async fn set_reads_and_writes_functions_and_channel_variables() {
    let world = World::new(
        "exten => 1,1,Set(CALLERID(name)=Bob)\n\
         same => n,Set(__x=a=b)\n\
         same => n,Set(GLOBAL(out)=${CALLERID(num)} ${CALLERID(name)} ${x} \
         ${PJSIP_HEADER(read,X-Test)} ${CHANNEL(endpoint)})\n\
         same => n,Set(nonsense)\n\
         same => n,Set(CHANNEL(name)=x)\n",
    )
    .await;
    world.dial("1").await;
    assert_eq!(
        world.switch.global("out").unwrap(),
        "alice Bob a=b yes alice"
    );
    assert_eq!(world.remarks().len(), 2, "{:?}", world.remarks());
}

#[tokio::test(start_paused = true)]
async fn answer_twice_is_answer_once() {
    let world = World::new("exten => 1,1,Answer()\nsame => n,Answer()\n").await;
    world.dial("1").await;
    assert_eq!(world.ladder.count("answer: audio, video"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_offer_gets_ours_and_ends_if_its_answer_cannot_be_used() {
    let world = World::new("exten => 1,1,Answer()\nsame => n,Wait(60)\n").await;
    let call = world.dial_with("1", None).await;
    assert!(call.saw("answer: audio, video"));
    call.send(ChannelEvent::Answer(sdp(&["audio", "video"])))
        .await;
    assert_eq!(call.handle.info().streams, "audio sendrecv, video sendrecv");
    call.leave().await;

    let world = World::new("exten => 1,1,Answer()\nsame => n,Wait(60)\n").await;
    let call = world.dial_with("1", None).await;
    world
        .script
        .lock()
        .unwrap()
        .refuse
        .push(rtc::Refused::NoFingerprint);
    call.send(ChannelEvent::Answer(sdp(&["audio"]))).await;
    assert!(call.saw("hangup 58"));
}

#[tokio::test(start_paused = true)]
async fn names_are_those_asterisk_makes() {
    let world = World::new("exten => 1,1,Wait(60)\n").await;
    let call = world.dial("1").await;
    assert_eq!(call.handle.name(), "PJSIP/alice-00000000");
    let second = world.dial("1").await;
    assert_eq!(second.handle.name(), "PJSIP/alice-00000001");
    assert!(second.handle.unique_id().ends_with(".1"));
    let live = &world.switch.status().live;
    assert_eq!(live[1].location, "1@test:1");
    assert_eq!(live[1].application, "Wait(60)");
}
