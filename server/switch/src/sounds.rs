//! Where prompts are: files below the folder `sounds` of `sidetone.conf`, looked for as Asterisk does.
//!
//! A name has no ending: of the formats there are, the one that fits the call's rate best is taken. A
//! file stays in memory as long as somebody plays it, once for all who do.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use codec::{BadSound, Codec, SOUND_ENDINGS, Sound};

/// The sounds that are being played.
#[derive(Debug, Default)]
pub(crate) struct Sounds {
    loaded: Mutex<HashMap<PathBuf, Loaded>>,
    /// Those of our own that were looked for in vain.
    missed: Mutex<HashSet<String>>,
}

#[derive(Debug)]
struct Loaded {
    changed: Option<SystemTime>,
    data: Weak<[u8]>,
}

/// Why a sound cannot be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoSound {
    /// There is no file of this name.
    Missing {
        /// Its name.
        name: String,
        /// Where it was looked for.
        folders: Vec<PathBuf>,
        /// A file of that name, in a format that cannot be played.
        unplayable: Option<PathBuf>,
    },
    /// There is one, and it cannot be read.
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// There is one, and it holds something else.
    Bad {
        /// The file.
        file: PathBuf,
        /// Why.
        why: BadSound,
    },
}

impl fmt::Display for NoSound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing {
                name,
                folders,
                unplayable,
            } => {
                let folders: Vec<String> =
                    folders.iter().map(|f| f.display().to_string()).collect();
                write!(f, "no sound `{name}` in {}", folders.join(" or "))?;
                match unplayable {
                    Some(file) => write!(
                        f,
                        "; there is {}, in a format that is not played: convert it to wav, ulaw, alaw, g722 \
                         or sln",
                        file.display()
                    ),
                    None => f.write_str(
                        "; put it there as .wav, .ulaw, .alaw, .g722 or .sln16, or name another folder with \
                         `sounds=` in sidetone.conf",
                    ),
                }
            }
            Self::Unreadable { file, why } => write!(f, "{} cannot be read: {why}", file.display()),
            Self::Bad { file, why } => write!(f, "{} cannot be played: {why}", file.display()),
        }
    }
}

/// What is looked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The name as the dial plan has it.
    pub(crate) name: String,
    /// The folder of all sounds.
    pub(crate) folder: PathBuf,
    /// The language of the call.
    pub(crate) language: String,
    /// The rate of the call's codec.
    pub(crate) rate_hz: u32,
    /// The codec: a file in it is sent as it is.
    pub(crate) codec: Option<&'static Codec>,
}

impl Sounds {
    /// Finds and reads a sound. It blocks: not for a task.
    pub(crate) fn load(&self, wanted: &Wanted) -> Result<Sound, NoSound> {
        let file = find(wanted)?;
        let ending = ending(&file).unwrap_or_default().to_ascii_lowercase();
        let unreadable = |why: std::io::Error| NoSound::Unreadable {
            file: file.clone(),
            why: why.to_string(),
        };
        let open = File::open(&file).map_err(unreadable)?;
        let meta = open.metadata().map_err(unreadable)?;
        let changed = meta.modified().ok();
        let known = self.known(&file, changed);
        let data = match known {
            Some(data) => data,
            None => {
                if meta.len() > SOUND_BYTES_MAX {
                    let why = format!("it has more than {} MB", SOUND_BYTES_MAX >> 20);
                    return Err(NoSound::Unreadable { file, why });
                }
                let mut bytes = Vec::new();
                let mut limited = open.take(SOUND_BYTES_MAX);
                limited.read_to_end(&mut bytes).map_err(unreadable)?;
                self.keep(&file, changed, bytes.into())
            }
        };
        Sound::parse(&ending, data).map_err(|why| NoSound::Bad { file, why })
    }

    /// Notes that a sound was looked for in vain; whether that is new.
    pub(crate) fn miss(&self, name: &str) -> bool {
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        missed.len() < MISSED_MAX && missed.insert(name.to_owned())
    }

    fn known(&self, file: &Path, changed: Option<SystemTime>) -> Option<Arc<[u8]>> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let known = loaded.get(file).filter(|known| known.changed == changed)?;
        known.data.upgrade()
    }

    fn keep(&self, file: &Path, changed: Option<SystemTime>, data: Arc<[u8]>) -> Arc<[u8]> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        // What nobody plays any more is gone from memory; its entries go here.
        loaded.retain(|_, loaded| loaded.data.strong_count() > 0);
        if loaded.len() < FILES_MAX {
            let entry = Loaded {
                changed,
                data: Arc::downgrade(&data),
            };
            loaded.insert(file.to_owned(), entry);
        }
        data
    }
}

