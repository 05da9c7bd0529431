//! What one line of the spool means.

use serde_json::{Map, Value};

use super::Terms;
use crate::{
    event::{
        EndReason, Ending, EndsAt, Event, FactKey, Followed, HookReceived, Moment, Payload,
        SessionSeen, SessionViewed, Sign, Timestamp, What, hex_digest, storable,
    },
    spool::{self, Body, Observation, Registration, Sender},
};

/// What one line means; or why it means nothing, without its text.
pub fn read(line: &[u8], terms: &Terms<'_>) -> Result<Vec<What>, String> {
    let line = serde_json::from_slice(line).map_err(not_a_line)?;
    mean(line, terms)
}

pub fn not_a_line(error: serde_json::Error) -> String {
    format!("not a line of the spool: column {}", error.column())
}

pub fn mean(line: spool::Line, terms: &Terms<'_>) -> Result<Vec<What>, String> {
    let moment = Moment::of_record(Some(&line.received_at), terms.now);
    match line.body {
        Body::Hook { .. } | Body::Garbage { .. } if !terms.hooks => Ok(Vec::new()),
        Body::Hook {
            hook,
            sender,
            cut_from_bytes,
        } => hook_received(hook, sender, cut_from_bytes, moment, terms),
        Body::Observation { observed: reading } => observed(reading, moment),
        Body::Session { session } => Ok(vec![What::Seen(registered(session, moment))]),
        Body::Viewed {
            session_uuid,
            snoozed_until,
        } => viewed(&line.key, session_uuid, snoozed_until, moment),
        Body::Unregistered { session_uuid } => Ok(vec![What::Ended(Ending {
            session_uuid: storable(session_uuid),
            reason: EndReason::Unregistered,
            detail: None,
            at: EndsAt::Moment(moment.at),
        })]),
        Body::Exited {
            session_uuid,
            code,
            signal,
        } => Ok(vec![What::Ended(Ending {
            session_uuid: storable(session_uuid),
            reason: EndReason::Closed,
            detail: Some(match (code, signal) {
                (_, Some(signal)) => format!("ended by signal {signal}"),
                (Some(code), None) => format!("exit code {code}"),
                (None, None) => "exited".into(),
            }),
            at: EndsAt::Exit(moment.at),
        })]),
        Body::Garbage { reason, length, .. } => {
            Err(format!("hook_received: {reason}, of {length} bytes"))
        }
    }
}

fn registered(session: Registration, moment: Moment) -> SessionSeen {
    let project = storable(session.project_path);
    let folder = session.working_directory.map(storable);
    SessionSeen {
        working_directory: folder.or_else(|| Some(project.clone())),
        iterm_pane_id: session.iterm_pane_id.map(storable),
        git_remote: session.repository.remote.map(storable),
        git_branch: session.repository.branch.map(storable),
        registered: true,
        ..seen(&storable(session.session_uuid), project, moment)
    }
}

fn viewed(
    key: &str,
    session_uuid: String,
    snoozed_until: Option<String>,
    moment: Moment,
) -> Result<Vec<What>, String> {
    let session_uuid = storable(session_uuid);
    let key = FactKey::viewed(&session_uuid, key);
    let payload = Payload::SessionViewed(SessionViewed {
        session_uuid,
        snoozed_until,
    });
    let event = Event::new(payload, moment, vec![key], None).map_err(|why| why.to_string())?;
    Ok(vec![What::Event(Box::new(event))])
}

