//! Commands of Asterisk that have no meaning here, and what to type in their place.

/// What is said of commands that begin so; of several, the longest holds.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "agi",
        "programs are not run by the dial plan: AGI is not here",
    ),
    ("ari", "ARI is not here"),
    ("confbridge", "there are no conference rooms here"),
    (
        "core show taskprocessors",
        "calls are tasks of one program: `core show sysinfo`, `core show channels count`",
    ),
    (
        "core show threads",
        "calls are tasks of one program: `core show sysinfo`, `core show channels count`",
    ),
    (
        "core show image formats",
        "no images are sent or shown by the exchange",
    ),
    (
        "core show translation",
        "every audio codec of `core show codecs audio` is translated into every other; what that costs is in docs/media.md",
    ),
    ("dahdi", "there are no DAHDI cards here"),
    (
        "database query",
        "this database is asked by `database show`, `database showkey` and `database get`; it does not speak SQL",
    ),
    ("fax", "faxes are not received or sent; T.38 is not here"),
    ("iax2", "IAX2 is not spoken here"),
    (
        "logger add",
        "what is logged where is set in logger.conf: `logger reload`, `logger show channels`",
    ),
    (
        "logger remove",
        "what is logged where is set in logger.conf: `logger reload`, `logger show channels`",
    ),
    ("manager", "the manager interface (AMI) is not here"),
    (
        "module load",
        "all is in one program, and nothing is loaded: `module reload` reads files again",
    ),
    (
        "module refresh",
        "all is in one program: `module reload` reads files again",
    ),
    (
        "module unload",
        "all is in one program, and nothing is unloaded",
    ),
    ("queue", "there are no queues here"),
    (
        "sip",
        "chan_sip is not here, phones are in pjsip.conf: `pjsip show endpoints`",
    ),
    (
        "sip reload",
        "chan_sip is not here: `module reload pjsip` reads pjsip.conf again",
    ),
    (
        "sip set debug",
        "chan_sip is not here: `pjsip set logger on` prints messages",
    ),
    (
        "sip show channels",
        "chan_sip is not here: `pjsip show channels`",
    ),
    (
        "sip show registry",
        "chan_sip is not here: `pjsip show registrations`",
    ),
    (
        "sip show peers",
        "chan_sip is not here: `pjsip show endpoints`, and `pjsip show contacts` for who is registered",
    ),
    (
        "voicemail",
        "there is no voicemail here: `mwi show mailbox` tells what the lamps of a mailbox say",
    ),
];

/// What to say of a command that is not there, if it is one of Asterisk's.
pub(crate) fn instead(words: &[String]) -> Option<&'static str> {
    let typed = words.join(" ").to_ascii_lowercase();
    let begins = |own: &str| {
        let rest = typed.strip_prefix(own);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    let known = ELSEWHERE.iter().filter(|(own, _)| begins(own));
    known
        .max_by_key(|(own, _)| own.len())
        .map(|(_, said)| *said)
}

#[cfg(test)]
mod tests {
    use super::{ELSEWHERE, instead};
    use crate::command::Command;

    #[test]
    fn the_longest_beginning_holds_and_a_word_is_a_whole_one() {
        let said = |line: &str| instead(&crate::words::split(line));
        assert!(
            said("sip show peers")
                .unwrap()
                .contains("pjsip show contacts")
        );
        assert!(said("SIP show users").unwrap().contains("pjsip.conf"));
        assert_eq!(said("siphon"), None);
    }

    #[test]
    fn none_of_them_is_there() {
        for (own, _) in ELSEWHERE {
            let words = crate::words::split(own);
            assert!(Command::find(&words).is_none(), "{own}");
        }
    }
}
