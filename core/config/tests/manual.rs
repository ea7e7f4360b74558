//! `docs/configuration.md` says what the tables say. `UPDATE_EXPECT=1` rewrites it.

use expect_test::expect_file;

#[test]
fn the_page_of_options_is_up_to_date() {
    expect_file!["../../../docs/configuration.md"].assert_eq(&config::manual());
}
