//! The timing against a fake clock: by example, and for any course of events.

mod messages;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::timing::{AGAIN_AFTER, FRESH, GRACE, MOST, Now, Plan, Timing, WINDOW};
use crate::{
    event,
    show::Wait,
    store::read::{AlertRow, UtcText},
};

/// A way with its rows, and what it sent.
struct Ground {
    began: Instant,
    timing: Timing,
    rows: Vec<AlertRow>,
    /// Seconds since the beginning, the agents told of, and whether it was a repeat.
    sent: Vec<(f64, Vec<i64>, bool)>,
    withdrawn: Vec<(f64, String)>,
    caught_up: bool,
    /// How much further the clock on the wall is, as after a sleep.
    slept: Duration,
}

fn start() -> Timestamp {
    "2026-11-30T12:00:00Z".parse().unwrap()
}

fn at(seconds: f64) -> String {
    let at = start() + SignedDuration::from_secs_f64(seconds);
    event::Timestamp::parse(&at.to_string())
        .unwrap()
        .to_string()
}

fn wait(agent_id: i64, kind: &str, opened: f64) -> Wait {
    Wait {
        agent_id,
        kind: kind.into(),
        opened_at: at(opened),
        session_uuid: format!("uuid-{agent_id}"),
        project: "shop_api".into(),
        title: "fix login".into(),
        words: "asks to run `npm test`".into(),
    }
}

impl Ground {
    fn new() -> Ground {
        Ground {
            began: Instant::now(),
            timing: Timing::default(),
            rows: Vec::new(),
            sent: Vec::new(),
            withdrawn: Vec::new(),
            caught_up: true,
            slept: Duration::ZERO,
        }
    }

    /// One look, with the rows that a database would hold.
    fn look(&mut self, seconds: f64, waits: &[Wait]) -> Plan {
        let spent = Duration::from_secs_f64(seconds);
        let now = Now {
            steady: self.began + spent,
            wall: start() + SignedDuration::try_from(spent + self.slept).unwrap(),
        };
        let plan = self.timing.plan(waits, &self.rows, now, self.caught_up);
        for telling in &plan.tell {
            let message = format!("m{}", self.sent.len());
            for told in &telling.waits {
                let wait = &waits[told.wait];
                let row = self.row(wait, &message, told.is_repeat, &now.wall.to_string());
                let is_new = |known: &AlertRow| {
                    (&known.opened_at, &known.kind, known.agent_id, known.repeat)
                        != (&row.opened_at, &row.kind, row.agent_id, row.repeat)
                };
                assert!(self.rows.iter().all(is_new), "told twice: {row:?}");
                self.rows.push(row);
            }
            self.timing.sent(now.steady);
            let agents = telling.waits.iter().map(|told| waits[told.wait].agent_id);
            let repeat = telling.waits.iter().all(|told| told.is_repeat);
            self.sent.push((seconds, agents.collect(), repeat));
        }
        for message in &plan.withdraw {
            for row in self.rows.iter_mut().filter(|row| row.message == *message) {
                assert_eq!(row.withdrawn_at, None, "withdrawn twice");
                row.withdrawn_at = Some(UtcText::from("2026-11-30T13:00:00.000000Z"));
            }
            self.withdrawn.push((seconds, message.clone()));
        }
        plan
    }

    fn row(&self, wait: &Wait, message: &str, repeat: bool, sent_at: &str) -> AlertRow {
        AlertRow {
            agent_id: wait.agent_id,
            session_uuid: wait.session_uuid.clone(),
            kind: wait.kind.clone(),
            opened_at: UtcText::from(&*wait.opened_at),
            repeat,
            message: message.to_owned(),
            sent_at: UtcText::from(sent_at),
            withdrawn_at: None,
            receipt: None,
        }
    }

    /// Another process goes on with the same rows.
    fn restart(&mut self) {
        self.timing = Timing::default();
    }

    /// Looks as often as the plan asks for it, and no more.
    fn run(&mut self, from: f64, to: f64, waits: &[Wait]) {
        let mut now = from;
        while now <= to {
            let plan = self.look(now, waits);
            let next = plan.look_at.map(|at| (at - self.began).as_secs_f64());
            match next {
                Some(next) => now = next.max(now + 0.5),
                None => return,
            }
        }
    }

