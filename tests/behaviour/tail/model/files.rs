//! What happens to files.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

use headspace::tail::Tail;

use super::World;

impl World {
    pub(super) fn write(&mut self, path: &Path, lengths: &[usize], glued: bool) {
        // Most files end with a whole line, and one may not be there yet.
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

    pub(super) fn half(&mut self, path: &Path, length: usize, part: usize) {
        self.write(path, &[], false);
        let mut line = self.line(length);
        line.push(b'\n');
        let cut = (line.len() * part / 1000).clamp(1, line.len() - 1);
        add(path, &line[..cut]);
        self.rests.insert(path.to_owned(), line.split_off(cut));
    }

    pub(super) fn truncate(&mut self, path: &Path, part: usize, at_line_end: bool) {
        let Ok(bytes) = fs::read(path) else { return };
        let near = bytes.len() * part / 1000;
        let size = if at_line_end {
            after_newline(&bytes[..near])
        } else {
            near
        };
        self.cut(path, size);
    }

    pub(super) fn truncate_last(&mut self, path: &Path) -> bool {
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

    pub(super) fn cut(&mut self, path: &Path, size: usize) {
        self.rests.remove(path);
        let file = File::options().write(true).open(path).expect("the file");
        file.set_len(size as u64).expect("it is cut");
    }

    pub(super) fn rewrite(&mut self, path: &Path, every: usize, lengths: &[usize], in_place: bool) {
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

    pub(super) fn rename(&mut self, from: &Path, to: &Path) {
        if from != to && fs::rename(from, to).is_ok() {
            self.rests.remove(to);
            if let Some(rest) = self.rests.remove(from) {
                self.rests.insert(to.to_owned(), rest);
            }
        }
    }

    /// A new line, without its newline: no two are alike.
    pub(super) fn line(&mut self, length: usize) -> Vec<u8> {
        let number = self.lines.len() as u64;
        let padding = "é".repeat(length / 2);
        let line = format!("{{{number} {padding}}}");
        self.lines.insert(line.clone().into_bytes(), number);
        line.into_bytes()
    }

    // --- what the watcher does

    pub(super) fn restart(&mut self) {
        self.tail = Tail::default();
        self.tail.load(self.store.positions());
        self.owed.clear();
    }

    /// Waits until no file was changed so lately that it might change again unseen.
    pub(super) fn settle(&self) {
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
}

pub(super) fn add(path: &Path, bytes: &[u8]) {
    let file = File::options().append(true).create(true).open(path);
    file.expect("the file")
        .write_all(bytes)
        .expect("it is written");
}

pub(super) fn after_newline(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1)
}
