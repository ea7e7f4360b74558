//! `docs/console.md` says what the table says. `UPDATE_EXPECT=1` rewrites it.

use expect_test::expect_file;

#[test]
fn the_manual_is_made_from_the_table() {
    expect_file!["../../../docs/console.md"].assert_eq(&cli::manual());
}

#[test]
fn the_table_is_sound() {
    let paths: Vec<&str> = cli::COMMANDS.iter().map(|command| command.path).collect();
    for (index, path) in paths.iter().enumerate() {
        assert!(!paths[..index].contains(path), "{path} is there twice");
    }
    for command in cli::COMMANDS {
        assert!(
            !command.synopsis.is_empty() && !command.doc.is_empty(),
            "{command:?}"
        );
        assert!(!command.synopsis.ends_with('.'), "{command:?}");
    }
}
