//! It does not matter which witness is heard first.
//!
//! Of a session's transcript, hooks and registry, each in its own order, every
//! interleaving is a way through a lattice: so much of each has been heard. If all
//! ways into each of its points lead to the same facts, all interleavings do.

use std::collections::HashMap;

use headspace::{
    derive::state::{Call, Input, OpenFacts, Queue, Says, State, Witness},
    event::{ObservedStatus, Timestamp},
};

use super::{labels, replay, timeline::Timeline};

type Streams = [Vec<Input>; 3];

fn streams(timeline: &Timeline, agent: &str) -> Streams {
    let mut streams: Streams = Default::default();
    for seen in timeline.seen.iter().filter(|seen| seen.agent == agent) {
        let stream = match seen.input.witness {
            Witness::Transcript => 0,
            Witness::Hook => 1,
            _ => 2,
        };
        streams[stream].push(seen.input.clone());
    }
    streams
}

fn new(agent: &str) -> OpenFacts {
    match agent.contains('/') {
        true => OpenFacts::of_child(),
        false => OpenFacts::default(),
    }
}

/// How many interleavings end in the same facts; none if some do not.
fn interleavings(streams: &Streams, start: OpenFacts) -> Option<f64> {
    let mut points: HashMap<[usize; 3], (OpenFacts, f64)> = HashMap::new();
    points.insert([0; 3], (start, 1.0));
    let [a, b, c] = [0, 1, 2].map(|n| streams[n].len());
    for point in (0..=a).flat_map(|i| (0..=b).flat_map(move |j| (0..=c).map(move |k| [i, j, k]))) {
        let mut here: Option<(OpenFacts, f64)> = points.remove(&point);
        for stream in 0..3 {
            let mut before = point;
            let Some(heard) = before[stream].checked_sub(1) else {
                continue;
            };
            before[stream] = heard;
            let (mut facts, ways) = points[&before].clone();
            facts.apply(&streams[stream][heard]);
            match &mut here {
                None => here = Some((facts, ways)),
                Some((same, all))
                    if same.view() == facts.view() && same.facts() == facts.facts() =>
                {
                    *all += ways;
                }
                Some(_) => return None,
            }
        }
        points.insert(point, here.expect("a way leads to every point"));
        // What no later point comes from is let go.
        if let Some(i) = point[0].checked_sub(2) {
            points.remove(&[i, point[1], point[2]]);
        }
    }
    points.get(&[a, b, c]).map(|(_, ways)| *ways)
}

#[test]
fn every_interleaving_of_a_recorded_session_ends_alike() {
    let mut all = 0.0;
    for timeline in Timeline::all() {
        for agent in timeline.agents() {
            let ways = interleavings(&streams(&timeline, agent), new(agent));
            all +=
                ways.unwrap_or_else(|| panic!("{}: {agent} depends on the order", timeline.name));
        }
    }
    println!("{all:e} interleavings");
    assert!(all > 100_000.0, "{all}");
}

#[test]
fn what_is_heard_again_changes_nothing() {
    for timeline in Timeline::all() {
        for agent in timeline.agents() {
            let mut facts = new(agent);
            let inputs: Vec<&Input> = timeline
                .seen
                .iter()
                .filter(|seen| seen.agent == agent)
                .map(|seen| &seen.input)
                .collect();
            for input in &inputs {
                facts.apply(input);
                let before = facts.clone();
                assert!(!facts.apply(input), "{}", timeline.name);
                assert_eq!(facts, before, "{}", timeline.name);
            }
            for input in &inputs {
                assert!(!facts.apply(input), "{}", timeline.name);
            }
        }
    }
}

/// Of long sessions too, of which only the newest inputs are kept.
#[test]
fn a_transcript_that_is_read_again_changes_nothing() {
    let folder = labels::unpacked();
    for file in labels::files(folder.path()) {
        let mut facts = OpenFacts::default();
        let inputs: Vec<Input> = replay::inputs(&file).into_iter().flatten().collect();
        for input in &inputs {
            facts.apply(input);
        }
        let before = facts.facts().clone();
        for input in &inputs {
            assert!(!facts.apply(input), "{file:?} {input:?}");
        }
        assert_eq!(*facts.facts(), before, "{file:?}");
    }
}

