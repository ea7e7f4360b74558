//! Extension patterns: `_NXXZ[1-5].!`, and which of two is the more particular.

use std::cmp::Ordering;
use std::fmt;

/// A pattern, read. The leading `_` is not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    places: Vec<Place>,
}

/// What one place of a pattern allows.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// One of these bytes, as a bitmap.
    Set(Box<[u64; 4]>),
    Byte(u8),
    /// `.`: one character or more.
    Some,
    /// `!`: none or more.
    Any,
}

/// What is wrong with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// `[` without `]`.
    OpenSet,
    /// `[]`, which nothing matches.
    EmptySet,
    /// A range whose end comes before its start, such as `[9-2]`.
    BackwardRange,
    /// Text after `.` or `!`, which is never looked at.
    AfterWildcard,
    /// More places than an extension has.
    TooLong,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenSet => "`[` has no closing `]`",
            Self::EmptySet => "`[]` matches nothing",
            Self::BackwardRange => "a range ends before it starts",
            Self::AfterWildcard => "nothing may follow `.` or `!`",
            Self::TooLong => "the pattern is too long",
        })
    }
}

/// Places in one pattern; Asterisk allows 80 characters in an extension.
const PLACES_MAX: usize = 80;

impl Pattern {
    /// Reads what follows the `_`. `-` is there for the eye only and is passed over.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut places = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            if matches!(places.last(), Some(Place::Some | Place::Any)) {
                return Err(PatternError::AfterWildcard);
            }
            if places.len() == PLACES_MAX {
                return Err(PatternError::TooLong);
            }
            places.push(match byte {
                b'-' => continue,
                b'X' | b'x' => Place::range(b'0', b'9'),
                b'Z' | b'z' => Place::range(b'1', b'9'),
                b'N' | b'n' => Place::range(b'2', b'9'),
                b'.' => Place::Some,
                b'!' => Place::Any,
                b'[' => Place::set(&mut rest)?,
                byte => Place::Byte(byte),
            });
        }
        Ok(Self { places })
    }

    /// Whether the pattern matches all of `dialled`.
    pub fn matches(&self, dialled: &str) -> bool {
        let mut rest = dialled.bytes().filter(|byte| *byte != b'-');
        for place in &self.places {
            match place {
                Place::Some => return rest.next().is_some(),
                Place::Any => return true,
                Place::Set(_) | Place::Byte(_) => match rest.next() {
                    Some(byte) if place.allows(byte) => {}
                    _ => return false,
                },
            }
        }
        rest.next().is_none()
    }

    /// Whether the pattern matches something that begins with `dialled` and is longer.
    pub fn could_be_longer(&self, dialled: &str) -> bool {
        let mut rest = dialled.bytes().filter(|byte| *byte != b'-');
        for place in &self.places {
            match (place, rest.next()) {
                (Place::Some | Place::Any, _) | (_, None) => return true,
                (place, Some(byte)) if place.allows(byte) => {}
                _ => return false,
            }
        }
        false
    }

    /// The order of search: place by place, the one that allows fewer characters comes first; `.`
    /// and then `!` come after every set, and the longer pattern before its beginning.
    pub fn particular(&self, other: &Self) -> Ordering {
        let mut left = self.places.iter();
        let mut right = other.places.iter();
        loop {
            let (left, right) = (left.next(), right.next());
            if left.is_none() && right.is_none() {
                return Ordering::Equal;
            }
            match rank(left).cmp(&rank(right)) {
                Ordering::Equal => {}
                order => return order,
            }
        }
    }
}

/// How wide a place is; then, to make the order total, what it allows.
fn rank(place: Option<&Place>) -> (u16, u8, [u64; 4]) {
    match place {
        Some(Place::Byte(byte)) => (1, *byte, [0; 4]),
        Some(Place::Set(bits)) => {
            let count: u32 = bits.iter().map(|word| word.count_ones()).sum();
            let first = (0..=u8::MAX).find(|byte| has(bits, *byte)).unwrap_or(0);
            (u16::try_from(count).unwrap_or(256), first, **bits)
        }
        Some(Place::Some) => (300, 0, [0; 4]),
        Some(Place::Any) => (301, 0, [0; 4]),
        None => (302, 0, [0; 4]),
    }
}

impl Place {
    fn range(first: u8, last: u8) -> Self {
        let mut bits = [0; 4];
        (first..=last).for_each(|byte| add(&mut bits, byte));
        Self::Set(Box::new(bits))
    }

    /// What follows `[`, up to and with the `]`.
    fn set(text: &mut &[u8]) -> Result<Self, PatternError> {
        let mut bytes = text.iter();
        let end = bytes.position(|byte| *byte == b']');
        let inside = &text[..end.ok_or(PatternError::OpenSet)?];
        *text = bytes.as_slice();
        let mut bits = [0; 4];
        let mut rest = inside.iter().copied().peekable();
        while let Some(first) = rest.next() {
            if rest.peek() != Some(&b'-') {
                add(&mut bits, first);
                continue;
            }
            rest.next();
            match rest.next() {
                // `[1-]`: the dash has nothing to span and is passed over.
                None => add(&mut bits, first),
                Some(last) if last < first => return Err(PatternError::BackwardRange),
                Some(last) => (first..=last).for_each(|byte| add(&mut bits, byte)),
            }
        }
        if bits == [0; 4] {
            return Err(PatternError::EmptySet);
        }
        Ok(Self::Set(Box::new(bits)))
    }

    fn allows(&self, byte: u8) -> bool {
        match self {
            Self::Set(bits) => has(bits, byte),
            Self::Byte(own) => *own == byte,
            Self::Some | Self::Any => true,
        }
    }
}

fn add(bits: &mut [u64; 4], byte: u8) {
    bits[usize::from(byte >> 6)] |= 1 << (byte & 63);
}

fn has(bits: &[u64; 4], byte: u8) -> bool {
    bits[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
}
