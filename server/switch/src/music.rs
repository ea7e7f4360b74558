//! Music for those who wait: which there is, and the piece that needs no file.

use std::sync::{Arc, OnceLock};

use codec::{Codec, MELODY_HZ, Sound, melody};
use media::{Music, Programme, Repertoire};

/// The class that is heard where nothing else is said.
pub(crate) const DEFAULT_CLASS: &str = "default";

/// All music.
pub(crate) struct MusicLibrary {
    piece: Arc<OnceLock<Sound>>,
    generated: Music,
}

impl Default for MusicLibrary {
    fn default() -> Self {
        let piece = Arc::<OnceLock<Sound>>::default();
        let generated = Music::new(DEFAULT_CLASS, Generated(Arc::clone(&piece)));
        Self { piece, generated }
    }
}

impl MusicLibrary {
    /// The music of a class.
    pub(crate) fn find(&self, _class: &str) -> Music {
        self.make_piece();
        self.generated.clone()
    }

    /// The piece that needs no file is made when it is first wanted, which takes a moment.
    fn make_piece(&self) {
        if self.piece.get().is_none() {
            let piece = Arc::clone(&self.piece);
            tokio::task::spawn_blocking(move || {
                piece.get_or_init(|| Sound::of_samples(&melody(), MELODY_HZ));
            });
        }
    }
}

/// The piece of [`melody`], again and again.
#[derive(Clone)]
struct Generated(Arc<OnceLock<Sound>>);

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
