//! Option tables: one row per option, and the parsers rows are made of.

use crate::known;
use conf::closest;
use std::fmt;

/// A kind of object that is written as options, in a file or as a row of a database.
pub trait Object: Sized + 'static {
    /// Its `type=`.
    const KIND: &'static str;
    /// What it can be told.
    const OPTIONS: &'static [Row<Self>];
    /// Names [`Self::free_option`] takes besides.
    const FREE: &'static [&'static str] = &[];
    /// Why none of its options changes anything, if that is so: the end of a sentence.
    const INERT: Option<&'static str> = None;

    /// The object without any option.
    fn named(id: &str) -> Self;

    /// Called after the last option: what one implies for another.
    fn finish(&mut self) {}

    /// Reads an option whose name is not in the table, because names of its kind are free.
    fn free_option(&mut self, _name: &str, _value: &str) -> Option<Applied> {
        None
    }

    /// Whether anybody knows an option of this name.
    fn is_option(name: &str) -> bool {
        let mut rows = Self::OPTIONS.iter();
        rows.any(|row| row.name.eq_ignore_ascii_case(name))
            || known::find(Self::KIND, name).is_some()
    }

    /// Reads one option.
    fn set(&mut self, name: &str, value: &str) -> Applied {
        let mut rows = Self::OPTIONS.iter();
        match rows.find(|row| row.name.eq_ignore_ascii_case(name)) {
            Some(row) => match (row.parse.apply(self, value), row.inert.or(Self::INERT)) {
                (Err(fault), _) => Applied::Fault(fault),
                (Ok(()), Some(why)) => Applied::Inert(why),
                (Ok(()), None) => Applied::Set,
            },
            None => match known::find(Self::KIND, name) {
                Some(known) => Applied::Inert(known.why),
                None => self.free_option(name, value).unwrap_or(Applied::Unknown),
            },
        }
    }

    /// The object kept in a row of a database: columns without a value are left out, unknown ones
    /// are passed over. What does not drop the object is returned beside it.
    fn from_columns<'a>(
        id: &str,
        columns: &[(&'a str, &'a str)],
    ) -> Result<(Self, Vec<BadColumn>), BadColumn> {
        let mut object = Self::named(id);
        let mut bad = Vec::new();
        // `disallow=all` clears what `allow` says, whichever column comes first.
        let (early, late): (Vec<_>, Vec<_>) =
            columns.iter().partition(|(name, _)| *name == "disallow");
        for (name, value) in early.into_iter().chain(late) {
            if value.is_empty() {
                continue;
            }
            if let Applied::Fault(fault) = object.set(name, value) {
                let column = BadColumn {
                    option: (*name).to_owned(),
                    fault,
                };
                if column.fault.drops() {
                    return Err(column);
                }
                bad.push(column);
            }
        }
        object.finish();
        Ok((object, bad))
    }

    /// The option that was probably meant.
    fn closest_option(name: &str) -> Option<&'static str> {
        let rows = Self::OPTIONS.iter().map(|row| row.name);
        closest(
            name,
            rows.chain(known::of(Self::KIND).map(|known| known.name)),
        )
    }
}

/// What became of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is in the object.
    Set,
    /// It is accepted and has no effect here, because of this: the end of a sentence.
    Inert(&'static str),
    /// Nobody knows it.
    Unknown,
    /// Its value cannot be used.
    Fault(Fault),
}

/// A column whose value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadColumn {
    /// The column.
    pub option: String,
    /// Why.
    pub fault: Fault,
}

impl fmt::Display for BadColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.option, self.fault)
    }
}

/// One option of an object of type `T`.
pub struct Row<T: 'static> {
    /// Its name in files, which is its column in the database.
    pub name: &'static str,
    /// Asterisk's default; empty if it is unset.
    pub default: &'static str,
    /// How its value is read, and into which field.
    pub parse: Parse<T>,
    /// What it is for, in one sentence.
    pub doc: &'static str,
    /// Why its value, though read, changes nothing: the end of a sentence.
    pub inert: Option<&'static str>,
}

