//! When the server stops by itself, and how it ends.

use std::time::Duration;

use tokio::{sync::watch, time::timeout};
use tracing::{info, warn};

use super::server::Server;
use crate::supervise;

impl Server {
    /// Waits for the open connections; what takes longer than `time` is cut.
    pub async fn drain(&self, time: Duration) {
        supervise::stopping();
        let connections = *self.open.borrow();
        info!(connections, "stopping; {connections} connections are open");
        self.tasks.close();
        if timeout(time, self.tasks.wait()).await.is_err() {
            warn!("some connections did not end in time and were cut");
        }
        self.cut.cancel();
    }
}

/// Ends when no connection was open for this long; never without such a time.
pub async fn idle_for(time: Option<Duration>, mut open: watch::Receiver<usize>) {
    let Some(time) = time else {
        return std::future::pending().await;
    };
    loop {
        // The sender is the server, which outlives this.
        let _ = open.wait_for(|open| *open == 0).await;
        if timeout(time, open.changed()).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_visit_starts_the_idle_time_anew_and_no_time_is_no_end() {
        let open = watch::Sender::new(1);
        let time = Duration::from_millis(50);
        let ends_within = |time| timeout(time, idle_for(Some(time / 4), open.subscribe()));
        assert!(ends_within(time).await.is_err(), "a client is connected");
        open.send_replace(0);
        assert!(ends_within(time).await.is_ok());

        let mut idle = std::pin::pin!(idle_for(Some(time), open.subscribe()));
        for _ in 0..5 {
            let visit = Instant::now();
            if timeout(time / 2, &mut idle).await.is_ok() {
                assert!(
                    visit.elapsed() >= time,
                    "it was idle for less than the time"
                );
                return;
            }
            open.send_modify(|open| *open += 1);
            open.send_modify(|open| *open -= 1);
        }
        assert!(timeout(time * 100, idle).await.is_ok());
        assert!(
            timeout(time, idle_for(None, open.subscribe()))
                .await
                .is_err()
        );
    }
}
