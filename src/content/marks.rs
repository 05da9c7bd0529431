//! What stands in a span of a transcript between the turns: what the agent thought, where
//! its context was compacted, what it forked from, which lines an edit changed.

use std::{collections::HashMap, ops::Range};

use memchr::memmem::Finder;

use super::{
    kept::{Kept, Lost, lines},
    record,
};
use crate::{event::Timestamp, store::read::Reader};

/// The most that is read: of a longer span, its end.
const SPAN: u64 = 8 << 20;
/// What a fork begins with.
const BEGINNING: u64 = 64 << 10;
/// The most thoughts and words that are given, the newest ones.
const THOUGHTS: usize = 200;

/// Words that a line must have to be looked into.
const WORDS: [&str; 4] = [
    "\"thinking\"",
    "compact_boundary",
    "isApiErrorMessage",
    "structuredPatch",
];

#[derive(Debug, Default)]
pub struct Marks {
    /// In the order of the transcript.
    pub marks: Vec<MarkedAt>,
    /// Of calls that changed a file, the lines they added and removed.
    pub changes: HashMap<String, (usize, usize)>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct MarkedAt {
    /// The line's place in the transcript.
    pub offset: u64,
    pub at: Timestamp,
    pub mark: Mark,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    Thought(String),
    /// What set it off, and the tokens before it, where that is known.
    Compaction {
        trigger: Option<String>,
        tokens: Option<u64>,
    },
    /// What the CLI said in the agent's place.
    Error(String),
    /// What a subagent was given to do, and what it said: no turns of its session.
    Task(String),
    Said(String),
}

/// The marks of a span that begins with a line; with what is said in it, if that makes no
/// turns.
pub async fn marks(
    reader: &Reader,
    kept: &Kept,
    span: Range<u64>,
    with_words: bool,
) -> Result<Marks, Lost> {
    let end = span.end.min(kept.end);
    let start = span.start.max(end.saturating_sub(SPAN));
    let runs = kept.read(reader, start..end).await?;
    let finders = WORDS.map(Finder::new);
    let mut marks = Marks::default();
    for (offset, line) in lines(&runs, start == span.start) {
        if with_words || finders.iter().any(|finder| finder.find(line).is_some()) {
            record::take_marks(line, offset, with_words, &mut marks);
        }
    }
    marks.forget_old();
    Ok(marks)
}

/// The session that this one was forked from, if its first lines say so.
pub async fn origin(reader: &Reader, kept: &Kept) -> Result<Option<String>, Lost> {
    let runs = kept.read(reader, 0..BEGINNING).await?;
    let finder = Finder::new("\"forkedFrom\"");
    let mut copied = lines(&runs, true).filter(|(_, line)| finder.find(line).is_some());
    Ok(copied.find_map(|(_, line)| record::origin(line)))
}

impl Marks {
    fn forget_old(&mut self) {
        let is_long =
            |one: &MarkedAt| matches!(one.mark, Mark::Thought(_) | Mark::Said(_) | Mark::Task(_));
        let count = self.marks.iter().filter(|one| is_long(one)).count();
        let mut old = count.saturating_sub(THOUGHTS);
        self.marks.retain(|one| {
            let is_old = old > 0 && is_long(one);
            old -= usize::from(is_old);
            !is_old
        });
    }
}
