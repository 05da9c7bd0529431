//! The command line: wires the stages into the processes.
//!
//! In: arguments, signals.
//! Out: an exit code: 0 ok, 1 failed, 2 wrong usage; of the two services also
//! 75 crash limit reached and 78 wrong settings, after which a service manager
//! must not start them again.
//!
//! Promises
//! - settings are valid before anything starts; an error is one line that says
//!   where it is and what to do
//! - a process that is asked to stop exits within the shutdown budget
//! - scripts get JSON where they ask for it, colour only a terminal

mod admin;
mod agents;
mod alerts;
mod columns;
mod complete;
mod completions;
mod doctor;
mod events;
mod explain;
mod export;
mod failed;
mod go;
mod hook;
mod hooks;
mod install;
mod line;
mod man;
mod news;
mod pager;
mod rebuild;
mod restore;
mod resume;
mod say;
mod show;
mod start;
mod status;
mod up;
mod verify;
mod wait;
mod watch;
mod web;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::CompleteEnv;

use failed::{SetupError, exit_code, report};

use crate::{
    config::{self, DatabaseUrl, Settings},
    store::{Database, read::Reader, wake},
    supervise::{self, Signals},
    telemetry,
};

/// Records what coding-agent sessions do, exactly once, and shows it live.
#[derive(Parser)]
#[command(name = "headspace", version, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 ok, 1 failed, 2 wrong usage; of `watch` and `web` also\n\
    75 crash limit reached and 78 wrong settings: starting them again changes nothing.\n\
    `start` exits as claude does, or with 2, 3 or 4 if it does not start it.\n\n\
    First steps: `headspace up` watches your sessions and serves http://127.0.0.1:5055."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Global {
    /// Settings file [default: ~/.config/headspace/config.yaml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the database and the lock [default: ~/.local/state/headspace]
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// sqlite:/path or postgres://user@host/name; a password belongs into a file or DATABASE_URL
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Watch your sessions and serve the page, both until Ctrl-C
    #[command(after_help = up::EXAMPLES)]
    Up,
    /// Read transcripts and write the log
    #[command(after_help = watch::EXAMPLES)]
    Watch(watch::WatchArgs),
    /// Serve the page, the API and the stream
    #[command(after_help = web::EXAMPLES)]
    Web,
    /// Show the log, or follow it
    #[command(after_help = events::EXAMPLES)]
    Events(events::EventsArgs),
    /// Give a session's transcripts back, byte for byte
    #[command(after_help = export::EXAMPLES)]
    Export(export::ExportArgs),
    /// Read every input again and compare it with the log
    #[command(after_help = verify::EXAMPLES)]
    Verify(verify::VerifyArgs),
    /// Recompute commands, turns and states from the log, and compare or replace them
    #[command(after_help = rebuild::EXAMPLES)]
    Rebuild(rebuild::RebuildArgs),
    /// Show which sessions need you, and what the others do
    #[command(after_help = status::EXAMPLES)]
    Status(status::StatusArgs),
    /// Go to the terminal of the session that has needed you for the longest time
    #[command(after_help = go::NEXT_EXAMPLES)]
    Next,
    /// Go to the terminal of a session
    #[command(after_help = go::GO_EXAMPLES)]
    Go(go::GoArgs),
    /// Wait until a session is idle, or needs you
    #[command(after_help = wait::EXAMPLES)]
    Wait(wait::WaitArgs),
    /// Print how many sessions need you and how many work, for a status bar
    #[command(after_help = line::EXAMPLES)]
    Line,
    /// Show the conversation of a session
    #[command(after_help = show::EXAMPLES)]
    Show(show::ShowArgs),
    /// Take up a session again, in its folder
    #[command(after_help = resume::EXAMPLES)]
    Resume(resume::ResumeArgs),
    /// Say why a session shows as it does
    #[command(after_help = explain::EXAMPLES)]
    Explain(explain::ExplainArgs),
    /// Start claude, registered from the beginning and ended when it exits
    #[command(after_help = start::EXAMPLES)]
    Start(start::StartArgs),
    /// Take in a hook of the CLI from standard input; always exits 0
    #[command(after_help = hook::EXAMPLES)]
    Hook,
    /// Put our hooks into Claude Code's settings, take them out, look at them
    #[command(after_help = hooks::EXAMPLES)]
    Hooks {
        #[command(subcommand)]
        what: hooks::HooksCommand,
    },
    /// Find what is wrong, and say what puts it right
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(doctor::DoctorArgs),
    /// Bring the database's tables up to this version
    #[command(after_help = admin::MIGRATE_EXAMPLES)]
    Migrate(admin::MigrateArgs),
    /// Print the JSON Schemas of the event payloads
    #[command(
        after_help = "Examples:\n  headspace schema\n  headspace schema turn_detected\n  headspace schema --write config/schema"
    )]
    Schema(admin::SchemaArgs),
    /// Make headspace a service that starts by itself
    #[command(after_help = install::INSTALL_EXAMPLES)]
    Install(install::InstallArgs),
    /// Take the service away again
    #[command(after_help = install::UNINSTALL_EXAMPLES)]
    Uninstall(install::UninstallArgs),
    /// Show or check the settings
    #[command(
        after_help = "Examples:\n  headspace config show\n  headspace --config my.yaml config check"
    )]
    Config {
        #[command(subcommand)]
        what: Option<admin::ConfigCommand>,
    },
    /// Print what a shell needs to complete commands and flags
    #[command(after_help = completions::EXAMPLES)]
    Completions(completions::CompletionsArgs),
    /// Print the manual page of a command, or write all of them
    #[command(after_help = man::EXAMPLES)]
    Man(man::ManArgs),
}

