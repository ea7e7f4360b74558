//! Groups of call pickup: numbers from 0 to 63, and names.

use crate::option::{Fault, names};
use std::collections::BTreeSet;

/// The largest number of a group.
const NUMBER_MAX: u32 = 63;

/// Groups of call pickup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// One bit each.
    numbers: u64,
    names: BTreeSet<String>,
}

impl Groups {
    /// Whether one group is in both.
    pub fn meet(&self, other: &Self) -> bool {
        self.numbers & other.numbers != 0 || !self.names.is_disjoint(&other.names)
    }

    /// The numbers as they may be written: `1,3-5`.
    pub fn numbers(&self) -> String {
        let has = |number: u32| number <= NUMBER_MAX && self.numbers >> number & 1 == 1;
        let mut parts = Vec::new();
        let mut number = 0;
        while number <= NUMBER_MAX {
            let first = number;
            while has(number) {
                number += 1;
            }
            match number - first {
                0 => {}
                1 => parts.push(first.to_string()),
                _ => parts.push(format!("{first}-{}", number - 1)),
            }
            number += 1;
        }
        parts.join(",")
    }

    /// The names, joined by commas.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        names.join(",")
    }

    /// Reads the numbers, in place of those there were.
    pub(super) fn number(&mut self, value: &str) -> Result<(), Fault> {
        self.numbers = 0;
        let number = |text: &str| {
            let number = text.trim().parse::<u32>().ok();
            number
                .filter(|number| *number <= NUMBER_MAX)
                .ok_or_else(|| Fault::NotNumber(0, NUMBER_MAX.into()))
        };
        for part in value
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            for each in number(first)?..=number(last)? {
                self.numbers |= 1_u64 << each;
            }
        }
        Ok(())
    }

    /// Reads the names, in place of those there were.
    pub(super) fn name(&mut self, value: &str) -> Result<(), Fault> {
        self.names = names(value)?.into_iter().collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Groups;

    #[test]
    fn numbers_stand_alone_and_in_ranges() {
        let mut groups = Groups::default();
        groups.number("63, 1,3-5,4").unwrap();
        assert_eq!(groups.numbers(), "1,3-5,63");
        groups.number("").unwrap();
        assert_eq!(groups.numbers(), "");
        for bad in ["64", "1-64", "x", "-1"] {
            assert!(groups.number(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn groups_meet_in_a_number_or_a_name() {
        let of = |numbers: &str, names: &str| {
            let mut groups = Groups::default();
            groups.number(numbers).unwrap();
            groups.name(names).unwrap();
            groups
        };
        assert!(of("1,2", "").meet(&of("2,3", "")));
        assert!(of("1", "sales,support").meet(&of("2", "support")));
        assert!(!of("1", "sales").meet(&of("2", "support")));
        assert!(!of("", "").meet(&of("", "")));
    }
}
