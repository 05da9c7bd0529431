mod bounds;
mod children;
mod hooks;
mod queue;

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::event::{
    EndReason, EndsAt, Event, Evidence, FactKey, Payload, SessionSeen, Shows, Sign, TitleKind,
    Todo, Usage,
};

/// What an input may say: a session is active, words said in it, what a line shows
/// beside them, an end.
#[derive(Debug, Clone)]
enum Step {
    Seen(u8, i64),
    Said(u8, i64, u8),
    /// Seen in its own transcript.
    File(u8, i64),
    Prompted(u8, i64, u8),
    Replied(u8, i64, u8),
    Shown(u8, i64, Shows),
    End(u8, u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3u8, 0..9i64).prop_map(|(session, at)| Step::Seen(session, at)),
        (0..3u8, 0..9i64, 0..4u8).prop_map(|(session, at, text)| Step::Said(session, at, text)),
        (0..3u8, 0..9i64).prop_map(|(session, at)| Step::File(session, at)),
        (0..3u8, 0..9i64, 0..4u8).prop_map(|(session, at, text)| Step::Prompted(session, at, text)),
        (0..3u8, 0..9i64, 0..4u8).prop_map(|(session, at, text)| Step::Replied(session, at, text)),
        (0..3u8, 0..9i64, shows()).prop_map(|(session, at, shows)| Step::Shown(session, at, shows)),
        (0..3u8, 0..9u64).prop_map(|(session, idle)| Step::End(session, idle)),
    ]
}

fn shows() -> impl Strategy<Value = Shows> {
    use TitleKind::{Agent, Ai, Custom, Prompt};
    let kind = prop_oneof![Just(Custom), Just(Ai), Just(Agent), Just(Prompt)];
    let text = || "[ab]".prop_map(String::from);
    let operation = prop_oneof![Just("enqueue"), Just("remove")].prop_map(String::from);
    let usage = |(message_id, output)| Usage {
        message_id,
        model: None,
        input: 1,
        output,
        cache_read: 0,
        cache_write: 0,
    };
    prop_oneof![
        (kind, text()).prop_map(|(kind, text)| Shows::Title { kind, text }),
        text().prop_map(|mode| Shows::PermissionMode { mode }),
        operation.prop_map(|operation| Shows::Queue { operation }),
        (text(), 0..9u64).prop_map(move |of| Shows::Usage(usage(of))),
        text().prop_map(|content| Shows::Todos(vec![Todo {
            id: None,
            content,
            status: "pending".into()
        }])),
        text().prop_map(|id| Shows::TaskCreated {
            subject: id.clone(),
            id
        }),
        (text(), text()).prop_map(|(id, status)| Shows::TaskUpdated { id, status }),
        text().prop_map(|agent_id| Shows::Started { agent_id }),
    ]
}

#[expect(clippy::large_enum_variant, reason = "there are few")]
enum Said {
    Line(Entry),
    End(Ending),
}

impl Said {
    /// Each step in a line of its own.
    fn of_all<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Vec<Said> {
        let mut said: Vec<Said> = steps.into_iter().map(Said::of).collect();
        for (number, said) in said.iter_mut().enumerate() {
            if let Said::Line(line) = said {
                line.offset = number as u64;
            }
        }
        said
    }

    fn of(step: &Step) -> Said {
        match *step {
            Step::Seen(session, second) => Said::Line(line(What::Seen(seen(session, second)))),
            Step::Said(session, second, text) => {
                Said::Line(line(What::Event(Box::new(turn(session, second, text)))))
            }
            Step::File(session, second) => Said::Line(line(What::Seen(SessionSeen {
                transcript_path: Some(format!("/t/s{session}.jsonl")),
                ..seen(session, second)
            }))),
            Step::Prompted(session, second, text) => {
                let prompt = json!({"prompt": format!("words {text}")});
                Said::Line(line(hook(session, second, "UserPromptSubmit", prompt)))
            }
            Step::Replied(session, second, text) => {
                let reply = json!({"last_assistant_message": format!("words {text}")});
                Said::Line(line(hook(session, second, "Stop", reply)))
            }
            Step::Shown(session, second, ref shows) => {
                Said::Line(line(What::Evidence(Box::new(Evidence {
                    session_uuid: format!("s{session}"),
                    moment: Moment {
                        at: at(second),
                        observed: false,
                    },
                    in_sidechain: false,
                    is_copied: false,
                    shows: shows.clone(),
                }))))
            }
            Step::End(session, idle_seconds) => Said::End(Ending {
                session_uuid: format!("s{session}"),
                reason: EndReason::Timeout,
                detail: None,
                at: EndsAt::Idle(idle_seconds),
            }),
        }
    }

