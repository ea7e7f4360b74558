//! "Did you mean …": the nearest of the known names.

/// The candidate nearest to `name`, if it is near enough to have been meant.
///
/// Distance is counted in edits (insert, delete, replace, swap of neighbours) of the lower-case
/// forms; a third of the longer name may differ, and at least one edit is always forgiven.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name: Vec<char> = lowered(name);
    if name.len() > NAME_CHARS_MAX {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other = lowered(candidate);
        if other.len() > NAME_CHARS_MAX {
            continue;
        }
        let allowed = (name.len().max(other.len()) / 3).max(1);
        if name.len().abs_diff(other.len()) > allowed {
            continue;
        }
        let distance = distance(&name, &other);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Longer names are not compared: the cost is the product of the two lengths.
const NAME_CHARS_MAX: usize = 80;

fn lowered(name: &str) -> Vec<char> {
    name.chars()
        .take(NAME_CHARS_MAX + 1)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// Optimal string alignment distance, three rows at a time.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut row = vec![0; b.len() + 1];
    for i in 1..=a.len() {
        row[0] = i;
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        std::mem::swap(&mut before, &mut above);
        std::mem::swap(&mut above, &mut row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn finds_the_name_that_was_meant() {
        let transports = ["transport-udp", "transport-tls"];
        assert_eq!(closest("transporttls", transports), Some("transport-tls"));
        assert_eq!(closest("CONTXT", ["context", "contact"]), Some("context"));
        assert_eq!(closest("alolw", ["allow", "aors"]), Some("allow"));
    }

    #[test]
    fn says_nothing_rather_than_something_far_fetched() {
        assert_eq!(closest("zebra", ["context", "allow"]), None);
        assert_eq!(closest(&"a".repeat(10_000), ["a"]), None);
        assert_eq!(closest("x", []), None);
    }
}
