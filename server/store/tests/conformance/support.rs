//! A database of its own for each test, on each kind of server.

pub(crate) mod relay;

use config::{Config, Database, load};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use store::{Backend, Dialect, Store};

/// Runs each of the named functions, which take a [`Scratch`], on every database.
macro_rules! on_every_database {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::support::Scratch::sqlite()).await;
            })*
        }
        mod mysql {
            $(#[tokio::test]
            async fn $name() {
                if let Some(scratch) = crate::support::Scratch::mysql().await {
                    super::$name(scratch).await;
                }
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                if let Some(scratch) = crate::support::Scratch::postgres().await {
                    super::$name(scratch).await;
                }
            })*
        }
    };
}
pub(crate) use on_every_database;

/// A folder that goes away with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(unique("store-test"));
        std::fs::create_dir_all(&path).expect("the system has room for a folder");
        Self(path)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("it's a database.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An empty database.
pub(crate) struct Scratch {
    pub(crate) folder: Folder,
    pub(crate) dialect: Dialect,
    /// Where it is.
    pub(crate) database: Database,
}

impl Scratch {
    pub(crate) fn sqlite() -> Self {
        let folder = Folder::new();
        Self {
            folder,
            dialect: Dialect::Sqlite,
            database: Database::default(),
        }
    }

    pub(crate) async fn mysql() -> Option<Self> {
        Self::on_server("SIDETONE_TEST_MYSQL", Dialect::MySql).await
    }

    pub(crate) async fn postgres() -> Option<Self> {
        Self::on_server("SIDETONE_TEST_POSTGRES", Dialect::Postgres).await
    }

    /// A new database on the server the variable names.
    async fn on_server(variable: &str, dialect: Dialect) -> Option<Self> {
        let url = server(variable)?;
        let name = unique("test").replace('-', "_");
        let database = Database::default().at_url(&always_there(&url)).unwrap();
        let folder = Folder::new();
        let backend = Backend::open(&database, &folder.file()).await.unwrap();
        let sql = format!("CREATE DATABASE {name}");
        backend.run_script(&sql).await.unwrap();
        backend.close().await;
        let (server, _) = url.rsplit_once('/').unwrap();
        let database = database.at_url(&format!("{server}/{name}")).unwrap();
        Some(Self {
            folder,
            dialect,
            database,
        })
    }

    /// The database `asterisk` on MariaDB, emptied; one test alone may have it.
    pub(crate) async fn mysql_asterisk() -> Self {
        let scratch = Self::mysql().await.expect("the caller has one of MariaDB");
        let backend = scratch.backend().await;
        let sql = "DROP DATABASE IF EXISTS asterisk; CREATE DATABASE asterisk";
        backend.run_script(sql).await.unwrap();
        let url = std::env::var("SIDETONE_TEST_MYSQL").unwrap();
        let (server, _) = url.rsplit_once('/').unwrap();
        let database = Database::default().at_url(&format!("{server}/asterisk"));
        Self {
            database: database.unwrap(),
            ..scratch
        }
    }

    /// The chapter's SQL for this database: its tables are in the database `asterisk` there.
    pub(crate) fn chapter(&self) -> String {
        match self.dialect {
            Dialect::MySql => CHAPTER.replace("asterisk.", ""),
            Dialect::Sqlite | Dialect::Postgres => CHAPTER.to_owned(),
        }
    }

    /// The database, without tables where nobody makes them.
    pub(crate) async fn backend(&self) -> Backend {
        Backend::open(&self.database, &self.folder.file())
            .await
            .unwrap()
    }

    /// A store with all tables and these files.
    pub(crate) async fn store(&self, pjsip: &str) -> Store {
        self.backend().await.prepare().await.unwrap();
        self.store_as_it_is(pjsip).await
    }

    /// A store on what there is.
    pub(crate) async fn store_as_it_is(&self, pjsip: &str) -> Store {
        let mut config = Config::clone(&files(pjsip));
        config.database = self.database.clone();
        Store::open(Arc::new(config), Some(&self.folder.file()))
            .await
            .unwrap()
    }
}

/// The server a variable names, if it is set; said plainly if it is not.
pub(crate) fn server(variable: &str) -> Option<String> {
    let url = std::env::var(variable).ok();
    if url.is_none() {
        // Past the test's capture: what is skipped must not look like what passed.
        let sentence = format!("SKIPPED: {variable} is not set; `cargo xtask test` sets it\n");
        let _ = std::io::stderr().write_all(sentence.as_bytes());
    }
    url
}

/// The URL with a database that no test drops: the one of the chapter comes and goes.
pub(crate) fn always_there(url: &str) -> String {
    let (server, _) = url.rsplit_once('/').unwrap();
    match url.starts_with("mysql") {
        true => format!("{server}/mysql"),
        false => format!("{server}/postgres"),
    }
}

/// What `pjsip.conf` says, with a small dial plan.
pub(crate) fn files(pjsip: &str) -> Arc<Config> {
    let plan = "[sets]\nexten => 246,1,Answer()\n";
    let files = [("pjsip.conf", pjsip), ("extensions.conf", plan)];
    Arc::new(load(&files.as_slice()).0.expect("files can be read"))
}

/// A store on a SQLite file.
pub(crate) async fn open(path: &Path, pjsip: &str) -> Store {
    Store::open(files(pjsip), Some(path))
        .await
        .expect("the file can be opened")
}

/// A name nobody else has.
pub(crate) fn unique(start: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!(
        "{start}-{}-{}-{number}",
        std::process::id(),
        now.subsec_micros()
    )
}

/// The chapter's SQL.
pub(crate) const CHAPTER: &str = include_str!("fixtures/realtime.sql");
