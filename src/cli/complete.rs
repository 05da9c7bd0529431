//! What a shell offers where a command takes a session: ids, each with its title.
//!
//! The shell asks this program while a person types, so it answers soon or not at all,
//! and never with an error.

use std::{ffi::OsStr, time::Duration};

use clap_complete::{ArgValueCompleter, CompletionCandidate};
use jiff::Timestamp;
use tokio::time::timeout;

use crate::{
    config,
    show::{self, Mark, Session},
    store::read::{AgentFilter, AgentRow, PAGE_ROWS},
    telemetry::visible,
};

/// By which the shells' functions ask.
pub const VARIABLE: &str = "HEADSPACE_COMPLETE";

/// How long a person waits for it.
const PATIENCE: Duration = Duration::from_secs(1);
/// More than these are no help.
const OFFERED: usize = 100;
const TITLE_CHARS: usize = 60;

/// Open sessions.
pub fn of_open() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| offer(typed, true))
}

/// Sessions, the ones that have ended too.
pub fn of_all() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| offer(typed, false))
}

fn offer(typed: &OsStr, open_only: bool) -> Vec<CompletionCandidate> {
    // An error would stand in the middle of the line that is typed: no session is offered.
    let agents = agents(open_only).unwrap_or_default();
    let typed = typed.to_string_lossy();
    let sessions = show::sessions(&agents);
    let fitting = sessions.iter().filter_map(|session| {
        let value = value(session.agent, &typed)?;
        Some(CompletionCandidate::new(value).help(Some(described(session).into())))
    });
    let ordered = fitting.take(OFFERED).enumerate();
    ordered
        .map(|(place, candidate)| candidate.display_order(Some(place)))
        .collect()
}

/// Those seen last, as the settings without flags have them.
fn agents(open_only: bool) -> Option<Vec<AgentRow>> {
    let settings = config::load(&config::Flags::default()).ok()?;
    let filter = AgentFilter {
        open: open_only.then_some(true),
        ..AgentFilter::default()
    };
    let look = async {
        let reader = super::brief_reader(&settings).ok()?;
        let agents = timeout(PATIENCE, reader.agents(&filter, None, PAGE_ROWS));
        agents.await.ok()?.ok()
    };
    super::runtime().ok()?.block_on(look)
}

/// The name that goes on from what was typed: the id, else the uuid.
fn value(agent: &AgentRow, typed: &str) -> Option<String> {
    let names = [agent.id.to_string(), agent.session_uuid.clone()];
    names.into_iter().find(|name| name.starts_with(typed))
}

/// `fix login · shop_api · ■ 3 min`
fn described(session: &Session<'_>) -> String {
    let agent = session.agent;
    let title: String = show::title(agent).chars().take(TITLE_CHARS).collect();
    let age = show::age(session.since(), Timestamp::now());
    let glyph = Mark::glyph(session.mark);
    let text = format!("{title} · {} · {glyph} {}", agent.project_name, age.words());
    visible(&text).into_owned()
}
