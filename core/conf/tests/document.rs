//! What text becomes sections and entries, and what is said about the rest.

use conf::{Document, Report};
use expect_test::{Expect, expect};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Sections as `[name] name=value@line:column …`, then messages.
fn show(files: &[(&str, &str)]) -> String {
    let mut report = Report::default();
    let document = Document::read(&files, "a.conf", &mut report);
    let mut out = String::new();
    for section in document.iter().flat_map(|document| &document.sections) {
        let mark = if section.template { "!" } else { "" };
        write!(out, "[{}]{mark}", section.name).expect("text has room");
        for entry in &section.entries {
            let (sign, at) = (if entry.arrow { "=>" } else { "=" }, entry.value_at);
            let (name, value) = (&entry.name, &entry.value);
            write!(out, " {name}{sign}{value}@{}:{}", at.line, at.column).expect("text has room");
        }
        out.push('\n');
    }
    for diagnostic in report.finish() {
        writeln!(out, "{} {diagnostic}", diagnostic.severity).expect("text has room");
    }
    out
}

#[track_caller]
fn check(text: &str, expected: &Expect) {
    expected.assert_eq(&show(&[("a.conf", text)]));
}

#[test]
fn entries_keep_their_sign_and_their_place() {
    check(
        "\u{feff}[general]\r\n  name = value \r\nname=>a=b\n\texten => 1,1,A()\n\n empty =\n",
        &expect![[r#"
            [general] name=value@2:10 name=>a=b@3:7 exten=>1,1,A()@4:11 empty=@6:9
        "#]],
    );
}

#[test]
fn comments_end_lines_and_span_them() {
    check(
        "\
; [no]
[a] ; the first
x = 1 ; one
y = a\\;b\\;c ; two
;--- not a block
z = 1 ;-- in a line --; 2
;-- over
[no]
lines --; w = 3
v = 4;-- open
",
        &expect![[r#"
            [a] x=1@3:5 y=a;b;c@4:5 z=1  2@6:5 w=3@9:15 v=4@10:5
            warning a.conf:10:1: comment `;--` is never closed
             10 | v = 4;-- open
                | ^
                = close it with `--;`
        "#]],
    );
}

#[test]
fn templates_are_copied_and_sections_added_to() {
    check(
        "\
[base](!)
x=1
[more](!,base)
y=2
[a](base,more)
z=3
[b]
[a](+)
w=4
[b]
u=1
u+=2
n+=3
",
        &expect![[r#"
            [base]! x=1@2:3
            [more]! x=1@2:3 y=2@4:3
            [a] x=1@2:3 x=1@2:3 y=2@4:3 z=3@6:3 w=4@9:3
            [b]
            [b] u=1@11:3 u=12@12:4 n=3@13:4
        "#]],
    );
}

#[test]
fn broken_headers_take_nothing_with_them() {
    check(
        "\
x=1
[base](!)
k=1
[a
y=2
[b](bsae)
y=2
[c](base
y=2
[bse](+)
y=2
[d] tail
y=2
just words
",
        &expect![[r#"
            [base]! k=1@3:3
            [d] y=2@13:3
            error a.conf:1:1: option stands before any section
             1 | x=1
               | ^
               = put a `[section]` line above it
            error a.conf:4:2: section name has no closing `]`
             4 | [a
               |  ^
               = write `[name]`
            error a.conf:6:2: section `b` is not used: there is no template `bsae` above it
             6 | [b](bsae)
               |  ^
               = did you mean `base`?
            error a.conf:8:2: template list has no closing `)`
             8 | [c](base
               |  ^
               = write `[name](template)`
            error a.conf:10:2: there is no earlier section `bse` to add to
             10 | [bse](+)
                |  ^
                = did you mean `base`?
            warning a.conf:12:2: `tail` after the section name is not understood
             12 | [d] tail
                |  ^
                = write `[name](template)`, or put a comment behind `;`
            warning a.conf:14:1: line has no `=`
             14 | just words
                | ^
                = write `name = value`, or start a comment with `;`
        "#]],
    );
}

#[test]
fn files_are_included_where_they_are_named() {
    let files = [
        (
            "a.conf",
            "[a]\n#include \"b.conf\"\nz=3\n#tryinclude <none.conf>\n#include none.conf\n",
        ),
        ("b.conf", "y=2\nbroken\n[b]\n"),
    ];
    expect![[r#"
        [a] y=2@1:3
        [b] z=3@3:3
        warning b.conf:2:1: line has no `=`
         2 | broken
           | ^
           = write `name = value`, or start a comment with `;`
        error a.conf:5:1: file `none.conf` does not exist
         5 | #include none.conf
           | ^
           = names lead from the folder of the configuration; `#tryinclude` passes over a file that is not there
    "#]]
    .assert_eq(&show(&files));
}

#[test]
fn directives_that_are_not_followed_say_so() {
    check(
        "[a]\n#exec /bin/date\n#inclde x\n#include\n",
        &expect![[r#"
            [a]
            error a.conf:2:1: `#exec` is refused: no program is run to make configuration
             2 | #exec /bin/date
               | ^
               = write its output to a file and `#include` that
            warning a.conf:3:1: `#inclde` is not a directive
             3 | #inclde x
               | ^
               = did you mean `#include`?
            error a.conf:4:1: no file is named
             4 | #include
               | ^
               = write `#include FILE`
        "#]],
    );
}

#[test]
fn a_pattern_includes_what_it_matches_in_the_order_of_the_names() {
    let files = [
        (
            "a.conf",
            "[a]\n#include pjsip.d/*.conf\nz=3\n#include x/*.conf\n#tryinclude y/*.conf\n",
        ),
        ("pjsip.d/2.conf", "y=2\n"),
        ("pjsip.d/1.conf", "y=1\n"),
        ("pjsip.d/1.conf.bak", "y=0\n"),
    ];
    expect![[r#"
        [a] y=1@1:3 y=2@1:3 z=3@3:3
        warning a.conf:4:1: no file is like `x/*.conf`
         4 | #include x/*.conf
           | ^
           = names lead from the folder of the configuration; `#tryinclude` does not mind if there is none
    "#]]
    .assert_eq(&show(&files));
}

#[test]
fn a_circle_of_includes_names_both_of_its_places() {
    let files = [
        ("a.conf", "[a]\n#include b.conf\n#include a.conf\nx=1\n"),
        ("b.conf", "\n#include c.conf\n"),
        ("c.conf", "#include b.conf\n#tryinclude a.*\n"),
    ];
    expect![[r#"
        [a] x=1@4:3
        error c.conf:1:1: file `b.conf` includes itself: it is being read since the `#include` at a.conf:2
         1 | #include b.conf
           | ^
           = take this `#include` out
        error c.conf:2:1: file `a.conf` includes itself: it is being read as the first file
         2 | #tryinclude a.*
           | ^
           = take this `#include` out
        error a.conf:3:1: file `a.conf` includes itself: it is being read as the first file
         3 | #include a.conf
           | ^
           = take this `#include` out
    "#]]
    .assert_eq(&show(&files));
}

#[test]
fn includes_as_deep_as_a_well_come_to_an_end() {
    let mut files = BTreeMap::from([("a.conf".to_owned(), "#include 1.conf\n".to_owned())]);
    for number in 1..100 {
        let text = format!("#include {}.conf\n", number + 1);
        files.insert(format!("{number}.conf"), text);
    }
    let mut report = Report::default();
    Document::read(&files, "a.conf", &mut report).expect("there is such a file");
    let messages = report.finish();
    let [message] = messages.as_slice() else {
        panic!("{messages:?}");
    };
    let expected = "files are included more than 10 deep, beginning at a.conf:1";
    assert_eq!(message.message, expected);
    assert_eq!(message.file, "10.conf");
}

#[test]
fn files_are_counted_even_if_none_is_deep() {
    let text = "#include b.conf\n".repeat(5000);
    let files = [("a.conf", text.as_str()), ("b.conf", "\n")];
    assert!(show(&files).contains("a.conf:1000:1: more than 1000 files are included"));
}

#[test]
fn block_comments_nest() {
    check(
        "[a]\nx=1 ;-- one ;-- two --; still\n[no]\n;--- not another --; y=2\n;-- a ;-- b\n--; c\n",
        &expect![[r#"
            [a] x=1@2:3 y=2@4:24
            warning a.conf:5:1: comment `;--` is never closed
             5 | ;-- a ;-- b
               | ^
               = close it with `--;`
        "#]],
    );
}

#[test]
fn a_filter_chooses_which_section_is_added_to() {
    check(
        "\
[a]
type=endpoint
[a]
type=aor
[A](+type=aor)
w=1
[a](+type=^end&context=x)
[a](+type)
[a](+type=()
[a](+)
w=2
",
        &expect![[r#"
            [a] type=endpoint@2:6 w=2@11:3
            [a] type=aor@4:6 w=1@6:3
            error a.conf:7:2: there is no earlier section `a` with type=^end&context=x to add to
             7 | [a](+type=^end&context=x)
               |  ^
               = take `(+)` out, or put the section it adds to above it
            error a.conf:8:2: filter `type` is not `name=value`
             8 | [a](+type)
               |  ^
               = write for example `[name](+type=endpoint)`
            error a.conf:9:2: filter `(` is no regular expression: found open group without closing ')'
             9 | [a](+type=()
               |  ^
               = write for example `[name](+type=endpoint)`
        "#]],
    );
}

#[test]
fn templates_that_double_come_to_an_end() {
    let mut text = "[t0](!)\nx=1\n".to_owned();
    for number in 1..64 {
        let before = number - 1;
        writeln!(text, "[t{number}](!,t{before},t{before})").unwrap();
    }
    let mut report = Report::default();
    let document = Document::read(
        &[("a.conf", text.as_str())].as_slice(),
        "a.conf",
        &mut report,
    );
    let entries: usize = document
        .unwrap()
        .sections
        .iter()
        .map(|s| s.entries.len())
        .sum();
    assert!(entries <= 500_000);
    let messages = report.finish();
    assert!(
        messages[0]
            .message
            .ends_with("templates give it too many options")
    );
}

#[test]
fn values_of_secrets_are_never_shown() {
    for name in [
        "password",
        "Passwrod",
        "md5_cred",
        "secret",
        "oauth_secret",
        "refresh_token",
    ] {
        let text = format!("{name} = hunter2\n");
        assert!(!show(&[("a.conf", &text)]).contains("hunter2"), "{name}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read(text in r"(\[|\]|\(|\)|[!+=>;\\a-c \n#-]|;--|--;|#include a.conf|#include \*|\(\+x=|.){0,80}") {
        let mut report = Report::default();
        Document::read(&[("a.conf", text.as_str())].as_slice(), "a.conf", &mut report);
        for diagnostic in report.finish() {
            prop_assert!(diagnostic.line > 0 && diagnostic.column > 0, "{diagnostic}");
            prop_assert!(diagnostic.excerpt.is_some() && diagnostic.suggestion.is_some(), "{diagnostic}");
        }
    }
}

#[test]
fn a_section_may_be_added_to_and_inherit_at_once() {
    check(
        "\
[base](!)
x=1
[a]
y=2
[a](+,base)
z=3
[](base)
w=4
",
        &expect![[r#"
            [base]! x=1@2:3
            [a] y=2@4:3 x=1@2:3 z=3@6:3
            error a.conf:7:2: section has no name
             7 | [](base)
               |  ^
               = write `[name]`
        "#]],
    );
}

#[test]
fn what_is_escaped_is_no_comment_and_no_end() {
    check(
        "[a]\nx=a\\;b ; c\ny=\\;-- d --;\nz=[b](c)\n [c] \n",
        &expect![[r#"
            [a] x=a;b@2:3 y=;-- d --@3:4 z=[b](c)@4:3
            [c]
        "#]],
    );
}

#[test]
fn a_comment_that_cuts_a_password_or_a_uri_is_said() {
    check(
        "\
[a]
password=se;same
contact = sip:a@10.0.0.1;transport=tcp
password=se\\;same
password=sesame ; of alice
password=;none
allow=ulaw;alaw
",
        &expect![[r#"
            [a] password=se@2:10 contact=sip:a@10.0.0.1@3:11 password=se;same@4:10 password=sesame@5:10 password=@6:10 allow=ulaw@7:7
            warning a.conf:2:10: the value of `password` ends before `;`, which begins a comment
             2 | password=…
               |          ^
               = write `\;` if it belongs to the value, else a blank before it
            warning a.conf:3:11: the value of `contact` ends before `;`, which begins a comment
             3 | contact = sip:a@10.0.0.1;transport=tcp
               |           ^
               = write `\;` if it belongs to the value, else a blank before it
            warning a.conf:6:10: the value of `password` ends before `;`, which begins a comment
             6 | password=…
               |          ^
               = write `\;` if it belongs to the value, else a blank before it
        "#]],
    );
}

#[test]
fn templates_that_need_each_other_are_told_their_order() {
    check(
        "\
[a](!,a)
[b](!,c)
[c](!,b)
",
        &expect![[r#"
            error a.conf:1:2: section `a` is not used: there is no template `a` above it
             1 | [a](!,a)
               |  ^
               = a section cannot be its own template; take `a` out of the list
            error a.conf:2:2: section `b` is not used: there is no template `c` above it
             2 | [b](!,c)
               |  ^
               = it stands in line 3; move it above this one (two cannot be templates of each other)
            error a.conf:3:2: section `c` is not used: there is no template `b` above it
             3 | [c](!,b)
               |  ^
               = the one in line 2 is not used either; mend that one first
        "#]],
    );
}