/// The file to play: in the folder of the language first.
fn find(wanted: &Wanted) -> Result<PathBuf, NoSound> {
    let Wanted {
        name,
        folder,
        language,
        rate_hz,
        codec,
    } = wanted;
    let mut unplayable = None;
    let mut folders = Vec::new();
    for base in bases(name, folder, language) {
        let (Some(parent), Some(stem)) = (base.parent(), base.file_name()) else {
            continue;
        };
        folders.push(parent.to_owned());
        let exact = ending(&base).is_some_and(is_played) && base.is_file();
        let named = |ending: &str| {
            let mut file = stem.to_owned();
            file.push(".");
            file.push(ending);
            parent.join(file)
        };
        let mut endings: Vec<&str> = SOUND_ENDINGS.to_vec();
        let is_coded = |ending: &str| codec.is_some_and(|codec| codec.name == coding_of(ending));
        endings.sort_by_key(|ending| (!is_coded(ending), unfitness(ending, *rate_hz)));
        let mut files = endings.into_iter().map(named);
        if let Some(file) = files.find(|file| file.is_file()) {
            return Ok(file);
        }
        // Asterisk takes a name with its ending as a name, and so misses the file everybody means.
        if exact {
            return Ok(base);
        }
        let mut others = UNPLAYED.iter().map(|ending| named(ending));
        unplayable = unplayable.or_else(|| others.find(|file| file.is_file()));
    }
    Err(NoSound::Missing {
        name: name.clone(),
        folders,
        unplayable,
    })
}

/// The places of a name without its ending: of the language, of its family (`en` of `en_GB`), of none.
fn bases(name: &str, folder: &Path, language: &str) -> Vec<PathBuf> {
    if Path::new(name).is_absolute() {
        return vec![PathBuf::from(name)];
    }
    let family = language.split(['_', '-']).next().unwrap_or_default();
    let mut bases = vec![folder.join(language).join(name)];
    for other in [folder.join(family).join(name), folder.join(name)] {
        if !bases.contains(&other) {
            bases.push(other);
        }
    }
    bases
}

/// How badly a format fits a rate: the same rate first, then more, then less; PCM before what is
/// compressed.
fn unfitness(ending: &str, rate_hz: u32) -> (u8, u32, u8) {
    let own = match ending {
        "g722" | "wav16" => 16_000,
        _ => match ending.strip_prefix("sln") {
            Some("44") => 44_100,
            Some(thousands) => thousands.parse().unwrap_or(8) * 1000,
            None => 8000,
        },
    };
    let compressed = match ending {
        // A WAV may have any rate; most are made for telephony.
        "wav" | "wav16" => 0,
        "g722" => 2,
        _ if ending.starts_with("sln") || ending == "raw" => 0,
        _ => 1,
    };
    match own.cmp(&rate_hz) {
        std::cmp::Ordering::Equal => (0, 0, compressed),
        std::cmp::Ordering::Greater => (1, own - rate_hz, compressed),
        std::cmp::Ordering::Less => (2, rate_hz - own, compressed),
    }
}

/// The codec a format is in, as `allow` names it.
fn coding_of(ending: &str) -> &str {
    match ending {
        "ulaw" | "ul" | "pcm" | "mu" => "ulaw",
        "alaw" | "al" | "alw" => "alaw",
        other => other,
    }
}

fn ending(file: &Path) -> Option<&str> {
    file.extension()?.to_str()
}

fn is_played(ending: &str) -> bool {
    SOUND_ENDINGS.contains(&ending.to_ascii_lowercase().as_str())
}

