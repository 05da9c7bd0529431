//! Work that waits is shown to go on; work that is stuck is not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::run::Report;

/// How long the loop's work may take before it must be taken for stuck.
pub struct Patience {
    pub tick: Duration,
    pub stuck: Duration,
    /// A migration may take as long as it needs.
    pub migrating: Arc<AtomicBool>,
}

impl Patience {
    /// Does a piece of work, and gives a sign every tick while there is patience.
    pub async fn report_during<T>(
        &self,
        work: impl Future<Output = T>,
        report: &mut impl FnMut(Report),
    ) -> T {
        let mut work = std::pin::pin!(work);
        let mut waited = Duration::ZERO;
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::time::sleep(self.tick) => waited += self.tick,
            }
            if self.migrating.load(Ordering::Relaxed) {
                waited = Duration::ZERO;
            }
            if waited < self.stuck {
                report(Report::Waiting);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    /// How many signs are given during work that goes on for `rounds` of them.
    async fn signs(rounds: u32, stuck: Duration, migrating: bool) -> u32 {
        let tick = Duration::from_millis(10);
        let patience = Patience {
            tick,
            stuck,
            migrating: Arc::new(AtomicBool::new(migrating)),
        };
        let mut signs = 0;
        // It is looked at twice a tick, and is done after so many looks: on a busy machine
        // it slips as the signs do.
        let mut looks = 0;
        let work = std::future::poll_fn(|_| {
            looks += 1;
            match looks > 2 * rounds {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        let mut report = |_: Report| signs += 1;
        patience.report_during(work, &mut report).await;
        signs
    }

    #[tokio::test]
    async fn work_that_waits_gives_signs_and_work_that_is_stuck_gives_none() {
        let long = Duration::from_secs(60);
        assert_eq!(signs(0, long, false).await, 0);
        assert!(signs(10, long, false).await > 0);
        let short = Duration::from_millis(35);
        assert_eq!(signs(20, short, false).await, 3);
        assert!(signs(20, short, true).await > 3);
    }
}
