//! What the registry, an end or Esc says of a session, its subagents hear.

use super::*;
use crate::{
    derive::state::{Needs, State},
    event::{Origin, PromptKind, Prompted, ToolOutcome},
    meaning,
};

const CHILD: &str = "s0/a1";

/// A session that called an agent, which called a tool.
fn at_work() -> Vec<Said> {
    let child = SessionSeen {
        session_uuid: CHILD.into(),
        parent: Some("s0".into()),
        ..seen(0, 2)
    };
    let call = |id: &str, name: &str| Shows::ToolCall {
        tool_use_id: id.into(),
        name: name.into(),
        argument: None,
    };
    [
        What::Seen(seen(0, 1)),
        shown("s0", 1, prompted("Do it.")),
        shown("s0", 1, call("toolu_1", "Agent")),
        What::Seen(child),
        shown(CHILD, 2, prompted("A task.")),
        shown(CHILD, 2, call("toolu_2", "Bash")),
    ]
    .into_iter()
    .map(said)
    .collect()
}

fn said(what: What) -> Said {
    Said::Line(line(what))
}

fn prompted(text: &str) -> Shows {
    Shows::Prompted(Prompted {
        kind: PromptKind::Words,
        by: Origin::Human,
        text: text.into(),
        prompt_id: None,
        uuid: Some(text.into()),
        headless: false,
    })
}

fn shown(session: &str, second: i64, shows: Shows) -> What {
    What::Evidence(Box::new(Evidence {
        session_uuid: session.into(),
        moment: Moment {
            at: at(second),
            observed: false,
        },
        in_sidechain: false,
        is_copied: false,
        shows,
    }))
}

fn observed(second: i64, status: &str) -> Said {
    let fields = json!({"claude_session_id": "s0", "status": status, "pid": 7});
    let moment = Moment {
        at: at(second),
        observed: false,
    };
    let keys = vec![FactKey::observed("s0", &format!("{status}/{second}"))];
    let payload = Payload::read("session_observed", fields).expect("an observation");
    let event = Event::new(payload, moment, keys, None).expect("it has a key");
    said(What::Event(Box::new(event)))
}

/// What is shown of the subagent after all this, in batches of any size alike.
fn child_after(said: &[Said]) -> (State, Needs, bool) {
    let after = |batch| {
        let mut known = Known::default();
        stored(said, batch, &mut known);
        let child = &known.agents[CHILD];
        let open = child.open_facts.states.is_under_way();
        (child.shown.state, child.shown.needs, open)
    };
    assert_eq!(after(1), after(said.len()));
    after(3)
}

#[test]
fn a_subagent_is_over_when_its_process_is_at_the_prompt_for_good() {
    let mut said = at_work();
    said.push(observed(2, "busy"));
    assert_eq!(child_after(&said), (State::Processing, Needs::None, true));
    said.push(observed(5, "idle"));
    assert_eq!(child_after(&said), (State::Idle, Needs::None, true));
    let mut known = Known::default();
    stored(&said, 1, &mut known);
    let causes = [Cause::Passed("s0"), Cause::Passed(CHILD)];
    reserve(&mut known);
    let planned = plan(&causes, known.clone());
    assert_eq!(planned.commands.len(), 2, "of both");
    for command in &planned.commands {
        assert_eq!(command.outcome.as_deref(), Some("interrupted"));
        assert_eq!(command.completed_at, Some(at(5)));
    }
    assert!(planned.quiet.is_empty());
    let is_26 = |event: &NewEvent| event.payload.contains(r#""rule":"26""#);
    assert!(planned.events.iter().all(is_26), "{:?}", planned.events);
}

#[test]
fn a_subagent_is_over_with_its_session_however_late_its_records_are_read() {
    for end in [
        observed(6, "gone"),
        said(hook(0, 6, "SessionEnd", json!({}))),
    ] {
        let mut live = at_work();
        live.insert(1, observed(1, "busy"));
        live.push(end);
        assert_eq!(child_after(&live), (State::Idle, Needs::None, false));
        // The end stands before the subagent's records.
        let end = live.pop().expect("the end");
        live.insert(4, end);
        assert_eq!(child_after(&live), (State::Idle, Needs::None, false));
    }
}

#[test]
fn what_is_at_the_prompt_already_is_said_to_a_subagent_that_is_heard_of_later() {
    let mut said = at_work();
    said.insert(3, observed(6, "idle"));
    assert_eq!(child_after(&said), (State::Idle, Needs::None, true));
    // It goes on, as the process does.
    said.push(observed(7, "busy"));
    assert_eq!(child_after(&said), (State::Processing, Needs::None, true));
}

#[test]
fn esc_ends_the_subagent_that_is_waited_for_and_no_other() {
    let interruption = || said(shown("s0", 4, Shows::Interruption { message_id: None }));
    let mut foreground = at_work();
    foreground.push(interruption());
    assert_eq!(child_after(&foreground), (State::Idle, Needs::None, false));
    let mut background = at_work();
    background.push(said(shown(
        "s0",
        3,
        Shows::ToolResult {
            tool_use_id: "toolu_1".into(),
            outcome: ToolOutcome::Ok,
        },
    )));
    background.push(interruption());
    assert_eq!(
        child_after(&background),
        (State::Processing, Needs::None, true)
    );
}

#[test]
fn esc_ends_what_the_subagent_that_is_waited_for_waits_for() {
    let inner = "s0/a2";
    let call = Shows::ToolCall {
        tool_use_id: "toolu_3".into(),
        name: "Agent".into(),
        argument: None,
    };
    let nested = SessionSeen {
        session_uuid: inner.into(),
        parent: Some("s0".into()),
        ..seen(0, 3)
    };
    let mut said = at_work();
    said.extend(
        [
            shown(CHILD, 3, call),
            shown(
                CHILD,
                3,
                Shows::Started {
                    agent_id: "a2".into(),
                },
            ),
            What::Seen(nested),
            shown(inner, 3, prompted("A step.")),
            shown("s0", 4, Shows::Interruption { message_id: None }),
        ]
        .map(self::said),
    );
    for batch in [1, 3, said.len()] {
        let mut known = Known::default();
        stored(&said, batch, &mut known);
        let [root, child, agent] = ["s0", CHILD, inner].map(|of| &known.agents[of]);
        assert_eq!(child.parent_agent_id, Some(root.id));
        assert_eq!(agent.parent_agent_id, Some(child.id));
        assert!(root.open_facts.started.is_empty());
        for agent in [root, child, agent] {
            assert!(!agent.open_facts.states.is_under_way(), "{batch}");
        }
    }
}

#[test]
fn a_subagent_asks_no_person_by_its_last_words() {
    let mut said = at_work();
    said.push(self::said(shown(
        CHILD,
        3,
        Shows::Text {
            message_id: Some("msg_1".into()),
            words: meaning::of("Shall I delete the old files?"),
            stop: Some("end_turn".into()),
        },
    )));
    assert_eq!(child_after(&said), (State::Idle, Needs::None, false));
}
