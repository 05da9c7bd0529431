//! Anything at all, in any order: files are written, cut, rewritten, renamed,
//! copied, replaced and deleted between looks, and the watcher dies at the two
//! moments that matter. A model that only reads the files as they are says
//! what must have been given, and in which order. The tail alone: no database,
//! and lines that mean nothing.

mod action;
mod files;
mod looks;
mod memory;

use std::{
    collections::HashMap,
    fs::{self, File},
    path::{Path, PathBuf},
    thread,
};

use headspace::tail::Tail;
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};

use crate::support::{
    headspace::{is_long, seed},
    random::Random,
};
use action::{Action, action};
use memory::{Fact, MemoryStore};

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
            Action::LookAhead {
                files: [first, second],
                events,
                between,
                endings,
            } => {
                let files = [paths[*first].as_path(), paths[*second].as_path()];
                self.look_ahead(files, *events, between, *endings)?;
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
}
