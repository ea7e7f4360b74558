//! Items of functions, as their documentation lists them: whether there is one of this name, and which one may have been
//! meant.

use switch::{Channel, closest};

use crate::manual::items;

/// For a function that told nothing: says so if that is because it has no such item.
pub(crate) fn unknown(call: &Channel, function: &str, item: &str) -> Option<String> {
    if !is_known(function, item) {
        call.warn(wrong(function, item));
    }
    None
}

/// What is wrong with an item.
pub(crate) fn wrong(function: &str, item: &str) -> String {
    let item = name_of(item);
    let known = items(function);
    let listed = format!("`core show function {function}` lists them");
    if item.is_empty() {
        return format!("{function}() needs an item; {listed}");
    }
    let (begin, rest) = match item.split_once('-') {
        Some((begin, rest)) if has_parts(&known, begin) => (format!("{begin}-"), rest),
        _ => (String::new(), item),
    };
    let candidates = match begin.is_empty() {
        true => known,
        false => items(PARTY),
    };
    match closest(rest, candidates) {
        Some(meant) => {
            format!("{function} has no item `{item}`; did you mean `{begin}{meant}`? {listed}")
        }
        None => format!("{function} has no item `{item}`; {listed}"),
    }
}

/// The function whose items are those of every party: `ani-num`, `from-num`.
const PARTY: &str = "CALLERID";

fn is_known(function: &str, item: &str) -> bool {
    let (item, known) = (name_of(item), items(function));
    let is_one =
        |known: &[&str], item: &str| known.iter().any(|own| own.eq_ignore_ascii_case(item));
    match item.split_once('-') {
        Some((begin, rest)) if has_parts(&known, begin) => is_one(&items(PARTY), rest),
        _ => is_one(&known, item),
    }
}

/// Whether there are items that begin so: `ani-…`.
fn has_parts(known: &[&str], begin: &str) -> bool {
    let begins = |own: &str| {
        let own = own.strip_suffix("-…");
        own.is_some_and(|own| own.eq_ignore_ascii_case(begin))
    };
    known.iter().any(|own| begins(own))
}

/// Without what follows it.
fn name_of(item: &str) -> &str {
    item.split(',').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::{is_known, wrong};

    #[test]
    fn a_wrong_item_is_told_with_the_one_that_may_be_meant() {
        let text = wrong("CALLERID", "nmu,x");
        assert!(
            text.starts_with("CALLERID has no item `nmu`; did you mean `num`? "),
            "{text}"
        );
        let text = wrong("REDIRECTING", "from-nmae");
        assert!(text.contains("did you mean `from-name`?"), "{text}");
        let text = wrong("CHANNEL", "zzzzzzzz");
        assert_eq!(
            text,
            "CHANNEL has no item `zzzzzzzz`; `core show function CHANNEL` lists them"
        );
        assert!(wrong("TIMEOUT", "").starts_with("TIMEOUT() needs an item"));
    }

    #[test]
    fn items_are_known_in_any_case_and_with_what_follows() {
        for (function, item) in [
            ("CALLERID", "NUM"),
            ("CALLERID", "ani-name"),
            ("CHANNEL", "rtp,dest"),
            ("REDIRECTING", "to-num,i"),
        ] {
            assert!(is_known(function, item), "{function}({item})");
        }
        assert!(!is_known("CALLERID", "ani-x") && !is_known("CHANNEL", ""));
    }
}
