//! Tables of extensions: what is asked, how fresh it is, and what counts while the database is away.

use crate::faults::behind_relay;
use crate::support::{Scratch, on_every_database};
use config::{Config, Severity, load};
use dialplan::{Extensions, Question, Wanted};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{Store, StoreError, TroubleKind, inspect_with};

on_every_database!(
    rows_of_extensions_are_found_by_name_by_pattern_and_by_beginning,
    a_row_counts_within_a_second,
    many_calls_cost_one_query_for_each_name_and_second,
    strange_names_find_nothing_and_break_nothing,
    a_broken_row_does_not_take_the_others_along,
    rows_go_on_while_the_database_is_away,
    a_slow_database_holds_up_no_known_extension,
    an_inspection_names_table_row_and_column,
);

const ROWS: &str = "INSERT INTO extensions (context, exten, priority, app, appdata) VALUES \
    ('sets', '100', 1, 'Answer', ''), ('sets', '100', 2, 'Echo', 'a,${EXTEN}'), \
    ('sets', '_1XX', 1, 'Wait', '1'), ('sets', '_10[1-4]', 1, 'Hangup', ''), \
    ('other', '200', 1, 'Answer', '')";

fn question(context: &str, wanted: Wanted) -> Question {
    Question {
        family: "extensions".to_owned(),
        context: context.to_owned(),
        wanted,
    }
}

fn exten(name: &str) -> Question {
    question("sets", Wanted::Extension(name.to_owned()))
}

async fn with_rows(scratch: &Scratch) -> Store {
    let store = scratch.store("").await;
    store.run_script(ROWS).await.unwrap();
    store
}

fn names(extensions: &Extensions) -> Vec<&str> {
    extensions.iter().map(|one| one.name.as_str()).collect()
}

async fn found(store: &Store, question: &Question) -> Arc<Extensions> {
    store.extensions(question).await.unwrap()
}

async fn rows_of_extensions_are_found_by_name_by_pattern_and_by_beginning(scratch: Scratch) {
    let store = with_rows(&scratch).await;
    let one = found(&store, &exten("100")).await;
    assert_eq!(names(&one), ["100"]);
    let steps = &one.iter().next().unwrap().steps;
    assert_eq!(steps.len(), 2);
    assert_eq!(steps[&2].application, "Echo");
    assert_eq!(steps[&2].arguments, "a,${EXTEN}");
    let id = "extensions, row 2";
    assert_eq!(steps[&2].place(), id);
    let patterns = found(&store, &question("sets", Wanted::Patterns)).await;
    assert_eq!(names(&patterns), ["_10[1-4]", "_1XX"]);
    let none = found(&store, &question("other", Wanted::Patterns)).await;
    assert!(none.is_empty());
    for (digits, longer) in [("1", true), ("10", true), ("100", false), ("2", false)] {
        let wanted = Wanted::Longer(digits.to_owned());
        let rows = found(&store, &question("sets", wanted)).await;
        assert_eq!(!rows.is_empty(), longer, "{digits}");
    }
}

