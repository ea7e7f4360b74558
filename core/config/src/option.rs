//! Option tables: one row per option, and the parsers rows are made of.

use conf::closest;
use std::fmt;

/// One option of an object of type `T`.
pub struct Row<T: 'static> {
    /// Its name in files, which is its column in the database.
    pub name: &'static str,
    /// Asterisk's default; empty if it is unset.
    pub default: &'static str,
    /// Whether it does anything here.
    pub effect: Effect,
    /// What it is for, in one sentence.
    pub doc: &'static str,
    /// Reads a value into the object.
    pub set: fn(&mut T, &str) -> Result<(), Fault>,
}

/// Whether an option does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// As Asterisk documents it.
    Served,
    /// Read and kept; what it asks for is not there yet.
    Unserved,
}

/// Why a value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not a yes or no.
    NotYesNo,
    /// Not a number between these.
    NotNumber(u64, u64),
    /// None of the words the option knows.
    NotOneOf(&'static [&'static str]),
    /// No codec has this name.
    UnknownCodec(String),
    /// Not an address with or without a port.
    NotAddress,
    /// Neither `from to` nor something like it.
    NotRedirect,
    /// Not `name=value`.
    NotAssignment,
    /// Not `ALGORITHM:hexadecimal` of the right length.
    NotDigest,
    /// Too many of something; the limit.
    TooMany(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYesNo => f.write_str("is neither yes nor no"),
            Self::NotNumber(least, most) => write!(f, "is not a number from {least} to {most}"),
            Self::NotOneOf(words) => write!(f, "is none of {}", words.join(", ")),
            Self::UnknownCodec(name) => write!(f, "names the unknown codec `{name}`"),
            Self::NotAddress => f.write_str("is not an IP address with an optional port"),
            Self::NotRedirect => f.write_str("is not two paths, `/from /to`"),
            Self::NotAssignment => f.write_str("is not `name=value`"),
            Self::NotDigest => f.write_str("is not `ALGORITHM:hexadecimal hash`"),
            Self::TooMany(most) => write!(f, "names more than {most}"),
        }
    }
}

impl Fault {
    /// What was probably meant by `value`.
    pub fn meant(&self, value: &str) -> Option<&'static str> {
        match self {
            Self::NotOneOf(words) => closest(value, words.iter().copied()),
            Self::NotYesNo => closest(value, ["yes", "no", "true", "false", "on", "off"]),
            Self::UnknownCodec(name) => closest(name, codec::CODECS.iter().map(|codec| codec.name)),
            Self::NotNumber(..)
            | Self::NotAddress
            | Self::NotRedirect
            | Self::NotAssignment
            | Self::NotDigest
            | Self::TooMany(_) => None,
        }
    }
}

/// Asterisk's spellings of a yes and of a no.
pub(crate) fn yes_no(value: &str) -> Result<bool, Fault> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "y" | "t" | "1" | "on" => Ok(true),
        "no" | "false" | "n" | "f" | "0" | "off" => Ok(false),
        _ => Err(Fault::NotYesNo),
    }
}

/// A whole number between two bounds, both allowed.
pub(crate) fn number<N: TryFrom<u64>>(value: &str, least: u64, most: u64) -> Result<N, Fault> {
    let number: Option<u64> = value.parse().ok();
    number
        .filter(|number| (least..=most).contains(number))
        .and_then(|number| N::try_from(number).ok())
        .ok_or(Fault::NotNumber(least, most))
}

/// One of a list of words, compared without case; its index.
pub(crate) fn word(value: &str, words: &'static [&'static str]) -> Result<usize, Fault> {
    let found = words
        .iter()
        .position(|word| word.eq_ignore_ascii_case(value));
    found.ok_or(Fault::NotOneOf(words))
}

/// Text, or nothing if it is empty.
pub(crate) fn text(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

/// Names between commas, none of them empty, not too many.
pub(crate) fn names(value: &str) -> Result<Vec<String>, Fault> {
    let names = value.split(',').map(str::trim);
    let names: Vec<String> = names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if names.len() > NAMES_MAX {
        return Err(Fault::TooMany(NAMES_MAX));
    }
    Ok(names)
}

/// Names in one comma list.
const NAMES_MAX: usize = 100;
