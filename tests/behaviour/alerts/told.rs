//! One wait is one alert: after its grace, over restarts, until it is over.

use std::fs;

use rustix::process::Signal;

use super::{Told, alert, told, withdrawn};
use crate::support::{
    agents::{ago, change, session, subagent, yes},
    asking::Asking,
    headspace::{Headspace, Kind, eventually, on_both},
    talk::{Talk, tamper},
    web::Web,
};

fn blocked(seconds: i64) -> String {
    format!(
        "title = 'fix login', state = 'awaiting_input', needs = 'permission', \
         asks = 'Bash: npm test', since = {}",
        ago(seconds)
    )
}

on_both! {
    fn a_wait_is_told_once_over_restarts_and_withdrawn_when_it_is_answered(kind: Kind) {
        let at = Told::on(kind);
        let mut watcher = at.headspace.watch();
        let mut asking = Asking::new(&at.headspace, "shop_api");
        asking.prompt("fix login");
        asking.ask(&at.headspace, "npm test");
        let first = at.wait_for(1).remove(0);
        assert_eq!(first["type"], "alert");
        assert_eq!(first["text"], "shop_api · fix login: asks to run `npm test`");
        assert_eq!(first["repeat"], false);
        let wait = &first["waits"][0];
        assert_eq!((&wait["kind"], &wait["project"]), (&"permission".into(), &"shop_api".into()));
        assert_eq!(wait["session_uuid"], asking.session.uuid.as_str());
        let opened: jiff::Timestamp = wait["opened_at"].as_str().unwrap().parse().unwrap();
        let sent: jiff::Timestamp = first["at"].as_str().unwrap().parse().unwrap();
        assert!(sent.duration_since(opened).as_secs() >= 5, "within its grace: {first}");
        // However it ends.
        watcher.stop();
        let watcher = at.headspace.watch();
        watcher.kill();
        let watcher = at.headspace.watch();
        let mut other = Asking::new(&at.headspace, "billing");
        other.prompt("schema");
        other.ask(&at.headspace, "make");
        let two = at.wait_for(2);
        assert_eq!(two[1]["text"], "billing · schema: asks to run `make`");
        asking.answered();
        let three = at.wait_for(3);
        assert_eq!((&three[2]["type"], &three[2]["id"]), (&"withdrawn".into(), &first["id"]));
        assert_eq!(three[2]["waits"][0]["agent_id"], wait["agent_id"]);
        assert_eq!(at.headspace.store.column(
            "SELECT kind || ' ' || way || ' ' || (withdrawn_at IS NULL) FROM alerts ORDER BY sent_at"),
            match kind {
                Kind::Sqlite => ["permission command 0", "permission command 1"],
                Kind::Postgres => ["permission command false", "permission command true"],
            });
        drop(watcher);
    }

    fn what_is_answered_in_its_grace_is_not_told(kind: Kind) {
        let at = Told::on(kind);
        let _watcher = at.headspace.watch();
        let mut quick = Asking::new(&at.headspace, "quick");
        quick.prompt("quick");
        quick.ask(&at.headspace, "true");
        quick.answered();
        let mut slow = Asking::new(&at.headspace, "slow");
        slow.prompt("slow");
        slow.ask(&at.headspace, "make");
        // It asked later: what would have been told of the other was told before.
        let messages = at.wait_for(1);
        assert_eq!(messages[0]["text"], "slow · slow: asks to run `make`");
        assert_eq!(at.headspace.store.number("SELECT count(*) FROM alerts"), 1);
    }

    fn old_waits_are_told_in_one_message_and_never_again(kind: Kind) {
        let at = Told::on(kind);
        let agents = ["a", "b"].map(|name| session(&at.headspace, name, &blocked(3600)));
        let watcher = at.headspace.watch();
        let messages = at.wait_for(1);
        assert_eq!(told(&messages), [alert(&agents)]);
        let text = messages[0]["text"].as_str().unwrap();
        assert!(text.starts_with("2 sessions need you: a · fix login: asks to run `npm test` · for 1 h; b"), "{text}");
        watcher.kill();
        let _watcher = at.headspace.watch();
        let mut asking = Asking::new(&at.headspace, "new");
        asking.prompt("new");
        asking.ask(&at.headspace, "make");
        let messages = at.wait_for(2);
        assert_eq!(messages[1]["waits"].as_array().unwrap().len(), 1, "{messages:?}");
    }

    fn what_is_seen_or_put_off_is_withdrawn_and_stays_so(kind: Kind) {
        let at = Told::on(kind);
        let _watcher = at.headspace.watch();
        let [mut one, mut two] = ["one", "two"].map(|name| {
            let mut asking = Asking::new(&at.headspace, name);
            asking.prompt(name);
            asking.ask(&at.headspace, "make");
            asking
        });
        let messages = at.wait_for(2);
        let id_of = |text: &str| {
            let told = messages.iter().find(|message| message["text"].as_str().unwrap().starts_with(text));
            told.expect(text)["waits"][0]["agent_id"].as_i64().unwrap()
        };
        let (seen, snoozed) = (id_of("one"), id_of("two"));
        let web = Web::start(&at.headspace);
        assert_eq!(web.post(&format!("/api/agents/{seen}/seen"), "{}").status, 200);
        assert_eq!(told(&at.wait_for(3))[2], withdrawn(&[seen]));
        assert_eq!(web.post(&format!("/api/agents/{snoozed}/snooze"), "{}").status, 200);
        assert_eq!(told(&at.wait_for(4))[3], withdrawn(&[snoozed]));
        let waits = "SELECT count(*) FROM agents WHERE needs = 'permission'";
        assert_eq!(at.headspace.store.number(waits), 2, "both wait on");
        // A new wait of the same session is a new alert, and what was seen stays quiet.
        two.answered();
        two.ask(&at.headspace, "make test");
        let messages = at.wait_for(5);
        assert_eq!(messages[4]["text"], "two · two: asks to run `make test`");
        one.answered();
        two.answered();
        assert_eq!(told(&at.wait_for(6))[5], withdrawn(&[snoozed]));
    }

    fn a_subagents_dialog_is_told_once_as_its_sessions(kind: Kind) {
        let at = Told::on(kind);
        let _watcher = at.headspace.watch();
        let mut asking = Asking::new(&at.headspace, "root");
        asking.prompt("the root");
        asking.subagent_asks(&at.headspace, "a1b2c3", "npm test");
        let message = at.wait_for(1).remove(0);
        assert_eq!(message["text"], "root · the root: asks to run `npm test`");
        let root = at.headspace.store.number("SELECT id FROM agents WHERE parent_agent_id IS NULL");
        assert_eq!(told(&[message]), [alert(&[root])]);
        // Both rows have it.
        let both = "SELECT count(*) FROM agents WHERE needs = 'permission'";
        eventually("both need it", || at.headspace.store.number(both) == 2);
        let web = Web::start(&at.headspace);
        assert_eq!(web.post(&format!("/api/agents/{root}/seen"), "{}").status, 200);
        assert_eq!(told(&at.wait_for(2)), [alert(&[root]), withdrawn(&[root])]);
        assert_eq!(at.headspace.store.number("SELECT count(*) FROM alerts"), 1);
    }

    fn two_watchers_of_one_host_tell_a_wait_once(kind: Kind) {
        let at = Told::on(kind);
        let mut second = Headspace::on(Kind::Sqlite);
        second
            .set("HEADSPACE_DATABASE__URL", at.headspace.store.url())
            .set("HEADSPACE_NOTIFY__COMMAND", at.headspace.dir().join("tell-me").display());
        let _watchers = [at.headspace.watch(), second.watch()];
        let mut first = Asking::new(&at.headspace, "first");
        first.prompt("first");
        first.ask(&at.headspace, "make");
        at.wait_for(1);
        first.answered();
        at.wait_for(2);
        let mut other = Asking::new(&at.headspace, "other");
        other.prompt("other");
        other.ask(&at.headspace, "make");
        let messages = at.wait_for(3);
        let agents: Vec<_> = told(&messages).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(agents, ["alert", "withdrawn", "alert"]);
        assert_eq!(at.headspace.store.number("SELECT count(*) FROM alerts"), 2);
    }

    fn of_a_history_only_what_still_waits_is_told_and_in_one_message(kind: Kind) {
        let at = Told::on(kind);
        for (name, is_answered) in [("answered", true), ("open", false), ("open-too", false)] {
            let mut asking = Asking::at(&at.headspace, name, 7200);
            asking.prompt(name);
            asking.question("One table or two?");
            if is_answered {
                asking.answered();
            }
        }
        let _watcher = at.headspace.watch();
        let message = at.wait_for(1).remove(0);
        let text = message["text"].as_str().unwrap();
        assert_eq!(message["waits"].as_array().unwrap().len(), 2, "{message}");
        assert!(text.starts_with("2 sessions need you: open"), "{text}");
        assert!(text.contains("asks you: “One table or two?") && text.contains("” · for 2 h"), "{text}");
        assert_eq!(at.headspace.store.number("SELECT count(*) FROM alerts"), 2);
    }

    fn only_sessions_of_this_host_are_told(kind: Kind) {
        let at = Told::on(kind);
        let [far, near] = ["far", "near"].map(|name| session(&at.headspace, name, &blocked(20)));
        tamper(&at.headspace.store, &format!(
            "UPDATE projects SET host = 'elsewhere' WHERE id = (SELECT project_id FROM agents WHERE id = {far})"));
        let _watcher = at.headspace.watch();
        assert_eq!(told(&at.wait_for(1)), [alert(&[near])]);
        assert_eq!(at.headspace.store.number("SELECT count(*) FROM alerts"), 1);
    }

    fn a_long_turn_that_is_over_is_told_only_where_that_is_asked_for(kind: Kind) {
        let mut at = Told::on(kind);
        let unseen = format!("title = 'fix login', unseen = {}, state = 'idle', last_words = 'All pass.', since = {}", yes(kind), ago(20));
        let [long, short] = ["long", "short"].map(|name| session(&at.headspace, name, &unseen));
        for (agent, began) in [(long, 140), (short, 70)] {
            tamper(&at.headspace.store, &format!(
                "UPDATE commands SET state = 'complete', outcome = 'done', started_at = {}, completed_at = {} \
                 WHERE agent_id = {agent}", ago(began), ago(20)));
        }
        let blocked = session(&at.headspace, "blocked", &blocked(20));
        let watcher = at.headspace.watch();
        assert_eq!(told(&at.wait_for(1)), [alert(&[blocked])]);
        drop(watcher);
        at.headspace.set("HEADSPACE_NOTIFY__FINISHED", true);
        let _watcher = at.headspace.watch();
        let messages = at.wait_for(2);
        assert_eq!(told(&messages[1..]), [alert(&[long])]);
        assert_eq!(messages[1]["text"], "long · fix login: finished after 2 min: “All pass.”");
    }

    fn more_than_three_at_once_become_one(kind: Kind) {
        let at = Told::on(kind);
        let agents: Vec<i64> = (0..5).map(|n| session(&at.headspace, &format!("s{n}"), &blocked(10))).collect();
        let _watcher = at.headspace.watch();
        let messages = at.wait_for(1);
        assert_eq!(told(&messages), [alert(&agents)]);
        assert!(messages[0]["text"].as_str().unwrap().ends_with("; and 2 more"), "{messages:?}");
        change(&at.headspace, agents[0], "needs = 'none'");
        change(&at.headspace, agents[4], &blocked(6));
        eventually("the next wait is told", || at.messages().len() > 1 || nudge(&at));
        assert_eq!(told(&at.messages())[1], alert(&agents[4..]));
    }
}

