//! `headspace line`: how many sessions need you and how many work, for the bar of a
//! terminal.

use std::{
    collections::{HashMap, HashSet},
    process::ExitCode,
};

use jiff::Timestamp;

use super::say::say;
use crate::{
    config,
    show::Mark,
    store::read::{ReadError, Reader, Sign},
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
    let signs = super::runtime()?.block_on(async {
        let reader = super::brief_reader(&settings)?;
        anyhow::Ok(signs(&reader).await)
    });
    let signs = match signs? {
        Err(ReadError::Absent | ReadError::SchemaMissing) => Vec::new(),
        other => other?,
    };
    let counts = count(&signs, Timestamp::now());
    let parts = counts.map(|(mark, count)| (count > 0).then(|| format!("{}{count}", mark.glyph())));
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if !parts.is_empty() {
        say!("{}", parts.join(" "));
    }
    Ok(ExitCode::SUCCESS)
}

/// What needs something or works; of a subagent that needs something its session, too.
async fn signs(reader: &Reader) -> Result<Vec<Sign>, ReadError> {
    let mut signs = reader.signs().await?;
    let has_root: HashSet<String> = signs
        .iter()
        .filter(|sign| sign.parent_agent_id.is_none())
        .map(|sign| sign.session_uuid.clone())
        .collect();
    let roots: HashSet<String> = signs.iter().map(|sign| sign.root().to_owned()).collect();
    for root in roots.difference(&has_root) {
        let root = reader.session(root).await?;
        signs.extend(root.filter(|root| root.open).map(Sign::of));
    }
    Ok(signs)
}

/// A session with its subagents.
#[derive(Default)]
struct Family<'a> {
    root: Option<&'a Sign>,
    needs: bool,
}

/// Counts as `show` marks: the rows of a thousand sessions whole take too long for a bar.
fn count(signs: &[Sign], now: Timestamp) -> [(Mark, usize); 2] {
    let mut families: HashMap<&str, Family> = HashMap::new();
    for sign in signs {
        let family = families.entry(sign.root()).or_default();
        family.needs |= sign.needs != "none";
        if sign.parent_agent_id.is_none() {
            family.root = Some(sign);
        }
    }
    let (mut needs, mut works) = (0, 0);
    for family in families.into_values() {
        let Some(root) = family.root else {
            continue;
        };
        let until = root.snoozed_until.as_deref();
        let until: Option<Timestamp> = until.and_then(|until| until.parse().ok());
        let is_snoozed = until.is_some_and(|until| until > now);
        needs += usize::from(family.needs && !is_snoozed);
        let is_at_work = ["commanded", "processing"].contains(&root.state.as_str());
        works += usize::from(is_at_work && !family.needs);
    }
    [(Mark::NeedsYou, needs), (Mark::Working, works)]
}
