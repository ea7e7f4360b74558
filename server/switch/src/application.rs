//! What a dial plan application is: a name, its documentation, and one asynchronous function.

use std::future::Future;
use std::pin::Pin;

use crate::channel::Channel;
use crate::event::AppResult;

/// One application of the dial plan. Applications are statics in one table; nothing registers at run time.
pub struct Application {
    /// The name in the dial plan, compared without case.
    pub name: &'static str,
    /// What it does, in a few words.
    pub synopsis: &'static str,
    /// The whole documentation, in Markdown.
    pub doc: &'static str,
    /// Runs it.
    pub run: Run,
}

/// The function of an application. It owns the channel while it runs and gives it back by returning.
pub type Run = for<'a> fn(&'a mut Channel, Args<'a>) -> Running<'a>;

/// A running application.
pub type Running<'a> = Pin<Box<dyn Future<Output = AppResult> + Send + 'a>>;

/// The arguments of an application, variables substituted, and where they stand.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    text: &'a str,
    file: &'a str,
    line: u32,
}

impl<'a> Args<'a> {
    /// The arguments as they stand between the parentheses.
    pub fn new(text: &'a str, file: &'a str, line: u32) -> Self {
        Self { text, file, line }
    }

    /// The whole text, commas and all.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The comma-separated argument at `index`, trimmed; `None` if it is missing or empty.
    pub fn at(&self, index: usize) -> Option<&'a str> {
        let argument = split(self.text).nth(index)?.trim();
        (!argument.is_empty()).then_some(argument)
    }

    /// How many arguments there are; an empty text has none.
    pub fn count(&self) -> usize {
        if self.text.trim().is_empty() {
            0
        } else {
            split(self.text).count()
        }
    }

    /// Where the step stands: `extensions.conf:12`, or `extensions, row 7`.
    pub fn place(&self) -> String {
        match self.line {
            0 => self.file.to_owned(),
            line => format!("{}:{line}", self.file),
        }
    }

    /// The file of the dial plan the step stands in; the table and the row if it is in none.
    pub fn file(&self) -> &'a str {
        self.file
    }

    /// The line in that file; 0 for a row.
    pub fn line(&self) -> u32 {
        self.line
    }
}

/// Splits at commas that are outside of parentheses, brackets and double quotes, as Asterisk does.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |character: char| {
        if std::mem::take(&mut escaped) {
            return false;
        }
        match character {
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '(' | '[' if !quoted => depth += 1,
            ')' | ']' if !quoted => depth = depth.saturating_sub(1),
            ',' => return !quoted && depth == 0,
            _ => {}
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::Args;

    #[test]
    fn commas_separate_outside_of_parentheses_and_quotes() {
        let args = Args::new(r#" 4 ,f(a,b),"x,y",,\,z"#, "extensions.conf", 3);
        assert_eq!(args.count(), 5);
        assert_eq!(args.at(0), Some("4"));
        assert_eq!(args.at(1), Some("f(a,b)"));
        assert_eq!(args.at(2), Some(r#""x,y""#));
        assert_eq!(args.at(3), None);
        assert_eq!(args.at(4), Some(r"\,z"));
        assert_eq!(args.at(5), None);
    }

    #[test]
    fn no_text_is_no_argument() {
        assert_eq!(Args::new("  ", "f", 1).count(), 0);
        assert_eq!(Args::new("", "f", 1).at(0), None);
    }
}
