//! The files read anew and put in force: whole, or not at all.
//!
//! Everything is checked and made ready first: the files, then each [`Piece`] of the exchange that has
//! to open or read something. Only when all of them are ready is the new state put in force, piece by
//! piece, by steps that cannot fail; with an error anywhere the old state stays. One reload runs at a
//! time, whoever asks for it.

use std::path::Path;
use std::sync::Arc;

use config::{Config, Diagnostic, Severity, diff};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// The files read anew: what they say, unless they cannot be read, and what is wrong with them.
pub type Files = (Option<Config>, Vec<Diagnostic>);

/// What of the files is put in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of them.
    All,
    /// `extensions.conf`.
    Dialplan,
    /// `pjsip.conf`.
    Pjsip,
    /// `http.conf`.
    Http,
    /// `rtp.conf`.
    Rtp,
    /// `acl.conf`.
    Acl,
    /// `cdr.conf`.
    Cdr,
    /// `logger.conf`.
    Logger,
    /// `features.conf`.
    Features,
    /// `res_parking.conf`.
    Parking,
    /// `confbridge.conf`.
    ConfBridge,
    /// `musiconhold.conf`.
    Music,
    /// `indications.conf`.
    Indications,
    /// `database.conf`, and Asterisk's files that choose a database.
    Database,
}

impl Part {
    /// The part that a name of a module stands for.
    pub(crate) fn of_module(name: &str) -> Option<Self> {
        let name = name.strip_suffix(".so").unwrap_or(name);
        let mut rows = MODULES.iter();
        let found = rows.find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, part)| *part)
    }

    /// Whether this part, put in force, puts that one in force.
    pub fn has(self, other: Self) -> bool {
        self == Self::All || self == other
    }

    /// The part a file belongs to, if its name alone says so.
    fn of_file(file: &str) -> Option<Self> {
        // A row of a table: objects of pjsip.conf.
        if file.contains(", row ") {
            return Some(Self::Pjsip);
        }
        Some(match Path::new(file).file_name()?.to_str()? {
            "extensions.conf" => Self::Dialplan,
            "pjsip.conf" => Self::Pjsip,
            "http.conf" => Self::Http,
            "rtp.conf" => Self::Rtp,
            "acl.conf" => Self::Acl,
            "cdr.conf" => Self::Cdr,
            "logger.conf" => Self::Logger,
            "features.conf" => Self::Features,
            "res_parking.conf" => Self::Parking,
            "confbridge.conf" => Self::ConfBridge,
            "musiconhold.conf" => Self::Music,
            "indications.conf" => Self::Indications,
            "database.conf"
            | "extconfig.conf"
            | "odbc.ini"
            | "odbcinst.ini"
            | "res_config_mysql.conf"
            | "res_config_sqlite3.conf"
            | "res_odbc.conf"
            | "res_pgsql.conf"
            | "sorcery.conf" => Self::Database,
            _ => return None,
        })
    }
}

/// The names a module goes by.
pub(crate) const MODULES: &[(&str, Part)] = &[
    ("acl", Part::Acl),
    ("app_confbridge", Part::ConfBridge),
    ("cdr", Part::Cdr),
    ("database", Part::Database),
    ("dialplan", Part::Dialplan),
    ("extconfig", Part::Database),
    ("features", Part::Features),
    ("http", Part::Http),
    ("indications", Part::Indications),
    ("logger", Part::Logger),
    ("moh", Part::Music),
    ("pbx_config", Part::Dialplan),
    ("pjsip", Part::Pjsip),
    ("res_config_mysql", Part::Database),
    ("res_config_odbc", Part::Database),
    ("res_config_pgsql", Part::Database),
    ("res_config_sqlite3", Part::Database),
    ("res_musiconhold", Part::Music),
    ("res_odbc", Part::Database),
    ("res_parking", Part::Parking),
    ("res_pjsip", Part::Pjsip),
    ("res_rtp_asterisk", Part::Rtp),
    ("rtp", Part::Rtp),
];

