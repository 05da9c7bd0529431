//! Holes in the ids, which only PostgreSQL has: real transactions that draw ids
//! in one order and end in another.

use sqlx::{Connection, PgConnection};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::*;

const INSERT: &str = "INSERT INTO events (timestamp, recorded_at, event_type, payload, event_key) \
    VALUES (now(), now(), 'turn_detected', '{}', gen_random_uuid()::text::bytea) RETURNING id";

async fn insert(db: &mut PgConnection) -> i64 {
    sqlx::query_scalar(INSERT).fetch_one(db).await.unwrap()
}

/// The younger transaction draws the smaller id and commits last. A rule that
/// compares with the snapshot's xmax delivers 2 and never sees 1. The server is
/// this test's own: any other transaction that ends would move the xmax.
#[tokio::test]
async fn a_hole_owned_by_the_younger_transaction_is_waited_for() {
    let world = World::postgres_alone().await;
    let World::Postgres(database, _) = &world else {
        unreachable!()
    };
    let (mut old, mut young) = (connect(database).await, connect(database).await);
    let mut elder = old.begin().await.unwrap();
    sqlx::query("SELECT pg_current_xact_id()")
        .execute(&mut *elder)
        .await
        .unwrap();
    let mut younger = young.begin().await.unwrap();
    assert_eq!(
        (insert(&mut younger).await, insert(&mut elder).await),
        (1, 2)
    );
    elder.commit().await.unwrap();
    let reader = world.reader();
    for _ in 0..3 {
        let seen = reader.after(&Bookmark::from(0), 10).await.unwrap();
        assert_eq!((ids(&seen.events), seen.rest), (vec![], AfterPage::Hole));
    }
    younger.commit().await.unwrap();
    assert_eq!(
        ids(&reader.after(&Bookmark::from(0), 10).await.unwrap().events),
        [1, 2]
    );
}

#[tokio::test]
async fn an_id_that_was_rolled_back_does_not_stop_the_feed() {
    let world = World::postgres().await;
    let World::Postgres(database, _) = &world else {
        unreachable!()
    };
    let mut db = connect(database).await;
    let mut lost = db.begin().await.unwrap();
    insert(&mut lost).await;
    lost.rollback().await.unwrap();
    insert(&mut db).await;
    let reader = world.reader();
    let deadline = Instant::now() + SOON;
    while reader
        .after(&Bookmark::from(0), 10)
        .await
        .unwrap()
        .events
        .is_empty()
    {
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_beginning_beside_a_transaction_that_stays_open_is_below_its_id() {
    let world = World::postgres().await;
    let World::Postgres(database, _) = &world else {
        unreachable!()
    };
    let (mut one, mut two) = (connect(database).await, connect(database).await);
    insert(&mut two).await;
    let mut open = one.begin().await.unwrap();
    insert(&mut open).await;
    insert(&mut two).await;
    assert_eq!(world.reader().settled().await.unwrap(), 1);
    open.commit().await.unwrap();
    assert_eq!(world.reader().settled().await.unwrap(), 3);
}

/// A writer that holds its transactions open for a while, and sometimes drops one.
async fn write(mut db: PgConnection, seed: u64, transactions: usize) -> Vec<i64> {
    let (mut random, mut kept) = (seed * 2 + 1, vec![]);
    for _ in 0..transactions {
        random = random
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let mut open = db.begin().await.unwrap();
        let id = insert(&mut open).await;
        sleep(Duration::from_micros((random >> 33) % 8000)).await;
        if (random >> 40).is_multiple_of(10) {
            open.rollback().await.unwrap();
        } else {
            open.commit().await.unwrap();
            kept.push(id);
        }
    }
    kept
}

/// What a follower gets that asks until it has `end`, by either rule.
async fn follow(
    reader: Reader,
    mut naive: Option<PgConnection>,
    end: watch::Receiver<i64>,
) -> Vec<i64> {
    let mut got: Vec<i64> = vec![];
    loop {
        let last_id = *end.borrow();
        let cursor = got.last().copied().unwrap_or(0);
        if last_id > 0 && cursor >= last_id {
            return got;
        }
        got.extend(match &mut naive {
            None => ids(&reader
                .after(&Bookmark::from(cursor), 50)
                .await
                .unwrap()
                .events),
            Some(db) => {
                sqlx::query_scalar("SELECT id FROM events WHERE id > $1 ORDER BY id LIMIT 50")
                    .bind(cursor)
                    .fetch_all(db)
                    .await
                    .unwrap()
            }
        });
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twelve_writers_and_a_follower_that_skips_nothing() {
    let world = World::postgres().await;
    let World::Postgres(database, _) = &world else {
        unreachable!()
    };
    let (done, end) = watch::channel(0);
    let follower = tokio::spawn(follow(world.reader(), None, end.clone()));
    let naive = tokio::spawn(follow(world.reader(), Some(connect(database).await), end));
    let mut writers = vec![];
    for seed in 0..12 {
        writers.push(tokio::spawn(write(connect(database).await, seed, 100)));
    }
    let mut committed = vec![];
    for writer in writers {
        committed.extend(writer.await.unwrap());
    }
    committed.push(insert(&mut connect(database).await).await);
    committed.sort();
    done.send(*committed.last().unwrap()).unwrap();
    let got = timeout(SOON, follower).await.unwrap().unwrap();
    assert_eq!(got, committed);
    let skipped = committed.len() - timeout(SOON, naive).await.unwrap().unwrap().len();
    assert!(
        skipped > 0,
        "`id > last` is expected to skip here, or this test shows nothing"
    );
    println!(
        "{} events: 0 skipped; `id > last` skipped {skipped}",
        committed.len()
    );
}
