//! Our hooks in Claude Code's settings, and what is known of sessions without them.

mod judge;
mod self_test;

use tokio::{join, time::timeout};

use super::{blocking, finding::Finding};
use crate::{
    config::{DatabaseUrl, Settings},
    hooks::{Look, installed_version, look},
    store::read::{HookRow, Reader},
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
pub async fn examine(settings: &Settings) -> HookFacts {
    let (looks, received) = join!(look_at(settings), received(settings));
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
    if let Some(command) = command_to_test(settings, &looks)
        && received.is_some()
    {
        findings.push(self_test::run(settings, &command).await);
    }
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

async fn received(settings: &Settings) -> Option<Vec<HookRow>> {
    let reader = reader(settings)?;
    timeout(ROWS, reader.hooks()).await.ok()?.ok()
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
