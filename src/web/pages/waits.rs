//! How long sessions waited for a person today: moves of their states, added up.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::timeout;

use crate::{
    event::EventType,
    store::{
        Filter, Stored,
        read::{PAGE_EVENTS, ReadError, Reader},
    },
};

/// The most pages of moves that are read at once; of a longer day, the newest.
const PAGES: usize = 20;
/// How long the database is waited for to say which ids are settled.
const SETTLING: Duration = Duration::from_millis(50);

/// What is known of a day; only what is new is read.
#[derive(Debug, Clone)]
pub struct Waits {
    from: Timestamp,
    /// All events up to this id are in `settled`; behind it one may still come between two.
    upto: i64,
    settled: Sum,
    /// With those behind it as well.
    newest: Sum,
}

#[derive(Debug, Clone, Default)]
struct Sum {
    agents: HashMap<i64, Wait>,
    seconds: i64,
}

#[derive(Debug, Clone, Copy)]
enum Wait {
    Since(Timestamp),
    Over,
}

#[derive(Deserialize)]
struct Move {
    from_state: String,
    to_state: String,
    needs: Option<String>,
}

impl Waits {
    pub fn since(from: Timestamp) -> Waits {
        Waits {
            from,
            upto: 0,
            settled: Sum::default(),
            newest: Sum::default(),
        }
    }

    /// The same, if it is of this day.
    pub fn of(self, from: Timestamp) -> Waits {
        match self.from == from {
            true => self,
            false => Waits::since(from),
        }
    }

    /// Takes in what is new.
    pub async fn read(&mut self, reader: &Reader) -> Result<(), ReadError> {
        // Asked first: what is settled now is in the pages that follow.
        let settled = match timeout(SETTLING, reader.settled()).await {
            Ok(settled) => settled?,
            // A transaction is open for long: what comes is read again until it is over.
            Err(_) => self.upto,
        };
        let new = self.new_moves(reader).await?;
        let (firm, others) = new.split_at(new.partition_point(|event| event.id <= settled));
        for event in firm {
            self.settled.take(self.from, event);
        }
        self.upto = self.upto.max(settled);
        self.newest = self.settled.clone();
        for event in others {
            self.newest.take(self.from, event);
        }
        Ok(())
    }

    /// The moves behind `upto`, in the order of their ids.
    async fn new_moves(&self, reader: &Reader) -> Result<Vec<Stored>, ReadError> {
        let filter = Filter {
            types: vec![EventType::StateTransition, EventType::SessionEnded],
            ..Filter::default()
        };
        let (mut new, mut before) = (Vec::new(), None);
        let from = format!("{:.6}", self.from);
        for _ in 0..PAGES {
            let page = reader
                .page(&filter, before, Some(self.upto), PAGE_EVENTS)
                .await?;
            before = page.events.last().map(|event| event.id);
            let more = page.more
                && page
                    .events
                    .last()
                    .is_some_and(|event| event.timestamp >= from);
            new.extend(page.events);
            if !more {
                break;
            }
        }
        new.reverse();
        Ok(new)
    }

    /// All waits together, with those that last until now: the agents that wait, each since
    /// when its row says. One without a move today waited all day.
    pub fn total(&self, now: Timestamp, waiting: &HashMap<i64, Timestamp>) -> i64 {
        let lasting = waiting.iter().map(|(agent, since)| {
            let since = match self.newest.agents.get(agent) {
                Some(Wait::Since(since)) => *since,
                Some(Wait::Over) | None => self.from.max(*since),
            };
            now.duration_since(since).as_secs().max(0)
        });
        self.newest.seconds + lasting.sum::<i64>()
    }
}

impl Sum {
    fn take(&mut self, from: Timestamp, event: &Stored) {
        let (Some(agent), Ok(at)) = (event.agent_id, event.timestamp.parse::<Timestamp>()) else {
            return;
        };
        if at < from {
            return;
        }
        let (was, is) = match serde_json::from_str::<Move>(event.payload.get()) {
            Ok(one) => (one.from_state == "awaiting_input", one.waits()),
            // Its end.
            Err(_) => (false, false),
        };
        let before = match self.agents.get(&agent) {
            Some(Wait::Since(since)) => Some(*since),
            Some(Wait::Over) => None,
            // It began to wait before this day.
            None => was.then_some(from),
        };
        let now = match (before, is) {
            (Some(since), true) => Wait::Since(since),
            (None, true) => Wait::Since(at),
            (Some(since), false) => {
                self.seconds += at.duration_since(since).as_secs().max(0);
                Wait::Over
            }
            (None, false) => Wait::Over,
        };
        self.agents.insert(agent, now);
    }
}

impl Move {
    fn waits(&self) -> bool {
        let needs = self.needs.as_deref().unwrap_or("none");
        needs != "none" || self.to_state == "awaiting_input"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, value::RawValue};
    use sqlx::{Connection, PgConnection};

    use super::*;
    use crate::store::read::server::Database;

