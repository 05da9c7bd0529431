//! `headspace status`: which sessions need you, and what the others do.

mod list;
mod report;
mod screen;
mod watch;

use std::process::ExitCode;

use jiff::{Timestamp, Zoned};

use super::{columns::Paper, say::say};
use crate::{
    config::{self, Settings},
    show::{self, Mark},
    store::read::{AgentRow, ReadError, Reader},
    terminal,
};
use list::Beside;

pub const EXAMPLES: &str = "Examples:
  headspace status
  headspace status -a                 idle sessions, too
  headspace status --watch            as it changes; j k Enter g e a q
  headspace status --verbose          the watcher, the database and the log, too
  headspace status --exit-code && echo all is quiet
  headspace status --json | jq .counts

Exit codes: 0, and with --exit-code 3 if a session needs you.";

/// With `--exit-code`: a session needs a person.
const NEEDED: u8 = 3;

#[derive(clap::Args)]
pub struct StatusArgs {
    /// A line for each idle session
    #[arg(long, short)]
    all: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Exit with 3 if a session needs you
    #[arg(long)]
    exit_code: bool,
    /// Draw it again whenever something changes, and take keys
    #[arg(long, conflicts_with_all = ["json", "exit_code", "verbose"])]
    watch: bool,
    /// Say how the watcher, the database and the log are
    #[arg(long, short, conflicts_with = "json")]
    verbose: bool,
}

pub fn main(flags: &config::Flags, args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace")?;
    let runtime = super::runtime()?;
    let shown = runtime.block_on(async {
        if args.watch {
            return watch::watch(&settings, &super::reader(&settings)?, args.all).await;
        }
        let reader = super::brief_reader(&settings)?;
        Ok(show(&settings, &reader, args).await?)
    });
    runtime.shutdown_background();
    match shown {
        Ok(true) if args.exit_code => Ok(NEEDED.into()),
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(error) if is_nothing_recorded(&error) => anyhow::bail!(
            "{}: nothing recorded yet: start `headspace up` or `headspace watch`",
            settings.database.url
        ),
        Err(error) => Err(error),
    }
}

fn is_nothing_recorded(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref();
    matches!(error, Some(ReadError::Absent | ReadError::SchemaMissing))
}

/// Prints it; whether a session needs a person.
async fn show(settings: &Settings, reader: &Reader, args: &StatusArgs) -> Result<bool, ReadError> {
    let agents = match args.json {
        true => reader.open_agents().await?,
        false => {
            let (agents, beside) = look(settings, reader).await?;
            let (now, paper) = (Zoned::now(), Paper::of_output());
            let lines = list::lines(&show::sessions(&agents), &beside, args.all, &now, paper);
            let lines: Vec<String> = lines.into_iter().map(|line| line.text).collect();
            say!("{}", lines.join("\n"));
            agents
        }
    };
    let sessions = show::sessions(&agents);
    if args.json {
        let report = report::gather(settings, reader, &sessions).await?;
        let json = serde_json::to_string_pretty(&report).expect("a report is JSON");
        say!("{json}");
    }
    if args.verbose {
        report::print(&report::gather(settings, reader, &sessions).await?);
    }
    Ok(show::waiting(&sessions, Timestamp::now()) > 0)
}

/// The open agents, and what the lines need beside them. A service manager that has to be
/// asked is asked meanwhile.
async fn look(settings: &Settings, reader: &Reader) -> Result<(Vec<AgentRow>, Beside), ReadError> {
    let (health, agents) = tokio::join!(report::health(settings, reader), reader.open_agents());
    let (agents, (health, reasons)) = (agents?, health?);
    let sessions = show::sessions(&agents);
    let working = sessions.iter().filter(|s| s.mark == Mark::Working);
    let working: Vec<i64> = working.map(|session| session.agent.id).collect();
    let roots = sessions.iter().map(|session| session.agent);
    let host = super::host();
    let (running, places) = tokio::join!(
        reader.running_tools(&working),
        terminal::places(roots, &host)
    );
    // The newest of an agent comes last.
    let tools = running?.into_iter().map(|tool| (tool.agent_id, tool));
    let beside = Beside {
        tools: tools.collect(),
        places,
        health,
        reasons,
    };
    Ok((agents, beside))
}
