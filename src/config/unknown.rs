//! What to say about a name that is not known.

use figment::value::Value;

use super::Problem;
use super::keys::{self, Key};
use super::layer::Origin;
use super::nearest::nearest;

pub(super) fn section(origin: &Origin, name: &str, values: &Value) -> Vec<Problem> {
    if let Some(key) = keys::KEYS.iter().find(|key| key.name() == name) {
        let message = format!(
            "unknown section; did you mean {}?",
            origin.spelling(key.path)
        );
        return vec![Problem::new(origin.name(name), name, message)];
    }
    let known = keys::sections();
    let near = nearest(name, known.iter().copied());
    // In the environment a section has no line of its own: each variable is a problem.
    let paths = match (origin, values) {
        (Origin::Environment, Value::Dict(_, values)) => {
            values.keys().map(|key| format!("{name}.{key}")).collect()
        }
        _ => vec![name.to_string()],
    };
    let message = match near {
        Some(near) => format!("unknown section {name}; did you mean {near}?"),
        None => format!("unknown section {name}; there are {}", known.join(", ")),
    };
    let problem = |path: String| Problem::new(origin.name(&path), path, message.clone());
    paths.into_iter().map(problem).collect()
}

pub(super) fn key(origin: &Origin, section: &str, name: &str) -> String {
    let here = || keys::KEYS.iter().filter(|key| key.section() == section);
    let near = nearest(name, here().map(Key::name));
    let path = |name: &str| origin.spelling(&format!("{section}.{name}"));
    if let Some(near) = near {
        let meant = match origin {
            Origin::Environment => path(near),
            _ => near.to_string(),
        };
        return format!("unknown key; did you mean {meant}?");
    }
    // The right key in the wrong section.
    if let Some(key) = keys::KEYS.iter().find(|key| key.name() == name) {
        return format!("unknown key; did you mean {}?", origin.spelling(key.path));
    }
    let known: Vec<&str> = here().map(Key::name).collect();
    format!("unknown key; {section} has {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::check::tests::in_file;

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_name() {
        for (json, expected) in [
            (
                r#"{"event_system": {"write_retry_dely_ms": 5}}"#,
                "event_system.write_retry_dely_ms: unknown key; did you mean write_retry_delay_ms?",
            ),
            (
                r#"{"web": {"heartbeat_interval_seconds": 5}}"#,
                "web.heartbeat_interval_seconds: unknown key; did you mean sse.heartbeat_interval_seconds?",
            ),
            (
                r#"{"hooks": {"colour": 5}}"#,
                "hooks.colour: unknown key; hooks has enabled",
            ),
            (
                r#"{"evnt_system": {}}"#,
                "evnt_system: unknown section evnt_system; did you mean event_system?",
            ),
            (
                r#"{"write_retry_attempts": 4}"#,
                "write_retry_attempts: unknown section; did you mean event_system.write_retry_attempts?",
            ),
        ] {
            assert_eq!(in_file(json), [format!("c.yaml: {expected}")]);
        }
    }
}
