//! What is changed under a running server, and what goes on through it.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use web::{Listen, Options, Redirect, Restriction, Server, Site};

use crate::support::{connect, get, header, localhost, plain, start, start_with, status};

fn on(address: &str) -> Listen {
    Listen {
        address: address.parse().unwrap(),
        ..plain()
    }
}

fn commit(server: &Server, options: Options) {
    server.prepare(options).unwrap().commit();
}

#[tokio::test]
async fn options_are_swapped_under_open_connections() {
    let (server, address) = start();
    let mut client = connect(address).await;
    let redirects = vec![Redirect {
        from: "/cmp2k".to_owned(),
        to: "/static/cmp/index.html".to_owned(),
    }];
    let options = || Options {
        listeners: vec![on("127.0.0.1:0")],
        site: Site {
            redirects: redirects.clone(),
            server_name: Some("Exchange".to_owned()),
            ..Site::default()
        },
        ..Options::default()
    };
    assert_eq!(status(&get(address, "/cmp2k", "").await), 404);
    drop(server.prepare(options()).unwrap());
    assert_eq!(
        status(&get(address, "/cmp2k", "").await),
        404,
        "prepared is not committed"
    );
    commit(&server, options());
    assert_eq!(server.listening()[0].address, address, "the same socket");
    let answer = get(address, "/CMP2K", "").await;
    assert_eq!(status(&answer), 302);
    assert_eq!(header(&answer, "location"), Some("/static/cmp/index.html"));
    assert_eq!(header(&answer, "server"), Some("Exchange"));
    client.send(Message::text("still here")).await.unwrap();
    assert_eq!(
        client.next().await.unwrap().unwrap(),
        Message::text("still here")
    );
}

#[tokio::test]
async fn listeners_come_and_go_and_their_connections_stay() {
    let (server, first) = start();
    let mut client = connect(first).await;
    // The demo's addresses: everywhere, then on loopback alone, on one port.
    let everywhere = on(&format!("0.0.0.0:{}", first.port()));
    commit(
        &server,
        Options {
            listeners: vec![everywhere],
            ..Options::default()
        },
    );
    assert_eq!(server.listening(), [everywhere]);
    assert_eq!(status(&get(first, "/healthz", "").await), 200);
    commit(
        &server,
        Options {
            listeners: vec![on(&first.to_string()), on("127.0.0.1:0")],
            ..Options::default()
        },
    );
    let second = server.listening()[1].address;
    assert_eq!(status(&get(first, "/healthz", "").await), 200);
    assert_eq!(status(&get(second, "/healthz", "").await), 200);
    commit(
        &server,
        Options {
            listeners: vec![on(&first.to_string())],
            ..Options::default()
        },
    );
    while TcpStream::connect(second).await.is_ok() {
        tokio::task::yield_now().await;
    }
    client
        .send(Message::text("through all of it"))
        .await
        .unwrap();
    let echoed = client.next().await.unwrap().unwrap();
    assert_eq!(echoed, Message::text("through all of it"));
    let stranger = std::net::TcpListener::bind(first);
    assert!(stranger.is_err(), "the port is ours alone again");
}

#[tokio::test]
async fn every_fault_is_named_and_nothing_changes() {
    let (server, address) = start();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap();
    let options = Options {
        listeners: vec![
            on(&taken.to_string()),
            Listen {
                secure: true,
                ..plain()
            },
        ],
        ..Options::default()
    };
    let errors = server.prepare(options).unwrap_err();
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].contains("there is no certificate"), "{errors:?}");
    assert!(
        errors[1].starts_with(&format!("cannot listen on {taken}: ")),
        "{errors:?}"
    );
    assert_eq!(server.listening()[0].address, address);
    assert_eq!(status(&get(address, "/healthz", "").await), 200);
}

/// The port of HTTP becomes that of HTTPS without being closed.
#[tokio::test]
async fn a_plain_listener_can_become_a_secure_one() {
    let (server, address) = start();
    let (certificate, _) = localhost();
    commit(
        &server,
        Options {
            listeners: vec![Listen {
                secure: true,
                ..on("127.0.0.1:0")
            }],
            certificate: Some(certificate),
            ..Options::default()
        },
    );
    assert!(server.listening()[0].secure);
    let answer = get(address, "/", "").await;
    assert!(answer.contains("This port speaks TLS"), "{answer}");
}

/// Addresses of IPv4 are seen as such, also where they come in by the listener of both.
#[tokio::test]
async fn the_unspecified_address_of_ipv6_takes_ipv4_too() {
    let (_server, address) = start_with(Options {
        listeners: vec![on("[::]:0")],
        site: Site {
            restrictions: vec![Restriction {
                path: "/".to_owned(),
                allows: Arc::new(|remote| remote.is_loopback()),
            }],
            ..Site::default()
        },
        ..Options::default()
    });
    let port = address.port();
    for local in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        let answer = get(local.parse().unwrap(), "/healthz", "").await;
        assert_eq!(status(&answer), 200, "{local}: {answer}");
    }
}
