//! What a browser, a program and an attacker get.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use web::{Listen, Options, Routes, Server};

use crate::support::{
    ask, close_code, connect, get, header, localhost, plain, secure, start, start_with, status,
    upgrade,
};

#[tokio::test]
async fn page_is_served_with_its_headers() {
    let (_server, address) = start();
    let answer = get(address, "/", "").await;
    assert_eq!(status(&answer), 200, "{answer}");
    assert_eq!(
        header(&answer, "content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(header(&answer, "x-content-type-options"), Some("nosniff"));
    assert_eq!(header(&answer, "cache-control"), Some("no-cache"));
    let policy = header(&answer, "content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("connect-src 'self'"));
    assert!(
        header(&answer, "permissions-policy")
            .unwrap()
            .contains("microphone=(self)")
    );

    let etag = header(&answer, "etag").unwrap();
    let again = get(address, "/", &format!("If-None-Match: {etag}\r\n")).await;
    assert_eq!(status(&again), 304);
    assert!(again.ends_with("\r\n\r\n"), "no body: {again}");

    let request = "HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let head = ask(address, request).await;
    assert_eq!(status(&head), 200);
    let announced = header(&head, "content-length");
    assert_eq!(announced, header(&answer, "content-length"));
    assert!(head.ends_with("\r\n\r\n"), "no body: {head}");
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_allowed() {
    let (_server, address) = start();
    for path in [
        "/nope",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/assets/",
        "/ws/",
    ] {
        assert_eq!(status(&get(address, path, "").await), 404, "{path}");
    }
    for path in ["/", "/ws", "/status", "/healthz"] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let answer = ask(address, &request).await;
        assert_eq!(status(&answer), 405, "{path}");
        assert_eq!(header(&answer, "allow"), Some("GET, HEAD"), "{path}");
    }
    assert_eq!(status(&get(address, "/healthz", "").await), 200);
}

#[tokio::test]
async fn websocket_address_explains_itself_to_people() {
    let (_server, address) = start();
    let answer = get(address, "/ws", "").await;
    assert_eq!(status(&answer), 426);
    assert_eq!(header(&answer, "upgrade"), Some("websocket"));
    assert!(answer.contains("The WebSocket is here"));
    let answer = get(address, "/ws", "Accept-Language: ru,en;q=0.5\r\n").await;
    assert!(answer.contains("WebSocket находится здесь"));
}

#[tokio::test]
async fn upgrade_needs_the_subprotocol_and_a_sound_handshake() {
    let (_server, address) = start();
    let cases = [
        ("Sec-WebSocket-Protocol: sip\r\n", 101),
        ("Sec-WebSocket-Protocol: foo, sip\r\n", 101),
        (
            "Sec-WebSocket-Protocol: foo\r\nSec-WebSocket-Protocol: sip\r\n",
            101,
        ),
        ("", 400),
        ("Sec-WebSocket-Protocol: foo\r\n", 400),
        ("Sec-WebSocket-Protocol: sipx\r\n", 400),
    ];
    for (protocols, expected) in cases {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
            upgrade(protocols)
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).await.unwrap();
        let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert_eq!(status(&answer), expected, "{protocols}: {answer}");
        if expected == 101 {
            assert_eq!(header(&answer, "sec-websocket-protocol"), Some("sip"));
            // The accept value of RFC 6455 §1.3 for its own sample key.
            let accept = Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
            assert_eq!(header(&answer, "sec-websocket-accept"), accept);
        }
    }
    let old = upgrade("Sec-WebSocket-Protocol: sip\r\n").replace("Version: 13", "Version: 8");
    let answer = get(address, "/ws", &old).await;
    assert_eq!(
        (status(&answer), header(&answer, "sec-websocket-version")),
        (426, Some("13"))
    );
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused() {
    let (_server, address) = start();
    let port = address.port();
    let sip = upgrade("Sec-WebSocket-Protocol: sip\r\n");
    let cases = [
        ("/status", format!("localhost:{port}"), String::new(), 200),
        ("/status", "evil.example".to_owned(), String::new(), 421),
        ("/", "evil.example".to_owned(), String::new(), 421),
        (
            "/status",
            format!("localhost:{port}"),
            "X-Forwarded-For: 192.0.2.9\r\n".to_owned(),
            403,
        ),
        (
            "/status",
            format!("127.0.0.1:{port}"),
            format!("Origin: http://127.0.0.1:{port}\r\n"),
            200,
        ),
        (
            "/status",
            format!("localhost:{port}"),
            "Origin: http://evil.example\r\n".to_owned(),
            403,
        ),
        (
            "/client.json",
            format!("localhost:{port}"),
            "Sec-Fetch-Site: cross-site\r\n".to_owned(),
            403,
        ),
        (
            "/client.json",
            format!("localhost:{port}"),
            "Sec-Fetch-Site: same-origin\r\n".to_owned(),
            200,
        ),
        (
            "/ws",
            format!("localhost:{port}"),
            format!("{sip}Origin: null\r\n"),
            403,
        ),
        (
            "/ws",
            format!("localhost:{port}"),
            format!("{sip}Origin: https://evil.example\r\n"),
            403,
        ),
    ];
    for (path, host, headers, expected) in cases {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
        let answer = ask(
            address,
            &request.replace("Connection: close\r\nUpgrade", "Upgrade"),
        )
        .await;
        assert_eq!(
            status(&answer),
            expected,
            "{path} {host} {headers}: {answer}"
        );
    }
    let answer = ask(address, "GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(status(&answer), 421, "no Host at all");
}

#[tokio::test]
async fn messages_go_both_ways_and_oversized_ones_end_the_connection() {
    let (server, address) = start();
    let mut client = connect(address).await;
    let (mut neighbour, text) = (connect(address).await, "x".repeat(web::MESSAGE_BYTES_MAX));
    client.send(Message::text(text.clone())).await.unwrap();
    assert_eq!(
        client.next().await.unwrap().unwrap(),
        Message::text(text.clone())
    );
    client.send(Message::binary(vec![0xff, 0])).await.unwrap();
    assert_eq!(
        client.next().await.unwrap().unwrap(),
        Message::binary(vec![0xff, 0])
    );
    assert_eq!(server.counts().websockets, 2);

    let _ = client.send(Message::text(text + "x")).await;
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Size));
    neighbour.send(Message::text("still here")).await.unwrap();
    assert_eq!(
        neighbour.next().await.unwrap().unwrap(),
        Message::text("still here")
    );
}

#[tokio::test]
async fn broken_frames_end_the_connection_with_1002() {
    let (_server, address) = start();
    // Unmasked text, a reserved bit, a fragmented ping, an unknown opcode, text that is no UTF-8.
    let frames: [&[u8]; 5] = [
        b"\x81\x02hi",
        b"\xc1\x82\0\0\0\0hi",
        b"\x09\x80\0\0\0\0",
        b"\x83\x80\0\0\0\0",
        b"\x81\x82\0\0\0\0\xff\xfe",
    ];
    for frame in frames {
        let mut client = connect(address).await;
        client.get_mut().write_all(frame).await.unwrap();
        assert_eq!(
            close_code(&mut client).await,
            Some(CloseCode::Protocol),
            "{frame:?}"
        );
    }
    // A length of 2^63 - 1 is refused before anything is allocated.
    let mut client = connect(address).await;
    let frame = b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0";
    client.get_mut().write_all(frame).await.unwrap();
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Size));
}

