//! What a person would name at each step of a recorded session, held against what
//! is shown of it while its witnesses speak, and while one of them is missing.
//!
//! `tests/data/timelines/NAME.steps` stands beside its recording, one part for all
//! witnesses and one without each of them. A line is a step: the agent (`1` is the
//! first session, `1/ID` a subagent of it), the millisecond at which the first witness
//! can know it, the state with the number of tasks in the background, what it
//! needs, and what it asks.

use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
};

use headspace::derive::state::{Input, OpenFacts, View, Witness};

use super::timeline::Timeline;

/// So late may a step be shown.
const LATE_MILLIS: i64 = 300;

const PARTS: [(&str, Option<Witness>); 4] = [
    ("all witnesses", None),
    ("without hooks", Some(Witness::Hook)),
    ("without registry", Some(Witness::Registry)),
    ("without transcript", Some(Witness::Transcript)),
];

struct Step {
    agent: String,
    at: i64,
    words: String,
}

/// What is shown of each agent, and since when it is.
fn replayed(timeline: &Timeline, without: Option<Witness>) -> Vec<Step> {
    let mut facts: HashMap<&str, OpenFacts> = HashMap::new();
    let sessions = timeline.sessions();
    let mut shown: Vec<Step> = Vec::new();
    for seen in timeline
        .seen
        .iter()
        .filter(|seen| Some(kind(&seen.input)) != without)
    {
        let (session, child) = match seen.agent.split_once('/') {
            Some((session, child)) => (session, Some(child)),
            None => (seen.agent.as_str(), None),
        };
        let number = sessions.iter().position(|known| *known == session).unwrap() + 1;
        let agent = match child {
            Some(child) => format!("{number}/{child}"),
            None => number.to_string(),
        };
        let new = || match child {
            Some(_) => OpenFacts::of_child(),
            None => OpenFacts::default(),
        };
        let facts = facts.entry(&seen.agent).or_insert_with(new);
        facts.apply(&seen.input);
        let words = words(&facts.view());
        let last = shown.iter().rfind(|step| step.agent == agent);
        if last.is_none_or(|last| last.words != words) {
            let at = seen.at;
            shown.push(Step { agent, at, words });
        }
    }
    shown
}

fn kind(input: &Input) -> Witness {
    match input.witness {
        Witness::Process => Witness::Registry,
        witness => witness,
    }
}

fn words(view: &View) -> String {
    let state = if view.ended {
        "ended"
    } else {
        view.state.as_str()
    };
    let asks = view
        .asks
        .as_deref()
        .unwrap_or("-")
        .replace(['\n', '\t'], " ");
    let background = match view.background {
        0 => String::new(),
        n => format!(" +{n}"),
    };
    format!("{state}{background}\t{}\t{asks}", view.needs.as_str())
}

/// Without what nobody could read in so short a time.
fn steady(shown: Vec<Step>) -> Vec<Step> {
    let mut steady: Vec<Step> = Vec::new();
    for (n, step) in shown.iter().enumerate() {
        let next = shown[n + 1..].iter().find(|next| next.agent == step.agent);
        if next.is_some_and(|next| next.at - step.at < LATE_MILLIS) {
            continue;
        }
        let last = steady.iter().rfind(|last| last.agent == step.agent);
        if last.is_none_or(|last| last.words != step.words) {
            steady.push(Step {
                agent: step.agent.clone(),
                at: step.at,
                words: step.words.clone(),
            });
        }
    }
    steady
}

fn expected(text: &str, part: &str) -> Vec<Step> {
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
fn faults(expected: &[Step], shown: &[Step]) -> Vec<String> {
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
        let wrong = then
            .into_iter()
            .chain(later)
            .filter(|shown| shown.words != step.words);
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

fn steps_file(timeline: &Timeline) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/timelines");
    folder.join(format!("{}.steps", timeline.name))
}

/// With `HEADSPACE_STEPS=1` the steps are printed as they are shown, to be read
/// before they are written down.
#[test]
fn each_step_of_a_recorded_session_is_named_in_time() {
    let (mut recordings, mut steps) = (0, 0);
    let mut wrong = Vec::new();
    for timeline in Timeline::all() {
        if env::var_os("HEADSPACE_STEPS").is_some() {
            println!("== {}", timeline.name);
            for (part, without) in PARTS {
                println!("# {part}");
                for Step { agent, at, words } in steady(replayed(&timeline, without)) {
                    println!("{agent}\t{at}\t{words}");
                }
            }
        }
        let Ok(text) = fs::read_to_string(steps_file(&timeline)) else {
            continue;
        };
        recordings += 1;
        for (part, without) in PARTS {
            let expected = expected(&text, part);
            steps += expected.len();
            let shown = steady(replayed(&timeline, without));
            for fault in faults(&expected, &shown) {
                wrong.push(format!("{} {part}: {fault}", timeline.name));
            }
        }
    }
    println!("{steps} steps of {recordings} recordings");
    assert!(
        recordings >= 20 && wrong.is_empty(),
        "{recordings}\n{}",
        wrong.join("\n")
    );
}
