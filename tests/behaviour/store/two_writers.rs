//! Two writers at the same moment.

use std::sync::{Arc, Barrier};

use headspace::store::Failure;

use super::log::{Blocking, File, Log, said, seen};
use crate::support::headspace::{Kind, on_both};

on_both! {
    fn of_two_writers_at_one_file_one_is_told_that_it_moved(kind: Kind) {
        let log = Log::on(kind);
        let mut file = File::new("/t/s.jsonl");
        for round in 0..25 {
            let text = format!("word {round}");
            let segment = file.next(vec![seen("s", 0, round), said("s", &format!("u{round}"), round, &text)]);
            let outcomes = at_once(&log, |_| segment.clone(), |writer, segment| writer.append(&[segment]));
            let stored = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            let moved = outcomes.iter().filter(|outcome| matches!(outcome, Err(Failure::Moved { .. }))).count();
            assert_eq!((stored, moved), (1, 1), "round {round}: {outcomes:?}");
        }
        assert_eq!(log.store().turns().len(), 25);
    }

    fn two_writers_with_one_fact_from_two_files_store_it_once(kind: Kind) {
        const ROUNDS: i64 = 200;
        let log = Log::on(kind);
        let mut races = 0;
        for round in 0..ROUNDS {
            let segment = |which: usize| {
                let whats = vec![seen(&format!("s{round}"), 0, 1), said(&format!("s{round}"), &format!("u{round}"), 1, "hello")];
                File::new(&format!("/t/{round}-{which}.jsonl")).next(whats)
            };
            let outcomes = at_once(&log, segment, |writer, segment| writer.append_until_settled(&[segment]));
            let stored: u64 = outcomes.iter().map(|(appended, _)| appended.stored).sum();
            assert_eq!(stored, 2, "round {round}: the session and its turn: {outcomes:?}");
            races += outcomes.iter().map(|(_, races)| races).sum::<u32>();
        }
        println!("{kind:?}: {races} races in {ROUNDS} rounds");
        assert_eq!(log.store().turns().len() as i64, ROUNDS);
        assert_eq!((log.count("agents"), log.count("checkpoints")), (ROUNDS, 2 * ROUNDS));
    }
}

/// Two writers do the same thing at the same moment.
fn at_once<S: Send, T: Send>(
    log: &Log,
    segment: impl Fn(usize) -> S,
    act: impl Fn(&mut Blocking, S) -> T + Sync,
) -> Vec<T> {
    let gate = Arc::new(Barrier::new(2));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|which| {
                let (segment, gate, act) = (segment(which), gate.clone(), &act);
                // One that failed in its thread would leave the other at the gate for ever.
                let mut writer = log.another_writer();
                writer.connect();
                scope.spawn(move || {
                    gate.wait();
                    act(&mut writer, segment)
                })
            })
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<T>| thread.join().expect("it ends");
        threads.into_iter().map(join).collect()
    })
}
