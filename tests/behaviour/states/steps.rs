//! The fold, step by step: what is shown of a recorded session while its witnesses
//! speak, and while one of them is missing.

use std::{collections::HashMap, env};

use headspace::derive::state::{Input, OpenFacts, View, Witness};

use super::{
    judge::{LATE_MILLIS, PARTS, Step, expected, faults, steady, written},
    timeline::Timeline,
};

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
        let words = words(facts.view());
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

/// With `HEADSPACE_STEPS=1` the steps are printed as they are shown, to be read
/// before they are written down.
#[test]
fn each_step_of_a_recorded_session_is_as_a_person_names_it() {
    let (mut recordings, mut steps) = (0, 0);
    let mut wrong = Vec::new();
    for timeline in Timeline::all() {
        if env::var_os("HEADSPACE_STEPS").is_some() {
            println!("== {}", timeline.name);
            for (part, without) in PARTS {
                println!("# {part}");
                for Step { agent, at, words } in steady(replayed(&timeline, without), LATE_MILLIS) {
                    println!("{agent}\t{at}\t{words}");
                }
            }
        }
        let text = written(&timeline.name).unwrap_or_else(|| panic!("{}", timeline.name));
        recordings += 1;
        for (part, without) in PARTS {
            let expected = expected(&text, part);
            steps += expected.len();
            let shown = steady(replayed(&timeline, without), LATE_MILLIS);
            for fault in faults(&expected, &shown) {
                wrong.push(format!("{} {part}: {fault}", timeline.name));
            }
        }
    }
    println!("{steps} steps of {recordings} recordings");
    assert!(
        recordings >= 76 && wrong.is_empty(),
        "{recordings}\n{}",
        wrong.join("\n")
    );
}
