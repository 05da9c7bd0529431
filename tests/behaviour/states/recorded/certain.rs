//! What the log claims with certainty: that an agent rests, or is over.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{
    super::judge::{LATE_MILLIS, Step},
    recording::Recording,
};
use crate::support::headspace::{Kind, Store};

/// From this confidence on a claim is a certainty.
const CERTAIN: &str = "0.9";

/// An agent rests or is over since then, says a transition or the session's end.
pub struct Claim {
    agent: String,
    /// Milliseconds since 1970.
    at: i64,
}

/// The same in the play of its recording.
pub struct Played {
    agent: String,
    at: i64,
}

pub fn claims(store: &Store) -> Vec<Claim> {
    let rests = format!(
        "event_type = 'state_transition' AND payload ->> 'to_state' IN ('idle', 'complete')
         AND CAST(payload ->> 'confidence' AS real) >= {CERTAIN}"
    );
    let column = |name: &str| {
        store.column(&format!(
            "SELECT {name} FROM events e JOIN agents a ON a.id = e.agent_id
             WHERE ({rests}) OR event_type = 'session_ended' ORDER BY e.id"
        ))
    };
    let millis = column(match store.kind() {
        Kind::Sqlite => "CAST(unixepoch(timestamp, 'subsec') * 1000 AS integer)",
        Kind::Postgres => "CAST(extract(epoch FROM timestamp) * 1000 AS bigint)",
    });
    let agents = column("session_uuid").into_iter();
    let claim = |(agent, at): (String, String)| Claim {
        agent,
        at: at.parse().unwrap(),
    };
    agents.zip(millis).map(claim).collect()
}

impl Claim {
    pub fn in_play(&self, recording: &Recording, began: SystemTime) -> Option<Played> {
        let began = began.duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        Some(Played {
            agent: recording.number_of(&self.agent)?,
            at: self.at - began,
        })
    }
}

/// Where an agent is claimed, and shown, to rest or to be over while a person would
/// say that it waits or works.
pub fn wrong_certainties(person: &[Step], shown: &[Step], claims: &[Played]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (step, until) in spans(person).filter(|(step, _)| waits_or_works(step)) {
        let (from, until) = (step.at + LATE_MILLIS, until - LATE_MILLIS);
        let resting = spans(shown).filter(|(shown, _)| shown.agent == step.agent && rests(shown));
        for (shown, shown_until) in resting {
            let lasts = shown_until.min(until) - shown.at.max(from) >= LATE_MILLIS;
            let is_claimed = claims.iter().any(|claim| {
                claim.agent == step.agent && (step.at..shown_until).contains(&claim.at)
            });
            if lasts && is_claimed {
                wrong.push(format!(
                    "{} is {:?} from {} on, and claimed to be {:?} at {}",
                    step.agent, step.words, step.at, shown.words, shown.at
                ));
            }
        }
    }
    wrong
}

/// Each step, and when it is over.
fn spans(steps: &[Step]) -> impl Iterator<Item = (&Step, i64)> {
    steps.iter().enumerate().map(|(n, step)| {
        let next = steps[n + 1..].iter().find(|next| next.agent == step.agent);
        (step, next.map_or(i64::MAX / 2, |next| next.at))
    })
}

/// A turn that is over while tasks run on is no rest.
fn rests(step: &Step) -> bool {
    step.words.starts_with("idle\t") || step.words.starts_with("ended\t")
}

/// A menu is none: a person opened it, and nothing waits.
fn waits_or_works(step: &Step) -> bool {
    let is = |words: &str| step.words.starts_with(words);
    !is("idle") && !is("ended") && !is("awaiting_input\tnone")
}

#[test]
fn a_rest_that_is_claimed_while_it_works_is_wrong_and_one_that_is_left_over_is_not() {
    let step = |at, words: &str| Step {
        agent: "1".into(),
        at,
        words: words.into(),
    };
    let person = [
        step(0, "idle\tnone\t-"),
        step(1000, "processing\tnone\t-"),
        step(5000, "idle\tnone\t-"),
    ];
    let claims = |at| {
        [Played {
            agent: "1".into(),
            at,
        }]
    };
    let shown = [step(0, "idle\tnone\t-")];
    assert!(wrong_certainties(&person, &shown, &claims(100)).is_empty());
    assert_eq!(wrong_certainties(&person, &shown, &claims(2000)).len(), 1);
    let late = [
        step(1100, "processing\tnone\t-"),
        step(4600, "idle\tnone\t-"),
    ];
    assert!(wrong_certainties(&person, &late, &claims(4600)).is_empty());
    let early = [
        step(1100, "processing\tnone\t-"),
        step(3000, "ended\tnone\t-"),
    ];
    assert_eq!(wrong_certainties(&person, &early, &claims(3000)).len(), 1);
}
