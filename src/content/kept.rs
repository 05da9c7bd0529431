//! Where an agent's transcript can be read, and its lines.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    path::PathBuf,
};

use tokio::task::spawn_blocking;

use crate::{
    archive::{Piece, unpack},
    store::read::{AgentRow, ReadError, Reader},
};

/// An agent's transcript as it was last.
#[derive(Debug, Clone)]
pub struct Kept {
    pub checkpoint_id: i64,
    pub(super) generation: i64,
    /// Up to where it was read.
    pub(super) end: u64,
    /// Where it lies, if that is on this machine.
    file: Option<PathBuf>,
}

/// Why there is nothing to be shown.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    #[error(transparent)]
    Database(#[from] ReadError),
    #[error("no transcript of this session is known")]
    Unknown,
    #[error("it was not kept (archive.mode is off, or it was read before), and {0}")]
    File(String),
    #[error("what was kept of it is damaged: {0}")]
    Damaged(io::Error),
    #[error("it is not in the transcript any more")]
    Gone,
}

/// Bytes that follow each other in the transcript.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub offset: u64,
    pub bytes: Vec<u8>,
}

impl Kept {
    /// `here` is the name of this machine.
    pub async fn of(reader: &Reader, agent: &AgentRow, here: &str) -> Result<Kept, Lost> {
        let path = agent.transcript_path.as_deref().ok_or(Lost::Unknown)?;
        let kept = reader.kept_file(&agent.host, path).await?;
        let kept = kept.ok_or(Lost::Unknown)?;
        Ok(Kept {
            checkpoint_id: kept.checkpoint_id,
            generation: kept.rewrites,
            end: kept.offset.cast_unsigned(),
            file: (agent.host == here).then(|| PathBuf::from(path)),
        })
    }

    /// What there is of a span. It is cut at its ends, where a line may go on.
    pub(super) async fn read(&self, reader: &Reader, span: Range<u64>) -> Result<Vec<Run>, Lost> {
        let span = span.start..span.end.min(self.end);
        if span.is_empty() {
            return Ok(Vec::new());
        }
        let pieces = reader
            .pieces(self.checkpoint_id, self.generation, span.clone())
            .await?;
        let file = self.file.clone();
        aside(move || match pieces.is_empty() {
            false => joined(&pieces, &span).map_err(Lost::Damaged),
            true => of_file(file, &span),
        })
        .await
    }

    /// The file itself, if it lies on this machine and still holds what was read.
    pub(super) async fn open(&self) -> Result<File, Lost> {
        let (file, end) = (self.file.clone(), self.end);
        aside(move || open(file, end)).await
    }
}

/// Does what may block where that holds up nothing else.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Lost> + Send + 'static,
) -> Result<T, Lost> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|stopped| Err(Lost::Damaged(io::Error::other(stopped))))
}

/// The bytes of pieces, each once; what follows each other is one run.
fn joined(pieces: &[Piece], span: &Range<u64>) -> io::Result<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    let mut at = span.start;
    for piece in pieces {
        let end = (piece.offset + piece.length).min(span.end);
        if end <= at {
            continue;
        }
        let bytes = unpack(piece)?;
        let start = at.max(piece.offset);
        let own = (start - piece.offset) as usize..(end - piece.offset) as usize;
        let bytes = bytes.get(own).unwrap_or_default();
        match runs.last_mut().filter(|_| start == at) {
            Some(run) => run.bytes.extend_from_slice(bytes),
            None => runs.push(Run {
                offset: start,
                bytes: bytes.to_vec(),
            }),
        }
        at = end;
    }
    Ok(runs)
}

fn of_file(file: Option<PathBuf>, span: &Range<u64>) -> Result<Vec<Run>, Lost> {
    let mut file = open(file, span.end)?;
    let length = (span.end - span.start) as usize;
    let mut bytes = Vec::with_capacity(length);
    let read = file
        .seek(SeekFrom::Start(span.start))
        .and_then(|_| file.take(length as u64).read_to_end(&mut bytes));
    read.map_err(|error| Lost::File(format!("its file cannot be read: {error}")))?;
    Ok(vec![Run {
        offset: span.start,
        bytes,
    }])
}

fn open(path: Option<PathBuf>, end: u64) -> Result<File, Lost> {
    let path = path.ok_or_else(|| Lost::File("its file is on another machine".into()))?;
    let file = File::open(path);
    let file = file.map_err(|error| Lost::File(format!("its file cannot be opened: {error}")))?;
    let length = file.metadata().map_or(0, |about| about.len());
    match length >= end {
        true => Ok(file),
        false => Err(Lost::File("its file was cut since".into())),
    }
}

/// The whole lines of runs, each with its offset. The first bytes of a span that begins
/// within a line are none, nor are the last ones without a newline.
pub(super) fn lines(runs: &[Run], begins_a_line: bool) -> impl Iterator<Item = (u64, &[u8])> {
    runs.iter().enumerate().flat_map(move |(number, run)| {
        let mut offset = run.offset;
        let skipped = usize::from(number == 0 && !begins_a_line);
        run.bytes
            .split_inclusive(|byte| *byte == b'\n')
            .map(move |line| {
                offset += line.len() as u64;
                (offset - line.len() as u64, line)
            })
            .skip(skipped)
            .filter(|(_, line)| line.ends_with(b"\n"))
    })
}
