//! Transactions commit in another order than they drew their ids; readers see
//! all of them all the same, in the order of the ids.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
    thread,
};

use sqlx::{Connection, PgConnection};

use crate::support::{
    headspace::{Headspace, Kind, Store, is_long, seed},
    stream::{Recording, Stream},
    talk::{newest, stored, tamper},
    web::Web,
};

const WRITERS: u64 = 12;
const READERS: usize = 8;

#[test]
fn twelve_writers_and_no_reader_skips() {
    let rounds = if is_long() { 1500 } else { 100 };
    let seed = seed();
    eprintln!("HEADSPACE_TEST_SEED={seed}");
    let headspace = Headspace::on(Kind::Postgres);
    let Store::Postgres(database) = &headspace.store else {
        unreachable!("this is PostgreSQL");
    };
    let head = stored(&headspace, "order", 1);
    let web = Web::start(&headspace);
    let url = database.url();
    let committed = Mutex::new(Vec::new());
    let last = AtomicI64::new(0);
    let mut recording = Recording::default();
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|number| {
                let (port, last) = (web.port, &last);
                scope.spawn(move || read(port, &format!("reader {number}"), head, last))
            })
            .collect();
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let (url, committed) = (&url, &committed);
                scope.spawn(move || write(url, seed.wrapping_add(number), rounds, committed))
            })
            .collect();
        writers
            .into_iter()
            .for_each(|writer| writer.join().expect("a writer"));
        // One more event: readers stop at its id.
        last.store(newest(&headspace.store) + 1, Ordering::SeqCst);
        let sql = format!(
            "SELECT setval('{SEQUENCE}', {}, false)",
            last.load(Ordering::SeqCst)
        );
        tamper(&headspace.store, &format!("{sql}; {}", insert("the last")));
        for reader in readers {
            recording.absorb(reader.join().expect("a reader"));
        }
    });
    let order = committed.into_inner().expect("no writer failed");
    let late = order.windows(2).filter(|pair| pair[1] < pair[0]).count();
    eprintln!("{} commits, {late} of them after a higher id", order.len());
    assert!(late > order.len() / 20, "too orderly to prove anything");
    assert!(recording.frames() >= READERS * order.len());
    recording.assert_clean(&headspace, None);
}

const SEQUENCE: &str = "events_id_seq";

/// Draws an id, waits in the database for a random while, commits or does not.
fn write(url: &str, seed: u64, rounds: usize, committed: &Mutex<Vec<i64>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let mut link = PgConnection::connect(url).await.expect("connected");
        let mut random = seed;
        for round in 0..rounds {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let (pause, is_rolled_back, rings) = (
                random >> 59,
                (random >> 32).is_multiple_of(10),
                random >> 63 == 0,
            );
            let sql = format!("{} RETURNING id", insert(&format!("{seed} {round}")));
            let mut transaction = link.begin().await.expect("begun");
            let id: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
                .fetch_one(&mut *transaction)
                .await
                .expect("inserted");
            let mut then = format!("SELECT pg_sleep({pause}::float8 / 1000)");
            if rings {
                then += "; NOTIFY headspace_events";
            }
            sqlx::raw_sql(sqlx::AssertSqlSafe(then))
                .execute(&mut *transaction)
                .await
                .expect("waited");
            if is_rolled_back {
                transaction.rollback().await.expect("rolled back");
            } else {
                transaction.commit().await.expect("committed");
                committed.lock().expect("no writer failed").push(id);
            }
        }
    });
}

fn insert(key: &str) -> String {
    format!(
        "INSERT INTO events (timestamp, recorded_at, event_type, payload, event_key) \
         VALUES (now(), now(), 'turn_detected', '{{\"text\": \"{key}\"}}', '{key}')"
    )
}

/// Reads to the end, coming again now and then as if cut off.
fn read(port: u16, name: &str, from: i64, last: &AtomicI64) -> Recording {
    let mut recording = Recording::default();
    let mut cursor = from;
    recording.begins(name, from);
    loop {
        let mut stream = Stream::after(port, cursor);
        for _ in 0..100 {
            let block = stream.next_frame();
            recording.saw(name, &block);
            cursor = block.id();
            if cursor == last.load(Ordering::SeqCst) {
                recording.ends(name, cursor);
                return recording;
            }
        }
    }
}
