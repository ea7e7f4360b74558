//! A phone whose certificate is of RSA, as those of OpenSSL's and Mbed TLS's phones are, and strangers who shake
//! hands beside it.

use crate::world::{Leg, OURS, THEIRS, policy, voice};
use rtc::policy::{Encryption, Hash, Role, Terms};
use rtc::{Event, Packet, StreamId};
use rtc_dtls::cipher_suite::CipherSuiteId;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::{HashAlgorithm, SignatureScheme, default_provider};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtp::srtp::{MasterKey, Opener, Sealer, Suite};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The other end, by the library alone.
struct Phone {
    engine: Endpoint,
    is_active: bool,
    is_done: bool,
}

impl Phone {
    fn new(leg: &Leg, is_active: bool, suites: &[CipherSuiteId]) -> Self {
        let provider = default_provider().unwrap();
        let key = include_bytes!("phone/key.der");
        let scheme = SignatureScheme::RsaPkcs1Sha256;
        let key = provider.crypto().import_signing_key(scheme, key).unwrap();
        let chain = vec![CERTIFICATE.to_vec().into()];
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider)
            .with_certificates(vec![Certificate::from_signing_key(chain, key)])
            .with_cipher_suites(suites.to_vec())
            .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80])
            .with_insecure_skip_verify(true)
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_server_name("phone".to_owned());
        let config = Arc::new(config.build(is_active, None).unwrap());
        let passive = (!is_active).then(|| Arc::clone(&config));
        let mut engine = Endpoint::new(at(THEIRS), Default::default(), passive);
        if is_active {
            engine.connect(leg.now, at(OURS), config, None).unwrap();
        }
        Self {
            engine,
            is_active,
            is_done: false,
        }
    }

    /// Everything goes over and back until there is no more.
    fn shake(&mut self, leg: &mut Leg, from: &str) {
        let peer: SocketAddr = from.parse().unwrap();
        let mut is_busy = true;
        while std::mem::take(&mut is_busy) {
            while let Some(sent) = self.engine.poll_transmit() {
                leg.receive(from, &sent.message);
                is_busy = true;
            }
            for sent in leg.transmits() {
                if sent.remote == peer && sent.bytes[0] < 64 {
                    let bytes = sent.bytes.as_slice().into();
                    let read = self.engine.read(leg.now, at(OURS), None, bytes);
                    let is_end =
                        |event: &EndpointEvent| matches!(event, EndpointEvent::HandshakeComplete);
                    self.is_done |= read.is_ok_and(|events| events.iter().any(is_end));
                    is_busy = true;
                }
            }
        }
    }

    /// What is on its way to it arrives.
    fn take(&mut self, leg: &mut Leg) {
        for sent in leg.transmits() {
            let bytes = sent.bytes.as_slice().into();
            self.engine.read(leg.now, at(OURS), None, bytes).unwrap();
        }
    }

    fn sent(&mut self) -> Vec<Vec<u8>> {
        let sent = std::iter::from_fn(|| self.engine.poll_transmit());
        sent.map(|sent| sent.message.to_vec()).collect()
    }

    /// It says once more what it said last, before we do.
    fn repeat(&mut self, leg: &mut Leg, to: &str) {
        leg.now += Duration::from_secs(1);
        self.engine.handle_timeout(at(OURS), leg.now).unwrap();
        let sent = self.sent();
        assert!(!sent.is_empty(), "it repeats");
        for bytes in sent {
            leg.receive(to, &bytes);
        }
        leg.transmits();
    }

    /// Keys of its own packets, and of ours.
    fn keys(&self) -> (MasterKey, MasterKey) {
        let state = self.engine.get_connection_state(at(OURS)).unwrap();
        let made = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], 60);
        let made = made.unwrap().into_bytes();
        let end = |index: usize| {
            let key = &made[index * 16..][..16];
            let salt = &made[32 + index * 14..][..14];
            MasterKey::new(Suite::AesCm128Sha1_80, &[key, salt].concat()).unwrap()
        };
        match self.is_active {
            true => (end(0), end(1)),
            false => (end(1), end(0)),
        }
    }
}

fn at(ip: &str) -> SocketAddr {
    format!("{ip}:4000").parse().unwrap()
}

fn leg(role: Role) -> Leg {
    let terms = Terms {
        encryption: Encryption::Dtls {
            role,
            hash: Hash::Sha256,
            short_tag: false,
            optimistic: false,
        },
        rtcp_mux: true,
        ..Terms::default()
    };
    let mut leg = Leg::new(policy(&["ulaw"], &[], terms));
    leg.offer(voice());
    leg
}

