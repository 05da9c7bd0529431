//! A store in memory, and what it makes of lines.

use std::{
    collections::{HashMap, HashSet},
    io::{self, Read},
    ops::ControlFlow,
    path::PathBuf,
};

use headspace::tail::{Body, Consumer, Line, Position, Stretch};

/// What is stored of a line: its number if it is one of ours, itself if it is
/// torn or glued.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Fact {
    Turn(u64),
    Rejected(u64, Vec<u8>),
}

/// A store in memory that keeps the contract: segments are stored whole, from
/// where the checkpoint stands or not at all, and each fact once.
#[derive(Clone, Default)]
pub(super) struct MemoryStore {
    pub(super) checkpoints: HashMap<PathBuf, Position>,
    pub(super) log: Vec<Fact>,
    keys: HashSet<Fact>,
}

impl MemoryStore {
    pub(super) fn positions(&self) -> HashMap<PathBuf, Position> {
        self.checkpoints.clone()
    }

    /// Fails with the path of a checkpoint that stands elsewhere, if one does.
    pub(super) fn append(&mut self, stretch: &Stretch, facts: &[Fact]) -> Result<(), PathBuf> {
        let path = stretch.source();
        let row = self.checkpoints.get(path).cloned().unwrap_or_default();
        if row != stretch.before {
            return Err(path.to_owned());
        }
        for fact in facts {
            if self.keys.insert(fact.clone()) {
                self.log.push(fact.clone());
            }
        }
        self.checkpoints.remove(path);
        self.checkpoints
            .insert(stretch.path.clone(), stretch.after.clone());
        Ok(())
    }
}

/// Takes so many lines at most.
pub(super) struct Lines {
    pub(super) facts: Vec<Fact>,
    most: usize,
}

impl Lines {
    pub(super) fn new(most: usize) -> Lines {
        Lines {
            facts: Vec::new(),
            most,
        }
    }
}

impl Consumer for Lines {
    fn start(&mut self, _: u64) {}

    fn line(&mut self, line: Line<'_>) -> io::Result<ControlFlow<()>> {
        let bytes = match &line.body {
            Body::Here(bytes) => bytes.to_vec(),
            Body::InFile(_) | Body::TooLong(_) => {
                let mut bytes = Vec::new();
                line.reader().read_to_end(&mut bytes)?;
                bytes
            }
        };
        assert!(!bytes.contains(&b'\n'), "a line ends at its newline");
        if let Some(number) = number(&bytes) {
            self.facts.push(Fact::Turn(number));
        } else if !bytes.is_empty() {
            self.facts
                .push(Fact::Rejected(line.offset, excerpt(&bytes)));
        }
        Ok(if self.is_full() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }

    fn is_full(&self) -> bool {
        self.facts.len() >= self.most
    }

    fn is_whole(&self, bytes: &[u8]) -> bool {
        number(bytes).is_some()
    }

    fn needs_more(&self) -> bool {
        false
    }
}

/// The number of a line that is neither torn nor glued to another.
pub(super) fn number(line: &[u8]) -> Option<u64> {
    let inner = line.strip_prefix(b"{")?.strip_suffix(b"}")?;
    let text = std::str::from_utf8(inner).ok()?;
    let is_one = !text.contains(['{', '}']);
    let (number, _) = text.split_once(' ').filter(|_| is_one)?;
    number.parse().ok()
}

/// What a rejection keeps of its line.
pub(super) fn excerpt(line: &[u8]) -> Vec<u8> {
    line[..line.len().min(64 * 1024)].to_vec()
}

/// Facts for a message: a torn line may be long.
pub(super) fn short(facts: &[Fact]) -> Vec<String> {
    let show = |fact: &Fact| match fact {
        Fact::Turn(number) => format!("{number}"),
        Fact::Rejected(offset, bytes) => format!("{} bytes at {offset}", bytes.len()),
    };
    facts.iter().map(show).collect()
}