/// Makes the watcher look: rows that were changed behind its back are no news.
fn nudge(at: &Told) -> bool {
    Talk::new(&at.headspace, "nudge").say("look");
    false
}

/// The row of a session whose subagent waits says nothing of the wait itself.
#[test]
fn what_was_withdrawn_is_told_neither_again_nor_tried_again() {
    let at = Told::on(Kind::Sqlite);
    let root = session(&at.headspace, "root", "title = 'the root'");
    subagent(&at.headspace, root, "a1b2c3", &blocked(20));
    let _watcher = at.headspace.watch();
    assert_eq!(told(&at.wait_for(1)), [alert(&[root])]);
    let until = |until: &str| change(&at.headspace, root, &format!("snoozed_until = {until}"));
    until("'2999-01-01T00:00:00.000000Z'");
    eventually("it is withdrawn", || at.messages().len() > 1 || nudge(&at));
    tamper(
        &at.headspace.store,
        "CREATE TABLE tries (agent_id INTEGER); CREATE TRIGGER tried BEFORE INSERT ON alerts \
         BEGIN INSERT INTO tries VALUES (new.agent_id); END",
    );
    until("NULL");
    // Until this is told, there are looks enough at the other.
    let _asking = [1, 2].map(|number| {
        let mut asking = Asking::new(&at.headspace, &format!("new-{number}"));
        asking.prompt("new");
        asking.ask(&at.headspace, "make");
        at.wait_for(2 + number);
        asking
    });
    assert_eq!(at.messages().len(), 4, "{:?}", at.messages());
    let tries = format!("SELECT count(*) FROM tries WHERE agent_id = {root}");
    assert_eq!(at.headspace.store.number(&tries), 1);
}

#[test]
fn a_reload_takes_up_other_ways() {
    let at = Told::on(Kind::Sqlite);
    let file = at.headspace.dir().join("settings.yaml");
    fs::write(&file, "notify: {finished: false}\n").expect("written");
    let agent = session(&at.headspace, "a", &blocked(20));
    let mut command = at.headspace.command(&["watch"]);
    command
        .env_remove("HEADSPACE_NOTIFY__COMMAND")
        .env("HEADSPACE_CONFIG", &file);
    let watcher = at.headspace.spawn(command);
    watcher.wait_for_log("ready");
    assert!(
        !watcher.log().contains("alerts go out"),
        "{}",
        watcher.log()
    );
    let program = at.headspace.dir().join("tell-me");
    fs::write(
        &file,
        format!("notify: {{command: '{}'}}\n", program.display()),
    )
    .expect("written");
    watcher.signal(Signal::HUP);
    assert_eq!(told(&at.wait_for(1)), [alert(&[agent])]);
    watcher.wait_for_log("alerts go out by command");
}
