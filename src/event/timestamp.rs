//! Times of events: UTC with microseconds, in one fixed width.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A point in time, to the microsecond. Its text has a fixed width
/// (`2026-11-21T01:02:03.000004Z`), so texts sort as times do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

/// When something happened, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub at: Timestamp,
    /// The record carried no usable time: this is when it was read.
    pub observed: bool,
}

impl Timestamp {
    pub const UNIX_EPOCH: Timestamp = Timestamp(jiff::Timestamp::UNIX_EPOCH);

    pub fn now() -> Timestamp {
        Timestamp::truncated(jiff::Timestamp::now())
    }

    /// Reads ISO 8601 with a zone.
    pub fn parse(text: &str) -> Option<Timestamp> {
        text.parse().ok().map(Timestamp::truncated)
    }

    pub fn from_micros(micros: i64) -> Timestamp {
        Timestamp(jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::MAX))
    }

    pub fn micros(self) -> i64 {
        self.0.as_microsecond()
    }

    pub fn from_system(time: std::time::SystemTime) -> Option<Timestamp> {
        jiff::Timestamp::try_from(time)
            .ok()
            .map(Timestamp::truncated)
    }

    /// Whole seconds from `earlier` to here; 0 when it is not earlier.
    pub fn seconds_since(self, earlier: Timestamp) -> u64 {
        let span = self.0.as_second() - earlier.0.as_second();
        u64::try_from(span).unwrap_or(0)
    }

    pub fn plus_seconds(self, seconds: u64) -> Timestamp {
        let span = jiff::SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        Timestamp(self.0.checked_add(span).unwrap_or(jiff::Timestamp::MAX))
    }

    /// A time that a session of a coding agent can carry. Anything else is a
    /// broken clock or a broken record, and is stored with the time of reading.
    /// The range is fixed: what an event is must not depend on our own clock.
    fn is_plausible(self) -> bool {
        let year = self.0.to_zoned(jiff::tz::TimeZone::UTC).year();
        (2000..2100).contains(&year)
    }

    fn truncated(time: jiff::Timestamp) -> Timestamp {
        let micros = time.as_microsecond();
        Timestamp(jiff::Timestamp::from_microsecond(micros).unwrap_or(time))
    }
}

impl Moment {
    pub fn observed(at: Timestamp) -> Moment {
        Moment { at, observed: true }
    }

    /// The record's own time if it has a plausible one, else `now`.
    pub fn of_record(text: Option<&str>, now: Timestamp) -> Moment {
        match text.and_then(Timestamp::parse) {
            Some(at) if at.is_plausible() => Moment {
                at,
                observed: false,
            },
            _ => Moment::observed(now),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.0)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        Timestamp::parse(&text).ok_or_else(|| D::Error::custom("no time with a zone"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_one_width() {
        for (input, text) in [
            ("2026-11-21T01:02:03Z", "2026-11-21T01:02:03.000000Z"),
            (
                "2026-11-21T01:02:03.000004999Z",
                "2026-11-21T01:02:03.000004Z",
            ),
            ("2026-11-21T03:02:03.5+02:00", "2026-11-21T01:02:03.500000Z"),
        ] {
            assert_eq!(Timestamp::parse(input).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_time_without_zone_or_sense_is_observed() {
        let now = Timestamp::parse("2026-11-21T01:02:03Z").unwrap();
        for bad in [
            None,
            Some(""),
            Some("2026-11-21T01:02:03"),
            Some("0001-01-01T00:00:00Z"),
            Some("+275760-09-13T00:00:00Z"),
            Some("soon"),
        ] {
            assert_eq!(
                Moment::of_record(bad, now),
                Moment::observed(now),
                "{bad:?}"
            );
        }
        let leap = Moment::of_record(Some("2016-12-31T23:59:60Z"), now);
        assert!(!leap.observed);
    }

    #[test]
    fn spans_never_run_backwards() {
        let early = Timestamp::parse("2026-11-21T01:02:03Z").unwrap();
        assert_eq!(early.plus_seconds(90).seconds_since(early), 90);
        assert_eq!(early.seconds_since(early.plus_seconds(90)), 0);
    }
}
