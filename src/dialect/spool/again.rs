//! A stored event as the line that it came by.

use serde_json::{Map, Value};

use crate::{
    event::{EndReason, Payload, Timestamp},
    spool::{Body, Line, Observation},
};

/// The line; none for what came by no line of the spool. An end by the clock comes as
/// one that was asked for: no clock runs when what was stored is read again.
pub fn line_of(payload: &Payload, at: Timestamp, host: &str) -> Option<Line> {
    let body = match payload {
        Payload::HookReceived(hook) => Body::Hook {
            hook: hook_of(hook.fields.clone(), hook),
            sender: None,
            cut_from_bytes: None,
        },
        Payload::SessionObserved(seen) => {
            let fields = serde_json::to_value(seen).ok()?;
            let mut observed: Observation = serde_json::from_value(fields).ok()?;
            let is_gone = observed.status == Observation::GONE;
            observed.status_updated_at = (!is_gone).then(|| at.micros().div_euclid(1000));
            Body::Observation { observed }
        }
        Payload::SessionViewed(viewed) => Body::Viewed {
            session_uuid: viewed.session_uuid.clone(),
            snoozed_until: viewed.snoozed_until.clone(),
        },
        Payload::SessionEnded(ended) if ended.reason != EndReason::Closed => Body::Unregistered {
            session_uuid: ended.session_uuid.clone(),
        },
        _ => return None,
    };
    Some(Line::new(at.to_string(), host.to_owned(), body))
}

fn hook_of(
    mut fields: Map<String, Value>,
    hook: &crate::event::HookReceived,
) -> Map<String, Value> {
    for (name, value) in [
        ("session_id", &hook.claude_session_id),
        ("hook_event_name", &hook.hook_type),
        ("cwd", &hook.working_directory),
    ] {
        fields.insert(name.to_owned(), value.clone().into());
    }
    fields
}
