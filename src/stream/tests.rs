//! The seam between the store and the subscribers, on a real SQLite file.

use std::{path::PathBuf, time::Duration};

use futures_util::StreamExt;
use sqlx::SqliteConnection;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    event::EventType,
    store::{Filter, new_sqlite, read::Reader, wake},
};

const SOON: Duration = Duration::from_secs(10);

struct World {
    dir: tempfile::TempDir,
    db: SqliteConnection,
    bell: wake::Doorbell,
    hub: Hub,
    stop: CancellationToken,
}

impl World {
    async fn new() -> World {
        World::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Settings)) -> World {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings {
            heartbeat_interval: Duration::from_secs(30),
            max_connections: 100,
            retry_after: Duration::from_secs(5),
        };
        change(&mut settings);
        let db = new_sqlite(&dir.path().join("headspace.db")).await;
        let stop = CancellationToken::new();
        let reader = Reader::sqlite(&dir.path().join("headspace.db"));
        let hub = Hub::start(
            reader,
            wake::Source::doorbell(dir.path()),
            settings,
            stop.clone(),
        );
        World {
            bell: wake::Doorbell::new(dir.path()),
            dir,
            db,
            hub,
            stop,
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("headspace.db")
    }

    async fn append(&mut self, count: usize) {
        insert(&mut self.db, count, "turn_detected").await;
        self.bell.ring();
    }

    fn subscribe(&self, start: Start) -> Subscription {
        self.hub.subscribe(Filter::default(), start)
    }
}

async fn insert(db: &mut SqliteConnection, count: usize, kind: &str) {
    for _ in 0..count {
        sqlx::query(
            "INSERT INTO events (timestamp, recorded_at, event_type, payload, event_key) \
             VALUES ('2026-11-21T01:02:03.000000Z', '2026-11-21T01:02:03.000000Z', ?, '{}', hex(randomblob(8)))",
        )
        .bind(kind).execute(&mut *db).await.unwrap();
    }
}

async fn next(subscription: &mut Subscription) -> Item {
    let item = async {
        loop {
            match subscription.next().await {
                Item::Joined => {}
                item => return item,
            }
        }
    };
    timeout(SOON, item).await.expect("an item in time")
}

async fn ids(subscription: &mut Subscription, count: usize) -> Vec<i64> {
    let mut got = vec![];
    while got.len() < count {
        match next(subscription).await {
            Item::Event(frame) => got.push(frame.event.id),
            other => panic!("{other:?}"),
        }
    }
    got
}

async fn reset(subscription: &mut Subscription) -> Reset {
    match next(subscription).await {
        Item::Reset(reset) => reset,
        other => panic!("{other:?} instead of a reset"),
    }
}

/// Waits until the subscriber has begun, and returns its first event.
async fn begun(world: &mut World, subscription: &mut Subscription) -> i64 {
    let first = timeout(SOON, subscription.next()).await;
    assert!(matches!(first, Ok(Item::Joined)), "{first:?}");
    world.append(1).await;
    ids(subscription, 1).await[0]
}

#[tokio::test]
async fn without_a_cursor_only_what_comes_later_arrives() {
    let mut world = World::new().await;
    world.append(3).await;
    let mut live = world.subscribe(Start::Live);
    assert_eq!(begun(&mut world, &mut live).await, 4);
    world.append(2).await;
    assert_eq!(ids(&mut live, 2).await, [5, 6]);
}

