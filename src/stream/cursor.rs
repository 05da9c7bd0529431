//! Where a subscriber goes on: pure functions.

use crate::store::read::Head;

/// What a subscriber asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// What happens from now on.
    Live,
    /// What came after this id.
    After(i64),
    /// What came after something that is no id.
    Garbage,
}

/// Why a stream could not go on where it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Garbage,
    Unknown,
    Removed,
    Replaced,
}

impl Start {
    /// Reads a `Last-Event-ID`.
    pub fn parse(last_event_id: &str) -> Start {
        let digits = !last_event_id.is_empty() && last_event_id.bytes().all(|b| b.is_ascii_digit());
        match last_event_id.parse() {
            Ok(id) if digits => Start::After(id),
            _ => Start::Garbage,
        }
    }
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Garbage => "the last event id is not an event id",
            Reason::Unknown => "the last event id is not of this log: it is newer than its end",
            Reason::Removed => "events after the last event id were removed by retention",
            Reason::Replaced => "the log was replaced or restored",
        }
    }
}

/// Whether a stream can go on after `cursor`. `pruned` is the highest id below
/// the oldest event that was an event once. Ids that were drawn and rolled back
/// are missing too, but no reader has missed them.
pub fn resume(cursor: i64, head: &Head, pruned: i64) -> Result<i64, Reason> {
    if cursor > head.last_given {
        return Err(Reason::Unknown);
    }
    if cursor < pruned {
        return Err(Reason::Removed);
    }
    Ok(cursor)
}

/// Whether `resume` needs to know what was pruned: only then is it looked up.
pub fn may_miss_pruned(cursor: i64, head: &Head) -> bool {
    let oldest = head.oldest.unwrap_or(head.last_given + 1);
    cursor < oldest - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_digits_are_an_id() {
        assert_eq!(Start::parse("0"), Start::After(0));
        assert_eq!(Start::parse("42"), Start::After(42));
        for garbage in [
            "",
            "-1",
            "+1",
            "1.5",
            " 1",
            "x",
            "99999999999999999999",
            "١",
        ] {
            assert_eq!(Start::parse(garbage), Start::Garbage, "{garbage:?}");
        }
    }

    #[test]
    fn a_cursor_goes_on_unless_something_behind_it_is_gone() {
        let log = Head {
            newest: 20,
            oldest: Some(5),
            last_given: 22,
        };
        let emptied = Head {
            newest: 0,
            oldest: None,
            last_given: 22,
        };
        for (cursor, head, pruned, expected) in [
            (20, log, 0, Ok(20)),
            (22, log, 0, Ok(22)),
            (23, log, 0, Err(Reason::Unknown)),
            (4, log, 4, Ok(4)),
            (3, log, 4, Err(Reason::Removed)),
            (3, log, 3, Ok(3)),
            (0, log, 0, Ok(0)),
            (21, emptied, 20, Ok(21)),
            (19, emptied, 20, Err(Reason::Removed)),
        ] {
            assert_eq!(
                resume(cursor, &head, pruned),
                expected,
                "{cursor} {head:?} {pruned}"
            );
            if !may_miss_pruned(cursor, &head) {
                assert_eq!(
                    resume(cursor, &head, 0),
                    expected,
                    "pruned is not looked up"
                );
            }
        }
    }
}
