//! The few pages the server says itself: errors as one sentence, and what `/ws` is.

use axum::body::Body;
use axum::http::header::{
    ACCEPT, ACCEPT_LANGUAGE, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LANGUAGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, LOCATION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::site::Site;
use crate::static_files;

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

/// Why there is no page, as a sentence for programs; [`fault`] makes a page of it for browsers.
pub(crate) fn refusal(status: StatusCode, english: String, russian: String) -> Response<Body> {
    let mut response = sentence(status, &english);
    response
        .extensions_mut()
        .insert(Refused { english, russian });
    response
}

/// What [`refusal`] says.
#[derive(Clone)]
struct Refused {
    english: String,
    russian: String,
}

/// The answer as a page if it is a refusal and a browser wants to show it, else as it is.
pub(crate) fn fault(response: Response<Body>, request: &HeaderMap, site: &Site) -> Response<Body> {
    let accepted = request.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let wants_page = accepted.is_some_and(|accept| accept.contains("text/html"));
    let Some(refused) = response
        .extensions()
        .get::<Refused>()
        .filter(|_| wants_page)
    else {
        return response;
    };
    let russian = prefers_russian(request);
    let status = response.status();
    let title = match (status, russian) {
        (StatusCode::NOT_FOUND, false) => "Nothing here",
        (StatusCode::NOT_FOUND, true) => "Здесь пусто",
        (StatusCode::FORBIDDEN, false) => "Not for you",
        (StatusCode::FORBIDDEN, true) => "Доступа нет",
        (_, false) => "A name we do not know",
        (_, true) => "Неизвестное имя",
    };
    let (text, home) = match russian {
        false => (&refused.english, "To the phone"),
        true => (&refused.russian, "К телефону"),
    };
    let mut body = format!("<p>{}</p>", escape(text));
    if status == StatusCode::NOT_FOUND {
        let prefix = escape(&site.prefix);
        body.push_str(&format!("<p><a href=\"{prefix}/\">{home}</a></p>"));
    }
    let mut page = page(site, russian, title, &body);
    *page.status_mut() = status;
    page
}

/// Text that is taken to the letter: an answer to a challenge.
pub(crate) fn octets(text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, value("application/octet-stream"));
    response
}

/// 301 or 302.
pub(crate) fn redirect(status: StatusCode, to: &str) -> Response<Body> {
    let mut response = sentence(status, "What you look for is at another address.");
    response.headers_mut().insert(LOCATION, value(to));
    response
}

/// 304; the caller adds the validators.
pub(crate) fn not_modified() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
}

/// 405.
pub(crate) fn only_reading() -> Response<Body> {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = sentence(status, "Only GET and HEAD work here.");
    response.headers_mut().insert(ALLOW, value("GET, HEAD"));
    response
}

/// RFC 9110 §15.5.22: what a person sees who opens the WebSocket's address, mostly to accept a
/// certificate for a page that comes from elsewhere.
pub(crate) fn upgrade_required(request: &HeaderMap, secure: bool, site: &Site) -> Response<Body> {
    let host = request.get(HOST).and_then(|host| host.to_str().ok());
    let scheme = if secure { "wss" } else { "ws" };
    let prefix = &site.prefix;
    let address = escape(&format!(
        "{scheme}://{}{prefix}/ws",
        host.unwrap_or_default()
    ));
    let home = escape(&format!("{prefix}/"));
    let russian = prefers_russian(request);
    let (title, text) = match (russian, secure) {
        (false, true) => (
            "The WebSocket is here",
            "Your browser reaches this server and accepts its certificate.",
        ),
        (false, false) => (
            "The WebSocket is here",
            "Your browser reaches this server. Over plain HTTP there is no certificate to accept.",
        ),
        (true, true) => (
            "WebSocket находится здесь",
            "Браузер видит этот сервер и доверяет его сертификату.",
        ),
        (true, false) => (
            "WebSocket находится здесь",
            "Браузер видит этот сервер. По обычному HTTP сертификата нет, доверять нечему.",
        ),
    };
    let rest = match russian {
        false => format!(
            "<p>Phones connect to this address, with the subprotocol <code>sip</code>:</p>\
             <p class=\"address\"><code>{address}</code></p>\
             <p>There is nothing else to see. Close this tab and go back to your phone page, or open \
             <a href=\"{home}\">the built-in one</a>.</p>"
        ),
        true => format!(
            "<p>Телефоны подключаются по этому адресу, подпротокол <code>sip</code>:</p>\
             <p class=\"address\"><code>{address}</code></p>\
             <p>Смотреть здесь больше не на что. Закройте вкладку и вернитесь к странице телефона или \
             откройте <a href=\"{home}\">встроенную</a>.</p>"
        ),
    };
    let body = format!("<p class=\"lead\">{text}</p>{rest}");
    let mut response = page(site, russian, title, &body);
    *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, value("websocket"));
    headers.insert(CONNECTION, value("Upgrade"));
    response
}

