//! What is said about an `extensions.conf` that cannot be used as it stands.

use dialplan::{Plan, Severity};
use expect_test::{Expect, expect};
use proptest::prelude::*;

#[track_caller]
fn check(text: &str, expected: &Expect) -> Plan {
    let (plan, diagnostics) = Plan::parse("extensions.conf", text);
    let shown: String = diagnostics
        .iter()
        .map(|d| format!("{} {d}\n", d.severity))
        .collect();
    expected.assert_eq(&shown);
    plan
}

#[test]
fn lines_that_cannot_be_used_are_left_out() {
    let plan = check(
        "\
[sets]
same => n,Answer()
exten => 1
exten => 2,n,Answer()
exten => 3,first,Answer()
exten => 4,1(label,Answer()
exten => 5,1,
exten => ,1,Answer()
exten => _[12,1,Answer()
exten => 6,1,(x)
exten => 7,0,Answer()
exten => 8,1,Answer()
 same => 1,Hangup()
 same => n,Hangup()
",
        &expect![[r#"
            error extensions.conf:2:1: `same` stands before any `exten` of its section
             2 | same => n,Answer()
               | ^
               = begin with `exten => NAME,1,…`
            error extensions.conf:3:10: extension has neither priority nor application
             3 | exten => 1
               |          ^
               = write for example `exten => 100,1,Answer()`
            error extensions.conf:4:12: `n` has no line before it to go on from
             4 | exten => 2,n,Answer()
               |            ^
               = write `1` first, then `n`
            error extensions.conf:5:12: `first` is not a priority: write a number from 1, `n` or `hint`
             5 | exten => 3,first,Answer()
               |            ^
               = write `1` first, then `n`
            error extensions.conf:6:12: label has no closing `)`
             6 | exten => 4,1(label,Answer()
               |            ^
               = write `n(label)`
            error extensions.conf:7:12: no application is named
             7 | exten => 5,1,
               |            ^
               = write for example `exten => 100,1,Answer()`
            error extensions.conf:8:10: extension has no name
             8 | exten => ,1,Answer()
               |          ^
               = write for example `exten => 100,1,Answer()`
            error extensions.conf:9:10: pattern `_[12`: `[` has no closing `]`
             9 | exten => _[12,1,Answer()
               |          ^
               = write for example `_1XX`: X is any digit, Z 1 to 9, N 2 to 9, `.` anything after
            error extensions.conf:10:14: no application is named
             10 | exten => 6,1,(x)
                |              ^
                = write for example `exten => 100,1,Answer()`
            error extensions.conf:11:12: `0` is not a priority: write a number from 1, `n` or `hint`
             11 | exten => 7,0,Answer()
                |            ^
                = write `1` first, then `n`
            error extensions.conf:13:12: extension 8 already has priority 1 in line 12; this one is left out
             13 |  same => 1,Hangup()
                |            ^
                = write `n` for the next priority
        "#]],
    );
    assert_eq!(plan.contexts().count(), 1);
    assert!(plan.find("sets", "8", None).is_some());
    assert!(plan.find("sets", "7", None).is_none());
}

#[test]
fn lines_of_a_refused_extension_do_not_go_to_the_one_before() {
    let plan = check(
        "[sets]\nexten => 1,1,Answer()\nexten => _[2,1,Answer()\n same => n,Hangup()\n",
        &expect![[r#"
            error extensions.conf:3:10: pattern `_[2`: `[` has no closing `]`
             3 | exten => _[2,1,Answer()
               |          ^
               = write for example `_1XX`: X is any digit, Z 1 to 9, N 2 to 9, `.` anything after
        "#]],
    );
    let first = plan.find("sets", "1", None).expect("it is well written");
    assert_eq!(first.steps.len(), 1);
}

/// What a plan whose lines are all well written does wrong.
#[track_caller]
fn faults(text: &str, expected: &Expect) {
    let (plan, diagnostics) = Plan::parse("extensions.conf", text);
    assert_eq!(diagnostics, []);
    let shown: String = plan.faults().iter().map(|d| format!("{d}\n")).collect();
    expected.assert_eq(&shown);
}

#[test]
fn jumps_to_nowhere_are_told() {
    faults(
        "\
[sets]
exten => 1,1,Goto(nowhere,s,1)
exten => 2,1,Goto(othr,s,1)
exten => 3,1,Goto(other,t,1)
exten => 4,1,Goto(other,s,9)
exten => 5,1,Goto(again)
exten => 6,1,Goto(7,agian)
exten => 7,1(again),Goto(77,1)
exten => 8,1,GotoIf($[${A}?1:0]?other,s,1:nowhere,s,1)
[other]
exten => s,1,NoOp()
exten => _1X,1,NoOp()
",
        &expect![[r#"
            extensions.conf:2:14: context `nowhere` does not exist: the call would end here
               = add `[nowhere]`
            extensions.conf:3:14: context `othr` does not exist: the call would end here
               = did you mean `other`?
            extensions.conf:4:14: context `other` has no extension `t`: the call would end here
               = did you mean `s`?
            extensions.conf:5:14: there is no priority 9 in extension `s` of context `other`: the call would end here
               = write a priority, or the label of one: `n(again),…`
            extensions.conf:6:14: there is no label `again` here: the call would end here
               = write a priority, or the label of one: `n(again),…`
            extensions.conf:7:14: there is no label `agian` in extension `7` of context `sets`: the call would end here
               = did you mean `again`?
            extensions.conf:8:21: context `sets` has no extension `77`: the call would end here
               = add `exten => 77,1,…` to `[sets]`
            extensions.conf:9:14: context `nowhere` does not exist: the call would end here
               = add `[nowhere]`
        "#]],
    );
}

/// What is sure alone is told.
#[test]
fn jumps_that_may_lead_somewhere_are_not_told() {
    faults(
        "\
[sets]
include => shared
exten => 1,1,Goto(${WHERE},s,1)
exten => 2,1,Goto(other,12,1)
exten => 3,1,Goto(+1)
 same => n,Goto(1)
exten => 4,1,Goto(9,1)
exten => 5,1,GotoIf($[1]?other,s,1)
exten => here,1(mark),NoOp()
[shared]
exten => 8,1,Goto(here,mark)
exten => 9,1,NoOp(${A}$[1 + ${B}] {[)
exten => _5X,1,Goto(mark)
[other]
exten => s,1,NoOp()
exten => _1X,1,NoOp()
",
        &expect![""],
    );
}

#[test]
fn variables_that_never_end_are_told_with_their_place() {
    faults(
        "\
[sets]
exten => 1,1,NoOp(a ${EXTEN)
exten => 2,1,Set(A=${B${C})
exten => 3,1,Set(A=$[1 + ${B}])
 same => n,Set(A=$[1 + 2)
 same => n,Set(A=$[${B])
",
        &expect![[r#"
            extensions.conf:2:21: `${` is never closed: what follows it would be lost
               = write the `}`
            extensions.conf:3:20: `${` is never closed: what follows it would be lost
               = write the `}`
            extensions.conf:5:18: `$[` is never closed: what follows it would be lost
               = write the `]`
            extensions.conf:6:20: `${` is never closed: what follows it would be lost
               = write the `}`
        "#]],
    );
}

#[test]
fn doubtful_lines_work_and_are_warned_of() {
    let plan = check(
        "\
[general]
autofalltrough=yes
static=yes
autofallthrough=maybe
[sets]
exten => 1,1,Dial(PJSIP/bob
exten => 2,1,Answer() please
exten => 3,2,Hangup()
extn => 4,1,Answer()
include => outsid
include => outside,9:00-17:00,mon-fri,*,*
ignorepat => 9
[outside]
exten => 5,1,Answer()
",
        &expect![[r#"
            warning extensions.conf:2:1: option `autofalltrough` is not known in [general]
             2 | autofalltrough=yes
               | ^
               = did you mean `autofallthrough`?
            info extensions.conf:3:1: option `static` is accepted, has no effect here, because the console changes no file, so none needs protection from it
             3 | static=yes
               | ^
            warning extensions.conf:4:17: value is neither yes nor no
             4 | autofallthrough=maybe
               |                 ^
               = write `yes` or `no`
            warning extensions.conf:6:14: arguments have no closing `)`
             6 | exten => 1,1,Dial(PJSIP/bob
               |              ^
               = write `)` at the end of the line
            warning extensions.conf:7:14: `please` after the closing `)` is left out
             7 | exten => 2,1,Answer() please
               |              ^
               = put a comment behind `;`
            warning extensions.conf:8:10: extension 3 has no priority 1 and is never reached
             8 | exten => 3,2,Hangup()
               |          ^
               = write `1` as its first priority
            warning extensions.conf:9:1: `extn` is not known in a context
             9 | extn => 4,1,Answer()
               | ^
               = did you mean `exten`?
            warning extensions.conf:10:12: context `outsid` does not exist
             10 | include => outsid
                |            ^
                = did you mean `outside`?
            info extensions.conf:12:1: `ignorepat` is accepted, has no effect here, because it keeps the dial tone of analogue phones, and there are none
             12 | ignorepat => 9
                | ^
        "#]],
    );
    let dial = plan.find("sets", "1", None).expect("it works");
    assert_eq!(dial.steps[&1].arguments, "PJSIP/bob");
    assert!(plan.find("sets", "5", None).is_some());
}

#[test]
fn applications_nobody_has_are_named_with_what_was_meant() {
    let text = "[a]\nexten => 1,1,answer()\n same => n,StreamEco(4)\n same => n,${X}()\n";
    let plan = check(text, &expect![[""]]);
    let diagnostics = plan.unknown_applications(&["Answer", "Echo", "StreamEcho"]);
    let shown: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    expect![[r#"
        extensions.conf:3:12: application `StreamEco` is not known
           = did you mean `StreamEcho`?"#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn a_flood_of_faults_is_cut_short() {
    let text = format!("[a]\n{}", "exten => 1\n".repeat(5000));
    let (_, diagnostics) = Plan::parse("extensions.conf", &text);
    assert_eq!(diagnostics.len(), 1001);
    let last = &diagnostics[1000];
    assert_eq!(last.message, "4000 more messages are not shown");
    assert_eq!(last.severity, Severity::Warning);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_makes_a_plan(
        lines in proptest::collection::vec(
            prop_oneof![
                r"\[[a-c]\](\([!+a-c,]{0,4}\))?",
                r"exten => [_XNZ0-9.!\[\]/-]{0,6},[n0-9+()a]{0,5},[A-Za-z(),;]{0,8}",
                r"same => [n0-9+()a]{0,5},[A-Za-z()]{0,8}",
                r"include => [a-c]",
                r".{0,30}",
            ],
            0..20,
        ),
        dialled in "[0-9a]{0,4}",
    ) {
        let (plan, _) = Plan::parse("extensions.conf", &lines.join("\n"));
        for (context, _) in plan.contexts() {
            plan.find(context, &dialled, Some("100"));
            plan.label(context, &dialled, "a", None);
            plan.could_be_longer(context, &dialled, None);
        }
    }
}
