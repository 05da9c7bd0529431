//! `headspace migrate`, `schema` and `config`: small commands that end at once.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};

use super::say::say;
use crate::{
    config,
    event::{self, EventType},
    store::{Database, SCHEMA_VERSION, Writer, roles},
};

pub const MIGRATE_EXAMPLES: &str = "Examples:
  headspace migrate
  headspace --database-url postgres://me@localhost/headspace migrate
  headspace --database-url postgres://me@localhost/headspace migrate --roles";

#[derive(clap::Args)]
pub struct MigrateArgs {
    /// Also create the roles headspace_watcher and headspace_web, with their
    /// rights on this database (PostgreSQL)
    #[arg(long)]
    roles: bool,
}

#[derive(clap::Args)]
pub struct SchemaArgs {
    /// Only this event type
    event_type: Option<String>,
    /// Write one file per event type into this folder instead
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
}

#[derive(clap::Subcommand)]
pub enum ConfigCommand {
    /// Print the settings in force, each with its source
    Show,
    /// Say whether the settings are valid
    Check,
}

pub fn migrate(flags: &config::Flags, args: &MigrateArgs) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace")?;
    let database = super::database(&settings);
    if args.roles && matches!(database, Database::Sqlite(_)) {
        bail!("--roles: SQLite has no roles; name a PostgreSQL database in database.url");
    }
    let mut writer = Writer::new(database.clone(), super::host());
    let runtime = super::runtime()?;
    runtime.block_on(async {
        writer.ensure_link().await?;
        writer.close().await;
        anyhow::Ok(())
    })?;
    say!("{}: schema version {SCHEMA_VERSION}", settings.database.url);
    match database {
        Database::Postgres(url) if args.roles => say_roles(&runtime.block_on(roles::grant(&url))?),
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn say_roles(executed: &[String]) {
    let (watcher, web) = (roles::WATCHER, roles::WEB);
    if executed.is_empty() {
        say!("{watcher} and {web} already have their rights; nothing was changed");
        return;
    }
    for statement in executed {
        say!("  {statement}");
    }
    say!("Next, for the roles that connect: GRANT {watcher} TO ...; GRANT {web} TO ...");
}

pub fn schema(args: &SchemaArgs) -> anyhow::Result<ExitCode> {
    let wanted = args.event_type.as_deref();
    if let Some(name) = wanted
        && EventType::parse(name).is_none()
    {
        bail!("unknown event type {name}; known are {}", EventType::list());
    }
    for (kind, schema) in event::schemas() {
        if wanted.is_some_and(|name| name != kind.as_str()) {
            continue;
        }
        let text = serde_json::to_string_pretty(&schema)? + "\n";
        match &args.write {
            Some(folder) => {
                let path = folder.join(format!("{}.json", kind.as_str()));
                std::fs::write(&path, text)
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
            None => print!("{text}"),
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub fn config(flags: &config::Flags, what: Option<ConfigCommand>) -> anyhow::Result<ExitCode> {
    let settings = config::load(flags)?;
    match what.unwrap_or(ConfigCommand::Show) {
        ConfigCommand::Show => print!("{}", config::show(&settings)),
        ConfigCommand::Check => {
            let file = settings.places.config_file.as_ref();
            match file {
                Some(file) => say!("{}: valid", file.display()),
                None => say!("no settings file; defaults and environment are valid"),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
