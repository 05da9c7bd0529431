//! The terminal a session runs in, by what its hooks said of it.
//!
//! In: the column `terminal` of its agent.
//! Out: a name for the place, and the way there.
//!
//! Promises
//! - a program that is asked for a name and does not answer at once is done without
//! - what a hook reported reaches a command only if it has the shape of an id or a path
//!
//! Not here: which variables a hook reports (`cli::hook`).

mod focus;
mod tmux;

use std::{collections::HashMap, time::Duration};

use serde_json::{Map, Value};

use crate::store::read::AgentRow;
use tmux::Tmux;

/// How long tmux may take to name its panes.
const NAMING: Duration = Duration::from_millis(150);

/// Where a session can be found, the innermost first: a pane of tmux may be in any window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Terminal {
    Tmux(Tmux),
    /// By the session's id of iTerm2.
    Iterm(String),
    Kitty {
        window: String,
        listen_on: Option<String>,
    },
    Wezterm(String),
    VsCode,
    Tty(String),
}

impl Terminal {
    pub fn of(agent: &AgentRow) -> Option<Terminal> {
        let known = agent.terminal.as_ref().map(|json| json.get());
        let known: Map<String, Value> = known
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let text = |name: &str| known.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name: &str| text(name).filter(|id| is_number(id));
        let iterm = text("ITERM_SESSION_ID").or(agent.iterm_pane_id.clone());
        let vscode = || known.keys().any(|name| name.starts_with("VSCODE_"));
        if let Some(tmux) = Tmux::of(text("TMUX"), text("TMUX_PANE")) {
            return Some(Terminal::Tmux(tmux));
        }
        if let Some(id) = iterm.as_deref().and_then(iterm_id) {
            return Some(Terminal::Iterm(id));
        }
        if let Some(window) = number("KITTY_WINDOW_ID") {
            let listen_on = text("KITTY_LISTEN_ON");
            return Some(Terminal::Kitty { window, listen_on });
        }
        if let Some(pane) = number("WEZTERM_PANE") {
            return Some(Terminal::Wezterm(pane));
        }
        match text("tty") {
            _ if vscode() => Some(Terminal::VsCode),
            tty => tty.map(|tty| Terminal::Tty(short(&tty))),
        }
    }

    /// Its name where it says no more of itself.
    pub fn name(&self) -> String {
        match self {
            Terminal::Tmux(tmux) => format!("tmux {}", tmux.pane),
            Terminal::Iterm(_) => "iTerm".into(),
            Terminal::Kitty { window, .. } => format!("kitty {window}"),
            Terminal::Wezterm(pane) => format!("WezTerm {pane}"),
            Terminal::VsCode => "VS Code".into(),
            Terminal::Tty(tty) => tty.clone(),
        }
    }
}

/// The names of these agents' terminals, by the agents' ids. Of one on another machine
/// the place is that machine.
pub async fn places(agents: impl Iterator<Item = &AgentRow>, host: &str) -> HashMap<i64, String> {
    let mut places = HashMap::new();
    let mut in_tmux = Vec::new();
    for agent in agents {
        match Terminal::of(agent) {
            _ if agent.host != host => drop(places.insert(agent.id, agent.host.clone())),
            Some(Terminal::Tmux(tmux)) => in_tmux.push((agent.id, tmux)),
            Some(terminal) => drop(places.insert(agent.id, terminal.name())),
            None => {}
        }
    }
    let names = tmux::names(in_tmux.iter().map(|(_, tmux)| tmux), NAMING).await;
    for (id, tmux) in in_tmux {
        let name = names.get(&tmux).map(|name| format!("tmux {name}"));
        places.insert(id, name.unwrap_or_else(|| Terminal::Tmux(tmux).name()));
    }
    places
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `w0t1p0:5E1D…` names a session by what stands behind the colon.
fn iterm_id(text: &str) -> Option<String> {
    let id = text.rsplit(':').next()?;
    let is_id = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    (!id.is_empty() && id.bytes().all(is_id)).then(|| id.to_owned())
}

fn short(tty: &str) -> String {
    tty.strip_prefix("/dev/").unwrap_or(tty).to_owned()
}
