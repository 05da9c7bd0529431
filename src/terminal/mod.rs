//! The way to the terminal a session runs in.
//!
//! In: an agent's row; the name of this machine.
//! Out: the terminal's name as its own program has it; the terminal, shown.
//!
//! A program that is asked for a name and does not answer at once is done without. What is
//! run are commands that terminals document, with ids and paths of the right shape.
//!
//! Not here: where a session's terminal is (`show`).

mod focus;
mod tmux;

use std::{collections::HashMap, time::Duration};

use crate::{
    show::{self, Terminal},
    store::read::AgentRow,
    telemetry::visible,
};

/// How long tmux may take to name its panes.
const NAMING: Duration = Duration::from_millis(150);

/// Goes to its terminal. Both answers are a sentence that says where that is.
pub async fn reach(agent: &AgentRow, here: &str) -> Result<String, String> {
    let terminal = Terminal::of(agent);
    let places = places(std::iter::once(agent), here).await;
    let place = places.get(&agent.id).map(String::as_str);
    let gone = match &terminal {
        _ if !agent.open => Err("it has ended".to_owned()),
        _ if agent.host != here => Err("this is another machine".to_owned()),
        None => Err("no hook said where it is".to_owned()),
        Some(terminal) => focus::focus(terminal).await,
    };
    let said = format!(
        "{} is in {}",
        show::title(agent),
        place.unwrap_or("an unknown terminal")
    );
    let said = visible(&said).into_owned();
    gone.map(|()| said.clone())
        .map_err(|why| format!("{said}: {}", visible(&why)))
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
