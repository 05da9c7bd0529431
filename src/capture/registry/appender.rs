//! Observations to the spool, one after the other.

use std::time::Duration;

use tokio::{sync::mpsc, time::sleep};

use crate::spool::{Body, Line, Observation, Spool};

use super::super::clock::Now;

/// How long one append may wait for another process's.
const PATIENCE: Duration = Duration::from_secs(1);
/// How soon one that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Appends each observation, until none comes any more. One that cannot be
/// written is tried again; those behind it wait.
pub async fn append_all(spool: Spool, host: String, mut observations: mpsc::Receiver<Observation>) {
    let mut failed = false;
    while let Some(observation) = observations.recv().await {
        let received_at = Now::read().timestamp().to_string();
        let body = Body::Observation {
            observed: observation,
        };
        let json = Line::new(received_at, host.clone(), body).to_json();
        while let Err(error) = append(spool.clone(), json.clone()).await {
            if !std::mem::replace(&mut failed, true) {
                let folder = spool.folder().display();
                tracing::warn!(%folder, %error, "cannot append to the spool in {folder}: {error}; retrying");
            }
            sleep(RETRY).await;
        }
        if std::mem::take(&mut failed) {
            tracing::info!("the spool can be appended to again");
        }
    }
}

async fn append(spool: Spool, line: String) -> std::io::Result<()> {
    let appended = tokio::task::spawn_blocking(move || {
        spool.append(line.as_bytes(), Now::read().steady + PATIENCE)
    });
    appended
        .await
        .unwrap_or_else(|stopped| Err(std::io::Error::other(stopped)))
}
