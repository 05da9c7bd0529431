//! `/openapi.json`: what programs may ask, as OpenAPI 3.1. What an answer holds comes from
//! the types that make it.

mod parts;

use axum::Json;
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    agents::{Agent, Agents, Command, Projects, Transitions, Turns},
    events::PageBody,
    health::Health,
    hooks,
    waits::Waits,
};
use crate::store::read::AgentRow;
use parts::{
    Operation, agent_filters, content, failure, filters, get, id, limit, post, problem, query,
};

pub async fn show() -> Json<Value> {
    Json(document())
}

/// The whole of it.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let settings = settings.with(|own| own.definitions_path = "/components/schemas".into());
    let mut api = Api {
        types: settings.into_generator(),
        paths: Map::new(),
    };
    api.describe();
    let mut schemas = api.types.take_definitions(true);
    schemas.insert("Problem".into(), problem());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "headspace",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "For programs of the same user on the same machine. Times are UTC with microseconds. \
                A request that writes has Content-Type: application/json.",
        },
        "paths": api.paths,
        "components": { "schemas": schemas },
    })
}

struct Api {
    types: SchemaGenerator,
    paths: Map<String, Value>,
}

impl Api {
    fn describe(&mut self) {
        let events = || [filters(), vec![id("before"), id("after"), limit()]].concat();
        let list = || vec![id("before"), limit()];

        let health =
            self.json::<Health>("How headspace does; for another user just status and version");
        let strict = query(
            "strict",
            "503 also when degraded",
            json!({"type": "boolean"}),
        );
        self.add(
            "get",
            "/health",
            get("Whether everything is recorded", vec![strict])
                .answer(200, health.clone())
                .answer(503, health),
        );
        self.add(
            "get",
            "/metrics",
            get("The same for Prometheus", vec![]).answer(
                200,
                content(
                    "text/plain",
                    json!({"type": "string"}),
                    "Counters and gauges",
                ),
            ),
        );
        self.add(
            "get",
            "/openapi.json",
            get("This document", vec![]).answer(
                200,
                content("application/json", json!({"type": "object"}), "OpenAPI 3.1"),
            ),
        );

        let page = self.json::<PageBody>(
            "Events, newest first; a stream if Accept asks for text/event-stream",
        );
        self.add(
            "get",
            "/api/events",
            get("A page of the log", events()).answer(200, page),
        );
        let last = query(
            "last_event_id",
            "Go on after this id; the header Last-Event-ID is stronger",
            json!({"type": "string"}),
        );
        self.add(
            "get",
            "/api/events/stream",
            get("The log as it grows", [filters(), vec![last]].concat())
                .answer(
                    200,
                    content(
                        "text/event-stream",
                        json!({"type": "string"}),
                        "event, id and data of each event; data is an Event",
                    ),
                )
                .answer(503, failure("All streams are taken; see Retry-After")),
        );

        let projects = self.json::<Projects>("All projects");
        self.add(
            "get",
            "/api/projects",
            get("The projects, with how many agents each has", vec![]).answer(200, projects),
        );
        let agents = self.json::<Agents>("Agents, the one seen last first");
        self.add(
            "get",
            "/api/agents",
            get("Sessions and their subagents", agent_filters()).answer(200, agents),
        );
        let agent = self.json::<Agent>("The agent");
        self.add(
            "get",
            "/api/agents/{id}",
            get("One agent, with its subagents", vec![]).answer(200, agent),
        );
        let turns = self.json::<Turns>("Turns, newest first");
        self.add(
            "get",
            "/api/agents/{id}/turns",
            get("What was said", list()).answer(200, turns),
        );
        let moves = self.json::<Transitions>("Events, newest first");
        self.add(
            "get",
            "/api/agents/{id}/transitions",
            get("How its state changed, and why", list()).answer(200, moves),
        );
        self.add(
            "get",
            "/api/agents/{id}/transcript",
            get("The transcript as the CLI wrote it", vec![]).answer(
                200,
                content(
                    "application/x-ndjson",
                    json!({"type": "string"}),
                    "A file to save",
                ),
            ),
        );
        let waits = self.json::<Waits>("The waits");
        self.add(
            "get",
            "/api/waits",
            get("What a person may be alerted of", vec![]).answer(200, waits),
        );
        let command = self.json::<Command>("The command");
        self.add(
            "get",
            "/api/commands/{id}",
            get("One command, with its turns and calls of tools", vec![]).answer(200, command),
        );

        let status = |more: &[&str]| -> Value {
            let mut properties = json!({"status": {"type": "string"}});
            for name in more {
                properties[*name] = json!({"type": ["string", "integer", "null"]});
            }
            json!({"type": "object", "required": ["status"], "properties": properties})
        };
        let none = json!({"type": "object", "additionalProperties": false});
        let minutes = json!({"type": "object", "additionalProperties": false, "properties": {
            "minutes": {"type": "integer", "minimum": 1, "maximum": 10_080, "default": 10}}});
        let accepted = || {
            content(
                "application/json",
                status(&[]),
                "On disk, not in the log yet",
            )
        };
        let viewed = || content("application/json", status(&["snoozed_until"]), "In the log");
        self.add(
            "post",
            "/api/agents/{id}/seen",
            post("A person looked at it", none.clone())
                .answer(200, viewed())
                .answer(202, accepted()),
        );
        self.add(
            "post",
            "/api/agents/{id}/snooze",
            post("A person puts it off", minutes)
                .answer(200, viewed())
                .answer(202, accepted()),
        );
        self.add(
            "post",
            "/api/agents/{id}/go",
            post("Shows its terminal", none)
                .answer(
                    200,
                    content("application/json", status(&["said"]), "It is shown"),
                )
                .answer(
                    409,
                    failure("It cannot be shown from here; detail says why"),
                ),
        );

        let session = json!({"type": "object", "required": ["session_uuid", "project_path"], "properties": {
            "session_uuid": {"type": "string"}, "project_path": {"type": "string"},
            "working_directory": {"type": "string"}, "iterm_pane_id": {"type": "string"}}});
        let created = status(&["agent_id", "session_uuid", "project_id", "project_name"]);
        self.add(
            "post",
            "/api/sessions",
            post("Registers a session", session)
                .answer(201, content("application/json", created, "In the log"))
                .answer(202, accepted()),
        );
        let row = self.json::<AgentRow>("Its agent");
        self.add(
            "get",
            "/api/sessions/{uuid}",
            get("A session by its uuid", vec![]).answer(200, row),
        );
        self.add(
            "delete",
            "/api/sessions/{uuid}",
            get("Ends a session", vec![])
                .answer(
                    200,
                    content("application/json", status(&["session_uuid"]), "In the log"),
                )
                .answer(202, accepted()),
        );

        let hook = json!({"type": "object", "required": ["session_id"]});
        let kept = || content("application/json", json!({"type": "object"}), "On disk");
        self.add(
            "post",
            "/hook",
            post("Any hook of the CLI", hook.clone()).answer(200, kept()),
        );
        self.add(
            "post",
            "/hook/{name}",
            post("A hook that the address may name", hook).answer(200, kept()),
        );
        let hooks = self.json::<hooks::Status>("What came");
        self.add(
            "get",
            "/hook/status",
            get("Which hooks come, and when the last one came", vec![]).answer(200, hooks),
        );
    }

    fn add(&mut self, method: &str, path: &str, operation: Operation) {
        let Operation(mut operation) = operation;
        let own = path
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split('}').next());
        for name in own {
            let kind = if name == "id" { "integer" } else { "string" };
            let parameter =
                json!({"name": name, "in": "path", "required": true, "schema": {"type": kind}});
            operation["parameters"]
                .as_array_mut()
                .expect("a list")
                .push(parameter);
        }
        let at = self.paths.entry(path).or_insert_with(|| json!({}));
        at[method] = operation;
    }

    /// An answer of this type.
    fn json<T: JsonSchema>(&mut self, what: &str) -> Value {
        content(
            "application/json",
            self.types.subschema_for::<T>().to_value(),
            what,
        )
    }
}
