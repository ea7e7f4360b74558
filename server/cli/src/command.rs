//! What a command is: its words, its documentation, and one asynchronous function.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::commands::COMMANDS;
use crate::exchange::Exchange;

/// One command of the console. Commands are rows of one table; nothing registers at run time.
pub struct Command {
    /// Its words, as typed: `pjsip show contacts`.
    pub path: &'static str,
    /// What may follow them.
    pub takes: Takes,
    /// What it does, in a few words, as `core show help` lists it.
    pub synopsis: &'static str,
    /// The whole documentation, in plain text.
    pub doc: &'static str,
    /// Runs it.
    pub run: Run,
}

/// The function of a command; it gets the words after the path.
pub type Run = for<'a> fn(&'a Exchange, &'a [String]) -> Running<'a>;

/// A running command.
pub type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What was asked for.
    Done(String),
    /// The thing it names is not there.
    Missing(String),
    /// It could not be done; said in its own words first.
    Failed(String),
    /// It was not typed as it is used.
    Usage,
}

/// What may follow the path of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// Nothing, or one of these words.
    Maybe(&'static [&'static str]),
    /// One of these words.
    One(&'static [&'static str]),
    /// The name of a channel.
    Channel,
    /// The name of a channel, or `all`.
    ChannelOrAll,
    /// The name of an endpoint.
    Endpoint,
    /// The name of an address of record.
    Aor,
    /// The name of an application.
    Application,
    /// Nothing, a context, or `extension@context`.
    Extension,
    /// Nothing, or the name of a module.
    Module,
    /// Nothing, a command or its beginning.
    Command,
    /// These, one after the other.
    Form(&'static [Slot]),
}

/// One place in the words that follow a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// This word.
    Word(&'static str),
    /// One of these words.
    One(&'static [&'static str]),
    /// A name, as the usage line calls it, and where to look for those there are.
    Name(&'static str, Names),
    /// Any word, as the usage line calls it.
    Any(&'static str),
    /// What follows may be left out from here on.
    Optional,
    /// Any number of words, one at least; the last slot.
    Rest(&'static str),
}

/// Names the exchange knows, for completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Live channels.
    Channels,
    /// Endpoints of files and database.
    Endpoints,
    /// Addresses of record of the files.
    Aors,
    /// Auths of the files.
    Auths,
    /// Registered contacts: `aor/uri`.
    Contacts,
    /// Transports.
    Transports,
    /// Identifies of the files and the database.
    Identifies,
    /// Registrations at other servers.
    Registrations,
    /// The same, or `*all`.
    RegistrationsOrAll,
    /// Applications of the dial plan.
    Applications,
    /// Functions of the dial plan.
    Functions,
    /// Contexts of the dial plan.
    Contexts,
    /// Modules, as `module reload` names them.
    Modules,
}

impl Slot {
    /// Whether this word may stand here.
    fn fits(self, word: &str) -> bool {
        match self {
            Self::Word(own) => own.eq_ignore_ascii_case(word),
            Self::One(list) => list.iter().any(|own| own.eq_ignore_ascii_case(word)),
            Self::Name(..) | Self::Any(_) | Self::Rest(_) => true,
            Self::Optional => false,
        }
    }

    fn written(self) -> String {
        match self {
            Self::Word(word) => word.to_owned(),
            Self::One(list) => format!("{{{}}}", list.join("|")),
            Self::Name(name, _) | Self::Any(name) => format!("<{name}>"),
            Self::Rest(name) => format!("<{name}>..."),
            Self::Optional => String::new(),
        }
    }
}

/// The slot that comes after so many words, if one does.
pub(crate) fn slot_after(form: &[Slot], words: &[String]) -> Option<Slot> {
    let mut slots = form.iter().copied().filter(|slot| *slot != Slot::Optional);
    for word in words {
        match slots.next()? {
            rest @ Slot::Rest(_) => return Some(rest),
            slot if slot.fits(word) => {}
            _ => return None,
        }
    }
    slots.next()
}

/// Whether the words fill the form.
fn fills(form: &[Slot], words: &[String]) -> bool {
    let mut words = words.iter();
    let mut optional = false;
    for slot in form.iter().copied() {
        if slot == Slot::Optional {
            optional = true;
            continue;
        }
        match (slot, words.next()) {
            (_, None) => return optional,
            (Slot::Rest(_), Some(_)) => return true,
            (slot, Some(word)) if slot.fits(word) => {}
            _ => return false,
        }
    }
    words.next().is_none()
}

/// `<extension> into <context> [replace]`.
fn form_written(form: &[Slot]) -> String {
    let mut text = String::new();
    let mut open = 0;
    for slot in form.iter().copied() {
        if slot == Slot::Optional {
            text.push_str(" [");
            open += 1;
            continue;
        }
        let space = if text.ends_with('[') { "" } else { " " };
        text.push_str(&format!("{space}{}", slot.written()));
    }
    text + &"]".repeat(open)
}

impl Takes {
    /// Whether so many words may follow, and these.
    fn fits(self, words: &[String]) -> bool {
        let known = |list: &[&str]| list.iter().any(|word| word.eq_ignore_ascii_case(&words[0]));
        match self {
            Self::Nothing => words.is_empty(),
            Self::Maybe(list) => words.is_empty() || (words.len() == 1 && known(list)),
            Self::One(list) => words.len() == 1 && known(list),
            Self::Extension | Self::Module => words.len() <= 1,
            Self::Command => true,
            Self::Form(form) => fills(form, words),
            Self::Channel | Self::ChannelOrAll | Self::Endpoint | Self::Aor | Self::Application => {
                words.len() == 1
            }
        }
    }

    /// As the usage line writes it, with a space before.
    fn written(self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Maybe(list) => format!(" [{}]", list.join("|")),
            Self::One(list) => format!(" {{{}}}", list.join("|")),
            Self::Channel => " <channel>".to_owned(),
            Self::ChannelOrAll => " <channel>|all".to_owned(),
            Self::Endpoint => " <endpoint>".to_owned(),
            Self::Aor => " <aor>".to_owned(),
            Self::Application => " <application>".to_owned(),
            Self::Extension => " [[extension@]context]".to_owned(),
            Self::Module => " [module]".to_owned(),
            Self::Command => " [command]".to_owned(),
            Self::Form(form) => form_written(form),
        }
    }
}

