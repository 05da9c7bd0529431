//! Anything at all, in any order: files are written, cut, rewritten, renamed,
//! copied, replaced and deleted between looks, and the watcher dies at the two
//! moments that matter. A model that only reads the files as they are says
//! what must have been given, and in which order. The tail alone: no database,
//! and lines that mean nothing.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, Read, Write},
    ops::ControlFlow,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use headspace::tail::{Body, Consumer, Line, Position, ReadLimits, Stretch, Tail};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};

use crate::support::{
    headspace::{is_long, seed},
    random::Random,
};

#[test]
fn what_was_there_at_a_look_is_stored_once_and_in_order() {
    let sequences = if is_long() { 1_000_000 } else { 10_000 };
    let seed = seed();
    println!("seed {seed}, {sequences} sequences");
    // In memory it is fast; on a disk a deleted file's inode is used again.
    let shm = Path::new("/dev/shm");
    let folders = [
        if shm.is_dir() {
            shm.to_owned()
        } else {
            std::env::temp_dir()
        },
        std::env::temp_dir(),
    ];
    thread::scope(|scope| {
        for (number, folder) in folders.into_iter().enumerate() {
            let random = Random(seed + number as u64);
            scope.spawn(move || run(&folder, sequences / 2, random));
        }
    });
}

fn run(folder: &Path, sequences: u32, mut random: Random) {
    let dir = tempfile::tempdir_in(folder).expect("a temporary folder");
    let bytes: Vec<u8> = (0..4).flat_map(|_| random.next().to_le_bytes()).collect();
    let config = Config {
        cases: sequences,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&prop::collection::vec(action(), 1..15), |actions| {
        World::new(dir.path())
            .play(&actions)
            .map_err(TestCaseError::fail)
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, actions)) => panic!("{why}\nafter {actions:#?}"),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

/// What happens next; files have numbers.
#[derive(Debug, Clone)]
enum Action {
    Write {
        file: usize,
        lengths: Vec<usize>,
        glued: bool,
    },
    /// A line of which so many thousandths are there for now.
    Half {
        file: usize,
        length: usize,
        part: usize,
    },
    /// To so many thousandths of its size, or to the end of a line near there.
    Truncate {
        file: usize,
        part: usize,
        at_line_end: bool,
    },
    /// The last line is taken back and another written in its place.
    DropLast {
        file: usize,
        length: usize,
    },
    /// Every n-th line stays, others are added.
    Rewrite {
        file: usize,
        every: usize,
        lengths: Vec<usize>,
        in_place: bool,
    },
    Rename {
        from: usize,
        to: usize,
    },
    Copy {
        from: usize,
        to: usize,
    },
    Delete {
        file: usize,
    },
    /// One look, at most so many events.
    Look {
        file: usize,
        events: usize,
        ending: Ending,
    },
    /// Looks until there is nothing more.
    ReadAll {
        file: usize,
        take_tail: bool,
    },
    Restart,
    /// The database is copied away; or what was copied last is put in its place.
    Backup,
    Restore,
    /// The files come to rest: their times are old enough to be trusted.
    Settle,
}

/// What becomes of what a look found.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Stored,
    /// The database is away; the watcher lives on.
    NotStored,
    /// The watcher dies before it is stored.
    DiedBefore,
    /// It is stored, and the watcher dies before it knows.
    DiedAfter,
    /// It is stored, and the answer is lost, but not the connection.
    Unanswered,
    /// It is stored, and the answer is lost with the connection.
    Disconnected,
}

fn action() -> impl Strategy<Value = Action> {
    let file = || 0..FILES;
    let length =
        || prop_oneof![150 => 0..50usize, 8 => 5_000..20_000usize, 1 => 250_000..300_000usize];
    let lengths = move || prop::collection::vec(length(), 1..4);
    let ending = prop_oneof![
        4 => Just(Ending::Stored),
        1 => Just(Ending::NotStored),
        1 => Just(Ending::DiedBefore),
        1 => Just(Ending::DiedAfter),
        1 => Just(Ending::Unanswered),
        1 => Just(Ending::Disconnected),
    ];
    prop_oneof![
        300 => (file(), lengths(), any::<bool>())
            .prop_map(|(file, lengths, glued)| Action::Write { file, lengths, glued }),
        100 => (file(), length(), 0..1001usize)
            .prop_map(|(file, length, part)| Action::Half { file, length, part }),
        60 => (file(), 0..1001usize, any::<bool>())
            .prop_map(|(file, part, at_line_end)| Action::Truncate { file, part, at_line_end }),
        30 => (file(), length()).prop_map(|(file, length)| Action::DropLast { file, length }),
        60 => (file(), 1..4usize, lengths(), any::<bool>())
            .prop_map(|(file, every, lengths, in_place)| Action::Rewrite { file, every, lengths, in_place }),
        60 => (file(), file()).prop_map(|(from, to)| Action::Rename { from, to }),
        40 => (file(), file()).prop_map(|(from, to)| Action::Copy { from, to }),
        40 => file().prop_map(|file| Action::Delete { file }),
        250 => (file(), 1..6usize, ending)
            .prop_map(|(file, events, ending)| Action::Look { file, events, ending }),
        150 => (file(), any::<bool>())
            .prop_map(|(file, take_tail)| Action::ReadAll { file, take_tail }),
        40 => Just(Action::Restart),
        20 => Just(Action::Backup),
        20 => Just(Action::Restore),
        1 => Just(Action::Settle),
    ]
}

