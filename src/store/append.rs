//! One transaction, the same for both databases: lock and compare the
//! checkpoints, ask what is known, plan, write, move the checkpoints, commit.

use std::collections::HashMap;

use crate::{
    derive::{Agent, Cause, Known, NewEvent, Plan, Questions, SessionChange, plan, questions},
    event::{Ending, EventType, FactKey, Rejection, SessionSeen, Timestamp, hex_digest},
    tail::Position,
};

use super::{
    failure::Failure,
    segment::{Appended, Duplicates, Segment},
};

pub type Outcome<T> = Result<T, Failure>;

/// A fact's key as it stands in the database.
pub type StoredKey = [u8; 20];

/// What each database must be able to do inside one transaction. All SQL of
/// one database stands in one file, `sqlite.rs` or `postgres.rs`.
pub trait Transaction {
    /// Locks the file's checkpoint, made at its start if there was none.
    async fn lock_checkpoint(&mut self, host: &str, path: &str) -> Outcome<Locked>;
    /// The events stored under these keys.
    async fn facts(&mut self, keys: &[StoredKey]) -> Outcome<HashMap<Vec<u8>, i64>>;
    /// How many stored keys begin with each of these.
    async fn group_sizes(&mut self, groups: &[[u8; 10]]) -> Outcome<Vec<u32>>;
    async fn agents(&mut self, sessions: &[&str]) -> Outcome<HashMap<String, Agent>>;
    /// The repository's facts are the seen's if that is where it works.
    async fn put_project(&mut self, host: &str, path: &str, seen: &SessionSeen) -> Outcome<i64>;
    async fn put_agent(
        &mut self,
        project_id: i64,
        parent: Option<i64>,
        registrations: u32,
        seen: &SessionSeen,
    ) -> Outcome<i64>;
    async fn touch_agent(&mut self, seen: &SessionSeen, reopen: bool) -> Outcome<()>;
    async fn end_agent(&mut self, session: &str, at: Timestamp, reason: &str) -> Outcome<()>;
    /// Returns the new ids, in the order of the rows.
    async fn insert_events(&mut self, rows: &[EventRow]) -> Outcome<Vec<i64>>;
    async fn insert_facts(&mut self, facts: &[(StoredKey, i64)]) -> Outcome<()>;
    /// Returns how many were not there yet.
    async fn insert_rejections(&mut self, rows: &[RejectionRow]) -> Outcome<u64>;
    async fn move_checkpoint(&mut self, locked: &Locked, segment: &Moved) -> Outcome<()>;
    async fn commit(self) -> Outcome<()>;
}

/// A checkpoint's row, locked.
#[derive(Debug, Clone)]
pub struct Locked {
    pub id: i64,
    pub position: Position,
}

/// Where a checkpoint goes.
#[derive(Debug)]
pub struct Moved {
    pub path: String,
    /// It stood under another path before.
    pub renamed: bool,
    pub after: Position,
    pub rewritten: bool,
}

#[derive(Debug)]
pub struct EventRow {
    pub kind: EventType,
    pub timestamp: Timestamp,
    pub observed: bool,
    pub project_id: Option<i64>,
    pub agent_id: Option<i64>,
    pub payload: String,
    pub key: StoredKey,
    pub checkpoint_id: Option<i64>,
    pub source_offset: Option<i64>,
}

#[derive(Debug)]
pub struct RejectionRow<'a> {
    pub source: &'a str,
    pub offset: u64,
    pub rejection: &'a Rejection,
    pub key: String,
}

/// Stores what the causes add and moves the segments' checkpoints, all or nothing.
pub async fn append(
    mut tx: impl Transaction,
    host: &str,
    segments: &[Segment],
    endings: &[Ending],
) -> Outcome<Appended> {
    let locked = lock(&mut tx, host, segments).await?;
    let causes = causes(segments, endings);
    let known = ask(&mut tx, &causes).await?;
    let moves: Vec<Moved> = segments.iter().map(Moved::of).collect();
    let agents = known.agents.clone();
    let plan = plan(&causes, known);
    let appended = write(&mut tx, host, plan, agents, &locked, &moves).await?;
    for (locked, to) in locked.iter().zip(&moves) {
        tx.move_checkpoint(locked, to).await?;
    }
    tx.commit().await?;
    Ok(appended)
}

fn causes<'a>(segments: &'a [Segment], endings: &'a [Ending]) -> Vec<Cause<'a>> {
    let lines = segments.iter().enumerate().flat_map(|(number, segment)| {
        let entries = segment.entries.iter();
        entries.map(move |entry| Cause::Line(number, entry))
    });
    lines.chain(endings.iter().map(Cause::Ended)).collect()
}

async fn lock(tx: &mut impl Transaction, host: &str, segments: &[Segment]) -> Outcome<Vec<Locked>> {
    let mut locked = Vec::with_capacity(segments.len());
    for segment in segments {
        let path = segment.moved_from.as_ref().unwrap_or(&segment.path);
        let row = tx.lock_checkpoint(host, path).await?;
        if row.position != segment.before {
            return Err(Failure::Moved { path: path.clone() });
        }
        locked.push(row);
    }
    Ok(locked)
}

