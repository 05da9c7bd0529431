//! A server without a watcher shows an old log: that is worth a warning.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::web::Shared;

/// The watcher may be started together with the server.
const FIRST: Duration = Duration::from_secs(5);
const EVERY: Duration = Duration::from_secs(10);

/// Warns when no watcher runs, once until one does.
pub async fn warn_unwatched(app: Shared, stop: CancellationToken) {
    let mut was_running = true;
    let mut pause = FIRST;
    while stop.run_until_cancelled(sleep(pause)).await.is_some() {
        pause = EVERY;
        // The lock is looked at for nothing; the service manager is not.
        if was_running && app.facts.has_watcher_here() {
            continue;
        }
        let health = super::of(&app).await;
        let reasons = health.reasons.join("; ");
        match (was_running, health.watcher.running) {
            (true, false) => {
                warn!(%reasons, "no watcher is running, so nothing new is recorded: {reasons}")
            }
            (false, true) => info!("a watcher is running"),
            _ => {}
        }
        was_running = health.watcher.running;
    }
}
