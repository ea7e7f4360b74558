//! The program started anew, as the same process: what watches the process sees it go on.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

/// Replaces this process by the program with the same arguments. Returns only if that fails, with the
/// reason in a sentence. Every file and socket of ours is closed by it.
pub(crate) fn again() -> String {
    let mut words = std::env::args_os();
    let mut command = Command::new(program());
    if let Some(name) = words.next() {
        command.arg0(name);
    }
    let error = command.args(words).exec();
    format!("cannot start anew: {error}")
}

/// The program's file. After an upgrade the new file stands where ours did, and ours is marked so.
fn program() -> PathBuf {
    let own = PathBuf::from("/proc/self/exe");
    let Ok(path) = std::fs::read_link(&own) else {
        return own;
    };
    let text = path.to_string_lossy();
    match text.strip_suffix(" (deleted)").map(PathBuf::from) {
        Some(new) if new.is_file() => new,
        Some(_) => own,
        None => path,
    }
}
