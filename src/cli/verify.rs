//! `headspace verify`: reads every input again and compares it with the log.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    process::ExitCode,
};

use serde::Serialize;
use serde_json::Value;

use super::say::say;
use crate::{
    capture::{Reread, Roots, reread},
    config::{self, Settings},
    dialect::claude::{Limits, Place},
    event::{Entry, Event, EventType, FactKey, Payload, Timestamp, What},
    store::{
        read::{CheckpointFacts, Reader, StoredSession, StoredTurn},
        rejection_key,
    },
    telemetry::visible,
};

pub const EXAMPLES: &str = "Examples:
  headspace verify          one line per finding; exit code 1 if there is any
  headspace verify --json   the same for scripts

An event that stands in no line is only a finding if its file was never rewritten:
what was captured stays, whatever became of its file.";

/// Sessions that are looked up together.
const SESSIONS: usize = 512;

#[derive(clap::Args)]
pub struct VerifyArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Default, Serialize)]
struct VerifyReport {
    files: u64,
    turns: u64,
    /// Files that changed since they were read, or hold something newer.
    not_read_yet: u64,
    /// Files that are gone; their events stay, and cannot be compared.
    gone: u64,
    /// Files with a checkpoint that are below none of the roots now.
    elsewhere: u64,
    findings: Vec<Mismatch>,
}

#[derive(Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Mismatch {
    kind: &'static str,
    path: String,
    offset: Option<u64>,
    event_id: Option<i64>,
    what: String,
}

/// A turn as its line tells it.
struct Expected {
    offset: u64,
    event: Box<Event>,
}

