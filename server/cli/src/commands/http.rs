//! `http show status`.

use config::Http;
use web::Listen;

use crate::command::{Command, Outcome, Takes};
use crate::exchange::Exchange;

pub(crate) static SHOW_STATUS: Command = Command {
    path: "http show status",
    takes: Takes::Nothing,
    synopsis: "Display HTTP server status",
    doc: "Shows where the web server listens and which paths it serves beside the page.",
    run: |exchange, _| Box::pin(async { show_status(exchange) }),
};

fn show_status(exchange: &Exchange) -> Outcome {
    let parts = &exchange.parts;
    let server = parts.server.get();
    let listening = server.map(web::Server::listening).unwrap_or_default();
    let paths = server.map(web::Server::paths).unwrap_or_default();
    let config = parts.switch.config();
    Outcome::Done(render(parts.product, &config.http, &listening, &paths))
}

/// What a path is for, as far as the console knows it.
fn purpose(path: &str) -> &'static str {
    match path {
        "/ws" => "HTTP WebSocket",
        "/status" => "General Status",
        "/client.json" => "Settings of the Page",
        "/httpstatus" => "HTTP General Status",
        "/static/..." => "HTTP Static Delivery",
        _ => "JSON",
    }
}

fn render(product: &str, http: &Http, listening: &[Listen], paths: &[&str]) -> String {
    let mut text = String::from("HTTP Server Status:\n");
    let prefix = &http.prefix;
    let server = http.server_name.as_deref().unwrap_or(product);
    text.push_str(&format!("Prefix: {prefix}\nServer: {server}\n"));
    for (secure, scheme) in [(false, "HTTP"), (true, "HTTPS")] {
        let own = listening.iter().filter(|listen| listen.secure == secure);
        let lines: Vec<String> = own
            .map(|listen| format!("{scheme} Server Enabled and Bound to {}\n", listen.address))
            .map(|line| {
                if secure {
                    line
                } else {
                    line.replacen("HTTP ", "", 1)
                }
            })
            .collect();
        match (lines.is_empty(), secure) {
            (true, false) => text.push_str("Server Disabled\n\n"),
            (true, true) => {}
            (false, _) => text.push_str(&(lines.concat() + "\n")),
        }
    }
    text.push_str("Enabled URI's:\n");
    let own = [
        ("/httpstatus", http.status_page),
        ("/static/...", http.static_files),
    ];
    let own = own.iter().filter(|(_, on)| *on).map(|(path, _)| path);
    for path in paths.iter().chain(own) {
        text.push_str(&format!("{prefix}{path} => {}\n", purpose(path)));
    }
    text.push_str("\nEnabled Redirects:\n");
    for redirect in &http.redirects {
        text.push_str(&format!("  {} => {}\n", redirect.from, redirect.to));
    }
    if http.redirects.is_empty() {
        text.push_str("  None.\n");
    }
    text.push_str("\nPath Restrictions:\n");
    if http.restrictions.is_empty() {
        text.push_str("  None.\n");
    }
    for restriction in &http.restrictions {
        text.push_str(&format!("  Path: {}\n", restriction.path));
        for name in &restriction.source.named {
            text.push_str(&format!("    ACL: {name}\n"));
        }
        for (number, rule) in restriction.source.own.rules().iter().enumerate() {
            let sense = if rule.permit { "allow" } else { "deny" };
            text.push_str(&format!("    {number:3}: {sense} - {}\n", rule.network));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use config::{Http, Redirect};
    use expect_test::expect;
    use web::Listen;

    use super::render;

    fn listen(address: &str, secure: bool) -> Listen {
        Listen {
            address: address.parse().unwrap(),
            secure,
            optional: false,
        }
    }

    #[test]
    fn says_where_it_listens_and_what_it_serves() {
        let http = Http {
            redirects: vec![Redirect {
                from: "/cmp2k".to_owned(),
                to: "/static/cyber_mega_phone_2k/index.html".to_owned(),
            }],
            ..Http::default()
        };
        let listening = [
            listen("127.0.0.1:8088", false),
            listen("127.0.0.1:8089", true),
        ];
        let text = render("Sidetone/0.1.0", &http, &listening, &["/ws", "/status"]);
        expect![[r#"
            HTTP Server Status:
            Prefix: 
            Server: Sidetone/0.1.0
            Server Enabled and Bound to 127.0.0.1:8088

            HTTPS Server Enabled and Bound to 127.0.0.1:8089

            Enabled URI's:
            /ws => HTTP WebSocket
            /status => General Status

            Enabled Redirects:
              /cmp2k => /static/cyber_mega_phone_2k/index.html

            Path Restrictions:
              None.
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn says_who_may_open_what() {
        let conf = "[general]\nenabled=yes\nbindaddr=127.0.0.1\nprefix=pbx\nservername=Exchange\n\
                    enable_static=yes\nenable_status=yes\n\
                    [/pbx/ws]\ntype=restriction\nacl=phones\ndeny=0.0.0.0/0\npermit=192.0.2.0/24\n";
        let files = [
            ("http.conf", conf),
            ("acl.conf", "[phones]\ndeny=192.0.2.9\n"),
        ];
        let (config, messages) = config::load(&files.as_slice());
        assert!(messages.is_empty(), "{messages:?}");
        let http = config.unwrap().http;
        let text = render("Sidetone/0.1.0", &http, &[], &["/ws"]);
        expect![[r#"
            HTTP Server Status:
            Prefix: /pbx
            Server: Exchange
            Server Disabled

            Enabled URI's:
            /pbx/ws => HTTP WebSocket
            /pbx/httpstatus => HTTP General Status
            /pbx/static/... => HTTP Static Delivery

            Enabled Redirects:
              None.

            Path Restrictions:
              Path: /pbx/ws
                ACL: phones
                  0: deny - 0.0.0.0/0
                  1: allow - 192.0.2.0/24
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn says_that_it_is_disabled() {
        let text = render("Sidetone/0.1.0", &Http::default(), &[], &[]);
        assert!(
            text.contains("\nServer Disabled\n\nEnabled URI's:\n"),
            "{text}"
        );
    }
}
