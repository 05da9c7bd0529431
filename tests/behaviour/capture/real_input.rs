//! Real transcripts give exactly what was counted in them by hand, however
//! they are read.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use crate::support::{
    headspace::{Caught, Headspace, Kind, PATIENCE, on_both, seed},
    oracle,
    random::Random,
    transcripts::{append, files, real},
};

on_both! {
    fn every_turn_of_the_real_transcripts_is_stored_once(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        let root = real();
        headspace.set("HEADSPACE_CLAUDE__ROOTS", format!("[{root:?}]"));
        let first = headspace.watch_once();
        assert!(first.stored > 0, "{first:?}");
        oracle::assert_expected(&headspace.store, &root);
        let findings = oracle::findings(&headspace.store, &[&root], &[]);
        assert!(findings.is_empty(), "{findings:#?}");

        let rejected = headspace.store.column(r#"SELECT source || ' ' || "offset" FROM rejections"#);
        assert_eq!(first.rejected, rejected.len() as u64);
        for row in rejected {
            let (source, offset) = row.rsplit_once(' ').expect("source and offset");
            assert!(Path::new(source).is_absolute(), "{row}");
            let bytes = fs::read(source).expect("the file a rejection names");
            let start: usize = offset.parse().expect("an offset");
            assert!(start == 0 || bytes[start - 1] == b'\n', "{row} is no line's start");
        }

        let second = headspace.watch_once();
        assert_eq!(second, Caught { stored: 0, known: 0, rejected: 0 });
    }

    fn the_order_in_which_files_are_read_does_not_matter(kind: Kind) {
        let headspace = Headspace::on(kind);
        let names = files(&real());
        // The backlog is read oldest first: make the last name the oldest.
        let newest = SystemTime::now() - Duration::from_secs(3600);
        for (age, name) in names.iter().enumerate() {
            let path = headspace.root().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::copy(real().join(name), &path).expect("a copy");
            let modified = newest - Duration::from_secs(age as u64);
            let file = fs::File::options().append(true).open(&path).expect("the copy");
            file.set_modified(modified).expect("its time is set");
        }
        headspace.watch_once();
        oracle::assert_expected(&headspace.store, &headspace.root());
        oracle::assert_clean(&headspace);
    }

    fn a_live_writer_in_small_pieces_gives_the_same(kind: Kind) {
        let headspace = Headspace::on(kind);
        let seed = seed();
        println!("seed {seed}");
        let mut random = Random(seed);
        let mut watcher = headspace.watch();
        for (number, name) in files(&real()).iter().enumerate() {
            let bytes = fs::read(real().join(name)).expect("a real file");
            let path = headspace.root().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            append(&path, b"");
            let mut file = fs::File::options().append(true).open(&path).expect("the file");
            write_in_pieces(&mut file, &bytes, number == LETTER_BY_LETTER, &mut random);
        }
        wait_until_read(&headspace);
        assert!(watcher.stop().success());
        oracle::assert_expected(&headspace.store, &headspace.root());
        oracle::assert_clean(&headspace);
    }

    fn a_last_line_without_its_newline_waits_for_it(kind: Kind) {
        let headspace = Headspace::on(kind);
        let name = longest_name_first();
        let bytes = fs::read(real().join(&name)).expect("a real file");
        let newline = bytes.iter().rposition(|&byte| byte == b'\n').expect("a line");
        let start = bytes[..newline].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let path = headspace.root().join(&name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        append(&path, &bytes[..newline - 1]);
        headspace.watch_once();
        assert_eq!(offsets(&headspace), [start as i64], "the unfinished line was taken");
        oracle::assert_clean(&headspace);
        append(&path, &bytes[newline - 1..]);
        headspace.watch_once();
        assert_eq!(offsets(&headspace), [bytes.len() as i64]);
        oracle::assert_clean(&headspace);
    }
}

/// The file that is written byte by byte: which one it is does not matter.
const LETTER_BY_LETTER: usize = 3;

fn write_in_pieces(file: &mut fs::File, mut rest: &[u8], bytewise: bool, random: &mut Random) {
    use std::io::Write;
    while !rest.is_empty() {
        // Mostly tiny, so that characters are cut; now and then a mouthful.
        let length = match random.below(4) {
            _ if bytewise => 1,
            0 => random.between(500, 60_000) as usize,
            _ => random.between(1, 7) as usize,
        };
        let (piece, later) = rest.split_at(length.min(rest.len()));
        file.write_all(piece).expect("it is written");
        rest = later;
    }
}

fn wait_until_read(headspace: &Headspace) {
    let deadline = std::time::Instant::now() + PATIENCE;
    let sizes: u64 = files(&headspace.root())
        .iter()
        .filter(|name| name.extension().is_some_and(|ending| ending == "jsonl"))
        .map(|name| complete(&headspace.root().join(name)))
        .sum();
    loop {
        let read = headspace
            .store
            .number(r#"SELECT COALESCE(sum("offset"), 0) FROM checkpoints"#);
        if read as u64 >= sizes {
            return;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "{read} of {sizes} bytes are read"
        );
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Bytes up to the end of the last complete record, its newline missing or not.
fn complete(path: &Path) -> u64 {
    let bytes = fs::read(path).expect("a file");
    let lines = bytes
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1);
    let tail = serde_json::from_slice::<serde_json::Value>(&bytes[lines..]);
    (if tail.is_ok() { bytes.len() } else { lines }) as u64
}

fn longest_name_first() -> std::path::PathBuf {
    files(&real())
        .into_iter()
        .filter(|name| name.iter().count() == 3)
        .max_by_key(|name| fs::metadata(real().join(name)).map_or(0, |file| file.len()))
        .expect("a session's file")
}

fn offsets(headspace: &Headspace) -> Vec<i64> {
    let column = headspace
        .store
        .column(r#"SELECT "offset" FROM checkpoints"#);
    column
        .iter()
        .map(|text| text.parse().expect("an offset"))
        .collect()
}
