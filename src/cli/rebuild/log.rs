//! The rows as the log has them.
//!
//! In: the events of each agent, in the order of the log; the rows that are there.
//! Out: what differs, and what puts it right.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Difference, Finding, Report};
use crate::{
    derive::replay::{AgentRows, Replayed},
    event::{EventType, Payload, Timestamp},
    store::{
        Correction, Filter, Stored,
        read::{PAGE_BYTES, PAGE_EVENTS, Reader},
    },
};

pub async fn compare(reader: &Reader) -> anyhow::Result<(Report, Vec<Correction>)> {
    let mut report = Report::default();
    let mut corrections = Vec::new();
    for (agent_id, session_uuid) in reader.agent_ids().await? {
        let (expected, events) = replayed(reader, agent_id).await?;
        report.events += events;
        let Some(found) = reader.agent_rows(agent_id).await? else {
            continue;
        };
        report.agents += 1;
        if expected == found {
            continue;
        }
        let findings = differences(&expected, &found).into_iter();
        let findings = findings.map(|found| Difference::of(agent_id, &session_uuid, found));
        report.differences.extend(findings);
        corrections.push(Correction::of(expected, &found));
    }
    Ok((report, corrections))
}

/// An agent's rows as the log has them, and of how many events they are.
async fn replayed(reader: &Reader, agent_id: i64) -> anyhow::Result<(AgentRows, u64)> {
    let filter = Filter {
        agent_ids: vec![agent_id],
        ..Filter::default()
    };
    let mut rows = AgentRows::of(agent_id);
    let events = each(reader, &filter, |event| take_in(&mut rows, event)).await?;
    Ok((rows, events))
}

/// Hands on the events that a filter takes, in the order of the log; gives how many.
pub async fn each(
    reader: &Reader,
    filter: &Filter,
    mut take: impl FnMut(&Stored) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let upto = reader.settled().await?;
    let (mut after, mut events) = (0, 0);
    loop {
        let page = reader
            .replay(filter, after, upto, PAGE_EVENTS, PAGE_BYTES)
            .await?;
        for event in &page.events {
            after = event.id;
            events += 1;
            take(event)?;
        }
        if !page.more {
            return Ok(events);
        }
    }
}

fn take_in(rows: &mut AgentRows, event: &Stored) -> anyhow::Result<()> {
    if let Some((payload, at)) = payload(event)? {
        rows.take_in(&Replayed {
            id: event.id,
            at,
            command_id: event.command_id,
            turn_id: event.turn_id,
            payload: &payload,
        });
    }
    Ok(())
}

/// What a stored event says, and when it happened. One that a newer program wrote, or
/// that was damaged, says nothing.
pub fn payload(event: &Stored) -> anyhow::Result<Option<(Payload, Timestamp)>> {
    let Some(kind) = EventType::parse(&event.event_type) else {
        return Ok(None);
    };
    let fields = serde_json::from_str(event.payload.get())?;
    let payload = Payload::parse(kind, fields).ok();
    Ok(payload.zip(Timestamp::parse(&event.timestamp)))
}

fn differences(expected: &AgentRows, found: &AgentRows) -> Vec<Finding> {
    let mut all = Vec::new();
    if expected.shown != found.shown {
        let what = fields(&expected.shown, &found.shown);
        all.push(("agents", None, what));
    }
    rows("commands", &expected.commands, &found.commands, &mut all);
    rows("turns", &expected.turns, &found.turns, &mut all);
    all
}

fn rows<T: PartialEq + Serialize>(
    table: &'static str,
    expected: &BTreeMap<i64, T>,
    found: &BTreeMap<i64, T>,
    all: &mut Vec<Finding>,
) {
    for (id, row) in expected {
        match found.get(id) {
            None => all.push((table, Some(*id), "missing".into())),
            Some(other) if other != row => all.push((table, Some(*id), fields(row, other))),
            Some(_) => {}
        }
    }
    let extra = found.keys().filter(|id| !expected.contains_key(id));
    all.extend(extra.map(|id| (table, Some(*id), "stands for no event".into())));
}

/// The names of the columns that differ: their texts may be anything.
fn fields(expected: &impl Serialize, found: &impl Serialize) -> String {
    let expected = serde_json::to_value(expected).expect("a row is an object");
    let found = serde_json::to_value(found).expect("a row is an object");
    let names = expected.as_object().into_iter().flatten();
    let names = names.filter(|(name, value)| found.get(name) != Some(value));
    let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
    format!("differs in {}", names.join(", "))
}
