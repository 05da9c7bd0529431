//! SQLite: all the writing SQL.
//!
//! `BEGIN IMMEDIATE` takes the only write lock, so what is read inside the
//! transaction stays true until its end, ids become visible in order, and the
//! ids after the greatest belong to this writer.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::{Row, Sqlite, SqliteConnection, sqlite::SqliteRow, types::Json};

use crate::{
    derive::{EventOf, Known, NewEvent, Project, Questions, Turn},
    event::{Timestamp, hex},
    tail::Position,
};

use super::{
    answer::KnownJson,
    append::{Fact, Locked, Moved, Outcome, RejectionRow, Rows, Transaction, Written},
    archive::keep,
    correction::Correction,
    segment::{CheckpointRow, OpenSession, READING, WatcherBeat},
};

/// Every statement is handed to the driver's thread and its end handed back,
/// which costs more than inserting a row.
const ROWS_PER_INSERT: usize = 64;

const ASK: &str = "
SELECT json_object(
    'facts', json((
        SELECT json_group_array(json_array(asked.key, event_id, agent_id, turn_id))
        FROM json_each(?1) AS asked CROSS JOIN facts ON facts.key = unhex(asked.value)
        LEFT JOIN events ON events.id = event_id)),
    'groups', json((
        SELECT json_group_array((
            SELECT json(json_array(count, turn_id, command_id)) FROM (
                SELECT min(event_id) AS first, count(*) AS count FROM facts
                WHERE facts.key BETWEEN unhex(asked.value || '0000000000000000')
                                    AND unhex(asked.value || 'ffffffffffffffff'))
            LEFT JOIN events ON events.id = first))
        FROM (SELECT value FROM json_each(?2) ORDER BY key) AS asked)),
    'projects', json((
        SELECT json_group_array(json_array(path, id)) FROM projects
        WHERE host = ?3 AND path IN (SELECT value FROM json_each(?4)))),
    'agents', json((
        SELECT json_group_array(json_object(
            'id', a.id, 'session_uuid', session_uuid, 'project_id', project_id,
            'project_path', path, 'parent_agent_id', parent_agent_id,
            'transcript_path', transcript_path, 'working_directory', working_directory,
            'cli', cli, 'started_at', started_at, 'last_seen_at', last_seen_at,
            'ended_at', ended_at, 'end_reason', end_reason, 'registrations', registrations,
            'registered', json(iif(registered, 'true', 'false')), 'terminal', json(terminal),
            'open_facts', json(open_facts),
            'work', json_object(
                'title', title, 'title_kind', title_kind, 'model', model,
                'context_tokens', context_tokens, 'todos', json(todos),
                'queue_length', queue_length, 'permission_mode', permission_mode,
                'newest', json(newest)),
            'shown', json_object(
                'state', a.state, 'needs', needs, 'asks', asks, 'since', since,
                'background', background, 'unseen', json(iif(unseen, 'true', 'false')),
                'last_words', last_words, 'viewed_at', viewed_at,
                'snoozed_until', snoozed_until)))
        FROM agents AS a JOIN projects ON projects.id = project_id
        WHERE session_uuid IN (SELECT value FROM json_each(?5)))),
    'heard', json((
        SELECT json_group_array(json_array(heard.value ->> 'key', event_id))
        FROM agents, json_each(open_facts, '$.heard') AS heard
        JOIN facts ON facts.key = unhex(heard.value ->> 'key')
        WHERE session_uuid IN (SELECT value FROM json_each(?5)))),
    'ids', json_object(
        'projects', json_object('from', (SELECT coalesce(max(id), 0) + 1 FROM projects)),
        'agents', json_object('from', (SELECT coalesce(max(id), 0) + 1 FROM agents)),
        'commands', json_object('from', (SELECT coalesce(max(id), 0) + 1 FROM commands)),
        'turns', json_object('from', (SELECT coalesce(max(id), 0) + 1 FROM turns))))";

const PROJECTS: &str = "
INSERT INTO projects (id, host, path, name, git_remote, current_branch, created_at)
SELECT value ->> 'id', ?1, value ->> 'path', value ->> 'name', value ->> 'git_remote',
       value ->> 'current_branch', ?2
FROM json_each(?3) WHERE true
ON CONFLICT (id) DO UPDATE SET
    git_remote = coalesce(excluded.git_remote, git_remote),
    current_branch = coalesce(excluded.current_branch, current_branch)";

