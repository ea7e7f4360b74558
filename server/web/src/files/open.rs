//! Opening a file that a stranger names, and none outside its folder.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// What is at a name.
pub(super) enum Opened {
    File(Readable),
    Folder,
}

/// An open regular file.
pub(super) struct Readable {
    pub(super) file: tokio::fs::File,
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
    /// Changes with the content.
    pub(super) version: String,
}

/// Opens `name` below `folder`; `None` for what is not there, not readable, or elsewhere.
pub(super) async fn open(folder: &Path, name: &str) -> Option<Opened> {
    let (folder, name) = (folder.to_owned(), name.to_owned());
    let opening = tokio::task::spawn_blocking(move || {
        let opened = open_now(&folder, Path::new(name.as_str()));
        opened
            .inspect_err(|error| say(error, &folder.join(&name)))
            .ok()
    });
    opening.await.ok().flatten().flatten()
}

fn open_now(folder: &Path, name: &Path) -> io::Result<Option<Opened>> {
    let name = match name.as_os_str().is_empty() {
        true => Path::new("."),
        false => name,
    };
    let file = open_within(folder, name)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Ok(Some(Opened::Folder));
    }
    // A pipe or a device would never end, or do something when it is read.
    if !metadata.is_file() {
        return Ok(None);
    }
    let (seconds, nanos) = (metadata.mtime(), metadata.mtime_nsec());
    let (inode, bytes) = (metadata.ino(), metadata.len());
    Ok(Some(Opened::File(Readable {
        file: tokio::fs::File::from_std(file),
        bytes,
        modified: metadata.modified()?,
        version: format!("{seconds:x}.{nanos:x}-{inode:x}-{bytes:x}"),
    })))
}

fn open_within(folder: &Path, name: &Path) -> io::Result<File> {
    let root = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(folder, root, Mode::empty())?;
    // Without NONBLOCK, opening a pipe waits for its other end.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..ATTEMPTS_MAX {
        match rustix::fs::openat2(&root, name, flags, Mode::empty(), resolve) {
            Ok(file) => return Ok(file.into()),
            // Something was renamed at the same moment.
            Err(Errno::AGAIN) => {}
            // Linux before 5.6, or a filter of system calls that does not know it.
            Err(Errno::NOSYS | Errno::PERM) => return open_canonical(folder, name),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::AGAIN.into())
}

/// The same by comparing paths, which a link put there in between could outwit.
fn open_canonical(folder: &Path, name: &Path) -> io::Result<File> {
    let root = folder.canonicalize()?;
    let path: PathBuf = root.join(name).canonicalize()?;
    if !path.starts_with(&root) {
        return Err(Errno::XDEV.into());
    }
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// The operator wonders why his link gives 404; one line tells him.
fn say(error: &io::Error, path: &Path) {
    static SAID: AtomicBool = AtomicBool::new(false);
    let reason = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::XDEV) => "it leads out of the folder, and links may not",
        Some(Errno::ACCESS) => "its mode does not let this user read it",
        _ => return,
    };
    if !SAID.swap(true, Ordering::Relaxed) {
        tracing::warn!("{} is not served: {reason}", path.display());
    }
}

const ATTEMPTS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    type Open = fn(&Path, &Path) -> io::Result<File>;

    #[test]
    fn links_within_the_folder_work_and_links_out_of_it_do_not() {
        let folder = std::env::temp_dir().join(format!("sidetone-open-{}", std::process::id()));
        let root = folder.join("root");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::write(folder.join("secret"), "secret").unwrap();
        std::fs::write(root.join("file"), "file").unwrap();
        symlink("../file", root.join("sub/in")).unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink(folder.join("secret"), root.join("absolute")).unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink("/proc/self/root", root.join("magic")).unwrap();
        for open in [open_within as Open, open_canonical as Open] {
            let opens = |name: &str| open(&root, Path::new(name)).is_ok();
            assert!(opens("file") && opens("sub/in") && opens("sub"));
            for name in [
                "out",
                "absolute",
                "up/secret",
                "magic/etc/passwd",
                "../secret",
                "sub/../../secret",
                "/etc/passwd",
                "none",
            ] {
                assert!(!opens(name), "{name}");
            }
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
