//! The day so far, counted at most once in a while.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use jiff::Zoned;

use super::waits::Waits;
use crate::{
    event::Timestamp,
    show::seconds_since,
    store::read::{ReadError, Reader},
};

/// So long a count is good enough.
const GOOD_FOR: Duration = Duration::from_secs(15);

#[derive(Clone)]
pub struct Today {
    pub turns: i64,
    /// All work together.
    pub seconds: i64,
    pub working: String,
    pub tokens: Option<String>,
    waits: Waits,
}

#[derive(Default)]
pub struct TodayReader {
    last: Mutex<Option<(Instant, Today)>>,
}

impl TodayReader {
    pub async fn read(&self, reader: &Reader) -> Result<Today, ReadError> {
        let last = self.last.lock().expect("no panic while held").clone();
        let known = match last {
            Some((at, today)) if at.elapsed() < GOOD_FOR => return Ok(today),
            last => last.map(|(_, today)| today.waits),
        };
        let today = count(reader, known).await?;
        *self.last.lock().expect("no panic while held") = Some((Instant::now(), today.clone()));
        Ok(today)
    }
}

impl Today {
    /// How long sessions waited for a person: those that still do by the agents that wait,
    /// with the time since when.
    pub fn waited(&self, waiting: &HashMap<i64, jiff::Timestamp>) -> Option<String> {
        let seconds = self.waits.total(jiff::Timestamp::now(), waiting);
        (seconds > 0).then(|| span(seconds))
    }
}

async fn count(reader: &Reader, known: Option<Waits>) -> Result<Today, ReadError> {
    let now = Zoned::now();
    let midnight = now
        .start_of_day()
        .map_or(now.timestamp(), |day| day.timestamp());
    let from = Timestamp::from_micros(midnight.as_microsecond());
    let mut waits = match known {
        Some(known) => known.of(midnight),
        None => Waits::since(midnight),
    };
    let (numbers, spans, waited) = tokio::join!(
        reader.turns_and_tokens_since(from),
        reader.spans_since(from),
        waits.read(reader)
    );
    waited?;
    let (turns, tokens) = numbers?;
    let from = from.to_string();
    let spans = spans?;
    let seconds = spans.iter().map(|span| {
        let started = std::cmp::max(&*span.started_at, &from);
        let end = span.completed_at.as_deref().and_then(|at| at.parse().ok());
        seconds_since(started, end.unwrap_or(now.timestamp()))
    });
    let seconds = seconds.sum();
    Ok(Today {
        turns,
        seconds,
        working: span(seconds),
        tokens: (tokens > 0).then(|| many(tokens)),
        waits,
    })
}

/// `3 h 12 min`
pub fn span(seconds: i64) -> String {
    match (seconds / 3600, seconds % 3600 / 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// `1.9 M`
pub fn many(number: i64) -> String {
    match number {
        ..=999 => number.to_string(),
        1_000..=999_999 => format!("{} k", number / 1000),
        _ => format!("{}.{} M", number / 1_000_000, number / 100_000 % 10),
    }
}
