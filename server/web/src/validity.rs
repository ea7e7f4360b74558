//! When a certificate is valid: the one field of X.509 (RFC 5280 §4.1.2.5) that rustls does not tell.

/// The validity period of a DER certificate in Unix seconds, `None` when the bytes are no certificate.
pub fn validity_of(der: &[u8]) -> Option<(i64, i64)> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut body, _) = element(certificate, SEQUENCE)?;
    if body.first() == Some(&VERSION) {
        body = element(body, VERSION)?.1;
    }
    body = element(body, INTEGER)?.1; // serialNumber
    body = element(body, SEQUENCE)?.1; // signature algorithm
    body = element(body, SEQUENCE)?.1; // issuer
    let (validity, _) = element(body, SEQUENCE)?;
    let (not_before, rest) = time(validity)?;
    let (not_after, _) = time(rest)?;
    Some((not_before, not_after))
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

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_period_of_a_certificate() {
        let mut parameters = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2024, 2, 29);
        parameters.not_after = rcgen::date_time_ymd(2071, 12, 31);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        assert_eq!(
            validity_of(certificate.der()),
            Some((1_709_164_800, 3_218_745_600))
        );
    }

    #[test]
    fn cut_or_foreign_bytes_have_no_period() {
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let der: &[u8] = certificate.der();
        for length in 0..der.len().min(120) {
            let _ = validity_of(&der[..length]);
        }
        assert_eq!(validity_of(b"\x30\x84\xff\xff\xff\xff"), None);
        assert_eq!(validity_of(b""), None);
    }
}
