//! What `/health` asks around for, without ever waiting long.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::time::timeout;

use super::{single_flight::SingleFlight, units::Units};
use crate::{
    health::{Beat, Local, beat},
    store::read::{Head, ReadError, Reader},
    supervise::Holder,
    web::Settings,
};

/// How long an answer may wait for the database.
pub const PATIENCE: Duration = Duration::from_millis(80);
/// How long the start may wait for the database's first answer.
const FIRST_PATIENCE: Duration = Duration::from_millis(500);
/// A database that does not answer in time may just be busy: what it said
/// shortly before still counts.
const STILL_GOOD: Duration = Duration::from_secs(5);
/// Ids this close to the newest may still be filled by running transactions, so
/// they are counted each time.
const UNSETTLED: i64 = 1000;

/// What the database says about itself.
#[derive(Debug, Clone)]
pub struct Readings {
    pub schema_version: i64,
    pub last_write: Option<String>,
    pub rejected: i64,
    /// Counted; before that was done once, as many as there are ids in use.
    pub events: i64,
    pub beats: Vec<Beat>,
}

type Answered = Arc<Result<Readings, String>>;

pub struct Facts {
    asker: Arc<Asker>,
    answers: Arc<SingleFlight<Answered>>,
    units: Units,
    host: String,
    state: PathBuf,
    run: PathBuf,
}

struct Asker {
    reader: Reader,
    /// The last time it was read, and what was read then.
    last: Mutex<Option<(Instant, Readings)>>,
    counts: Arc<SingleFlight<Option<Counted>>>,
}

/// How many events there are from the oldest one on, up to an id.
#[derive(Clone, Copy)]
struct Counted {
    oldest: Option<i64>,
    upto: i64,
    events: i64,
}

impl Facts {
    pub fn new(reader: Reader, settings: &Settings) -> Facts {
        let asker = Asker {
            reader,
            last: Mutex::default(),
            counts: Arc::default(),
        };
        Facts {
            asker: Arc::new(asker),
            answers: Arc::default(),
            units: Units::default(),
            host: settings.host.clone(),
            state: settings.state.clone(),
            run: settings.run.clone(),
        }
    }

    /// What is seen of the watcher on this machine. A watcher under the shell
    /// supervisor has no unit, and no service manager is asked.
    pub async fn local(&self) -> Local {
        let mut local = Local::read(&self.host, &self.state, &self.run);
        if local.shell.is_none() {
            local.unit = self.units.of_watcher(local.holder.pid()).await;
        }
        local
    }

    /// Whether a process of this machine holds the watcher's lock.
    pub fn has_watcher_here(&self) -> bool {
        matches!(Holder::of(&self.state), Holder::Process { .. })
    }

    /// Asks once before the first request does: opening the database takes longer
    /// than an answer may.
    pub async fn prepare(&self) {
        let mut answers = self.answers.subscribe();
        self.database().await;
        let _ = timeout(FIRST_PATIENCE, answers.wait_for(Option::is_some)).await;
    }

    /// The database's answer, a fresh enough earlier one, or why there is none.
    pub async fn database(&self) -> Answered {
        let mut answers = self.answers.subscribe();
        self.answers.ask(ask(self.asker.clone()));
        let _ = timeout(PATIENCE, answers.changed()).await;
        match self.answers.latest() {
            Some((at, answer)) if at.elapsed() < STILL_GOOD => answer,
            _ => Arc::new(Err("the database does not answer".into())),
        }
    }

    /// What the database said when it last answered, and how many seconds ago.
    pub fn last(&self) -> Option<(Readings, f64)> {
        let last = self.asker.last.lock().expect("no panic while held");
        last.as_ref().map(|(at, readings)| {
            let tenths = (at.elapsed().as_secs_f64() * 10.0).round();
            (readings.clone(), tenths / 10.0)
        })
    }
}

/// Counting a long log for the first time takes longer than a request waits.
async fn ask(asker: Arc<Asker>) -> Answered {
    let mut counts = asker.counts.subscribe();
    if asker.counts.ask(count(asker.clone())) {
        let _ = timeout(PATIENCE / 2, counts.changed()).await;
    }
    let readings = read(&asker).await;
    if let Ok(readings) = &readings {
        let known = (Instant::now(), readings.clone());
        *asker.last.lock().expect("no panic while held") = Some(known);
    }
    Arc::new(readings.map_err(|error| error.to_string()))
}

async fn read(asker: &Asker) -> Result<Readings, ReadError> {
    let reader = &asker.reader;
    let schema_version = reader.schema_version().await?;
    let now = jiff::Timestamp::now();
    let beats = reader
        .watchers()
        .await?
        .into_iter()
        .map(|row| beat(row, now))
        .collect();
    let events = match known_count(asker) {
        Some(known) => known.events + reader.count(known.upto, i64::MAX).await?,
        None => ids_in_use(reader.head().await?),
    };
    Ok(Readings {
        schema_version,
        last_write: reader.last_write().await?,
        rejected: reader.rejected().await?,
        events,
        beats,
    })
}

fn ids_in_use(head: Head) -> i64 {
    head.oldest.map_or(0, |oldest| head.newest - oldest + 1)
}

fn known_count(asker: &Asker) -> Option<Counted> {
    asker.counts.latest()?.1
}

/// Counts once, then only what is new; all over when old events were removed.
async fn count(asker: Arc<Asker>) -> Option<Counted> {
    let known = known_count(&asker);
    let counted = count_more(&asker.reader, known).await;
    if let Err(error) = &counted {
        tracing::debug!(%error, "the events could not be counted");
    }
    counted.ok().or(known)
}

async fn count_more(reader: &Reader, known: Option<Counted>) -> Result<Counted, ReadError> {
    let head = reader.head().await?;
    let is_same = |known: &Counted| known.oldest == head.oldest && known.upto <= head.newest;
    let known = known.filter(is_same);
    let from = known.map_or(0, |known| known.upto);
    let upto = (head.newest - UNSETTLED).max(from);
    let more = reader.count(from, upto).await?;
    Ok(Counted {
        oldest: head.oldest,
        upto,
        events: known.map_or(0, |known| known.events) + more,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_that_never_answers_does_not_hold_the_verdict_up() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let url = format!("postgres://reader@127.0.0.1:{port}/none?sslmode=disable");
        let settings = Settings {
            hosts: vec![],
            roots: vec![],
            host: "here".into(),
            state: "/nowhere".into(),
            run: "/nowhere".into(),
            hooks: true,
            alerts_finished: false,
            connection_timeout: STILL_GOOD,
            drain: STILL_GOOD,
            idle_timeout: None,
        };
        let facts = Facts::new(Reader::postgres(&url, "web", 4).unwrap(), &settings);
        let answer = timeout(PATIENCE * 10, facts.database())
            .await
            .expect("at once");
        assert_eq!(
            answer.as_ref().as_ref().unwrap_err(),
            "the database does not answer"
        );
    }
}
