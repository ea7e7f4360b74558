//! `switch => Realtime/…`: what is asked of tables, in which order, and what their rows mean.

use dialplan::{
    Answers, Extensions, Plan, Position, Question, Severity, TableRow, Unanswered, Variables,
    Wanted,
};
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

/// One variable, `X`.
struct X(&'static str);

impl Variables for X {
    fn variable(&self, name: &str) -> Option<Cow<'_, str>> {
        (name == "X").then_some(Cow::Borrowed(self.0))
    }

    fn function(&self, _: &str, _: &str) -> Option<String> {
        None
    }
}

/// `family context exten priority application`.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

/// Answers each question from these rows, and notes them.
struct Tables {
    rows: &'static [Row],
    away: bool,
    asked: RefCell<Vec<String>>,
}

impl Tables {
    fn new(rows: &'static [Row]) -> Self {
        Self {
            rows,
            away: false,
            asked: RefCell::default(),
        }
    }

    fn answer(&self, question: &Question) -> Option<Arc<Extensions>> {
        let Question {
            family,
            context,
            wanted,
        } = question;
        let (what, dialled) = match wanted {
            Wanted::Extension(exten) => (exten.clone(), Some(exten.as_str())),
            Wanted::Patterns => ("_".to_owned(), None),
            Wanted::Longer(digits) => (format!("{digits}+"), None),
        };
        self.asked
            .borrow_mut()
            .push(format!("{family} {context} {what}"));
        let is_wanted = |exten: &str| match wanted {
            Wanted::Extension(dialled) => exten == dialled,
            Wanted::Patterns => exten.starts_with('_'),
            Wanted::Longer(digits) => exten.starts_with(digits.as_str()) && exten != digits,
        };
        let rows = self
            .rows
            .iter()
            .filter(|row| row.0 == family && row.1 == context && is_wanted(row.2));
        let rows = rows.map(|(_, context, exten, priority, app)| TableRow {
            id: None,
            context: Some(context),
            exten: Some(exten),
            priority: Some(priority),
            app: Some(app),
            appdata: None,
        });
        (!self.away).then(|| Arc::new(Extensions::from_rows(family, dialled, rows).0))
    }

    /// The application at a position; how often it is asked is noted.
    fn step(&self, plan: &Plan, at: (&str, &str, u32)) -> Result<Option<String>, Unanswered> {
        let at = Position {
            context: at.0.to_owned(),
            exten: at.1.to_owned(),
            priority: at.2,
        };
        let mut answers = Answers::default();
        loop {
            match plan.lookup(&answers, None, &X("beta")).step(&at) {
                Ok(step) => return Ok(step.map(|step| step.application)),
                Err(Unanswered::Ask(question)) => {
                    let answer = self.answer(&question);
                    answers.give(question, answer);
                }
                Err(Unanswered::Away) => return Err(Unanswered::Away),
            }
        }
    }

    fn longer(&self, plan: &Plan, digits: &str) -> bool {
        let mut answers = Answers::default();
        loop {
            match plan
                .lookup(&answers, None, &X(""))
                .could_be_longer("sets", digits)
            {
                Ok(longer) => return longer,
                Err(Unanswered::Ask(question)) => {
                    let answer = self.answer(&question);
                    answers.give(question, answer);
                }
                Err(Unanswered::Away) => return false,
            }
        }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.take()
    }
}

fn plan(text: &str) -> Plan {
    let (plan, messages) = Plan::parse("extensions.conf", text);
    assert!(messages.is_empty(), "{messages:?}");
    plan
}

const ROWS: &[Row] = &[
    ("extensions", "sets", "100", "1", "Answer"),
    ("extensions", "sets", "100", "2", "Echo"),
    ("extensions", "sets", "_1XX", "1", "Wide"),
    ("extensions", "sets", "_10X", "1", "Narrow"),
    ("extensions", "sets", "_1XX", "3", "Third"),
    ("extensions", "sets", "246", "1", "FromTable"),
    ("extensions", "sets", "700", "1", "FromTable"),
    ("other", "beta", "100", "1", "Beta"),
];

