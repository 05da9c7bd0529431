//! `headspace line`: how many sessions need you and how many work, for the bar of a
//! terminal.

use std::process::ExitCode;

use jiff::Timestamp;

use super::{agents, say::say};
use crate::{
    config,
    show::{self, Mark},
    store::read::ReadError,
};

pub const EXAMPLES: &str = "Examples:
  headspace line                                     two counts, or nothing
  set -g status-right '#(headspace line)'            in tmux.conf
  [custom.headspace]                                 in starship.toml:
  command = \"headspace line\"
  when = true";

/// Nothing was recorded yet, or nothing goes on: an empty line of a bar is no error.
pub fn main(flags: &config::Flags) -> anyhow::Result<ExitCode> {
    let settings = config::load(flags)?;
    let open = super::runtime()?.block_on(async {
        let reader = super::reader(&settings)?;
        anyhow::Ok(agents::open(&reader).await)
    });
    let agents = match open? {
        Err(ReadError::Absent | ReadError::SchemaMissing) => Vec::new(),
        other => other?,
    };
    let sessions = show::sessions(&agents);
    let counts = [
        (Mark::NeedsYou, show::waiting(&sessions, Timestamp::now())),
        (Mark::Working, show::count(&sessions, Mark::Working)),
    ];
    let parts = counts.map(|(mark, count)| (count > 0).then(|| format!("{}{count}", mark.glyph())));
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if !parts.is_empty() {
        say!("{}", parts.join(" "));
    }
    Ok(ExitCode::SUCCESS)
}
