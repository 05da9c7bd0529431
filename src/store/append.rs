//! One transaction, the same for both databases: lock and compare the
//! checkpoints, ask what is known, plan, write, move the checkpoints, commit.

use crate::{
    archive::Piece,
    derive::{Cause, EventOf, Known, LineOrigin, Plan, Questions, plan, questions},
    event::{Rejection, StoredKey, hex_digest},
    tail::Position,
};

use super::{
    failure::Failure,
    segment::{Appended, Duplicates, READING, Segment},
};

pub type Outcome<T> = Result<T, Failure>;

/// What each database must be able to do inside one transaction, each in one
/// round trip. All SQL of one database stands in one folder,
/// `sqlite` or `postgres`.
pub trait Transaction {
    /// Locks the files' checkpoints, in any order; what had none is at its start.
    async fn lock(&mut self, host: &str, paths: &[&str]) -> Outcome<Vec<Locked>>;
    /// What is stored, with the ids that the batch may use.
    async fn ask(&mut self, host: &str, questions: &Questions<'_>) -> Outcome<Known>;
    async fn write(&mut self, host: &str, rows: &Rows<'_>) -> Outcome<Written>;
    async fn commit(self) -> Outcome<()>;
}

/// A checkpoint's row, locked.
#[derive(Debug, Clone)]
pub struct Locked {
    pub id: i64,
    pub path: String,
    pub position: Position,
    /// Up to where its facts are stored, though it is read again.
    pub known_until: u64,
}

/// What is written: the plan's rows, and what follows from where they came from.
pub struct Rows<'a> {
    pub plan: &'a Plan<'a>,
    /// In the order of their keys: neighbours in the index are written together.
    pub facts: Vec<Fact>,
    pub rejections: Vec<RejectionRow<'a>>,
    pub moves: Vec<Moved<'a>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    pub key: StoredKey,
    pub event: EventOf,
}

/// Where a checkpoint goes.
#[derive(Debug)]
pub struct Moved<'a> {
    pub id: i64,
    pub path: &'a str,
    /// It stood under another path before.
    pub renamed: bool,
    pub after: &'a Position,
    pub rewritten: bool,
    /// The version of reading, if all of it is read by that one.
    pub reading: Option<i64>,
    pub known_until: u64,
    /// What was read on the way there.
    pub pieces: &'a [Piece],
}

#[derive(Debug)]
pub struct RejectionRow<'a> {
    pub source: &'a str,
    pub offset: u64,
    pub rejection: &'a Rejection,
    pub key: String,
}

/// What only the database knows of what it wrote.
#[derive(Debug, Default)]
pub struct Written {
    pub last_id: Option<i64>,
    /// Rejections that were not there yet.
    pub rejected: u64,
}

/// Stores what the segments' lines and the causes beside them add and moves the
/// segments' checkpoints, all or nothing.
pub async fn append(
    mut tx: impl Transaction,
    host: &str,
    segments: &[Segment],
    beside: &[Cause<'_>],
) -> Outcome<Appended> {
    let moves = lock(&mut tx, host, segments).await?;
    let causes = causes(segments, &moves, beside);
    let questions = questions(&causes);
    let mut known = if questions.is_empty() {
        Known::default()
    } else {
        tx.ask(host, &questions).await?
    };
    known.host = host.to_owned();
    known.known_until = moves.iter().map(|to| (to.id, to.known_until)).collect();
    let paths = moves.iter().map(|to| (to.id, to.path.to_owned()));
    known.paths = paths.collect();
    let plan = plan(&causes, known);
    let rows = Rows::of(&plan, moves);
    let written = tx.write(host, &rows).await?;
    tx.commit().await?;
    Ok(rows.appended(&written))
}

/// The checkpoints' moves, if each stands where the writer believes it to be.
async fn lock<'a>(
    tx: &mut impl Transaction,
    host: &str,
    segments: &'a [Segment],
) -> Outcome<Vec<Moved<'a>>> {
    if segments.is_empty() {
        return Ok(Vec::new());
    }
    let paths: Vec<&str> = segments.iter().map(Segment::checkpoint_path).collect();
    let locked = tx.lock(host, &paths).await?;
    let moves = segments.iter().map(|segment| {
        let path = segment.checkpoint_path();
        match locked.iter().find(|row| row.path == path) {
            None => Err(Failure::Raced),
            Some(row) if row.position == segment.before => Ok(Moved::of(segment, row)),
            Some(_) => Err(Failure::Moved { path: path.into() }),
        }
    });
    moves.collect()
}

fn causes<'a>(
    segments: &'a [Segment],
    moves: &[Moved<'a>],
    beside: &[Cause<'a>],
) -> Vec<Cause<'a>> {
    let lines = segments.iter().zip(moves).flat_map(|(segment, to)| {
        let id = to.id;
        let entries = segment.entries.iter();
        entries.map(move |entry| Cause::Line(id, entry))
    });
    lines.chain(beside.iter().copied()).collect()
}

impl<'a> Rows<'a> {
    fn of(plan: &'a Plan<'a>, moves: Vec<Moved<'a>>) -> Rows<'a> {
        let rejections = plan.rejections.iter().map(|(source, rejection)| {
            RejectionRow::new(path_of(&moves, source.checkpoint_id), source, rejection)
        });
        Rows {
            plan,
            facts: facts(plan),
            rejections: rejections.collect(),
            moves,
        }
    }

    fn appended(&self, written: &Written) -> Appended {
        let duplicates = self.plan.duplicates.iter();
        let duplicates = duplicates.map(|(checkpoint_id, (count, key))| Duplicates {
            path: path_of(&self.moves, *checkpoint_id).to_owned(),
            count: *count,
            key: key.clone(),
        });
        Appended {
            stored: self.plan.events.len() as u64,
            rejected: written.rejected,
            last_id: written.last_id,
            duplicates: duplicates.collect(),
            registered: self.plan.registered.clone(),
            ended: self.plan.ended.clone(),
            quiet: self.plan.quiet.clone(),
            declined: self.plan.declined.clone(),
        }
    }
}

fn facts(plan: &Plan<'_>) -> Vec<Fact> {
    let stored = plan.aliases.iter().map(|(key, id)| Fact {
        key: *key,
        event: EventOf::Stored(*id),
    });
    let planned = plan.events.iter().enumerate().flat_map(|(number, event)| {
        let event_of = move |key: &StoredKey| Fact {
            key: *key,
            event: EventOf::Planned(number),
        };
        event.keys.iter().map(event_of)
    });
    let mut facts: Vec<Fact> = stored.chain(planned).collect();
    facts.sort_unstable();
    facts
}

fn path_of<'a>(moves: &[Moved<'a>], checkpoint_id: i64) -> &'a str {
    let to = moves.iter().find(|to| to.id == checkpoint_id);
    to.expect("each line comes from one of the segments").path
}

impl<'a> Moved<'a> {
    fn of(segment: &'a Segment, row: &Locked) -> Moved<'a> {
        let from_start = segment.rewritten || segment.before.offset == 0;
        Moved {
            id: row.id,
            path: &segment.path,
            renamed: segment.moved_from.is_some(),
            after: &segment.after,
            rewritten: segment.rewritten,
            reading: from_start.then_some(READING),
            known_until: row.known_until,
            pieces: &segment.pieces,
        }
    }
}

impl<'a> RejectionRow<'a> {
    fn new(path: &'a str, source: &LineOrigin, rejection: &'a Rejection) -> RejectionRow<'a> {
        RejectionRow {
            source: path,
            offset: source.offset,
            rejection,
            key: rejection_key(path, source.offset, rejection),
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
