//! Options of `Dial` about what comes before the two talk, and about how long they do.

use config::Config;
use switch::{Cause, ChannelEvent};

use crate::dial::{hangs_up, result};
use crate::reach::Reach;
use crate::sounds::Folder;
use crate::world::{Call, World, millis, pass, sdp, seconds};

const FILES: &[(&str, usize)] = &[
    ("long.ulaw", 3000),
    ("short.ulaw", 1000),
    ("beep.ulaw", 200),
    ("bye.ulaw", 700),
];

/// A world with these prompts, whose extension 100 is this and says the result.
async fn reach(test: &str, dial: &str, more: &str) -> (Reach, Folder) {
    let folder = Folder::new(test);
    let plan =
        format!("exten => 100,1,{dial}\n same => n,NoOp(${{DIALSTATUS}} ${{HANGUPCAUSE}})\n{more}");
    let world = World::with_sounds(&plan, &folder.0, FILES).await;
    (Reach::on(world, |_| {}), folder)
}

/// What was played, and to whom: the leg of the called is allocated first.
fn played(reach: &Reach) -> Vec<(usize, String)> {
    reach.world.script.lock().unwrap().played.clone()
}

const CALLEE: usize = 0;
const CALLER: usize = 1;

/// Something is played to one, which a file is read for outside of the paused clock.
async fn sees(reach: &Reach, call: &Call, who: usize, what: &str) {
    call.sees(what, 1).await;
    let heard = (who, what.to_owned());
    assert!(played(reach).contains(&heard), "{:?}", played(reach));
}

