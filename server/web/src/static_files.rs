//! The phone page. Its files are part of the binary, so there is no path on disk to escape to.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, Response, StatusCode};
use bytes::Bytes;
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::compress::{Compressor, Encoding, is_compressible};
use crate::page;

#[derive(RustEmbed)]
#[folder = "../../client/dist"]
#[allow_missing = true]
struct Client;

/// An embedded file; `/` is `index.html`.
pub(crate) async fn serve(
    path: &str,
    headers: &HeaderMap,
    compressor: &Compressor,
) -> Response<Body> {
    let name = match path.trim_start_matches('/') {
        "" => "index.html",
        name => name,
    };
    match Client::get(name) {
        Some(file) => answer(name, file, headers, compressor).await,
        None if name == "index.html" => page::sentence(
            StatusCode::OK,
            "Sidetone runs. This build has no phone page.",
        ),
        None => absent(),
    }
}

/// The answer to who asks for what is not there; `sidetone doctor` knows an exchange by it.
pub const NOTHING_HERE: &str = "There is nothing at this address.";

/// 404.
pub(crate) fn absent() -> Response<Body> {
    let russian = "По этому адресу ничего нет.".to_owned();
    page::refusal(StatusCode::NOT_FOUND, NOTHING_HERE.to_owned(), russian)
}

/// The paths of the files of our typeface, for pages that are made here.
pub(crate) fn fonts() -> impl Iterator<Item = String> {
    Client::iter()
        .filter(|name| name.ends_with(".woff2"))
        .map(|name| format!("/{name}"))
}

async fn answer(
    name: &str,
    file: EmbeddedFile,
    request: &HeaderMap,
    compressor: &Compressor,
) -> Response<Body> {
    let hash = file.metadata.sha256_hash();
    let hash = hash.iter().take(16);
    let version = hash.fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let kind = content_type(name, file.metadata.mimetype());
    let mut body = Bytes::from(file.data.into_owned());
    let encoding = match is_compressible(&kind) {
        true => Encoding::wanted(request),
        false => None,
    };
    let mut etag = format!("\"{version}\"");
    let mut encoded = None;
    if let Some(encoding) = encoding {
        let key = format!("embedded:{name}:{version}");
        if let Some(compressed) = compressor.compressed(key, encoding, body.clone()).await {
            (body, encoded) = (compressed, Some(encoding));
            etag = format!("\"{version}-{}\"", encoding.suffix());
        }
    }
    let mut response = match is_known(request, &etag) {
        true => page::not_modified(),
        false => Response::new(Body::from(body)),
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, page::value(&etag));
    let caching = if is_hashed(name) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    headers.insert(CACHE_CONTROL, page::value(caching));
    headers.insert(CONTENT_TYPE, page::value(&kind));
    if is_compressible(&kind) {
        headers.insert(VARY, page::value("Accept-Encoding"));
    }
    if let Some(encoding) = encoded {
        headers.insert(CONTENT_ENCODING, page::value(encoding.name()));
    }
    response
}

/// RFC 9110 §13.1.2: weak comparison.
pub(crate) fn is_known(request: &HeaderMap, etag: &str) -> bool {
    request
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// Text types get their charset; a script must be one by name, or nosniff refuses it.
pub(crate) fn content_type(name: &str, guessed: &str) -> String {
    match name.rsplit('.').next() {
        Some("js" | "mjs") => "text/javascript; charset=utf-8".to_owned(),
        Some("webmanifest") => "application/manifest+json".to_owned(),
        Some("map" | "json") => "application/json".to_owned(),
        Some("wasm") => "application/wasm".to_owned(),
        Some("woff2") => "font/woff2".to_owned(),
        Some("svg") => "image/svg+xml".to_owned(),
        _ if guessed.starts_with("text/") => format!("{guessed}; charset=utf-8"),
        _ => guessed.to_owned(),
    }
}

/// Whether the name carries a hash of the content: the client's build writes its assets as
/// `assets/NAME-HASH.EXTENSION` with eight characters of base64url, and such a file never changes.
fn is_hashed(name: &str) -> bool {
    let Some((stem, _)) = name
        .strip_prefix("assets/")
        .and_then(|file| file.rsplit_once('.'))
    else {
        return false;
    };
    let base64url = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match stem.as_bytes().split_last_chunk::<9>() {
        Some((_, [b'-', hash @ ..])) => hash.iter().all(base64url),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_hash_are_immutable() {
        assert!(is_hashed("assets/index-BsOSCbSy.js"));
        assert!(is_hashed(
            "assets/golos-text-latin-wght-normal-mKek_fSS.woff2"
        ));
        assert!(is_hashed("assets/index-a-b_c-de.css"));
        for name in [
            "index.html",
            "favicon.svg",
            "assets/ring.wav",
            "assets/x-123.js",
            "a-BsOSCbSy.js",
        ] {
            assert!(!is_hashed(name), "{name}");
        }
    }

    #[test]
    fn scripts_and_texts_are_typed() {
        assert_eq!(
            content_type("a.js", "application/javascript"),
            "text/javascript; charset=utf-8"
        );
        assert_eq!(
            content_type("index.html", "text/html"),
            "text/html; charset=utf-8"
        );
        assert_eq!(content_type("a.svg", "image/svg+xml"), "image/svg+xml");
    }

    #[tokio::test]
    async fn no_path_leads_out_of_the_binary() {
        let compressor = Compressor::default();
        for path in ["/../Cargo.toml", "//etc/passwd", "/./../../x"] {
            let response = serve(path, &HeaderMap::new(), &compressor).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
