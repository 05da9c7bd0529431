//! The known name that somebody most likely meant.

/// The candidate with the fewest edits, if it is close enough to be a slip of the hand.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).max(2);
    candidates
        .into_iter()
        .map(|candidate| (edits(name, candidate), candidate))
        .filter(|(edits, _)| *edits <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, removals and replacements that lead from one word to the other.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        for (from, to, expected) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("dely", "delay", 1),
            ("flaw", "lawn", 2),
        ] {
            assert_eq!(edits(from, to), expected, "{from} to {to}");
            assert_eq!(edits(to, from), expected, "{to} to {from}");
        }
    }

    #[test]
    fn suggests_a_near_name_and_no_far_one() {
        let known = ["heartbeat_interval_seconds", "max_connections"];
        assert_eq!(nearest("max_conections", known), Some("max_connections"));
        // Two letters swapped in a short word are two edits.
        assert_eq!(nearest("ses", ["web", "sse"]), Some("sse"));
        assert_eq!(nearest("colour", known), None);
    }
}