#[test]
fn files_come_first_then_the_table_and_then_what_is_included() {
    let plan = plan(
        "[sets]\nswitch => Realtime/@\ninclude => more\nexten => 246,1,FromFile()\n\
         [more]\nexten => 700,1,Included()\nexten => 800,1,Included()\n",
    );
    let tables = Tables::new(ROWS);
    let step = |exten| tables.step(&plan, ("sets", exten, 1)).unwrap();
    assert_eq!(step("246").as_deref(), Some("FromFile"));
    assert_eq!(
        tables.asked(),
        [""; 0],
        "no table is asked for what a file has"
    );
    assert_eq!(step("700").as_deref(), Some("FromTable"));
    assert_eq!(step("800").as_deref(), Some("Included"));
    assert_eq!(step("900"), None);
}

#[test]
fn the_extension_itself_comes_before_patterns_and_the_narrow_one_before_the_wide() {
    let plan = plan("[sets]\nswitch => Realtime/sets@extensions\n");
    let tables = Tables::new(ROWS);
    let step = |exten, priority| tables.step(&plan, ("sets", exten, priority)).unwrap();
    assert_eq!(step("100", 1).as_deref(), Some("Answer"));
    assert_eq!(tables.asked(), ["extensions sets 100"]);
    assert_eq!(step("101", 1).as_deref(), Some("Narrow"));
    assert_eq!(tables.asked(), ["extensions sets 101", "extensions sets _"]);
    assert_eq!(step("111", 1).as_deref(), Some("Wide"));
    // Each priority is looked for on its own.
    assert_eq!(step("100", 3).as_deref(), Some("Third"));
    assert_eq!(step("100", 4), None);
    assert_eq!(step("_1XX", 1), None, "nobody dials a pattern");
}

#[test]
fn the_option_p_turns_patterns_off() {
    let plan = plan("[sets]\nswitch => Realtime/@/p\n");
    let tables = Tables::new(ROWS);
    assert_eq!(tables.step(&plan, ("sets", "111", 1)), Ok(None));
    assert_eq!(tables.asked(), ["extensions sets 111"]);
}

#[test]
fn a_switch_names_another_context_and_family_with_variables_where_asterisk_reads_them() {
    let text = "[globals]\nFAMILY=other\n[here]\nswitch => Realtime/beta@${FAMILY}\n\
                [there]\neswitch => Realtime/${X}@other\n[letter]\nlswitch => Realtime/${X}@other\n";
    let plan = plan(text);
    let tables = Tables::new(ROWS);
    for (context, found) in [("here", true), ("there", true), ("letter", false)] {
        let step = tables.step(&plan, (context, "100", 1)).unwrap();
        assert_eq!(step.is_some(), found, "{context}");
    }
}

#[test]
fn overrideswitch_is_asked_before_the_files() {
    let plan = plan(
        "[general]\noverrideswitch => Realtime/@\n[sets]\nexten => 246,1,FromFile()\n\
         exten => 300,1,FromFile()\n",
    );
    let tables = Tables::new(ROWS);
    let step = |exten| tables.step(&plan, ("sets", exten, 1)).unwrap();
    assert_eq!(step("246").as_deref(), Some("FromTable"));
    assert_eq!(step("300").as_deref(), Some("FromFile"));
}

#[test]
fn a_table_that_cannot_be_asked_hides_nothing_that_files_have() {
    let plan = plan(
        "[sets]\nswitch => Realtime/@\ninclude => more\nexten => 246,1,FromFile()\n\
         [more]\nexten => 800,1,Included()\n",
    );
    let mut tables = Tables::new(ROWS);
    tables.away = true;
    let step = |exten, priority| tables.step(&plan, ("sets", exten, priority));
    assert_eq!(step("800", 1).unwrap().as_deref(), Some("Included"));
    assert_eq!(step("700", 1), Err(Unanswered::Away), "who knows");
    // Of an extension that is known the last priority has come.
    assert_eq!(step("246", 2), Ok(None));
}

