//! Headers that the dial plan adds to an INVITE of ours (`PJSIP_HEADER`).

use ::sip::HeaderName;

use super::{Ask, HEADERS_ADDED_MAX, OWN_HEADERS};

impl Ask {
    /// Adds a header of the dial plan's. `false`: it is one the exchange makes itself, is none, or there
    /// are too many.
    pub(crate) fn add_header(&mut self, name: &str, value: &str) -> bool {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
        let is_name = !name.is_empty() && name.bytes().all(is_token);
        let own = OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name));
        let fits = self.headers.len() < HEADERS_ADDED_MAX;
        let added = is_name && is_plain(value) && !own && fits;
        if added {
            self.headers
                .push((HeaderName::from(name), value.to_owned()));
        }
        added
    }

    /// Changes the one with this number of those of a name, from 1. `false`: there is none.
    pub(crate) fn change_header(&mut self, name: &str, number: usize, value: &str) -> bool {
        let mut same = self.headers.iter_mut().filter(|(own, _)| is(own, name));
        let found = number.checked_sub(1).and_then(|index| same.nth(index));
        let Some((_, old)) = found.filter(|_| is_plain(value)) else {
            return false;
        };
        value.clone_into(old);
        true
    }

    /// Takes away those of a name, or with `*` behind it those that begin so; how many.
    pub(crate) fn remove_headers(&mut self, name: &str) -> usize {
        let before = self.headers.len();
        self.headers.retain(|(own, _)| !is(own, name));
        before - self.headers.len()
    }

    /// Those that were added, in their order.
    pub(crate) fn added(&self) -> impl Iterator<Item = (&HeaderName, &str)> {
        let added = self.headers.iter();
        added.map(|(name, value)| (name, value.as_str()))
    }
}

fn is_plain(value: &str) -> bool {
    !value.chars().any(char::is_control)
}

fn is(own: &HeaderName, name: &str) -> bool {
    let own = own.as_str();
    match name.strip_suffix('*') {
        Some(begin) => own
            .get(..begin.len())
            .is_some_and(|own| own.eq_ignore_ascii_case(begin)),
        None => HeaderName::from(own) == HeaderName::from(name),
    }
}