pub fn main(flags: &config::Flags, args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace")?;
    let mut report = super::runtime()?.block_on(async {
        let reader = super::reader(&settings)?;
        verify(&settings, &reader).await
    })?;
    report.findings.sort();
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(if report.findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn verify(settings: &Settings, reader: &Reader) -> anyhow::Result<VerifyReport> {
    let host = super::host();
    let roots = Roots::new(&settings.claude.roots);
    let limits = Limits {
        max_events: 512,
        max_line_bytes: settings.watch.max_line_bytes as u64,
        alone: false,
        evidence: false,
        now: Timestamp::now(),
    };
    let mut report = VerifyReport::default();
    for checkpoint in reader.checkpoints(&host).await? {
        let place = roots.place(Path::new(&checkpoint.path));
        if place == Place::Nothing {
            report.elsewhere += 1;
        } else {
            verify_file(reader, &host, &checkpoint, &place, limits, &mut report).await?;
        }
    }
    verify_sessions(reader, &host, &mut report).await?;
    for turn in reader.turns_from(&host, None).await? {
        if turn.source_is_polling() {
            report
                .findings
                .push(Mismatch::of(&turn, "extra", "comes from no file"));
        }
    }
    Ok(report)
}

async fn verify_file(
    reader: &Reader,
    host: &str,
    checkpoint: &CheckpointFacts,
    place: &Place,
    limits: Limits,
    report: &mut VerifyReport,
) -> anyhow::Result<()> {
    let path = checkpoint.path.as_str();
    let mut pieces: Vec<Vec<Entry>> = Vec::new();
    let done = reread(
        Path::new(path),
        place,
        &checkpoint.position(),
        limits,
        |entries| {
            pieces.push(
                entries
                    .into_iter()
                    .filter(|e| !matches!(e.what, What::Seen(_)))
                    .collect(),
            );
        },
    );
    match done? {
        Reread::Whole => report.files += 1,
        Reread::Changed => report.not_read_yet += 1,
        Reread::Gone => report.gone += 1,
    }
    if pieces.is_empty() {
        return Ok(());
    }
    let mut met = HashSet::new();
    for entries in pieces {
        verify_entries(reader, path, entries, &mut met, report).await?;
    }
    let stored = reader.turns_from(host, Some(path)).await?;
    // A file that was rewritten may say at one place what it said there before.
    if checkpoint.rewrites == 0 {
        report.findings.extend(repeated(&stored));
        let extra = stored
            .iter()
            .filter(|turn| !met.contains(&turn.id) && turn.source_is_polling());
        report
            .findings
            .extend(extra.map(|turn| Mismatch::of(turn, "extra", "stands in no line")));
    }
    Ok(())
}

/// Every beginning of a session and every end must be an event of its own.
async fn verify_sessions(
    reader: &Reader,
    host: &str,
    report: &mut VerifyReport,
) -> anyhow::Result<()> {
    for sessions in reader.sessions(host).await?.chunks(SESSIONS) {
        let due: Vec<Due<'_>> = sessions.iter().flat_map(Due::of).collect();
        let keys: Vec<&str> = due.iter().map(|due| due.key.as_str()).collect();
        let facts = reader.facts(&keys).await?;
        let ids: Vec<i64> = facts.values().copied().collect();
        let types = reader.event_types(&ids).await?;
        let missing = due.iter().filter(|due| due.is_missing(&facts, &types));
        report.findings.extend(missing.map(Due::finding));
    }
    Ok(())
}

/// An event that must be there because of a session's row.
struct Due<'a> {
    session: &'a StoredSession,
    event_type: EventType,
    key: FactKey,
    /// It is owed only if its fact is known: an earlier end may never have been.
    if_known: bool,
}

impl<'a> Due<'a> {
    fn of(session: &'a StoredSession) -> Vec<Due<'a>> {
        let uuid = &session.session_uuid;
        let last = u32::try_from(session.registrations).unwrap_or(u32::MAX);
        let begins = (1..=last).map(|n| Due {
            session,
            event_type: EventType::SessionRegistered,
            key: FactKey::registered(uuid, n),
            if_known: false,
        });
        let ends = (1..=last).map(|n| Due {
            session,
            event_type: EventType::SessionEnded,
            key: FactKey::ended(uuid, n),
            if_known: n < last || !session.has_ended,
        });
        begins.chain(ends).collect()
    }

    fn is_missing(&self, facts: &HashMap<String, i64>, types: &HashMap<i64, String>) -> bool {
        match facts.get(self.key.as_str()) {
            None => !self.if_known,
            Some(id) => types.get(id).map(String::as_str) != Some(self.event_type.as_str()),
        }
    }

    fn finding(&self) -> Mismatch {
        Mismatch {
            kind: "missing",
            path: self.session.path.clone().unwrap_or_default(),
            offset: None,
            event_id: None,
            what: format!("{} {}", self.event_type.as_str(), self.key),
        }
    }
}

/// Compares one piece of a file; `met` collects the events its lines stand for.
async fn verify_entries(
    reader: &Reader,
    path: &str,
    entries: Vec<Entry>,
    met: &mut HashSet<i64>,
    report: &mut VerifyReport,
) -> anyhow::Result<()> {
    let mut expected = Vec::new();
    let mut rejections = Vec::new();
    for Entry { offset, what } in entries {
        match what {
            What::Event(event) => expected.push(Expected { offset, event }),
            What::Rejected(rejection) => {
                rejections.push((offset, rejection_key(path, offset, &rejection)))
            }
            What::Seen(_) | What::Evidence(_) => {}
        }
    }
    report.turns += expected.len() as u64;
    let keys: Vec<&str> = expected
        .iter()
        .flat_map(|e| e.event.keys.iter().map(FactKey::as_str))
        .collect();
    let facts = reader.facts(&keys).await?;
    let ids: Vec<i64> = facts.values().copied().collect();
    let turns: HashMap<i64, StoredTurn> = reader
        .turns(&ids)
        .await?
        .into_iter()
        .map(|turn| (turn.id, turn))
        .collect();
    for one in &expected {
        compare(path, one, &facts, &turns, met, &mut report.findings);
    }
    let keys: Vec<String> = rejections.iter().map(|(_, key)| key.clone()).collect();
    let known: HashSet<String> = reader.rejections(&keys).await?.into_iter().collect();
    for (offset, key) in rejections {
        if !known.contains(&key) {
            report.findings.push(Mismatch::at(
                path,
                offset,
                "missing",
                "the rejection of a malformed line",
            ));
        }
    }
    Ok(())
}

/// A line's turn must be one event, and that must say what the line says.
fn compare(
    path: &str,
    expected: &Expected,
    facts: &HashMap<String, i64>,
    turns: &HashMap<i64, StoredTurn>,
    met: &mut HashSet<i64>,
    findings: &mut Vec<Mismatch>,
) {
    let ids: HashSet<i64> = expected
        .event
        .keys
        .iter()
        .filter_map(|key| facts.get(key.as_str()).copied())
        .collect();
    met.extend(&ids);
    let key = expected.event.keys[0].as_str();
    if ids.len() > 1 {
        findings.push(Mismatch::at(
            path,
            expected.offset,
            "doubled",
            &format!("stored as {ids:?}"),
        ));
    }
    let Some(id) = ids.iter().next() else {
        // A piece split off from a prompt of the same moment is no turn of its own.
        if expected.event.group.is_none() || !is_alone(expected) {
            findings.push(Mismatch::at(path, expected.offset, "missing", key));
        }
        return;
    };
    match turns.get(id) {
        None => findings.push(Mismatch::at(path, expected.offset, "missing", key)),
        Some(turn) => {
            if let Some(what) = difference(path, expected, turn) {
                findings.push(Mismatch::of(turn, "altered", &what));
            }
        }
    }
}

fn is_alone(expected: &Expected) -> bool {
    matches!(expected.event.group, Some(crate::event::Group::Alone(_)))
}

/// What differs between a line and its event. A copy in another session has
/// the first one's session and time.
fn difference(path: &str, expected: &Expected, turn: &StoredTurn) -> Option<String> {
    let Ok(Value::Object(stored)) = serde_json::from_str::<Value>(&turn.payload) else {
        return Some("the payload is no object".into());
    };
    let Ok(stored) = Payload::parse(EventType::TurnDetected, Value::Object(stored)) else {
        return Some("the payload is not valid".into());
    };
    let (Payload::TurnDetected(stored), Payload::TurnDetected(read)) =
        (&stored, &expected.event.payload)
    else {
        return Some("not a turn".into());
    };
    let own = turn.path.as_deref() == Some(path)
        && turn.source_offset == Some(expected.offset.cast_signed());
    let timed = own && !turn.observed;
    let fields = [
        ("actor", stored.actor == read.actor),
        ("text", stored.text == read.text),
        ("message_id", stored.message_id == read.message_id),
        (
            "session_uuid",
            !own || stored.session_uuid == read.session_uuid,
        ),
        (
            "turn_timestamp",
            !timed || stored.turn_timestamp == read.turn_timestamp,
        ),
        (
            "timestamp",
            !timed || turn.timestamp == expected.event.moment.at.to_string(),
        ),
    ];
    let different: Vec<&str> = fields
        .iter()
        .filter(|(_, same)| !same)
        .map(|(name, _)| *name)
        .collect();
    (!different.is_empty()).then(|| format!("differs in {}", different.join(", ")))
}

/// Events of one line that say the same.
fn repeated(stored: &[StoredTurn]) -> Vec<Mismatch> {
    let mut seen = HashSet::new();
    let said = |turn: &StoredTurn| {
        let payload: Value = serde_json::from_str(&turn.payload).unwrap_or_default();
        (
            turn.source_offset,
            payload["actor"].to_string(),
            payload["text"].to_string(),
        )
    };
    stored
        .iter()
        .filter(|turn| !seen.insert(said(turn)))
        .map(|turn| Mismatch::of(turn, "doubled", "says what another event of its line says"))
        .collect()
}

impl StoredTurn {
    /// Turns that hooks told of stand in no transcript.
    fn source_is_polling(&self) -> bool {
        serde_json::from_str::<Value>(&self.payload).is_ok_and(|p| p["source"] == "polling")
    }
}

impl Mismatch {
    fn at(path: &str, offset: u64, kind: &'static str, what: &str) -> Mismatch {
        Mismatch {
            kind,
            path: path.into(),
            offset: Some(offset),
            event_id: None,
            what: what.into(),
        }
    }

    fn of(turn: &StoredTurn, kind: &'static str, what: &str) -> Mismatch {
        Mismatch {
            kind,
            path: turn.path.clone().unwrap_or_default(),
            offset: turn.source_offset.map(i64::cast_unsigned),
            event_id: Some(turn.id),
            what: what.into(),
        }
    }
}

fn print(report: &VerifyReport) {
    for finding in &report.findings {
        let offset = finding
            .offset
            .map_or(String::new(), |offset| format!(":{offset}"));
        let event = finding
            .event_id
            .map_or(String::new(), |id| format!(" event {id}:"));
        say!(
            "{:8} {}{offset}{event} {}",
            finding.kind,
            visible(&finding.path),
            visible(&finding.what)
        );
    }
    let VerifyReport {
        files,
        turns,
        not_read_yet,
        gone,
        elsewhere,
        findings,
    } = report;
    say!(
        "{files} files, {turns} turns compared, {} findings",
        findings.len()
    );
    if *not_read_yet > 0 {
        say!("{not_read_yet} files changed since they were read: the watcher will read them again");
    }
    if *elsewhere > 0 {
        say!("{elsewhere} files are below none of the claude.roots and were not read");
    }
    if *gone > 0 {
        say!("{gone} files are gone; their events stay and cannot be compared");
    }
}
