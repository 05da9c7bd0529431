//! `/api/waits`: what a browser may alert of.

use serde_json::{Value, json};

use crate::support::{
    agents::{ago, change, session, subagent, yes},
    headspace::{Headspace, Kind, on_both},
    talk::tamper,
    web::Web,
};

/// The waits as agent, kind and words.
fn waits(web: &Web) -> Vec<Value> {
    let answer = web.get("/api/waits");
    assert_eq!(
        answer.header("cache-control"),
        Some("no-store"),
        "{}",
        answer.head
    );
    let waits = answer.json()["waits"].as_array().expect("a list").clone();
    waits
        .iter()
        .map(|wait| json!([wait["agent_id"], wait["kind"], wait["words"]]))
        .collect()
}

on_both! {
    fn what_blocks_a_session_is_listed_until_it_is_seen_put_off_or_over(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        let since = ago(600);
        let needs = |needs: &str| format!("needs = '{needs}', asks = 'Bash: make', since = {since}");
        let blocked = session(&headspace, "blocked", &needs("permission"));
        let parent = session(&headspace, "parent", "state = 'processing'");
        let child = subagent(&headspace, parent, "x", &needs("plan"));
        session(&headspace, "asked", &needs("asked"));
        session(&headspace, "idle", "state = 'idle'");
        let done = session(&headspace, "done", &format!("unseen = {}, last_words = 'All pass.', since = {since}", yes(kind)));
        tamper(&headspace.store, &format!(
            "UPDATE commands SET state = 'complete', outcome = 'done', started_at = {}, completed_at = {since} \
             WHERE agent_id = {done}", ago(1230)));
        let web = Web::start(&headspace);
        let [one, two] = [
            json!([blocked, "permission", "asks to run `make`"]),
            json!([parent, "plan", "wants the plan approved: “Bash: make”"]),
        ];
        assert_eq!(waits(&web), [one.clone(), two.clone()]);
        headspace.set("HEADSPACE_NOTIFY__FINISHED", true);
        let with_finished = Web::start(&headspace);
        let three = json!([done, "finished", "finished after 10 min: “All pass.”"]);
        assert_eq!(waits(&with_finished), [one.clone(), two.clone(), three]);
        change(&headspace, parent, &format!("viewed_at = {}", ago(60)));
        assert_eq!(waits(&web), std::slice::from_ref(&one));
        change(&headspace, parent, "viewed_at = NULL");
        change(&headspace, child, "needs = 'none'");
        assert_eq!(waits(&web), std::slice::from_ref(&one));
        change(&headspace, blocked, &format!("snoozed_until = {}", ago(-60)));
        assert_eq!(waits(&web), [json!(null); 0]);
    }
}
