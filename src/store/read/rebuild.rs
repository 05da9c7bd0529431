//! What `headspace rebuild` compares with the log: an agent's rows.

use std::collections::BTreeMap;

use super::{Arm, Reader, Result, columns::UtcText};
use crate::{
    derive::{
        Command,
        replay::{AgentRows, ShownRow, TurnRow},
    },
    event::Timestamp,
};

#[derive(sqlx::FromRow)]
struct Shown {
    state: String,
    needs: String,
    asks: Option<String>,
    since: Option<UtcText>,
    background: i64,
    unseen: bool,
    last_words: Option<String>,
    viewed_at: Option<UtcText>,
    snoozed_until: Option<UtcText>,
    ended_at: Option<UtcText>,
    end_reason: Option<String>,
}

#[derive(sqlx::FromRow)]
struct CommandRow {
    id: i64,
    state: String,
    origin: String,
    outcome: Option<String>,
    started_at: UtcText,
    completed_at: Option<UtcText>,
}

#[derive(sqlx::FromRow)]
struct Turn {
    id: i64,
    command_id: i64,
    actor: String,
    intent: String,
    text: String,
    timestamp: UtcText,
    message_id: Option<String>,
    event_id: i64,
}

impl Reader {
    /// Every agent's id and session.
    pub async fn agent_ids(&self) -> Result<Vec<(i64, String)>> {
        let sql = "SELECT id, session_uuid FROM agents ORDER BY id";
        fetch!(self, fetch_all, query_as(sql))
    }

    /// An agent's rows; none if there is no such agent.
    pub async fn agent_rows(&self, agent_id: i64) -> Result<Option<AgentRows>> {
        let sql = "SELECT state, needs, asks, since, background, unseen, last_words, viewed_at, \
                   snoozed_until, ended_at, end_reason FROM agents WHERE id = $1";
        let shown: Option<Shown> = fetch!(self, fetch_optional, query_as(sql), agent_id)?;
        let Some(shown) = shown else {
            return Ok(None);
        };
        let sql = "SELECT id, state, origin, outcome, started_at, completed_at FROM commands \
                   WHERE agent_id = $1";
        let commands: Vec<CommandRow> = fetch!(self, fetch_all, query_as(sql), agent_id)?;
        let sql = "SELECT t.id, command_id, actor, intent, text, timestamp, message_id, event_id \
                   FROM turns t JOIN commands c ON c.id = command_id WHERE agent_id = $1";
        let turns: Vec<Turn> = fetch!(self, fetch_all, query_as(sql), agent_id)?;
        Ok(Some(AgentRows {
            agent_id,
            shown: shown.row(),
            commands: commands.into_iter().map(|row| row.row(agent_id)).collect(),
            turns: turns.into_iter().map(Turn::row).collect::<BTreeMap<_, _>>(),
        }))
    }
}

impl Shown {
    fn row(self) -> ShownRow {
        ShownRow {
            state: self.state,
            needs: self.needs,
            asks: self.asks,
            since: self.since.as_ref().map(time),
            background: self.background,
            unseen: self.unseen,
            last_words: self.last_words,
            viewed_at: self.viewed_at.as_ref().map(time),
            snoozed_until: self.snoozed_until.as_ref().map(time),
            ended_at: self.ended_at.as_ref().map(time),
            end_reason: self.end_reason,
        }
    }
}

impl CommandRow {
    fn row(self, agent_id: i64) -> (i64, Command) {
        let row = Command {
            id: self.id,
            agent_id,
            state: self.state,
            origin: self.origin,
            outcome: self.outcome,
            started_at: time(&self.started_at),
            completed_at: self.completed_at.as_ref().map(time),
        };
        (self.id, row)
    }
}

impl Turn {
    fn row(self) -> (i64, TurnRow) {
        let row = TurnRow {
            id: self.id,
            command_id: self.command_id,
            actor: self.actor,
            intent: self.intent,
            text: self.text,
            timestamp: time(&self.timestamp),
            message_id: self.message_id,
            event_id: self.event_id,
        };
        (self.id, row)
    }
}

fn time(text: &UtcText) -> Timestamp {
    Timestamp::parse(text).unwrap_or(Timestamp::UNIX_EPOCH)
}