fn apply(leg: &mut Leg, setup: &str) {
    let provider = default_provider().unwrap();
    let print = provider.crypto().hash(HashAlgorithm::Sha256, CERTIFICATE);
    let print: Vec<_> = print
        .unwrap()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let rest = format!(
        "a=fingerprint:sha-256 {}\na=setup:{setup}\na=rtcp-mux\n",
        print.join(":")
    );
    leg.apply(&crate::world::audio("UDP/TLS/RTP/SAVP", "0", &rest))
        .unwrap();
}

fn is_connected(leg: &mut Leg) -> bool {
    let events = leg.events();
    let is_keyed = |event: &Event| {
        matches!(
            event,
            Event::Connected {
                dtls: "DTLS 1.2",
                srtp: "SRTP_AES128_CM_HMAC_SHA1_80"
            }
        )
    };
    events.iter().any(is_keyed)
}

/// A packet each way under the keys that both have.
fn assert_talk(leg: &mut Leg, phone: &Phone, from: &str) {
    let (theirs, ours) = phone.keys();
    let mut plain = vec![0x80, 0, 0, 1, 0, 0, 0, 160, 0, 0, 0, 9];
    plain.extend([0x55; 160]);
    let sealed = Sealer::new(&theirs).seal_rtp(&plain).unwrap();
    leg.receive(from, &sealed);
    let heard = leg.events().into_iter().find_map(|event| match event {
        Event::Packet(packet) => Some(packet.payload),
        _ => None,
    });
    assert_eq!(heard.as_deref(), Some(&[0x55; 160][..]));
    let packet = Packet {
        stream: StreamId(0),
        kind: codec::Kind::Audio,
        format: leg.peer.format(StreamId(0)).unwrap(),
        ssrc: 1,
        sequence: 1,
        timestamp: 160,
        marker: true,
        extensions: Default::default(),
        payload: Arc::from([0xAA; 160]),
    };
    assert!(leg.peer.write(leg.now, StreamId(0), 0, &packet));
    let sent = leg.transmits().pop().unwrap();
    let opened = Opener::new(ours).open_rtp(&sent.bytes).unwrap();
    assert!(opened.ends_with(&[0xAA; 160]));
}

#[test]
fn a_phone_with_a_certificate_of_rsa_is_talked_to_whoever_begins() {
    let mut passive = leg(Role::Passive);
    let mut phone = Phone::new(&passive, true, &[]);
    apply(&mut passive, "active");
    phone.shake(&mut passive, "10.0.0.2:4000");
    assert!(phone.is_done && is_connected(&mut passive), "it begins");
    assert_talk(&mut passive, &phone, "10.0.0.2:4000");
    for suite in [
        CipherSuiteId::Tls_Ecdhe_Rsa_With_Aes_128_Gcm_Sha256,
        CipherSuiteId::Tls_Ecdhe_Rsa_With_Aes_256_Cbc_Sha,
        CipherSuiteId::Tls_Ecdhe_Rsa_With_ChaCha20_Poly1305_Sha256,
    ] {
        let mut active = leg(Role::Active);
        let mut phone = Phone::new(&active, false, &[suite]);
        // baresip 1.0 answers so, and waits for us all the same.
        apply(&mut active, "active");
        phone.shake(&mut active, "10.0.0.2:4000");
        assert!(
            phone.is_done && is_connected(&mut active),
            "we begin: {suite:?}"
        );
        assert_talk(&mut active, &phone, "10.0.0.2:4000");
    }
}

#[test]
fn strangers_who_shake_hands_at_once_leave_room_for_the_phone_wherever_it_comes_from() {
    let mut leg = leg(Role::Passive);
    let mut phone = Phone::new(&leg, true, &[]);
    let hello = Phone::new(&leg, true, &[])
        .engine
        .poll_transmit()
        .unwrap()
        .message;
    apply(&mut leg, "active");
    for port in 1..50 {
        leg.receive(&format!("10.0.9.9:{port}"), &hello);
    }
    leg.transmits();
    // Behind a NAT, so that the description does not say where it is.
    phone.shake(&mut leg, "192.0.2.7:31000");
    assert!(phone.is_done && is_connected(&mut leg));
    assert_talk(&mut leg, &phone, "192.0.2.7:31000");
}

#[test]
fn strangers_who_come_after_the_phone_do_not_take_its_place() {
    let from = "10.0.0.2:4000";
    let mut leg = leg(Role::Passive);
    let mut phone = Phone::new(&leg, true, &[]);
    apply(&mut leg, "active");
    let hellos = phone.sent();
    for bytes in &hellos {
        leg.receive(from, bytes);
    }
    for port in 1..50 {
        leg.receive(&format!("10.0.9.9:{port}"), &hellos[0]);
    }
    phone.shake(&mut leg, from);
    assert!(phone.is_done && is_connected(&mut leg));
    assert_talk(&mut leg, &phone, from);
}