/// The field of a row.
pub type Field<T, V> = fn(&mut T) -> &mut V;

/// How a value is read, and into which field.
pub enum Parse<T: 'static> {
    /// As it stands.
    Text(Field<T, String>),
    /// As it stands; unset if empty.
    Optional(Field<T, Option<String>>),
    /// Yes or no.
    YesNo(Field<T, bool>),
    /// A whole number between two bounds, both allowed.
    Number(Field<T, u32>, u32, u32),
    /// Names between commas.
    Names(Field<T, Vec<String>>),
    /// In its own way.
    Own(fn(&mut T, &str) -> Result<(), Fault>),
}

impl<T> Parse<T> {
    fn apply(&self, object: &mut T, value: &str) -> Result<(), Fault> {
        match self {
            Self::Text(field) => *field(object) = value.to_owned(),
            Self::Optional(field) => *field(object) = text(value),
            Self::YesNo(field) => *field(object) = yes_no(value)?,
            Self::Number(field, least, most) => {
                *field(object) = number(value, (*least).into(), (*most).into())?;
            }
            Self::Names(field) => *field(object) = names(value)?,
            Self::Own(parse) => parse(object, value)?,
        }
        Ok(())
    }
}

/// One row, on one line.
pub(crate) const fn row<T>(
    name: &'static str,
    default: &'static str,
    parse: Parse<T>,
    doc: &'static str,
) -> Row<T> {
    Row {
        name,
        default,
        parse,
        doc,
        inert: None,
    }
}

/// A row of an option that is yes or no.
pub(crate) const fn flag<T>(
    name: &'static str,
    default: &'static str,
    field: Field<T, bool>,
    doc: &'static str,
) -> Row<T> {
    row(name, default, Parse::YesNo(field), doc)
}

/// A row of an option that is read and changes nothing: "it has no effect here, because `why`".
pub(crate) const fn inert<T>(
    name: &'static str,
    default: &'static str,
    parse: Parse<T>,
    doc: &'static str,
    why: &'static str,
) -> Row<T> {
    Row {
        name,
        default,
        parse,
        doc,
        inert: Some(why),
    }
}

