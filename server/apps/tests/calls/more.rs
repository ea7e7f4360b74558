//! Applications of ordinary dial plans: saying values, calling again, calling beside, other channels.

use std::fs;

use switch::{Cause, ChannelEvent};

use crate::dial::{hangs_up, result};
use crate::reach::Reach;
use crate::world::{World, pass, seconds, settle};

#[tokio::test(start_paused = true)]
async fn values_are_said_with_the_files_there_are() {
    let folder = std::env::temp_dir().join(format!("sidetone-say-{}", std::process::id()));
    let files = [
        ("digits/1.ulaw", 101),
        ("digits/2.ulaw", 102),
        ("digits/40.ulaw", 140),
        ("digits/hundred.ulaw", 100),
        ("letters/a.ulaw", 201),
        ("phonetic/b_p.ulaw", 302),
    ];
    let plan = "exten => 100,1,Answer()\n same => n,SayDigits(12)\n same => n,SayNumber(142)\n \
                same => n,SayAlpha(a1)\n same => n,SayPhonetic(B)\n same => n,SayDigits(939)\n \
                same => n,SayNumber(x)\n same => n,Set(SAY_DTMF_INTERRUPT=yes)\n same => n,SayDigits(22)\n\
                exten => 5,1,Busy()\n";
    let world = World::with_sounds(plan, &folder, &files).await;
    let call = world.dial("100").await;
    for (ms, count) in [
        (101, 1),
        (102, 1),
        (101, 2),
        (100, 1),
        (140, 1),
        (102, 2),
        (201, 1),
        (101, 3),
        (302, 1),
        (102, 3),
    ] {
        call.sees(&format!("play {ms} ms"), count).await;
        if (ms, count) != (102, 3) {
            pass(seconds(1) / 2).await;
        }
    }
    call.press('5').await;
    call.sees("play tones", 1).await;
    call.leave().await;
    assert_eq!(world.ladder.count("play 102 ms"), 3, "the digit ended it");
    settle().await;
    let remarks = world.remarks().join("\n");
    assert!(
        remarks.contains("there is no sound digits/9, digits/3 in "),
        "{remarks}"
    );
    assert!(
        remarks.contains("'x' is no number; nothing is said"),
        "{remarks}"
    );
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn it_is_called_again_until_somebody_answers() {
    let plan = "exten => 100,1,RetryDial(,5,3,TEST/1,10)\n same => n,NoOp(${DIALSTATUS})\n";
    let reach = Reach::new(plan).await;
    let call = reach.world.dial("100").await;
    pass(seconds(10)).await;
    assert!(call.saw("0: hangup 19") && !call.saw("1: call audio, video"));
    pass(seconds(5)).await;
    assert!(call.saw("1: call audio, video"));
    hangs_up(&reach, 1, Cause::UserBusy).await;
    pass(seconds(5)).await;
    assert!(call.saw("2: call audio, video"));
    hangs_up(&reach, 2, Cause::UserBusy).await;
    pass(seconds(5)).await;
    assert!(call.is_over() && !call.saw("3: call audio, video"));
    assert_eq!(result(&reach), "BUSY");
}

/// Nobody can be called, and there is no pause: the caller may leave all the same.
#[tokio::test(start_paused = true)]
async fn there_is_a_pause_between_two_tries() {
    let plan = "exten => 100,1,RetryDial(,0,-1,TEST/x)\nexten => 7,1,NoOp(left)\n";
    let reach = Reach::new(plan).await;
    let call = reach.world.dial("100").await;
    for _ in 0..5 {
        pass(seconds(1)).await;
    }
    call.press('7').await;
    assert_eq!(result(&reach), "left");
    let told = format!("{:?}", reach.world.switch.directory().stories());
    let count = told.matches("music on hold starts").count();
    assert!((4..=7).contains(&count), "{count}: {told}");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_another_try_may_leave_or_be_connected() {
    let plan = "exten => 100,1,RetryDial(,5,-1,TEST/1,10)\n same => n,NoOp(over)\nexten => 7,1,NoOp(left)\n";
    let reach = Reach::new(plan).await;
    let call = reach.world.dial("100").await;
    call.press('7').await;
    assert!(!call.is_over(), "not while it rings, without d");
    pass(seconds(10)).await;
    call.press('6').await;
    assert!(!call.is_over(), "there is no such extension");
    pass(seconds(5)).await;
    pass(seconds(10)).await;
    call.press('7').await;
    assert_eq!(result(&reach), "left");
    let reach = Reach::new(plan).await;
    let call = reach.world.dial("100").await;
    pass(seconds(10)).await;
    pass(seconds(5)).await;
    reach.answer(1).await;
    assert!(call.saw("connected"));
    hangs_up(&reach, 1, Cause::NormalClearing).await;
    assert!(call.is_over(), "a call that was answered is over");
}

#[tokio::test(start_paused = true)]
async fn a_call_is_made_beside_another() {
    for (arguments, leg, expected) in [
        (
            "TEST/1,exten,test,200,1,10,c(70)n(Desk)v(A=1^B=2)",
            Some(Cause::UserBusy),
            "BUSY",
        ),
        ("TEST/1,app,Echo,,,10", Some(Cause::CallRejected), "HANGUP"),
        ("TEST/1,app,Echo,,,10", None, "RINGING"),
        ("TEST/1,app,Echo,,,10,a", None, "SUCCESS"),
        ("TEST/x,app,Echo", None, "FAILED"),
        ("TEST/1,app,Nothing", None, "FAILED"),
        ("TEST/1,exten,test,999", None, "FAILED"),
        ("TEST/1,else,x", None, "FAILED"),
    ] {
        let plan = format!(
            "exten => 100,1,Originate({arguments})\n same => n,NoOp(${{ORIGINATE_STATUS}})\nexten => 200,1,Wait(9)\n"
        );
        let reach = Reach::new(&plan).await;
        let call = reach.world.dial("100").await;
        if let Some(cause) = leg {
            assert!(!call.is_over(), "it waits");
            hangs_up(&reach, 0, cause).await;
        } else {
            pass(seconds(10)).await;
        }
        assert_eq!(result(&reach), expected, "{arguments}");
    }
    let plan = "exten => 100,1,Originate(TEST/1,exten,test,200,1,10,b(before^1(x))c(70)n(Desk)v(A=1^B=2))\n \
                same => n,Set(GLOBAL(status)=${ORIGINATE_STATUS})\nexten => 200,1,NoOp(${A}${B} ${CALLERID(all)} ${C})\n\
                exten => before,1,Set(C=${ARG1})\n same => n,Return()\n";
    let reach = Reach::new(plan).await;
    let call = reach.world.dial("100").await;
    assert!(call.saw("0: open for '70'"));
    reach.answer(0).await;
    assert_eq!(result(&reach), "12 \"Desk\" <70> x");
    assert_eq!(
        reach.world.switch.global("status").as_deref(),
        Some("SUCCESS")
    );
}

#[tokio::test(start_paused = true)]
async fn who_could_be_called_is_found_without_calling() {
    for (arguments, expected) in [
        ("TEST/x&TEST/2&TEST/1", "TEST/2 PJSIP/alice 0&0 0"),
        ("TEST/1&TEST/x,a", "TEST/1 PJSIP/alice 0&0 20"),
        ("TEST/x", "  0 20"),
        ("NONE/1", "  0 66"),
    ] {
        let plan = format!(
            "exten => 100,1,ChanIsAvail({arguments})\n \
             same => n,NoOp(${{AVAILORIGCHAN}} ${{CUT(AVAILCHAN,-,1)}} ${{AVAILSTATUS}} ${{AVAILCAUSECODE}})\n"
        );
        let reach = Reach::new(&plan).await;
        let call = reach.world.dial("100").await;
        assert_eq!(result(&reach), expected, "{arguments}");
        assert!(!call.saw("0: call audio, video"));
    }
}

#[tokio::test(start_paused = true)]
async fn other_calls_are_hung_up_and_sent_on() {
    let plan = "exten => 100,1,Wait(100)\nexten => 300,1,NoOp(sent)\n\
                exten => 200,1,ChannelRedirect(PJSIP/alice-00000000,300,1)\n \
                same => n,NoOp(${CHANNELREDIRECT_STATUS})\n same => n,ChannelRedirect(PJSIP/none-1,300,1)\n \
                same => n,Set(GLOBAL(last)=${CHANNELREDIRECT_STATUS})\n\
                exten => 400,1,SoftHangup(PJSIP/alice,a)\n";
    let world = World::new(plan).await;
    let first = world.dial("100").await;
    let second = world.dial("200").await;
    assert!(first.is_over() && second.is_over());
    let told = format!("{:?}", world.switch.directory().stories());
    assert!(
        told.contains("NoOp(sent)") && told.contains("NoOp(SUCCESS)"),
        "{told}"
    );
    assert_eq!(world.switch.global("last").as_deref(), Some("NOCHANNEL"));
    let first = world.dial("100").await;
    let second = world.dial("100").await;
    world.dial("400").await;
    assert!(first.is_over() && second.is_over());
}

#[tokio::test(start_paused = true)]
async fn a_moment_is_waited_for_and_records_are_left_out() {
    let plan = "exten => 100,1,WaitUntil(5)\n same => n,Set(a=${WAITUNTILSTATUS})\n same => n,WaitUntil(x)\n \
                same => n,Set(b=${WAITUNTILSTATUS})\n same => n,WaitUntil($[${EPOCH} + 100])\n \
                same => n,Set(CDR(x)=1)\n same => n,ResetCDR(v)\n same => n,Set(c=${CDR(x)})\n same => n,ResetCDR()\n \
                same => n,Set(d=${CDR(x)})\n same => n,NoCDR()\n same => n,Log(NOTICE,hello)\n same => n,DumpChan()\n \
                same => n,Log(LOUD,hello)\n same => n,NoOp(${a} ${b} ${WAITUNTILSTATUS} ${c}${d} ${CDR(duration)})\n";
    let world = World::new(plan).await;
    let call = world.dial("100").await;
    pass(seconds(98)).await;
    assert!(!call.is_over());
    pass(seconds(3)).await;
    assert!(call.is_over());
    let told = format!("{:?}", world.story());
    assert!(told.contains("NoOp(PAST FAILURE OK 1 0)"), "{told}");
    assert!(told.contains("'LOUD' is no level"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_password_is_asked_for_three_times() {
    let file = std::env::temp_dir().join(format!("sidetone-pins-{}", std::process::id()));
    fs::write(&file, "1111\n2222\n").unwrap();
    let plan = format!(
        "exten => 100,1,Authenticate(1234,a)\n same => n,NoOp(${{CHANNEL(accountcode)}})\n\
         exten => 200,1,Authenticate({},,4)\n same => n,NoOp(in)\n",
        file.display()
    );
    for (exten, pressed, expected) in [
        ("100", "12#1234#", Some("1234")),
        ("200", "2222", Some("in")),
        ("100", "1#2#3#", None),
    ] {
        let reach = Reach::new(&plan).await;
        let call = reach.world.dial(exten).await;
        call.sees("answer: audio, video", 1).await;
        for digit in pressed.chars() {
            call.send(ChannelEvent::digit(digit)).await;
        }
        match expected {
            Some(expected) => {
                call.ends().await;
                assert_eq!(result(&reach), expected);
            }
            None => call.sees("hangup 21", 1).await,
        }
    }
    fs::remove_file(file).unwrap();
}
