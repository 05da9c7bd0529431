//! What the database knows that other checks need: the watchers' rows and how far
//! each transcript is stored.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use tokio::time::timeout;

use super::database::{self, DatabaseAnswer};
use crate::{
    config::{DatabaseUrl, Sessions, Settings},
    dialect::Watched,
    health::{self, Beat},
    store::{
        Database, SchemaError,
        read::{ReadError, Reader, WatcherRow},
    },
};

/// How long the rows may take; the database has answered once already.
const ROWS: Duration = Duration::from_secs(3);

/// By path, the offset up to which a file is stored.
pub type StoredOffsets = HashMap<PathBuf, u64>;

pub struct StoredFacts {
    pub condition: DatabaseAnswer,
    /// The watchers' rows; none if they cannot be read.
    pub watchers: Option<Vec<(WatcherRow, Beat)>>,
    /// None if that cannot be read.
    pub upto: Option<StoredOffsets>,
    /// The sessions that are watched, as far as that can be read.
    pub watched: Watched,
}

pub async fn collect(settings: &Settings, host: &str) -> StoredFacts {
    let database = match &settings.database.url {
        DatabaseUrl::Sqlite(path) => Database::Sqlite(path.clone()),
        DatabaseUrl::Postgres(url) => Database::Postgres(url.clone()),
    };
    let condition = database::collect(&database).await;
    let schema = match &condition {
        Ok(condition) => condition
            .schema
            .as_ref()
            .map_err(|error| *error == SchemaError::Missing),
        Err(error) => Err(matches!(error, ReadError::Absent)),
    };
    let known = match schema {
        Ok(_) => timeout(ROWS, rows(&database, settings, host))
            .await
            .ok()
            .and_then(Result::ok),
        Err(is_missing) => is_missing.then(Default::default),
    };
    let (watchers, upto, watched) = match known {
        Some((watchers, upto, watched)) => (Some(watchers), Some(upto), watched),
        None => (None, None, Watched::All),
    };
    StoredFacts {
        condition,
        watchers,
        upto,
        watched,
    }
}

type Known = (Vec<(WatcherRow, Beat)>, StoredOffsets, Watched);

async fn rows(database: &Database, settings: &Settings, host: &str) -> Result<Known, ReadError> {
    let reader = match database {
        Database::Sqlite(path) => Reader::sqlite_once(path),
        Database::Postgres(url) => Reader::postgres(url, "doctor", 1)?,
    };
    let now = jiff::Timestamp::now();
    let watchers = reader.watchers().await?.into_iter();
    let watchers = watchers.map(|row| (row.clone(), health::beat(row, now)));
    let checkpoints = reader.checkpoints(host).await?.into_iter();
    let upto = checkpoints.map(|row| (row.path.into(), row.offset.unsigned_abs()));
    let watched = match settings.watch.sessions {
        Sessions::All => Watched::All,
        Sessions::Registered => {
            Watched::Registered(reader.registered(host).await?.into_iter().collect())
        }
    };
    Ok((watchers.collect(), upto.collect(), watched))
}
