//! The manual page and the shells' completions, made from the table of the command line.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Arg, ArgAction, Command, CommandFactory as _};
use clap_complete::Shell;

use crate::arguments::Arguments;

/// Prints what a shell completes after `sidetone`.
pub(crate) fn completions(shell: Shell) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "sidetone", &mut text);
    print(&text)
}

/// Prints `sidetone.1`: the program, then each of its commands.
pub(crate) fn page() -> ExitCode {
    let mut text = Vec::new();
    match write_page(&mut text) {
        Ok(()) => print(&text),
        Err(_) => ExitCode::FAILURE,
    }
}

fn write_page(to: &mut Vec<u8>) -> io::Result<()> {
    let command = Arguments::command();
    let page = clap_mangen::Man::new(command.clone()).date(String::new());
    page.render_title(to)?;
    page.render_name_section(to)?;
    synopsis(to, &command)?;
    page.render_description_section(to)?;
    page.render_options_section(to)?;
    writeln!(to, ".SH COMMANDS")?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        writeln!(to, ".SS sidetone {}", sub.get_name())?;
        let about = sub.get_long_about().or_else(|| sub.get_about());
        if let Some(about) = about {
            writeln!(to, "{}", roff(&about.to_string()))?;
        }
        let shown = |argument: &&Arg| !argument.is_hide_set();
        for argument in sub.get_arguments().filter(shown) {
            let names = argument.get_value_names().unwrap_or_default();
            let values: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            let is_switch = argument.get_action().takes_values();
            let value = if is_switch {
                values.join(" ")
            } else {
                String::new()
            };
            let head = match argument.get_long() {
                Some(long) => format!("\\fB\\-\\-{}\\fR \\fI{value}\\fR", long.replace('-', "\\-")),
                None => format!("\\fI{value}\\fR"),
            };
            writeln!(to, ".TP\n{}", head.replace(" \\fI\\fR", ""))?;
            if let Some(help) = argument.get_help() {
                writeln!(to, "{}", roff(&help.to_string()))?;
            }
        }
    }
    to.write_all(MORE.as_bytes())
}

/// How the program and each of its commands are typed, with what each switch takes.
fn synopsis(to: &mut Vec<u8>, command: &Command) -> io::Result<()> {
    writeln!(to, ".SH SYNOPSIS\n{}", typed("sidetone", command))?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let name = format!("sidetone {}", sub.get_name());
        writeln!(to, ".br\n{}", typed(&name, sub))?;
    }
    Ok(())
}

/// `sidetone check [--asterisk] [--data DIR] [DIR]`.
fn typed(name: &str, command: &Command) -> String {
    let mut words = vec![format!("\\fB{name}\\fR")];
    let shown = |argument: &&Arg| !argument.is_hide_set();
    let (positional, switches): (Vec<_>, Vec<_>) = command
        .get_arguments()
        .filter(shown)
        .partition(|argument| argument.is_positional());
    for argument in switches.into_iter().chain(positional) {
        let name = match (argument.get_long(), argument.get_short()) {
            (Some(long), _) => format!("\\fB\\-\\-{}\\fR", long.replace('-', "\\-")),
            (None, Some(short)) => format!("\\fB\\-{short}\\fR"),
            (None, None) => String::new(),
        };
        let values = match argument.get_action().takes_values() {
            true => argument.get_value_names().unwrap_or_default(),
            false => &[],
        };
        let values: Vec<String> = values
            .iter()
            .map(|value| format!("\\fI{value}\\fR"))
            .collect();
        let word = format!("{name} {}", values.join(" "));
        let repeats = matches!(argument.get_action(), ArgAction::Append | ArgAction::Count);
        let dots = if repeats { "..." } else { "" };
        words.push(match argument.is_required_set() {
            true => format!("{}{dots}", word.trim()),
            false => format!("[{}]{dots}", word.trim()),
        });
    }
    let commands: Vec<&str> = match name {
        // Each has a line of its own.
        "sidetone" => Vec::new(),
        _ => command.get_subcommands().map(Command::get_name).collect(),
    };
    if !commands.is_empty() {
        words.push(format!("{{{}}}", commands.join("|")));
    }
    words.join(" ")
}

/// Text that roff prints as it is.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let lines = text.lines().map(|line| match line {
        "" => ".PP".to_owned(),
        line if line.starts_with(['.', '\'']) => format!("\\&{line}"),
        line => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

const MORE: &str = r#".SH FILES
.TP
\fI/etc/sidetone/\fR
pjsip.conf, http.conf, extensions.conf, rtp.conf and others, as Asterisk reads them; sidetone.conf for what Asterisk has no file for.
.TP
\fI/var/lib/sidetone/\fR
What must survive a restart: the database, journals, the console's socket.
.SH SIGNALS
.TP
\fBSIGHUP\fR
Reads the configuration again, all or nothing.
.TP
\fBSIGTERM\fR
Refuses new calls, lets the running ones end for as long as \fBdrain\fR in sidetone.conf says (30 seconds), then hangs up and leaves. A second one hangs up at once.
.TP
\fBSIGINT\fR
Hangs up and leaves at once.
.SH EXIT STATUS
0 after an orderly stop; 1 if it could not start, if a command failed, or if \fBdoctor\fR found a link broken.
.SH SEE ALSO
\fBsystemctl\fR(1), \fBjournalctl\fR(1); the manual at /usr/share/doc/sidetone.
"#;

/// A pipe that was closed is no fault.
fn print(text: &[u8]) -> ExitCode {
    let _ = io::stdout().write_all(text);
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::write_page;
    use crate::arguments::Arguments;

    #[test]
    fn the_synopsis_says_what_each_switch_takes() {
        let mut page = Vec::new();
        write_page(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        let (_, rest) = page.split_once(".SH SYNOPSIS\n").unwrap();
        let (synopsis, _) = rest.split_once("\n.ie").unwrap();
        for line in [
            "\\fBsidetone\\fR [\\fB\\-r\\fR] [\\fB\\-v\\fR]... [\\fB\\-x\\fR \\fICOMMAND\\fR] \
             [\\fB\\-\\-config\\fR \\fIDIR\\fR] ",
            "\n\\fBsidetone check\\fR [\\fB\\-\\-asterisk\\fR] [\\fB\\-\\-json\\fR] \
             [\\fB\\-\\-data\\fR \\fIDIR\\fR] [\\fIDIR\\fR]\n",
            " {init|schema|exec|check}\n",
            "\n\\fBsidetone man\\fR",
        ] {
            assert!(synopsis.contains(line), "{line}\n{synopsis}");
        }
        assert!(
            !synopsis.contains(" \\fR"),
            "a switch without what it takes: {synopsis}"
        );
    }

    #[test]
    fn the_page_has_every_command_and_switch() {
        let mut page = Vec::new();
        write_page(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        for sub in Arguments::command().get_subcommands() {
            let name = sub.get_name();
            assert!(page.contains(&format!(".SS sidetone {name}\n")), "{name}");
            for argument in sub
                .get_arguments()
                .filter(|argument| !argument.is_hide_set())
            {
                if let Some(long) = argument.get_long() {
                    let long = format!("\\-\\-{}", long.replace('-', "\\-"));
                    assert!(page.contains(&long), "{name} {long}");
                }
            }
        }
        assert!(!page.contains("\n.root"), "hidden switches stay hidden");
    }
}