    fn cause(&self) -> Cause<'_> {
        match self {
            Said::Line(entry) => Cause::Line(0, entry),
            Said::End(ending) => Cause::Ended(ending),
        }
    }
}

/// Each stands in a line of its own.
fn line(what: What) -> Entry {
    static LINES: AtomicU64 = AtomicU64::new(0);
    let offset = LINES.fetch_add(1, Ordering::Relaxed);
    Entry { offset, what }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(1_770_000_000_000_000 + second * 1_000_000)
}

fn seen(session: u8, second: i64) -> SessionSeen {
    SessionSeen {
        session_uuid: format!("s{session}"),
        parent: None,
        project_path: "/p".into(),
        working_directory: None,
        transcript_path: None,
        cli: "claude",
        git_remote: None,
        git_branch: None,
        iterm_pane_id: None,
        registered: false,
        by: Sign::Words,
        first: at(second),
        last: at(second),
    }
}

fn hook(session: u8, second: i64, kind: &str, more: Value) -> What {
    let session = format!("s{session}");
    let mut fields = json!({
        "hook_type": kind, "claude_session_id": session, "working_directory": "/p",
    });
    fields
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let moment = Moment {
        at: at(second),
        observed: false,
    };
    let keys = vec![FactKey::hook(&session, second, &fields.to_string())];
    let payload = Payload::read("hook_received", fields).expect("a valid hook");
    What::Event(Box::new(
        Event::new(payload, moment, keys, None).expect("it has a key"),
    ))
}

fn turn(session: u8, second: i64, text: u8) -> Event {
    let (session, text) = (format!("s{session}"), format!("words {text}"));
    let payload = serde_json::json!({
        "session_uuid": session, "actor": "user", "text": text, "source": "polling",
        "turn_timestamp": at(second).to_string(),
    });
    let moment = Moment {
        at: at(second),
        observed: false,
    };
    let keys = vec![
        FactKey::user_record(&format!("u{second}"), &text),
        FactKey::user_words(&session, at(second), &text),
    ];
    let payload = Payload::read("turn_detected", payload).expect("a valid turn");
    Event::new(payload, moment, keys, None).expect("it has keys")
}

/// Does to `known` what the store does to its rows; `events` are the keys of each.
fn carry_out(plan: Plan<'_>, known: &mut Known, events: &mut Vec<Vec<StoredKey>>) {
    for project in plan.projects {
        known.projects.insert(project.path, project.id);
    }
    for agent in plan.agents {
        known.agents.insert(agent.session_uuid.clone(), agent);
    }
    for event in plan.events {
        let id = events.len() as i64;
        let stored = KnownEvent {
            id,
            agent_id: event.agent_id,
            turn_id: event.turn_id,
        };
        known
            .facts
            .extend(event.keys.iter().map(|key| (*key, stored)));
        events.push(event.keys);
    }
    for (key, id) in plan.aliases {
        let stored = known.facts.values().copied().find(|event| event.id == id);
        known.facts.insert(key, stored.expect("it is stored"));
    }
}

/// Carries the steps out in batches of this size; the first keys of the events, in order.
fn stored(said: &[Said], batch: usize, known: &mut Known) -> Vec<StoredKey> {
    let mut events = Vec::new();
    for some in said.chunks(batch) {
        let causes: Vec<Cause<'_>> = some.iter().map(Said::cause).collect();
        reserve(known);
        carry_out(plan(&causes, known.clone()), known, &mut events);
    }
    events.into_iter().map(|keys| keys[0]).collect()
}

/// As many ids as the questions may need, after the greatest that is used.
fn reserve(known: &mut Known) {
    let after = |used: Option<i64>| Reserved::From {
        from: used.unwrap_or(0) + 1,
    };
    let (projects, agents) = (known.projects.values(), known.agents.values());
    let commands = agents
        .clone()
        .flat_map(|agent| agent.open_facts.states.command_ids());
    known.ids = Ids {
        projects: after(projects.copied().max()),
        agents: after(agents.map(|agent| agent.id).max()),
        commands: after(commands.max()),
        turns: after(known.facts.values().filter_map(|event| event.turn_id).max()),
    };
}

