//! `headspace start`: `claude`, known to headspace from before its first word.
//!
//! ```text
//! find claude ─▶ choose the session's id ─▶ a line of the spool ─▶ become claude
//!                                                └─ fork: wait for its end ─▶ a line
//! ```
//!
//! This process becomes `claude`: its terminal, its signals and its exit code are what
//! they would be without us. Another one waits for its end, in a session of its own, so
//! that no signal of the terminal reaches it.

mod arguments;
mod register;
mod witness;

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::Context;
use rustix::{fs::Mode, process::umask};

use crate::{
    client, config,
    config::Listen,
    hooks::{self, Version},
    telemetry::visible,
};
use arguments::Session;

pub const EXAMPLES: &str = "Examples:
  headspace start
  headspace start -- --model opus 'fix the login'
  headspace start -- --continue

Exit codes: that of claude, and before it has started: 2 the server does not answer (only
with --require-server), 3 claude is not found, 4 the session cannot be registered. Nothing
of headspace needs to run: what is registered is taken in later.";

const SERVER_UNREACHABLE: u8 = 2;
const CLAUDE_NOT_FOUND: u8 = 3;
const REGISTRATION_FAILED: u8 = 4;

/// A server that is busy has more than enough time.
const SERVER_LIMIT: Duration = Duration::from_secs(2);

#[derive(clap::Args)]
pub struct StartArgs {
    /// Start nothing unless the server answers
    #[arg(long)]
    require_server: bool,
    /// What claude is started with
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// `mask` is the umask that claude is to have.
pub fn main(flags: &config::Flags, args: &StartArgs, mask: Mode) -> anyhow::Result<ExitCode> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let Some(program) = hooks::find(&path) else {
        let message = "claude is not found in PATH: install Claude Code, or add its folder to PATH";
        return Ok(refuse(CLAUDE_NOT_FOUND, message));
    };
    if args.require_server
        && let Err(error) = ask_server(flags)
    {
        let message = format!("the server does not answer: {error:#}; start it: headspace up");
        return Ok(refuse(SERVER_UNREACHABLE, &message));
    }
    let (session, arguments) = prepare(&program, &args.arguments);
    let launch = match register::launch(flags, session) {
        Ok(launch) => launch,
        Err(error) => {
            let message = format!("the session cannot be registered: {error:#}");
            return Ok(refuse(REGISTRATION_FAILED, &message));
        }
    };
    if let Some(launch) = launch {
        witness::leave_behind(&launch).context("cannot fork")?;
    }
    umask(mask);
    // This process becomes claude; it comes back only with an error.
    let error = Command::new(&program).args(arguments).exec();
    let message = format!("cannot start {}: {error}", program.display());
    Ok(refuse(CLAUDE_NOT_FOUND, &message))
}

/// Whose session it will be, and what claude is started with so that it is.
fn prepare(program: &Path, given: &[OsString]) -> (Session, Vec<OsString>) {
    match arguments::session(given) {
        Session::New if takes_an_id(program) => {
            let id = register::new_uuid();
            let chosen = [OsString::from("--session-id"), OsString::from(&id)];
            let arguments = chosen.into_iter().chain(given.iter().cloned());
            (Session::Named(id), arguments.collect())
        }
        Session::New => (Session::Later, given.to_vec()),
        session => (session, given.to_vec()),
    }
}

fn takes_an_id(program: &Path) -> bool {
    hooks::version_of(program).is_some_and(|version| version >= Version::WITH_SESSION_ID)
}

fn ask_server(flags: &config::Flags) -> anyhow::Result<()> {
    let settings = config::load(flags)?;
    let own = Listen::Unix(settings.places.run.join("web.sock"));
    let doors = settings.web.listen.iter().chain([&own]);
    let runtime = crate::cli::runtime()?;
    let mut answer = Err(anyhow::anyhow!("no address is listened on"));
    for door in doors {
        match runtime.block_on(client::health(door, SERVER_LIMIT)) {
            Ok(_) => return Ok(()),
            Err(error) => answer = Err(anyhow::anyhow!("{door}: {error}")),
        }
    }
    answer
}

fn refuse(code: u8, message: &str) -> ExitCode {
    eprintln!("headspace: {}", visible(message));
    code.into()
}

/// An argument as text; what is no text is none of ours.
fn text(argument: &OsStr) -> &str {
    argument.to_str().unwrap_or_default()
}