    fn time(clock: &str) -> Timestamp {
        at(clock).parse().unwrap()
    }

    fn at(clock: &str) -> String {
        format!("2026-11-30T{clock}:00.000000Z")
    }

    fn event(id: i64, agent: i64, clock: &str, from: &str, to: &str, needs: &str) -> Stored {
        let payload = json!({"from_state": from, "to_state": to, "needs": needs});
        Stored {
            id,
            event_type: "state_transition".into(),
            timestamp: at(clock),
            recorded_at: at(clock),
            project_id: None,
            agent_id: Some(agent),
            command_id: None,
            turn_id: None,
            payload: RawValue::from_string(payload.to_string()).unwrap(),
        }
    }

    #[test]
    fn waits_are_added_up_from_midnight_to_now() {
        let mut waits = Waits::since(time("00:00"));
        let (works, waiting) = ("processing", "awaiting_input");
        for event in [
            // One that waits since yesterday is answered at one.
            event(1, 1, "01:00", waiting, works, "none"),
            // Ten minutes, in which what it needs changes.
            event(2, 2, "10:00", works, waiting, "question"),
            event(3, 2, "10:05", waiting, waiting, "permission"),
            event(4, 2, "10:10", waiting, works, "none"),
            // An error leaves the state as it is, and lasts.
            event(5, 3, "11:00", works, "idle", "error"),
            event(6, 4, "11:30", works, waiting, "asked"),
        ] {
            waits.newest.take(waits.from, &event);
        }
        let total = |waiting: &[(i64, &str)]| {
            let waiting = waiting.iter().map(|(agent, clock)| (*agent, time(clock)));
            waits.total(time("12:00"), &waiting.collect()) / 60
        };
        assert_eq!(total(&[]), 70);
        assert_eq!(total(&[(3, "11:00")]), 130);
        // What an agent needs is something else since 11:40.
        assert_eq!(total(&[(3, "11:00"), (4, "11:40")]), 160);
        // Its next wait began after the moves were read.
        assert_eq!(total(&[(2, "11:55")]), 75);
        let yesterday = time("00:00") - jiff::SignedDuration::from_hours(9);
        let silent = HashMap::from([(5, yesterday)]);
        assert_eq!(waits.total(time("12:00"), &silent), (70 + 12 * 60) * 60);
        let tomorrow: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        let waits = waits.of(tomorrow);
        assert_eq!(waits.total(tomorrow, &HashMap::from([(5, yesterday)])), 0);
    }

    /// Two watchers write, and the one that drew the smaller id commits last.
    #[tokio::test]
    async fn a_move_whose_id_is_late_is_not_missed() {
        let create = tokio::task::spawn_blocking(Database::create);
        let database = create.await.unwrap();
        let mut early = connect(&database).await;
        let migrations = sqlx::migrate!("src/store/migrations/postgres");
        migrations.run(&mut early).await.unwrap();
        let mut late = connect(&database).await;
        let reader = Reader::postgres(&database.url(), "web", 2).unwrap();
        let mut waits = Waits::since(time("00:00"));
        let none_waits = HashMap::new();
        let mut open = late.begin().await.unwrap();
        waited(&mut open, 1, "08:00", "08:10").await;
        waited(&mut early, 2, "09:00", "09:20").await;
        waits.read(&reader).await.unwrap();
        assert_eq!(waits.total(time("12:00"), &none_waits), 20 * 60);
        waits.read(&reader).await.unwrap();
        assert_eq!(waits.total(time("12:00"), &none_waits), 20 * 60, "once");
        open.commit().await.unwrap();
        waited(&mut early, 2, "10:00", "10:40").await;
        waits.read(&reader).await.unwrap();
        assert_eq!(waits.total(time("12:00"), &none_waits), 70 * 60);
        waits.read(&reader).await.unwrap();
        assert_eq!(waits.total(time("12:00"), &none_waits), 70 * 60, "once");
    }

    /// A link that may store events of agents that have no row.
    async fn connect(database: &Database) -> PgConnection {
        let mut link = PgConnection::connect(&database.url()).await.unwrap();
        let lax = sqlx::query("SET session_replication_role = replica");
        lax.execute(&mut link).await.unwrap();
        link
    }

    async fn waited(link: &mut PgConnection, agent: i64, from: &str, until: &str) {
        for (at, from, to) in [
            (time(from), "processing", "awaiting_input"),
            (time(until), "awaiting_input", "processing"),
        ] {
            let insert = "INSERT INTO events \
                (timestamp, recorded_at, agent_id, event_type, payload, event_key) VALUES \
                ($1::timestamptz, now(), $2, 'state_transition', \
                 json_build_object('from_state', $3::text, 'to_state', $4::text), \
                 gen_random_uuid()::text::bytea)";
            let insert = sqlx::query(insert).bind(at.to_string()).bind(agent);
            let insert = insert.bind(from).bind(to);
            insert.execute(&mut *link).await.unwrap();
        }
    }
}
