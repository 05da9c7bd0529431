//! What the database knows that other checks need: the watcher's row and how far
//! each transcript is stored.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use tokio::time::timeout;

use super::{
    cleanup,
    database::{self, Trouble},
};
use crate::{
    config::{DatabaseUrl, Settings},
    store::{
        Database, SchemaError,
        read::{Condition, ReadError, Reader, WatcherRow},
    },
};

/// How long the rows may take; the database has answered once already.
const ROWS: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub struct StoredFacts {
    pub condition: Result<Condition, Trouble>,
    /// The row of this state folder's watcher; an error if it cannot be known.
    pub own: Result<Option<WatcherRow>, ()>,
    pub upto: cleanup::StoredOffsets,
}

pub async fn collect(settings: &Settings, host: &str) -> StoredFacts {
    let database = match &settings.database.url {
        DatabaseUrl::Sqlite(path) => Database::Sqlite(path.clone()),
        DatabaseUrl::Postgres(url) => Database::Postgres(url.clone()),
    };
    let condition = database::collect(&database).await;
    let (own, upto) = match known(&condition) {
        StoredState::Nothing => (Ok(None), cleanup::StoredOffsets::Upto(HashMap::new())),
        StoredState::Unknown => (Err(()), cleanup::StoredOffsets::Unknown),
        StoredState::Rows => {
            let rows = timeout(ROWS, rows(&database, settings, host)).await;
            rows.unwrap_or_else(|_| Err(ReadError::Silent))
                .map_or((Err(()), cleanup::StoredOffsets::Unknown), |(own, upto)| {
                    (Ok(own), cleanup::StoredOffsets::Upto(upto))
                })
        }
    };
    StoredFacts {
        condition,
        own,
        upto,
    }
}

enum StoredState {
    /// There is nothing yet, so nothing is stored.
    Nothing,
    Rows,
    Unknown,
}

fn known(condition: &Result<Condition, Trouble>) -> StoredState {
    match condition {
        Ok(condition) => match condition.schema {
            Ok(_) => StoredState::Rows,
            Err(SchemaError::Missing) => StoredState::Nothing,
            Err(_) => StoredState::Unknown,
        },
        Err(Trouble::Read(ReadError::Absent)) => StoredState::Nothing,
        Err(_) => StoredState::Unknown,
    }
}

async fn rows(
    database: &Database,
    settings: &Settings,
    host: &str,
) -> Result<(Option<WatcherRow>, HashMap<PathBuf, u64>), ReadError> {
    let reader = match database {
        Database::Sqlite(path) => Reader::sqlite_once(path),
        Database::Postgres(url) => Reader::postgres(url, "doctor", 1)?,
    };
    let state = settings.places.state.to_string_lossy();
    let watchers = reader.watchers().await?;
    let own = watchers
        .into_iter()
        .find(|row| row.host == host && row.state_dir == *state);
    let checkpoints = reader.checkpoints(host).await?;
    let upto = checkpoints
        .into_iter()
        .map(|row| (row.path.into(), row.offset.unsigned_abs()))
        .collect();
    Ok((own, upto))
}
