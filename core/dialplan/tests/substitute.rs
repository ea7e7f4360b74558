//! What variables, functions and expressions become.

use dialplan::{Note, Variables, evaluate, substitute};
use proptest::prelude::*;
use std::borrow::Cow;
use std::cell::RefCell;

/// `EXTEN` is 12345, `NAME` names `EXTEN`, `LONG` is long; `LEN()` counts, `SAME()` repeats.
#[derive(Default)]
struct Sample {
    notes: RefCell<Vec<Note>>,
}

impl Variables for Sample {
    fn variable(&self, name: &str) -> Option<Cow<'_, str>> {
        match name {
            "EXTEN" => Some("12345".into()),
            "NAME" => Some("EXTEN".into()),
            "CITY" => Some("Łódź".into()),
            "BRACES" => Some("}${EXTEN}{".into()),
            "LONG" => Some("x".repeat(50_000).into()),
            _ => None,
        }
    }

    fn function(&self, name: &str, arguments: &str) -> Option<String> {
        match name {
            "LEN" => Some(arguments.chars().count().to_string()),
            "SAME" => Some(arguments.to_owned()),
            _ => None,
        }
    }

    fn note(&self, note: &Note) {
        self.notes.borrow_mut().push(note.clone());
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let sample = Sample::default();
    assert_eq!(substitute(text, &sample), expected);
    assert_eq!(sample.notes.take(), []);
}

#[track_caller]
fn check_noted(text: &str, expected: &str, note: &str) {
    let sample = Sample::default();
    assert_eq!(substitute(text, &sample), expected);
    let notes: Vec<String> = sample.notes.take().iter().map(Note::to_string).collect();
    assert_eq!(notes, [note]);
}

#[test]
fn variables_are_replaced_and_all_else_stays() {
    check("", "");
    check("SIP/${EXTEN},30,tT", "SIP/12345,30,tT");
    check("${EXTEN}${EXTEN}", "1234512345");
    check("a ${UNSET} b", "a  b");
    check("5$ {x} [y] $ $$", "5$ {x} [y] $ $$");
}

#[test]
fn parts_count_from_either_end_in_characters() {
    check("${EXTEN:1}", "2345");
    check("${EXTEN:1:3}", "234");
    check("${EXTEN:-2}", "45");
    check("${EXTEN:-2:1}", "4");
    check("${EXTEN:0:-1}", "1234");
    check("${EXTEN:1:-3}", "2");
    check("${EXTEN:3:-3}", "");
    check("${EXTEN:-9}", "12345");
    check("${EXTEN:9}", "");
    check("${EXTEN:1:99999999999999999999}", "2345");
    check("${CITY:1:2}", "ód");
}

#[test]
fn names_and_arguments_may_hold_variables() {
    check("${${NAME}}", "12345");
    check("${${NAME}:1:1}", "2");
    check("${EXTEN:${LEN(ab)}}", "345");
    check("${LEN(${EXTEN})}", "5");
    check("${SAME(a,(b),c):2:3}", "(b)");
    check("${SAME(a:b)}", "a:b");
}

#[test]
fn values_are_not_substituted_again() {
    check("${BRACES}", "}${EXTEN}{");
    check("${SAME(${BRACES})}", "}${EXTEN}{");
}

#[test]
fn expressions_see_substituted_text() {
    check("$[${EXTEN} + 1]", "12346");
    check("$[${LEN(${EXTEN})} > 4]?yes:no", "1?yes:no");
    check("$[$[1 + 1] * 3]", "6");
    check("${SAME($[1 = 1])}", "1");
}

#[test]
fn what_has_no_value_is_empty_and_noted() {
    check_noted("a${NOSUCH(x)}b", "ab", "function NOSUCH is not known");
    check_noted("a${EXTEN", "a", "`${` is never closed");
    check_noted("a$[1 + ", "a", "`$[` is never closed");
    check_noted("a$[1 +]b", "ab", "`$[1 +]`: a value is missing at the end");
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = format!("{}EXTEN{}", "${".repeat(100_000), "}".repeat(100_000));
    check_noted(&deep, "", "variables are nested too deep");
    let sample = Sample::default();
    let long = substitute(&"${LONG}".repeat(1000), &sample);
    assert_eq!(long.len(), 64 << 10);
    assert_eq!(sample.notes.take(), [Note::TooLong]);
}