/// A piece of the exchange that opens or reads something when its part of the files changes.
pub struct Piece {
    /// When it is asked.
    pub part: Part,
    /// Asked with the state in force and the one to come; changes nothing that runs. The errors are
    /// sentences. It may block.
    pub prepare: Prepare,
}

/// How a [`Piece`] makes ready.
pub type Prepare = Box<dyn Fn(&Config, &Config) -> Result<Ready, Vec<String>> + Send + Sync>;

/// A piece that is ready. Dropped without [`Self::commit`], it leaves everything as it was.
#[derive(Default)]
pub struct Ready {
    /// What only the next start will do, or what else is worth saying.
    pub notes: Vec<String>,
    /// Puts it in force; cannot fail. `None`: there is nothing to do.
    pub commit: Option<Box<dyn FnOnce() + Send>>,
    /// Another database, put in force together with the files that choose it.
    pub database: Option<store::Replacement>,
}

impl Ready {
    /// One step to take.
    pub fn step(commit: impl FnOnce() + Send + 'static) -> Self {
        Self {
            commit: Some(Box::new(commit)),
            ..Self::default()
        }
    }
}

/// What reads and what is made ready.
pub(crate) struct Reloader {
    read: Arc<dyn Fn() -> Files + Send + Sync>,
    pieces: Arc<Vec<Piece>>,
    /// When the files were last put in force. Held while that happens: one at a time.
    last: Mutex<Option<Instant>>,
}

impl Reloader {
    pub(crate) fn new(read: Arc<dyn Fn() -> Files + Send + Sync>, pieces: Vec<Piece>) -> Self {
        Self {
            read,
            pieces: Arc::new(pieces),
            last: Mutex::new(None),
        }
    }

    /// When the files were last put in force.
    pub(crate) async fn last(&self) -> Option<Instant> {
        *self.last.lock().await
    }

    /// Changes the state in force without the files, while nobody reads them.
    pub(crate) async fn edit<T>(&self, edit: impl FnOnce() -> T) -> T {
        let _held = self.last.lock().await;
        edit()
    }

    /// Puts a part of the files in force. What changed, or why nothing did, in lines.
    pub(crate) async fn reload(&self, store: &store::Store, part: Part) -> Result<String, String> {
        let mut last = self.last.lock().await;
        let (read, pieces) = (self.read.clone(), self.pieces.clone());
        let old = store.config();
        let prepared = {
            let old = old.clone();
            tokio::task::spawn_blocking(move || prepare(&old, read(), &pieces, part)).await
        };
        let Ok(prepared) = prepared else {
            return Err("Reading the files went wrong; nothing changes.\n".to_owned());
        };
        let Prepared {
            new,
            mut ready,
            said,
        } = prepared?;
        let database = ready.iter_mut().find_map(|ready| ready.database.take());
        for commit in ready.into_iter().filter_map(|ready| ready.commit) {
            commit();
        }
        store.put(Arc::new(new), database);
        *last = Some(Instant::now());
        Ok(said)
    }
}

/// Everything checked and ready.
struct Prepared {
    new: Config,
    ready: Vec<Ready>,
    said: String,
}

