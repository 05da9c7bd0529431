//! Pages of JSON hold the whole log, and what is asked for of it.

use serde_json::Value;

use crate::support::{
    headspace::{Headspace, Kind, on_both},
    talk::{count, newest, stored},
    transcripts,
    web::Web,
};

on_both! {
    fn walking_back_by_before_meets_every_event_once(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        let roots = crate::support::headspace::json_list(&[transcripts::real()]);
        headspace.set("HEADSPACE_CLAUDE__ROOTS", roots);
        headspace.watch_once();
        let all: Vec<i64> = headspace.store.column("SELECT id FROM events ORDER BY id DESC")
            .iter().map(|id| id.parse().expect("an id")).collect();
        assert!(all.len() > 400, "{}", all.len());
        let web = Web::start(&headspace);
        for limit in [1, 7, 100, 500] {
            if limit == 1 && all.len() > 1000 {
                continue;
            }
            assert_eq!(walk(&web, &format!("limit={limit}")), all, "limit {limit}");
        }
        let turns: Vec<i64> = headspace.store
            .column("SELECT id FROM events WHERE event_type = 'turn_detected' AND project_id = 2 ORDER BY id DESC")
            .iter().map(|id| id.parse().expect("an id")).collect();
        assert!(!turns.is_empty());
        assert_eq!(walk(&web, "limit=3&types=turn_detected&project_id=2"), turns);
    }

    fn a_page_is_newest_first_and_says_where_to_go_on(kind: Kind) {
        let headspace = Headspace::on(kind);
        let head = stored(&headspace, "pages", 9);
        let web = Web::start(&headspace);
        let page = web.get("/api/events?limit=3").json();
        assert_eq!(ids(&page), [head, head - 1, head - 2]);
        assert_eq!(page["next_before"], head - 2);
        assert_eq!(page["follow_after"], head);
        assert_eq!(ids(&web.get("/api/events").json()).len(), count(&headspace.store) as usize);
        assert_eq!(ids(&web.get("/api/events?after=4&before=8").json()), [7, 6, 5]);
        assert_eq!(ids(&web.get(&format!("/api/events?after={head}")).json()), [0; 0]);
        let empty = web.get("/api/events?before=1").json();
        assert_eq!((ids(&empty).len(), &empty["next_before"]), (0, &Value::Null));
        let event = &page["events"][0];
        let mut names: Vec<&str> = event.as_object().expect("an object").keys().map(String::as_str).collect();
        names.sort();
        assert_eq!(names, [
            "agent_id", "command_id", "event_type", "id", "payload", "project_id",
            "recorded_at", "timestamp", "turn_id",
        ]);
        assert_eq!(event["payload"]["text"], "pages 9");
        assert_eq!(newest(&headspace.store), head);
    }
}

/// The ids of all pages, from the newest back.
fn walk(web: &Web, query: &str) -> Vec<i64> {
    let mut all = Vec::new();
    let mut before = String::new();
    loop {
        let page = web.get(&format!("/api/events?{query}{before}")).json();
        all.extend(ids(&page));
        match page["next_before"].as_i64() {
            Some(id) => before = format!("&before={id}"),
            None => return all,
        }
    }
}

fn ids(page: &Value) -> Vec<i64> {
    let events = page["events"].as_array().expect("events");
    events
        .iter()
        .map(|event| event["id"].as_i64().expect("an id"))
        .collect()
}
