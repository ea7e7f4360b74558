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
        }
    }
}

impl Command {
    /// The path with the words it may end in, as `core show help` lists it.
    pub fn listed(&self) -> String {
        match self.takes {
            Takes::Maybe(_) | Takes::One(_) => self.usage(),
            Takes::Nothing
            | Takes::Channel
            | Takes::ChannelOrAll
            | Takes::Endpoint
            | Takes::Aor
            | Takes::Application
            | Takes::Extension
            | Takes::Module
            | Takes::Command => self.path.to_owned(),
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