/// The state to come with all pieces ready for it, or what is wrong.
fn prepare(old: &Config, files: Files, pieces: &[Piece], part: Part) -> Result<Prepared, String> {
    let (new, messages) = files;
    let is_own = |message: &&Diagnostic| {
        let of_file = Part::of_file(&message.file);
        of_file.is_none_or(|other| part.has(other))
    };
    let is_error = |message: &&Diagnostic| message.severity == Severity::Error;
    // An error in the files of another part is told and does not stand in the way; what else is said of those is no
    // news of this reload.
    let mut said = told(messages.iter().filter(|it| is_own(it) || is_error(it)));
    let faulty = messages.iter().any(|it| is_own(&it) && is_error(&it));
    let Some(new) = new.filter(|_| !faulty) else {
        return Err(said + UNCHANGED);
    };
    let new = merge(old, new, part);
    let (mut ready, mut errors) = (Vec::new(), Vec::new());
    for piece in pieces.iter().filter(|piece| part.has(piece.part)) {
        match (piece.prepare)(old, &new) {
            Ok(one) => ready.push(one),
            Err(sentences) => errors.extend(sentences),
        }
    }
    if !errors.is_empty() {
        said.extend(
            errors
                .into_iter()
                .map(|error| ended(format!("error: {error}"))),
        );
        return Err(said + UNCHANGED);
    }
    let changes = diff(old, &new);
    for change in &changes {
        said.push_str(&format!("{change}\n"));
    }
    if changes.is_empty() {
        said.push_str(SAME);
    }
    for note in ready.iter().flat_map(|ready| &ready.notes) {
        said.push_str(&format!("! {note}\n"));
    }
    Ok(Prepared { new, ready, said })
}

/// What is wrong with the files, and how wrong. What merely has no effect is counted: it would hide the
/// rest, at each reload anew.
fn told<'a>(messages: impl Iterator<Item = &'a Diagnostic>) -> String {
    let (notes, rest): (Vec<_>, Vec<_>) =
        messages.partition(|message| message.severity == Severity::Info);
    let lines = rest
        .iter()
        .map(|message| ended(format!("{}: {message}", message.severity)));
    let mut said: String = lines.collect();
    if !notes.is_empty() {
        let number = notes.len();
        said.push_str(&format!(
            "{number} without effect here; `sidetone check` names them and says why\n"
        ));
    }
    said
}

/// What is said when the files mean what they meant before.
pub(crate) const SAME: &str = "Nothing has changed.\n";

const UNCHANGED: &str = "Nothing changes.\n";

/// The old state with one part of the new one.
fn merge(old: &Config, new: Config, part: Part) -> Config {
    let Config {
        global,
        system,
        transports,
        endpoints,
        auths,
        aors,
        identifies,
        registrations,
        registration_auths,
        acls,
        named_acls,
        domain_aliases,
        resource_lists,
        http,
        rtp,
        own,
        cdr,
        logger,
        features,
        parking,
        confbridge,
        music,
        indications,
        plan,
        database,
    } = new;
    let mut merged = old.clone();
    // The plan holds the extensions of the lots.
    if part.has(Part::Dialplan) || part.has(Part::Parking) {
        merged.plan = plan;
        merged.parking = parking;
    }
    if part.has(Part::Pjsip) {
        merged.global = global;
        merged.transports = transports;
        merged.endpoints = endpoints;
        merged.auths = auths;
        merged.aors = aors;
        merged.system = system;
        merged.identifies = identifies;
        merged.registrations = registrations;
        merged.registration_auths = registration_auths;
        merged.acls = acls;
        merged.domain_aliases = domain_aliases;
        merged.resource_lists = resource_lists;
    }
    // Lists of addresses are named by endpoints and paths alike.
    if part.has(Part::Pjsip) || part.has(Part::Http) || part.has(Part::Acl) {
        merged.named_acls = named_acls;
    }
    put(part, Part::Cdr, &mut merged.cdr, cdr);
    put(part, Part::Logger, &mut merged.logger, logger);
    put(part, Part::Features, &mut merged.features, features);
    put(part, Part::ConfBridge, &mut merged.confbridge, confbridge);
    put(part, Part::Music, &mut merged.music, music);
    put(
        part,
        Part::Indications,
        &mut merged.indications,
        indications,
    );
    put(part, Part::Http, &mut merged.http, http);
    put(part, Part::Rtp, &mut merged.rtp, rtp);
    if part == Part::All {
        merged.own = own;
    }
    put(part, Part::Database, &mut merged.database, database);
    merged
}