/// A phone that is a server, and what is sent to it wherever it was called at.
fn serve(leg: &mut Leg, phone: &mut Phone, from: &str) {
    let mut is_busy = true;
    while std::mem::take(&mut is_busy) {
        for sent in leg
            .transmits()
            .into_iter()
            .filter(|sent| sent.bytes[0] < 64)
        {
            let bytes = sent.bytes.as_slice().into();
            let read = phone.engine.read(leg.now, at(OURS), None, bytes);
            let is_end = |event: &EndpointEvent| matches!(event, EndpointEvent::HandshakeComplete);
            phone.is_done |= read.is_ok_and(|events| events.iter().any(is_end));
            is_busy = true;
        }
        while let Some(sent) = phone.engine.poll_transmit() {
            leg.receive(from, &sent.message);
            is_busy = true;
        }
    }
}

fn pass(leg: &mut Leg, time: Duration) {
    let end = leg.now + time;
    while leg.now < end {
        leg.now += Duration::from_millis(50);
        leg.peer.handle_timeout(leg.now);
    }
}

#[test]
fn who_is_called_upon_may_answer_from_elsewhere() {
    // From another port of its machine, and from behind a NAT.
    for (from, patience) in [("10.0.0.2:4008", 0), ("192.0.2.7:31000", 1)] {
        let mut leg = leg(Role::Active);
        let mut phone = Phone::new(&leg, false, &[]);
        apply(&mut leg, "passive");
        pass(&mut leg, Duration::from_secs(patience));
        serve(&mut leg, &mut phone, from);
        assert!(phone.is_done && is_connected(&mut leg), "{from}");
        assert_talk(&mut leg, &phone, from);
    }
}

#[test]
fn strangers_who_answer_first_are_given_up_for_the_phone() {
    let mut leg = leg(Role::Active);
    apply(&mut leg, "passive");
    pass(&mut leg, Duration::from_secs(1));
    let mut hello = vec![22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 15];
    hello.extend([3, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 3, 0xFE, 0xFD, 0]);
    for port in [1, 2] {
        leg.receive(&format!("10.0.9.9:{port}"), &hello);
        pass(&mut leg, Duration::from_secs(4));
        leg.receive(&format!("10.0.9.9:{port}"), &hello);
    }
    leg.transmits();
    let mut phone = Phone::new(&leg, false, &[]);
    pass(&mut leg, Duration::from_secs(4));
    serve(&mut leg, &mut phone, "10.0.0.2:4000");
    assert!(phone.is_done && is_connected(&mut leg));
}

#[test]
fn hostile_pieces_of_a_handshake_are_passed_over_and_cost_little() {
    let mut leg = leg(Role::Passive);
    let mut phone = Phone::new(&leg, true, &[]);
    apply(&mut leg, "active");
    let record = |kind: u8, epoch: u8, body: &[u8]| {
        let mut bytes = vec![kind, 0xFE, 0xFD, 0, epoch, 0, 0, 0, 0, 0, 0];
        bytes.extend((body.len() as u16).to_be_bytes());
        bytes.extend(body);
        bytes
    };
    let fragment = |sequence: u16, whole: u32, offset: u32, body: &[u8]| {
        let number = |value: u32| value.to_be_bytes()[1..].to_vec();
        let mut bytes = vec![1];
        bytes.extend(number(whole));
        bytes.extend(sequence.to_be_bytes());
        bytes.extend(number(offset));
        bytes.extend(number(body.len() as u32));
        bytes.extend(body);
        record(22, 0, &bytes)
    };
    // From where the phone is, as a forger would send it, between its hellos.
    for bytes in phone.sent() {
        leg.receive("10.0.0.2:4000", &bytes);
    }
    for len in 0..40 {
        leg.receive("10.0.0.2:4000", &record(22, 1, &vec![9; len]));
    }
    for body in [&[][..], &[0], &[2], &[1, 1]] {
        leg.receive("10.0.0.2:4000", &record(20, 0, body));
    }
    leg.receive("10.0.0.2:4000", &record(21, 0, &[2, 40]));
    phone.take(&mut leg);
    for bytes in phone.sent() {
        leg.receive("10.0.0.2:4000", &bytes);
    }
    // And from elsewhere.
    for offset in 0..200_000 {
        let byte = fragment(0, 200_001, offset, &[7]);
        leg.receive("10.0.9.9:1", &byte);
    }
    for offset in 0..20_000_u32 {
        leg.receive("10.0.9.9:2", &fragment(0, 16_000, offset % 16_000, &[7]));
    }
    for _ in 0..20_000 {
        leg.receive("10.0.9.9:3", &record(22, 1, &[9; 200]));
        leg.receive("10.0.9.9:3", &record(23, 0, b"data before the keys"));
        leg.receive("10.0.9.9:3", &record(21, 0, &[2, 40]));
        leg.receive("10.0.9.9:3", &fragment(999, 5, 0, &[1; 5]));
    }
    for len in 0..40 {
        leg.receive("10.0.9.9:4", &vec![22; len]);
    }
    phone.shake(&mut leg, "10.0.0.2:4000");
    assert!(phone.is_done && is_connected(&mut leg));
    assert_talk(&mut leg, &phone, "10.0.0.2:4000");
}

