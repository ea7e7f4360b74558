//! The Debian package, built with dpkg-deb from `[package.metadata.deb]` of the binary's manifest.
//!
//! cargo-deb reads the same table. It is not used here because it is a large program to build for what
//! dpkg-deb does with one directory; the manual page and completions must be generated before in either
//! case.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::run::{cargo, command, must, root};
use crate::{prerequisites, test};

/// Which build goes into the package.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Release,
    Debug,
}

impl Profile {
    fn folder(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Debug => "debug",
        }
    }

    /// The binary of this profile, built.
    pub(crate) fn build(self) -> Result<PathBuf> {
        let mut words = vec!["build", "--package", "sidetone", "--bin", "sidetone"];
        if self == Self::Release {
            prerequisites::reference()?;
            words.extend(["--release", "--features", "libopus"]);
        }
        must(cargo(&words))?;
        Ok(test::target()?.join(self.folder()).join("sidetone"))
    }
}

/// What the table says.
struct Table {
    table: toml::Table,
    version: String,
    description: String,
}

impl Table {
    fn read() -> Result<Self> {
        let text = fs::read_to_string(manifest())?;
        let manifest: toml::Table = text.parse()?;
        let package = manifest["package"].as_table().context("no [package]")?;
        let workspace: toml::Table = fs::read_to_string(root().join("Cargo.toml"))?.parse()?;
        let version = workspace["workspace"]["package"]["version"].as_str();
        let table = package
            .get("metadata")
            .and_then(|metadata| metadata.get("deb"));
        Ok(Self {
            table: table
                .and_then(toml::Value::as_table)
                .cloned()
                .context("no [package.metadata.deb]")?,
            version: version.context("no version")?.to_owned(),
            description: package["description"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        })
    }

    fn text(&self, name: &str) -> Result<&str> {
        let value = self.table.get(name).and_then(toml::Value::as_str);
        value.with_context(|| format!("[package.metadata.deb] has no {name}"))
    }

    fn list(&self, name: &str) -> Vec<&toml::Value> {
        let list = self.table.get(name).and_then(toml::Value::as_array);
        list.into_iter().flatten().collect()
    }
}

/// Builds the package of a binary; the file.
pub(crate) fn build(profile: Profile, binary: &Path) -> Result<PathBuf> {
    let table = Table::read()?;
    generate(binary)?;
    let stage = test::target()?.join("package").join("stage");
    let _ = fs::remove_dir_all(&stage);
    for asset in table.list("assets") {
        install(asset, binary, &stage)?;
    }
    // The symbols are of use to developers, not to a package.
    must(command(
        "strip",
        &["--strip-unneeded", &text(&stage.join("usr/bin/sidetone"))],
    ))?;
    let control = stage.join("DEBIAN");
    fs::create_dir_all(&control)?;
    fs::write(control.join("control"), control_file(&table, &stage)?)?;
    let mut conffiles = String::new();
    for file in table.list("conf-files") {
        conffiles += &format!("{}\n", file.as_str().unwrap_or_default());
    }
    fs::write(control.join("conffiles"), conffiles)?;
    let scripts = manifest_folder().join(table.text("maintainer-scripts")?);
    for name in ["preinst", "postinst", "prerm", "postrm"] {
        let script = scripts.join(name);
        if script.exists() {
            fs::copy(&script, control.join(name))?;
            fs::set_permissions(control.join(name), fs::Permissions::from_mode(0o755))?;
        }
    }
    fs::write(control.join("md5sums"), sums(&stage)?)?;
    let file = test::target()?.join("package").join(format!(
        "sidetone_{}_{}.deb",
        table.version,
        architecture()?
    ));
    // The best compression takes a minute, which tests do not have.
    let compression = match profile {
        Profile::Release => "-Zxz",
        Profile::Debug => "-Zgzip",
    };
    must(command(
        "dpkg-deb",
        &[
            compression,
            "-z1",
            "--root-owner-group",
            "--build",
            &text(&stage),
            &text(&file),
        ],
    ))?;
    Ok(file)
}

/// The manual page and the completions, from the program itself.
fn generate(binary: &Path) -> Result<()> {
    let folder = root().join("target/package");
    fs::create_dir_all(&folder)?;
    let said = |words: &[&str]| -> Result<Vec<u8>> {
        let output = Command::new(binary).args(words).output()?;
        if !output.status.success() {
            bail!("`sidetone {}` failed", words.join(" "));
        }
        Ok(output.stdout)
    };
    fs::write(folder.join("sidetone.1"), said(&["man"])?)?;
    must(command(
        "gzip",
        &["-9nf", &text(&folder.join("sidetone.1"))],
    ))?;
    for (shell, file) in [
        ("bash", "sidetone.bash"),
        ("zsh", "_sidetone"),
        ("fish", "sidetone.fish"),
    ] {
        fs::write(folder.join(file), said(&["completions", shell])?)?;
    }
    Ok(())
}

/// `["source", "target", "mode"]`.
fn install(asset: &toml::Value, binary: &Path, stage: &Path) -> Result<()> {
    let part = |index: usize| asset.get(index).and_then(toml::Value::as_str);
    let (Some(source), Some(target), Some(mode)) = (part(0), part(1), part(2)) else {
        bail!("an asset is [source, target, mode], this is {asset}");
    };
    let source = match source.strip_prefix("target/release/") {
        Some(_) => binary.to_owned(),
        None => manifest_folder().join(source),
    };
    let target = stage.join(target);
    fs::create_dir_all(target.parent().context("a target in no folder")?)?;
    fs::copy(&source, &target).with_context(|| format!("asset {}", source.display()))?;
    let mode = u32::from_str_radix(mode, 8).context("a mode is octal")?;
    fs::set_permissions(&target, fs::Permissions::from_mode(mode))?;
    Ok(())
}

fn control_file(table: &Table, stage: &Path) -> Result<String> {
    let output = command("du", &["-sk", "--exclude=DEBIAN", &text(stage)]).output()?;
    let size = String::from_utf8_lossy(&output.stdout);
    let size = size
        .split_ascii_whitespace()
        .next()
        .unwrap_or("0")
        .to_owned();
    let depends = table.text("depends")?.replace("$auto", &libraries(stage)?);
    let extended: String = table
        .text("extended-description")?
        .lines()
        .map(|line| format!(" {line}\n"))
        .collect();
    Ok(format!(
        "Package: sidetone\nVersion: {}\nArchitecture: {}\nMaintainer: {}\nInstalled-Size: {size}\n\
         Depends: {depends}\nRecommends: {}\nSection: {}\nPriority: {}\nDescription: {}\n{extended}",
        table.version,
        architecture()?,
        table.text("maintainer")?,
        table.text("recommends")?,
        table.text("section")?,
        table.text("priority")?,
        table.description,
    ))
}

/// What the binary is linked with, by the packages that have it.
fn libraries(stage: &Path) -> Result<String> {
    let folder = test::target()?.join("package/shlibdeps");
    fs::create_dir_all(folder.join("debian"))?;
    fs::write(
        folder.join("debian/control"),
        "Source: sidetone\n\nPackage: sidetone\nArchitecture: any\n",
    )?;
    let mut deps = command(
        "dpkg-shlibdeps",
        &["-O", &text(&stage.join("usr/bin/sidetone"))],
    );
    let output = deps.current_dir(&folder).output();
    let output = output.context("dpkg-shlibdeps is missing: apt-get install dpkg-dev")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = said
        .trim()
        .strip_prefix("shlibs:Depends=")
        .map(str::to_owned);
    found.with_context(|| {
        format!(
            "dpkg-shlibdeps: {}",
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

fn sums(stage: &Path) -> Result<String> {
    let mut find = command(
        "sh",
        &[
            "-c",
            "find . -path ./DEBIAN -prune -o -type f -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 md5sum",
        ],
    );
    let output = find.current_dir(stage).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn architecture() -> Result<String> {
    let output = command("dpkg", &["--print-architecture"]).output();
    let output = output.context("dpkg is missing: packages are built on Debian")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn manifest_folder() -> PathBuf {
    root().join("server/main")
}

fn manifest() -> PathBuf {
    manifest_folder().join("Cargo.toml")
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