#[track_caller]
fn check_value(text: &str, expected: &str) {
    assert_eq!(evaluate(text).as_deref(), Ok(expected), "{text}");
}

#[track_caller]
fn check_fault(text: &str, expected: &str) {
    let fault = evaluate(text).expect_err("the expression has no value");
    assert_eq!(fault, expected, "{text}");
}

#[test]
fn operators_bind_as_in_asterisk() {
    check_value("1 + 2 * 3", "7");
    check_value("(1 + 2) * 3", "9");
    check_value("10 - 2 - 3", "5");
    check_value("7 % 4", "3");
    check_value("1 + 1 = 2 & 3 > 2", "1");
    check_value("0 | 5", "5");
    check_value("5 | 7", "5");
    check_value("5 & 0", "0");
    check_value("!0", "1");
    check_value("! 1 + 1", "1");
    check_value("-3 + 5", "2");
    check_value("2 - -2", "4");
    check_value("1 ? 10 :: 20", "10");
    check_value("0 ? 10 :: 1 ? 30 :: 40", "30");
    check_value("1<=1", "1");
    check_value("abc ~~ def", "abcdef");
    check_value("abc~~def~~~g", "abcdef~g");
}

#[test]
fn numbers_are_shown_without_noise() {
    check_value("7 / 2", "3.5");
    check_value("0.1 + 0.2", "0.3");
    check_value("1 / 3 * 3", "1");
    check_value("0 - 0.5", "-0.5");
    check_value("0 * (0 - 1)", "0");
    check_value("2000000 * 2000000", "4000000000000");
    check_value("0049", "0049");
}

#[test]
fn comparison_is_of_numbers_only_where_both_are_numbers() {
    check_value("10 > 9", "1");
    check_value("\"10\" > \"9\"", "0");
    check_value("1.0 = 1", "1");
    check_value("007 = 7", "1");
    check_value("abc = abc", "1");
    check_value("abc = ABC", "0");
    check_value("\"a b\" = \"a b\"", "1");
    check_value("\"\" = \"\"", "1");
    check_value("12345678901234567890 = 12345678901234567891", "0");
    check_value("\"5\" = 5", "0");
}

#[test]
fn truth_is_anything_but_empty_and_zero() {
    check_value("\"\" | 3", "3");
    check_value("\"0\" | 3", "3");
    check_value("a & b", "a");
    check_value("!\"\"", "1");
}

#[test]
fn arithmetic_on_text_is_zero() {
    check_value("abc + 1", "0");
    check_value("\"5\" + 1", "6");
}

#[test]
fn what_cannot_be_evaluated_says_why() {
    check_fault("", "a value is missing at the end");
    check_fault("= 1", "`=` has no value before it");
    check_fault(
        "1 2",
        "two values stand beside each other; put text with blanks in quotes",
    );
    check_fault("(1", "`(` is never closed");
    check_fault("1)", "`)` is not expected");
    check_fault("\"abc", "a quote is never closed");
    check_fault("1 / 0", "division by zero");
    check_fault("1 ? 2", "`?` has no `::`");
    let unclosed = "\"a\" =~ \"(\"";
    let why = evaluate(unclosed);
    assert!(why.unwrap_err().starts_with("`(` is no regular expression"));
    check_fault(&"(".repeat(100_000), "nested too deep");
    check_fault(&"!".repeat(100_000), "nested too deep");
    let huge = format!("{0} * {0}", "9".repeat(300));
    check_fault(&huge, "the number is too large");
}

proptest! {
    #[test]
    fn any_text_can_be_substituted(text in r#"([${}\[\]():a-zA-Z0-9 +*"&|=!,.-]|\$\{|\$\[|EXTEN|.){0,60}"#) {
        substitute(&text, &Sample::default());
    }

    #[test]
    fn any_text_can_be_evaluated(text in r#"([()0-9.+*/%&|=<>!?:~" a-z-]|::|.){0,60}"#) {
        let _ = evaluate(&text);
    }

    #[test]
    fn sums_of_small_numbers_are_exact(a in 0u32..1_000_000, b in 0u32..1_000_000) {
        prop_assert_eq!(evaluate(&format!("{a} + {b}")), Ok((a + b).to_string()));
        prop_assert_eq!(evaluate(&format!("{a} < {b}")), Ok(u8::from(a < b).to_string()));
    }
}
