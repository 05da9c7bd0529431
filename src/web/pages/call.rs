//! A call of a tool: what it was given, and what came back.

use askama::Template;
use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};

use super::{
    Answer,
    conversation::{Call, call},
    frame::Frame,
    html,
    inbox::Inbox,
    rows::cut,
    visible::visible,
};
use crate::{
    content::{self, Kept, Lost},
    show,
    store::read::{AgentRow, ToolUseRow},
    web::{Shared, error::Problem, routes::agents::agent},
};

/// A field that is the whole of what a tool is asked for needs no name.
const PLAIN_FIELD: &str = "command";
/// Fields that an edit's change shows better.
const CHANGED_FIELDS: [&str; 3] = ["old_string", "new_string", "edits"];

#[derive(Template)]
#[template(path = "call.html", blocks = ["page"])]
struct Page {
    frame: Frame,
    id: i64,
    session: String,
    call: Call,
    inside: Inside,
}

#[derive(Template)]
#[template(path = "_inside.html")]
struct Fragment {
    inside: Inside,
}

#[derive(Default)]
struct Inside {
    /// Why there is nothing of it.
    lost: Option<String>,
    input: Parts,
    change: Vec<Changed>,
    change_left_out: usize,
    result: Option<Parts>,
}

#[derive(Default)]
struct Parts {
    shown: Vec<Shown>,
    left_out: usize,
}

struct Shown {
    name: Option<String>,
    text: String,
    left_out: usize,
}

struct Changed {
    mark: &'static str,
    text: String,
}

type Address = Result<Path<(i64, i64)>, PathRejection>;

pub async fn show(State(app): State<Shared>, address: Address) -> Answer {
    let (agent, row) = found(&app, address).await?;
    let (inbox, inside) = tokio::join!(Inbox::read(&app), inside(&app, &agent, &row));
    let inbox = inbox?;
    let title = format!("{} · {}", cut(&row.name, 80), cut(show::title(&agent), 160));
    html(&Page {
        frame: Frame::new(&inbox, &inbox.sessions(), &title),
        id: agent.id,
        session: cut(show::title(&agent), 160),
        call: call(&agent, &row, None, &inbox.now),
        inside: inside?,
    })
}

pub async fn fragment(State(app): State<Shared>, address: Address) -> Answer {
    let (agent, row) = found(&app, address).await?;
    html(&Fragment {
        inside: inside(&app, &agent, &row).await?,
    })
}

async fn found(app: &Shared, address: Address) -> Result<(AgentRow, ToolUseRow), Problem> {
    let Path((id, use_id)) =
        address.map_err(|_| Problem::bad_request("the ids are no integers"))?;
    let agent = agent(app, Ok(Path(id))).await?;
    let row = app.reader.tool_use(agent.id, use_id).await?;
    let row = row.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "there is no such call"))?;
    Ok((agent, row))
}

/// A transcript that is gone is no failure of the page.
async fn inside(app: &Shared, agent: &AgentRow, row: &ToolUseRow) -> Result<Inside, Problem> {
    let found = match Kept::of(&app.reader, agent, &app.host).await {
        Ok(kept) => content::call(&app.reader, &kept, row).await,
        Err(lost) => Err(lost),
    };
    match found {
        Ok(call) => Ok(Inside::of(call)),
        Err(Lost::Database(error)) => Err(error.into()),
        Err(lost) => Ok(Inside {
            lost: Some(visible(&lost.to_string()).into_owned()),
            ..Inside::default()
        }),
    }
}

impl Inside {
    fn of(call: content::Call) -> Inside {
        let is_changed = !call.change.is_empty();
        let is_needed = |part: &content::Part| {
            let name = part.name.as_deref().unwrap_or_default();
            !is_changed || !CHANGED_FIELDS.contains(&name)
        };
        // The record of the call may be gone, and only its result be kept.
        let mut input = call.input.unwrap_or_default();
        input.given.retain(is_needed);
        Inside {
            lost: None,
            input: parts(input),
            change: call.change.iter().map(|line| changed(line)).collect(),
            change_left_out: call.change_left_out,
            result: call.result.map(parts),
        }
    }
}

fn parts(parts: content::Parts) -> Parts {
    Parts {
        shown: parts.given.into_iter().map(shown).collect(),
        left_out: parts.left_out,
    }
}

fn shown(part: content::Part) -> Shown {
    Shown {
        name: part
            .name
            .filter(|name| name != PLAIN_FIELD)
            .map(|name| visible(&name).into_owned()),
        text: visible(&part.text).into_owned(),
        left_out: part.left_out,
    }
}

fn changed(line: &str) -> Changed {
    Changed {
        mark: match line.chars().next() {
            Some('+') => "added",
            Some('-') => "removed",
            Some('@') => "hunk",
            _ => "same",
        },
        text: visible(line).into_owned(),
    }
}
