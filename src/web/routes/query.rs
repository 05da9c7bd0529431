//! What a request asks for, typed. An error names its parameter.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    event::{EventType, Timestamp},
    store::{
        Filter,
        read::{AgentCursor, AgentFilter, NEEDS, PAGE_EVENTS, STATES},
    },
    web::error::Problem,
};

/// The query of an address. A list is a repeated parameter, which axum's own
/// `Query` does not read.
pub struct Query<T>(pub T);

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    #[serde(default)]
    types: Vec<Types>,
    #[serde(default)]
    project_id: Vec<Id>,
    #[serde(default)]
    agent_id: Vec<Id>,
    before: Option<Id>,
    after: Option<Id>,
    #[serde(default)]
    limit: Limit,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamQuery {
    #[serde(default)]
    types: Vec<Types>,
    #[serde(default)]
    project_id: Vec<Id>,
    #[serde(default)]
    agent_id: Vec<Id>,
    /// Read leniently: a client may add its own to one that is there.
    #[serde(default)]
    last_event_id: Vec<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentsQuery {
    #[serde(default)]
    state: Vec<String>,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    project_id: Vec<Id>,
    #[serde(default)]
    host: Vec<String>,
    open: Option<bool>,
    cursor: Option<Cursor>,
    #[serde(default)]
    limit: Limit,
}

/// Rows below an id.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeforeQuery {
    before: Option<Id>,
    #[serde(default)]
    limit: Limit,
}

#[derive(Debug, PartialEq, Deserialize)]
pub struct HealthQuery {
    #[serde(default)]
    pub strict: Switch,
}

/// A comma list.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
struct Types(Vec<EventType>);

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
struct Id(i64);

#[derive(Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
struct Limit(usize);

/// What an answer gave as its `next_cursor`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
struct Cursor(AgentCursor);

/// `?strict`, `?strict=1`; not `?strict=0` or `?strict=false`.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(from = "String")]
pub struct Switch(pub bool);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Query<T>, Problem> {
        read(parts.uri.query().unwrap_or_default()).map(Query)
    }
}

fn read<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs = serde_html_form::Deserializer::from_bytes(query.as_bytes());
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        // Without the place in a list: `agent_id[1]`.
        let path = error.path().to_string();
        let name = path.split('[').next().unwrap_or_default();
        Problem::bad_request(format!("{name}: {}", error.inner()))
    })
}

impl PageQuery {
    pub fn before(&self) -> Option<i64> {
        self.before.map(|id| id.0)
    }

    pub fn after(&self) -> Option<i64> {
        self.after.map(|id| id.0)
    }

    pub fn limit(&self) -> usize {
        self.limit.0
    }

    pub fn filter(self) -> Filter {
        filter(self.types, self.project_id, self.agent_id)
    }
}

impl AgentsQuery {
    pub fn cursor(&self) -> Option<AgentCursor> {
        self.cursor.map(|cursor| cursor.0)
    }

    pub fn limit(&self) -> usize {
        self.limit.0
    }

    pub fn filter(self) -> Result<AgentFilter, Problem> {
        Ok(AgentFilter {
            states: words("state", self.state, &STATES)?,
            needs: words("needs", self.needs, &NEEDS)?,
            project_ids: self.project_id.into_iter().map(|id| id.0).collect(),
            hosts: self.host,
            open: self.open,
            ..AgentFilter::default()
        })
    }
}

impl BeforeQuery {
    pub fn before(&self) -> Option<i64> {
        self.before.map(|id| id.0)
    }

    pub fn limit(&self) -> usize {
        self.limit.0
    }
}

impl StreamQuery {
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.last().map(String::as_str)
    }

    pub fn filter(self) -> Filter {
        filter(self.types, self.project_id, self.agent_id)
    }
}

/// The words of comma lists, each of which must be among the known ones.
fn words(name: &str, lists: Vec<String>, known: &[&str]) -> Result<Vec<String>, Problem> {
    let words: Vec<String> = lists
        .iter()
        .flat_map(|list| list.split(','))
        .map(str::to_owned)
        .collect();
    match words.iter().find(|word| !known.contains(&word.as_str())) {
        None => Ok(words),
        Some(word) => {
            let known = known.join(", ");
            Err(Problem::bad_request(format!(
                "{name}: unknown word {word:?}; known are {known}"
            )))
        }
    }
}

