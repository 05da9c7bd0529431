//! Whatever happens to files and processes, the bytes that were read are there.

use std::{
    fs,
    time::{Duration, Instant},
};

use super::{assert_same, contents, exported, exported_all, with_archive};
use crate::support::{
    headspace::{Headspace, Kind, on_both, seed},
    oracle,
    random::Random,
    talk::{Talk, tamper},
    transcripts::{append, files, real},
};

on_both! {
    fn every_real_transcript_is_given_back_after_it_was_deleted(kind: Kind) {
        let headspace = with_archive(kind);
        let transcripts = copy_real(&headspace);
        headspace.watch_once();
        fs::remove_dir_all(headspace.root().join("projects")).expect("they are deleted");
        let given = given_back(&headspace, &transcripts);
        assert!(given > 30, "{given}");
    }

    fn a_watcher_that_is_killed_again_and_again_keeps_every_byte_once(kind: Kind) {
        let headspace = with_archive(kind);
        let seed = seed();
        println!("seed {seed}");
        let mut random = Random(seed);
        let transcripts = copy_real(&headspace);
        let mut talk = Talk::new(&headspace, "meanwhile");
        for number in 0..40 {
            let watcher = headspace.start(&["watch"]);
            talk.say(&format!("line {number}"));
            let due = Instant::now() + Duration::from_millis(random.between(1, 120));
            while let Some(left) = due.checked_duration_since(Instant::now()) {
                std::thread::park_timeout(left);
            }
            watcher.kill();
        }
        headspace.watch_once();
        assert_each_byte_once(&headspace);
        oracle::assert_clean(&headspace);
        let said = fs::read(&talk.path).expect("the file");
        fs::remove_dir_all(headspace.root().join("projects")).expect("they are deleted");
        assert_same("said meanwhile", &exported(&headspace, &talk.session.uuid), &said);
        given_back(&headspace, &transcripts);
    }

    fn both_contents_of_a_rewritten_file_are_kept(kind: Kind) {
        let headspace = with_archive(kind);
        let mut talk = Talk::new(&headspace, "rewritten");
        let uuid = talk.session.uuid.clone();
        talk.say_all((1..=3).map(|n| format!("first {n}")));
        headspace.watch_once();
        talk.say("first 4");
        headspace.watch_once();
        let first = fs::read(&talk.path).expect("the file");
        fs::remove_file(&talk.path).expect("it is deleted");
        talk.say_all((1..=2).map(|n| format!("second {n}")));
        headspace.watch_once();
        let second = fs::read(&talk.path).expect("the file");
        fs::remove_file(&talk.path).expect("it is deleted");
        assert_same("the new content", &exported(&headspace, &uuid), &second);
        let all = exported_all(&headspace, &uuid);
        let names = [format!("{uuid}.jsonl"), format!("{uuid}.jsonl.generation-0")];
        assert_eq!(all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), names);
        assert_same("the old content", &all[1].1, &first);
    }

    fn a_long_line_that_does_not_get_smaller_is_given_back(kind: Kind) {
        let headspace = with_archive(kind);
        let mut talk = Talk::new(&headspace, "noise");
        let mut random = Random(seed());
        let noise: String = (0..500_000).map(|_| format!("{:016x}", random.next())).collect();
        for text in [&noise[..], "and then", &noise[1..]] {
            append(&talk.path, talk.session.tool_result(text));
            talk.say(text.get(..8).expect("words"));
        }
        headspace.watch_once();
        let bytes = fs::read(&talk.path).expect("the file");
        assert_same("noise", &exported(&headspace, &talk.session.uuid), &bytes);
        assert_each_byte_once(&headspace);
    }

    fn a_file_that_is_moved_takes_its_archive_along(kind: Kind) {
        let headspace = with_archive(kind);
        let mut talk = Talk::new(&headspace, "moved");
        talk.say("here");
        headspace.watch_once();
        let there = headspace.project("-home-dev-there").join(talk.session.file_name());
        fs::rename(&talk.path, &there).expect("it is moved");
        talk.path = there;
        talk.say("there");
        headspace.watch_once();
        let bytes = fs::read(&talk.path).expect("the file");
        fs::remove_file(&talk.path).expect("it is deleted");
        let all = exported_all(&headspace, &talk.session.uuid);
        assert_eq!(all.len(), 1);
        assert_same("moved", &all[0].1, &bytes);
    }

    /// As when a newer program reads everything once more.
    fn a_file_that_is_read_once_more_is_kept_once(kind: Kind) {
        for upto in ["0", r#""offset""#] {
            let headspace = with_archive(kind);
            let mut talk = Talk::new(&headspace, "again");
            for n in 0..5 {
                talk.say_all((0..3).map(|m| format!("{n} {m}")));
                let watcher = headspace.watch();
                let turns = 3 * (n + 1);
                crate::support::headspace::eventually("they are stored", || headspace.store.turns().len() == turns);
                drop(watcher);
            }
            // As it is when the archive was switched on late, or was there from the start.
            tamper(&headspace.store, &format!(r#"DELETE FROM archive WHERE "offset" < {upto} AND "offset" < 900"#));
            tamper(&headspace.store, r#"UPDATE checkpoints SET "offset" = 0, identity = ''"#);
            headspace.watch_once();
            assert_each_byte_once(&headspace);
            assert_eq!(headspace.store.turns().len(), 15);
            let bytes = fs::read(&talk.path).expect("the file");
            assert_same("again", &exported(&headspace, &talk.session.uuid), &bytes);
        }
    }
}

/// Copies the real transcripts into the Claude folder; their names and bytes.
fn copy_real(headspace: &Headspace) -> Vec<(String, Vec<u8>)> {
    for name in files(&real()) {
        let to = headspace.root().join(&name);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(real().join(&name), to).expect("it is copied");
    }
    let transcripts = contents(&headspace.root().join("projects")).into_iter();
    transcripts
        .filter(|(name, _)| name.ends_with(".jsonl"))
        .collect()
}

/// Exports every session that has a checkpoint, and compares each file with what was
/// read of it; how many there were.
fn given_back(headspace: &Headspace, transcripts: &[(String, Vec<u8>)]) -> usize {
    let mut compared = 0;
    for (name, bytes) in transcripts {
        let Some(read) = read_of(headspace, name) else {
            continue;
        };
        let (folder, file) = name.rsplit_once('/').expect("a folder");
        let stem = file.strip_suffix(".jsonl").expect("a transcript");
        if stem.starts_with("agent-") || folder.contains('/') {
            continue;
        }
        let project = format!("{folder}/");
        assert_same(name, &exported(headspace, stem), &bytes[..read]);
        compared += 1;
        for (given, content) in exported_all(headspace, stem) {
            let given = format!("{project}{given}");
            let original = transcripts.iter().find(|(name, _)| *name == given);
            let (name, bytes) = original.unwrap_or_else(|| panic!("{given} is no transcript"));
            let read = read_of(headspace, name).expect("it was read");
            assert_same(name, &content, &bytes[..read]);
            compared += 1;
        }
    }
    // Of no file is anything left out.
    let kept = headspace
        .store
        .number("SELECT count(DISTINCT checkpoint_id) FROM archive");
    assert_eq!(
        kept,
        headspace
            .store
            .number(r#"SELECT count(*) FROM checkpoints WHERE "offset" > 0"#)
    );
    compared
}

/// How much of a transcript was read; nothing if none of it.
fn read_of(headspace: &Headspace, name: &str) -> Option<usize> {
    let path = format!("%/projects/{name}");
    let sql = format!(r#"SELECT "offset" FROM checkpoints WHERE path LIKE '{path}'"#);
    let offsets = headspace.store.column(&sql);
    assert!(offsets.len() < 2, "{name}: {offsets:?}");
    let read = offsets.first()?.parse().expect("a number");
    (read > 0).then_some(read)
}

/// The pieces of each file hold exactly what was read of it.
fn assert_each_byte_once(headspace: &Headspace) {
    let wrong = headspace.store.column(
        r#"SELECT path || ' ' || c."offset" || ' ' || coalesce((SELECT sum(length) FROM archive
               WHERE checkpoint_id = id AND generation = rewrites), 0)
           FROM checkpoints c WHERE c."offset" <> coalesce((SELECT sum(length) FROM archive
               WHERE checkpoint_id = id AND generation = rewrites), 0)"#,
    );
    assert_eq!(wrong, Vec::<String>::new());
}
