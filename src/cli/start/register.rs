//! Lines of the spool: a session begins, and is over.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use serde_json::{Map, Value, json};

use super::arguments::Session;
use crate::{
    cli::{self, hook::origin},
    config,
    dialect::claude::repository_of,
    event::Timestamp,
    spool::{Body, LAUNCHER_START, Line, Registration, Repository, Sender, Spool},
};

const LIMIT: Duration = Duration::from_secs(2);

/// What is known of this start.
pub struct Launch {
    pub spool: Spool,
    pub folder: PathBuf,
    /// The process that becomes `claude`, and its terminal.
    sender: Sender,
    /// Not yet, if only the CLI knows which.
    pub session: Option<String>,
    /// Where the CLI may say so.
    pub roots: Vec<PathBuf>,
}

/// Registers the session, as far as it is known; nothing if there will be none.
pub fn launch(flags: &config::Flags, session: Session) -> anyhow::Result<Option<Launch>> {
    let session = match session {
        Session::NotOurs => return Ok(None),
        Session::Named(id) => Some(id),
        Session::New | Session::Later => None,
    };
    let state = config::state_folder(flags)?;
    let launch = Launch {
        spool: Spool::of(&state),
        sender: origin::of_cli(std::process::id()),
        folder: std::env::current_dir().context("the working folder is gone")?,
        // Wrong settings are no reason to start nothing.
        roots: config::load(flags).map_or_else(|_| Vec::new(), |settings| settings.claude.roots),
        session,
    };
    match &launch.session {
        Some(id) => launch.begin(id)?,
        None => launch.spool.prepare()?,
    }
    Ok(Some(launch))
}

impl Launch {
    pub fn begin(&self, session: &str) -> anyhow::Result<()> {
        let found = repository_of(&self.folder);
        let session = Registration {
            session_uuid: session.to_owned(),
            project_path: text(&self.folder)?,
            working_directory: None,
            iterm_pane_id: std::env::var("ITERM_SESSION_ID").ok(),
            repository: Repository {
                remote: found.remote,
                branch: found.branch,
            },
        };
        let hook = json!({
            "session_id": session.session_uuid, "cwd": session.project_path,
            "hook_event_name": LAUNCHER_START,
        });
        self.append(Body::Session { session })?;
        let hook: Map<String, Value> = hook.as_object().cloned().unwrap_or_default();
        self.append(Body::Hook {
            hook,
            sender: Some(self.sender.clone()),
            cut_from_bytes: None,
        })?;
        Ok(())
    }

    pub fn end(&self, session: &str) -> io::Result<()> {
        self.append(Body::Exited {
            session_uuid: session.to_owned(),
            // Only its parent learns these.
            code: None,
            signal: None,
        })
    }

    fn append(&self, body: Body) -> io::Result<()> {
        let line = Line::new(Timestamp::now().to_string(), cli::host(), body);
        let deadline = Instant::now() + LIMIT;
        self.spool.append(line.to_json().as_bytes(), deadline)
    }
}

/// Version 4: 122 random bits.
pub fn new_uuid() -> String {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).expect("the kernel has random numbers");
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

fn text(folder: &Path) -> anyhow::Result<String> {
    let text = folder.to_str();
    text.map(str::to_owned)
        .ok_or_else(|| anyhow!("{} is not UTF-8 text", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_random_uuids_of_version_4() {
        let (one, other) = (new_uuid(), new_uuid());
        assert_ne!(one, other);
        assert_eq!((one.len(), &one[14..15]), (36, "4"));
        assert!("89ab".contains(&one[19..20]), "{one}");
    }
}
