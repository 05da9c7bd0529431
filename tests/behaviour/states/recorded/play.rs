//! All recordings, played to one watcher, while `agent_states` is looked at.

use std::{
    sync::atomic::AtomicBool,
    thread,
    time::{Duration, Instant, SystemTime},
};

use headspace::derive::state::Witness;

use super::{
    super::{children::assert_as_the_log, judge::Step},
    certain::{Claim, claims},
    recording::{Recording, What},
    stage::Stage,
    view,
};
use crate::support::{
    headspace::{Headspace, Kind},
    over::Over,
};

/// So long after one recording the next one begins: a few play at any time.
const APART: Duration = Duration::from_millis(200);
/// So long is looked at what follows the last entry.
const AFTER: Duration = Duration::from_millis(1500);

/// What a part showed of each recording, and claimed.
pub struct Played {
    pub part: &'static str,
    pub shown: Vec<Vec<Step>>,
    /// Agents that are shown and that no recording knows.
    pub strangers: Vec<String>,
    pub claims: Vec<Claim>,
    pub began: Vec<SystemTime>,
}

fn witness(what: &What) -> Witness {
    match what {
        What::Hook(_) => Witness::Hook,
        What::Record { .. } => Witness::Transcript,
        What::Registry { .. } | What::Removed { .. } | What::Exit { .. } => Witness::Registry,
    }
}

/// Plays all recordings to one watcher, and looks at what is shown meanwhile.
pub fn play(
    kind: Kind,
    recordings: &[Recording],
    part: &'static str,
    without: &[Witness],
) -> Played {
    let headspace = Headspace::on(kind);
    let watcher = headspace.watch();
    let mut stage = Stage::new(&headspace);
    let start = Instant::now() + APART;
    let started = SystemTime::now() + APART;
    let begins = |number: usize| APART * number as u32;
    let mut due: Vec<(Duration, usize, &What)> = Vec::new();
    for (number, recording) in recordings.iter().enumerate() {
        let entries = recording.entries.iter();
        let entries = entries.filter(|entry| !without.contains(&witness(&entry.what)));
        due.extend(entries.map(|entry| {
            let at = begins(number) + Duration::from_millis(entry.at.max(0) as u64);
            (at, number, &entry.what)
        }));
    }
    due.sort_by_key(|(at, ..)| *at);
    let over = AtomicBool::new(false);
    let shown = thread::scope(|scope| {
        let looking = scope.spawn(|| view::look(&headspace.store, &over));
        let is_over = Over(&over);
        for (at, number, what) in &due {
            wait_until(start + *at);
            let began = started + begins(*number);
            stage.play(*number, &recordings[*number], what, began);
        }
        wait_until(Instant::now() + AFTER);
        drop(is_over);
        looking.join().unwrap()
    });
    drop(watcher);
    assert_as_the_log(&headspace);
    let of = |(number, recording): (usize, &Recording)| {
        let steps = shown.iter().filter_map(|shown| {
            let began = start + begins(number);
            Some(Step {
                agent: recording.number_of(&shown.agent)?,
                at: shown.at.saturating_duration_since(began).as_millis() as i64,
                words: shown.words.clone(),
            })
        });
        steps.collect()
    };
    let is_known = |agent: &str| recordings.iter().any(|one| one.number_of(agent).is_some());
    let strangers = shown.iter().filter(|shown| !is_known(&shown.agent));
    Played {
        part,
        strangers: strangers.map(|shown| shown.agent.clone()).collect(),
        shown: recordings.iter().enumerate().map(of).collect(),
        claims: claims(&headspace.store),
        began: (0..recordings.len()).map(|n| started + begins(n)).collect(),
    }
}

/// The pace of the recording, which nothing else gives.
fn wait_until(due: Instant) {
    while let Some(left) = due
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
    {
        thread::park_timeout(left);
    }
}