#[tokio::test]
async fn header_bombs_are_refused() {
    let (_server, address) = start();
    let many = "X: y\r\n".repeat(100);
    assert_eq!(status(&get(address, "/", &many).await), 431);
    let long = format!("Cookie: {}\r\n", "a".repeat(64 * 1024));
    assert!(matches!(status(&get(address, "/", &long).await), 0 | 431));
}

/// Half a request head, one byte of a TLS handshake, nothing at all: each ends by itself. The clock
/// is the runtime's, which runs ahead while everybody waits.
#[tokio::test(start_paused = true)]
async fn slow_clients_are_closed() {
    let (certificate, _) = localhost();
    let (server, address) = start_with(Options {
        listeners: vec![plain(), secure()],
        certificate: Some(certificate),
        ..Options::default()
    });
    let tls = server.listening()[1].address;
    let sent: [(SocketAddr, &[u8]); 5] = [
        (address, b""),
        (address, b"GET / HTTP/1.1\r\nHost: loc"),
        (tls, b""),
        (tls, b"\x16\x03\x01"),
        (tls, b"\x80\x00"),
    ];
    let mut clients = Vec::new();
    for (address, bytes) in sent {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        clients.push(stream);
    }
    for mut stream in clients {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_at_once() {
    let (server, address) = start_with(Options {
        listeners: vec![plain()],
        connections_max: 2,
        ..Options::default()
    });
    let first = connect(address).await;
    let _second = connect(address).await;
    assert_eq!(
        ask(address, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await,
        ""
    );
    assert_eq!(
        (server.counts().connections, server.counts().refused),
        (2, 1)
    );
    drop(first);
    // The place is free as soon as the server has seen the end.
    while server.counts().connections == 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(status(&get(address, "/healthz", "").await), 200);
}

#[tokio::test]
async fn shutdown_tells_websockets_that_the_server_goes_away() {
    let (server, address) = start();
    let mut client = connect(address).await;
    client.send(Message::text("hello")).await.unwrap();
    assert_eq!(
        client.next().await.unwrap().unwrap(),
        Message::text("hello")
    );
    server.shutdown(Duration::from_secs(5)).await;
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Away));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn plain_http_on_the_tls_port_gets_a_sentence() {
    let (certificate, _) = localhost();
    assert_eq!(certificate.names(), ["localhost"]);
    let (_server, address) = start_with(Options {
        listeners: vec![secure()],
        certificate: Some(certificate),
        ..Options::default()
    });
    let answer = get(address, "/", "").await;
    assert_eq!(status(&answer), 400);
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    assert!(body.contains("https://"), "{answer}");
    let length = header(&answer, "content-length").unwrap().parse::<usize>();
    assert_eq!(length.unwrap(), body.len());
}

#[tokio::test]
async fn busy_addresses_and_missing_certificates_are_named() {
    let (_server, address) = start();
    let taken = Options {
        listeners: vec![Listen { address, ..plain() }],
        ..Options::default()
    };
    let error = Server::start(taken, Routes::new()).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("cannot listen on {address}")),
        "{error}"
    );
    let bare = Options {
        listeners: vec![Listen {
            secure: true,
            ..plain()
        }],
        ..Options::default()
    };
    let error = Server::start(bare, Routes::new()).unwrap_err().to_string();
    assert!(error.contains("no certificate"), "{error}");
}

