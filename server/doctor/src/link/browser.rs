//! A real browser on the product's own page: signs in, calls the echo, decodes what comes back.

use serde_json::Value;

use crate::chromium::{self, Chromium};
use crate::phone::Account;
use crate::report::Link;
use crate::wire::Url;

const NAME: &str = "browser";

/// Opens the page of the WebSocket's server and calls `exten`.
pub(crate) async fn examine(url: &Url, account: &Account, exten: &str) -> Link {
    let Some(program) = chromium::program() else {
        return Link::skipped(NAME, "no Chromium is installed (apt install chromium)");
    };
    let page = format!("{}{}/", url.origin(), url.path.trim_end_matches("/ws"));
    let mut link = Link::new(NAME, page.clone());
    let resolve = url.at.map(|address| (url.host.as_str(), address));
    let mut browser = match Chromium::open(program, &page, resolve).await {
        Ok(browser) => browser,
        Err(reason) => {
            link.fail(
                None,
                format!("Chromium cannot be used: {reason}"),
                "see whether it starts by hand",
            );
            return link;
        }
    };
    let words = [&account.id, account.password.expose(), exten];
    let words = words.map(|word| Value::from(word.to_owned()).to_string());
    let seen = browser
        .evaluate(&format!("{SCRIPT}({})", words.join(", ")))
        .await;
    browser.close().await;
    match seen {
        Ok(seen) => judge(&seen, &page, exten, account, &mut link),
        Err(reason) => link.fail(
            None,
            format!("{page} in Chromium: {reason}"),
            "see its console by hand",
        ),
    }
    link
}

fn judge(seen: &Value, page: &str, exten: &str, account: &Account, link: &mut Link) {
    let number = |name: &str| seen[name].as_u64().unwrap_or(0);
    let why = seen["error"].as_str().unwrap_or("nothing happens");
    match seen["step"].as_str().unwrap_or_default() {
        "done" => {
            link.summary = format!(
                "Chromium calls {exten} as {} from {page}: {} packets of sound sent and {} received, {} \
                 pictures decoded, {} ms in all",
                account.id,
                number("audio_sent"),
                number("audio_received"),
                number("frames_decoded"),
                number("ms"),
            );
        }
        "page" => link.fail(
            None,
            format!("{page} shows no phone in Chromium ({why})"),
            "open it by hand; a proxy may serve something else there",
        ),
        "register" => link.fail(
            None,
            format!("Chromium does not get registered as {} from {page}: {why}", account.id),
            "the user name of the page is the endpoint's: it must be the auth's username too",
        ),
        _ => link.fail(
            None,
            format!(
                "Chromium calls {exten} from {page}, but only {} packets of sound and {} pictures come back: {why}",
                number("audio_received"),
                number("frames_decoded")
            ),
            "see the links `call` and `firewall`, and chrome://webrtc-internals by hand",
        ),
    }
    link.details = seen.clone();
}

/// Takes user, password and number.
const SCRIPT: &str = include_str!("browser.js");
