//! tmux: its panes have ids that stay, and names that people know.

use std::{
    collections::{HashMap, HashSet},
    process::Stdio,
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{process::Command, time::timeout};

use crate::show::Tmux;

/// The panes' names, like `work:2.1`, each server asked once, all at the same time.
pub async fn names<'a>(
    panes: impl Iterator<Item = &'a Tmux>,
    limit: Duration,
) -> HashMap<Tmux, String> {
    let sockets: HashSet<&String> = panes.map(|tmux| &tmux.socket).collect();
    let answers = sockets.into_iter().map(async |socket| {
        let answer = ask(socket, limit).await;
        // A server that does not answer names no panes.
        (socket, answer.unwrap_or_default())
    });
    let mut names = HashMap::new();
    for (socket, answer) in join_all(answers).await {
        for line in answer.lines() {
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

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    /// Servers that hang: each is asked while the others do not answer.
    #[tokio::test]
    async fn all_servers_are_asked_at_the_same_time() {
        let folder = tempfile::tempdir().unwrap();
        let servers = ["one", "two", "three"].map(|name| {
            let path = folder.path().join(name);
            let listener = UnixListener::bind(&path).unwrap();
            (path.to_string_lossy().into_owned(), listener)
        });
        let panes = servers.iter().map(|(socket, _)| Tmux {
            socket: socket.clone(),
            pane: "%0".into(),
        });
        let panes: Vec<Tmux> = panes.collect();
        let asked = async {
            let mut clients = Vec::new();
            for (_, listener) in &servers {
                clients.push(listener.accept().await.unwrap());
            }
        };
        let limit = Duration::from_secs(3600);
        let soon = timeout(Duration::from_secs(60), async {
            tokio::join!(names(panes.iter(), limit), asked).0
        });
        assert_eq!(soon.await.unwrap(), HashMap::new());
    }
}
