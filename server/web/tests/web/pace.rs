//! session_inactivity, session_keep_alive and sessionlimit. The clock is the runtime's, which runs
//! ahead while everybody waits.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, advance};
use tokio_tungstenite::tungstenite::Message;
use web::{Options, Pace, Server, Site};

use crate::support::{connect, header, is_whole, plain, start_with, status};

const GET: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn start(inactivity_ms: u64, keep_alive_ms: u64) -> (Server, SocketAddr) {
    start_with(Options {
        listeners: vec![plain()],
        site: Site {
            pace: Pace {
                inactivity: Duration::from_millis(inactivity_ms),
                keep_alive: Duration::from_millis(keep_alive_ms),
            },
            ..Site::default()
        },
        ..Options::default()
    })
}

/// Asks and reads one whole answer; the connection stays.
async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(GET).await.unwrap();
    let mut answer = Vec::new();
    while !is_whole(&answer) {
        let read = stream.read_buf(&mut answer).await.unwrap();
        assert!(read > 0, "the connection ends within an answer");
    }
    String::from_utf8(answer).unwrap()
}

/// How long the server leaves the connection open.
async fn left_open(stream: &mut TcpStream) -> Duration {
    let start = Instant::now();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    start.elapsed()
}

fn is_about(found: Duration, wanted_ms: u64) -> bool {
    // The clock of a connection is looked at four times a second; a goodbye takes half of one.
    let found_ms = u64::try_from(found.as_millis()).unwrap();
    (wanted_ms..=wanted_ms + 1_000).contains(&found_ms)
}

#[tokio::test(start_paused = true)]
async fn a_connection_rests_between_requests_as_long_as_it_may() {
    let (_server, address) = start(30_000, 5_000);
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..3 {
        assert_eq!(status(&ask(&mut stream).await), 200);
        advance(Duration::from_millis(4_000)).await;
    }
    assert_eq!(status(&ask(&mut stream).await), 200);
    let rest = left_open(&mut stream).await;
    assert!(is_about(rest, 5_000), "{rest:?}");
}

#[tokio::test(start_paused = true)]
async fn without_keep_alive_each_answer_ends_its_connection() {
    let (_server, address) = start(30_000, 0);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let answer = ask(&mut stream).await;
    assert_eq!(header(&answer, "connection"), Some("close"));
    let rest = left_open(&mut stream).await;
    assert!(rest < Duration::from_secs(1), "{rest:?}");
}

#[tokio::test(start_paused = true)]
async fn half_a_request_ends_with_the_inactivity() {
    let (_server, address) = start(2_000, 1_000);
    for sent in [&b""[..], b"GET / HTTP/1.1\r\nHo"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let rest = left_open(&mut stream).await;
        assert!(is_about(rest, 2_000), "{sent:?}: {rest:?}");
    }
}

/// A phone that says nothing for an hour keeps its WebSocket.
#[tokio::test(start_paused = true)]
async fn websockets_are_not_measured() {
    use futures_util::{SinkExt, StreamExt};
    let (_server, address) = start(2_000, 1_000);
    let mut client = connect(address).await;
    advance(Duration::from_secs(3_600)).await;
    client.send(Message::text("still here")).await.unwrap();
    while let Some(Ok(message)) = client.next().await {
        if message == Message::text("still here") {
            return;
        }
    }
    panic!("the WebSocket has ended");
}

/// Kept connections count, and give their place back when they rest too long.
#[tokio::test(start_paused = true)]
async fn the_limit_counts_connections_that_rest() {
    let (server, address) = start_with(Options {
        listeners: vec![plain()],
        connections_max: 2,
        ..Options::default()
    });
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert_eq!(status(&ask(&mut stream).await), 200);
        kept.push(stream);
    }
    let mut third = TcpStream::connect(address).await.unwrap();
    let rest = left_open(&mut third).await;
    assert!(rest < Duration::from_secs(1), "{rest:?}");
    let counts = server.counts();
    assert_eq!((counts.connections, counts.refused), (2, 1));
    for stream in &mut kept {
        left_open(stream).await;
    }
    let mut fourth = TcpStream::connect(address).await.unwrap();
    assert_eq!(status(&ask(&mut fourth).await), 200);
}