impl Command {
    /// The path with the words it may end in, as `core show help` lists it.
    pub fn listed(&self) -> String {
        match self.takes {
            Takes::Maybe(_) | Takes::One(_) => self.usage(),
            Takes::Form([first @ Slot::One(list), ..]) if list.len() <= 7 => {
                format!("{} {}", self.path, first.written())
            }
            Takes::Nothing
            | Takes::Channel
            | Takes::ChannelOrAll
            | Takes::Endpoint
            | Takes::Aor
            | Takes::Application
            | Takes::Extension
            | Takes::Module
            | Takes::Command
            | Takes::Form(_) => self.path.to_owned(),
        }
    }

    /// The path with all that may follow.
    pub fn usage(&self) -> String {
        format!("{}{}", self.path, self.takes.written())
    }

    /// The command with the longest path that these words begin with, and the words after it.
    pub(crate) fn find(words: &[String]) -> Option<(&'static Self, &[String])> {
        let found = COMMANDS
            .iter()
            .filter(|command| command.begins(words))
            .max_by_key(|command| command.length())?;
        Some((found, &words[found.length()..]))
    }

    /// Runs it, if it is typed as it is used.
    pub(crate) async fn run(&self, exchange: &Exchange, words: &[String]) -> Outcome {
        match self.takes.fits(words) {
            true => (self.run)(exchange, words).await,
            false => Outcome::Usage,
        }
    }

    /// Whether `words` begins with the path.
    fn begins(&self, words: &[String]) -> bool {
        let mut typed = words.iter();
        let mut path = self.path.split(' ');
        path.all(|word| {
            typed
                .next()
                .is_some_and(|typed| typed.eq_ignore_ascii_case(word))
        })
    }

    /// Words of the path.
    fn length(&self) -> usize {
        self.path.split(' ').count()
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Command").field(&self.path).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, Slot, fills, form_written, slot_after};

    const FORM: &[Slot] = &[
        Slot::Any("extension"),
        Slot::Word("into"),
        Slot::Name("context", Names::Contexts),
        Slot::Optional,
        Slot::Word("replace"),
    ];

    fn words(line: &str) -> Vec<String> {
        crate::words::split(line)
    }

    #[test]
    fn a_form_is_filled_by_its_words_in_order() {
        assert_eq!(form_written(FORM), " <extension> into <context> [replace]");
        for line in ["1,1,Answer into sets", "1,1,Answer INTO sets replace"] {
            assert!(fills(FORM, &words(line)), "{line}");
        }
        for line in [
            "",
            "1,1,Answer into",
            "1 onto sets",
            "1 into sets again",
            "1 into s replace x",
        ] {
            assert!(!fills(FORM, &words(line)), "{line}");
        }
        let rest = &[Slot::Rest("text")];
        assert!(!fills(rest, &[]) && fills(rest, &words("a b c")));
    }

    #[test]
    fn completion_knows_the_next_place() {
        assert_eq!(slot_after(FORM, &words("1")), Some(FORM[1]));
        assert_eq!(slot_after(FORM, &words("1 into")), Some(FORM[2]));
        assert_eq!(slot_after(FORM, &words("1 into c")), Some(FORM[4]));
        assert_eq!(slot_after(FORM, &words("1 onto")), None);
    }
}