    fn agents(&self) -> Vec<Vec<i64>> {
        self.sent
            .iter()
            .map(|(_, agents, _)| agents.clone())
            .collect()
    }
}

#[test]
fn a_wait_is_told_after_its_grace_and_once_more_after_ten_minutes() {
    let mut at = Ground::new();
    let waits = [wait(1, "permission", 0.0)];
    at.run(0.5, 3000.0, &waits);
    let told: Vec<(f64, bool)> = at
        .sent
        .iter()
        .map(|(when, _, again)| (*when, *again))
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].0 >= 5.0 && told[0].0 < 5.6 && !told[0].1,
        "{told:?}"
    );
    let apart = told[1].0 - told[0].0;
    assert!((600.0..602.0).contains(&apart) && told[1].1, "{told:?}");
    at.look(3001.0, &[]);
    let gone: Vec<&str> = at.withdrawn.iter().map(|(_, message)| &**message).collect();
    assert_eq!(gone, ["m0", "m1"]);
}

#[test]
fn what_is_answered_in_its_grace_is_not_told() {
    let mut at = Ground::new();
    at.look(0.2, &[wait(1, "question", 0.0)]);
    at.look(4.9, &[]);
    // The same session asks again: another wait, with a grace of its own.
    at.look(5.5, &[wait(1, "question", 5.2)]);
    assert_eq!(at.sent, []);
    at.run(6.0, 30.0, &[wait(1, "question", 5.2)]);
    assert_eq!(at.agents(), [[1]]);
    assert!(at.sent[0].0 >= 10.2, "{:?}", at.sent);
}

#[test]
fn an_opening_that_is_found_to_be_earlier_is_the_same_wait_and_a_later_one_is_not() {
    let mut at = Ground::new();
    at.run(0.0, 20.0, &[wait(1, "permission", 0.0)]);
    at.run(20.0, 40.0, &[wait(1, "permission", -0.4)]);
    assert_eq!(at.agents(), [[1]]);
    assert_eq!(at.withdrawn, []);
    at.run(40.0, 60.0, &[wait(1, "permission", 40.0)]);
    assert_eq!(at.agents(), [[1], [1]]);
    assert_eq!(at.withdrawn, [(40.0, "m0".to_owned())]);
}

#[test]
fn over_a_restart_nothing_is_told_twice() {
    let mut at = Ground::new();
    let waits = [wait(1, "plan", 0.0), wait(2, "error", 1.0)];
    at.run(0.0, 20.0, &waits);
    at.restart();
    at.run(25.0, 300.0, &waits);
    assert_eq!(at.agents(), [[1], [2]]);
    // What ended meanwhile is withdrawn.
    at.restart();
    at.run(301.0, 320.0, &waits[..1]);
    assert_eq!(at.withdrawn, [(301.0, "m1".to_owned())]);
}

#[test]
fn old_waits_become_one_message_when_all_is_read_and_are_never_repeated() {
    let mut at = Ground::new();
    at.caught_up = false;
    let waits: Vec<Wait> = (1..=5)
        .map(|id| wait(id, "permission", -600.0 * id as f64))
        .collect();
    at.run(0.0, 30.0, &waits);
    at.look(30.0, &waits);
    assert_eq!(at.sent, [], "the history is still being read");
    at.caught_up = true;
    // Two of them were answered further down in it.
    at.run(31.0, 3000.0, &waits[..3]);
    assert_eq!(at.agents(), [[1, 2, 3]]);
    let plan = at.look(3001.0, &waits[..2]);
    assert_eq!((plan.withdraw, plan.tell.len()), (vec![], 0), "two go on");
    assert_eq!(at.look(3002.0, &[]).withdraw, ["m0"]);
}

#[test]
fn a_wait_that_slept_with_the_machine_is_old_and_its_repeat_counts_time_awake() {
    let mut at = Ground::new();
    at.look(0.0, &[wait(1, "permission", 0.0)]);
    at.slept = Duration::from_secs(8 * 3600);
    let both = [wait(1, "permission", 0.0), wait(2, "plan", 100.0)];
    at.run(1.0, 60.0, &both);
    assert_eq!(at.agents(), [[1, 2]], "one message for both");

    let mut at = Ground::new();
    let told = [wait(1, "permission", 0.0)];
    at.run(0.0, 7.0, &told);
    at.slept = Duration::from_secs(8 * 3600);
    at.run(8.0, 599.0, &told);
    assert_eq!(at.sent.len(), 1);
    at.run(600.0, 700.0, &told);
    assert_eq!(at.sent.len(), 2, "awake for ten minutes");
}

