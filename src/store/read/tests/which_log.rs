//! Which log is read: the one that stands there now, if this program knows it.

use super::*;

#[tokio::test]
async fn a_bookmark_holds_in_its_own_log_only() {
    for mut world in World::both().await {
        world.turns(4).await;
        world
            .run("INSERT INTO facts SELECT event_key, id FROM events")
            .await;
        let reader = world.reader();
        let at = reader.bookmark(3).await.unwrap().expect("it is there");
        assert_eq!(reader.bookmark(9).await.unwrap(), None);
        assert_eq!(ids(&reader.after(&at, 9).await.unwrap().events), [4]);
        let end = reader.after(&at, 9).await.unwrap().bookmark;
        assert_eq!(
            (end.cursor, reader.bookmark(4).await.unwrap()),
            (4, Some(end.clone()))
        );
        // Pruned, but of this log.
        world.run("DELETE FROM events WHERE id <= 4").await;
        for at in [&at, &end] {
            assert_eq!(reader.after(at, 9).await.unwrap().rest, AfterPage::Nothing);
        }
        let empty = reader.bookmark(0).await.unwrap().expect("the beginning");
        // Restored to an older state, which gives the id to another event.
        world.run("DELETE FROM facts").await;
        world
            .event("of another course", "turn_detected", "{}")
            .await;
        world.run("UPDATE events SET id = 4").await;
        for at in [&at, &end] {
            let settled = reader.after(at, 9).await.unwrap();
            assert_eq!(
                (settled.rest, settled.events.len()),
                (AfterPage::Replaced, 0)
            );
            assert_eq!(settled.bookmark, *at);
        }
        let begun = reader.after(&empty, 9).await.unwrap();
        assert_ne!(begun.rest, AfterPage::Replaced, "nothing was delivered yet");
        // Another log, from its beginning on.
        world.run("UPDATE log SET log_id = 'another'").await;
        assert_eq!(
            reader.after(&empty, 9).await.unwrap().rest,
            AfterPage::Replaced
        );
    }
}

/// Payload fields, counters and types of a later version, and counters that this
/// one counts and the other did not.
#[tokio::test]
async fn a_schema_of_another_version_is_named() {
    for mut world in World::both().await {
        world
            .run(
                "UPDATE _sqlx_migrations SET version = 99
                 WHERE version = (SELECT max(version) FROM _sqlx_migrations)",
            )
            .await;
        let error = world
            .reader()
            .after(&Bookmark::from(0), 1)
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                ReadError::SchemaNewer {
                    found: 99,
                    known: SCHEMA_VERSION
                }
            ),
            "{error:?}"
        );
        world.run("DROP TABLE _sqlx_migrations").await;
        let error = world
            .reader()
            .after(&Bookmark::from(0), 1)
            .await
            .unwrap_err();
        assert!(matches!(error, ReadError::SchemaMissing), "{error:?}");
    }
}

#[tokio::test]
async fn a_reader_never_makes_the_file_and_finds_it_when_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("headspace.db");
    let reader = Reader::sqlite(&path);
    assert!(matches!(reader.head().await, Err(ReadError::Absent)));
    assert!(!path.exists());
    let db = new_sqlite(&path).await;
    assert_eq!(reader.head().await.unwrap().newest, 0);
    db.close().await.unwrap();
}

#[tokio::test]
async fn a_replaced_file_is_opened_anew() {
    let mut world = World::sqlite().await;
    world.turns(3).await;
    let reader = world.reader();
    assert_eq!(reader.head().await.unwrap().newest, 3);
    let path = world.path();
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
    assert!(matches!(reader.head().await, Err(ReadError::Absent)));
    let _other = new_sqlite(&path).await;
    assert_eq!(reader.head().await.unwrap().newest, 0);
}
