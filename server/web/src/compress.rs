//! Smaller copies of texts: brotli (RFC 7932) and gzip (RFC 1952), made once and kept.
//!
//! At most one copy is made at a time and the copies kept are bounded, so whoever asks for many
//! files costs one core for a while and no more; meanwhile files go out as they are.

use std::collections::{HashMap, VecDeque};
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;
use brotli::enc::BrotliEncoderParams;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{COMPRESSED_CACHE_BYTES_MAX, COMPRESSED_SOURCE_BYTES_MAX};

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Encoding {
    Brotli,
    Gzip,
}

impl Encoding {
    /// The best the client takes (RFC 9110 §12.5.3); brotli where both are equally welcome.
    pub(crate) fn wanted(request: &HeaderMap) -> Option<Self> {
        let accepted = request.get_all(ACCEPT_ENCODING).iter();
        let accepted = accepted.filter_map(|value| value.to_str().ok());
        let (mut brotli, mut gzip, mut any) = (None, None, None);
        for item in accepted.flat_map(|value| value.split(',')) {
            let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
            let weight = weight(parameters);
            match name.trim().to_ascii_lowercase().as_str() {
                "br" => brotli = Some(weight),
                "gzip" | "x-gzip" => gzip = Some(weight),
                "*" => any = Some(weight),
                _ => {}
            }
        }
        let brotli = brotli.or(any).unwrap_or(0);
        let gzip = gzip.or(any).unwrap_or(0);
        match (brotli, gzip) {
            (0, 0) => None,
            (brotli, gzip) if brotli >= gzip => Some(Self::Brotli),
            _ => Some(Self::Gzip),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// What a file encoded beforehand is called, and what is added to an ETag.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gz",
        }
    }

    fn encode(self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut encoded = Vec::new();
        match self {
            Self::Brotli => {
                // Quality 5 of 11 is as quick as gzip and a fifth smaller.
                let parameters = BrotliEncoderParams {
                    quality: 5,
                    lgwin: 20,
                    ..BrotliEncoderParams::default()
                };
                let mut source = bytes;
                brotli::BrotliCompress(&mut source, &mut encoded, &parameters)?;
            }
            Self::Gzip => {
                let mut encoder = GzEncoder::new(encoded, Compression::new(6));
                encoder.write_all(bytes)?;
                encoded = encoder.finish()?;
            }
        }
        Ok(encoded)
    }
}

/// Thousandths of `;q=`; 1000 without one.
fn weight(parameters: &str) -> u16 {
    let q = parameters.trim().strip_prefix("q=").unwrap_or("1").trim();
    let (whole, fraction) = q.split_once('.').unwrap_or((q, ""));
    let digits = fraction.bytes().chain(*b"000").take(3);
    let thousandths = digits.fold(0, |sum, digit| {
        sum * 10 + u16::from(digit.wrapping_sub(b'0') % 10)
    });
    match whole {
        "0" => thousandths,
        _ => 1_000,
    }
}

/// Whether the type shrinks: texts and what is written like them.
pub(crate) fn is_compressible(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.starts_with("text/")
        || matches!(
            kind,
            "application/json"
                | "application/manifest+json"
                | "application/xml"
                | "application/wasm"
                | "image/svg+xml"
                | "font/ttf"
                | "font/otf"
                | "application/vnd.ms-fontobject"
        )
}

/// The copies.
#[derive(Debug)]
pub(crate) struct Compressor {
    kept: Mutex<Kept>,
    making: Arc<Semaphore>,
}

/// The right to make one copy; nobody else makes one meanwhile.
#[derive(Debug)]
pub(crate) struct Making {
    key: (String, Encoding),
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug, Default)]
struct Kept {
    /// `None` where the copy would not be smaller.
    copies: HashMap<(String, Encoding), Option<Bytes>>,
    /// The oldest first.
    order: VecDeque<(String, Encoding)>,
    bytes: usize,
}

impl Default for Compressor {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            making: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Compressor {
    /// A smaller copy of `bytes`, unless there is none or another one is just being made. `key` must
    /// change with the content.
    pub(crate) async fn compressed(
        &self,
        key: String,
        encoding: Encoding,
        bytes: Bytes,
    ) -> Option<Bytes> {
        if let Some(copy) = self.lock().copies.get(&(key.clone(), encoding)) {
            return copy.clone();
        }
        let making = self.begin(key, encoding, bytes.len() as u64)?;
        self.make(making, bytes).await
    }

    /// The right to make a copy of so many bytes; `None` where it would not be smaller, or another one
    /// is just being made. Who has none need not read the bytes.
    pub(crate) fn begin(&self, key: String, encoding: Encoding, length: u64) -> Option<Making> {
        let key = (key, encoding);
        if !(BYTES_MIN..=COMPRESSED_SOURCE_BYTES_MAX).contains(&length)
            || self.lock().copies.contains_key(&key)
        {
            return None;
        }
        let permit = self.making.clone().try_acquire_owned().ok()?;
        Some(Making {
            key,
            _permit: permit,
        })
    }

