//! What the document is made of: a request with its parameters, and its answers.

use serde_json::{Value, json};

use crate::{
    event::EventType,
    store::read::{NEEDS, STATES},
};

/// A request, as it is written down.
pub struct Operation(pub Value);

impl Operation {
    pub fn answer(mut self, status: u16, answer: Value) -> Operation {
        self.0["responses"][status.to_string()] = answer;
        self
    }
}

pub fn get(does: &str, parameters: Vec<Value>) -> Operation {
    let responses = json!({"default": failure("What is wrong, in words")});
    Operation(json!({"summary": does, "parameters": parameters, "responses": responses}))
}

pub fn post(does: &str, body: Value) -> Operation {
    let mut operation = get(does, vec![]);
    operation.0["requestBody"] = json!({"content": {"application/json": {"schema": body}}});
    operation
}

pub fn content(kind: &str, schema: Value, what: &str) -> Value {
    json!({"description": what, "content": {kind: {"schema": schema}}})
}

pub fn failure(what: &str) -> Value {
    content(
        "application/problem+json",
        json!({"$ref": "#/components/schemas/Problem"}),
        what,
    )
}

pub fn problem() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"}, "title": {"type": "string"},
            "status": {"type": "integer"}, "detail": {"type": "string"},
        },
    })
}

pub fn query(name: &str, does: &str, schema: Value) -> Value {
    json!({"name": name, "in": "query", "description": does, "schema": schema})
}

pub fn id(name: &str) -> Value {
    query(
        name,
        &format!("Only what is {name} this id"),
        json!({"type": "integer", "minimum": 0}),
    )
}

pub fn limit() -> Value {
    query(
        "limit",
        "At most so many",
        json!({"type": "integer", "minimum": 1, "maximum": 500, "default": 100}),
    )
}

/// A list, repeated or with commas.
fn words(name: &str, known: &[&str]) -> Value {
    let schema = json!({"type": "array", "items": {"type": "string", "enum": known}});
    let mut parameter = query(name, "One of these; a comma list, repeatable", schema);
    parameter["explode"] = false.into();
    parameter
}

fn ids(name: &str) -> Value {
    query(
        name,
        "One of these; repeatable",
        json!({"type": "array", "items": {"type": "integer"}}),
    )
}

pub fn filters() -> Vec<Value> {
    let types: Vec<&str> = EventType::ALL.iter().map(|kind| kind.as_str()).collect();
    vec![words("types", &types), ids("project_id"), ids("agent_id")]
}

pub fn agent_filters() -> Vec<Value> {
    let hosts = json!({"type": "array", "items": {"type": "string"}});
    vec![
        words("state", &STATES),
        words("needs", &NEEDS),
        ids("project_id"),
        query("host", "One of these; repeatable", hosts),
        query(
            "open",
            "Only open ones, or only ended ones",
            json!({"type": "boolean"}),
        ),
        query(
            "cursor",
            "The next_cursor of the answer before",
            json!({"type": "string"}),
        ),
        limit(),
    ]
}
