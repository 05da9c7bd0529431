//! From a record to drafts: what was said, as events with their keys.

use serde_json::{Map, Value};

use crate::event::{Draft, FactKey, Group, Moment};

use super::record::{Record, Said};

/// The drafts of one record of `session`; `line` is what to know it by if it
/// has nothing else.
pub fn drafts(
    record: &Record,
    said: Said,
    session: &str,
    moment: Moment,
    line: &impl Fn() -> FactKey,
) -> Vec<Draft> {
    match said {
        Said::Nothing => Vec::new(),
        Said::User(text) => vec![user(record, text, session, moment, line)],
        Said::Agent { message_id, blocks } => blocks
            .into_iter()
            .map(|text| agent(record, message_id.as_deref(), text, session, moment, line))
            .collect(),
    }
}

fn user(
    record: &Record,
    text: String,
    session: &str,
    moment: Moment,
    line: &impl Fn() -> FactKey,
) -> Draft {
    let mut keys = Vec::new();
    keys.extend(
        record
            .uuid
            .as_deref()
            .map(|uuid| FactKey::user_record(uuid, &text)),
    );
    keys.extend((!moment.observed).then(|| FactKey::user_words(session, moment.at, &text)));
    if keys.is_empty() {
        keys.push(line());
    }
    let alone = text.is_empty() && !moment.observed;
    Draft {
        group: alone.then(|| Group::Alone(FactKey::moment(session, moment.at))),
        ..turn("user", text, session, moment, keys)
    }
}

fn agent(
    record: &Record,
    message_id: Option<&str>,
    text: String,
    session: &str,
    moment: Moment,
    line: &impl Fn() -> FactKey,
) -> Draft {
    let key = match (message_id, record.uuid.as_deref()) {
        (Some(id), _) => FactKey::agent_block(id, &text),
        (None, Some(uuid)) => FactKey::agent_block(&format!("record/{uuid}"), &text),
        (None, None) => FactKey::agent_block(line().as_str(), &text),
    };
    let group = message_id.map(|_| Group::Part(key.start().to_owned()));
    let mut draft = turn("agent", text, session, moment, vec![key]);
    if let Some(id) = message_id {
        draft.payload.insert("message_id".into(), id.into());
    }
    Draft { group, ..draft }
}

fn turn(actor: &str, text: String, session: &str, moment: Moment, keys: Vec<FactKey>) -> Draft {
    let mut payload = Map::new();
    payload.insert("session_uuid".into(), session.into());
    payload.insert("actor".into(), actor.into());
    payload.insert("text".into(), Value::String(text));
    payload.insert("source".into(), "polling".into());
    payload.insert("turn_timestamp".into(), moment.at.to_string().into());
    Draft {
        event_type: "turn_detected".into(),
        payload,
        moment,
        keys,
        group: None,
    }
}
