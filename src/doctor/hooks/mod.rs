//! Our hooks in Claude Code's settings, and what is known of sessions without them.

mod judge;
mod registry;
mod self_test;

use tokio::{join, time::timeout};

use super::{blocking, finding::Finding};
use crate::{
    config::{DatabaseUrl, Settings},
    hooks::{Look, installed_version, look},
    store::read::{AgentFilter, HookRow, PAGE_ROWS, ReadError, Reader},
    supervise::Holder,
};

const CHECK: &str = "hooks";
/// How long the database may take.
const ROWS: std::time::Duration = std::time::Duration::from_secs(3);

/// What was found of the hooks.
pub struct HookFacts {
    pub looks: Vec<Look>,
    /// Of each type, when it came last; empty too if that cannot be read.
    pub received: Vec<HookRow>,
    pub findings: Vec<Finding>,
}

/// Looks at each folder of Claude Code, and sends a hook through the whole door if
/// there is one, and a watcher.
pub async fn examine(settings: &Settings, host: &str) -> HookFacts {
    let (looks, stored) = join!(look_at(settings), stored(settings, host));
    let (received, open) = stored.unzip();
    let Some(looks) = looks else {
        let root = settings.claude.roots.first();
        return HookFacts {
            looks: Vec::new(),
            received: received.unwrap_or_default(),
            findings: root
                .map(|root| super::hangs(CHECK, root))
                .into_iter()
                .collect(),
        };
    };
    let mut findings = judge::judge(&looks, received.as_deref(), jiff::Timestamp::now());
    let has_entries = |look: &Look| look.entries.as_ref().is_ok_and(|all| !all.is_empty());
    if !settings.hooks.enabled && looks.iter().any(has_entries) {
        let found = "hooks.enabled is false in the settings: what hooks bring is not recorded";
        findings.push(Finding::note(CHECK, found));
    }
    if let Some(command) = command_to_test(settings, &looks)
        && received.is_some()
    {
        findings.push(self_test::run(settings, &command).await);
    }
    findings.extend(registry::judge(&looks, &open.unwrap_or_default()));
    HookFacts {
        looks,
        received: received.unwrap_or_default(),
        findings,
    }
}

async fn look_at(settings: &Settings) -> Option<Vec<Look>> {
    let roots = settings.claude.roots.clone();
    blocking(move || {
        let installed = installed_version(std::env::var_os("PATH").as_deref());
        roots.iter().map(|root| look(root, installed)).collect()
    })
    .await
}

/// The hooks that came, and the sessions of this machine that are open.
async fn stored(settings: &Settings, host: &str) -> Option<(Vec<HookRow>, Vec<String>)> {
    let reader = reader(settings)?;
    timeout(ROWS, rows(&reader, host)).await.ok()?.ok()
}

async fn rows(reader: &Reader, host: &str) -> Result<(Vec<HookRow>, Vec<String>), ReadError> {
    let received = reader.hooks().await?;
    let filter = AgentFilter {
        open: Some(true),
        hosts: vec![host.to_owned()],
        ..AgentFilter::default()
    };
    let open = reader.agents(&filter, None, PAGE_ROWS).await?.into_iter();
    let open = open.filter(|agent| agent.parent_agent_id.is_none());
    Ok((received, open.map(|agent| agent.session_uuid).collect()))
}

fn reader(settings: &Settings) -> Option<Reader> {
    match &settings.database.url {
        DatabaseUrl::Sqlite(path) => Some(Reader::sqlite_once(path)),
        DatabaseUrl::Postgres(url) => Reader::postgres(url, "doctor", 1).ok(),
    }
}

/// Without a watcher the test would only wait.
fn command_to_test(settings: &Settings, looks: &[Look]) -> Option<String> {
    let is_watched = Holder::of(&settings.places.state).pid().is_some();
    let mut entries = looks
        .iter()
        .filter_map(|look| look.entries.as_ref().ok())
        .flatten();
    let entry = entries
        .next()
        .filter(|_| is_watched && settings.hooks.enabled);
    entry.map(|entry| entry.command.clone())
}
