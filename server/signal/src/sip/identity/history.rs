//! History-Info (RFC 7044): whom a call was for before it was sent on, as an index of addresses.
//!
//! Causes are those of RFC 4458, in the address the call was sent on to, with the words of Diversion beside them as RFC
//! 7544 maps them; what servers of RFC 4244 write, a Reason in the address that was left, is read too.

use ::sip::{Flow, HeaderName, Headers, NameAddr, Uri};
use config::{CallerId, Presentation};
use switch::{Redirecting, diversion_of_reason, reason_of_diversion};

use super::{Identity, asks_for, entries, party_of, shown};
use crate::sip::shared::printable;

const HISTORY: &str = "History-Info";

/// Entries of one call that are read.
const ENTRIES_MAX: usize = 32;

/// RFC 7544 §4: what a word of Diversion is as a cause. The first of a number is what the number means.
const CAUSES: [(&str, u16); 11] = [
    ("unknown", 404),
    ("unconditional", 302),
    ("user-busy", 486),
    ("no-answer", 408),
    ("deflection", 480),
    ("unavailable", 503),
    ("time-of-day", 404),
    ("do-not-disturb", 404),
    ("follow-me", 404),
    ("out-of-service", 404),
    ("away", 404),
];

fn cause_of(reason: &str) -> u16 {
    let word = diversion_of_reason(reason);
    let known = CAUSES.iter().find(|(own, _)| *own == word);
    known.map_or(404, |(_, cause)| *cause)
}

fn reason_of(cause: u16) -> String {
    let cause = match cause {
        // "Deflection during alerting".
        487 => 480,
        other => other,
    };
    let known = CAUSES.iter().find(|(_, own)| *own == cause);
    reason_of_diversion(known.map_or("unknown", |(word, _)| word))
}

impl Identity {
    /// Whom the call was for at first, then who sent it on last, then where it goes now.
    pub(crate) fn history(
        &self,
        flow: &Flow,
        redirecting: &Redirecting,
        target: &Uri,
    ) -> Vec<(HeaderName, String)> {
        let Redirecting {
            orig,
            orig_reason,
            from,
            reason,
            count,
            ..
        } = redirecting;
        let is_first = *count <= 1 || orig.is_nobody() || orig.number == from.number;
        let mut parties: Vec<(&CallerId, &str)> = Vec::new();
        if !is_first {
            parties.push((orig, orig_reason));
        }
        parties.push((from, reason));
        let known = |(party, _): &(&CallerId, &str)| {
            let is_seen = self.is_trusted || party.presentation().is_allowed();
            is_seen && !party.number.is_empty()
        };
        parties.retain(known);
        if !self.has_history || parties.is_empty() {
            return Vec::new();
        }
        let mut headers = Vec::new();
        let (mut index, mut cause) = ("1".to_owned(), None::<u16>);
        let mut before = String::new();
        let mut add = |uri: Uri, name: Option<String>, privacy: &str, next: Option<u16>| {
            let uri = match cause {
                Some(cause) => uri.with_param("cause", Some(&cause.to_string())),
                None => uri,
            };
            // A header in the address: RFC 7044 §5.
            let uri = format!("{uri}{privacy}").parse().unwrap_or(uri);
            let mut address = NameAddr::new(uri);
            address.display_name = name.map(Into::into);
            let mapped = match before.as_str() {
                "" => String::new(),
                before => format!(";mp={before}"),
            };
            let value = format!("{address};index={index}{mapped}");
            headers.push((HeaderName::from(HISTORY), value));
            before.clone_from(&index);
            index.push_str(".1");
            cause = next;
        };
        for (party, reason) in parties {
            let number = printable(&party.number);
            let uri = self.at(flow, &number, None).uri;
            // RFC 7044 §10.1.2: who is told it may see it, and passes it on to nobody else.
            let privacy = match party.presentation().is_allowed() {
                true => "",
                false => "?Privacy=history",
            };
            add(uri, shown(&party.name), privacy, Some(cause_of(reason)));
        }
        add(target.clone(), None, "", None);
        headers
    }
}

