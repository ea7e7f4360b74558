//! Music from files: which come, in which order, read one ahead of the one that is heard.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use codec::{Codec, SOUND_ENDINGS, Sound};
use config::{MusicClass, MusicMode, MusicSort};
use media::{Programme, Repertoire};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::{Folders, Generated};
use crate::sounds::{Sounds, Wanted};

/// A class of files.
#[derive(Clone)]
pub(super) struct Files {
    pub(super) class: Arc<MusicClass>,
    pub(super) folders: Folders,
    pub(super) sounds: Arc<Sounds>,
    /// What is heard where there is not one file.
    pub(super) generated: Generated,
    pub(super) runtime: Handle,
}

impl Repertoire for Files {
    fn open(&self, codec: &'static Codec) -> Box<dyn Programme> {
        // One is heard, one is ready.
        let (sender, receiver) = mpsc::channel(1);
        self.runtime.spawn(feed(self.clone(), codec, sender));
        Box::new(Fed(receiver))
    }
}

struct Fed(mpsc::Receiver<Sound>);

impl Programme for Fed {
    fn poll_next(&mut self) -> Option<Sound> {
        self.0.try_recv().ok()
    }
}

/// Reads piece after piece, until nobody takes them any more.
async fn feed(files: Files, codec: &'static Codec, sender: mpsc::Sender<Sound>) {
    let mut reading = Reading {
        order: Order::new(&files.class, rand_seed()),
        files,
        codec,
        is_announced: true,
        failed: 0,
    };
    while let Ok(permit) = sender.reserve().await {
        let read = tokio::task::spawn_blocking(move || {
            let sound = reading.next();
            (reading, sound)
        });
        let Ok((back, sound)) = read.await else {
            tracing::error!("reading music panicked");
            return;
        };
        reading = back;
        permit.send(sound);
    }
}

/// Chance here decides what is heard, nothing else.
fn rand_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(())
}

/// One programme.
struct Reading {
    files: Files,
    codec: &'static Codec,
    order: Order,
    /// Nothing has been heard since the last announcement.
    is_announced: bool,
    /// Files in a row that could not be read.
    failed: usize,
}

impl Reading {
    /// The next piece. It blocks.
    fn next(&mut self) -> Sound {
        let announcement = self.files.class.announcement.as_deref();
        if let Some(name) = announcement.filter(|_| !self.is_announced) {
            self.is_announced = true;
            match self.load(name) {
                Ok(sound) => return sound,
                Err(why) => self.complain(&why),
            }
        }
        self.is_announced = false;
        loop {
            if self.order.is_done() {
                let pieces = pieces(&self.files.class, self.files.folders.class.as_deref());
                self.order.begin(pieces);
            }
            let Some(piece) = self.order.next() else {
                let folder = self.files.folders.class.as_deref();
                let folder = folder.map_or_else(
                    || "the class has no folder".to_owned(),
                    |folder| format!("there is no sound in {}", folder.display()),
                );
                self.complain(&format!(
                    "{folder}; the built-in melody is heard instead (`directory` of musiconhold.conf, \
                     below the folder `sounds` of sidetone.conf unless it begins with /)"
                ));
                return self.files.generated.sound();
            };
            match self.load(&piece.display().to_string()) {
                Ok(sound) => {
                    self.failed = 0;
                    return sound;
                }
                Err(why) => self.complain(&why),
            }
            self.failed += 1;
            if self.failed >= self.order.pieces.len() {
                self.failed = 0;
                return self.files.generated.sound();
            }
        }
    }

    fn load(&self, name: &str) -> Result<Sound, String> {
        let coding = self.codec.coding.as_ref();
        let rate_hz = coding.and_then(|coding| coding.rates_hz.iter().max().copied());
        let wanted = Wanted {
            name: name.to_owned(),
            folder: self.files.folders.sounds.clone(),
            language: "en".to_owned(),
            rate_hz: rate_hz.unwrap_or(8000),
            codec: Some(self.codec),
        };
        let loaded = self.files.sounds.load(&wanted);
        loaded.map_err(|why| why.to_string())
    }

    fn complain(&self, why: &str) {
        let class = &self.files.class.name;
        tracing::warn!(class, "music on hold: {why}");
    }
}

/// In which order pieces are played.
struct Order {
    sort: MusicSort,
    loops_last: bool,
    pieces: Vec<PathBuf>,
    /// The place of the next one.
    at: usize,
    /// How many of these pieces were played.
    played: usize,
    /// The place of the last one.
    last: Option<usize>,
    rng: ChaCha12Rng,
}

impl Order {
    fn new(class: &MusicClass, seed: u64) -> Self {
        Self {
            sort: class.sort,
            loops_last: class.loop_last && class.mode == Some(MusicMode::Playlist),
            pieces: Vec::new(),
            at: 0,
            played: 0,
            last: None,
            rng: ChaCha12Rng::seed_from_u64(seed),
        }
    }

    /// Whether all were played, so that it is to be looked again what there is.
    fn is_done(&self) -> bool {
        let stays = self.loops_last && !self.pieces.is_empty();
        self.played >= self.pieces.len() && !stays
    }

    fn begin(&mut self, pieces: Vec<PathBuf>) {
        let is_first = self.pieces.is_empty();
        self.pieces = pieces;
        self.played = 0;
        self.last = self.last.filter(|last| *last < self.pieces.len());
        if is_first && self.sort == MusicSort::RandomStart {
            self.at = self.draw(self.pieces.len());
        }
    }