#[tokio::test]
async fn replay_and_live_join_without_gap_or_repeat() {
    let mut world = World::new().await;
    world.append(700).await;
    let mut from_start = world.subscribe(Start::After(0));
    let mut recent = world.subscribe(Start::After(650));
    let writer = async {
        for _ in 0..30 {
            world.append(10).await
        }
    };
    let early = async { ids(&mut from_start, 1000).await };
    let late = async { ids(&mut recent, 350).await };
    let (_, early, late) = tokio::join!(writer, early, late);
    assert_eq!(early, (1..=1000).collect::<Vec<i64>>());
    assert_eq!(late, (651..=1000).collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_filter_holds_in_replay_and_live() {
    let mut world = World::new().await;
    world.append(300).await;
    insert(&mut world.db, 2, "session_ended").await;
    let ended = Filter {
        types: vec![EventType::SessionEnded],
        ..Filter::default()
    };
    let mut subscription = world.hub.subscribe(ended, Start::After(0));
    assert_eq!(ids(&mut subscription, 2).await, [301, 302]);
    world.append(5).await;
    insert(&mut world.db, 1, "session_ended").await;
    world.bell.ring();
    assert_eq!(ids(&mut subscription, 1).await, [308]);
}

#[tokio::test]
async fn a_cursor_that_cannot_be_continued_is_reset_to_the_head() {
    let mut world = World::new().await;
    world.append(6).await;
    sqlx::raw_sql(
        "INSERT INTO facts SELECT event_key, id FROM events; DELETE FROM events WHERE id <= 3",
    )
    .execute(&mut world.db)
    .await
    .unwrap();
    let mut kept = world.subscribe(Start::After(3));
    assert_eq!(ids(&mut kept, 3).await, [4, 5, 6]);
    for (start, reason) in [
        (Start::After(7), Reason::Unknown),
        (Start::Garbage, Reason::Garbage),
        (Start::After(2), Reason::Removed),
    ] {
        let mut subscription = world.subscribe(start);
        let from = world_head(&mut world.db).await;
        assert_eq!(reset(&mut subscription).await, Reset { reason, from });
        world.append(1).await;
        assert_eq!(
            ids(&mut subscription, 1).await,
            [from + 1],
            "live after the reset"
        );
    }
}

async fn world_head(db: &mut SqliteConnection) -> i64 {
    sqlx::query_scalar("SELECT max(id) FROM events")
        .fetch_one(db)
        .await
        .unwrap()
}

#[tokio::test]
async fn ids_that_were_never_events_are_not_taken_for_removed_ones() {
    let mut world = World::new().await;
    sqlx::query("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', 5)")
        .execute(&mut world.db)
        .await
        .unwrap();
    world.append(2).await;
    assert_eq!(ids(&mut world.subscribe(Start::After(0)), 2).await, [6, 7]);
}

#[tokio::test]
async fn a_replaced_database_resets_every_subscriber() {
    let mut world = World::new().await;
    world.append(5).await;
    let mut subscription = world.subscribe(Start::After(2));
    assert_eq!(ids(&mut subscription, 3).await, [3, 4, 5]);
    let other = world.dir.path().join("other.db");
    let mut db = new_sqlite(&other).await;
    insert(&mut db, 9, "turn_detected").await;
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut db)
        .await
        .unwrap();
    drop(db);
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", world.path().display()));
    }
    std::fs::rename(&other, world.path()).unwrap();
    world.bell.ring();
    let expected = Reset {
        reason: Reason::Replaced,
        from: 9,
    };
    assert_eq!(reset(&mut subscription).await, expected);
    world.db = new_sqlite(&world.path()).await;
    world.append(1).await;
    assert_eq!(ids(&mut subscription, 1).await, [10]);
}

#[tokio::test]
async fn a_lost_wake_up_costs_no_more_than_the_slow_poll() {
    let mut world = World::new().await;
    let mut subscription = world.subscribe(Start::Live);
    assert_eq!(begun(&mut world, &mut subscription).await, 1);
    insert(&mut world.db, 1, "turn_detected").await;
    let next = timeout(wake::SLOW_POLL * 2, subscription.next()).await;
    assert!(matches!(next, Ok(Item::Event(_))));
}

#[tokio::test]
async fn a_subscriber_waits_for_a_database_that_comes_later() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("headspace.db");
    let settings = Settings {
        heartbeat_interval: SOON,
        max_connections: 1,
        retry_after: SOON,
    };
    let stop = CancellationToken::new();
    let hub = Hub::start(
        Reader::sqlite(&path),
        wake::Source::doorbell(dir.path()),
        settings,
        stop,
    );
    let mut subscription = hub.subscribe(Filter::default(), Start::After(0));
    assert!(
        timeout(Duration::from_millis(50), subscription.next())
            .await
            .is_err()
    );
    let mut db = new_sqlite(&path).await;
    insert(&mut db, 2, "turn_detected").await;
    assert_eq!(ids(&mut subscription, 2).await, [1, 2]);
}

#[tokio::test]
async fn nothing_listens_without_a_subscriber() {
    let mut world = World::new().await;
    let doors = world.dir.path().join("wake");
    let open = || std::fs::read_dir(&doors).map_or(0, |entries| entries.count());
    assert_eq!(open(), 0);
    let mut subscription = world.subscribe(Start::Live);
    begun(&mut world, &mut subscription).await;
    assert_eq!(open(), 1);
    drop(subscription);
    let parked = async {
        while open() > 0 {
            tokio::task::yield_now().await
        }
    };
    timeout(SOON, parked)
        .await
        .expect("the doorbell goes with the last subscriber");
}

#[tokio::test]
async fn the_wire_opens_beats_and_closes() {
    let mut world = World::with(|settings| {
        settings.heartbeat_interval = Duration::from_millis(30);
        settings.max_connections = 1;
    })
    .await;
    world.append(1).await;
    let mut wire = world
        .hub
        .connect(Filter::default(), Start::After(0))
        .unwrap();
    assert!(
        world.hub.connect(Filter::default(), Start::Live).is_none(),
        "the place is taken"
    );
    assert_eq!(world.hub.active_connections(), 1);
    let mut seen = String::new();
    while !(seen.contains("id: 1\n") && seen.contains(": heartbeat\n\n")) {
        let bytes = timeout(SOON, wire.next()).await.unwrap().unwrap().unwrap();
        seen.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    assert!(seen.starts_with("retry: "));
    world.stop.cancel();
    let last = timeout(SOON, wire.next()).await.unwrap().unwrap().unwrap();
    assert!(last.starts_with(b"event: close\n"));
    assert!(wire.next().await.is_none());
    drop(wire);
    assert_eq!(world.hub.active_connections(), 0);
}