/// Programs get a sentence, people a page in their language.
#[tokio::test]
async fn refusals_are_pages_for_browsers() {
    let (_server, address) = start();
    let browser = "Accept: text/html,*/*;q=0.8\r\n";
    let plain = get(address, "/nothing", "Accept: */*\r\n").await;
    assert_eq!(status(&plain), 404);
    assert!(
        plain.ends_with("\r\n\r\nThere is nothing at this address.\n"),
        "{plain}"
    );
    let page = get(address, "/nothing", browser).await;
    assert_eq!(status(&page), 404);
    assert_eq!(
        header(&page, "content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(
        page.contains("<p>There is nothing at this address.</p>"),
        "{page}"
    );
    let russian = format!("{browser}Accept-Language: ru\r\n");
    let page = get(address, "/nothing", &russian).await;
    assert!(
        page.contains("<html lang=\"ru\">") && page.contains("По этому адресу"),
        "{page}"
    );
    let foreign = format!("{browser}Origin: https://<evil>.example\r\n");
    let page = get(address, "/client.json", &foreign).await;
    assert_eq!(status(&page), 403);
    assert!(
        page.contains("Not for you") && page.contains("&lt;evil&gt;"),
        "{page}"
    );
    let request =
        format!("GET / HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n{russian}\r\n");
    let page = ask(address, &request).await;
    assert_eq!(status(&page), 421);
    assert!(page.contains("не называется «other.example»"), "{page}");
}
