//! What the rules of this version say of everything that was read.
//!
//! In: the archive, and the files of what it does not hold; of the log the hooks, the
//! observations and what people did.
//! Out: the commands, turns and agents that would be otherwise. Nothing is changed.
//!
//! All of it goes once more through the watcher's own path, from a folder beside into a
//! database beside: what is compared is what the watcher would have stored.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{DirBuilder, File},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, anyhow};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Difference, Finding, Report, log};
use crate::{
    capture::Capture,
    cli::{self, export::find, restore::restore, watch},
    config::{ArchiveMode, DatabaseUrl, Sessions, Settings},
    derive::replay::AgentRows,
    dialect::spool::line_of,
    event::{EventType, Payload, Timestamp},
    store::{
        Filter, Writer,
        read::{ArchivedFile, Reader},
    },
};

/// The events that came by the spool.
const BY_SPOOL: [EventType; 4] = [
    EventType::HookReceived,
    EventType::SessionObserved,
    EventType::SessionViewed,
    EventType::SessionEnded,
];
/// A segment of the spool, the first one.
const SEGMENT: &str = "spool/00000000000000000001.jsonl";

pub async fn compare(settings: &Settings) -> anyhow::Result<Report> {
    let stored = cli::reader(settings)?.for_many_rows();
    let state = &settings.places.state;
    let beside = tempfile::Builder::new()
        .prefix(".rules-")
        .tempdir_in(state)
        .with_context(|| format!("cannot make a folder in {}", state.display()))?;
    let settings = settings_in(settings, beside.path());
    let mut report = Report::default();
    let copies = restore_all(&stored, beside.path()).await?;
    report.events = write_spool(&stored, &copies, &beside.path().join(SEGMENT)).await?;
    take_in(&settings).await?;
    let again = cli::reader(&settings)?.for_many_rows();
    let ids = again.agent_ids().await?.into_iter();
    let ids: HashMap<String, i64> = ids.map(|(id, session)| (session, id)).collect();
    for (agent_id, session_uuid) in stored.agent_ids().await? {
        let Some(id) = ids.get(&session_uuid) else {
            report.gone += 1;
            continue;
        };
        let rows = (
            again.agent_rows(*id).await?,
            stored.agent_rows(agent_id).await?,
        );
        let (Some(expected), Some(found)) = rows else {
            continue;
        };
        report.agents += 1;
        let findings = differences(&expected, &found).into_iter();
        let findings = findings.map(|found| Difference::of(agent_id, &session_uuid, found));
        report.differences.extend(findings);
    }
    Ok(report)
}

fn settings_in(settings: &Settings, folder: &Path) -> Settings {
    let mut settings = settings.clone();
    settings.database.url = DatabaseUrl::Sqlite(folder.join("again.db"));
    settings.claude.roots = vec![folder.join("root")];
    settings.archive.mode = ArchiveMode::Off;
    settings.watch.sessions = Sessions::All;
    settings.hooks.enabled = true;
    settings.places.state = folder.to_owned();
    settings.places.run = folder.to_owned();
    settings
}

async fn take_in(settings: &Settings) -> anyhow::Result<()> {
    let writer = Writer::new(cli::database(settings), cli::host());
    let options = watch::options(settings, true, &Arc::default());
    let mut capture = Capture::new(options, writer);
    let read = capture.run_once(&CancellationToken::new(), |_| {}).await;
    capture.close().await;
    read.map_err(|reason| anyhow!("cannot read it again: {reason}"))
}

/// Writes every transcript that is left; gives where each lies now.
async fn restore_all(stored: &Reader, beside: &Path) -> anyhow::Result<HashMap<PathBuf, PathBuf>> {
    let mut copies = HashMap::new();
    for file in stored.files_like("").await? {
        let original = PathBuf::from(find::path(&file));
        let generations = stored.generations(file.checkpoint_id).await?;
        for &generation in &generations {
            let Some(copy) = place(beside, &file, generation) else {
                continue;
            };
            let mut output = BufWriter::new(create(&copy)?);
            restore(stored, file.checkpoint_id, generation, 0, &mut output).await?;
            output.flush()?;
            copies.insert(original.clone(), copy);
        }
        if let Some(copy) = place(beside, &file, file.rewrites)
            && generations.is_empty()
        {
            match copy_up_to(&original, &copy, file.offset.cast_unsigned()) {
                Ok(()) => drop(copies.insert(original, copy)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let context = format!("cannot read {}", original.display());
                    return Err(error).context(context);
                }
            }
        }
    }
    Ok(copies)
}

