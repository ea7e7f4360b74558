//! SRTP against the RFCs. The vectors of RFC 7714 §16, §17 begin with session keys, and our interface with
//! master keys: so a reference is proven by the vectors, and what we send is compared with it, its keys
//! derived as RFC 3711 §4.3 says and §B.3 proves.

use rtc_srtp::crypto::providers::AwsLcRsCrypto;
use rtc_srtp::crypto::{AeadAlgorithm, BlockCipherAlgorithm, RTCCrypto};
use rtp::RtpPacket;
use rtp::srtp::{MasterKey, Opener, Sealer, Suite};

const SALT: &str = "51756964 2070726f 2071756f";
const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 \
                   696e2070 61727465 73207472 6573";
const RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef \
                    deadbeef deadbeef deadbeef deadbeef";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
    digits
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

/// 00 01 02 …
fn counting(len: u8) -> Vec<u8> {
    (0..len).collect()
}

/// The session keys of one direction.
struct Keys {
    cipher: Vec<u8>,
    salt: Vec<u8>,
}

fn aead(keys: &Keys, nonce: &[u8; 12], aad: &[u8], clear: &[u8]) -> Vec<u8> {
    let algorithm = match keys.cipher.len() {
        16 => AeadAlgorithm::Aes128Gcm,
        _ => AeadAlgorithm::Aes256Gcm,
    };
    let nonce: Vec<u8> = nonce.iter().zip(&keys.salt).map(|(a, b)| a ^ b).collect();
    let mut cipher = AwsLcRsCrypto
        .new_aead(algorithm, &keys.cipher)
        .expect("the library has it");
    let (mut bytes, mut tag) = (clear.to_vec(), [0; 16]);
    let sealed = cipher.seal_in_place(&nonce, aad, &mut bytes, &mut tag);
    sealed.expect("any bytes can be sealed");
    [bytes, tag.to_vec()].concat()
}

/// RFC 7714 §8.1, §9: IV and associated data of SRTP.
fn reference_rtp(keys: &Keys, packet: &[u8]) -> Vec<u8> {
    let (head, payload) = packet.split_at(12);
    let mut nonce = [0; 12];
    nonce[2..6].copy_from_slice(&head[8..12]);
    nonce[10..].copy_from_slice(&head[2..4]);
    [head, &aead(keys, &nonce, head, payload)].concat()
}

/// RFC 7714 §9.1: those of SRTCP, with the index behind the packet.
fn reference_rtcp(keys: &Keys, packet: &[u8], index: u32) -> Vec<u8> {
    let (head, rest) = packet.split_at(8);
    let word = (index | 1 << 31).to_be_bytes();
    let mut nonce = [0; 12];
    nonce[2..6].copy_from_slice(&head[4..8]);
    nonce[8..].copy_from_slice(&index.to_be_bytes());
    let sealed = aead(keys, &nonce, &[head, &word].concat(), rest);
    [head, &sealed, &word].concat()
}

/// RFC 3711 §4.3: AES in counter mode over the label and the master salt.
fn derive(master: &[u8], salt: &[u8], label: u8, len: usize) -> Vec<u8> {
    let mut start = [0; 16];
    start[..salt.len()].copy_from_slice(salt);
    start[7] ^= label;
    let algorithm = match master.len() {
        16 => BlockCipherAlgorithm::Aes128,
        _ => BlockCipherAlgorithm::Aes256,
    };
    let mut stream = Vec::new();
    for counter in 0_u16.. {
        if stream.len() >= len {
            break;
        }
        let mut block = start;
        block[14..].copy_from_slice(&counter.to_be_bytes());
        let encrypted = AwsLcRsCrypto.block_encrypt(algorithm, master, &mut block);
        encrypted.expect("one block");
        stream.extend(block);
    }
    stream.truncate(len);
    stream
}