    /// Makes the copy and keeps it; `None` if it is not smaller.
    pub(crate) async fn make(&self, making: Making, bytes: Bytes) -> Option<Bytes> {
        let (length, encoding) = (bytes.len(), making.key.1);
        let made = tokio::task::spawn_blocking(move || encoding.encode(&bytes));
        let made = made.await.ok()?.ok()?;
        let copy = (made.len() < length).then(|| Bytes::from(made));
        self.keep(making.key, copy.clone());
        copy
    }

    /// What is kept, without making anything.
    pub(crate) fn has(&self, key: &str, encoding: Encoding) -> Option<Bytes> {
        let key = (key.to_owned(), encoding);
        self.lock().copies.get(&key).cloned().flatten()
    }

    fn keep(&self, key: (String, Encoding), copy: Option<Bytes>) {
        let mut kept = self.lock();
        if kept.copies.contains_key(&key) {
            return;
        }
        kept.bytes += cost(&key, copy.as_ref());
        kept.order.push_back(key.clone());
        kept.copies.insert(key, copy);
        while kept.bytes > COMPRESSED_CACHE_BYTES_MAX {
            let Some(oldest) = kept.order.pop_front() else {
                return;
            };
            if let Some(copy) = kept.copies.remove(&oldest) {
                kept.bytes -= cost(&oldest, copy.as_ref());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cost(key: &(String, Encoding), copy: Option<&Bytes>) -> usize {
    ENTRY_BYTES + 2 * key.0.len() + copy.map_or(0, Bytes::len)
}

/// What a copy costs beside its bytes, roughly.
const ENTRY_BYTES: usize = 128;

/// Smaller bodies fit into one packet anyway.
const BYTES_MIN: u64 = 1_024;

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn wanted(accept: &str) -> Option<Encoding> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, accept.parse().unwrap());
        Encoding::wanted(&headers)
    }

    #[test]
    fn the_client_says_what_it_takes() {
        assert_eq!(wanted("gzip, deflate, br, zstd"), Some(Encoding::Brotli));
        assert_eq!(wanted("gzip;q=1.0, br;q=0.5"), Some(Encoding::Gzip));
        assert_eq!(wanted("br;q=0, gzip;q=0.001"), Some(Encoding::Gzip));
        assert_eq!(wanted("identity"), None);
        assert_eq!(wanted("br;q=0, *;q=0.2"), Some(Encoding::Gzip));
        assert_eq!(wanted("gzip;q=0"), None);
        assert_eq!(wanted("gzip;q=x"), Some(Encoding::Gzip));
        assert_eq!(Encoding::wanted(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn one_copy_is_made_at_a_time_and_none_where_it_would_not_be_smaller() {
        let compressor = Compressor::default();
        let begin = |key: &str, length| compressor.begin(key.to_owned(), Encoding::Gzip, length);
        let making = begin("a", 2_000).unwrap();
        assert!(begin("b", 2_000).is_none(), "one is being made");
        let mut state = 0x2545_f491_u32;
        let noise = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_be_bytes()
        });
        let dense: Vec<u8> = noise.take(500).flatten().collect();
        assert_eq!(compressor.make(making, dense.into()).await, None);
        assert!(begin("a", 2_000).is_none(), "known not to be smaller");
        assert!(begin("b", 2_000).is_some());
        assert!(begin("c", BYTES_MIN - 1).is_none());
        assert!(begin("c", COMPRESSED_SOURCE_BYTES_MAX + 1).is_none());
    }

    #[tokio::test]
    async fn copies_are_the_same_text_and_are_bounded() {
        let compressor = Compressor::default();
        let text = Bytes::from("the same words again and again; ".repeat(1_000));
        let compressed =
            |key: &str, encoding| compressor.compressed(key.to_owned(), encoding, text.clone());
        let brotli = compressed("a", Encoding::Brotli).await.unwrap();
        let mut decoded = Vec::new();
        brotli::BrotliDecompress(&mut &brotli[..], &mut decoded).unwrap();
        assert_eq!(decoded, text);
        let gzip = compressed("a", Encoding::Gzip).await.unwrap();
        decoded.clear();
        let mut decoder = flate2::read::GzDecoder::new(&gzip[..]);
        decoder.read_to_end(&mut decoded).unwrap();
        assert_eq!(decoded, text);
        assert!(compressor.has("a", Encoding::Gzip).is_some());
        let big = Bytes::from(vec![7; COMPRESSED_CACHE_BYTES_MAX / 4]);
        for number in 0..8 {
            compressor.keep((number.to_string(), Encoding::Gzip), Some(big.clone()));
        }
        assert!(compressor.lock().bytes <= COMPRESSED_CACHE_BYTES_MAX);
        assert_eq!(
            compressor.has("a", Encoding::Gzip),
            None,
            "the oldest go first"
        );
        let kept = compressor.lock();
        assert_eq!(kept.copies.len(), kept.order.len());
    }
}
