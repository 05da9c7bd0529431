//! `headspace verify`: reads every input again and compares it with the log.
//!
//! In: the files behind the checkpoints, read up to them; of one that is gone, its
//! archive; the sessions' rows.
//! Out: a report of what is missing, doubled, altered, extra or damaged.
//!
//! A file and its events are compared piece by piece, so memory does not grow with
//! the file; the file is read on another thread meanwhile.
//!
//! Not here: what a line means (`dialect`), reading a file up to a position
//! (`capture::reread`), the SQL (`store::read::audit`).

mod file;
mod report;
mod sessions;
mod turn;

use std::{collections::HashMap, path::Path, process::ExitCode};

use super::say::say;
use crate::{
    capture::Roots,
    config::{self, Settings},
    dialect::{Place, claude::Limits},
    event::Timestamp,
    spool::Spool,
    store::read::{Reader, StoredTurn},
};
use report::{Mismatch, VerifyReport};

pub const EXAMPLES: &str = "Examples:
  headspace verify          one line per finding; exit code 1 if there is any
  headspace verify --json   the same for scripts

An event that stands in no line is only a finding if its file was never rewritten:
what was captured stays, whatever became of its file. Hooks and observations are not
compared: the spool that they came by is removed when it is stored.";

/// Events that are compared together.
const PIECE: usize = 512;

#[derive(clap::Args)]
pub struct VerifyArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What every comparison needs.
struct Verification<'a> {
    reader: &'a Reader,
    limits: Limits,
    /// Where there is room for a copy of a file.
    folder: &'a Path,
    /// The path of each checkpoint.
    paths: HashMap<i64, String>,
    report: VerifyReport,
}

pub fn main(flags: &config::Flags, args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace")?;
    let mut report = super::runtime()?.block_on(async {
        let reader = super::reader(&settings)?.for_many_rows();
        verify(&settings, &reader).await
    })?;
    report.findings.sort();
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        report.print();
    }
    Ok(if report.findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn verify(settings: &Settings, reader: &Reader) -> anyhow::Result<VerifyReport> {
    let host = super::host();
    let roots = Roots::new(&settings.claude.roots, Spool::of(&settings.places.state));
    let checkpoints = reader.checkpoints(&host).await?;
    let paths = checkpoints.iter().map(|one| (one.id, one.path.clone()));
    let mut verification = Verification {
        reader,
        limits: limits(settings),
        folder: &settings.places.state,
        paths: paths.collect(),
        report: VerifyReport::default(),
    };
    for checkpoint in checkpoints {
        let place = roots.place(Path::new(&checkpoint.path));
        match place {
            Place::Nothing => verification.report.elsewhere += 1,
            // Its segments go when they were taken in: nothing is left to compare.
            Place::Spool => {}
            place => verification.file(&checkpoint, place).await?,
        }
    }
    verification.sessions(&host).await?;
    verification.turns_without_file().await?;
    Ok(verification.report)
}

fn limits(settings: &Settings) -> Limits {
    Limits {
        max_events: PIECE,
        max_line_bytes: settings.watch.max_line_bytes as u64,
        alone: false,
        evidence: false,
        now: Timestamp::now(),
    }
}

impl Verification<'_> {
    async fn turns_without_file(&mut self) -> anyhow::Result<()> {
        for turn in self.reader.turns_without_file().await? {
            if turn::is_from_transcript(&turn) {
                self.find(&turn, "extra", "comes from no file");
            }
        }
        Ok(())
    }

    fn find(&mut self, turn: &StoredTurn, kind: &'static str, what: &str) {
        let path = turn.checkpoint_id.and_then(|id| self.paths.get(&id));
        self.report.findings.push(Mismatch {
            kind,
            path: path.cloned().unwrap_or_default(),
            offset: turn.source_offset.map(i64::cast_unsigned),
            event_id: Some(turn.id),
            what: what.into(),
        });
    }
}
