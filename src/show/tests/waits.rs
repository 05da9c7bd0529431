use super::{super::waits, *};
use crate::store::read::WaitingRow;

fn waiting(agent: AgentRow, command: Option<(&str, &str, &str)>) -> WaitingRow {
    let at = |time: &str| format!("2026-11-30T{time}.000000Z").as_str().into();
    WaitingRow {
        agent,
        command_started_at: command.map(|(started, _, _)| at(started)),
        command_completed_at: command.map(|(_, completed, _)| at(completed)),
        outcome: command.map(|(.., outcome)| outcome.to_owned()),
    }
}

fn asking(id: i64, change: impl FnOnce(&mut AgentRow)) -> AgentRow {
    row(id, |row| {
        row.needs = "permission".into();
        row.asks = Some("Bash: npm test".into());
        row.since = Some("2026-11-30T13:00:00.000000Z".into());
        row.title = Some("fix login".into());
        change(row);
    })
}

/// The agents of the waits, with their kinds and words.
fn found(rows: &[WaitingRow], finished: bool) -> Vec<(i64, String, String)> {
    let waits = waits(rows, finished, &now());
    waits
        .into_iter()
        .map(|wait| (wait.agent_id, wait.kind, wait.words))
        .collect()
}

#[test]
fn what_blocks_is_a_wait_unless_it_was_seen_put_off_or_is_over() {
    type Change = fn(&mut AgentRow);
    let table: [(Change, bool); 9] = [
        (|_| {}, true),
        (|row| row.needs = "limit".into(), true),
        (|row| row.needs = "asked".into(), false),
        (|row| row.needs = "none".into(), false),
        (|row| row.open = false, false),
        (
            |row| row.viewed_at = Some("2026-11-30T12:59:59.999999Z".into()),
            true,
        ),
        (
            |row| row.viewed_at = Some("2026-11-30T13:00:00.000000Z".into()),
            false,
        ),
        (
            |row| row.snoozed_until = Some("2026-11-30T14:00:01.000000Z".into()),
            false,
        ),
        (
            |row| row.snoozed_until = Some("2026-11-30T13:59:59.000000Z".into()),
            true,
        ),
    ];
    for (number, (change, is_wait)) in table.into_iter().enumerate() {
        let rows = [waiting(asking(1, change), None)];
        assert_eq!(found(&rows, true).len() == 1, is_wait, "row {number}");
    }
}

#[test]
fn a_subagents_wait_is_its_sessions_once_and_is_seen_with_it() {
    let family = |change: fn(&mut AgentRow)| {
        let root = row(1, |row| {
            row.title = Some("the root".into());
            change(row);
        });
        let below = |id, parent| asking(id, move |row| row.parent_agent_id = Some(parent));
        let middle = row(2, |row| row.parent_agent_id = Some(1));
        // The parents of the last two are not here, or each other's.
        let rows = [root, middle, below(3, 2), below(4, 99), below(5, 5)];
        rows.map(|agent| waiting(agent, None))
    };
    let alone = waits(&family(|_| {}), false, &now());
    let shown: Vec<_> = alone
        .iter()
        .map(|w| (w.agent_id, &*w.title, &*w.opened_at))
        .collect();
    assert_eq!(shown, [(1, "the root", "2026-11-30T13:00:00.000000Z")]);
    // Its dialog stands in both rows.
    let both = |row: &mut AgentRow| {
        row.needs = "permission".into();
        row.asks = Some("Bash: npm test".into());
        row.since = Some("2026-11-30T13:00:00.000000Z".into());
    };
    assert_eq!(waits(&family(both), false, &now()), alone);
    let seen = |row: &mut AgentRow| row.viewed_at = Some("2026-11-30T13:30:00.000000Z".into());
    assert_eq!(waits(&family(seen), false, &now()), []);
    let off = |row: &mut AgentRow| row.snoozed_until = Some("2026-11-30T14:30:00Z".into());
    assert_eq!(waits(&family(off), false, &now()), []);
    assert_eq!(waits(&family(|row| row.open = false), false, &now()), []);
}

#[test]
fn only_a_long_turn_that_no_person_saw_is_news_when_it_is_over() {
    let over = |change: fn(&mut AgentRow), command| {
        let agent = row(1, |row| {
            row.unseen = true;
            row.since = Some("2026-11-30T13:00:00.000000Z".into());
            row.last_words = Some("\nAll pass.\nMore".into());
            change(row);
        });
        [waiting(agent, Some(command))]
    };
    let long = ("12:48:00", "13:00:00", "done");
    let news = |kind: &str, words: &str| vec![(1, kind.to_owned(), words.to_owned())];
    assert_eq!(
        found(&over(|_| {}, long), true),
        news("finished", "finished after 12 min: “All pass.”")
    );
    assert_eq!(
        found(&over(|row| row.last_words = None, long), true),
        news("finished", "finished after 12 min")
    );
    let asked = |row: &mut AgentRow| {
        row.needs = "asked".into();
        row.asks = Some("Shall I?".into());
    };
    let command = ("12:48:00", "13:00:00", "asked");
    assert_eq!(
        found(&over(asked, command), true),
        news("asked", "asks you: “Shall I?”")
    );
    assert_eq!(found(&over(|_| {}, long), false), []);
    assert_eq!(
        found(&over(|_| {}, ("12:59:00", "13:00:00", "done")), true),
        []
    );
    assert_eq!(
        found(&over(|_| {}, ("12:00:00", "13:00:00", "interrupted")), true),
        []
    );
    assert_eq!(found(&over(|row| row.unseen = false, long), true), []);
    assert_eq!(
        found(&over(|row| row.state = "processing".into(), long), true),
        []
    );
}
