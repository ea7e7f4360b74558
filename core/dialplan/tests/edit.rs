//! Plans changed without their file.

use dialplan::{NotEdited, Plan};

fn plan() -> Plan {
    let text = "[c]\nexten => 1,1,Answer()\nexten => _2X,1,Echo()\n[d]\nexten => 9,1,Hangup()\n";
    let (plan, messages) = Plan::parse("extensions.conf", text);
    assert!(messages.is_empty(), "{messages:?}");
    plan
}

#[test]
fn a_line_is_added_replaced_and_taken_out() {
    let mut plan = plan();
    plan.add("c", "1,2,Dial(PJSIP/bob,30)", false).unwrap();
    let steps = &plan.find("c", "1", None).unwrap().steps;
    assert_eq!(steps[&2].arguments, "PJSIP/bob,30");
    let again = plan.add("c", "1,2,Hangup()", false);
    assert_eq!(again, Err(NotEdited::Exists { priority: Some(2) }));
    plan.add("c", "1,2,Hangup()", true).unwrap();
    assert_eq!(
        plan.find("c", "1", None).unwrap().steps[&2].application,
        "Hangup"
    );
    plan.remove("c", "1", None, Some(2)).unwrap();
    assert_eq!(plan.find("c", "1", None).unwrap().steps.len(), 1);
    plan.remove("c", "1", None, None).unwrap();
    assert!(plan.find("c", "1", None).is_none());
    assert_eq!(plan.remove("c", "1", None, None), Err(NotEdited::Absent));
}

#[test]
fn an_added_pattern_takes_its_place_among_the_others() {
    let mut plan = plan();
    plan.add("c", "_21,1,Hangup()", false).unwrap();
    assert_eq!(plan.find("c", "21", None).unwrap().name, "_21");
    assert_eq!(plan.find("c", "22", None).unwrap().name, "_2X");
    plan.add("new", "5,1,Answer", false).unwrap();
    assert!(plan.find("new", "5", None).is_some());
}

#[test]
fn what_no_file_may_say_is_not_added() {
    let mut plan = plan();
    for line in ["1", "1,n,Answer()", "_[,1,Answer()", "1,1,"] {
        let refused = plan.add("c", line, true);
        assert!(
            matches!(refused, Err(NotEdited::Unreadable(_))),
            "{line}: {refused:?}"
        );
    }
    assert_eq!(plan.find("c", "1", None).unwrap().steps.len(), 1);
}

#[test]
fn includes_come_and_go() {
    let mut plan = plan();
    plan.add_include("c", "d").unwrap();
    assert!(plan.find("c", "9", None).is_some());
    assert!(matches!(
        plan.add_include("c", "d"),
        Err(NotEdited::Exists { .. })
    ));
    plan.remove_include("c", "d").unwrap();
    assert!(plan.find("c", "9", None).is_none());
    assert_eq!(plan.remove_include("c", "d"), Err(NotEdited::Absent));
    plan.remove_context("d").unwrap();
    assert!(!plan.has_context("d"));
}
