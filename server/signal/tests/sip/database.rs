//! Requests while the database is away or gives no answer.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use signal::Keepalive;
use sip::HeaderName;

use crate::support::{Exchange, PJSIP, contact, register};

async fn with_database_at(port: u16) -> Exchange {
    let database =
        format!("[database]\nurl=mysql://u@127.0.0.1:{port}/asterisk\nconnect_timeout=1500\n");
    let files = [("pjsip.conf", PJSIP), ("database.conf", &database)];
    Exchange::with_files(&files, Keepalive::default()).await
}

#[tokio::test]
async fn whom_only_the_database_knows_is_told_to_come_again() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let exchange = with_database_at(port).await;
    let mut phone = exchange.phone().await;
    let own = contact("1", "z");
    let answer = phone.ask(&register("zoe", &own)).await;
    assert_eq!(answer.status.code(), 503);
    assert!(answer.headers.get(&HeaderName::RetryAfter).is_some());
    let ok = phone
        .ask_as("alice", "wonderland", &register("alice", &own))
        .await;
    assert_eq!(ok.status.code(), 200, "the files know her");
}

/// The database takes connections and says nothing. Who asks for it waits; nobody else does, not even
/// on the same connection.
#[tokio::test]
async fn a_silent_database_holds_up_nobody_else() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let exchange = with_database_at(silent.local_addr().unwrap().port()).await;
    let mut waiting = exchange.phone().await;
    for number in 0..20 {
        let own = contact(&number.to_string(), "z");
        waiting.send(&register(&format!("zoe{number}"), &own)).await;
    }
    let start = Instant::now();
    let mut phone = exchange.phone().await;
    for _ in 0..3 {
        let text = register("alice", &contact("1", "a"));
        let ok = phone.ask_as("alice", "wonderland", &text).await;
        assert_eq!(ok.status.code(), 200);
    }
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    for _ in 0..20 {
        let answer = waiting.response().await;
        assert_eq!(answer.status.code(), 503);
        assert!(answer.headers.get(&HeaderName::RetryAfter).is_some());
    }
    assert!(
        start.elapsed() < Duration::from_secs(8),
        "{:?}",
        start.elapsed()
    );
}
