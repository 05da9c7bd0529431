//! What a request asks for: parameters, checked by name.

use axum::{
    extract::Query,
    http::{HeaderMap, Uri},
};

use crate::{
    event::EventType,
    store::{Filter, read::PAGE_EVENTS},
    stream::Start,
    web::error::Problem,
};

const DEFAULT_LIMIT: usize = 100;

#[derive(Debug, PartialEq)]
pub struct PageQuery {
    pub filter: Filter,
    pub before: Option<i64>,
    pub after: Option<i64>,
    pub limit: usize,
}

#[derive(Debug, PartialEq)]
pub struct StreamQuery {
    pub filter: Filter,
    pub start: Start,
}

pub fn page(uri: &Uri) -> Result<PageQuery, Problem> {
    let mut query = PageQuery {
        filter: Filter::default(),
        before: None,
        after: None,
        limit: DEFAULT_LIMIT,
    };
    for (name, value) in pairs(uri)? {
        match name.as_str() {
            "before" => query.before = Some(integer(&name, &value)?),
            "after" => query.after = Some(integer(&name, &value)?),
            "limit" => query.limit = limit(&value)?,
            _ => add_filter(&mut query.filter, &name, &value)?,
        }
    }
    Ok(query)
}

/// A browser that reconnects by itself sends the header, which is newer than
/// what its address says.
pub fn stream(uri: &Uri, headers: &HeaderMap) -> Result<StreamQuery, Problem> {
    let mut query = StreamQuery {
        filter: Filter::default(),
        start: Start::Live,
    };
    for (name, value) in pairs(uri)? {
        match name.as_str() {
            "last_event_id" => query.start = Start::parse(&value),
            _ => add_filter(&mut query.filter, &name, &value)?,
        }
    }
    if let Some(id) = headers.get("last-event-id").filter(|id| !id.is_empty()) {
        query.start = id.to_str().map_or(Start::Garbage, Start::parse);
    }
    Ok(query)
}

fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, Problem> {
    Query::try_from_uri(uri)
        .map(|Query(pairs)| pairs)
        .map_err(|_| Problem::bad_request("the query cannot be read"))
}

fn add_filter(filter: &mut Filter, name: &str, value: &str) -> Result<(), Problem> {
    match name {
        "types" => {
            for word in value.split(',') {
                filter.types.push(event_type(word)?);
            }
        }
        "project_id" => filter.project_ids.push(integer(name, value)?),
        "agent_id" => filter.agent_ids.push(integer(name, value)?),
        _ => return Err(Problem::bad_request(format!("unknown parameter {name:?}"))),
    }
    Ok(())
}

fn event_type(word: &str) -> Result<EventType, Problem> {
    EventType::parse(word).ok_or_else(|| {
        let known = EventType::list();
        Problem::bad_request(format!(
            "types: unknown event type {word:?}; known are {known}"
        ))
    })
}

fn integer(name: &str, value: &str) -> Result<i64, Problem> {
    let id = value.parse().ok().filter(|id| *id >= 0);
    id.ok_or_else(|| Problem::bad_request(format!("{name}: {value:?} is not an id")))
}

fn limit(value: &str) -> Result<usize, Problem> {
    let limit = value
        .parse()
        .ok()
        .filter(|limit| (1..=PAGE_EVENTS).contains(limit));
    limit.ok_or_else(|| {
        Problem::bad_request(format!(
            "limit: {value:?} is not an integer from 1 to {PAGE_EVENTS}"
        ))
    })
}
