//! Transports that come and go while the exchange runs, and those that cannot be opened.

use config::{Config, Object, TransportConfig};
use sip::HeaderName;
use tokio::net::UdpSocket;

use super::{bound, connect};
use crate::support::{DeskPhone, Exchange, register, request, signed, transport, until};

#[tokio::test]
async fn what_we_call_ourselves_is_taken_at_a_reload() {
    let tcp = transport("tcp", "127.0.0.1", &[]);
    let exchange = Exchange::on(vec![tcp.clone()]).await;
    let mut phone = connect(bound(&exchange, 0)).await;
    for (written, shown) in [
        (Some("Switchboard 7"), "Switchboard 7"),
        (None, "Sidetone/"),
    ] {
        let mut config = config_with(vec![tcp.clone()]);
        config.global.user_agent = written.map(str::to_owned);
        exchange.signal.prepare(&config).unwrap().commit();
        let text = request("OPTIONS", "sip:127.0.0.1", "alice", "");
        let answer = phone.ask(&text).await;
        let server = answer.headers.get(&HeaderName::Server).unwrap();
        assert!(server.starts_with(shown), "{server}");
    }
}

#[tokio::test]
async fn reload_opens_closes_and_keeps_without_touching_who_is_there() {
    let (tcp, mut udp) = (
        transport("tcp", "127.0.0.1", &[]),
        transport("udp", "127.0.0.1", &[]),
    );
    let exchange = Exchange::on(vec![tcp.clone(), udp.clone()]).await;
    let mut phone = connect(bound(&exchange, 0)).await;
    assert_eq!(phone.register("alice", "wonderland").await, 200);
    let desk = DeskPhone::connect(exchange.udp).await;
    let text = register("bob", "<sip:b@127.0.0.1>");
    let challenged = desk.ask(&text).await;
    let first = desk
        .ask(&signed(&text, &challenged, "bobby", "builder"))
        .await;
    assert_eq!(first.status.code(), 200);

    // Dropped, it changes nothing.
    let before = exchange.signal.transports();
    drop(exchange.signal.prepare(&config_with(Vec::new())).unwrap());
    assert_eq!(exchange.signal.transports(), before);

    // Another name for the same address is the same socket.
    udp.id = "renamed".to_owned();
    udp.tos = 0x60;
    let both = config_with(vec![tcp.clone(), udp.clone()]);
    exchange.signal.prepare(&both).unwrap().commit();
    let after = exchange.signal.transports();
    assert_eq!(after[1].bound, before[1].bound);
    assert_eq!(after[1].config.id, "renamed");

    // What is removed takes nobody new; who is there stays.
    let other = transport("tcp", "127.0.0.2", &[]);
    let prepared = exchange.signal.prepare(&config_with(vec![other.clone()]));
    prepared.unwrap().commit();
    let gone = before[0].bound.unwrap();
    until("nobody listens", || {
        std::net::TcpStream::connect(gone).is_err()
    })
    .await;
    let options = || request("OPTIONS", "sip:127.0.0.1", "alice", "");
    assert_eq!(phone.ask(&options()).await.status.code(), 401);
    assert_eq!(desk.ask(&options()).await.status.code(), 401);
    assert_eq!(exchange.signal.counts().bindings, 2);
    let mut new = connect(bound(&exchange, 0)).await;
    assert_eq!(new.register("alice", "wonderland").await, 200);

    // A fault leaves the old state, whole.
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut busy = tcp.clone();
    busy.bind = holder.local_addr().unwrap();
    busy.written.file = "pjsip.conf".to_owned();
    busy.written.line = 7;
    let before = exchange.signal.transports();
    let faults = exchange.signal.prepare(&config_with(vec![busy.clone()]));
    let expected = format!(
        "pjsip.conf:7: transport `tcp` cannot listen on tcp {}: another program listens there; \
         stop it, or change the port in `bind`",
        busy.bind
    );
    assert_eq!(faults.unwrap_err(), [expected]);
    assert_eq!(exchange.signal.transports(), before);

    // The registered phone's socket is taken up again with its transport.
    exchange
        .signal
        .prepare(&config_with(vec![other, udp]))
        .unwrap()
        .commit();
    assert_eq!(exchange.signal.udp(), [exchange.udp]);
    let newcomer = DeskPhone::connect(exchange.udp).await;
    assert_eq!(newcomer.ask(&options()).await.status.code(), 401);
}

#[tokio::test]
async fn a_port_that_is_busy_is_named_and_the_others_start() {
    let holder = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut busy = transport("udp", "127.0.0.1", &[]);
    busy.bind = holder.local_addr().unwrap();
    let (mut absent, _) = TransportConfig::from_columns("away", &[("bind", "192.0.2.1")]).unwrap();
    absent.bind.set_port(0);
    let tcp = transport("tcp", "127.0.0.1", &[]);
    let exchange = Exchange::on(vec![busy.clone(), absent, tcp]).await;
    let faults = exchange.signal.faults();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(
        faults[0].contains("another program listens there"),
        "{faults:?}"
    );
    assert!(
        faults[1].contains("this machine has no such address"),
        "{faults:?}"
    );
    let mut phone = connect(bound(&exchange, 2)).await;
    assert_eq!(phone.register("alice", "wonderland").await, 200);
    // As before and no worse, a reload of something else must not fail for it.
    let same = exchange.signal.transports();
    let same = same.iter().map(|state| (*state.config).clone()).collect();
    assert!(exchange.signal.prepare(&config_with(same)).is_ok());
    drop(holder);
    exchange
        .signal
        .prepare(&config_with(vec![busy]))
        .unwrap()
        .commit();
    assert_eq!(exchange.signal.faults(), Vec::<String>::new());
}

/// The same configuration with other transports.
fn config_with(transports: Vec<TransportConfig>) -> Config {
    Config {
        transports,
        ..Config::default()
    }
}