/// Two names in two folders.
const FILES: usize = 4;

/// What is stored of a line: its number if it is one of ours, itself if it is
/// torn or glued.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Fact {
    Turn(u64),
    Rejected(u64, Vec<u8>),
}

struct World {
    paths: Vec<PathBuf>,
    tail: Tail,
    store: MemoryStore,
    backup: MemoryStore,
    /// Every line ever written, with its number.
    lines: HashMap<Vec<u8>, u64>,
    /// What completes the half line at a file's end.
    rests: HashMap<PathBuf, Vec<u8>>,
    /// Files of which something was still to be stored at a look, and what:
    /// they are read to their end though they are deleted.
    owed: Vec<(File, Vec<Fact>)>,
}

/// A store in memory that keeps the contract: segments are stored whole, from
/// where the checkpoint stands or not at all, and each fact once.
#[derive(Clone, Default)]
struct MemoryStore {
    checkpoints: HashMap<PathBuf, Position>,
    log: Vec<Fact>,
    keys: HashSet<Fact>,
}

impl World {
    fn new(dir: &Path) -> World {
        let paths: Vec<PathBuf> = ["-a/one", "-a/two", "-b/one", "-b/two"]
            .iter()
            .map(|name| dir.join(format!("{name}.jsonl")))
            .collect();
        for path in &paths {
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            let _ = fs::remove_file(path);
        }
        World {
            paths,
            tail: Tail::default(),
            store: MemoryStore::default(),
            backup: MemoryStore::default(),
            lines: HashMap::new(),
            rests: HashMap::new(),
            owed: Vec::new(),
        }
    }

    fn play(mut self, actions: &[Action]) -> Result<(), String> {
        for action in actions {
            self.act(action)?;
        }
        for path in self.paths.clone() {
            self.read_all(&path, true)?;
        }
        self.settle_debts()?;
        self.restart();
        for path in self.paths.clone() {
            self.read_all(&path, true)?;
            if let Ok(bytes) = fs::read(&path) {
                let row = self
                    .store
                    .checkpoints
                    .get(&path)
                    .cloned()
                    .unwrap_or_default();
                let end = self.end(&bytes);
                if row.offset != end {
                    return Err(format!(
                        "{} is read to {}, not {end}",
                        path.display(),
                        row.offset
                    ));
                }
            }
        }
        Ok(())
    }

    fn act(&mut self, action: &Action) -> Result<(), String> {
        let paths = self.paths.clone();
        match action {
            Action::Write {
                file,
                lengths,
                glued,
            } => self.write(&paths[*file], lengths, *glued),
            Action::Half { file, length, part } => self.half(&paths[*file], *length, *part),
            Action::Truncate {
                file,
                part,
                at_line_end,
            } => self.truncate(&paths[*file], *part, *at_line_end),
            Action::DropLast { file, length } => {
                if self.truncate_last(&paths[*file]) {
                    self.write(&paths[*file], &[*length], false);
                }
            }
            Action::Rewrite {
                file,
                every,
                lengths,
                in_place,
            } => {
                self.rewrite(&paths[*file], *every, lengths, *in_place);
            }
            Action::Rename { from, to } => self.rename(&paths[*from], &paths[*to]),
            Action::Copy { from, to } if from != to => {
                self.rests.remove(&paths[*to]);
                let _ = fs::copy(&paths[*from], &paths[*to]);
            }
            Action::Copy { .. } => {}
            Action::Delete { file } => {
                self.rests.remove(&paths[*file]);
                let _ = fs::remove_file(&paths[*file]);
            }
            Action::Look {
                file,
                events,
                ending,
            } => {
                self.look(&paths[*file], *events, false, *ending)?;
            }
            Action::ReadAll { file, take_tail } => self.read_all(&paths[*file], *take_tail)?,
            Action::Restart => self.restart(),
            Action::Backup => self.backup = self.store.clone(),
            Action::Restore => {
                self.store = self.backup.clone();
                self.tail.load(self.store.positions());
            }
            Action::Settle => self.settle(),
        }
        Ok(())
    }

