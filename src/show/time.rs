//! How long ago, and when.

use jiff::{Timestamp, Zoned};

/// A span of time for people: its greatest unit alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    count: i64,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Minutes,
    Hours,
    Days,
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// From `since` to `now`; what cannot be read, or is to come, was just now.
pub fn age(since: &str, now: Timestamp) -> Age {
    Age::of(seconds_since(since, now))
}

pub fn seconds_since(since: &str, now: Timestamp) -> i64 {
    let since = since.parse().unwrap_or(now);
    now.duration_since(since).as_secs().max(0)
}

/// The time of day in the zone of `now`, with the date if it is another day: `15:20`,
/// `Dec 1 09:00`.
pub fn of_day(at: Timestamp, now: &Zoned) -> String {
    let at = at.to_zoned(now.time_zone().clone());
    match at.date() == now.date() {
        true => at.strftime("%H:%M").to_string(),
        false => at.strftime("%b %-d %H:%M").to_string(),
    }
}

impl Age {
    pub fn of(seconds: i64) -> Age {
        let (count, unit) = match seconds {
            ..MINUTE => (seconds, Unit::Seconds),
            MINUTE..HOUR => (seconds / MINUTE, Unit::Minutes),
            HOUR..DAY => (seconds / HOUR, Unit::Hours),
            _ => (seconds / DAY, Unit::Days),
        };
        Age { count, unit }
    }

    /// `3m`, for a column.
    pub fn brief(self) -> String {
        let unit = match self.unit {
            Unit::Seconds => "s",
            Unit::Minutes => "m",
            Unit::Hours => "h",
            Unit::Days => "d",
        };
        format!("{}{unit}", self.count)
    }

    /// `3 min`, for a sentence.
    pub fn words(self) -> String {
        let unit = match self.unit {
            Unit::Seconds => "s",
            Unit::Minutes => "min",
            Unit::Hours => "h",
            Unit::Days if self.count == 1 => "day",
            Unit::Days => "days",
        };
        format!("{} {unit}", self.count)
    }
}
