//! A look at a file, and what must have been given by it.

use std::{
    fs::File,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use headspace::tail::{Found, ReadLimits, Stretch};

use super::{
    World,
    action::{Action, Ending},
    files::after_newline,
    memory::{Fact, Lines, excerpt, short},
};

/// What a look found.
struct Seen {
    path: PathBuf,
    found: Found,
    facts: Vec<Fact>,
    /// What the file held that was not stored, and what the older files that are still
    /// open held.
    here: Vec<Fact>,
    kept: Vec<Vec<Fact>>,
}

impl World {
    /// One look, and what becomes of it; says whether there may be more.
    pub(super) fn look(
        &mut self,
        path: &Path,
        events: usize,
        take_tail: bool,
        ending: Ending,
    ) -> Result<bool, String> {
        let seen = self.read(path, events, take_tail)?;
        let is_any = seen.found.more || seen.found.stretch.is_some();
        self.end_look(seen, ending)?;
        Ok(is_any)
    }

    /// A look at a second file while the first one's lines are stored.
    pub(super) fn look_ahead(
        &mut self,
        files: [&Path; 2],
        events: usize,
        between: &[Action],
        [ending, then]: [Ending; 2],
    ) -> Result<(), String> {
        let first = self.read(files[0], events, false)?;
        let is_plain = |stretch: &Stretch| stretch.moved_from.is_none() && !stretch.rewritten;
        let Some(stretch) = first.found.stretch.clone().filter(is_plain) else {
            return self.end_look(first, ending);
        };
        self.tail.taken(&stretch);
        for change in between {
            self.act(change)?;
        }
        let mut second = self.read(files[1], events, false)?;
        let known = self.store.checkpoints.get(stretch.source()).cloned();
        let stands = known.unwrap_or_default() == stretch.before;
        if !stands || !matches!(ending, Ending::Stored) {
            self.tail.give_back();
            return self.end_look(first, ending);
        }
        self.end_look(first, ending)?;
        let log = &self.store.log;
        let lists = second.kept.iter_mut().chain([&mut second.here]);
        lists.for_each(|facts| facts.retain(|fact| !log.contains(fact)));
        self.end_look(second, then)
    }

    fn read(&mut self, path: &Path, events: usize, take_tail: bool) -> Result<Seen, String> {
        let limits = ReadLimits {
            max_line_bytes: 1 << 26,
            take_tail,
        };
        let mut lines = Lines::new(events);
        let opened = File::open(path).ok();
        let here = self.pending(opened.as_ref(), take_tail);
        let kept = self
            .owed
            .iter()
            .map(|(file, _)| self.pending(Some(file), take_tail))
            .collect();
        let found = self
            .tail
            .read(path, &mut lines, limits, SystemTime::now())
            .map_err(|error| format!("the look failed: {error}"))?;
        if found.more || found.stretch.is_some() {
            self.owe(opened, &here);
        }
        Ok(Seen {
            path: path.to_owned(),
            found,
            facts: lines.facts,
            here,
            kept,
        })
    }

    fn end_look(&mut self, seen: Seen, ending: Ending) -> Result<(), String> {
        let Some(stretch) = &seen.found.stretch else {
            return Ok(());
        };
        let before = self.store.log.len();
        match ending {
            Ending::NotStored => {}
            Ending::DiedBefore => self.restart(),
            Ending::DiedAfter => {
                let _ = self.store.append(stretch, &seen.facts);
                self.restart();
            }
            Ending::Unanswered => {
                let _ = self.store.append(stretch, &seen.facts);
            }
            Ending::Disconnected => {
                let _ = self.store.append(stretch, &seen.facts);
                self.tail.load(self.store.positions());
            }
            Ending::Stored => match self.store.append(stretch, &seen.facts) {
                Ok(()) => self.tail.committed(stretch),
                Err(moved) => {
                    let position = self
                        .store
                        .checkpoints
                        .get(&moved)
                        .cloned()
                        .unwrap_or_default();
                    self.tail.moved(&moved, position);
                }
            },
        }
        let log = &self.store.log;
        for (_, owed) in &mut self.owed {
            owed.retain(|fact| !log.contains(fact));
        }
        expect(&log[before..], seen.kept, &seen.here)
            .map_err(|why| format!("a look at {} {why}", seen.path.display()))
    }

    /// Looks until there is nothing more: then nothing may be missing.
    pub(super) fn read_all(&mut self, path: &Path, take_tail: bool) -> Result<(), String> {
        let mut looks = 0;
        while self.look(path, 512, take_tail, Ending::Stored)? {
            looks += 1;
            if looks > 10_000 {
                return Err(format!("there is no end to {}", path.display()));
            }
        }
        let missing = self.pending(File::open(path).ok().as_ref(), take_tail);
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{} is read, yet {:?} is missing",
            path.display(),
            short(&missing)
        ))
    }

    // --- what the model says

    /// What an open file holds that is not stored yet, in order.
    pub(super) fn pending(&self, file: Option<&File>, take_tail: bool) -> Vec<Fact> {
        let Some(bytes) = file.map(contents) else {
            return Vec::new();
        };
        let mut facts = Vec::new();
        let mut offset = 0;
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let whole = line.strip_suffix(b"\n");
            let body = whole.unwrap_or(line);
            let fact = match self.lines.get(body) {
                Some(number) => Some(Fact::Turn(*number)).filter(|_| whole.is_some() || take_tail),
                None => whole
                    .filter(|body| !body.is_empty())
                    .map(|body| Fact::Rejected(offset, excerpt(body))),
            };
            facts.extend(
                fact.filter(|fact| !self.store.log.contains(fact) && !facts.contains(fact)),
            );
            offset += line.len() as u64;
        }
        facts
    }

    /// Where the last complete record of a file ends.
    pub(super) fn end(&self, bytes: &[u8]) -> u64 {
        let lines = after_newline(bytes);
        let whole = self.lines.contains_key(&bytes[lines..]);
        (if whole { bytes.len() } else { lines }) as u64
    }

    /// Something of this file is still to be stored: it stays open.
    pub(super) fn owe(&mut self, file: Option<File>, facts: &[Fact]) {
        let Some(file) = file else { return };
        let same = |(known, _): &&mut (File, Vec<Fact>)| inode(known) == inode(&file);
        match self.owed.iter_mut().find(same) {
            Some((_, owed)) => owed.extend_from_slice(facts),
            None => self.owed.push((file, facts.to_vec())),
        }
    }

    /// Once all paths are read, so are the files that were deleted meanwhile,
    /// as far as they still hold what they held at a look.
    pub(super) fn settle_debts(&self) -> Result<(), String> {
        for (file, owed) in self.owed.iter().filter(|(file, _)| links(file) == 0) {
            let mut missing = self.pending(Some(file), true);
            missing.retain(|fact| owed.contains(fact));
            if !missing.is_empty() {
                return Err(format!(
                    "{:?} of a deleted file is missing",
                    short(&missing)
                ));
            }
        }
        Ok(())
    }
}

/// What was stored comes in the order of the file, and after what an older file
/// that is still open has to give.
pub(super) fn expect(new: &[Fact], kept: Vec<Vec<Fact>>, here: &[Fact]) -> Result<(), String> {
    let fits = |mut due: Vec<Fact>| {
        let more = here.iter().filter(|fact| !due.contains(fact)).cloned();
        let more: Vec<Fact> = more.collect();
        due.extend(more);
        due.starts_with(new)
    };
    if fits(Vec::new()) || kept.iter().cloned().any(fits) {
        return Ok(());
    }
    let kept: Vec<_> = kept.iter().map(|facts| short(facts)).collect();
    Err(format!(
        "stored {:?}; due were {:?}, after one of {kept:?}",
        short(new),
        short(here)
    ))
}

pub(super) fn contents(file: &File) -> Vec<u8> {
    let size = file.metadata().expect("an open file").len() as usize;
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, 0).expect("its bytes");
    bytes
}

pub(super) fn inode(file: &File) -> u64 {
    file.metadata().expect("an open file").ino()
}

/// How many names a file has; none if it was deleted.
pub(super) fn links(file: &File) -> u64 {
    file.metadata().expect("an open file").nlink()
}
