//! The options as a page to read: what `docs/configuration.md` holds.

use std::fmt::Write as _;

use crate::http::General;
use crate::option::Object;
use crate::{Aor, Auth, Endpoint, Global, Own, Rtp, TransportConfig, known};

/// Every option of every kind of object, in Markdown. Made from the tables that the readers use, so
/// that the page cannot say anything else than the program does.
pub fn manual() -> String {
    let mut page = String::from(
        "# Options\n\n\
         Made from the program's own tables (`core/config`); a test compares them. Names and defaults \
         are Asterisk's.\n",
    );
    page.push_str("\n## pjsip.conf\n");
    describe::<Endpoint>(&mut page);
    describe::<Auth>(&mut page);
    describe::<Aor>(&mut page);
    describe::<TransportConfig>(&mut page);
    describe::<Global>(&mut page);
    page.push_str("\n## http.conf\n");
    describe::<General>(&mut page);
    page.push_str("\n## rtp.conf\n");
    describe::<Rtp>(&mut page);
    page.push_str("\n## sidetone.conf\n");
    describe::<Own>(&mut page);
    page
}

fn describe<T: Object>(page: &mut String) {
    let kind = T::KIND;
    let _ = writeln!(
        page,
        "\n### {kind}\n\n| option | default | meaning |\n|---|---|---|"
    );
    for row in T::OPTIONS {
        let default = if row.default.is_empty() {
            String::new()
        } else {
            format!("`{}`", row.default)
        };
        let doc = row.doc.replace('|', "\\|");
        let _ = writeln!(page, "| `{}` | {default} | {doc} |", row.name);
    }
    let unserved: Vec<String> = known::names(kind).map(|name| format!("`{name}`")).collect();
    if !unserved.is_empty() {
        let _ = writeln!(
            page,
            "\nRead without effect, and said so: {}.",
            unserved.join(", ")
        );
    }
}
