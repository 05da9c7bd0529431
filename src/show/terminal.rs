//! Where a session runs, as its hooks said: the column `terminal` of its agent.
//!
//! What a hook reported is taken only if it has the shape of an id or a path.

use crate::{derive::Terminal as Known, store::read::AgentRow};

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
        let column = agent.terminal.as_ref();
        let known = column.map_or(Ok(Known::default()), |json| {
            serde_json::from_str(json.get())
        });
        // What another version wrote may have other types: that is no known terminal.
        let known = known.unwrap_or_default();
        let number = |id: Option<String>| id.filter(|id| is_number(id));
        let iterm = known.iterm.or_else(|| agent.iterm_pane_id.clone());
        if let Some(tmux) = Tmux::of(known.tmux_socket, known.tmux) {
            return Some(Terminal::Tmux(tmux));
        }
        if let Some(id) = iterm.as_deref().and_then(iterm_id) {
            return Some(Terminal::Iterm(id));
        }
        if let Some(window) = number(known.kitty) {
            let listen_on = known.kitty_socket;
            return Some(Terminal::Kitty { window, listen_on });
        }
        if let Some(pane) = number(known.wezterm) {
            return Some(Terminal::Wezterm(pane));
        }
        match known.tty {
            _ if known.vscode.is_some() => Some(Terminal::VsCode),
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

/// A pane of the tmux server behind a socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tmux {
    pub socket: String,
    /// Like `%3`.
    pub pane: String,
}

impl Tmux {
    pub fn of(socket: Option<String>, pane: Option<String>) -> Option<Tmux> {
        let (socket, pane) = (socket?, pane?);
        let is_pane = pane.strip_prefix('%').is_some_and(is_number);
        (socket.starts_with('/') && is_pane).then_some(Tmux { socket, pane })
    }
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