/// The names that `journalctl -t` knows the services by.
const WEB: &str = "headspace";
const WATCHER: &str = "headspace-watcher";

/// Runs the program.
pub fn main() -> ExitCode {
    // A shell that asks what a person may be typing gets an answer, and that is all.
    let of_shell = CompleteEnv::with_factory(Cli::command);
    of_shell.var(complete::VARIABLE).complete();
    // Other users do not read what we write.
    let mask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        if error.use_stderr() && is_hook(std::env::args().skip(1)) {
            hook::refuse(&error);
        }
        error.exit()
    });
    let flags = cli.global.flags();
    let service = match &cli.command {
        Command::Web => Some(WEB),
        Command::Watch(args) if args.is_service() => Some(WATCHER),
        _ => None,
    };
    let outcome = match cli.command {
        Command::Up => up::main(&flags),
        Command::Web => web::main(&flags),
        Command::Watch(args) => watch::main(&flags, &args),
        Command::Events(args) => events::main(&flags, &args),
        Command::Export(args) => export::main(&flags, &args),
        Command::Verify(args) => verify::main(&flags, &args),
        Command::Rebuild(args) => rebuild::main(&flags, &args),
        Command::Status(args) => status::main(&flags, &args),
        Command::Next => go::next(&flags),
        Command::Go(args) => go::go(&flags, &args),
        Command::Wait(args) => wait::main(&flags, &args),
        Command::Line => line::main(&flags),
        Command::Show(args) => show::main(&flags, &args),
        Command::Resume(args) => resume::main(&flags, &args),
        Command::Explain(args) => explain::main(&flags, &args),
        Command::Start(args) => start::main(&flags, &args, mask),
        Command::Hook => Ok(hook::main(&flags)),
        Command::Hooks { what } => hooks::main(&flags, &what),
        Command::Doctor(args) => doctor::main(&flags, &args),
        Command::Migrate(args) => admin::migrate(&flags, &args),
        Command::Schema(args) => admin::schema(&args),
        Command::Install(args) => install::install(&flags, &args),
        Command::Uninstall(args) => install::uninstall(&flags, &args),
        Command::Config { what } => admin::config(&flags, what),
        Command::Completions(args) => completions::main(&args),
        Command::Man(args) => man::main(&args),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            report(&error, service, &flags);
            exit_code(&error, service.is_some(), supervise::is_launchd()).into()
        }
    }
}

/// Whether the command is `hook`, with whatever flags before it.
fn is_hook(mut arguments: impl Iterator<Item = String>) -> bool {
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix("--") {
            Some(flag) if !flag.contains('=') => drop(arguments.next()),
            Some(_) => {}
            None => return argument == "hook",
        }
    }
    false
}

impl Global {
    fn flags(&self) -> config::Flags {
        config::Flags {
            config: self.config.clone(),
            state_dir: self.state_dir.clone(),
            database_url: self.database_url.clone(),
            log_level: self.log_level.clone(),
        }
    }
}

/// Settings of a process that will work: checked, log started, folders made.
fn prepare(flags: &config::Flags, identifier: &str) -> anyhow::Result<Settings> {
    let settings = config::load(flags).map_err(|error| SetupError(error.into()))?;
    start_log(identifier, settings.logging)?;
    let notes = config::prepare(&settings.places).map_err(|error| SetupError(error.into()))?;
    for note in notes {
        tracing::warn!("{note}");
    }
    Ok(settings)
}

fn start_log(identifier: &str, logging: config::Logging) -> Result<(), telemetry::Error> {
    let format = match logging.format {
        config::LogFormat::Auto => telemetry::Format::detect(),
        config::LogFormat::Text => telemetry::Format::text(),
        config::LogFormat::Json => telemetry::Format::Json,
        config::LogFormat::Journald => telemetry::Format::Journald,
    };
    telemetry::init(identifier, logging.level.into(), format)
}

fn database(settings: &Settings) -> Database {
    match &settings.database.url {
        DatabaseUrl::Sqlite(path) => Database::Sqlite(path.clone()),
        DatabaseUrl::Postgres(url) => Database::Postgres(url.clone()),
    }
}

/// Within the runtime, to which the connections belong.
fn reader(settings: &Settings) -> anyhow::Result<Reader> {
    Ok(match &settings.database.url {
        DatabaseUrl::Sqlite(path) => Reader::sqlite(path),
        DatabaseUrl::Postgres(url) => {
            Reader::postgres(url, "reader", settings.database.max_connections)?
        }
    })
}

/// The same for a command that looks once and ends.
fn brief_reader(settings: &Settings) -> anyhow::Result<Reader> {
    Ok(reader(settings)?.for_a_few_questions())
}

/// Where a reader hears that there may be something new.
fn wake_source(settings: &Settings) -> wake::Source {
    match &settings.database.url {
        DatabaseUrl::Sqlite(_) => wake::Source::doorbell(&settings.places.run),
        DatabaseUrl::Postgres(url) => wake::Source::Postgres(url.clone()),
    }
}

/// The name this machine's rows carry.
fn host() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// Listens for signals. Whatever happens, the process is gone a little before
/// its shutdown budget is.
fn signals(settings: &Settings) -> anyhow::Result<Signals> {
    Signals::listen(budget(settings) * 7 / 8).context("cannot listen for signals")
}

fn budget(settings: &Settings) -> Duration {
    Duration::from_secs(settings.event_system.shutdown_timeout_seconds)
}

/// One thread: each process has one loop that works, and waits most of its life.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
}
