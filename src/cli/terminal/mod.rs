//! The way to the terminal a session runs in.
//!
//! In: a [`Terminal`].
//! Out: its name as the terminal's own program has it; the terminal, shown.
//!
//! A program that is asked for a name and does not answer at once is done without.
//!
//! Not here: where a session's terminal is (`show`).

mod focus;
mod tmux;

use std::{collections::HashMap, time::Duration};

pub use crate::show::Terminal;
use crate::{show::Tmux, store::read::AgentRow};

/// How long tmux may take to name its panes.
const NAMING: Duration = Duration::from_millis(150);

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