const AGENTS: &str = "
INSERT INTO agents (
    id, session_uuid, project_id, parent_agent_id, transcript_path, working_directory,
    cli, started_at, last_seen_at, ended_at, end_reason, registrations, iterm_pane_id,
    registered, terminal, open_facts,
    title, title_kind, model, context_tokens, todos, queue_length, permission_mode, newest,
    state, needs, asks, since, background, unseen, last_words, viewed_at, snoozed_until)
SELECT value ->> 'id', value ->> 'session_uuid', value ->> 'project_id',
       value ->> 'parent_agent_id', value ->> 'transcript_path', value ->> 'working_directory',
       value ->> 'cli', value ->> 'started_at', value ->> 'last_seen_at', value ->> 'ended_at',
       value ->> 'end_reason', value ->> 'registrations', value ->> 'iterm_pane_id',
       value ->> 'registered', value ->> 'terminal', value ->> 'open_facts',
       value ->> '$.work.title', value ->> '$.work.title_kind', value ->> '$.work.model',
       value ->> '$.work.context_tokens', nullif(value -> '$.work.todos', 'null'),
       value ->> '$.work.queue_length', value ->> '$.work.permission_mode',
       value -> '$.work.newest',
       value ->> '$.shown.state', value ->> '$.shown.needs', value ->> '$.shown.asks',
       value ->> '$.shown.since', value ->> '$.shown.background', value ->> '$.shown.unseen',
       value ->> '$.shown.last_words', value ->> '$.shown.viewed_at',
       value ->> '$.shown.snoozed_until'
FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET
    transcript_path = excluded.transcript_path, working_directory = excluded.working_directory,
    started_at = excluded.started_at, last_seen_at = excluded.last_seen_at,
    ended_at = excluded.ended_at, end_reason = excluded.end_reason,
    registrations = excluded.registrations,
    iterm_pane_id = coalesce(excluded.iterm_pane_id, iterm_pane_id),
    registered = max(excluded.registered, registered),
    terminal = coalesce(excluded.terminal, terminal), open_facts = excluded.open_facts,
    title = excluded.title, title_kind = excluded.title_kind, model = excluded.model,
    context_tokens = excluded.context_tokens, todos = excluded.todos,
    queue_length = excluded.queue_length, permission_mode = excluded.permission_mode,
    newest = excluded.newest,
    state = excluded.state, needs = excluded.needs, asks = excluded.asks, since = excluded.since,
    background = excluded.background, unseen = excluded.unseen,
    last_words = excluded.last_words, viewed_at = excluded.viewed_at,
    snoozed_until = excluded.snoozed_until";

/// A result stands over an interruption, and else the first end counts.
const TOOL_USES: &str = "
INSERT INTO tool_uses (agent_id, tool_use_id, name, summary, started_at, ended_at, outcome)
SELECT value ->> 'agent_id', value ->> 'tool_use_id', coalesce(value ->> 'name', 'unknown'),
       coalesce(value ->> 'summary', ''), value ->> 'started_at', value ->> 'ended_at',
       value ->> 'outcome'
FROM json_each(?1) WHERE true
ON CONFLICT (tool_use_id) DO UPDATE SET
    name = CASE excluded.name WHEN 'unknown' THEN name ELSE excluded.name END,
    summary = CASE excluded.summary WHEN '' THEN summary ELSE excluded.summary END,
    started_at = min(started_at, excluded.started_at),
    ended_at = CASE WHEN coalesce(outcome, 'interrupted') = 'interrupted'
                    THEN coalesce(excluded.ended_at, ended_at) ELSE ended_at END,
    outcome = CASE WHEN coalesce(outcome, 'interrupted') = 'interrupted'
                   THEN coalesce(excluded.outcome, outcome) ELSE outcome END";

/// Each ends what its agent had open, in the order of time.
const INTERRUPTIONS: &str = "
UPDATE tool_uses SET outcome = 'interrupted', ended_at = (
    SELECT min(value ->> 'at') FROM json_each(?1)
    WHERE value ->> 'agent_id' = agent_id AND value ->> 'at' >= started_at)
WHERE agent_id IN (SELECT value ->> 'agent_id' FROM json_each(?1)) AND outcome IS NULL
  AND started_at <= (
    SELECT max(value ->> 'at') FROM json_each(?1) WHERE value ->> 'agent_id' = agent_id)";

