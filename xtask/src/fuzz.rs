//! Builds and runs the fuzz targets of `fuzz/`.
//!
//! The flags are those of `cargo fuzz -s none`: coverage counters without a sanitizer, which the
//! stable compiler builds. The targets keep cargo-fuzz's layout, so that tool works on them too.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::run::{cargo, must, root};
use crate::{prerequisites, test};

/// Seconds per target when a person asks for fuzzing.
pub(crate) const LONG_S: u32 = 600;

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cdebug-assertions -Coverflow-checks=on -Ccodegen-units=1";

/// Builds every target, then runs `only` or all of them for `seconds` each. A crash fails.
pub(crate) fn run(only: Option<&str>, seconds: u32) -> Result<()> {
    prerequisites::fuzzing()?;
    let targets = targets()?;
    if let Some(name) = only
        && !targets.iter().any(|target| target == name)
    {
        bail!("no fuzz target `{name}`; there are: {}", targets.join(", "));
    }
    let folder = test::target()?.join("fuzz");
    let mut build = cargo(&[
        "build",
        "--release",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--target",
        TRIPLE,
    ]);
    build
        .env("CARGO_TARGET_DIR", &folder)
        .env("RUSTFLAGS", FLAGS);
    must(build)?;
    for target in targets
        .iter()
        .filter(|target| only.is_none_or(|name| name == target.as_str()))
    {
        let corpus = root().join("fuzz/corpus").join(target);
        let artifacts = root().join("fuzz/artifacts").join(target);
        let seeds = root().join("fuzz/seeds").join(target);
        for path in [&corpus, &artifacts, &seeds] {
            fs::create_dir_all(path)?;
        }
        let mut fuzzer =
            std::process::Command::new(folder.join(TRIPLE).join("release").join(target));
        fuzzer
            .arg(format!("-max_total_time={seconds}"))
            // Two seconds for 64 KiB: what takes longer is not linear.
            .args([
                "-max_len=65536",
                "-timeout=2",
                "-rss_limit_mb=1024",
                "-verbosity=0",
            ])
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .args([&corpus, &seeds]);
        must(fuzzer).with_context(|| format!("fuzz target {target} found a fault"))?;
    }
    let ran = only.map_or(targets.len(), |_| 1);
    eprintln!(
        "{ran} of {} fuzz targets ran {seconds} s each, no fault",
        targets.len()
    );
    Ok(())
}

fn targets() -> Result<Vec<String>> {
    let manifest: toml::Table = fs::read_to_string(root().join("fuzz/Cargo.toml"))?.parse()?;
    let bins = manifest
        .get("bin")
        .and_then(toml::Value::as_array)
        .cloned()
        .unwrap_or_default();
    Ok(bins
        .iter()
        .filter_map(|bin| bin.get("name").and_then(toml::Value::as_str))
        .map(str::to_owned)
        .collect())
}
