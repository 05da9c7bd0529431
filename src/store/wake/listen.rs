//! `LISTEN`: PostgreSQL's own wake-ups.

use std::{sync::Arc, time::Duration};

use sqlx::{
    PgPool,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tracing::{debug, warn};

use super::{super::connect, CHANNEL, SLOW_POLL};

/// A listener that died sooner than this after it began is rebuilt with a pause.
const STABLE: Duration = Duration::from_secs(10);

/// The reader's side. Listening is a task of its own: rebuilding a connection
/// takes longer than its owner may wait, and must not start anew with each wait.
pub struct NotifyReceiver {
    news: Arc<Notify>,
    task: JoinHandle<()>,
}

impl NotifyReceiver {
    pub fn start(url: &str) -> Option<NotifyReceiver> {
        let options = connect::postgres(url, "listen")
            .inspect_err(|error| warn!(%error, "no wake-ups from the database: {error}"))
            .ok()?;
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(connect::CONNECT_TIMEOUT)
            .connect_lazy_with(options);
        let news = Arc::new(Notify::new());
        let task = tokio::spawn(listen(pool, news.clone()));
        Some(NotifyReceiver { news, task })
    }

    pub async fn recv(&mut self) {
        self.news.notified().await;
    }
}

impl Drop for NotifyReceiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Any error, and the `None` that stands for a lost connection, ends a listener
/// for good: a driver that reconnects by itself does so without saying whether
/// it listened all the time. After `LISTEN` comes one look at the log.
async fn listen(pool: PgPool, news: Arc<Notify>) {
    loop {
        let begun = Instant::now();
        if let Err(error) = listen_once(&pool, &news).await {
            debug!(%error, "listening for wake-ups again");
        }
        if begun.elapsed() < STABLE {
            sleep(SLOW_POLL).await;
        }
    }
}

async fn listen_once(pool: &PgPool, news: &Notify) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    news.notify_one();
    while listener.try_recv().await?.is_some() {
        while listener.next_buffered().is_some() {}
        news.notify_one();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::store::read::server::Database;

    const SOON: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_notification_is_received_and_a_cut_connection_is_rebuilt() {
        let database = tokio::task::spawn_blocking(Database::create).await.unwrap();
        let mut receiver = NotifyReceiver::start(&database.url()).unwrap();
        timeout(SOON, receiver.recv())
            .await
            .expect("listening began");
        database.sql("NOTIFY headspace_events");
        timeout(SOON, receiver.recv())
            .await
            .expect("a notification");
        database.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name = 'headspace listen' AND datname = current_database()",
        );
        timeout(SOON, receiver.recv())
            .await
            .expect("listening began again");
        database.sql("NOTIFY headspace_events");
        timeout(SOON, receiver.recv())
            .await
            .expect("a notification after that");
    }
}