async fn a_row_counts_within_a_second(scratch: Scratch) {
    let store = with_rows(&scratch).await;
    let other = scratch.backend().await;
    let table = other.table("extensions");
    for (sql, expected) in [
        (
            "UPDATE {} SET app = 'Playback' WHERE exten = '100' AND priority = 1",
            Some("Playback"),
        ),
        ("DELETE FROM {} WHERE exten = '100'", None),
        (
            "INSERT INTO {} (context, exten, priority, app, appdata) VALUES ('sets', '100', 1, 'Noop', '')",
            Some("Noop"),
        ),
    ] {
        found(&store, &exten("100")).await;
        other.run_script(&sql.replace("{}", &table)).await.unwrap();
        let start = Instant::now();
        loop {
            let rows = found(&store, &exten("100")).await;
            let first = rows.iter().next().map(|one| &one.steps[&1].application);
            if first.map(String::as_str) == expected {
                break;
            }
            assert!(start.elapsed() < Duration::from_millis(1300), "{sql}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn many_calls_cost_one_query_for_each_name_and_second(scratch: Scratch) {
    let store = with_rows(&scratch).await;
    let queries = || store.backend().unwrap().status().queries;
    let (before, start) = (queries(), Instant::now());
    let askers: Vec<_> = (0..20)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                while start.elapsed() < Duration::from_millis(2500) {
                    let name = if number % 2 == 0 { "100" } else { "nobody" };
                    found(&store, &exten(name)).await;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
        })
        .collect();
    for asker in askers {
        asker.await.unwrap();
    }
    // Two names; who listens to PostgreSQL asks for its triggers, and the watch asks now and then.
    let asked = queries() - before;
    assert!((4..=20).contains(&asked), "{asked}");
}

async fn strange_names_find_nothing_and_break_nothing(scratch: Scratch) {
    let store = with_rows(&scratch).await;
    for name in [
        "%",
        "_1XX",
        "' OR 1=1 --",
        "1\0",
        "!",
        "",
        &"1".repeat(5000),
    ] {
        assert!(found(&store, &exten(name)).await.is_empty(), "{name:?}");
        let longer = question("sets", Wanted::Longer(name.to_owned()));
        let expected = name.is_empty();
        assert_eq!(
            !found(&store, &longer).await.is_empty(),
            expected,
            "{name:?}"
        );
    }
    let elsewhere = Question {
        family: "extensions; DROP TABLE extensions".to_owned(),
        ..exten("100")
    };
    assert!(found(&store, &elsewhere).await.is_empty());
    assert_eq!(store.backend().unwrap().trouble(), None);
    // A table that is not there is told, and is no extension.
    let missing = Question {
        family: "nosuchtable".to_owned(),
        ..exten("100")
    };
    store.extensions(&missing).await.unwrap_err();
}

async fn a_broken_row_does_not_take_the_others_along(scratch: Scratch) {
    let store = with_rows(&scratch).await;
    let sql = "INSERT INTO extensions (context, exten, priority, app, appdata) VALUES \
               ('sets', '_[', 1, 'Answer', ''), ('sets', '100', -1, 'PJSIP/alice', ''), \
               ('sets', '100', 3, '', '')";
    store.run_script(sql).await.unwrap();
    let patterns = found(&store, &question("sets", Wanted::Patterns)).await;
    assert_eq!(names(&patterns), ["_10[1-4]", "_1XX"]);
    let one = found(&store, &exten("100")).await;
    let steps: Vec<u32> = one
        .iter()
        .flat_map(|one| one.steps.keys().copied())
        .collect();
    assert_eq!(steps, [1, 2]);
}

async fn rows_go_on_while_the_database_is_away(mut scratch: Scratch) {
    let Some(relay) = behind_relay(&mut scratch).await else {
        return;
    };
    let store = with_rows(&scratch).await;
    let patterns = question("other", Wanted::Patterns);
    found(&store, &exten("100")).await;
    found(&store, &exten("nobody")).await;
    found(&store, &patterns).await;
    relay.cut();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for _ in 0..3 {
        assert_eq!(names(&*found(&store, &exten("100")).await), ["100"]);
        // That there are none is known too.
        assert!(found(&store, &patterns).await.is_empty());
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    // Those who asked meanwhile have found out; on a busy machine that takes its time.
    let backend = store.backend().unwrap();
    let away = || backend.trouble().map(|it| it.kind) == Some(TroubleKind::Unreachable);
    let start = Instant::now();
    while !away() {
        assert!(start.elapsed() < Duration::from_secs(12));
        found(&store, &exten("100")).await;
    }
    for _ in 0..3 {
        let error = store.extensions(&exten("nobody")).await.unwrap_err();
        assert!(error.is_unreachable(), "{error:?}");
    }
    relay.open();
    let start = Instant::now();
    while store.extensions(&exten("nobody")).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(12));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn a_slow_database_holds_up_no_known_extension(mut scratch: Scratch) {
    let Some(relay) = behind_relay(&mut scratch).await else {
        return;
    };
    let store = with_rows(&scratch).await;
    found(&store, &exten("100")).await;
    relay.hold();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    // Somebody who dials what nobody knows waits; it is not for him that others wait.
    let stranger = {
        let store = store.clone();
        tokio::spawn(async move { store.extensions(&exten("999")).await })
    };
    let start = Instant::now();
    assert_eq!(names(&*found(&store, &exten("100")).await), ["100"]);
    let took = start.elapsed();
    assert!(took < Duration::from_millis(500), "{took:?}");
    let refused = stranger.await.unwrap().unwrap_err();
    assert!(
        matches!(refused, StoreError::Timeout(_) | StoreError::Unreachable(_)),
        "{refused:?}"
    );
}

async fn an_inspection_names_table_row_and_column(scratch: Scratch) {
    let store = with_rows(&scratch).await;
    let sql = "INSERT INTO extensions (context, exten, priority, app, appdata) VALUES \
               ('sets', '_[', 1, 'Answer', ''), ('sets', '300', 1, 'Anwser', '')";
    store.run_script(sql).await.unwrap();
    let inspected = async |plan: &str| {
        let plan = [("extensions.conf", plan)];
        let mut config = Config::clone(&load(&plan.as_slice()).0.unwrap());
        config.database = scratch.database.clone();
        inspect_with(
            &config,
            &scratch.folder.file(),
            &["Answer", "Echo", "Hangup", "Wait"],
        )
        .await
    };
    let findings = inspected("[sets]\nswitch => Realtime/@\n").await;
    let faults: Vec<String> = findings
        .iter()
        .filter(|finding| finding.severity > Severity::Info)
        .map(|finding| {
            let cure = finding.cure.as_deref().unwrap_or_default();
            format!("{:?} {} = {cure}", finding.about, finding.message)
        })
        .collect();
    let table = store.backend().unwrap().table("extensions");
    let expected = [
        format!(
            "Row(\"{table}\", \"6\") the row is not used: exten `_[`: `[` has no closing `]` = \
             change exten in that row"
        ),
        format!(
            "Row(\"{table}\", \"7\") application `Anwser` is not known = did you mean `Answer`?"
        ),
    ];
    assert_eq!(faults, expected);
    // Rows that nobody asks for are worth a word, and a table that is not there an error.
    let findings = inspected("[sets]\nexten => 1,1,Answer()\n").await;
    let word = findings
        .iter()
        .find(|f| f.message.contains("no context of extensions.conf asks"));
    assert!(word.is_some_and(|word| word.severity == Severity::Info));
    let findings = inspected("[sets]\nswitch => Realtime/@nosuch\n").await;
    let missing = findings
        .iter()
        .find(|f| f.message.contains("there is no table"));
    assert!(missing.is_some_and(|missing| missing.severity == Severity::Error));
}
