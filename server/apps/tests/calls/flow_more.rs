//! Conditions, loops, macros, and what callers are told: `GotoIf`, `ExecIf`, `While`, `Macro`, `Busy` and theirs.

use config::Config;
use switch::Cause;

use crate::sounds::Folder;
use crate::world::{World, pass, seconds};

/// What the dial plan has left in the global variable `is` after a call of `100`.
async fn is(plan: &str) -> String {
    let world = World::new(plan).await;
    let call = world.dial("100").await;
    assert!(call.is_over(), "{:?}", world.ladder.lines());
    world.switch.global("is").unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_condition_chooses_where_to_go() {
    for (condition, expected) in [
        ("1", "yes"),
        ("$[1 = 1]", "yes"),
        ("0", "no"),
        ("", "no"),
        ("x", "yes"),
    ] {
        let plan = format!(
            "exten => 100,1,GotoIf({condition}?yes,1:no,1)\n\
             exten => yes,1,Set(GLOBAL(is)=yes)\nexten => no,1,Set(GLOBAL(is)=no)\n"
        );
        assert_eq!(is(&plan).await, expected, "{condition}");
        let plan = format!(
            "exten => 100,1,GotoIf({condition}?there)\n same => n,Set(GLOBAL(is)=no)\n \
             same => n,Hangup()\n same => n(there),Set(GLOBAL(is)=yes)\n"
        );
        assert_eq!(is(&plan).await, expected, "{condition}, label");
    }
    let world = World::new("exten => 100,1,GotoIf(1?nowhere:5)\n").await;
    let call = world.dial("100").await;
    assert!(call.is_over());
    assert!(world.remarks()[0].contains("GotoIf(1?nowhere:5): 'nowhere' is neither"));
}

#[tokio::test(start_paused = true)]
async fn the_time_chooses_where_to_go() {
    for (times, expected) in [
        ("*,*,*,*", "yes"),
        ("0:00-23:59,sun-sat,1-31,jan-dec,UTC", "yes"),
    ] {
        let plan = format!(
            "exten => 100,1,GotoIfTime({times}?yes,1:no,1)\n\
             exten => yes,1,Set(GLOBAL(is)=yes)\nexten => no,1,Set(GLOBAL(is)=no)\n"
        );
        assert_eq!(is(&plan).await, expected, "{times}");
        let plan = format!("exten => 100,1,ExecIfTime({times}?Set(GLOBAL(is)=yes))\n");
        assert_eq!(is(&plan).await, expected, "{times}");
    }
    // What cannot be read does not hold, and the call goes on.
    for times in ["9,mon", "9:00-25:00,mon-fry", "*,*,*,*,Middle/Earth"] {
        let plan = format!(
            "exten => 100,1,GotoIfTime({times}?yes,1:no,1)\n\
             exten => no,1,Set(GLOBAL(is)=no)\n same => n,ExecIfTime({times}?Set(GLOBAL(is)=yes))\n"
        );
        let world = World::new(&plan).await;
        world.dial("100").await;
        assert_eq!(world.switch.global("is").as_deref(), Some("no"), "{times}");
        assert_eq!(world.remarks().len(), 2, "{times}: {:?}", world.remarks());
    }
}

#[tokio::test(start_paused = true)]
async fn a_condition_chooses_what_is_run() {
    let plan = "exten => 100,1,ExecIf(1?Set(a=1:2):Set(a=no))\n same => n,ExecIf(0?Set(b=no):Set(b=(x,y)))\n \
                same => n,ExecIf(0?Hangup())\n same => n,Set(WHAT=Set)\n same => n,Exec(${WHAT}(c=3))\n \
                same => n,TryExec(NoSuch(1))\n same => n,Set(d=${TRYSTATUS})\n \
                same => n,TryExec(MSet(e=5,f=\"6,7\"))\n \
                same => n,Set(GLOBAL(is)=${a} ${b} ${c} ${d} ${e} ${f} ${TRYSTATUS})\n";
    assert_eq!(is(plan).await, "1:2 (x,y) 3 NOAPP 5 6,7 SUCCESS");
    let world = World::new("exten => 100,1,ExecIf(1?NoSuch())\n same => n,Wait(100)\n").await;
    assert!(world.dial("100").await.is_over());
    assert!(world.remarks()[0].contains("no application is called 'NoSuch'"));
}

#[tokio::test(start_paused = true)]
async fn loops_repeat_stand_in_loops_and_can_be_left() {
    let plan = "exten => 100,1,Set(n=0)
 same => n,While($[${n} < 9])
 same => n,Set(n=$[${n} + 1])
 same => n,ExecIf($[${n} = 2]?ContinueWhile())
 same => n,ExecIf($[${n} = 4]?ExitWhile())
 same => n,Set(m=0)
 same => n,While($[${m} < 2])
 same => n,Set(m=$[${m} + 1])
 same => n,Set(log=${log}${n}${m})
 same => n,EndWhile()
 same => n,EndWhile()
 same => n,While(0)
 same => n,While(1)
 same => n,Set(log=never)
 same => n,EndWhile()
 same => n,EndWhile()
 same => n,Set(GLOBAL(is)=${log} ${n})
";
    assert_eq!(is(plan).await, "11123132 4");
    for (plan, missing) in [
        ("While(0)", "EndWhile"),
        ("EndWhile()", "While"),
        ("ExitWhile()", "EndWhile"),
    ] {
        let world = World::new(&format!("exten => 100,1,{plan}\n same => n,Wait(9)\n")).await;
        assert!(world.dial("100").await.is_over(), "{plan}");
        assert!(
            world.remarks()[0].contains(&format!("its {missing} is missing")),
            "{plan}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_macro_comes_back_with_its_variables_restored() {
    let plan = "exten => 100,1,Set(ARG1=own)
 same => n,Macro(one,a,b)
 same => n,MacroIf(0?one:two,z)
 same => n,Set(GLOBAL(is)=${log} ${ARG1}${MACRO_EXTEN})
[macro-one]
exten => s,1,Set(log=${log}${ARG1}${ARG2}${MACRO_CONTEXT}${MACRO_EXTEN}${MACRO_PRIORITY})
 same => n,Macro(two,c)
 same => n,MacroExit()
 same => n,Set(log=never)
[macro-two]
exten => s,1,Set(log=${log}|${ARG1}${MACRO_PRIORITY}|)
[test](+)
";
    assert_eq!(is(plan).await, "abtest1002|c2||z3| own");
    let plan = "exten => 100,1,Macro(away)\n same => n,Set(GLOBAL(is)=never)\n\
                exten => 200,1,Set(GLOBAL(is)=away ${MACRO_EXTEN})\n\
                [macro-away]\nexten => s,1,Goto(test,200,1)\n[test](+)\n";
    assert_eq!(is(plan).await.trim(), "away");
    let plan = "exten => 100,1,Macro(skips)\n same => n,Set(GLOBAL(is)=never)\n same => n,Set(GLOBAL(is)=skipped)\n\
                [macro-skips]\nexten => s,1,Set(MACRO_OFFSET=1)\n[test](+)\n";
    assert_eq!(is(plan).await, "skipped");
    assert_eq!(
        is("exten => 100,1,MacroExit()\n same => n,Set(GLOBAL(is)=on)\n").await,
        "on"
    );
}

#[tokio::test(start_paused = true)]
async fn callers_are_refused_before_the_answer_and_hear_tones_after_it() {
    for (application, cause) in [("Busy", 17), ("Congestion", 34)] {
        let plan = format!(
            "exten => 100,1,{application}(5)\nexten => 200,1,Answer()\n same => n,{application}(5)\n\
             exten => 300,1,Answer()\n same => n,{application}()\n"
        );
        let world = World::new(&plan).await;
        let call = world.dial("100").await;
        assert!(call.is_over() && call.saw(&format!("hangup {cause}")));
        let world = World::new(&plan).await;
        let call = world.dial("200").await;
        assert!(call.saw("play tones") && !call.is_over());
        pass(seconds(4)).await;
        assert!(!call.is_over());
        pass(seconds(1)).await;
        assert!(call.is_over() && call.saw(&format!("hangup {cause}")));
        let world = World::new(&plan).await;
        let call = world.dial("300").await;
        pass(seconds(3600)).await;
        assert!(!call.is_over());
        call.send(switch::ChannelEvent::Hangup(Cause::NormalClearing))
            .await;
        assert!(call.is_over());
    }
}

#[tokio::test(start_paused = true)]
async fn callers_are_told_what_goes_on() {
    let plan = "exten => 100,1,Proceeding()\n same => n,Ringing()\n same => n,Wait(2)\n same => n,Progress()\n \
                same => n,Wait(1)\n same => n,Answer()\n same => n,Progress()\n same => n,Ringing()\n \
                same => n,Wait(1)\n same => n,Milliwatt(m)\n";
    let world = World::new(plan).await;
    let call = world.dial("100").await;
    assert_eq!(world.ladder.lines(), ["ring"]);
    pass(seconds(2)).await;
    pass(seconds(1)).await;
    pass(seconds(1)).await;
    let expected = [
        "ring",
        "early: audio, video",
        "answer: audio, video",
        "play tones",
        "play tones",
        "play tones ends",
    ];
    assert_eq!(world.ladder.lines(), expected);
    pass(seconds(100)).await;
    assert!(!call.is_over());
    call.leave().await;
    assert!(call.is_over());
}

#[tokio::test]
async fn entries_of_the_database_are_removed_one_by_one_and_by_family() {
    let plan = "exten => 100,1,MSet(DB(a/x)=1,DB(a/y)=2,DB(b/x)=3)\n same => n,DBdel(a/x)\n \
                same => n,Set(log=${DB(a/x)}-${DB(a/y)})\n same => n,DBdeltree(a)\n \
                same => n,Set(GLOBAL(is)=${log} ${DB(a/y)}-${DB(b/x)})\n";
    let folder = Folder::new("deltree");
    let world = World::keeping(Config::default(), plan, &folder.0).await;
    let call = world.dial("100").await;
    call.sees("hangup 16", 1).await;
    assert_eq!(world.switch.global("is").as_deref(), Some("-2 -3"));
}

#[tokio::test(start_paused = true)]
async fn who_is_sent_on_comes_back_into_no_macro() {
    let plan = "exten => 100,1,Macro(waits)\n same => n,Set(GLOBAL(is)=back)\n\
                exten => 200,1,Set(GLOBAL(is)=led on)\n\
                [macro-waits]\nexten => s,1,Gosub(deep,s,1)\n\
                [deep]\nexten => s,1,Wait(100)\n same => n,Return()\n[test](+)\n";
    let world = World::new(plan).await;
    let call = world.dial("100").await;
    let all = world.switch.directory().all();
    all[0].redirect(switch::Position {
        context: "test".to_owned(),
        exten: "200".to_owned(),
        priority: 1,
    });
    crate::world::settle().await;
    assert!(call.is_over());
    assert_eq!(world.switch.global("is").unwrap_or_default(), "led on");
}