#[tokio::test(start_paused = true)]
async fn the_called_hears_an_announcement_before_the_caller_is_answered() {
    let (reach, _folder) = reach("announce", "Dial(TEST/1,,A(short))", "").await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    sees(&reach, &call, CALLEE, "play 1000 ms").await;
    pass(millis(900)).await;
    assert!(!call.saw("answer: audio, video") && !call.saw("connected"));
    pass(millis(200)).await;
    assert!(call.saw("answer: audio, video") && call.saw("connected"));
    assert_eq!(played(&reach).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn both_hear_announcements_at_once_the_caller_before_its_answer() {
    let (reach, _folder) = reach("both", "Dial(TEST/1,,A(short:long))", "").await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    sees(&reach, &call, CALLER, "play 3000 ms").await;
    sees(&reach, &call, CALLEE, "play 1000 ms").await;
    assert!(call.saw("early: audio, video"));
    pass(millis(2900)).await;
    assert!(!call.saw("connected"), "the called waits for the caller");
    pass(millis(200)).await;
    assert!(call.saw("connected"));

    let (reach, _folder) = self::reach("leaves", "Dial(TEST/1,,aA(long))", "").await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    sees(&reach, &call, CALLEE, "play 3000 ms").await;
    assert!(call.saw("answer: audio, video"), "option a");
    hangs_up(&reach, 0, Cause::NormalClearing).await;
    assert!(call.is_over() && !call.saw("connected"));
}

#[tokio::test(start_paused = true)]
async fn an_announcement_that_is_missing_is_told_and_the_two_talk() {
    let (reach, _folder) = reach("gone", "Dial(TEST/1,,A(nosuch))", "").await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    call.sees("connected", 1).await;
    call.leave().await;
    let stories = reach.world.switch.directory().stories();
    let told = format!("{stories:?}");
    assert!(told.contains("option A: no sound `nosuch`"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_time_is_announced_by_beeps() {
    let (reach, _folder) = reach("limit", "Dial(TEST/1,,L(10000:4000:1500)S(3))", "").await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    call.sees("connected", 1).await;
    pass(millis(5_999)).await;
    assert!(played(&reach).is_empty());
    pass(millis(1)).await;
    let beep = |who: usize| (who, "play 200 ms".to_owned());
    assert_eq!(played(&reach), [beep(CALLER)], "4 s before the end");
    for (at_ms, count) in [(1_499, 1), (1, 2), (1_500, 3), (999, 3)] {
        pass(millis(at_ms)).await;
        assert_eq!(played(&reach).len(), count);
        assert!(!call.is_over());
    }
    pass(millis(1)).await;
    assert!(call.is_over() && reach.world.ladder.has("0: hangup 16"));
}

#[tokio::test(start_paused = true)]
async fn variables_say_who_hears_what_of_a_limit() {
    let dial = "Set(LIMIT_PLAYAUDIO_CALLER=no)\n same => n,Set(LIMIT_PLAYAUDIO_CALLEE=yes)\n \
                same => n,Set(LIMIT_WARNING_FILE=short)\n same => n,Set(LIMIT_CONNECT_FILE=long)\n \
                same => n,Set(LIMIT_TIMEOUT_FILE=bye)\n same => n,Dial(TEST/1,,gL(10000:5000))";
    let (reach, _folder) = reach("variables", dial, "").await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    sees(&reach, &call, CALLEE, "play 3000 ms").await;
    pass(seconds(5)).await;
    sees(&reach, &call, CALLEE, "play 1000 ms").await;
    pass(seconds(5)).await;
    sees(&reach, &call, CALLEE, "play 700 ms").await;
    assert!(!call.saw("parted"), "the end waits for it");
    pass(millis(700)).await;
    assert!(call.saw("parted") && call.saw("0: hangup 16"));
    assert_eq!(result(&reach), "ANSWER 16");
    assert!(played(&reach).iter().all(|(who, _)| *who == CALLEE));
}

const MACROS: &str = "[macro-busy]
exten => s,1,Set(MACRO_RESULT=BUSY)
[macro-ask]
exten => s,1,NoOp(${ARG1} ${MACRO_EXTEN} ${MACRO_CONTEXT})
 same => n,Wait(2)
 same => n,MacroExit()
 same => n,Set(MACRO_RESULT=ABORT)
[macro-goto]
exten => s,1,Set(MACRO_RESULT=GOTO:test^700^1)
[test](+)
exten => 700,1,NoOp(at 700)
";

#[tokio::test(start_paused = true)]
async fn a_macro_of_who_answers_decides_whether_they_talk() {
    let (busy, _folder) = reach("macro", "Dial(TEST/1,,M(busy))", MACROS).await;
    let call = busy.world.dial("100").await;
    busy.answer(0).await;
    assert_eq!(result(&busy), "BUSY 17");
    assert!(call.saw("0: hangup 16") && !call.saw("connected"));

    let (asks, _folder) = reach("asks", "Dial(TEST/1,,M(ask^one))", MACROS).await;
    let call = asks.world.dial("100").await;
    asks.answer(0).await;
    assert!(!call.saw("connected"));
    pass(seconds(2)).await;
    assert!(call.saw("connected"), "MacroExit");
    hangs_up(&asks, 0, Cause::NormalClearing).await;
    // The leg stands at the extension that was dialled, in its endpoint's context.
    assert_eq!(result(&asks), "one 100 default");

    let (goes, _folder) = reach("goes", "Dial(TEST/1,,M(goto))", MACROS).await;
    goes.world.dial("100").await;
    goes.answer(0).await;
    assert_eq!(result(&goes), "at 700");
}

#[tokio::test(start_paused = true)]
async fn ringing_can_give_way_to_early_media() {
    let (reach, _folder) = reach("ringing", "Dial(TEST/1,,R)", "").await;
    let call = reach.world.dial("100").await;
    assert!(call.saw("ring"), "at once");
    let (status, answer) = (183, Some(sdp(&["audio", "video"])));
    reach
        .send(0, ChannelEvent::Progress { status, answer })
        .await;
    assert!(call.saw("early: audio, video") && call.saw("connected"));
}

#[tokio::test(start_paused = true)]
async fn a_tone_can_stand_for_ringing() {
    let (reach, _folder) = reach("tone", "Dial(TEST/1,,r(busy))", "").await;
    let call = reach.world.dial("100").await;
    assert!(call.saw("early: audio, video") && call.saw("play tones"));
    reach.ring(0).await;
    assert!(!call.saw("play tones ends"));
    reach.answer(0).await;
    assert!(call.saw("play tones ends") && call.saw("connected"));
}

#[tokio::test(start_paused = true)]
async fn a_digit_leads_a_waiting_caller_elsewhere() {
    let more = "exten => 5,1,NoOp(left ${DIALSTATUS})\n same => n,Wait(9)\n\
                [out]\nexten => 7,1,NoOp(out ${DIALSTATUS})\n";
    let (reach, _folder) = reach("digit", "Dial(TEST/1,,d)", more).await;
    let call = reach.world.dial("100").await;
    call.press('7').await;
    assert!(!call.saw("0: hangup 16"), "no such extension");
    call.press('5').await;
    assert!(call.saw("0: hangup 16"));
    assert_eq!(call.runs(), "Wait(9)");

    let dial = "Set(EXITCONTEXT=out)\n same => n,Dial(TEST/1,,d)";
    let (reach, _folder) = self::reach("exit", dial, more).await;
    let call = reach.world.dial("100").await;
    call.press('5').await;
    call.press('7').await;
    assert_eq!(result(&reach), "out CANCEL");

    let (reach, _folder) = self::reach("gives up", "Dial(TEST/1,,H)", more).await;
    let call = reach.world.dial("100").await;
    call.press('*').await;
    assert!(call.saw("0: hangup 16"));
    assert_eq!(result(&reach), "CANCEL 16");
}

#[tokio::test(start_paused = true)]
async fn who_did_not_answer_first_is_told_what_is_wanted() {
    for (options, cause) in [
        ("Q(NO_ANSWER)", 19),
        ("Q(17)", 17),
        ("Q(NONE)", 16),
        ("", 26),
    ] {
        let dial = format!("Dial(TEST/2,,{options})");
        let (reach, _folder) = reach("losers", &dial, "").await;
        let call = reach.world.dial("100").await;
        reach.answer(1).await;
        assert!(call.saw(&format!("0: hangup {cause}")), "{options}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_sent_on_may_ring_without_end() {
    let more = "exten => 200,1,Wait(1000)\n";
    for (options, goes_on) in [("z", true), ("", false)] {
        let dial = format!("Set(FORWARD_CONTEXT=test)\n same => n,Dial(TEST/1,10,{options})");
        let (reach, _folder) = reach("forward", &dial, more).await;
        let call = reach.world.dial("100").await;
        reach
            .send(0, ChannelEvent::Forwarded("sip:200@192.0.2.1".to_owned()))
            .await;
        hangs_up(&reach, 0, Cause::RedirectedToNewDestination).await;
        pass(seconds(11)).await;
        assert_eq!(!call.is_over(), goes_on, "{options}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_number_of_a_leg_and_the_record_can_be_changed() {
    let more =
        "[macro-who]\nexten => s,1,NoOp(${CALLERID(num)})\n same => n,Set(MACRO_RESULT=BUSY)\n";
    for (options, number) in [("o(4711)", "4711"), ("o", "alice"), ("", "100")] {
        let dial = format!("Dial(TEST/1,,{options}M(who))");
        let (reach, _folder) = reach("number", &dial, more).await;
        reach.world.dial("100").await;
        reach.answer(0).await;
        assert_eq!(result(&reach), number, "{options}");
    }
    let more = "exten => h,1,NoOp(${CDR(duration)})\n";
    for (options, lasted) in [("C", "5"), ("", "8")] {
        let dial = format!("Wait(3)\n same => n,Dial(TEST/1,60,{options})");
        let (reach, _folder) = reach("record", &dial, more).await;
        let call = reach.world.dial("100").await;
        pass(seconds(3)).await;
        pass(seconds(5)).await;
        call.leave().await;
        assert_eq!(result(&reach), lasted, "{options}");
    }
}

/// A world that remembers, in this folder.
async fn remembering(folder: &Folder, options: &str, is_first: bool) -> Reach {
    if !is_first {
        tokio::time::resume();
    }
    let plan = format!(
        "exten => 100,1,Dial(TEST/1,,{options})\n same => n,NoOp(${{DIALSTATUS}} ${{DB(privacy/100/alice)}})\n"
    );
    // The caller has said its name before.
    let said = folder.0.join("priv-callerintros");
    std::fs::create_dir_all(&said).unwrap();
    std::fs::write(said.join("alice.sln"), [0; 1600]).unwrap();
    let mut config = Config::default();
    config.own.sounds = folder.0.display().to_string();
    let world = World::keeping(config, &plan, &folder.0).await;
    // A database is opened by threads, which know no paused clock.
    tokio::time::pause();
    Reach::on(world, |_| {})
}

#[tokio::test]
async fn who_is_called_decides_about_each_caller() {
    let cases = [
        ('1', None, "allow"),
        ('2', Some("NOANSWER deny"), "deny"),
        ('3', Some("TORTURE torture"), "torture"),
        ('4', Some("DONTCALL kill"), "kill"),
        ('5', Some("NOANSWER allow"), "allow"),
    ];
    for (digit, expected, kept) in cases {
        let folder = Folder::new(&format!("privacy{digit}"));
        let reach = remembering(&folder, "P", digit == '1').await;
        let call = reach.world.dial("100").await;
        call.sees("0: call audio, video", 1).await;
        reach.answer(0).await;
        call.sees("ring", 1).await;
        assert!(!call.saw("connected"));
        reach.send(0, ChannelEvent::digit('9')).await;
        reach.send(0, ChannelEvent::digit(digit)).await;
        for _ in 0..200 {
            pass(millis(1)).await;
        }
        assert_eq!(call.saw("connected"), expected.is_none(), "{digit}");
        if let Some(expected) = expected {
            assert_eq!(result(&reach), expected);
        }
        let database = reach.world.switch.store().astdb().unwrap();
        assert_eq!(
            database.value("privacy", "100/alice").as_deref(),
            Some(kept)
        );
        // The next call of the same caller is not asked about.
        call.leave().await;
        let again = reach.world.dial("100").await;
        let calls = reach.world.ladder.lines();
        let called = calls.iter().any(|line| line == "1: call audio, video");
        assert_eq!(called, kept == "allow", "{digit}");
        again.leave().await;
    }
}

#[tokio::test]
async fn screening_remembers_nothing_and_may_leave_out_numbers() {
    let folder = Folder::new("screening");
    let reach = remembering(&folder, "p", true).await;
    let call = reach.world.dial("100").await;
    call.sees("0: call audio, video", 1).await;
    reach.answer(0).await;
    call.sees("ring", 1).await;
    assert!(!call.saw("connected"));
    // Nobody decides, however often it is asked; whether something is known of it is read outside of the paused clock.
    let end = std::time::Instant::now() + seconds(10);
    while !call.is_over() {
        assert!(std::time::Instant::now() < end, "it waits for ever");
        std::thread::yield_now();
        pass(seconds(1)).await;
    }
    assert_eq!(result(&reach), "NOANSWER", "nobody decided");
    let folder = Folder::new("numbers");
    let reach = remembering(&folder, "pN", false).await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    call.sees("connected", 1).await;
}

/// What `CHANNEL()` tells of who is called, from its macro.
#[tokio::test(start_paused = true)]
async fn a_called_channel_knows_itself_and_belongs_to_the_caller() {
    let more = "[macro-who]
exten => s,1,NoOp(${CHANNEL(name)} ${CHANNEL(state)} ${CHANNEL(endpoint)} ${CHANNEL(channeltype)} ${MACRO_CONTEXT} ${MACRO_EXTEN} ${CHANNEL(language)} ${CHANNEL(musicclass)} ${CHANNEL(accountcode)})
 same => n,Set(GLOBAL(callee)=${CHANNEL(linkedid)} ${CHANNEL(uniqueid)} ${CHANNEL(context)} ${CHANNEL(exten)})
 same => n,Set(MACRO_RESULT=BUSY)
";
    let dial = "Set(GLOBAL(caller)=${CHANNEL(linkedid)} ${CHANNEL(uniqueid)} ${CHANNEL(context)} ${CHANNEL(exten)})\n \
                same => n,Dial(TEST/1,,M(who))";
    let (reach, _folder) = reach("channel", dial, more).await;
    reach.world.dial("100").await;
    reach.answer(0).await;
    let own = "PJSIP/alice-00000001 Up alice PJSIP default 100 en";
    assert_eq!(result(&reach), own);
    let global = |name: &str| reach.world.switch.global(name).unwrap();
    let (caller, callee) = (global("caller"), global("callee"));
    let caller: Vec<&str> = caller.split(' ').collect();
    let callee: Vec<&str> = callee.split(' ').collect();
    assert_eq!(caller[0], caller[1], "it is the first of its calls");
    assert_eq!(callee[0], caller[0], "linkedid");
    assert_ne!(callee[1], caller[1], "uniqueid");
    assert_eq!(&caller[2..], ["test", "100"]);
    assert_eq!(&callee[2..], ["macro-who", "s"]);
}
