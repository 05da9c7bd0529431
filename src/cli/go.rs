//! `headspace go` and `headspace next`: to the terminal of a session.

use std::process::ExitCode;

use jiff::Timestamp;

use super::{agents, complete, say::say};
use crate::{
    config,
    show::{self, Mark},
    store::read::{AgentRow, Reader},
    telemetry::visible,
    terminal,
};

pub const GO_EXAMPLES: &str = "Examples:
  headspace go 7
  headspace go 'fix login'

Goes to its pane of tmux, iTerm, kitty or WezTerm. Of any other terminal it prints the
name and the command that resumes the session, and exits with 1.";

pub const NEXT_EXAMPLES: &str = "Examples:
  headspace next
  bind-key N run-shell 'headspace next'     in tmux.conf

Exit code 0 also if no session needs you; 1 if its terminal cannot be gone to.";

#[derive(clap::Args)]
pub struct GoArgs {
    /// Which session: its id, the beginning of its uuid, or its title
    #[arg(value_name = "SESSION", add = complete::of_open())]
    session: String,
}

pub fn go(flags: &config::Flags, args: &GoArgs) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace")?;
    super::runtime()?.block_on(async {
        let reader = super::brief_reader(&settings)?;
        to(&agents::find_root(&reader, &args.session).await?).await
    })
}

pub fn next(flags: &config::Flags) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace")?;
    super::runtime()?.block_on(async {
        let reader = super::brief_reader(&settings)?;
        match oldest(&reader).await? {
            Some(agent) => to(&agent).await,
            None => {
                say!("no session needs you");
                Ok(ExitCode::SUCCESS)
            }
        }
    })
}

/// The session that has needed a person for the longest time.
async fn oldest(reader: &Reader) -> anyhow::Result<Option<AgentRow>> {
    let agents = reader.open_agents().await?;
    let sessions = show::sessions(&agents);
    let now = Timestamp::now();
    let first = sessions
        .iter()
        .find(|session| session.mark == Mark::NeedsYou && !session.is_snoozed(now));
    Ok(first.map(|session| session.agent.clone()))
}

/// Goes there; else says where it is.
async fn to(agent: &AgentRow) -> anyhow::Result<ExitCode> {
    match reach(agent).await {
        Ok(said) => {
            say!("{said}");
            Ok(ExitCode::SUCCESS)
        }
        Err(why_not) => {
            say!("{why_not}");
            say!("{}", visible(&show::resume_command(agent)));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Goes to its terminal. Both answers are a sentence that says where that is.
pub async fn reach(agent: &AgentRow) -> Result<String, String> {
    terminal::reach(agent, &super::host()).await
}
