//! Rule 11: the queue opens no turn. At the prompt it says that one starts, as the labelled
//! transcripts have it (`cb2e607c…` line 77, `be498d73…` line 19), until its record comes.

use super::{bounds::shown, *};
use crate::{
    derive::state::State,
    event::{Origin, PromptKind, Prompted},
};

fn queue(second: i64, operation: &str) -> Said {
    let operation = operation.into();
    shown(second, Shows::Queue { operation })
}

fn record(second: i64, kind: PromptKind, by: Origin) -> Said {
    let prompted = Prompted {
        kind,
        by,
        text: "Do it.".into(),
        prompt_id: None,
        uuid: Some(format!("u{second}")),
        headless: false,
    };
    shown(second, Shows::Prompted(prompted))
}

/// What is shown after all this, and how many commands there are.
fn after(said: Vec<Said>) -> (State, usize) {
    let seen = Said::Line(line(What::Seen(seen(0, 0))));
    let said: Vec<Said> = [seen].into_iter().chain(said).collect();
    let mut known = Known::default();
    stored(&said, 1, &mut known);
    let agent = &known.agents["s0"];
    let commands = agent.open_facts.states.command_ids().count();
    (agent.shown.state, commands)
}

#[test]
fn the_queue_says_that_a_turn_starts_and_opens_none() {
    let typed = || record(3, PromptKind::Words, Origin::Human);
    assert_eq!(after(vec![queue(1, "enqueue")]), (State::Commanded, 0));
    let both = || vec![queue(1, "enqueue"), queue(2, "dequeue")];
    assert_eq!(after(both()), (State::Commanded, 0));
    assert_eq!(
        after(vec![queue(1, "enqueue"), queue(2, "remove")]),
        (State::Idle, 0)
    );
    let with_record = both().into_iter().chain([typed()]).collect();
    assert_eq!(after(with_record), (State::Commanded, 1));
    // While the agent works it says nothing.
    let works = || vec![record(1, PromptKind::Words, Origin::Task)];
    let queued = works().into_iter().chain([queue(2, "enqueue")]).collect();
    assert_eq!(after(queued), after(works()));
}

#[test]
fn a_flood_of_the_queue_says_nothing() {
    let flood = |many: i64| (1..=many).map(|second| queue(second, "enqueue")).collect();
    assert_eq!(after(flood(16)), (State::Commanded, 0));
    assert_eq!(after(flood(17)), (State::Idle, 0));
    assert_eq!(after(flood(3000)), (State::Idle, 0));
}