#[test]
fn a_lost_last_flight_is_sent_again_and_what_comes_after_the_keys_undoes_nothing() {
    let mut leg = leg(Role::Passive);
    let mut phone = Phone::new(&leg, true, &[]);
    apply(&mut leg, "active");
    let mut last = Vec::new();
    for _ in 0..3 {
        last.clear();
        while let Some(sent) = phone.engine.poll_transmit() {
            last.push(sent.message.clone());
            leg.receive("10.0.0.2:4000", &sent.message);
        }
        let answers = leg.transmits();
        if is_connected(&mut leg) {
            // Ours is lost on its way.
            break;
        }
        for sent in answers {
            let bytes = sent.bytes.as_slice().into();
            phone.engine.read(leg.now, at(OURS), None, bytes).unwrap();
        }
    }
    leg.now += Duration::from_secs(1);
    phone.engine.handle_timeout(at(OURS), leg.now).unwrap();
    phone.shake(&mut leg, "10.0.0.2:4000");
    assert!(phone.is_done, "it got the last flight");
    for bytes in [
        &[21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40][..],
        &last[0],
    ] {
        leg.receive("10.0.0.2:4000", bytes);
        leg.receive("10.0.9.9:4000", bytes);
    }
    assert_talk(&mut leg, &phone, "10.0.0.2:4000");
}

#[test]
fn one_repetition_and_one_loss_do_not_end_a_handshake() {
    let from = "10.0.0.2:4000";
    let lose = |leg: &mut Leg| assert!(!leg.transmits().is_empty(), "nothing to lose");

    // The path is so long that the first hello is repeated; the one with the cookie is lost.
    let mut cookie = leg(Role::Active);
    let mut phone = Phone::new(&cookie, false, &[]);
    apply(&mut cookie, "passive");
    phone.take(&mut cookie);
    pass(&mut cookie, Duration::from_millis(300));
    phone.take(&mut cookie);
    let answers = phone.sent();
    assert_eq!(answers.len(), 2, "each hello has an answer");
    cookie.receive(from, &answers[0]);
    lose(&mut cookie);
    cookie.receive(from, &answers[1]);
    pass(&mut cookie, Duration::from_secs(2));
    serve(&mut cookie, &mut phone, from);
    assert!(phone.is_done && is_connected(&mut cookie), "a cookie");
    assert_talk(&mut cookie, &phone, from);

    // Our certificate is lost, and the phone repeats its own.
    let mut certificate = leg(Role::Active);
    let mut phone = Phone::new(&certificate, false, &[]);
    apply(&mut certificate, "passive");
    for _ in 0..2 {
        phone.take(&mut certificate);
        for bytes in phone.sent() {
            certificate.receive(from, &bytes);
        }
    }
    lose(&mut certificate);
    phone.repeat(&mut certificate, from);
    pass(&mut certificate, Duration::from_secs(2));
    serve(&mut certificate, &mut phone, from);
    assert!(
        phone.is_done && is_connected(&mut certificate),
        "a certificate"
    );
    assert_talk(&mut certificate, &phone, from);

    // The phone repeats its hello, and what we said to it is lost.
    let mut hello = leg(Role::Passive);
    let mut phone = Phone::new(&hello, true, &[]);
    apply(&mut hello, "active");
    for bytes in phone.sent() {
        hello.receive(from, &bytes);
    }
    phone.take(&mut hello);
    for bytes in phone.sent() {
        hello.receive(from, &bytes);
    }
    lose(&mut hello);
    phone.repeat(&mut hello, from);
    pass(&mut hello, Duration::from_secs(2));
    phone.shake(&mut hello, from);
    assert!(phone.is_done && is_connected(&mut hello), "a hello");
    assert_talk(&mut hello, &phone, from);
}

/// Made with `openssl req -x509 -newkey rsa:2048`, for this test alone.
const CERTIFICATE: &[u8] = include_bytes!("phone/certificate.der");
