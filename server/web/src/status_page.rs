//! `/httpstatus`: what the web server serves, for whoever may open it, as Asterisk has it.

use axum::body::Body;
use axum::http::{HeaderMap, Response};

use crate::listener::State;
use crate::page::{escape, page as whole, prefers_russian};

/// The words of one language.
struct Words {
    title: &'static str,
    server: &'static str,
    prefix: &'static str,
    none: &'static str,
    disabled: &'static str,
    paths: &'static str,
    redirects: &'static str,
    note: &'static str,
}

const ENGLISH: Words = Words {
    title: "HTTP server status",
    server: "Server",
    prefix: "Prefix",
    none: "none",
    disabled: "disabled",
    paths: "Enabled URIs",
    redirects: "Redirects",
    note: "This page is on because of <code>enable_status=yes</code> in <code>http.conf</code>.",
};

const RUSSIAN: Words = Words {
    title: "Состояние HTTP-сервера",
    server: "Сервер",
    prefix: "Префикс",
    none: "нет",
    disabled: "выключен",
    paths: "Адреса",
    redirects: "Перенаправления",
    note: "Страница включена строкой <code>enable_status=yes</code> в <code>http.conf</code>.",
};

pub(crate) fn page<'a>(
    state: &State,
    paths: impl Iterator<Item = &'a str>,
    request: &HeaderMap,
) -> Response<Body> {
    let russian = prefers_russian(request);
    let words = if russian { &RUSSIAN } else { &ENGLISH };
    let site = &state.site;
    let text = |text: &str| match text.is_empty() {
        true => words.none.to_owned(),
        false => format!("<code>{}</code>", escape(text)),
    };
    let mut rows = row(
        words.server,
        &text(site.server_name.as_deref().unwrap_or_default()),
    );
    rows.push_str(&row(words.prefix, &text(&site.prefix)));
    for (secure, name) in [(false, "HTTP"), (true, "HTTPS")] {
        let own = state
            .listening
            .iter()
            .filter(|listen| listen.secure == secure);
        let own: Vec<String> = own
            .map(|listen| text(&listen.address.to_string()))
            .collect();
        let shown = match own.is_empty() {
            true => words.disabled.to_owned(),
            false => own.join("<br>"),
        };
        rows.push_str(&row(name, &shown));
    }
    let mut body = format!("<table>{rows}</table><h2>{}</h2><table>", words.paths);
    let fixed = [
        ("/httpstatus", true),
        ("/static/…", site.static_folder.is_some()),
    ];
    let fixed = fixed
        .into_iter()
        .filter(|(_, on)| *on)
        .map(|(path, _)| path);
    for path in paths.chain(fixed) {
        let path = format!("{}{path}", site.prefix);
        body.push_str(&format!("<tr><td>{}</td></tr>", text(&path)));
    }
    body.push_str("</table>");
    if !site.redirects.is_empty() {
        body.push_str(&format!("<h2>{}</h2><table>", words.redirects));
        for redirect in &site.redirects {
            body.push_str(&row(&text(&redirect.from), &text(&redirect.to)));
        }
        body.push_str("</table>");
    }
    body.push_str(&format!("<p class=\"soft\"><br>{}</p>", words.note));
    whole(site, russian, words.title, &body)
}

fn row(name: &str, value: &str) -> String {
    format!("<tr><th>{name}</th><td>{value}</td></tr>")
}
