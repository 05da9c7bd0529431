//! From a record to events: what was said, with its keys.

use crate::event::{
    Actor, Event, FactKey, Group, Moment, Payload, Refusal, TurnDetected, TurnSource,
};

use super::{
    detail::{Detail, Scalar},
    record::Record,
    said::Said,
};

/// The events of one record of `session`; `line` is what to know it by if it
/// has nothing else.
pub fn events<D: Detail>(
    record: &Record<D>,
    said: Said,
    session: &str,
    moment: Moment,
    line: &impl Fn() -> FactKey,
) -> Vec<Result<Event, Refusal>> {
    match said {
        Said::Nothing => Vec::new(),
        Said::User(text) => vec![user(record, text, session, moment, line)],
        Said::Agent { message_id, blocks } => blocks
            .into_iter()
            .map(|text| agent(record, message_id.as_deref(), text, session, moment, line))
            .collect(),
    }
}

fn user<D: Detail>(
    record: &Record<D>,
    text: String,
    session: &str,
    moment: Moment,
    line: &impl Fn() -> FactKey,
) -> Result<Event, Refusal> {
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
    let group = alone.then(|| Group::Alone(FactKey::moment(session, moment.at)));
    let turn = turn(Actor::User, text, session, moment, None);
    let prompt_id = record.prompt_id.as_ref().and_then(Scalar::text);
    Ok(Event {
        prompt_id: prompt_id.map(str::to_owned),
        ..Event::new(turn, moment, keys, group)?
    })
}

fn agent<D: Detail>(
    record: &Record<D>,
    message_id: Option<&str>,
    text: String,
    session: &str,
    moment: Moment,
    line: &impl Fn() -> FactKey,
) -> Result<Event, Refusal> {
    let key = match (message_id, record.uuid.as_deref()) {
        (Some(id), _) => FactKey::agent_block(id, &text),
        (None, Some(uuid)) => FactKey::agent_block(&format!("record/{uuid}"), &text),
        (None, None) => FactKey::agent_block(line().as_str(), &text),
    };
    let group = message_id.map(|_| Group::Part(key.start().to_owned()));
    let turn = turn(Actor::Agent, text, session, moment, message_id);
    Event::new(turn, moment, vec![key], group)
}

fn turn(
    actor: Actor,
    text: String,
    session: &str,
    moment: Moment,
    message_id: Option<&str>,
) -> Payload {
    Payload::TurnDetected(TurnDetected {
        session_uuid: session.to_owned(),
        actor,
        text,
        source: TurnSource::Polling,
        turn_timestamp: moment.at.to_string(),
        message_id: message_id.map(str::to_owned),
        part: None,
        intent: None,
        confidence: None,
        rule: None,
    })
}
