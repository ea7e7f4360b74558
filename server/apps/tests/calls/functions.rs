//! Functions of text, lists and numbers, as a dial plan uses them.

use crate::world::World;

/// What the expression is on a channel whose variables were set before.
async fn value(before: &str, text: &str) -> String {
    let plan =
        format!("exten => 1,1,NoOp()\n{before} same => n,Set(GLOBAL(is)=${{LEN(x)}}{text})\n");
    let world = World::new(&plan).await;
    world.dial("1").await;
    let value = world.switch.global("is").unwrap();
    value.strip_prefix('1').unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn texts_are_measured_changed_and_compared() {
    let before = " same => n,Set(who=Ada Lovelace)\n same => n,Set(list=a-b-c-d)\n";
    for (text, expected) in [
        ("${LEN(${who})}", "12"),
        ("${TOUPPER(${who})}${TOLOWER(ÄB)}", "ADA LOVELACEäb"),
        ("${CUT(list,-,2-3)}", "b-c"),
        ("${CUT(who, ,1)}", "Ada"),
        ("${FIELDQTY(list,-)} ${FIELDQTY(none,-)}", "4 0"),
        ("${FIELDNUM(list,-,c)} ${FIELDNUM(list,-,x)}", "3 0"),
        ("${LISTFILTER(list,-,b)}", "a-c-d"),
        ("${FILTER(0-9+,+49 (30) 12-34)}", "+49301234"),
        (
            "${REPLACE(who,ae,_)}|${REPLACE(list,-)}",
            "Ad_ Lov_l_c_|abcd",
        ),
        ("${STRREPLACE(list,-,::,2)}", "a::b::c-d"),
        ("${STRBETWEEN(list,w)}", "aw-wbw-wcw-wd"),
        ("[${ENV(SIDETONE_HAS_NO_SUCH_VARIABLE)}]", "[]"),
        (r#"${REGEX("^Ada" ${who})}${REGEX("^ada" ${who})}"#, "10"),
        ("${QUOTE(a\"b)}", "\"a\\\"b\""),
        ("${SORT(b:2,a:10,c:-1)}", "c,b,a"),
        ("${SPRINTF(%05d,42)}", "00042"),
        ("${BASE64_ENCODE(Ada)} ${BASE64_DECODE(QWRh)}", "QWRh Ada"),
        (
            "${URIENCODE(a b/ü)} ${URIDECODE(a%20b%2F)}",
            "a%20b%2F%C3%BC a b/",
        ),
        ("${MD5(abc)}", "900150983cd24fb0d6963f7d28e17f72"),
        ("${SHA1(abc)}", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("${STRFTIME(0,UTC,%Y-%m-%d %H:%M)}", "1970-01-01 00:00"),
        ("${STRPTIME(1970-01-02,UTC,%Y-%m-%d)}", "86400"),
        ("${KEYPADHASH(Les)}", "537"),
    ] {
        assert_eq!(value(before, text).await, expected, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn values_are_chosen_and_counted() {
    let before = " same => n,Set(n=7)\n";
    for (text, expected) in [
        ("${IF($[${n} > 5]?many:few)}", "many"),
        ("${IF(0?many:\"a few\")}", "a few"),
        ("${IFTIME(*,*,*,*?now:never)}", "now"),
        ("${ISNULL(${none})}${ISNULL(${n})}${EXISTS(${n})}", "101"),
        (
            "${MATH(${n}*6,int)} ${MIN(3,1,2)} ${MAX(3,1,2)} ${ABS(-4)}",
            "42 1 3 4",
        ),
        (
            "${DIALPLAN_EXISTS(test,1,1)}${DIALPLAN_EXISTS(test,2)}${VALID_EXTEN(,1)}",
            "101",
        ),
        (
            "$[\"0123\" : \"0([0-9]+)\"] $[\"x12\" =~ \"[0-9]\"] $[\"x12\" : \"[0-9]\"]",
            "123 1 0",
        ),
    ] {
        assert_eq!(value(before, text).await, expected, "{text}");
    }
    let drawn = value("", "${RAND(3,5)}").await;
    assert!(["3", "4", "5"].contains(&drawn.as_str()), "{drawn}");
}

/// What a function sets while a text is read stands in the rest of the text, and stays.
#[tokio::test(start_paused = true)]
async fn functions_that_change_what_they_read() {
    let before = " same => n,Set(n=7)\n same => n,Set(list=a,b,c)\n same => n,NoOp(${INC(n)}${INC(n)})\n \
                  same => n,Set(PUSH(list)=d)\n same => n,Set(UNSHIFT(list)=z)\n \
                  same => n,Set(ARRAY(x,y)=1,\"2,3\")\n same => n,Set(HASH(h,one)=1)\n \
                  same => n,Set(HASH(h,two)=2)\n";
    for (text, expected) in [
        ("${n} ${DEC(n)} ${n}", "9 8 8"),
        (
            "${list} ${SHIFT(list)} ${POP(list)} ${list}",
            "z,a,b,c,d z d a,b,c",
        ),
        ("${x} ${y}", "1 2,3"),
        ("${HASHKEYS(h)} ${HASH(h,two)} ${HASH(h)}", "one,two 2 1,2"),
        ("${SET(q=5)}${q} ${SET(CALLERID(name)=Bob)}", "55 Bob"),
    ] {
        assert_eq!(value(before, text).await, expected, "{text}");
    }
    let kept = value(
        " same => n,NoOp(${SET(q=5)}${SET(CALLERID(name)=Bob)})\n",
        "${q}${CALLERID(name)}",
    )
    .await;
    assert_eq!(kept, "5Bob");
}

#[tokio::test(start_paused = true)]
async fn a_text_that_evaluates_itself_ends() {
    // Quoted twice, or it would be put in when it is set.
    let before = " same => n,Set(open=$)\n same => n,Set(x=${open}{EVAL(${open}{x})} end)\n";
    let value = value(before, "${EVAL(${x})}").await;
    assert!(value.ends_with(" end") && value.len() < 100, "{value}");
}

/// One that has itself in it many times.
#[tokio::test(start_paused = true)]
async fn a_text_that_evaluates_itself_many_times_ends() {
    let own = "${open}{EVAL(${open}{x})}".repeat(20);
    let before = format!(" same => n,Set(open=$)\n same => n,Set(x={own})\n");
    let began = std::time::Instant::now();
    assert_eq!(value(&before, "${EVAL(${x})}").await, "");
    assert!(began.elapsed() < std::time::Duration::from_secs(20));
}

/// What a caller writes is a key, or no name of a variable, but never dial plan.
#[tokio::test(start_paused = true)]
async fn what_a_caller_writes_is_not_read_as_dial_plan() {
    let before = " same => n,Set(open=$)\n same => n,Set(k=x}${open}{SET(q=5)})\n \
                  same => n,Set(f=SET(q=5))\n same => n,Set(HASH(h,y)=2)\n \
                  same => n,Set(HASH(h,${k})=3)\n";
    for (text, expected) in [
        ("${HASH(h,${k})}${q}", ""),
        ("${HASH(h,y)}${HASHKEYS(h)}", "2y"),
        ("${CUT(${k},-,1)}${q}", ""),
        ("${FIELDQTY(${f},-)}${q}", "0"),
        ("${LEN(${k})}${k}", "13x}${SET(q=5)}"),
    ] {
        assert_eq!(value(before, text).await, expected, "{text}");
    }
}

/// What the console asks is no call.
#[tokio::test(start_paused = true)]
async fn a_text_read_for_the_console_leaves_no_story() {
    let world = World::new("exten => 1,1,NoOp()\n").await;
    let read = world.switch.evaluate("${LEN(abc)}");
    assert_eq!(read.as_deref(), Some("3"));
    assert!(world.switch.directory().stories().is_empty());
    assert_eq!(world.switch.directory().count(), 0);
}
