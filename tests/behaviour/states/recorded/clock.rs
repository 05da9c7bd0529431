//! A recording's time, without its long silences: they would only be waited for.

/// What is left of a silence: more than an idle lasts that may still be none.
const SILENCE_MILLIS: i64 = 2600;

pub struct Clock {
    /// Milliseconds from 1970 to the beginning of the recording.
    begun: i64,
    /// From when to when nothing is played, by the recording's time.
    silences: Vec<(i64, i64)>,
}

impl Clock {
    pub fn new(begun: i64, times: &[i64]) -> Clock {
        let pairs = times.windows(2).map(|pair| (pair[0], pair[1]));
        let half = SILENCE_MILLIS / 2;
        let silences = pairs
            .filter(|(from, to)| to - from > SILENCE_MILLIS)
            .map(|(from, to)| (from + half, to - half));
        Clock {
            begun,
            silences: silences.collect(),
        }
    }

    /// When a moment of the recording comes in its play.
    pub fn played(&self, at: i64) -> i64 {
        let before = |(from, to): &(i64, i64)| (at.min(*to) - from).max(0);
        at - self.silences.iter().map(before).sum::<i64>()
    }

    /// The same for a time that a witness wrote down.
    pub fn played_of(&self, millis: i64) -> i64 {
        self.played(millis - self.begun)
    }
}

#[test]
fn of_a_long_silence_its_ends_are_played() {
    let clock = Clock::new(1_000_000, &[0, 1000, 11_000, 11_100]);
    let played = [0, 1000, 2300, 5000, 9700, 11_000, 11_100].map(|at| clock.played(at));
    assert_eq!(played, [0, 1000, 2300, 2300, 2300, 3600, 3700]);
    assert_eq!(clock.played_of(1_011_000), 3600);
}