/// A message's records grow as it is written; the first agent keeps it.
const USAGE: &str = "
INSERT INTO usage (message_id, agent_id, model, input, output, cache_read, cache_write, at)
SELECT value ->> 'message_id', value ->> 'agent_id', value ->> 'model', value ->> 'input',
       value ->> 'output', value ->> 'cache_read', value ->> 'cache_write', value ->> 'at'
FROM json_each(?1) WHERE true
ON CONFLICT (message_id) DO UPDATE SET
    model = excluded.model, input = excluded.input, output = excluded.output,
    cache_read = excluded.cache_read, cache_write = excluded.cache_write, at = excluded.at
WHERE (excluded.at, excluded.output) >= (usage.at, usage.output)";

const COMMANDS: &str = "
INSERT INTO commands (id, agent_id, state, origin, outcome, started_at, completed_at)
SELECT value ->> 'id', value ->> 'agent_id', value ->> 'state', value ->> 'origin',
       value ->> 'outcome', value ->> 'started_at', value ->> 'completed_at'
FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET
    state = excluded.state, origin = excluded.origin, outcome = excluded.outcome,
    started_at = excluded.started_at, completed_at = excluded.completed_at";

const CHANGED_TURNS: &str = "
UPDATE turns SET text = text || (value ->> 'more'),
                 intent = coalesce(value ->> 'intent', intent)
FROM json_each(?1) WHERE turns.id = value ->> 'id'";

const LINKED: &str = "
UPDATE events SET turn_id = value ->> 'id', command_id = value ->> 'command_id'
FROM json_each(?1) WHERE events.id = value ->> 'event_id'";
/// Counts the hooks after this event.
const HOOKS: &str = "
INSERT INTO hook_counts
SELECT payload ->> 'hook_type', count(*), max(timestamp) FROM events
WHERE id > ?1 AND event_type = 'hook_received'
GROUP BY payload ->> 'hook_type'
ON CONFLICT (hook_type) DO UPDATE SET
    count = count + excluded.count,
    last_received_at = max(last_received_at, excluded.last_received_at)";

/// The rows are one object: each key in hex, with its event.
const FACTS: &str = "INSERT INTO facts (key, event_id) SELECT unhex(key), value FROM json_each(?1)";

pub struct SqliteTransaction<'c>(sqlx::Transaction<'c, Sqlite>);

impl<'c> SqliteTransaction<'c> {
    pub async fn begin(connection: &'c mut SqliteConnection) -> Outcome<Self> {
        Ok(Self(
            sqlx::Connection::begin_with(connection, "BEGIN IMMEDIATE").await?,
        ))
    }
}

impl Transaction for SqliteTransaction<'_> {
    async fn lock(&mut self, host: &str, paths: &[&str]) -> Outcome<Vec<Locked>> {
        let mut locked = Vec::with_capacity(paths.len());
        for path in paths {
            locked.push(match self.checkpoint(host, path).await? {
                Some(found) => found,
                None => self.new_checkpoint(host, path).await?,
            });
        }
        Ok(locked)
    }

    async fn ask(&mut self, host: &str, questions: &Questions<'_>) -> Outcome<Known> {
        let answer: Json<KnownJson> = sqlx::query_scalar(ASK)
            .bind(in_hex(&questions.keys))
            .bind(in_hex(&questions.groups))
            .bind(host)
            .bind(Json(&questions.projects))
            .bind(Json(&questions.sessions))
            .fetch_one(&mut *self.0)
            .await?;
        Ok(answer.0.to(questions))
    }

    async fn write(&mut self, host: &str, rows: &Rows<'_>) -> Outcome<Written> {
        self.put_projects(host, &rows.plan.projects).await?;
        self.put(AGENTS, &rows.plan.agents).await?;
        self.put(INTERRUPTIONS, &rows.plan.interruptions).await?;
        self.put(TOOL_USES, &rows.plan.tool_uses).await?;
        self.put(USAGE, &rows.plan.usage).await?;
        self.put(COMMANDS, &rows.plan.commands).await?;
        self.insert_turns(&rows.plan.turns).await?;
        self.put(CHANGED_TURNS, &rows.plan.changed_turns).await?;
        self.put(LINKED, &rows.plan.linked).await?;
        let last_id = self.insert_events(&rows.plan.events).await?;
        let before = last_id.unwrap_or(0) - rows.plan.events.len() as i64;
        self.insert_facts(&rows.facts, before + 1).await?;
        if rows.plan.events.iter().any(NewEvent::is_hook) {
            sqlx::query(HOOKS)
                .bind(before)
                .execute(&mut *self.0)
                .await?;
        }
        let mut rejected = 0;
        for row in &rows.rejections {
            rejected += self.insert_rejection(row).await?;
        }
        for to in &rows.moves {
            self.move_checkpoint(to).await?;
            for piece in to.pieces {
                keep::sqlite(&mut self.0, to.id, piece).await?;
            }
        }
        Ok(Written { last_id, rejected })
    }

    async fn commit(self) -> Outcome<()> {
        Ok(self.0.commit().await?)
    }
}

