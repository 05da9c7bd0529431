//! A conversation that is being written, and its events as rows.

use std::path::PathBuf;

use super::{
    headspace::{Headspace, Kind, Store, eventually},
    transcripts::{Session, append},
};

pub struct Talk {
    pub session: Session,
    pub path: PathBuf,
}

impl Talk {
    pub fn new(headspace: &Headspace, name: &str) -> Talk {
        let session = Session::new(name, &format!("/home/dev/{name}"));
        let path = headspace.project(&format!("-home-dev-{name}"));
        let path = path.join(session.file_name());
        Talk { session, path }
    }

    /// A human types something.
    pub fn say(&mut self, text: &str) {
        append(&self.path, self.session.prompt(text));
    }

    pub fn say_all(&mut self, texts: impl IntoIterator<Item = String>) {
        let lines: String = texts
            .into_iter()
            .map(|text| self.session.prompt(&text))
            .collect();
        append(&self.path, lines);
    }
}

/// Stores this many turns, and returns the id of the newest event.
pub fn stored(headspace: &Headspace, name: &str, turns: usize) -> i64 {
    Talk::new(headspace, name).say_all((1..=turns).map(|n| format!("{name} {n}")));
    headspace.watch_once();
    newest(&headspace.store)
}

pub fn newest(store: &Store) -> i64 {
    store.number("SELECT coalesce(max(id), 0) FROM events")
}

pub fn count(store: &Store) -> i64 {
    store.number("SELECT count(*) FROM events")
}

pub fn wait_for_count(store: &Store, events: i64) {
    eventually("the events are stored", || count(store) >= events);
}

/// Runs SQL that changes something behind headspace's back.
pub fn tamper(store: &Store, sql: &str) {
    use sqlx::Connection;
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let done: Result<_, sqlx::Error> = runtime.expect("a runtime").block_on(async {
        match store {
            Store::Sqlite(path) => {
                let mut link =
                    sqlx::SqliteConnection::connect(&format!("sqlite:{}", path.display())).await?;
                sqlx::raw_sql(sql).execute(&mut link).await?;
                link.close().await
            }
            Store::Postgres(database) => {
                let mut link = sqlx::PgConnection::connect(&database.url()).await?;
                sqlx::raw_sql(sql).execute(&mut link).await?;
                link.close().await
            }
        }
    });
    done.expect("the SQL runs");
}

/// Makes an agent's rows by hand: one command with these turns, each of an actor.
pub fn converse(store: &Store, agent: i64, turns: &[(&str, String)]) {
    let own = format!("(SELECT id FROM commands WHERE agent_id = {agent})");
    let mut sql = format!(
        "DELETE FROM tool_uses WHERE agent_id = {agent}; DELETE FROM turns WHERE command_id IN {own}; \
         DELETE FROM commands WHERE agent_id = {agent}; \
         INSERT INTO commands (agent_id, state, origin, started_at) \
         SELECT id, 'complete', 'human', started_at FROM agents WHERE id = {agent};"
    );
    for (actor, text) in turns {
        let text = text.replace('\'', "''");
        sql += &format!(
            "INSERT INTO turns (command_id, actor, intent, text, timestamp, event_id) \
             SELECT c.id, '{actor}', 'progress', '{text}', last_seen_at, 1 \
             FROM agents a JOIN commands c ON c.agent_id = a.id WHERE a.id = {agent};"
        );
    }
    tamper(store, &sql);
}

/// A time as the API writes it, in the database's own SQL.
pub fn utc(kind: Kind, column: &str) -> String {
    match kind {
        Kind::Sqlite => column.to_owned(),
        Kind::Postgres => {
            format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
        }
    }
}
