//! OpenSSL's cipher lists (openssl-ciphers(1)), for the suites of TLS 1.2 that rustls has.

use rustls::SupportedCipherSuite;
use rustls::crypto::aws_lc_rs::cipher_suite;

/// A suite of TLS 1.2, and the words of a list that mean it beside its name.
struct Suite {
    name: &'static str,
    suite: SupportedCipherSuite,
    words: &'static [&'static str],
}

/// In OpenSSL's own order, which is that of strength.
static SUITES: &[Suite] = &[
    Suite {
        name: "ECDHE-ECDSA-AES256-GCM-SHA384",
        suite: cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        words: &["AES", "AES256", "AESGCM", "SHA384", "aECDSA", "ECDSA"],
    },
    Suite {
        name: "ECDHE-RSA-AES256-GCM-SHA384",
        suite: cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        words: &["AES", "AES256", "AESGCM", "SHA384", "aRSA"],
    },
    Suite {
        name: "ECDHE-ECDSA-CHACHA20-POLY1305",
        suite: cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        words: &["CHACHA20", "aECDSA", "ECDSA"],
    },
    Suite {
        name: "ECDHE-RSA-CHACHA20-POLY1305",
        suite: cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        words: &["CHACHA20", "aRSA"],
    },
    Suite {
        name: "ECDHE-ECDSA-AES128-GCM-SHA256",
        suite: cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        words: &["AES", "AES128", "AESGCM", "SHA256", "aECDSA", "ECDSA"],
    },
    Suite {
        name: "ECDHE-RSA-AES128-GCM-SHA256",
        suite: cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        words: &["AES", "AES128", "AESGCM", "SHA256", "aRSA"],
    },
];

/// Words that mean every suite we have: all are ephemeral, authenticated and of 128 bits or more.
const ALL: &[&str] = &[
    "ALL", "DEFAULT", "HIGH", "ECDHE", "EECDH", "kECDHE", "kEECDH", "TLSv1.2",
];

/// The names of the suites that are served.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SUITES.iter().map(|suite| suite.name)
}

/// The suites a list leaves, in its order. Words that nobody knows mean no suite, as in OpenSSL.
pub(super) fn select(list: &str) -> Vec<SupportedCipherSuite> {
    let mut chosen: Vec<&Suite> = Vec::new();
    let mut killed: Vec<&str> = Vec::new();
    let words = list.split([':', ',', ' ']).filter(|word| !word.is_empty());
    for word in words {
        let (sign, word) = match word.as_bytes()[0] {
            sign @ (b'!' | b'-' | b'+') => (sign, &word[1..]),
            // @STRENGTH: ours are in that order anyway. @SECLEVEL: none is below the highest.
            b'@' => continue,
            _ => (b' ', word),
        };
        let meant = || SUITES.iter().filter(move |suite| suite.is_meant(word));
        match sign {
            b'!' => {
                killed.extend(meant().map(|suite| suite.name));
                chosen.retain(|suite| !suite.is_meant(word));
            }
            b'-' => chosen.retain(|suite| !suite.is_meant(word)),
            b'+' => {
                let (last, first) = chosen.into_iter().partition(|suite| suite.is_meant(word));
                chosen = first;
                let mut last: Vec<_> = last;
                chosen.append(&mut last);
            }
            _ => {
                for suite in meant() {
                    let is_new = chosen.iter().all(|other| other.name != suite.name);
                    if is_new && !killed.contains(&suite.name) {
                        chosen.push(suite);
                    }
                }
            }
        }
    }
    chosen.iter().map(|suite| suite.suite).collect()
}

impl Suite {
    /// `A+B` means what both mean.
    fn is_meant(&self, words: &str) -> bool {
        words.split('+').all(|word| {
            let is = |other: &&str| other.eq_ignore_ascii_case(word);
            is(&self.name) || ALL.iter().any(is) || self.words.iter().any(is)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{SUITES, names, select};

    fn chosen(list: &str) -> Vec<&'static str> {
        let chosen = select(list);
        let name = |suite| {
            let mut all = SUITES.iter();
            all.find(|own| own.suite == suite).unwrap().name
        };
        chosen.into_iter().map(name).collect()
    }

    #[test]
    fn lists_mean_what_they_mean_to_openssl() {
        let all: Vec<_> = names().collect();
        assert_eq!(chosen("ALL"), all);
        assert_eq!(chosen("HIGH:!aNULL:!MD5:@STRENGTH"), all);
        assert_eq!(
            chosen("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"),
            [
                "ECDHE-RSA-AES128-GCM-SHA256",
                "ECDHE-ECDSA-AES256-GCM-SHA384"
            ]
        );
        assert_eq!(
            chosen("EECDH+AESGCM+aRSA"),
            ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256"]
        );
        assert_eq!(
            chosen("ALL:!ECDSA:-AES128:AES128+ECDSA"),
            ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"],
            "what is killed does not come back"
        );
        assert_eq!(
            chosen("AESGCM:+AES256").last(),
            Some(&"ECDHE-RSA-AES256-GCM-SHA384")
        );
        assert_eq!(chosen("RC4-MD5:AES128-SHA:DES-CBC3-SHA"), [""; 0]);
        assert_eq!(chosen(": , !"), [""; 0]);
    }
}