/// Takes what belongs to a part, if that is put in force.
fn put<T>(part: Part, of: Part, place: &mut T, new: T) {
    if part.has(of) {
        *place = new;
    }
}

fn ended(mut text: String) -> String {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use config::Config;
    use expect_test::expect;

    use super::{Files, Part, Piece, Prepared, Ready, Reloader, prepare};

    fn files(pjsip: &str, extensions: &str, http: &str) -> Files {
        let files = [
            ("pjsip.conf", pjsip),
            ("extensions.conf", extensions),
            ("http.conf", http),
        ];
        config::load(&files.as_slice())
    }

    fn old() -> Config {
        let (config, messages) = files(ALICE, PLAN, "");
        assert!(messages.is_empty(), "{messages:?}");
        config.unwrap()
    }

    const ALICE: &str = "[alice]\ntype=endpoint\ncontext=c\nallow=opus\n";
    const PLAN: &str = "[c]\nexten => 1,1,Answer()\n";
    const HTTP: &str = "[general]\nenabled=yes\nbindaddr=127.0.0.1\n";

    /// A piece that counts how often it is put in force, or has an error.
    fn piece(part: Part, commits: &Arc<AtomicUsize>, error: Option<&'static str>) -> Piece {
        let commits = commits.clone();
        Piece {
            part,
            prepare: Box::new(move |_, _| match error {
                Some(error) => Err(vec![error.to_owned()]),
                None => {
                    let commits = commits.clone();
                    Ok(Ready {
                        notes: vec!["ready".to_owned()],
                        ..Ready::step(move || {
                            commits.fetch_add(1, Ordering::Relaxed);
                        })
                    })
                }
            }),
        }
    }

    #[test]
    fn says_what_changed_and_what_pieces_say() {
        let pjsip = "[alice]\ntype=endpoint\ncontext=c\nallow=ulaw\n[bob]\ntype=aor\n";
        let plan = "\n\n[c]\nexten => 1,1,Answer()\nexten => 2,1,Hangup()\n";
        let pieces = [piece(Part::Http, &Arc::default(), None)];
        let done = prepare(&old(), files(pjsip, plan, HTTP), &pieces, Part::All);
        let Ok(Prepared { new, said, .. }) = done else {
            panic!("refused");
        };
        expect![[r#"
            ~ endpoint alice: allow (opus) → (ulaw)
            + aor bob
            + listener http 127.0.0.1:8088
            + extension 2@c
            ! ready
        "#]]
        .assert_eq(&said);
        assert!(new.plan.find("c", "2", None).is_some());
    }

    #[test]
    fn what_has_no_effect_is_counted_and_does_not_hide_what_is_wrong() {
        let pjsip = format!("{ALICE}send_aoc=yes\ninband_progress=yes\ntrnsport=udp\n");
        let Ok(Prepared { said, .. }) = prepare(&old(), files(&pjsip, PLAN, ""), &[], Part::All)
        else {
            panic!("refused");
        };
        expect![[r#"
            warning: pjsip.conf:7:1: option `trnsport` is not known in endpoint
             7 | trnsport=…
               | ^
               = did you mean `transport`?
            2 without effect here; `sidetone check` names them and says why
            Nothing has changed.
        "#]]
        .assert_eq(&said);
    }

    #[test]
    fn another_database_is_told_and_belongs_to_a_part_of_its_own() {
        let database = "[general]\nurl=postgres://pbx:hunter2@db/asterisk\n";
        let read = |database: &str| {
            let files = [
                ("pjsip.conf", ALICE),
                ("extensions.conf", PLAN),
                ("database.conf", database),
            ];
            config::load(&files.as_slice())
        };
        for (part, takes) in [
            (Part::All, true),
            (Part::Database, true),
            (Part::Pjsip, false),
        ] {
            let Ok(Prepared { new, said, .. }) = prepare(&old(), read(database), &[], part) else {
                panic!("refused");
            };
            let expected = match takes {
                true => {
                    "~ database: place sqlite in the data folder → postgres://pbx@db/asterisk\n"
                }
                false => super::SAME,
            };
            assert_eq!(said, expected);
            assert_eq!(new.database != old().database, takes);
        }
        let broken = || read("[general]\nurl=oracle://db\n");
        assert!(prepare(&old(), broken(), &[], Part::Pjsip).is_ok());
        assert!(prepare(&old(), broken(), &[], Part::Database).is_err());
    }

    /// The state and the database of the files are in force at the same moment, or neither.
    #[tokio::test]
    async fn a_database_comes_with_the_files_and_not_without_the_other_pieces() {
        let folder = std::env::temp_dir().join(format!("sidetone-swap-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let store = store::Store::open(Arc::new(old()), Some(&folder.join("one.db")))
            .await
            .unwrap();
        let url = format!(
            "[database]\nurl=sqlite:{}\n",
            folder.join("two.db").display()
        );
        let read = move || {
            let files = [("database.conf", url.as_str())];
            config::load(&files.as_slice())
        };
        let database = {
            let store = store.clone();
            move || {
                let store = store.clone();
                Piece {
                    part: Part::Database,
                    prepare: Box::new(move |_, new| {
                        let prepared =
                            tokio::runtime::Handle::current().block_on(store.prepare(new));
                        Ok(Ready {
                            database: prepared.unwrap(),
                            ..Ready::default()
                        })
                    }),
                }
            }
        };
        let place = || store.config().database.place.to_string();
        let url = || store.backend().unwrap().status().url;
        let commits = Arc::default();
        let broken = piece(Part::Http, &commits, Some("not ready"));
        let reloader = Reloader::new(Arc::new(read.clone()), vec![database(), broken]);
        assert!(reloader.reload(&store, Part::All).await.is_err());
        assert!(url().ends_with("one.db") && place().contains("data folder"));
        let reloader = Reloader::new(Arc::new(read), vec![database()]);
        reloader.reload(&store, Part::All).await.unwrap();
        assert!(url().ends_with("two.db") && place().ends_with("two.db"));
        let said = reloader.reload(&store, Part::All).await.unwrap();
        assert_eq!(said, super::SAME);
        store.close().await;
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn an_error_in_a_file_keeps_everything_as_it_was() {
        let broken = "[alice]\ntype=endpoint\nwebrtc=perhaps\n";
        let text = prepare(&old(), files(broken, "", ""), &[], Part::All)
            .err()
            .unwrap();
        assert!(text.contains("error: pjsip.conf:3:"), "{text}");
        assert!(text.ends_with("Nothing changes.\n"), "{text}");
    }

    #[test]
    fn a_piece_that_is_not_ready_stops_the_others() {
        let commits = Arc::default();
        let pieces = [
            piece(Part::Pjsip, &commits, None),
            piece(Part::Http, &commits, Some("http.conf: port 8088 is taken")),
        ];
        let text = prepare(&old(), files(ALICE, PLAN, HTTP), &pieces, Part::All)
            .err()
            .unwrap();
        assert_eq!(
            text,
            "error: http.conf: port 8088 is taken\nNothing changes.\n"
        );
        assert_eq!(commits.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_part_leaves_the_others_alone_and_their_errors_do_not_matter() {
        let commits = Arc::default();
        let pieces = [piece(Part::Http, &commits, Some("not asked"))];
        let broken = "[alice]\ntype=endpoint\nwebrtc=perhaps\n";
        let done = prepare(&old(), files(broken, "", ""), &pieces, Part::Dialplan);
        let Ok(Prepared { new, .. }) = done else {
            panic!("refused");
        };
        assert!(new.plan.find("c", "1", None).is_none());
        assert!(new.endpoints.contains_key("alice"));
    }
}
