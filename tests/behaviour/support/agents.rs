//! Sessions whose rows say what a test wants.

use super::{
    headspace::{Headspace, Kind},
    talk::{Talk, stored, tamper},
};

/// What is derived from the prompt is taken back.
const AT_REST: &str = "state = 'idle', needs = 'none', asks = NULL, since = NULL, background = 0, \
     unseen = (1 = 0), last_words = NULL, title = NULL, title_kind = NULL";

/// Stores this many turns of a session that is at rest and was seen just now; returns
/// the id of the newest event.
pub fn stored_at_rest(headspace: &Headspace, name: &str, turns: usize) -> i64 {
    let newest = stored(headspace, name, turns);
    let own = format!("SELECT id FROM agents WHERE working_directory = '/home/dev/{name}'");
    rest(headspace, headspace.store.number(&own));
    newest
}

/// A session with a prompt, its row then changed by this `SET` list. Gives its id.
pub fn session(headspace: &Headspace, name: &str, set: &str) -> i64 {
    let mut talk = Talk::new(headspace, name);
    talk.say(name);
    headspace.watch_once();
    let uuid = &talk.session.uuid;
    let id = headspace.store.number(&format!(
        "SELECT id FROM agents WHERE session_uuid = '{uuid}'"
    ));
    tamper(
        &headspace.store,
        &format!("DELETE FROM events WHERE event_type = 'state_transition' AND agent_id = {id}"),
    );
    rest(headspace, id);
    change(headspace, id, set);
    id
}

fn rest(headspace: &Headspace, id: i64) {
    let now = ago(0);
    change(headspace, id, &format!("{AT_REST}, last_seen_at = {now}"));
}

pub fn change(headspace: &Headspace, id: i64, set: &str) {
    let sql = format!("UPDATE agents SET {set} WHERE id = {id}");
    tamper(&headspace.store, &sql);
}

/// A subagent of that session.
pub fn subagent(headspace: &Headspace, parent: i64, name: &str, set: &str) -> i64 {
    let columns = "project_id, working_directory, cli, started_at, last_seen_at";
    tamper(
        &headspace.store,
        &format!(
            "INSERT INTO agents (session_uuid, parent_agent_id, {columns}) \
             SELECT session_uuid || '/{name}', id, {columns} FROM agents WHERE id = {parent}"
        ),
    );
    let id = headspace.store.number("SELECT max(id) FROM agents");
    change(headspace, id, set);
    id
}

/// So many seconds ago, as a literal of SQL.
pub fn ago(seconds: i64) -> String {
    let now = jiff::Timestamp::now().as_microsecond();
    let then = jiff::Timestamp::from_microsecond(now - seconds * 1_000_000);
    format!("'{:.6}'", then.expect("a time"))
}

/// True, as a literal of SQL.
pub fn yes(kind: Kind) -> &'static str {
    match kind {
        Kind::Sqlite => "1",
        Kind::Postgres => "true",
    }
}
