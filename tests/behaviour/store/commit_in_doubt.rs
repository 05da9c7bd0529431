//! Whether a COMMIT arrived cannot be known when its answer is lost. The
//! checkpoint knows: nothing is doubled, nothing is lost.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{
    conversation::Conversation,
    headspace::{Headspace, Kind, Running, Store, eventually, is_long, seed},
    oracle,
    postgres::Database,
    proxy::{Commits, Proxy, Way},
    random::Random,
    server::Server,
};

#[test]
fn an_event_whose_commit_went_unanswered_is_stored_once() {
    let count = if is_long() { 500 } else { 200 };
    let (headspace, proxy) = behind_proxy();
    let watcher = headspace.watch();
    let mut talk = Conversation::new(&headspace, "doubt");
    let kinds = [
        Commits::AnswerSwallowed,
        Commits::CutWhileRunning,
        Commits::AnswerSwallowed,
        Commits::Lost,
    ];
    for (_, kind) in (0..count).zip(kinds.into_iter().cycle()) {
        let before = proxy.doubtful();
        proxy.set_commits(kind);
        talk.say();
        eventually("a COMMIT is in doubt", || proxy.doubtful() > before);
        if kind == Commits::Lost {
            // What never arrives can only be stored when the line is good again.
            proxy.set_commits(Commits::Answered);
        }
        talk.wait_until_stored(&headspace);
    }
    proxy.set_commits(Commits::Answered);
    talk.say();
    talk.wait_until_recovered(&headspace);
    println!(
        "{} COMMITs in doubt over {} connections",
        proxy.doubtful(),
        proxy.opened()
    );
    assert!(proxy.doubtful() >= count);
    drop(watcher);
    oracle::assert_clean(&headspace);
}

#[test]
fn a_batch_whose_commit_went_unanswered_is_stored_once() {
    let (headspace, proxy) = behind_proxy();
    let mut talks: Vec<Conversation> = (0..8)
        .map(|n| Conversation::new(&headspace, &format!("batch{n}")))
        .collect();
    talks.iter_mut().for_each(|talk| talk.say_all(500));
    proxy.set_commits(Commits::AnswerSwallowed);
    let watcher = headspace.watch();
    for talk in &talks {
        talk.wait_until_stored(&headspace);
    }
    println!("{} COMMITs in doubt", proxy.doubtful());
    assert!(proxy.doubtful() > 2);
    drop(watcher);
    oracle::assert_clean(&headspace);
}

#[test]
fn a_line_cut_after_any_byte_loses_and_doubles_nothing() {
    let count = if is_long() { 500 } else { 200 };
    let seed = seed();
    println!("HEADSPACE_TEST_SEED={seed}");
    let mut random = Random(seed);
    let (headspace, proxy) = behind_proxy();
    let watcher = headspace.watch();
    let mut talk = Conversation::new(&headspace, "cut");
    while proxy.cuts() < count {
        let before = proxy.cuts();
        let way = [Way::ToServer, Way::ToClient][random.below(2)];
        let bytes = random.below(6_000) as u64;
        proxy.cut_after(way, bytes);
        while proxy.cuts() == before {
            let heard = proxy.heard();
            talk.say_all(1 + random.below(3));
            eventually("the line is used", || {
                proxy.cuts() > before || proxy.heard() > heard
            });
        }
        talk.wait_until_stored(&headspace);
    }
    println!("{} cuts, {} turns", proxy.cuts(), talk.said.len());
    drop(watcher);
    oracle::assert_clean(&headspace);
}

/// The COMMIT waits at a standby that is not there; the line breaks; the retry
/// arrives while the first one is neither done nor undone.
#[test]
fn a_retry_waits_for_a_commit_that_still_runs() {
    let (_server, mut headspace) = Server::with_headspace();
    let proxy = Proxy::before(database(&headspace));
    use_proxy(&mut headspace, &proxy);
    let watcher = headspace.watch();
    let mut talk = Conversation::new(&headspace, "standby");
    talk.say();
    talk.wait_until_stored(&headspace);
    for _ in 0..3 {
        // Right behind a beat: the next one, which would hang as well, is seconds off.
        let beat = headspace.store.column("SELECT beat_at FROM watchers");
        eventually("the watcher's next beat", || {
            headspace.store.column("SELECT beat_at FROM watchers") != beat
        });
        set_standby(&headspace, "nobody");
        proxy.set_commits(Commits::CutWhileRunning);
        talk.say();
        let hangs = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        eventually("the COMMIT hangs", || headspace.store.number(hangs) == 1);
        let waits = "SELECT count(*) FROM pg_stat_activity
                     WHERE application_name = 'headspace watcher' AND wait_event_type = 'Lock'";
        eventually("the retry waits for it", || {
            headspace.store.number(waits) == 1
        });
        assert!(!talk.is_stored(&headspace));

        proxy.set_commits(Commits::Answered);
        set_standby(&headspace, "");
        talk.wait_until_recovered(&headspace);
    }
    drop(watcher);
    oracle::assert_clean(&headspace);
}

