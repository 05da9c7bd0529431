//! The one writer of the log on this machine: a connection that is made when
//! it is needed and dropped when it cannot be trusted any more.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use sqlx::Connection;
use tokio::time::timeout;

use crate::{
    archive::Piece,
    derive::Cause,
    event::{Ending, Timestamp},
    tail::Position,
};

use super::{
    Database, again,
    alerts::{self, AlertKey, NewAlert},
    append::Outcome,
    archive::{self, merge},
    correction::Correction,
    failure::Failure,
    link::{self, LOST, Link, no_answer},
    postgres,
    segment::{Appended, CheckpointRow, OpenSession, Segment, WatcherBeat},
    sqlite,
};

pub struct Writer {
    database: Database,
    host: String,
    link: Option<Link>,
    connections: u64,
    migrating: Arc<AtomicBool>,
}

/// Runs one of two expressions on the open connection, within the time a
/// living database needs; a connection that failed is not used again.
macro_rules! on_link {
    ($writer:ident, $sqlite:ident => $on_sqlite:expr, $postgres:ident => $on_postgres:expr) => {{
        $writer.ensure_link().await?;
        let done = match $writer.link.as_mut().expect("just connected") {
            Link::Sqlite($sqlite) => timeout(LOST, $on_sqlite).await,
            Link::Postgres($postgres) => timeout(LOST, $on_postgres).await,
        };
        $writer.judge(done.unwrap_or_else(|_| Err(no_answer())))
    }};
}

impl Writer {
    /// Connects at the first use.
    pub fn new(database: Database, host: String) -> Writer {
        Writer {
            database,
            host,
            link: None,
            connections: 0,
            migrating: Arc::default(),
        }
    }

    /// Stores segments with their checkpoints, all or nothing.
    pub async fn append(&mut self, segments: &[Segment]) -> Outcome<Appended> {
        self.add(segments, &[]).await
    }

    /// Ends sessions; one that has ended already stays as it is.
    pub async fn end(&mut self, endings: &[Ending]) -> Outcome<Appended> {
        let causes: Vec<Cause<'_>> = endings.iter().map(Cause::Ended).collect();
        self.add(&[], &causes).await
    }

    /// Closes the turns of sessions that are at their prompt for so long that no end
    /// will come; one that went on stays as it is.
    pub async fn settle(&mut self, sessions: &[String]) -> Outcome<Appended> {
        let passed = sessions.iter().map(|session| Cause::Passed(session));
        let causes: Vec<Cause<'_>> = passed.collect();
        self.add(&[], &causes).await
    }