/// Floods end, and leave little behind.
#[test]
fn a_flood_opens_nothing_and_the_facts_stay_small() {
    let at = |n: i64| Timestamp::from_micros(1_790_000_000_000_000 + n * 1000);
    let by_transcript = |n, says| Input {
        at: at(n),
        witness: Witness::Transcript,
        says,
    };
    let mut facts = OpenFacts::default();
    for n in 0..3000 {
        facts.apply(&by_transcript(n, Says::Queue(Queue::Enqueue)));
    }
    assert_eq!(facts.view().state, State::Idle);
    assert!(facts.facts().turn.is_none() && facts.facts().commands.is_empty());
    for n in 3000..13_000 {
        let (id, name) = (format!("toolu_{n}"), "Bash".to_owned());
        let asks = Some("x".repeat(200));
        facts.apply(&by_transcript(n, Says::Called(Call { id, name, asks })));
    }
    for n in 13_000..14_000 {
        let (agent, tool) = (Some(format!("agent{n}")), "Bash".to_owned());
        let asks = Some("x".repeat(200));
        facts.apply(&Input {
            at: at(n),
            witness: Witness::Hook,
            says: Says::Asked { agent, tool, asks },
        });
    }
    assert_eq!(facts.facts().commands.len(), 1);
    let row = serde_json::to_string(&facts).unwrap();
    assert!(row.len() < 128 * 1024, "{}", row.len());
}

/// Whatever was said before: nothing goes on when the process is gone, or its
/// registry says so last.
#[test]
fn no_turn_stays_open_at_the_prompt_or_after_the_end() {
    for timeline in Timeline::all() {
        for agent in timeline
            .agents()
            .into_iter()
            .filter(|agent| !agent.contains('/'))
        {
            let mut facts = new(agent);
            for seen in timeline.seen.iter().filter(|seen| seen.agent == agent) {
                facts.apply(&seen.input);
                let after = |seconds: i64| {
                    latest(&timeline, agent)
                        .map(|at| Timestamp::from_micros(at.micros() + seconds * 1_000_000))
                };
                let Some(later) = after(10) else { continue };
                for status in [ObservedStatus::Idle, ObservedStatus::Gone] {
                    let mut facts = facts.clone();
                    for process in processes(&timeline, agent) {
                        facts.apply(&said(later, status, process));
                    }
                    facts.apply(&Input {
                        at: after(20).unwrap(),
                        witness: Witness::Clock,
                        says: Says::Passed,
                    });
                    let facts = facts.facts();
                    assert!(facts.turn.is_none(), "{} {status:?}", timeline.name);
                    let dialogs = facts.dialogs.iter().filter(|_| facts.ended.is_none());
                    assert_eq!(dialogs.count(), 0, "{} {status:?}", timeline.name);
                    assert!(
                        facts
                            .commands
                            .iter()
                            .all(|command| command.outcome.is_some())
                    );
                }
            }
        }
    }
}

fn latest(timeline: &Timeline, agent: &str) -> Option<Timestamp> {
    let own = timeline.seen.iter().filter(|seen| seen.agent == agent);
    own.map(|seen| seen.input.at).max()
}

fn processes(timeline: &Timeline, agent: &str) -> Vec<String> {
    let mut all: Vec<String> = timeline
        .seen
        .iter()
        .filter(|seen| seen.agent == agent)
        .filter_map(|seen| match &seen.input.says {
            Says::Status { process, .. } => Some(process.clone()),
            _ => None,
        })
        .collect();
    all.sort();
    all.dedup();
    if all.is_empty() {
        all.push("1/1".into());
    }
    all
}

fn said(at: Timestamp, status: ObservedStatus, process: String) -> Input {
    let (witness, says) = match status {
        ObservedStatus::Gone => (Witness::Process, Says::Gone { process }),
        status => {
            let waiting_for = None;
            (
                Witness::Registry,
                Says::Status {
                    status,
                    waiting_for,
                    process,
                },
            )
        }
    };
    Input { at, witness, says }
}
