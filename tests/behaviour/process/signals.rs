//! Signals: the first asks, the second insists, HUP reads the settings again.

use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::{Signal, kill_process};

use crate::support::{
    conversation::Conversation,
    headspace::{Headspace, Kind, Running, Store, eventually},
    oracle,
    proxy::Proxy,
    web::{Web, command},
};

#[test]
fn a_second_request_to_stop_is_obeyed_in_time() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let mut headspace = Headspace::on(Kind::Postgres);
        let Store::Postgres(database) = &headspace.store else {
            panic!("made on PostgreSQL");
        };
        // With this much patience the first request alone would take half a minute.
        let proxy = Proxy::before(database);
        headspace.set("HEADSPACE_DATABASE__URL", proxy.url());
        headspace.set("HEADSPACE_EVENT_SYSTEM__SHUTDOWN_TIMEOUT_SECONDS", 60);
        let mut watcher = headspace.watch();
        let mut talk = Conversation::new(&headspace, "twice");
        talk.say();
        talk.wait_until_stored(&headspace);
        proxy.stall();
        let heard = proxy.heard();
        talk.say();
        eventually("the watcher asks the database", || proxy.heard() > heard);

        let asked = Instant::now();
        eventually("it leaves", || {
            // Two that arrive together are one: so it is asked until it has gone.
            let _ = kill_process(watcher.pid(), signal);
            !watcher.is_running()
        });
        assert_eq!(watcher.wait().code(), Some(code));
        assert!(
            asked.elapsed() < Duration::from_secs(2),
            "{:?}",
            asked.elapsed()
        );

        proxy.flow();
        headspace.watch_once();
        oracle::assert_clean(&headspace);
    }
}

#[test]
fn hup_reads_the_settings_again_and_keeps_the_old_ones_if_they_are_wrong() {
    let (headspace, mut talk, mut watcher, settings) = with_settings("logging: {level: info}\n");
    hear(&headspace, &mut talk, &watcher, false);

    reload(
        &watcher,
        &settings,
        "logging: {level: debug}\n",
        "settings read again",
    );
    hear(&headspace, &mut talk, &watcher, true);

    let wrong = "logging: {level: debug}\nwatch: {sesions: all}\n";
    reload(
        &watcher,
        &settings,
        wrong,
        "the settings are wrong; the old ones stay",
    );
    assert!(watcher.log().contains("watch.sesions"), "{}", watcher.log());
    hear(&headspace, &mut talk, &watcher, true);

    reload(&watcher, &settings, "logging: {level: warn}\n", "");
    eventually("it is quiet", || {
        let before = watcher.log().len();
        talk.say();
        talk.wait_until_stored(&headspace);
        watcher.log().len() == before
    });
    assert!(watcher.stop().success());
    oracle::assert_clean(&headspace);
}

#[test]
fn any_number_of_hups_does_no_harm() {
    let (headspace, mut talk, mut watcher, _settings) = with_settings("logging: {level: info}\n");
    for _ in 0..50 {
        watcher.signal(Signal::HUP);
        talk.say();
    }
    talk.wait_until_stored(&headspace);
    watcher.wait_for_log("settings read again");
    assert!(watcher.stop().success());
    oracle::assert_clean(&headspace);
}

#[test]
fn a_broken_pipe_kills_nobody() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut command = headspace.command(&["--log-level", "debug", "watch"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut talk = Conversation::new(&headspace, "pipe");
    talk.say();
    talk.wait_until_stored(&headspace);
    // Its log has no reader any more.
    drop((child.stdout.take(), child.stderr.take()));
    let pid = rustix::process::Pid::from_child(&child);
    for _ in 0..5 {
        kill_process(pid, Signal::PIPE).expect("it is there");
        talk.say_all(2);
        talk.wait_until_stored(&headspace);
    }
    kill_process(pid, Signal::TERM).expect("it is there");
    assert!(child.wait().expect("it ends").success());
    oracle::assert_clean(&headspace);
}

fn with_settings(text: &str) -> (Headspace, Conversation, Running, PathBuf) {
    let headspace = Headspace::on(Kind::Sqlite);
    let settings = headspace.dir().join("settings.yaml");
    fs::write(&settings, text).expect("written");
    let watcher = headspace.start(&["--config", settings.to_str().expect("UTF-8"), "watch"]);
    watcher.wait_for_log("ready");
    let talk = Conversation::new(&headspace, "signals");
    (headspace, talk, watcher, settings)
}

fn reload(watcher: &Running, settings: &PathBuf, text: &str, answer: &str) {
    let answers = watcher.log().matches(answer).count();
    fs::write(settings, text).expect("written");
    watcher.signal(Signal::HUP);
    if !answer.is_empty() {
        eventually(answer, || watcher.log().matches(answer).count() > answers);
    }
}

/// Says something and checks whether each event is logged, as it is at debug.
fn hear(headspace: &Headspace, talk: &mut Conversation, watcher: &Running, is_logged: bool) {
    let before = watcher.log().matches(" DEBUG ").count();
    talk.say();
    talk.wait_until_stored(headspace);
    let now = watcher.log().matches(" DEBUG ").count();
    assert_eq!(now > before, is_logged, "{}", watcher.log());
}

#[test]
fn hup_reloads_the_log_level_of_the_server() {
    let headspace = Headspace::on(Kind::Sqlite);
    let settings = headspace.dir().join("config.yaml");
    fs::write(&settings, "logging: {level: info}\n").expect("the settings");
    let mut command = command(&headspace);
    command.arg("--config").arg(&settings);
    let web = Web::from(&headspace, command);
    for (level, text) in [
        ("debug", "log level reloaded"),
        ("loud", "the settings are wrong; the old ones stay"),
    ] {
        fs::write(&settings, format!("logging: {{level: {level}}}\n")).expect("the settings");
        web.process.signal(Signal::HUP);
        web.process.wait_for_log(text);
    }
    assert_eq!(web.get("/nothing").status, 404);
}