/// Why a value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not a yes or no.
    NotYesNo,
    /// Not a number between these.
    NotNumber(u64, u64),
    /// A range whose end lies before its beginning.
    Backwards,
    /// None of the words the option knows.
    NotOneOf(&'static [&'static str]),
    /// No codec has this name.
    UnknownCodec(String),
    /// Asterisk has these codecs, the exchange has not; the others of the list are used.
    CodecsNotHere(Vec<String>),
    /// These are no levels of a log; the others of the list are used.
    UnknownLevels(Vec<String>, &'static [&'static str]),
    /// Not `prefer: …, operation: …, keep: …, transcode: …`.
    NotPreference(codec::NoPreference),
    /// Not an address with or without a port.
    NotAddress,
    /// `::5060`: an address of IPv6 that nobody has, where `::` with a port is meant.
    PortInAddress,
    /// Neither `from to` nor something like it.
    NotRedirect,
    /// Not `name=value`.
    NotAssignment,
    /// Not `ALGORITHM:hexadecimal` of the right length.
    NotDigest,
    /// Not the 32 hexadecimal digits of an MD5 hash.
    NotMd5,
    /// Not digits of a telephone, or too many of them.
    NotDigits,
    /// Not `digits,on,application`.
    NotFeature,
    /// Not `digits=action`, or an action nobody knows.
    NotAction(String),
    /// Not an address, a network, or (where names are allowed) a host.
    NotNetwork(String),
    /// Not `Header: value`.
    NotHeader,
    /// Not a regular expression; why.
    NotRegex(String),
    /// Not a URI of SIP.
    NotUri,
    /// Not an address without a port.
    NotIp,
    /// Not a type of service.
    NotTos,
    /// Not the address of a site, as browsers name it.
    NotOrigin,
    /// Not a URL of a database; why.
    NotDatabase(String),
    /// Not one digit of a telephone.
    NotDigit,
    /// Not a path from the root.
    NotWholePath,
    /// Too many of something; the limit.
    TooMany(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYesNo => f.write_str("is neither yes nor no"),
            Self::NotNumber(least, most) => write!(f, "is not a number from {least} to {most}"),
            Self::Backwards => f.write_str("ends before it begins"),
            Self::NotOneOf(words) => write!(f, "is none of {}", words.join(", ")),
            Self::UnknownCodec(name) => write!(f, "names the unknown codec `{name}`"),
            Self::NotPreference(_) => f.write_str("is no preference of codecs"),
            Self::CodecsNotHere(names) => match names.as_slice() {
                [name] => write!(
                    f,
                    "names the codec `{name}`, which is not served here and left out"
                ),
                names => write!(
                    f,
                    "names the codecs {}, which are not served here and left out",
                    quoted(names)
                ),
            },
            Self::UnknownLevels(names, _) => {
                write!(
                    f,
                    "names {}, no level of a log, and left out",
                    quoted(names)
                )
            }
            Self::NotAddress => f.write_str("is not an IP address with an optional port"),
            Self::PortInAddress => {
                f.write_str("has a port after an IPv6 address that is not in brackets")
            }
            Self::NotRedirect => f.write_str("is not two paths, `/from /to`"),
            Self::NotAssignment => f.write_str("is not `name=value`"),
            Self::NotDigest => f.write_str("is not `ALGORITHM:hexadecimal hash`"),
            Self::NotMd5 => f.write_str("is not an MD5 hash of 32 hexadecimal digits"),
            Self::NotDigits => f.write_str("is not 1 to 11 of the digits 0-9, *, # and A-D"),
            Self::NotFeature => f.write_str("is not `digits,self|peer[/caller|callee|both],App`"),
            Self::NotAction(action) => write!(f, "names the unknown action `{action}`"),
            Self::NotNetwork(text) => write!(f, "names `{text}`, which is no address or network"),
            Self::NotHeader => f.write_str("is not `Header: value` or `Header: /expression/`"),
            Self::NotRegex(why) => write!(f, "is not a regular expression: {why}"),
            Self::NotUri => f.write_str("is not a URI that begins with sip: or sips:"),
            Self::NotIp => f.write_str("is not an IP address"),
            Self::NotTos => f.write_str("is no type of service"),
            Self::NotOrigin => f.write_str("names something that is no site, and not `*`"),
            Self::NotDatabase(why) => f.write_str(why),
            Self::NotDigit => f.write_str("is not one of the digits 0-9, *, # and A-D"),
            Self::NotWholePath => f.write_str("is no path that begins with /"),
            Self::TooMany(most) => write!(f, "names more than {most}"),
        }
    }
}

/// `` `a`, `b` ``.
fn quoted(names: &[String]) -> String {
    format!("`{}`", names.join("`, `"))
}

impl Fault {
    /// Whether the object cannot be used because of it.
    pub fn drops(&self) -> bool {
        !matches!(self, Self::CodecsNotHere(_) | Self::UnknownLevels(..))
    }

