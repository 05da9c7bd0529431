//! Anything in any order, end to end: after each change the program reads what
//! is there, and at the end the log holds each turn that it could see once.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
};

use crate::support::{
    headspace::{Headspace, Kind, is_long, on_both, seed},
    oracle,
    random::Random,
    transcripts::{Session, append},
};

on_both! {
    fn what_the_files_held_at_a_read_is_stored_once(kind: Kind) {
        let seed = seed();
        println!("seed {seed}");
        let mut random = Random(seed);
        for _ in 0..if is_long() { 50 } else { 5 } {
            play(kind, &mut random);
        }
    }
}

fn play(kind: Kind, random: &mut Random) {
    let headspace = Headspace::on(kind);
    let mut files: Vec<(Session, PathBuf)> = ["one", "two"]
        .iter()
        .map(|name| {
            let session = Session::new(name, "/home/dev/any");
            let path = headspace.project("-home-dev-any").join(session.file_name());
            (session, path)
        })
        .collect();
    let mut seen = BTreeSet::new();
    for step in 0..12 {
        let number = random.below(files.len());
        let (session, path) = &mut files[number];
        match random.below(7) {
            0 => cut(path, random),
            1 => rewrite(path, random),
            2 => move_away(&headspace, path, step),
            3 => {
                let name = format!("copy-{step}-{}", session.file_name());
                let copy = path.with_file_name(name);
                let _ = fs::copy(&*path, copy);
            }
            4 => drop(fs::remove_file(&*path)),
            _ => {}
        }
        let text = format!("{step} of {number}");
        append(path, session.prompt(&text));
        seen.insert(text);
        headspace.watch_once();
    }
    let stored = headspace.store.turns();
    let distinct: BTreeSet<String> = stored.iter().cloned().collect();
    assert_eq!(distinct.len(), stored.len(), "doubled: {stored:?}");
    assert_eq!(distinct, seen);
    oracle::assert_clean_with_extra(&headspace);
}

/// To the end of a line: the oracle knows a torn line only where it stands now.
fn cut(path: &Path, random: &mut Random) {
    let Ok(bytes) = fs::read(path) else { return };
    let lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
    let kept = &lines[..random.below(lines.len() + 1)];
    let size: usize = kept.iter().map(|line| line.len()).sum();
    let file = File::options().write(true).open(path).expect("the file");
    file.set_len(size as u64).expect("it is cut");
}

/// Some lines are left out; the file is the same one or another.
fn rewrite(path: &Path, random: &mut Random) {
    let Ok(text) = fs::read_to_string(path) else {
        return;
    };
    let every = random.below(3) + 1;
    let kept: String = text.split_inclusive('\n').step_by(every).collect();
    if random.below(2) == 0 {
        fs::write(path, kept).expect("it is rewritten");
    } else {
        let new = path.with_extension("new");
        fs::write(&new, kept).expect("a new file");
        fs::rename(&new, path).expect("it is put in its place");
    }
}

fn move_away(headspace: &Headspace, path: &mut PathBuf, step: usize) {
    let name = path.file_name().expect("a name");
    let moved = headspace.project(&format!("-moved-{step}")).join(name);
    if fs::rename(&*path, &moved).is_ok() {
        *path = moved;
    }
}