#[test]
fn more_digits_are_looked_for_in_tables_too() {
    let plan = plan("[sets]\nswitch => Realtime/@\n");
    let tables = Tables::new(ROWS);
    assert!(tables.longer(&plan, "7"), "700");
    assert!(tables.longer(&plan, "15"), "_1XX");
    assert!(!tables.longer(&plan, "700"));
    assert!(!tables.longer(&plan, "9"));
}

#[test]
fn what_is_no_realtime_switch_is_told_and_not_asked() {
    let text = "[sets]\nswitch => Loopback/12${EXTEN}@more\nswitch => IAX2/user:key@host/context\n\
                switch => Lua\nswitch => Realtme/@\nswitch => Realtime/sets\nswitch => Realtime/@/x\n";
    let (plan, messages) = Plan::parse("extensions.conf", text);
    let said: Vec<String> = messages.iter().map(|message| message.to_string()).collect();
    assert!(messages.iter().all(|m| m.severity == Severity::Warning));
    for (line, part) in [
        (
            0,
            "extensions.conf:2:11: switch `Loopback` is accepted, has no effect here, because",
        ),
        (0, "`include => CONTEXT`"),
        (
            1,
            "extensions.conf:3:11: switch `IAX2` is accepted, has no effect here, because",
        ),
        (
            2,
            "extensions.conf:4:11: switch `Lua` is accepted, has no effect here, because",
        ),
        (3, "did you mean `Realtime`?"),
        (4, "`Realtime/sets@` for a context"),
        (5, "no option `x`"),
    ] {
        assert!(said[line].contains(part), "{part} not in {}", said[line]);
    }
    assert_eq!(plan.switches().count(), 2);
}

#[test]
fn a_row_that_cannot_be_used_is_named_and_the_others_live() {
    let row = |id, exten, priority, app| TableRow {
        id: Some(id),
        context: Some("sets"),
        exten: Some(exten),
        priority: Some(priority),
        app: Some(app),
        appdata: Some("a,${EXTEN}"),
    };
    let rows = [
        row("9", "100", "1", "Second"),
        row("1", "100", "1", "Answer"),
        row("2", "_[", "1", "Answer"),
        row("3", "100", "n", "Answer"),
        row("4", "100", "2", " "),
        row("5", "", "1", "Answer"),
        row("6", "_1X.", "1", "Echo"),
    ];
    let (extensions, bad) = Extensions::from_rows("extensions", None, rows);
    let names: Vec<&str> = extensions.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["100", "_1X."]);
    let step = &extensions.iter().next().unwrap().steps[&1];
    assert_eq!(step.application, "Answer", "the lower number counts");
    assert_eq!(step.arguments, "a,${EXTEN}");
    assert_eq!(step.place(), "extensions, row 1");
    let said: Vec<String> = bad.iter().map(|bad| bad.to_string()).collect();
    let expected = [
        "row 2 is not used: exten `_[`: `[` has no closing `]`",
        "row 3 is not used: priority `n` is not a number from 1",
        "row 4 is not used: app names no application",
        "row 5 is not used: exten is empty",
        "row 9 is not used: priority 1 of extension 100 is there already (extensions, row 1)",
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_goto_into_a_table_is_no_fault() {
    let plan = plan(
        "[sets]\nexten => 1,1,Goto(700,1)\nexten => 2,1,Goto(1,9)\nexten => 3,1,Goto(1,again)\n\
         switch => Realtime/@\n",
    );
    let said: Vec<String> = plan.faults().iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("no label `again`"),
        "a table has no labels: {said:?}"
    );
}