proptest! {
    #[test]
    fn it_does_not_matter_where_one_batch_ends(steps in prop::collection::vec(step(), 1..40), batch in 1..20usize) {
        let said = Said::of_all(&steps);
        let (mut whole, mut pieces) = (Known::default(), Known::default());
        let at_once = stored(&said, said.len(), &mut whole);
        prop_assert_eq!(at_once, stored(&said, batch, &mut pieces));
        prop_assert_eq!(whole.agents, pieces.agents);
        prop_assert_eq!(whole.facts, pieces.facts);
    }

    #[test]
    fn lines_that_are_read_again_add_nothing(steps in prop::collection::vec(step(), 1..40), batch in 1..20usize) {
        // What is shown of a session before it is seen is passed over.
        let seen: Vec<Step> = (0..3).map(|session| Step::Seen(session, 4)).collect();
        let lines = seen.iter().chain(&steps).filter(|step| !matches!(step, Step::End(..)));
        let said = Said::of_all(lines);
        let mut known = Known::default();
        stored(&said, batch, &mut known);
        let agents = known.agents.clone();
        prop_assert_eq!(stored(&said, batch, &mut known), Vec::<StoredKey>::new());
        prop_assert_eq!(known.agents, agents);
    }

    #[test]
    fn every_key_is_the_key_of_one_event(steps in prop::collection::vec(step(), 1..60), batch in 1..20usize) {
        let said = Said::of_all(&steps);
        let mut keys = stored(&said, batch, &mut Known::default());
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        prop_assert_eq!(keys.len(), all);
    }
}

#[test]
fn an_end_by_a_program_stays_until_there_is_activity_after_it() {
    let seen = |second| Said::Line(line(What::Seen(seen(1, second))));
    let end = |second| {
        Said::Line(line(What::Ended(Ending {
            session_uuid: "s1".into(),
            reason: EndReason::Unregistered,
            detail: None,
            at: EndsAt::Moment(at(second)),
        })))
    };
    let mut known = Known::default();
    let mut count = |said: &[Said]| stored(said, 1, &mut known).len();
    assert_eq!(count(&[seen(1), end(5), end(6)]), 2, "begins, ends");
    assert_eq!(count(&[seen(3), seen(5)]), 0, "read late");
    assert_eq!(count(&[seen(7)]), 1, "begins again");
    assert_eq!(count(&[seen(1), end(5), seen(7)]), 0, "read again");
    assert_eq!(count(&[end(8)]), 1, "ends again");
}

/// An event and an agent name the rows they belong to, also those planned with them.
#[test]
fn rows_name_each_other_by_the_ids_that_were_reserved() {
    let mut child = seen(1, 2);
    child.parent = Some("s0".into());
    child.project_path = "/elsewhere".into();
    let entries = [
        line(What::Seen(seen(0, 1))),
        line(What::Seen(child)),
        line(What::Event(Box::new(turn(1, 2, 0)))),
        line(What::Seen(seen(2, 3))),
    ];
    let causes: Vec<Cause<'_>> = entries.iter().map(|entry| Cause::Line(7, entry)).collect();
    let known = Known {
        ids: Ids {
            projects: Reserved::These(vec![31, 30]),
            agents: Reserved::These(vec![42, 41, 40]),
            commands: Reserved::From { from: 50 },
            turns: Reserved::From { from: 60 },
        },
        ..Known::default()
    };
    let plan = plan(&causes, known);
    let projects = plan
        .projects
        .iter()
        .map(|project| (project.id, project.path.as_str()));
    assert_eq!(projects.collect::<Vec<_>>(), [(30, "/p")]);
    let agents = plan
        .agents
        .iter()
        .map(|a| (a.id, a.project_id, a.parent_agent_id));
    assert_eq!(
        agents.collect::<Vec<_>>(),
        [(40, 30, None), (41, 30, Some(40)), (42, 30, None)]
    );
    let events = plan
        .events
        .iter()
        .map(|event| (event.project_id, event.agent_id));
    let of = |agent| (Some(30), Some(agent));
    assert_eq!(events.collect::<Vec<_>>(), [of(40), of(41), of(41), of(42)]);
    assert!(
        plan.events
            .iter()
            .all(|event| event.source.is_some_and(|s| s.checkpoint_id == 7))
    );
}
