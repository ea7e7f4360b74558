//! What a text of `extensions.conf` makes a call do.

use dialplan::{Plan, Position};

fn plan(text: &str) -> Plan {
    let (plan, diagnostics) = Plan::parse("extensions.conf", text);
    let shown: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(shown, Vec::<String>::new());
    plan
}

/// The steps a call goes through, one after the other.
fn walk(plan: &Plan, context: &str, exten: &str) -> Vec<String> {
    let step = |priority| {
        let at = Position {
            context: context.to_owned(),
            exten: exten.to_owned(),
            priority,
        };
        let step = plan.step(&at, None)?;
        Some(format!("{}({})", step.application, step.arguments))
    };
    (1..).map_while(step).collect()
}

#[test]
fn the_chapter_file_answers_waits_echoes_and_hangs_up() {
    let plan = plan(include_str!("fixtures/extensions.conf"));
    let steps = walk(&plan, "sets", "246");
    assert_eq!(
        steps,
        [
            "Noop()",
            "Answer()",
            "Wait(0.5)",
            "StreamEcho(4)",
            "Hangup()"
        ]
    );
    let at = Position {
        context: "sets".to_owned(),
        exten: "246".to_owned(),
        priority: 4,
    };
    assert_eq!(plan.step(&at, None).map(|step| step.line), Some(5));
    assert!(plan.find("sets", "247", None).is_none());
}

#[test]
fn arguments_keep_commas_parentheses_and_quotes() {
    let plan = plan(
        "[a]\n\
         exten => 1,1,Dial(PJSIP/a&PJSIP/b,30,U(sub^x,y)m(\"x, y\"))\n\
         same => n,Set(X=$[(1 + 2) * 3]) ; remark\n\
         same => n,Log(NOTICE,a\\;b)\n",
    );
    assert_eq!(
        walk(&plan, "a", "1"),
        [
            "Dial(PJSIP/a&PJSIP/b,30,U(sub^x,y)m(\"x, y\"))",
            "Set(X=$[(1 + 2) * 3])",
            "Log(NOTICE,a;b)",
        ]
    );
}

#[test]
fn priorities_may_be_numbers_next_same_and_further() {
    let plan = plan(
        "[a]\n\
         exten => 1,1(start),A()\n\
         same => n(again),B()\n\
         same => n+2(far),C()\n\
         same => hint,PJSIP/alice\n\
         same => n,D\n\
         exten => 1,10,E()\n",
    );
    let label = |label| plan.label("a", "1", label, None);
    assert_eq!(label("start"), Some(1));
    assert_eq!(label("again"), Some(2));
    assert_eq!(label("far"), Some(5));
    assert_eq!(label("nowhere"), None);
    assert_eq!(plan.hint("a", "1"), Some("PJSIP/alice"));
    let extension = plan.find("a", "1", None).unwrap();
    let priorities: Vec<u32> = extension.steps.keys().copied().collect();
    assert_eq!(priorities, [1, 2, 5, 6, 10]);
}

#[test]
fn a_plain_extension_comes_before_any_pattern_and_narrow_before_wide() {
    let plan = plan(
        "[a]\n\
         exten => _!,1,Anything()\n\
         exten => _.,1,Something()\n\
         exten => _X.,1,Digits()\n\
         exten => _XXX,1,Three()\n\
         exten => _NXX,1,From2()\n\
         exten => _2[45]X,1,Set()\n\
         exten => _24X,1,Narrow()\n\
         exten => 246,1,Plain()\n",
    );
    let first = |exten| walk(&plan, "a", exten).remove(0);
    assert_eq!(first("246"), "Plain()");
    assert_eq!(first("247"), "Narrow()");
    assert_eq!(first("257"), "Set()");
    assert_eq!(first("299"), "From2()");
    assert_eq!(first("111"), "Three()");
    assert_eq!(first("1111"), "Digits()");
    assert_eq!(first("bob"), "Something()");
    assert_eq!(first(""), "Anything()");
}

#[test]
fn a_pattern_fills_the_priorities_a_plain_extension_lacks() {
    let plan = plan("[a]\nexten => 12,1,One()\nexten => _1X,1,No()\nexten => _1X,2,Two()\n");
    assert_eq!(walk(&plan, "a", "12"), ["One()", "Two()"]);
}

#[test]
fn an_extension_for_one_caller_is_tried_first() {
    let plan = plan(
        "[a]\n\
         exten => 1,1,All()\n\
         exten => 1/100,1,Hundred()\n\
         exten => 1/_2XX,1,TwoHundreds()\n\
         exten => 1/,1,Anonymous()\n",
    );
    let application = |caller| {
        let extension = plan.find("a", "1", caller).unwrap();
        extension.steps[&1].application.as_str()
    };
    assert_eq!(application(Some("100")), "Hundred");
    assert_eq!(application(Some("234")), "TwoHundreds");
    assert_eq!(application(Some("300")), "All");
    assert_eq!(application(None), "Anonymous");
}

#[test]
fn included_contexts_are_searched_after_and_may_run_in_circles() {
    let plan = plan(
        "[a]\ninclude => b\ninclude => c\nexten => 1,1,A()\n\
         [b]\ninclude => a\nexten => 1,1,B()\nexten => 2,1,B()\n\
         [c]\nexten => 2,1,C()\nexten => 3,1,C()\n",
    );
    assert_eq!(walk(&plan, "a", "1"), ["A()"]);
    assert_eq!(walk(&plan, "a", "2"), ["B()"]);
    assert_eq!(walk(&plan, "b", "3"), ["C()"]);
    assert_eq!(walk(&plan, "c", "1"), Vec::<String>::new());
}

#[test]
fn sections_of_one_name_are_one_context_and_templates_are_none() {
    let plan = plan(
        "[base](!)\nexten => 9,1,Base()\n\
         [a](base)\nexten => 1,1,A()\n\
         [b]\nexten => 1,1,B()\n\
         [a]\nexten => 2,1,A()\n",
    );
    assert_eq!(walk(&plan, "a", "9"), ["Base()"]);
    assert_eq!(walk(&plan, "a", "2"), ["A()"]);
    assert!(!plan.has_context("base"));
    let names: Vec<&str> = plan.contexts().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn globals_are_known_in_names_and_in_each_other() {
    let plan = plan(
        "[general]\nautofallthrough=no\n\
         [a]\nexten => ${ECHO},1,Echo()\ninclude => ${NEXT}\n\
         [b]\nexten => 1,1,One()\n\
         [globals]\nTWO=2\nECHO=${TWO}46\nNEXT=b\n",
    );
    assert!(!plan.autofallthrough);
    assert_eq!(plan.globals()["ECHO"], "246");
    assert_eq!(walk(&plan, "a", "246"), ["Echo()"]);
    assert_eq!(walk(&plan, "a", "1"), ["One()"]);
}

#[test]
fn knows_whether_more_digits_could_follow() {
    let plan = plan("[a]\nexten => 12,1,A()\nexten => _3XX,1,A()\nexten => _4.,1,A()\n");
    let longer = |digits| plan.could_be_longer("a", digits, None);
    assert!(longer("1") && longer("3") && longer("33") && longer("4") && longer("45"));
    assert!(longer(""));
    assert!(!longer("12") && !longer("333") && !longer("5"));
}
