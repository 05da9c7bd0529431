//! The rows of a transaction on their way to PostgreSQL: a column is an array, so that
//! the statement is the same for any number of rows.

use sqlx::{Postgres, types::Json};

use crate::derive::{CallEnd, Command, LineOrigin, MessageUsage, NewEvent, ToolUse, Turn};

use super::{
    super::append::{Fact, Moved, RejectionRow, Rows},
    instant::Instant,
};

pub type Query<'q> = sqlx::query::Query<'q, Postgres, sqlx::postgres::PgArguments>;

/// In the order of the statement's numbers.
pub fn rows<'q>(write: Query<'q>, host: &'q str, rows: &'q Rows<'_>) -> Query<'q> {
    let plan = rows.plan;
    let write = write
        .bind(host)
        .bind(Json(&plan.projects))
        .bind(Json(&plan.agents));
    let write = events(write, &plan.events);
    let write = facts(write, &rows.facts);
    let write = rejections(write, &rows.rejections);
    let write = moves(write, &rows.moves);
    let write = tool_uses(write, &plan.tool_uses).bind(Json(&plan.interruptions));
    let write = usage(write, &plan.usage);
    let write = commands(write, &plan.commands);
    turns(write, &plan.turns)
        .bind(Json(&plan.changed_turns))
        .bind(Json(&plan.linked))
}

pub fn column<'q, R, T>(rows: &'q [R], value: impl Fn(&'q R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

fn events<'q>(write: Query<'q>, events: &'q [NewEvent]) -> Query<'q> {
    let source = |of: fn(LineOrigin) -> i64| column(events, move |event| event.source.map(of));
    write
        .bind(i64::try_from(events.len()).unwrap_or(i64::MAX))
        .bind(column(events, |event| Instant(event.moment.at)))
        .bind(column(events, |event| event.kind.as_str()))
        .bind(column(events, |event| event.payload.as_str()))
        .bind(column(events, |event| event.keys[0].as_slice()))
        .bind(column(events, |event| event.project_id))
        .bind(column(events, |event| event.agent_id))
        .bind(column(events, |event| event.command_id))
        .bind(column(events, |event| event.turn_id))
        .bind(source(|source| source.checkpoint_id))
        .bind(source(|source| source.offset.cast_signed()))
        .bind(column(events, |event| event.moment.observed))
}

fn facts<'q>(write: Query<'q>, facts: &'q [Fact]) -> Query<'q> {
    write
        .bind(column(facts, |fact| fact.key.as_slice()))
        .bind(column(facts, |fact| fact.event.stored()))
        .bind(column(facts, |fact| fact.event.planned()))
}

fn rejections<'q>(write: Query<'q>, rows: &'q [RejectionRow<'_>]) -> Query<'q> {
    write
        .bind(column(rows, |row| row.source))
        .bind(column(rows, |row| row.offset.cast_signed()))
        .bind(column(rows, |row| row.rejection.length.cast_signed()))
        .bind(column(rows, |row| row.rejection.sha256.as_str()))
        .bind(column(rows, |row| row.rejection.reason.as_str()))
        .bind(column(rows, |row| row.rejection.excerpt.as_slice()))
        .bind(column(rows, |row| row.key.as_str()))
}

fn moves<'q>(write: Query<'q>, moves: &'q [Moved<'_>]) -> Query<'q> {
    write
        .bind(column(moves, |to| to.id))
        .bind(column(moves, |to| to.path))
        .bind(column(moves, |to| to.after.identity.as_str()))
        .bind(column(moves, |to| to.after.offset.cast_signed()))
        .bind(column(moves, |to| i64::from(to.rewritten)))
        .bind(column(moves, |to| to.reading))
}

fn tool_uses<'q>(write: Query<'q>, calls: &'q [ToolUse<'_>]) -> Query<'q> {
    write
        .bind(column(calls, |call| call.tool_use_id))
        .bind(column(calls, |call| call.agent_id))
        .bind(column(calls, |call| call.command_id))
        .bind(column(calls, |call| call.name))
        .bind(column(calls, |call| call.summary))
        .bind(column(calls, |call| Instant(call.started_at)))
        .bind(column(calls, |call| call.ended_at.map(Instant)))
        .bind(column(calls, |call| call.outcome.map(outcome)))
}

fn outcome(end: CallEnd) -> &'static str {
    match end {
        CallEnd::Ok => "ok",
        CallEnd::Error => "error",
        CallEnd::Denied => "denied",
        CallEnd::Interrupted => "interrupted",
    }
}

fn usage<'q>(write: Query<'q>, messages: &'q [MessageUsage<'_>]) -> Query<'q> {
    let tokens = |of: fn(&MessageUsage<'_>) -> u64| {
        column(messages, move |usage| {
            i64::try_from(of(usage)).unwrap_or(i64::MAX)
        })
    };
    write
        .bind(column(messages, |usage| usage.message_id))
        .bind(column(messages, |usage| usage.agent_id))
        .bind(column(messages, |usage| usage.model))
        .bind(tokens(|usage| usage.input))
        .bind(tokens(|usage| usage.output))
        .bind(tokens(|usage| usage.cache_read))
        .bind(tokens(|usage| usage.cache_write))
        .bind(column(messages, |usage| Instant(usage.at)))
}

fn commands<'q>(write: Query<'q>, commands: &'q [Command]) -> Query<'q> {
    write
        .bind(column(commands, |command| command.id))
        .bind(column(commands, |command| command.agent_id))
        .bind(column(commands, |command| command.state.as_str()))
        .bind(column(commands, |command| command.origin.as_str()))
        .bind(column(commands, |command| command.outcome.as_deref()))
        .bind(column(commands, |command| Instant(command.started_at)))
        .bind(column(commands, |command| {
            command.completed_at.map(Instant)
        }))
}

fn turns<'q>(write: Query<'q>, turns: &'q [Turn]) -> Query<'q> {
    write
        .bind(column(turns, |turn| turn.id))
        .bind(column(turns, |turn| turn.command_id))
        .bind(column(turns, |turn| turn.actor))
        .bind(column(turns, |turn| turn.intent))
        .bind(column(turns, |turn| turn.text.as_str()))
        .bind(column(turns, |turn| Instant(turn.timestamp)))
        .bind(column(turns, |turn| turn.message_id.as_deref()))
        .bind(column(turns, |turn| turn.event.stored()))
        .bind(column(turns, |turn| turn.event.planned()))
}
