//! What a certificate says about itself (RFC 5280): the fields that rustls does not tell.
//!
//! Certificates of version 1 are read too: scripts that made certificates for Asterisk write them.

use std::net::IpAddr;

/// The fields of one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Unix seconds at which it begins to be valid.
    pub not_before: i64,
    /// Unix seconds after which it is not valid any more.
    pub not_after: i64,
    /// The common name of its subject; browsers pay no attention to it.
    pub common_name: Option<String>,
    /// The common name of its issuer.
    pub issuer_name: Option<String>,
    /// DNS names of subjectAltName, in lower case, wildcards as written.
    pub names: Vec<String>,
    /// Addresses of subjectAltName.
    pub addresses: Vec<IpAddr>,
    /// Subject and issuer are the same.
    pub self_issued: bool,
    /// basicConstraints says that it signs others.
    pub authority: bool,
    /// The whole subjectPublicKeyInfo.
    pub(crate) public_key: Vec<u8>,
}

impl Facts {
    /// Reads a DER certificate; `None` when the bytes are none.
    pub fn of(der: &[u8]) -> Option<Self> {
        let (certificate, _) = element(der, SEQUENCE)?;
        let (mut body, _) = element(certificate, SEQUENCE)?;
        if body.first() == Some(&VERSION) {
            body = element(body, VERSION)?.1;
        }
        body = element(body, INTEGER)?.1; // serialNumber
        body = element(body, SEQUENCE)?.1; // signature algorithm
        let (issuer, body) = element(body, SEQUENCE)?;
        let (validity, body) = element(body, SEQUENCE)?;
        let (not_before, rest) = time(validity)?;
        let (not_after, _) = time(rest)?;
        let (subject, body) = element(body, SEQUENCE)?;
        let (_, rest) = element(body, SEQUENCE)?;
        let public_key = body.get(..body.len() - rest.len())?;
        let mut facts = Self {
            not_before,
            not_after,
            common_name: common_name(subject),
            issuer_name: common_name(issuer),
            names: Vec::new(),
            addresses: Vec::new(),
            self_issued: subject == issuer,
            authority: false,
            public_key: public_key.to_owned(),
        };
        facts.read_extensions(rest);
        Some(facts)
    }

    /// Whether a browser that opened `host` (a name or an address) is content with the names.
    pub fn cover(&self, host: &str) -> bool {
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.addresses.contains(&address);
        }
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let parent = host.split_once('.').map(|(_, parent)| parent);
        // RFC 9525 §6.3: the wildcard stands for one whole label, the first.
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(wild) => parent == Some(wild),
            None => *name == host,
        })
    }

    fn read_extensions(&mut self, mut body: &[u8]) {
        while let Some(&tag) = body.first() {
            let Some((content, rest)) = element(body, tag) else {
                return;
            };
            body = rest;
            if tag != EXTENSIONS {
                continue;
            }
            let Some((mut extensions, _)) = element(content, SEQUENCE) else {
                return;
            };
            while let Some((extension, rest)) = element(extensions, SEQUENCE) {
                extensions = rest;
                self.read_extension(extension);
            }
        }
    }

    fn read_extension(&mut self, extension: &[u8]) -> Option<()> {
        let (id, mut rest) = element(extension, OBJECT_ID)?;
        if rest.first() == Some(&BOOLEAN) {
            rest = element(rest, BOOLEAN)?.1;
        }
        let (value, _) = element(rest, OCTET_STRING)?;
        let (mut value, _) = element(value, SEQUENCE)?;
        match id {
            BASIC_CONSTRAINTS => self.authority = value.starts_with(&[BOOLEAN, 1, 0xff]),
            SUBJECT_ALT_NAME => {
                while let Some(&tag) = value.first() {
                    let (content, rest) = element(value, tag)?;
                    value = rest;
                    match tag {
                        DNS_NAME => self.names.extend(
                            std::str::from_utf8(content)
                                .ok()
                                .map(str::to_ascii_lowercase),
                        ),
                        IP_ADDRESS => self.addresses.extend(address(content)),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Some(())
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Some(octets.into());
    }
    <[u8; 16]>::try_from(octets).ok().map(IpAddr::from)
}

/// The last CN of a name: SEQUENCE OF SET OF SEQUENCE { type, value }.
fn common_name(mut subject: &[u8]) -> Option<String> {
    let mut found = None;
    while let Some((set, rest)) = element(subject, SET) {
        subject = rest;
        let (attribute, _) = element(set, SEQUENCE)?;
        let (id, value) = element(attribute, OBJECT_ID)?;
        let (text, _) = element(value, *value.first()?)?;
        if id == COMMON_NAME {
            found = std::str::from_utf8(text).ok().map(str::to_owned);
        }
    }
    found
}

/// One element: its content and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    if found != tag {
        return None;
    }
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let (digits, after) = rest.split_at_checked(count)?;
        length = digits
            .iter()
            .fold(0, |length, &digit| length << 8 | usize::from(digit));
        rest = after;
    }
    rest.split_at_checked(length)
}