#[test]
fn the_reference_is_what_rfc_7714_says() {
    let short = Keys {
        cipher: counting(16),
        salt: hex(SALT),
    };
    let long = Keys {
        cipher: counting(32),
        salt: hex(SALT),
    };
    let tagged = |packet: &str| hex(packet);
    // §16.1.1 and §16.2.1.
    assert_eq!(
        reference_rtp(&short, &hex(RTP)),
        tagged(
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f \
             42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce"
        )
    );
    assert_eq!(
        reference_rtp(&long, &hex(RTP)),
        tagged(
            "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 \
             b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13"
        )
    );
    // §17.1 and §17.2.
    assert_eq!(
        reference_rtcp(&short, &hex(RTCP), 0x5d4),
        tagged(
            "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 \
             730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4"
        )
    );
    assert_eq!(
        reference_rtcp(&long, &hex(RTCP), 0x5d4),
        tagged(
            "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 \
             110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4"
        )
    );
}

#[test]
fn keys_are_derived_as_rfc_3711_says() {
    let master = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
    let salt = hex("0EC675AD498AFEEBB6960B3AABE6");
    let derived = |label, len| derive(&master, &salt, label, len);
    assert_eq!(derived(0, 16), hex("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(derived(2, 14), hex("30CBBC08863D8C85D49DB34A9AE1"));
    assert_eq!(
        derived(1, 20),
        hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")
    );
}

#[test]
fn what_we_send_is_what_the_reference_makes() {
    for (suite, len) in [(Suite::Gcm128, 16), (Suite::Gcm256, 32)] {
        let (master, salt) = (counting(len), hex(SALT));
        let keys = |cipher, salt_label| Keys {
            cipher: derive(&master, &salt, cipher, len.into()),
            salt: derive(&master, &salt, salt_label, 12),
        };
        let key = MasterKey::new(suite, &[&master[..], &salt].concat()).expect("as long as that");
        let mut sealer = Sealer::new(&key);
        let sealed = sealer.seal_rtp(&hex(RTP)).expect("it is RTP");
        assert_eq!(sealed, reference_rtp(&keys(0, 2), &hex(RTP)), "{suite:?}");
        let report = sealer.seal_rtcp(&hex(RTCP)).expect("it is RTCP");
        let expected = reference_rtcp(&keys(3, 5), &hex(RTCP), 1);
        assert_eq!(report, expected, "{suite:?}");
        let mut opener = Opener::new(key);
        assert_eq!(opener.open_rtp(&sealed), Some(hex(RTP)));
        assert_eq!(opener.open_rtp(&sealed), None, "a copy");
        assert_eq!(opener.open_rtcp(&report), Some(hex(RTCP)));
        assert_eq!(opener.open_rtcp(&report), None, "a copy");
    }
}

fn packet(ssrc: u32, sequence: u16) -> Vec<u8> {
    let packet = RtpPacket {
        marker: false,
        payload_type: 0,
        sequence,
        timestamp: 0,
        ssrc,
        payload: b"hello",
    };
    packet.write()
}

#[test]
fn every_suite_opens_what_it_sealed_over_the_wrap_and_nothing_that_was_touched() {
    for suite in Suite::ALL {
        let bytes = counting(46);
        let key = MasterKey::new(suite, &bytes[..suite.key_len()]).expect("cut to length");
        let (mut sealer, mut opener) = (Sealer::new(&key), Opener::new(key.clone()));
        for sequence in (65_000..=65_535).chain(0..600) {
            let clear = packet(7, sequence);
            let sealed = sealer.seal_rtp(&clear).expect("it is RTP");
            let mut touched = sealed.clone();
            touched[13] ^= 1;
            assert_eq!(opener.open_rtp(&touched), None);
            assert_eq!(
                opener.open_rtp(&sealed),
                Some(clear),
                "{suite:?} {sequence}"
            );
        }
        let tag = match suite {
            Suite::AesCm128Sha1_32 | Suite::AesCm256Sha1_32 => 4,
            Suite::AesCm128Sha1_80 | Suite::AesCm256Sha1_80 => 10,
            Suite::Gcm128 | Suite::Gcm256 => 16,
        };
        let clear = packet(7, 601);
        let sealed = sealer.seal_rtp(&clear).expect("it is RTP");
        assert_eq!(sealed.len(), clear.len() + tag, "{suite:?}");
        for len in 0..sealed.len() {
            assert_eq!(opener.open_rtp(&sealed[..len]), None, "cut off at {len}");
            assert_eq!(opener.open_rtcp(&sealed[..len]), None, "cut off at {len}");
        }
    }
}

#[test]
fn those_without_the_key_take_no_room_from_those_with_it() {
    let bytes = counting(30);
    let key = MasterKey::new(Suite::AesCm128Sha1_80, &bytes).expect("as long as that");
    let (mut sealer, mut opener) = (Sealer::new(&key), Opener::new(key));
    for ssrc in 0..5_000 {
        assert_eq!(opener.open_rtp(&packet(ssrc, 1)), None);
    }
    for ssrc in 0..rtp::srtp::SOURCES_MAX as u32 {
        let sealed = sealer.seal_rtp(&packet(ssrc, 1)).expect("it is RTP");
        assert!(opener.open_rtp(&sealed).is_some());
    }
    let sealed = sealer.seal_rtp(&packet(99, 1)).expect("it is RTP");
    assert_eq!(
        opener.open_rtp(&sealed),
        None,
        "one more than a key may have"
    );
}

#[test]
fn a_report_that_says_it_is_not_encrypted_is_forged() {
    for suite in Suite::ALL {
        let bytes = counting(46);
        let key = MasterKey::new(suite, &bytes[..suite.key_len()]).expect("cut to length");
        let mut opener = Opener::new(key);
        // A report in the clear, an index without the bit, room for any tag.
        for room in [0, 4, 10, 16, 20] {
            let forged = [hex(RTCP), vec![0, 0, 0, 9], vec![0; room]].concat();
            assert_eq!(opener.open_rtcp(&forged), None, "{suite:?} {room}");
        }
    }
}

#[test]
fn packets_that_name_their_key_are_opened_and_those_of_another_key_not() {
    for suite in Suite::ALL {
        let key = MasterKey::new(suite, &counting(suite.key_len() as u8)).unwrap();
        let mut sealer = Sealer::new(&key);
        let identifier = [0, 0, 0, 7];
        let mut opener = Opener::identified(key.clone(), &identifier);
        let is_gcm = matches!(suite, Suite::Gcm128 | Suite::Gcm256);
        let named = |sealed: &[u8], tag_len: usize, identifier: &[u8]| {
            let at = sealed.len() - if is_gcm { 0 } else { tag_len };
            [&sealed[..at], identifier, &sealed[at..]].concat()
        };
        let short = matches!(suite, Suite::AesCm128Sha1_32 | Suite::AesCm256Sha1_32);
        let clear = packet(9, 1);
        let sealed = sealer.seal_rtp(&clear).unwrap();
        let tag_len = if short { 4 } else { 10 };
        assert_eq!(opener.open_rtp(&sealed), None, "{suite:?}: without");
        let other = named(&sealed, tag_len, &[0, 0, 0, 8]);
        assert_eq!(opener.open_rtp(&other), None, "{suite:?}: another");
        let right = named(&sealed, tag_len, &identifier);
        assert_eq!(opener.open_rtp(&right), Some(clear), "{suite:?}");
        let report = hex(RTCP);
        // RFC 4568 §6.2: the tag of RTCP has 80 bits in any case.
        let sealed = sealer.seal_rtcp(&report).unwrap();
        let right = named(&sealed, 10, &identifier);
        assert_eq!(opener.open_rtcp(&right), Some(report), "{suite:?}");
        assert_eq!(opener.open_rtp(&[0x80; 12]), None, "too short");
    }
}
