//! A watcher that is killed at any moment, again and again, loses nothing and
//! doubles nothing.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    headspace::{Headspace, Kind, Running, is_long, on_both, seed},
    oracle,
    random::Random,
    transcripts::{files, real},
};

on_both! {
    fn a_watcher_killed_hundreds_of_times_stores_everything_once(kind: Kind) {
        let headspace = Headspace::on(kind);
        let kills = if is_long() { 1000 } else { 200 };
        let seed = seed();
        println!("seed {seed}, {kills} kills");
        let mut random = Random(seed);
        let (go, rounds) = channel();
        let writer = Writer::new(&headspace, kills, Random(random.next()));
        let writing = thread::spawn(move || writer.write(&rounds));

        let mut ended_by_kill = 0;
        for number in 0..kills {
            let delay = Duration::from_millis(random.between(1, 400));
            // Every other life is counted from readiness: on a busy machine the
            // start alone may take longer than the delay.
            let watcher = if number % 2 == 0 { headspace.start(&["watch"]) } else { headspace.watch() };
            go.send(delay).expect("the writer listens");
            ended_by_kill += u32::from(kill_after(delay, watcher));
        }
        drop(go);
        writing.join().expect("the writer wrote everything");
        assert_eq!(ended_by_kill, kills, "some died before they were killed");

        let last = headspace.watch_once();
        let events = headspace.store.number("SELECT count(*) FROM events") as u64;
        println!("{kills} kills, {events} events, {} of them after the last kill", last.stored);
        assert!(last.stored < events / 2, "the killed watchers did too little: {last:?}");
        oracle::assert_expected(&headspace.store, &headspace.root());
        oracle::assert_clean(&headspace);
    }
}

/// Kills it in the middle of whatever it does; says whether that ended it.
fn kill_after(delay: Duration, watcher: Running) -> bool {
    use std::os::unix::process::ExitStatusExt;
    let due = Instant::now() + delay;
    while let Some(left) = due.checked_duration_since(Instant::now()) {
        thread::park_timeout(left);
    }
    watcher.kill().signal() == Some(9)
}

/// Appends the real files piece by piece, in random interleaving.
struct Writer {
    files: Vec<(fs::File, Vec<u8>, usize)>,
    random: Random,
    bytes_per_round: usize,
}

impl Writer {
    fn new(headspace: &Headspace, rounds: u32, random: Random) -> Writer {
        let opened: Vec<_> = files(&real())
            .into_iter()
            .map(|name| open(headspace, name))
            .collect();
        let bytes: usize = opened.iter().map(|(_, bytes, _)| bytes.len()).sum();
        Writer {
            files: opened,
            random,
            bytes_per_round: bytes / rounds as usize + 1,
        }
    }

    /// Spreads a round's bytes over the time the watcher of that round lives.
    fn write(mut self, rounds: &Receiver<Duration>) {
        for life in rounds {
            let mut left = self.bytes_per_round;
            let pieces = 8;
            for _ in 0..pieces {
                left = left.saturating_sub(self.piece(self.bytes_per_round / pieces + 1));
                thread::park_timeout(life / pieces as u32);
            }
            while left > 0 && !self.files.is_empty() {
                left = left.saturating_sub(self.piece(left));
            }
        }
        while !self.files.is_empty() {
            self.piece(usize::MAX);
        }
    }

    /// Appends up to `most` bytes to one of the files; returns how many.
    fn piece(&mut self, most: usize) -> usize {
        if self.files.is_empty() {
            return 0;
        }
        let chosen = self.random.below(self.files.len());
        let (file, bytes, written) = &mut self.files[chosen];
        let length = (self.random.between(1, 8000) as usize)
            .min(most)
            .min(bytes.len() - *written);
        file.write_all(&bytes[*written..*written + length])
            .expect("it is written");
        *written += length;
        if *written == bytes.len() {
            self.files.swap_remove(chosen);
        }
        length
    }
}

fn open(headspace: &Headspace, name: PathBuf) -> (fs::File, Vec<u8>, usize) {
    let path = headspace.root().join(&name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let file = fs::File::options().append(true).create(true).open(path);
    (
        file.expect("a file"),
        fs::read(real().join(name)).expect("a real file"),
        0,
    )
}
