//! What these settings and this state folder make of it: looked at together,
//! judged afterwards.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use jiff::Timestamp;
use tokio::join;

use super::{
    blocking, cleanup, clock, database,
    finding::Finding,
    inotify, places,
    roots::{self, Root},
    stored::{self, Stored},
    watcher,
};
use crate::{
    config::{DatabaseUrl, Settings},
    supervise::{Holder, restarts_lately},
};

/// How long a walk through folders may take: less than is waited for it, so
/// that what was seen by then is told.
const WALK: Duration = Duration::from_secs(3);

pub struct Here {
    roots: Option<Vec<(Root, cleanup::Period)>>,
    places: Option<Vec<Finding>>,
    stored: Stored,
    life: Life,
    inotify: (Option<inotify::Limits>, inotify::Used),
}

struct Life {
    holder: Holder,
    restarts: usize,
}

pub async fn look(settings: &Settings, host: &str) -> Here {
    let (roots, places, stored, life, inotify) = join!(
        look_at_roots(&settings.claude.roots),
        look_at_places(settings),
        stored::look(settings, host),
        look_for_life(&settings.places.state),
        look_at_inotify(&settings.places.state),
    );
    Here {
        roots,
        places,
        stored,
        life,
        inotify,
    }
}

/// `start` is how the watcher is started here, where a manager has it.
pub fn judge(settings: &Settings, here: &Here, start: Option<&str>) -> Vec<Finding> {
    let condition = &here.stored.condition;
    let mut findings = judge_roots(here);
    match &here.places {
        Some(places) => findings.extend(places.iter().cloned()),
        None => findings.push(silent(&settings.places.state)),
    }
    findings.extend(judge_inotify(here));
    findings.extend(database::judge(settings, condition));
    findings.extend(clock::judge_server(condition.as_ref().ok()));
    findings.extend(watcher::judge(&watcher::Facts {
        holder: here.life.holder,
        row: here
            .stored
            .own
            .as_ref()
            .map(Option::as_ref)
            .map_err(|error| *error),
        now: Timestamp::now(),
        start: start.unwrap_or("headspace up, or headspace watch"),
        restarts: here.life.restarts,
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
    let look = move |path: &PathBuf| (roots::look(path, end), cleanup::period(path));
    blocking(move || paths.iter().map(look).collect()).await
}

fn judge_roots(here: &Here) -> Vec<Finding> {
    let Some(roots) = &here.roots else {
        let found = "the file system of a root does not answer";
        let fix =
            "see `headspace config show` for claude.roots and `mount` for where they come from";
        return vec![Finding::failed("roots", found, fix)];
    };
    let mut findings = roots::judge(roots.iter().map(|(root, _)| root));
    findings.extend(cleanup::judge(roots, &here.stored.upto, SystemTime::now()));
    findings
}

async fn look_at_places(settings: &Settings) -> Option<Vec<Finding>> {
    let places = settings.places.clone();
    let database = match &settings.database.url {
        DatabaseUrl::Sqlite(path) => Some(path.clone()),
        DatabaseUrl::Postgres(_) => None,
    };
    blocking(move || {
        let mut findings = places::judge(&places::look(&places));
        findings.push(places::judge_room(places::room(&places.state).as_ref()));
        if let Some(path) = database {
            let kind = places::foreign_file_system(&path);
            findings.extend(places::judge_file_system(&path, kind));
        }
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

async fn look_at_inotify(state: &Path) -> (Option<inotify::Limits>, inotify::Used) {
    let state = state.to_owned();
    let us = rustix::process::geteuid().as_raw();
    let end = Instant::now() + WALK;
    let seen = blocking(move || {
        let watcher = Holder::of(&state).pid();
        (inotify::limits(), inotify::used(us, watcher, end))
    });
    seen.await.unwrap_or_default()
}

fn judge_inotify(here: &Here) -> Vec<Finding> {
    let roots = here.roots.iter().flatten();
    let folders = roots.map(|(root, _)| root.inputs.folders).sum();
    let (limits, used) = here.inotify;
    inotify::judge(limits, used, folders)
}
