//! `docs/dialplan.md` says what the tables say. `UPDATE_EXPECT=1` rewrites it.

use expect_test::expect_file;

#[test]
fn the_manual_is_made_from_the_tables() {
    expect_file!["../../../docs/dialplan.md"].assert_eq(&apps::manual());
}

#[test]
fn the_tables_are_sound() {
    for app in apps::APPLICATIONS {
        let heading = app.doc.lines().next().unwrap_or_default();
        let is_its_own = heading
            .strip_prefix("# ")
            .is_some_and(|heading| heading.starts_with(app.name));
        assert!(
            is_its_own,
            "the documentation of {} begins with {heading:?}",
            app.name
        );
        assert!(
            !app.synopsis.is_empty() && !app.synopsis.ends_with('.'),
            "{}",
            app.name
        );
    }
    for function in apps::FUNCTIONS {
        assert!(
            !function.synopsis.is_empty() && !function.synopsis.ends_with('.'),
            "{}",
            function.name
        );
    }
}
