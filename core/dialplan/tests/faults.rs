//! What `check` says of a plan whose every line can be read.

use dialplan::{Diagnostic, Moment, Plan, Position, Variables};
use expect_test::expect;
use std::borrow::Cow;

fn plan(text: &str) -> Plan {
    let (plan, diagnostics) = Plan::parse("extensions.conf", text);
    assert_eq!(shown(&diagnostics), "");
    plan
}

fn shown(diagnostics: &[Diagnostic]) -> String {
    let lines = diagnostics.iter().map(|told| format!("{told}\n"));
    lines.collect()
}

#[test]
fn subroutines_macros_and_times_lead_somewhere() {
    let plan = plan(
        "[sub]
exten => s,1,Return()
[macro-std]
exten => s,1,NoOp()
[c]
exten => 1,1,Gosub(sub,s,1(a,${EXTEN}))
 same => n,Gosub(sbu,s,1)
 same => n,Gosub(sub,s,1(a,b)
 same => n,Gosub(sub,t,1(a))
 same => n,GosubIf($[1]?sub,s,1(x):sub,s,nolabel(y))
 same => n,Macro(std,a)
 same => n,Macro(sdt,a)
 same => n,GotoIfTime(9:00-17:00,mon-fri,*,*?c,1,1:c,2,1)
 same => n,GotoIfTime(9:00-25:00,mon-fry,*,*?c,1,1)
 same => n,GotoIfTime(${HOURS}?c,1,1)
 same => n,ExecIfTime(9,*,*,*?Hangup())
",
    );
    expect![[r#"
        extensions.conf:7:12: context `sbu` does not exist: the call would end here
           = did you mean `sub`?
        extensions.conf:8:12: a `(` is never closed: Gosub takes `sub,s,1(a,b`
           = write parentheses in pairs
        extensions.conf:9:12: context `sub` has no extension `t`: the call would end here
           = did you mean `s`?
        extensions.conf:10:12: there is no label `nolabel` in extension `s` of context `sub`: the call would end here
            = write a priority, or the label of one: `n(again),…`
        extensions.conf:12:12: there is no macro `sdt`: the call would end here
            = did you mean `std`?
        extensions.conf:13:12: context `c` has no extension `2`: the call would end here
            = add `exten => 2,1,…` to `[c]`
        extensions.conf:14:12: '9:00-25:00' is no time of the day; a timing is written like 9:00-17:00,mon-fri,1-31,jan-dec, with * for any: it never holds
            = correct it
        extensions.conf:16:12: '9' is no time of the day; a timing is written like 9:00-17:00,mon-fri,1-31,jan-dec, with * for any: it never holds
            = correct it
    "#]].assert_eq(&shown(&plan.faults()));
}

#[test]
fn arguments_that_cannot_be_meant_are_told() {
    let plan = plan(
        "[c]
exten => 1,1,Dial(PJSIP/1,20,tTkKb(c^1^1)q)
 same => n,Dial(PJSIP/1,abc,${OPTIONS})
 same => n,Dial(PJSIP/1,,t)
 same => n,Dial(PJSIP/${A:1:2}&PJSIP/2,${TIME},t${X}q)
 same => n,Wait(abc)
 same => n,Wait(0.5)
 same => n,WaitExten(5,m)
 same => n,NoOp(it is :-)
",
    );
    expect![[r#"
        extensions.conf:2:14: Dial has no option `q`: it is ignored
           = `core show application Dial` lists the options
        extensions.conf:3:12: the second argument of Dial is `abc`, which is no number of seconds
           = write seconds, as in 20 or 0.5
        extensions.conf:6:12: the time is `abc`, which is no number of seconds
           = write seconds, as in 20 or 0.5
    "#]]
    .assert_eq(&shown(&plan.faults()));
}

#[test]
fn functions_and_branches_nobody_has_are_told() {
    let plan = plan(
        "[c]
exten => 1,1,Set(X=${callerid(num)}${LEN(${FOO(x)})})
 same => n,ExecIf($[1]?Dail(PJSIP/1):Hangup())
 same => n,ExecIf($[${LEN(a)} > 1]?NoOp(a:b):${APP}(x))
 same => n,TryExec(Hangpu())
",
    );
    let told = plan.unknown_functions(&["CALLERID", "LEN"]);
    expect![[r#"
        extensions.conf:2:14: function `callerid` is not known: functions are written in capitals
           = did you mean `CALLERID`?
        extensions.conf:2:14: function `FOO` is not known: it would be nothing
           = `core show functions` lists those there are
    "#]]
    .assert_eq(&shown(&told));
    let told = plan.unknown_branches(&["Dial", "Hangup", "NoOp"]);
    expect![[r#"
        extensions.conf:3:12: application `Dail` is not known
           = did you mean `Dial`?
        extensions.conf:5:12: application `Hangpu` is not known
           = did you mean `Hangup`?
    "#]]
    .assert_eq(&shown(&told));
}

/// A clock that stands.
struct At(Option<Moment>);

impl Variables for At {
    fn variable(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }

    fn function(&self, _: &str, _: &str) -> Option<String> {
        None
    }

    fn moment(&self, _: Option<&str>) -> Option<Moment> {
        self.0
    }
}

fn at(hour: u16, weekday: u8) -> Option<Moment> {
    Some(Moment {
        minute: hour * 60,
        weekday,
        day: 2,
        month: 3,
    })
}

/// The step a label leads to is one of what is included now.
#[test]
fn a_label_is_that_of_the_steps_that_hold_now() {
    let plan = plan(
        "[main]
include => day,9:00-17:00,mon-fri,*,*
include => night
[day]
exten => s,1,NoOp()
 same => n(vm),Dial(PJSIP/boss)
exten => desk,1,Dial(PJSIP/boss)
[night]
exten => s,1,GotoIf($[1]?vm)
 same => n,Hangup()
 same => n(vm),Record(msg-%d.wav,3,60,k)
",
    );
    let label = |moment| plan.label_now("main", "s", "vm", None, &At(moment));
    assert_eq!((label(at(12, 3)), label(at(20, 3))), (Some(2), Some(3)));
    let first = Position {
        context: "main".to_owned(),
        exten: "desk".to_owned(),
        priority: 1,
    };
    let step = |moment| plan.step_now(&first, None, &At(moment)).is_some();
    assert!(step(at(12, 3)) && !step(at(20, 3)));
}

#[test]
fn an_include_with_times_holds_at_those_times() {
    let plan = plan(
        "[main]
include => day,9:00-17:00,mon-fri,*,*
include => night
[old]
include => day|9:00-17:00|mon-fri|*|*
include => night
[day]
exten => 1,1,Day()
[night]
exten => 1,1,Night()
",
    );
    let step = |context: &str, moment: Option<Moment>| {
        let (clock, answers) = (At(moment), Default::default());
        let lookup = plan.lookup(&answers, None, &clock);
        let at = Position {
            context: context.to_owned(),
            exten: "1".to_owned(),
            priority: 1,
        };
        lookup.step(&at).unwrap().unwrap().application
    };
    for context in ["main", "old"] {
        assert_eq!(step(context, at(12, 3)), "Day");
        assert_eq!(step(context, at(20, 3)), "Night");
        assert_eq!(step(context, at(12, 0)), "Night", "Sunday");
        assert_eq!(step(context, None), "Day", "without a clock it holds");
    }
}

#[test]
fn times_that_cannot_be_read_and_a_torn_arrow_are_told() {
    let text = "[c]\ninclude => c,9:00-25:00,mon-fry,*,*\nexten = > 124,1,NoOp(x)\n";
    let (_, told) = Plan::parse("extensions.conf", text);
    expect![[r#"
        extensions.conf:2:12: '9:00-25:00' is no time of the day; a timing is written like 9:00-17:00,mon-fri,1-31,jan-dec, with * for any: the `include` holds always
         2 | include => c,9:00-25:00,mon-fry,*,*
           |            ^
           = correct it, or take the times out
        extensions.conf:3:9: the extension is called `> 124`: nobody dials that
         3 | exten = > 124,1,NoOp(x)
           |         ^
           = write `=>` without a space in it
    "#]].assert_eq(&shown(&told));
}
