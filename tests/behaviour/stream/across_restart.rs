//! Readers go on where they were when the web process is stopped, killed and
//! started again.

use std::{
    sync::atomic::{AtomicBool, AtomicI64, AtomicU16, Ordering},
    thread,
    time::Duration,
};

use rustix::process::Signal;

use crate::support::{
    headspace::{Headspace, Kind, eventually, is_long, on_both},
    stream::{Recording, Stream},
    talk::{Talk, count, newest, wait_for_count},
    web::Web,
};

const READERS: usize = 12;

on_both! {
    fn readers_resume_without_a_skip(kind: Kind) {
        let rounds = if is_long() { 60 } else { 6 };
        let headspace = Headspace::on(kind);
        let mut talk = Talk::new(&headspace, "restart");
        talk.say("first");
        let _watcher = headspace.watch();
        wait_for_count(&headspace.store, 2);
        let mut web = Web::start(&headspace);
        let stage = Stage {
            port: AtomicU16::new(web.port),
            last: AtomicI64::new(i64::MAX),
            reached: (0..READERS).map(|_| AtomicI64::new(0)).collect(),
            reconnected: AtomicBool::new(false),
        };
        let mut recording = Recording::default();
        thread::scope(|scope| {
            let readers: Vec<_> = (0..READERS)
                .map(|number| scope.spawn({ let stage = &stage; move || stage.read(number) }))
                .collect();
            for round in 0..rounds {
                talk.say_all((1..=10).map(|n| format!("round {round}, {n}")));
                // Some are in the middle of it, some at its end.
                let half = newest(&headspace.store);
                stage.wait_until_any_reached(half);
                if round % 2 == 0 {
                    assert_eq!(web.process.stop().code(), Some(0));
                } else {
                    web.process.signal(Signal::KILL);
                    web.process.wait();
                }
                // The watcher goes on; so much is committed while no server runs.
                talk.say_all((1..=10).map(|n| format!("away {round}, {n}")));
                wait_for_count(&headspace.store, 2 + (round + 1) * 20);
                web = Web::start(&headspace);
                stage.port.store(web.port, Ordering::SeqCst);
            }
            let last = newest(&headspace.store);
            assert_eq!(count(&headspace.store), last);
            stage.last.store(last, Ordering::SeqCst);
            for reader in readers {
                recording.absorb(reader.join().expect("a reader"));
            }
        });
        assert!(stage.reconnected.load(Ordering::SeqCst));
        recording.assert_clean(&headspace, None);
        let resets = recording.resets();
        assert_eq!(resets, 0, "a restart of the web process changes no log");
    }
}

/// What the readers and the test know of each other.
struct Stage {
    port: AtomicU16,
    /// The last event, once it is known.
    last: AtomicI64,
    reached: Vec<AtomicI64>,
    reconnected: AtomicBool,
}

impl Stage {
    /// Reads as EventSource does: cut off, it comes again with the last id.
    fn read(&self, number: usize) -> Recording {
        let name = format!("reader {number}");
        let mut recording = Recording::default();
        let mut cursor = 0;
        recording.begins(&name, cursor);
        loop {
            if let Some(mut stream) = Stream::try_after(self.port.load(Ordering::SeqCst), cursor) {
                while let Some(block) = self.next(&mut stream, cursor) {
                    if block.event() == "close" {
                        break;
                    }
                    recording.saw(&name, &block);
                    cursor = block.id();
                    self.reached[number].store(cursor, Ordering::SeqCst);
                }
                self.reconnected.store(true, Ordering::SeqCst);
            }
            if cursor >= self.last.load(Ordering::SeqCst) {
                recording.ends(&name, cursor);
                return recording;
            }
        }
    }

    /// The next frame; none at the end of the stream, or of the test.
    fn next(&self, stream: &mut Stream, cursor: i64) -> Option<crate::support::stream::Block> {
        loop {
            if cursor >= self.last.load(Ordering::SeqCst) {
                return None;
            }
            match stream.frame_within(Duration::from_millis(50)) {
                None if !stream.has_ended() => {}
                block => return block,
            }
        }
    }

    fn wait_until_any_reached(&self, id: i64) {
        eventually("a reader comes so far", || {
            self.reached
                .iter()
                .any(|reached| reached.load(Ordering::SeqCst) >= id)
        });
    }
}