    async fn add(&mut self, segments: &[Segment], beside: &[Cause<'_>]) -> Outcome<Appended> {
        self.ensure_link().await?;
        let link = self.link.as_mut().expect("just connected");
        let done = timeout(LOST, link.append(&self.host, segments, beside)).await;
        self.judge(done.unwrap_or_else(|_| Err(no_answer())))
    }

    /// Puts agents' rows right, all or nothing.
    pub async fn correct(&mut self, corrections: &[Correction]) -> Outcome<()> {
        on_link!(self,
            link => sqlite::correct(&mut link.log, corrections),
            link => postgres::correct(link, corrections))
    }

    /// How this machine is named in the rows.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Every checkpoint of this host.
    pub async fn checkpoints(&mut self) -> Outcome<Vec<CheckpointRow>> {
        let host = self.host.clone();
        on_link!(self,
            link => sqlite::checkpoints(&mut link.log, &host),
            link => postgres::checkpoints(link, &host))
    }

    /// Sets these files back to their start, if they still stand there.
    pub async fn read_again(&mut self, rows: &[CheckpointRow]) -> Outcome<()> {
        let host = self.host.clone();
        on_link!(self,
            link => again::sqlite(&mut link.log, &host, rows),
            link => again::postgres(link, &host, rows))
    }

    /// Where one file's checkpoint is; at the start if there is none.
    pub async fn checkpoint(&mut self, path: &str) -> Outcome<Position> {
        let host = self.host.clone();
        on_link!(self,
            link => sqlite::checkpoint(&mut link.log, &host, path),
            link => postgres::checkpoint(link, &host, path))
    }

    /// The sessions of this host that have not ended.
    pub async fn open_sessions(&mut self) -> Outcome<Vec<OpenSession>> {
        let host = self.host.clone();
        on_link!(self,
            link => sqlite::open_sessions(&mut link.log, &host),
            link => postgres::open_sessions(link, &host))
    }

    /// Merges small pieces of a file's archive, as many as fit one; false if there are none.
    pub async fn merge(&mut self, path: &str) -> Outcome<bool> {
        let host = self.host.clone();
        on_link!(self,
            link => merge::sqlite(&mut link.log, &host, path),
            link => merge::postgres(link, &host, path))
    }

    /// The piece of a file, as it stood last, that holds the byte at `at`, or the next one.
    pub async fn archived(&mut self, path: &str, at: u64) -> Outcome<Option<Piece>> {
        let host = self.host.clone();
        on_link!(self,
            link => archive::again::sqlite(&mut link.log, &host, path, at),
            link => archive::again::postgres(link, &host, path, at))
    }

    /// The files of this host that may have such pieces.
    pub async fn scattered(&mut self) -> Outcome<Vec<String>> {
        let host = self.host.clone();
        on_link!(self,
            link => merge::scattered_sqlite(&mut link.log, &host),
            link => merge::scattered_postgres(link, &host))
    }

    /// The sessions of this host that a program registered.
    pub async fn registered_sessions(&mut self) -> Outcome<Vec<String>> {
        let host = self.host.clone();
        on_link!(self,
            link => sqlite::registered_sessions(&mut link.log, &host),
            link => postgres::registered_sessions(link, &host))
    }

    /// Notes alerts that are about to be sent. Those that were noted before are left out
    /// of the answer.
    pub async fn tell(&mut self, new: &[NewAlert]) -> Outcome<Vec<AlertKey>> {
        on_link!(self,
            link => alerts::tell_sqlite(&mut link.log, new),
            link => alerts::tell_postgres(link, new))
    }

    /// Notes that a message is about to be withdrawn; false if that was noted before.
    pub async fn withdraw(&mut self, message: &str, at: Timestamp) -> Outcome<bool> {
        on_link!(self,
            link => alerts::withdraw_sqlite(&mut link.log, message, at),
            link => alerts::withdraw_postgres(link, message, at))
    }

    /// Keeps by which its receiver knows a message.
    pub async fn keep_receipt(&mut self, message: &str, receipt: &str) -> Outcome<()> {
        on_link!(self,
            link => alerts::keep_receipt_sqlite(&mut link.log, message, receipt),
            link => alerts::keep_receipt_postgres(link, message, receipt))
    }

    /// Writes the watcher's row.
    pub async fn beat(&mut self, beat: &WatcherBeat) -> Outcome<()> {
        let host = self.host.clone();
        on_link!(self,
            link => sqlite::beat(&mut link.beats, &host, beat),
            link => postgres::beat(link, &host, beat))
    }

    /// Connects and brings the schema up to date, unless that is done.
    pub async fn ensure_link(&mut self) -> Outcome<()> {
        self.let_go_of_lost_file();
        if self.link.is_none() {
            self.link = Some(link::open(&self.database, &self.migrating).await?);
            self.connections += 1;
        }
        Ok(())
    }

    /// Gives back the memory that only a busy writer needs.
    pub async fn shrink(&mut self) {
        if let Some(Link::Sqlite(link)) = &mut self.link {
            for connection in [&mut link.log, &mut link.beats] {
                // Without it the pages of the file stay in memory, and no more.
                let _ = sqlx::query("PRAGMA shrink_memory")
                    .execute(connection)
                    .await;
            }
        }
    }

    /// True while the tables are brought up to date, which takes as long as the
    /// log is.
    pub fn migrating(&self) -> Arc<AtomicBool> {
        self.migrating.clone()
    }

    /// Closes a SQLite file that no longer stands under its path; true if there
    /// was one.
    pub fn let_go_of_lost_file(&mut self) -> bool {
        let lost = match (&self.database, &self.link) {
            (Database::Sqlite(path), Some(Link::Sqlite(link))) => {
                link::file_id(path) != Some(link.file)
            }
            _ => false,
        };
        if lost {
            self.link = None;
        }
        lost
    }

    /// The file it writes, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match &self.database {
            Database::Sqlite(path) => Some(path),
            Database::Postgres(_) => None,
        }
    }

    /// How often a connection was made. Behind a new one may be another database:
    /// what was believed of the old one's checkpoints must be asked for again.
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// Closes the connection in order.
    pub async fn close(&mut self) {
        match self.link.take() {
            // A failure here changes nothing: what was committed is committed.
            Some(Link::Sqlite(link)) => {
                let _ = link.beats.close().await;
                let _ = link.log.close().await;
            }
            Some(Link::Postgres(link)) => {
                let _ = link.close().await;
            }
            None => {}
        }
    }

    fn judge<T>(&mut self, done: Outcome<T>) -> Outcome<T> {
        if let Err(Failure::Away(_)) = &done {
            self.link = None;
        }
        done
    }
}
