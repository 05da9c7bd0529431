//! Replay and live are joined without a gap and without a repeat, while the
//! log grows.

use std::thread;

use crate::support::{
    headspace::{Headspace, Kind, on_both},
    stream::{Recording, Stream, read_until},
    talk::{Talk, newest, wait_for_count},
    web::Web,
};

const ROUNDS: usize = 25;
const TURNS: usize = 10;

on_both! {
    fn readers_that_come_while_the_log_grows_miss_nothing(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut talk = Talk::new(&headspace, "seam");
        talk.say_all((1..=300).map(|n| format!("before {n}")));
        headspace.watch_once();
        let web = Web::start(&headspace);
        let _watcher = headspace.watch();
        // The session, its turns, and that its command began.
        let last = 2 + 300 + (ROUNDS * TURNS) as i64;
        let mut recording = Recording::default();
        thread::scope(|scope| {
            let mut readers = Vec::new();
            for round in 1..=ROUNDS {
                talk.say_all((1..=TURNS).map(|n| format!("round {round}, {n}")));
                // One from the start, one from far back, one from just now.
                let now = newest(&headspace.store);
                for from in [0, now / 2, now].into_iter().skip(round % 3) {
                    let by_query = round % 2 == 0;
                    let (port, name) = (web.port, format!("{round} from {from}"));
                    readers.push(scope.spawn(move || read(port, &name, from, by_query, last)));
                }
                wait_for_count(&headspace.store, 302 + (round * TURNS) as i64);
            }
            for reader in readers {
                recording.absorb(reader.join().expect("a reader"));
            }
        });
        assert_eq!(newest(&headspace.store), last);
        assert!(recording.frames() > 5_000, "{}", recording.frames());
        recording.assert_clean(&headspace, None);
    }
}

fn read(port: u16, name: &str, from: i64, by_query: bool, last: i64) -> Recording {
    let mut recording = Recording::default();
    let mut stream = if by_query {
        let path = format!("/api/events/stream?last_event_id={from}");
        Stream::open_with(port, &path, &[])
    } else {
        Stream::after(port, from)
    };
    recording.begins(name, from);
    if from >= last {
        recording.ends(name, last);
        return recording;
    }
    read_until(&mut stream, name, last, &mut recording);
    recording
}
