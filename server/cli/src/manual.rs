//! The commands as a page to read: what `docs/console.md` holds.

use crate::commands::COMMANDS;

/// Every command with its usage, in Markdown, made from the table that runs them.
pub fn manual() -> String {
    let mut page = String::from(
        "# Console\n\n\
         Made from the program's own table (`server/cli`); a test compares them. A command is typed\n\
         as `sidetone -rx \"core show channels\"`, with `--data DIR` if the exchange runs with it. The\n\
         answers have the shape of Asterisk's.\n\n\
         | command | what it does |\n|---|---|\n",
    );
    for command in COMMANDS {
        let usage = command.usage().replace('|', "\\|");
        page.push_str(&format!("| `{usage}` | {} |\n", command.synopsis));
    }
    for command in COMMANDS {
        page.push_str(&format!("\n## {}\n\n", command.path));
        page.push_str(&format!("    {}\n\n{}\n", command.usage(), command.doc));
    }
    page
}
