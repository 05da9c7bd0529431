//! tmux: its panes have ids that stay, and names that people know.

use std::{
    collections::{HashMap, HashSet},
    process::Stdio,
    time::Duration,
};

use tokio::{process::Command, time::timeout};

use crate::show::Tmux;

/// The panes' names, like `work:2.1`, each server asked once.
pub async fn names<'a>(
    panes: impl Iterator<Item = &'a Tmux>,
    limit: Duration,
) -> HashMap<Tmux, String> {
    let sockets: HashSet<&String> = panes.map(|tmux| &tmux.socket).collect();
    let mut names = HashMap::new();
    for socket in sockets {
        for line in ask(socket, limit).await.unwrap_or_default().lines() {
            if let Some((pane, name)) = line.split_once(' ') {
                let (socket, pane) = (socket.clone(), pane.to_owned());
                names.insert(Tmux { socket, pane }, name.to_owned());
            }
        }
    }
    names
}

/// A line for each pane: its id, a space, its name.
async fn ask(socket: &str, limit: Duration) -> Option<String> {
    const FORMAT: &str = "#{pane_id} #{session_name}:#{window_index}.#{pane_index}";
    let mut tmux = Command::new("tmux");
    tmux.args(["-S", socket, "list-panes", "-a", "-F", FORMAT])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(limit, tmux.output()).await.ok()?.ok()?;
    String::from_utf8(output.stdout).ok()
}
