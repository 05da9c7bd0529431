//! `wait` returns when a session is idle, or needs a person.

use std::time::{Duration, Instant};

use crate::support::{
    agents::{ago, change, session, subagent},
    headspace::{Headspace, Kind, Running, eventually, on_both},
    talk::Talk,
};

const WORKS: &str = "state = 'processing', needs = 'none'";
const WAITS: &str = "state = 'awaiting_input', needs = 'plan'";
const RESTS: &str = "state = 'idle', needs = 'none'";

on_both! {
    fn it_returns_at_once_where_there_is_nothing_to_wait_for(kind: Kind) {
        let headspace = Headspace::on(kind);
        let shop = session(&headspace, "shop", "title = 'the shop', state = 'idle'");
        let blog = session(&headspace, "blog", WORKS);
        let code = |arguments: &[&str]| headspace.run(&[&["wait"], arguments].concat()).status.code();
        let soon = ["--timeout", "0"];
        assert_eq!(code(&["the shop"]), Some(0));
        assert_eq!(code(&["the shop", "--timeout", "0"]), Some(0));
        assert_eq!(code(&soon), Some(124), "the blog works");
        assert_eq!(code(&["the shop", "--for", "blocked", "--timeout", "0"]), Some(124));
        subagent(&headspace, shop, "a", WAITS);
        assert_eq!(code(&["the shop"]), Some(3), "a subagent needs it");
        assert_eq!(code(&[]), Some(3));
        assert_eq!(code(&["the shop", "--for", "idle", "--timeout", "0"]), Some(124));
        change(&headspace, blog, &format!("ended_at = {}", ago(0)));
        assert_eq!(code(&["blog", "--timeout", "0"]), Some(1), "this is no title");
        assert_eq!(code(&[&blog.to_string()]), Some(0), "it has ended");
    }

    fn a_commit_wakes_it_in_time(kind: Kind) {
        let headspace = Headspace::on(kind);
        let id = session(&headspace, "shop", WORKS).to_string();
        let mut other = Talk::new(&headspace, "other");
        other.say("hello");
        headspace.watch_once();
        let _watcher = headspace.watch();
        for (set, arguments, code) in [
            (WAITS, &["wait", &id][..], 3),
            (RESTS, &["wait", &id], 0),
            (WAITS, &["wait", "--for", "blocked"], 3),
            (RESTS, &["wait", "--for", "idle", &id, "--timeout", "600"], 0),
        ] {
            change(&headspace, id.parse().expect("an id"), WORKS);
            let mut waiting = headspace.start(arguments);
            settle(&headspace, kind, &waiting);
            assert!(waiting.is_running(), "{arguments:?}");
            change(&headspace, id.parse().expect("an id"), set);
            let begun = Instant::now();
            other.say("a commit");
            assert_eq!(waiting.wait().code(), Some(code), "{arguments:?}");
            assert!(begun.elapsed() < Duration::from_secs(10), "it looked only in the end");
        }
    }
}

/// Waits until it listens for wake-ups.
fn settle(headspace: &Headspace, kind: Kind, waiting: &Running) {
    let pid = waiting.pid().as_raw_nonzero();
    eventually("it listens", || match kind {
        Kind::Sqlite => {
            let bells = headspace.state().join("run/wake");
            let bells = std::fs::read_dir(bells).into_iter().flatten().flatten();
            let mut names = bells.map(|bell| bell.file_name().to_string_lossy().into_owned());
            names.any(|name| name.starts_with(&format!("{pid}-")))
        }
        Kind::Postgres => {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND application_name = 'headspace listen' AND query LIKE 'LISTEN%'";
            headspace.store.number(sql) > 0
        }
    });
}
