//! One input file beside its events, piece by piece.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs, io,
    path::Path,
};

use tokio::{sync::mpsc, task};

use super::{
    super::restore::{nameless, restore},
    Verification,
    report::Mismatch,
    turn::{difference, is_from_transcript, repeated},
};
use crate::{
    capture::{Reread, reread, reread_from},
    dialect::{Place, claude::Limits},
    event::{Entry, Event, FactKey, Group, Rejection, What},
    store::{
        read::{CheckpointFacts, StoredTurn},
        rejection_key,
    },
};

/// Pieces that are read ahead of the comparison.
const AHEAD: usize = 4;

/// What is known of a file while it is compared.
struct File<'a> {
    checkpoint: &'a CheckpointFacts,
    /// The events that its lines stand for.
    met: HashSet<i64>,
}

/// A turn as its line has it.
struct Expected {
    offset: u64,
    event: Box<Event>,
}

/// What is stored for the keys of a piece.
struct StoredFacts {
    facts: HashMap<String, i64>,
    turns: HashMap<i64, StoredTurn>,
}

impl Verification<'_> {
    pub(super) async fn file(
        &mut self,
        checkpoint: &CheckpointFacts,
        place: Place,
    ) -> anyhow::Result<()> {
        let mut found = self.read(checkpoint, place.clone(), None).await?;
        if found == Reread::Gone
            && let Some(copy) = self.copy(checkpoint).await?
        {
            found = self.read(checkpoint, place, Some(copy)).await?;
            if found == Reread::Whole {
                self.report.archived += 1;
            } else {
                self.damaged(checkpoint, "does not hold what was read");
                found = Reread::Gone;
            }
        }
        match found {
            Reread::Whole => self.report.files += 1,
            Reread::Changed => self.report.not_read_yet += 1,
            Reread::Gone => self.report.gone += 1,
        }
        Ok(())
    }

    /// Compares a file, or a copy of it, with its events.
    async fn read(
        &mut self,
        checkpoint: &CheckpointFacts,
        place: Place,
        copy: Option<fs::File>,
    ) -> anyhow::Result<Reread> {
        let (pieces, mut read) = mpsc::channel(AHEAD);
        let reading = read_again(checkpoint.clone(), place, copy, self.limits, pieces);
        let mut file = File {
            checkpoint,
            met: HashSet::new(),
        };
        let mut is_read = false;
        while let Some(entries) = read.recv().await {
            is_read = true;
            self.piece(&mut file, entries).await?;
        }
        let found = reading.await??;
        if is_read && checkpoint.rewrites == 0 {
            self.rest(&file).await?;
        }
        Ok(found)
    }

    /// What the archive holds of a file, if that is all that was read.
    async fn copy(&mut self, checkpoint: &CheckpointFacts) -> anyhow::Result<Option<fs::File>> {
        let (id, generation) = (checkpoint.id, checkpoint.rewrites);
        let first = self.reader.piece(id, generation, 0).await?;
        if first.is_none_or(|piece| piece.offset > 0) {
            return Ok(None);
        }
        let end = checkpoint.position().offset;
        let mut copy = nameless(self.folder)?;
        match restore(self.reader, id, generation, end, &mut copy).await {
            Ok(missing) => Ok(missing.is_empty().then_some(copy)),
            Err(error) if is_damage(&error) => {
                self.damaged(checkpoint, &format!("cannot be unpacked: {error}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn damaged(&mut self, checkpoint: &CheckpointFacts, what: &str) {
        let what = format!("the archive {what}");
        let finding = Mismatch::at(&checkpoint.path, 0, "damaged", &what);
        self.report.findings.push(finding);
    }

    /// Compares a piece of a file with what is stored of it.
    async fn piece(&mut self, file: &mut File<'_>, entries: Vec<Entry>) -> anyhow::Result<()> {
        let (expected, rejections) = sorted(entries);
        self.report.turns += expected.len() as u64;
        let stored = self.stored(&expected).await?;
        for one in &expected {
            self.compare(file, one, &stored);
        }
        self.rejections(&file.checkpoint.path, rejections).await
    }

    async fn stored(&self, expected: &[Expected]) -> anyhow::Result<StoredFacts> {
        let keys = expected.iter().flat_map(|one| &one.event.keys);
        let keys: Vec<&str> = keys.map(FactKey::as_str).collect();
        let facts = self.reader.facts(&keys).await?;
        let ids: BTreeSet<i64> = facts.values().copied().collect();
        let ids: Vec<i64> = ids.into_iter().collect();
        let turns = self.reader.turns(&ids).await?;
        let turns = turns.into_iter().map(|turn| (turn.id, turn)).collect();
        Ok(StoredFacts { facts, turns })
    }

    /// A line's turn must be one event, and that must say what the line says.
    fn compare(&mut self, file: &mut File<'_>, expected: &Expected, stored: &StoredFacts) {
        let Expected { offset, event } = expected;
        let keys = event.keys.iter().map(FactKey::as_str);
        let ids: HashSet<i64> = keys
            .filter_map(|key| stored.facts.get(key).copied())
            .collect();
        file.met.extend(&ids);
        let mut report = |kind, what: &str| {
            let finding = Mismatch::at(&file.checkpoint.path, *offset, kind, what);
            self.report.findings.push(finding);
        };
        if ids.len() > 1 {
            report("doubled", &format!("stored as {ids:?}"));
        }
        let id = ids.iter().next();
        match id.and_then(|id| stored.turns.get(id)) {
            // A piece split off from a prompt of the same moment is no turn of its own.
            None if id.is_none() && matches!(event.group, Some(Group::Alone(_))) => {}
            None => report("missing", event.keys[0].as_str()),
            Some(turn) => {
                let is_own = turn.checkpoint_id == Some(file.checkpoint.id)
                    && turn.source_offset == Some(offset.cast_signed());
                if let Some(what) = difference(event, turn, is_own) {
                    self.find(turn, "altered", &what);
                }
            }
        }
    }

    async fn rejections(
        &mut self,
        path: &str,
        rejections: Vec<(u64, Rejection)>,
    ) -> anyhow::Result<()> {
        let key = |(offset, rejection): &(u64, Rejection)| rejection_key(path, *offset, rejection);
        let keys: Vec<String> = rejections.iter().map(key).collect();
        let known: HashSet<String> = self.reader.rejections(&keys).await?.into_iter().collect();
        for ((offset, _), key) in rejections.iter().zip(&keys) {
            if !known.contains(key) {
                let what = "the rejection of a malformed line";
                let finding = Mismatch::at(path, *offset, "missing", what);
                self.report.findings.push(finding);
            }
        }
        Ok(())
    }

    /// What is stored of a file and stands in none of its lines, or twice in one. A
    /// file that was rewritten may have said it before.
    async fn rest(&mut self, file: &File<'_>) -> anyhow::Result<()> {
        let mut places = self.reader.turn_places(file.checkpoint.id).await?;
        places.retain(|(_, line)| line.is_none_or(|line| !file.checkpoint.is_due(line)));
        let mut at_place: HashMap<Option<i64>, usize> = HashMap::new();
        for (_, place) in &places {
            *at_place.entry(*place).or_default() += 1;
        }
        let is_met = |id: &i64| file.met.contains(id);
        let suspects = places
            .iter()
            .filter(|(id, place)| !is_met(id) || at_place[place] > 1);
        let suspects: Vec<i64> = suspects.map(|(id, _)| *id).collect();
        let suspects = self.reader.turns(&suspects).await?;
        for turn in repeated(&suspects) {
            self.find(turn, "doubled", "says what another event of its line says");
        }
        for turn in &suspects {
            if !is_met(&turn.id) && is_from_transcript(turn) {
                self.find(turn, "extra", "stands in no line");
            }
        }
        Ok(())
    }
}

/// Reads the file on a thread of its own, so that the database and the parser work
/// at the same time.
fn read_again(
    checkpoint: CheckpointFacts,
    place: Place,
    copy: Option<fs::File>,
    limits: Limits,
    pieces: mpsc::Sender<Vec<Entry>>,
) -> task::JoinHandle<io::Result<Reread>> {
    task::spawn_blocking(move || {
        let (path, upto) = (Path::new(&checkpoint.path), checkpoint.position());
        let each = |mut entries: Vec<Entry>| {
            entries.retain(|entry| !matches!(entry.what, What::Seen(_)));
            // The comparison has failed if it takes no more.
            let _ = pieces.blocking_send(entries);
        };
        match copy {
            Some(copy) => reread_from(&copy, path, &place, &upto, limits, each),
            None => reread(path, &place, &upto, limits, each),
        }
    })
}

fn is_damage(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::InvalidData)
}

fn sorted(entries: Vec<Entry>) -> (Vec<Expected>, Vec<(u64, Rejection)>) {
    let (mut expected, mut rejections) = (Vec::new(), Vec::new());
    for Entry { offset, what } in entries {
        match what {
            What::Event(event) => expected.push(Expected { offset, event }),
            What::Rejected(rejection) => rejections.push((offset, rejection)),
            What::Seen(_) | What::Ended(_) | What::Followed(_) | What::Evidence(_) => {}
        }
    }
    (expected, rejections)
}
