//! Going to a terminal, by the commands its program documents.

use std::{env, path::Path, process::Stdio, time::Duration};

use tokio::{process::Command, time::timeout};

use crate::show::{Terminal, Tmux};

/// How long a terminal may take to answer, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// Shows it to the person; else says why not.
pub async fn focus(terminal: &Terminal) -> Result<(), String> {
    match terminal {
        Terminal::Tmux(tmux) => focus_pane(tmux).await,
        Terminal::Kitty { window, listen_on } => {
            let mut words = vec!["@"];
            if let Some(address) = listen_on {
                words.extend(["--to", address]);
            }
            let window = format!("id:{window}");
            words.extend(["focus-window", "--match", &window]);
            run("kitten", &words).await.map(drop)
        }
        Terminal::Wezterm(pane) => {
            let words = ["cli", "activate-pane", "--pane-id", pane];
            run("wezterm", &words).await.map(drop)
        }
        Terminal::Iterm(id) => run("osascript", &["-e", &iterm_script(id)]).await.map(drop),
        Terminal::VsCode | Terminal::Tty(_) => {
            Err("this terminal cannot be gone to from outside".into())
        }
    }
}

/// The pane becomes its window's active one, and the window its session's. A person who is
/// in the same tmux is taken there; else the session's own clients show it.
async fn focus_pane(tmux: &Tmux) -> Result<(), String> {
    let socket = &tmux.socket;
    if !Path::new(socket).exists() {
        return Err(format!(
            "there is no {socket} for this process: its tmux has ended, or a service runs in its sandbox"
        ));
    }
    let words = |words: &[&str]| {
        let all = [&["-S", &*tmux.socket], words].concat();
        all.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let pane = &*tmux.pane;
    run("tmux", &words(&["select-window", "-t", pane])).await?;
    run("tmux", &words(&["select-pane", "-t", pane])).await?;
    let own = Tmux::of(own_socket(), env::var("TMUX_PANE").ok());
    if own.is_some_and(|own| own.socket == tmux.socket) {
        run("tmux", &words(&["switch-client", "-t", pane])).await?;
        return Ok(());
    }
    let clients = run("tmux", &words(&["list-clients", "-t", pane])).await?;
    match clients.trim().is_empty() {
        false => Ok(()),
        true => Err(format!(
            "no terminal shows this tmux; `tmux -S {} attach-session -t '{pane}'`",
            tmux.socket
        )),
    }
}

/// Of the tmux around this process; its variable names the server and the session too.
fn own_socket() -> Option<String> {
    let variable = env::var("TMUX").ok()?;
    variable.split(',').next().map(str::to_owned)
}

fn iterm_script(id: &str) -> String {
    format!(
        "tell application \"iTerm2\"\n\
         repeat with aWindow in windows\n\
         repeat with aTab in tabs of aWindow\n\
         repeat with aSession in sessions of aTab\n\
         if id of aSession is \"{id}\" then\n\
         select aWindow\n\
         tell aTab to select\n\
         tell aSession to select\n\
         activate\n\
         return\n\
         end if\n\
         end repeat\n\
         end repeat\n\
         end repeat\n\
         error \"this session is in no window of iTerm\"\n\
         end tell"
    )
}

/// What the program printed; if it failed, what it complained of.
async fn run(program: &str, words: &[impl AsRef<std::ffi::OsStr>]) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).kill_on_drop(true);
    let output = match timeout(PATIENCE, command.output()).await {
        Err(_) => return Err(format!("{program} does not answer")),
        Ok(Err(error)) => return Err(format!("{program} cannot be started: {error}")),
        Ok(Ok(output)) => output,
    };
    let complaint = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{program}: {}", complaint.trim())),
    }
}
