//! The `Range` of a request (RFC 9110 §14.2).

/// What is sent of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ranged {
    Whole,
    Part { first: u64, last: u64 },
    Unsatisfiable,
}

impl Ranged {
    /// "A server MAY ignore the Range header field": it is ignored where it is broken, and where it
    /// asks for several parts, which no browser does.
    pub(super) fn of(range: &str, total: u64) -> Self {
        let Some(set) = range.trim().strip_prefix("bytes=") else {
            return Self::Whole;
        };
        let Some((first, last)) = set.trim().split_once('-') else {
            return Self::Whole;
        };
        let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse::<u64>().ok(),
            false => None,
        };
        match (first, last) {
            ("", suffix) => match number(suffix) {
                None => Self::Whole,
                Some(0) => Self::Unsatisfiable,
                Some(_) if total == 0 => Self::Unsatisfiable,
                Some(length) => Self::Part {
                    first: total.saturating_sub(length),
                    last: total - 1,
                },
            },
            (first, last) => {
                let Some(first) = number(first) else {
                    return Self::Whole;
                };
                let last = match last {
                    "" => u64::MAX,
                    last => match number(last) {
                        Some(last) if last >= first => last,
                        _ => return Self::Whole,
                    },
                };
                match first < total {
                    true => Self::Part {
                        first,
                        last: last.min(total - 1),
                    },
                    false => Self::Unsatisfiable,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ranged::{self, Part, Unsatisfiable, Whole};

    #[test]
    fn ranges_are_those_of_the_rfc() {
        let cases = [
            ("bytes=0-0", Part { first: 0, last: 0 }),
            ("bytes=2-", Part { first: 2, last: 9 }),
            ("bytes=-3", Part { first: 7, last: 9 }),
            ("bytes=-30", Part { first: 0, last: 9 }),
            ("bytes=8-99", Part { first: 8, last: 9 }),
            ("bytes=10-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=5-2", Whole),
            ("bytes=0-1,4-5", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=-", Whole),
            ("lines=0-1", Whole),
            ("bytes=99999999999999999999-", Whole),
            ("", Whole),
        ];
        for (range, expected) in cases {
            assert_eq!(Ranged::of(range, 10), expected, "{range}");
        }
        assert_eq!(Ranged::of("bytes=0-", 0), Unsatisfiable);
        assert_eq!(Ranged::of("bytes=-1", 0), Unsatisfiable);
    }
}
