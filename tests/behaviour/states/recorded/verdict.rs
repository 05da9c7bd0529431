//! What is wrong with what was shown of each recording, and how late it was.

use std::{collections::BTreeMap, sync::OnceLock, thread};

use headspace::derive::state::Witness;

use super::{
    super::judge::{ALL, LATE_MILLIS, PARTS, Step, expected, faults, steady, written},
    certain::wrong_certainties,
    play::{Played, play},
    recording::{Recording, recordings},
};
use crate::support::headspace::Kind;

/// A part that the steps do not have: it may know less, and claim nothing wrong.
const ALONE: &str = "transcript alone";
/// What lasts less than 300 ms is no step, and may be shown for a little longer.
const SHORT_MILLIS: i64 = LATE_MILLIS + 100;

/// The steps written beside a recording, by the time of its play.
fn steps(recording: &Recording, part: &str) -> Vec<Step> {
    let text = written(&recording.name).unwrap_or_else(|| panic!("{}", recording.name));
    let steps = expected(&text, part).into_iter();
    let played = |step: Step| Step {
        at: recording.clock.played(step.at),
        ..step
    };
    steps.map(played).collect()
}

pub struct Verdict {
    pub faults: BTreeMap<String, Vec<String>>,
    /// From a step to where it is shown, in milliseconds.
    pub delays: Vec<i64>,
}

/// All parts at once, each with a database and a watcher of its own.
pub fn verdict() -> &'static Verdict {
    static VERDICT: OnceLock<Verdict> = OnceLock::new();
    VERDICT.get_or_init(|| {
        let recordings = recordings();
        let alone = [Witness::Hook, Witness::Registry];
        let played: Vec<Played> = thread::scope(|scope| {
            let play = |part, without: Vec<Witness>| {
                let recordings = &recordings;
                scope.spawn(move || play(Kind::Sqlite, recordings, part, &without))
            };
            let parts = PARTS.map(|(part, without)| play(part, without.into_iter().collect()));
            let alone = play(ALONE, alone.to_vec());
            let parts = parts.into_iter().chain([alone]);
            parts.map(|part| part.join().unwrap()).collect()
        });
        judge(&recordings, &played)
    })
}

pub fn judge(recordings: &[Recording], played: &[Played]) -> Verdict {
    let mut verdict = Verdict {
        faults: BTreeMap::new(),
        delays: Vec::new(),
    };
    for part in played {
        assert!(
            part.strangers.is_empty(),
            "{}: {:?}",
            part.part,
            part.strangers
        );
    }
    for (number, recording) in recordings.iter().enumerate() {
        let found = verdict.faults.entry(recording.name.clone()).or_default();
        let person = steps(recording, ALL);
        for part in played {
            let shown = &part.shown[number];
            let steady = steady(shown.clone(), SHORT_MILLIS);
            if part.part != ALONE {
                let expected = steps(recording, part.part);
                verdict.delays.extend(delays(&expected, shown));
                let wrong = faults(&expected, &steady);
                found.extend(wrong.iter().map(|wrong| format!("{}: {wrong}", part.part)));
            }
            let claims = part
                .claims
                .iter()
                .filter_map(|claim| claim.in_play(recording, part.began[number]));
            let wrong = wrong_certainties(&person, &steady, &claims.collect::<Vec<_>>());
            found.extend(wrong.iter().map(|wrong| format!("{}: {wrong}", part.part)));
        }
    }
    verdict.delays.sort_unstable();
    verdict
}

fn delays(expected: &[Step], shown: &[Step]) -> Vec<i64> {
    let of = |step: &Step| {
        let is_it = |shown: &&Step| shown.agent == step.agent && shown.words == step.words;
        let before = shown
            .iter()
            .filter(is_it)
            .rfind(|shown| shown.at <= step.at + LATE_MILLIS);
        before.map(|shown| (shown.at - step.at).max(0))
    };
    expected.iter().filter_map(of).collect()
}