async fn ask(tx: &mut impl Transaction, causes: &[Cause<'_>]) -> Outcome<Known> {
    let Questions {
        keys,
        starts,
        sessions,
    } = questions(causes);
    let mut known = Known::default();
    if !keys.is_empty() {
        let stored = keys.iter().map(|key| FactKey::stored(key));
        let found = tx.facts(&stored.clone().collect::<Vec<_>>()).await?;
        let ids = stored.map(|key| found.get(key.as_slice()).copied());
        let pairs = keys.iter().zip(ids);
        known.facts = pairs
            .filter_map(|(key, id)| Some(((*key).to_owned(), id?)))
            .collect();
    }
    if !sessions.is_empty() {
        known.agents = tx.agents(&sessions).await?;
    }
    // Of a session that has no row it must be known how often it had one.
    let rowless = sessions
        .iter()
        .filter(|session| !known.agents.contains_key(**session));
    let registrations: Vec<String> = rowless.map(|s| FactKey::registrations(s)).collect();
    let starts: Vec<&str> = starts
        .into_iter()
        .chain(registrations.iter().map(String::as_str))
        .collect();
    if !starts.is_empty() {
        let groups: Vec<_> = starts.iter().map(|s| FactKey::stored_group(s)).collect();
        let counts = tx.group_sizes(&groups).await?;
        known.groups = starts.iter().map(ToString::to_string).zip(counts).collect();
    }
    Ok(known)
}

async fn write(
    tx: &mut impl Transaction,
    host: &str,
    plan: Plan<'_>,
    mut agents: HashMap<String, Agent>,
    locked: &[Locked],
    moves: &[Moved],
) -> Outcome<Appended> {
    let registered = change_sessions(tx, host, &plan.sessions, &mut agents).await?;
    let rows: Vec<EventRow> = plan
        .events
        .iter()
        .map(|event| event_row(event, &agents, locked))
        .collect();
    let ids = if rows.is_empty() {
        Vec::new()
    } else {
        tx.insert_events(&rows).await?
    };
    let mut facts: Vec<(StoredKey, i64)> = plan
        .aliases
        .iter()
        .map(|(key, id)| (FactKey::stored(key), *id))
        .collect();
    for (event, id) in plan.events.iter().zip(&ids) {
        facts.extend(event.keys.iter().map(|key| (FactKey::stored(key), *id)));
    }
    if !facts.is_empty() {
        // Neighbours in the index are written together.
        facts.sort_unstable();
        tx.insert_facts(&facts).await?;
    }
    let rejections: Vec<RejectionRow> = plan
        .rejections
        .iter()
        .map(|(segment, offset, rejection)| {
            RejectionRow::new(&moves[*segment].path, *offset, rejection)
        })
        .collect();
    let rejected = if rejections.is_empty() {
        0
    } else {
        tx.insert_rejections(&rejections).await?
    };
    Ok(Appended {
        stored: ids.len() as u64,
        rejected,
        last_id: ids.last().copied(),
        duplicates: plan
            .duplicates
            .into_iter()
            .map(|(segment, (count, key))| Duplicates {
                path: moves[segment].path.clone(),
                count,
                key,
            })
            .collect(),
        registered,
    })
}

/// Carries out what the plan says of sessions; afterwards `agents` has their ids.
async fn change_sessions(
    tx: &mut impl Transaction,
    host: &str,
    changes: &[SessionChange<'_>],
    agents: &mut HashMap<String, Agent>,
) -> Outcome<Vec<String>> {
    let mut registered = Vec::new();
    for change in changes {
        match change {
            SessionChange::Register(seen, agent) => {
                let agent = register(tx, host, seen, agent, agents).await?;
                registered.push(seen.session_uuid.clone());
                agents.insert(seen.session_uuid.clone(), agent);
            }
            SessionChange::Reopen(seen) => {
                tx.touch_agent(seen, true).await?;
                registered.push(seen.session_uuid.clone());
            }
            SessionChange::Touch(seen) => tx.touch_agent(seen, false).await?,
            SessionChange::End {
                session_uuid,
                at,
                reason,
            } => {
                tx.end_agent(session_uuid, *at, reason).await?;
            }
        }
    }
    Ok(registered)
}

async fn register(
    tx: &mut impl Transaction,
    host: &str,
    seen: &SessionSeen,
    agent: &Agent,
    agents: &HashMap<String, Agent>,
) -> Outcome<Agent> {
    let project_id = tx.put_project(host, &agent.project_path, seen).await?;
    let parent = seen.parent.as_ref().and_then(|p| agents.get(p));
    let id = tx
        .put_agent(project_id, parent.map(|p| p.id), agent.registrations, seen)
        .await?;
    Ok(Agent {
        id,
        project_id,
        ..agent.clone()
    })
}

fn event_row(event: &NewEvent, agents: &HashMap<String, Agent>, locked: &[Locked]) -> EventRow {
    let agent = agents.get(&event.session_uuid);
    EventRow {
        kind: event.kind,
        timestamp: event.moment.at,
        observed: event.moment.observed,
        project_id: agent.map(|agent| agent.project_id),
        agent_id: agent.map(|agent| agent.id),
        payload: event.payload.clone(),
        key: FactKey::stored(&event.keys[0]),
        checkpoint_id: event.source.map(|(segment, _)| locked[segment].id),
        source_offset: event.source.map(|(_, offset)| offset.cast_signed()),
    }
}

impl Moved {
    fn of(segment: &Segment) -> Moved {
        Moved {
            path: segment.path.clone(),
            renamed: segment.moved_from.is_some(),
            after: segment.after.clone(),
            rewritten: segment.rewritten,
        }
    }
}

impl<'a> RejectionRow<'a> {
    fn new(source: &'a str, offset: u64, rejection: &'a Rejection) -> RejectionRow<'a> {
        let key = rejection_key(source, offset, rejection);
        RejectionRow {
            source,
            offset,
            rejection,
            key,
        }
    }
}

/// The same bytes at the same place of a file of the same name are one
/// rejection, also after the file was moved or read again.
pub fn rejection_key(source: &str, offset: u64, rejection: &Rejection) -> String {
    let name = source.rsplit('/').next().unwrap_or(source);
    let Rejection { sha256, reason, .. } = rejection;
    hex_digest(&format!("{name}\0{offset}\0{sha256}\0{reason}"))
}