/// Who sent the call on to us, as History-Info says; `None`: it says nothing of that.
pub(super) fn redirecting_of(headers: &Headers) -> Option<Redirecting> {
    let name = HeaderName::from(HISTORY);
    let lines = headers.get_all(&name);
    let all: Vec<NameAddr> = lines.flat_map(entries).take(ENTRIES_MAX).collect();
    let index = |address: &NameAddr| address.params.get("index").map(str::to_owned);
    // Each address that was left, and why.
    let left: Vec<(&NameAddr, u16)> = all
        .iter()
        .enumerate()
        .filter_map(|(at, next)| {
            let mapped = next.params.get("mp");
            let before = all[..at]
                .iter()
                .find(|address| mapped.is_some() && index(address).as_deref() == mapped)
                .or_else(|| all[..at].last())?;
            let cause = next.uri.param("cause").and_then(|cause| cause.parse().ok());
            Some((before, cause.or_else(|| reason_in(&before.uri))?))
        })
        .collect();
    let (first, first_cause) = left.first()?;
    let (last, last_cause) = left.last()?;
    // RFC 7044 §10.1.2: these words in the header of the request are about every entry.
    let all_private = asks_for(headers, &["history", "session", "header"]);
    let party = |address: &NameAddr| {
        let party = party_of(address);
        let privacy = address.uri.header("Privacy").unwrap_or_default();
        let is_private = match privacy.as_ref() {
            "" => all_private,
            word => !word.eq_ignore_ascii_case("none"),
        };
        match is_private {
            true => party.presented(Presentation::ProhibNotScreened),
            false => party,
        }
    };
    Some(Redirecting {
        orig: party(first),
        orig_reason: reason_of(*first_cause),
        from: party(last),
        reason: reason_of(*last_cause),
        to: all.last().map(party_of).unwrap_or_default(),
        count: u32::try_from(left.len()).unwrap_or(u32::MAX),
    })
}

/// The cause in `?Reason=SIP%3Bcause%3D486`.
fn reason_in(uri: &Uri) -> Option<u16> {
    let reason = uri.header("Reason")?;
    let mut params = reason.split(';').map(str::trim);
    params
        .next()
        .filter(|protocol| protocol.eq_ignore_ascii_case("SIP"))?;
    let cause = params.find_map(|param| param.strip_prefix("cause="))?;
    cause.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::tests::request;
    use super::*;

    fn read(headers: &str) -> Option<Redirecting> {
        redirecting_of(&request(headers).headers)
    }

    #[test]
    fn who_sent_a_call_on_is_read_from_its_history() {
        let told = read(
            "History-Info: \"A, a\" <sip:100@h?Privacy=history>;index=1,\r\n \
             <sip:200@h;cause=302>;index=1.1;mp=1\r\n\
             History-Info: <sip:300@h;cause=486>;index=1.1.1;mp=1.1\r\n",
        )
        .unwrap();
        assert_eq!(told.orig.number, "100");
        assert!(!told.orig.presentation().is_allowed());
        assert_eq!(told.orig_reason, "cfu");
        assert_eq!(
            (told.from.number.as_str(), told.reason.as_str()),
            ("200", "cfb")
        );
        assert_eq!((told.to.number.as_str(), told.count), ("300", 2));
    }

    #[test]
    fn privacy_of_the_request_is_that_of_every_entry() {
        let entries = "History-Info: <sip:100@h>;index=1, <sip:300@h;cause=302>;index=1.1\r\n";
        for (privacy, is_allowed) in [
            ("history", false),
            ("id;session", false),
            ("header", false),
            ("id", true),
            ("none", true),
        ] {
            let told = read(&format!("Privacy: {privacy}\r\n{entries}")).unwrap();
            let shown = told.from.presentation().is_allowed();
            assert_eq!(shown, is_allowed, "{privacy}");
        }
    }

    #[test]
    fn a_fork_says_by_mp_which_address_was_left() {
        let told = read(
            "History-Info: <sip:100@h>;index=1, <sip:150@h>;index=1.1;rc=1, \
             <sip:300@h;cause=408>;index=1.2;mp=1\r\n",
        )
        .unwrap();
        assert_eq!(
            (told.from.number.as_str(), told.reason.as_str()),
            ("100", "cfnr")
        );
        assert_eq!(told.count, 1);
    }

    #[test]
    fn the_older_form_with_a_reason_is_read_too() {
        let told = read(
            "History-Info: <sip:100@h?Reason=SIP%3Bcause%3D480>;index=1, <sip:300@h>;index=2\r\n",
        )
        .unwrap();
        assert_eq!(told.reason, "deflection");
        assert_eq!(told.from.number, "100");
    }

    #[test]
    fn what_tells_of_no_diversion_tells_nothing() {
        for headers in [
            "",
            "History-Info: <sip:100@h>;index=1\r\n",
            "History-Info: <sip:100@h>;index=1, <sip:200@h>;index=1.1\r\n",
            "History-Info: <sip:200@h;cause=302>;index=1\r\n",
            "History-Info: nonsense;;,<,>\r\n",
        ] {
            assert_eq!(read(headers), None, "{headers}");
        }
    }

    #[test]
    fn every_reason_comes_back_as_itself_or_as_unknown() {
        for (word, cause) in CAUSES {
            let back = reason_of(cause_of(&reason_of_diversion(word)));
            let expected = match cause {
                404 => "unknown".to_owned(),
                _ => reason_of_diversion(word),
            };
            assert_eq!(back, expected, "{word}");
        }
        assert_eq!(reason_of(487), "deflection");
        assert_eq!(reason_of(999), "unknown");
    }
}