impl SqliteTransaction<'_> {
    async fn checkpoint(&mut self, host: &str, path: &str) -> Outcome<Option<Locked>> {
        let row = sqlx::query(
            r#"SELECT id, identity, "offset", known_until FROM checkpoints
               WHERE host = ? AND path = ?"#,
        )
        .bind(host)
        .bind(path)
        .fetch_optional(&mut *self.0)
        .await?;
        Ok(row.map(|row| Locked {
            id: row.get(0),
            path: path.to_owned(),
            position: position(&row, 1),
            known_until: row.get::<i64, _>(3).cast_unsigned(),
        }))
    }

    async fn new_checkpoint(&mut self, host: &str, path: &str) -> Outcome<Locked> {
        let done = sqlx::query(
            r#"INSERT INTO checkpoints (host, path, identity, "offset", updated_at)
               VALUES (?, ?, '', 0, ?)"#,
        )
        .bind(host)
        .bind(path)
        .bind(now())
        .execute(&mut *self.0)
        .await?;
        Ok(Locked {
            id: done.last_insert_rowid(),
            path: path.to_owned(),
            position: Position::default(),
            known_until: 0,
        })
    }

    async fn put_projects(&mut self, host: &str, projects: &[Project]) -> Outcome<()> {
        if !projects.is_empty() {
            let put = sqlx::query(PROJECTS).bind(host).bind(now());
            put.bind(Json(projects)).execute(&mut *self.0).await?;
        }
        Ok(())
    }

    /// All rows of one table in one statement.
    async fn put<R: Serialize + Sync>(&mut self, put: &'static str, rows: &[R]) -> Outcome<()> {
        if !rows.is_empty() {
            let put = sqlx::query(put).bind(Json(rows));
            put.execute(&mut *self.0).await?;
        }
        Ok(())
    }

    /// Before the events, which name them: their ids follow the greatest.
    async fn insert_turns(&mut self, turns: &[Turn]) -> Outcome<()> {
        if turns.is_empty() {
            return Ok(());
        }
        let last = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'";
        let last: i64 = sqlx::query_scalar(last).fetch_one(&mut *self.0).await?;
        for some in turns.chunks(ROWS_PER_INSERT) {
            let mut insert = sqlx::QueryBuilder::<Sqlite>::new(
                "INSERT INTO turns (id, command_id, actor, intent, text, timestamp, message_id,
                                    event_id) ",
            );
            insert.push_values(some, |mut values, turn| {
                values
                    .push_bind(turn.id)
                    .push_bind(turn.command_id)
                    .push_bind(turn.actor)
                    .push_bind(turn.intent)
                    .push_bind(&turn.text)
                    .push_bind(turn.timestamp.to_string())
                    .push_bind(&turn.message_id)
                    .push_bind(match turn.event {
                        EventOf::Stored(id) => id,
                        EventOf::Planned(number) => last + 1 + number as i64,
                    });
            });
            let is_usual = [1, ROWS_PER_INSERT].contains(&some.len());
            let insert = insert.build().persistent(is_usual);
            insert.execute(&mut *self.0).await?;
        }
        Ok(())
    }

    /// The last one's id. No other writer can insert meanwhile, so the ids of
    /// one batch follow each other.
    async fn insert_events(&mut self, events: &[NewEvent]) -> Outcome<Option<i64>> {
        let recorded_at = now();
        let mut last = None;
        for some in events.chunks(ROWS_PER_INSERT) {
            let mut insert = sqlx::QueryBuilder::<Sqlite>::new(
                "INSERT INTO events (timestamp, recorded_at, project_id, agent_id, command_id,
                                     turn_id, event_type, payload, event_key, observed, checkpoint_id, source_offset) ",
            );
            insert.push_values(some, |mut values, event| {
                values
                    .push_bind(event.moment.at.to_string())
                    .push_bind(&recorded_at)
                    .push_bind(event.project_id)
                    .push_bind(event.agent_id)
                    .push_bind(event.command_id)
                    .push_bind(event.turn_id)
                    .push_bind(event.kind.as_str())
                    .push_bind(&event.payload)
                    .push_bind(event.keys[0].as_slice())
                    .push_bind(event.moment.observed)
                    .push_bind(event.source.map(|source| source.checkpoint_id))
                    .push_bind(event.source.map(|source| source.offset.cast_signed()));
            });
            // Only the two usual sizes are worth keeping prepared.
            let is_usual = [1, ROWS_PER_INSERT].contains(&some.len());
            let insert = insert.build().persistent(is_usual);
            last = Some(insert.execute(&mut *self.0).await?.last_insert_rowid());
        }
        Ok(last)
    }

    /// `first` is the id of the batch's first event.
    async fn insert_facts(&mut self, facts: &[Fact], first: i64) -> Outcome<()> {
        if facts.is_empty() {
            return Ok(());
        }
        let rows = facts.iter().map(|fact| match fact.event {
            EventOf::Stored(id) => (hex(&fact.key), id),
            EventOf::Planned(number) => (hex(&fact.key), first + number as i64),
        });
        let insert = sqlx::query(FACTS).bind(Json(rows.collect::<BTreeMap<_, _>>()));
        insert.execute(&mut *self.0).await?;
        Ok(())
    }

    /// Returns how many were not there yet.
    async fn insert_rejection(&mut self, row: &RejectionRow<'_>) -> Outcome<u64> {
        let done = sqlx::query(
            r#"INSERT INTO rejections (source, "offset", length, sha256, reason, excerpt, at,
                                       rejection_key)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (rejection_key) DO NOTHING"#,
        )
        .bind(row.source)
        .bind(row.offset.cast_signed())
        .bind(row.rejection.length.cast_signed())
        .bind(&row.rejection.sha256)
        .bind(&row.rejection.reason)
        .bind(&row.rejection.excerpt)
        .bind(now())
        .bind(&row.key)
        .execute(&mut *self.0)
        .await?;
        Ok(done.rows_affected())
    }

    async fn move_checkpoint(&mut self, to: &Moved<'_>) -> Outcome<()> {
        if to.renamed {
            sqlx::query(
                "UPDATE checkpoints SET path = 'replaced:' || id || ':' || path
                 WHERE path = ?1 AND id <> ?2
                   AND host = (SELECT host FROM checkpoints WHERE id = ?2)",
            )
            .bind(to.path)
            .bind(to.id)
            .execute(&mut *self.0)
            .await?;
        }
        sqlx::query(
            r#"UPDATE checkpoints SET path = ?1, identity = ?2, "offset" = ?3,
                      rewrites = rewrites + ?4, updated_at = ?5,
                      reading = coalesce(?6, reading), known_until = iif(?4, 0, known_until)
               WHERE id = ?7"#,
        )
        .bind(to.path)
        .bind(&to.after.identity)
        .bind(to.after.offset.cast_signed())
        .bind(i64::from(to.rewritten))
        .bind(now())
        .bind(to.reading)
        .bind(to.id)
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }
}

