//! What was answered is on disk: the power is cut at any moment, and it is there.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    assert_silent, hook, lines,
    registry::{Cli, statuses},
    stop,
};
use crate::support::{
    disk::CutDisk,
    headspace::{Headspace, Kind, eventually},
    oracle,
    web::{Web, post, try_ask},
};

const JSON: &str = "Content-Type: application/json";
/// Before the power is cut, so many are answered.
const ANSWERED: usize = 20;

#[test]
fn the_first_hook_of_all_survives_a_power_cut_right_after_it() {
    let headspace = Headspace::on(Kind::Sqlite);
    let disk = CutDisk::at(&headspace.state());
    assert_silent(&hook(&headspace, stop("first").to_string()));
    disk.cut();
    // While there is no power it is as silent.
    assert_silent(&hook(&headspace, stop("without power").to_string()));
    disk.restore();
    assert_silent(&hook(&headspace, stop("second").to_string()));
    let found: Vec<Value> = lines(&headspace)
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).expect("whole")["hook"].clone())
        .collect();
    assert_eq!(found, [stop("first"), stop("second")]);
}

#[test]
fn with_every_writer_at_work_a_power_cut_costs_nothing_that_was_answered() {
    let headspace = Headspace::on(Kind::Sqlite);
    let disk = CutDisk::at(&headspace.state());
    let mut sent = Vec::new();
    let mut cli = Cli::start(&headspace);
    for round in 0..5 {
        let watcher = headspace.watch();
        let mut web = Web::start(&headspace);
        cli.says("by-registry", ["busy", "idle"][round % 2]);
        eventually("it is observed", || {
            statuses(&headspace.store).len() == round + 1
        });
        sent.extend(send_until_cut(&disk, &mut web, round));
        watcher.kill();
        disk.restore();
    }
    let answered = sent.iter().filter(|sent| sent["maybe"] == false).count();
    println!("{} sent, {answered} of them answered", sent.len());
    headspace.watch_once();
    let sound = "SELECT integrity_check FROM pragma_integrity_check";
    assert_eq!(headspace.store.column(sound), ["ok"]);
    assert_eq!(
        statuses(&headspace.store),
        ["busy", "idle", "busy", "idle", "busy"]
    );
    oracle::assert_clean_with_sent(&headspace, &sent);
}

/// Sends hooks and sessions from several clients at once, cuts the power meanwhile
/// and kills the process; what was sent, and whether it was answered before that. A
/// flush that meets the cut may succeed for nothing: so it is without headspace, too.
fn send_until_cut(disk: &CutDisk, web: &mut Web, round: usize) -> Vec<Value> {
    let (sent, answered) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    let is_cut = AtomicBool::new(false);
    let port = web.port;
    thread::scope(|scope| {
        for client in 0..4 {
            let (sent, answered, is_cut) = (&sent, &answered, &is_cut);
            scope.spawn(move || {
                for number in 0.. {
                    let name = format!("{round}-{client}-{number}");
                    let (sending, is_answered) = send(port, client, &name);
                    let maybe = !is_answered || is_cut.load(Ordering::SeqCst);
                    let sending = json!({sending.0: sending.1, "maybe": maybe});
                    sent.lock().unwrap().push(sending);
                    answered.fetch_add(usize::from(is_answered), Ordering::SeqCst);
                    if !is_answered {
                        break;
                    }
                }
            });
        }
        eventually("many are answered", || {
            answered.load(Ordering::SeqCst) >= ANSWERED
        });
        is_cut.store(true, Ordering::SeqCst);
        disk.cut();
        // Clients end at the first that is not answered.
    });
    web.process.signal(Signal::KILL);
    web.process.wait();
    sent.into_inner().unwrap()
}

/// Clients of even number send hooks, the others sessions. What was sent, and whether
/// it was answered.
fn send(port: u16, client: usize, name: &str) -> ((&'static str, Value), bool) {
    let (path, sending) = match client % 2 {
        0 => ("/hook", ("hook", stop(name))),
        _ => {
            let session = json!({"session_uuid": name, "project_path": "/p"});
            ("/api/sessions", ("session", session))
        }
    };
    let host = format!("localhost:{port}");
    let request = post(path, &host, &[JSON], &sending.1.to_string());
    let answer = std::net::TcpStream::connect(("127.0.0.1", port))
        .map_err(|error| error.to_string())
        .and_then(|stream| try_ask(stream, request.as_bytes()));
    let is_answered = answer.is_ok_and(|answer| matches!(answer.status, 200..=202));
    (sending, is_answered)
}
