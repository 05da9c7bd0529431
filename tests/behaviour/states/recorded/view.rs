//! What the view `agent_states` shows, and since when.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::support::headspace::Store;

const LOOK: Duration = Duration::from_millis(15);

/// In the words of the steps; ASCII alone, so that both databases print it alike.
const SQL: &str = "SELECT session_uuid || '|' || CASE WHEN open THEN state ELSE 'ended' END
    || CASE WHEN background > 0 THEN ' +' || CAST(background AS text) ELSE '' END
    || '|' || needs || '|' || COALESCE(asks, '-') FROM agent_states";

/// An agent was shown so, when it was looked at then, and not before.
pub struct Shown {
    pub agent: String,
    pub at: Instant,
    pub words: String,
}

/// Looks again and again, until it is over.
pub fn look(store: &Store, over: &AtomicBool) -> Vec<Shown> {
    let mut reader = Reader::new(store);
    let mut known: HashMap<String, String> = HashMap::new();
    let mut shown = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let rows = reader.read();
        let at = Instant::now();
        for row in rows {
            let (agent, words) = row.split_once('|').unwrap();
            let mut words = words.replace(['\n', '\t'], " ");
            for _ in 0..2 {
                words = words.replacen('|', "\t", 1);
            }
            if known.get(agent) != Some(&words) {
                known.insert(agent.to_owned(), words.clone());
                let agent = agent.to_owned();
                shown.push(Shown { agent, at, words });
            }
        }
        thread::park_timeout(LOOK);
    }
    shown
}

/// One connection, for as long as the play lasts.
struct Reader {
    runtime: tokio::runtime::Runtime,
    link: Link,
}

enum Link {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Reader {
    fn new(store: &Store) -> Reader {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let link = runtime.block_on(async {
            match store {
                Store::Sqlite(path) => {
                    let url = format!("sqlite:{}?mode=ro", path.display());
                    Link::Sqlite(SqliteConnection::connect(&url).await.unwrap())
                }
                Store::Postgres(database) => {
                    Link::Postgres(PgConnection::connect(&database.url()).await.unwrap())
                }
            }
        });
        Reader { runtime, link }
    }

    fn read(&mut self) -> Vec<String> {
        let rows = self.runtime.block_on(async {
            match &mut self.link {
                Link::Sqlite(link) => sqlx::query_scalar(SQL).fetch_all(link).await,
                Link::Postgres(link) => sqlx::query_scalar(SQL).fetch_all(link).await,
            }
        });
        rows.unwrap()
    }
}
