//! Waits until the installed service is healthy.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::StepError;
use crate::{
    client::{self, AskError, HealthReply},
    config::Listen,
};

/// The services report when they are ready, so this is short.
const READY_LIMIT: Duration = Duration::from_secs(15);
const INTERVAL: Duration = Duration::from_millis(100);
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Returns a sentence about the service: healthy, or degraded with the reasons.
pub fn wait_until_ready(address: &Listen) -> Result<String, StepError> {
    let health = last_answer(address).map_err(|error| StepError::Silent {
        address: address.to_string(),
        error,
    })?;
    let (version, reasons) = (health.version, health.reasons.join("; "));
    match health.status.as_str() {
        "unhealthy" => Err(StepError::Unhealthy(reasons)),
        "healthy" => Ok(format!("headspace {version} is healthy")),
        status => Ok(format!("headspace {version} is {status}: {reasons}")),
    }
}

/// The first answer that is healthy, or the last one there was.
fn last_answer(address: &Listen) -> Result<HealthReply, AskError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let deadline = Instant::now() + READY_LIMIT;
    loop {
        let answer = runtime.block_on(client::health(address, ANSWER_LIMIT));
        let is_final = match &answer {
            Ok(health) => health.status == "healthy",
            // The socket unit has made it, or nothing will.
            Err(error) => error.is_not_found(),
        };
        if is_final || Instant::now() >= deadline {
            return answer;
        }
        // A watcher that has just started is degraded for a moment.
        thread::park_timeout(INTERVAL);
    }
}