    fn next(&mut self) -> Option<PathBuf> {
        let count = self.pieces.len();
        if count == 0 {
            return None;
        }
        let place = match (self.sort, self.last) {
            (MusicSort::Random, Some(last)) if count > 1 => {
                // Not the same twice: one of the others.
                (last + 1 + self.draw(count - 1)) % count
            }
            (MusicSort::Random, _) => self.draw(count),
            (MusicSort::Alphabetical | MusicSort::RandomStart, _)
                if self.loops_last && self.played >= count =>
            {
                self.last.unwrap_or(count - 1)
            }
            (MusicSort::Alphabetical | MusicSort::RandomStart, _) => self.at % count,
        };
        self.at = place + 1;
        self.played += 1;
        self.last = Some(place);
        self.pieces.get(place).cloned()
    }

    fn draw(&mut self, count: usize) -> usize {
        // As even as it needs to be: a folder has few files.
        self.rng.next_u64() as usize % count.max(1)
    }
}

/// The pieces of a class by their names, without endings where they stand in a folder: one that is there in
/// several formats is one piece. It blocks.
pub(crate) fn pieces(class: &MusicClass, folder: Option<&Path>) -> Vec<PathBuf> {
    if class.mode == Some(MusicMode::Playlist) {
        return class.entries.iter().map(PathBuf::from).collect();
    }
    let Some(folder) = folder else {
        return Vec::new();
    };
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let files = entries.take(FILES_MAX).flatten().map(|entry| entry.path());
    let is_played = |file: &PathBuf| {
        let ending = file.extension().and_then(|ending| ending.to_str());
        let ending = ending.map(str::to_ascii_lowercase);
        let is_hidden = file
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        !is_hidden && ending.is_some_and(|ending| SOUND_ENDINGS.contains(&ending.as_str()))
    };
    let mut pieces: Vec<PathBuf> = files
        .filter(is_played)
        .filter(|file| file.is_file())
        .map(|file| file.with_extension(""))
        .collect();
    pieces.sort();
    pieces.dedup();
    pieces
}

/// Files of a folder that are looked at.
const FILES_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::{Order, pieces};
    use config::{MusicClass, MusicSort, Object};
    use std::path::PathBuf;

    fn class(options: &[(&str, &str)]) -> MusicClass {
        let mut class = MusicClass::named("c");
        for (name, value) in options {
            class.set(name, value);
        }
        class
    }

    /// So many pieces in the order of a class, from `names`.
    fn played(class: &MusicClass, seed: u64, names: &[&str], count: usize) -> Vec<String> {
        let mut order = Order::new(class, seed);
        let next = |_| {
            if order.is_done() {
                order.begin(names.iter().map(PathBuf::from).collect());
            }
            order.next().unwrap().display().to_string()
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn pieces_come_by_name_and_a_playlist_may_end_with_its_last() {
        let names = ["a", "b", "c"];
        let plain = class(&[("mode", "files"), ("sort", "alpha")]);
        assert_eq!(played(&plain, 1, &names, 5), ["a", "b", "c", "a", "b"]);
        let loops = class(&[("mode", "playlist"), ("loop_last", "yes")]);
        assert_eq!(played(&loops, 1, &names, 6), ["a", "b", "c", "c", "c", "c"]);
        let folder = class(&[("mode", "files"), ("loop_last", "yes")]);
        assert_eq!(played(&folder, 1, &names, 4), ["a", "b", "c", "a"]);
    }

    #[test]
    fn chance_begins_anywhere_or_takes_any_but_the_last_one() {
        let names = ["a", "b", "c", "d"];
        let from = class(&[("mode", "files"), ("sort", "randstart")]);
        let mut begun = std::collections::BTreeSet::new();
        for seed in 0..32 {
            let order = played(&from, seed, &names, 5).concat();
            assert!("abcdabcdabcd".contains(&order), "{order}");
            begun.insert(order[..1].to_owned());
        }
        assert_eq!(begun.len(), 4);
        let any = class(&[("mode", "files"), ("random", "yes")]);
        assert_eq!(any.sort, MusicSort::Random);
        let order = played(&any, 5, &names, 200);
        assert!(order.windows(2).all(|pair| pair[0] != pair[1]));
        for name in names {
            let count = order.iter().filter(|piece| *piece == name).count();
            assert!((30..70).contains(&count), "{name}: {count}");
        }
        assert_eq!(played(&any, 5, &["a"], 3), ["a", "a", "a"]);
    }

    #[test]
    fn a_folder_has_each_piece_once_whatever_its_formats() {
        let folder = std::env::temp_dir().join(format!("pieces-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("sub.wav")).unwrap();
        for name in [
            "b.ulaw",
            "b.wav",
            "a.g722",
            ".c.wav",
            "README",
            "d.mp3",
            "a.b.sln16",
        ] {
            std::fs::write(folder.join(name), b"x").unwrap();
        }
        let class = class(&[("mode", "files"), ("directory", "moh")]);
        let names: Vec<String> = pieces(&class, Some(&folder))
            .iter()
            .map(|piece| piece.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["a", "a.b", "b"]);
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(pieces(&class, Some(&folder)).is_empty());
    }
}