const CORRECTED_AGENT: &str = "
UPDATE agents SET state = ?1 ->> 'state', needs = ?1 ->> 'needs', asks = ?1 ->> 'asks',
    since = ?1 ->> 'since', background = ?1 ->> 'background', unseen = ?1 ->> 'unseen',
    last_words = ?1 ->> 'last_words', viewed_at = ?1 ->> 'viewed_at',
    snoozed_until = ?1 ->> 'snoozed_until', ended_at = ?1 ->> 'ended_at',
    end_reason = ?1 ->> 'end_reason'
WHERE id = ?2";

const CORRECTED_TURNS: &str = "
INSERT INTO turns (id, command_id, actor, intent, text, timestamp, message_id, event_id)
SELECT value ->> 'id', value ->> 'command_id', value ->> 'actor', value ->> 'intent',
       value ->> 'text', value ->> 'timestamp', value ->> 'message_id', value ->> 'event_id'
FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET
    command_id = excluded.command_id, actor = excluded.actor, intent = excluded.intent,
    text = excluded.text, timestamp = excluded.timestamp, message_id = excluded.message_id,
    event_id = excluded.event_id";

pub async fn correct(link: &mut SqliteConnection, corrections: &[Correction]) -> Outcome<()> {
    let mut tx = SqliteTransaction::begin(link).await?;
    for one in corrections {
        let agent = sqlx::query(CORRECTED_AGENT).bind(Json(&one.shown));
        agent.bind(one.agent_id).execute(&mut *tx.0).await?;
        tx.put(COMMANDS, &one.commands).await?;
        tx.put(CORRECTED_TURNS, &one.turns).await?;
        let gone = "DELETE FROM turns WHERE id IN (SELECT value FROM json_each(?1))";
        tx.put(gone, &one.extra_turns).await?;
        let gone = "DELETE FROM commands WHERE id IN (SELECT value FROM json_each(?1))";
        tx.put(gone, &one.extra_commands).await?;
    }
    tx.commit().await
}