    // --- what the writer does

    fn write(&mut self, path: &Path, lengths: &[usize], glued: bool) {
        let mut bytes = self.rests.remove(path).unwrap_or_default();
        let old = fs::read(path).unwrap_or_default();
        let torn = &old[after_newline(&old)..];
        // A whole record is never glued to: what begins there would be another.
        let apart = !glued || self.lines.contains_key(torn);
        if bytes.is_empty() && !torn.is_empty() && apart {
            bytes.push(b'\n');
        }
        for length in lengths {
            bytes.extend(self.line(*length));
            bytes.push(b'\n');
        }
        add(path, &bytes);
    }

    fn half(&mut self, path: &Path, length: usize, part: usize) {
        self.write(path, &[], false);
        let mut line = self.line(length);
        line.push(b'\n');
        let cut = (line.len() * part / 1000).clamp(1, line.len() - 1);
        add(path, &line[..cut]);
        self.rests.insert(path.to_owned(), line.split_off(cut));
    }

    fn truncate(&mut self, path: &Path, part: usize, at_line_end: bool) {
        let Ok(bytes) = fs::read(path) else { return };
        let near = bytes.len() * part / 1000;
        let size = if at_line_end {
            after_newline(&bytes[..near])
        } else {
            near
        };
        self.cut(path, size);
    }

    fn truncate_last(&mut self, path: &Path) -> bool {
        let Ok(bytes) = fs::read(path) else {
            return false;
        };
        let lines = after_newline(&bytes);
        if lines == 0 {
            return false;
        }
        self.cut(path, after_newline(&bytes[..lines - 1]));
        true
    }

    fn cut(&mut self, path: &Path, size: usize) {
        self.rests.remove(path);
        let file = File::options().write(true).open(path).expect("the file");
        file.set_len(size as u64).expect("it is cut");
    }

    fn rewrite(&mut self, path: &Path, every: usize, lengths: &[usize], in_place: bool) {
        let Ok(old) = fs::read(path) else { return };
        self.rests.remove(path);
        let kept = old[..after_newline(&old)]
            .split_inclusive(|&byte| byte == b'\n')
            .step_by(every);
        let mut bytes: Vec<u8> = kept.flatten().copied().collect();
        for length in lengths {
            bytes.extend(self.line(*length));
            bytes.push(b'\n');
        }
        if in_place {
            fs::write(path, bytes).expect("it is rewritten");
        } else {
            let new = path.with_extension("new");
            fs::write(&new, bytes).expect("a new file");
            fs::rename(&new, path).expect("it is put in its place");
        }
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        if from != to && fs::rename(from, to).is_ok() {
            self.rests.remove(to);
            if let Some(rest) = self.rests.remove(from) {
                self.rests.insert(to.to_owned(), rest);
            }
        }
    }

    /// A new line, without its newline: no two are alike.
    fn line(&mut self, length: usize) -> Vec<u8> {
        let number = self.lines.len() as u64;
        let padding = "é".repeat(length / 2);
        let line = format!("{{{number} {padding}}}");
        self.lines.insert(line.clone().into_bytes(), number);
        line.into_bytes()
    }

    // --- what the watcher does

    fn restart(&mut self) {
        self.tail = Tail::default();
        self.tail.load(self.store.positions());
        self.owed.clear();
    }

    /// Waits until no file was changed so lately that it might change again unseen.
    fn settle(&self) {
        let newest = self
            .paths
            .iter()
            .filter_map(|path| fs::metadata(path).ok()?.modified().ok())
            .max();
        let rested = newest.map(|at| at + Duration::from_millis(60));
        while let Some(left) = rested.and_then(|at| at.duration_since(SystemTime::now()).ok()) {
            thread::park_timeout(left);
        }
    }

