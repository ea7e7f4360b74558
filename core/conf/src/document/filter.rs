//! `[name](+type=endpoint&context=^from-)`: which of the sections of a name is meant.

use super::Section;
use regex_lite::{Regex, RegexBuilder};

/// One `name=value` of a filter; both are regular expressions, found anywhere in the text.
pub(super) struct Filter {
    name: Regex,
    value: Regex,
}

impl Filter {
    /// What stands after the `+`: any number of `name=value` with `&` between them.
    pub(super) fn parse(text: &str) -> Result<Vec<Self>, String> {
        let parts = text.split('&').map(str::trim);
        let parts = parts.filter(|part| !part.is_empty());
        parts.map(Self::one).collect()
    }

    fn one(text: &str) -> Result<Self, String> {
        let Some((name, value)) = text.split_once('=') else {
            return Err(format!("filter `{text}` is not `name=value`"));
        };
        let compile = |text: &str| {
            let regex = RegexBuilder::new(text.trim())
                .size_limit(REGEX_BYTES_MAX)
                .build();
            regex.map_err(|error| format!("filter `{text}` is no regular expression: {error}"))
        };
        Ok(Self {
            name: compile(name)?,
            value: compile(value)?,
        })
    }
}

/// Whether each of the filters is met by an entry of the section.
pub(super) fn matches(filters: &[Filter], section: &Section) -> bool {
    filters.iter().all(|filter| {
        let mut entries = section.entries.iter();
        entries
            .any(|entry| filter.name.is_match(&entry.name) && filter.value.is_match(&entry.value))
    })
}

/// A compiled expression.
const REGEX_BYTES_MAX: usize = 64 << 10;