fn hook_received(
    mut hook: Map<String, Value>,
    sender: Option<Sender>,
    cut_from_bytes: Option<u64>,
    moment: Moment,
    terms: &Terms<'_>,
) -> Result<Vec<What>, String> {
    let whole = Value::Object(hook.clone()).to_string();
    let mut take = |name: &str| {
        let text = spool::text(&hook, name).map_err(|why| format!("hook_received: {why}"));
        let text = storable(text?.to_owned());
        hook.remove(name);
        Ok::<_, String>(text)
    };
    let session = take("session_id")?;
    let hook_type = take("hook_event_name")?;
    let folder = take("cwd")?;
    hook.extend(facts_of(sender, cut_from_bytes));
    let hook = storable_fields(hook);
    let keys = keys(&session, &whole, moment.at);
    let ends_reply = ["Stop", "StopFailure", "SessionEnd"].contains(&&*hook_type);
    let ends = hook_type == "SessionEnd";
    let word = |name: &str| hook.get(name).and_then(Value::as_str);
    let seen = SessionSeen {
        // Whether there is one decides at this moment whose words count.
        transcript_path: word("transcript_path")
            .filter(|_| ends_reply)
            .and_then(terms.transcript),
        by: match hook_type.as_str() {
            "SessionEnd" => Sign::End,
            "SessionStart" => Sign::Start,
            _ => Sign::Words,
        },
        ..seen(&session, folder.clone(), moment)
    };
    // One of no type is the CLI's own: it shortens a conversation, or warms up.
    let child = word("agent_id").filter(|_| word("agent_type").is_none_or(|kind| !kind.is_empty()));
    let child = child.map(|child| SessionSeen {
        parent: Some(session.clone()),
        ..self::seen(&format!("{session}/{child}"), folder.clone(), moment)
    });
    let ending = ends.then(|| Ending {
        session_uuid: session.clone(),
        reason: EndReason::Closed,
        detail: word("reason").map(str::to_owned),
        at: EndsAt::Moment(moment.at),
    });
    let payload = Payload::HookReceived(HookReceived {
        hook_type,
        claude_session_id: session,
        working_directory: folder,
        fields: hook,
    });
    let event = Event::new(payload, moment, keys, None).map_err(|refusal| refusal.to_string())?;
    // A test is of no session, and makes none.
    let is_test = event.payload.session() == Some(spool::SELF_TEST);
    let seen = [Some(seen), child].into_iter().flatten();
    let seen = seen.filter(|_| !is_test).map(What::Seen);
    let event = [What::Event(Box::new(event))];
    let ending = ending.map(What::Ended);
    Ok(seen.chain(event).chain(ending).collect())
}

fn storable_fields(fields: Map<String, Value>) -> Map<String, Value> {
    let fields = fields.into_iter();
    fields
        .map(|(name, value)| (storable(name), storable_value(value)))
        .collect()
}

fn storable_value(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(storable(text)),
        Value::Array(values) => values.into_iter().map(storable_value).collect(),
        Value::Object(fields) => Value::Object(storable_fields(fields)),
        other => other,
    }
}

/// What the registry said happened when its entry changed, not when it was read.
fn observed(observation: Observation, received: Moment) -> Result<Vec<What>, String> {
    let moment = match observation.status_updated_at {
        Some(millis) if observation.status != Observation::GONE => Moment {
            at: Timestamp::from_micros(millis.saturating_mul(1000)),
            observed: false,
        },
        _ => received,
    };
    let key = FactKey::observed(&observation.claude_session_id, &observation.key());
    let folder = observation.working_directory.clone();
    let folder = folder.filter(|_| observation.status != Observation::GONE);
    let active = folder.map(|folder| SessionSeen {
        by: Sign::Process {
            pid: observation.pid,
            started: observation.process_started.clone(),
        },
        ..seen(&observation.claude_session_id, folder, moment)
    });
    let followed = observation.successor.clone().map(|successor| Followed {
        session_uuid: storable(observation.claude_session_id.clone()),
        successor_uuid: storable(successor),
        pid: observation.pid,
        process_started: observation.process_started.clone(),
        at: received.at,
    });
    let fields = serde_json::json!({
        "claude_session_id": observation.claude_session_id,
        "status": observation.status,
        "pid": observation.pid,
        "waiting_for": observation.waiting_for,
        "process_started": observation.process_started,
        "working_directory": observation.working_directory,
    });
    let event = Payload::read("session_observed", fields)
        .and_then(|payload| Event::new(payload, moment, vec![key], None))
        .map_err(|refusal| refusal.to_string())?;
    let event = What::Event(Box::new(event));
    let active = active.map(What::Seen);
    let whats = active.into_iter().chain(followed.map(What::Followed));
    Ok(whats.chain([event]).collect())
}

fn seen(session: &str, folder: String, moment: Moment) -> SessionSeen {
    SessionSeen {
        session_uuid: session.to_owned(),
        parent: None,
        project_path: folder.clone(),
        working_directory: Some(folder),
        transcript_path: None,
        cli: "claude",
        git_remote: None,
        git_branch: None,
        iterm_pane_id: None,
        registered: false,
        by: Sign::Words,
        first: moment.at,
        last: moment.at,
    }
}

