//! Another database while a phone is registered and a call is up: SQLite, MariaDB, PostgreSQL, and back.

use std::io::Write as _;
use std::net::UdpSocket;
use std::path::Path;

use config::Database;
use store::Backend;

use crate::phone::Phone;
use crate::world::{PATIENCE, World};

/// The phone is in each database, and beside it somebody who is in no other.
fn rows(number: usize) -> String {
    let endpoint = |id: &str| {
        format!(
            "INSERT INTO ps_aors (id, max_contacts) VALUES ('{id}', 1);\
             INSERT INTO ps_endpoints (id, aors, context, allow) VALUES ('{id}', '{id}', 'c', 'ulaw');"
        )
    };
    endpoint("desk") + &endpoint(&format!("only{number}"))
}

/// The places there are, as URLs: a file always, the servers where the tests are given any.
async fn places(folder: &Path) -> Vec<String> {
    let mut urls = vec![format!("sqlite:{}", folder.join("other.db").display())];
    for (variable, there) in [
        ("SIDETONE_TEST_MYSQL", "mysql"),
        ("SIDETONE_TEST_POSTGRES", "postgres"),
    ] {
        let Ok(url) = std::env::var(variable) else {
            // Past the test's capture: what is skipped must not look like what passed.
            let sentence = format!("SKIPPED: {variable} is not set; `cargo xtask test` sets it\n");
            let _ = std::io::stderr().write_all(sentence.as_bytes());
            continue;
        };
        let (server, _) = url.rsplit_once('/').unwrap();
        let name = format!("running_{}", std::process::id());
        let backend = open(&format!("{server}/{there}")).await;
        let sql = format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}");
        for statement in sql.split("; ") {
            backend.execute(statement, &[]).await.unwrap();
        }
        backend.close().await;
        urls.push(format!("{server}/{name}"));
    }
    urls
}

async fn open(url: &str) -> Backend {
    let database = Database::default().at_url(url).unwrap();
    let opened = Backend::open(&database, Path::new("/nowhere")).await;
    opened.unwrap()
}

async fn count(backend: &Backend, table: &str) -> usize {
    let sql = format!("SELECT 1 AS one FROM {}", backend.table(table));
    backend.fetch(&sql, &[]).await.unwrap().len()
}

/// A telephone that registers over UDP, always the same contact.
struct Desk {
    socket: UdpSocket,
    cseq: u32,
}

impl Desk {
    fn new(world: &World) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", world.udp)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, cseq: 0 }
    }

    fn contact(&self) -> String {
        format!("sip:desk@{}", self.socket.local_addr().unwrap())
    }

    /// The status line that comes of it.
    fn register(&mut self, user: &str) -> String {
        self.cseq += 1;
        let (cseq, contact) = (self.cseq, self.contact());
        let request = format!(
            "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP x;rport;branch=z9hG4bK{user}{cseq}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@127.0.0.1>;tag=d\r\nTo: <sip:{user}@127.0.0.1>\r\n\
             Call-ID: desk-{user}\r\nCSeq: {cseq} REGISTER\r\nContact: <{contact}>;expires=600\r\n\
             Content-Length: 0\r\n\r\n"
        );
        self.socket.send(request.as_bytes()).unwrap();
        let mut buffer = [0; 4_096];
        let length = self.socket.recv(&mut buffer).unwrap();
        let answer = String::from_utf8_lossy(&buffer[..length]);
        answer.lines().next().unwrap_or_default().to_owned()
    }
}

/// Whether the database in force has this endpoint.
fn knows(world: &World, number: usize) -> bool {
    let id = format!("only{number}");
    world
        .ask(&format!("pjsip show endpoint {id}"))
        .text
        .contains(&format!("{id}/"))
        || world
            .ask(&format!("realtime load ps_endpoints id {id}"))
            .done
}

#[tokio::test]
async fn a_phone_and_a_call_go_on_while_the_database_is_another() {
    let world = World::start("databases", &[]);
    let mut url = format!("sqlite:{}", world.data().join("sidetone.db").display());
    open(&url).await.run_script(&rows(0)).await.unwrap();
    let mut desk = Desk::new(&world);
    assert_eq!(desk.register("desk"), "SIP/2.0 200 OK");
    let mut caller = Phone::connect(world.http).await;
    let call = caller.dial("100").await.unwrap();
    let places = places(&world.data()).await;
    for (number, place) in (1..).zip(&places) {
        let before = open(&url).await;
        let records = count(&before, "cdr").await;
        url.clone_from(place);
        let backend = open(&url).await;
        backend.prepare().await.unwrap();
        backend.run_script(&rows(number)).await.unwrap();
        assert!(!knows(&world, number) && knows(&world, number - 1));

        world.write("database.conf", &format!("[database]\nurl={url}\n"));
        let said = world.done("core reload");

        assert!(said.starts_with("~ database: place "), "{said}");
        assert!(!said.contains("conformance"), "the password is shown");
        assert!(knows(&world, number) && !knows(&world, number - 1));
        let shown = world.done("pjsip show contacts");
        assert!(shown.contains(&desk.contact()), "{shown}");
        assert_eq!(desk.register("desk"), "SIP/2.0 200 OK");
        let copied = async || count(&backend, "ps_contacts").await == 1;
        patiently("the contact is in its table", copied).await;
        // A call that ends now is recorded in the new one.
        let mut other = Phone::connect(world.http).await;
        let short = other.dial("100").await.unwrap();
        other.hang_up(&short).await.unwrap();
        let recorded = async || count(&backend, "cdr").await == 1;
        patiently("the call is in its table", recorded).await;
        assert_eq!(count(&before, "cdr").await, records);
        world.until("the old one is closed", |world| {
            let closed = world
                .log()
                .matches("which was in use before, is closed")
                .count();
            closed == number
        });
    }
    refused_without_a_trace(&world, places.len());
    // The first call was not touched by any of it.
    caller.hang_up(&call).await.unwrap();
    let last = open(&url).await;
    let recorded = async || count(&last, "cdr").await == 2;
    patiently("the first call is in the last one", recorded).await;
    // An empty file chooses the one in the data folder again.
    world.write("database.conf", "");
    world.done("module reload res_odbc");
    assert!(knows(&world, 0));
    assert_eq!(desk.register("desk"), "SIP/2.0 200 OK");
}

/// What cannot be used is told with its line, and the old one stays.
fn refused_without_a_trace(world: &World, number: usize) {
    let status = world.done("sql show status");
    let place = |status: &str| status.lines().next().unwrap_or_default().to_owned();
    for (url, said) in [
        ("mysql://u:secret@127.0.0.1:1/asterisk", "refused"),
        ("sqlite:/nowhere/at/all.db", "/nowhere/at/all.db"),
    ] {
        world.write("database.conf", &format!("[database]\nurl={url}\n"));
        let answer = world.ask("core reload");
        assert!(!answer.done, "{}", answer.text);
        let text = &answer.text;
        assert!(text.contains("error: database.conf:2:5: "), "{text}");
        assert!(text.contains(said) && !text.contains("secret"), "{text}");
        assert!(text.contains("Nothing changes.\n"), "{text}");
        assert_eq!(place(&world.done("sql show status")), place(&status));
        assert!(knows(world, number));
    }
}

async fn patiently(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let done = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(done.is_ok(), "never: {what}");
}
