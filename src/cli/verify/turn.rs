//! A stored turn beside the line it stands for: pure functions.

use std::{borrow::Cow, collections::HashMap};

use serde::Deserialize;

use crate::{
    event::{Actor, Event, Payload, TurnSource},
    store::read::StoredTurn,
};

/// The fields of a stored turn that follow from its line. A newer program may have
/// stored more.
#[derive(Deserialize)]
struct StoredWords<'a> {
    actor: Actor,
    #[serde(borrow)]
    text: Cow<'a, str>,
    #[serde(borrow)]
    session_uuid: Cow<'a, str>,
    #[serde(borrow)]
    turn_timestamp: Cow<'a, str>,
    #[serde(borrow)]
    message_id: Option<Cow<'a, str>>,
    source: TurnSource,
}

/// What differs between a line's event and what is stored for it. `is_own`: the
/// event came from this very line; a copy in another session has the first one's
/// session and time. A hook that spoke before there was a line knew no more than
/// who said it, and of a command not even the words that its line has.
pub fn difference(read: &Event, stored: &StoredTurn, is_own: bool) -> Option<String> {
    let Payload::TurnDetected(line) = &read.payload else {
        return Some("not a turn".into());
    };
    let said: StoredWords<'_> = match serde_json::from_str(&stored.payload) {
        Ok(said) => said,
        Err(error) => return Some(format!("the payload is not valid: {error}")),
    };
    if said.source == TurnSource::Hook {
        return (said.actor != line.actor).then(|| "differs in actor".into());
    }
    let is_timed = is_own && !stored.observed;
    let fields = [
        ("actor", said.actor == line.actor),
        ("text", said.text == line.text),
        (
            "message_id",
            said.message_id.as_deref() == line.message_id.as_deref(),
        ),
        (
            "session_uuid",
            !is_own || said.session_uuid == line.session_uuid,
        ),
        (
            "turn_timestamp",
            !is_timed || said.turn_timestamp == line.turn_timestamp,
        ),
        (
            "timestamp",
            !is_timed || stored.timestamp == read.moment.at.to_string(),
        ),
    ];
    let different = fields.iter().filter(|(_, is_same)| !is_same);
    let different: Vec<&str> = different.map(|(name, _)| *name).collect();
    (!different.is_empty()).then(|| format!("differs in {}", different.join(", ")))
}

/// Turns of one line that say what another one of that line says.
pub fn repeated(stored: &[StoredTurn]) -> Vec<&StoredTurn> {
    let mut lines: HashMap<Option<i64>, Vec<&StoredTurn>> = HashMap::new();
    for turn in stored {
        lines.entry(turn.source_offset).or_default().push(turn);
    }
    let mut repeated = Vec::new();
    for turns in lines.values().filter(|turns| turns.len() > 1) {
        for (index, turn) in turns.iter().enumerate() {
            let is_same = |earlier: &&StoredTurn| words(earlier) == words(turn);
            if turns[..index].iter().any(is_same) {
                repeated.push(*turn);
            }
        }
    }
    repeated
}

fn words(turn: &StoredTurn) -> Option<(Actor, String)> {
    let said: StoredWords<'_> = serde_json::from_str(&turn.payload).ok()?;
    Some((said.actor, said.text.into_owned()))
}

/// A turn that only a hook reported stands in no transcript.
pub fn is_from_transcript(turn: &StoredTurn) -> bool {
    #[derive(Deserialize)]
    struct SourceField<'a> {
        #[serde(borrow)]
        source: Cow<'a, str>,
    }
    serde_json::from_str(&turn.payload).is_ok_and(|said: SourceField<'_>| said.source == "polling")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(id: i64, offset: i64, text: &str) -> StoredTurn {
        StoredTurn {
            id,
            timestamp: String::new(),
            payload: format!(
                r#"{{"session_uuid":"s","actor":"user","text":"{text}","source":"polling",
                    "turn_timestamp":"2026-11-21T00:00:00Z","from_the_future":[1]}}"#
            ),
            observed: false,
            checkpoint_id: Some(1),
            source_offset: Some(offset),
        }
    }

    #[test]
    fn only_the_same_words_of_one_line_are_repeated() {
        let turns = [
            turn(1, 0, "a"),
            turn(2, 0, "b"),
            turn(3, 9, "a"),
            turn(4, 0, "a"),
            turn(5, 0, "a"),
        ];
        let mut ids: Vec<i64> = repeated(&turns).iter().map(|turn| turn.id).collect();
        ids.sort();
        assert_eq!(ids, [4, 5]);
        assert!(is_from_transcript(&turns[0]));
    }
}
