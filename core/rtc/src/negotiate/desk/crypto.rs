//! `a=crypto` (RFC 4568): keys of SRTP in the description.
//!
//! Lines with several keys, a key derivation rate or a switched-off protection are passed over; the peer may
//! have written others. A master key identifier is the writer's: its packets have it, ours have none.

use rand_chacha::ChaCha12Rng;
use rand_core::Rng;
use rtp::srtp::{MasterKey, Suite};
use sdp::Media;

/// What one side encrypts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Crypto {
    /// The number of the line, by which an answer names the one it chose.
    pub(super) tag: u32,
    pub(crate) key: MasterKey,
    /// What its packets name the key by; mostly nothing.
    pub(crate) identifier: Box<[u8]>,
}

/// The keys of both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) ours: Crypto,
    pub(crate) theirs: Crypto,
}

impl Crypto {
    /// A key nobody has used.
    pub(super) fn fresh(tag: u32, suite: Suite, rng: &mut ChaCha12Rng) -> Self {
        let mut bytes = vec![0; suite.key_len()];
        rng.fill_bytes(&mut bytes);
        let key = MasterKey::new(suite, &bytes).expect("as long as the suite asks for");
        Self {
            tag,
            key,
            identifier: Box::default(),
        }
    }

    /// The lines of a section that can be used, as the peer ranks them.
    pub(super) fn read(media: &Media) -> Vec<Self> {
        let lines = media.attributes("crypto").take(LINES_MAX);
        lines.filter_map(Self::parse).collect()
    }

    /// The value of the attribute.
    pub(super) fn write(&self) -> String {
        let suite = self.key.suite().name();
        format!("{} {suite} inline:{}", self.tag, encode(self.key.bytes()))
    }

    fn parse(value: &str) -> Option<Self> {
        let mut fields = value.split_ascii_whitespace();
        let tag = fields.next()?.parse().ok()?;
        let suite = Suite::from_name(fields.next()?)?;
        let inline = fields.next()?;
        // RFC 4568 §9.1: several keys stand behind one another with `;`; the identifiers that tell
        // them apart are what we do not have.
        let (method, inline) = inline.split_once(':')?;
        if !method.eq_ignore_ascii_case("inline") || inline.contains(';') {
            return None;
        }
        let mut parts = inline.split('|');
        let key = MasterKey::new(suite, &decode(parts.next()?)?)?;
        // What has a colon is `MKI:length`; what has none is the key's lifetime, which no call reaches.
        let identifier = match parts.find(|part| part.contains(':')) {
            Some(written) => identifier(written)?,
            None => Box::default(),
        };
        // WSH only widens the replay window; every other parameter changes what packets look like.
        let is_usable = |parameter: &str| parameter.to_ascii_uppercase().starts_with("WSH=");
        fields.all(is_usable).then_some(Self {
            tag,
            key,
            identifier,
        })
    }
}

/// RFC 4568 §6.1: `MKI:length`, a number and how many bytes it has in a packet.
fn identifier(written: &str) -> Option<Box<[u8]>> {
    let (value, len) = written.split_once(':')?;
    let value: u64 = value.parse().ok()?;
    let len: usize = len.parse().ok()?;
    let bytes = value.to_be_bytes();
    let first = bytes.iter().position(|byte| *byte != 0);
    let significant = first.map_or(&[][..], |first| &bytes[first..]);
    let is_fit = (1..=IDENTIFIER_LEN_MAX).contains(&len) && significant.len() <= len;
    is_fit.then(|| {
        let mut whole = vec![0; len - significant.len()];
        whole.extend_from_slice(significant);
        whole.into()
    })
}

/// RFC 4648 §4.
fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for index in 0..4 {
            let six = (bits >> (18 - 6 * index)) as usize & 0x3F;
            let is_padding = index > chunk.len();
            text.push(if is_padding {
                '='
            } else {
                char::from(ALPHABET[six])
            });
        }
    }
    text
}

/// The padding may be missing: some phones leave it out.
fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for chunk in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for (index, letter) in chunk.iter().enumerate() {
            let six = ALPHABET.iter().position(|own| own == letter)? as u32;
            bits |= six << (18 - 6 * index);
        }
        if chunk.len() == 1 {
            return None;
        }
        let whole = bits.to_be_bytes();
        bytes.extend(&whole[1..chunk.len()]);
    }
    Some(bytes)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// RFC 4568 §6.1: 1 to 128 bytes.
const IDENTIFIER_LEN_MAX: usize = 128;
/// Crypto lines read in one section.
const LINES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::{Crypto, decode, encode};
    use proptest::prelude::*;
    use rtp::srtp::Suite;

    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    #[test]
    fn lines_of_phones_are_read() {
        let parse = |rest: &str| Crypto::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 {rest}"));
        let plain = parse(&format!("inline:{KEY}")).unwrap();
        assert_eq!((plain.tag, plain.key.suite()), (1, Suite::AesCm128Sha1_80));
        assert_eq!(parse(&format!("inline:{KEY}|2^31")), Some(plain.clone()));
        assert_eq!(
            parse(&format!("INLINE:{KEY}|2^20 WSH=64")),
            Some(plain.clone())
        );
        let named = parse(&format!("inline:{KEY}|2^31|258:4")).unwrap();
        assert_eq!(
            (&named.key, &*named.identifier),
            (&plain.key, &[0, 0, 1, 2][..])
        );
        assert!(parse(&format!("inline:{KEY}|1:1")).is_some());
        assert_eq!(
            plain.write(),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}")
        );
        for refused in [
            format!("inline:{KEY}|2^31|1:0"),
            format!("inline:{KEY}|300:1"),
            format!("inline:{KEY}|1:129"),
            format!("inline:{KEY}|one:1"),
            format!("inline:{KEY};inline:{KEY}"),
            format!("inline:{KEY} UNENCRYPTED_SRTP"),
            format!("inline:{KEY} KDR=1"),
            format!("inline:{}", &KEY[4..]),
            "inline:".to_owned(),
            "uri:x".to_owned(),
            String::new(),
        ] {
            assert_eq!(parse(&refused), None, "{refused}");
        }
    }

    #[test]
    fn known_texts_are_coded_as_rfc_4648_says() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(decode("Zg").as_deref(), Some(&b"f"[..]), "without padding");
        assert_eq!(decode("Z"), None);
        assert_eq!(decode("Zm9v Zg="), None);
    }

    proptest! {
        #[test]
        fn any_key_survives_being_written(bytes: [u8; 44], which in 0..6_usize) {
            let suite = Suite::ALL[which];
            let key = rtp::srtp::MasterKey::new(suite, &bytes[..suite.key_len().min(44)]);
            prop_assume!(key.is_some());
            let crypto = Crypto { tag: 7, key: key.unwrap(), identifier: Box::default() };
            prop_assert_eq!(Crypto::parse(&crypto.write()), Some(crypto));
        }

        #[test]
        fn nothing_breaks_the_reader(text in "\\PC*") {
            let _ = Crypto::parse(&text);
        }
    }
}
