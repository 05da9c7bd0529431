//! What a person would name at each step of a recorded session, and what is wrong
//! with what is shown instead.
//!
//! `tests/data/timelines/NAME.steps` stands beside its recording, one part for all
//! witnesses and one without each of them. A line is a step: the agent (`1` is the
//! first session, `1/ID` a subagent of it), the millisecond at which the first witness
//! can know it, the state with the number of tasks in the background, what it
//! needs, and what it asks.

use std::{fs, path::Path};

use headspace::derive::state::Witness;

/// So late may a step be shown.
pub const LATE_MILLIS: i64 = 300;

pub const ALL: &str = "all witnesses";

/// The parts of a file, and the witness that each is without.
pub const PARTS: [(&str, Option<Witness>); 4] = [
    (ALL, None),
    ("without hooks", Some(Witness::Hook)),
    ("without registry", Some(Witness::Registry)),
    ("without transcript", Some(Witness::Transcript)),
];

#[derive(Clone)]
pub struct Step {
    pub agent: String,
    pub at: i64,
    pub words: String,
}

/// The steps written beside a recording.
pub fn written(name: &str) -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/timelines");
    fs::read_to_string(folder.join(format!("{name}.steps"))).ok()
}

/// Without what no person could read in so short a time.
pub fn steady(shown: Vec<Step>, short_millis: i64) -> Vec<Step> {
    let mut steady: Vec<Step> = Vec::new();
    for (n, step) in shown.iter().enumerate() {
        let next = shown[n + 1..].iter().find(|next| next.agent == step.agent);
        if next.is_some_and(|next| next.at - step.at < short_millis) {
            continue;
        }
        let last = steady.iter().rfind(|last| last.agent == step.agent);
        if last.is_none_or(|last| last.words != step.words) {
            steady.push(step.clone());
        }
    }
    steady
}

pub fn expected(text: &str, part: &str) -> Vec<Step> {
    let heading = format!("# {part}");
    let lines = text.lines().skip_while(|line| *line != heading).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('#'));
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            let mut fields = line.splitn(3, '\t');
            let mut field = || fields.next().unwrap_or_else(|| panic!("{line}"));
            Step {
                agent: field().to_owned(),
                at: field().parse().unwrap(),
                words: field().to_owned(),
            }
        })
        .collect()
}

/// Where a step is not shown in time, or something else is shown meanwhile.
pub fn faults(expected: &[Step], shown: &[Step]) -> Vec<String> {
    let mut faults = Vec::new();
    for (n, step) in expected.iter().enumerate() {
        let own = || shown.iter().filter(|shown| shown.agent == step.agent);
        let next = expected[n + 1..]
            .iter()
            .find(|next| next.agent == step.agent);
        let until = next.map_or(i64::MAX, |next| next.at);
        let from = step.at + LATE_MILLIS;
        let then = own().rfind(|shown| shown.at <= from);
        let later = own().filter(|shown| shown.at > from && shown.at < until);
        // What came between could not be read.
        let is_next = |shown: &&Step| {
            shown.at >= until - LATE_MILLIS && next.is_some_and(|next| next.words == shown.words)
        };
        let wrong = then
            .into_iter()
            .chain(later)
            .filter(|shown| shown.words != step.words && !is_next(shown));
        let wrong: Vec<_> = wrong
            .map(|shown| format!("{} {}", shown.at, shown.words))
            .collect();
        if then.is_none() || !wrong.is_empty() {
            faults.push(format!(
                "{} {} {}: shown {wrong:?}",
                step.agent, step.at, step.words
            ));
        }
    }
    let known = |shown: &&Step| expected.iter().any(|step| step.agent == shown.agent);
    let strangers = shown.iter().filter(|shown| !known(shown));
    faults.extend(strangers.map(|shown| format!("{} is not expected", shown.agent)));
    faults
}
