//! JSON Schemas of the payloads, generated from the types that check them.

use serde_json::Value;

use super::EventType;

/// One schema per event type, in the taxonomy's order.
pub fn schemas() -> Vec<(EventType, Value)> {
    EventType::ALL
        .iter()
        .map(|&kind| {
            let mut schema = kind.schema();
            schema.insert("title".into(), kind.as_str().into());
            (kind, schema.to_value())
        })
        .collect()
}