#[test]
fn a_line_that_stalls_for_ever_costs_no_memory_and_the_watcher_stops_in_time() {
    let (headspace, proxy) = behind_proxy();
    let mut watcher = headspace.watch();
    let mut talk = Conversation::new(&headspace, "stalled");
    talk.say();
    talk.wait_until_stored(&headspace);
    let before = watcher.memory_kb("VmRSS");
    let heard = proxy.heard();
    proxy.stall();
    talk.say_all(1);
    eventually("it asks", || proxy.heard() > heard);
    // 16 MB that cannot be stored now, and that it has no need to hold.
    let mut flood: Vec<Conversation> = (0..4)
        .map(|n| Conversation::new(&headspace, &format!("flood{n}")))
        .collect();
    flood.iter_mut().for_each(|talk| talk.say_all(10_000));
    // By then it has given up on the first connection and tries others.
    eventually("it gives up and tries again", || proxy.opened() >= 3);
    let grown = watcher.memory_kb("VmRSS").saturating_sub(before);
    println!("grown by {grown} kB while stalled");
    assert!(grown < 16 * 1024, "{grown} kB");
    leaves_in_time(&mut watcher);

    proxy.flow();
    headspace.watch_once();
    oracle::assert_clean(&headspace);
}

/// A connection that is accepted and then says nothing, however far it had come.
#[test]
fn a_connection_that_falls_silent_is_given_up() {
    let (mut headspace, proxy) = behind_proxy();
    headspace.set("HEADSPACE_EVENT_SYSTEM__WRITE_RETRY_ATTEMPTS", 1);
    let mut talk = Conversation::new(&headspace, "silent");
    talk.say();
    proxy.silence_new(true);
    let mut watcher = headspace.start(&["watch"]);
    watcher.wait_for_log("degraded: positions are kept");
    // The one that hangs stays hung; a new one gets through.
    proxy.silence_new(false);
    talk.wait_until_stored(&headspace);
    assert!(watcher.stop().success());
    oracle::assert_clean(&headspace);
}

fn leaves_in_time(watcher: &mut Running) {
    let asked = Instant::now();
    watcher.signal(Signal::TERM);
    assert!(watcher.wait().success());
    let took = asked.elapsed();
    assert!(took <= Duration::from_secs(2), "it took {took:?}");
}

/// A headspace whose way to the server leads through a proxy. Short pauses:
/// what is tested is the order of things, not the patience.
fn behind_proxy() -> (Headspace, Proxy) {
    let mut headspace = Headspace::on(Kind::Postgres);
    let proxy = Proxy::before(database(&headspace));
    use_proxy(&mut headspace, &proxy);
    (headspace, proxy)
}

fn use_proxy(headspace: &mut Headspace, proxy: &Proxy) {
    headspace.set("HEADSPACE_DATABASE__URL", proxy.url());
    headspace.set("HEADSPACE_EVENT_SYSTEM__WRITE_RETRY_DELAY_MS", 5);
}

fn database(headspace: &Headspace) -> &Database {
    match &headspace.store {
        Store::Postgres(database) => database,
        Store::Sqlite(_) => panic!("made on PostgreSQL"),
    }
}

fn set_standby(headspace: &Headspace, name: &str) {
    let database = database(headspace);
    database.sql(&format!(
        "ALTER SYSTEM SET synchronous_standby_names = '{name}'"
    ));
    database.sql("SELECT pg_reload_conf()");
    let is_set = || database.sql("SHOW synchronous_standby_names") == name;
    eventually("the server knows its standby", is_set);
}
