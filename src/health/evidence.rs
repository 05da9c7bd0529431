//! What shows whether a watcher lives: its lock, its supervisor and its unit on
//! this machine, its row on any.

use std::path::Path;

use crate::{
    store::{Counters, read::WatcherRow},
    supervise::{
        Holder,
        shell::{self, ShellSupervisor},
        unit::Unit,
    },
};

/// What is seen on this machine.
#[derive(Debug)]
pub struct Local {
    pub host: String,
    pub state_dir: String,
    /// The process that holds the watcher's lock.
    pub holder: Holder,
    pub shell: Option<ShellSupervisor>,
    /// None: there is none, or it cannot be read.
    pub unit: Option<Unit>,
}

/// A watcher's row, as far as its life is concerned.
#[derive(Debug, Clone)]
pub struct Beat {
    pub host: String,
    pub state_dir: String,
    pub pid: i64,
    pub started_at: String,
    pub age_seconds: f64,
    pub state: String,
    pub reason: Option<String>,
    pub counters: Counters,
}

impl Local {
    /// The lock and the shell supervisor; the unit is for the caller to ask. A
    /// watcher under the shell supervisor has none.
    pub fn read(host: &str, state: &Path, run: &Path) -> Local {
        let holder = Holder::of(state);
        let is_its = |shell: &ShellSupervisor| holder.pid().is_none_or(|pid| pid == shell.watcher);
        Local {
            host: host.to_owned(),
            state_dir: state.display().to_string(),
            holder,
            shell: shell::supervisor(run).filter(is_its),
            unit: None,
        }
    }

    pub fn owns(&self, beat: &Beat) -> bool {
        beat.host == self.host && beat.state_dir == self.state_dir
    }
}

pub fn beat(row: WatcherRow, now: jiff::Timestamp) -> Beat {
    // A time that cannot be parsed counts as long ago.
    let at: Option<jiff::Timestamp> = row.beat_at.parse().ok();
    let age = at.map_or(f64::MAX, |at| now.duration_since(at).as_secs_f64());
    Beat {
        host: row.host,
        state_dir: row.state_dir,
        pid: row.pid,
        started_at: row.started_at.into(),
        age_seconds: (age.max(0.0) * 10.0).round() / 10.0,
        state: row.state,
        reason: row.reason,
        counters: row.counters,
    }
}
