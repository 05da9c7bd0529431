//! A log under test: a writer used directly, and what may be put into it.

use headspace::{
    event::{
        Ending, Entry, Event, FactKey, Group, Moment, Payload, Rejection, SessionSeen, Sign,
        Timestamp, What, hex,
    },
    store::{Appended, Database, Failure, Segment, WatcherBeat, Writer},
    tail::Position,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

use crate::support::headspace::{Headspace, Kind, Store};

pub const HOST: &str = "host-a";

/// A database and one writer to it.
pub struct Log {
    pub headspace: Headspace,
    pub writer: Blocking,
}

/// A writer with a runtime of its own, so that tests and threads just call it.
pub struct Blocking {
    runtime: Runtime,
    writer: Writer,
}

/// A file that is being read: each segment begins where the last one ended.
#[derive(Clone)]
pub struct File {
    pub path: String,
    pub at: Position,
}

impl Log {
    pub fn on(kind: Kind) -> Log {
        let headspace = Headspace::on(kind);
        std::fs::create_dir_all(headspace.state()).expect("a state folder");
        let mut writer = Blocking::new(&headspace.store, HOST);
        writer.connect();
        Log { headspace, writer }
    }

    /// A writer that knows nothing of the first one.
    pub fn restarted(&mut self) {
        self.writer = self.another_writer();
    }

    pub fn another_writer(&self) -> Blocking {
        Blocking::new(&self.headspace.store, HOST)
    }

    pub fn store(&self) -> &Store {
        &self.headspace.store
    }

    pub fn append(&mut self, segment: &Segment) -> Appended {
        self.try_append(segment).expect("the segment is stored")
    }

    pub fn try_append(&mut self, segment: &Segment) -> Result<Appended, Failure> {
        self.writer.append(std::slice::from_ref(segment))
    }

    pub fn end(&mut self, session: &str) -> Appended {
        let ending = Ending {
            session_uuid: session.to_owned(),
            reason: headspace::event::EndReason::Timeout,
            detail: None,
            at: headspace::event::EndsAt::Idle(60),
        };
        self.writer.end(&[ending])
    }

    /// Everything that an append may change, one text a row.
    pub fn contents(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for (table, columns) in [
            ("projects", &["id", "host", "path", "name"][..]),
            (
                "agents",
                &[
                    "id",
                    "session_uuid",
                    "started_at",
                    "last_seen_at",
                    "ended_at",
                    "registrations",
                ],
            ),
            (
                "events",
                &["id", "event_type", "payload", "event_key", "recorded_at"],
            ),
            ("facts", &["key", "event_id"]),
            ("rejections", &["id", "source", "reason", "rejection_key"]),
            (
                "checkpoints",
                &[
                    "id",
                    "path",
                    "identity",
                    "\"offset\"",
                    "rewrites",
                    "updated_at",
                ],
            ),
        ] {
            let texts = columns.iter().map(|column| match (self.store(), *column) {
                (Store::Sqlite(_), "event_key" | "key") => format!("hex({column})"),
                _ => format!("COALESCE(CAST({column} AS text), '')"),
            });
            let row = texts.collect::<Vec<_>>().join(" || '|' || ");
            let order = columns[0];
            rows.extend(self.store().column(&format!(
                "SELECT '{table}|' || {row} FROM {table} ORDER BY {order}"
            )));
        }
        rows
    }

    pub fn count(&self, table: &str) -> i64 {
        self.store()
            .number(&format!("SELECT count(*) FROM {table}"))
    }

    /// Makes the database itself refuse some rows.
    pub fn refuse(&self, action: &str, table: &str, condition: &str) {
        refuse(self.store(), action, table, condition);
    }

    pub fn refuse_no_more(&self, table: &str) {
        refuse_no_more(self.store(), table);
    }
}

impl Blocking {
    pub fn new(store: &Store, host: &str) -> Blocking {
        Blocking {
            runtime: runtime(),
            writer: Writer::new(database(store), host.to_owned()),
        }
    }

    pub fn connect(&mut self) {
        let linked = self.runtime.block_on(self.writer.ensure_link());
        linked.expect("the database takes the schema");
    }

    pub fn append(&mut self, segments: &[Segment]) -> Result<Appended, Failure> {
        self.runtime.block_on(self.writer.append(segments))
    }

    /// As the watcher does it: a race for one fact is run again.
    pub fn append_until_settled(&mut self, segments: &[Segment]) -> (Appended, u32) {
        for races in 0..10 {
            match self.append(segments) {
                Ok(appended) => return (appended, races),
                Err(Failure::Raced) => {}
                Err(failure) => panic!("{failure}"),
            }
        }
        panic!("a race for one fact was lost ten times");
    }

    pub fn end(&mut self, endings: &[Ending]) -> Appended {
        let ended = self.runtime.block_on(self.writer.end(endings));
        ended.expect("the ending is stored")
    }

    pub fn checkpoint(&mut self, path: &str) -> Position {
        let position = self.runtime.block_on(self.writer.checkpoint(path));
        position.expect("the checkpoint is read")
    }

    pub fn beat(&mut self, beat: &WatcherBeat) {
        let written = self.runtime.block_on(self.writer.beat(beat));
        written.expect("the row is written");
    }
}

impl File {
    pub fn new(path: &str) -> File {
        File {
            path: path.to_owned(),
            at: Position::default(),
        }
    }

    /// The next stretch of the file, a hundred bytes a line.
    pub fn next(&mut self, whats: Vec<What>) -> Segment {
        let before = self.at.clone();
        let offset = before.offset + 100 * whats.len() as u64;
        self.at = Position {
            offset,
            identity: format!("{}:{offset}", self.path),
        };
        let entries = whats.into_iter().enumerate().map(|(n, what)| Entry {
            offset: before.offset + 100 * n as u64,
            what,
        });
        Segment {
            path: self.path.clone(),
            moved_from: None,
            entries: entries.collect(),
            before,
            after: self.at.clone(),
            rewritten: false,
            pieces: Vec::new(),
        }
    }
}

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_micros((1_770_000_000 + second) * 1_000_000 + 4)
}