/// Where a copy lies, so that it is read as what it was: below its project's folder.
/// What it replaced has the same name, and so a project of its own.
fn place(beside: &Path, file: &ArchivedFile, generation: i64) -> Option<PathBuf> {
    let (_, below) = find::path(file).rsplit_once("/projects/")?;
    let (project, name) = below.split_once('/')?;
    let is_newest = generation == file.rewrites && !file.path.starts_with(find::REPLACED);
    let project = match is_newest {
        true => project.to_owned(),
        false => format!("{project}-{}-{generation}", file.checkpoint_id),
    };
    Some(beside.join("root/projects").join(project).join(name))
}

/// Writes the lines that brought events; gives how many events these are.
async fn write_spool(
    stored: &Reader,
    copies: &HashMap<PathBuf, PathBuf>,
    segment: &Path,
) -> anyhow::Result<u64> {
    let mut output = BufWriter::new(create(segment)?);
    let filter = Filter {
        types: BY_SPOOL.to_vec(),
        ..Filter::default()
    };
    let events = log::each(stored, &filter, |event| {
        let Some((mut payload, at)) = log::payload(event)? else {
            return Ok(());
        };
        if let Payload::HookReceived(hook) = &mut payload
            && let Some(path) = hook.fields.get_mut("transcript_path")
        {
            // Whether the session has a file decides whose words count.
            *path = json!(path.as_str().and_then(|path| copies.get(Path::new(path))));
        }
        if let Some(line) = line_of(&payload, at, &cli::host()) {
            writeln!(output, "{}", line.to_json())?;
        }
        Ok(())
    });
    let events = events.await?;
    output.flush()?;
    Ok(events)
}

/// What differs in what rules decide.
fn differences(expected: &AgentRows, found: &AgentRows) -> Vec<Finding> {
    let mut all = Vec::new();
    let (now, then) = (&expected.shown, &found.shown);
    for (column, then, now) in [
        ("state", &then.state, &now.state),
        ("needs", &then.needs, &now.needs),
    ] {
        if then != now {
            all.push(("agents", None, format!("{column} {then} → {now}")));
        }
    }
    pair("commands", &commands(expected), &commands(found), &mut all);
    pair("turns", &turns(expected), &turns(found), &mut all);
    all
}

/// An id, and what the rules said of the row that has it.
type Told = (i64, String);

/// A command is known by when it began: its id is new.
fn commands(rows: &AgentRows) -> BTreeMap<Timestamp, Told> {
    let rows = rows.commands.values();
    rows.map(|row| {
        let outcome = row.outcome.as_deref().unwrap_or("none");
        let told = format!("{}, {}, outcome {outcome}", row.origin, row.state);
        (row.started_at, (row.id, told))
    })
    .collect()
}

fn turns(rows: &AgentRows) -> BTreeMap<(Timestamp, &str, &str), Told> {
    let rows = rows.turns.values();
    rows.map(|row| {
        let key = (row.timestamp, row.actor.as_str(), row.text.as_str());
        (key, (row.id, row.intent.clone()))
    })
    .collect()
}

fn pair<K: Ord>(
    table: &'static str,
    expected: &BTreeMap<K, Told>,
    found: &BTreeMap<K, Told>,
    all: &mut Vec<Finding>,
) {
    for (key, (id, then)) in found {
        let now = expected.get(key).map_or("none", |(_, now)| now);
        if now != then {
            all.push((table, Some(*id), format!("{then} → {now}")));
        }
    }
    let new = expected.iter().filter(|(key, _)| !found.contains_key(key));
    all.extend(new.map(|(_, (_, now))| (table, None, format!("none → {now}"))));
}

fn copy_up_to(original: &Path, copy: &Path, length: u64) -> io::Result<()> {
    let mut input = File::open(original)?.take(length);
    let mut output = create(copy)?;
    io::copy(&mut input, &mut output).map(drop)
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    File::create_new(path)
}
