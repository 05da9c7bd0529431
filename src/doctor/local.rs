//! The folders, the database and the watcher that these settings name: looked
//! at together, judged afterwards.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use jiff::Timestamp;
use tokio::join;

use super::{
    blocking, cleanup, database,
    finding::Finding,
    places,
    roots::{self, Root},
    stored::{self, StoredFacts},
    watcher,
};
use crate::{
    config::Settings,
    supervise::{Holder, restarts_lately},
};

/// How long a walk through folders may take: less than it is waited for, so
/// that what was seen by then is reported.
const WALK: Duration = Duration::from_secs(3);

pub struct LocalFacts {
    roots: Option<Vec<(Root, cleanup::Period)>>,
    places: Option<Vec<Finding>>,
    stored: StoredFacts,
    life: Life,
}

struct Life {
    holder: Holder,
    restarts: usize,
}

pub async fn collect(settings: &Settings, host: &str) -> LocalFacts {
    let (roots, places, stored, life) = join!(
        look_at_roots(&settings.claude.roots),
        look_at_places(settings),
        stored::collect(settings, host),
        look_for_life(&settings.places.state),
    );
    LocalFacts {
        roots,
        places,
        stored,
        life,
    }
}

/// `start` is how the watcher is started here, where a manager has it.
pub fn judge(settings: &Settings, local: &LocalFacts, start: Option<&str>) -> Vec<Finding> {
    let condition = &local.stored.condition;
    let mut findings = judge_roots(local);
    match &local.places {
        Some(places) => findings.extend(places.iter().cloned()),
        None => findings.push(silent(&settings.places.state)),
    }
    findings.extend(database::judge(settings, condition));
    findings.extend(watcher::judge(&watcher::WatcherFacts {
        holder: local.life.holder,
        row: local
            .stored
            .own
            .as_ref()
            .map(Option::as_ref)
            .map_err(|error| *error),
        now: Timestamp::now(),
        start: start.unwrap_or("headspace up, or headspace watch"),
        restarts: local.life.restarts,
        most_restarts: settings.event_system.max_restarts_per_minute,
    }));
    findings
}

fn silent(path: &Path) -> Finding {
    let found = format!("the file system of {} does not answer", path.display());
    let fix = "see `mount` for where it comes from, and `dmesg` for why it hangs";
    Finding::failed("permissions", found, fix)
}

async fn look_at_roots(paths: &[PathBuf]) -> Option<Vec<(Root, cleanup::Period)>> {
    let paths = paths.to_owned();
    let end = Instant::now() + WALK;
    let collect = move |path: &PathBuf| (roots::collect(path, end), cleanup::period(path));
    blocking(move || paths.iter().map(collect).collect()).await
}

fn judge_roots(local: &LocalFacts) -> Vec<Finding> {
    let Some(roots) = &local.roots else {
        let found = "the file system of a root does not answer";
        let fix =
            "see `headspace config show` for claude.roots and `mount` for where they come from";
        return vec![Finding::failed("roots", found, fix)];
    };
    let mut findings = roots::judge(roots.iter().map(|(root, _)| root));
    findings.extend(cleanup::judge(roots, &local.stored.upto, SystemTime::now()));
    findings
}

async fn look_at_places(settings: &Settings) -> Option<Vec<Finding>> {
    let places = settings.places.clone();
    blocking(move || {
        let mut findings = places::judge(&places::collect(&places));
        findings.push(places::judge_room(places::room(&places.state).as_ref()));
        findings
    })
    .await
}

async fn look_for_life(state: &Path) -> Life {
    let state = state.to_owned();
    let now = Timestamp::now().as_second().unsigned_abs();
    let seen = blocking(move || Life {
        holder: Holder::of(&state),
        restarts: restarts_lately(&state, now),
    });
    seen.await.unwrap_or(Life {
        holder: Holder::Unknown,
        restarts: 0,
    })
}
