//! `headspace resume`: a session again, in its folder.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{anyhow, bail};

use super::{agents, complete};
use crate::{config, show, telemetry::visible};

pub const EXAMPLES: &str = "Examples:
  headspace resume 7
  headspace resume 'fix login' --print      the command, to be copied";

#[derive(clap::Args)]
pub struct ResumeArgs {
    /// Which session: its id, the beginning of its uuid, or its title
    #[arg(value_name = "SESSION", add = complete::of_all())]
    session: String,
    /// Print the command instead of running it
    #[arg(long)]
    print: bool,
}

pub fn main(flags: &config::Flags, args: &ResumeArgs) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace")?;
    let agent = super::runtime()?.block_on(async {
        let reader = super::brief_reader(&settings)?;
        agents::find_root(&reader, &args.session).await
    })?;
    if args.print {
        super::say::say!("{}", visible(&show::resume_command(&agent)));
        return Ok(ExitCode::SUCCESS);
    }
    let folder = visible(&agent.working_directory);
    if agent.host != super::host() {
        bail!("this session is on {}, in {folder}", visible(&agent.host));
    }
    if !Path::new(&agent.working_directory).is_dir() {
        bail!("the session's folder {folder} is not there any more");
    }
    let (program, arguments) = show::resume(&agent);
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(&agent.working_directory);
    // This process becomes the CLI; it comes back only with an error.
    Err(anyhow!("cannot start {program}: {}", command.exec()))
}