/// A page in the product's look. `title` and `body` are HTML: what comes from elsewhere is escaped.
pub(crate) fn page(site: &Site, russian: bool, title: &str, body: &str) -> Response<Body> {
    let language = if russian { "ru" } else { "en" };
    let prefix = escape(&site.prefix);
    let mut fonts = String::new();
    for path in static_files::fonts() {
        let range = if path.contains("cyrillic") {
            "U+0301,U+0400-045F,U+0490-0491,U+2116"
        } else {
            "U+0000-00FF,U+2000-206F,U+2122,U+2190-2193"
        };
        fonts.push_str(&format!(
            "@font-face{{font-family:'Golos Text';font-display:swap;font-weight:400 900;\
             src:url({prefix}{path}) format('woff2');unicode-range:{range}}}"
        ));
    }
    let text = format!(
        "<!DOCTYPE html>\n<html lang=\"{language}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <link rel=\"icon\" type=\"image/svg+xml\" href=\"{prefix}/favicon.svg\">\
         <title>{title} · Sidetone</title><style>{fonts}{STYLE}</style></head>\n\
         <body><main>{LOGO}<h1>{title}</h1>\n{body}</main></body></html>\n"
    );
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, value("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, value("no-store"));
    headers.insert(CONTENT_LANGUAGE, value(language));
    headers.insert(CONTENT_SECURITY_POLICY, value(POLICY));
    response
}

/// Text inside HTML, attributes included.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            character => escaped.push(character),
        }
    }
    escaped
}

/// A header value of our own making; what could not be one becomes empty.
pub(crate) fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Whether Russian comes before English; browsers list languages in the order of preference.
pub(crate) fn prefers_russian(request: &HeaderMap) -> bool {
    let languages = request.get(ACCEPT_LANGUAGE);
    let languages = languages.and_then(|value| value.to_str().ok());
    languages.is_some_and(is_russian_first)
}

fn is_russian_first(languages: &str) -> bool {
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

/// These pages have no script; their style is in them.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; font-src 'self'; \
img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const LOGO: &str = "<svg viewBox=\"0 0 32 32\" width=\"44\" height=\"44\" aria-hidden=\"true\">\
<rect width=\"32\" height=\"32\" rx=\"8\" fill=\"#24211c\"/>\
<circle cx=\"16\" cy=\"16\" r=\"9\" fill=\"none\" stroke=\"#d9a441\" stroke-width=\"4\"/>\
<circle cx=\"16\" cy=\"16\" r=\"3\" fill=\"#3fa66b\"/></svg>";

/// The colours of the phone page.
const STYLE: &str = include_str!("page.css");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_language_decides() {
        assert!(is_russian_first("ru-RU,ru;q=0.9,en;q=0.8"));
        assert!(is_russian_first("de, ru"));
        assert!(!is_russian_first("en-US,en;q=0.9,ru;q=0.8"));
        assert!(!is_russian_first("ж"));
        assert!(!is_russian_first(""));
    }

    #[test]
    fn what_comes_from_elsewhere_is_escaped() {
        assert_eq!(
            escape("<a href='x'>&\""),
            "&lt;a href=&#39;x&#39;&gt;&amp;&quot;"
        );
    }
}
