//! What CI runs: formatting, lints and docs before the README's test command.

use anyhow::Result;

use crate::run::{cargo, must};
use crate::test;

/// Runs every check; the first failure ends it.
pub(crate) fn run() -> Result<()> {
    must(cargo(&["fmt", "--all", "--check"]))?;
    must(cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    let mut docs = cargo(&["doc", "--workspace", "--no-deps"]);
    docs.env("RUSTDOCFLAGS", "-D warnings");
    must(docs)?;
    test::run(None)
}
