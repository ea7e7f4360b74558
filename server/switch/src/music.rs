//! Music for those who wait: the classes of `musiconhold.conf`, and the piece that needs no file.

mod files;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use codec::{Codec, MELODY_HZ, Sound, melody};
use config::{Config, MusicClass};
use media::{Music, Programme, Repertoire};
use tokio::runtime::Handle;

use self::files::Files;
use crate::sounds::Sounds;

pub(crate) use self::files::pieces;

/// The class that is heard where nothing else is said.
pub(crate) const DEFAULT_CLASS: &str = "default";

/// All music.
pub(crate) struct MusicLibrary {
    sounds: Arc<Sounds>,
    generated: Generated,
    /// What is heard without a class.
    otherwise: Music,
    /// Classes that were asked for. As long as one is written alike it is the same music, which goes on
    /// over a reload.
    known: Mutex<HashMap<String, Known>>,
}

struct Known {
    class: Arc<MusicClass>,
    folders: Folders,
    music: Music,
}

/// Where files are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folders {
    /// Of prompts.
    pub(crate) sounds: PathBuf,
    /// Of a class, if it has one.
    pub(crate) class: Option<PathBuf>,
}

impl Folders {
    /// A relative folder is beside that of the prompts, where Asterisk has its `moh`.
    pub(crate) fn of(config: &Config, class: &MusicClass) -> Self {
        let sounds = PathBuf::from(&config.own.sounds);
        let beside = sounds.parent().unwrap_or_else(|| Path::new("/")).to_owned();
        let class = class.directory.as_ref().map(|name| beside.join(name));
        Self { sounds, class }
    }
}

impl MusicLibrary {
    pub(crate) fn new(sounds: Arc<Sounds>) -> Self {
        let generated = Generated::default();
        Self {
            sounds,
            otherwise: Music::new(DEFAULT_CLASS, generated.clone()),
            generated,
            known: Mutex::default(),
        }
    }

    /// The music of a class of this configuration; `None`: there is no such class, and it is not the
    /// default, which is always there.
    pub(crate) fn find(&self, config: &Config, name: &str) -> Option<Music> {
        let Some(class) = config.music.classes.get(name) else {
            self.generated.prepare();
            return (name == DEFAULT_CLASS).then(|| self.otherwise.clone());
        };
        let folders = Folders::of(config, class);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |known: &&Known| known.class == *class && known.folders == folders;
        if let Some(known) = known.get(name).filter(same) {
            return Some(known.music.clone());
        }
        let files = Files {
            class: Arc::clone(class),
            folders: folders.clone(),
            sounds: Arc::clone(&self.sounds),
            generated: self.generated.clone(),
            runtime: Handle::current(),
        };
        let music = Music::new(name, files);
        // Classes that are written no longer go here.
        known.retain(|name, _| config.music.classes.contains_key(name));
        let entry = Known {
            class: Arc::clone(class),
            folders,
            music: music.clone(),
        };
        known.insert(name.to_owned(), entry);
        Some(music)
    }
}

/// The piece of [`melody`], again and again.
#[derive(Clone, Default)]
struct Generated(Arc<OnceLock<Sound>>);

impl Generated {
    /// It is made when it is first wanted, which takes a moment.
    fn prepare(&self) {
        if self.0.get().is_none() {
            let own = self.clone();
            tokio::task::spawn_blocking(move || drop(own.sound()));
        }
    }

    /// The piece. It blocks: not for a task.
    fn sound(&self) -> Sound {
        let make = || Sound::of_samples(&melody(), MELODY_HZ);
        self.0.get_or_init(make).clone()
    }
}

impl Repertoire for Generated {
    fn open(&self, _: &'static Codec) -> Box<dyn Programme> {
        Box::new(self.clone())
    }
}

impl Programme for Generated {
    fn poll_next(&mut self) -> Option<Sound> {
        self.0.get().cloned()
    }
}