/// Formats of Asterisk's prompts that are not played here.
const UNPLAYED: &[&str] = &[
    "gsm", "g729", "g723", "ilbc", "siren7", "siren14", "ogg", "mp3", "WAV",
];
/// The largest file: an hour at 8 kHz, ten minutes at 48 kHz.
const SOUND_BYTES_MAX: u64 = 64 << 20;
/// Missing sounds that are remembered; those of the exchange's own are fewer.
const MISSED_MAX: usize = 1000;
/// Files that are shared among those who play them.
const FILES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::{NoSound, Sounds, Wanted};
    use std::path::PathBuf;

    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let path = std::env::temp_dir().join(format!("sounds-{test}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn put(&self, file: &str, len: usize) -> &Self {
            let path = self.0.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, vec![0xFF; len]).unwrap();
            self
        }

        /// The rate and the length of what is found.
        fn find(&self, name: &str, language: &str, rate_hz: u32) -> Result<(u32, usize), NoSound> {
            let wanted = Wanted {
                name: name.to_owned(),
                folder: self.0.clone(),
                language: language.to_owned(),
                rate_hz,
                codec: None,
            };
            let sound = Sounds::default().load(&wanted)?;
            Ok((sound.rate_hz(), sound.count()))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_language_goes_before_its_family_and_that_before_none() {
        let folder = Folder::new("language");
        folder
            .put("hello.ulaw", 10)
            .put("en/hello.ulaw", 20)
            .put("en_GB/hello.ulaw", 30);
        folder.put("digits/1.ulaw", 40).put("fr/digits/1.ulaw", 50);
        assert_eq!(folder.find("hello", "en_GB", 8000), Ok((8000, 30)));
        assert_eq!(folder.find("hello", "en_US", 8000), Ok((8000, 20)));
        assert_eq!(folder.find("hello", "de", 8000), Ok((8000, 10)));
        assert_eq!(folder.find("digits/1", "fr", 8000), Ok((8000, 50)));
        let absolute = folder.0.join("en/hello").display().to_string();
        assert_eq!(folder.find(&absolute, "de", 8000), Ok((8000, 20)));
        assert_eq!(folder.find("hello.ulaw", "de", 8000), Ok((8000, 10)));
    }

    #[test]
    fn the_format_nearest_to_the_call_is_taken() {
        let folder = Folder::new("format");
        folder
            .put("a.ulaw", 10)
            .put("a.sln", 20)
            .put("a.sln16", 20)
            .put("a.sln48", 20);
        assert_eq!(folder.find("a", "en", 8000), Ok((8000, 10)));
        assert_eq!(folder.find("a", "en", 16_000), Ok((16_000, 10)));
        assert_eq!(folder.find("a", "en", 48_000), Ok((48_000, 10)));
        folder.put("b.ulaw", 10).put("b.g722", 10);
        assert_eq!(folder.find("b", "en", 48_000), Ok((16_000, 20)));
        assert_eq!(folder.find("b", "en", 8000), Ok((8000, 10)));
    }

    #[test]
    fn a_file_in_the_codec_of_the_call_goes_before_all_others() {
        let folder = Folder::new("coded");
        for (ending, len) in [
            ("sln16", 2),
            ("g722", 3),
            ("alaw", 5),
            ("ulaw", 7),
            ("sln", 22),
        ] {
            folder.put(&format!("a.{ending}"), len);
        }
        let mut wanted = Wanted {
            name: "a".to_owned(),
            folder: folder.0.clone(),
            language: "en".to_owned(),
            rate_hz: 8000,
            codec: None,
        };
        let mut count = |codec, rate_hz| {
            wanted.codec = codec::by_name(codec);
            wanted.rate_hz = rate_hz;
            Sounds::default().load(&wanted).unwrap().count()
        };
        assert_eq!(count("ulaw", 8000), 7);
        assert_eq!(count("alaw", 8000), 5);
        assert_eq!(count("g722", 16_000), 6);
        assert_eq!(count("opus", 48_000), 1);
    }

    #[test]
    fn what_is_missing_names_the_folder_and_what_was_found_instead() {
        let folder = Folder::new("missing");
        let text = folder.find("hello", "en", 8000).unwrap_err().to_string();
        let expected = format!(
            "no sound `hello` in {0}/en or {0}; put it",
            folder.0.display()
        );
        assert!(text.starts_with(&expected), "{text}");
        folder.put("en/hello.gsm", 33);
        let text = folder.find("hello", "en", 8000).unwrap_err().to_string();
        assert!(
            text.contains("en/hello.gsm, in a format that is not played"),
            "{text}"
        );
        folder.put("en/noise.wav", 50);
        let text = folder.find("noise", "en", 8000).unwrap_err().to_string();
        assert!(
            text.contains("en/noise.wav cannot be played: it is no WAV"),
            "{text}"
        );
    }

    #[test]
    fn a_file_is_in_memory_once_while_it_is_played_and_anew_when_it_changed() {
        let folder = Folder::new("shared");
        folder.put("a.ulaw", 10);
        let sounds = Sounds::default();
        let wanted = Wanted {
            name: "a".to_owned(),
            folder: folder.0.clone(),
            language: "en".to_owned(),
            rate_hz: 8000,
            codec: None,
        };
        let first = sounds.load(&wanted).unwrap();
        let _second = sounds.load(&wanted).unwrap();
        assert_eq!(sounds.loaded.lock().unwrap().len(), 1);
        drop(first);
        let file = std::fs::File::create(folder.0.join("a.ulaw")).unwrap();
        file.set_len(30).unwrap();
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
        file.set_modified(later).unwrap();
        assert_eq!(sounds.load(&wanted).unwrap().count(), 30);
    }
}