pub fn session_seen(session: &str, first: i64, last: i64) -> SessionSeen {
    SessionSeen {
        session_uuid: session.to_owned(),
        parent: None,
        project_path: "/home/dev/project".into(),
        working_directory: Some("/home/dev/project".into()),
        transcript_path: Some(format!("/t/{session}.jsonl")),
        cli: "claude",
        git_remote: None,
        git_branch: None,
        iterm_pane_id: None,
        registered: false,
        by: Sign::Words,
        first: at(first),
        last: at(last),
    }
}

pub fn seen(session: &str, first: i64, last: i64) -> What {
    What::Seen(session_seen(session, first, last))
}

/// A user's turn, with the keys that a record with uuid and time gets.
pub fn said(session: &str, uuid: &str, second: i64, text: &str) -> What {
    let keys = vec![
        FactKey::user_record(uuid, text),
        FactKey::user_words(session, at(second), text),
    ];
    let alone = text
        .is_empty()
        .then(|| Group::Alone(FactKey::moment(session, at(second))));
    turn(session, "user", second, text, keys, alone, json!({}))
}

/// A text block of an agent's message.
pub fn block(session: &str, message: &str, second: i64, text: &str) -> What {
    let group = Some(Group::Part(FactKey::message(message)));
    let keys = vec![FactKey::agent_block(message, text)];
    turn(
        session,
        "agent",
        second,
        text,
        keys,
        group,
        json!({"message_id": message}),
    )
}

pub fn rejected(line: &[u8], reason: &str) -> What {
    What::Rejected(Rejection {
        length: line.len() as u64,
        sha256: hex(&Sha256::digest(line)),
        reason: reason.to_owned(),
        excerpt: line[..line.len().min(Rejection::EXCERPT_BYTES)].to_vec(),
    })
}

fn turn(
    session: &str,
    actor: &str,
    second: i64,
    text: &str,
    keys: Vec<FactKey>,
    group: Option<Group>,
    further: Value,
) -> What {
    let mut payload = json!({
        "session_uuid": session, "actor": actor, "text": text, "source": "polling",
        "turn_timestamp": at(second).to_string(),
    });
    let fields = payload.as_object_mut().expect("an object");
    fields.extend(further.as_object().expect("an object").clone());
    let moment = Moment {
        at: at(second),
        observed: false,
    };
    let payload = Payload::read("turn_detected", payload).expect("a valid turn");
    let event = Event::new(payload, moment, keys, group).expect("it has keys");
    What::Event(Box::new(event))
}

fn database(store: &Store) -> Database {
    match store {
        Store::Sqlite(path) => Database::Sqlite(path.clone()),
        Store::Postgres(database) => Database::Postgres(database.url()),
    }
}

/// A trigger: what the database then refuses, it refuses for real.
pub fn refuse(store: &Store, action: &str, table: &str, condition: &str) {
    let sql = match store.kind() {
        Kind::Sqlite => format!(
            "CREATE TRIGGER refuse BEFORE {action} ON {table} WHEN {condition}
             BEGIN SELECT RAISE(ABORT, 'refused by a trigger'); END"
        ),
        Kind::Postgres => format!(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'refused by a trigger'; END $$;
             CREATE TRIGGER refuse BEFORE {action} ON {table} FOR EACH ROW
                 WHEN ({condition}) EXECUTE FUNCTION refuse()"
        ),
    };
    execute(store, &sql);
}

pub fn refuse_no_more(store: &Store, table: &str) {
    let sql = match store.kind() {
        Kind::Sqlite => "DROP TRIGGER refuse".to_owned(),
        Kind::Postgres => format!("DROP TRIGGER refuse ON {table}; DROP FUNCTION refuse()"),
    };
    execute(store, &sql);
}

/// Runs SQL from outside, as a person with a shell would.
pub fn execute(store: &Store, sql: &str) {
    match store {
        Store::Postgres(database) => drop(database.sql(sql)),
        Store::Sqlite(path) => runtime().block_on(async {
            use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
            let options = SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(true);
            let mut link = options.connect().await.expect("the database opens");
            let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()));
            done.execute(&mut link).await.expect("the statement runs");
            link.close().await.expect("the database closes");
        }),
    }
}

fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime")
}
