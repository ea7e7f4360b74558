//! The few pages the server says itself: errors as one sentence, and what `/ws` is.

use axum::body::Body;
use axum::http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, UPGRADE};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};

/// An error as plain text: one sentence for the person or the log that reads it.
pub(crate) fn sentence(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, value("text/plain; charset=utf-8"));
    response
        .headers_mut()
        .insert(CACHE_CONTROL, value("no-store"));
    response
}

/// RFC 9110 §15.5.22: what a person sees who opens the WebSocket's address to accept a certificate.
pub(crate) fn upgrade_required(request: &HeaderMap) -> Response<Body> {
    let languages = request
        .get(ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    let russian = languages.is_some_and(prefers_russian);
    let page = if russian { UPGRADE_RU } else { UPGRADE_EN };
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, value("websocket"));
    headers.insert(CONNECTION, value("Upgrade"));
    headers.insert(CONTENT_TYPE, value("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, value("no-store"));
    response
}

/// A header value of our own making; what could not be one becomes empty.
pub(crate) fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Whether Russian comes before English; browsers list languages in the order of preference.
fn prefers_russian(languages: &str) -> bool {
    languages
        .split(',')
        .map(|language| language.trim().to_ascii_lowercase())
        .find_map(|language| match language.get(..2) {
            Some("ru") => Some(true),
            Some("en") => Some(false),
            _ => None,
        })
        .unwrap_or(false)
}

const UPGRADE_EN: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
<title>Sidetone: WebSocket</title></head><body>\n\
<h1>The WebSocket is here</h1>\n\
<p>Your browser reaches this server and accepts its certificate. Phones connect to this very \
address as a WebSocket (subprotocol <code>sip</code>); there is nothing else to see. You can close \
this tab and go back to your phone page, or open <a href=\"/\">the built-in one</a>.</p>\n\
</body></html>\n";

const UPGRADE_RU: &str = "<!DOCTYPE html>\n<html lang=\"ru\"><head><meta charset=\"utf-8\">\
<title>Sidetone: WebSocket</title></head><body>\n\
<h1>WebSocket находится здесь</h1>\n\
<p>Браузер видит этот сервер и доверяет его сертификату. Телефоны подключаются по этому же \
адресу как WebSocket (подпротокол <code>sip</code>), смотреть здесь больше не на что. Вкладку можно \
закрыть и вернуться к странице телефона или открыть <a href=\"/\">встроенную</a>.</p>\n\
</body></html>\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_language_decides() {
        assert!(prefers_russian("ru-RU,ru;q=0.9,en;q=0.8"));
        assert!(prefers_russian("de, ru"));
        assert!(!prefers_russian("en-US,en;q=0.9,ru;q=0.8"));
        assert!(!prefers_russian("ж"));
        assert!(!prefers_russian(""));
    }
}
