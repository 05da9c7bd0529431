//! `headspace migrate`, `schema` and `config`: small commands that end at once.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};

use super::say::say;
use crate::{
    config,
    event::{self, EventType},
    store::{SCHEMA_VERSION, Writer},
};

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

pub fn migrate(flags: &config::Flags) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace")?;
    let mut writer = Writer::new(super::database(&settings), super::host());
    let runtime = super::runtime()?;
    runtime.block_on(async {
        writer.ensure_link().await?;
        writer.close().await;
        anyhow::Ok(())
    })?;
    say!("{}: schema version {SCHEMA_VERSION}", settings.database.url);
    Ok(ExitCode::SUCCESS)
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