/// What the hook command knows beside the hook, under names no hook uses.
fn facts_of(sender: Option<Sender>, cut_from_bytes: Option<u64>) -> Map<String, Value> {
    let sender = sender.unwrap_or_default();
    let mut terminal = sender.environment;
    terminal.extend(sender.tty.map(|tty| ("tty".to_owned(), tty.into())));
    let terminal = (!terminal.is_empty()).then_some(Value::Object(terminal));
    [
        ("terminal", terminal),
        ("cli_pid", sender.cli_pid.map(Value::from)),
        ("cli_started", sender.cli_started.map(Value::from)),
        ("cut_from_bytes", cut_from_bytes.map(Value::from)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

/// A hook that stands in two settings files comes twice, within milliseconds
/// and word for word. Two like it share a key when they came within a second of
/// each other, and none when there were more than two between them.
fn keys(session: &str, hook: &str, at: Timestamp) -> Vec<FactKey> {
    let second = at.micros().div_euclid(1_000_000);
    let digest = hex_digest(hook);
    vec![
        FactKey::hook(session, second + 1, &digest),
        FactKey::hook(session, second, &digest),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Watched;
    use serde_json::json;

    const TERMS: Terms<'_> = Terms {
        now: Timestamp::UNIX_EPOCH,
        hooks: true,
        watched: &Watched::All,
        transcript: &|path| (path == "/t/s.jsonl").then(|| path.to_owned()),
    };

    fn line(received_at: &str, hook: &Value) -> String {
        json!({"key": "k", "received_at": received_at, "host": "h", "pid": 1, "kind": "hook",
               "hook": hook, "sender": {"cli_pid": 7, "tty": "/dev/pts/3",
               "environment": {"TMUX_PANE": "%1"}}})
        .to_string()
    }

    fn stop() -> Value {
        json!({"session_id": "s", "cwd": "/p", "hook_event_name": "Stop", "prompt_id": "p"})
    }

    fn event(received_at: &str, hook: &Value) -> Event {
        let line = line(received_at, hook);
        let mut entries = read(line.as_bytes(), &TERMS).unwrap();
        let Some(What::Event(event)) = entries.pop() else {
            panic!("no event");
        };
        assert!(matches!(&entries[..], [What::Seen(seen)] if seen.session_uuid == "s"));
        *event
    }

    #[test]
    fn a_hook_keeps_its_fields_and_says_where_it_ran() {
        let event = event("2026-11-21T01:02:03.000004Z", &stop());
        let payload: Value = serde_json::from_str(&event.payload.to_json()).unwrap();
        assert_eq!(
            payload,
            json!({"hook_type": "Stop", "claude_session_id": "s", "working_directory": "/p",
                   "prompt_id": "p", "cli_pid": 7,
                   "terminal": {"tty": "/dev/pts/3", "TMUX_PANE": "%1"}})
        );
        assert_eq!(event.moment.at.to_string(), "2026-11-21T01:02:03.000004Z");
    }

    #[test]
    fn the_same_hook_within_a_second_is_one_fact_and_later_it_is_another() {
        let keys = |at: &str| event(at, &stop()).keys;
        let first = keys("2026-11-21T01:02:03.9Z");
        let shares = |at: &str| keys(at).iter().any(|key| first.contains(key));
        assert!(shares("2026-11-21T01:02:03.9Z") && shares("2026-11-21T01:02:04.8Z"));
        assert!(shares("2026-11-21T01:02:03.0Z") && !shares("2026-11-21T01:02:06.0Z"));
        let mut other = stop();
        other["prompt_id"] = json!("q");
        assert!(
            !event("2026-11-21T01:02:03.9Z", &other)
                .keys
                .iter()
                .any(|key| first.contains(key))
        );
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_without_the_text() {
        let reason = |line: &str| read(line.as_bytes(), &TERMS).unwrap_err();
        for field in ["session_id", "cwd", "hook_event_name"] {
            let mut hook = stop();
            hook.as_object_mut().unwrap().remove(field);
            let missing = format!("hook_received: missing field {field}");
            assert_eq!(reason(&line("2026-11-21T01:02:03Z", &hook)), missing);
            hook[field] = json!(["secret"]);
            let wrong = format!("hook_received: field {field}: expected a text");
            assert_eq!(reason(&line("2026-11-21T01:02:03Z", &hook)), wrong);
        }
        assert!(reason("{\"tor").starts_with("not a line of the spool: "));
        let garbage = json!({"key": "k", "received_at": "", "host": "h", "pid": 1,
            "kind": "garbage", "reason": "not a JSON object: line 1, column 2",
            "length": 3, "excerpt": "secret"});
        assert_eq!(
            reason(&garbage.to_string()),
            "hook_received: not a JSON object: line 1, column 2, of 3 bytes"
        );
    }
}