    /// What to write, where nothing like the value can be meant.
    pub(crate) fn advice(&self) -> Option<String> {
        Some(match self {
            Self::NotYesNo => "write `yes` or `no`".to_owned(),
            Self::Backwards => "write the lower number first, as in 701-720".to_owned(),
            Self::NotNumber(least, most) => format!("write a number from {least} to {most}"),
            Self::NotOneOf(words) => format!("write one of {}", words.join(", ")),
            Self::UnknownCodec(_) => {
                let names = codec::CODECS.iter().map(|codec| codec.name);
                format!("codecs are {}", names.collect::<Vec<_>>().join(", "))
            }
            Self::CodecsNotHere(names) => format!("take {} out of the list", quoted(names)),
            Self::UnknownLevels(_, levels) => format!("levels are {}", levels.join(", ")),
            Self::NotPreference(fault) => format!("write some of {fault}"),
            Self::NotAddress | Self::PortInAddress => {
                "write for example `0.0.0.0`, `192.0.2.1:5060` or `[::]:5060`".to_owned()
            }
            Self::NotRedirect => {
                "write for example `redirect=/phone /static/phone/index.html`".to_owned()
            }
            Self::NotAssignment => "write for example `set_var=GREETING=hello`".to_owned(),
            Self::NotDigest => {
                "write for example `SHA-256:` and the hash of `user:realm:password`".to_owned()
            }
            Self::NotMd5 => "write what `printf %s USER:REALM:PASSWORD | md5sum` prints".to_owned(),
            Self::NotDigits => "write for example `*1`".to_owned(),
            Self::NotFeature => "write for example `*9,self/caller,Playback,tt-monkeys`".to_owned(),
            Self::NotAction(_) => {
                "write for example `toggle_mute` or `playback(tt-monkeys)`".to_owned()
            }
            Self::NotNetwork(_) => "write for example `192.0.2.0/24` or `2001:db8::/32`".to_owned(),
            Self::NotHeader => "write for example `match_header=X-Trunk: acme`".to_owned(),
            Self::NotRegex(_) => "put `\\` before a character that means itself".to_owned(),
            Self::NotUri => "write for example `sip:1234@provider.example.com`".to_owned(),
            Self::NotIp => {
                "write for example `192.0.2.1` or `2001:db8::1`, without a port".to_owned()
            }
            Self::NotTos => "write for example `cs3`, `af31`, `ef`, or a number to 255".to_owned(),
            Self::NotOrigin => {
                "write for example `https://phones.example.org` or `http://192.0.2.1:3000`"
                    .to_owned()
            }
            Self::NotDatabase(_) => "write for example `mysql://user@host/asterisk`".to_owned(),
            Self::NotDigit => "write for example `1`".to_owned(),
            Self::NotWholePath => {
                "write for example `/var/lib/asterisk/moh/song`; nothing is fetched from a URL"
                    .to_owned()
            }
            Self::TooMany(most) => format!("keep it below {most}"),
        })
    }

    /// What was probably meant by `value`.
    pub fn meant(&self, value: &str) -> Option<&'static str> {
        match self {
            // No number is like another.
            Self::NotOneOf(_) if value.bytes().all(|byte| byte.is_ascii_digit()) => None,
            Self::NotOneOf(words) => closest(value, words.iter().copied()),
            Self::NotYesNo => closest(value, ["yes", "no", "true", "false", "on", "off"]),
            Self::UnknownLevels(names, levels) => {
                let mut meant = names.iter();
                meant.find_map(|name| closest(name, levels.iter().copied()))
            }
            Self::UnknownCodec(name) => closest(name, codec::CODECS.iter().map(|codec| codec.name)),
            Self::NotNumber(..)
            | Self::Backwards
            | Self::CodecsNotHere(_)
            | Self::NotPreference(_)
            | Self::NotAddress
            | Self::PortInAddress
            | Self::NotRedirect
            | Self::NotAssignment
            | Self::NotDigest
            | Self::NotMd5
            | Self::NotDigits
            | Self::NotFeature
            | Self::NotNetwork(_)
            | Self::NotHeader
            | Self::NotRegex(_)
            | Self::NotUri
            | Self::NotIp
            | Self::NotTos
            | Self::NotOrigin
            | Self::NotDatabase(_)
            | Self::NotDigit
            | Self::NotWholePath
            | Self::TooMany(_) => None,
            Self::NotAction(action) => closest(action, crate::confbridge::ACTIONS.iter().copied()),
        }
    }
}

/// Asterisk's spellings of a yes and of a no.
pub(crate) fn yes_no(value: &str) -> Result<bool, Fault> {
    conf::yes_no(value).ok_or(Fault::NotYesNo)
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