fn filter(types: Vec<Types>, projects: Vec<Id>, agents: Vec<Id>) -> Filter {
    let ids = |ids: Vec<Id>| ids.into_iter().map(|id| id.0).collect();
    Filter {
        types: types.into_iter().flat_map(|types| types.0).collect(),
        project_ids: ids(projects),
        agent_ids: ids(agents),
        ..Filter::default()
    }
}

impl TryFrom<String> for Types {
    type Error = String;

    fn try_from(list: String) -> Result<Types, String> {
        list.split(',')
            .map(event_type)
            .collect::<Result<_, _>>()
            .map(Types)
    }
}

fn event_type(word: &str) -> Result<EventType, String> {
    EventType::parse(word).ok_or_else(|| {
        let known = EventType::list();
        format!("unknown event type {word:?}; known are {known}")
    })
}

impl TryFrom<String> for Id {
    type Error = String;

    fn try_from(value: String) -> Result<Id, String> {
        let id = value.parse().ok().filter(|id| *id >= 0);
        id.map(Id).ok_or_else(|| format!("{value:?} is not an id"))
    }
}

impl TryFrom<String> for Cursor {
    type Error = String;

    fn try_from(value: String) -> Result<Cursor, String> {
        let parts = value.split_once('-');
        let cursor = parts.and_then(|(micros, id)| {
            Some(AgentCursor {
                last_seen_at: Timestamp::from_micros(micros.parse().ok()?),
                id: id.parse().ok()?,
            })
        });
        cursor
            .map(Cursor)
            .ok_or_else(|| format!("{value:?} is no next_cursor of an answer"))
    }
}

/// As [`Cursor`] reads it.
pub fn cursor_text(cursor: AgentCursor) -> String {
    format!("{}-{}", cursor.last_seen_at.micros(), cursor.id)
}

impl Default for Limit {
    fn default() -> Limit {
        Limit(100)
    }
}

impl TryFrom<String> for Limit {
    type Error = String;

    fn try_from(value: String) -> Result<Limit, String> {
        let limit = value.parse().ok();
        let limit = limit.filter(|limit| (1..=PAGE_EVENTS).contains(limit));
        limit
            .map(Limit)
            .ok_or_else(|| format!("{value:?} is not an integer from 1 to {PAGE_EVENTS}"))
    }
}

impl From<String> for Switch {
    fn from(value: String) -> Switch {
        Switch(!["0", "false"].contains(&value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_repeated_and_types_have_commas_too() {
        let query = "types=turn_detected,session_ended&types=session_registered\
            &project_id=1&agent_id=2&agent_id=3&last_event_id=4&last_event_id=5";
        let query: StreamQuery = read(query).unwrap();
        assert_eq!(query.last_event_id(), Some("5"));
        let filter = query.filter();
        assert_eq!(filter.types.len(), 3);
        assert_eq!(filter.project_ids, [1]);
        assert_eq!(filter.agent_ids, [2, 3]);
    }

    #[test]
    fn nothing_given_is_no_filter_and_the_usual_limit() {
        let query: PageQuery = read("").unwrap();
        assert_eq!((query.before(), query.after()), (None, None));
        assert_eq!(query.limit(), 100);
        assert_eq!(query.filter(), Filter::default());
    }

    #[test]
    fn an_error_names_its_parameter() {
        for (query, name) in [
            ("before=", "before: "),
            ("after=-1", "after: "),
            ("before=1&before=2", "before: "),
            ("limit=9999", "limit: "),
            ("agent_id=1&agent_id=x", "agent_id: "),
            ("project_id=", "project_id: "),
            ("types=turn_detected,turn", "types: "),
            ("colour=red", "colour: "),
        ] {
            let error = format!("{:?}", read::<PageQuery>(query).unwrap_err());
            assert!(error.contains(name), "{query}: {error}");
        }
    }

    #[test]
    fn strict_is_on_unless_it_is_switched_off() {
        for (query, strict) in [
            ("", false),
            ("strict", true),
            ("strict=", true),
            ("strict=1", true),
            ("a=b&strict=true", true),
            ("strict=0", false),
            ("strict=false", false),
            ("restrict", false),
        ] {
            let read: HealthQuery = read(query).unwrap();
            assert_eq!(read.strict, Switch(strict), "{query}");
        }
    }
}