/// RFC 5280 §4.1.2.5: `UTCTime` YYMMDDHHMMSSZ (50 and later are 19YY), else `GeneralizedTime`.
fn time(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (text, rest, century) = match *bytes.first()? {
        UTC_TIME => {
            let (text, rest) = element(bytes, UTC_TIME)?;
            (
                text,
                rest,
                if number(text, 0, 2)? >= 50 {
                    1900
                } else {
                    2000
                },
            )
        }
        _ => {
            let (text, rest) = element(bytes, GENERALIZED_TIME)?;
            (text.get(2..)?, rest, number(text, 0, 2)? * 100)
        }
    };
    let year = century + number(text, 0, 2)?;
    let days = days_since_1970(year, number(text, 2, 2)?, number(text, 4, 2)?);
    let (hour, minute, second) = (
        number(text, 6, 2)?,
        number(text, 8, 2)?,
        number(text, 10, 2)?,
    );
    Some((((days * 24 + hour) * 60 + minute) * 60 + second, rest))
}

fn number(text: &[u8], from: usize, digits: usize) -> Option<i64> {
    text.get(from..from + digits)?
        .iter()
        .try_fold(0, |value, &digit| {
            digit
                .is_ascii_digit()
                .then(|| value * 10 + i64::from(digit - b'0'))
        })
}

/// Days from 1970-01-01 in the Gregorian calendar; years are counted from March, so that the leap
/// day is the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.29.17
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// 2.5.29.19
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_certificate_says() {
        let names = [
            "PBX.example.org",
            "*.example.net",
            "192.0.2.7",
            "2001:db8::7",
        ];
        let mut parameters =
            rcgen::CertificateParams::new(names.map(str::to_owned).to_vec()).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2024, 2, 29);
        parameters.not_after = rcgen::date_time_ymd(2071, 12, 31);
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters
            .distinguished_name
            .push(rcgen::DnType::OrganizationName, "Nobody");
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, "Test");
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let facts = Facts::of(certificate.der()).unwrap();
        assert_eq!(
            (facts.not_before, facts.not_after),
            (1_709_164_800, 3_218_745_600)
        );
        assert_eq!(facts.common_name.as_deref(), Some("Test"));
        assert_eq!(facts.names, ["pbx.example.org", "*.example.net"]);
        let addresses = facts.addresses.iter().map(ToString::to_string);
        assert_eq!(addresses.collect::<Vec<_>>(), names[2..]);
        assert!(facts.self_issued && facts.authority);
        for (host, covered) in [
            ("pbx.example.org", true),
            ("PBX.EXAMPLE.ORG.", true),
            ("a.example.net", true),
            ("example.net", false),
            ("a.b.example.net", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("2001:db8:0::7", true),
            ("localhost", false),
        ] {
            assert_eq!(facts.cover(host), covered, "{host}");
        }
    }

    #[test]
    fn cut_or_foreign_bytes_say_nothing() {
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let der: &[u8] = certificate.der();
        for length in 0..der.len() {
            assert_eq!(Facts::of(&der[..length]), None, "{length}");
        }
        for at in 0..der.len() {
            let mut bent = der.to_owned();
            bent[at] ^= 0xff;
            let _ = Facts::of(&bent);
        }
        assert_eq!(Facts::of(b"\x30\x84\xff\xff\xff\xff"), None);
        assert_eq!(Facts::of(b""), None);
    }
}