#[test]
fn more_than_three_in_ten_seconds_become_one() {
    let mut at = Ground::new();
    let waits: Vec<Wait> = (1..=5).map(|id| wait(id, "permission", 0.0)).collect();
    at.run(0.0, 60.0, &waits);
    assert_eq!(at.agents(), [[1, 2, 3, 4, 5]]);

    let mut at = Ground::new();
    let waits: Vec<Wait> = (0..6).map(|id| wait(id, "plan", id as f64)).collect();
    let mut now = 0.0;
    while now < 40.0 {
        let open = waits.iter().filter(|wait| wait.agent_id as f64 <= now);
        at.look(now, &open.cloned().collect::<Vec<_>>());
        now += 0.5;
    }
    assert_eq!(at.agents(), [vec![0], vec![1], vec![2], vec![3, 4, 5]]);
}

#[test]
fn a_turn_that_is_over_is_told_once() {
    let mut at = Ground::new();
    at.run(
        0.0,
        5000.0,
        &[wait(1, "finished", 0.0), wait(2, "asked", 0.0)],
    );
    assert_eq!(at.agents(), [[1], [2]]);
}

/// What happens to an agent: it waits from some second on, for so long.
fn course() -> impl Strategy<Value = Vec<(i64, f64, f64)>> {
    let one = (0i64..6, 0u32..400, 1u32..900);
    let one =
        one.prop_map(|(agent, from, long)| (agent, f64::from(from) / 4.0, f64::from(long) / 4.0));
    proptest::collection::vec(one, 0..20)
}

proptest! {
    #[test]
    fn for_any_course_of_waits_the_promises_hold(
        course in course(),
        restarts in proptest::collection::vec(0u32..400, 0..3),
        away in 0u32..200,
    ) {
        let mut at = Ground::new();
        let spans: Vec<(Wait, f64, f64)> = course.iter().enumerate().map(|(number, (agent, from, long))| {
            // A microsecond apart: two waits of an agent never open at the same moment.
            (wait(*agent, "permission", from + number as f64 / 1e6), *from, from + long)
        }).collect();
        for step in 0..1600u32 {
            let now = f64::from(step) / 4.0;
            if restarts.contains(&(step / 4)) && step % 4 == 0 {
                at.restart();
            }
            // The database is away for a while.
            if (away..away + 80).contains(&(step / 4)) && away < 100 {
                continue;
            }
            // An agent has one need at a time: the newest.
            let mut open: HashMap<i64, &Wait> = HashMap::new();
            for (wait, from, to) in &spans {
                if *from < now && now < *to {
                    let newest = open.entry(wait.agent_id).or_insert(wait);
                    if newest.opened_at < wait.opened_at {
                        *newest = wait;
                    }
                }
            }
            let open: Vec<Wait> = open.into_values().cloned().collect();
            at.look(now, &open);
        }
        at.look(401.0, &[]);
        // `look` itself fails on an alert that is sent or withdrawn twice.
        prop_assert!(at.rows.iter().all(|row| row.withdrawn_at.is_some()));
        if restarts.is_empty() {
            for some in at.sent.windows(MOST + 1) {
                prop_assert!(some[MOST].0 - some[0].0 >= WINDOW.as_secs_f64(), "{:?}", at.sent);
            }
        }
        for row in &at.rows {
            let opened: Timestamp = row.opened_at.parse().unwrap();
            let sent: Timestamp = row.sent_at.parse().unwrap();
            let age = Duration::try_from(sent.duration_since(opened)).unwrap();
            prop_assert!(age >= GRACE - Duration::from_millis(1), "{row:?}");
            if row.repeat {
                prop_assert!(age >= AGAIN_AFTER, "{row:?}");
            } else if age > FRESH {
                let late = at.rows.iter().filter(|other| other.message == row.message);
                let opened = |row: &AlertRow| -> Timestamp { row.opened_at.parse().unwrap() };
                for other in late {
                    let age = Duration::try_from(sent.duration_since(opened(other))).unwrap();
                    prop_assert!(age > FRESH, "old and new in one message: {row:?}, {other:?}");
                }
            }
        }
    }
}
