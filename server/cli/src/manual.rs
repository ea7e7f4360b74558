//! The commands as a page to read: what `docs/console.md` holds.

use crate::commands::COMMANDS;

/// Every command with its usage, in Markdown, made from the table that runs them.
pub fn manual() -> String {
    let mut page = String::from(
        "# Console\n\n\
         Made from the program's own table (`server/cli`); a test compares them.\n\n\
         `sidetone console` (or `sidetone -r`) opens a console of the running exchange, with line editing,\n\
         history, completion by what there is at the moment (Tab), and the log as it goes by: `-v` shows what\n\
         happens in calls, `-vvv` each step of the dial plan. `exit`, `quit`, Ctrl-C and Ctrl-D leave it; the\n\
         exchange goes on. When the exchange restarts, the console finds it again.\n\n\
         `sidetone -rx \"core show channels\"` runs one command and prints its answer; `sidetone exec core show\n\
         channels` also fails if the command does. Commands piped into `sidetone console` are run one by one.\n\
         All take `--data DIR` if the exchange runs with it: they speak by a socket in that folder, which only\n\
         its owner may open. The answers have the shape of Asterisk's.\n\n\
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
