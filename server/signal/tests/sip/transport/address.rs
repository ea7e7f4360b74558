//! Addresses: which one answers, and what peers outside of the network are told (RFC 3581, `external_*`, `local_net`).

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use config::TransportConfig;
use sip::{Contacts, HeaderName, Message};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::{bound, call, connect};
use crate::support::{
    DeskPhone, Exchange, OFFER, PATIENCE, ack, invite, request, signed, transport,
};

#[tokio::test]
async fn udp_answers_from_the_address_that_was_asked() {
    // A wildcard of IPv6 alone takes IPv4 too.
    for wildcard in ["0.0.0.0", "::"] {
        let exchange = Exchange::on(vec![transport("udp", wildcard, &[])]).await;
        let port = exchange.udp.port();
        for ip in ["127.0.0.1", "127.0.0.2", "127.9.9.9"] {
            // A connected socket hears that address alone.
            let phone = DeskPhone::connect((ip.parse::<std::net::IpAddr>().unwrap(), port).into());
            let options = request("OPTIONS", "sip:127.0.0.1", "alice", "");
            assert_eq!(phone.await.ask(&options).await.status.code(), 401);
        }
        assert_eq!(exchange.signal.counts().udp_flows, 3);
    }
    let exchange = Exchange::on(vec![transport("udp", "::", &[])]).await;
    let socket = UdpSocket::bind("[::1]:0").await.unwrap();
    let to = SocketAddr::new("::1".parse().unwrap(), exchange.udp.port());
    socket.connect(to).await.unwrap();
    let options = request("OPTIONS", "sip:127.0.0.1", "alice", "");
    socket.send(options.as_bytes()).await.unwrap();
    let mut buffer = [0; 4_096];
    let length = timeout(PATIENCE, socket.recv(&mut buffer)).await.unwrap();
    let bytes = Bytes::copy_from_slice(&buffer[..length.unwrap()]);
    let Ok(Message::Response(response)) = Message::parse(&bytes) else {
        panic!("no response");
    };
    let via = response.headers.top_via().unwrap();
    assert_eq!(via.received(), Some("::1".parse().unwrap()));
}

#[tokio::test]
async fn peers_outside_are_told_the_outside_address() {
    let outside = ("external_signaling_address", "pbx.example.org");
    let transports = vec![
        transport(
            "tcp",
            "127.0.0.1",
            &[outside, ("external_signaling_port", "5099")],
        ),
        transport("tcp", "127.0.0.2", &[outside, ("local_net", "127.0.0.0/8")]),
    ];
    let exchange = Exchange::on(transports).await;
    let inside = bound(&exchange, 1);
    for (index, host) in [
        (0, "pbx.example.org:5099".to_owned()),
        (1, inside.to_string()),
    ] {
        let mut phone = connect(bound(&exchange, index)).await;
        let ok = call(&mut phone).await;
        let Ok(Contacts::List(contacts)) = ok.headers.contacts() else {
            panic!("no contact");
        };
        assert!(
            contacts[0].address.uri.as_str().contains(&host),
            "{contacts:?}"
        );
    }
}

#[tokio::test]
async fn new_addresses_outside_reach_who_is_there_already() {
    let written = |signaling, media, ports: [u16; 2]| {
        let options = [
            ("external_signaling_address", signaling),
            ("external_media_address", media),
        ];
        let mut all = vec![
            transport("udp", "127.0.0.1", &options),
            transport("tcp", "127.0.0.1", &options),
            transport("ws", "127.0.0.1", &options),
        ];
        for (transport, port) in all.iter_mut().zip(ports) {
            transport.bind.set_port(port);
        }
        all
    };
    let exchange = Exchange::on(written("203.0.113.77", "192.0.2.7", [0, 0])).await;
    let ports = [exchange.udp.port(), bound(&exchange, 1).port()];
    let reload = |transports: Vec<TransportConfig>| {
        let mut config = (*exchange.switch.config()).clone();
        config.transports = transports;
        exchange.signal.prepare(&config).unwrap().commit();
        exchange.switch.store().set_config(Arc::new(config));
    };
    // The sockets stay: a reload must write them as they are.
    let at = |signaling, media| {
        let mut all = written(signaling, media, ports);
        for (transport, state) in all.iter_mut().zip(exchange.signal.transports()) {
            transport.bind = state.config.bind;
        }
        all
    };
    let mut tcp = connect(bound(&exchange, 1)).await;
    let mut browser = exchange.phone().await;
    let desk = DeskPhone::connect(exchange.udp).await;
    reload(at("203.0.113.77", "192.0.2.7"));
    for (signaling, media) in [("203.0.113.77", "192.0.2.7"), ("203.0.113.55", "192.0.2.5")] {
        reload(at(signaling, media));
        exchange.signal.respond().await;
        let candidate = "a=candidate:1 1 udp 2130706175 10.0.0.5 40000 typ host\r\n";
        let offer = OFFER.replacen("a=mid:0\r\n", &format!("a=mid:0\r\n{candidate}"), 1);
        let first = || invite("alice", "100", "u", &offer);
        let mut answers = Vec::new();
        let text = first();
        let challenged = tcp.ask(&text).await;
        tcp.send(&ack(&text, &challenged)).await;
        answers.push(
            tcp.ask(&signed(&text, &challenged, "alice", "wonderland"))
                .await,
        );
        let text = first();
        let challenged = browser.ask(&text).await;
        browser.send(&ack(&text, &challenged)).await;
        answers.push(
            browser
                .ask(&signed(&text, &challenged, "alice", "wonderland"))
                .await,
        );
        let text = first();
        let challenged = desk.ask(&text).await;
        desk.send(ack(&text, &challenged).as_bytes()).await;
        answers.push(
            desk.ask(&signed(&text, &challenged, "alice", "wonderland"))
                .await,
        );
        for ok in answers {
            let contact = ok.headers.get(&HeaderName::Contact).unwrap();
            assert!(contact.contains(signaling), "{contact}");
            let sdp = String::from_utf8(ok.body.to_vec()).unwrap();
            assert!(sdp.contains(&format!(" {media} 40000 typ srflx")), "{sdp}");
        }
    }
}

/// The double of the media plane answers with what was offered, candidates included.
#[tokio::test]
async fn peers_outside_are_offered_media_at_the_outside_address() {
    let outside = ("external_media_address", "192.0.2.9");
    let transports = vec![
        transport("tcp", "127.0.0.1", &[outside]),
        transport("tcp", "127.0.0.2", &[outside, ("local_net", "127.0.0.0/8")]),
    ];
    let exchange = Exchange::on(transports).await;
    let candidate = "a=candidate:1 1 udp 2130706175 10.0.0.5 40000 typ host\r\n";
    let offer = OFFER.replacen("a=mid:0\r\n", &format!("a=mid:0\r\n{candidate}"), 1);
    for (index, expected) in [(0, 1), (1, 0)] {
        let mut phone = connect(bound(&exchange, index)).await;
        let first = invite("alice", "100", "u", &offer);
        let challenged = phone.ask(&first).await;
        phone.send(&ack(&first, &challenged)).await;
        let text = signed(&first, &challenged, "alice", "wonderland");
        let ok = phone.ask(&text).await;
        let sdp = String::from_utf8(ok.body.to_vec()).unwrap();
        let line = " 192.0.2.9 40000 typ srflx raddr 10.0.0.5 rport 40000\r\n";
        assert_eq!(sdp.matches(line).count(), expected, "{sdp}");
        assert_eq!(sdp.matches(candidate).count(), 1, "{sdp}");
    }
}
