//! The phone page. Its files are part of the binary, so there is no path on disk to escape to.

use axum::body::Body;
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, Method, Response, StatusCode};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::page;

#[derive(RustEmbed)]
#[folder = "../../client/dist"]
#[allow_missing = true]
struct Client;

/// GET and HEAD of an embedded file; `/` is `index.html`.
pub(crate) fn serve(method: &Method, path: &str, headers: &HeaderMap) -> Response<Body> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut response = page::sentence(
            StatusCode::METHOD_NOT_ALLOWED,
            "Files can only be read here, with GET or HEAD.",
        );
        response
            .headers_mut()
            .insert(ALLOW, page::value("GET, HEAD"));
        return response;
    }
    let name = match path.trim_start_matches('/') {
        "" => "index.html",
        name => name,
    };
    match Client::get(name) {
        Some(file) => answer(name, file, headers),
        None if name == "index.html" => page::sentence(
            StatusCode::OK,
            "Sidetone runs. This build has no phone page.",
        ),
        None => page::sentence(StatusCode::NOT_FOUND, "There is nothing at this address."),
    }
}

fn answer(name: &str, file: EmbeddedFile, request: &HeaderMap) -> Response<Body> {
    let hash = file.metadata.sha256_hash();
    let etag = hash
        .iter()
        .take(16)
        .fold(String::from("\""), |etag, byte| format!("{etag}{byte:02x}"));
    let etag = format!("{etag}\"");
    let known = request
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| {
            value
                .split(',')
                .any(|tag| tag.trim() == "*" || tag.trim().trim_start_matches("W/") == etag)
        });
    let mut response = if known {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        Response::new(Body::from(file.data.into_owned()))
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, page::value(&etag));
    let caching = if is_hashed(name) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    headers.insert(CACHE_CONTROL, page::value(caching));
    headers.insert(
        CONTENT_TYPE,
        page::value(&content_type(name, file.metadata.mimetype())),
    );
    response
}

/// Text types get their charset; a script must be one by name, or nosniff refuses it.
fn content_type(name: &str, guessed: &str) -> String {
    match name.rsplit('.').next() {
        Some("js" | "mjs") => "text/javascript; charset=utf-8".to_owned(),
        Some("webmanifest") => "application/manifest+json".to_owned(),
        Some("map" | "json") => "application/json".to_owned(),
        Some("woff2") => "font/woff2".to_owned(),
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

    #[test]
    fn no_path_leads_out_of_the_binary() {
        for path in [
            "/../Cargo.toml",
            "/..%2f..%2fCargo.toml",
            "//etc/passwd",
            "/./../../x",
            "/\0",
        ] {
            let response = serve(&Method::GET, path, &HeaderMap::new());
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        }
        let response = serve(&Method::POST, "/", &HeaderMap::new());
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[ALLOW], "GET, HEAD");
    }
}