    /// One look, and what becomes of it; says whether there may be more.
    fn look(
        &mut self,
        path: &Path,
        events: usize,
        take_tail: bool,
        ending: Ending,
    ) -> Result<bool, String> {
        let limits = ReadLimits {
            max_line_bytes: 1 << 26,
            take_tail,
        };
        let mut lines = Lines::new(events);
        let opened = File::open(path).ok();
        let before = self.store.log.len();
        let here = self.pending(opened.as_ref(), take_tail);
        let kept = self
            .owed
            .iter()
            .map(|(file, _)| self.pending(Some(file), take_tail))
            .collect();
        let look = self
            .tail
            .read(path, &mut lines, limits, SystemTime::now())
            .map_err(|error| format!("the look failed: {error}"))?;
        if look.more || look.stretch.is_some() {
            self.owe(opened, &here);
        }
        let Some(stretch) = &look.stretch else {
            return Ok(look.more);
        };
        match ending {
            Ending::NotStored => {}
            Ending::DiedBefore => self.restart(),
            Ending::DiedAfter => {
                let _ = self.store.append(stretch, &lines.facts);
                self.restart();
            }
            Ending::Unanswered => {
                let _ = self.store.append(stretch, &lines.facts);
            }
            Ending::Disconnected => {
                let _ = self.store.append(stretch, &lines.facts);
                self.tail.load(self.store.positions());
            }
            Ending::Stored => match self.store.append(stretch, &lines.facts) {
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
        expect(&log[before..], kept, &here)
            .map_err(|why| format!("a look at {} {why}", path.display()))?;
        Ok(true)
    }

    /// Looks until there is nothing more: then nothing may be missing.
    fn read_all(&mut self, path: &Path, take_tail: bool) -> Result<(), String> {
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
    fn pending(&self, file: Option<&File>, take_tail: bool) -> Vec<Fact> {
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
    fn end(&self, bytes: &[u8]) -> u64 {
        let lines = after_newline(bytes);
        let whole = self.lines.contains_key(&bytes[lines..]);
        (if whole { bytes.len() } else { lines }) as u64
    }

    /// Something of this file is still to be stored: it stays open.
    fn owe(&mut self, file: Option<File>, facts: &[Fact]) {
        let Some(file) = file else { return };
        let same = |(known, _): &&mut (File, Vec<Fact>)| inode(known) == inode(&file);
        match self.owed.iter_mut().find(same) {
            Some((_, owed)) => owed.extend_from_slice(facts),
            None => self.owed.push((file, facts.to_vec())),
        }
    }

    /// Once all paths are read, so are the files that were deleted meanwhile,
    /// as far as they still hold what they held at a look.
    fn settle_debts(&self) -> Result<(), String> {
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

impl MemoryStore {
    fn positions(&self) -> HashMap<PathBuf, Position> {
        self.checkpoints.clone()
    }

    /// Fails with the path of a checkpoint that stands elsewhere, if one does.
    fn append(&mut self, stretch: &Stretch, facts: &[Fact]) -> Result<(), PathBuf> {
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
struct Lines {
    facts: Vec<Fact>,
    most: usize,
}

impl Lines {
    fn new(most: usize) -> Lines {
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
fn number(line: &[u8]) -> Option<u64> {
    let inner = line.strip_prefix(b"{")?.strip_suffix(b"}")?;
    let text = std::str::from_utf8(inner).ok()?;
    let is_one = !text.contains(['{', '}']);
    let (number, _) = text.split_once(' ').filter(|_| is_one)?;
    number.parse().ok()
}

/// What was stored comes in the order of the file, and after what an older file
/// that is still open has to give.
fn expect(new: &[Fact], kept: Vec<Vec<Fact>>, here: &[Fact]) -> Result<(), String> {
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

fn contents(file: &File) -> Vec<u8> {
    let size = file.metadata().expect("an open file").len() as usize;
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, 0).expect("its bytes");
    bytes
}

fn inode(file: &File) -> u64 {
    file.metadata().expect("an open file").ino()
}

/// How many names a file has; none if it was deleted.
fn links(file: &File) -> u64 {
    file.metadata().expect("an open file").nlink()
}

fn add(path: &Path, bytes: &[u8]) {
    let file = File::options().append(true).create(true).open(path);
    file.expect("the file")
        .write_all(bytes)
        .expect("it is written");
}

fn after_newline(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1)
}

/// What a rejection keeps of its line.
fn excerpt(line: &[u8]) -> Vec<u8> {
    line[..line.len().min(64 * 1024)].to_vec()
}

/// Facts for a message: a torn line may be long.
fn short(facts: &[Fact]) -> Vec<String> {
    let show = |fact: &Fact| match fact {
        Fact::Turn(number) => format!("{number}"),
        Fact::Rejected(offset, bytes) => format!("{} bytes at {offset}", bytes.len()),
    };
    facts.iter().map(show).collect()
}