pub async fn checkpoints(link: &mut SqliteConnection, host: &str) -> Outcome<Vec<CheckpointRow>> {
    let rows = sqlx::query(
        r#"SELECT path, identity, "offset", "offset" > 0 AND reading < ?2
           FROM checkpoints WHERE host = ?1"#,
    )
    .bind(host)
    .bind(READING)
    .fetch_all(link)
    .await?;
    Ok(rows
        .iter()
        .map(|row| CheckpointRow {
            path: row.get(0),
            position: position(row, 1),
            is_outdated: row.get(3),
        })
        .collect())
}

pub async fn checkpoint(link: &mut SqliteConnection, host: &str, path: &str) -> Outcome<Position> {
    let row =
        sqlx::query(r#"SELECT identity, "offset" FROM checkpoints WHERE host = ? AND path = ?"#)
            .bind(host)
            .bind(path)
            .fetch_optional(link)
            .await?;
    Ok(row.map(|row| position(&row, 0)).unwrap_or_default())
}

pub async fn open_sessions(link: &mut SqliteConnection, host: &str) -> Outcome<Vec<OpenSession>> {
    let sessions = sqlx::query_as(
        "SELECT session_uuid, transcript_path FROM agents
         JOIN projects ON projects.id = project_id WHERE host = ? AND ended_at IS NULL",
    );
    Ok(sessions.bind(host).fetch_all(link).await?)
}

pub async fn registered_sessions(link: &mut SqliteConnection, host: &str) -> Outcome<Vec<String>> {
    let sessions = sqlx::query_scalar(
        "SELECT session_uuid FROM agents
         JOIN projects ON projects.id = project_id WHERE host = ? AND registered",
    );
    Ok(sessions.bind(host).fetch_all(link).await?)
}

pub async fn beat(link: &mut SqliteConnection, host: &str, beat: &WatcherBeat) -> Outcome<()> {
    sqlx::query(
        "INSERT INTO watchers (host, state_dir, pid, version, started_at, beat_at, last_write_at,
             state, reason, counters)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (host, state_dir) DO UPDATE SET
             pid = excluded.pid, version = excluded.version, started_at = excluded.started_at,
             beat_at = excluded.beat_at,
             last_write_at = coalesce(excluded.last_write_at, last_write_at),
             state = excluded.state, reason = excluded.reason, counters = excluded.counters",
    )
    .bind(host)
    .bind(&beat.state_dir)
    .bind(beat.pid)
    .bind(beat.version)
    .bind(beat.started_at.to_string())
    .bind(now())
    .bind(beat.last_write_at.map(|at| at.to_string()))
    .bind(beat.state)
    .bind(&beat.reason)
    .bind(beat.counters.json())
    .execute(link)
    .await?;
    Ok(())
}

fn position(row: &SqliteRow, from: usize) -> Position {
    Position {
        identity: row.get(from),
        offset: row.get::<i64, _>(from + 1).cast_unsigned(),
    }
}

fn in_hex<const N: usize>(keys: &[[u8; N]]) -> Json<Vec<String>> {
    Json(keys.iter().map(|key| hex(key)).collect())
}

fn now() -> String {
    Timestamp::now().to_string()
}
